/* What the servers of all technologies with a payment provider have in common: the provider's
 * settings, and where it sends its events. Which provider it is, a server.c says. */
#pragma once

#include "lib/base/config.h"
#include "lib/http/exchange.h"
#include "tech-two-phase-payments/payment_provider.h"

struct seat_payments {
	const char *provider_url, *provider_key, *webhook_secret, *return_url;
	int64_t attempt_ms, call_ms; /* For one request to the provider, and with repetitions. */
	int64_t wait_ms;             /* For how long a purchase waits to be over. */
	int64_t lease_ms, backoff_ms, action_ms, margin_ms;
};

/* Set when the table has been read. */
extern struct seat_payments seat_payments;
extern const struct config_setting seat_payment_settings[];
extern const size_t seat_payment_setting_count;

/* POST /webhooks/stripe: an event is a hint to look; until seat_payments_listen, 503. */
extern const struct http_route seat_payment_route;

/* From now on take events that `reader` finds to be the provider's, and call `wake`, from any
 * thread. NULL: no more; only when no request is under way. */
void seat_payments_listen(
	const struct payment_provider *reader, void (*wake)(void *context), void *context);
