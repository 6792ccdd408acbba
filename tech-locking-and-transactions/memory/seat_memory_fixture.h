/* The seat store in memory as a factory for the suite. For tests only. */
#pragma once

#include "tech-locking-and-transactions/memory/seat_memory.h"
#include "tech-locking-and-transactions/seat_store_broken.h"
#include "tech-locking-and-transactions/seat_store_conformance.h"

struct seat_memory_fixture {
	struct seat_memory *memory;
	enum seat_store_breakage breakage; /* Of the instances that are opened from now on. */
	struct seat_store_factory factory;
};

void seat_memory_fixture_init(struct seat_memory_fixture *fixture);
void seat_memory_fixture_release(struct seat_memory_fixture *fixture);
