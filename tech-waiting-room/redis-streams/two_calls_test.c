/* The lesson of two_calls.h, each of its sentences shown on a real Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those first. */
#include <cmocka.h>
#include <stdio.h>

#include "lib/testkit/redis_fixture.h"
#include "tech-waiting-room/redis-streams/two_calls.h"

enum { PEOPLE = 10, TAKEN_MAX = 100 };

static struct redis_fixture server;
static struct redis *first, *second; /* Two servers' connections. */
static const struct slice event = {.data = "lesson-1", .size = 8};

static int set_up(void **state)
{
	(void)state;
	assert_int_equal(STATUS_OK, redis_fixture_start(&server, "two-calls"));
	struct redis_options options = {
		.url = server.url, .clock = clock_system(), .call_ms_max = 30000};
	first = redis_open(&options);
	second = redis_open(&options);
	assert_true(first && second);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	redis_close(first);
	redis_close(second);
	redis_fixture_stop(&server);
	return 0;
}

static int people_join(void **state)
{
	static const struct redis_command forget_all = {"FLUSHALL", REDIS_WRITES};
	(void)state;
	assert_int_equal(STATUS_OK, redis_execute(first, &forget_all, REDIS_NO_ARGUMENTS, NULL));
	for (int i = 0; i < PEOPLE; i++) {
		char person[16];
		snprintf(person, sizeof person, "p%d", i);
		assert_int_equal(STATUS_OK, two_calls_join(first, event, slice_of(person)));
	}
	return 0;
}

static void want_count(int64_t active, int64_t pending)
{
	int64_t active_now, pending_now;
	assert_int_equal(STATUS_OK, two_calls_count(first, event, &active_now, &pending_now));
	assert_int_equal(active, active_now);
	assert_int_equal(pending, pending_now);
}

static void test_both_calls_admit_in_order(void **state)
{
	struct taken taken[TAKEN_MAX];
	size_t count;
	(void)state;
	assert_int_equal(STATUS_OK, two_calls_take(first, event, "a", 3, taken, &count));
	assert_int_equal(3, count);
	assert_string_equal("p0", taken[0].person);
	assert_string_equal("p2", taken[2].person);
	want_count(0, 3);
	assert_int_equal(STATUS_OK, two_calls_confirm(first, event, taken, count));
	want_count(3, 0);
}

/* The first server dies between its calls: nobody is lost, but those behind are called first. */
static void test_the_dead_are_claimed(void **state)
{
	struct taken lost[TAKEN_MAX], taken[TAKEN_MAX], claimed[TAKEN_MAX];
	size_t count;
	(void)state;
	assert_int_equal(STATUS_OK, two_calls_take(first, event, "a", 3, lost, &count));
	assert_int_equal(STATUS_OK, two_calls_take(second, event, "b", 2, taken, &count));
	assert_int_equal(2, count);
	assert_string_equal("p3", taken[0].person); /* Before p0, p1 and p2. */
	assert_int_equal(STATUS_OK, two_calls_confirm(second, event, taken, count));
	want_count(2, 3);
	/* Too early to say that the first is dead. */
	assert_int_equal(STATUS_OK,
		two_calls_reclaim(second, event, "b", 3600000, TAKEN_MAX, claimed, &count));
	assert_int_equal(0, count);
	assert_int_equal(
		STATUS_OK, two_calls_reclaim(second, event, "b", 0, TAKEN_MAX, claimed, &count));
	assert_int_equal(3, count);
	assert_string_equal("p0", claimed[0].person);
	assert_int_equal(STATUS_OK, two_calls_confirm(second, event, claimed, count));
	want_count(5, 0);
}

/* The first was only slow: it confirms what the second has claimed and confirmed. */
static void test_confirming_twice_changes_nothing(void **state)
{
	struct taken taken[TAKEN_MAX], claimed[TAKEN_MAX];
	size_t count, claimed_count;
	(void)state;
	assert_int_equal(STATUS_OK, two_calls_take(first, event, "a", 3, taken, &count));
	assert_int_equal(STATUS_OK,
		two_calls_reclaim(second, event, "b", 0, TAKEN_MAX, claimed, &claimed_count));
	assert_int_equal(STATUS_OK, two_calls_confirm(second, event, claimed, claimed_count));
	assert_int_equal(STATUS_OK, two_calls_confirm(first, event, taken, count));
	want_count(3, 0);
}

/* The window: both count the same free slots, and the room holds more than it may. */
static void test_two_servers_pass_the_capacity(void **state)
{
	enum { ACTIVE_MAX = 2 };
	struct taken of_first[TAKEN_MAX], of_second[TAKEN_MAX];
	int64_t free_first, free_second;
	size_t count_first, count_second;
	(void)state;
	assert_int_equal(STATUS_OK, two_calls_free(first, event, ACTIVE_MAX, &free_first));
	assert_int_equal(STATUS_OK, two_calls_free(second, event, ACTIVE_MAX, &free_second));
	assert_int_equal(STATUS_OK,
		two_calls_take(first, event, "a", (size_t)free_first, of_first, &count_first));
	assert_int_equal(STATUS_OK,
		two_calls_take(second, event, "b", (size_t)free_second, of_second, &count_second));
	assert_int_equal(STATUS_OK, two_calls_confirm(first, event, of_first, count_first));
	assert_int_equal(STATUS_OK, two_calls_confirm(second, event, of_second, count_second));
	want_count(2 * ACTIVE_MAX, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_both_calls_admit_in_order, people_join),
		cmocka_unit_test_setup(test_the_dead_are_claimed, people_join),
		cmocka_unit_test_setup(test_confirming_twice_changes_nothing, people_join),
		cmocka_unit_test_setup(test_two_servers_pass_the_capacity, people_join),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
