#!/usr/bin/env bash
# The product with its services and demo data: PostgreSQL, Redis, the payment simulator (or Stripe
# itself when the environment has a key of one's own), the program onsale, and simulated fans.
# shellcheck source=tools/subproject.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tools/subproject.sh"

# shellcheck disable=SC2034 # These are read by subproject.sh.
title='Onsale: from the queue to the ticket'
# shellcheck disable=SC2034
port_default=8080
# shellcheck disable=SC2034
targets=(onsale onsale-fans make_venue)
# shellcheck disable=SC2034
services=(redis postgres)
# shellcheck disable=SC2034
secrets=(ADMIN_TOKEN=token PLACE_KEYS=keys SESSION_KEYS=keys TICKET_KEYS=keys)
# shellcheck disable=SC2034,SC2016 # Whoever pastes the line expands it.
first_curl='curl -s "$BASE/events" | jq'
# shellcheck source=tech-two-phase-payments/simulator/companion.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tech-two-phase-payments/simulator/companion.sh"

fans_default=50
fans_max=1000
export FANS=${FANS-$fans_default}

usage()
{
	subproject_usage
	cat <<-USAGE

		--fans N        simulated fans who queue and buy, at most $fans_max;
		                $fans_default unless given (or FANS), 0: none
	USAGE
}

rest=()
while (($# > 0)); do
	case $1 in
	--fans) FANS=${2?--fans needs a number} && shift ;;
	--fans=*) FANS=${1#*=} ;;
	--help | -h)
		usage
		exit 0
		;;
	*) rest+=("$1") ;;
	esac
	shift
done
if [[ ! $FANS =~ ^[0-9]{1,4}$ ]] || ((10#$FANS > fans_max)); then
	die "--fans must be a number from 0 to $fans_max"
fi
# shellcheck disable=SC2154 # subproject.sh sets them.
onsale=$build/real-implementation/onsale

# What was imported before stays as it is. The stadium and its event come later (demo.sh), so that
# nobody has to wait for them.
prepare()
{
	local file events=()
	"$onsale" migrate
	"$onsale" import venue "$root"/demo/venues/*.json
	for file in "$root"/real-implementation/demo/*.json; do
		[[ ${file##*/} == northern-lights.json ]] || events+=("$file")
	done
	"$onsale" import event "${events[@]}"
}

# shellcheck disable=SC2154
serve()
{
	export STRIPE_BASE_URL=${STRIPE_BASE_URL:-${SIMULATOR_BASE-https://api.stripe.com}}
	export RETURN_URL=${RETURN_URL:-$BASE/}
	exec "$build/real-implementation/onsale" serve >/dev/null 2>>"$run_folder/server.log"
}

# shellcheck disable=SC2154
attend()
{
	exec "$root/real-implementation/demo.sh" "$FANS" >>"$run_folder/demo.log" 2>&1
}

subproject_run "${rest[@]}"
