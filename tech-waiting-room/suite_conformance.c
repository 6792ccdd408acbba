/* See suite_conformance.h. */
#include "tech-waiting-room/suite_conformance.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/id.h"

const char *suite_violation(struct suite *suite, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(suite->message, suite->message_size, format, arguments);
	va_end(arguments);
	return suite->message;
}

void suite_new_event(struct suite *suite)
{
	/* Also the same seed must not find the rooms of an earlier run. */
	char id[ID_TEXT_SIZE];
	id_format(id_new(clock_wall_ms(clock_system())), id);
	snprintf(suite->event, sizeof suite->event, "conformance-%s", id);
}

struct suite *suite_open(const struct waiting_room_factory *factory, uint64_t seed, char *message,
	size_t message_size)
{
	struct suite *suite = calloc(1, sizeof *suite);
	assert(suite);
	suite->factory = factory;
	suite->message = message;
	suite->message_size = message_size;
	if (!seed)
		seed = factory->seed ? factory->seed : random_seed();
	random_init(&suite->random, seed);
	suite_new_event(suite);
	for (int i = 0; i < SUITE_INSTANCES; i++) {
		if (factory->open(factory->context, &suite->rooms[i]) == STATUS_OK)
			continue;
		snprintf(message, message_size, "an instance cannot be opened");
		suite_close(suite);
		return NULL;
	}
	suite->traits = waiting_room_traits(suite->rooms[0]);
	return suite;
}

void suite_close(struct suite *suite)
{
	if (!suite)
		return;
	for (int i = 0; i < SUITE_INSTANCES; i++)
		waiting_room_close(suite->rooms[i]);
	free(suite);
}

/* ---- time ---- */

int64_t suite_now_ms(const struct suite *suite)
{
	const struct waiting_room_factory *factory = suite->factory;
	return factory->now_ms ? factory->now_ms(factory->context) : clock_wall_ms(clock_system());
}

bool suite_wait(const struct suite *suite, int64_t start_ms)
{
	suite->factory->advance(suite->factory->context, SUITE_STEP_MS);
	return suite_now_ms(suite) - start_ms < SUITE_PATIENCE_MS;
}

const char *suite_with_windows(struct suite *suite, suite_window *try)
{
	for (int64_t seconds = 1; seconds <= SUITE_WINDOW_SECONDS_MAX; seconds *= 2) {
		suite->conclusive = true;
		TRY(try(suite, seconds));
		if (suite->conclusive)
			return NULL;
		suite_new_event(suite);
	}
	return suite_violation(suite, "the machine was too slow for every window");
}

/* ---- calls ---- */

/* Whether a call that ended with this status is made once more. */
static bool again(const struct suite *suite, enum status status, int64_t start_ms)
{
	if (status == STATUS_UNAVAILABLE || (status == STATUS_UNKNOWN && suite->patient))
		return suite_wait(suite, start_ms);
	return false;
}

static const char *expect_ok(struct suite *suite, const char *operation, enum status status)
{
	CHECK(suite, status == STATUS_OK, "%s: the call's status is %s", operation,
		status_name(status));
	return NULL;
}

struct waiting_room_settings suite_settings(void)
{
	return (struct waiting_room_settings){
		.state = WAITING_ROOM_OPEN,
		.rate_per_second = WAITING_ROOM_RATE_MAX,
		.active_max = WAITING_ROOM_ACTIVE_MAX,
		.claim_seconds = 3600,
		.heartbeat_seconds = 3600,
		.session_seconds = 7200,
	};
}

const char *suite_configure(struct suite *suite, const struct waiting_room_settings *settings)
{
	int64_t start_ms = suite_now_ms(suite);
	enum status status;
	do {
		status = waiting_room_configure(
			suite->rooms[0], slice_of(suite->event), settings, &suite->view);
	} while (again(suite, status, start_ms));
	return expect_ok(suite, "configure", status);
}

const char *suite_view(struct suite *suite, int room)
{
	int64_t start_ms = suite_now_ms(suite);
	enum status status;
	bool found = false;
	do {
		status = waiting_room_view(
			suite->rooms[room], slice_of(suite->event), &suite->view, &found);
	} while (again(suite, status, start_ms));
	TRY(expect_ok(suite, "view", status));
	CHECK(suite, found, "view: the event's room is not found");
	const struct waiting_room_view *view = &suite->view;
	CHECK(suite, view->serving >= 0 && view->serving <= view->tail,
		"serving %" PRId64 " passes the tail %" PRId64, view->serving, view->tail);
	return NULL;
}

struct slice suite_name(int64_t number, char text[SUITE_NAME_SIZE])
{
	snprintf(text, SUITE_NAME_SIZE, "p%" PRId64, number);
	return slice_of(text);
}

const char *suite_join_requests(struct suite *suite, int room, size_t count)
{
	int64_t start_ms = suite_now_ms(suite);
	enum status status;
	do {
		status = waiting_room_join(suite->rooms[room], slice_of(suite->event),
			suite->join_requests, suite->joined, count);
	} while (again(suite, status, start_ms));
	return expect_ok(suite, "join", status);
}

const char *suite_join_range(struct suite *suite, int room, int64_t first, size_t count)
{
	for (size_t i = 0; i < count; i++)
		suite->join_requests[i] = (struct join_request){
			.person = suite_name(first + (int64_t)i, suite->names[i])};
	return suite_join_requests(suite, room, count);
}

const char *suite_join(struct suite *suite, int room, struct slice person)
{
	suite->join_requests[0] = (struct join_request){.person = person};
	return suite_join_requests(suite, room, 1);
}

const char *suite_join_number(struct suite *suite, int room, int64_t number)
{
	return suite_join_range(suite, room, number, 1);
}

const char *suite_person_requests(
	struct suite *suite, int room, suite_operation *operation, size_t count)
{
	int64_t start_ms = suite_now_ms(suite);
	enum status status;
	do {
		status = operation(suite->rooms[room], slice_of(suite->event),
			suite->person_requests, suite->people, count);
	} while (again(suite, status, start_ms));
	return expect_ok(suite, "look_up, heartbeat, claim or leave", status);
}

const char *suite_person_range(
	struct suite *suite, int room, suite_operation *operation, int64_t first, size_t count)
{
	for (size_t i = 0; i < count; i++)
		suite->person_requests[i] = (struct person_request){
			.person = suite_name(first + (int64_t)i, suite->names[i])};
	return suite_person_requests(suite, room, operation, count);
}

const char *suite_person(
	struct suite *suite, int room, suite_operation *operation, struct slice person)
{
	suite->person_requests[0] = (struct person_request){.person = person};
	return suite_person_requests(suite, room, operation, 1);
}

const char *suite_person_number(
	struct suite *suite, int room, suite_operation *operation, int64_t number)
{
	return suite_person_range(suite, room, operation, number, 1);
}

/* What holds of every answer, whatever the check is about. */
static const char *expect_sound_answer(struct suite *suite, size_t max)
{
	const struct waiting_room_view *view = &suite->view;
	CHECK(suite, suite->admission_count <= max, "admit: %zu were admitted, at most %zu asked",
		suite->admission_count, max);
	CHECK(suite, view->serving >= 0 && view->serving <= view->tail,
		"serving %" PRId64 " passes the tail %" PRId64, view->serving, view->tail);
	CHECK(suite, suite->next_ms >= 0, "admit: next_ms is %" PRId64, suite->next_ms);
	int64_t last = 0;
	for (size_t i = 0; i < suite->admission_count; i++) {
		const struct admission *admission = &suite->admissions[i];
		CHECK(suite, admission->place > last, "admit: place %" PRId64 " after %" PRId64,
			admission->place, last);
		last = admission->place;
		CHECK(suite, last <= view->serving,
			"place %" PRId64 " was called while serving is %" PRId64, last,
			view->serving);
		CHECK(suite, admission->epoch == view->epoch,
			"admit: epoch %" PRId64 " in a room's epoch %" PRId64, admission->epoch,
			view->epoch);
	}
	return NULL;
}

/* One call, which adds to what was admitted already. */
static const char *admit_more(struct suite *suite, int room, size_t max)
{
	int64_t start_ms = suite_now_ms(suite);
	size_t before = suite->admission_count, count;
	enum status status;
	do {
		count = 0;
		status = waiting_room_admit(suite->rooms[room], slice_of(suite->event),
			suite->admissions + before, max - before, &count, &suite->view,
			&suite->next_ms);
	} while (again(suite, status, start_ms));
	TRY(expect_ok(suite, "admit", status));
	suite->admission_count = before + count;
	return expect_sound_answer(suite, max);
}

const char *suite_admit(struct suite *suite, int room, size_t max)
{
	enum { IDLE_CALLS_MAX = 20 };
	if (max > suite->traits->batch_max)
		max = suite->traits->batch_max;
	suite->admission_count = 0;
	for (int idle = 0; idle < IDLE_CALLS_MAX;) {
		size_t before = suite->admission_count;
		TRY(admit_more(suite, room, max));
		if (suite->admission_count == max || suite->next_ms > 1)
			break;
		idle += suite->admission_count == before;
	}
	return NULL;
}

const char *suite_wait_shuffled(struct suite *suite, size_t max)
{
	int64_t start_ms = suite_now_ms(suite);
	do {
		TRY(suite_admit(suite, 0, max));
		if (suite->view.shuffled)
			return NULL;
		CHECK(suite, suite->admission_count == 0,
			"somebody is admitted before the lobby is shuffled");
	} while (suite_wait(suite, start_ms));
	return suite_violation(suite, "the lobby is never shuffled");
}

bool suite_admitted_is(const struct suite *suite, size_t index, struct slice person)
{
	char expected[SUITE_NAME_SIZE] = {0};
	memcpy(expected, person.data, person.size);
	return strcmp(suite->admissions[index].person, expected) == 0;
}
