/* Arrays of requests, each in a transaction of its own. */
#include <assert.h>
#include <time.h>

#include "tech-locking-and-transactions/postgres/postgres_seats_internal.h"
#include "tech-locking-and-transactions/postgres/shared.sql.h"

enum { PAUSE_US = 200 };

static const struct postgres_statement decide = {.name = "seats_decide", .sql = shared_decide};

/* Those who have met pause, each for another time, so that they do not go on meeting; longer each
 * time, as they may be many. */
static void pause_after(int look)
{
	uint32_t random;
	random_bytes(&random, sizeof random);
	long us = (long)(random % (uint32_t)(PAUSE_US * (look + 1)));
	(void)nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

/* Once more while `again` says so. The optimistic way has no other protection from a seat that
 * changes all the time than to give up. */
static enum status transact(struct seats_single *single, seats_work *work)
{
	struct postgres_transaction transaction = {.isolation = single->store->isolation,
		.attempts_max = SEATS_ATTEMPTS_MAX,
		.work = work,
		.context = single};
	for (int look = 0; look < SEATS_LOOKS_MAX; look++) {
		single->again = false;
		enum status status = postgres_transact(single->store->pg, &transaction);
		if (status != STATUS_OK || !single->again)
			return status;
		pause_after(look);
	}
	return STATUS_UNAVAILABLE;
}

enum status seats_hold_singly(struct seat_store *base, const struct hold_request requests[],
	struct hold_result results[], size_t count, seats_work *work)
{
	struct postgres_seats *store = seats_of(base);
	assert(count >= 1 && count <= SEAT_STORE_BATCH_MAX);
	enum status status = STATUS_OK;
	store->applied = false;
	seats_prepare(store, requests, results, count);
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		struct seats_single single = {.store = store,
			.hold = &requests[i],
			.wanted = &store->wanted[i],
			.held = &results[i]};
		if (results[i].outcome == HOLD_MALFORMED)
			continue;
		status = transact(&single, work);
		store->applied |= status == STATUS_OK;
		if (seats_data_failed(store->pg, status)) {
			results[i] = (struct hold_result){.outcome = HOLD_MALFORMED};
			status = STATUS_OK;
		}
	}
	if (status == STATUS_OK)
		status = seats_settle(store, requests, results, count);
	return seats_answer(store, status);
}

enum status seats_sell_singly(struct seat_store *base, const struct sell_request requests[],
	struct sell_result results[], size_t count, seats_work *work)
{
	struct postgres_seats *store = seats_of(base);
	assert(count >= 1 && count <= SEAT_STORE_BATCH_MAX);
	enum status status = STATUS_OK;
	store->applied = false;
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		struct seats_single single = {
			.store = store, .sell = &requests[i], .sold = &results[i]};
		results[i] = (struct sell_result){.outcome = SELL_MALFORMED};
		if (!sell_request_is_sound(&requests[i]))
			continue;
		status = transact(&single, work);
		store->applied |= status == STATUS_OK;
		if (seats_data_failed(store->pg, status)) {
			bool other = postgres_violated(store->pg, "one_hold_per_order");
			results[i].outcome = other ? SELL_OTHER_HOLD : SELL_MALFORMED;
			status = STATUS_OK;
		}
	}
	return seats_answer(store, status);
}

enum status seats_run(struct postgres *pg, const struct postgres_statement *statement,
	const struct postgres_parameter parameters[], size_t count, struct postgres_result *result)
{
	return postgres_execute(pg, seats_weaken(statement), parameters, count, result);
}

struct hold_result seats_look(const struct seats_single *single, const struct postgres_result *rows)
{
	struct hold_result result = {.outcome = HOLD_GRANTED};
	uint64_t taken = 0, missing = 0;
	size_t row = 0;
	for (size_t i = 0; i < single->wanted->count; i++) {
		if (row == rows->row_count ||
			!slice_equal(postgres_get_text(rows, row, 0), single->wanted->seats[i])) {
			missing |= UINT64_C(1) << i;
			continue;
		}
		taken |= (uint64_t)!postgres_get_boolean(rows, row, 1) << i;
		int64_t version = postgres_get_bigint(rows, row, 2) + 1;
		result.version = version > result.version ? version : result.version;
		result.total += postgres_get_bigint(rows, row, 3);
		row++;
	}
	if (missing | taken)
		result = (struct hold_result){.outcome = missing ? HOLD_NO_SUCH_SEAT : HOLD_TAKEN,
			.which = seats_which(
				single->hold, single->wanted, missing ? missing : taken)};
	return result;
}

enum status seats_decide(struct postgres *pg, const struct sell_request *request,
	struct sell_result *result, int64_t *sold_at_ms)
{
	struct postgres_result rows;
	enum status status = seats_run(pg, &decide,
		POSTGRES_PARAMETERS(postgres_uuid(request->event), postgres_uuid(request->hold),
			postgres_text(request->person), postgres_bigint(request->version),
			postgres_uuid(request->order)),
		&rows);
	*result = (struct sell_result){.outcome = SELL_NOT_HELD};
	*sold_at_ms = 0;
	if (status == STATUS_OK && rows.row_count == 1) {
		struct slice outcome = postgres_get_text(&rows, 0, 0);
		result->outcome = seats_sell_outcome(outcome);
		if (slice_is(outcome, "sell"))
			*sold_at_ms = postgres_get_timestamp(&rows, 0, 2);
		if (result->outcome == SELL_SOLD)
			result->total = postgres_get_bigint(&rows, 0, 1);
	}
	postgres_result_release(&rows);
	return status;
}
