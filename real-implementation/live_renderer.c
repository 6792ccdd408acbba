/* Replies about events. Short ones are made by the keeper; what is as long as an event has seats is
 * written by a lane of its own, from a copy. */
#include <stdlib.h>

#include "lib/base/clock.h"
#include "real-implementation/live_internal.h"

static const char content_type_json[] = "application/json";
static const char map_caching[] = "public, max-age=86400, immutable";

void live_reply_no_event(struct http_exchange *exchange)
{
	http_reply_problem(exchange, &http_problem_not_found, "There is no such event.");
}

void live_reply_busy(struct http_exchange *exchange)
{
	http_reply_problem(exchange, &http_problem_unavailable,
		"The event cannot be shown just now; nothing was done.");
}

/* ---- What the keeper makes ---- */

static void put(struct http_prepared_cell *cell, const struct buffer *text)
{
	if (text->failed)
		return; /* Then the older one stays. */
	struct http_prepared *prepared = http_prepared_new(
		&(struct http_prepared_options){.content_type = content_type_json},
		buffer_slice(text));
	if (prepared)
		http_prepared_cell_put(cell, prepared);
}

void live_prepare_availability(struct live_event *event, struct buffer *text, int64_t now_wall_ms)
{
	const struct event_facts *facts = live_facts(event);
	buffer_reset(text);
	buffer_add_format(text, "{\"eventId\":\"%s\",\"sale\":\"%s\",\"currency\":\"%s\",",
		event->text, sale_state_name(event_sale_state(facts, now_wall_ms)),
		facts->currency);
	board_availability(event->board, text);
	buffer_add_text(text, "}");
	put(&event->availability, text);
}

void live_prepare_statuses(struct live_event *event, struct buffer *text)
{
	static const char letters[] = {
		[SEAT_AVAILABLE] = 'a', [SEAT_HELD] = 'h', [SEAT_SOLD] = 's'};
	const struct board *board = event->board;
	buffer_reset(text);
	buffer_add_format(text, "{\"eventId\":\"%s\",\"version\":%lld,\"statuses\":\"", event->text,
		(long long)board->version_sum);
	for (uint32_t i = 0; i < board->seat_count; i++) {
		char letter = '-';
		if (board->version[i] >= 0)
			letter = letters[board->status[i]];
		buffer_add(text, &letter, 1);
	}
	buffer_add_text(text, "\"}");
	put(&event->statuses, text);
}

/* ---- For streams ---- */

static struct slice printed(char text[LIVE_MESSAGE_SIZE], int size)
{
	return (struct slice){.data = text, .size = (size_t)size};
}

struct slice live_sale_text(
	const struct live_event *event, enum sale_state sale, char text[LIVE_MESSAGE_SIZE])
{
	const struct event_facts *facts = live_facts(event);
	char on_sale_at[TIME_TEXT_SIZE];
	time_format(facts->on_sale_at_ms, on_sale_at);
	return printed(text,
		snprintf(text, LIVE_MESSAGE_SIZE,
			"{\"sale\":\"%s\",\"onSaleAt\":\"%s\",\"version\":%lld,\"available\":%u,"
			"\"held\":%u,\"sold\":%u}",
			sale_state_name(sale), on_sale_at, (long long)atomic_load(&event->version),
			(unsigned)atomic_load(&event->counts[SEAT_AVAILABLE]),
			(unsigned)atomic_load(&event->counts[SEAT_HELD]),
			(unsigned)atomic_load(&event->counts[SEAT_SOLD])));
}

struct slice live_room_text(const struct waiting_room_view *view, char text[LIVE_MESSAGE_SIZE])
{
	return printed(text,
		snprintf(text, LIVE_MESSAGE_SIZE,
			"{\"state\":\"%s\",\"epoch\":%lld,\"serving\":%lld,\"tail\":%lld,"
			"\"waiting\":%lld,\"active\":%lld}",
			waiting_room_state_name(view->settings.state), (long long)view->epoch,
			(long long)view->serving, (long long)view->tail, (long long)view->waiting,
			(long long)view->active));
}

/* ---- Long replies ---- */

static void write_seat(const struct live_job *job, uint32_t i, struct buffer *text)
{
	const struct seating_plan *plan = job->plan->plan;
	const struct seating_seat *seat = &plan->seats[i];
	const struct {
		const char *name;
		struct slice value;
	} members[] = {
		{"{\"seatId\":", seat->guid},
		{",\"section\":", plan->zones[seat->zone_index].name},
		{",\"row\":", plan->rows[seat->row_index].number},
		{",\"number\":", seat->number},
		{",\"category\":", plan->categories[seat->category_index].name},
	};
	for (size_t j = 0; j < sizeof members / sizeof *members; j++) {
		buffer_add_text(text, members[j].name);
		buffer_add_json(text, members[j].value);
	}
	buffer_add_format(text, ",\"price\":%lld,\"status\":\"%s\",\"version\":%lld}",
		(long long)job->prices[i], seat_status_name((enum seat_status)job->statuses[i]),
		(long long)job->versions[i]);
}

static void write_seats(
	const struct live_job *job, const struct seating_zone *section, struct buffer *text)
{
	uint32_t from = section ? section->first_seat : 0;
	uint32_t to = section ? from + section->seat_count : job->plan->plan->seat_count;
	size_t written = 0;
	buffer_add_format(text,
		"{\"eventId\":\"%s\",\"currency\":\"%s\",\"version\":%lld,"
		"\"items\":[",
		job->event->text, live_facts(job->event)->currency, (long long)job->version);
	for (uint32_t i = from; i < to; i++) {
		if (job->versions[i] < 0)
			continue;
		if (written++ > 0)
			buffer_add_text(text, ",");
		write_seat(job, i, text);
	}
	buffer_add_text(text, "]}");
}

static void reply_seats(struct live_job *job)
{
	const struct seating_zone *section = NULL;
	struct buffer text;
	if (job->section.data && !(section = venue_plan_section(job->plan, job->section))) {
		http_reply_problem(
			job->exchange, &http_problem_not_found, "The event has no such section.");
		return;
	}
	buffer_init(&text, LIVE_TEXT_BYTES_MAX);
	write_seats(job, section, &text);
	if (text.failed)
		live_reply_busy(job->exchange);
	else
		http_reply_json_text(job->exchange, 200, buffer_slice(&text));
	http_reply_compress(job->exchange);
	buffer_release(&text);
}

static void reply_map(struct live_job *job)
{
	struct buffer text;
	if (http_reply_prepared_cell(job->exchange, &job->event->map))
		return;
	buffer_init(&text, LIVE_TEXT_BYTES_MAX);
	venue_plan_map(job->plan, &text);
	struct http_prepared *prepared = NULL;
	if (!text.failed)
		prepared = http_prepared_new(
			&(struct http_prepared_options){
				.content_type = content_type_json, .cache_control = map_caching},
			buffer_slice(&text));
	buffer_release(&text);
	if (prepared) {
		http_reply_prepared(job->exchange, prepared);
		http_prepared_cell_put(&job->event->map, prepared);
	} else {
		live_reply_busy(job->exchange);
	}
}

static void apply(void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	(void)context, (void)thread;
	for (size_t i = 0; i < count; i++) {
		struct live_job *job = (struct live_job *)items[i];
		struct http_exchange *exchange = job->exchange;
		if (http_abandoned(exchange))
			live_reply_busy(exchange);
		else if (job->kind == LIVE_JOB_MAP)
			reply_map(job);
		else
			reply_seats(job);
		live_job_free(job);
		http_complete(exchange);
	}
}

static void late(void *context, struct lane_item *const items[], size_t count)
{
	(void)context;
	for (size_t i = 0; i < count; i++) {
		struct live_job *job = (struct live_job *)items[i];
		struct http_exchange *exchange = job->exchange;
		live_reply_busy(exchange);
		live_job_free(job);
		http_complete(exchange);
	}
}

const struct lane_ops live_renderer_ops = {.apply = apply, .late = late};
