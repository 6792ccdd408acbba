/* See checkout_orders.h: the engine's life, its stages, and who is told of what they do. */
#include "tech-locking-and-transactions/checkout_orders.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "tech-locking-and-transactions/checkout_orders_internal.h"
#include "tech-locking-and-transactions/checkout_statements.sql.h"
#include "tech-locking-and-transactions/schema/checkout.sql.h"
#include "tech-two-phase-payments/order_points.h"

enum {
	SCHEMA_ATTEMPTS_MAX = 8,
	SELL_MS = 3600 * 1000, /* Nobody waits to be sold for longer. */
	POLL_MS = 250,
	BACKOFF_MS_MIN = 50,
	ATTEMPTS_MAX =
		10000, /* As of the payment's stages: a database that is away is waited for. */
};

static enum status make_tables(const struct checkout_orders_options *options, struct fault *fault);
static enum status open_payments(struct checkout_orders *orders);
static enum status open_stage(struct checkout_orders *orders, struct checkout_own_stage *own,
	const char *name, const struct checkout_stage *technique);
static void on_changed(void *context, const struct order_change *change);

enum status checkout_orders_open(const struct checkout_orders_options *options,
	struct checkout_orders **result, struct fault *fault)
{
	enum status status = make_tables(options, fault);
	if (status != STATUS_OK)
		return status;
	struct checkout_orders *orders = calloc(1, sizeof *orders);
	if (!orders)
		return STATUS_UNAVAILABLE;
	orders->options = *options;
	atomic_init(&orders->waits_end_ms, INT64_MAX);
	orders->database_url = strdup(options->database_url);
	memset(orders->options.seats, 0, sizeof orders->options.seats); /* Not ours yet. */
	if (!orders->database_url || rendezvous_open(&orders->rendezvous) != STATUS_OK ||
		open_stage(orders, &orders->sell, "sell", &options->sell) != STATUS_OK ||
		(options->revoke.act &&
			open_stage(orders, &orders->revoke, "revoke", &options->revoke) !=
				STATUS_OK) ||
		open_payments(orders) != STATUS_OK) {
		checkout_orders_close(orders);
		return STATUS_UNAVAILABLE;
	}
	memcpy(orders->options.seats, options->seats, sizeof orders->options.seats);
	*result = orders;
	return STATUS_OK;
}

enum status checkout_orders_start(struct checkout_orders *orders)
{
	enum status status = stage_start(orders->sell.stage);
	if (status == STATUS_OK && orders->revoke.stage)
		status = stage_start(orders->revoke.stage);
	return status == STATUS_OK ? order_payments_start(orders->payments) : status;
}

static void stop_stage(struct checkout_own_stage *own, int64_t end_ms)
{
	int64_t left_ms = end_ms - clock_monotonic_ms(clock_system());
	if (own->stage)
		(void)stage_stop(own->stage, left_ms > 0 ? left_ms : 0);
}

void checkout_orders_end_waits(struct checkout_orders *orders, int64_t within_ms)
{
	atomic_store(&orders->waits_end_ms, clock_monotonic_ms(clock_system()) + within_ms);
}

void checkout_orders_stop(struct checkout_orders *orders, int64_t timeout_ms)
{
	int64_t end_ms = clock_monotonic_ms(clock_system()) + timeout_ms;
	if (orders->payments)
		order_payments_stop(orders->payments, timeout_ms);
	stop_stage(&orders->sell, end_ms);
	stop_stage(&orders->revoke, end_ms);
}

void checkout_orders_close(struct checkout_orders *orders)
{
	if (!orders)
		return;
	checkout_orders_stop(orders, 0); /* Each stage wakes others, so all have to stand first. */
	order_payments_close(orders->payments);
	stage_close(orders->sell.stage);
	stage_close(orders->revoke.stage);
	for (size_t i = 0; i < sizeof orders->options.seats / sizeof(struct seat_store *); i++)
		seat_store_close(orders->options.seats[i]);
	rendezvous_close(orders->rendezvous);
	free(orders->database_url);
	free(orders);
}

void checkout_orders_wake(struct checkout_orders *orders)
{
	for (int stage = 0; stage < ORDER_STAGES; stage++)
		order_payments_wake(orders->payments, (enum order_stage_kind)stage);
	stage_wake(orders->sell.stage);
	if (orders->revoke.stage)
		stage_wake(orders->revoke.stage);
}

void checkout_orders_wake_stage(struct checkout_orders *orders, enum order_stage_kind stage)
{
	order_payments_wake(orders->payments, stage);
}

/* ---- Opening ---- */

static enum status make_tables(const struct checkout_orders_options *options, struct fault *fault)
{
	struct postgres *pg = postgres_open(&(struct postgres_options){.url = options->database_url,
		.application_name = "checkout",
		.connect_ms_max = options->database_ms,
		.call_ms_max = options->database_ms});
	if (!pg)
		return STATUS_UNAVAILABLE;
	enum status status = postgres_connect(pg, fault);
	/* Two that start at once may both be told that they met the other. */
	for (int attempt = 0; status == STATUS_OK && attempt < SCHEMA_ATTEMPTS_MAX; attempt++) {
		enum status made = postgres_run_script(pg, sql_schema);
		if (made == STATUS_OK)
			break;
		if (made == STATUS_REFUSED || attempt == SCHEMA_ATTEMPTS_MAX - 1) {
			/* Making them again does no harm. */
			status = made == STATUS_REFUSED ? made : STATUS_UNAVAILABLE;
			fault_set(fault, "tables", "%s", postgres_error(pg)->message);
		}
	}
	postgres_close(pg);
	return status;
}

static enum status open_payments(struct checkout_orders *orders)
{
	const struct checkout_orders_options *options = &orders->options;
	struct order_payments_options payments = {.database_url = options->database_url,
		.database_settings = options->database_settings,
		.database_ms = options->database_ms,
		.sql = {.claim = {[ORDER_STAGE_AUTHORIZE] = sql_claim,
				[ORDER_STAGE_ACTION] = sql_claim,
				[ORDER_STAGE_CAPTURE] = sql_claim_capturing,
				[ORDER_STAGE_ENDING] = sql_claim_ending},
			.renew = sql_renew,
			.move = options->payment_move},
		.return_url = options->return_url,
		.in_flight_max = options->in_flight_max,
		.lease_ms = options->lease_ms,
		.backoff_ms_max = options->backoff_ms_max,
		.rules = {.finalize_ms = SELL_MS,
			.action_ms = options->action_ms,
			.margin_ms = options->margin_ms},
		.changed = on_changed,
		.context = orders,
		.metrics = options->metrics};
	memcpy(payments.providers, options->providers, sizeof payments.providers);
	return order_payments_open(&payments, &orders->payments);
}

/* ---- The technique's stages ---- */

static bool read_row(
	void *context, struct stage_row *row, const struct postgres_result *result, size_t index)
{
	const struct checkout_own_stage *own = context;
	return !own->technique.read ||
		own->technique.read(own->technique.context, row, result, index);
}

static void act(void *context, struct stage_row *const rows[], size_t count)
{
	const struct checkout_own_stage *own = context;
	order_point_reach(own->name, "before-call");
	own->technique.act(own->technique.context, rows, count);
	order_point_reach(own->name, "after-call");
}

/* What was sold is to be captured, and what could not be sold to be ended; which of them it is, the
 * statement has decided. */
static void on_moved(void *context, struct stage_row *const rows[], size_t count)
{
	const struct checkout_own_stage *own = context;
	struct id event, order;
	if (own == &own->orders->revoke) {
		for (size_t i = 0; i < count; i++)
			if (checkout_parse_key(rows[i]->key, &event, &order))
				rendezvous_ring(own->orders->rendezvous, order);
		return;
	}
	order_payments_wake(own->orders->payments, ORDER_STAGE_CAPTURE);
	order_payments_wake(own->orders->payments, ORDER_STAGE_ENDING);
	order_point_reach(own->name, "after-tell");
}

static void reach_point(void *context, enum stage_point point)
{
	const struct checkout_own_stage *own = context;
	order_point_reach(own->name, stage_point_name(point));
}

static enum status open_stage(struct checkout_orders *orders, struct checkout_own_stage *own,
	const char *name, const struct checkout_stage *technique)
{
	static const struct stage_ops ops = {
		.read = read_row, .act = act, .moved = on_moved, .at = reach_point};
	const struct checkout_orders_options *options = &orders->options;
	*own = (struct checkout_own_stage){.orders = orders, .technique = *technique, .name = name};
	return stage_open(&(struct stage_options){.name = name,
				  .state = technique->state,
				  .sql = technique->sql,
				  .ops = &ops,
				  .context = own,
				  .row_size = technique->row_size,
				  .database_url = options->database_url,
				  .database_settings = options->database_settings,
				  .batch_max = CHECKOUT_ROWS_MAX,
				  .lease_ms = options->lease_ms,
				  .poll_ms = POLL_MS,
				  .backoff_ms_min = BACKOFF_MS_MIN,
				  .backoff_ms_max = options->backoff_ms_max,
				  .attempts_max = ATTEMPTS_MAX,
				  .call_ms_max = options->database_ms,
				  .connect_ms_max = options->database_ms,
				  .metrics = options->metrics},
		&own->stage);
}

/* ---- Who is told ---- */

bool checkout_parse_key(struct slice key, struct id *event, struct id *order)
{
	const size_t id_size = ID_TEXT_SIZE - 1;
	return key.size == 2 * id_size + 1 && key.data[id_size] == '.' &&
		id_parse((struct slice){key.data, id_size}, event) &&
		id_parse((struct slice){key.data + id_size + 1, id_size}, order);
}

/* Another stage has work, or somebody who waits is to look. */
static void pass_on(struct checkout_orders *orders, enum order_status status, struct id order)
{
	switch (status) {
	case ORDER_AUTHORIZED:
		stage_wake(orders->sell.stage);
		break;
	case ORDER_REQUIRES_ACTION:
		order_payments_wake(orders->payments, ORDER_STAGE_ACTION);
		rendezvous_ring(orders->rendezvous, order);
		break;
	case ORDER_CANCELED:
	case ORDER_REFUNDED:
		if (orders->revoke.stage)
			stage_wake(orders->revoke.stage);
		rendezvous_ring(orders->rendezvous, order);
		break;
	case ORDER_PAID:
	case ORDER_DECLINED:
	case ORDER_EXPIRED:
		rendezvous_ring(orders->rendezvous, order);
		break;
	default:
		break;
	}
}

/* An order that is being captured was finalized by the version before. */
static void tell(const struct checkout_orders *orders, enum order_status status,
	const struct order_change *change)
{
	const struct checkout_orders_options *options = &orders->options;
	if (!options->changed)
		return;
	if (status == ORDER_CAPTURING)
		options->changed(options->changed_context,
			&(struct order_change){.key = change->key,
				.status = order_status_name(ORDER_FINALIZED),
				.version = change->version - 1});
	options->changed(options->changed_context, change);
}

static void on_changed(void *context, const struct order_change *change)
{
	struct checkout_orders *orders = context;
	enum order_status status;
	struct id event, order;
	if (!order_status_parse(slice_of(change->status), &status) ||
		!checkout_parse_key(change->key, &event, &order))
		return;
	pass_on(orders, status, order);
	tell(orders, status, change);
}
