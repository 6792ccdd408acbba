/* See postgres_checkout.h. Everything happens in the statements. */
#include "tech-locking-and-transactions/postgres/postgres_checkout.h"

#include "tech-locking-and-transactions/postgres/postgres_checkout.sql.h"
#include "tech-locking-and-transactions/postgres/postgres_seats.h"

enum {
	IN_FLIGHT_DEFAULT = 1000,
	CALL_MS_DEFAULT = 5000,
	LEASE_MS_DEFAULT = 30000,
	BACKOFF_MS_DEFAULT = 30000,
	ACTION_MS_DEFAULT = 600000,
	MARGIN_MS_DEFAULT = 3600000,
	WAIT_MS_DEFAULT = 10000,
};

/* As of a batched seat store: look-ups by primary key, planned once. */
static const char settings[] =
	"-c enable_seqscan=off -c plan_cache_mode=force_generic_plan -c jit=off";

#ifdef POSTGRES_CHECKOUT_UNGUARDED
#include "tech-locking-and-transactions/postgres/checkout_unguarded.h"
#else
static const char *checkout_weaken(const char *sql)
{
	return sql;
}
#endif

/* The sale is the transition: there is nothing to be done before it. */
static void move_on(void *context, struct stage_row *const rows[], size_t count)
{
	(void)context;
	for (size_t i = 0; i < count; i++)
		stage_done(rows[i], order_status_name(ORDER_FINALIZED), STAGE_AT_ONCE);
}

static int64_t or_default(int64_t value, int64_t fallback)
{
	return value ? value : fallback;
}

/* Whoever buys is told at once that the database is away, and may come again. */
static enum status open_seats(
	const char *url, int64_t call_ms, struct seat_store **seats, struct fault *fault)
{
	return postgres_seats_open(&(struct postgres_seats_options){.url = url,
					   .application_name = "checkout",
					   .technique = POSTGRES_SEATS_BATCHED,
					   .call_ms_max = call_ms,
					   .fail_fast = true},
		seats, fault);
}

enum status postgres_checkout_engine(const struct postgres_checkout_options *given,
	struct checkout_orders **orders, struct fault *fault)
{
	struct checkout_orders_options options = {.database_url = given->url,
		.database_settings = settings,
		.database_ms = or_default(given->call_ms_max, CALL_MS_DEFAULT),
		.return_url = given->return_url,
		.in_flight_max = given->in_flight_max ? given->in_flight_max : IN_FLIGHT_DEFAULT,
		.lease_ms = or_default(given->lease_ms, LEASE_MS_DEFAULT),
		.backoff_ms_max = or_default(given->backoff_ms_max, BACKOFF_MS_DEFAULT),
		.action_ms = or_default(given->action_ms, ACTION_MS_DEFAULT),
		.margin_ms = or_default(given->margin_ms, MARGIN_MS_DEFAULT),
		.wait_ms = or_default(given->wait_ms, WAIT_MS_DEFAULT),
		.metrics = given->metrics,
		.changed = given->changed,
		.changed_context = given->changed_context,
		.traits = {.name = "postgres",
			.one_transaction = true,
			.survives_seats = true,
			.survives_orders = true,
			.batch_max = CHECKOUT_BATCH_MAX},
		.sell = {.state = order_status_name(ORDER_AUTHORIZED),
			.sql = {.claim = one_claim, .move = checkout_weaken(one_sell)},
			.act = move_on},
		.payment_move = one_payment_move};
	struct seat_store *seats;
	memcpy(options.providers, given->providers, sizeof options.providers);
	/* Makes the seats' tables. */
	enum status status = open_seats(given->url, options.database_ms, &seats, fault);
	if (status != STATUS_OK)
		return status;
	seat_store_close(seats);
	return checkout_orders_open(&options, orders, fault);
}

enum status postgres_checkout_open(struct checkout_orders *orders, const char *url,
	struct checkout **checkout, struct fault *fault)
{
	struct seat_store *seats;
	enum status status = open_seats(url, CALL_MS_DEFAULT, &seats, fault);
	if (status != STATUS_OK)
		return status;
	status = checkout_orders_checkout(orders, seats, checkout);
	if (status != STATUS_OK)
		seat_store_close(seats);
	return status;
}
