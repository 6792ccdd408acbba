/* See waiting_room_conformance.h. The checks themselves are in the files *_conformance.c. */
#include "tech-waiting-room/waiting_room_conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tech-waiting-room/suite_conformance.h"

struct named_check {
	const char *name;
	suite_check *run;
};

static const struct named_check checks[] = {
	{"traits", check_traits},
	{"unknown_event", check_unknown_event},
	{"settings_are_shown", check_settings_are_shown},
	{"order", check_order},
	{"duplicates_in_a_batch", check_duplicates_in_a_batch},
	{"joining_again", check_joining_again},
	{"hostile_ids", check_hostile_ids},
	{"event_ids", check_event_ids},
	{"batch_limits", check_batch_limits},
	{"list", check_list},
	{"admission_in_order", check_admission_in_order},
	{"capacity", check_capacity},
	{"rate", check_rate},
	{"slow_rate", check_slow_rate},
	{"leaving", check_leaving},
	{"claiming", check_claiming},
	{"pause", check_pause},
	{"drain_and_close", check_drain_and_close},
	{"lost_admission", check_lost_admission},
	{"claim_window", check_claim_window},
	{"silence", check_silence},
	{"session_end", check_session_end},
	{"next_ms", check_next_ms},
	{"lobby_ranks", check_lobby_ranks},
	{"shuffle_by_hand", check_shuffle_by_hand},
	{"lobby_paging", check_lobby_paging},
	{"start_by_time", check_start_by_time},
	{"empty_lobby", check_empty_lobby},
	{"no_return_to_lobby", check_no_return_to_lobby},
	{"random_operations", check_random_operations},
	{"parallel_joins", check_parallel_joins},
	{"parallel_admissions", check_parallel_admissions},
	{"redelivery", check_redelivery},
	{"restart", check_restart},
	{"loss", check_loss},
	{"loss_of_active", check_loss_of_active},
	{"loss_in_lobby", check_loss_in_lobby},
	{"loss_after_shuffle", check_loss_after_shuffle},
};

enum { CHECK_COUNT = sizeof checks / sizeof *checks };

/* What one test of the group is about. */
struct group_test {
	const struct waiting_room_factory *factory;
	const struct named_check *check;
};

static const char *run_check(const struct waiting_room_factory *factory,
	const struct named_check *check, char *message, size_t message_size)
{
	struct suite *suite = suite_open(factory, 0, message, message_size);
	if (!suite)
		return message;
	const char *violation = check->run(suite);
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

int waiting_room_conformance(const struct waiting_room_factory *factory)
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

const char *const *waiting_room_check_names(void)
{
	static const char *names[CHECK_COUNT + 1];
	for (size_t i = 0; i < CHECK_COUNT; i++)
		names[i] = checks[i].name;
	return names;
}

const char *waiting_room_check(const struct waiting_room_factory *factory, const char *name,
	char *message, size_t message_size)
{
	for (size_t i = 0; i < CHECK_COUNT; i++)
		if (strcmp(checks[i].name, name) == 0)
			return run_check(factory, &checks[i], message, message_size);
	snprintf(message, message_size, "there is no check of this name: %s", name);
	return message;
}
