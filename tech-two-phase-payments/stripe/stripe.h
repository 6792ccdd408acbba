/* Stripe as payment provider: the PaymentIntents API, and whatever speaks it.
 *
 *	struct payment_provider *provider;
 *	struct stripe_options options = {.secret_key = key, .webhook_secrets = {secret}};
 *	if (stripe_open(&options, &provider, &fault) != STATUS_OK)
 *		…
 *
 * Which call becomes which request, and which answer means what, is README.md's table. In short:
 *
 * - Each attempt of a call carries its Idempotency-Key, so the adapter repeats by itself, with the
 *   same key and within the deadline, what was lost or not sent, and 429, 502, 503 and 504.
 * - What Stripe says settles a call; what anybody else says (a proxy's page, half a JSON document,
 *   an answer about another payment) leaves it UNKNOWN.
 * - A server error that Stripe has stored under the key would be replayed for ever; then the result
 *   says LOOK_UP. No key is made here.
 *
 * Nothing here writes to the log. Secrets, payment methods and Stripe's own messages, which quote
 * what was sent, never get into a result's `detail`. */
#pragma once

#include "lib/base/clock.h"
#include "tech-two-phase-payments/payment_provider.h"

enum {
	STRIPE_WEBHOOK_SECRETS_MAX = 4, /* While one replaces another, both are good. */
	STRIPE_IN_FLIGHT_MAX = 4096,
	STRIPE_SUBMITTED_MAX = 1 << 16,
};

#define STRIPE_BASE_URL "https://api.stripe.com"

/* The version of the API that our requests are written for (README.md says what a newer one would
 * change). */
#define STRIPE_API_VERSION "2024-06-20"

struct stripe_options {
	const char *base_url;    /* Without a path. NULL: STRIPE_BASE_URL. Plain http only with test
				  * keys, which move no money. */
	const char *secret_key;  /* sk_… or rk_…; a publishable key is refused. */
	const char *api_version; /* NULL: STRIPE_API_VERSION. */
	const char *webhook_secrets[STRIPE_WEBHOOK_SECRETS_MAX]; /* whsec_…; NULL: no more. With
								  * none, every webhook is refused.
								  */
	int64_t webhook_tolerance_ms;                            /* 0: 300 s. */
	const char *ca_file;                                     /* As in lib/http/client.h. */
	size_t in_flight_max;                                    /* 0: 64. */
	size_t submitted_max;   /* In all, those in flight included. 0: 4,096. */
	int64_t connect_ms_max; /* 0: 5 s. */
	int64_t attempt_ms_max; /* 0: 30 s; a bank may take its time. */
	int64_t total_ms_max;   /* For calls without a deadline. 0: 60 s. */
	int64_t backoff_ms_min; /* 0: 100 ms. */
	int64_t backoff_ms_max; /* 0: 2 s. */
	unsigned attempts_max;  /* 0: 3. */
	uint64_t seed;          /* Of the backoff's jitter. 0: from the kernel. */
	struct clock *clock;    /* NULL: the system's. */
};

/* Open it. Everything is copied but the clock. REFUSED with `fault` when an option is wrong;
 * UNAVAILABLE when memory or descriptors are short. Close it by payment_close. */
__attribute__((warn_unused_result)) enum status stripe_open(const struct stripe_options *options,
	struct payment_provider **provider, struct fault *fault);
