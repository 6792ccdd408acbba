/* A store with a fake clock, as the factory of the suite. For tests. */
#pragma once

#include "lib/base/clock.h"
#include "tech-waiting-room/memory/memory.h"
#include "tech-waiting-room/waiting_room_broken.h"
#include "tech-waiting-room/waiting_room_conformance.h"

struct memory_fixture {
	struct clock_fake clock;
	struct memory_store *store;
	enum waiting_room_breakage breakage; /* Of the instances that are opened from now on. */
	struct waiting_room_factory factory;
};

/* `people_max` and `record_block` as in memory_store_options. */
void memory_fixture_init(struct memory_fixture *fixture, int64_t people_max, int64_t record_block);
void memory_fixture_release(struct memory_fixture *fixture);
