/* See seat_memory_fixture.h. The clock is the system's: the suite has threads. */
#include "tech-locking-and-transactions/memory/seat_memory_fixture.h"

#include <assert.h>
#include <time.h>

static enum status open_store(void *context, struct seat_store **store)
{
	struct seat_memory_fixture *fixture = context;
	*store = seat_memory_open(fixture->memory);
	if (*store && fixture->breakage != BREAK_NOTHING)
		*store = seat_store_broken(*store, fixture->breakage);
	return *store ? STATUS_OK : STATUS_UNAVAILABLE;
}

static void advance(void *context, int64_t ms)
{
	(void)context;
	struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	while (nanosleep(&pause, &pause) != 0)
		;
}

void seat_memory_fixture_init(struct seat_memory_fixture *fixture)
{
	*fixture = (struct seat_memory_fixture){.memory = seat_memory_new(clock_system())};
	assert(fixture->memory);
	fixture->factory = (struct seat_store_factory){
		.name = "memory", .context = fixture, .open = open_store, .advance = advance};
}

void seat_memory_fixture_release(struct seat_memory_fixture *fixture)
{
	seat_memory_free(fixture->memory);
}
