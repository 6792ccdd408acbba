/* Requests to hold, in the form in which they are compared; and what their refusals mean. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tech-locking-and-transactions/postgres/postgres_seats_internal.h"
#include "tech-locking-and-transactions/postgres/shared.sql.h"

static const struct postgres_statement recall_statement = {
	.name = "seats_recall", .sql = shared_recall, .effect = POSTGRES_READS};
static const struct postgres_statement events_statement = {
	.name = "seats_known_events", .sql = shared_known_events, .effect = POSTGRES_READS};

static int compare_seats(const void *a, const void *b)
{
	return seat_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static size_t make_wanted(struct seats_wanted *wanted, const struct hold_request *request)
{
	memcpy(wanted->seats, request->seats, request->seat_count * sizeof request->seats[0]);
	qsort(wanted->seats, request->seat_count, sizeof wanted->seats[0], compare_seats);
	wanted->count = 1;
	for (size_t i = 1; i < request->seat_count; i++)
		if (!slice_equal(wanted->seats[i], wanted->seats[wanted->count - 1]))
			wanted->seats[wanted->count++] = wanted->seats[i];
	return wanted->count;
}

void seats_prepare(struct postgres_seats *store, const struct hold_request requests[],
	struct hold_result results[], size_t count)
{
	size_t used = 0;
	for (size_t i = 0; i < count; i++) {
		results[i] = (struct hold_result){.outcome = HOLD_MALFORMED};
		if (!hold_request_is_sound(&requests[i]))
			continue;
		results[i].outcome = HOLD_TAKEN;
		store->wanted[i].seats = store->pool + used;
		assert(used + requests[i].seat_count <= SEATS_ROWS_MAX);
		used += make_wanted(&store->wanted[i], &requests[i]);
	}
}

uint64_t seats_which(
	const struct hold_request *request, const struct seats_wanted *wanted, uint64_t bits)
{
	uint64_t which = 0;
	for (size_t i = 0; i < request->seat_count; i++) {
		const struct slice *seat = bsearch(&request->seats[i], wanted->seats, wanted->count,
			sizeof wanted->seats[0], compare_seats);
		if (bits >> (seat - wanted->seats) & 1)
			which |= UINT64_C(1) << i;
	}
	return which;
}

/* ---- settling ---- */

static bool is_same(const struct hold_request *request, const struct seats_wanted *wanted,
	const struct postgres_result *known, size_t row, struct arena *arena)
{
	struct slice *seats;
	size_t count;
	arena_reset(arena);
	if (!slice_equal(request->person, postgres_get_text(known, row, 1)) ||
		request->hold_ms != postgres_get_bigint(known, row, 3) ||
		!postgres_get_text_array(known, row, 2, arena, &seats, &count) ||
		count != wanted->count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!slice_equal(seats[i], wanted->seats[i]))
			return false;
	return true;
}

static struct hold_result recalled(struct postgres_seats *store,
	const struct hold_request requests[], const struct postgres_result *known, size_t row,
	size_t *index)
{
	*index = (size_t)postgres_get_integer(known, row, 0);
	if (!is_same(&requests[*index], &store->wanted[*index], known, row, &store->arena))
		return (struct hold_result){.outcome = HOLD_OTHER_REQUEST};
	return (struct hold_result){.outcome = HOLD_GRANTED,
		.version = postgres_get_bigint(known, row, 4),
		.total = postgres_get_bigint(known, row, 5),
		.expires_at_ms = postgres_get_timestamp(known, row, 6)};
}

/* Ask for those of store->columns. */
static enum status ask(struct postgres_seats *store, struct postgres_result *known)
{
	const struct seats_columns *columns = &store->columns;
	return seats_execute(store, &recall_statement,
		POSTGRES_PARAMETERS(postgres_integer_array(columns->requests, columns->count),
			postgres_uuid_array(columns->events, columns->count),
			postgres_uuid_array(columns->holds, columns->count)),
		known);
}

static void add_column(
	struct seats_columns *columns, const struct hold_request *request, size_t index)
{
	columns->requests[columns->count] = (int32_t)index;
	columns->events[columns->count] = request->event;
	columns->holds[columns->count++] = request->hold;
}

enum status seats_confirm(struct postgres_seats *store, const struct hold_request requests[],
	struct hold_result results[], const size_t indexes[], size_t count, bool confirmed[])
{
	struct postgres_result known;
	store->columns.count = 0;
	for (size_t i = 0; i < count; i++) {
		confirmed[indexes[i]] = false;
		if (results[indexes[i]].outcome == HOLD_GRANTED)
			add_column(&store->columns, &requests[indexes[i]], indexes[i]);
	}
	enum status status = ask(store, &known);
	for (size_t row = 0; status == STATUS_OK && row < known.row_count; row++) {
		size_t index;
		struct hold_result result = recalled(store, requests, &known, row, &index);
		confirmed[index] =
			result.outcome == HOLD_GRANTED && result.version == results[index].version;
	}
	postgres_result_release(&known);
	return status;
}

/* Remember, of each id that this call has made a hold of, by which request. */
static void note_new(struct postgres_seats *store, const struct hold_request requests[],
	const struct hold_result results[], size_t count)
{
	seats_keys_reset(&store->keys);
	for (size_t i = 0; i < count; i++) {
		if (results[i].outcome != HOLD_GRANTED)
			continue;
		struct seats_key *key = seats_keys_find(&store->keys, SEATS_KEY_HOLD,
			requests[i].event, requests[i].hold, (struct slice){0});
		key->state = SEATS_KEY_TAKEN;
		key->request = i;
	}
}

/* Whether a later request of this call has made the hold: then the id was not known to this one. */
static bool is_made_later(
	struct postgres_seats *store, const struct hold_request *request, size_t index)
{
	const struct seats_key *key = seats_keys_find(
		&store->keys, SEATS_KEY_HOLD, request->event, request->hold, (struct slice){0});
	return key->state == SEATS_KEY_TAKEN && key->request > index;
}

static enum status recall(struct postgres_seats *store, const struct hold_request requests[],
	struct hold_result results[], size_t count)
{
	struct postgres_result known;
	store->columns.count = 0;
	note_new(store, requests, results, count);
	for (size_t i = 0; i < count; i++)
		if (results[i].outcome != HOLD_GRANTED && results[i].outcome != HOLD_MALFORMED &&
			!is_made_later(store, &requests[i], i))
			add_column(&store->columns, &requests[i], i);
	if (store->columns.count == 0)
		return STATUS_OK;
	enum status status = ask(store, &known);
	for (size_t row = 0; status == STATUS_OK && row < known.row_count; row++) {
		size_t index;
		struct hold_result result = recalled(store, requests, &known, row, &index);
		results[index] = result;
	}
	postgres_result_release(&known);
	return status;
}

static enum status find_events(struct postgres_seats *store, const struct hold_request requests[],
	struct hold_result results[], size_t count)
{
	struct seats_columns *columns = &store->columns;
	struct postgres_result known;
	columns->count = 0;
	for (size_t i = 0; i < count; i++) {
		if (results[i].outcome != HOLD_NO_SUCH_SEAT)
			continue;
		columns->requests[columns->count] = (int32_t)i;
		columns->events[columns->count++] = requests[i].event;
	}
	if (columns->count == 0)
		return STATUS_OK;
	enum status status = seats_execute(store, &events_statement,
		POSTGRES_PARAMETERS(postgres_integer_array(columns->requests, columns->count),
			postgres_uuid_array(columns->events, columns->count)),
		&known);
	for (size_t i = 0; status == STATUS_OK && i < columns->count; i++)
		results[columns->requests[i]].outcome = HOLD_NO_EVENT;
	for (size_t row = 0; status == STATUS_OK && row < known.row_count; row++)
		results[postgres_get_integer(&known, row, 0)].outcome = HOLD_NO_SUCH_SEAT;
	for (size_t i = 0; status == STATUS_OK && i < columns->count; i++)
		if (results[columns->requests[i]].outcome == HOLD_NO_EVENT)
			results[columns->requests[i]].which = 0;
	postgres_result_release(&known);
	return status;
}

enum status seats_settle(struct postgres_seats *store, const struct hold_request requests[],
	struct hold_result results[], size_t count)
{
	enum status status = recall(store, requests, results, count);
	return status == STATUS_OK ? find_events(store, requests, results, count) : status;
}
