/* See streams_fixture.h. */
#include "tech-waiting-room/redis-streams/streams_fixture.h"

#include <stdio.h>

enum status streams_fixture_start(struct streams_fixture *fixture, const char *name)
{
	*fixture = (struct streams_fixture){0};
	enum status status = redis_fixture_start(&fixture->redis, name);
	return status == STATUS_OK ? postgres_fixture_start(&fixture->postgres, name) : status;
}

void streams_fixture_stop(struct streams_fixture *fixture)
{
	redis_fixture_stop(&fixture->redis);
	postgres_fixture_stop(&fixture->postgres);
}

enum status streams_fixture_open(
	struct streams_fixture *fixture, int64_t block, struct waiting_room **room)
{
	struct fault fault = {0};
	enum status status =
		redis_streams_open(&(struct redis_streams_options){.redis_url = fixture->redis.url,
					   .database_url = fixture->postgres.url,
					   .call_ms_max = 30000,
					   .block = block},
			room, &fault);
	if (status != STATUS_OK)
		fprintf(stderr, "%s: %s\n", fault.where, fault.what);
	return status;
}
