/* See postgres_checkout_fixture.h. */
#include "tech-locking-and-transactions/postgres/postgres_checkout_fixture.h"

#include "tech-locking-and-transactions/postgres/postgres_checkout.h"

static enum status open_engine(const struct checkout_places *places,
	struct payment_provider *const providers[ORDER_STAGES], struct checkout_orders **orders,
	struct fault *fault)
{
	struct postgres_checkout_options options = {.url = places->orders_url,
		.return_url = "https://example.com/back",
		.in_flight_max = 64,
		.call_ms_max = 20000,
		.lease_ms = places->lease_ms,
		.backoff_ms_max = 500,
		.wait_ms = places->wait_ms};
	memcpy(options.providers, providers, sizeof options.providers);
	return postgres_checkout_engine(&options, orders, fault);
}

static enum status open_checkout(const struct checkout_places *places,
	struct checkout_orders *orders, struct checkout **checkout, struct fault *fault)
{
	return postgres_checkout_open(orders, places->orders_url, checkout, fault);
}

const struct checkout_subject postgres_checkout_subject = {
	.name = "postgres-checkout", .engine = open_engine, .open = open_checkout};
