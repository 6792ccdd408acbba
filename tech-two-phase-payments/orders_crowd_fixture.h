/* People who order: so many orders, each with a plan of its own, driven to their end by some
 * threads at once. Whoever gets no answer asks again with the same key, as a good client does, if
 * need be the other server; so whatever happens meanwhile to servers and provider, each order comes
 * to its end. */
#pragma once

#include "tech-two-phase-payments/orders_fixture.h"

enum {
	CROWD_ORDERS_MAX = 4000,
	CROWD_THREADS = 6,
	CROWD_PLANS = 12,
};

struct crowd_options {
	uint64_t seed;
	size_t orders;
	size_t servers;  /* 1 or 2. */
	size_t asked;    /* With one: which. */
	int64_t call_ms; /* After which an answer counts as lost. 0: 20 s. */
};

/* Begin. One crowd at a time. */
void crowd_start(const struct crowd_options *options);

/* From now on everybody asks this server, and no other. */
void crowd_ask(size_t server);

/* How many orders have come to their end. */
size_t crowd_done(void);

/* Wait until all have, for so long at most, calling `meanwhile` (unless it is NULL) again and
 * again; then end the threads. Fails the test when orders are left, or when an answer made no
 * sense. */
void crowd_join(int64_t timeout_ms, void (*meanwhile)(void));
