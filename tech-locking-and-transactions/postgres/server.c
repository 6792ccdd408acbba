/* Seats, holds and purchases on PostgreSQL, over HTTP. */
#include "lib/base/log.h"
#include "lib/base/program.h"
#include "tech-locking-and-transactions/postgres/postgres_checkout.h"
#include "tech-locking-and-transactions/postgres/postgres_seats.h"
#include "tech-locking-and-transactions/seat_payments.h"
#include "tech-locking-and-transactions/seat_server.h"
#include "tech-two-phase-payments/stripe/stripe.h"

enum { CONNECT_MS = 1000, DRAIN_MS = 1000, IN_FLIGHT_MAX = 1000 };

static struct {
	const char *database_url;
	int64_t technique, call_ms, lock_ms;
} settings;

/* In the order of enum postgres_seats_technique. */
static const char *const techniques[] = {"batched", "pessimistic", "optimistic", NULL};

static const struct config_setting table[] = {
	{.flag = "database-url",
		.environment = "DATABASE_URL",
		.kind = CONFIG_SECRET,
		.value = &settings.database_url,
		.required = true,
		.help = "PostgreSQL connection string"},
	{.flag = "technique",
		.environment = "TECHNIQUE",
		.kind = CONFIG_CHOICE,
		.value = &settings.technique,
		.fallback = "batched",
		.choices = techniques,
		.help = "how seats are held; servers of different ones may share seats"},
	{.flag = "database-timeout",
		.environment = "DATABASE_TIMEOUT",
		.kind = CONFIG_DURATION,
		.value = &settings.call_ms,
		.fallback = "5s",
		.min = 100,
		.max = 60000,
		.help = "for one statement"},
	{.flag = "lock-timeout",
		.environment = "LOCK_TIMEOUT",
		.kind = CONFIG_DURATION,
		.value = &settings.lock_ms,
		.fallback = "2s",
		.min = 10,
		.max = 60000,
		.help = "for waiting for a row that somebody else has locked"},
};

static struct checkout_orders *orders;
static struct payment_provider *reader; /* Of the provider's events. */

/* ---- For each thread ---- */

static enum status open_store(void *context, struct seat_store **store, struct fault *fault)
{
	(void)context;
	return postgres_seats_open(
		&(struct postgres_seats_options){.url = settings.database_url,
			.application_name = "seats",
			.technique = (enum postgres_seats_technique)settings.technique,
			.call_ms_max = settings.call_ms,
			.lock_ms_max = settings.lock_ms,
			.fail_fast = true},
		store, fault);
}

static enum status open_checkout(void *context, struct checkout **checkout, struct fault *fault)
{
	(void)context;
	return postgres_checkout_open(orders, settings.database_url, checkout, fault);
}

/* ---- For all ---- */

static enum status open_provider(
	size_t calls_max, struct payment_provider **provider, struct fault *fault)
{
	return stripe_open(&(struct stripe_options){.base_url = seat_payments.provider_url,
				   .secret_key = seat_payments.provider_key,
				   .webhook_secrets = {seat_payments.webhook_secret},
				   .in_flight_max = calls_max,
				   .submitted_max = calls_max,
				   .attempt_ms_max = seat_payments.attempt_ms,
				   .total_ms_max = seat_payments.call_ms},
		provider, fault);
}

/* The database may be starting as well. */
static enum status wait_for_database(struct fault *fault)
{
	struct postgres *pg = postgres_open(&(struct postgres_options){
		.url = settings.database_url, .connect_ms_max = CONNECT_MS});
	enum status status = STATUS_UNAVAILABLE;
	while (pg && status == STATUS_UNAVAILABLE && !program_is_signaled())
		status = postgres_connect(pg, fault);
	postgres_close(pg);
	return status;
}

static enum status prepare(struct metrics *metrics, struct fault *fault)
{
	struct postgres_checkout_options options = {.url = settings.database_url,
		.return_url = seat_payments.return_url,
		.in_flight_max = IN_FLIGHT_MAX,
		.call_ms_max = settings.call_ms,
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

static enum status start(struct fault *fault)
{
	enum status status = checkout_orders_start(orders);
	if (status != STATUS_OK)
		return fault_set(fault, "checkout", "threads are short"), status;
	seat_payments_listen(reader, wake, orders);
	return STATUS_OK;
}

static void close_all(void)
{
	seat_payments_listen(NULL, NULL, NULL);
	if (orders)
		checkout_orders_stop(orders, DRAIN_MS);
	checkout_orders_close(orders);
	payment_close(reader);
}

int main(int argc, char **argv)
{
	static const struct seat_technology technology = {
		.name = "postgres-seats-server",
		.summary = "Seats, holds and purchases on PostgreSQL. Listens on loopback unless "
			   "told otherwise, since it knows no users.",
		.port = "8121",
		.service = "postgres",
		.opener = {.open_store = open_store, .open_checkout = open_checkout},
		.settings = table,
		.setting_count = sizeof table / sizeof *table,
		.more_settings = seat_payment_settings,
		.more_setting_count = &seat_payment_setting_count,
		.routes = &seat_payment_route,
		.route_count = 1,
		.prepare = prepare,
		.start = start,
		.close = close_all,
	};
	return seat_serve(&technology, argc, argv);
}
