#!/usr/bin/env bash
# As postgres/, with a guard in Redis before the seats; the simulator is the payment provider, or
# Stripe itself when the environment has a key of one's own.
# shellcheck source=tools/subproject.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../tools/subproject.sh"

# shellcheck disable=SC2034 # These are read by subproject.sh.
title='Seats on PostgreSQL behind a guard in Redis'
# shellcheck disable=SC2034
port_default=8126
# shellcheck disable=SC2034
targets=(redis-guard-server)
# shellcheck disable=SC2034
services=(redis postgres)
# shellcheck disable=SC2034
secrets=(ADMIN_TOKEN=token)
# shellcheck disable=SC2034,SC2016 # Whoever pastes the line expands it.
first_curl='curl -s "$BASE/events" | jq'
# shellcheck disable=SC2034
seats_server=tech-locking-and-transactions/redis-guard/redis-guard-server
# shellcheck source=tech-locking-and-transactions/serve.sh
source "$(dirname "${BASH_SOURCE[0]}")/../serve.sh"

subproject_run "$@"
