#!/usr/bin/env bash
# The order server, with the simulator as its payment provider; or with Stripe itself, when the
# environment has a key of one's own.
# shellcheck source=tools/subproject.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tools/subproject.sh"

# shellcheck disable=SC2034 # These are read by subproject.sh.
title='Two-phase payments: the order server and a payment provider'
# shellcheck disable=SC2034
port_default=8131
# shellcheck disable=SC2034
targets=(orders-server)
# shellcheck disable=SC2034
services=(postgres)
# shellcheck disable=SC2034
secrets=(ADMIN_TOKEN=token)
# shellcheck disable=SC2034,SC2016 # Whoever pastes the line expands it.
first_curl='curl -s "$BASE/readyz"'
# shellcheck source=tech-two-phase-payments/simulator/companion.sh
source "$(dirname "${BASH_SOURCE[0]}")/simulator/companion.sh"

serve()
{
	export STRIPE_BASE_URL=${STRIPE_BASE_URL:-${SIMULATOR_BASE-https://api.stripe.com}}
	export RETURN_URL=${RETURN_URL:-$BASE/healthz}
	exec "$build/tech-two-phase-payments/orders-server" 2>>"$run_folder/server.log"
}

subproject_run "$@"
