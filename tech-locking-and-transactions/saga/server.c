/* Seats in one database, orders and tickets in another, over HTTP: the saga. */
#include "lib/base/log.h"
#include "lib/base/program.h"
#include "lib/http/health.h"
#include "tech-locking-and-transactions/postgres/postgres_seats.h"
#include "tech-locking-and-transactions/saga/saga.h"
#include "tech-locking-and-transactions/seat_payments.h"
#include "tech-locking-and-transactions/seat_server.h"
#include "tech-two-phase-payments/stripe/stripe.h"

enum { CONNECT_MS = 1000, DRAIN_MS = 1000, IN_FLIGHT_MAX = 1000 };

static struct {
	const char *seats_url, *orders_url;
	int64_t call_ms;
} settings;

static const struct config_setting table[] = {
	{.flag = "database-url",
		.environment = "DATABASE_URL",
		.kind = CONFIG_SECRET,
		.value = &settings.seats_url,
		.required = true,
		.help = "connection string of the PostgreSQL that has the seats"},
	{.flag = "orders-url",
		.environment = "ORDERS_URL",
		.kind = CONFIG_SECRET,
		.value = &settings.orders_url,
		.required = true,
		.help = "connection string of the PostgreSQL that has orders and tickets"},
	{.flag = "database-timeout",
		.environment = "DATABASE_TIMEOUT",
		.kind = CONFIG_DURATION,
		.value = &settings.call_ms,
		.fallback = "5s",
		.min = 100,
		.max = 60000,
		.help = "for one statement of either"},
};

static struct checkout_orders *orders;
static struct payment_provider *reader; /* Of the provider's events. */
static struct postgres *checked;        /* The orders' database, for /readyz. */

/* ---- For each thread ---- */

static enum status open_seats(struct seat_store **store, struct fault *fault)
{
	return postgres_seats_open(&(struct postgres_seats_options){.url = settings.seats_url,
					   .application_name = "saga",
					   .technique = POSTGRES_SEATS_BATCHED,
					   .call_ms_max = settings.call_ms,
					   .fail_fast = true},
		store, fault);
}

static enum status open_store(void *context, struct seat_store **store, struct fault *fault)
{
	(void)context;
	return open_seats(store, fault);
}

static enum status open_checkout(void *context, struct checkout **checkout, struct fault *fault)
{
	struct seat_store *seats;
	(void)context;
	enum status status = open_seats(&seats, fault);
	if (status != STATUS_OK)
		return status;
	status = checkout_orders_checkout(orders, seats, checkout);
	if (status != STATUS_OK)
		seat_store_close(seats);
	return status;
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

/* A database may be starting as well. */
static enum status wait_for_database(const char *url, struct fault *fault)
{
	struct postgres *pg =
		postgres_open(&(struct postgres_options){.url = url, .connect_ms_max = CONNECT_MS});
	enum status status = STATUS_UNAVAILABLE;
	while (pg && status == STATUS_UNAVAILABLE && !program_is_signaled())
		status = postgres_connect(pg, fault);
	postgres_close(pg);
	return status;
}

static bool orders_answer(void *connection)
{
	static const struct postgres_statement ready = {
		.name = "ready", .sql = "SELECT 1", .effect = POSTGRES_READS};
	return postgres_execute(connection, &ready, POSTGRES_NO_PARAMETERS, NULL) == STATUS_OK;
}

static struct http_health_check orders_check = {"orders", orders_answer, NULL};

static enum status open_engine(struct saga_options *options, struct fault *fault)
{
	enum status status = open_provider(1, &reader, fault);
	for (size_t i = 0; i < ORDER_STAGES && status == STATUS_OK; i++)
		status = open_provider(IN_FLIGHT_MAX, &options->providers[i], fault);
	if (status == STATUS_OK)
		status = open_seats(&options->sell_seats, fault);
	if (status == STATUS_OK)
		status = open_seats(&options->revoke_seats, fault);
	if (status == STATUS_OK)
		status = saga_engine(options, &orders, fault);
	if (status == STATUS_OK)
		return status;
	seat_store_close(options->sell_seats);
	seat_store_close(options->revoke_seats);
	for (size_t i = 0; i < ORDER_STAGES; i++)
		payment_close(options->providers[i]);
	return status;
}

static enum status prepare(struct metrics *metrics, struct fault *fault)
{
	struct saga_options options = {.url = settings.orders_url,
		.return_url = seat_payments.return_url,
		.in_flight_max = IN_FLIGHT_MAX,
		.call_ms_max = settings.call_ms,
		.lease_ms = seat_payments.lease_ms,
		.backoff_ms_max = seat_payments.backoff_ms,
		.action_ms = seat_payments.action_ms,
		.margin_ms = seat_payments.margin_ms,
		.wait_ms = seat_payments.wait_ms,
		.metrics = metrics};
	orders_check.context = checked = postgres_open(&(struct postgres_options){
		.url = settings.orders_url, .application_name = "saga-health", .fail_fast = true});
	enum status status =
		checked ? wait_for_database(settings.seats_url, fault) : STATUS_UNAVAILABLE;
	if (status == STATUS_OK)
		status = wait_for_database(settings.orders_url, fault);
	return status == STATUS_OK ? open_engine(&options, fault) : status;
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

static void end_waits(void)
{
	if (orders)
		checkout_orders_end_waits(orders, DRAIN_MS);
}

static void close_all(void)
{
	seat_payments_listen(NULL, NULL, NULL);
	if (orders)
		checkout_orders_stop(orders, DRAIN_MS);
	checkout_orders_close(orders);
	payment_close(reader);
	postgres_close(checked);
}

int main(int argc, char **argv)
{
	static const struct seat_technology technology = {
		.name = "saga-seats-server",
		.summary = "Seats in one PostgreSQL, orders and tickets in another. Listens on "
			   "loopback unless told otherwise, since it knows no users.",
		.port = "8124",
		.service = "postgres",
		.opener = {.open_store = open_store, .open_checkout = open_checkout},
		.settings = table,
		.setting_count = sizeof table / sizeof *table,
		.more_settings = seat_payment_settings,
		.more_setting_count = &seat_payment_setting_count,
		.checks = &orders_check,
		.check_count = 1,
		.routes = &seat_payment_route,
		.route_count = 1,
		.prepare = prepare,
		.start = start,
		.end_waits = end_waits,
		.close = close_all,
	};
	return seat_serve(&technology, argc, argv);
}
