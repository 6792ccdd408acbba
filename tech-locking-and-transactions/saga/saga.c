/* See saga.h. Here are the two steps that touch the seats; both take all rows of a claim at once.
 */
#include "tech-locking-and-transactions/saga/saga.h"

#include "lib/base/buffer.h"
#include "tech-locking-and-transactions/saga/saga.sql.h"
#include "tech-locking-and-transactions/schema/checkout_tickets.sql.h"

#ifdef SAGA_UNGUARDED
#include "tech-locking-and-transactions/saga/saga_unguarded.h"
#else
enum { SAGA_REVOKES = 1, SAGA_VOIDS = 1 };
#endif

enum {
	IN_FLIGHT_DEFAULT = 1000,
	CALL_MS_DEFAULT = 5000,
	LEASE_MS_DEFAULT = 30000,
	BACKOFF_MS_DEFAULT = 30000,
	ACTION_MS_DEFAULT = 600000,
	MARGIN_MS_DEFAULT = 3600000,
	WAIT_MS_DEFAULT = 10000,
	TICKETS_JSON_MAX = CHECKOUT_TICKETS_MAX * (ID_TEXT_SIZE + 2) + 2,
};

/* The texts of a sale's transition. */
enum { DATA_ENDING, DATA_REASON, DATA_TICKETS, DATA_COUNT };

_Static_assert((int)CHECKOUT_ROWS_MAX <= (int)SEAT_STORE_BATCH_MAX, "a claim is one call");

/* Look-ups by primary key, planned once. */
static const char settings[] =
	"-c enable_seqscan=off -c plan_cache_mode=force_generic_plan -c jit=off";

struct sale_row {
	struct stage_row base;
	struct sell_request request;
	struct slice tickets; /* Their ids, as JSON. */
};

struct revoke_row {
	struct stage_row base;
	struct revoke_request request;
};

static int64_t or_default(int64_t value, int64_t fallback)
{
	return value ? value : fallback;
}

/* ---- Step 4: sell ---- */

static struct slice ticket_ids(
	struct arena *arena, struct id order, const struct slice seats[], size_t count)
{
	struct buffer buffer;
	struct slice list = {.data = NULL};
	char text[ID_TEXT_SIZE];
	buffer_init(&buffer, TICKETS_JSON_MAX);
	for (size_t i = 0; i < count; i++) {
		id_format(seat_ticket_id(order, seats[i]), text);
		buffer_add_format(&buffer, "%s\"%s\"", i == 0 ? "[" : ",", text);
	}
	buffer_add_text(&buffer, "]");
	if (!buffer.failed)
		list = (struct slice){arena_copy(arena, buffer_slice(&buffer)), buffer.size};
	buffer_release(&buffer);
	return list;
}

static bool read_sale(
	void *context, struct stage_row *base, const struct postgres_result *result, size_t index)
{
	struct sale_row *row = (struct sale_row *)base;
	struct slice person = postgres_get_text(result, index, 5), *seats;
	size_t count;
	(void)context;
	row->request = (struct sell_request){.event = postgres_get_uuid(result, index, 2),
		.order = postgres_get_uuid(result, index, 3),
		.hold = postgres_get_uuid(result, index, 4),
		.person = {arena_copy(&base->arena, person), person.size},
		.version = postgres_get_bigint(result, index, 6)};
	if (!row->request.person.data ||
		!postgres_get_text_array(result, index, 7, &base->arena, &seats, &count))
		return false;
	row->tickets = ticket_ids(&base->arena, row->request.order, seats, count);
	return row->tickets.data != NULL;
}

/* The seats were not to be had, so the saga goes back: the mark has the ending stage void what is
 * reserved. */
static void go_back(struct sale_row *row, enum sell_outcome outcome)
{
	bool expired = outcome == SELL_EXPIRED;
	if (!SAGA_VOIDS) {
		stage_done(&row->base, order_status_name(ORDER_EXPIRED), STAGE_AT_REST);
		return;
	}
	row->base.data[DATA_ENDING] = slice_of(expired ? "expire" : "cancel");
	if (!expired)
		row->base.data[DATA_REASON] = slice_of(sell_outcome_name(outcome));
	stage_wait(&row->base, 0);
}

/* Again after a crash it gives the same answer: an order buys one hold, once. */
static void sell(void *context, struct stage_row *const rows[], size_t count)
{
	struct sell_request requests[CHECKOUT_ROWS_MAX] = {{.version = 0}};
	struct sell_result results[CHECKOUT_ROWS_MAX];
	for (size_t i = 0; i < count; i++)
		requests[i] = ((const struct sale_row *)rows[i])->request;
	enum status status = seat_store_sell(context, requests, results, count);
	for (size_t i = 0; i < count; i++) {
		struct sale_row *row = (struct sale_row *)rows[i];
		if (status != STATUS_OK) {
			stage_retry(rows[i], "the seats' store does not answer", 0);
		} else if (results[i].outcome == SELL_SOLD) {
			row->base.data[DATA_TICKETS] = row->tickets;
			stage_done(rows[i], order_status_name(ORDER_FINALIZED), STAGE_AT_ONCE);
		} else {
			go_back(row, results[i].outcome);
		}
	}
}

/* ---- Its compensation: revoke ---- */

static bool read_revoke(
	void *context, struct stage_row *base, const struct postgres_result *result, size_t index)
{
	struct revoke_row *row = (struct revoke_row *)base;
	(void)context;
	row->request = (struct revoke_request){.event = postgres_get_uuid(result, index, 2),
		.order = postgres_get_uuid(result, index, 3)};
	return true;
}

/* An order that has bought nothing has nothing to be undone. */
static void revoke(void *context, struct stage_row *const rows[], size_t count)
{
	struct revoke_request requests[CHECKOUT_ROWS_MAX] = {{.order = {{0}}}};
	enum revoke_outcome outcomes[CHECKOUT_ROWS_MAX];
	enum status status = STATUS_OK;
	for (size_t i = 0; i < count; i++)
		requests[i] = ((const struct revoke_row *)rows[i])->request;
	if (SAGA_REVOKES)
		status = seat_store_revoke(context, requests, outcomes, count);
	for (size_t i = 0; i < count; i++)
		if (status == STATUS_OK)
			stage_done(rows[i], "revoked", STAGE_AT_REST);
		else
			stage_retry(rows[i], "the seats' store does not answer", 0);
}

/* ---- Opening ---- */

static enum status make_ticket_table(
	const struct saga_options *given, int64_t call_ms, struct fault *fault)
{
	struct postgres *pg = postgres_open(&(struct postgres_options){.url = given->url,
		.application_name = "saga",
		.connect_ms_max = call_ms,
		.call_ms_max = call_ms});
	if (!pg)
		return STATUS_UNAVAILABLE;
	enum status status = postgres_connect(pg, fault);
	if (status == STATUS_OK) {
		status = postgres_run_script(pg, tickets_schema);
		if (status != STATUS_OK)
			fault_set(fault, "tables", "%s", postgres_error(pg)->message);
		if (status == STATUS_UNKNOWN)
			status = STATUS_UNAVAILABLE; /* Making them again does no harm. */
	}
	postgres_close(pg);
	return status;
}

enum status saga_engine(
	const struct saga_options *given, struct checkout_orders **orders, struct fault *fault)
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
		.seats = {given->sell_seats, given->revoke_seats},
		.traits = {.name = "saga",
			.survives_seats = true,
			.survives_orders = true,
			.batch_max = CHECKOUT_BATCH_MAX},
		.sell = {.state = order_status_name(ORDER_AUTHORIZED),
			.sql = {.claim = saga_claim_sell,
				.move = saga_move_sell,
				.data_count = DATA_COUNT},
			.read = read_sale,
			.act = sell,
			.context = given->sell_seats,
			.row_size = sizeof(struct sale_row)},
		.revoke = {.state = "revoke",
			.sql = {.claim = saga_claim_revoke, .move = saga_move_revoke},
			.read = read_revoke,
			.act = revoke,
			.context = given->revoke_seats,
			.row_size = sizeof(struct revoke_row)},
		.payment_move = saga_move_payment};
	memcpy(options.providers, given->providers, sizeof options.providers);
	enum status status = make_ticket_table(given, options.database_ms, fault);
	return status == STATUS_OK ? checkout_orders_open(&options, orders, fault) : status;
}
