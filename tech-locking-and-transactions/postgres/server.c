/* Seats, holds and purchases on PostgreSQL, over HTTP. */
#include "tech-locking-and-transactions/postgres/postgres_purchases.h"
#include "tech-locking-and-transactions/postgres/postgres_seats.h"
#include "tech-locking-and-transactions/seat_payments.h"
#include "tech-locking-and-transactions/seat_server.h"
#include "tech-two-phase-payments/stripe/stripe.h"

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
	return postgres_purchases_prepare(
		settings.database_url, settings.call_ms, open_provider, metrics, fault);
}

int main(int argc, char **argv)
{
	static const struct seat_technology technology = {
		.name = "postgres-seats-server",
		.summary = "Seats, holds and purchases on PostgreSQL. Listens on loopback unless "
			   "told otherwise, since it knows no users.",
		.port = "8121",
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
