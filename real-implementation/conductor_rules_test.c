/* When a waiting room opens and closes by itself, and how many it lets in. */
#include "real-implementation/conductor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { CALM_MS = 30000 };

static const struct room_wish wish = {.open_at_holds_per_second = 100,
	.open_at_lane_depth = 50,
	.settings = {.active_max = 1000}};

static struct waiting_room_view room(enum waiting_room_state state, int64_t waiting)
{
	return (struct waiting_room_view){.settings = {.state = state}, .waiting = waiting};
}

static void test_demand_opens_a_room_that_is_closed(void **state)
{
	struct waiting_room_view closed = room(WAITING_ROOM_CLOSED, 0);
	struct room_demand demand = {.holds_per_second = 99, .lane_depth = 49};
	(void)state;
	assert_int_equal(ROOM_STAYS, room_decide(&wish, &demand, NULL, CALM_MS));
	assert_int_equal(ROOM_STAYS, room_decide(&wish, &demand, &closed, CALM_MS));
	demand.holds_per_second = 100;
	assert_int_equal(ROOM_OPENS, room_decide(&wish, &demand, NULL, CALM_MS));
	assert_int_equal(ROOM_OPENS, room_decide(&wish, &demand, &closed, CALM_MS));
	demand = (struct room_demand){.lane_depth = 50};
	assert_int_equal(ROOM_OPENS, room_decide(&wish, &demand, NULL, CALM_MS));
	/* Zero means never. */
	demand.holds_per_second = 1e9;
	assert_int_equal(ROOM_STAYS, room_decide(&(struct room_wish){0}, &demand, NULL, CALM_MS));
}

static void test_calm_closes_only_what_demand_has_opened(void **state)
{
	struct waiting_room_view open = room(WAITING_ROOM_OPEN, 0);
	struct waiting_room_view paused = room(WAITING_ROOM_PAUSED, 0);
	struct room_demand demand = {.calm_ms = CALM_MS, .opened_by_demand = true};
	(void)state;
	assert_int_equal(ROOM_CLOSES, room_decide(&wish, &demand, &open, CALM_MS));
	assert_int_equal(ROOM_STAYS, room_decide(&wish, &demand, &paused, CALM_MS));
	demand.calm_ms = CALM_MS - 1;
	assert_int_equal(ROOM_STAYS, room_decide(&wish, &demand, &open, CALM_MS));
	demand = (struct room_demand){.calm_ms = CALM_MS};
	assert_int_equal(ROOM_STAYS, room_decide(&wish, &demand, &open, CALM_MS));
}

static void test_it_is_calm_when_nobody_waits_and_few_ask(void **state)
{
	struct waiting_room_view nobody = room(WAITING_ROOM_OPEN, 0);
	struct waiting_room_view somebody = room(WAITING_ROOM_OPEN, 1);
	struct room_demand demand = {.holds_per_second = 50, .lane_depth = 25};
	(void)state;
	assert_true(room_is_calm(&wish, &demand, &nobody));
	assert_false(room_is_calm(&wish, &demand, &somebody));
	demand.holds_per_second = 51;
	assert_false(room_is_calm(&wish, &demand, &nobody));
	demand = (struct room_demand){.lane_depth = 26};
	assert_false(room_is_calm(&wish, &demand, &nobody));
}

static void test_nobody_is_let_in_for_whom_there_is_no_seat(void **state)
{
	struct room_demand demand = {.available = 5000};
	(void)state;
	assert_int_equal(1000, room_active_max(&wish, &demand));
	demand = (struct room_demand){.available = 10, .soon = 4, .holders = 3};
	assert_int_equal(17, room_active_max(&wish, &demand));
	demand = (struct room_demand){0};
	assert_int_equal(0, room_active_max(&wish, &demand));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_demand_opens_a_room_that_is_closed),
		cmocka_unit_test(test_calm_closes_only_what_demand_has_opened),
		cmocka_unit_test(test_it_is_calm_when_nobody_waits_and_few_ask),
		cmocka_unit_test(test_nobody_is_let_in_for_whom_there_is_no_seat),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
