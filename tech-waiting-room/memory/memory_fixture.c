/* See memory_fixture.h. */
#include "tech-waiting-room/memory/memory_fixture.h"

#include <assert.h>

/* Instances are opened broken only when the fixture says so. */
static enum status fixture_open(void *context, struct waiting_room **room)
{
	struct memory_fixture *fixture = context;
	enum status status =
		memory_room_open(&(struct memory_room_options){.store = fixture->store}, room);
	if (status != STATUS_OK || fixture->breakage == BREAK_NOTHING)
		return status;
	*room = waiting_room_broken(*room, fixture->breakage);
	return *room ? STATUS_OK : STATUS_UNAVAILABLE;
}

static void fixture_advance(void *context, int64_t ms)
{
	clock_fake_advance(&((struct memory_fixture *)context)->clock, ms);
}

static int64_t fixture_now_ms(void *context)
{
	return clock_wall_ms(&((struct memory_fixture *)context)->clock.base);
}

static enum status fixture_lose(void *context)
{
	memory_store_lose(((struct memory_fixture *)context)->store);
	return STATUS_OK;
}

void memory_fixture_init(struct memory_fixture *fixture, int64_t people_max, int64_t record_block)
{
	*fixture = (struct memory_fixture){.breakage = BREAK_NOTHING};
	clock_fake_init(&fixture->clock, 1900000000000);
	struct memory_store_options options = {
		.clock = &fixture->clock.base,
		.people_max = people_max,
		.record_block = record_block,
	};
	enum status status = memory_store_new(&options, &fixture->store);
	assert(status == STATUS_OK);
	fixture->factory = (struct waiting_room_factory){
		.name = "memory",
		.context = fixture,
		.open = fixture_open,
		.advance = fixture_advance,
		.now_ms = fixture_now_ms,
		.lose = record_block > 0 ? fixture_lose : NULL,
	};
}

void memory_fixture_release(struct memory_fixture *fixture)
{
	memory_store_free(fixture->store);
}
