/* See memory.h. Each operation is: lock, bring the room up to date, do it for each, unlock. */
#include "tech-waiting-room/memory/memory.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "tech-waiting-room/memory/store.h"

struct memory_room {
	struct waiting_room base;
	struct waiting_room_traits traits;
	struct memory_store *store;
	uint32_t hashes[WAITING_ROOM_BATCH_MAX];
};

static struct memory_room *memory_room_of(struct waiting_room *room)
{
	return (struct memory_room *)room;
}

/* Take the store's mutex and find the room as it is now; NULL: there is none. */
static struct memory_event *enter(struct waiting_room *room, struct slice event, int64_t *now_ms)
{
	struct memory_store *store = memory_room_of(room)->store;
	*now_ms = memory_store_lock(store);
	struct memory_event *found = memory_store_find(store, event);
	if (found)
		memory_active_settle(found, *now_ms);
	return found;
}

static void leave(struct waiting_room *room)
{
	memory_store_unlock(memory_room_of(room)->store);
}

static const struct waiting_room_traits *memory_traits(const struct waiting_room *room)
{
	return &((const struct memory_room *)room)->traits;
}

/* ---- the room as a whole ---- */

static enum status memory_configure(struct waiting_room *room, struct slice event,
	const struct waiting_room_settings *settings, struct waiting_room_view *view)
{
	int64_t now_ms;
	struct memory_event *found = enter(room, event, &now_ms);
	if (!found)
		found = memory_store_add(memory_room_of(room)->store, event, settings, now_ms);
	enum status status =
		found ? memory_event_configure(found, settings, now_ms) : STATUS_UNAVAILABLE;
	if (status == STATUS_OK && view)
		memory_event_view(found, now_ms, view);
	leave(room);
	return status;
}

static enum status memory_view(
	struct waiting_room *room, struct slice event, struct waiting_room_view *view, bool *found)
{
	int64_t now_ms;
	struct memory_event *known = enter(room, event, &now_ms);
	*found = known;
	*view = (struct waiting_room_view){0};
	if (known)
		memory_event_view(known, now_ms, view);
	leave(room);
	return STATUS_OK;
}

static enum status memory_list(struct waiting_room *room,
	char (*events)[WAITING_ROOM_EVENT_SIZE_MAX + 1], size_t max, size_t *count)
{
	struct memory_store *store = memory_room_of(room)->store;
	memory_store_lock(store);
	*count = store->event_count < max ? store->event_count : max;
	for (size_t i = 0; i < *count; i++)
		snprintf(events[i], sizeof events[i], "%s", store->events[i]->name);
	memory_store_unlock(store);
	return STATUS_OK;
}

static enum status memory_admit(struct waiting_room *room, struct slice event,
	struct admission admissions[], size_t max, size_t *count, struct waiting_room_view *view,
	int64_t *next_ms)
{
	assert(max <= memory_room_of(room)->traits.batch_max);
	int64_t now_ms;
	struct memory_event *found = enter(room, event, &now_ms);
	*count = 0;
	*view = (struct waiting_room_view){0};
	*next_ms = MEMORY_NEXT_MS_MAX;
	if (found) {
		*count = memory_active_admit(found, now_ms, admissions, max);
		*next_ms = memory_active_next_ms(found, now_ms);
		memory_event_view(found, now_ms, view);
	}
	leave(room);
	return STATUS_OK;
}

static enum status memory_lobby(struct waiting_room *room, struct slice event, int64_t from,
	char (*people)[WAITING_ROOM_PERSON_SIZE_MAX + 1], size_t max, size_t *count)
{
	int64_t now_ms;
	const struct memory_event *found = enter(room, event, &now_ms);
	*count = 0;
	int64_t end = found && found->record.shuffled ? found->record.lobby_cut_off : 0;
	for (int64_t rank = from < 1 ? 1 : from; rank <= end && *count < max; rank++) {
		char *text = people[(*count)++];
		memset(text, 0, sizeof people[0]);
		uint32_t number = found->lobby[rank - 1];
		if (!number)
			continue;
		struct slice id =
			memory_people_id(&found->people, memory_people_get(&found->people, number));
		memcpy(text, id.data, id.size);
	}
	leave(room);
	return STATUS_OK;
}

/* ---- joining ---- */

static enum status memory_join(struct waiting_room *room, struct slice event,
	const struct join_request requests[], struct join_result results[], size_t count)
{
	struct memory_room *memory = memory_room_of(room);
	assert(count <= memory->traits.batch_max);
	int64_t now_ms;
	struct memory_event *found = enter(room, event, &now_ms);
	enum status status = STATUS_OK;
	if (!found) {
		for (size_t i = 0; i < count; i++)
			results[i] = (struct join_result){.outcome = JOIN_NO_ROOM};
		goto done;
	}
	/* Where each will be looked for is known before the first is, so the memory comes while
	 * the hashes of the others are computed: at a million people the index is in no cache. */
	for (size_t i = 0; i < count; i++) {
		memory->hashes[i] = memory_people_hash(&found->people, requests[i].person);
		memory_people_prefetch(&found->people, memory->hashes[i]);
	}
	if (!memory_line_has_room(found, requests, memory->hashes, count)) {
		status = STATUS_UNAVAILABLE;
		goto done;
	}
	for (size_t i = 0; i < count; i++)
		memory_line_join(found, &requests[i], memory->hashes[i], &results[i]);
done:
	leave(room);
	return status;
}

/* ---- one person ---- */

enum person_operation { LOOK_UP, HEARTBEAT, CLAIM, LEAVE };

static bool apply(enum person_operation operation, struct memory_event *event,
	struct memory_person *person, const struct person_request *request, int64_t now_ms)
{
	switch (operation) {
	case LOOK_UP:
		break;
	case HEARTBEAT:
		return memory_active_heartbeat(event, person, request, now_ms);
	case CLAIM:
		return memory_active_claim(person, now_ms);
	case LEAVE:
		return memory_active_leave(event, person);
	}
	return false;
}

static void one_person(enum person_operation operation, struct memory_event *event,
	const struct person_request *request, int64_t now_ms, struct person_result *result)
{
	uint32_t hash = memory_people_hash(&event->people, request->person);
	struct memory_person *person = memory_people_find(&event->people, hash, request->person);
	*result = (struct person_result){
		.changed = apply(operation, event, person, request, now_ms),
	};
	if (!person && result->changed)
		person = memory_people_find(&event->people, hash, request->person);
	if (!person)
		return;
	result->state = (enum person_state)person->state;
	result->claimed = person->claimed;
	result->place = person->place;
	result->rank = person->rank;
	result->epoch = event->record.epoch;
	result->admitted_at_ms = person->admitted_at_ms;
	result->pass_ends_at_ms = person->claimed ? person->session_ends_ms : person->claim_ends_ms;
}

static enum status each_person(enum person_operation operation, struct waiting_room *room,
	struct slice event, const struct person_request requests[], struct person_result results[],
	size_t count)
{
	assert(count <= memory_room_of(room)->traits.batch_max);
	int64_t now_ms;
	struct memory_event *found = enter(room, event, &now_ms);
	for (size_t i = 0; i < count; i++) {
		results[i] = (struct person_result){0};
		if (found)
			one_person(operation, found, &requests[i], now_ms, &results[i]);
	}
	leave(room);
	return STATUS_OK;
}

static enum status memory_look_up(struct waiting_room *room, struct slice event,
	const struct person_request requests[], struct person_result results[], size_t count)
{
	return each_person(LOOK_UP, room, event, requests, results, count);
}

static enum status memory_heartbeat(struct waiting_room *room, struct slice event,
	const struct person_request requests[], struct person_result results[], size_t count)
{
	return each_person(HEARTBEAT, room, event, requests, results, count);
}

static enum status memory_claim(struct waiting_room *room, struct slice event,
	const struct person_request requests[], struct person_result results[], size_t count)
{
	return each_person(CLAIM, room, event, requests, results, count);
}

static enum status memory_leave(struct waiting_room *room, struct slice event,
	const struct person_request requests[], struct person_result results[], size_t count)
{
	return each_person(LEAVE, room, event, requests, results, count);
}

/* ---- opening and closing ---- */

static void memory_close(struct waiting_room *room)
{
	free(memory_room_of(room));
}

static const struct waiting_room_ops memory_ops = {
	.traits = memory_traits,
	.configure = memory_configure,
	.view = memory_view,
	.list = memory_list,
	.join = memory_join,
	.look_up = memory_look_up,
	.heartbeat = memory_heartbeat,
	.claim = memory_claim,
	.leave = memory_leave,
	.admit = memory_admit,
	.lobby = memory_lobby,
	.close = memory_close,
};

enum status memory_room_open(const struct memory_room_options *options, struct waiting_room **room)
{
	assert(options->batch_max <= WAITING_ROOM_BATCH_MAX);
	struct memory_room *memory = malloc(sizeof *memory);
	if (!memory)
		return STATUS_UNAVAILABLE;
	memory->base.ops = &memory_ops;
	memory->store = options->store;
	memory->traits = (struct waiting_room_traits){
		.name = "memory",
		.position_is_exact = true,
		.survives_data_loss = options->store->record_block > 0,
		.batch_max = options->batch_max ? options->batch_max : WAITING_ROOM_BATCH_MAX,
		.poll_ms = 1000,
	};
	*room = &memory->base;
	return STATUS_OK;
}
