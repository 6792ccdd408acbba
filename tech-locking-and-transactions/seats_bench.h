/* The parts of the seats' bench. What cannot be done ends it. */
#pragma once

#include <stdint.h>

#include "lib/base/status.h"

struct seats_bench {
	int64_t rounds;
	int64_t seconds;       /* How long each load of holds lasts, and of purchases. */
	int64_t sweep_seconds; /* How long each number of clients is tried; 0: none is. */
	const char *holds_path, *guard_path, *purchases_path; /* Of the results; NULL: none. */
};

/* The two events that all techniques sell. */
#define SEATS_BENCH_EVENT "00000000-0000-7000-8000-000000050000"
#define SEATS_BENCH_HOT_EVENT "00000000-0000-7000-8000-000000000100"

enum { SEATS_BENCH_SEATS = 50000, SEATS_BENCH_HOT_SEATS = 100 };

/* Holds and answers per second of each technique beside pgbench. */
__attribute__((warn_unused_result)) enum status seat_holds_bench(const struct seats_bench *bench);

/* Purchases per second of each technique, and how long those that a kill cuts short take. */
__attribute__((warn_unused_result)) enum status seat_purchases_bench(
	const struct seats_bench *bench);
