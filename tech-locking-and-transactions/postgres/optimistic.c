/* Look without a lock, write what is still as it was seen, or begin anew. See optimistic.sql. */
#include "tech-locking-and-transactions/postgres/optimistic.sql.h"
#include "tech-locking-and-transactions/postgres/postgres_seats_internal.h"

static const struct postgres_statement read_seats = {
	.name = "optimistic_read_seats", .sql = optimistic_read_seats, .effect = POSTGRES_READS};
static const struct postgres_statement take_seats = {
	.name = "optimistic_take_seats", .sql = optimistic_take_seats};
static const struct postgres_statement add_hold = {
	.name = "optimistic_add_hold", .sql = optimistic_add_hold};
static const struct postgres_statement sell_hold = {
	.name = "optimistic_sell_hold", .sql = optimistic_sell_hold};
static const struct postgres_statement sell_seats = {
	.name = "optimistic_sell_seats", .sql = optimistic_sell_seats};
static const struct postgres_statement add_tickets = {
	.name = "optimistic_add_tickets", .sql = optimistic_add_tickets};

/* Undo, and either look again or leave it at that. */
static enum status undo(struct postgres *pg, struct seats_single *single, bool again)
{
	postgres_rollback(pg);
	single->again = again;
	return STATUS_OK;
}

/* ---- hold ---- */

static enum status record(struct postgres *pg, struct seats_single *single)
{
	const struct hold_request *hold = single->hold;
	struct postgres_result rows;
	enum status status = seats_run(pg, &add_hold,
		POSTGRES_PARAMETERS(postgres_uuid(hold->event), postgres_uuid(hold->hold),
			postgres_text(hold->person),
			postgres_text_array(single->wanted->seats, single->wanted->count),
			postgres_bigint(hold->hold_ms), postgres_bigint(single->held->version),
			postgres_bigint(single->held->total),
			postgres_timestamp(single->held->expires_at_ms)),
		&rows);
	bool known = status == STATUS_OK && rows.affected_count == 0;
	postgres_result_release(&rows);
	if (!known)
		return status;
	*single->held = (struct hold_result){.outcome = HOLD_TAKEN}; /* It will be recalled. */
	return undo(pg, single, false);
}

static enum status take(struct postgres *pg, struct seats_single *single, const int64_t versions[])
{
	const struct seats_wanted *wanted = single->wanted;
	struct postgres_result rows;
	enum status status = seats_run(pg, &take_seats,
		POSTGRES_PARAMETERS(postgres_uuid(single->hold->event),
			postgres_text_array(wanted->seats, wanted->count),
			postgres_bigint_array(versions, wanted->count),
			postgres_uuid(single->hold->hold),
			postgres_timestamp(single->held->expires_at_ms)),
		&rows);
	size_t taken = rows.affected_count;
	postgres_result_release(&rows);
	if (status != STATUS_OK)
		return status;
	return taken == wanted->count ? record(pg, single) : undo(pg, single, true);
}

static enum status hold_work(struct postgres *pg, void *context)
{
	struct seats_single *single = context;
	int64_t versions[SEAT_STORE_SEATS_MAX];
	struct postgres_result rows;
	enum status status = seats_run(pg, &read_seats,
		POSTGRES_PARAMETERS(postgres_uuid(single->hold->event),
			postgres_text_array(single->wanted->seats, single->wanted->count),
			postgres_uuid(single->hold->hold), postgres_bigint(single->hold->hold_ms)),
		&rows);
	bool granted = false;
	if (status == STATUS_OK) {
		*single->held = seats_look(single, &rows);
		granted = single->held->outcome == HOLD_GRANTED;
	}
	for (size_t row = 0; granted && row < rows.row_count; row++) {
		versions[row] = postgres_get_bigint(&rows, row, 2);
		single->held->expires_at_ms = postgres_get_timestamp(&rows, row, 4);
	}
	postgres_result_release(&rows);
	if (granted)
		return take(pg, single, versions);
	return status == STATUS_OK ? undo(pg, single, false) : status;
}

enum status seats_hold_optimistic(struct seat_store *store, const struct hold_request requests[],
	struct hold_result results[], size_t count)
{
	return seats_hold_singly(store, requests, results, count, hold_work);
}

/* ---- sell ---- */

static enum status count_rows(struct postgres *pg, const struct postgres_statement *statement,
	const struct sell_request *request, size_t *count)
{
	struct postgres_result rows;
	enum status status = seats_run(pg, statement,
		POSTGRES_PARAMETERS(postgres_uuid(request->event), postgres_uuid(request->hold),
			postgres_uuid(request->order)),
		&rows);
	*count = rows.affected_count;
	postgres_result_release(&rows);
	return status;
}

/* The hold's row is ours. All of its seats have to be, and each has to get its ticket in time. */
static enum status write_seats(struct postgres *pg, struct seats_single *single)
{
	size_t sold, ticketed;
	enum status status = count_rows(pg, &sell_seats, single->sell, &sold);
	if (status == STATUS_OK)
		status = count_rows(pg, &add_tickets, single->sell, &ticketed);
	if (status != STATUS_OK || (sold > 0 && sold == ticketed))
		return status;
	return undo(pg, single, true);
}

static enum status sell_work(struct postgres *pg, void *context)
{
	struct seats_single *single = context;
	const struct sell_request *request = single->sell;
	struct postgres_result rows;
	int64_t sold_at_ms;
	enum status status = seats_decide(pg, request, single->sold, &sold_at_ms);
	if (status != STATUS_OK || sold_at_ms == 0)
		return status;
	status = seats_run(pg, &sell_hold,
		POSTGRES_PARAMETERS(postgres_uuid(request->event), postgres_uuid(request->hold),
			postgres_bigint(request->version), postgres_uuid(request->order),
			postgres_timestamp(sold_at_ms)),
		&rows);
	size_t sold = rows.affected_count;
	postgres_result_release(&rows);
	if (status != STATUS_OK)
		return status;
	return sold == 1 ? write_seats(pg, single) : undo(pg, single, true);
}

enum status seats_sell_optimistic(struct seat_store *store, const struct sell_request requests[],
	struct sell_result results[], size_t count)
{
	return seats_sell_singly(store, requests, results, count, sell_work);
}
