/* The waiting room in the process's own memory: what the others are compared with.
 *
 * Rooms live in a store, which several instances share, each with its own thread; a mutex in the
 * store makes each call one step. It is the plainest form of the contract, so it is the oracle of
 * the conformance suite and the peer in the benches. Nothing outlives the process.
 *
 * Time. A room's clock starts at the wall time of the store's beginning and then goes by the
 * monotonic clock, so that no correction of the wall time ends a pass or frees a slot.
 *
 * Loss. With a durable record (record_block > 0) the store also plays what a technology goes
 * through that has lost everything but one row per event: memory_store_lose. The record's numbers
 * are reserved in blocks before they are used, as they would be where each reservation is a commit.
 *
 *	struct memory_store *store;
 *	struct memory_store_options rooms = {.clock = clock_system(), .people_max = 1000000};
 *	if (memory_store_new(&rooms, &store) != STATUS_OK) …
 *	struct waiting_room *room;
 *	if (memory_room_open(&(struct memory_room_options){.store = store}, &room) != STATUS_OK) …
 *	…
 *	waiting_room_close(room);
 *	memory_store_free(store);
 */
#pragma once

#include <stdint.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "tech-waiting-room/waiting_room.h"

enum {
	MEMORY_STORE_EVENTS_MAX = 10000,
	MEMORY_STORE_PEOPLE_MAX = 10000000, /* Per event. */
};

struct memory_store;

struct memory_store_options {
	struct clock *clock; /* Borrowed until the store is freed. */
	int64_t events_max;  /* 1 to MEMORY_STORE_EVENTS_MAX; 0: 1,000. */
	/* Per event and epoch: 1 to MEMORY_STORE_PEOPLE_MAX; 0: 1,000,000. Address space is taken
	 * for all of them, memory (about 110 bytes each) only as they come. */
	int64_t people_max;
	int64_t record_block; /* How many places the durable record reserves at once; 0: there is
				 no record, and what is lost is lost with its room. */
};

struct memory_room_options {
	struct memory_store *store; /* Outlives the instance. */
	size_t batch_max;           /* 1 to WAITING_ROOM_BATCH_MAX; 0: that. */
};

/* Make an empty store. UNAVAILABLE when there is no memory. */
__attribute__((warn_unused_result)) enum status memory_store_new(
	const struct memory_store_options *options, struct memory_store **store);

/* Give it back with all its rooms. Its instances are closed already. NULL is allowed. */
void memory_store_free(struct memory_store *store);

/* Lose everything but the durable records, as if the service had been emptied: each room goes on in
 * its next epoch, `serving` and `tail` at what was reserved, and calls nobody for one heartbeat
 * interval. Without records there are no rooms afterwards. Any thread. */
void memory_store_lose(struct memory_store *store);

/* Open an instance for one thread. A call to it that would pass people_max, or make one event too
 * many, is UNAVAILABLE. */
__attribute__((warn_unused_result)) enum status memory_room_open(
	const struct memory_room_options *options, struct waiting_room **room);
