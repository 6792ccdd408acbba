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
targets=(saga-seats-server payment-simulator)
# shellcheck disable=SC2034
services=(postgres orders)
# shellcheck disable=SC2034
secrets=(ADMIN_TOKEN=token)
# shellcheck disable=SC2034,SC2016 # Whoever pastes the line expands it.
first_curl='curl -s "$BASE/events" | jq'

if [[ -z ${STRIPE_SECRET_KEY-}${STRIPE_SECRET_KEY_FILE-} ]]; then
	# shellcheck disable=SC2034
	companions=(simulator=8132)
	secrets+=(STRIPE_WEBHOOK_SECRET=whsec_)
	# The simulator moves no money, and the README's steps play the bank with its key.
	export STRIPE_SECRET_KEY=sk_test_onsale
fi

simulator()
{
	export PROVIDER_KEYS=$STRIPE_SECRET_KEY
	export WEBHOOK_SECRET_FILE=$STRIPE_WEBHOOK_SECRET_FILE
	export WEBHOOK_URL=$BASE/webhooks/stripe
	exec "$build/tech-two-phase-payments/simulator/payment-simulator" --port="$SIMULATOR_PORT" \
		--data="$run_folder/simulator" 2>>"$run_folder/simulator.log"
}

# The first event of the demo's season: its hall has 5,000 seats.
serve()
{
	local event=$root/demo/events.json
	export PLAN=$root/demo/venues/concert-hall.json
	EVENT_NAME=$(jq -r '.[0].name' "$event")
	PRICES=$(jq -r '.[0].prices | to_entries | map("\(.key)=\(.value)") | join(",")' "$event")
	export EVENT_NAME PRICES
	export STRIPE_BASE_URL=${STRIPE_BASE_URL:-${SIMULATOR_BASE-https://api.stripe.com}}
	export RETURN_URL=${RETURN_URL:-$BASE/healthz}
	exec "$build/tech-locking-and-transactions/saga/saga-seats-server" >/dev/null \
		2>>"$run_folder/server.log"
}

subproject_run "$@"
