/* The seat store in the process's own memory: what the others are compared with.
 *
 * Seats live in a set, which several instances share, each with its own thread; a mutex in the set
 * makes each call one step. It is the plainest form of the contract, one request after the other,
 * so it is the oracle of the conformance suite. Nothing outlives the process.
 *
 *	struct seat_memory *memory = seat_memory_new(clock_system());
 *	struct seat_store *store = seat_memory_open(memory);
 *	…
 *	seat_store_close(store);
 *	seat_memory_free(memory);
 */
#pragma once

#include "lib/base/clock.h"
#include "tech-locking-and-transactions/seat_store.h"

struct seat_memory;

/* An empty set. Holds end by the clock's wall time; it is borrowed until the set is freed. NULL
 * when there is no memory. */
struct seat_memory *seat_memory_new(struct clock *clock);

/* Give it back; its instances are closed already. NULL is allowed. */
void seat_memory_free(struct seat_memory *memory);

/* One more instance. NULL when there is no memory. */
struct seat_store *seat_memory_open(struct seat_memory *memory);
