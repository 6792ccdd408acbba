/* Joining: order, idempotence, ids, limits. Part of the suite. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tech-waiting-room/suite_conformance.h"

static const char *unknown_person(struct suite *suite, suite_operation *operation)
{
	TRY(suite_person_number(suite, 0, operation, 1));
	const struct person_result *result = &suite->people[0];
	CHECK(suite, result->state == PERSON_UNKNOWN && !result->changed && result->place == 0,
		"somebody unknown has state %d and place %" PRId64, (int)result->state,
		result->place);
	return NULL;
}

static const char *all_operations_on_somebody_unknown(struct suite *suite)
{
	TRY(unknown_person(suite, waiting_room_look_up));
	TRY(unknown_person(suite, waiting_room_heartbeat));
	TRY(unknown_person(suite, waiting_room_claim));
	return unknown_person(suite, waiting_room_leave);
}

const char *check_unknown_event(struct suite *suite)
{
	TRY(suite_join_number(suite, 0, 1));
	CHECK(suite, suite->joined[0].outcome == JOIN_NO_ROOM, "join: outcome %d without a room",
		(int)suite->joined[0].outcome);
	TRY(all_operations_on_somebody_unknown(suite));
	TRY(suite_admit(suite, 0, 10));
	CHECK(suite, suite->admission_count == 0 && suite->view.epoch == 0,
		"admit: %zu people, epoch %" PRId64 " without a room", suite->admission_count,
		suite->view.epoch);

	bool found = true;
	enum status status =
		waiting_room_view(suite->rooms[0], slice_of(suite->event), &suite->view, &found);
	CHECK(suite, status == STATUS_OK && !found && suite->view.epoch == 0,
		"view: an event without a room is found");
	size_t count = 1;
	char people[1][SUITE_NAME_SIZE];
	status = waiting_room_lobby(suite->rooms[0], slice_of(suite->event), 1, people, 1, &count);
	CHECK(suite, status == STATUS_OK && count == 0, "lobby: somebody is in it without a room");
	return NULL;
}

static const char *same_settings(struct suite *suite, const struct waiting_room_settings *expected)
{
	const struct waiting_room_settings *settings = &suite->view.settings;
	double difference = settings->rate_per_second - expected->rate_per_second;
	CHECK(suite,
		settings->state == expected->state && difference > -0.001 && difference < 0.001 &&
			settings->active_max == expected->active_max &&
			settings->claim_seconds == expected->claim_seconds &&
			settings->heartbeat_seconds == expected->heartbeat_seconds &&
			settings->session_seconds == expected->session_seconds &&
			settings->starts_at_ms == expected->starts_at_ms,
		"view: other settings than were set");
	return NULL;
}

const char *check_settings_are_shown(struct suite *suite)
{
	static const uint8_t zeros[WAITING_ROOM_SEED_SIZE];
	struct waiting_room_settings settings = {.state = WAITING_ROOM_LOBBY,
		.rate_per_second = 12.5,
		.active_max = 321,
		.claim_seconds = 61,
		.heartbeat_seconds = 31,
		.session_seconds = 601,
		.starts_at_ms = suite_now_ms(suite) + 86400000};
	TRY(suite_configure(suite, &settings));
	TRY(same_settings(suite, &settings));
	struct waiting_room_view view = suite->view;
	CHECK(suite,
		view.epoch == 1 && view.serving == 0 && view.tail == 0 && view.waiting == 0 &&
			view.active == 0 && view.admitted == 0 && view.lobby_size == 0,
		"a new room is not empty");
	CHECK(suite, view.exact && !view.shuffled, "a new room is not exact, or shuffled");
	CHECK(suite, memcmp(view.seed_commitment, zeros, sizeof zeros) != 0,
		"no commitment to a seed is published");
	CHECK(suite, memcmp(view.seed, zeros, sizeof zeros) == 0, "the seed is known too early");

	settings.active_max = 0;
	settings.rate_per_second = WAITING_ROOM_RATE_MAX;
	TRY(suite_configure(suite, &settings));
	TRY(suite_view(suite, 1));
	TRY(same_settings(suite, &settings));
	CHECK(suite, memcmp(view.seed_commitment, suite->view.seed_commitment, sizeof zeros) == 0,
		"the commitment to the seed has changed");
	suite_new_event(suite);
	TRY(suite_configure(suite, &settings));
	CHECK(suite, memcmp(view.seed_commitment, suite->view.seed_commitment, sizeof zeros) != 0,
		"two rooms have the same seed");
	return NULL;
}

const char *check_order(struct suite *suite)
{
	enum { PEOPLE = 400, BATCH = 40 };
	struct waiting_room_settings settings = suite_settings();
	TRY(suite_configure(suite, &settings));
	int64_t last = 0;
	for (int64_t joined = 0; joined < PEOPLE;) {
		size_t count = (size_t)random_between(&suite->random, 1, BATCH);
		TRY(suite_join_range(suite, (int)random_below(&suite->random, SUITE_INSTANCES),
			joined + 1, count));
		for (size_t i = 0; i < count; i++) {
			const struct join_result *result = &suite->joined[i];
			CHECK(suite,
				result->outcome == JOIN_NEW && result->state == PERSON_WAITING &&
					result->rank == 0 && result->epoch == 1,
				"join: outcome %d, state %d of somebody new", (int)result->outcome,
				(int)result->state);
			CHECK(suite, result->place > last,
				"place %" PRId64 " was given after %" PRId64, result->place, last);
			CHECK(suite, !suite->traits->position_is_exact || result->place == last + 1,
				"place %" PRId64 " follows %" PRId64 ": places are not dense",
				result->place, last);
			last = result->place;
		}
		joined += (int64_t)count;
		TRY(suite_view(suite, 0));
		CHECK(suite, suite->view.tail == last && suite->view.waiting == joined,
			"view: tail %" PRId64 ", waiting %" PRId64 " after %" PRId64 " joins",
			suite->view.tail, suite->view.waiting, joined);
	}
	return NULL;
}

const char *check_duplicates_in_a_batch(struct suite *suite)
{
	static const int64_t people[] = {1, 2, 1, 3, 2, 1, 4};
	static const bool new[] = {true, true, false, true, false, false, true};
	enum { COUNT = sizeof people / sizeof *people };
	struct waiting_room_settings settings = suite_settings();
	TRY(suite_configure(suite, &settings));
	for (size_t i = 0; i < COUNT; i++)
		suite->join_requests[i] =
			(struct join_request){.person = suite_name(people[i], suite->names[i])};
	TRY(suite_join_requests(suite, 0, COUNT));
	for (size_t i = 0; i < COUNT; i++) {
		const struct join_result *result = &suite->joined[i];
		CHECK(suite, result->outcome == (new[i] ? JOIN_NEW : JOIN_AGAIN),
			"join: outcome %d for request %zu of a batch with duplicates",
			(int)result->outcome, i);
		CHECK(suite, result->place == people[i],
			"place %" PRId64 " for person %" PRId64 " of a batch with duplicates",
			result->place, people[i]);
	}
	TRY(suite_view(suite, 0));
	CHECK(suite, suite->view.tail == 4 && suite->view.waiting == 4,
		"duplicates in a batch have moved the tail to %" PRId64, suite->view.tail);
	return NULL;
}

/* By either instance; `place` and `state` are what the person had. */
static const char *same_place_again(
	struct suite *suite, int64_t person, int64_t place, enum person_state state)
{
	for (int room = 0; room < SUITE_INSTANCES; room++) {
		TRY(suite_join_number(suite, room, person));
		const struct join_result *result = &suite->joined[0];
		CHECK(suite, result->outcome == JOIN_AGAIN, "joining again: outcome %d",
			(int)result->outcome);
		CHECK(suite, result->place == place && result->epoch == 1,
			"joining again: place %" PRId64 " instead of %" PRId64, result->place,
			place);
		CHECK(suite, result->state == state, "joining again: state %d instead of %d",
			(int)result->state, (int)state);
	}
	return NULL;
}

const char *check_joining_again(struct suite *suite)
{
	struct waiting_room_settings settings = suite_settings();
	TRY(suite_configure(suite, &settings));
	TRY(suite_join_range(suite, 0, 1, 5));
	for (int64_t person = 1; person <= 5; person++)
		TRY(same_place_again(suite, person, person, PERSON_WAITING));
	TRY(suite_person_number(suite, 1, waiting_room_leave, 4));
	TRY(same_place_again(suite, 4, 4, PERSON_LEFT));

	TRY(suite_admit(suite, 0, 2));
	TRY(same_place_again(suite, 1, 1, PERSON_ADMITTED));
	TRY(suite_person_number(suite, 0, waiting_room_claim, 1));
	TRY(same_place_again(suite, 1, 1, PERSON_ADMITTED));
	TRY(suite_person_number(suite, 0, waiting_room_leave, 2));
	TRY(same_place_again(suite, 2, 2, PERSON_LEFT));

	TRY(suite_view(suite, 1));
	CHECK(suite, suite->view.tail == 5 && suite->view.waiting == 2,
		"joining again has moved the tail to %" PRId64 ", waiting %" PRId64,
		suite->view.tail, suite->view.waiting);
	TRY(suite_admit(suite, 1, 10));
	CHECK(suite,
		suite->admission_count == 2 && suite->admissions[0].place == 3 &&
			suite->admissions[1].place == 5,
		"somebody who joined again was admitted again");
	return NULL;
}

/* ---- ids ---- */

static struct slice hostile_id(size_t index, char bytes[SUITE_NAME_SIZE])
{
	static const char *const texts[] = {"a", "A", "a ", " a", "ab", "%s%n%x", "\"quoted\"",
		"'; DROP TABLE people; --", "{}", "*", "?", "[a-z]", "a:b", "a,b", "a|b", "0", "-1",
		"1-1", "null", "true", "\r\n+OK\r\n", "$-1\r\n", "\t", "\x7f", "\xc3\xa4",
		"\xf0\x9f\x8e\xab", "\xff\xfe", "../..", "w1", "a1,0,0,1"};
	enum { TEXTS = sizeof texts / sizeof *texts };
	if (index < TEXTS)
		return slice_of(texts[index]);
	/* Every byte but zero, at the largest size; then sizes of one. */
	size_t start = (index - TEXTS) * 50 + 1;
	if (start > 255)
		return (struct slice){NULL, 0};
	for (size_t i = 0; i < WAITING_ROOM_PERSON_SIZE_MAX; i++)
		bytes[i] = (char)((start + i - 1) % 255 + 1);
	return (struct slice){bytes, WAITING_ROOM_PERSON_SIZE_MAX};
}

const char *check_hostile_ids(struct suite *suite)
{
	struct waiting_room_settings settings = suite_settings();
	TRY(suite_configure(suite, &settings));
	size_t count = 0;
	for (struct slice id; (id = hostile_id(count, suite->names[count])).size > 0; count++) {
		suite->join_requests[count] = (struct join_request){.person = id};
		suite->person_requests[count] = (struct person_request){.person = id};
	}
	TRY(suite_join_requests(suite, 0, count));
	for (size_t i = 0; i < count; i++)
		CHECK(suite,
			suite->joined[i].outcome == JOIN_NEW &&
				suite->joined[i].place == (int64_t)i + 1,
			"hostile id %zu is taken for another person", i);
	TRY(suite_person_requests(suite, 1, waiting_room_look_up, count));
	for (size_t i = 0; i < count; i++)
		CHECK(suite, suite->people[i].place == (int64_t)i + 1,
			"hostile id %zu is not found again", i);
	TRY(suite_admit(suite, 1, count));
	CHECK(suite, suite->admission_count == count, "%zu of %zu hostile ids are admitted",
		suite->admission_count, count);
	for (size_t i = 0; i < count; i++)
		CHECK(suite, suite_admitted_is(suite, i, suite->person_requests[i].person),
			"hostile id %zu is admitted under another name", i);
	return NULL;
}

/* The longest id, one that differs in its last letter, one that is its beginning, and letters that
 * mean something elsewhere. */
const char *check_event_ids(struct suite *suite)
{
	enum { EVENTS = 4 };
	char events[EVENTS][sizeof suite->event];
	for (int i = 0; i < EVENTS; i++) {
		size_t used = strlen(suite->event);
		memcpy(events[i], suite->event, used);
		memset(events[i] + used, 'x', WAITING_ROOM_EVENT_SIZE_MAX - used);
		events[i][WAITING_ROOM_EVENT_SIZE_MAX] = 0;
	}
	events[1][WAITING_ROOM_EVENT_SIZE_MAX - 1] = 'X';
	events[2][WAITING_ROOM_EVENT_SIZE_MAX - 1] = 0;
	memcpy(events[3] + WAITING_ROOM_EVENT_SIZE_MAX - 4, "-_.~", 4);

	struct waiting_room_settings settings = suite_settings();
	for (int i = 0; i < EVENTS; i++) {
		memcpy(suite->event, events[i], sizeof suite->event);
		TRY(suite_configure(suite, &settings));
		TRY(suite_join_range(suite, 0, 1, (size_t)i + 1));
		CHECK(suite,
			suite->joined[i].outcome == JOIN_NEW && suite->joined[i].place == i + 1,
			"two events share their people");
	}
	for (int i = 0; i < EVENTS; i++) {
		memcpy(suite->event, events[i], sizeof suite->event);
		TRY(suite_view(suite, 1));
		CHECK(suite, suite->view.tail == i + 1, "two events share their tail");
		TRY(suite_admit(suite, 1, 10));
		CHECK(suite, (int)suite->admission_count == i + 1, "two events share their line");
	}
	return NULL;
}

/* ---- limits ---- */

const char *check_batch_limits(struct suite *suite)
{
	struct waiting_room_settings settings = suite_settings();
	TRY(suite_configure(suite, &settings));
	size_t max = suite->traits->batch_max;
	TRY(suite_join_range(suite, 0, 1, max));
	for (size_t i = 0; i < max; i++)
		CHECK(suite,
			suite->joined[i].outcome == JOIN_NEW &&
				suite->joined[i].place == (int64_t)i + 1,
			"request %zu of the largest batch has place %" PRId64, i,
			suite->joined[i].place);
	TRY(suite_person_range(suite, 1, waiting_room_look_up, 1, max));
	CHECK(suite, suite->people[max - 1].place == (int64_t)max,
		"the last of the largest batch is not found");
	TRY(suite_admit(suite, 0, max));
	CHECK(suite, suite->admission_count == max, "%zu of the largest batch are admitted",
		suite->admission_count);
	TRY(suite_person_range(suite, 1, waiting_room_leave, 1, max));
	for (size_t i = 0; i < max; i++)
		CHECK(suite, suite->people[i].state == PERSON_LEFT && suite->people[i].changed,
			"request %zu of the largest batch has not left", i);
	TRY(suite_view(suite, 0));
	CHECK(suite, suite->view.active == 0 && suite->view.waiting == 0,
		"after everybody has left, %" PRId64 " are active", suite->view.active);
	return NULL;
}

/* How often the event is in the list; -1: the call failed. */
static int listed(struct suite *suite, int room, const char *event)
{
	enum { LISTED_MAX = 1000 };
	static char events[LISTED_MAX][WAITING_ROOM_EVENT_SIZE_MAX + 1];
	size_t count = 0;
	if (waiting_room_list(suite->rooms[room], events, LISTED_MAX, &count) != STATUS_OK ||
		count > LISTED_MAX)
		return -1;
	int times = 0;
	for (size_t i = 0; i < count; i++)
		times += strcmp(events[i], event) == 0;
	return times;
}

const char *check_list(struct suite *suite)
{
	enum { EVENTS = 3 };
	char events[EVENTS][sizeof suite->event];
	struct waiting_room_settings settings = suite_settings();
	CHECK(suite, listed(suite, 0, suite->event) == 0, "list: an event without a room is in it");
	for (int i = 0; i < EVENTS; i++) {
		memcpy(events[i], suite->event, sizeof suite->event);
		TRY(suite_configure(suite, &settings));
		TRY(suite_configure(suite, &settings));
		suite_new_event(suite);
	}
	for (int i = 0; i < EVENTS; i++)
		for (int room = 0; room < SUITE_INSTANCES; room++)
			CHECK(suite, listed(suite, room, events[i]) == 1,
				"list: a room is in it %d times", listed(suite, room, events[i]));
	size_t count = 0;
	char one[2][WAITING_ROOM_EVENT_SIZE_MAX + 1] = {"", "untouched"};
	enum status status = waiting_room_list(suite->rooms[0], one, 1, &count);
	CHECK(suite,
		status == STATUS_OK && count == 1 && one[0][0] && strcmp(one[1], "untouched") == 0,
		"list: %zu names where one was asked for", count);
	return NULL;
}
