#!/usr/bin/env bash
# Seats, holds and purchases on PostgreSQL, with the simulator as the payment provider; or with
# Stripe itself, when the environment has a key of one's own.
# shellcheck source=tools/subproject.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../tools/subproject.sh"

# shellcheck disable=SC2034 # These are read by subproject.sh.
title='Locking and transactions on PostgreSQL'
# shellcheck disable=SC2034
port_default=8121
# shellcheck disable=SC2034
targets=(postgres-seats-server)
# shellcheck disable=SC2034
services=(postgres)
# shellcheck disable=SC2034
secrets=(ADMIN_TOKEN=token)
# shellcheck disable=SC2034,SC2016 # Whoever pastes the line expands it.
first_curl='curl -s "$BASE/events" | jq'
# shellcheck disable=SC2034
seats_server=tech-locking-and-transactions/postgres/postgres-seats-server
# shellcheck source=tech-locking-and-transactions/serve.sh
source "$(dirname "${BASH_SOURCE[0]}")/../serve.sh"

subproject_run "$@"
