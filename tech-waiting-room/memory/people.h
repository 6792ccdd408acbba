/* The people of one room: found by id, numbered in order of arrival. Private to memory/.
 *
 * Everything is taken at once for the largest number of people and cleared by the system page by
 * page as it is used: adding somebody never allocates, copies or fails. The index is open
 * addressing with linear probing, at most half full; its hash is keyed (SipHash-2-4, libsodium's
 * crypto_shorthash), so that nobody can choose ids that collide. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "tech-waiting-room/waiting_room.h"

/* Where somebody who waits is to be found. */
enum memory_queue {
	MEMORY_QUEUE_NONE,
	MEMORY_QUEUE_LINE,     /* In order of arrival. */
	MEMORY_QUEUE_RETURNED, /* Among those of an earlier epoch, by place. */
};

struct memory_person {
	int64_t place; /* 0: none yet. */
	int64_t rank;  /* In the lobby; 0: came later. */
	int64_t admitted_at_ms;
	int64_t claim_ends_ms;
	int64_t session_ends_ms;
	int64_t heard_ms;
	uint32_t id_start; /* In `ids`. */
	uint8_t id_size;
	uint8_t state; /* enum person_state */
	uint8_t queue; /* enum memory_queue */
	bool claimed;
};

struct memory_slot {
	uint32_t hash;
	uint32_t number; /* The person's, from 1; 0: free. */
};

struct memory_people {
	struct memory_person *persons; /* persons[number - 1] */
	char *ids;
	size_t ids_size;
	struct memory_slot *slots;
	uint32_t slot_mask;
	uint32_t count;
	uint32_t count_max;
	uint8_t key[16]; /* crypto_shorthash_KEYBYTES */
};

/* UNAVAILABLE when there is no memory. */
__attribute__((warn_unused_result)) enum status memory_people_init(
	struct memory_people *people, uint32_t count_max);
void memory_people_release(struct memory_people *people);

uint32_t memory_people_hash(const struct memory_people *people, struct slice id);

/* Have the memory of this hash fetched, for a look-up that comes soon. */
static inline void memory_people_prefetch(const struct memory_people *people, uint32_t hash)
{
	__builtin_prefetch(&people->slots[hash & people->slot_mask]);
}

/* The person with this id, whose hash it is; NULL: there is none. */
struct memory_person *memory_people_find(
	const struct memory_people *people, uint32_t hash, struct slice id);

/* Add somebody who is not there, all zero but for the id. There is room. */
struct memory_person *memory_people_add(
	struct memory_people *people, uint32_t hash, struct slice id);

static inline uint32_t memory_people_number(
	const struct memory_people *people, const struct memory_person *person)
{
	return (uint32_t)(person - people->persons) + 1;
}

static inline struct memory_person *memory_people_get(
	const struct memory_people *people, uint32_t number)
{
	return &people->persons[number - 1];
}

static inline struct slice memory_people_id(
	const struct memory_people *people, const struct memory_person *person)
{
	return (struct slice){people->ids + person->id_start, person->id_size};
}
