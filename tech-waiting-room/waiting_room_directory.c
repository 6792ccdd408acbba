/* See waiting_room_directory.h.
 *
 * No fences: every word is stored with release and loaded with acquire, which costs nothing on
 * x86-64, little elsewhere, and is understood by the thread sanitizer, which fences are not. */
#include "tech-waiting-room/waiting_room_directory.h"

#include <assert.h>
#include <string.h>

enum {
	ABSENT_TIME_BITS = 24, /* Of 100 ms each: 19 days, and then it begins anew. */
	ABSENT_UNIT_MS = 100,
};

static const uint64_t absent_time_mask = (1u << ABSENT_TIME_BITS) - 1;

static_assert((DIRECTORY_BUCKETS & (DIRECTORY_BUCKETS - 1)) == 0, "chosen by masking");
static_assert((DIRECTORY_ABSENT_SLOTS & (DIRECTORY_ABSENT_SLOTS - 1)) == 0, "chosen by masking");

uint64_t event_hash(struct slice event)
{
	return slice_hash(event, 0);
}

struct listed_room *directory_find(
	const struct room_directory *directory, struct slice event, uint64_t hash)
{
	struct listed_room *room = atomic_load_explicit(
		&directory->buckets[hash & (DIRECTORY_BUCKETS - 1)], memory_order_acquire);
	while (room &&
		(room->hash != hash || room->event_size != event.size ||
			memcmp(room->event, event.data, event.size) != 0))
		room = room->next;
	return room;
}

void directory_add(struct room_directory *directory, struct listed_room *room, struct slice event)
{
	assert(event.size >= 1 && event.size <= WAITING_ROOM_EVENT_SIZE_MAX);
	uint64_t hash = event_hash(event);
	_Atomic(struct listed_room *) *bucket = &directory->buckets[hash & (DIRECTORY_BUCKETS - 1)];
	room->hash = hash;
	room->event_size = event.size;
	memcpy(room->event, event.data, event.size);
	room->event[event.size] = '\0';
	room->next = atomic_load_explicit(bucket, memory_order_relaxed);
	atomic_store_explicit(bucket, room, memory_order_release);
	directory->count++;
}

/* The upper bits of the hash and the time in one word, so that both are of one event. */
static uint64_t absent_word(uint64_t hash, int64_t ms)
{
	return (hash & ~absent_time_mask) | ((uint64_t)(ms / ABSENT_UNIT_MS) & absent_time_mask);
}

bool directory_is_absent(const struct room_directory *directory, uint64_t hash, int64_t now_ms)
{
	uint64_t word = atomic_load_explicit(
		&directory->absent[hash & (DIRECTORY_ABSENT_SLOTS - 1)], memory_order_relaxed);
	uint64_t now = absent_word(hash, now_ms);
	return (word & ~absent_time_mask) == (now & ~absent_time_mask) &&
		((now - word) & absent_time_mask) < DIRECTORY_ABSENT_MS / ABSENT_UNIT_MS;
}

void directory_set_absent(struct room_directory *directory, uint64_t hash, int64_t now_ms)
{
	atomic_store_explicit(&directory->absent[hash & (DIRECTORY_ABSENT_SLOTS - 1)],
		absent_word(hash, now_ms), memory_order_relaxed);
}

void listed_room_publish(struct listed_room *room, const struct room_snapshot *snapshot)
{
	uint64_t words[ROOM_SNAPSHOT_WORDS];
	memcpy(words, snapshot, sizeof words);
	uint64_t version = atomic_load_explicit(&room->version, memory_order_relaxed);
	atomic_store_explicit(&room->version, version + 1, memory_order_relaxed);
	for (size_t i = 0; i < ROOM_SNAPSHOT_WORDS; i++)
		atomic_store_explicit(&room->words[i], words[i], memory_order_release);
	atomic_store_explicit(&room->version, version + 2, memory_order_release);
}

void listed_room_read(const struct listed_room *room, struct room_snapshot *snapshot)
{
	uint64_t words[ROOM_SNAPSHOT_WORDS], before, after;
	do {
		before = atomic_load_explicit(&room->version, memory_order_acquire);
		for (size_t i = 0; i < ROOM_SNAPSHOT_WORDS; i++)
			words[i] = atomic_load_explicit(&room->words[i], memory_order_acquire);
		after = atomic_load_explicit(&room->version, memory_order_relaxed);
	} while (before != after || (before & 1) != 0);
	/* cppcheck-suppress uninitvar ; the loop has filled it */
	memcpy(snapshot, words, sizeof words);
}
