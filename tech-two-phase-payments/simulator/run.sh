#!/usr/bin/env bash
# shellcheck source=tools/subproject.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../tools/subproject.sh"

# shellcheck disable=SC2034 # These are read by subproject.sh.
title='The payment provider simulator'
# shellcheck disable=SC2034
port_default=8132
# shellcheck disable=SC2034
targets=(payment-simulator)
# shellcheck disable=SC2034
secrets=(ADMIN_TOKEN=token)
# shellcheck disable=SC2034,SC2016 # Whoever pastes the line expands it.
first_curl='curl -s "$BASE/v1/payment_intents" -u sk_test_onsale: -d amount=4500 -d currency=eur'

serve()
{
	# A test key moves no money, and the simulator listens on loopback only.
	export PROVIDER_KEYS=${PROVIDER_KEYS:-sk_test_onsale}
	exec "$build/tech-two-phase-payments/simulator/payment-simulator" \
		--data="$run_folder/provider" 2>>"$run_folder/server.log"
}

# Nothing of it is a service's, so --fresh is up to us.
prepare()
{
	[[ ${fresh-no} == no ]] || rm -rf -- "${run_folder:?}/provider"
}

subproject_run "$@"
