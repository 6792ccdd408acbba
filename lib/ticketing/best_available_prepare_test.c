/* What best available makes of a plan's geometry: the order of seats in a row, and aisles. */
#include "lib/ticketing/best_available.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/ticketing/test_hall.h"

/* A hall of one section whose first row has free seats at these x, in the order of the document. */
static struct hall *row_of(const double x[], uint32_t count)
{
	struct hall *hall = hall_new();
	hall_add_zone(hall);
	hall_add_row(hall);
	for (uint32_t i = 0; i < count; i++)
		hall_add_seat(hall, x[i], 10, 0, true);
	return hall;
}

#define ROW_OF(x) row_of(x, sizeof(x) / sizeof *(x))

static struct best_available_block find(struct hall *hall, uint32_t quantity)
{
	return hall_find(hall, quantity, HALL_ANY, HALL_ANY);
}

static enum best_available_level level_of(struct hall *hall, uint32_t quantity)
{
	struct best_available_block block = find(hall, quantity);
	return block.level;
}

static void odd_seats_on_the_left_and_even_ones_on_the_right_are_in_order(void **state)
{
	(void)state;
	/* Numbers 1 to 8, from the middle outwards. */
	static const double x[] = {40, 50, 30, 60, 20, 70, 10, 80};
	struct hall *hall = ROW_OF(x);
	hall->plan.focal_point.x = 15;
	struct best_available_block block = find(hall, 3);
	assert_int_equal(block.level, BEST_AVAILABLE_ADJACENT);
	assert_int_equal(hall->seats[block.seats[0]].x, 10);
	assert_int_equal(hall->seats[block.seats[1]].x, 20);
	assert_int_equal(hall->seats[block.seats[2]].x, 30);
	hall_free(hall);
}

static void a_row_may_be_a_ring(void **state)
{
	(void)state;
	enum { RING = 36 };
	struct hall *hall = hall_new();
	hall_add_zone(hall);
	hall_add_row(hall);
	for (int i = 0; i < RING; i++)
		hall_add_seat(hall, 100 * cos(i * 2 * 3.14159265 / RING),
			100 * sin(i * 2 * 3.14159265 / RING), 0, true);
	struct best_available_block block = find(hall, RING);
	assert_int_equal(block.level, BEST_AVAILABLE_ADJACENT);
	for (uint32_t i = 0; i < RING; i++)
		assert_int_equal(block.seats[i], i);
	hall_free(hall);
}

static void a_row_may_lead_anywhere(void **state)
{
	(void)state;
	struct hall *hall = hall_new();
	hall_add_zone(hall);
	hall_add_row(hall);
	for (int i = 0; i < 8; i++)
		hall_add_seat(hall, 5, 200 - i * 20, 0, i != 3);
	hall->plan.focal_point = (struct seating_point){0, 200};
	struct best_available_block block = find(hall, 3);
	assert_int_equal(block.level, BEST_AVAILABLE_ADJACENT);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(block.seats[i], i);
	hall_free(hall);
}

static void a_gap_is_an_aisle_from_one_and_a_half_spacings_on(void **state)
{
	(void)state;
	static const double narrow[] = {10, 20, 30, 45, 55, 65};
	static const double wide[] = {10, 20, 30, 45.1, 55, 65};
	static const double missing[] = {10, 20, 40, 50};
	struct hall *hall = ROW_OF(narrow);
	assert_int_equal(level_of(hall, 6), BEST_AVAILABLE_ADJACENT);
	hall_free(hall);
	hall = ROW_OF(wide);
	assert_int_equal(level_of(hall, 6), BEST_AVAILABLE_TWO_GROUPS);
	hall_free(hall);
	hall = ROW_OF(missing);
	assert_int_equal(level_of(hall, 2), BEST_AVAILABLE_ADJACENT);
	assert_int_equal(level_of(hall, 3), BEST_AVAILABLE_TWO_GROUPS);
	hall_free(hall);
}

static void half_of_the_gaps_may_be_aisles(void **state)
{
	(void)state;
	/* Love seats. */
	static const double x[] = {10, 20, 50, 60, 90};
	struct hall *hall = ROW_OF(x);
	assert_int_equal(level_of(hall, 2), BEST_AVAILABLE_ADJACENT);
	assert_int_equal(level_of(hall, 3), BEST_AVAILABLE_TWO_GROUPS);
	hall_free(hall);
}

static void a_short_row_is_measured_by_its_section(void **state)
{
	(void)state;
	static const double wide[] = {10, 50};
	struct hall *hall = ROW_OF(wide);
	assert_int_equal(level_of(hall, 2), BEST_AVAILABLE_ADJACENT);
	hall_add_row(hall);
	for (int i = 0; i < 4; i++)
		hall_add_seat(hall, 10 + 10 * i, 20, 0, false);
	hall->prepared = NULL;
	assert_int_equal(level_of(hall, 2), BEST_AVAILABLE_TWO_GROUPS);
	hall_free(hall);
}

static void seats_without_a_place_of_their_own_are_adjacent(void **state)
{
	(void)state;
	static const double x[] = {10, 10, 10, 10};
	struct hall *hall = ROW_OF(x);
	struct best_available_block block = find(hall, 4);
	assert_int_equal(block.level, BEST_AVAILABLE_ADJACENT);
	hall_free(hall);
}

/* Rows numbered as the ox ploughs are walked as those that are numbered all alike: from the right
 * end of one to the right end of the next. */
static void rows_may_be_numbered_either_way(void **state)
{
	(void)state;
	static const char *const rows[] = {".xxxxx.x.", ".xxxxxxx."};
	for (int ploughed = 0; ploughed < 2; ploughed++) {
		struct hall *hall = hall_new();
		hall_add_zone(hall);
		for (int row = 0; row < 2; row++) {
			hall_add_row(hall);
			for (int i = 0; i < 9; i++) {
				int column = ploughed && row == 1 ? 8 - i : i;
				hall_add_seat(
					hall, column * 10, row * 10, 0, rows[row][column] == '.');
			}
		}
		hall->plan.focal_point = (struct seating_point){40, -1000};
		struct best_available_block block = find(hall, 3);
		assert_int_equal(block.level, BEST_AVAILABLE_ONE_SECTION);
		for (uint32_t i = 0; i < 3; i++)
			assert_true(hall->seats[block.seats[i]].x >= 60);
		hall_free(hall);
	}
}

static void a_section_is_as_near_as_its_nearest_row(void **state)
{
	(void)state;
	struct hall *hall = hall_new();
	for (int section = 0; section < 2; section++) {
		hall_add_zone(hall);
		hall_add_row(hall);
		hall_add_seat(hall, 10, section ? 450 : 10, 0, false);
		hall_add_row(hall);
		for (int i = 0; i < 5; i++)
			hall_add_seat(hall, 10 * i, section ? 450 : 300, 0, i % 2 == 0);
	}
	hall->plan.focal_point.y = 300;
	struct best_available_block block = find(hall, 3);
	assert_int_equal(block.level, BEST_AVAILABLE_ONE_SECTION);
	assert_int_equal(hall->seats[block.seats[0]].y, 300);
	hall_free(hall);
}

static void the_two_halves_of_a_hall_are_equal(void **state)
{
	(void)state;
	/* Odd fractions on purpose: the first in the plan wins, whatever rounding does. */
	static const double x[] = {-30.3, -20.2, 20.2, 30.3};
	for (int mirrored = 0; mirrored < 2; mirrored++) {
		struct hall *hall = hall_new();
		hall_add_zone(hall);
		for (int row = 0; row < 2; row++) {
			hall_add_row(hall);
			for (int i = 0; i < 4; i++)
				hall_add_seat(hall, 0.1 + x[mirrored ? 3 - i : i], row * 20.1, 0,
					row == 1);
		}
		hall->plan.focal_point = (struct seating_point){0.1, 0};
		struct best_available_block block = find(hall, 2);
		assert_int_equal(block.seats[0], 4);
		assert_int_equal(block.seats[1], 5);
		hall_free(hall);
	}
}

static void rows_and_sections_may_be_empty(void **state)
{
	(void)state;
	struct hall *hall = hall_new();
	hall_add_zone(hall);
	hall_add_zone(hall);
	hall_add_row(hall);
	hall_add_row(hall);
	hall_add_seat(hall, 10, 10, 0, true);
	hall_add_row(hall);
	hall_add_zone(hall);
	hall_add_row(hall);
	assert_int_equal(level_of(hall, 1), BEST_AVAILABLE_ADJACENT);
	assert_int_equal(level_of(hall, 2), BEST_AVAILABLE_NONE);
	struct best_available_block block = hall_find(hall, 1, HALL_ANY, 0);
	assert_int_equal(block.level, BEST_AVAILABLE_NONE);
	hall_free(hall);
}

static void an_arena_that_is_too_small_is_told(void **state)
{
	(void)state;
	struct hall *hall = hall_draw("....\n"
				      "....\n"
				      "-\n"
				      "....\n");
	const struct best_available *prepared = NULL;
	size_t bytes_max = 0;
	for (; !prepared; bytes_max += 16) {
		struct arena arena;
		arena_init(&arena, bytes_max);
		prepared = best_available_prepare(&hall->plan, &arena);
		arena_release(&arena);
		assert_true(bytes_max < 1 << 20);
	}
	assert_true(bytes_max > 12 * sizeof(uint32_t));
	hall_free(hall);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(odd_seats_on_the_left_and_even_ones_on_the_right_are_in_order),
		cmocka_unit_test(a_row_may_be_a_ring),
		cmocka_unit_test(a_row_may_lead_anywhere),
		cmocka_unit_test(a_gap_is_an_aisle_from_one_and_a_half_spacings_on),
		cmocka_unit_test(half_of_the_gaps_may_be_aisles),
		cmocka_unit_test(a_short_row_is_measured_by_its_section),
		cmocka_unit_test(seats_without_a_place_of_their_own_are_adjacent),
		cmocka_unit_test(rows_may_be_numbered_either_way),
		cmocka_unit_test(a_section_is_as_near_as_its_nearest_row),
		cmocka_unit_test(the_two_halves_of_a_hall_are_equal),
		cmocka_unit_test(rows_and_sections_may_be_empty),
		cmocka_unit_test(an_arena_that_is_too_small_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
