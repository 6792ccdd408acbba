#!/usr/bin/env bash
# The saga: seats in one PostgreSQL cluster, orders and tickets in another, and the simulator as the
# payment provider; or Stripe itself, when the environment has a key of one's own.
# shellcheck source=tools/subproject.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../tools/subproject.sh"

# shellcheck disable=SC2034 # These are read by subproject.sh.
title='Seats and orders in two databases, held together by a saga'
# shellcheck disable=SC2034
port_default=8124
# shellcheck disable=SC2034
targets=(saga-seats-server)
# shellcheck disable=SC2034
services=(postgres orders)
# shellcheck disable=SC2034
secrets=(ADMIN_TOKEN=token)
# shellcheck disable=SC2034,SC2016 # Whoever pastes the line expands it.
first_curl='curl -s "$BASE/events" | jq'
# shellcheck disable=SC2034
seats_server=tech-locking-and-transactions/saga/saga-seats-server
# shellcheck source=tech-locking-and-transactions/serve.sh
source "$(dirname "${BASH_SOURCE[0]}")/../serve.sh"

# The simulator moves no money, and the README's steps play the bank with its key.
[[ -n ${STRIPE_SECRET_KEY_FILE-} ]] || export STRIPE_SECRET_KEY=${STRIPE_SECRET_KEY:-sk_test_onsale}

subproject_run "$@"
