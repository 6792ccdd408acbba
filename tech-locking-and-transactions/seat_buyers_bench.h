/* What those who buy buy: known to them and to the bench that starts them. */
#pragma once

#include "tech-locking-and-transactions/seats_bench.h"

struct seat_buyers_load {
	const char *title, *event;
	int64_t seats; /* How many there are. */
	int64_t count; /* How many a person wants, side by side. */
	int64_t until; /* So many seats are the end; 0: time is. */
};

enum { SEAT_BUYERS_LOADS = 3 };

static const struct seat_buyers_load seat_buyers_loads[SEAT_BUYERS_LOADS] = {
	{"50,000 seats", SEATS_BENCH_EVENT, SEATS_BENCH_SEATS, 1, 0},
	{"100 hot seats", SEATS_BENCH_HOT_EVENT, SEATS_BENCH_HOT_SEATS, 1, SEATS_BENCH_HOT_SEATS},
	{"groups of 4", SEATS_BENCH_EVENT, SEATS_BENCH_SEATS, 4, 0},
};
