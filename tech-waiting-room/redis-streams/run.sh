#!/usr/bin/env bash
# shellcheck source=tools/subproject.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../tools/subproject.sh"

# shellcheck disable=SC2034 # These are read by subproject.sh.
title='The waiting room on Redis Streams'
# shellcheck disable=SC2034
port_default=8101
# shellcheck disable=SC2034
targets=(redis-streams-server verify_shuffle)
# shellcheck disable=SC2034
services=(redis postgres)
# shellcheck disable=SC2034
secrets=(ADMIN_TOKEN=token PLACE_KEYS=keys)
# shellcheck disable=SC2034,SC2016 # Whoever pastes the line expands it.
first_curl='curl -s "$BASE/events/demo/waiting-room" | jq'

serve()
{
	exec "$build/tech-waiting-room/redis-streams/redis-streams-server" >/dev/null \
		2>>"$run_folder/server.log"
}

# A room to look at: ten people at a time, one every two seconds.
load_demo()
{
	local token=${ADMIN_TOKEN:-}
	[[ -n $token ]] || token=$(<"$ADMIN_TOKEN_FILE")
	curl -sf -o /dev/null -X PUT "$BASE/events/demo/waiting-room" \
		-H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
		-d '{"state": "open", "ratePerSecond": 0.5, "activeMax": 10, "claimSeconds": 30,
			"heartbeatSeconds": 30, "sessionSeconds": 300}'
}

subproject_run "$@"
