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
targets=(redis-guard-server payment-simulator)
# shellcheck disable=SC2034
services=(redis postgres)
# shellcheck disable=SC2034
secrets=(ADMIN_TOKEN=token)
# shellcheck disable=SC2034,SC2016 # Whoever pastes the line expands it.
first_curl='curl -s "$BASE/events" | jq'

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
	exec "$build/tech-locking-and-transactions/redis-guard/redis-guard-server" >/dev/null \
		2>>"$run_folder/server.log"
}

subproject_run "$@"
