/* Looking: how holds stand, and the seats of an event. Each has a lane of its own, since to read
 * all seats takes a hundred times as long. */
#include <stdlib.h>

#include "tech-locking-and-transactions/seat_lanes.h"

/* ---- Holds ---- */

static void show_hold(
	struct seat_lane *lane, struct seat_request *request, const struct hold_record *record)
{
	if (record->state == HOLD_NONE ||
		(request->person.data && !slice_equal(request->person, record->person)))
		seat_reply_no_hold(request);
	else
		seat_reply_record(request, record, &lane->text);
}

/* True: the request was handed on, and belongs to the purchases now. */
static bool find_buyer(
	struct seat_lane *lane, struct seat_request *request, const struct hold_record *record)
{
	if (record->state == HOLD_NONE) {
		seat_reply_no_hold(request);
		return false;
	}
	request->person.data = arena_copy(http_arena(request->exchange), record->person);
	request->person.size = record->person.size;
	if (!request->person.data) {
		seat_reply_refused(request, "Memory is short.");
		return false;
	}
	request->operation = SEAT_ASK_BUY;
	seat_pass_on(request, lane->routes->purchases);
	return true;
}

static void explain(struct seat_request *request, const struct hold_record *record)
{
	if (record->state == HOLD_NONE || !slice_equal(request->person, record->person))
		seat_reply_no_hold(request);
	else
		seat_reply_gone(request);
}

static void apply_look_ups(
	void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	struct seat_lane *lane = context;
	(void)thread;
	count = seat_lane_take(items, count, lane->asked);
	enum status status = count > 0 ? seat_lane_look_up(lane, count) : STATUS_OK;
	for (size_t i = 0; i < count; i++) {
		struct seat_request *request = lane->asked[i];
		const struct hold_record *record = &lane->records[i];
		if (status != STATUS_OK)
			seat_reply_failed(request, status);
		else if (request->operation == SEAT_ASK_SHOW_HOLD)
			show_hold(lane, request, record);
		else if (request->operation == SEAT_ASK_EXPLAIN)
			explain(request, record);
		else if (find_buyer(lane, request, record))
			lane->asked[i] = NULL;
	}
	seat_complete(lane->asked, count);
}

const struct lane_ops seat_look_ops = {.apply = apply_look_ups, .late = seat_late};

/* ---- Seats ---- */

/* The seats of an event as they were visited, in the lane's arena. */
struct seen_seats {
	struct arena *arena;
	struct seat_view *seats;
	size_t count, capacity;
	bool failed;
};

static bool copy(struct arena *arena, struct slice *text)
{
	text->data = arena_copy(arena, *text);
	return text->data != NULL;
}

static void see_seat(void *context, const struct seat_view *view)
{
	struct seen_seats *seen = context;
	if (seen->count == seen->capacity && !seen->failed) {
		size_t capacity = seen->capacity > 0 ? 2 * seen->capacity : 1024;
		struct seat_view *seats = arena_alloc(seen->arena, capacity * sizeof *seen->seats);
		seen->failed = !seats;
		if (seats && seen->count > 0)
			memcpy(seats, seen->seats, seen->count * sizeof *seats);
		seen->seats = seats;
		seen->capacity = seats ? capacity : 0;
	}
	if (seen->failed)
		return;
	struct seat_view *seat = &seen->seats[seen->count++];
	*seat = *view;
	seen->failed = !copy(seen->arena, &seat->seat) || !copy(seen->arena, &seat->section) ||
		!copy(seen->arena, &seat->row) || !copy(seen->arena, &seat->number);
}

static bool is_wanted(const struct seat_request *request, const struct seat_view *seat)
{
	return (!request->section.data || slice_equal(request->section, seat->section)) &&
		(!request->has_status || request->status == seat->status);
}

static void write_seats(
	struct buffer *text, const struct seat_request *request, const struct seen_seats *seen)
{
	buffer_reset(text);
	buffer_add_format(text, "{\"currency\":\"%s\",\"items\":[", request->sold->currency);
	bool first = true;
	for (size_t i = 0; i < seen->count; i++) {
		const struct seat_view *seat = &seen->seats[i];
		if (!is_wanted(request, seat))
			continue;
		buffer_add_text(text, first ? "{\"seatId\":" : ",{\"seatId\":");
		buffer_add_json(text, seat->seat);
		seat_add_text(text, "section", seat->section);
		seat_add_text(text, "row", seat->row);
		seat_add_text(text, "number", seat->number);
		seat_add_integer(text, "price", seat->price);
		seat_add_text(text, "status", slice_of(seat_status_name(seat->status)));
		seat_add_integer(text, "version", seat->version);
		buffer_add_text(text, "}");
		first = false;
	}
	buffer_add_text(text, "]}");
}

static bool asks_the_same(const struct seat_request *a, const struct seat_request *b)
{
	return a->sold == b->sold && a->has_status == b->has_status && a->status == b->status &&
		(a->section.data ? b->section.data && slice_equal(a->section, b->section)
				 : !b->section.data);
}

/* Read the event's seats once, for all that ask. */
static void show_event(struct seat_lane *lane, struct seat_request *asked[], size_t count)
{
	struct seen_seats seen = {.arena = &lane->arena};
	const struct seat_request *written = NULL;
	struct seat_store *store = seat_lane_store(lane);
	enum status status = STATUS_UNAVAILABLE;
	bool found = false;
	arena_reset(&lane->arena);
	if (store)
		status = seat_store_availability(store, asked[0]->event, see_seat, &seen, &found);
	(void)seat_lane_told(lane, "availability", status);
	for (size_t i = 0; i < count; i++) {
		if (status != STATUS_OK) {
			seat_reply_failed(asked[i], status);
			continue;
		}
		if (!found) {
			seat_reply_refused(asked[i], "The event is not on sale yet.");
			continue;
		}
		if (!written || !asks_the_same(written, asked[i]))
			write_seats(&lane->text, asked[i], &seen);
		written = asked[i];
		if (seen.failed || lane->text.failed)
			seat_reply_refused(asked[i], "Memory is short.");
		else
			http_reply_json_text(asked[i]->exchange, 200, buffer_slice(&lane->text));
	}
}

/* Those of one event together, and of those the same questions; else as they came. */
static int compare_questions(const void *a, const void *b)
{
	const struct seat_request *left = *(struct seat_request *const *)a;
	const struct seat_request *right = *(struct seat_request *const *)b;
	int order = seat_compare_ids(left->event, right->event);
	if (order == 0)
		order = (int)left->has_status - (int)right->has_status;
	if (order == 0)
		order = (int)left->status - (int)right->status;
	return order != 0 ? order : seat_compare(left->section, right->section);
}

static void apply_seats(void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	struct seat_lane *lane = context;
	(void)thread;
	count = seat_lane_take(items, count, lane->asked);
	qsort(lane->asked, count, sizeof *lane->asked, compare_questions);
	for (size_t first = 0; first < count;) {
		size_t size = 1;
		while (first + size < count &&
			lane->asked[first + size]->sold == lane->asked[first]->sold)
			size++;
		show_event(lane, lane->asked + first, size);
		first += size;
	}
	seat_complete(lane->asked, count);
}

const struct lane_ops seat_seats_ops = {.apply = apply_seats, .late = seat_late};
