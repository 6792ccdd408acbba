/* The ways in which a hold or a sale ends: release, revoke, expire. One statement for all. */
#include <assert.h>

#include "tech-locking-and-transactions/postgres/postgres_seats_internal.h"
#include "tech-locking-and-transactions/postgres/shared.sql.h"

static const struct postgres_statement release_statement = {
	.name = "seats_release", .sql = shared_release};
static const struct postgres_statement revoke_statement = {
	.name = "seats_revoke", .sql = shared_revoke};
static const struct postgres_statement expire_statement = {
	.name = "seats_expire", .sql = shared_expire};

static bool claim(
	struct postgres_seats *store, enum seats_key_kind kind, struct id event, struct id id)
{
	struct seats_key *key = seats_keys_find(&store->keys, kind, event, id, (struct slice){0});
	bool first = key->state == SEATS_KEY_NEW;
	key->state = SEATS_KEY_CLAIMED;
	return first;
}

/* ---- release ---- */

static bool claim_release(struct postgres_seats *store, const void *requests, size_t index)
{
	const struct release_request *request = (const struct release_request *)requests + index;
	return claim(store, SEATS_KEY_HOLD, request->event, request->hold);
}

static enum release_outcome outcome_of(struct slice name)
{
	if (slice_is(name, "not yours"))
		return RELEASE_NOT_YOURS;
	if (slice_is(name, "sold"))
		return RELEASE_SOLD;
	if (slice_is(name, "expired"))
		return RELEASE_EXPIRED;
	return RELEASE_RELEASED;
}

static enum status apply_releases(struct postgres_seats *store, const void *requests, void *results,
	const size_t indexes[], size_t count)
{
	struct seats_columns *columns = &store->columns;
	enum release_outcome *outcomes = results;
	struct postgres_result rows;
	for (size_t i = 0; i < count; i++) {
		const struct release_request *request =
			(const struct release_request *)requests + indexes[i];
		columns->requests[i] = (int32_t)indexes[i];
		columns->events[i] = request->event;
		columns->holds[i] = request->hold;
		columns->people[i] = request->person;
	}
	enum status status = seats_execute(store, &release_statement,
		POSTGRES_PARAMETERS(postgres_integer_array(columns->requests, count),
			postgres_uuid_array(columns->events, count),
			postgres_uuid_array(columns->holds, count),
			postgres_text_array(columns->people, count)),
		&rows);
	for (size_t i = 0; status == STATUS_OK && i < count; i++)
		outcomes[indexes[i]] = RELEASE_NOT_HELD;
	for (size_t row = 0; status == STATUS_OK && row < rows.row_count; row++)
		outcomes[postgres_get_integer(&rows, row, 0)] =
			outcome_of(postgres_get_text(&rows, row, 1));
	postgres_result_release(&rows);
	return status;
}

static void refuse_release(struct postgres_seats *store, void *results, size_t index)
{
	(void)store;
	((enum release_outcome *)results)[index] = RELEASE_MALFORMED;
}

enum status seats_release(struct seat_store *base, const struct release_request requests[],
	enum release_outcome outcomes[], size_t count)
{
	struct postgres_seats *store = seats_of(base);
	struct seats_batch batch = {.requests = requests,
		.results = outcomes,
		.claim = claim_release,
		.apply = apply_releases,
		.refuse = refuse_release};
	size_t pending = 0;
	assert(count >= 1 && count <= SEAT_STORE_BATCH_MAX);
	for (size_t i = 0; i < count; i++) {
		outcomes[i] = RELEASE_MALFORMED;
		if (release_request_is_sound(&requests[i]))
			store->pending[pending++] = i;
	}
	return seats_answer(store, seats_in_rounds(store, &batch, pending));
}

/* ---- revoke ---- */

static bool claim_revocation(struct postgres_seats *store, const void *requests, size_t index)
{
	const struct revoke_request *request = (const struct revoke_request *)requests + index;
	return claim(store, SEATS_KEY_ORDER, request->event, request->order);
}

static enum status apply_revocations(struct postgres_seats *store, const void *requests,
	void *results, const size_t indexes[], size_t count)
{
	struct seats_columns *columns = &store->columns;
	enum revoke_outcome *outcomes = results;
	struct postgres_result rows;
	for (size_t i = 0; i < count; i++) {
		const struct revoke_request *request =
			(const struct revoke_request *)requests + indexes[i];
		columns->requests[i] = (int32_t)indexes[i];
		columns->events[i] = request->event;
		columns->orders[i] = request->order;
	}
	enum status status = seats_execute(store, &revoke_statement,
		POSTGRES_PARAMETERS(postgres_integer_array(columns->requests, count),
			postgres_uuid_array(columns->events, count),
			postgres_uuid_array(columns->orders, count)),
		&rows);
	for (size_t i = 0; status == STATUS_OK && i < count; i++)
		outcomes[indexes[i]] = REVOKE_NO_ORDER;
	for (size_t row = 0; status == STATUS_OK && row < rows.row_count; row++)
		outcomes[postgres_get_integer(&rows, row, 0)] = REVOKE_REVOKED;
	postgres_result_release(&rows);
	return status;
}

/* Nothing in it can be at fault: it has ids only. */
static void refuse_revocation(struct postgres_seats *store, void *results, size_t index)
{
	(void)store;
	((enum revoke_outcome *)results)[index] = REVOKE_NO_ORDER;
}

enum status seats_revoke(struct seat_store *base, const struct revoke_request requests[],
	enum revoke_outcome outcomes[], size_t count)
{
	struct postgres_seats *store = seats_of(base);
	struct seats_batch batch = {.requests = requests,
		.results = outcomes,
		.claim = claim_revocation,
		.apply = apply_revocations,
		.refuse = refuse_revocation};
	assert(count >= 1 && count <= SEAT_STORE_BATCH_MAX);
	for (size_t i = 0; i < count; i++)
		store->pending[i] = i;
	return seats_answer(store, seats_in_rounds(store, &batch, count));
}

/* ---- expire ---- */

enum status seats_expire(
	struct seat_store *base, size_t max, struct hold_name expired[], size_t *count)
{
	struct postgres_seats *store = seats_of(base);
	struct postgres_result rows;
	assert(max >= 1 && max <= SEAT_STORE_BATCH_MAX);
	*count = 0;
	enum status status = seats_execute(store, &expire_statement,
		POSTGRES_PARAMETERS(postgres_bigint((int64_t)max)), &rows);
	for (size_t row = 0; status == STATUS_OK && row < rows.row_count; row++)
		expired[(*count)++] = (struct hold_name){.event = postgres_get_uuid(&rows, row, 0),
			.hold = postgres_get_uuid(&rows, row, 1)};
	postgres_result_release(&rows);
	return status;
}
