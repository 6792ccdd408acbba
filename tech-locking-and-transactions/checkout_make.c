/* See checkout_orders.h: orders are made for holds, or refused. */
#include "lib/base/buffer.h"
#include "tech-locking-and-transactions/checkout_orders_internal.h"
#include "tech-locking-and-transactions/checkout_statements.sql.h"
#include "tech-two-phase-payments/order_points.h"

enum { SEATS_JSON_MAX = CHECKOUT_TICKETS_MAX * (6 * SEAT_STORE_ID_SIZE_MAX + 3) + 2 };

static const struct postgres_statement take_statement = {.name = "checkout_take", .sql = sql_take};

/* A list of seats that the statement can take apart. Its `data` is NULL past the arena's bound. */
static struct slice seats_as_json(
	struct checkout_instance *instance, const struct hold_record *record)
{
	struct buffer buffer;
	struct slice list = {.data = NULL};
	buffer_init(&buffer, SEATS_JSON_MAX);
	for (size_t i = 0; i < record->seat_count; i++) {
		buffer_add_text(&buffer, i == 0 ? "[" : ",");
		buffer_add_json(&buffer, record->seats[i]);
	}
	buffer_add_text(&buffer, "]");
	if (!buffer.failed)
		list = (struct slice){
			arena_copy(&instance->arena, buffer_slice(&buffer)), buffer.size};
	buffer_release(&buffer);
	return list;
}

static bool can_be_bought(const struct hold_record *record, const struct buy_request *request)
{
	return record->state == HOLD_LIVE && slice_equal(record->person, request->person) &&
		record->seat_count <= CHECKOUT_TICKETS_MAX;
}

static bool add_order(
	struct checkout_instance *instance, const struct buy_request *request, size_t index)
{
	struct checkout_columns *columns = &instance->columns;
	const struct hold_record *record = &instance->records[index];
	size_t row = columns->count++;
	columns->events[row] = request->event;
	columns->orders[row] = request->order;
	columns->holds[row] = request->hold;
	columns->versions[row] = record->version;
	columns->people[row] = request->person;
	columns->seats[row] = seats_as_json(instance, record);
	columns->totals[row] = record->total.minor;
	columns->currencies[row] = slice_of(record->total.currency);
	columns->ends[row] = record->expires_at_ms;
	columns->methods[row] = request->payment_method;
	return columns->seats[row].data != NULL;
}

static bool ids_equal(struct id a, struct id b)
{
	return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

/* The first of several requests for one order is the one that made it. */
static void note_made(struct checkout_call *call, struct id event, struct id order)
{
	enum checkout_progress *progress = call->instance->progress;
	for (size_t i = 0; i < call->count; i++)
		if (progress[i] == ASKED && ids_equal(call->requests[i].event, event) &&
			ids_equal(call->requests[i].order, order) &&
			can_be_bought(&call->instance->records[i], &call->requests[i])) {
			progress[i] = MADE;
			return;
		}
}

static enum status take(struct checkout_call *call)
{
	struct checkout_instance *instance = call->instance;
	const struct checkout_columns *columns = &instance->columns;
	struct postgres_result rows;
	order_point_reach("buy", "before-write");
	enum status status = checkout_execute(instance, &take_statement,
		POSTGRES_PARAMETERS(postgres_uuid_array(columns->events, columns->count),
			postgres_uuid_array(columns->orders, columns->count),
			postgres_uuid_array(columns->holds, columns->count),
			postgres_bigint_array(columns->versions, columns->count),
			postgres_text_array(columns->people, columns->count),
			postgres_text_array(columns->seats, columns->count),
			postgres_bigint_array(columns->totals, columns->count),
			postgres_text_array(columns->currencies, columns->count),
			postgres_timestamp_array(columns->ends, columns->count),
			postgres_text_array(columns->methods, columns->count)),
		&rows);
	order_point_reach("buy", "after-write");
	for (size_t row = 0; status == STATUS_OK && row < rows.row_count; row++)
		note_made(call, postgres_get_uuid(&rows, row, 0), postgres_get_uuid(&rows, row, 1));
	if (status == STATUS_OK && rows.row_count > 0)
		order_payments_wake(instance->orders->payments, ORDER_STAGE_AUTHORIZE);
	postgres_result_release(&rows);
	return status;
}

/* Orders for the holds that can be bought. Those that are known already stay as they are. */
enum status checkout_make_orders(struct checkout_call *call)
{
	struct checkout_instance *instance = call->instance;
	struct hold_name names[CHECKOUT_BATCH_MAX];
	for (size_t i = 0; i < call->count; i++)
		names[i] = (struct hold_name){call->requests[i].event, call->requests[i].hold};
	enum status status = seat_store_look_up(
		instance->seats, names, instance->records, call->count, &instance->arena);
	instance->columns.count = 0;
	for (size_t i = 0; i < call->count && status == STATUS_OK; i++)
		if (instance->progress[i] == ASKED &&
			can_be_bought(&instance->records[i], &call->requests[i]) &&
			!add_order(instance, &call->requests[i], i))
			return STATUS_UNAVAILABLE;
	if (status != STATUS_OK || instance->columns.count == 0)
		return status;
	return take(call);
}

/* Whoever has no order by now will get none. */
void checkout_refuse_the_unmade(struct checkout_call *call)
{
	for (size_t i = 0; i < call->count; i++) {
		const struct hold_record *record = &call->instance->records[i];
		bool is_own = slice_equal(record->person, call->requests[i].person);
		if (call->instance->progress[i] != ASKED)
			continue;
		if (record->state == HOLD_NONE || record->state == HOLD_RELEASED)
			checkout_settle(call, i, BUY_NOT_HELD);
		else if (!is_own)
			checkout_settle(call, i, BUY_NOT_YOURS);
		else
			checkout_settle(call, i,
				record->state == HOLD_EXPIRED ? BUY_EXPIRED : BUY_OTHER_ORDER);
	}
}
