/* The rooms that one lane knows, readable by every event loop without a lock.
 *
 * DESIGN. A room is added once, by the lane's thread, and stays until the directory is freed; so a
 * bucket is a list that only grows at its head, and whoever walks it needs no more than the head's
 * value. How a room stands is a snapshot in words that are read and written one by one (a seqlock):
 * the lane writes, a reader that meets a write reads again. Events that have no room are remembered
 * for a moment in a small table whose entries replace each other, so that a flood of unknown events
 * costs the back end next to nothing, and no memory. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "lib/ticketing/arrival_estimate.h"
#include "tech-waiting-room/waiting_room.h"

enum {
	DIRECTORY_BUCKETS = 2048,
	DIRECTORY_ABSENT_SLOTS = 1024,
	DIRECTORY_ABSENT_MS = 1000, /* For so long an event without a room is taken to have none. */
};

/* How a room stood when its lane last looked. */
struct room_snapshot {
	struct waiting_room_view view;
	struct arrival_pace pace;
	int64_t admitted_last_minute;
};

enum { ROOM_SNAPSHOT_WORDS = sizeof(struct room_snapshot) / sizeof(uint64_t) };

_Static_assert(sizeof(struct room_snapshot) % sizeof(uint64_t) == 0, "a snapshot is whole words");

/* The first member of whatever the lane keeps about a room. */
struct listed_room {
	struct listed_room *next; /* In its bucket. Never changes. */
	uint64_t hash;
	size_t event_size;
	char event[WAITING_ROOM_EVENT_SIZE_MAX + 1];
	_Atomic uint64_t version; /* Odd while the words are being written. */
	_Atomic uint64_t words[ROOM_SNAPSHOT_WORDS];
};

struct room_directory {
	_Atomic(struct listed_room *) buckets[DIRECTORY_BUCKETS];
	_Atomic uint64_t absent[DIRECTORY_ABSENT_SLOTS];
	size_t count; /* The lane's own. */
};

/* Of an event's id: which lane, which bucket. */
uint64_t event_hash(struct slice event);

/* The room of this event, or NULL. Any thread. */
struct listed_room *directory_find(
	const struct room_directory *directory, struct slice event, uint64_t hash);

/* Whether the event had no room a moment ago. Any thread. */
bool directory_is_absent(const struct room_directory *directory, uint64_t hash, int64_t now_ms);

/* Remember that it has none. The lane. */
void directory_set_absent(struct room_directory *directory, uint64_t hash, int64_t now_ms);

/* Add a room, whose event must not be there; the caller keeps owning it, and frees it after the
 * last reader has gone. The lane. */
void directory_add(struct room_directory *directory, struct listed_room *room, struct slice event);

/* Publish how it stands. The lane. */
void listed_room_publish(struct listed_room *room, const struct room_snapshot *snapshot);

/* How it stood when it was last published. Any thread. */
void listed_room_read(const struct listed_room *room, struct room_snapshot *snapshot);

static inline struct slice listed_room_event(const struct listed_room *room)
{
	return (struct slice){.data = room->event, .size = room->event_size};
}
