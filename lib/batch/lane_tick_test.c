/* The turn of an idle lane, and of one that is never idle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/batch/lane_fixture.h"

static struct fixture *current;

/* When the next tick is to be, and what the ticks saw; the lane's thread's, read once it stopped.
 */
static struct {
	int64_t period_ms;
	int64_t advance_ms; /* How long a tick takes on the fixture's clock. */
	int64_t next_ms;    /* What the last tick asked for. */
	size_t count, count_max;
	size_t early; /* Ticks before their time. */
	bool is_gated;
	bool is_asked_for; /* By each batch, for at once. */
} ticks;

static int set_up(void **state)
{
	memset(&ticks, 0, sizeof ticks);
	ticks.count_max = SIZE_MAX;
	int result = fixture_set_up(state);
	current = *state;
	return result;
}

static int64_t tick(void *context, int64_t now_ms)
{
	struct fixture *fixture = context;
	fixture_note(fixture, 'T', NULL, 0);
	if (ticks.is_gated && ticks.count == 0)
		fixture_pass_gate(fixture);
	if (now_ms < ticks.next_ms)
		ticks.early++;
	ticks.count++;
	fixture_advance(fixture, ticks.advance_ms);
	if (ticks.count == ticks.count_max) {
		fixture_pass_gate(fixture);
		return LANE_NEVER;
	}
	ticks.next_ms = now_ms + ticks.period_ms;
	return ticks.next_ms;
}

static void apply(void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	struct fixture *fixture = context;
	fixture_ops.apply(context, thread, items, count);
	if (ticks.is_asked_for)
		lane_tick_by(fixture->lane, ticks.next_ms = 0);
}

static void late(void *context, struct lane_item *const items[], size_t count)
{
	fixture_ops.late(context, items, count);
}

static const struct lane_ops ops = {.apply = apply, .late = late, .tick = tick};

/* By the system's clock, since nobody but time itself wakes the lane. Then it asks for no more, and
 * still applies what comes. */
static void an_idle_lane_ticks_on_time(void **state)
{
	struct fixture *fixture = *state;
	ticks.period_ms = 2;
	ticks.count_max = 6;
	fixture_open(fixture,
		(struct lane_options){
			.ops = &ops, .clock = clock_system(), .queue_max = 4, .batch_max = 4});
	fixture_wait_entered(fixture, 1); /* The sixth, at the gate. */
	fixture_permit(fixture);
	fixture_submit_range(fixture, 0, 0);
	fixture_wait_entered(fixture, 2);
	fixture_assert_trace(fixture, "T T T T T T A0");
	assert_int_equal(0, ticks.early);
}

static void a_busy_lane_ticks_when_due(void **state)
{
	struct fixture *fixture = *state;
	ticks.period_ms = 10;
	fixture_open(fixture, (struct lane_options){.ops = &ops, .queue_max = 8, .batch_max = 1});
	fixture_submit_range(fixture, 0, 1);
	fixture_wait_entered(fixture, 1);
	fixture_advance(fixture, 9);
	fixture_permit(fixture);
	fixture_wait_entered(fixture, 2);
	fixture_submit_range(fixture, 2, 3);
	fixture_advance(fixture, 1);
	fixture_permit(fixture);
	fixture_wait_entered(fixture, 3);
	fixture_permit(fixture);
	fixture_wait_entered(fixture, 4);
	/* Ticks that were missed are not made up for. */
	fixture_advance(fixture, 35);
	fixture_submit_range(fixture, 4, 5);
	fixture_permit(fixture);
	fixture_wait_entered(fixture, 5);
	fixture_permit(fixture);
	fixture_wait_entered(fixture, 6);
	fixture_assert_trace(fixture, "T A0 A1 T A2 A3 T A4 A5");
	assert_int_equal(0, ticks.early);
}

/* A tick that asks to be called at once, and takes longer than that, takes turns with the batches.
 */
static void neither_ticks_nor_batches_starve(void **state)
{
	struct fixture *fixture = *state;
	ticks.advance_ms = 5;
	ticks.is_gated = true;
	fixture_open(fixture, (struct lane_options){.ops = &ops, .queue_max = 64, .batch_max = 1});
	fixture_wait_entered(fixture, 1);
	fixture_submit_range(fixture, 0, 9);
	fixture_open_gate(fixture);
	fixture_wait_entered(fixture, 11);
	lane_stop(fixture->lane);
	const char *expected = "T A0 T A1 T A2 T A3 T A4 T A5 T A6 T A7 T A8 T A9";
	/* The first tick was alone; the queue was filled during it, so the next is before A0. */
	assert_memory_equal("T ", fixture->trace, 2);
	assert_memory_equal(expected, fixture->trace + 2, strlen(expected));
}

/* What is not after now is at least a millisecond away, so that no lane spins. */
static void time_that_stands_still_gives_no_ticks(void **state)
{
	struct fixture *fixture = *state;
	ticks.period_ms = -5;
	fixture_open(fixture, (struct lane_options){.ops = &ops, .queue_max = 8, .batch_max = 1});
	fixture_submit_range(fixture, 0, 2);
	fixture_open_gate(fixture);
	fixture_wait_entered(fixture, 3);
	fixture_assert_trace(fixture, "T A0 A1 A2");
}

/* What is applied may make something due long before the tick that was asked for; what it asks for
 * later than that changes nothing. */
static void a_batch_asks_for_a_tick(void **state)
{
	struct fixture *fixture = *state;
	ticks.period_ms = 1000000;
	ticks.is_asked_for = true;
	fixture_open(fixture, (struct lane_options){.ops = &ops, .queue_max = 8, .batch_max = 1});
	fixture_submit_range(fixture, 0, 1);
	fixture_open_gate(fixture);
	fixture_wait_entered(fixture, 2);
	lane_stop(fixture->lane);
	const char *expected = "T A0 T A1";
	assert_memory_equal(expected, fixture->trace, strlen(expected));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(an_idle_lane_ticks_on_time),
		TEST(a_busy_lane_ticks_when_due),
		TEST(neither_ticks_nor_batches_starve),
		TEST(time_that_stands_still_gives_no_ticks),
		TEST(a_batch_asks_for_a_tick),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
