/* See compose.h. */
#include "real-implementation/compose.h"

#include "tech-locking-and-transactions/postgres/postgres_checkout.h"
#include "tech-locking-and-transactions/postgres/postgres_seats.h"
#include "tech-locking-and-transactions/redis-guard/redis_guard.h"
#include "tech-locking-and-transactions/seat_payments.h"
#include "tech-two-phase-payments/stripe/stripe.h"
#include "tech-waiting-room/redis-streams/redis_streams.h"

enum { IN_FLIGHT_MAX = 1000 };

struct compose_settings compose_settings;
static struct metrics *guard_metrics;

const struct config_setting compose_setting_table[] = {
	{.flag = "database-url",
		.environment = "DATABASE_URL",
		.kind = CONFIG_SECRET,
		.value = &compose_settings.database_url,
		.required = true,
		.help = "PostgreSQL connection string"},
	{.flag = "database-timeout",
		.environment = "DATABASE_TIMEOUT",
		.kind = CONFIG_DURATION,
		.value = &compose_settings.database_ms,
		.fallback = "4s",
		.min = 100,
		.max = 60000,
		.help = "for connecting to the database, and for one statement"},
	{.flag = "lock-timeout",
		.environment = "LOCK_TIMEOUT",
		.kind = CONFIG_DURATION,
		.value = &compose_settings.lock_ms,
		.fallback = "2s",
		.min = 10,
		.max = 60000,
		.help = "for waiting for a row that somebody else has locked"},
	{.flag = "redis-url",
		.environment = "REDIS_URL",
		.kind = CONFIG_SECRET,
		.value = &compose_settings.redis_url,
		.required = true,
		.help = "redis://[user:password@]host:port/database; append-only, never evicting"},
	{.flag = "room-timeout",
		.environment = "ROOM_TIMEOUT",
		.kind = CONFIG_DURATION,
		.value = &compose_settings.room_ms,
		.fallback = "5s",
		.min = 10,
		.max = 60000,
		.help = "for one call of the waiting room's to Redis or to PostgreSQL"},
	{.flag = "place-block",
		.environment = "PLACE_BLOCK",
		.kind = CONFIG_INTEGER,
		.value = &compose_settings.place_block,
		.fallback = "10000",
		.min = 1,
		.max = 1000000,
		.help = "places reserved in the room's record at once"},
	{.flag = "guard-timeout",
		.environment = "GUARD_TIMEOUT",
		.kind = CONFIG_DURATION,
		.value = &compose_settings.guard_ms,
		.fallback = "250ms",
		.min = 10,
		.max = 60000,
		.help = "for one answer of Redis to the guard; then the database is asked without"},
	{.flag = "pending-time",
		.environment = "PENDING_TIME",
		.kind = CONFIG_DURATION,
		.value = &compose_settings.pending_ms,
		.fallback = "5s",
		.min = 10,
		.max = 60000,
		.help = "how long a seat is kept for a request on its way to the database"},
	{.flag = "sold-time",
		.environment = "SOLD_TIME",
		.kind = CONFIG_DURATION,
		.value = &compose_settings.sold_ms,
		.fallback = "60s",
		.min = 10,
		.max = 86400000,
		.help = "how long the guard remembers that a seat was sold"},
};
const size_t compose_setting_count = sizeof compose_setting_table / sizeof *compose_setting_table;

void compose_register_metrics(struct metrics *metrics)
{
	guard_metrics = metrics;
	if (metrics)
		redis_guard_register_metrics(metrics);
}

enum status compose_open_streams(struct waiting_room **room, struct fault *fault)
{
	return redis_streams_open(
		&(struct redis_streams_options){.redis_url = compose_settings.redis_url,
			.database_url = compose_settings.database_url,
			.call_ms_max = compose_settings.room_ms,
			.block = compose_settings.place_block,
			.fail_fast = true},
		room, fault);
}

enum status compose_open_seats(void *context, struct seat_store **store, struct fault *fault)
{
	(void)context;
	return postgres_seats_open(
		&(struct postgres_seats_options){.url = compose_settings.database_url,
			.application_name = "onsale-seats",
			.call_ms_max = compose_settings.database_ms,
			.lock_ms_max = compose_settings.lock_ms,
			.fail_fast = true},
		store, fault);
}

enum status compose_open_holds(void *context, struct seat_store **store, struct fault *fault)
{
	struct seat_store *inner;
	enum status status = compose_open_seats(context, &inner, fault);
	if (status != STATUS_OK)
		return status;
	status = redis_guard_open(inner,
		&(struct redis_guard_options){.redis_url = compose_settings.redis_url,
			.call_ms_max = compose_settings.guard_ms,
			.pending_ms = compose_settings.pending_ms,
			.sold_ms = compose_settings.sold_ms,
			.metrics = guard_metrics},
		store, fault);
	if (status != STATUS_OK)
		seat_store_close(inner);
	return status;
}

enum status compose_open_provider(
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

enum status compose_open_checkout(struct metrics *metrics,
	void (*changed)(void *context, const struct order_change *change), void *changed_context,
	struct checkout_orders **orders, struct fault *fault)
{
	struct postgres_checkout_options options = {.url = compose_settings.database_url,
		.return_url = seat_payments.return_url,
		.in_flight_max = IN_FLIGHT_MAX,
		.call_ms_max = compose_settings.database_ms,
		.lease_ms = seat_payments.lease_ms,
		.backoff_ms_max = seat_payments.backoff_ms,
		.action_ms = seat_payments.action_ms,
		.margin_ms = seat_payments.margin_ms,
		.wait_ms = seat_payments.wait_ms,
		.metrics = metrics,
		.changed = changed,
		.changed_context = changed_context};
	enum status status = STATUS_OK;
	for (size_t i = 0; i < ORDER_STAGES && status == STATUS_OK; i++)
		status = compose_open_provider(IN_FLIGHT_MAX, &options.providers[i], fault);
	if (status == STATUS_OK)
		status = postgres_checkout_engine(&options, orders, fault);
	for (size_t i = 0; i < ORDER_STAGES && status != STATUS_OK; i++)
		payment_close(options.providers[i]);
	return status;
}
