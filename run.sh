#!/usr/bin/env bash
# ./run.sh [--fresh]: Onsale on this machine, with demo data. Ctrl-C ends all that it started.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/real-implementation/run.sh" "$@"
