/* A set of keys by open addressing with linear probing. A generation makes forgetting free. */
#include <stdlib.h>

#include "tech-locking-and-transactions/postgres/postgres_seats_internal.h"

void seats_keys_reset(struct seats_keys *keys)
{
	keys->generation++;
}

/* FNV-1a (Fowler, Noll and Vo; RFC 9923), 64 bits. */
static uint64_t add_bytes(uint64_t hash, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ at[i]) * UINT64_C(0x100000001B3);
	return hash;
}

static bool is_key(const struct seats_key *key, enum seats_key_kind kind, struct id event,
	struct id id, struct slice seat)
{
	return key->kind == kind && seat_ids_equal(key->event, event) &&
		seat_ids_equal(key->id, id) && slice_equal(key->seat, seat);
}

struct seats_key *seats_keys_find(struct seats_keys *keys, enum seats_key_kind kind,
	struct id event, struct id id, struct slice seat)
{
	uint64_t hash = UINT64_C(0xCBF29CE484222325) ^ (uint64_t)kind;
	hash = add_bytes(hash, event.bytes, sizeof event.bytes);
	hash = add_bytes(hash, id.bytes, sizeof id.bytes);
	hash = add_bytes(hash, seat.data, seat.size);
	for (size_t probe = 0; probe < SEATS_KEYS_SIZE; probe++) {
		struct seats_key *key = &keys->slots[(hash + probe) % SEATS_KEYS_SIZE];
		if (key->generation != keys->generation) {
			*key = (struct seats_key){.generation = keys->generation,
				.kind = kind,
				.event = event,
				.id = id,
				.seat = seat};
			return key;
		}
		if (is_key(key, kind, event, id, seat))
			return key;
	}
	abort(); /* The set is larger than all keys of a batch. */
}
