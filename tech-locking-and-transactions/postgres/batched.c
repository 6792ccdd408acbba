/* Holds and sales by one statement for all that wait. See batched.sql and seats_rounds.c. */
#include <assert.h>

#include "tech-locking-and-transactions/postgres/batched.sql.h"
#include "tech-locking-and-transactions/postgres/postgres_seats_internal.h"

static const struct postgres_statement hold_statement = {
	.name = "batched_hold", .sql = batched_hold};
static const struct postgres_statement sell_statement = {
	.name = "batched_sell", .sql = batched_sell};

static const struct id no_id;
static const struct slice no_seat;

/* ---- hold ---- */

static struct seats_key *seat_key(
	struct postgres_seats *store, const struct hold_request *request, struct slice seat)
{
	return seats_keys_find(&store->keys, SEATS_KEY_SEAT, request->event, no_id, seat);
}

static bool claim_hold(struct postgres_seats *store, const void *requests, size_t index)
{
	const struct hold_request *request = (const struct hold_request *)requests + index;
	const struct seats_wanted *wanted = &store->wanted[index];
	struct seats_key *hold = seats_keys_find(
		&store->keys, SEATS_KEY_HOLD, request->event, request->hold, no_seat);
	bool first = hold->state == SEATS_KEY_NEW;
	hold->state = SEATS_KEY_CLAIMED;
	for (size_t i = 0; i < wanted->count; i++) {
		struct seats_key *seat = seat_key(store, request, wanted->seats[i]);
		first &= seat->state == SEATS_KEY_NEW;
		seat->state = SEATS_KEY_CLAIMED;
	}
	return first;
}

static void add_rows(struct postgres_seats *store, const struct hold_request *request, size_t index)
{
	struct seats_columns *columns = &store->columns;
	const struct seats_wanted *wanted = &store->wanted[index];
	for (size_t i = 0; i < wanted->count; i++) {
		size_t row = columns->count++;
		columns->requests[row] = (int32_t)index;
		columns->events[row] = request->event;
		columns->holds[row] = request->hold;
		columns->people[row] = request->person;
		columns->hold_ms[row] = request->hold_ms;
		columns->seats[row] = wanted->seats[i];
		columns->bits[row] = INT64_C(1) << i;
		columns->wanted[row] = (int32_t)wanted->count;
	}
}

/* Remember of each seat what the statement has shown, for those who wait for the next round. */
static void learn(struct postgres_seats *store, const struct hold_request *request, size_t index,
	enum hold_outcome outcome, uint64_t bits)
{
	const struct seats_wanted *wanted = &store->wanted[index];
	for (size_t i = 0; i < wanted->count; i++) {
		bool marked = bits >> i & 1;
		enum seats_key_state state = marked ? SEATS_KEY_TAKEN : SEATS_KEY_FREE;
		if (outcome == HOLD_GRANTED)
			state = SEATS_KEY_TAKEN;
		else if (outcome == HOLD_NO_SUCH_SEAT)
			state = marked ? SEATS_KEY_MISSING : SEATS_KEY_CLAIMED;
		seat_key(store, request, wanted->seats[i])->state = state;
	}
}

static void read_verdict(struct postgres_seats *store, const struct hold_request requests[],
	struct hold_result results[], const struct postgres_result *rows, size_t row)
{
	size_t index = (size_t)postgres_get_integer(rows, row, 0);
	struct seats_wanted *wanted = &store->wanted[index];
	uint64_t all = (UINT64_C(1) << wanted->count) - 1;
	uint64_t missing = all & ~(uint64_t)postgres_get_bigint(rows, row, 1);
	uint64_t taken = (uint64_t)postgres_get_bigint(rows, row, 2);
	if (postgres_get_boolean(rows, row, 3))
		results[index] = (struct hold_result){.outcome = HOLD_GRANTED,
			.version = postgres_get_bigint(rows, row, 4),
			.total = postgres_get_bigint(rows, row, 5),
			.expires_at_ms = postgres_get_timestamp(rows, row, 6)};
	else if (missing)
		results[index] = (struct hold_result){.outcome = HOLD_NO_SUCH_SEAT,
			.which = seats_which(&requests[index], wanted, missing)};
	else
		results[index] = (struct hold_result){.outcome = HOLD_TAKEN,
			.which = seats_which(&requests[index], wanted, taken)};
	learn(store, &requests[index], index, results[index].outcome, missing ? missing : taken);
}

/* Some that could be granted were not, since their ids are known already: see which. They are
 * refused for now, their seats are free, and what they are told is settled at the end. */
static enum status doubt(struct postgres_seats *store, const struct hold_request requests[],
	struct hold_result results[], const size_t indexes[], size_t count)
{
	bool confirmed[SEAT_STORE_BATCH_MAX];
	store->applied = true;
	enum status status = seats_confirm(store, requests, results, indexes, count, confirmed);
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		size_t index = indexes[i];
		if (results[index].outcome != HOLD_GRANTED || confirmed[index])
			continue;
		results[index] = (struct hold_result){.outcome = HOLD_TAKEN};
		learn(store, &requests[index], index, HOLD_TAKEN, 0);
	}
	return status;
}

static enum status read_verdicts(struct postgres_seats *store, const struct hold_request requests[],
	struct hold_result results[], const size_t indexes[], size_t count,
	const struct postgres_result *rows)
{
	int64_t grantable = 0;
	for (size_t i = 0; i < count; i++) { /* Whose seats are all missing have no row. */
		size_t index = indexes[i];
		results[index] = (struct hold_result){.outcome = HOLD_NO_SUCH_SEAT,
			.which = seats_which(&requests[index], &store->wanted[index], UINT64_MAX)};
		learn(store, &requests[index], index, HOLD_NO_SUCH_SEAT, UINT64_MAX);
	}
	for (size_t row = 0; row < rows->row_count; row++) {
		read_verdict(store, requests, results, rows, row);
		grantable += postgres_get_boolean(rows, row, 3);
	}
	if (rows->row_count > 0 && postgres_get_bigint(rows, 0, 7) != grantable)
		return doubt(store, requests, results, indexes, count);
	return STATUS_OK;
}

static enum status apply_holds(struct postgres_seats *store, const void *requests, void *results,
	const size_t indexes[], size_t count)
{
	struct seats_columns *columns = &store->columns;
	struct postgres_result rows;
	columns->count = 0;
	for (size_t i = 0; i < count; i++)
		add_rows(store, (const struct hold_request *)requests + indexes[i], indexes[i]);
	enum status status = seats_execute(store, &hold_statement,
		POSTGRES_PARAMETERS(postgres_integer_array(columns->requests, columns->count),
			postgres_uuid_array(columns->events, columns->count),
			postgres_uuid_array(columns->holds, columns->count),
			postgres_text_array(columns->people, columns->count),
			postgres_bigint_array(columns->hold_ms, columns->count),
			postgres_text_array(columns->seats, columns->count),
			postgres_bigint_array(columns->bits, columns->count),
			postgres_integer_array(columns->wanted, columns->count)),
		&rows);
	if (status == STATUS_OK)
		status = read_verdicts(store, requests, results, indexes, count, &rows);
	postgres_result_release(&rows);
	return status;
}

static void refuse_hold(struct postgres_seats *store, void *results, size_t index)
{
	(void)store;
	((struct hold_result *)results)[index] = (struct hold_result){.outcome = HOLD_MALFORMED};
}

/* A request whose seats are all known, and not all free, is refused without asking again; that is
 * what a crowd before one seat costs. Otherwise it waits, and whoever comes later waits for it. */
static bool answer_hold(
	struct postgres_seats *store, const void *requests, void *results, size_t index)
{
	const struct hold_request *request = (const struct hold_request *)requests + index;
	const struct seats_wanted *wanted = &store->wanted[index];
	uint64_t taken = 0, missing = 0;
	bool known = true;
	for (size_t i = 0; i < wanted->count; i++) {
		enum seats_key_state state = seat_key(store, request, wanted->seats[i])->state;
		known &= state != SEATS_KEY_NEW && state != SEATS_KEY_CLAIMED;
		taken |= (uint64_t)(state == SEATS_KEY_TAKEN) << i;
		missing |= (uint64_t)(state == SEATS_KEY_MISSING) << i;
	}
	if (known && (missing | taken)) {
		((struct hold_result *)results)[index] =
			(struct hold_result){.outcome = missing ? HOLD_NO_SUCH_SEAT : HOLD_TAKEN,
				.which = seats_which(request, wanted, missing ? missing : taken)};
		return true;
	}
	for (size_t i = 0; i < wanted->count; i++) {
		struct seats_key *key = seat_key(store, request, wanted->seats[i]);
		if (key->state == SEATS_KEY_FREE)
			key->state = SEATS_KEY_CLAIMED;
	}
	return false;
}

enum status seats_hold_batched(struct seat_store *base, const struct hold_request requests[],
	struct hold_result results[], size_t count)
{
	static const struct seats_batch holds = {.claim = claim_hold,
		.apply = apply_holds,
		.refuse = refuse_hold,
		.answer = answer_hold};
	struct postgres_seats *store = seats_of(base);
	struct seats_batch batch = holds;
	size_t pending = 0;
	assert(count >= 1 && count <= SEAT_STORE_BATCH_MAX);
	seats_prepare(store, requests, results, count);
	for (size_t i = 0; i < count; i++)
		if (results[i].outcome != HOLD_MALFORMED)
			store->pending[pending++] = i;
	batch.requests = requests;
	batch.results = results;
	enum status status = seats_in_rounds(store, &batch, pending);
	if (status == STATUS_OK)
		status = seats_settle(store, requests, results, count);
	return seats_answer(store, status);
}

/* ---- sell ---- */

static bool claim_sale(struct postgres_seats *store, const void *requests, size_t index)
{
	const struct sell_request *request = (const struct sell_request *)requests + index;
	struct seats_key *hold = seats_keys_find(
		&store->keys, SEATS_KEY_HOLD, request->event, request->hold, no_seat);
	bool first = hold->state == SEATS_KEY_NEW;
	hold->state = SEATS_KEY_CLAIMED;
	struct seats_key *order = seats_keys_find(
		&store->keys, SEATS_KEY_ORDER, request->event, request->order, no_seat);
	first &= order->state == SEATS_KEY_NEW;
	order->state = SEATS_KEY_CLAIMED;
	return first;
}

static void add_sale(
	struct seats_columns *columns, const struct sell_request *request, size_t index)
{
	size_t row = columns->count++;
	columns->requests[row] = (int32_t)index;
	columns->events[row] = request->event;
	columns->holds[row] = request->hold;
	columns->people[row] = request->person;
	columns->bits[row] = request->version;
	columns->orders[row] = request->order;
}

static enum status apply_sales(struct postgres_seats *store, const void *requests, void *results,
	const size_t indexes[], size_t count)
{
	struct seats_columns *columns = &store->columns;
	struct sell_result *sold = results;
	struct postgres_result rows;
	columns->count = 0;
	for (size_t i = 0; i < count; i++)
		add_sale(columns, (const struct sell_request *)requests + indexes[i], indexes[i]);
	enum status status = seats_execute(store, &sell_statement,
		POSTGRES_PARAMETERS(postgres_integer_array(columns->requests, columns->count),
			postgres_uuid_array(columns->events, columns->count),
			postgres_uuid_array(columns->holds, columns->count),
			postgres_text_array(columns->people, columns->count),
			postgres_bigint_array(columns->bits, columns->count),
			postgres_uuid_array(columns->orders, columns->count)),
		&rows);
	for (size_t i = 0; status == STATUS_OK && i < count; i++)
		sold[indexes[i]] = (struct sell_result){.outcome = SELL_NOT_HELD};
	for (size_t row = 0; status == STATUS_OK && row < rows.row_count; row++) {
		struct sell_result *result = &sold[postgres_get_integer(&rows, row, 0)];
		result->outcome = seats_sell_outcome(postgres_get_text(&rows, row, 1));
		if (result->outcome == SELL_SOLD)
			result->total = postgres_get_bigint(&rows, row, 2);
	}
	postgres_result_release(&rows);
	return status;
}

/* Alone in its statement, a sale is refused for what another instance has done since it looked. */
static void refuse_sale(struct postgres_seats *store, void *results, size_t index)
{
	bool other = postgres_violated(store->pg, "one_hold_per_order");
	((struct sell_result *)results)[index] =
		(struct sell_result){.outcome = other ? SELL_OTHER_HOLD : SELL_MALFORMED};
}

enum status seats_sell_batched(struct seat_store *base, const struct sell_request requests[],
	struct sell_result results[], size_t count)
{
	struct postgres_seats *store = seats_of(base);
	struct seats_batch batch = {.requests = requests,
		.results = results,
		.claim = claim_sale,
		.apply = apply_sales,
		.refuse = refuse_sale};
	size_t pending = 0;
	assert(count >= 1 && count <= SEAT_STORE_BATCH_MAX);
	for (size_t i = 0; i < count; i++) {
		results[i] = (struct sell_result){.outcome = SELL_MALFORMED};
		if (sell_request_is_sound(&requests[i]))
			store->pending[pending++] = i;
	}
	return seats_answer(store, seats_in_rounds(store, &batch, pending));
}
