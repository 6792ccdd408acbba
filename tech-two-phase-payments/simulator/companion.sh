# shellcheck shell=bash
# The payment provider of servers that take payments: a run.sh sources this behind its own settings.
# It is the simulator, started beside the server; or Stripe itself, when the environment has a key
# of one's own. Either way STRIPE_BASE_URL is where serve() finds it.

if [[ -z ${STRIPE_SECRET_KEY-}${STRIPE_SECRET_KEY_FILE-} ]]; then
	targets+=(payment-simulator)
	companions+=(simulator=8132)
	# A test key moves no money.
	secrets+=(STRIPE_SECRET_KEY=sk_test_ STRIPE_WEBHOOK_SECRET=whsec_)
fi

# shellcheck disable=SC2154 # subproject.sh sets them.
simulator()
{
	# A key in the environment itself is the run.sh's, for a README that plays the bank with it.
	if [[ -n ${STRIPE_SECRET_KEY-} ]]; then
		export PROVIDER_KEYS=$STRIPE_SECRET_KEY
	else
		export PROVIDER_KEYS_FILE=$STRIPE_SECRET_KEY_FILE
	fi
	export WEBHOOK_SECRET_FILE=$STRIPE_WEBHOOK_SECRET_FILE
	export WEBHOOK_URL=$BASE/webhooks/stripe
	exec "$build/tech-two-phase-payments/simulator/payment-simulator" --port="$SIMULATOR_PORT" \
		--data="$run_folder/simulator" 2>>"$run_folder/simulator.log"
}
