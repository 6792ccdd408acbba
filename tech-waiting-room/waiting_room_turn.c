/* A room's turn on its lane: people are called, how it stands is published, streams are told. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "tech-waiting-room/waiting_room_front.h"

enum {
	ADMIT_PAUSE_MS = 20,   /* Between two calls that joins or leaves ask for. */
	RETRY_MS = 250,        /* After the technology did not answer. */
	IDLE_MS_MIN = 1000,    /* Between two looks at a room in which nobody is. */
	ANNOUNCE_MS_MIN = 100, /* Between two messages to all streams. */
	/* With very many streams it takes longer to send one: so many get a millisecond more. */
	ANNOUNCE_STREAMS_PER_MS = 100,
	ANNOUNCE_DETAIL_MS = 5000, /* For what nobody waits for: how many came, the pace. */
	MINUTE_SECONDS = FRONT_MINUTE_SLOTS - 1,
	ADMITTED_ID_SIZE = sizeof "admitted::" + WAITING_ROOM_EVENT_SIZE_MAX + 2 * 20 + 1,
};

static void call_people(struct front_room *room, int64_t now_ms);
static void tell_of_admissions(struct front_room *room, size_t count);
static void announce(struct front_room *room, int64_t now_ms);
static int64_t admitted_last_minute(struct front_room *room, int64_t now_ms);

void front_room_turn(struct front_room *room, int64_t now_ms)
{
	if (room->admit_ms <= now_ms)
		call_people(room, now_ms);
	front_order_lobby(room);
	announce(room, now_ms);
	front_room_follow(room, now_ms);
	int64_t next_ms = room->admit_ms;
	next_ms = room->announce_ms < next_ms ? room->announce_ms : next_ms;
	room->turn_ms = room->follow_ms < next_ms ? room->follow_ms : next_ms;
}

void front_room_stirred(struct front_room *room, int64_t now_ms)
{
	int64_t due_ms = room->admitted_ms + ADMIT_PAUSE_MS;
	due_ms = due_ms < now_ms ? now_ms : due_ms;
	if (due_ms < room->admit_ms)
		room->admit_ms = due_ms;
	if (room->admit_ms < room->turn_ms)
		room->turn_ms = room->admit_ms;
}

/* ---- Calling people ---- */

static bool is_idle(const struct waiting_room_view *view)
{
	return view->settings.state == WAITING_ROOM_CLOSED ||
		(view->waiting == 0 && view->active == 0);
}

/* When to call again: when the room says so, and no later than others may have changed it. */
static int64_t pause_ms(const struct front_room *room, int64_t room_ms)
{
	int64_t poll_ms = room->lane->poll_ms;
	if (is_idle(&room->snapshot.view) && poll_ms < IDLE_MS_MIN)
		poll_ms = IDLE_MS_MIN;
	if (room_ms < 1)
		room_ms = 1;
	return room_ms < poll_ms ? room_ms : poll_ms;
}

static void call_people(struct front_room *room, int64_t now_ms)
{
	struct front_lane *lane = room->lane;
	struct waiting_room_view view;
	size_t count = 0;
	int64_t next_ms = 0;
	enum status status = waiting_room_admit(lane->adapter, listed_room_event(&room->listed),
		lane->admissions, lane->batch_max, &count, &view, &next_ms);
	room->admitted_ms = now_ms;
	if (!front_answered(lane, "admit", status)) {
		room->admit_ms = now_ms + RETRY_MS;
		return;
	}
	front_room_viewed(room, &view);
	tell_of_admissions(room, count);
	room->admit_ms = count == lane->batch_max ? now_ms : now_ms + pause_ms(room, next_ms);
}

static void tell_of_admissions(struct front_room *room, size_t count)
{
	const struct waiting_room_routes *routes = room->lane->routes;
	struct slice event = listed_room_event(&room->listed);
	metrics_counter_add(routes->metrics.admissions, count);
	if (!routes->options.on_admitted)
		return;
	for (size_t i = 0; i < count; i++) {
		const struct admission *admission = &room->lane->admissions[i];
		char id[ADMITTED_ID_SIZE];
		(void)snprintf(id, sizeof id, "admitted:%.*s:%lld:%lld", SLICE_PRINT(event),
			(long long)admission->epoch, (long long)admission->place);
		routes->options.on_admitted(routes->options.admitted_context,
			&(struct waiting_room_admitted){
				.id = id, .event = event, .admission = admission});
	}
}

/* ---- How it stands ---- */

void front_room_viewed(struct front_room *room, const struct waiting_room_view *view)
{
	struct room_snapshot *snapshot = &room->snapshot;
	int64_t now_ms = clock_monotonic_ms(clock_system());
	snapshot->view = *view;
	if (view->epoch > 0) {
		enum waiting_room_state state = view->settings.state;
		arrival_estimate_add(&room->estimate,
			&(struct arrival_sample){.now_ms = now_ms,
				.admitted = view->admitted,
				.waiting = view->waiting,
				.rate_per_second = view->settings.rate_per_second,
				.admitting = state == WAITING_ROOM_OPEN ||
					state == WAITING_ROOM_DRAINING});
		snapshot->pace = arrival_estimate_pace(&room->estimate, now_ms);
		snapshot->admitted_last_minute = admitted_last_minute(room, now_ms);
	}
	listed_room_publish(&room->listed, snapshot);
	/* A turn soon tells the streams. */
	if (room->announce_ms > now_ms)
		room->announce_ms = now_ms;
	if (room->turn_ms > now_ms)
		room->turn_ms = now_ms;
}

/* How many have been admitted since the first look within the last sixty seconds. What a slot holds
 * is how it stood when its second began: else those of a room's first second would never count. */
static int64_t admitted_last_minute(struct front_room *room, int64_t now_ms)
{
	int64_t second = now_ms / 1000, oldest = INT64_MAX;
	int64_t admitted = room->snapshot.view.admitted, before = admitted;
	struct minute_slot *slot = &room->minute[second % FRONT_MINUTE_SLOTS];
	if (slot->second != second)
		*slot = (struct minute_slot){.second = second, .admitted = admitted};
	for (size_t i = 0; i < FRONT_MINUTE_SLOTS; i++) {
		const struct minute_slot *other = &room->minute[i];
		if (other->second < second - MINUTE_SECONDS || other->second >= oldest ||
			other->second == 0)
			continue;
		oldest = other->second;
		before = other->admitted;
	}
	/* A new epoch counts anew. */
	return admitted >= before ? admitted - before : admitted;
}

/* ---- Streams: one message for all ---- */

static bool changed_for_all(const struct room_snapshot *now, const struct room_snapshot *told)
{
	return now->view.serving != told->view.serving || now->view.epoch != told->view.epoch ||
		now->view.settings.state != told->view.settings.state ||
		now->view.exact != told->view.exact || now->view.shuffled != told->view.shuffled;
}

static bool changed_in_detail(const struct room_snapshot *now, const struct room_snapshot *told)
{
	return now->view.tail != told->view.tail || now->view.waiting != told->view.waiting ||
		now->view.lobby_size != told->view.lobby_size ||
		now->pace.slow != told->pace.slow || now->pace.fast != told->pace.fast;
}

static enum status publish_position(struct front_room *room)
{
	const struct waiting_room_view *view = &room->snapshot.view;
	const struct arrival_pace *pace = &room->snapshot.pace;
	char text[384], range[96] = "null";
	if (pace->basis != ARRIVAL_UNKNOWN)
		(void)snprintf(range, sizeof range, "{\"low\":%.6g,\"high\":%.6g}", pace->slow,
			pace->fast);
	int size = snprintf(text, sizeof text,
		"{\"epoch\":%lld,\"roomState\":\"%s\",\"serving\":%lld,\"tail\":%lld,"
		"\"waiting\":%lld,\"lobbySize\":%lld,\"exact\":%s,\"perSecond\":%s}",
		(long long)view->epoch, front_room_state_name(view->settings.state),
		(long long)view->serving, (long long)view->tail, (long long)view->waiting,
		(long long)view->lobby_size, view->exact ? "true" : "false", range);
	return http_channel_publish(
		room->channel, "position", (struct slice){.data = text, .size = (size_t)size});
}

static void announce(struct front_room *room, int64_t now_ms)
{
	size_t streams = http_channel_stream_count(room->channel);
	int64_t wait_ms = ANNOUNCE_MS_MIN + (int64_t)(streams / ANNOUNCE_STREAMS_PER_MS);
	/* What everybody waits for does not wait for a detail that was told just before. */
	bool for_all = changed_for_all(&room->snapshot, &room->announced);
	int64_t last_ms = room->announced_for_all_ms;
	room->announce_ms = LANE_NEVER;
	if (!for_all) {
		if (streams == 0 || !changed_in_detail(&room->snapshot, &room->announced))
			return;
		wait_ms = ANNOUNCE_DETAIL_MS;
		last_ms = room->announced_ms;
	}
	if (last_ms + wait_ms > now_ms && last_ms > 0) {
		room->announce_ms = last_ms + wait_ms;
		return;
	}
	if (publish_position(room) == STATUS_OK)
		room->announced = room->snapshot;
	room->announced_ms = now_ms;
	if (for_all)
		room->announced_for_all_ms = now_ms;
}

/* ---- The lobby's order ---- */

void front_order_lobby(struct front_room *room)
{
	const struct waiting_room_view *view = &room->snapshot.view;
	const struct room_order *order = atomic_load(&room->order);
	if (!view->shuffled || view->lobby_size == 0 || (order && order->epoch == view->epoch) ||
		atomic_load(&room->ordering))
		return;
	shuffle_final_seed(view->seed, view->lobby_hash, (struct slice){0}, room->final_seed);
	room->order_size = view->lobby_size;
	room->order_epoch = view->epoch;
	room->order_item.deadline_ms = LANE_NEVER;
	atomic_store(&room->ordering, true);
	if (lane_submit(room->lane->routes->shuffler, &room->order_item) != STATUS_OK)
		atomic_store(&room->ordering, false);
}

static void order(struct front_room *room)
{
	struct room_order *made = calloc(1, sizeof *made);
	if (made && room->order_size <= SHUFFLE_LOBBY_SIZE_MAX)
		made->shuffle = shuffle_new(room->final_seed, room->order_size);
	if (made && made->shuffle) {
		made->epoch = room->order_epoch;
		made->older = atomic_load(&room->order);
		atomic_store_explicit(&room->order, made, memory_order_release);
	} else {
		log_error("waiting_room.shuffle_failed", LOG_TEXT("event", room->listed.event),
			LOG_INTEGER("size", room->order_size));
		free(made);
	}
	atomic_store(&room->ordering, false);
}

static void apply(void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	(void)context, (void)thread;
	for (size_t i = 0; i < count; i++)
		order((struct front_room *)((char *)items[i] -
			offsetof(struct front_room, order_item)));
}

static void late(void *context, struct lane_item *const items[], size_t count)
{
	/* They have no deadline. */
	(void)context, (void)items, (void)count;
}

const struct lane_ops front_shuffler_ops = {.apply = apply, .late = late};
