/* The ways in which the bench loads the seats. What cannot be done ends the bench. */
#pragma once

#include <stdint.h>

#include "lib/testkit/histogram.h"
#include "tech-locking-and-transactions/postgres/postgres_seats.h"

struct seat_load {
	const char *url;
	const char *guard_url; /* Of the Redis of a guard before the store; NULL: no guard. */
	const char *event;
	int64_t seats;   /* How many there are. */
	int64_t count;   /* How many a hold wants, side by side. */
	int64_t hold_ms; /* When a hold runs out. */
	int64_t clients; /* Requests under way at once. */
	int64_t seconds;
};

struct seat_load_outcome {
	int64_t answers;            /* Holds and refusals. */
	int64_t holds;              /* Granted, as the clients heard; 0 where they do not tell. */
	double seconds;             /* From the first request to the last answer. */
	struct histogram latencies; /* Of every answer. */
};

/* Through a lane: all clients share one instance, and wait behind one another. */
void seat_load_by_lane(const struct seat_load *load, enum postgres_seats_technique technique,
	struct seat_load_outcome *outcome);

/* With a connection each: as many threads as clients. */
void seat_load_by_threads(const struct seat_load *load, enum postgres_seats_technique technique,
	struct seat_load_outcome *outcome);

/* pgbench with one of bench/'s scripts; `folder` is for its log, and left as it was. */
void seat_load_by_pgbench(const struct seat_load *load, const char *script, const char *folder,
	struct seat_load_outcome *outcome);
