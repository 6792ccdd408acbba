/* See timers.h. */
#include "tech-two-phase-payments/simulator/timers.h"

#include <assert.h>
#include <stdlib.h>

enum { CAPACITY_MIN = 64 };

void timers_release(struct timers *timers)
{
	free(timers->heap);
	*timers = (struct timers){0};
}

static bool before(const struct timer *a, const struct timer *b)
{
	return a->due_ms < b->due_ms || (a->due_ms == b->due_ms && a->order < b->order);
}

static void put(struct timers *timers, size_t place, struct timer *timer)
{
	timers->heap[place] = timer;
	timer->place = place;
}

static void rise(struct timers *timers, size_t place, struct timer *timer)
{
	while (place > 1 && before(timer, timers->heap[place / 2])) {
		put(timers, place, timers->heap[place / 2]);
		place /= 2;
	}
	put(timers, place, timer);
}

static void sink(struct timers *timers, size_t place, struct timer *timer)
{
	for (size_t child; (child = 2 * place) <= timers->count; place = child) {
		if (child < timers->count && before(timers->heap[child + 1], timers->heap[child]))
			child++;
		if (before(timer, timers->heap[child]))
			break;
		put(timers, place, timers->heap[child]);
	}
	put(timers, place, timer);
}

enum status timers_add(struct timers *timers, struct timer *timer, int64_t due_ms)
{
	assert(timer->place == 0);
	if (timers->count + 1 >= timers->capacity) {
		size_t capacity = timers->capacity ? 2 * timers->capacity : CAPACITY_MIN;
		struct timer **grown = realloc(timers->heap, capacity * sizeof(struct timer *));
		if (!grown)
			return STATUS_UNAVAILABLE;
		timers->heap = grown;
		timers->capacity = capacity;
	}
	timer->due_ms = due_ms;
	timer->order = ++timers->last_order;
	rise(timers, ++timers->count, timer);
	return STATUS_OK;
}

void timers_remove(struct timers *timers, struct timer *timer)
{
	size_t place = timer->place;
	if (place == 0)
		return;
	struct timer *last = timers->heap[timers->count--];
	timer->place = 0;
	if (last == timer)
		return;
	if (place > 1 && before(last, timers->heap[place / 2]))
		rise(timers, place, last);
	else
		sink(timers, place, last);
}

struct timer *timers_pop(struct timers *timers, int64_t now_ms)
{
	return timers_next_ms(timers) <= now_ms ? timers_pop_any(timers) : NULL;
}

struct timer *timers_pop_any(struct timers *timers)
{
	if (timers->count == 0)
		return NULL;
	struct timer *first = timers->heap[1];
	timers_remove(timers, first);
	return first;
}

int64_t timers_next_ms(const struct timers *timers)
{
	return timers->count > 0 ? timers->heap[1]->due_ms : INT64_MAX;
}
