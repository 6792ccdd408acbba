/* The two ways in which the bench loads the database: buyers who ask the server by HTTP, and
 * pgbench with the same transaction and no server. What cannot be done ends the bench. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "lib/testkit/histogram.h"

struct load {
	const char *event;
	int64_t seats;
	int64_t hold_ms;
	int64_t clients;
	int64_t seconds;
};

struct load_outcome {
	int64_t answers;            /* Holds, refusals and failures. */
	int64_t holds;              /* Seats that were really held, as their buyers heard. */
	int64_t failures;           /* Neither a hold nor an honest refusal. */
	double seconds;             /* From the first request to the last answer. */
	struct histogram latencies; /* Of every answer. */
};

/* Buyers with a kept-alive connection each, who hold a random seat after the other. */
void load_by_buyers(const struct load *load, uint16_t port, struct load_outcome *outcome);

struct pgbench_options {
	const char *url;
	const char *folder; /* For its log; it is left as empty as it was. */
};

/* pgbench, which does not tell holds from refusals: `holds` stays 0 for the caller to count. */
void load_by_pgbench(const struct load *load, const struct pgbench_options *options,
	struct load_outcome *outcome);
