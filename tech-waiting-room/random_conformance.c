/* Random operations, and an observer who knows only what was acknowledged. Part of the suite.
 *
 * Time plays no part in it: the windows are long. The observer keeps each person's state as the
 * answers imply it, and holds every later answer against that: places, capacity at each instant,
 * `serving`, and what the view counts. */
#include <inttypes.h>
#include <stdlib.h>

#include "tech-waiting-room/suite_conformance.h"

enum { OPERATIONS = 600, PEOPLE = 250, BATCH = 8 };

struct observer {
	enum person_state states[PEOPLE + 1];
	int64_t places[PEOPLE + 1];
	int64_t active, active_max, waiting, tail, serving, admitted;
};

static const char *observe_view(struct suite *suite, struct observer *observer)
{
	const struct waiting_room_view *view = &suite->view;
	CHECK(suite, view->tail == observer->tail, "tail %" PRId64 " after place %" PRId64,
		view->tail, observer->tail);
	CHECK(suite, view->serving >= observer->serving,
		"serving has gone back from %" PRId64 " to %" PRId64, observer->serving,
		view->serving);
	observer->serving = view->serving;
	CHECK(suite,
		view->active == observer->active && view->waiting == observer->waiting &&
			view->admitted == observer->admitted,
		"view: %" PRId64 " active, %" PRId64 " waiting; known are %" PRId64 " and %" PRId64,
		view->active, view->waiting, observer->active, observer->waiting);
	for (int person = 1; person <= PEOPLE; person++)
		CHECK(suite,
			observer->states[person] != PERSON_WAITING ||
				observer->places[person] > view->serving,
			"serving %" PRId64 " has passed place %" PRId64 ", who waits",
			view->serving, observer->places[person]);
	return NULL;
}

static const char *random_join(struct suite *suite, struct observer *observer)
{
	size_t count = (size_t)random_between(&suite->random, 1, BATCH);
	int64_t people[BATCH];
	for (size_t i = 0; i < count; i++) {
		people[i] = random_between(&suite->random, 1, PEOPLE);
		suite->join_requests[i] =
			(struct join_request){.person = suite_name(people[i], suite->names[i])};
	}
	TRY(suite_join_requests(suite, (int)random_below(&suite->random, 2), count));
	for (size_t i = 0; i < count; i++) {
		const struct join_result *result = &suite->joined[i];
		int64_t person = people[i];
		if (observer->states[person] == PERSON_UNKNOWN) {
			observer->states[person] = PERSON_WAITING;
			observer->places[person] = ++observer->tail;
			observer->waiting++;
			CHECK(suite, result->outcome == JOIN_NEW, "join: outcome %d of p%" PRId64,
				(int)result->outcome, person);
		} else
			CHECK(suite, result->outcome == JOIN_AGAIN,
				"join: outcome %d of p%" PRId64 ", who is known",
				(int)result->outcome, person);
		CHECK(suite,
			result->place == observer->places[person] &&
				result->state == observer->states[person],
			"join: p%" PRId64 " has place %" PRId64 " and state %d, not %" PRId64
			" and %d",
			person, result->place, (int)result->state, observer->places[person],
			(int)observer->states[person]);
	}
	return NULL;
}

static const char *random_admit(struct suite *suite, struct observer *observer)
{
	size_t max = (size_t)random_between(&suite->random, 1, BATCH);
	TRY(suite_admit(suite, (int)random_below(&suite->random, 2), max));
	int64_t possible = observer->active_max - observer->active;
	if (possible > observer->waiting)
		possible = observer->waiting;
	if (possible > (int64_t)max)
		possible = (int64_t)max;
	if (possible < 0)
		possible = 0;
	CHECK(suite, (int64_t)suite->admission_count == possible,
		"%zu were admitted where %" PRId64 " could be (%" PRId64 " active of %" PRId64 ")",
		suite->admission_count, possible, observer->active, observer->active_max);
	for (size_t i = 0; i < suite->admission_count; i++) {
		const struct admission *admission = &suite->admissions[i];
		int64_t person = strtoll(admission->person + 1, NULL, 10);
		CHECK(suite,
			person >= 1 && person <= PEOPLE &&
				observer->states[person] == PERSON_WAITING &&
				observer->places[person] == admission->place,
			"%s was admitted without waiting, or twice", admission->person);
		observer->states[person] = PERSON_ADMITTED;
		observer->active++;
		observer->admitted++;
		observer->waiting--;
	}
	return observe_view(suite, observer);
}

static const char *random_person(
	struct suite *suite, struct observer *observer, suite_operation *operation)
{
	int64_t person = random_between(&suite->random, 1, PEOPLE);
	enum person_state before = observer->states[person];
	TRY(suite_person_number(suite, (int)random_below(&suite->random, 2), operation, person));
	const struct person_result *result = &suite->people[0];
	if (operation == waiting_room_leave) {
		bool waited = before == PERSON_WAITING;
		bool was_active = before == PERSON_ADMITTED;
		observer->waiting -= waited;
		observer->active -= was_active;
		if (waited || was_active)
			observer->states[person] = PERSON_LEFT;
		CHECK(suite, result->changed == (waited || was_active),
			"leave: changed is %d for state %d", (int)result->changed, (int)before);
	}
	CHECK(suite,
		result->state == observer->states[person] &&
			result->place == observer->places[person],
		"p%" PRId64 " has state %d and place %" PRId64 ", not %d and %" PRId64, person,
		(int)result->state, result->place, (int)observer->states[person],
		observer->places[person]);
	return NULL;
}

static const char *random_limit(struct suite *suite, struct observer *observer)
{
	struct waiting_room_settings settings = suite_settings();
	settings.active_max = random_between(&suite->random, 0, 20);
	TRY(suite_configure(suite, &settings));
	observer->active_max = settings.active_max;
	return observe_view(suite, observer);
}

static const char *random_operation(struct suite *suite, struct observer *observer)
{
	static suite_operation *const operations[] = {waiting_room_look_up, waiting_room_heartbeat,
		waiting_room_claim, waiting_room_leave, waiting_room_leave, waiting_room_leave};
	uint64_t draw = random_below(&suite->random, 20);
	if (draw < 4)
		return random_join(suite, observer);
	if (draw < 9)
		return random_admit(suite, observer);
	if (draw < 10)
		return random_limit(suite, observer);
	return random_person(suite, observer, operations[random_below(&suite->random, 6)]);
}

const char *check_random_operations(struct suite *suite)
{
	struct observer observer = {0};
	TRY(random_limit(suite, &observer));
	for (int i = 0; i < OPERATIONS; i++)
		TRY(random_operation(suite, &observer));
	return NULL;
}
