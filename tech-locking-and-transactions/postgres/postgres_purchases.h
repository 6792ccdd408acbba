/* What servers have in common that sell by the one-database checkout (postgres_checkout.h): the
 * engine, the provider and its events, as seat_server.h wants them. One per process, whose settings
 * of the payments are those of seat_payments.h. */
#pragma once

#include "tech-locking-and-transactions/postgres/postgres_checkout.h"

/* Open a provider for this many calls at once. Which it is, a server.c says. */
typedef enum status postgres_purchases_provider(
	size_t calls_max, struct payment_provider **provider, struct fault *fault);

/* Wait for the database, then make the engine: within `prepare`. `url` must outlive it. `call_ms`
 * is for one statement. As checkout_orders_open; UNAVAILABLE also when a signal says to end. */
__attribute__((warn_unused_result)) enum status postgres_purchases_prepare(const char *url,
	int64_t call_ms, postgres_purchases_provider *open_provider, struct metrics *metrics,
	struct fault *fault);

/* These are a seat_technology's functions of the same names, and the opener's. */
__attribute__((warn_unused_result)) enum status postgres_purchases_start(struct fault *fault);
__attribute__((warn_unused_result)) enum status postgres_purchases_open(
	void *context, struct checkout **checkout, struct fault *fault);
void postgres_purchases_end_waits(void);
void postgres_purchases_close(void);
