/* A room in memory and what its files call of each other. Private to memory/.
 *
 * All functions are called with the store's mutex held, and with the time by the room's clock. */
#pragma once

#include <pthread.h>

#include "lib/ticketing/shuffle.h"
#include "lib/ticketing/token_bucket.h"
#include "tech-waiting-room/memory/heap.h"
#include "tech-waiting-room/memory/memory.h"
#include "tech-waiting-room/memory/people.h"

enum { MEMORY_NEXT_MS_MAX = 60000 };

/* What would be one row in a database: it outlives the loss of all the rest. */
struct memory_record {
	struct waiting_room_settings settings;
	int64_t epoch;
	int64_t serving_ceiling, tail_ceiling; /* Reserved before they are used. */
	int64_t lobby_ceiling;                 /* Of ranks, likewise. */
	int64_t lobby_cut_off;                 /* Ranks that were shuffled. */
	bool shuffled; /* Left the lobby; true of a room that never had one, with nobody in it. */
	uint8_t seed[WAITING_ROOM_SEED_SIZE];
	uint8_t lobby_hash[WAITING_ROOM_SEED_SIZE];
};

struct memory_event {
	char name[WAITING_ROOM_EVENT_SIZE_MAX + 1];
	size_t name_size;
	int64_t record_block;
	struct memory_record record;

	struct memory_people people;
	uint32_t *line; /* Of people, in order of place; each at most once. */
	uint32_t line_head, line_end;
	struct memory_heap returned; /* People of an earlier epoch, by place; more than the line's
					order can tell. */
	struct memory_heap ends;     /* The active, by when they are over; never too late. */
	struct shuffle *shuffle;     /* Once shuffled, unless nobody was in the lobby. */
	uint32_t *lobby;             /* Then: of people, by rank; 0: not known any more. */
	int64_t lobby_size;          /* Ranks given. */
	int64_t serving, tail, waiting, active, admitted;
	int64_t quiet_until_ms; /* Nobody is called: passes of the last epoch may still be shown. */
	struct token_bucket bucket;
};

struct memory_store {
	pthread_mutex_t mutex;
	struct clock *clock;
	int64_t wall_start_ms, monotonic_start_ms;
	uint32_t people_max;
	int64_t record_block;
	size_t event_count, event_count_max;
	struct memory_event **events; /* Sorted by name. */
};

static inline struct slice memory_event_name(const struct memory_event *event)
{
	return (struct slice){event->name, event->name_size};
}

/* ---- event.c: making, losing, showing ---- */

/* A room that nobody has joined. NULL when there is no memory. */
struct memory_event *memory_event_new(const struct memory_store *store, struct slice name,
	const struct waiting_room_settings *settings, int64_t now_ms);
void memory_event_free(struct memory_event *event);

/* REFUSED where the contract says so; UNAVAILABLE without memory for the shuffle. */
enum status memory_event_configure(
	struct memory_event *event, const struct waiting_room_settings *settings, int64_t now_ms);

/* Forget everything but the record. */
void memory_event_lose(struct memory_event *event, int64_t now_ms);

void memory_event_view(
	const struct memory_event *event, int64_t now_ms, struct waiting_room_view *view);

/* ---- lobby.c ---- */

/* Cut the lobby off and give its people their places. UNAVAILABLE without memory: nothing has
 * changed. */
__attribute__((warn_unused_result)) enum status memory_lobby_open(struct memory_event *event);

/* ---- line.c: who joins ---- */

/* Whether there are people left for this many requests. */
bool memory_line_has_room(const struct memory_event *event, const struct join_request requests[],
	const uint32_t hashes[], size_t count);
void memory_line_join(struct memory_event *event, const struct join_request *request, uint32_t hash,
	struct join_result *result);

/* The next who waits, out of the line, or NULL. Passes over who has left. */
struct memory_person *memory_line_next(struct memory_event *event);

/* Out of the line, when somebody who waits there becomes something else. */
void memory_line_remove(struct memory_event *event, struct memory_person *person);

/* ---- active.c: who has been called ---- */

/* Take back the slots of those who are over, and open a lobby whose start has come. */
void memory_active_settle(struct memory_event *event, int64_t now_ms);
size_t memory_active_admit(
	struct memory_event *event, int64_t now_ms, struct admission admissions[], size_t max);
int64_t memory_active_next_ms(const struct memory_event *event, int64_t now_ms);

/* The heartbeat interval has changed. */
void memory_active_reorder(struct memory_event *event);

/* Each: whether it changed the person's state. `person` NULL: not known. */
bool memory_active_claim(struct memory_person *person, int64_t now_ms);
bool memory_active_leave(struct memory_event *event, struct memory_person *person);
bool memory_active_heartbeat(struct memory_event *event, struct memory_person *person,
	const struct person_request *request, int64_t now_ms);
