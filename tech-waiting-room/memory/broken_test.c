/* Negative controls: what the suite says of rooms that break the contract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tech-waiting-room/memory/memory_fixture.h"

/* For each breakage, a check that sees it, and whether comparing with the oracle sees it too (which
 * leaves out time and loss). */
static const struct control {
	enum waiting_room_breakage breakage;
	const char *check;
	bool disagrees;
} controls[] = {
	{BREAK_REORDER_JOINS, "order", true},
	{BREAK_REORDER_JOINS, "lobby_ranks", true},
	{BREAK_REDELIVERED_JOIN, "joining_again", true},
	{BREAK_REDELIVERED_JOIN, "random_operations", true},
	{BREAK_LOSE_JOIN, "order", true},
	{BREAK_LOSE_JOIN, "parallel_joins", true},
	{BREAK_LOSE_ADMISSION, "admission_in_order", true},
	{BREAK_LOSE_ADMISSION, "random_operations", true},
	{BREAK_ADMIT_ONE_TOO_MANY, "capacity", true},
	{BREAK_ADMIT_ONE_TOO_MANY, "random_operations", true},
	{BREAK_SERVING_PASSES_TAIL, "admission_in_order", true},
	{BREAK_FORGET_LEAVE, "leaving", true},
	{BREAK_FORGET_LEAVE, "shuffle_by_hand", true},
	{BREAK_CALL_WHILE_PAUSED, "pause", true},
	{BREAK_IGNORE_RATE, "rate", false},
	{BREAK_IGNORE_RATE, "slow_rate", false},
	{BREAK_IGNORE_CLAIM_WINDOW, "claim_window", true},
	{BREAK_IGNORE_SILENCE, "silence", false},
	{BREAK_IGNORE_SESSION_END, "session_end", false},
	{BREAK_SERVING_GOES_BACK, "random_operations", true},
	{BREAK_CHANGE_SEED, "shuffle_by_hand", false},
	{BREAK_FORGET_TOKENS, "loss", false},
	{BREAK_FORGET_TOKENS, "loss_in_lobby", false},
	{BREAK_FORGET_TOKENS, "loss_after_shuffle", false},
	{BREAK_FORGET_PASSES, "loss_of_active", false},
};

enum { CONTROL_COUNT = sizeof controls / sizeof *controls, PEOPLE_MAX = 20000 };

static void the_suite_sees(void **state)
{
	const struct control *control = *state;
	struct memory_fixture fixture;
	memory_fixture_init(&fixture, PEOPLE_MAX, 1);
	fixture.breakage = control->breakage;
	char message[512] = "";
	const char *violation =
		waiting_room_check(&fixture.factory, control->check, message, sizeof message);
	memory_fixture_release(&fixture);
	if (!violation)
		fail_msg("%s does not see %s", control->check,
			waiting_room_breakage_name(control->breakage));
	print_message("%s: %s\n", control->check, violation);
}

static void the_oracle_disagrees(void **state)
{
	const struct control *control = *state;
	struct memory_fixture oracle, subject;
	memory_fixture_init(&oracle, PEOPLE_MAX, 1);
	memory_fixture_init(&subject, PEOPLE_MAX, 1);
	subject.breakage = control->breakage;
	struct waiting_room_agreement agreement = {
		.oracle = &oracle.factory,
		.subject = &subject.factory,
		.operations = 2000,
	};
	char message[512] = "";
	const char *difference = waiting_room_agree(&agreement, message, sizeof message);
	memory_fixture_release(&oracle);
	memory_fixture_release(&subject);
	if (!difference && control->disagrees)
		fail_msg("nothing is seen of %s", waiting_room_breakage_name(control->breakage));
}

/* The wrapper alone changes nothing. */
static void nothing_broken_is_seen(void **state)
{
	(void)state;
	struct memory_fixture fixture;
	memory_fixture_init(&fixture, PEOPLE_MAX, 1);
	fixture.breakage = BREAK_COUNT;
	char message[512];
	for (const char *const *name = waiting_room_check_names(); *name; name++) {
		const char *violation =
			waiting_room_check(&fixture.factory, *name, message, sizeof message);
		if (violation)
			fail_msg("%s: %s", *name, violation);
	}
	memory_fixture_release(&fixture);
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
	struct memory_fixture fixture;
	memory_fixture_init(&fixture, PEOPLE_MAX, 1);
	char message[512];
	assert_non_null(
		waiting_room_check(&fixture.factory, "no such check", message, sizeof message));
	memory_fixture_release(&fixture);
}

int main(void)
{
	struct CMUnitTest tests[2 * CONTROL_COUNT + 3] = {
		cmocka_unit_test(nothing_broken_is_seen),
		cmocka_unit_test(every_breakage_is_controlled),
		cmocka_unit_test(there_is_no_such_check),
	};
	for (size_t i = 0; i < CONTROL_COUNT; i++) {
		void *state = (void *)(uintptr_t)&controls[i];
		const char *name = waiting_room_breakage_name(controls[i].breakage);
		tests[3 + 2 * i] = (struct CMUnitTest){
			.name = name, .test_func = the_suite_sees, .initial_state = state};
		tests[4 + 2 * i] = (struct CMUnitTest){
			.name = name, .test_func = the_oracle_disagrees, .initial_state = state};
	}
	return cmocka_run_group_tests_name("broken", tests, NULL, NULL);
}
