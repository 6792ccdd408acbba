# shellcheck shell=bash
# What the run.sh of every seat server shares; it sources this behind its own settings, with
# `seats_server` set to the program below build/.
# shellcheck source=tech-two-phase-payments/simulator/companion.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tech-two-phase-payments/simulator/companion.sh"
export seats_server

# The first event of the demo's season: its hall has 5,000 seats.
# shellcheck disable=SC2154 # subproject.sh sets them.
serve()
{
	local event=$root/demo/events.json
	export PLAN=$root/demo/venues/concert-hall.json
	EVENT_NAME=$(jq -r '.[0].name' "$event")
	PRICES=$(jq -r '.[0].prices | to_entries | map("\(.key)=\(.value)") | join(",")' "$event")
	export EVENT_NAME PRICES
	export STRIPE_BASE_URL=${STRIPE_BASE_URL:-${SIMULATOR_BASE-https://api.stripe.com}}
	export RETURN_URL=${RETURN_URL:-$BASE/healthz}
	exec "$build/$seats_server" >/dev/null 2>>"$run_folder/server.log"
}
