/* Any free seats will do: nobody waits, nobody gets what another has, repetition changes nothing.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "tech-locking-and-transactions/postgres/postgres_seats_fixture.h"

enum {
	SEATS = 40,
	LONG_MS = 3600000,
	ARENA_BYTES = 1 << 16,
	PEOPLE = 5,
	HOLDS_EACH = 4,
	GROUP = SEATS / (PEOPLE * HOLDS_EACH),
	TRIES_MAX = 10000,
};

static struct seats_fixture fixture;
static struct seat_store *store;
static struct id event;

static struct id new_id(void)
{
	return id_new(clock_wall_ms(clock_system()));
}

static int open_scene(void **state)
{
	struct seat_offer offers[SEATS + 1];
	static char names[SEATS + 1][16];
	(void)state;
	event = new_id();
	for (int i = 0; i <= SEATS; i++) {
		snprintf(names[i], sizeof names[i], "s-%02d", i);
		offers[i] = (struct seat_offer){.seat = slice_of(names[i]),
			.section = slice_of(i < SEATS ? "A" : "B"),
			.row = slice_of("1"),
			.number = slice_of(names[i]),
			.price = 100};
	}
	assert_int_equal(
		STATUS_OK, seats_fixture_open(&fixture, POSTGRES_SEATS_PESSIMISTIC, &store));
	return seat_store_stock(store, event, slice_of("EUR"), offers, SEATS + 1) != STATUS_OK;
}

static int close_scene(void **state)
{
	char message[256];
	(void)state;
	const char *violation = seats_fixture_judge(&fixture, event, message, sizeof message);
	seat_store_close(store);
	if (violation)
		fail_msg("%s", violation);
	return 0;
}

static struct hold_request wish(const char *person, size_t count)
{
	return (struct hold_request){.event = event,
		.hold = new_id(),
		.person = slice_of(person),
		.seat_count = count,
		.hold_ms = LONG_MS};
}

static struct hold_result ask(const struct hold_request *request)
{
	struct hold_result result;
	assert_int_equal(
		STATUS_OK, postgres_seats_hold_any(store, request, slice_of("A"), &result));
	return result;
}

/* The hold has as many seats as were asked for, and the first of them is this. */
static void expect_seats(const struct hold_request *request, const char *first)
{
	struct hold_name name = {request->event, request->hold};
	struct hold_record record;
	struct arena arena;
	arena_init(&arena, ARENA_BYTES);
	assert_int_equal(STATUS_OK, seat_store_look_up(store, &name, &record, 1, &arena));
	assert_int_equal(record.state, HOLD_LIVE);
	assert_int_equal(record.seat_count, request->seat_count);
	assert_true(slice_is(record.seats[0], first));
	arena_release(&arena);
}

/* If the locked rows were waited for, there would be no answer: they stay locked. */
static void nobody_is_waited_for(void **state)
{
	(void)state;
	char script[256], id[ID_TEXT_SIZE];
	id_format(event, id);
	snprintf(script, sizeof script,
		"SELECT FROM seats WHERE event_id = '%s' AND seat_id < 's-10' FOR UPDATE", id);
	assert_int_equal(STATUS_OK, postgres_begin(fixture.blocker, POSTGRES_READ_COMMITTED));
	assert_int_equal(STATUS_OK, postgres_run_script(fixture.blocker, script));
	struct hold_request beside = wish("ann", 5), rest = wish("bob", SEATS - 14);
	assert_int_equal(ask(&beside).outcome, HOLD_GRANTED);
	expect_seats(&beside, "s-10");
	assert_int_equal(ask(&rest).outcome, HOLD_TAKEN); /* One more than can be had. */
	postgres_rollback(fixture.blocker);
	assert_int_equal(ask(&rest).outcome, HOLD_GRANTED);
	expect_seats(&rest, "s-00");
}

static void the_same_request_has_the_same_answer(void **state)
{
	(void)state;
	struct hold_request request = wish("ann", 3);
	struct hold_result first = ask(&request);
	assert_int_equal(first.outcome, HOLD_GRANTED);
	assert_int_equal(first.version, 1);
	assert_int_equal(first.total, 300);
	struct hold_result again = ask(&request);
	assert_int_equal(again.outcome, HOLD_GRANTED);
	assert_int_equal(again.version, first.version);
	assert_int_equal(again.expires_at_ms, first.expires_at_ms);
	expect_seats(&request, "s-00");
	struct hold_request next = wish("bob", 1);
	assert_int_equal(ask(&next).outcome, HOLD_GRANTED);
	expect_seats(&next, "s-03"); /* The repetition has taken none. */
	request.person = slice_of("eve");
	assert_int_equal(ask(&request).outcome, HOLD_OTHER_REQUEST);
	next.event = new_id();
	assert_int_equal(ask(&next).outcome, HOLD_NO_EVENT);
}

/* What runs out is free; what is granted can be sold. */
static void it_is_a_hold_as_any_other(void **state)
{
	(void)state;
	struct hold_request request = wish("ann", SEATS), late = wish("bob", SEATS);
	request.hold_ms = 1;
	struct hold_result held = ask(&request);
	assert_int_equal(held.outcome, HOLD_GRANTED);
	while (clock_wall_ms(clock_system()) <= held.expires_at_ms)
		continue;
	held = ask(&late);
	assert_int_equal(held.outcome, HOLD_GRANTED);
	assert_int_equal(held.version, 2);
	struct sell_request sale = {.event = event,
		.hold = late.hold,
		.person = late.person,
		.version = held.version,
		.order = new_id()};
	struct sell_result sold;
	assert_int_equal(STATUS_OK, seat_store_sell(store, &sale, &sold, 1));
	assert_int_equal(sold.outcome, SELL_SOLD);
	struct hold_request none = wish("cyd", 1);
	assert_int_equal(ask(&none).outcome, HOLD_TAKEN);
}

/* Take groups until all of them are had; whoever is refused, since others were busy with the rest,
 * asks again. */
static void *take_groups(void *unused)
{
	struct seat_store *own;
	size_t got = 0;
	(void)unused;
	if (seats_fixture_open(&fixture, POSTGRES_SEATS_PESSIMISTIC, &own) != STATUS_OK)
		return NULL;
	for (int i = 0; i < TRIES_MAX && got < HOLDS_EACH; i++) {
		struct hold_request request = wish("one of many", GROUP);
		struct hold_result result;
		if (postgres_seats_hold_any(own, &request, slice_of("A"), &result) == STATUS_OK &&
			result.outcome == HOLD_GRANTED)
			got++;
	}
	seat_store_close(own);
	return got == HOLDS_EACH ? &fixture : NULL;
}

static void a_crowd_gets_all_seats_and_each_once(void **state)
{
	pthread_t threads[PEOPLE];
	void *good;
	(void)state;
	for (int i = 0; i < PEOPLE; i++)
		assert_int_equal(0, pthread_create(&threads[i], NULL, take_groups, NULL));
	for (int i = 0; i < PEOPLE; i++) {
		assert_int_equal(0, pthread_join(threads[i], &good));
		assert_non_null(good);
	}
	struct hold_request one_more = wish("late", 1);
	assert_int_equal(ask(&one_more).outcome, HOLD_TAKEN);
}

static int start(void **state)
{
	(void)state;
	return seats_fixture_start(&fixture, "any", POSTGRES_SEATS_PESSIMISTIC) != STATUS_OK;
}

static int stop(void **state)
{
	(void)state;
	seats_fixture_stop(&fixture);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nobody_is_waited_for),
		TEST(the_same_request_has_the_same_answer),
		TEST(it_is_a_hold_as_any_other),
		TEST(a_crowd_gets_all_seats_and_each_once),
	};
	return cmocka_run_group_tests_name("any seats", tests, start, stop);
}
