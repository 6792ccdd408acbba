/* The lane that owns the boards. It only works in memory and never blocks: what has to be read or
 * written at length is handed to the other lanes. */
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "real-implementation/live_internal.h"

static void serve(struct live *live, struct live_job *job);
static void serve_from(struct live *live, struct live_event *event, struct live_job *job);
static void answer(struct live_event *event, struct live_ask *ask);
static void fail(struct live_job *job, enum status status);
static void wait_for_board(struct live *live, struct live_job *job);
static void take_loaded(struct live *live, struct live_job *job);
static void take_changes(struct live *live, const struct live_job *job);
static void take_facts(struct live *live, const struct live_job *job);
static void drop_board(struct live *live, struct live_event *event);
static void tend(struct live *live, struct live_event *event);

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

static void apply(void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	struct live *live = context;
	(void)thread;
	for (size_t i = 0; i < count; i++) {
		struct live_job *job = (struct live_job *)items[i];
		switch (job->kind) {
		case LIVE_JOB_REPLY:
		case LIVE_JOB_ASK:
			serve(live, job);
			continue; /* It is handed on, or was answered. */
		case LIVE_JOB_LOADED:
			take_loaded(live, job);
			break;
		case LIVE_JOB_CHANGES:
			take_changes(live, job);
			break;
		case LIVE_JOB_FACTS:
			take_facts(live, job);
			break;
		case LIVE_JOB_LOST:
			while (live->loaded)
				drop_board(live, live->loaded);
			break;
		default:
			break;
		}
		live_job_free(job);
	}
}

static void late(void *context, struct lane_item *const items[], size_t count)
{
	(void)context;
	for (size_t i = 0; i < count; i++)
		fail((struct live_job *)items[i], STATUS_UNAVAILABLE);
}

static int64_t tick(void *context, int64_t began_ms)
{
	struct live *live = context;
	for (struct live_event *event = live->loaded; event; event = event->next_loaded)
		tend(live, event);
	return began_ms + live->options.poll_ms;
}

const struct lane_ops live_keeper_ops = {.apply = apply, .late = late, .tick = tick};

/* ---- Who asks ---- */

static struct live_absent *absent_slot(struct live *live, struct id id)
{
	size_t slot = (size_t)id.bytes[14] << 8 | id.bytes[15];
	return &live->absent[slot % LIVE_ABSENT_SLOTS];
}

static bool is_absent(struct live *live, struct id id)
{
	const struct live_absent *absent = absent_slot(live, id);
	return absent->until_ms > now_ms() &&
		memcmp(absent->id.bytes, id.bytes, sizeof id.bytes) == 0;
}

static void serve(struct live *live, struct live_job *job)
{
	struct live_event *event = live_find(live, job->id);
	if (event)
		atomic_store(&event->used_ms, now_ms());
	if (event && event->board)
		serve_from(live, event, job);
	else if (is_absent(live, job->id))
		fail(job, STATUS_REFUSED);
	else
		wait_for_board(live, job);
}

/* No answer: there is no such event (REFUSED), or it cannot be told now. */
static void fail(struct live_job *job, enum status status)
{
	if (job->kind == LIVE_JOB_ASK) {
		job->ask->answer = status == STATUS_REFUSED ? LIVE_NO_EVENT : LIVE_BUSY;
		job->ask->then(job->ask);
		return;
	}
	if (status == STATUS_REFUSED)
		live_reply_no_event(job->exchange);
	else
		live_reply_busy(job->exchange);
	http_complete(job->exchange);
}

/* The loop has looked into the cell before, and will again when the client asks again. */
static void redirect(struct http_exchange *exchange)
{
	const char *location = arena_copy(http_arena(exchange), http_path(exchange));
	http_reply_empty(exchange, location ? 307 : 503);
	if (location)
		http_reply_header(exchange, "Location", location);
	http_complete(exchange);
}

/* What the renderer needs of the board, which goes on changing. */
static bool copy_board(const struct board *board, struct live_job *job)
{
	struct arena *arena = http_arena(job->exchange);
	size_t count = board->seat_count ? board->seat_count : 1;
	job->statuses = arena_alloc(arena, count * sizeof *job->statuses);
	job->prices = arena_alloc(arena, count * sizeof *job->prices);
	job->versions = arena_alloc(arena, count * sizeof *job->versions);
	if (!job->statuses || !job->prices || !job->versions)
		return false;
	memcpy(job->statuses, board->status, board->seat_count * sizeof *job->statuses);
	memcpy(job->prices, board->price, board->seat_count * sizeof *job->prices);
	memcpy(job->versions, board->version, board->seat_count * sizeof *job->versions);
	job->version = board->version_sum;
	return true;
}

static void render(struct live *live, struct live_event *event, struct live_job *job)
{
	job->kind = job->resource == LIVE_MAP ? LIVE_JOB_MAP : LIVE_JOB_SEATS;
	job->event = event;
	bool good = job->kind == LIVE_JOB_MAP || copy_board(event->board, job);
	job->plan = venue_plan_hold(event->board->plan);
	if (good && live_submit(live->renderer, job))
		return;
	venue_plan_release(job->plan);
	fail(job, STATUS_UNAVAILABLE);
}

static void serve_from(struct live *live, struct live_event *event, struct live_job *job)
{
	bool replied = false;
	if (job->kind == LIVE_JOB_ASK) {
		if (!job->ask->again)
			atomic_fetch_add(&event->asks, 1);
		answer(event, job->ask);
		return;
	}
	switch (job->resource) {
	case LIVE_AVAILABILITY:
		replied = http_reply_prepared_cell(job->exchange, &event->availability);
		break;
	case LIVE_STATUSES:
		live_prepare_statuses(event, &live->text);
		replied = http_reply_prepared_cell(job->exchange, &event->statuses);
		break;
	case LIVE_STREAM:
		redirect(job->exchange);
		return;
	case LIVE_SEATS:
	case LIVE_MAP:
		render(live, event, job);
		return;
	}
	if (!replied)
		live_reply_busy(job->exchange);
	http_complete(job->exchange);
}

/* ---- Who asks for seats ---- */

static struct slice copied(struct live_ask *ask, struct slice text)
{
	return (struct slice){arena_copy(http_arena(ask->exchange), text), text.size};
}

static bool note_seat(const struct board *board, struct live_ask *ask, uint32_t index)
{
	const struct seating_plan *plan = board->plan->plan;
	const struct seating_seat *seat = &plan->seats[index];
	struct live_seat *found = &ask->found[ask->found_count++];
	*found = (struct live_seat){.seat = copied(ask, seat->guid),
		.section = copied(ask, plan->zones[seat->zone_index].name),
		.row = copied(ask, plan->rows[seat->row_index].number),
		.number = copied(ask, seat->number),
		.category = copied(ask, plan->categories[seat->category_index].name),
		.price = board->price[index]};
	return found->seat.data && found->section.data && found->row.data && found->number.data &&
		found->category.data;
}

static void find_named(const struct board *board, struct live_ask *ask)
{
	for (size_t i = 0; i < ask->seat_count; i++) {
		uint32_t index = venue_plan_seat(board->plan, ask->seats[i]);
		if (index == VENUE_PLAN_NO_SEAT || board->version[index] < 0) {
			ask->which |= UINT64_C(1) << i;
			ask->answer = LIVE_NO_SEAT;
		} else if (!note_seat(board, ask, index)) {
			ask->answer = LIVE_BUSY;
			return;
		}
	}
}

static void find_best(struct board *board, struct live_ask *ask)
{
	struct best_available_wish wish = {.quantity = (uint32_t)ask->seat_count};
	struct best_available_block block;
	if (ask->section.data && !(wish.section = venue_plan_section(board->plan, ask->section))) {
		ask->answer = LIVE_NO_SECTION;
		return;
	}
	if (ask->category.data &&
		!(wish.category = venue_plan_category(board->plan, ask->category))) {
		ask->answer = LIVE_NO_CATEGORY;
		return;
	}
	board_propose(board, &wish, now_ms(), &block);
	ask->level = block.level;
	if (block.level == BEST_AVAILABLE_NONE)
		ask->answer = LIVE_NONE_LEFT;
	for (uint32_t i = 0; i < block.seat_count && ask->answer == LIVE_FOUND; i++)
		if (!note_seat(board, ask, block.seats[i]))
			ask->answer = LIVE_BUSY;
}

static void answer(struct live_event *event, struct live_ask *ask)
{
	ask->facts = *live_facts(event);
	ask->answer = LIVE_FOUND;
	ask->found_count = 0;
	ask->which = 0;
	if (ask->seats)
		find_named(event->board, ask);
	else
		find_best(event->board, ask);
	ask->then(ask);
}

/* ---- Loading ---- */

static struct live_pending **pending_place(struct live *live, struct id id)
{
	struct live_pending **place = &live->pending;
	while (*place && memcmp((*place)->id.bytes, id.bytes, sizeof id.bytes) != 0)
		place = &(*place)->next;
	return place;
}

/* The reader reads it, unless it is at it already. */
static struct live_pending *begin_loading(struct live *live, struct id id)
{
	struct live_job *load = live_job_new(LIVE_JOB_LOAD, NULL);
	struct live_pending *pending = calloc(1, sizeof *pending);
	if (load)
		load->id = id;
	if (!load || !pending || !live_submit(live->reader, load)) {
		free(load);
		free(pending);
		return NULL;
	}
	*pending = (struct live_pending){.next = live->pending, .id = id};
	live->pending = pending;
	return pending;
}

static void wait_for_board(struct live *live, struct live_job *job)
{
	struct live_pending *pending = *pending_place(live, job->id);
	if (!pending)
		pending = begin_loading(live, job->id);
	if (!pending) {
		fail(job, STATUS_UNAVAILABLE);
		return;
	}
	job->next = NULL;
	if (pending->last)
		pending->last->next = job;
	else
		pending->first = job;
	pending->last = job;
}

static void serve_pending(
	struct live *live, struct id id, struct live_event *event, enum status status)
{
	struct live_pending **place = pending_place(live, id), *pending = *place;
	if (!pending)
		return;
	*place = pending->next;
	for (struct live_job *job = pending->first, *next; job; job = next) {
		next = job->next;
		if (event)
			serve_from(live, event, job);
		else
			fail(job, status);
	}
	free(pending);
}

static bool publish_facts(struct live_event *event, const struct event_facts *facts)
{
	struct facts_version *older = atomic_load(&event->facts);
	if (older && older->facts.version >= facts->version)
		return true;
	struct facts_version *version = calloc(1, sizeof *version);
	if (!version)
		return false;
	*version = (struct facts_version){.older = older, .facts = *facts};
	atomic_store_explicit(&event->facts, version, memory_order_release);
	event->dirty = true;
	return true;
}

static void publish_counts(struct live_event *event)
{
	for (int status = 0; status < SEAT_STATUS_COUNT; status++)
		atomic_store(&event->counts[status], event->board->total.by_status[status]);
	atomic_store(&event->version, event->board->version_sum);
}

static void link_loaded(struct live *live, struct live_event *event)
{
	event->previous_loaded = NULL;
	event->next_loaded = live->loaded;
	if (live->loaded)
		live->loaded->previous_loaded = event;
	live->loaded = event;
}

static void drop_board(struct live *live, struct live_event *event)
{
	if (event->previous_loaded)
		event->previous_loaded->next_loaded = event->next_loaded;
	else
		live->loaded = event->next_loaded;
	if (event->next_loaded)
		event->next_loaded->previous_loaded = event->previous_loaded;
	live->seats -= event->board->seat_count;
	board_free(event->board);
	event->board = NULL;
	http_prepared_cell_put(&event->availability, NULL);
	http_prepared_cell_put(&event->statuses, NULL);
	http_prepared_cell_put(&event->map, NULL);
	metrics_counter_add(live->drops, 1);
}

static bool is_followed(const struct live_event *event)
{
	struct http_channel *channel = atomic_load(&event->channel);
	return channel && http_channel_stream_count(channel) > 0;
}

/* Make room for one more: those that were not looked at for longest go, but nobody's stream. */
static void make_room(struct live *live, int64_t seats)
{
	while (live->loaded && live->seats + seats > live->options.seats_max) {
		struct live_event *oldest = NULL;
		for (struct live_event *event = live->loaded; event; event = event->next_loaded)
			if (!is_followed(event) &&
				(!oldest ||
					atomic_load(&event->used_ms) <
						atomic_load(&oldest->used_ms)))
				oldest = event;
		if (!oldest)
			return; /* All are followed: then memory is what it takes. */
		drop_board(live, oldest);
	}
}

static void take_loaded(struct live *live, struct live_job *job)
{
	struct live_event *event = NULL;
	if (job->status == STATUS_OK) {
		event = live_find(live, job->id);
		if (!event)
			event = live_add(live, job->id);
		if (!event || event->board || !publish_facts(event, &job->facts)) {
			event = event && event->board ? event : NULL;
			job->status = STATUS_UNAVAILABLE;
		} else {
			make_room(live, job->board->seat_count);
			event->board = job->board;
			job->board = NULL;
			live->seats += event->board->seat_count;
			link_loaded(live, event);
			atomic_store(&event->used_ms, now_ms());
			publish_counts(event);
			live_prepare_availability(
				event, &live->text, clock_wall_ms(clock_system()));
			event->dirty = false;
			event->sale_told =
				event_sale_state(&job->facts, clock_wall_ms(clock_system()));
			metrics_counter_add(live->loads, 1);
		}
	} else if (job->status == STATUS_REFUSED) {
		*absent_slot(live, job->id) =
			(struct live_absent){job->id, now_ms() + LIVE_ABSENT_MS};
	}
	serve_pending(live, job->id, event, job->status);
}

static void take_changes(struct live *live, const struct live_job *job)
{
	struct live_event *event = NULL;
	size_t news = 0;
	for (size_t i = 0; i < job->change_count; i++) {
		const struct live_change *change = &job->changes[i];
		if (!event ||
			memcmp(event->id.bytes, change->event.bytes, sizeof change->event) != 0)
			event = live_find(live, change->event);
		if (!event || !event->board)
			continue;
		bool is_news = board_set(event->board,
			(struct slice){.data = change->seat, .size = change->seat_size},
			change->status, change->version, -1);
		event->dirty = event->dirty || is_news;
		news += is_news;
	}
	metrics_counter_add(live->changes, news);
}

static void take_facts(struct live *live, const struct live_job *job)
{
	struct live_event *event = live_find(live, job->facts.event);
	if (event && !publish_facts(event, &job->facts))
		log_error("live.memory", LOG_TEXT("event", event->text));
}

/* ---- What is due by itself ---- */

static void publish(struct http_channel *channel, const char *type, struct slice text)
{
	/* Where memory is short, streams are told by the next change, or by a reset. */
	(void)!http_channel_publish(channel, type, text);
}

static bool room_changed(const struct waiting_room_view *a, const struct waiting_room_view *b)
{
	return a->epoch != b->epoch || a->serving != b->serving || a->tail != b->tail ||
		a->settings.state != b->settings.state || a->waiting != b->waiting;
}

static void tell_room(struct live *live, struct live_event *event, struct http_channel *channel)
{
	struct waiting_room_view view;
	char text[LIVE_MESSAGE_SIZE];
	if (!live->rooms || !waiting_room_known_view(live->rooms, slice_of(event->text), &view) ||
		!room_changed(&view, &event->room_told))
		return;
	event->room_told = view;
	publish(channel, "room", live_room_text(&view, text));
}

static void tell_seats(struct live *live, struct live_event *event, struct http_channel *channel)
{
	buffer_reset(&live->text);
	while (board_tell(event->board, LIVE_TOLD_MAX, &live->text)) {
		if (!live->text.failed)
			publish(channel, "seats", buffer_slice(&live->text));
		buffer_reset(&live->text);
	}
}

static void tend(struct live *live, struct live_event *event)
{
	struct http_channel *channel = atomic_load(&event->channel);
	int64_t wall_ms = clock_wall_ms(clock_system());
	enum sale_state sale = event_sale_state(live_facts(event), wall_ms);
	char text[LIVE_MESSAGE_SIZE];
	bool sale_changed = sale != event->sale_told;
	if (event->dirty || sale_changed) {
		publish_counts(event);
		live_prepare_availability(event, &live->text, wall_ms);
		if (now_ms() - atomic_load(&event->statuses_ms) < LIVE_WANTED_MS)
			live_prepare_statuses(event, &live->text);
		else
			http_prepared_cell_put(&event->statuses, NULL);
		event->dirty = false;
	}
	if (channel) {
		tell_seats(live, event, channel);
		tell_room(live, event, channel);
	} else {
		board_settle(event->board);
	}
	if (sale_changed && channel)
		publish(channel, "sale", live_sale_text(event, sale, text));
	event->sale_told = sale;
}
