/* A lane of the front: sorts a batch into the calls that serve it, and gives its rooms their turns.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "tech-waiting-room/waiting_room_front.h"

enum {
	GROUP_NONE = UINT16_MAX,
};

static_assert((int)WAITING_ROOM_BATCH_MAX <= (int)LANE_BATCH_MAX, "a batch is one call at most");
static_assert(2 * WAITING_ROOM_BATCH_MAX < GROUP_NONE, "a slot holds a group's number");

static bool allocate(struct front_lane *lane);
static void list_rooms(struct front_lane *lane, int64_t now_ms);

static struct front_request *request_of(struct lane_item *item)
{
	static_assert(offsetof(struct front_request, item) == 0, "found by its item's address");
	return (struct front_request *)item;
}

enum status front_lane_open(
	struct front_lane *lane, struct waiting_room_routes *routes, struct fault *fault)
{
	const struct waiting_room_opener *opener = &routes->options.opener;
	lane->routes = routes;
	enum status status = opener->open(opener->context, &lane->adapter, fault);
	if (status != STATUS_OK)
		return status;
	const struct waiting_room_traits *traits = waiting_room_traits(lane->adapter);
	assert(traits->batch_max >= 1 && traits->batch_max <= WAITING_ROOM_BATCH_MAX);
	lane->batch_max = traits->batch_max;
	if (routes->options.batch_max > 0 && routes->options.batch_max < lane->batch_max)
		lane->batch_max = routes->options.batch_max;
	lane->poll_ms = traits->poll_ms > 0 ? traits->poll_ms : 1;
	if (allocate(lane))
		return STATUS_OK;
	fault_set(fault, "waiting room", "memory is short");
	return STATUS_UNAVAILABLE;
}

static bool allocate(struct front_lane *lane)
{
	size_t count = lane->batch_max;
	for (lane->group_slot_count = 16; lane->group_slot_count < 2 * count;)
		lane->group_slot_count *= 2;
	lane->joins = calloc(count, sizeof *lane->joins);
	lane->joined = calloc(count, sizeof *lane->joined);
	lane->asked = calloc(count, sizeof *lane->asked);
	lane->found = calloc(count, sizeof *lane->found);
	lane->chosen = calloc(count, sizeof(struct front_request *));
	lane->followers = calloc(count, sizeof(struct follower *));
	lane->admissions = calloc(count, sizeof *lane->admissions);
	lane->groups = calloc(count, sizeof *lane->groups);
	lane->group_slots = calloc(lane->group_slot_count, sizeof *lane->group_slots);
	/* Both for names of people and for names of events. */
	lane->names = calloc(FRONT_LOBBY_PAGE_MAX + WAITING_ROOM_EVENTS_MAX, sizeof *lane->names);
	return lane->joins && lane->joined && lane->asked && lane->found && lane->chosen &&
		lane->followers && lane->admissions && lane->groups && lane->group_slots &&
		lane->names;
}

static void free_room(struct front_room *room)
{
	struct room_order *order = atomic_load(&room->order);
	for (struct room_order *older; order; order = older) {
		older = order->older;
		shuffle_free(order->shuffle);
		free(order);
	}
	struct seen_people *seen = atomic_load(&room->seen);
	for (struct seen_people *next; seen; seen = next) {
		next = seen->next;
		free(seen);
	}
	followers_release(&room->followers);
	free(room);
}

void front_lane_close(struct front_lane *lane)
{
	for (size_t i = 0; i < atomic_load(&lane->room_count); i++)
		free_room(lane->rooms[i]);
	waiting_room_close(lane->adapter);
	free(lane->joins);
	free(lane->joined);
	free(lane->asked);
	free(lane->found);
	free(lane->chosen);
	free(lane->followers);
	free(lane->admissions);
	free(lane->groups);
	free(lane->group_slots);
	free(lane->names);
}

/* ---- Batches ---- */

/* The slot where the group of this request stands or would stand. */
static uint16_t *group_slot(struct front_lane *lane, const struct front_request *request)
{
	size_t mask = lane->group_slot_count - 1;
	size_t at = (size_t)(request->hash + (uint64_t)request->operation * 0x9e3779b9u) & mask;
	for (;; at = (at + 1) & mask) {
		uint16_t number = lane->group_slots[at];
		if (number == GROUP_NONE)
			return &lane->group_slots[at];
		const struct front_group *group = &lane->groups[number];
		if (group->operation == request->operation &&
			slice_equal(group->event, request->event))
			return &lane->group_slots[at];
	}
}

static void apply(void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	struct front_lane *lane = context;
	size_t group_count = 0;
	(void)thread;
	/* All bits set is GROUP_NONE. */
	memset(lane->group_slots, 0xff, lane->group_slot_count * sizeof *lane->group_slots);
	for (size_t i = 0; i < count; i++) {
		struct front_request *request = request_of(items[i]);
		if (request->exchange && http_abandoned(request->exchange)) {
			front_refuse(request, "The client has gone; nothing was done.");
			continue;
		}
		uint16_t *slot = group_slot(lane, request);
		if (*slot == GROUP_NONE) {
			*slot = (uint16_t)group_count;
			lane->groups[group_count++] =
				(struct front_group){.operation = request->operation,
					.event = request->event,
					.hash = request->hash};
		}
		struct front_group *group = &lane->groups[*slot];
		request->next = NULL;
		if (group->last)
			group->last->next = request;
		else
			group->first = request;
		group->last = request;
		group->count++;
	}
	/* A group's event is that of its first request, which is gone when the group is done. */
	for (size_t i = 0; i < group_count; i++)
		front_apply_group(lane, &lane->groups[i]);
}

static void late(void *context, struct lane_item *const items[], size_t count)
{
	(void)context;
	for (size_t i = 0; i < count; i++)
		front_refuse(request_of(items[i]),
			"The request waited too long for its turn; nothing was done.");
}

/* ---- Ticks ---- */

static int64_t tick(void *context, int64_t now_ms)
{
	struct front_lane *lane = context;
	if (now_ms >= lane->list_ms)
		list_rooms(lane, now_ms);
	size_t count = atomic_load_explicit(&lane->room_count, memory_order_relaxed);
	int64_t next_ms = lane->list_ms;
	size_t turns = 0;
	for (size_t i = 0; i < count; i++) {
		struct front_room *room = lane->rooms[(lane->turn + i) % count];
		if (room->turn_ms <= now_ms && turns == FRONT_TURNS_PER_TICK_MAX) {
			/* Between two batches not everybody; the next tick begins here. */
			lane->turn = (lane->turn + i) % count;
			return now_ms;
		}
		if (room->turn_ms <= now_ms) {
			front_room_turn(room, now_ms);
			turns++;
		}
		next_ms = room->turn_ms < next_ms ? room->turn_ms : next_ms;
	}
	return next_ms;
}

const struct lane_ops front_lane_ops = {.apply = apply, .late = late, .tick = tick};

bool front_answered(struct front_lane *lane, const char *what, enum status status)
{
	bool good = status == STATUS_OK || status == STATUS_REFUSED;
	atomic_store_explicit(&lane->answers, good, memory_order_relaxed);
	if (!good)
		metrics_counter_add(lane->routes->metrics.calls_failed, 1);
	/* Once, and not for each call of an outage. */
	if (!good && !lane->complained)
		log_warning("waiting_room.no_answer", LOG_TEXT("call", what),
			LOG_TEXT("status", status_name(status)));
	if (good && lane->complained)
		log_info("waiting_room.answers_again", LOG_TEXT("call", what));
	lane->complained = !good;
	return good;
}

/* ---- Rooms ---- */

/* A room that is found for the first time. NULL: this server knows as many as it can. */
static struct front_room *add_room(
	struct front_lane *lane, struct slice event, const struct waiting_room_view *view)
{
	size_t count = atomic_load_explicit(&lane->room_count, memory_order_relaxed);
	struct front_room *room = count < WAITING_ROOM_EVENTS_MAX ? calloc(1, sizeof *room) : NULL;
	if (!room)
		return NULL;
	room->channel = http_channel_open(lane->routes->server,
		&(struct http_channel_options){.delivery = HTTP_DELIVER_LATEST, .backlog = 4});
	if (!room->channel) {
		free(room);
		return NULL;
	}
	room->lane = lane;
	room->visit = (struct http_key_visit){.visit = front_see_people, .context = room};
	arrival_estimate_init(&room->estimate);
	front_room_viewed(room, view);
	directory_add(&lane->directory, &room->listed, event);
	lane->rooms[count] = room;
	atomic_store_explicit(&lane->room_count, count + 1, memory_order_release);
	return room;
}

enum status front_load_room(
	struct front_lane *lane, struct slice event, uint64_t hash, struct front_room **result)
{
	struct waiting_room_view view;
	bool found;
	*result = front_room_of(directory_find(&lane->directory, event, hash));
	if (*result && (*result)->snapshot.view.epoch > 0)
		return STATUS_OK;
	enum status status = waiting_room_view(lane->adapter, event, &view, &found);
	if (!front_answered(lane, "view", status))
		return status;
	if (!found) {
		*result = NULL;
		directory_set_absent(&lane->directory, hash, clock_monotonic_ms(clock_system()));
		return STATUS_OK;
	}
	if (*result) {
		front_room_viewed(*result, &view);
		return STATUS_OK;
	}
	*result = add_room(lane, event, &view);
	return *result ? STATUS_OK : STATUS_UNAVAILABLE;
}

/* Make the rooms known that other processes have made since. */
static void list_rooms(struct front_lane *lane, int64_t now_ms)
{
	size_t count = 0;
	enum { MAX = FRONT_LOBBY_PAGE_MAX + WAITING_ROOM_EVENTS_MAX };
	lane->list_ms = now_ms + lane->routes->options.list_ms;
	enum status status = waiting_room_list(lane->adapter, lane->names, MAX, &count);
	if (!front_answered(lane, "list", status))
		return;
	for (size_t i = 0; i < count && i < MAX; i++) {
		struct slice event = slice_of(lane->names[i]);
		uint64_t hash = event_hash(event);
		struct front_room *room;
		if (front_lane_of(lane->routes, hash) != lane ||
			directory_find(&lane->directory, event, hash))
			continue;
		if (front_load_room(lane, event, hash, &room) != STATUS_OK)
			break;
	}
}
