/* What is the guard's own: who reaches the store and who does not, what its marks say and for how
 * long, and that the store decides all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "tech-locking-and-transactions/redis-guard/guard_scene_fixture.h"

static struct guard_fixture fixture;
static struct guard_scene scene;

static const struct redis_guard_options patient;

static void expect_mark(int seat, struct id hold, const char *state)
{
	char wanted[128], text[ID_TEXT_SIZE];
	id_format(hold, text);
	snprintf(wanted, sizeof wanted, "%s %s", text, state);
	assert_string_equal(guard_scene_look(&scene, seat).text, wanted);
}

/* ---- losers ---- */

static void losers_do_not_reach_the_store(void **state)
{
	(void)state;
	struct hold_request wish = guard_scene_wish(&scene, 1, 1);
	assert_int_equal(guard_scene_hold(&scene, scene.stores[0], &wish), HOLD_GRANTED);
	for (int i = 0; i < 100; i++)
		assert_true(guard_scene_is_refused(&scene, i % 2, 1));
	/* Nor does a group of which one seat is taken; the others stay free. */
	struct hold_request group = guard_scene_wish(&scene, 0, 4);
	assert_int_equal(guard_scene_hold(&scene, scene.stores[1], &group), HOLD_TAKEN);
	assert_int_equal(scene.held.which, 2);
	assert_int_equal(scene.spies[0].holds, 1);
	assert_int_equal(scene.spies[1].holds, 0);
	assert_string_equal(guard_scene_look(&scene, 0).text, "");
	assert_int_equal(redis_guard_counts(scene.stores[0]).claimed, 1);
	assert_int_equal(redis_guard_counts(scene.stores[0]).refused, 50);
	assert_int_equal(redis_guard_counts(scene.stores[1]).refused, 51);
}

static void a_crowd_in_one_call_is_one_question(void **state)
{
	(void)state;
	struct hold_request crowd[SEAT_STORE_BATCH_MAX];
	struct hold_result results[SEAT_STORE_BATCH_MAX];
	for (size_t i = 0; i < SEAT_STORE_BATCH_MAX; i++)
		crowd[i] = guard_scene_wish(&scene, 3, 1 + i % 2);
	assert_int_equal(
		STATUS_OK, seat_store_hold(scene.stores[0], crowd, results, SEAT_STORE_BATCH_MAX));
	assert_int_equal(results[0].outcome, HOLD_GRANTED);
	for (size_t i = 1; i < SEAT_STORE_BATCH_MAX; i++) {
		assert_int_equal(results[i].outcome, HOLD_TAKEN);
		assert_int_equal(results[i].which, 1);
	}
	assert_int_equal(scene.spies[0].holds, 1);
}

/* ---- the store decides ---- */

/* Seat 2 was taken behind the guard's back. Who waited for one of the seats that the first request
 * has claimed in vain gets it. */
static void the_store_decides_in_order(void **state)
{
	(void)state;
	struct hold_request behind = guard_scene_wish(&scene, 2, 1), batch[4];
	struct hold_result results[4];
	assert_int_equal(guard_scene_hold(&scene, scene.plain, &behind), HOLD_GRANTED);
	batch[0] = guard_scene_wish(&scene, 1, 2);
	batch[1] = guard_scene_wish(&scene, 0, 2);
	batch[2] = guard_scene_wish(&scene, 0, 1);
	batch[3] = guard_scene_wish(&scene, 1, 1);
	assert_int_equal(STATUS_OK, seat_store_hold(scene.stores[0], batch, results, 4));
	assert_int_equal(results[0].outcome, HOLD_TAKEN);
	assert_int_equal(results[0].which, 2);
	assert_int_equal(results[1].outcome, HOLD_GRANTED);
	assert_int_equal(results[2].outcome, HOLD_TAKEN);
	assert_int_equal(results[3].outcome, HOLD_TAKEN);
	expect_mark(0, batch[1].hold, "held 1");
	assert_string_equal(guard_scene_look(&scene, 2).text, "");
}

static void seats_that_may_not_exist_are_asked_for(void **state)
{
	(void)state;
	struct slice seats[] = {scene.seats[0], slice_of("nowhere")};
	struct hold_request wish = guard_scene_wish(&scene, 0, 1);
	assert_int_equal(guard_scene_hold(&scene, scene.stores[0], &wish), HOLD_GRANTED);
	wish = guard_scene_wish(&scene, 0, 2);
	wish.seats = seats;
	assert_int_equal(guard_scene_hold(&scene, scene.stores[0], &wish), HOLD_NO_SUCH_SEAT);
	assert_int_equal(scene.held.which, 2);
	assert_int_equal(scene.spies[0].holds, 2);
	assert_int_equal(redis_guard_counts(scene.stores[0]).passed, 1);
}

/* ---- while a request is on its way ---- */

static void ask_for_the_same(void *context)
{
	(void)context;
	assert_true(guard_scene_is_refused(&scene, 1, 5));
}

static void losers_meet_the_pending_mark(void **state)
{
	(void)state;
	struct hold_request wish = guard_scene_wish(&scene, 5, 1);
	scene.spies[0].before = ask_for_the_same;
	assert_int_equal(guard_scene_hold(&scene, scene.stores[0], &wish), HOLD_GRANTED);
	assert_null(scene.spies[0].before);
	/* When the first does not get its seats, those who come later do. */
	struct hold_request behind = guard_scene_wish(&scene, 4, 1);
	assert_int_equal(guard_scene_hold(&scene, scene.plain, &behind), HOLD_GRANTED);
	assert_int_equal(guard_scene_release(scene.stores[1], &wish), RELEASE_RELEASED);
	wish = guard_scene_wish(&scene, 4, 2);
	scene.spies[0].before = ask_for_the_same;
	assert_int_equal(guard_scene_hold(&scene, scene.stores[0], &wish), HOLD_TAKEN);
	assert_int_equal(scene.held.which, 1);
	wish = guard_scene_wish(&scene, 5, 1);
	assert_int_equal(guard_scene_hold(&scene, scene.stores[1], &wish), HOLD_GRANTED);
}

static void ask_for_nowhere(void *context)
{
	struct hold_request wish = guard_scene_wish(&scene, 0, 1);
	wish.seats = context;
	assert_int_equal(guard_scene_hold(&scene, scene.stores[1], &wish), HOLD_NO_SUCH_SEAT);
}

/* That somebody is asking for it does not make a seat be there. */
static void what_may_not_exist_is_not_taken_meanwhile(void **state)
{
	(void)state;
	struct slice nowhere = slice_of("nowhere");
	struct hold_request wish = guard_scene_wish(&scene, 0, 1);
	wish.seats = &nowhere;
	scene.spies[0].before = ask_for_nowhere;
	scene.spies[0].context = &nowhere;
	assert_int_equal(guard_scene_hold(&scene, scene.stores[0], &wish), HOLD_NO_SUCH_SEAT);
	assert_null(scene.spies[0].before);
	assert_int_equal(scene.spies[1].holds, 1);
}

static void repeat_elsewhere(void *context)
{
	const struct hold_request *wish = context;
	struct hold_result result;
	assert_int_equal(STATUS_OK, seat_store_hold(scene.stores[1], wish, &result, 1));
	assert_int_equal(result.outcome, HOLD_GRANTED);
}

static void the_owner_may_repeat_meanwhile(void **state)
{
	(void)state;
	struct hold_request wish = guard_scene_wish(&scene, 0, 3);
	scene.spies[0].before = repeat_elsewhere;
	scene.spies[0].context = &wish;
	assert_int_equal(guard_scene_hold(&scene, scene.stores[0], &wish), HOLD_GRANTED);
	expect_mark(0, wish.hold, "held 1");
	assert_true(guard_scene_is_refused(&scene, 1, 2));
}

static void an_unknown_answer_leaves_the_marks(void **state)
{
	(void)state;
	struct hold_request wish = guard_scene_wish(&scene, 7, 1);
	struct hold_result result;
	scene.spies[0].status = STATUS_UNKNOWN;
	assert_int_equal(STATUS_UNKNOWN, seat_store_hold(scene.stores[0], &wish, &result, 1));
	expect_mark(7, wish.hold, "pending");
	assert_true(guard_scene_is_refused(&scene, 1, 7));
	assert_int_equal(guard_scene_hold(&scene, scene.stores[1], &wish), HOLD_GRANTED);
	scene.spies[0].status = STATUS_UNAVAILABLE;
	wish = guard_scene_wish(&scene, 8, 1);
	assert_int_equal(STATUS_UNAVAILABLE, seat_store_hold(scene.stores[0], &wish, &result, 1));
	assert_string_equal(guard_scene_look(&scene, 8).text, "");
	wish = guard_scene_wish(&scene, 8, 1);
	assert_int_equal(guard_scene_hold(&scene, scene.stores[1], &wish), HOLD_GRANTED);
}

/* ---- marks keep step ---- */

static void sell(struct seat_store *store, const struct hold_request *wish, struct id order)
{
	struct sell_result result;
	struct sell_request sale = {.event = wish->event,
		.hold = wish->hold,
		.person = wish->person,
		.version = scene.held.version,
		.order = order};
	assert_int_equal(STATUS_OK, seat_store_sell(store, &sale, &result, 1));
	assert_int_equal(result.outcome, SELL_SOLD);
}

static void marks_follow_the_seats(void **state)
{
	(void)state;
	struct hold_request wish = guard_scene_wish(&scene, 4, 2);
	struct revoke_request revocation = {scene.event, id_new(guard_scene_now_ms())};
	enum revoke_outcome revoked;
	assert_int_equal(guard_scene_hold(&scene, scene.stores[0], &wish), HOLD_GRANTED);
	expect_mark(5, wish.hold, "held 1");
	assert_int_equal(guard_scene_release(scene.stores[1], &wish), RELEASE_RELEASED);
	assert_string_equal(guard_scene_look(&scene, 5).text, "");
	/* The first answer again, but no hold: so it keeps nobody away. */
	assert_int_equal(guard_scene_hold(&scene, scene.stores[0], &wish), HOLD_GRANTED);
	assert_string_equal(guard_scene_look(&scene, 5).text, "");

	struct hold_request second = guard_scene_wish(&scene, 5, 1);
	assert_int_equal(guard_scene_hold(&scene, scene.stores[0], &second), HOLD_GRANTED);
	assert_int_equal(guard_scene_release(scene.stores[1], &wish), RELEASE_RELEASED);
	expect_mark(5, second.hold, "held 3");
	sell(scene.stores[1], &second, revocation.order);
	expect_mark(5, second.hold, "sold 4");
	assert_true(guard_scene_is_refused(&scene, 0, 5));
	assert_int_equal(STATUS_OK, seat_store_revoke(scene.stores[0], &revocation, &revoked, 1));
	assert_int_equal(revoked, REVOKE_REVOKED);
	struct hold_request third = guard_scene_wish(&scene, 5, 1);
	assert_int_equal(guard_scene_hold(&scene, scene.stores[1], &third), HOLD_GRANTED);
}

static void a_request_is_still_known_when_another_has_the_seat(void **state)
{
	(void)state;
	struct hold_request wish = guard_scene_wish(&scene, 9, 1);
	assert_int_equal(guard_scene_hold(&scene, scene.stores[0], &wish), HOLD_GRANTED);
	assert_int_equal(guard_scene_release(scene.stores[0], &wish), RELEASE_RELEASED);
	struct hold_request other = guard_scene_wish(&scene, 9, 1);
	assert_int_equal(guard_scene_hold(&scene, scene.stores[1], &other), HOLD_GRANTED);
	assert_int_equal(guard_scene_hold(&scene, scene.stores[1], &wish), HOLD_GRANTED);
	expect_mark(9, other.hold, "held 3");
}

/* What Redis has noted today, it has noted yesterday. At midnight it may have. */
static void let_a_day_pass(void)
{
	static const struct redis_command rename_key = {"RENAME", REDIS_WRITES};
	char today[REDIS_KEY_SIZE_MAX], before[REDIS_KEY_SIZE_MAX], event[ID_TEXT_SIZE], name[32];
	long long day = guard_scene_now_ms() / 86400000;
	id_format(scene.event, event);
	snprintf(name, sizeof name, "holds:%lld", day);
	struct slice from = redis_key(today, "sg", slice_of(event), name);
	snprintf(name, sizeof name, "holds:%lld", day - 1);
	struct slice to = redis_key(before, "sg", slice_of(event), name);
	enum status status = redis_execute(scene.redis, &rename_key,
		REDIS_ARGUMENTS(redis_slice(from), redis_slice(to)), NULL);
	assert_true(status == STATUS_OK || status == STATUS_REFUSED);
}

static void what_was_asked_yesterday_is_known(void **state)
{
	(void)state;
	struct hold_request wish = guard_scene_wish(&scene, 9, 1);
	struct hold_request bought = guard_scene_wish(&scene, 10, 1);
	assert_int_equal(guard_scene_hold(&scene, scene.stores[0], &wish), HOLD_GRANTED);
	assert_int_equal(guard_scene_hold(&scene, scene.stores[0], &bought), HOLD_GRANTED);
	let_a_day_pass();
	sell(scene.stores[1], &bought, id_new(guard_scene_now_ms()));
	expect_mark(10, bought.hold, "sold 2");
	assert_int_equal(guard_scene_release(scene.stores[1], &wish), RELEASE_RELEASED);
	assert_string_equal(guard_scene_look(&scene, 9).text, "");
	struct hold_request other = guard_scene_wish(&scene, 9, 1);
	assert_int_equal(guard_scene_hold(&scene, scene.stores[1], &other), HOLD_GRANTED);
	assert_int_equal(guard_scene_hold(&scene, scene.stores[1], &wish), HOLD_GRANTED);
	expect_mark(9, other.hold, "held 3");
}

/* Whatever happens to a hold behind the guard's back, its mark keeps people away until it would
 * have ended by itself, and no longer; then the store says whether the seat is free. */
static void expect_mark_ends_with_hold(
	void (*behind)(const struct hold_request *wish), enum hold_outcome afterwards)
{
	bool refused = false;
	/* Longer, when the machine was so slow that the mark was gone before it was asked. */
	for (int seat = 0; !refused; seat++) {
		assert_true(seat < SCENE_SEATS);
		struct hold_request wish = guard_scene_wish(&scene, seat, 1);
		wish.hold_ms = INT64_C(1000) << seat;
		assert_int_equal(guard_scene_hold(&scene, scene.stores[0], &wish), HOLD_GRANTED);
		int64_t end_ms = scene.held.expires_at_ms;
		behind(&wish);
		int64_t before_ms = guard_scene_now_ms();
		assert_true(before_ms + guard_scene_look(&scene, seat).left_ms < end_ms);
		refused = guard_scene_is_refused(&scene, 1, seat);
		if (!refused)
			continue;
		while (guard_scene_now_ms() < end_ms)
			guard_scene_wait(0);
		wish = guard_scene_wish(&scene, seat, 1);
		assert_int_equal(guard_scene_hold(&scene, scene.stores[1], &wish), afterwards);
	}
}

static void release_behind(const struct hold_request *wish)
{
	assert_int_equal(guard_scene_release(scene.plain, wish), RELEASE_RELEASED);
}

static void no_mark_outlives_its_hold(void **state)
{
	(void)state;
	expect_mark_ends_with_hold(release_behind, HOLD_GRANTED);
}

/* As a checkout does that has seats and orders in one database. */
static void sell_behind(const struct hold_request *wish)
{
	sell(scene.plain, wish, wish->hold);
}

static void what_is_sold_past_the_guard_stays_sold(void **state)
{
	(void)state;
	expect_mark_ends_with_hold(sell_behind, HOLD_TAKEN);
}

static void revoke_behind(const struct hold_request *wish)
{
	struct revoke_request revocation = {wish->event, wish->hold};
	enum revoke_outcome revoked;
	sell_behind(wish);
	assert_int_equal(STATUS_OK, seat_store_revoke(scene.plain, &revocation, &revoked, 1));
	assert_int_equal(revoked, REVOKE_REVOKED);
}

static void what_is_revoked_past_the_guard_is_free_when_its_hold_would_be(void **state)
{
	(void)state;
	expect_mark_ends_with_hold(revoke_behind, HOLD_GRANTED);
}

/* ---- calls of unusual shapes ---- */

static void several_events_in_one_call(void **state)
{
	(void)state;
	struct hold_request batch[6];
	struct hold_result results[6];
	struct id events[] = {scene.event, id_new(guard_scene_now_ms()), scene.event};
	struct seat_offer offer = {.seat = scene.seats[0], .price = 1};
	assert_int_equal(STATUS_OK,
		seat_store_stock(scene.stores[0], events[1], slice_of("EUR"), &offer, 1));
	for (int i = 0; i < 6; i++) {
		batch[i] = guard_scene_wish(&scene, 0, 1);
		batch[i].event = events[i % 3];
	}
	batch[5].event = id_new(guard_scene_now_ms()); /* Unknown. */
	assert_int_equal(STATUS_OK, seat_store_hold(scene.stores[0], batch, results, 6));
	static const enum hold_outcome wanted[] = {
		HOLD_GRANTED, HOLD_GRANTED, HOLD_TAKEN, HOLD_TAKEN, HOLD_TAKEN, HOLD_NO_EVENT};
	for (int i = 0; i < 6; i++)
		assert_int_equal(results[i].outcome, wanted[i]);
	assert_int_equal(scene.spies[0].holds, 3);
	assert_int_equal(scene.spies[0].calls, 1);
}

/* More seats than one script takes: what does not fit waits, and the order stays. */
static void more_than_one_script_takes(void **state)
{
	(void)state;
	enum { COUNT = 100, SEATS = COUNT * SEAT_STORE_SEATS_MAX / 2 };
	static char names[SEATS][16];
	static struct slice seats[SEATS];
	static struct seat_offer offers[SEATS];
	struct hold_request batch[COUNT];
	struct hold_result results[COUNT];
	for (int i = 0; i < SEATS; i++) {
		snprintf(names[i], sizeof names[i], "z-%04d", i);
		seats[i] = slice_of(names[i]);
		offers[i] = (struct seat_offer){.seat = seats[i], .price = 1};
	}
	assert_int_equal(STATUS_OK,
		seat_store_stock(scene.stores[0], scene.event, slice_of("EUR"), offers, SEATS));
	for (int i = 0; i < COUNT; i++) {
		batch[i] = guard_scene_wish(&scene, 0, SEAT_STORE_SEATS_MAX);
		batch[i].seats = seats + i / 2 * SEAT_STORE_SEATS_MAX;
	}
	assert_int_equal(STATUS_OK, seat_store_hold(scene.stores[0], batch, results, COUNT));
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(results[i].outcome, i % 2 == 0 ? HOLD_GRANTED : HOLD_TAKEN);
	assert_int_equal(scene.spies[0].holds, COUNT / 2);
}

/* ---- opening ---- */

static void what_no_retry_mends_is_refused(void **state)
{
	(void)state;
	struct seat_store *store;
	struct fault fault;
	struct redis_guard_options options = {.redis_url = "http://127.0.0.1:1"};
	assert_int_equal(STATUS_REFUSED, redis_guard_open(scene.plain, &options, &store, &fault));
	char url[256];
	const char *at = strrchr(fixture.redis.url, '@');
	snprintf(url, sizeof url, "redis://default:wrong%s", at);
	options = (struct redis_guard_options){.redis_url = url, .call_ms_max = 30000};
	assert_int_equal(STATUS_REFUSED, redis_guard_open(scene.plain, &options, &store, &fault));
	assert_false(seat_store_traits(scene.stores[0])->exact_refusals);
	assert_string_equal(seat_store_traits(scene.stores[0])->name, "redis-guard");
}

static void what_is_done_is_counted_for_operators(void **state)
{
	(void)state;
	struct metrics *metrics = metrics_new();
	struct buffer text;
	redis_guard_register_metrics(metrics);
	assert_int_equal(STATUS_OK, metrics_freeze(metrics));
	guard_scene_open(&scene, &fixture, NULL, &(struct redis_guard_options){.metrics = metrics});
	struct hold_request wish = guard_scene_wish(&scene, 1, 1);
	assert_int_equal(guard_scene_hold(&scene, scene.stores[0], &wish), HOLD_GRANTED);
	for (int i = 0; i < 3; i++) /* By both guards, which count together. */
		assert_true(guard_scene_is_refused(&scene, i % 2, 1));
	buffer_init(&text, METRICS_RENDERED_SIZE_MAX);
	metrics_render(metrics, &text);
	buffer_add(&text, "", 1);
	assert_false(text.failed);
	assert_non_null(strstr(text.data, "seat_guard_holds_total{outcome=\"refused\"} 3\n"));
	assert_non_null(strstr(text.data, "seat_guard_holds_total{outcome=\"claimed\"} 1\n"));
	assert_non_null(strstr(text.data, "seat_guard_holds_total{outcome=\"bypassed\"} 0\n"));
	buffer_release(&text);
	guard_scene_close(&scene);
	metrics_free(metrics);
}

static int open_scene(void **state)
{
	(void)state;
	guard_scene_open(&scene, &fixture, NULL, &patient);
	return 0;
}

static int close_scene(void **state)
{
	(void)state;
	guard_scene_close(&scene);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
	static const struct seat_store_factory none;
	const struct CMUnitTest tests[] = {
		TEST(losers_do_not_reach_the_store),
		TEST(a_crowd_in_one_call_is_one_question),
		TEST(the_store_decides_in_order),
		TEST(seats_that_may_not_exist_are_asked_for),
		TEST(losers_meet_the_pending_mark),
		TEST(what_may_not_exist_is_not_taken_meanwhile),
		TEST(the_owner_may_repeat_meanwhile),
		TEST(an_unknown_answer_leaves_the_marks),
		TEST(marks_follow_the_seats),
		TEST(a_request_is_still_known_when_another_has_the_seat),
		TEST(what_was_asked_yesterday_is_known),
		TEST(no_mark_outlives_its_hold),
		TEST(what_is_sold_past_the_guard_stays_sold),
		TEST(what_is_revoked_past_the_guard_is_free_when_its_hold_would_be),
		TEST(several_events_in_one_call),
		TEST(more_than_one_script_takes),
		TEST(what_no_retry_mends_is_refused),
		cmocka_unit_test(what_is_done_is_counted_for_operators),
	};
	int failed = 1;
	if (guard_fixture_start(&fixture, "guard", &none) == STATUS_OK)
		failed = cmocka_run_group_tests_name("guard", tests, NULL, NULL);
	guard_fixture_stop(&fixture);
	return failed;
}
