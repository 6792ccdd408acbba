#!/usr/bin/env bash
# The demo as run.sh starts it (demo.sh, onsale-fans), with services and data of its own: its event
# is announced with a room, fans make the room open, queue and buy, the books agree, Ctrl-C leaves
# no process, and a second start lets a sale that is under way go on.
set -euo pipefail
test_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=services/lib.sh
source "$test_folder/../services/lib.sh"
# shellcheck disable=SC2034 # lib.sh reads it.
program=real-implementation/demo_test.sh
instance=test-demo-$$
mark=ONSALE_DEMO_TEST=$instance
seconds_max=180
end_seconds_max=20
fans=30
runner=
scratch=$(mktemp -d /tmp/onsale-demo-XXXXXX)

cleanup()
{
	local service
	[[ -z $runner ]] || kill -TERM "$runner" 2>/dev/null || true
	wait || true
	for service in redis postgres; do
		"$root/services/$service.sh" destroy "$instance" || true
	done
	# shellcheck disable=SC2154 # lib.sh sets it.
	rm -rf "$scratch" "${work:?}/$instance"
}

fail()
{
	say "$1"
	tail -n 20 "$scratch/err" "$work/$instance"/{demo,server}.log >&2 || true
	exit 1
}

# start ARGUMENT…: run.sh leads a session, so that it heeds SIGINT. Sets BASE and ADMIN_TOKEN from
# the lines that it prints.
start()
{
	# What the last one said must not be read as this one's, whose redirections may come late.
	rm -f "$scratch"/{out,err}
	touch "$scratch"/{out,err}
	(
		trap - INT
		exec setsid env --default-signal=INT -u DATABASE_URL -u REDIS_URL -u FANS "$mark" \
			ONSALE_INSTANCE="$instance" PORT=0 "$test_folder/run.sh" "$@"
	) >"$scratch/out" 2>"$scratch/err" &
	runner=$!
	wait_for "$seconds_max" is_ready_or_gone || fail 'the demo does not become ready'
	is_ready || fail 'run.sh has ended'
	eval "$(grep '^export ' "$scratch/out")"
}

is_ready()
{
	grep -q '^curl ' "$scratch/out"
}

is_ready_or_gone()
{
	is_ready || has_ended
}

has_ended()
{
	! kill -0 "$runner" 2>/dev/null
}

interrupt()
{
	local status=0
	kill -INT "$runner"
	wait_for "$end_seconds_max" has_ended || fail 'Ctrl-C does not end it in time'
	wait "$runner" || status=$?
	runner=
	((status == 130)) || fail "it ended with $status and not 130"
	! grep -qszF -- "$mark" /proc/[0-9]*/environ || fail 'a process is left behind'
}

# figures FILTER: whether what the organiser sees is so.
figures()
{
	local token
	token=$(printf 'Authorization: Bearer %s' "$ADMIN_TOKEN")
	curl -sf --max-time 20 -H @<(printf %s "$token") "$BASE/admin/events/$event" \
		>"$scratch/figures" && jq -e "$1" "$scratch/figures" >/dev/null
}

# expect FILTER WHAT: it becomes so in time.
expect()
{
	wait_for "$seconds_max" figures "$1" || {
		cat "$scratch/figures" >&2 || true
		fail "$2"
	}
}

# demo_says WORDS: in its log; sets `event` to what the words are about.
demo_says()
{
	event=$(sed -n "s/^the sale of \([0-9a-f-]*\) $1.*/\1/p" "$work/$instance/demo.log" 2>&1) &&
		[[ $event =~ ^[0-9a-f-]{36}$ ]]
}

sell_now()
{
	curl -sSf --max-time 20 -o "$scratch/changed" -X PUT "$BASE/events/$event" \
		-H "Authorization: Bearer $ADMIN_TOKEN" -H 'Content-Type: application/json' \
		--data "{\"onSaleAt\": \"$(date -u -d '-1 second' +%Y-%m-%dT%H:%M:%SZ)\"}"
}

audit()
{
	DATABASE_URL=$("$root/services/postgres.sh" url "$instance") \
		"$root/build/release/real-implementation/onsale" audit --settle=60s \
		>"$scratch/audit" || {
		cat "$scratch/audit" >&2
		fail 'the books do not agree'
	}
}

refuses()
{
	! "$test_folder/run.sh" --fans "$1" >"$scratch/out" 2>"$scratch/err" ||
		fail "--fans $1 is taken"
	grep -qF -- '--fans must be a number from 0 to' "$scratch/err" ||
		fail "--fans $1: no reason"
}

find_work_folder
trap cleanup EXIT
refuses 1001
refuses some
refuses -1

start --fans "$fans"
wait_for "$seconds_max" demo_says 'begins at' || fail 'nobody has prepared the sale'
figures '.sale == "upcoming" and .waitingRoom.openAtHoldsPerSecond == 4' ||
	fail 'the sale is not as the demo wants it'
sell_now
expect '.room.state == "open" and .room.waiting > 0' 'no queue'
expect '.tickets.valid > 0 and .money.captured > 0' 'nobody buys'
interrupt

sold=$(jq .tickets.valid "$scratch/figures")
start --fans=0
wait_for "$seconds_max" demo_says 'is under way' || fail 'the sale has begun anew'
figures ".sale == \"on_sale\" and .tickets.valid >= $sold" || fail 'the sale has not gone on'
audit
interrupt
