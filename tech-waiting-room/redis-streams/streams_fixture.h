/* What the tests of this folder start: a private Redis and a private PostgreSQL. */
#pragma once

#include "lib/testkit/postgres_fixture.h"
#include "lib/testkit/redis_fixture.h"
#include "tech-waiting-room/redis-streams/redis_streams.h"

struct streams_fixture {
	struct redis_fixture redis;
	struct postgres_fixture postgres;
};

__attribute__((warn_unused_result)) enum status streams_fixture_start(
	struct streams_fixture *fixture, const char *name);
void streams_fixture_stop(struct streams_fixture *fixture);

/* Open an instance whose patience suits a busy machine. `block`: 0 for the default. */
__attribute__((warn_unused_result)) enum status streams_fixture_open(
	struct streams_fixture *fixture, int64_t block, struct waiting_room **room);
