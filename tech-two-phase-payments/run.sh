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
targets=(orders-server payment-simulator)
# shellcheck disable=SC2034
services=(postgres)
# shellcheck disable=SC2034
secrets=(ADMIN_TOKEN=token)
# shellcheck disable=SC2034,SC2016 # Whoever pastes the line expands it.
first_curl='curl -s "$BASE/readyz"'

if [[ -z ${STRIPE_SECRET_KEY-}${STRIPE_SECRET_KEY_FILE-} ]]; then
	# shellcheck disable=SC2034
	companions=(simulator=8132)
	# A test key moves no money.
	secrets+=(STRIPE_SECRET_KEY=sk_test_ STRIPE_WEBHOOK_SECRET=whsec_)
fi

simulator()
{
	export PROVIDER_KEYS_FILE=$STRIPE_SECRET_KEY_FILE
	export WEBHOOK_SECRET_FILE=$STRIPE_WEBHOOK_SECRET_FILE
	export WEBHOOK_URL=$BASE/webhooks/stripe
	exec "$build/tech-two-phase-payments/simulator/payment-simulator" --port="$SIMULATOR_PORT" \
		--data="$run_folder/simulator" 2>>"$run_folder/simulator.log"
}

serve()
{
	export STRIPE_BASE_URL=${STRIPE_BASE_URL:-${SIMULATOR_BASE-https://api.stripe.com}}
	export RETURN_URL=${RETURN_URL:-$BASE/healthz}
	exec "$build/tech-two-phase-payments/orders-server" 2>>"$run_folder/server.log"
}

subproject_run "$@"
