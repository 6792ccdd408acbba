/* Many submitters, and lanes with several threads. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/batch/lane_fixture.h"

enum { SUBMITTERS = 8, ITEMS_PER_SUBMITTER = 4000, THREADS = 4 };

struct numbered_item {
	struct lane_item item;
	size_t submitter;
	size_t number;
	atomic_size_t applied;
};

struct submitter {
	struct lane *lane;
	struct numbered_item *items;
};

static struct numbered_item all[SUBMITTERS][ITEMS_PER_SUBMITTER];

/* Of the back end of the lane with one thread: nothing is atomic, the sanitizer would tell. */
static size_t next_number[SUBMITTERS];
static size_t disorders;

static atomic_size_t calls_per_thread[THREADS];

static void apply_in_order(
	void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	(void)context;
	(void)thread;
	for (size_t i = 0; i < count; i++) {
		struct numbered_item *item = (struct numbered_item *)items[i];
		if (next_number[item->submitter]++ != item->number)
			disorders++;
		atomic_fetch_add_explicit(&item->applied, 1, memory_order_relaxed);
	}
}

static void apply_anyhow(
	void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	(void)context;
	assert_in_range(thread, 0, THREADS - 1);
	atomic_fetch_add(&calls_per_thread[thread], 1);
	for (size_t i = 0; i < count; i++) {
		struct numbered_item *item = (struct numbered_item *)items[i];
		atomic_fetch_add_explicit(&item->applied, 1, memory_order_relaxed);
	}
}

static void never_late(void *context, struct lane_item *const items[], size_t count)
{
	(void)context;
	(void)items;
	(void)count;
	abort();
}

/* Refused items are submitted again: the queue is small, so that it is full all the time. */
static void *submit_all(void *context)
{
	const struct submitter *submitter = context;
	for (size_t i = 0; i < ITEMS_PER_SUBMITTER; i++)
		while (lane_submit(submitter->lane, &submitter->items[i].item) != STATUS_OK)
			sched_yield();
	return NULL;
}

static void submit_from_all_threads(struct lane *lane)
{
	struct submitter submitters[SUBMITTERS];
	pthread_t threads[SUBMITTERS];
	for (size_t s = 0; s < SUBMITTERS; s++) {
		for (size_t i = 0; i < ITEMS_PER_SUBMITTER; i++) {
			struct numbered_item *item = &all[s][i];
			item->item.deadline_ms = LANE_NEVER;
			item->submitter = s;
			item->number = i;
			atomic_store(&item->applied, 0);
		}
		submitters[s] = (struct submitter){.lane = lane, .items = all[s]};
		assert_int_equal(0, pthread_create(&threads[s], NULL, submit_all, &submitters[s]));
	}
	for (size_t s = 0; s < SUBMITTERS; s++)
		pthread_join(threads[s], NULL);
}

static void assert_each_applied_once(void)
{
	for (size_t s = 0; s < SUBMITTERS; s++)
		for (size_t i = 0; i < ITEMS_PER_SUBMITTER; i++)
			assert_int_equal(1, atomic_load(&all[s][i].applied));
}

static void each_submitter_keeps_its_order(void **state)
{
	static const struct lane_ops ops = {.apply = apply_in_order, .late = never_late};
	struct fixture *fixture = *state;
	fixture_open(fixture,
		(struct lane_options){
			.ops = &ops, .clock = clock_system(), .queue_max = 50, .batch_max = 16});
	submit_from_all_threads(fixture->lane);
	lane_stop(fixture->lane);
	assert_each_applied_once();
	assert_int_equal(0, disorders);
}

/* Stops at the gate, so that no thread can do another's part. */
static void apply_at_gate(
	void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	assert_int_equal(1, count);
	atomic_fetch_add(&calls_per_thread[thread], 1);
	fixture_ops.apply(context, thread, items, count);
}

static void late_is_noted(void *context, struct lane_item *const items[], size_t count)
{
	fixture_ops.late(context, items, count);
}

/* A burst wakes as many as it needs, and each knows its own index. */
static void a_pool_works_side_by_side(void **state)
{
	static const struct lane_ops ops = {.apply = apply_at_gate, .late = late_is_noted};
	struct fixture *fixture = *state;
	for (size_t i = 0; i < THREADS; i++)
		atomic_store(&calls_per_thread[i], 0);
	fixture_open(fixture,
		(struct lane_options){
			.ops = &ops, .queue_max = 8, .batch_max = 1, .thread_count = THREADS});
	fixture_submit_range(fixture, 0, THREADS - 1);
	fixture_wait_entered(fixture, THREADS);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(1, atomic_load(&calls_per_thread[i]));

	/* All are busy: these wait, and only the queue bounds them. */
	fixture_submit_range(fixture, 10, 17);
	assert_int_equal(STATUS_UNAVAILABLE, fixture_submit(fixture, 18, LANE_NEVER));
	fixture_open_gate(fixture);
	lane_stop(fixture->lane);
	assert_int_equal(THREADS + 8, fixture->entered);
}

static void a_pool_applies_each_once(void **state)
{
	static const struct lane_ops ops = {.apply = apply_anyhow, .late = never_late};
	struct fixture *fixture = *state;
	fixture_open(fixture,
		(struct lane_options){.ops = &ops,
			.clock = clock_system(),
			.queue_max = 50,
			.batch_max = 3,
			.thread_count = THREADS});
	submit_from_all_threads(fixture->lane);
	lane_stop(fixture->lane);
	assert_each_applied_once();
}

/* Wake-ups that get lost would leave an item lying: each is waited for before the next. */
static void no_wake_up_is_lost(void **state)
{
	struct fixture *fixture = *state;
	fixture_open(
		fixture, (struct lane_options){.queue_max = 8, .batch_max = 2, .thread_count = 2});
	fixture_open_gate(fixture);
	for (size_t round = 0; round < 3000; round++) {
		fixture_submit_range(fixture, (int)(round % FIXTURE_ITEMS_MAX),
			(int)(round % FIXTURE_ITEMS_MAX));
		fixture_wait_entered(fixture, round + 1);
	}
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(each_submitter_keeps_its_order),
		TEST(a_pool_works_side_by_side),
		TEST(a_pool_applies_each_once),
		TEST(no_wake_up_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
