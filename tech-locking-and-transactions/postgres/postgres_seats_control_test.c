/* Negative controls: with a guard off, the suite sees the damage; with it on, the same check
 * passes.
 *
 * A check that draws lots, such as a crowd before one seat, may find nothing wrong by luck; it is
 * asked again a few times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tech-locking-and-transactions/postgres/postgres_seats_fixture.h"
#include "tech-locking-and-transactions/postgres/seats_unguarded.h"

enum { TRIES = 8 };

static struct seats_fixture fixture;

static const struct control {
	const char *name;
	enum seats_guard guard;
	enum postgres_seats_technique technique;
	const char *check;
} controls[] = {
	{"batched without row lock", SEATS_GUARD_LOCK, POSTGRES_SEATS_BATCHED, "one_seat"},
	{"pessimistic without row lock", SEATS_GUARD_LOCK, POSTGRES_SEATS_PESSIMISTIC, "one_seat"},
	{"optimistic without version check", SEATS_GUARD_VERSION, POSTGRES_SEATS_OPTIMISTIC,
		"one_seat"},
	{"batched without fence", SEATS_GUARD_FENCE, POSTGRES_SEATS_BATCHED, "fence"},
	{"pessimistic without fence", SEATS_GUARD_FENCE, POSTGRES_SEATS_PESSIMISTIC, "fence"},
	{"optimistic without fence", SEATS_GUARD_FENCE, POSTGRES_SEATS_OPTIMISTIC, "fence"},
	{"batched by now()", SEATS_GUARD_CLOCK, POSTGRES_SEATS_BATCHED, "wait_past_expiry"},
	{"pessimistic by now()", SEATS_GUARD_CLOCK, POSTGRES_SEATS_PESSIMISTIC, "wait_past_expiry"},
	{"optimistic by now()", SEATS_GUARD_CLOCK, POSTGRES_SEATS_OPTIMISTIC, "wait_past_expiry"},
};

enum { CONTROL_COUNT = sizeof controls / sizeof *controls };

static void the_suite_sees(void **state)
{
	const struct control *control = *state;
	char message[512] = "";
	const char *violation = NULL;
	fixture.technique = control->technique;
	seats_guard_off(control->guard);
	for (int try = 0; try < TRIES && !violation; try++)
		violation =
			seat_store_check(&fixture.factory, control->check, message, sizeof message);
	seats_guard_off(SEATS_GUARD_NONE);
	if (!violation)
		fail_msg("%s: %s sees nothing", control->name, control->check);
	print_message("%s: %s: %s\n", control->name, control->check, violation);
}

static void with_the_guard_all_is_well(void **state)
{
	const struct control *control = *state;
	char message[512] = "";
	fixture.technique = control->technique;
	const char *violation =
		seat_store_check(&fixture.factory, control->check, message, sizeof message);
	if (violation)
		fail_msg("%s: %s", control->check, violation);
}

int main(void)
{
	struct CMUnitTest tests[2 * CONTROL_COUNT];
	for (size_t i = 0; i < CONTROL_COUNT; i++) {
		void *state = (void *)(uintptr_t)&controls[i];
		tests[2 * i] = (struct CMUnitTest){.name = controls[i].name,
			.test_func = the_suite_sees,
			.initial_state = state};
		tests[2 * i + 1] = (struct CMUnitTest){.name = controls[i].check,
			.test_func = with_the_guard_all_is_well,
			.initial_state = state};
	}
	int failed = 1;
	if (seats_fixture_start(&fixture, "control", POSTGRES_SEATS_BATCHED) == STATUS_OK)
		failed = cmocka_run_group_tests_name("controls", tests, NULL, NULL);
	seats_fixture_stop(&fixture);
	return failed;
}
