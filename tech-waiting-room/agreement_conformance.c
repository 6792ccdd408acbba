/* Random operations on two technologies at once: they must agree. Part of the suite.
 *
 * Left out is what a correct room may choose: each has a clock and a seed of its own, and `serving`
 * may have passed over people who left or not, as long as it lies between the last who was called
 * and the next who waits (suite_admit and the check random_operations see to that). A lobby is
 * compared until its shuffle, which each room's own seed decides. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tech-waiting-room/suite_conformance.h"

enum { PEOPLE_PER_THOUSAND = 1500, BATCH = 24, SIDES = 2 };

/* The two sides: suite[0] is the oracle's. */
struct pair {
	struct suite *sides[SIDES];
	struct random *random;
	struct waiting_room_settings settings;
	int64_t people;
	int operation;
	const char *name; /* Of what is done at the moment. */
};

__attribute__((format(printf, 2, 3))) static const char *disagree(
	struct pair *pair, const char *format, ...)
{
	struct suite *suite = pair->sides[1];
	int used = snprintf(suite->message, suite->message_size,
		"operation %d (%s): ", pair->operation, pair->name);
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(suite->message + used, suite->message_size - (size_t)used, format, arguments);
	va_end(arguments);
	return suite->message;
}

/* As CHECK. */
#define AGREE(pair, condition, ...) \
	do { \
		if (!(condition)) \
			return disagree(pair, __VA_ARGS__); \
	} while (0)

static int draw_room(struct pair *pair)
{
	return (int)random_below(pair->random, SUITE_INSTANCES);
}

/* ---- what is compared ---- */

static const char *same_view(struct pair *pair)
{
	const struct waiting_room_view *a = &pair->sides[0]->view, *b = &pair->sides[1]->view;
	AGREE(pair,
		a->settings.state == b->settings.state &&
			a->settings.active_max == b->settings.active_max,
		"state %d and %d, active_max %" PRId64 " and %" PRId64, (int)a->settings.state,
		(int)b->settings.state, a->settings.active_max, b->settings.active_max);
	AGREE(pair, a->tail == b->tail && a->lobby_size == b->lobby_size,
		"tail %" PRId64 " and %" PRId64 ", lobby %" PRId64 " and %" PRId64, a->tail,
		b->tail, a->lobby_size, b->lobby_size);
	AGREE(pair, a->waiting == b->waiting && a->active == b->active,
		"waiting %" PRId64 " and %" PRId64 ", active %" PRId64 " and %" PRId64, a->waiting,
		b->waiting, a->active, b->active);
	AGREE(pair, a->admitted == b->admitted && a->epoch == b->epoch && a->exact == b->exact,
		"admitted %" PRId64 " and %" PRId64 ", epoch %" PRId64 " and %" PRId64, a->admitted,
		b->admitted, a->epoch, b->epoch);
	return NULL;
}

static const char *same_person(
	struct pair *pair, const struct person_result *a, const struct person_result *b)
{
	AGREE(pair, a->state == b->state && a->changed == b->changed && a->claimed == b->claimed,
		"state %d and %d, changed %d and %d, claimed %d and %d", (int)a->state,
		(int)b->state, (int)a->changed, (int)b->changed, (int)a->claimed, (int)b->claimed);
	AGREE(pair, a->place == b->place && a->rank == b->rank && a->epoch == b->epoch,
		"place %" PRId64 " and %" PRId64 ", rank %" PRId64 " and %" PRId64
		", epoch %" PRId64 " and %" PRId64,
		a->place, b->place, a->rank, b->rank, a->epoch, b->epoch);
	if (a->state != PERSON_ADMITTED)
		return NULL;
	AGREE(pair,
		a->pass_ends_at_ms - a->admitted_at_ms == b->pass_ends_at_ms - b->admitted_at_ms,
		"the pass ends after %" PRId64 " and %" PRId64 " ms",
		a->pass_ends_at_ms - a->admitted_at_ms, b->pass_ends_at_ms - b->admitted_at_ms);
	return NULL;
}

/* ---- operations ---- */

static const char *join_both(struct pair *pair)
{
	size_t count = (size_t)random_between(pair->random, 1, BATCH);
	int64_t people[BATCH];
	int room = draw_room(pair);
	for (size_t i = 0; i < count; i++)
		people[i] = random_between(pair->random, 1, pair->people);
	for (int side = 0; side < SIDES; side++) {
		struct suite *suite = pair->sides[side];
		for (size_t i = 0; i < count; i++)
			suite->join_requests[i] = (struct join_request){
				.person = suite_name(people[i], suite->names[i])};
		TRY(suite_join_requests(suite, room, count));
	}
	for (size_t i = 0; i < count; i++) {
		const struct join_result *a = &pair->sides[0]->joined[i];
		const struct join_result *b = &pair->sides[1]->joined[i];
		AGREE(pair, a->outcome == b->outcome && a->state == b->state,
			"p%" PRId64 ": outcome %d and %d, state %d and %d", people[i],
			(int)a->outcome, (int)b->outcome, (int)a->state, (int)b->state);
		AGREE(pair, a->place == b->place && a->rank == b->rank,
			"p%" PRId64 ": place %" PRId64 " and %" PRId64 ", rank %" PRId64
			" and %" PRId64,
			people[i], a->place, b->place, a->rank, b->rank);
	}
	return NULL;
}

static const char *admit_both(struct pair *pair)
{
	size_t max = (size_t)random_between(pair->random, 1, BATCH);
	int room = draw_room(pair);
	for (int side = 0; side < SIDES; side++)
		TRY(suite_admit(pair->sides[side], room, max));
	const struct suite *a = pair->sides[0], *b = pair->sides[1];
	AGREE(pair, a->admission_count == b->admission_count, "%zu and %zu are admitted",
		a->admission_count, b->admission_count);
	for (size_t i = 0; i < a->admission_count; i++)
		AGREE(pair,
			strcmp(a->admissions[i].person, b->admissions[i].person) == 0 &&
				a->admissions[i].place == b->admissions[i].place,
			"%s and %s are admitted", a->admissions[i].person, b->admissions[i].person);
	return same_view(pair);
}

static const char *persons_both(struct pair *pair)
{
	static suite_operation *const operations[] = {waiting_room_look_up, waiting_room_heartbeat,
		waiting_room_claim, waiting_room_leave, waiting_room_leave};
	static const char *const names[] = {"look_up", "heartbeat", "claim", "leave", "leave"};
	uint64_t which = random_below(pair->random, sizeof operations / sizeof *operations);
	size_t count = (size_t)random_between(pair->random, 1, BATCH / 4);
	int64_t people[BATCH];
	int room = draw_room(pair);
	pair->name = names[which];
	for (size_t i = 0; i < count; i++)
		people[i] = random_between(pair->random, 1, pair->people);
	for (int side = 0; side < SIDES; side++) {
		struct suite *suite = pair->sides[side];
		for (size_t i = 0; i < count; i++)
			suite->person_requests[i] = (struct person_request){
				.person = suite_name(people[i], suite->names[i])};
		TRY(suite_person_requests(suite, room, operations[which], count));
	}
	for (size_t i = 0; i < count; i++)
		TRY(same_person(pair, &pair->sides[0]->people[i], &pair->sides[1]->people[i]));
	return NULL;
}

static const char *configure_both(struct pair *pair)
{
	for (int side = 0; side < SIDES; side++)
		TRY(suite_configure(pair->sides[side], &pair->settings));
	return same_view(pair);
}

static const char *change_both(struct pair *pair)
{
	pair->settings.active_max = random_between(pair->random, 0, 60);
	if (pair->settings.state != WAITING_ROOM_LOBBY) {
		static const enum waiting_room_state states[] = {WAITING_ROOM_OPEN,
			WAITING_ROOM_OPEN, WAITING_ROOM_OPEN, WAITING_ROOM_OPEN,
			WAITING_ROOM_PAUSED, WAITING_ROOM_DRAINING, WAITING_ROOM_CLOSED};
		pair->settings.state =
			states[random_below(pair->random, sizeof states / sizeof *states)];
	}
	return configure_both(pair);
}

static const char *view_both(struct pair *pair)
{
	int room = draw_room(pair);
	for (int side = 0; side < SIDES; side++)
		TRY(suite_view(pair->sides[side], room));
	return same_view(pair);
}

static const char *operate(struct pair *pair)
{
	uint64_t draw = random_below(pair->random, 40);
	if (draw < 10)
		return pair->name = "join", join_both(pair);
	if (draw < 20)
		return pair->name = "admit", admit_both(pair);
	if (draw < 22)
		return pair->name = "configure", change_both(pair);
	if (draw < 24)
		return pair->name = "view", view_both(pair);
	return persons_both(pair);
}

/* A new event, whose people are so many that some join to the last. */
static const char *operate_in(struct pair *pair, enum waiting_room_state state, int operations)
{
	suite_new_event(pair->sides[0]);
	memcpy(pair->sides[1]->event, pair->sides[0]->event, sizeof pair->sides[0]->event);
	pair->settings = suite_settings();
	pair->settings.claim_seconds = WAITING_ROOM_SECONDS_MAX;
	pair->settings.heartbeat_seconds = WAITING_ROOM_SECONDS_MAX;
	pair->settings.session_seconds = WAITING_ROOM_SECONDS_MAX;
	pair->settings.active_max = 20;
	pair->settings.state = state;
	pair->people = (int64_t)operations * PEOPLE_PER_THOUSAND / 1000 + 5;
	pair->name = "configure";
	TRY(configure_both(pair));
	for (int i = 0; i < operations; i++) {
		pair->operation++;
		TRY(operate(pair));
	}
	return NULL;
}

/* A quarter of the operations in a lobby that ends before its shuffle, the others in a line. */
static const char *run_rounds(struct pair *pair, int operations)
{
	enum { ROUND = 1000 };
	while (operations > 0) {
		int count = operations < ROUND ? operations : ROUND;
		TRY(operate_in(pair, WAITING_ROOM_OPEN, count - count / 4));
		TRY(operate_in(pair, WAITING_ROOM_LOBBY, count / 4));
		operations -= count;
	}
	return NULL;
}

const char *waiting_room_agree(
	const struct waiting_room_agreement *agreement, char *message, size_t message_size)
{
	uint64_t seed = agreement->seed ? agreement->seed : random_seed();
	struct suite *oracle = suite_open(agreement->oracle, seed, message, message_size);
	struct suite *subject = suite_open(agreement->subject, seed, message, message_size);
	const char *difference = message;
	if (oracle && subject) {
		struct pair pair = {.sides = {oracle, subject}, .random = &oracle->random};
		difference = run_rounds(&pair, agreement->operations);
	}
	suite_close(oracle);
	suite_close(subject);
	return difference;
}

/* ---- as tests ---- */

static void agree_as_test(void **state)
{
	const struct waiting_room_agreement *agreement = *state;
	char message[512];
	const char *difference = waiting_room_agree(agreement, message, sizeof message);
	if (difference)
		fail_msg("%s and %s, seed %" PRIu64 ": %s", agreement->oracle->name,
			agreement->subject->name, agreement->seed, difference);
}

int waiting_room_agreement(
	const struct waiting_room_factory *oracle, const struct waiting_room_factory *subject)
{
	enum { SEEDS_FULL = 20, SEEDS = 3, OPERATIONS_FULL = 10000, OPERATIONS = 1000 };
	const char *full = getenv("ONSALE_FULL");
	bool all = full && strcmp(full, "1") == 0;
	size_t count = all ? SEEDS_FULL : SEEDS;
	struct waiting_room_agreement agreements[SEEDS_FULL];
	struct CMUnitTest tests[SEEDS_FULL];
	struct random random;
	random_init(&random, random_seed());
	for (size_t i = 0; i < count; i++) {
		agreements[i] = (struct waiting_room_agreement){
			.oracle = oracle,
			.subject = subject,
			.seed = random_next(&random) | 1,
			.operations = all ? OPERATIONS_FULL : OPERATIONS,
		};
		tests[i] = (struct CMUnitTest){.name = "agreement",
			.test_func = agree_as_test,
			.initial_state = &agreements[i]};
	}
	return _cmocka_run_group_tests("agreement", tests, count, NULL, NULL);
}
