/* The handlers of live.h. What is in memory is replied on the loop; for the rest the keeper is
 * asked. */
#include "lib/base/clock.h"
#include "real-implementation/live_internal.h"

static bool path_event(struct http_exchange *exchange, struct id *id)
{
	if (id_parse(http_parameter(exchange, "eventId"), id))
		return true;
	live_reply_no_event(exchange);
	return false;
}

static void refuse_item(struct lane_item *item)
{
	struct live_job *job = (struct live_job *)item;
	live_reply_busy(job->exchange);
	http_complete(job->exchange);
}

static void ask_keeper(struct http_exchange *exchange, struct id id, enum live_resource resource,
	struct slice section)
{
	struct live *live = http_context(exchange);
	struct live_job *job = NULL;
	if (atomic_load_explicit(&live->started, memory_order_acquire))
		job = live_job_new(LIVE_JOB_REPLY, exchange);
	if (!job) {
		live_reply_busy(exchange);
		return;
	}
	job->id = id;
	job->resource = resource;
	job->section = section;
	http_submit(exchange, live->keeper, &job->item, refuse_item);
}

/* From the cell where something stands in it, else by the keeper. */
static void reply_cell(struct http_exchange *exchange, enum live_resource resource)
{
	struct live *live = http_context(exchange);
	struct id id;
	static const char *const none[] = {NULL};
	if (!path_event(exchange, &id) || !http_query_only(exchange, none))
		return;
	struct live_event *event = live_find(live, id);
	if (event) {
		int64_t now_ms = clock_monotonic_ms(clock_system());
		atomic_store_explicit(&event->used_ms, now_ms, memory_order_relaxed);
		if (resource == LIVE_STATUSES)
			atomic_store_explicit(&event->statuses_ms, now_ms, memory_order_relaxed);
		struct http_prepared_cell *cell = resource == LIVE_AVAILABILITY
			? &event->availability
			: resource == LIVE_STATUSES ? &event->statuses
						    : &event->map;
		if (http_reply_prepared_cell(exchange, cell))
			return;
	}
	ask_keeper(exchange, id, resource, (struct slice){0});
}

static void reply_availability(struct http_exchange *exchange)
{
	reply_cell(exchange, LIVE_AVAILABILITY);
}

static void reply_statuses(struct http_exchange *exchange)
{
	reply_cell(exchange, LIVE_STATUSES);
}

static void reply_map(struct http_exchange *exchange)
{
	reply_cell(exchange, LIVE_MAP);
}

static void reply_seats(struct http_exchange *exchange)
{
	static const char *const names[] = {"section", NULL};
	struct slice section = {0};
	struct id id;
	if (!path_event(exchange, &id) || !http_query_only(exchange, names))
		return;
	(void)http_query(exchange, "section", &section);
	ask_keeper(exchange, id, LIVE_SEATS, section);
}

/* ---- Streams ---- */

/* The channel of the event's streams, opened by whoever comes first. NULL: memory is short. */
static struct http_channel *channel_of(struct live *live, struct live_event *event)
{
	struct http_channel *channel = atomic_load(&event->channel), *none = NULL;
	if (channel)
		return channel;
	channel = http_channel_open(live->server,
		&(struct http_channel_options){
			.delivery = HTTP_DELIVER_EACH, .backlog = LIVE_BACKLOG});
	/* Of two that open one at once, one stays without streams until the server closes. */
	if (channel && !atomic_compare_exchange_strong(&event->channel, &none, channel))
		channel = none;
	return channel;
}

/* How it stands at the beginning: what changes from now on comes after it. */
static struct slice first_events(
	struct live *live, struct live_event *event, struct http_exchange *exchange)
{
	char sale[LIVE_MESSAGE_SIZE], room[LIVE_MESSAGE_SIZE];
	struct waiting_room_view view;
	struct slice first = http_event_format(exchange, "sale",
		live_sale_text(event,
			event_sale_state(live_facts(event), clock_wall_ms(clock_system())), sale));
	if (!first.data || !live->rooms ||
		!waiting_room_known_view(live->rooms, slice_of(event->text), &view))
		return first;
	struct slice second = http_event_format(exchange, "room", live_room_text(&view, room));
	if (!second.data)
		return first;
	return arena_format(
		http_arena(exchange), "%.*s%.*s", SLICE_PRINT(first), SLICE_PRINT(second));
}

static void follow(struct http_exchange *exchange)
{
	struct live *live = http_context(exchange);
	struct id id;
	if (!path_event(exchange, &id))
		return;
	struct live_event *event = live_find(live, id);
	if (!event || !http_prepared_cell_is_full(&event->availability)) {
		ask_keeper(exchange, id, LIVE_STREAM, (struct slice){0});
		return;
	}
	atomic_store_explicit(
		&event->used_ms, clock_monotonic_ms(clock_system()), memory_order_relaxed);
	struct http_channel *channel = channel_of(live, event);
	if (channel)
		http_stream_begin(exchange, channel, first_events(live, event, exchange));
	else
		live_reply_busy(exchange);
}

const struct http_route live_route_table[] = {
	{HTTP_GET, "/events/{eventId}/availability", HTTP_ON_LOOP, reply_availability, 0},
	{HTTP_GET, "/events/{eventId}/seats", HTTP_ON_LOOP, reply_seats, 0},
	{HTTP_GET, "/events/{eventId}/statuses", HTTP_ON_LOOP, reply_statuses, 0},
	{HTTP_GET, "/events/{eventId}/map", HTTP_ON_LOOP, reply_map, 0},
	{HTTP_GET, "/events/{eventId}/stream", HTTP_ON_LOOP, follow, 0},
};
const size_t live_route_count = sizeof live_route_table / sizeof *live_route_table;
