#!/usr/bin/env bash
# demo/load.sh: put the demo venues and the season on sale at the server that BASE names, unless it
# has events already. `build` is the build tree, for the stadium's generator.
set -euo pipefail
demo=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${BASE:?the address of a server}" "${build:?the build tree}"
attempts_max=10
pause_seconds=${ONSALE_DEMO_PAUSE_SECONDS:-2}
declare -A venue_ids
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# post PATH MEMBER: send standard input as JSON and print one member of the reply. On a busy machine
# the server may not have the time (503), or have lost the database's answer; then the
# same request is sent again, with the same key, so that it has its effect once.
post()
{
	local attempt status key
	key=demo-$(cat /proc/sys/kernel/random/uuid)
	cat >"$scratch/body"
	for ((attempt = 1; attempt <= attempts_max; attempt++)); do
		((attempt == 1)) || sleep "$pause_seconds"
		status=$(curl --silent --show-error --max-time 120 --output "$scratch/reply" \
			--write-out '%{http_code}' -H 'Content-Type: application/json' \
			-H "Idempotency-Key: $key" --data-binary @"$scratch/body" "$BASE$1") ||
			status=none
		case $status in
		2??)
			jq -er ".$2" "$scratch/reply"
			return
			;;
		409 | 503 | none) ;; # 409: the first request is still running.
		*) break ;;
		esac
	done
	printf 'demo/load.sh: %s is answered by %s\n' "$1" "$status" >&2
	cat "$scratch/reply" >&2 || true
	return 1
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
