/* The family's suite with Redis Streams: every promise of the contract, and agreement with the
 * in-process room on random operations. */
#include <stdio.h>
#include <time.h>

#include "tech-waiting-room/memory/memory_fixture.h"
#include "tech-waiting-room/redis-streams/streams_fixture.h"
#include "tech-waiting-room/waiting_room_conformance.h"

enum { PEOPLE_MAX = 20000, BLOCK = 100 };

static enum status open_room(void *context, struct waiting_room **room)
{
	return streams_fixture_open(context, BLOCK, room);
}

static void advance(void *context, int64_t ms)
{
	(void)context;
	struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	while (nanosleep(&pause, &pause) != 0)
		;
}

static enum status restart(void *context)
{
	struct streams_fixture *fixture = context;
	enum status status = redis_fixture_kill(&fixture->redis);
	return status == STATUS_OK ? redis_fixture_start_again(&fixture->redis) : status;
}

static enum status lose(void *context)
{
	struct streams_fixture *fixture = context;
	return redis_fixture_empty(&fixture->redis);
}

int main(void)
{
	struct streams_fixture fixture;
	struct waiting_room_factory factory = {.name = "redis-streams",
		.context = &fixture,
		.open = open_room,
		.advance = advance,
		.restart = restart,
		.lose = lose};
	if (streams_fixture_start(&fixture, "conformance") != STATUS_OK)
		return 1;
	struct memory_fixture oracle;
	memory_fixture_init(&oracle, PEOPLE_MAX, BLOCK);
	int failed = waiting_room_conformance(&factory);
	failed += waiting_room_agreement(&oracle.factory, &factory);
	memory_fixture_release(&oracle);
	streams_fixture_stop(&fixture);
	return failed;
}
