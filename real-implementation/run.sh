#!/usr/bin/env bash
# The product with its services and demo data: PostgreSQL, Redis, the payment simulator (or Stripe
# itself when the environment has a key of one's own), and the program onsale.
# shellcheck source=tools/subproject.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tools/subproject.sh"

# shellcheck disable=SC2034 # These are read by subproject.sh.
title='Onsale: from the queue to the ticket'
# shellcheck disable=SC2034
port_default=8080
# shellcheck disable=SC2034
targets=(onsale)
# shellcheck disable=SC2034
services=(redis postgres)
# shellcheck disable=SC2034
secrets=(ADMIN_TOKEN=token PLACE_KEYS=keys SESSION_KEYS=keys TICKET_KEYS=keys)
# shellcheck disable=SC2034,SC2016 # Whoever pastes the line expands it.
first_curl='curl -s "$BASE/events" | jq'
# shellcheck source=tech-two-phase-payments/simulator/companion.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tech-two-phase-payments/simulator/companion.sh"

# shellcheck disable=SC2154 # subproject.sh sets them.
onsale=$build/real-implementation/onsale

# What was imported before stays as it is.
prepare()
{
	"$onsale" migrate
	"$onsale" import venue "$root"/demo/venues/*.json
	"$onsale" import event "$root"/real-implementation/demo/*.json
}

# shellcheck disable=SC2154
serve()
{
	export STRIPE_BASE_URL=${STRIPE_BASE_URL:-${SIMULATOR_BASE-https://api.stripe.com}}
	export RETURN_URL=${RETURN_URL:-$BASE/}
	exec "$onsale" serve >/dev/null 2>>"$run_folder/server.log"
}

subproject_run "$@"
