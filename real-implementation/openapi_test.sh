#!/usr/bin/env bash
# openapi.json against a server with services and a payment simulator of its own, both ways
# (openapi_test.py drives it, openapi_check.py judges).
set -euo pipefail
test_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=services/lib.sh
source "$test_folder/../services/lib.sh"
# shellcheck disable=SC2154 # lib.sh sets root.
build=${ONSALE_BUILD:-$root/build/debug}
program=real-implementation/openapi_test.sh
instance=test-openapi-$$
seconds_max=120
pids=()
scratch=$(mktemp -d /tmp/onsale-openapi-XXXXXX)

cleanup()
{
	local pid service
	for pid in "${pids[@]}"; do
		kill -TERM "$pid" 2>/dev/null || true
	done
	wait || true
	for service in redis postgres; do
		"$root/services/$service.sh" destroy "$instance" || true
	done
	rm -rf "$scratch"
}
trap cleanup EXIT

# start NAME COMMAND…: in the background, with its log.
start()
{
	local name=$1
	shift
	setsid setpriv --pdeathsig TERM "$@" >/dev/null 2>"$scratch/$name.log" &
	pids+=("$!")
}

# ready NAME BASE
ready()
{
	wait_for "$seconds_max" curl -sf -o /dev/null --max-time 5 "$2/readyz" || {
		tail -n 20 "$scratch/$1.log" >&2
		die "$1 does not become ready"
	}
}

secret()
{
	head -c 32 /dev/urandom | base64 -w 0
}

find_work_folder
for service in redis postgres; do
	"$root/services/$service.sh" start "$instance"
	"$root/services/$service.sh" wait "$instance"
done
DATABASE_URL=$("$root/services/postgres.sh" url "$instance")
REDIS_URL=$("$root/services/redis.sh" url "$instance")
PORT=$(free_port)
simulator_port=$(free_port)
export DATABASE_URL REDIS_URL PORT ADMIN_TOKEN=openapi-test BASE=http://127.0.0.1:$PORT
PLACE_KEYS=k1:$(secret) SESSION_KEYS=k1:$(secret) TICKET_KEYS=k1:$(secret)
export PLACE_KEYS SESSION_KEYS TICKET_KEYS STRIPE_SECRET_KEY=sk_test_openapi
export STRIPE_WEBHOOK_SECRET=whsec_0123456789abcdef01234567
export STRIPE_BASE_URL=http://127.0.0.1:$simulator_port RETURN_URL=$BASE/
# Enough for the test, and few enough to be run into at its end.
export SESSIONS_BURST=200 SESSIONS_PER_SECOND=1 JOINS_BURST=200 JOINS_PER_SECOND=1
export THEATRE=$root/demo/venues/theatre.json

PROVIDER_KEYS=$STRIPE_SECRET_KEY WEBHOOK_SECRET=$STRIPE_WEBHOOK_SECRET \
	WEBHOOK_URL=$BASE/webhooks/stripe start simulator \
	"$build/tech-two-phase-payments/simulator/payment-simulator" --port="$simulator_port" \
	--data="$scratch/simulator"
ready simulator "$STRIPE_BASE_URL"
onsale=$build/real-implementation/onsale
"$onsale" migrate >/dev/null
start server "$onsale" serve
ready server "$BASE"
# Debian's, which has Debian's packages.
/usr/bin/python3 -B "$test_folder/openapi_test.py" "$test_folder/openapi.json" || {
	grep -E ' (ERROR|WARNING) ' "$scratch/server.log" | tail -n 20 >&2 || true
	exit 1
}
