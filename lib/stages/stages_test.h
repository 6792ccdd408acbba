/* What the tests of lib/stages share: one cluster per program, fresh tables and up to three stages
 * per test. */
#pragma once

#include "lib/postgres/postgres_test.h"
#include "lib/stages/stages_fixture.h"

#include <time.h>

enum { STATES = 3, PATIENCE_MS = 120000, PAUSE_MS = 5, STOP_MS = 60000, DAY_MS = 86400000 };

static const char *const states[STATES] = {"one", "two", "three"};
static struct provider providers[STATES];
static struct stage *stages[STATES];
static struct metrics *metrics;

static inline int test_start_cluster(void **state)
{
	(void)state;
	return postgres_fixture_start(&fixture, "stages") == STATUS_OK ? 0 : -1;
}

static inline int test_make_tables(void **state)
{
	(void)test_connect(state);
	assert_script("drop table if exists jobs, acts, moves");
	assert_script(provider_schema);
	metrics = metrics_new();
	assert_non_null(metrics);
	for (size_t i = 0; i < STATES; i++)
		assert_int_equal(
			STATUS_OK, provider_open(&providers[i], states[i], "test", fixture.url));
	return 0;
}

static inline int test_close_stages(void **state)
{
	for (size_t i = 0; i < STATES; i++) {
		stage_close(stages[i]);
		stages[i] = NULL;
	}
	for (size_t i = 0; i < STATES; i++)
		provider_close(&providers[i]);
	metrics_free(metrics);
	return test_disconnect(state);
}

static inline struct stage_options test_options(size_t index)
{
	struct stage_options options =
		provider_options(&providers[index], fixture.url, PROVIDER_SUBMITS, PROVIDER_FENCED);
	options.metrics = metrics;
	return options;
}

/* Open the stage of one state. */
static inline void test_stage_open(size_t index, const struct stage_options *options)
{
	assert_int_equal(STATUS_OK, stage_open(options, &stages[index]));
}

/* Freeze the metrics and start those that are open. */
static inline void test_start(void)
{
	assert_int_equal(STATUS_OK, metrics_freeze(metrics));
	for (size_t i = 0; i < STATES; i++)
		if (stages[i])
			assert_int_equal(STATUS_OK, stage_start(stages[i]));
}

/* How many of something a stage has counted. */
static inline uint64_t test_counted(const char *name, size_t index)
{
	struct metrics_label label = {.name = "stage", .value = states[index]};
	struct metrics_description description = {
		.name = name, .help = "Known.", .labels = &label, .label_count = 1};
	return metrics_counter_value(metrics_add_counter(metrics, &description));
}

static inline int64_t test_now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

static inline void test_pause(void)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000}, NULL);
}

/* How many jobs fulfil a condition, a literal that is short enough to name its statement. */
#define test_jobs(condition_) \
	test_number(pg, condition_, "select count(*) from jobs where " condition_)

/* Wait until so many jobs fulfil it. */
#define test_wait_jobs(count_, condition_) \
	do { \
		int64_t end_ms_ = test_now_ms() + PATIENCE_MS; \
		while (test_jobs(condition_) != (count_) && test_now_ms() < end_ms_) \
			test_pause(); \
		assert_int_equal(count_, test_jobs(condition_)); \
	} while (0)

/* Wait until a counter that another thread moves has come that far. */
static inline void test_wait_atomic(atomic_int *number, int least)
{
	int64_t end_ms = test_now_ms() + PATIENCE_MS;
	while (atomic_load(number) < least && test_now_ms() < end_ms)
		test_pause();
	assert_true(atomic_load(number) >= least);
}

/* Each transition was made once and has its act. */
static inline void test_judge(void)
{
	assert_int_equal(0, test_number(pg, "judge", provider_judge));
}

static inline int64_t test_moves(void)
{
	return test_number(pg, "moves", "select count(*) from moves where from_state <> to_state");
}
