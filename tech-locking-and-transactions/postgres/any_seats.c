/* Any free seats of a section. See postgres_seats.h and any.sql. */
#include <assert.h>

#include "tech-locking-and-transactions/postgres/any.sql.h"
#include "tech-locking-and-transactions/postgres/postgres_seats_internal.h"

static const struct postgres_statement hold_any = {.name = "any_hold", .sql = any_hold};
static const struct postgres_statement recall_any = {
	.name = "any_recall", .sql = any_recall, .effect = POSTGRES_READS};

static struct hold_result granted(const struct postgres_result *rows, size_t first_column)
{
	return (struct hold_result){.outcome = HOLD_GRANTED,
		.version = postgres_get_bigint(rows, 0, first_column),
		.total = postgres_get_bigint(rows, 0, first_column + 1),
		.expires_at_ms = postgres_get_timestamp(rows, 0, first_column + 2)};
}

/* Nothing was taken: it has been before, or there was not enough. */
static enum status recall(struct postgres_seats *store, const struct hold_request *request,
	struct hold_result *result)
{
	struct postgres_result rows;
	enum status status = seats_execute(store, &recall_any,
		POSTGRES_PARAMETERS(postgres_uuid(request->event), postgres_uuid(request->hold),
			postgres_text(request->person),
			postgres_integer((int32_t)request->seat_count),
			postgres_bigint(request->hold_ms)),
		&rows);
	if (status == STATUS_OK && !postgres_get_boolean(&rows, 0, 0))
		*result = (struct hold_result){.outcome = HOLD_NO_EVENT};
	else if (status == STATUS_OK && !postgres_get_boolean(&rows, 0, 1))
		*result = (struct hold_result){.outcome = HOLD_TAKEN};
	else if (status == STATUS_OK && !postgres_get_boolean(&rows, 0, 2))
		*result = (struct hold_result){.outcome = HOLD_OTHER_REQUEST};
	else if (status == STATUS_OK)
		*result = granted(&rows, 3);
	postgres_result_release(&rows);
	return status;
}

enum status postgres_seats_hold_any(struct seat_store *base, const struct hold_request *request,
	struct slice section, struct hold_result *result)
{
	struct postgres_seats *store = seats_of(base);
	struct postgres_result rows;
	assert(request->seat_count >= 1 && request->seat_count <= SEAT_STORE_SEATS_MAX);
	assert(request->hold_ms >= 1 && request->hold_ms <= SEAT_STORE_HOLD_MS_MAX);
	enum status status = seats_execute(store, &hold_any,
		POSTGRES_PARAMETERS(postgres_uuid(request->event), postgres_text(section),
			postgres_bigint((int64_t)request->seat_count), postgres_uuid(request->hold),
			postgres_text(request->person), postgres_bigint(request->hold_ms)),
		&rows);
	bool done = status == STATUS_OK && rows.row_count == 1;
	if (done)
		*result = granted(&rows, 0);
	postgres_result_release(&rows);
	return done || status != STATUS_OK ? status : recall(store, request, result);
}
