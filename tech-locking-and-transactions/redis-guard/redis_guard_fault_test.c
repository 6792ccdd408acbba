/* Redis dies, comes back, forgets, hangs, is slow or full, while seats are held: the store goes on
 * answering, and the guard comes back by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tech-locking-and-transactions/redis-guard/guard_scene_fixture.h"

enum { IMPATIENT_MS = 100, PENDING_MS = 300 };

static struct guard_fixture fixture;
static struct fault_proxy *proxy;
static struct guard_scene scene;

static int64_t bypassed(int server)
{
	return redis_guard_counts(scene.stores[server]).bypassed;
}

/* Hold a seat that is free, through a server. */
static struct hold_request take(int server, int seat)
{
	struct hold_request wish = guard_scene_wish(&scene, seat, 1);
	assert_int_equal(guard_scene_hold(&scene, scene.stores[server], &wish), HOLD_GRANTED);
	return wish;
}

/* Ask for a seat that is taken until the guard of this server refuses it. */
static void wait_until_guarded(int server, int seat)
{
	int64_t start_ms = guard_scene_now_ms();
	while (!guard_scene_is_refused(&scene, server, seat))
		assert_true(guard_scene_wait(start_ms));
}

/* Ask for a seat, and give it back where it was granted, until the guard of this server has claimed
 * anything. */
static void wait_until_claiming(int server, int seat)
{
	int64_t before = redis_guard_counts(scene.stores[server]).claimed;
	int64_t start_ms = guard_scene_now_ms();
	while (redis_guard_counts(scene.stores[server]).claimed == before) {
		struct hold_request wish = guard_scene_wish(&scene, seat, 1);
		if (guard_scene_hold(&scene, scene.stores[server], &wish) == HOLD_GRANTED)
			assert_int_equal(guard_scene_release(scene.plain, &wish), RELEASE_RELEASED);
		assert_true(guard_scene_wait(start_ms));
	}
}

/* That the store decides, with nobody before it. */
static void expect_bypass(int server, int taken, int available)
{
	int64_t before = bypassed(server);
	assert_false(guard_scene_is_refused(&scene, server, taken));
	struct hold_request wish = guard_scene_wish(&scene, taken, 1);
	assert_int_equal(guard_scene_hold(&scene, scene.stores[server], &wish), HOLD_TAKEN);
	take(server, available);
	assert_int_equal(bypassed(server), before + 3);
}

static void killed_and_started_again(void **state)
{
	(void)state;
	take(0, 0);
	assert_true(guard_scene_is_refused(&scene, 1, 0));
	assert_int_equal(STATUS_OK, redis_fixture_kill(&fixture.redis));
	expect_bypass(1, 0, 1);
	assert_int_equal(STATUS_OK, redis_fixture_start_again(&fixture.redis));
	wait_until_guarded(1, 0);
	/* What was held meanwhile has no mark; that costs a query, and nothing else. */
	int64_t before = scene.spies[1].holds;
	struct hold_request wish = guard_scene_wish(&scene, 1, 1);
	assert_int_equal(guard_scene_hold(&scene, scene.stores[1], &wish), HOLD_TAKEN);
	assert_int_equal(scene.spies[1].holds, before + 1);
	assert_string_equal(guard_scene_look(&scene, 1).text, "");
}

static void emptied(void **state)
{
	(void)state;
	struct hold_request first = take(0, 2);
	assert_int_equal(STATUS_OK, redis_fixture_empty(&fixture.redis));
	/* Until it has learned again what is taken, the store is asked. */
	assert_false(guard_scene_is_refused(&scene, 1, 2));
	struct hold_request wish = guard_scene_wish(&scene, 2, 1);
	assert_int_equal(guard_scene_hold(&scene, scene.stores[1], &wish), HOLD_TAKEN);
	assert_int_equal(guard_scene_hold(&scene, scene.stores[1], &first), HOLD_GRANTED);
	int64_t start_ms = guard_scene_now_ms();
	for (int seat = 3;; seat = 3 + (seat - 2) % (SCENE_SEATS - 3)) {
		wish = take(1, seat);
		if (guard_scene_is_refused(&scene, 1, seat))
			break;
		assert_int_equal(guard_scene_release(scene.plain, &wish), RELEASE_RELEASED);
		assert_true(guard_scene_wait(start_ms));
	}
	assert_int_equal(guard_scene_release(scene.stores[1], &first), RELEASE_RELEASED);
	take(1, 2);
}

/* A hold is released while Redis is away. Its seat still looks taken when Redis comes back, and
 * that must not be believed. */
static void what_was_missed_is_not_believed(void **state)
{
	(void)state;
	struct hold_request missed = take(0, 4);
	take(0, 5);
	fault_proxy_refuse(proxy);
	fault_proxy_cut(proxy);
	assert_int_equal(guard_scene_release(scene.stores[0], &missed), RELEASE_RELEASED);
	assert_true(guard_scene_look(&scene, 4).left_ms > 0);
	fault_proxy_pass(proxy);
	/* Server 1 knows of nothing, and is guarded as before; server 0 tells. */
	wait_until_guarded(1, 5);
	assert_true(guard_scene_look(&scene, 4).left_ms > 0);
	wait_until_claiming(0, 6);
	assert_string_equal(guard_scene_look(&scene, 4).text, "");
	take(1, 4);
	assert_true(guard_scene_is_refused(&scene, 0, 4));
}

static void hangs(void **state)
{
	(void)state;
	take(0, 7);
	fault_proxy_stall(proxy);
	expect_bypass(1, 7, 8);
	struct hold_request late = take(0, 9);
	fault_proxy_pass(proxy);
	/* What it was asked then it may do now; that ends by itself. */
	assert_int_equal(guard_scene_release(scene.plain, &late), RELEASE_RELEASED);
	struct hold_request wish = guard_scene_wish(&scene, 9, 1);
	int64_t start_ms = guard_scene_now_ms();
	while (guard_scene_hold(&scene, scene.stores[1], &wish) != HOLD_GRANTED)
		assert_true(guard_scene_wait(start_ms));
	take(0, 10);
	wait_until_claiming(0, 11);
}

static void slow(void **state)
{
	(void)state;
	fault_proxy_delay(proxy, 20);
	struct hold_request wish = take(0, 0);
	assert_true(guard_scene_is_refused(&scene, 1, 0));
	assert_int_equal(guard_scene_release(scene.stores[1], &wish), RELEASE_RELEASED);
	take(1, 0);
	assert_int_equal(bypassed(0) + bypassed(1), 0);
}

/* A script fails in the middle. */
static void full(void **state)
{
	(void)state;
	static const struct redis_command set = {"CONFIG SET", REDIS_WRITES};
	take(0, 1);
	assert_int_equal(STATUS_OK,
		redis_execute(scene.redis, &set,
			REDIS_ARGUMENTS(redis_text("maxmemory"), redis_text("1")), NULL));
	struct hold_request wish = take(0, 2);
	assert_string_equal(guard_scene_look(&scene, 2).text, "");
	assert_int_equal(redis_guard_counts(scene.stores[0]).passed, 1);
	assert_int_equal(STATUS_OK,
		redis_execute(scene.redis, &set,
			REDIS_ARGUMENTS(redis_text("maxmemory"), redis_text("0")), NULL));
	assert_int_equal(guard_scene_release(scene.stores[0], &wish), RELEASE_RELEASED);
	take(0, 2);
	assert_true(guard_scene_is_refused(&scene, 1, 2));
}

/* ---- */

static const struct redis_guard_options patient;
static const struct redis_guard_options impatient = {
	.call_ms_max = IMPATIENT_MS, .pending_ms = PENDING_MS};

static int open_plain(void **state)
{
	(void)state;
	guard_scene_open(&scene, &fixture, NULL, &patient);
	return 0;
}

static int open_behind_proxy(void **state)
{
	(void)state;
	guard_scene_open(&scene, &fixture, proxy, &patient);
	return 0;
}

static int open_impatient(void **state)
{
	(void)state;
	guard_scene_open(&scene, &fixture, proxy, &impatient);
	return 0;
}

static int close_scene(void **state)
{
	(void)state;
	fault_proxy_pass(proxy);
	guard_scene_close(&scene);
	return 0;
}

#define TEST(name, open) cmocka_unit_test_setup_teardown(name, open, close_scene)

int main(void)
{
	static const struct seat_store_factory none;
	const struct CMUnitTest tests[] = {
		TEST(killed_and_started_again, open_plain),
		TEST(emptied, open_plain),
		TEST(what_was_missed_is_not_believed, open_behind_proxy),
		TEST(hangs, open_impatient),
		TEST(slow, open_behind_proxy),
		TEST(full, open_plain),
	};
	int failed = 1;
	if (guard_fixture_start(&fixture, "guard-fault", &none) == STATUS_OK)
		proxy = fault_proxy_open(fixture.redis.url);
	if (proxy)
		failed = cmocka_run_group_tests_name("faults", tests, NULL, NULL);
	fault_proxy_close(proxy);
	guard_fixture_stop(&fixture);
	return failed;
}
