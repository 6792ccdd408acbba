/* See checkout_orders.h: what has become of orders. */
#include "lib/base/clock.h"
#include "tech-locking-and-transactions/checkout_orders_internal.h"
#include "tech-locking-and-transactions/checkout_statements.sql.h"

enum { ACTION_MS = 2000 }; /* How long a repetition waits for the proof to be seen. */

static const struct postgres_statement read_statement = {
	.name = "checkout_read", .sql = sql_read, .effect = POSTGRES_READS};

static bool read_tickets(
	struct checkout_call *call, size_t index, const struct postgres_result *rows, size_t row)
{
	struct buy_result *result = &call->results[index];
	struct slice *seats;
	size_t count;
	if (!postgres_get_text_array(rows, row, 4, call->arena, &seats, &count))
		return false;
	result->tickets = arena_calloc(call->arena, count, sizeof *result->tickets);
	for (size_t i = 0; result->tickets && i < count; i++) {
		result->tickets[i].ticket = seat_ticket_id(call->requests[index].order, seats[i]);
		result->tickets[i].seat =
			(struct slice){arena_copy(call->arena, seats[i]), seats[i].size};
		if (!result->tickets[i].seat.data)
			return false;
	}
	result->ticket_count = count;
	return result->tickets != NULL;
}

static void copy_text(char *to, size_t size, struct slice text)
{
	size_t copied = text.size < size - 1 ? text.size : size - 1;
	if (copied > 0)
		memcpy(to, text.data, copied);
	to[copied] = '\0';
}

/* An order that was canceled tells by its reason why the seats were not to be had, if it was that.
 */
static enum buy_outcome outcome_of_canceled(const char *reason)
{
	if (strcmp(reason, sell_outcome_name(SELL_NOT_HELD)) == 0)
		return BUY_NOT_HELD;
	return strcmp(reason, sell_outcome_name(SELL_OTHER_ORDER)) == 0 ? BUY_OTHER_ORDER
									: BUY_DECLINED;
}

static enum buy_outcome outcome_of(const struct buy_result *result)
{
	switch (result->status) {
	case ORDER_PAID:
		return BUY_PAID;
	case ORDER_DECLINED:
	case ORDER_REFUNDED:
		return BUY_DECLINED;
	case ORDER_EXPIRED:
		return BUY_EXPIRED;
	case ORDER_CANCELED:
		return outcome_of_canceled(result->reason);
	case ORDER_REQUIRES_ACTION:
		return BUY_REQUIRES_ACTION;
	default:
		return BUY_PENDING;
	}
}

/* Whether the call has nothing more to wait for. Whoever repeats a purchase that asks for a proof
 * has given it, mostly. */
static bool is_over(const struct checkout_call *call, size_t index, bool revoke_due)
{
	switch (call->results[index].outcome) {
	case BUY_PENDING:
		return false;
	case BUY_REQUIRES_ACTION:
		return call->kind == BUYS &&
			(call->instance->progress[index] == MADE ||
				clock_monotonic_ms(clock_system()) - call->begun_ms >= ACTION_MS);
	default:
		return call->kind != RECOVERS || !revoke_due;
	}
}

static bool read_order(struct checkout_call *call, const struct postgres_result *rows, size_t row)
{
	size_t index = (size_t)postgres_get_integer(rows, row, 0);
	struct buy_result *result = &call->results[index];
	enum checkout_progress *progress = &call->instance->progress[index];
	*result = (struct buy_result){.total = {.minor = postgres_get_bigint(rows, row, 2)}};
	copy_text(result->total.currency, sizeof result->total.currency,
		postgres_get_text(rows, row, 3));
	copy_text(result->reason, sizeof result->reason, postgres_get_text(rows, row, 5));
	copy_text(result->action_url, sizeof result->action_url, postgres_get_text(rows, row, 6));
	if (!order_status_parse(postgres_get_text(rows, row, 1), &result->status))
		return false;
	if (call->kind == BUYS && !postgres_get_boolean(rows, row, 7)) {
		*result = (struct buy_result){.status = result->status};
		checkout_settle(call, index, BUY_OTHER_REQUEST);
		return true;
	}
	result->outcome = outcome_of(result);
	if (is_over(call, index, postgres_get_boolean(rows, row, 8)))
		*progress = SETTLED;
	else if (*progress == ASKED)
		*progress = KNOWN;
	return result->outcome != BUY_PAID || read_tickets(call, index, rows, row);
}

/* Read those that are not settled. When it is not OK the results are as they were. */
enum status checkout_read_orders(struct checkout_call *call)
{
	struct checkout_instance *instance = call->instance;
	struct checkout_columns *columns = &instance->columns;
	struct postgres_result rows;
	columns->count = 0;
	for (size_t i = 0; i < call->count; i++) {
		if (instance->progress[i] == SETTLED)
			continue;
		size_t row = columns->count++;
		columns->ordinals[row] = (int32_t)i;
		columns->events[row] = call->requests[i].event;
		columns->orders[row] = call->requests[i].order;
		columns->holds[row] = call->requests[i].hold;
		columns->people[row] = call->requests[i].person;
		columns->methods[row] = call->requests[i].payment_method;
	}
	if (columns->count == 0)
		return STATUS_OK;
	if (call->kind != BUYS)
		memset(columns->methods, 0, columns->count * sizeof columns->methods[0]);
	if (call->kind != BUYS)
		memset(columns->people, 0, columns->count * sizeof columns->people[0]);
	enum status status = postgres_execute(instance->pg, &read_statement,
		POSTGRES_PARAMETERS(postgres_integer_array(columns->ordinals, columns->count),
			postgres_uuid_array(columns->events, columns->count),
			postgres_uuid_array(columns->orders, columns->count),
			postgres_uuid_array(columns->holds, columns->count),
			postgres_text_array(columns->people, columns->count),
			postgres_text_array(columns->methods, columns->count)),
		&rows);
	for (size_t row = 0; status == STATUS_OK && row < rows.row_count; row++)
		if (!read_order(call, &rows, row))
			status = STATUS_UNAVAILABLE;
	postgres_result_release(&rows);
	return status;
}
