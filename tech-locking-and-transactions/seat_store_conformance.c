/* See seat_store_conformance.h. The checks themselves are in the files *_conformance.c. */
#include "tech-locking-and-transactions/seat_store_conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tech-locking-and-transactions/seat_suite_conformance.h"

struct named_check {
	const char *name;
	suite_check *run;
};

static const struct named_check checks[] = {
	{"traits", check_traits},
	{"stock", check_stock},
	{"stock_refusals", check_stock_refusals},
	{"unknown_event", check_unknown_event},
	{"held_once", check_held_once},
	{"all_or_nothing", check_all_or_nothing},
	{"no_such_seat", check_no_such_seat},
	{"repeated_hold", check_repeated_hold},
	{"other_request", check_other_request},
	{"seat_named_twice", check_seat_named_twice},
	{"release", check_release},
	{"malformed", check_malformed},
	{"sale", check_sale},
	{"sold_once", check_sold_once},
	{"wrong_person", check_wrong_person},
	{"fence", check_fence},
	{"orders", check_orders},
	{"revoke", check_revoke},
	{"tickets", check_tickets},
	{"expired_is_not_sold", check_expired_is_not_sold},
	{"expired_is_free", check_expired_is_free},
	{"expire", check_expire},
	{"release_expired", check_release_expired},
	{"wait_past_expiry", check_wait_past_expiry},
	{"batch_limits", check_batch_limits},
	{"bad_among_good", check_bad_among_good},
	{"claims_in_a_batch", check_claims_in_a_batch},
	{"repeated_in_a_batch", check_repeated_in_a_batch},
	{"later_of_a_batch", check_later_of_a_batch},
	{"sales_in_a_batch", check_sales_in_a_batch},
	{"one_seat", check_one_seat},
	{"hundred_seats", check_hundred_seats},
	{"opposite_orders", check_opposite_orders},
	{"exact_refusals", check_exact_refusals},
	{"repeated_in_flight", check_repeated_in_flight},
	{"sell_and_expire", check_sell_and_expire},
	{"lost_answer", check_lost_answer},
	{"restart", check_restart},
};

enum { CHECK_COUNT = sizeof checks / sizeof *checks };

/* What one test of the group is about. */
struct group_test {
	const struct seat_store_factory *factory;
	const struct named_check *check;
};

static const char *run_check(const struct seat_store_factory *factory,
	const struct named_check *check, char *message, size_t message_size)
{
	struct seat_suite *suite = suite_open(factory, 0, SUITE_STORES, message, message_size);
	if (!suite)
		return message;
	const char *violation = check->run(suite);
	if (!violation)
		violation = suite_judge(suite);
	suite_close(suite);
	return violation;
}

static void run_as_test(void **state)
{
	const struct group_test *test = *state;
	char message[512];
	const char *violation = run_check(test->factory, test->check, message, sizeof message);
	if (violation)
		fail_msg("%s: %s: %s", test->factory->name, test->check->name, violation);
}

int seat_store_conformance(const struct seat_store_factory *factory)
{
	struct group_test states[CHECK_COUNT];
	struct CMUnitTest tests[CHECK_COUNT];
	random_seed(); /* Printed before the first test. */
	for (size_t i = 0; i < CHECK_COUNT; i++) {
		states[i] = (struct group_test){factory, &checks[i]};
		tests[i] = (struct CMUnitTest){.name = checks[i].name,
			.test_func = run_as_test,
			.initial_state = &states[i]};
	}
	return _cmocka_run_group_tests(factory->name, tests, CHECK_COUNT, NULL, NULL);
}

const char *const *seat_store_check_names(void)
{
	static const char *names[CHECK_COUNT + 1];
	for (size_t i = 0; i < CHECK_COUNT; i++)
		names[i] = checks[i].name;
	return names;
}

const char *seat_store_check(const struct seat_store_factory *factory, const char *name,
	char *message, size_t message_size)
{
	for (size_t i = 0; i < CHECK_COUNT; i++)
		if (strcmp(checks[i].name, name) == 0)
			return run_check(factory, &checks[i], message, message_size);
	snprintf(message, message_size, "there is no check of this name: %s", name);
	return message;
}
