#include "lib/ticketing/arrival_estimate.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "lib/testkit/random.h"

static const int64_t start_ms = 1700000000000;

/* A room, and how it stands. */
struct room {
	struct arrival_estimate estimate;
	struct arrival_sample sample;
};

static void open_room(struct room *room, double rate_per_second)
{
	arrival_estimate_init(&room->estimate);
	room->sample = (struct arrival_sample){
		.now_ms = start_ms,
		.waiting = 100000,
		.rate_per_second = rate_per_second,
		.admitting = true,
	};
	arrival_estimate_add(&room->estimate, &room->sample);
}

/* Let time pass, in which `admitted` people are admitted at each step. */
static void run(struct room *room, int64_t ms, int64_t step_ms, int64_t admitted)
{
	for (int64_t passed = 0; passed < ms; passed += step_ms) {
		room->sample.now_ms += step_ms;
		room->sample.admitted += admitted;
		arrival_estimate_add(&room->estimate, &room->sample);
	}
}

static struct arrival_pace pace_of(const struct room *room)
{
	return arrival_estimate_pace(&room->estimate, room->sample.now_ms);
}

static void assert_about(double value, double low, double high)
{
	if (!(value >= low && value <= high))
		fail_msg("%f is not between %f and %f", value, low, high);
}

static void nothing_is_known_before_anything_is_seen(void **state)
{
	(void)state;
	struct arrival_estimate estimate;
	arrival_estimate_init(&estimate);
	struct arrival_pace pace = arrival_estimate_pace(&estimate, start_ms);
	assert_int_equal(pace.basis, ARRIVAL_UNKNOWN);
	struct arrival_range range = arrival_range(&pace, 5);
	assert_false(range.known);
	assert_int_equal(range.low, 0);
	assert_int_equal(range.high, 0);
}

static void before_anybody_is_admitted_the_configured_rate_counts(void **state)
{
	(void)state;
	struct room room;
	open_room(&room, 10);
	struct arrival_pace pace = pace_of(&room);
	assert_int_equal(pace.basis, ARRIVAL_CONFIGURED);
	struct arrival_range range = arrival_range(&pace, 99);
	assert_true(range.known);
	assert_int_equal(range.low, 9);
	assert_int_equal(range.high, 20);
	range = arrival_range(&pace, 0);
	assert_int_equal(range.low, 0);
	assert_int_equal(range.high, 1);
}

static void a_room_that_does_not_admit_promises_nothing(void **state)
{
	(void)state;
	struct room room;
	open_room(&room, 10);
	run(&room, 60000, 1000, 10);
	assert_int_equal(pace_of(&room).basis, ARRIVAL_MEASURED);
	room.sample.admitting = false;
	run(&room, 1000, 1000, 0);
	assert_int_equal(pace_of(&room).basis, ARRIVAL_UNKNOWN);
	/* And goes on with what was measured before, the pause left out. */
	run(&room, 60000, 1000, 0);
	room.sample.admitting = true;
	run(&room, 2000, 1000, 10);
	struct arrival_pace pace = pace_of(&room);
	assert_int_equal(pace.basis, ARRIVAL_MEASURED);
	assert_about(pace.slow, 9, 10);
}

static void an_even_pace_gives_a_narrow_range(void **state)
{
	(void)state;
	struct room room;
	open_room(&room, 1000);
	run(&room, 300000, 500, 5);
	struct arrival_pace pace = pace_of(&room);
	assert_int_equal(pace.basis, ARRIVAL_MEASURED);
	assert_about(pace.slow, 9.5, 10);
	assert_about(pace.fast, 10, 10.5);
	struct arrival_range range = arrival_range(&pace, 6000);
	assert_in_range(range.low, 570, 600);
	assert_in_range(range.high, 601, 632);
}

/* Slots of 100 and of 300 people: the mean is 20 per second, the deviation 10. */
static void an_uneven_pace_gives_a_wide_range(void **state)
{
	(void)state;
	struct room room;
	open_room(&room, 1000);
	for (int i = 0; i < 14; i++) {
		run(&room, ARRIVAL_SLOT_MS, 1000, 10);
		run(&room, ARRIVAL_SLOT_MS, 1000, 30);
	}
	struct arrival_pace pace = pace_of(&room);
	assert_about(pace.slow, 9, 11);
	assert_about(pace.fast, 29, 31);
}

static void nobody_is_faster_than_the_configured_rate(void **state)
{
	(void)state;
	struct room room;
	open_room(&room, 100);
	run(&room, 60000, 500, 50);
	assert_about(pace_of(&room).fast, 100, 100);
	room.sample.rate_per_second = 20;
	run(&room, 500, 500, 10);
	struct arrival_pace pace = pace_of(&room);
	assert_about(pace.fast, 20, 20);
	assert_about(pace.slow, 20, 20);
	struct arrival_range range = arrival_range(&pace, 0);
	assert_true(range.low < range.high);
}

/* Nobody finishes, so nobody is admitted: the configured rate would be a false promise. */
static void a_room_that_is_stuck_promises_nothing(void **state)
{
	(void)state;
	struct room room;
	open_room(&room, 10);
	run(&room, 1000, 1000, 0);
	assert_int_equal(pace_of(&room).basis, ARRIVAL_CONFIGURED);
	run(&room, 60000, 1000, 0);
	assert_int_equal(pace_of(&room).basis, ARRIVAL_UNKNOWN);
	run(&room, 1000, 1000, 1);
	assert_int_equal(pace_of(&room).basis, ARRIVAL_MEASURED);
}

/* At one in ten minutes, a minute without anybody is as it should be. */
static void a_slow_room_is_not_taken_for_a_stuck_one(void **state)
{
	(void)state;
	struct room room;
	open_room(&room, 1.0 / 600);
	run(&room, 300000, 5000, 0);
	assert_int_equal(pace_of(&room).basis, ARRIVAL_CONFIGURED);
	struct arrival_pace pace = pace_of(&room);
	struct arrival_range range = arrival_range(&pace, 1);
	assert_int_equal(range.low, 600);
	assert_int_equal(range.high, 2400);
}

/* For four minutes one person comes every second and goes straight in; then a rush. */
static void time_in_which_nobody_waited_is_not_measured(void **state)
{
	(void)state;
	struct room room;
	open_room(&room, 100);
	room.sample.waiting = 0;
	arrival_estimate_add(&room.estimate, &room.sample);
	run(&room, 240000, 1000, 1);
	assert_int_equal(pace_of(&room).basis, ARRIVAL_CONFIGURED);
	room.sample.waiting = 50000;
	arrival_estimate_add(&room.estimate, &room.sample);
	run(&room, 10000, 1000, 80);
	struct arrival_pace pace = pace_of(&room);
	assert_int_equal(pace.basis, ARRIVAL_MEASURED);
	assert_about(pace.slow, 70, 80);
	assert_about(pace.fast, 80, 90);
}

static void what_is_old_is_forgotten(void **state)
{
	(void)state;
	struct room room;
	open_room(&room, 1000);
	run(&room, 60000, 1000, 2);
	run(&room, (int64_t)ARRIVAL_SLOTS_MAX * ARRIVAL_SLOT_MS, 1000, 50);
	assert_about(pace_of(&room).slow, 48, 50);
	/* Nobody has looked for long. */
	int64_t later_ms = room.sample.now_ms + 3600000;
	assert_int_equal(arrival_estimate_pace(&room.estimate, later_ms).basis, ARRIVAL_CONFIGURED);
	/* And an hour in which nobody looked is no measure. */
	room.sample.now_ms = later_ms;
	arrival_estimate_add(&room.estimate, &room.sample);
	assert_int_equal(pace_of(&room).basis, ARRIVAL_CONFIGURED);
}

static void a_new_epoch_or_another_time_begins_anew(void **state)
{
	(void)state;
	struct room room;
	open_room(&room, 100);
	run(&room, 60000, 1000, 10);
	room.sample.admitted = 3;
	run(&room, 1000, 1000, 0);
	assert_int_equal(pace_of(&room).basis, ARRIVAL_CONFIGURED);
	run(&room, 60000, 1000, 20);
	assert_about(pace_of(&room).slow, 18, 20);
	room.sample.now_ms -= 30000;
	run(&room, 1000, 1000, 0);
	room.sample.now_ms -= 2000;
	arrival_estimate_add(&room.estimate, &room.sample);
	assert_int_equal(pace_of(&room).basis, ARRIVAL_CONFIGURED);
}

static void a_range_is_cut_off_at_a_week(void **state)
{
	(void)state;
	struct arrival_pace pace = {.basis = ARRIVAL_MEASURED, .slow = 1e-9, .fast = 1e-6};
	struct arrival_range range = arrival_range(&pace, INT64_MAX);
	assert_int_equal(range.low, ARRIVAL_SECONDS_MAX - 1);
	assert_int_equal(range.high, ARRIVAL_SECONDS_MAX);
	range = arrival_range(&pace, 0);
	assert_int_equal(range.low, 0);
	assert_int_equal(range.high, ARRIVAL_SECONDS_MAX);
}

/* Whatever was measured: bounds in order, and who is further back is not promised to come first. */
static void ranges_grow_with_the_place(void **state)
{
	(void)state;
	struct random random;
	random_init(&random, random_seed());
	for (int round = 0; round < 300; round++) {
		struct room room;
		open_room(&room, random_real(&random) * 1000 + 1e-6);
		for (int64_t i = 0, steps = random_between(&random, 0, 500); i < steps; i++) {
			room.sample.waiting = random_between(&random, 0, 3);
			room.sample.admitting = random_chance(&random, 9, 10);
			run(&room, 1, 1 + random_between(&random, 0, 12000),
				random_between(&random, 0, 100));
		}
		room.sample.admitting = true;
		arrival_estimate_add(&room.estimate, &room.sample);
		struct arrival_pace pace = pace_of(&room);
		if (pace.basis == ARRIVAL_UNKNOWN)
			continue;
		assert_true(pace.slow > 0 && pace.slow <= pace.fast);
		assert_true(pace.fast <= room.sample.rate_per_second);
		struct arrival_range before = {0};
		for (int64_t ahead = 0; ahead < 1000000; ahead += ahead / 7 + 1) {
			struct arrival_range range = arrival_range(&pace, ahead);
			assert_true(range.known && range.low < range.high);
			assert_true(range.low >= before.low && range.high >= before.high);
			assert_true(range.high <= ARRIVAL_SECONDS_MAX);
			before = range;
		}
	}
}

/* A room that admits by chance, about 20 a second: how often does the true time lie within? */
static void a_promise_is_mostly_kept(void **state)
{
	(void)state;
	enum { ROUNDS = 100, AHEAD = 2000, KEPT_MIN = 60 };
	struct random random;
	random_init(&random, random_seed());
	int kept = 0;
	for (int round = 0; round < ROUNDS; round++) {
		struct room room;
		open_room(&room, 1000);
		for (int second = 0; second < 240; second++)
			run(&room, 1, 1000, random_between(&random, 0, 40));
		struct arrival_pace pace = pace_of(&room);
		struct arrival_range range = arrival_range(&pace, AHEAD);
		int64_t seconds = 0;
		for (int64_t admitted = 0; admitted <= AHEAD; seconds++)
			admitted += random_between(&random, 0, 40);
		kept += seconds >= range.low && seconds <= range.high;
	}
	assert_true(kept >= KEPT_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_known_before_anything_is_seen),
		cmocka_unit_test(before_anybody_is_admitted_the_configured_rate_counts),
		cmocka_unit_test(a_room_that_does_not_admit_promises_nothing),
		cmocka_unit_test(an_even_pace_gives_a_narrow_range),
		cmocka_unit_test(an_uneven_pace_gives_a_wide_range),
		cmocka_unit_test(nobody_is_faster_than_the_configured_rate),
		cmocka_unit_test(a_room_that_is_stuck_promises_nothing),
		cmocka_unit_test(a_slow_room_is_not_taken_for_a_stuck_one),
		cmocka_unit_test(time_in_which_nobody_waited_is_not_measured),
		cmocka_unit_test(what_is_old_is_forgotten),
		cmocka_unit_test(a_new_epoch_or_another_time_begins_anew),
		cmocka_unit_test(a_range_is_cut_off_at_a_week),
		cmocka_unit_test(ranges_grow_with_the_place),
		cmocka_unit_test(a_promise_is_mostly_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
