/* Negative controls: without the token compare, marks of others are taken away, and a loser is seen
 * to reach the store; a guard that claims exact refusals is seen by the suite. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tech-locking-and-transactions/memory/seat_memory_fixture.h"
#include "tech-locking-and-transactions/redis-guard/guard_scene_fixture.h"
#include "tech-locking-and-transactions/redis-guard/guard_unguarded.h"

enum { PENDING_MS = 20, TRIES = 8 };

static struct guard_fixture fixture;
static struct guard_scene scene;

/* ---- a hold that is released twice, the second time when another has the seat ---- */

static bool a_second_release_lets_losers_through(void)
{
	struct hold_request first = guard_scene_wish(&scene, 1, 1);
	assert_int_equal(guard_scene_hold(&scene, scene.stores[0], &first), HOLD_GRANTED);
	assert_int_equal(guard_scene_release(scene.stores[0], &first), RELEASE_RELEASED);
	struct hold_request second = guard_scene_wish(&scene, 1, 1);
	assert_int_equal(guard_scene_hold(&scene, scene.stores[1], &second), HOLD_GRANTED);
	assert_int_equal(guard_scene_release(scene.stores[0], &first), RELEASE_RELEASED);
	return !guard_scene_is_refused(&scene, 0, 1);
}

/* ---- a request that is so slow that another has the seat when it is refused ---- */

/* The first is not pending any more, and the second is granted the seat. */
static void overtake(void *context)
{
	(void)context;
	int64_t start_ms = guard_scene_now_ms();
	while (guard_scene_look(&scene, 2).left_ms > 0)
		assert_true(guard_scene_wait(start_ms));
	/* Again, where the machine stood still for so long that its mark ended before the answer.
	 */
	for (;;) {
		struct hold_request second = guard_scene_wish(&scene, 2, 1);
		assert_int_equal(guard_scene_hold(&scene, scene.stores[1], &second), HOLD_GRANTED);
		if (guard_scene_look(&scene, 2).left_ms > PENDING_MS)
			break;
		assert_int_equal(guard_scene_release(scene.stores[1], &second), RELEASE_RELEASED);
		assert_true(guard_scene_wait(start_ms));
	}
}

static bool a_late_refusal_lets_losers_through(void)
{
	struct hold_request first = guard_scene_wish(&scene, 2, 1);
	scene.spies[0].before = overtake;
	assert_int_equal(guard_scene_hold(&scene, scene.stores[0], &first), HOLD_TAKEN);
	return !guard_scene_is_refused(&scene, 0, 2);
}

/* ---- both, with the compare and without ---- */

static void play(enum guard_compare compare, bool (*act)(void))
{
	static const struct redis_guard_options options = {.pending_ms = 0};
	static const struct redis_guard_options hasty = {.pending_ms = PENDING_MS};
	bool late = act == a_late_refusal_lets_losers_through;
	guard_compare_set(compare);
	guard_scene_open(&scene, &fixture, NULL, late ? &hasty : &options);
	bool seen = act();
	guard_scene_close(&scene);
	guard_compare_set(GUARD_COMPARES);
	assert_int_equal(seen, compare == GUARD_COMPARES_NOT);
}

static void released_twice_with_compare(void **state)
{
	(void)state;
	play(GUARD_COMPARES, a_second_release_lets_losers_through);
}

static void released_twice_without_compare(void **state)
{
	(void)state;
	play(GUARD_COMPARES_NOT, a_second_release_lets_losers_through);
}

static void refused_late_with_compare(void **state)
{
	(void)state;
	play(GUARD_COMPARES, a_late_refusal_lets_losers_through);
}

static void refused_late_without_compare(void **state)
{
	(void)state;
	play(GUARD_COMPARES_NOT, a_late_refusal_lets_losers_through);
}

/* ---- the trait ---- */

static struct seat_store_traits boast;

static const struct seat_store_traits *boastful_traits(const struct seat_store *store)
{
	(void)store;
	return &boast;
}

static enum status open_boastful(void *context, struct seat_store **store)
{
	static struct seat_store_ops ops;
	enum status status = fixture.factory.open(context, store);
	if (status != STATUS_OK)
		return status;
	boast = *seat_store_traits(*store);
	boast.exact_refusals = true;
	ops = *(*store)->ops;
	ops.traits = boastful_traits;
	(*store)->ops = &ops;
	return STATUS_OK;
}

static void the_suite_sees_refusals_that_are_not_exact(void **state)
{
	(void)state;
	struct seat_store_factory factory = fixture.factory;
	char message[512];
	const char *violation = NULL;
	factory.open = open_boastful;
	for (int try = 0; try < TRIES && !violation; try++)
		violation = seat_store_check(&factory, "exact_refusals", message, sizeof message);
	assert_non_null(violation);
	print_message("%s\n", violation);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(released_twice_with_compare),
		cmocka_unit_test(released_twice_without_compare),
		cmocka_unit_test(refused_late_with_compare),
		cmocka_unit_test(refused_late_without_compare),
		cmocka_unit_test(the_suite_sees_refusals_that_are_not_exact),
	};
	struct seat_memory_fixture memory;
	int failed = 1;
	seat_memory_fixture_init(&memory);
	if (guard_fixture_start(&fixture, "guard-control", &memory.factory) == STATUS_OK)
		failed = cmocka_run_group_tests_name("controls", tests, NULL, NULL);
	guard_fixture_stop(&fixture);
	seat_memory_fixture_release(&memory);
	return failed;
}
