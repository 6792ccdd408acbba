/* One lane, one thread: order, batches, overload, late items, shutdown, metrics. */
#include "lib/batch/lane.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/batch/lane_fixture.h"

static void the_next_batch_is_the_pile(void **state)
{
	struct fixture *fixture = *state;
	fixture_open(fixture, (struct lane_options){.queue_max = 16, .batch_max = 16});
	fixture_submit_range(fixture, 0, 0);
	fixture_wait_entered(fixture, 1);
	fixture_submit_range(fixture, 1, 5);
	fixture_permit(fixture);
	fixture_wait_entered(fixture, 2);
	fixture_submit_range(fixture, 6, 7);
	fixture_assert_trace(fixture, "A0 A1,2,3,4,5 A6,7");
}

static void a_large_pile_is_cut(void **state)
{
	struct fixture *fixture = *state;
	fixture_open(fixture, (struct lane_options){.queue_max = 64, .batch_max = 4});
	fixture_submit_range(fixture, 0, 0);
	fixture_wait_entered(fixture, 1);
	fixture_submit_range(fixture, 1, 9);
	fixture_permit(fixture);
	fixture_wait_entered(fixture, 2);
	fixture_submit_range(fixture, 10, 12);
	fixture_assert_trace(fixture, "A0 A1,2,3,4 A5,6,7,8 A9,10,11,12");
}

static void one_at_a_time(void **state)
{
	struct fixture *fixture = *state;
	fixture_open(fixture, (struct lane_options){.queue_max = 64, .batch_max = 1});
	fixture_submit_range(fixture, 0, 3);
	fixture_assert_trace(fixture, "A0 A1 A2 A3");
}

/* What is in flight does not count; what was refused was not touched. */
static void a_full_queue_refuses(void **state)
{
	struct fixture *fixture = *state;
	fixture_open(fixture, (struct lane_options){.queue_max = 3, .batch_max = 16});
	fixture_submit_range(fixture, 0, 0);
	fixture_wait_entered(fixture, 1);
	assert_int_equal(0, lane_depth(fixture->lane));
	fixture_submit_range(fixture, 1, 3);
	assert_int_equal(3, lane_depth(fixture->lane));

	struct lane_item before = {.next = &before, .deadline_ms = LANE_NEVER, .queued_ns = -7};
	fixture->items[4].item = before;
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			STATUS_UNAVAILABLE, lane_submit(fixture->lane, &fixture->items[4].item));
	assert_memory_equal(&before, &fixture->items[4].item, sizeof before);
	assert_int_equal(3, lane_depth(fixture->lane));

	fixture_permit(fixture);
	fixture_wait_entered(fixture, 2);
	fixture_submit_range(fixture, 4, 6);
	assert_int_equal(STATUS_UNAVAILABLE, fixture_submit(fixture, 7, LANE_NEVER));
	fixture_assert_trace(fixture, "A0 A1,2,3 A4,5,6");
}

/* The deadline counts when an item is taken out; the millisecond of the deadline itself is in time.
 */
static void late_items_are_not_applied(void **state)
{
	struct fixture *fixture = *state;
	fixture_open(fixture, (struct lane_options){.queue_max = 16, .batch_max = 16});
	fixture_submit_range(fixture, 0, 0);
	fixture_wait_entered(fixture, 1);
	assert_int_equal(STATUS_OK, fixture_submit(fixture, 1, 10));
	assert_int_equal(STATUS_OK, fixture_submit(fixture, 2, 100));
	assert_int_equal(STATUS_OK, fixture_submit(fixture, 3, 0));
	assert_int_equal(STATUS_OK, fixture_submit(fixture, 4, LANE_NEVER));
	assert_int_equal(STATUS_OK, fixture_submit(fixture, 5, 11));
	fixture_advance(fixture, 11);
	fixture_assert_trace(fixture, "A0 L1,3 A2,4,5");
}

static void a_batch_may_be_all_late(void **state)
{
	struct fixture *fixture = *state;
	fixture_open(fixture, (struct lane_options){.queue_max = 16, .batch_max = 2});
	fixture_submit_range(fixture, 0, 0);
	fixture_wait_entered(fixture, 1);
	for (int number = 1; number <= 3; number++)
		assert_int_equal(STATUS_OK, fixture_submit(fixture, number, 5));
	fixture_submit_range(fixture, 4, 4);
	fixture_advance(fixture, 6);
	fixture_assert_trace(fixture, "A0 L1,2 L3 A4");
}

static void *stop_lane(void *context)
{
	lane_stop(context);
	return NULL;
}

/* One batch in flight, more in the queue, and somebody who goes on submitting. */
static void stopping_applies_what_is_queued(void **state)
{
	struct fixture *fixture = *state;
	fixture_open(fixture, (struct lane_options){.queue_max = LANE_QUEUE_MAX, .batch_max = 2});
	fixture_submit_range(fixture, 0, 0);
	fixture_wait_entered(fixture, 1);
	fixture_submit_range(fixture, 1, 3);
	pthread_t stopper;
	assert_int_equal(0, pthread_create(&stopper, NULL, stop_lane, fixture->lane));

	/* It takes the stopper a moment; until then items are taken, and owed a result. */
	enum { EXTRA_MAX = 100000 };
	static struct test_item extra[EXTRA_MAX];
	int taken = 0;
	for (; taken < EXTRA_MAX; taken++) {
		extra[taken].item.deadline_ms = 0; /* Late, so all of them are handed to late. */
		extra[taken].number = 9;
		if (lane_submit(fixture->lane, &extra[taken].item) != STATUS_OK)
			break;
		sched_yield();
	}
	assert_in_range(taken, 0, EXTRA_MAX - 1);
	assert_int_equal(taken + 3, lane_depth(fixture->lane));
	fixture_open_gate(fixture);
	pthread_join(stopper, NULL);

	assert_int_equal(0, lane_depth(fixture->lane));
	assert_int_equal(STATUS_UNAVAILABLE, fixture_submit(fixture, 5, LANE_NEVER));
	const char *expected = "A0 A1,2 L9 A3";
	if (taken == 0)
		expected = "A0 A1,2 A3";
	assert_memory_equal(expected, fixture->trace, strlen(expected));
	size_t nines = 0;
	for (const char *next = fixture->trace; (next = strchr(next, '9')); next++)
		nines++;
	if (fixture->trace_size < sizeof fixture->trace / 2)
		assert_int_equal(taken, nines);
	lane_stop(fixture->lane);
}

static void an_unused_lane_stops(void **state)
{
	struct fixture *fixture = *state;
	fixture_open(fixture, (struct lane_options){.queue_max = 1, .batch_max = 1});
	fixture_assert_trace(fixture, "");
	lane_close(NULL);
}

struct chain {
	struct lane_item item;
	struct lane *lane;
	int left;
};

/* Submits its own items again, which is how a request takes its next step. */
static void apply_again(void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	(void)thread;
	for (size_t i = 0; i < count; i++) {
		struct chain *chain = (struct chain *)items[i];
		if (chain->left-- > 0)
			assert_int_equal(STATUS_OK, lane_submit(chain->lane, &chain->item));
		else
			fixture_pass_gate(context);
	}
}

static void apply_may_submit(void **state)
{
	struct fixture *fixture = *state;
	static struct lane_ops ops; /* Outlives the lane, which the tear-down closes. */
	ops = (struct lane_ops){.apply = apply_again, .late = fixture_ops.late};
	fixture_open(fixture, (struct lane_options){.ops = &ops, .queue_max = 2, .batch_max = 2});
	struct chain chain = {.item.deadline_ms = LANE_NEVER, .lane = fixture->lane, .left = 1000};
	assert_int_equal(STATUS_OK, lane_submit(fixture->lane, &chain.item));
	fixture_wait_entered(fixture, 1);
	fixture_assert_trace(fixture, "");
	assert_int_equal(-1, chain.left);
}

static struct metrics_description labelled(const struct metrics_label *label, const char *name)
{
	return (struct metrics_description){
		.name = name, .help = "x", .labels = label, .label_count = 1};
}

static struct metrics_histogram *seconds_of(struct fixture *fixture, const char *name)
{
	struct metrics_label label = {"lane", "join"};
	struct metrics_description description = labelled(&label, name);
	description.unit = strrchr(name, '_') + 1;
	return metrics_add_histogram(fixture->metrics, &description,
		strcmp(description.unit, "items") == 0 ? &metrics_batch_buckets
						       : &metrics_latency_buckets);
}

static uint64_t counter_of(struct fixture *fixture, const char *name)
{
	struct metrics_label label = {"lane", "join"};
	struct metrics_description description = labelled(&label, name);
	return metrics_counter_value(metrics_add_counter(fixture->metrics, &description));
}

static void assert_depth(struct fixture *fixture, int64_t expected)
{
	struct metrics_label label = {"lane", "join"};
	struct metrics_description description = labelled(&label, "lane_depth");
	assert_int_equal(
		expected, metrics_gauge_value(metrics_add_gauge(fixture->metrics, &description)));
}

/* The clock only moves when told, so each figure is known to the nanosecond. */
static void metrics_are_exact(void **state)
{
	struct fixture *fixture = *state;
	lane_register_metrics(fixture->metrics, "join");
	assert_int_equal(STATUS_OK, metrics_freeze(fixture->metrics));
	fixture_open(fixture,
		(struct lane_options){.name = "join",
			.queue_max = 3,
			.batch_max = 8,
			.metrics = fixture->metrics});
	fixture_submit_range(fixture, 0, 0);
	fixture_wait_entered(fixture, 1);
	assert_depth(fixture, 0);
	fixture_submit_range(fixture, 1, 1);
	fixture_advance(fixture, 2);
	assert_int_equal(STATUS_OK, fixture_submit(fixture, 2, 0));
	fixture_submit_range(fixture, 3, 3);
	assert_int_equal(STATUS_UNAVAILABLE, fixture_submit(fixture, 4, LANE_NEVER));
	assert_depth(fixture, 3);
	fixture_advance(fixture, 3);
	fixture_permit(fixture);
	fixture_wait_entered(fixture, 2);
	assert_depth(fixture, 0);
	fixture_advance(fixture, 7);
	fixture_assert_trace(fixture, "A0 L2 A1,3");

	assert_int_equal(1, counter_of(fixture, "lane_late"));
	assert_int_equal(1, counter_of(fixture, "lane_refused"));
	struct metrics_histogram *batch = seconds_of(fixture, "lane_batch_items");
	assert_int_equal(2, metrics_histogram_count(batch));
	assert_int_equal(3, metrics_histogram_sum(batch));
	struct metrics_histogram *waiting = seconds_of(fixture, "lane_waiting_seconds");
	assert_int_equal(4, metrics_histogram_count(waiting));
	assert_int_equal((5 + 3 + 3) * 1000000, metrics_histogram_sum(waiting));
	struct metrics_histogram *service = seconds_of(fixture, "lane_service_seconds");
	assert_int_equal(2, metrics_histogram_count(service));
	assert_int_equal((5 + 7) * 1000000, metrics_histogram_sum(service));
	assert_int_equal(STATUS_UNAVAILABLE, fixture_submit(fixture, 5, LANE_NEVER));
	assert_int_equal(2, counter_of(fixture, "lane_refused"));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_next_batch_is_the_pile),
		TEST(a_large_pile_is_cut),
		TEST(one_at_a_time),
		TEST(a_full_queue_refuses),
		TEST(late_items_are_not_applied),
		TEST(a_batch_may_be_all_late),
		TEST(stopping_applies_what_is_queued),
		TEST(an_unused_lane_stops),
		TEST(apply_may_submit),
		TEST(metrics_are_exact),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
