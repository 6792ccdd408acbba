#!/usr/bin/env bash
# shellcheck source=tools/subproject.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../tools/subproject.sh"

# shellcheck disable=SC2034 # These are read by subproject.sh.
title='Seats on PostgreSQL behind a guard in Redis'
# shellcheck disable=SC2034
port_default=8126
# shellcheck disable=SC2034
targets=(redis-guard-server)
# shellcheck disable=SC2034
services=(redis postgres)
# shellcheck disable=SC2034
secrets=(ADMIN_TOKEN=token)
# shellcheck disable=SC2034,SC2016 # Whoever pastes the line expands it.
first_curl='curl -s "$BASE/events" | jq'

serve()
{
	exec "$build/tech-locking-and-transactions/redis-guard/redis-guard-server" \
		--plan="$root/demo/venues/concert-hall.json" >/dev/null 2>>"$run_folder/server.log"
}

subproject_run "$@"
