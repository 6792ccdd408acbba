/* See checkout_orders.h: one thread's instance, which makes orders, waits for them, and reads them.
 *
 * A batch costs three statements when all goes well, however large it is: the holds are read, the
 * orders made, and when all have been rung, read. */
#include <assert.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "tech-locking-and-transactions/checkout_orders_internal.h"
#include "tech-locking-and-transactions/checkout_statements.sql.h"

enum {
	LOOK_MS = 250,    /* How often those who wait look for what nobody rang. */
	ATTEMPTS_MAX = 5, /* Of a statement that met another. */
	ARENA_BYTES_MAX = 32 << 20,
};

static const struct postgres_statement nudge_statement = {
	.name = "checkout_nudge", .sql = sql_nudge};
static const struct postgres_statement recover_statement = {
	.name = "checkout_recover", .sql = sql_recover};
static const struct postgres_statement count_stuck_statement = {
	.name = "checkout_count_stuck", .sql = sql_count_stuck, .effect = POSTGRES_READS};
static const struct postgres_statement stuck_statement = {
	.name = "checkout_stuck", .sql = sql_stuck, .effect = POSTGRES_READS};

static enum status await(struct checkout_call *call);
static enum status nudge(struct checkout_call *call);
static enum status take_up(struct checkout_call *call, size_t max, struct buy_request requests[]);

enum status checkout_orders_checkout(
	struct checkout_orders *orders, struct seat_store *seats, struct checkout **result)
{
	struct checkout_instance *instance = calloc(1, sizeof *instance);
	if (!instance)
		return STATUS_UNAVAILABLE;
	instance->base.ops = &checkout_orders_ops;
	instance->orders = orders;
	arena_init(&instance->arena, ARENA_BYTES_MAX);
	instance->pg = postgres_open(&(struct postgres_options){.url = orders->database_url,
		.application_name = "checkout",
		.connect_ms_max = orders->options.database_ms,
		.call_ms_max = orders->options.database_ms,
		.fail_fast = true});
	if (!instance->pg) {
		free(instance);
		return STATUS_UNAVAILABLE;
	}
	instance->seats = seats;
	*result = &instance->base;
	return STATUS_OK;
}

static void close_instance(struct checkout *base)
{
	struct checkout_instance *instance = (struct checkout_instance *)base;
	seat_store_close(instance->seats);
	postgres_close(instance->pg);
	arena_release(&instance->arena);
	free(instance);
}

static const struct checkout_traits *traits_of(const struct checkout *base)
{
	return &((const struct checkout_instance *)base)->orders->options.traits;
}

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

/* ---- The operations ---- */

static struct checkout_call begin(struct checkout *base, const struct buy_request requests[],
	struct buy_result results[], size_t count, struct arena *arena)
{
	struct checkout_instance *instance = (struct checkout_instance *)base;
	assert(count <= CHECKOUT_BATCH_MAX);
	arena_reset(&instance->arena);
	for (size_t i = 0; i < count; i++) {
		instance->progress[i] = ASKED;
		results[i] = (struct buy_result){.outcome = BUY_PENDING};
	}
	return (struct checkout_call){.instance = instance,
		.requests = requests,
		.results = results,
		.count = count,
		.arena = arena,
		.begun_ms = now_ms()};
}

size_t checkout_count_in(const struct checkout_call *call, enum checkout_progress progress)
{
	size_t count = 0;
	for (size_t i = 0; i < call->count; i++)
		count += call->instance->progress[i] == progress;
	return count;
}

void checkout_settle(struct checkout_call *call, size_t index, enum buy_outcome outcome)
{
	call->results[index].outcome = outcome;
	call->instance->progress[index] = SETTLED;
}

/* Wait for none that is settled. */
static void drop_settled(struct checkout_call *call)
{
	struct checkout_instance *instance = call->instance;
	for (size_t i = 0; i < call->count; i++)
		if (instance->progress[i] == SETTLED)
			rendezvous_drop(instance->orders->rendezvous, &instance->keys[i]);
}

/* Listen for those that are not settled. */
static void join(struct checkout_call *call)
{
	struct checkout_instance *instance = call->instance;
	for (size_t i = 0; i < call->count; i++)
		instance->keys[i].id = call->requests[i].order;
	rendezvous_join(
		instance->orders->rendezvous, &instance->party, instance->keys, call->count);
	drop_settled(call);
}

static void leave(struct checkout_call *call)
{
	rendezvous_leave(call->instance->orders->rendezvous, &call->instance->party);
}

/* Listening begins before the orders are made, so that no end of theirs is missed. */
static enum status buy(struct checkout *base, const struct buy_request requests[],
	struct buy_result results[], size_t count, struct arena *arena)
{
	struct checkout_call call = begin(base, requests, results, count, arena);
	for (size_t i = 0; i < count; i++)
		if (!buy_request_is_sound(&requests[i]))
			checkout_settle(&call, i, BUY_MALFORMED);
	join(&call);
	enum status status = checkout_make_orders(&call);
	bool begun = status == STATUS_OK;
	if (status == STATUS_OK && checkout_count_in(&call, ASKED) > 0)
		status = checkout_read_orders(&call);
	if (status == STATUS_OK) {
		checkout_refuse_the_unmade(&call);
		status = nudge(&call);
	}
	if (status == STATUS_OK)
		status = await(&call);
	leave(&call);
	/* There are orders now, and only what becomes of them could not be read. */
	return begun && status == STATUS_UNAVAILABLE ? STATUS_UNKNOWN : status;
}

static enum status look_up(struct checkout *base, const struct buy_request requests[],
	struct buy_result results[], size_t count, struct arena *arena)
{
	struct checkout_call call = begin(base, requests, results, count, arena);
	call.kind = LOOKS_UP;
	enum status status = checkout_read_orders(&call);
	for (size_t i = 0; i < count && status == STATUS_OK; i++)
		if (call.instance->progress[i] == ASKED)
			checkout_settle(&call, i, BUY_NOT_HELD);
	return status;
}

static enum status count_stuck(struct checkout_instance *instance, size_t *count)
{
	struct postgres_result rows;
	enum status status = postgres_execute(
		instance->pg, &count_stuck_statement, POSTGRES_NO_PARAMETERS, &rows);
	if (status == STATUS_OK)
		*count = (size_t)postgres_get_bigint(&rows, 0, 0);
	postgres_result_release(&rows);
	return status;
}

static enum status recover(struct checkout *base, size_t max, struct recovery *recovery)
{
	struct checkout_instance *instance = (struct checkout_instance *)base;
	assert(max >= 1 && max <= CHECKOUT_BATCH_MAX);
	*recovery = (struct recovery){0};
	struct checkout_call call = begin(base, NULL, NULL, 0, &instance->arena);
	struct buy_request *requests = arena_calloc(&instance->arena, max, sizeof *requests);
	struct buy_result *results = arena_calloc(&instance->arena, max, sizeof *results);
	if (!requests || !results)
		return STATUS_UNAVAILABLE;
	call.kind = RECOVERS;
	call.requests = requests;
	call.results = results;
	enum status status = take_up(&call, max, requests);
	if (status != STATUS_OK)
		return status;
	join(&call);
	checkout_orders_wake(instance->orders);
	status = await(&call);
	leave(&call);
	if (status == STATUS_OK)
		status = count_stuck(instance, &recovery->stuck);
	for (size_t i = 0; i < call.count; i++)
		if (instance->progress[i] == SETTLED)
			recovery->finished++;
		else
			recovery->open++;
	return status == STATUS_UNAVAILABLE ? STATUS_UNKNOWN : status;
}

static enum status stuck(struct checkout *base, size_t max, struct stuck_order orders[],
	size_t *count, struct arena *arena)
{
	struct checkout_instance *instance = (struct checkout_instance *)base;
	struct postgres_result rows;
	assert(max >= 1 && max <= CHECKOUT_BATCH_MAX);
	enum status status = postgres_execute(instance->pg, &stuck_statement,
		POSTGRES_PARAMETERS(postgres_integer((int32_t)max)), &rows);
	*count = status == STATUS_OK ? rows.row_count : 0;
	for (size_t i = 0; i < *count; i++) {
		struct slice note = postgres_get_text(&rows, i, 3);
		struct slice reference = postgres_get_text(&rows, i, 4);
		orders[i] = (struct stuck_order){.event = postgres_get_uuid(&rows, i, 0),
			.order = postgres_get_uuid(&rows, i, 1),
			.note = {note.data ? arena_copy(arena, note) : "", note.size},
			.reference = {reference.data ? arena_copy(arena, reference) : NULL,
				reference.size},
			.since_ms = postgres_get_timestamp(&rows, i, 5)};
		bool known = order_status_parse(postgres_get_text(&rows, i, 2), &orders[i].status);
		if (!known || !orders[i].note.data || (reference.data && !orders[i].reference.data))
			status = STATUS_UNAVAILABLE;
	}
	postgres_result_release(&rows);
	return status;
}

const struct checkout_ops checkout_orders_ops = {.traits = traits_of,
	.buy = buy,
	.look_up = look_up,
	.recover = recover,
	.stuck = stuck,
	.close = close_instance};

/* ---- What the parts have in common ---- */

enum status checkout_execute(struct checkout_instance *instance,
	const struct postgres_statement *statement, const struct postgres_parameter parameters[],
	size_t count, struct postgres_result *rows)
{
	for (int attempt = 1;; attempt++) {
		enum status status =
			postgres_execute(instance->pg, statement, parameters, count, rows);
		if (status != STATUS_UNAVAILABLE || attempt == ATTEMPTS_MAX ||
			postgres_error(instance->pg)->class != POSTGRES_RETRY)
			return status;
		postgres_result_release(rows);
	}
}

/* ---- Waiting ---- */

/* A database that is away is waited for like everything else. Joining comes before reading, so that
 * what changes after it was read has been heard. */
static enum status await(struct checkout_call *call)
{
	struct rendezvous *rendezvous = call->instance->orders->rendezvous;
	int64_t end_ms = call->begun_ms + call->instance->orders->options.wait_ms;
	enum status status = STATUS_OK;
	while (checkout_count_in(call, SETTLED) < call->count) {
		int64_t all_end_ms = atomic_load(&call->instance->orders->waits_end_ms);
		int64_t left_ms = (end_ms < all_end_ms ? end_ms : all_end_ms) - now_ms();
		if (left_ms <= 0)
			break;
		drop_settled(call);
		(void)rendezvous_wait(
			rendezvous, &call->instance->party, left_ms < LOOK_MS ? left_ms : LOOK_MS);
		leave(call);
		join(call);
		status = checkout_read_orders(call);
	}
	return status;
}

/* Those of earlier calls that wait for a proof are looked at now. */
static enum status nudge(struct checkout_call *call)
{
	struct checkout_instance *instance = call->instance;
	struct checkout_columns *columns = &instance->columns;
	columns->count = 0;
	for (size_t i = 0; i < call->count; i++) {
		if (instance->progress[i] != KNOWN ||
			call->results[i].outcome != BUY_REQUIRES_ACTION)
			continue;
		columns->events[columns->count] = call->requests[i].event;
		columns->orders[columns->count++] = call->requests[i].order;
	}
	if (columns->count == 0)
		return STATUS_OK;
	enum status status = checkout_execute(instance, &nudge_statement,
		POSTGRES_PARAMETERS(postgres_uuid_array(columns->events, columns->count),
			postgres_uuid_array(columns->orders, columns->count)),
		NULL);
	order_payments_wake(instance->orders->payments, ORDER_STAGE_ACTION);
	return status;
}

/* ---- Recovery ---- */

static enum status take_up(struct checkout_call *call, size_t max, struct buy_request requests[])
{
	struct postgres_result rows;
	enum status status = checkout_execute(call->instance, &recover_statement,
		POSTGRES_PARAMETERS(postgres_integer((int32_t)max)), &rows);
	call->count = status == STATUS_OK ? rows.row_count : 0;
	for (size_t i = 0; i < call->count; i++) {
		requests[i].event = postgres_get_uuid(&rows, i, 0);
		requests[i].order = postgres_get_uuid(&rows, i, 1);
		call->instance->progress[i] = KNOWN;
	}
	postgres_result_release(&rows);
	return status;
}
