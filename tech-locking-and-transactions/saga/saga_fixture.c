/* See saga_fixture.h. */
#include "tech-locking-and-transactions/saga/saga_fixture.h"

#include "tech-locking-and-transactions/saga/saga.h"

enum { CALL_MS_MAX = 20000 };

static enum status open_seats(
	const struct checkout_places *places, struct seat_store **seats, struct fault *fault)
{
	return postgres_seats_open(&(struct postgres_seats_options){.url = places->seats_url,
					   .application_name = "saga",
					   .technique = POSTGRES_SEATS_BATCHED,
					   .call_ms_max = CALL_MS_MAX},
		seats, fault);
}

static enum status open_engine(const struct checkout_places *places,
	struct payment_provider *const providers[ORDER_STAGES], struct checkout_orders **orders,
	struct fault *fault)
{
	struct saga_options options = {.url = places->orders_url,
		.return_url = "https://example.com/back",
		.in_flight_max = 64,
		.call_ms_max = CALL_MS_MAX,
		.lease_ms = places->lease_ms,
		.backoff_ms_max = 500,
		.wait_ms = places->wait_ms};
	memcpy(options.providers, providers, sizeof options.providers);
	enum status status = open_seats(places, &options.sell_seats, fault);
	if (status == STATUS_OK)
		status = open_seats(places, &options.revoke_seats, fault);
	if (status == STATUS_OK)
		status = saga_engine(&options, orders, fault);
	if (status != STATUS_OK) {
		seat_store_close(options.sell_seats);
		seat_store_close(options.revoke_seats);
	}
	return status;
}

static enum status open_checkout(const struct checkout_places *places,
	struct checkout_orders *orders, struct checkout **checkout, struct fault *fault)
{
	struct seat_store *seats;
	enum status status = open_seats(places, &seats, fault);
	if (status != STATUS_OK)
		return status;
	status = checkout_orders_checkout(orders, seats, checkout);
	if (status != STATUS_OK)
		seat_store_close(seats);
	return status;
}

const struct checkout_subject saga_subject = {
	.name = "saga", .has_orders_apart = true, .engine = open_engine, .open = open_checkout};
