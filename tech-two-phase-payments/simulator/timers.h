/* What is due when: a binary heap of timers that stand in the structs they wake.
 *
 * Each timer knows its place in the heap, so that it can be taken out again; that costs a pointer
 * and an index, and spares tombstones. Belongs to one thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/status.h"

struct timer {
	int64_t due_ms;
	uint64_t
		order; /* Of those that are due together, the one that was set first comes first. */
	size_t place;  /* In the heap, from 1; 0: it is not set. */
};

/* All zero: empty. */
struct timers {
	struct timer **heap; /* The root is at 1. */
	size_t count, capacity;
	uint64_t last_order;
};

void timers_release(struct timers *timers);

/* Set a timer that is not set. UNAVAILABLE when memory is short. */
__attribute__((warn_unused_result)) enum status timers_add(
	struct timers *timers, struct timer *timer, int64_t due_ms);

/* Take a timer out; one that is not set stays so. */
void timers_remove(struct timers *timers, struct timer *timer);

/* Take out and return the one that is due first, if it is due; else NULL. */
struct timer *timers_pop(struct timers *timers, int64_t now_ms);

/* Take out and return the one that is due first, whenever that is; NULL: there is none. */
struct timer *timers_pop_any(struct timers *timers);

/* When the next is due; INT64_MAX: there is none. */
int64_t timers_next_ms(const struct timers *timers);
