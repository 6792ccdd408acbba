#!/usr/bin/env bash
# A second private PostgreSQL cluster beside the first, for subprojects that keep their orders apart
# from their seats. All but the name is that of postgres.sh, where the hooks and their traps stand.

# shellcheck source-path=SCRIPTDIR source=postgres.sh
source "$(dirname "${BASH_SOURCE[0]}")/postgres.sh"
