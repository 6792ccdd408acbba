/* Chains of items: submitted together, in order, as far as there is room. */
#include "lib/batch/lane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/batch/lane_fixture.h"

enum { UNTOUCHED = -7 };

static struct lane_item *chain_of(struct fixture *fixture, int first, int last)
{
	for (int number = first; number <= last; number++)
		fixture->items[number].item = (struct lane_item){
			.next = number < last ? &fixture->items[number + 1].item : NULL,
			.deadline_ms = LANE_NEVER,
			.queued_ns = UNTOUCHED};
	return &fixture->items[first].item;
}

static void assert_chain(
	struct fixture *fixture, const struct lane_item *chain, int first, int last)
{
	for (int number = first; number <= last; number++, chain = chain->next) {
		assert_ptr_equal(&fixture->items[number].item, chain);
		assert_int_equal(UNTOUCHED, chain->queued_ns);
	}
	assert_null(chain);
}

static void a_chain_is_queued_in_its_order(void **state)
{
	struct fixture *fixture = *state;
	fixture_open(fixture, (struct lane_options){.queue_max = 16, .batch_max = 4});
	fixture_submit_range(fixture, 0, 0);
	fixture_wait_entered(fixture, 1);
	assert_null(lane_submit_all(fixture->lane, chain_of(fixture, 1, 3)));
	fixture_submit_range(fixture, 4, 4);
	assert_null(lane_submit_all(fixture->lane, chain_of(fixture, 5, 7)));
	assert_int_equal(7, lane_depth(fixture->lane));
	fixture_assert_trace(fixture, "A0 A1,2,3,4 A5,6,7");
}

/* The thread sleeps, so the whole chain is its batch. */
static void a_chain_wakes_the_lane(void **state)
{
	struct fixture *fixture = *state;
	fixture_open(fixture, (struct lane_options){.queue_max = 16, .batch_max = 16});
	assert_null(lane_submit_all(fixture->lane, chain_of(fixture, 0, 4)));
	fixture_wait_entered(fixture, 1);
	fixture_assert_trace(fixture, "A0,1,2,3,4");
}

static void what_has_no_room_comes_back(void **state)
{
	struct fixture *fixture = *state;
	fixture_open(fixture, (struct lane_options){.queue_max = 3, .batch_max = 16});
	fixture_submit_range(fixture, 0, 0);
	fixture_wait_entered(fixture, 1);
	assert_chain(fixture, lane_submit_all(fixture->lane, chain_of(fixture, 1, 5)), 4, 5);
	assert_int_equal(3, lane_depth(fixture->lane));
	assert_chain(fixture, lane_submit_all(fixture->lane, chain_of(fixture, 6, 8)), 6, 8);
	fixture_permit(fixture);
	fixture_wait_entered(fixture, 2);
	assert_null(lane_submit_all(fixture->lane, chain_of(fixture, 9, 11)));
	fixture_assert_trace(fixture, "A0 A1,2,3 A9,10,11");
	assert_chain(fixture, lane_submit_all(fixture->lane, chain_of(fixture, 12, 13)), 12, 13);
}

/* Each of the chain's items needs a thread of its own: no gate is open, so that none of them can do
 * another's part. */
static void a_chain_wakes_as_many_as_it_needs(void **state)
{
	enum { THREADS = 4 };
	struct fixture *fixture = *state;
	fixture_open(fixture,
		(struct lane_options){.queue_max = 16, .batch_max = 1, .thread_count = THREADS});
	assert_null(lane_submit_all(fixture->lane, chain_of(fixture, 0, THREADS - 1)));
	fixture_wait_entered(fixture, THREADS);
	fixture_open_gate(fixture);
	lane_stop(fixture->lane);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_chain_is_queued_in_its_order),
		TEST(a_chain_wakes_the_lane),
		TEST(what_has_no_room_comes_back),
		TEST(a_chain_wakes_as_many_as_it_needs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
