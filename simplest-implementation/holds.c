/* Holds: seats reserved for a while, all or nothing, under row locks taken in seat order. */
#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "simplest-implementation/app.h"
#include "simplest-implementation/statements.sql.h"

#ifdef SIMPLEST_WITHOUT_ROW_LOCK
/* Only in the negative control of the tests: it must sell seats twice, or the tests see nothing. */
#include "simplest-implementation/unguarded.sql.h"
static const struct postgres_statement seats_lock = {
	.name = "seats_lock", .sql = unguarded_seats_lock};
#else
STATEMENT(seats_lock);
#endif

STATEMENT_READS(event_exists);
STATEMENT(seats_take);
STATEMENT(hold_insert);
STATEMENT(hold_read);
STATEMENT(hold_lock);
STATEMENT(hold_lock_seats);
STATEMENT(hold_end);
STATEMENT(seats_free);
STATEMENT(hold_next_expired);
STATEMENT(sweep_keys);

static const struct http_problem seats_taken = {409, "seats-taken", "Some of the seats are taken"};
static const struct http_problem hold_sold = {409, "hold-sold", "The hold has been bought"};

struct hold_input {
	struct http_fields *fields;
	struct id event, id;
	struct slice user;
	const struct slice *seats;
	size_t seat_count;
};

static enum status hold_work(
	struct http_exchange *exchange, struct postgres *pg, const void *context);
static bool lock_seats(struct http_exchange *exchange, struct postgres *pg,
	const struct hold_input *input, int64_t *total, enum status *status);

/* ---- POST /events/{eventId}/holds ---- */

void hold_create(struct http_exchange *exchange)
{
	struct http_fields fields;
	struct hold_input input = {.fields = &fields};
	http_fields_begin(&fields, exchange);
	input.user = http_field_id(&fields, "userId");
	input.seats = http_field_texts(
		&fields, "seats", LIMIT_ID_SIZE_MAX, 1, LIMIT_SEATS_PER_HOLD, &input.seat_count);
	if (!http_fields_end(&fields))
		return;
	if (!id_parse(http_parameter(exchange, "eventId"), &input.event)) {
		http_reply_problem(exchange, &http_problem_not_found, "There is no such event.");
		return;
	}
	input.id = id_new(clock_wall_ms(clock_system()));
	app_write(exchange,
		&(struct app_write){.key = HTTP_KEY_REQUIRED, .work = hold_work, .input = &input});
}

static enum status hold_work(
	struct http_exchange *exchange, struct postgres *pg, const void *context)
{
	const struct hold_input *input = context;
	const struct app *app = http_context(exchange);
	struct postgres_parameter event = postgres_uuid(input->event);
	struct postgres_parameter hold = postgres_uuid(input->id);
	struct postgres_parameter seats = postgres_text_array(input->seats, input->seat_count);
	int64_t total;
	enum status status;
	if (!lock_seats(exchange, pg, input, &total, &status))
		return status;
	status = postgres_execute(pg, &seats_take,
		POSTGRES_PARAMETERS(event, seats, hold, postgres_bigint(app->hold_ms)), NULL);
	if (status == STATUS_OK)
		status = postgres_execute(pg, &hold_insert,
			POSTGRES_PARAMETERS(event, hold, postgres_text(input->user), seats,
				postgres_bigint(total)),
			NULL);
	struct postgres_result result = {0};
	if (status == STATUS_OK)
		status =
			postgres_execute(pg, &hold_read, POSTGRES_PARAMETERS(event, hold), &result);
	if (status == STATUS_OK)
		http_reply_json_text(exchange, 201, postgres_get_text(&result, 0, 0));
	postgres_result_release(&result);
	return status;
}

static void refuse_unknown(struct http_exchange *exchange, const struct postgres_result *found,
	const struct hold_input *input)
{
	json_t *unknown = json_array();
	for (size_t i = 0; i < input->seat_count; i++) {
		size_t row = 0;
		while (row < found->row_count &&
			!slice_equal(postgres_get_text(found, row, 0), input->seats[i]))
			row++;
		if (row == found->row_count)
			json_array_append_new(
				unknown, json_stringn(input->seats[i].data, input->seats[i].size));
	}
	http_reply_problem_with(exchange, &http_problem_unprocessable,
		json_pack("{s:s, s:o}", "pointer", "/seats", "seats", unknown),
		"The event does not have all of these seats.");
}

static enum status refuse_all(struct http_exchange *exchange, struct postgres *pg,
	const struct postgres_result *none, const struct hold_input *input)
{
	struct postgres_result event;
	enum status status = postgres_execute(
		pg, &event_exists, POSTGRES_PARAMETERS(postgres_uuid(input->event)), &event);
	if (status == STATUS_OK && event.row_count == 0)
		http_reply_problem(exchange, &http_problem_not_found, "There is no such event.");
	else if (status == STATUS_OK)
		refuse_unknown(exchange, none, input);
	postgres_result_release(&event);
	return status;
}

/* Lock the seats and see that they exist and are free; *total is their price. False: a reply was
 * made, or *status is not OK. */
static bool lock_seats(struct http_exchange *exchange, struct postgres *pg,
	const struct hold_input *input, int64_t *total, enum status *status)
{
	struct postgres_result result;
	*status = postgres_execute(pg, &seats_lock,
		POSTGRES_PARAMETERS(postgres_uuid(input->event),
			postgres_text_array(input->seats, input->seat_count)),
		&result);
	json_t *taken = json_array();
	*total = 0;
	for (size_t row = 0; *status == STATUS_OK && row < result.row_count; row++) {
		*total += postgres_get_bigint(&result, row, 1);
		if (!postgres_get_boolean(&result, row, 2))
			json_array_append_new(
				taken, json_string(postgres_get_text(&result, row, 0).data));
	}
	bool good = *status == STATUS_OK && result.row_count == input->seat_count &&
		json_array_size(taken) == 0;
	if (*status == STATUS_OK && result.row_count == 0)
		*status = refuse_all(exchange, pg, &result, input);
	else if (*status == STATUS_OK && result.row_count < input->seat_count)
		refuse_unknown(exchange, &result, input);
	else if (*status == STATUS_OK && !good)
		http_reply_problem_with(exchange, &seats_taken, json_pack("{s:O}", "seats", taken),
			"Somebody else holds or has bought them; nothing was held.");
	json_decref(taken);
	postgres_result_release(&result);
	return good;
}

/* ---- DELETE /holds/{holdId} ---- */

struct release {
	struct http_exchange *exchange;
	struct id event, hold;
};

static enum status end_hold(
	struct postgres *pg, struct id event, struct id hold, const char *status_name)
{
	const struct postgres_parameter key[] = {postgres_uuid(event), postgres_uuid(hold)};
	enum status status = postgres_execute(pg, &hold_lock_seats, key, 2, NULL);
	if (status == STATUS_OK)
		status = postgres_execute(pg, &seats_free, key, 2, NULL);
	if (status == STATUS_OK)
		status = postgres_execute(pg, &hold_end,
			POSTGRES_PARAMETERS(key[0], key[1], postgres_text(slice_of(status_name))),
			NULL);
	return status;
}

static enum status release_work(struct postgres *pg, void *context)
{
	const struct release *release = context;
	struct postgres_result result;
	enum status status = postgres_execute(pg, &hold_lock,
		POSTGRES_PARAMETERS(postgres_uuid(release->event), postgres_uuid(release->hold)),
		&result);
	struct slice state = {0};
	if (status == STATUS_OK && result.row_count == 1)
		state = postgres_get_text(&result, 0, 0);
	if (status == STATUS_OK && !state.data)
		http_reply_problem(
			release->exchange, &http_problem_not_found, "There is no such hold.");
	else if (status == STATUS_OK && slice_is(state, "sold"))
		http_reply_problem(release->exchange, &hold_sold, NULL);
	else if (status == STATUS_OK)
		http_reply_empty(release->exchange, 204);
	if (status == STATUS_OK && state.data && slice_is(state, "held"))
		status = end_hold(pg, release->event, release->hold, "released");
	postgres_result_release(&result);
	return status;
}

void hold_release(struct http_exchange *exchange)
{
	struct release release = {.exchange = exchange};
	if (!app_item_parse(http_parameter(exchange, "holdId"), &release.event, &release.hold)) {
		http_reply_problem(exchange, &http_problem_not_found, "There is no such hold.");
		return;
	}
	enum status status = postgres_transact(app_database(exchange),
		&(struct postgres_transaction){.work = release_work, .context = &release});
	if (status != STATUS_OK)
		app_reply_failed(exchange, status);
}

/* ---- The sweeper ---- */

static enum status expire_one(struct postgres *pg, void *context)
{
	bool *found = context;
	struct postgres_result result;
	enum status status =
		postgres_execute(pg, &hold_next_expired, POSTGRES_NO_PARAMETERS, &result);
	*found = status == STATUS_OK && result.row_count == 1;
	if (*found)
		status = end_hold(pg, postgres_get_uuid(&result, 0, 0),
			postgres_get_uuid(&result, 0, 1), "expired");
	postgres_result_release(&result);
	return status;
}

size_t sweep(struct postgres *pg)
{
	enum { SWEEP_HOLDS_MAX = 10000 };
	bool found = true;
	size_t count = 0;
	while (found && count < SWEEP_HOLDS_MAX) {
		struct postgres_transaction transaction = {.work = expire_one, .context = &found};
		if (postgres_transact(pg, &transaction) != STATUS_OK)
			return count;
		count += found;
	}
	if (postgres_execute(pg, &sweep_keys, POSTGRES_NO_PARAMETERS, NULL) != STATUS_OK)
		return count; /* The next sweep comes soon. */
	return count;
}
