/* A private Redis with a guard before the stores of any other factory, as a factory for the suite.
 * For tests. */
#pragma once

#include "lib/redis/redis.h"
#include "lib/testkit/redis_fixture.h"
#include "tech-locking-and-transactions/redis-guard/redis_guard.h"
#include "tech-locking-and-transactions/seat_store_conformance.h"

struct guard_fixture {
	struct redis_fixture redis;
	const struct seat_store_factory *inner;
	struct seat_store_factory factory;
};

/* Start a Redis of this name. `inner` is borrowed. */
__attribute__((warn_unused_result)) enum status guard_fixture_start(
	struct guard_fixture *fixture, const char *name, const struct seat_store_factory *inner);
void guard_fixture_stop(struct guard_fixture *fixture);

/* Put a guard before a store, which is the guard's from then on; what has a zero in the options is
 * so long that a busy machine is no failure. */
__attribute__((warn_unused_result)) enum status guard_fixture_guard(
	const struct guard_fixture *fixture, struct seat_store *inner,
	const struct redis_guard_options *options, struct seat_store **store);

/* What Redis has of a seat: "<hold> <state>" and for how long yet; "" and nothing of one that is
 * nobody's, or not known. */
struct guard_seat {
	char text[128];
	int64_t left_ms;
};
struct guard_seat guard_fixture_look(struct redis *redis, struct id event, const char *seat);
