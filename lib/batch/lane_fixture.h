/* What the tests of lanes share: a back end that stops at a gate whenever it is called and writes
 * down what it was called with, and a clock that several threads may read. So a test decides what
 * happens between any two batches, and never sleeps. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "lib/batch/lane.h"

enum {
	FIXTURE_ITEMS_MAX = 64,
	FIXTURE_TRACE_SIZE = 4096,
	FIXTURE_START_MS = 1000,
};

struct test_clock {
	struct clock base;
	_Atomic int64_t now_ns;
};

struct test_item {
	struct lane_item item;
	int number;
};

struct fixture {
	struct test_clock clock;
	struct metrics *metrics;
	struct lane *lane;
	struct test_item items[FIXTURE_ITEMS_MAX];

	pthread_mutex_t mutex; /* Guards what follows. */
	pthread_cond_t changed;
	size_t entered; /* Calls of apply that have begun. */
	size_t permits; /* How many of them may go on. */
	bool open;      /* All may. */
	/* One word per call: "A0,1" for apply, "L2" for late, "T" for tick. */
	char trace[FIXTURE_TRACE_SIZE];
	size_t trace_size;
};

/* Stops at the gate; has no tick. */
extern const struct lane_ops fixture_ops;

/* cmocka's set-up and tear-down; *state is the struct fixture. */
int fixture_set_up(void **state);
int fixture_tear_down(void **state);

/* Open the fixture's lane with what `options` says, and the fixture as context. Where they are not
 * given, ops, clock and name are the fixture's. */
void fixture_open(struct fixture *fixture, struct lane_options options);

/* Let `ms` pass on the fixture's clock. */
void fixture_advance(struct fixture *fixture, int64_t ms);

/* Submit item `number` with a deadline so many ms from now, or LANE_NEVER. */
enum status fixture_submit(struct fixture *fixture, int number, int64_t within_ms);

/* Submit items first … last without deadlines; all must be accepted. */
void fixture_submit_range(struct fixture *fixture, int first, int last);

/* Wait until apply was called `count` times in all. */
void fixture_wait_entered(struct fixture *fixture, size_t count);

/* Let one more call of apply end; let all end. */
void fixture_permit(struct fixture *fixture);
void fixture_open_gate(struct fixture *fixture);

/* Stop the lane with an open gate and compare what it did, words separated by one space. */
void fixture_assert_trace(struct fixture *fixture, const char *expected);

/* For ops of a test's own: add a word; the back end's side of the gate. */
void fixture_note(
	struct fixture *fixture, char kind, struct lane_item *const items[], size_t count);
void fixture_pass_gate(struct fixture *fixture);
