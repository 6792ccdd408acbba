#!/usr/bin/env bash
# Compare the guarded store with the bare one once, briefly; the bench starts and ends its services.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

tools/setup.sh build bench postgres redis
tools/build.sh release seat_store_bench
exec build/release/tech-locking-and-transactions/seat_store_bench --rounds=1 "$@"
