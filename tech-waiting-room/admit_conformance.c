/* Calling people: order, capacity, rate, leaving, claiming, states. Part of the suite. */
#include <inttypes.h>
#include <stdlib.h>

#include "tech-waiting-room/suite_conformance.h"

/* Make the room with these settings, and let people 1 to `count` join. */
static const char *room_with(
	struct suite *suite, const struct waiting_room_settings *settings, size_t count)
{
	TRY(suite_configure(suite, settings));
	return suite_join_range(suite, 0, 1, count);
}

static const char *expect_admitted(struct suite *suite, int room, size_t max, size_t count)
{
	TRY(suite_admit(suite, room, max));
	CHECK(suite, suite->admission_count == count, "%zu were admitted instead of %zu",
		suite->admission_count, count);
	return NULL;
}

static const char *expect_same(
	struct suite *suite, const struct admission *admission, const struct person_result *person)
{
	CHECK(suite,
		person->state == PERSON_ADMITTED && !person->changed && !person->claimed &&
			person->place == admission->place && person->epoch == admission->epoch &&
			person->admitted_at_ms == admission->admitted_at_ms &&
			person->pass_ends_at_ms == admission->pass_ends_at_ms,
		"look_up tells another admission of place %" PRId64, admission->place);
	return NULL;
}

const char *check_admission_in_order(struct suite *suite)
{
	enum { PEOPLE = 60 };
	struct waiting_room_settings settings = suite_settings();
	TRY(room_with(suite, &settings, PEOPLE));
	int64_t start_ms = suite_now_ms(suite);
	int64_t called = 0;
	while (called < PEOPLE) {
		size_t max = (size_t)random_between(&suite->random, 1, 9);
		TRY(suite_admit(suite, (int)random_below(&suite->random, SUITE_INSTANCES), max));
		CHECK(suite, suite->admission_count > 0, "nobody is admitted though people wait");
		for (size_t i = 0; i < suite->admission_count; i++) {
			const struct admission *admission = &suite->admissions[i];
			char name[SUITE_NAME_SIZE];
			called++;
			CHECK(suite,
				suite_admitted_is(suite, i, suite_name(called, name)) &&
					admission->place == called,
				"place %" PRId64 " is called when it is the turn of %" PRId64,
				admission->place, called);
			CHECK(suite,
				admission->pass_ends_at_ms ==
					admission->admitted_at_ms + settings.claim_seconds * 1000,
				"the pass does not end with the claim window");
			CHECK(suite, llabs(admission->admitted_at_ms - start_ms) < 3600000,
				"the time of the admission is none of today");
		}
		CHECK(suite,
			suite->view.active == called && suite->view.admitted == called &&
				suite->view.waiting == PEOPLE - called,
			"view: %" PRId64 " active, %" PRId64 " admitted, %" PRId64
			" waiting after %" PRId64 " calls",
			suite->view.active, suite->view.admitted, suite->view.waiting, called);
		struct admission last = suite->admissions[suite->admission_count - 1];
		TRY(suite_person_number(suite, 0, waiting_room_look_up, called));
		TRY(expect_same(suite, &last, &suite->people[0]));
	}
	return expect_admitted(suite, 0, 10, 0);
}

const char *check_capacity(struct suite *suite)
{
	struct waiting_room_settings settings = suite_settings();
	settings.active_max = 5;
	TRY(room_with(suite, &settings, 40));
	TRY(expect_admitted(suite, 0, 3, 3));
	TRY(expect_admitted(suite, 1, 10, 2));
	TRY(expect_admitted(suite, 0, 10, 0));
	TRY(suite_person_range(suite, 0, waiting_room_leave, 1, 2));
	TRY(expect_admitted(suite, 1, 10, 2));

	/* Lowered: nobody is sent away, and nobody is called until enough have gone. */
	settings.active_max = 2;
	TRY(suite_configure(suite, &settings));
	CHECK(suite, suite->view.active == 5, "lowering active_max has sent somebody away");
	TRY(suite_person_range(suite, 0, waiting_room_leave, 3, 3));
	TRY(expect_admitted(suite, 0, 10, 0));
	TRY(suite_person_number(suite, 1, waiting_room_leave, 6));
	TRY(expect_admitted(suite, 0, 10, 1));
	settings.active_max = 0;
	TRY(suite_configure(suite, &settings));
	TRY(suite_person_range(suite, 0, waiting_room_leave, 7, 2));
	TRY(expect_admitted(suite, 1, 10, 0));
	settings.active_max = 8;
	TRY(suite_configure(suite, &settings));
	TRY(expect_admitted(suite, 0, 20, 8));
	CHECK(suite, suite->admissions[0].place == 9,
		"raising active_max has passed over somebody");
	return expect_admitted(suite, 1, 20, 0);
}

/* ---- rate ---- */

/* Let `count` people be admitted at the room's pace; `times` are when. */
static const char *admit_over_time(struct suite *suite, size_t count, int64_t times[])
{
	int64_t start_ms = suite_now_ms(suite);
	for (size_t admitted = 0; admitted < count;) {
		TRY(suite_admit(suite, (int)(admitted % SUITE_INSTANCES), count - admitted));
		for (size_t i = 0; i < suite->admission_count; i++)
			times[admitted++] = suite->admissions[i].admitted_at_ms;
		CHECK(suite, suite_wait(suite, start_ms), "only %zu of %zu were ever admitted",
			admitted, count);
	}
	return NULL;
}

/* Between any two admissions, no more than the bucket holds and the time refills. A millisecond and
 * one more for what is rounded. */
static const char *expect_rate(
	struct suite *suite, const int64_t times[], size_t count, double rate, double burst)
{
	for (size_t first = 0; first < count; first++)
		for (size_t last = first; last < count; last++) {
			double elapsed = (double)(times[last] - times[first] + 1) / 1000;
			CHECK(suite, (double)(last - first + 1) <= burst + rate * elapsed + 1e-6,
				"%zu were admitted within %.3f s at %.1f per second",
				last - first + 1, elapsed, rate);
		}
	return NULL;
}

const char *check_rate(struct suite *suite)
{
	enum { PEOPLE = 90, RATE = 20 };
	int64_t times[PEOPLE] = {0};
	struct waiting_room_settings settings = suite_settings();
	settings.rate_per_second = RATE;
	TRY(room_with(suite, &settings, PEOPLE));
	TRY(admit_over_time(suite, PEOPLE / 2, times));
	settings.rate_per_second = RATE * 2;
	TRY(suite_configure(suite, &settings));
	TRY(admit_over_time(suite, PEOPLE / 2, times + PEOPLE / 2));
	/* A bucket that is made larger is not filled by that. */
	TRY(expect_rate(suite, times, PEOPLE / 2, RATE, RATE));
	return expect_rate(suite, times + PEOPLE / 2, PEOPLE / 2, RATE * 2, RATE * 2);
}

/* Less than one per second: the bucket holds one. */
const char *check_slow_rate(struct suite *suite)
{
	enum { PEOPLE = 3 };
	int64_t times[PEOPLE] = {0};
	struct waiting_room_settings settings = suite_settings();
	settings.rate_per_second = 0.8;
	TRY(room_with(suite, &settings, PEOPLE));
	TRY(admit_over_time(suite, PEOPLE, times));
	return expect_rate(suite, times, PEOPLE, 0.8, 1);
}

/* ---- leaving and claiming ---- */

static const char *expect_left(struct suite *suite, int room, int64_t person, bool changed)
{
	TRY(suite_person_number(suite, room, waiting_room_leave, person));
	const struct person_result *result = &suite->people[0];
	CHECK(suite, result->state == PERSON_LEFT && result->place == person,
		"leave: state %d, place %" PRId64, (int)result->state, result->place);
	CHECK(suite, result->changed == changed, "leave: changed is %d", (int)result->changed);
	return NULL;
}

const char *check_leaving(struct suite *suite)
{
	struct waiting_room_settings settings = suite_settings();
	settings.active_max = 2;
	TRY(room_with(suite, &settings, 6));
	TRY(expect_left(suite, 0, 2, true));
	TRY(expect_left(suite, 1, 2, false));
	TRY(expect_left(suite, 0, 6, true));
	TRY(suite_view(suite, 1));
	CHECK(suite, suite->view.waiting == 4 && suite->view.tail == 6,
		"after two have left the line, %" PRId64 " wait", suite->view.waiting);

	TRY(expect_admitted(suite, 0, 10, 2));
	CHECK(suite, suite->admissions[0].place == 1 && suite->admissions[1].place == 3,
		"somebody who had left was called");
	TRY(expect_left(suite, 1, 1, true));
	TRY(expect_left(suite, 0, 1, false));
	TRY(expect_admitted(suite, 0, 10, 1));
	TRY(suite_person_number(suite, 0, waiting_room_look_up, 1));
	CHECK(suite, suite->people[0].state == PERSON_LEFT, "who left is in state %d",
		(int)suite->people[0].state);

	/* Who never joined leaves nothing, and may join afterwards. */
	TRY(suite_person_number(suite, 0, waiting_room_leave, 7));
	CHECK(suite, suite->people[0].state == PERSON_UNKNOWN && !suite->people[0].changed,
		"somebody unknown has left");
	TRY(suite_join_number(suite, 1, 7));
	CHECK(suite, suite->joined[0].outcome == JOIN_NEW && suite->joined[0].place == 7,
		"leaving before joining has an effect");

	/* Twice in one batch counts once; the last in line is not called. */
	suite->person_requests[0] =
		(struct person_request){suite_name(3, suite->names[0]), 0, 0, 0};
	suite->person_requests[1] = suite->person_requests[0];
	TRY(suite_person_requests(suite, 0, waiting_room_leave, 2));
	CHECK(suite, suite->people[0].changed && !suite->people[1].changed,
		"leaving twice in a batch counts twice");
	TRY(expect_left(suite, 0, 4, true));
	TRY(expect_admitted(suite, 1, 10, 2));
	CHECK(suite, suite->admissions[0].place == 5 && suite->admissions[1].place == 7,
		"somebody who had left was called");
	return NULL;
}

static const char *expect_claimed(struct suite *suite, int room, int64_t person, bool changed)
{
	TRY(suite_person_number(suite, room, waiting_room_claim, person));
	CHECK(suite, suite->people[0].state == PERSON_ADMITTED && suite->people[0].claimed,
		"claim: state %d", (int)suite->people[0].state);
	CHECK(suite, suite->people[0].changed == changed, "claim: changed is %d",
		(int)suite->people[0].changed);
	return NULL;
}

const char *check_claiming(struct suite *suite)
{
	struct waiting_room_settings settings = suite_settings();
	TRY(room_with(suite, &settings, 3));
	TRY(expect_admitted(suite, 0, 2, 2));
	int64_t admitted_at_ms = suite->admissions[0].admitted_at_ms;
	TRY(expect_claimed(suite, 0, 1, true));
	CHECK(suite,
		suite->people[0].pass_ends_at_ms ==
			admitted_at_ms + settings.session_seconds * 1000,
		"a claimed pass does not end with the session");
	TRY(expect_claimed(suite, 1, 1, false));
	TRY(suite_person_number(suite, 1, waiting_room_look_up, 1));
	CHECK(suite, suite->people[0].claimed && !suite->people[0].changed,
		"look_up does not tell that the pass was claimed");

	/* Not of who waits, and not of who has left. */
	TRY(suite_person_number(suite, 0, waiting_room_claim, 3));
	CHECK(suite,
		suite->people[0].state == PERSON_WAITING && !suite->people[0].changed &&
			!suite->people[0].claimed,
		"somebody who waits can claim a pass");
	TRY(suite_person_number(suite, 0, waiting_room_leave, 2));
	TRY(suite_person_number(suite, 1, waiting_room_claim, 2));
	CHECK(suite, suite->people[0].state == PERSON_LEFT && !suite->people[0].changed,
		"somebody who has left can claim a pass");
	TRY(suite_view(suite, 0));
	CHECK(suite, suite->view.active == 1, "claiming has changed how many are active");
	return NULL;
}

/* ---- states ---- */

static const char *set_state(
	struct suite *suite, struct waiting_room_settings *settings, enum waiting_room_state state)
{
	settings->state = state;
	TRY(suite_configure(suite, settings));
	CHECK(suite, suite->view.settings.state == state, "the room does not take its state");
	return NULL;
}

static const char *expect_join(struct suite *suite, int64_t person, enum join_outcome outcome)
{
	TRY(suite_join_number(suite, 1, person));
	CHECK(suite, suite->joined[0].outcome == outcome, "join: outcome %d instead of %d",
		(int)suite->joined[0].outcome, (int)outcome);
	return NULL;
}

const char *check_pause(struct suite *suite)
{
	struct waiting_room_settings settings = suite_settings();
	TRY(room_with(suite, &settings, 4));
	TRY(expect_admitted(suite, 0, 1, 1));
	TRY(set_state(suite, &settings, WAITING_ROOM_PAUSED));
	TRY(expect_admitted(suite, 0, 10, 0));
	TRY(expect_admitted(suite, 1, 10, 0));
	TRY(expect_join(suite, 5, JOIN_NEW));
	TRY(expect_claimed(suite, 0, 1, true));
	TRY(suite_person_number(suite, 0, waiting_room_leave, 2));
	TRY(set_state(suite, &settings, WAITING_ROOM_OPEN));
	TRY(expect_admitted(suite, 0, 10, 3));
	CHECK(suite, suite->admissions[0].place == 3 && suite->admissions[2].place == 5,
		"the pause has changed the order");
	return NULL;
}

const char *check_drain_and_close(struct suite *suite)
{
	struct waiting_room_settings settings = suite_settings();
	TRY(room_with(suite, &settings, 4));
	TRY(set_state(suite, &settings, WAITING_ROOM_DRAINING));
	TRY(expect_join(suite, 5, JOIN_CLOSED));
	CHECK(suite, suite->joined[0].place == 0, "somebody refused has a place");
	TRY(expect_join(suite, 4, JOIN_AGAIN));
	TRY(expect_admitted(suite, 0, 2, 2));

	TRY(set_state(suite, &settings, WAITING_ROOM_CLOSED));
	TRY(expect_join(suite, 5, JOIN_CLOSED));
	TRY(expect_join(suite, 3, JOIN_AGAIN));
	TRY(expect_admitted(suite, 1, 10, 0));
	TRY(expect_claimed(suite, 0, 1, true));
	TRY(suite_person_number(suite, 0, waiting_room_leave, 2));
	CHECK(suite, suite->people[0].changed, "nobody can leave a closed room");

	TRY(set_state(suite, &settings, WAITING_ROOM_OPEN));
	TRY(expect_join(suite, 5, JOIN_NEW));
	CHECK(suite, suite->joined[0].place == 5, "who was refused has taken a place");
	return expect_admitted(suite, 0, 10, 3);
}

/* The reply to `admit` never arrives; another instance finds out. */
const char *check_lost_admission(struct suite *suite)
{
	struct waiting_room_settings settings = suite_settings();
	settings.active_max = 3;
	TRY(room_with(suite, &settings, 6));
	TRY(expect_admitted(suite, 0, 10, 3));
	suite->admission_count = 0;
	TRY(suite_person_range(suite, 1, waiting_room_look_up, 1, 6));
	for (size_t i = 0; i < 6; i++) {
		enum person_state expected = i < 3 ? PERSON_ADMITTED : PERSON_WAITING;
		CHECK(suite, suite->people[i].state == expected,
			"person %zu is in state %d after a lost admission", i + 1,
			(int)suite->people[i].state);
		CHECK(suite,
			i >= 3 ||
				suite->people[i].pass_ends_at_ms ==
					suite->people[i].admitted_at_ms +
						settings.claim_seconds * 1000,
			"look_up cannot make the pass of a lost admission");
	}
	TRY(expect_admitted(suite, 1, 10, 0));
	TRY(suite_person_number(suite, 1, waiting_room_leave, 2));
	TRY(expect_admitted(suite, 1, 10, 1));
	CHECK(suite, suite->admissions[0].place == 4, "a lost admission was made again");
	return NULL;
}
