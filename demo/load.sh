#!/usr/bin/env bash
# demo/load.sh: put the demo venues and the season on sale at the server that BASE names, unless it
# has events already. `build` is the build tree, for the stadium's generator.
set -euo pipefail
demo=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${BASE:?the address of a server}" "${build:?the build tree}"
declare -A venue_ids

# post PATH MEMBER: send standard input as JSON and print one member of the reply.
post()
{
	curl --fail-with-body --silent --show-error --max-time 120 \
		-H 'Content-Type: application/json' --data-binary @- "$BASE$1" | jq -er ".$2"
}

plan()
{
	case $1 in
	stadium) "$build/demo/make_venue" stadium ;;
	*) cat "$demo/venues/$1.json" ;;
	esac
}

# What an earlier start has loaded stays; one that was cut short is completed.
known=$(curl -sf --max-time 10 "$BASE/events?limit=200" | jq '[.items[].name]')
missing=$(jq -c --argjson known "$known" '.[] | select(.name | IN($known[]) | not)' \
	"$demo/events.json")

while read -r venue; do
	venue_ids[$venue]=$(plan "$venue" | post /venues venueId)
done < <(jq -r .venue <<<"$missing" | sort -u)

while read -r event; do
	[[ -n $event ]] || continue
	venue=$(jq -r .venue <<<"$event")
	jq -c --arg venue "${venue_ids[$venue]}" \
		'{venueId: $venue, name, startsAt, currency, prices}' <<<"$event" |
		post /events eventId >/dev/null
done <<<"$missing"
