/* Negative controls: what the suite says of stores that break the contract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/testkit/random.h"
#include "tech-locking-and-transactions/memory/seat_memory_fixture.h"

/* For each breakage, a check that sees it, and whether comparing with the oracle sees it too. */
static const struct control {
	enum seat_store_breakage breakage;
	const char *check;
	bool disagrees;
} controls[] = {
	{BREAK_HOLD_PART, "all_or_nothing", true},
	{BREAK_GRANT_TAKEN, "held_once", true},
	{BREAK_GRANT_TAKEN, "one_seat", true},
	{BREAK_FORGET_HOLD, "held_once", true},
	{BREAK_FORGET_HOLD, "hundred_seats", true},
	{BREAK_HOLD_AGAIN, "repeated_hold", true},
	{BREAK_HOLD_AGAIN, "repeated_in_flight", true},
	{BREAK_IGNORE_CONTENT, "other_request", true},
	{BREAK_ANYBODY_SELLS, "wrong_person", true},
	{BREAK_IGNORE_FENCE, "fence", true},
	{BREAK_SELL_EXPIRED, "expired_is_not_sold", true},
	{BREAK_SELL_AGAIN, "sold_once", true},
	{BREAK_FORGET_RELEASE, "release", true},
	{BREAK_FORGET_REVOCATION, "revoke", true},
	{BREAK_LAST_CLAIM_WINS, "claims_in_a_batch", true},
	{BREAK_STALE_STATUS, "held_once", true},
};

enum { CONTROL_COUNT = sizeof controls / sizeof *controls, OPERATIONS = 10000, SEEDS = 6 };

static void the_suite_sees(void **state)
{
	const struct control *control = *state;
	struct seat_memory_fixture fixture;
	seat_memory_fixture_init(&fixture);
	fixture.breakage = control->breakage;
	char message[512] = "";
	const char *violation =
		seat_store_check(&fixture.factory, control->check, message, sizeof message);
	seat_memory_fixture_release(&fixture);
	if (!violation)
		fail_msg("%s does not see %s", control->check,
			seat_store_breakage_name(control->breakage));
	print_message("%s: %s\n", control->check, violation);
}

static bool oracle_disagrees(const struct control *control, uint64_t seed)
{
	struct seat_memory_fixture oracle, subject;
	char message[512] = "";
	seat_memory_fixture_init(&oracle);
	seat_memory_fixture_init(&subject);
	subject.breakage = control->breakage;
	const char *violation =
		seat_store_agree(&(struct seat_store_agreement){.oracle = &oracle.factory,
					 .subject = &subject.factory,
					 .seed = seed,
					 .operations = OPERATIONS},
			message, sizeof message);
	seat_memory_fixture_release(&oracle);
	seat_memory_fixture_release(&subject);
	return violation != NULL;
}

/* One run may by chance come to where most seats are sold, and see little of what is left. */
static void the_oracle_disagrees(void **state)
{
	const struct control *control = *state;
	bool disagrees = false;
	for (uint64_t i = 0; i < SEEDS && !disagrees; i++)
		disagrees = oracle_disagrees(control, random_seed() + i);
	if (control->disagrees && !disagrees)
		fail_msg("the oracle agrees with %s", seat_store_breakage_name(control->breakage));
}

static void every_breakage_is_controlled(void **state)
{
	(void)state;
	for (int breakage = BREAK_NOTHING + 1; breakage < BREAK_COUNT; breakage++) {
		size_t at = 0;
		while (at < CONTROL_COUNT && (int)controls[at].breakage != breakage)
			at++;
		assert_in_range(at, 0, CONTROL_COUNT - 1);
	}
}

static void there_is_no_such_check(void **state)
{
	(void)state;
	struct seat_memory_fixture fixture;
	char message[512];
	seat_memory_fixture_init(&fixture);
	assert_non_null(
		seat_store_check(&fixture.factory, "no such check", message, sizeof message));
	seat_memory_fixture_release(&fixture);
}

int main(void)
{
	struct CMUnitTest tests[2 * CONTROL_COUNT + 2] = {
		cmocka_unit_test(every_breakage_is_controlled),
		cmocka_unit_test(there_is_no_such_check),
	};
	for (size_t i = 0; i < CONTROL_COUNT; i++) {
		void *state = (void *)(uintptr_t)&controls[i];
		const char *name = seat_store_breakage_name(controls[i].breakage);
		tests[2 + 2 * i] = (struct CMUnitTest){
			.name = name, .test_func = the_suite_sees, .initial_state = state};
		tests[3 + 2 * i] = (struct CMUnitTest){
			.name = name, .test_func = the_oracle_disagrees, .initial_state = state};
	}
	return cmocka_run_group_tests_name("broken", tests, NULL, NULL);
}
