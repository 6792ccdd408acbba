#!/usr/bin/env bash
# The family's default technology.
exec "$(dirname "${BASH_SOURCE[0]}")/postgres/run.sh" "$@"
