/* Best available against an oracle that tries everything, in random halls; and what holds for every
 * block, wherever it comes from. */
#include "lib/ticketing/best_available.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/testkit/random.h"
#include "lib/ticketing/best_available_oracle.h"

enum { HALLS = 400, HALLS_FULL = 10000, ROWS_MAX = 7, COLUMNS_MAX = 12, DRAWING_SIZE = 256 };

static int hall_count(void)
{
	const char *full = getenv("ONSALE_FULL");
	return full && strcmp(full, "1") == 0 ? HALLS_FULL : HALLS;
}

/* Lines of letters; how many seats are free, missing and of which category is drawn for the hall
 * as a whole, so that all levels have their turn. */
static void draw(struct random *random, char drawing[DRAWING_SIZE])
{
	int rows = (int)random_between(random, 1, ROWS_MAX);
	int columns = (int)random_between(random, 1, COLUMNS_MAX);
	uint64_t free_of_8 = random_below(random, 9), blank_of_12 = random_below(random, 3);
	uint64_t second_of_4 = random_below(random, 3), section_of_4 = random_below(random, 3);
	char *next = drawing;
	for (int i = 0; i < rows; i++) {
		if (i > 0 && random_chance(random, section_of_4, 4))
			next = stpcpy(next, "-\n");
		for (int k = 0; k < columns; k++) {
			char letter = random_chance(random, second_of_4, 4) ? ',' : '.';
			if (!random_chance(random, free_of_8, 8))
				letter = 'x';
			/* The first seats stay, so that a row's median is the pitch. */
			if (k > 1 && random_chance(random, blank_of_12, 12))
				letter = ' ';
			*next++ = letter;
		}
		*next++ = '\n';
	}
	*next = '\0';
}

/* A row whose aisles are most of its spacings would have none: the oracle goes by columns. */
static bool is_regular(const struct hall *hall)
{
	for (uint32_t i = 0; i < hall->plan.row_count; i++) {
		const struct seating_row *row = &hall->rows[i];
		uint32_t narrow = 0;
		for (uint32_t k = 1; k < row->seat_count; k++) {
			const struct seating_seat *seat = &hall->seats[row->first_seat + k];
			narrow += seat->x - (seat - 1)->x <= HALL_PITCH;
		}
		if (row->seat_count > 1 && 2 * narrow < row->seat_count - 1)
			return false;
	}
	return true;
}

static void move_focal_points(struct random *random, struct hall *hall)
{
	hall->plan.focal_point.x += (double)random_between(random, -80, 80);
	hall->plan.focal_point.y += (double)random_between(random, -50, 90);
	for (uint32_t i = 0; i < hall->plan.zone_count; i++) {
		hall->zones[i].has_focal_point = random_chance(random, 1, 5);
		hall->zones[i].focal_point =
			(struct seating_point){(double)random_between(random, 0, 130),
				(double)random_between(random, 0, 90)};
	}
}

/* What holds whatever is best. */
static void assert_sound(const struct hall *hall, const struct best_available_block *block,
	uint32_t quantity, int category, int section)
{
	assert_int_equal(
		block->seat_count, block->level == BEST_AVAILABLE_NONE ? 0 : (int)quantity);
	for (uint32_t i = 0; i < block->seat_count; i++) {
		uint32_t seat = block->seats[i];
		assert_true(seat < hall->plan.seat_count && hall->available[seat]);
		assert_true(i == 0 || seat > block->seats[i - 1]);
		if (category != HALL_ANY)
			assert_int_equal(hall->seats[seat].category_index, category);
		if (section != HALL_ANY)
			assert_int_equal(hall->seats[seat].zone_index, section);
	}
	if (block->level == BEST_AVAILABLE_NONE)
		return;
	assert_int_equal(block->group_count == 1, block->level <= BEST_AVAILABLE_ADJACENT_ORPHAN);
	assert_true(block->row_count <= block->group_count);
	assert_true(block->section_count <= block->row_count);
	assert_int_equal(block->section_count > 1, block->level == BEST_AVAILABLE_ANYWHERE);
	if (block->level == BEST_AVAILABLE_TWO_GROUPS)
		assert_int_equal(block->group_count, 2);
	if (block->level == BEST_AVAILABLE_ADJACENT)
		assert_int_equal(block->orphan_count, 0);
}

static struct best_available_block ask_both(
	struct hall *hall, uint32_t quantity, int category, int section)
{
	struct oracle_block oracle;
	struct best_available_block block = hall_find(hall, quantity, category, section);
	oracle_find(hall, quantity, category, section, &oracle);
	assert_sound(hall, &block, quantity, category, section);
	for (uint32_t i = 0; i < hall->plan.seat_count; i++)
		hall->expected[i] = oracle.seats[i];
	hall_assert_block(hall, &block, oracle.level);
	assert_int_equal(block.orphan_count, oracle.orphan_count);
	return block;
}

/* Ask until nothing is left, as one who meets a collision each time. */
static void sell_out(
	struct random *random, struct hall *hall, uint32_t levels[BEST_AVAILABLE_ANYWHERE + 1])
{
	struct best_available_block block;
	do {
		uint32_t quantity = (uint32_t)random_between(random, 1, 12);
		int category =
			random_chance(random, 1, 3) ? (int)random_below(random, 2) : HALL_ANY;
		int section = random_chance(random, 1, 4)
			? (int)random_below(random, hall->plan.zone_count)
			: HALL_ANY;
		block = ask_both(hall, quantity, category, section);
		levels[block.level]++;
		best_available_strike_out(&block, random_next(random) | 1, hall->available);
	} while (block.level != BEST_AVAILABLE_NONE);
}

static void no_block_is_better(void **state)
{
	(void)state;
	uint32_t levels[BEST_AVAILABLE_ANYWHERE + 1] = {0};
	for (int i = 0; i < hall_count(); i++) {
		struct random random;
		char drawing[DRAWING_SIZE];
		random_init_stream(&random, random_seed(), (uint64_t)i);
		draw(&random, drawing);
		struct hall *hall = hall_draw(drawing);
		move_focal_points(&random, hall);
		if (is_regular(hall))
			sell_out(&random, hall, levels);
		hall_free(hall);
	}
	/* A test that never comes to a level proves nothing of it. */
	for (int level = 0; level <= BEST_AVAILABLE_ANYWHERE; level++)
		assert_true(levels[level] > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_block_is_better),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
