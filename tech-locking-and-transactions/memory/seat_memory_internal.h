/* What the files of the seat store in memory share. */
#pragma once

#include <pthread.h>

#include "tech-locking-and-transactions/memory/seat_memory.h"
#include "tech-locking-and-transactions/memory/seat_memory_table.h"

struct seat_memory {
	pthread_mutex_t mutex;
	struct clock *clock;
	struct memory_list events, seats, holds;
};

struct memory_store {
	struct seat_store base;
	struct seat_memory *memory;
};

/* Every call is one step, at one instant: nothing else happens until memory_leave, which passes the
 * status on. */
struct seat_memory *memory_enter(struct seat_store *store, int64_t *now_ms);
enum status memory_leave(struct seat_memory *memory, enum status status);

/* NULL: there is none. */
struct memory_event *memory_find_event(const struct seat_memory *memory, struct id event);
struct memory_seat *memory_find_seat(
	const struct seat_memory *memory, struct id event, struct slice seat);
struct memory_hold *memory_find_hold(
	const struct seat_memory *memory, struct id event, struct id hold);

/* Whether the hold's time is over and nobody has tidied up yet. */
bool memory_is_over(const struct memory_hold *hold, int64_t now_ms);
enum seat_status memory_status_of(const struct memory_seat *seat, int64_t now_ms);

/* Operations, see seat_store.h. */
enum status memory_stock(struct seat_store *store, struct id event, struct slice currency,
	const struct seat_offer seats[], size_t count);
enum status memory_look_up(struct seat_store *store, const struct hold_name names[],
	struct hold_record records[], size_t count, struct arena *arena);
enum status memory_availability(
	struct seat_store *store, struct id event, seat_visit *visit, void *context, bool *found);
