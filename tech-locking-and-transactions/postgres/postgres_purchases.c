/* See postgres_purchases.h. */
#include "tech-locking-and-transactions/postgres/postgres_purchases.h"

#include "lib/base/program.h"
#include "tech-locking-and-transactions/seat_payments.h"

enum { CONNECT_MS = 1000, DRAIN_MS = 1000, IN_FLIGHT_MAX = 1000 };

static const char *database_url;
static struct checkout_orders *orders;
static struct payment_provider *reader; /* Of the provider's events. */

/* The database may be starting as well. */
static enum status wait_for_database(struct fault *fault)
{
	struct postgres *pg = postgres_open(
		&(struct postgres_options){.url = database_url, .connect_ms_max = CONNECT_MS});
	enum status status = STATUS_UNAVAILABLE;
	while (pg && status == STATUS_UNAVAILABLE && !program_is_signaled())
		status = postgres_connect(pg, fault);
	postgres_close(pg);
	return status;
}

enum status postgres_purchases_prepare(const char *url, int64_t call_ms,
	postgres_purchases_provider *open_provider, struct metrics *metrics, struct fault *fault)
{
	database_url = url;
	struct postgres_checkout_options options = {.url = url,
		.return_url = seat_payments.return_url,
		.in_flight_max = IN_FLIGHT_MAX,
		.call_ms_max = call_ms,
		.lease_ms = seat_payments.lease_ms,
		.backoff_ms_max = seat_payments.backoff_ms,
		.action_ms = seat_payments.action_ms,
		.margin_ms = seat_payments.margin_ms,
		.wait_ms = seat_payments.wait_ms,
		.metrics = metrics};
	enum status status = wait_for_database(fault);
	if (status == STATUS_OK)
		status = open_provider(1, &reader, fault);
	for (size_t i = 0; i < ORDER_STAGES && status == STATUS_OK; i++)
		status = open_provider(IN_FLIGHT_MAX, &options.providers[i], fault);
	if (status == STATUS_OK)
		status = postgres_checkout_engine(&options, &orders, fault);
	for (size_t i = 0; i < ORDER_STAGES && status != STATUS_OK; i++)
		payment_close(options.providers[i]);
	return status;
}

static void wake(void *context)
{
	checkout_orders_wake(context);
}

enum status postgres_purchases_start(struct fault *fault)
{
	enum status status = checkout_orders_start(orders);
	if (status != STATUS_OK)
		return fault_set(fault, "checkout", "threads are short"), status;
	seat_payments_listen(reader, wake, orders);
	return STATUS_OK;
}

enum status postgres_purchases_open(void *context, struct checkout **checkout, struct fault *fault)
{
	(void)context;
	return postgres_checkout_open(orders, database_url, checkout, fault);
}

void postgres_purchases_end_waits(void)
{
	if (orders)
		checkout_orders_end_waits(orders, DRAIN_MS);
}

void postgres_purchases_close(void)
{
	seat_payments_listen(NULL, NULL, NULL);
	if (orders)
		checkout_orders_stop(orders, DRAIN_MS);
	checkout_orders_close(orders);
	payment_close(reader);
}
