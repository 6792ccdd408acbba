#include "lib/ticketing/seat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void names_are_those_of_the_api(void **state)
{
	(void)state;
	assert_string_equal(seat_status_name(SEAT_AVAILABLE), "available");
	assert_string_equal(seat_status_name(SEAT_HELD), "held");
	assert_string_equal(seat_status_name(SEAT_SOLD), "sold");
}

static void names_are_read_back(void **state)
{
	(void)state;
	for (int i = 0; i < SEAT_STATUS_COUNT; i++) {
		enum seat_status status;
		assert_true(seat_status_parse(
			slice_of(seat_status_name((enum seat_status)i)), &status));
		assert_int_equal(status, i);
	}
}

static void other_names_are_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "Held", "held ", "hel", "heldd", "reserved"};
	enum seat_status status = SEAT_SOLD;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(seat_status_parse(slice_of(wrong[i]), &status));
	assert_int_equal(status, SEAT_SOLD);
}

/* Every pair of status and event, written out a second time and in another form. */
static void only_five_transitions_are_legal(void **state)
{
	(void)state;
	static const int expected[SEAT_STATUS_COUNT][SEAT_EVENT_COUNT] = {
		/* hold, release, expire, sell, revoke */
		{SEAT_HELD, -1, -1, -1, -1},
		{-1, SEAT_AVAILABLE, SEAT_AVAILABLE, SEAT_SOLD, -1},
		{-1, -1, -1, -1, SEAT_AVAILABLE},
	};
	for (int from = 0; from < SEAT_STATUS_COUNT; from++) {
		for (int event = 0; event < SEAT_EVENT_COUNT; event++) {
			enum seat_status to = (enum seat_status)from;
			bool legal = seat_transition(
				(enum seat_status)from, (enum seat_event)event, &to);
			assert_int_equal(legal, expected[from][event] >= 0);
			assert_int_equal(to, legal ? expected[from][event] : from);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_those_of_the_api),
		cmocka_unit_test(names_are_read_back),
		cmocka_unit_test(other_names_are_refused),
		cmocka_unit_test(only_five_transitions_are_legal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
