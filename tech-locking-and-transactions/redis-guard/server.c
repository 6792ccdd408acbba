/* Seats, holds and purchases on PostgreSQL with a guard in Redis before it, over HTTP. Purchases go
 * past the guard, since seats and orders share a database; what that means for the marks,
 * redis_guard.h says. */
#include "tech-locking-and-transactions/postgres/postgres_purchases.h"
#include "tech-locking-and-transactions/postgres/postgres_seats.h"
#include "tech-locking-and-transactions/redis-guard/redis_guard.h"
#include "tech-locking-and-transactions/seat_payments.h"
#include "tech-locking-and-transactions/seat_server.h"
#include "tech-two-phase-payments/stripe/stripe.h"

static struct {
	const char *database_url, *redis_url;
	int64_t call_ms, lock_ms, guard_ms, pending_ms, sold_ms;
	struct metrics *metrics;
} settings;

static const struct config_setting table[] = {
	{.flag = "database-url",
		.environment = "DATABASE_URL",
		.kind = CONFIG_SECRET,
		.value = &settings.database_url,
		.required = true,
		.help = "PostgreSQL connection string"},
	{.flag = "redis-url",
		.environment = "REDIS_URL",
		.kind = CONFIG_SECRET,
		.value = &settings.redis_url,
		.required = true,
		.help = "the guard's Redis"},
	{.flag = "database-timeout",
		.environment = "DATABASE_TIMEOUT",
		.kind = CONFIG_DURATION,
		.value = &settings.call_ms,
		.fallback = "4s",
		.min = 100,
		.max = 60000,
		.help = "for connecting to the database, and for one statement"},
	{.flag = "lock-timeout",
		.environment = "LOCK_TIMEOUT",
		.kind = CONFIG_DURATION,
		.value = &settings.lock_ms,
		.fallback = "2s",
		.min = 10,
		.max = 60000,
		.help = "for waiting for a row that somebody else has locked"},
	{.flag = "guard-timeout",
		.environment = "GUARD_TIMEOUT",
		.kind = CONFIG_DURATION,
		.value = &settings.guard_ms,
		.fallback = "250ms",
		.min = 10,
		.max = 60000,
		.help = "for one answer of Redis; then the database is asked without"},
	{.flag = "pending-time",
		.environment = "PENDING_TIME",
		.kind = CONFIG_DURATION,
		.value = &settings.pending_ms,
		.fallback = "5s",
		.min = 10,
		.max = 60000,
		.help = "how long a seat is kept for a request on its way to the database"},
	{.flag = "sold-time",
		.environment = "SOLD_TIME",
		.kind = CONFIG_DURATION,
		.value = &settings.sold_ms,
		.fallback = "60s",
		.min = 10,
		.max = 86400000,
		.help = "how long the guard remembers that a seat was sold"},
};

static enum status open_store(void *context, struct seat_store **store, struct fault *fault)
{
	(void)context;
	struct seat_store *inner;
	enum status status =
		postgres_seats_open(&(struct postgres_seats_options){.url = settings.database_url,
					    .application_name = "seats",
					    .call_ms_max = settings.call_ms,
					    .lock_ms_max = settings.lock_ms,
					    .fail_fast = true},
			&inner, fault);
	if (status != STATUS_OK)
		return status;
	status = redis_guard_open(inner,
		&(struct redis_guard_options){.redis_url = settings.redis_url,
			.call_ms_max = settings.guard_ms,
			.pending_ms = settings.pending_ms,
			.sold_ms = settings.sold_ms,
			.metrics = settings.metrics},
		store, fault);
	if (status != STATUS_OK)
		seat_store_close(inner);
	return status;
}

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

static enum status prepare(struct metrics *metrics, struct fault *fault)
{
	settings.metrics = metrics;
	redis_guard_register_metrics(metrics);
	return postgres_purchases_prepare(
		settings.database_url, settings.call_ms, open_provider, metrics, fault);
}

int main(int argc, char **argv)
{
	static const struct seat_technology technology = {
		.name = "redis-guard-server",
		.summary = "Seats, holds and purchases on PostgreSQL behind a guard in Redis. "
			   "Listens on loopback unless told otherwise, since it knows no users.",
		.port = "8126",
		.service = "postgres",
		.opener = {.open_store = open_store, .open_checkout = postgres_purchases_open},
		.settings = table,
		.setting_count = sizeof table / sizeof *table,
		.more_settings = seat_payment_settings,
		.more_setting_count = &seat_payment_setting_count,
		.routes = &seat_payment_route,
		.route_count = 1,
		.prepare = prepare,
		.start = postgres_purchases_start,
		.end_waits = postgres_purchases_end_waits,
		.close = postgres_purchases_close,
	};
	return seat_serve(&technology, argc, argv);
}
