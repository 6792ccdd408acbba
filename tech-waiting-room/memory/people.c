/* See people.h. */
#include "tech-waiting-room/memory/people.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static_assert(sizeof((struct memory_people){0}.key) == crypto_shorthash_KEYBYTES, "a key's size");

/* A power of two, and at least twice as many as there may be people. */
static size_t slot_count(uint32_t count_max)
{
	size_t count = 16;
	while (count < (size_t)count_max * 2)
		count *= 2;
	return count;
}

enum status memory_people_init(struct memory_people *people, uint32_t count_max)
{
	size_t slots = slot_count(count_max);
	assert(slots <= UINT32_MAX && count_max <= UINT32_MAX / WAITING_ROOM_PERSON_SIZE_MAX);
	*people = (struct memory_people){
		.persons = calloc(count_max, sizeof *people->persons),
		.ids = calloc(count_max, WAITING_ROOM_PERSON_SIZE_MAX),
		.slots = calloc(slots, sizeof *people->slots),
		.slot_mask = (uint32_t)(slots - 1),
		.count_max = count_max,
	};
	crypto_shorthash_keygen(people->key);
	if (people->persons && people->ids && people->slots)
		return STATUS_OK;
	memory_people_release(people);
	return STATUS_UNAVAILABLE;
}

void memory_people_release(struct memory_people *people)
{
	free(people->persons);
	free(people->ids);
	free(people->slots);
	*people = (struct memory_people){0};
}

uint32_t memory_people_hash(const struct memory_people *people, struct slice id)
{
	uint8_t bytes[crypto_shorthash_BYTES];
	crypto_shorthash(bytes, (const uint8_t *)id.data, id.size, people->key);
	uint32_t hash;
	memcpy(&hash, bytes, sizeof hash);
	return hash;
}

struct memory_person *memory_people_find(
	const struct memory_people *people, uint32_t hash, struct slice id)
{
	/* At most half of the slots are taken, so there is always an end. */
	for (uint32_t at = hash & people->slot_mask; people->slots[at].number;
		at = (at + 1) & people->slot_mask) {
		if (people->slots[at].hash != hash)
			continue;
		struct memory_person *person = memory_people_get(people, people->slots[at].number);
		if (slice_equal(memory_people_id(people, person), id))
			return person;
	}
	return NULL;
}

struct memory_person *memory_people_add(
	struct memory_people *people, uint32_t hash, struct slice id)
{
	assert(people->count < people->count_max);
	assert(id.size >= 1 && id.size <= WAITING_ROOM_PERSON_SIZE_MAX);
	uint32_t at = hash & people->slot_mask;
	while (people->slots[at].number)
		at = (at + 1) & people->slot_mask;
	struct memory_person *person = &people->persons[people->count++];
	people->slots[at] = (struct memory_slot){hash, people->count};
	person->id_start = (uint32_t)people->ids_size;
	person->id_size = (uint8_t)id.size;
	memcpy(people->ids + people->ids_size, id.data, id.size);
	people->ids_size += id.size;
	return person;
}
