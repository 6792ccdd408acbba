#!/usr/bin/env bash
# shellcheck source=tools/subproject.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tools/subproject.sh"

# shellcheck disable=SC2034 # These are read by subproject.sh.
title='The simplest implementation'
# shellcheck disable=SC2034
port_default=8081
# shellcheck disable=SC2034
targets=(simplest-server make_venue)
# shellcheck disable=SC2034
services=(postgres)
# shellcheck disable=SC2034,SC2016 # Whoever pastes the line expands it.
first_curl='curl -s "$BASE/events?limit=3" | jq'

serve()
{
	exec "$build/simplest-implementation/simplest-server" 2>>"$run_folder/server.log"
}

load_demo()
{
	build=$build "$root/demo/load.sh"
}

subproject_run "$@"
