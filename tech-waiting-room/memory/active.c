/* Those who have been called and have not finished. See internal.h. */
#include "tech-waiting-room/memory/internal.h"

/* ---- when somebody is over ---- */

static int64_t min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t pass_ends_ms(const struct memory_person *person)
{
	return person->claimed ? person->session_ends_ms : person->claim_ends_ms;
}

static int64_t over_ms(const struct memory_event *event, const struct memory_person *person)
{
	return min(pass_ends_ms(person),
		person->heard_ms + event->record.settings.heartbeat_seconds * 1000);
}

static void watch(struct memory_event *event, const struct memory_person *person)
{
	memory_heap_push(&event->ends,
		(struct memory_heap_entry){.key = over_ms(event, person),
			.person = memory_people_number(&event->people, person)});
}

static bool still_active(void *context, struct memory_heap_entry *entry)
{
	const struct memory_event *event = context;
	const struct memory_person *person = memory_people_get(&event->people, entry->person);
	entry->key = over_ms(event, person);
	return person->state == PERSON_ADMITTED;
}

void memory_active_reorder(struct memory_event *event)
{
	memory_heap_sift(&event->ends, still_active, event);
}

/* A heartbeat or a claim only puts somebody's end off, so an entry of the heap is never too late;
 * one that comes up too early is put back. */
static void end_those_who_are_over(struct memory_event *event, int64_t now_ms)
{
	while (event->ends.count > 0 && event->ends.entries[0].key <= now_ms) {
		struct memory_heap_entry first = memory_heap_pop(&event->ends);
		struct memory_person *person = memory_people_get(&event->people, first.person);
		if (person->state != PERSON_ADMITTED)
			continue;
		if (over_ms(event, person) > now_ms) {
			watch(event, person);
			continue;
		}
		person->state = PERSON_EXPIRED;
		event->active--;
	}
}

void memory_active_settle(struct memory_event *event, int64_t now_ms)
{
	struct waiting_room_settings *settings = &event->record.settings;
	end_those_who_are_over(event, now_ms);
	if (event->record.shuffled || settings->starts_at_ms == 0 ||
		now_ms < settings->starts_at_ms)
		return;
	/* Without memory for the shuffle the lobby goes on until the next call. */
	if (memory_lobby_open(event) == STATUS_OK)
		settings->state = WAITING_ROOM_OPEN;
}

/* ---- calling ---- */

static bool calls_people(const struct memory_event *event, int64_t now_ms)
{
	enum waiting_room_state state = event->record.settings.state;
	return (state == WAITING_ROOM_OPEN || state == WAITING_ROOM_DRAINING) &&
		now_ms >= event->quiet_until_ms;
}

static void call(struct memory_event *event, struct memory_person *person, int64_t now_ms,
	struct admission *admission)
{
	const struct waiting_room_settings *settings = &event->record.settings;
	person->state = PERSON_ADMITTED;
	person->admitted_at_ms = now_ms;
	person->heard_ms = now_ms;
	person->session_ends_ms = now_ms + settings->session_seconds * 1000;
	person->claim_ends_ms =
		min(now_ms + settings->claim_seconds * 1000, person->session_ends_ms);
	event->active++;
	event->admitted++;
	watch(event, person);

	struct slice id = memory_people_id(&event->people, person);
	*admission = (struct admission){
		.place = person->place,
		.epoch = event->record.epoch,
		.admitted_at_ms = now_ms,
		.pass_ends_at_ms = pass_ends_ms(person),
	};
	memcpy(admission->person, id.data, id.size);
}

size_t memory_active_admit(
	struct memory_event *event, int64_t now_ms, struct admission admissions[], size_t max)
{
	int64_t free_slots = event->record.settings.active_max - event->active;
	if (!calls_people(event, now_ms) || free_slots <= 0)
		return 0;
	int64_t want = min(min(free_slots, event->waiting), (int64_t)max);
	int64_t taken = token_bucket_take(&event->bucket, now_ms, want);
	size_t count = 0;
	for (struct memory_person *person;
		(int64_t)count < taken && (person = memory_line_next(event)); count++)
		call(event, person, now_ms, &admissions[count]);
	token_bucket_return(&event->bucket, taken - (int64_t)count);
	return count;
}

int64_t memory_active_next_ms(const struct memory_event *event, int64_t now_ms)
{
	const struct waiting_room_settings *settings = &event->record.settings;
	int64_t next = MEMORY_NEXT_MS_MAX;
	if (!event->record.shuffled && settings->starts_at_ms > 0)
		next = min(next, settings->starts_at_ms - now_ms);
	if (now_ms < event->quiet_until_ms)
		next = min(next, event->quiet_until_ms - now_ms);
	if (event->ends.count > 0)
		next = min(next, event->ends.entries[0].key - now_ms);
	if (calls_people(event, now_ms) && event->waiting > 0 &&
		event->active < settings->active_max)
		next = min(next, token_bucket_next_ms(&event->bucket, now_ms));
	return next > 0 ? next : 0;
}

/* ---- one person ---- */

bool memory_active_claim(struct memory_person *person, int64_t now_ms)
{
	if (!person || person->state != PERSON_ADMITTED || person->claimed)
		return false;
	person->claimed = true;
	person->heard_ms = now_ms;
	return true;
}

bool memory_active_leave(struct memory_event *event, struct memory_person *person)
{
	if (!person)
		return false;
	switch ((enum person_state)person->state) {
	case PERSON_LOBBY:
	case PERSON_WAITING:
		memory_line_remove(event, person);
		break;
	case PERSON_ADMITTED:
		event->active--;
		break;
	case PERSON_UNKNOWN:
	case PERSON_EXPIRED:
	case PERSON_LEFT:
		return false;
	}
	person->state = PERSON_LEFT;
	return true;
}

/* Whether a pass of an earlier epoch makes somebody active again. It counts as claimed: whether it
 * was is lost, and to take the slot of somebody who is choosing seats is the worse mistake. */
static bool pass_counts(const struct memory_event *event, const struct memory_person *person,
	const struct person_request *request, int64_t now_ms)
{
	const struct waiting_room_settings *settings = &event->record.settings;
	bool waits = !person || person->state == PERSON_WAITING;
	return waits && request->pass_epoch >= 1 && request->pass_epoch < event->record.epoch &&
		now_ms < event->quiet_until_ms && event->active < settings->active_max &&
		now_ms < request->pass_admitted_at_ms + settings->session_seconds * 1000;
}

bool memory_active_heartbeat(struct memory_event *event, struct memory_person *person,
	const struct person_request *request, int64_t now_ms)
{
	if (person && person->state == PERSON_ADMITTED) {
		person->heard_ms = now_ms;
		return false;
	}
	if (!pass_counts(event, person, request, now_ms))
		return false;
	if (!person) {
		if (event->people.count == event->people.count_max)
			return false;
		person = memory_people_add(&event->people,
			memory_people_hash(&event->people, request->person), request->person);
	} else
		memory_line_remove(event, person);
	person->state = PERSON_ADMITTED;
	person->place = request->pass_place;
	person->claimed = true;
	person->admitted_at_ms = request->pass_admitted_at_ms;
	person->session_ends_ms =
		person->admitted_at_ms + event->record.settings.session_seconds * 1000;
	person->claim_ends_ms = person->session_ends_ms;
	person->heard_ms = now_ms;
	event->active++;
	watch(event, person);
	return true;
}
