#!/usr/bin/env bash
# real-implementation/demo.sh FANS: the demo, beside a server that runs. Makes the stadium and its
# event where they are missing, lets the event go on sale in a minute unless its sale is under way,
# and sends simulated fans there. run.sh starts it, and ends it with SIGTERM.
#
# From the environment: BASE, the services' URLs, ADMIN_TOKEN or ADMIN_TOKEN_FILE; and of run.sh
# `build`, `root` and `run_folder`.
set -euo pipefail
: "${BASE:?}" "${build:?}" "${root:?}" "${run_folder:?}"
fans=${1:?how many fans}
onsale=$build/real-implementation/onsale
seconds_before_sale=60
seconds_max=14400 # Fans come for four hours, and then it is quiet.

child=
trap '[[ -z $child ]] || kill "$child" 2>/dev/null; exit 0' TERM INT

# wait_for COMMAND…: a signal is heeded at once, and not after the command's end.
wait_for()
{
	local status=0
	"$@" &
	child=$!
	wait "$child" || status=$?
	child=
	return "$status"
}

admin()
{
	local token=${ADMIN_TOKEN-}
	[[ -n $token ]] || token=$(<"$ADMIN_TOKEN_FILE")
	# By a file, so that no list of processes shows the token.
	curl -sSf --max-time 20 -H @<(printf 'Authorization: Bearer %s' "$token") \
		-H 'Content-Type: application/json' "$@"
}

make_stadium()
{
	"$build/demo/make_venue" stadium >"$run_folder/stadium.json.new"
	mv "$run_folder/stadium.json.new" "$run_folder/stadium.json"
}

later()
{
	date -u -d "+$1" +%Y-%m-%dT%H:%M:%SZ
}

# What comes out of the import is "event ID", with more words where it was there.
import_event()
{
	"$onsale" import event "$root/real-implementation/demo/northern-lights.json" \
		>"$run_folder/demo-event.new"
	sed -n 's/^event \([0-9a-f-]*\).*/\1/p' "$run_folder/demo-event.new" \
		>"$run_folder/demo-event"
}

# Few are let in at once, so that fifty fans make a queue that one can watch.
set_sale()
{
	local event=$1 at state room starts=
	room='{"openAtHoldsPerSecond": 4, "openAtLaneDepth": 100, "ratePerSecond": 1,
		"activeMax": 8, "claimSeconds": 60, "heartbeatSeconds": 30, "sessionSeconds": 600}'
	state=$(admin "$BASE/admin/events/$event")
	if jq -e '.sale == "on_sale" and .seats.held + .seats.sold > 0 and .seats.available > 0' \
		<<<"$state" >/dev/null; then
		echo "the sale of $event is under way"
		return
	fi
	! jq -e '.sale == "ended"' <<<"$state" >/dev/null || starts=$(later '90 days')
	at=$(later "$seconds_before_sale seconds")
	jq -n --arg at "$at" --arg starts "$starts" \
		--argjson room "$room" '{onSaleAt: $at, waitingRoom: $room}
			+ if $starts == "" then {} else {startsAt: $starts} end' |
		admin -X PUT --data-binary @- "$BASE/events/$event" >/dev/null
	echo "the sale of $event begins at $at"
}

if [[ ! -s $run_folder/stadium.json ]]; then
	wait_for make_stadium
fi
wait_for "$onsale" import venue "$run_folder/stadium.json"
wait_for import_event
event=$(<"$run_folder/demo-event")
set_sale "$event"
((fans > 0)) || exit 0
exec "$build/real-implementation/onsale-fans" --event "$event" --fans "$fans" \
	--seconds "$seconds_max" --think-time-min 500ms --think-time-max 5s
