/* Replies about holds. That of success is written by hand, since it is what a rush consists of. */
#include <inttypes.h>
#include <stdio.h>

#include "lib/base/clock.h"
#include "real-implementation/holds_internal.h"

static const struct http_problem seats_taken = {409, "seats-taken", "Some of the seats are taken"};
static const struct http_problem none_left = {
	409, "none-left", "There are not so many such seats any more"};
static const struct http_problem hold_sold = {409, "hold-sold", "The hold has been bought"};
static const struct http_problem not_on_sale = {
	409, "not-on-sale", "The event is not on sale at the moment"};
static const struct http_problem sale_over = {
	410, "sale-over", "The event is not on sale any more"};
static const struct http_problem key_reused = {
	422, "idempotency-key-reused", "This Idempotency-Key was used for another request"};
static const struct http_problem bad_pass = {
	403, "pass-not-valid", "The waiting room's pass is not valid"};
const struct http_problem hold_problem_no_pass = {
	403, "pass-needed", "There is a waiting room; seats are for who was admitted"};

/* ---- Text ---- */

static void begin(struct hold_job *job, const char *status, int64_t expires_at_ms, int64_t total,
	const char *currency, struct buffer *text)
{
	char item[ITEM_ID_SIZE], event[ID_TEXT_SIZE], time[TIME_TEXT_SIZE];
	id_format(job->event, event);
	time_format(expires_at_ms, time);
	buffer_reset(text);
	buffer_add_format(text,
		"{\"holdId\":\"%s\",\"eventId\":\"%s\",\"status\":\"%s\",\"expiresAt\":\"%s\","
		"\"total\":%" PRId64 ",\"currency\":\"%s\"",
		item_id_format(job->event, job->hold, item), event, status, time, total, currency);
}

static void end(struct hold_job *job, unsigned status, struct buffer *text)
{
	buffer_add_text(text, "}");
	if (text->failed)
		http_reply_problem(job->exchange, &http_problem_internal, NULL);
	else
		http_reply_json_text(job->exchange, status, buffer_slice(text));
}

static void add_seat(const struct live_seat *seat, struct buffer *text)
{
	const struct {
		const char *name;
		struct slice value;
	} members[] = {
		{"{\"seatId\":", seat->seat},
		{",\"section\":", seat->section},
		{",\"row\":", seat->row},
		{",\"number\":", seat->number},
		{",\"category\":", seat->category},
	};
	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		buffer_add_text(text, members[i].name);
		buffer_add_json(text, members[i].value);
	}
	buffer_add_format(text, ",\"price\":%" PRId64 "}", seat->price);
}

static void add_location(struct hold_job *job)
{
	char item[ITEM_ID_SIZE], location[ITEM_ID_SIZE + sizeof "/holds/"];
	(void)snprintf(location, sizeof location, "/holds/%s",
		item_id_format(job->event, job->hold, item));
	http_reply_header(job->exchange, "Location", location);
}

void hold_reply_granted(struct hold_job *job, const struct hold_result *result, struct buffer *text)
{
	const struct live_ask *ask = &job->ask;
	begin(job, "held", result->expires_at_ms, result->total, ask->facts.currency, text);
	buffer_add_text(text, ",\"seats\":[");
	for (size_t i = 0; i < ask->found_count; i++) {
		if (i > 0)
			buffer_add_text(text, ",");
		add_seat(&ask->found[i], text);
	}
	buffer_add_text(text, "]");
	end(job, 201, text);
	add_location(job);
}

void hold_reply_record(struct hold_job *job, const struct hold_record *record, struct buffer *text)
{
	const char *status = record->state == HOLD_LIVE ? "held" : hold_state_name(record->state);
	char item[ITEM_ID_SIZE];
	begin(job, status, record->expires_at_ms, record->total.minor, record->total.currency,
		text);
	buffer_add_text(text, ",\"seats\":[");
	for (size_t i = 0; i < record->seat_count; i++) {
		buffer_add_text(text, i > 0 ? ",{\"seatId\":" : "{\"seatId\":");
		buffer_add_json(text, record->seats[i]);
		buffer_add_text(text, "}");
	}
	buffer_add_text(text, "]");
	if (record->state == HOLD_SOLD || record->state == HOLD_REVOKED)
		buffer_add_format(text, ",\"orderId\":\"%s\"",
			item_id_format(job->event, record->order, item));
	end(job, job->operation == HOLD_TAKE ? 201 : 200, text);
	if (job->operation == HOLD_TAKE) {
		add_location(job);
		http_reply_header(job->exchange, "Idempotency-Replayed", "true");
	}
}

/* ---- Refusals ---- */

static json_t *named(const struct slice seats[], size_t count, uint64_t which)
{
	json_t *names = json_array();
	for (size_t i = 0; i < count; i++)
		if (which >> i & 1)
			json_array_append_new(names, json_stringn(seats[i].data, seats[i].size));
	return names;
}

static void reply_none_left(struct hold_job *job)
{
	http_reply_problem(job->exchange, &none_left,
		"Fewer than %zu such seats are free; some may come back.", job->ask.seat_count);
}

void hold_reply_refused(struct hold_job *job, const struct hold_result *result)
{
	struct http_exchange *exchange = job->exchange;
	json_t *seats = named(job->seats, job->ask.found_count, result->which);
	switch (result->outcome) {
	case HOLD_TAKEN:
		/* Whoever left the choice to us was not refused certain seats. */
		if (!job->ask.seats) {
			reply_none_left(job);
			break;
		}
		http_reply_problem_with(exchange, &seats_taken, json_pack("{s:o}", "seats", seats),
			"Somebody else holds or has bought them; nothing was held.");
		return;
	case HOLD_NO_SUCH_SEAT:
		http_reply_problem_with(exchange, &http_problem_unprocessable,
			json_pack("{s:s, s:o}", "pointer", "/seats", "seats", seats),
			"The event does not have all of these seats.");
		return;
	case HOLD_OTHER_REQUEST:
		http_reply_problem(exchange, &key_reused, NULL);
		break;
	case HOLD_NO_EVENT:
		http_reply_problem(exchange, &http_problem_not_found, "There is no such event.");
		break;
	default:
		http_reply_problem(
			exchange, &http_problem_unprocessable, "A seat has no id that can be.");
		break;
	}
	json_decref(seats);
}

void hold_reply_ask(struct hold_job *job)
{
	struct http_exchange *exchange = job->exchange;
	const struct live_ask *ask = &job->ask;
	switch (ask->answer) {
	case LIVE_NO_EVENT:
		http_reply_problem(exchange, &http_problem_not_found, "There is no such event.");
		break;
	case LIVE_NO_SEAT:
		http_reply_problem_with(exchange, &http_problem_unprocessable,
			json_pack("{s:s, s:o}", "pointer", "/seats", "seats",
				named(ask->seats, ask->seat_count, ask->which)),
			"The event does not have all of these seats.");
		break;
	case LIVE_NO_SECTION:
	case LIVE_NO_CATEGORY:
		http_reply_problem_with(exchange, &http_problem_unprocessable,
			json_pack("{s:s}", "pointer",
				ask->answer == LIVE_NO_SECTION ? "/best/section"
							       : "/best/category"),
			"The event has no such %s.",
			ask->answer == LIVE_NO_SECTION ? "section" : "category");
		break;
	case LIVE_NONE_LEFT:
		reply_none_left(job);
		break;
	default:
		hold_reply_busy(job, "The event cannot be looked up just now; nothing was done.");
		break;
	}
}

void hold_reply_not_on_sale(struct hold_job *job, enum sale_state sale)
{
	char time[TIME_TEXT_SIZE];
	if (sale != SALE_UPCOMING) {
		http_reply_problem(job->exchange, &sale_over, "The event %s.",
			sale == SALE_CANCELED ? "is canceled" : "has begun");
		return;
	}
	time_format(job->ask.facts.on_sale_at_ms, time);
	http_reply_problem_with(job->exchange, &not_on_sale, json_pack("{s:s}", "onSaleAt", time),
		"The sale begins at %s.", time);
}

void hold_reply_too_many(struct hold_job *job)
{
	http_reply_problem_with(job->exchange, &http_problem_unprocessable,
		json_pack("{s:s}", "pointer", job->ask.seats ? "/seats" : "/best/quantity"),
		"For this event one hold has at most %lld seats.",
		(long long)job->ask.facts.seats_per_hold_max);
}

void hold_reply_pass(struct hold_job *job, enum waiting_room_pass_verdict verdict)
{
	http_reply_problem(job->exchange, &bad_pass, "%s",
		verdict == WAITING_ROOM_PASS_FORGED ? "It is no pass of this person for this event."
			: verdict == WAITING_ROOM_PASS_RELEASED
			? "It has served: its person has left, or has bought already."
			: "Its time is over.");
}

void hold_reply_released(struct hold_job *job, enum release_outcome outcome)
{
	switch (outcome) {
	case RELEASE_RELEASED:
	case RELEASE_EXPIRED: /* What was asked for is so. */
		http_reply_empty(job->exchange, 204);
		break;
	case RELEASE_SOLD:
		http_reply_problem(job->exchange, &hold_sold, NULL);
		break;
	default:
		hold_reply_no_hold(job);
		break;
	}
}

void hold_reply_no_hold(struct hold_job *job)
{
	http_reply_problem(job->exchange, &http_problem_not_found, "There is no such hold.");
}

void hold_reply_failed(struct hold_job *job, enum status status)
{
	http_reply_problem(job->exchange, &http_problem_unavailable,
		status == STATUS_UNKNOWN
			? "Whether it was done is not known. Repeat the request with the same "
			  "Idempotency-Key to learn it."
			: "The seats cannot be asked for just now; nothing was done.");
}

void hold_reply_busy(struct hold_job *job, const char *why)
{
	http_reply_problem(job->exchange, &http_problem_unavailable, "%s", why);
}
