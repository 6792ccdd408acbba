/* Lock, look, write, commit: one transaction per hold or sale. See pessimistic.sql. */
#include "tech-locking-and-transactions/postgres/pessimistic.sql.h"
#include "tech-locking-and-transactions/postgres/postgres_seats_internal.h"

static const struct postgres_statement lock_seats = {
	.name = "pessimistic_lock_seats", .sql = pessimistic_lock_seats};
static const struct postgres_statement add_hold = {
	.name = "pessimistic_add_hold", .sql = pessimistic_add_hold};
static const struct postgres_statement take_seats = {
	.name = "pessimistic_take_seats", .sql = pessimistic_take_seats};
static const struct postgres_statement lock_hold = {
	.name = "pessimistic_lock_hold", .sql = pessimistic_lock_hold};
static const struct postgres_statement lock_hold_seats = {
	.name = "pessimistic_lock_hold_seats", .sql = pessimistic_lock_hold_seats};
static const struct postgres_statement sell_hold = {
	.name = "pessimistic_sell_hold", .sql = pessimistic_sell_hold};
static const struct postgres_statement sell_seats = {
	.name = "pessimistic_sell_seats", .sql = pessimistic_sell_seats};
static const struct postgres_statement add_tickets = {
	.name = "pessimistic_add_tickets", .sql = pessimistic_add_tickets};

/* ---- hold ---- */

static enum status take(struct postgres *pg, struct seats_single *single)
{
	const struct hold_request *hold = single->hold;
	const struct seats_wanted *wanted = single->wanted;
	struct postgres_result rows;
	enum status status = seats_run(pg, &add_hold,
		POSTGRES_PARAMETERS(postgres_uuid(hold->event), postgres_uuid(hold->hold),
			postgres_text(hold->person),
			postgres_text_array(wanted->seats, wanted->count),
			postgres_bigint(hold->hold_ms), postgres_bigint(single->held->version),
			postgres_bigint(single->held->total)),
		&rows);
	if (status == STATUS_OK && rows.row_count == 0) {
		/* It is known already, and will be recalled. */
		*single->held = (struct hold_result){.outcome = HOLD_TAKEN};
		postgres_rollback(pg);
	} else if (status == STATUS_OK) {
		single->held->expires_at_ms = postgres_get_timestamp(&rows, 0, 0);
		status = seats_run(pg, &take_seats,
			POSTGRES_PARAMETERS(postgres_uuid(hold->event),
				postgres_text_array(wanted->seats, wanted->count),
				postgres_uuid(hold->hold),
				postgres_timestamp(single->held->expires_at_ms)),
			NULL);
	}
	postgres_result_release(&rows);
	return status;
}

static enum status hold_work(struct postgres *pg, void *context)
{
	struct seats_single *single = context;
	struct postgres_result rows;
	enum status status = seats_run(pg, &lock_seats,
		POSTGRES_PARAMETERS(postgres_uuid(single->hold->event),
			postgres_text_array(single->wanted->seats, single->wanted->count),
			postgres_uuid(single->hold->hold)),
		&rows);
	if (status == STATUS_OK)
		*single->held = seats_look(single, &rows);
	postgres_result_release(&rows);
	if (status == STATUS_OK && single->held->outcome == HOLD_GRANTED)
		return take(pg, single);
	if (status == STATUS_OK)
		postgres_rollback(pg);
	return status;
}

enum status seats_hold_pessimistic(struct seat_store *store, const struct hold_request requests[],
	struct hold_result results[], size_t count)
{
	return seats_hold_singly(store, requests, results, count, hold_work);
}

/* ---- sell ---- */

static enum status write_sale(
	struct postgres *pg, const struct sell_request *request, int64_t sold_at_ms)
{
	struct postgres_parameter parameters[] = {postgres_uuid(request->event),
		postgres_uuid(request->hold), postgres_uuid(request->order),
		postgres_timestamp(sold_at_ms)};
	enum status status = seats_run(pg, &sell_hold, parameters, 4, NULL);
	if (status == STATUS_OK)
		status = seats_run(pg, &sell_seats, parameters, 3, NULL);
	return status == STATUS_OK ? seats_run(pg, &add_tickets, parameters, 3, NULL) : status;
}

enum status postgres_seats_sell_within(
	struct postgres *pg, const struct sell_request *request, struct sell_result *result)
{
	int64_t sold_at_ms = 0;
	*result = (struct sell_result){.outcome = SELL_MALFORMED};
	if (!sell_request_is_sound(request))
		return STATUS_OK;
	enum status status = seats_run(pg, &lock_hold,
		POSTGRES_PARAMETERS(postgres_uuid(request->event), postgres_uuid(request->hold)),
		NULL);
	if (status == STATUS_OK)
		status = seats_run(pg, &lock_hold_seats,
			POSTGRES_PARAMETERS(
				postgres_uuid(request->event), postgres_uuid(request->hold)),
			NULL);
	if (status == STATUS_OK)
		status = seats_decide(pg, request, result, &sold_at_ms);
	return status == STATUS_OK && sold_at_ms > 0 ? write_sale(pg, request, sold_at_ms) : status;
}

static enum status sell_work(struct postgres *pg, void *context)
{
	struct seats_single *single = context;
	return postgres_seats_sell_within(pg, single->sell, single->sold);
}

enum status seats_sell_pessimistic(struct seat_store *store, const struct sell_request requests[],
	struct sell_result results[], size_t count)
{
	return seats_sell_singly(store, requests, results, count, sell_work);
}
