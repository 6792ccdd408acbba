/* Each rule of best available, in halls that are small enough to see what is right. */
#include "lib/ticketing/best_available.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/ticketing/test_hall.h"

/* The block is the marked one. */
static void assert_best(const char *drawing, uint32_t quantity, enum best_available_level level)
{
	struct hall *hall = hall_draw(drawing);
	struct best_available_block block = hall_find(hall, quantity, HALL_ANY, HALL_ANY);
	hall_assert_block(hall, &block, level);
	hall_free(hall);
}

static void assert_best_of(const char *drawing, uint32_t quantity, int category, int section,
	enum best_available_level level)
{
	struct hall *hall = hall_draw(drawing);
	struct best_available_block block = hall_find(hall, quantity, category, section);
	hall_assert_block(hall, &block, level);
	hall_free(hall);
}

static void assert_counts(const char *drawing, uint32_t quantity, uint32_t groups, uint32_t rows,
	uint32_t sections, uint32_t orphans)
{
	struct hall *hall = hall_draw(drawing);
	struct best_available_block block = hall_find(hall, quantity, HALL_ANY, HALL_ANY);
	assert_int_equal(block.seat_count, quantity);
	assert_int_equal(block.group_count, groups);
	assert_int_equal(block.row_count, rows);
	assert_int_equal(block.section_count, sections);
	assert_int_equal(block.orphan_count, orphans);
	hall_free(hall);
}

static void the_nearest_to_the_focal_point_are_best(void **state)
{
	(void)state;
	assert_best("..##..\n"
		    "......\n",
		2, BEST_AVAILABLE_ADJACENT);
	assert_best("xxxxxx\n"
		    "..##..\n"
		    "......\n",
		2, BEST_AVAILABLE_ADJACENT);
	/* The middle of the second row is nearer than the end of the first. */
	assert_best("..xxxxxxxx..\n"
		    "xxxxx##xxxxx\n",
		2, BEST_AVAILABLE_ADJACENT);
	/* Equally near: the first in the plan. */
	assert_best("##xx..\n", 2, BEST_AVAILABLE_ADJACENT);
	assert_best("x#x.x\n", 1, BEST_AVAILABLE_ADJACENT);
}

static void the_focal_point_may_be_anywhere(void **state)
{
	(void)state;
	struct hall *hall = hall_draw("......\n"
				      "......\n"
				      "....##\n");
	hall->plan.focal_point = (struct seating_point){1000, 1000};
	struct best_available_block block = hall_find(hall, 2, HALL_ANY, HALL_ANY);
	hall_assert_block(hall, &block, BEST_AVAILABLE_ADJACENT);
	hall_free(hall);
}

static void a_section_may_have_its_own_focal_point(void **state)
{
	(void)state;
	struct hall *hall = hall_draw("......\n"
				      "-\n"
				      "....##\n"
				      "......\n");
	hall->zones[1].has_focal_point = true;
	hall->zones[1].focal_point = (struct seating_point){60, 30};
	struct best_available_block block = hall_find(hall, 2, HALL_ANY, HALL_ANY);
	hall_assert_block(hall, &block, BEST_AVAILABLE_ADJACENT);
	hall_free(hall);
}

static void no_orphan_is_left_at_the_end_of_a_row(void **state)
{
	(void)state;
	/* In the middle of five, one seat would be left alone. */
	assert_best("##...\n", 2, BEST_AVAILABLE_ADJACENT);
	assert_best("#...\n", 1, BEST_AVAILABLE_ADJACENT);
	/* Whatever two of the three: farther away is better. */
	assert_best("...\n"
		    "...\n"
		    "...\n"
		    "##..\n",
		2, BEST_AVAILABLE_ADJACENT);
	/* The seat in front of an aisle is a row's end. */
	assert_best("... ##\n", 2, BEST_AVAILABLE_ADJACENT);
}

static void no_orphan_is_left_between_others(void **state)
{
	(void)state;
	assert_best("x...x\n"
		    "x...x\n"
		    "x...x\n"
		    "xx##x\n",
		2, BEST_AVAILABLE_ADJACENT);
	assert_best("x##..x\n", 2, BEST_AVAILABLE_ADJACENT);
	assert_best("x..###x...\n", 3, BEST_AVAILABLE_ADJACENT);
}

static void an_orphan_that_was_there_before_does_not_matter(void **state)
{
	(void)state;
	assert_best(".x##x.\n", 2, BEST_AVAILABLE_ADJACENT);
	assert_best("xxxx##.x\n", 2, BEST_AVAILABLE_ADJACENT_ORPHAN);
	/* One who comes alone is welcome to it. */
	assert_best("..x#x..\n", 1, BEST_AVAILABLE_ADJACENT);
	assert_best("xxx..x.x\n"
		    "xxxxx#xx\n",
		1, BEST_AVAILABLE_ADJACENT);
}

static void a_free_neighbour_of_another_category_saves_a_seat_from_being_orphaned(void **state)
{
	(void)state;
	assert_best_of("##.,\n", 2, 0, HALL_ANY, BEST_AVAILABLE_ADJACENT);
	/* But is an orphan when it is left alone itself. */
	assert_best_of("##,\n", 2, 0, HALL_ANY, BEST_AVAILABLE_ADJACENT_ORPHAN);
}

static void else_an_orphan_is_left(void **state)
{
	(void)state;
	assert_best("x##.x\n"
		    "x...x\n",
		2, BEST_AVAILABLE_ADJACENT_ORPHAN);
	assert_best("#.\n", 1, BEST_AVAILABLE_ADJACENT_ORPHAN);
	assert_counts("...\n", 2, 1, 1, 1, 1);
	assert_counts("..\n", 1, 1, 1, 1, 1);
	/* Two orphans rather than to sit apart. */
	assert_best_of("x,##,x.x\n", 2, 0, HALL_ANY, BEST_AVAILABLE_ADJACENT_ORPHAN);
}

static void only_the_wished_category_is_given(void **state)
{
	(void)state;
	assert_best_of("....\n"
		       "@@,,\n"
		       ",,,,\n",
		2, 1, HALL_ANY, BEST_AVAILABLE_ADJACENT);
	assert_best_of("..@@,,\n", 2, 1, HALL_ANY, BEST_AVAILABLE_ADJACENT);
	assert_best_of(".@.@.\n", 2, 1, HALL_ANY, BEST_AVAILABLE_TWO_GROUPS);
	assert_best_of("....\n", 1, 1, HALL_ANY, BEST_AVAILABLE_NONE);
	assert_best_of(".,.\n", 2, 1, HALL_ANY, BEST_AVAILABLE_NONE);
}

static void only_the_wished_section_is_given(void **state)
{
	(void)state;
	static const char drawing[] = "......\n"
				      "-\n"
				      "..##..\n"
				      "......\n"
				      "-\n"
				      "......\n";
	assert_best_of(drawing, 2, HALL_ANY, 1, BEST_AVAILABLE_ADJACENT);
	assert_best_of("..\n"
		       "-\n"
		       ".\n",
		2, HALL_ANY, 1, BEST_AVAILABLE_NONE);
	assert_best_of(",,\n"
		       "-\n"
		       "..@x@\n",
		2, 1, 1, BEST_AVAILABLE_TWO_GROUPS);
}

static void a_party_is_parted_in_two(void **state)
{
	(void)state;
	assert_best("x##x##x\n", 4, BEST_AVAILABLE_TWO_GROUPS);
	assert_best("## ##\n", 4, BEST_AVAILABLE_TWO_GROUPS);
	assert_best("x###x\n"
		    "x##.x\n",
		5, BEST_AVAILABLE_TWO_GROUPS);
	assert_best("#x#\n", 2, BEST_AVAILABLE_TWO_GROUPS);
	assert_counts("x##x##x\n", 4, 2, 1, 1, 0);
	assert_counts("x...x\n"
		      "x...x\n",
		5, 2, 2, 1, 1);
	/* As equal as the runs allow. */
	assert_best("xx####xx\n"
		    "xxx##xxx\n",
		6, BEST_AVAILABLE_TWO_GROUPS);
	assert_best("x###..x\n"
		    "x###..x\n",
		6, BEST_AVAILABLE_TWO_GROUPS);
}

static void nobody_of_a_large_party_sits_alone_if_that_can_be_helped(void **state)
{
	(void)state;
	assert_best("xx...x.xx\n"
		    "xxxxxxxxx\n"
		    "xxxxxxxxx\n"
		    "xx##x##xx\n",
		4, BEST_AVAILABLE_TWO_GROUPS);
	assert_best("xx###x#xx\n", 4, BEST_AVAILABLE_TWO_GROUPS);
	/* Also when somebody could in a section that is nearer by far. */
	assert_best("xx...x.xx\n"
		    "-\n-\n-\n-\n-\n-\n-\n-\n-\n-\n-\n-\n"
		    "xx##x##xx\n",
		4, BEST_AVAILABLE_TWO_GROUPS);
}

static void the_two_groups_are_near_to_each_other(void **state)
{
	(void)state;
	/* The ends of the first rows are nearer to the focal point, but not to each other. */
	assert_best("..xxxxxxxxxxxxxxxx\n"
		    "xxxxxxxxxxxxxxxx..\n"
		    "xxxxxxxxxxxxxxxxxx\n"
		    "xxxxxxx##xxxxxxxxx\n"
		    "xxxxxxx##xxxxxxxxx\n",
		4, BEST_AVAILABLE_TWO_GROUPS);
}

static void of_equal_pairs_the_first_in_the_plan_is_taken(void **state)
{
	(void)state;
	assert_best("##x##xxx..x..\n", 4, BEST_AVAILABLE_TWO_GROUPS);
	assert_best("xx##xx\n"
		    "##xx..\n",
		4, BEST_AVAILABLE_TWO_GROUPS);
}

static void a_row_of_very_many_runs_is_looked_at_in_part(void **state)
{
	(void)state;
	char drawing[4 * BEST_AVAILABLE_RUNS_MAX + 1] = "";
	for (size_t i = 0; i + 1 < sizeof drawing; i++)
		drawing[i] = i % 2 ? 'x' : '.';
	struct hall *hall = hall_draw(drawing);
	hall->plan.focal_point.x = 1e6;
	struct best_available_block block = hall_find(hall, 2, HALL_ANY, HALL_ANY);
	assert_int_equal(block.level, BEST_AVAILABLE_TWO_GROUPS);
	assert_int_equal(block.seats[0], 2 * (BEST_AVAILABLE_RUNS_MAX - 2));
	assert_int_equal(block.seats[1], 2 * (BEST_AVAILABLE_RUNS_MAX - 1));
	hall_free(hall);
}

static void groups_are_of_neighbouring_rows_in_one_section(void **state)
{
	(void)state;
	assert_best("x##x\n"
		    "xxxx\n"
		    "x##x\n",
		4, BEST_AVAILABLE_ONE_SECTION);
	assert_best("x##x\n"
		    "-\n"
		    "x##x\n",
		4, BEST_AVAILABLE_ANYWHERE);
	assert_counts("x..x\n"
		      "-\n"
		      "x..x\n",
		4, 2, 2, 2, 0);
}

static void a_party_is_scattered_in_one_section(void **state)
{
	(void)state;
	assert_best("x.x#x#x#x.x.x\n", 3, BEST_AVAILABLE_ONE_SECTION);
	/* The nearest are too far from each other. */
	assert_best(".xxxxxxxxx.\n"
		    ".xxxxxxxxx.\n"
		    "xxxx#x#xxxx\n"
		    "xxxx#x#xxxx\n",
		4, BEST_AVAILABLE_ONE_SECTION);
	/* Rather one section than the nearest of two. */
	assert_best("xx.x.xx\n"
		    "-\n"
		    "xxxxxxx\n"
		    "x#x#x#x\n",
		3, BEST_AVAILABLE_ONE_SECTION);
	assert_counts(".x.x.\n", 3, 3, 1, 1, 0);
}

static void else_a_party_is_scattered_anywhere(void **state)
{
	(void)state;
	assert_best("xx#x#xx\n"
		    "-\n"
		    "xx#xx.x\n",
		3, BEST_AVAILABLE_ANYWHERE);
	assert_best("#\n"
		    "-\n"
		    "#\n"
		    "-\n"
		    ".\n",
		2, BEST_AVAILABLE_ANYWHERE);
	assert_best("#x\n"
		    "-\n"
		    "##\n"
		    "-\n"
		    "xx\n",
		3, BEST_AVAILABLE_ANYWHERE);
}

static void orphans_of_a_scattered_party_count_once(void **state)
{
	(void)state;
	/* The seat of the other category loses both of its neighbours. */
	struct hall *hall = hall_draw("@.@\n");
	struct best_available_block block = hall_find(hall, 2, 1, HALL_ANY);
	hall_assert_block(hall, &block, BEST_AVAILABLE_TWO_GROUPS);
	assert_int_equal(block.orphan_count, 1);
	assert_int_equal(block.group_count, 2);
	hall_free(hall);
}

static void after_a_collision_the_next_block_is_found(void **state)
{
	(void)state;
	static const char *const next[] = {"xx..##..xx\n", "xx##xx..xx\n", "xxxxxx##xx\n"};
	struct hall *hall = hall_draw("xx......xx\n");
	for (size_t i = 0; i < sizeof next / sizeof *next; i++) {
		struct hall *expected = hall_draw(next[i]);
		struct best_available_block block = hall_find(hall, 2, HALL_ANY, HALL_ANY);
		hall_assert_block(expected, &block, BEST_AVAILABLE_ADJACENT);
		best_available_strike_out(&block, UINT64_MAX, hall->available);
		hall_free(expected);
	}
	struct best_available_block none = hall_find(hall, 2, HALL_ANY, HALL_ANY);
	assert_int_equal(none.level, BEST_AVAILABLE_NONE);
	hall_free(hall);
}

static void only_what_is_taken_is_struck_out(void **state)
{
	(void)state;
	struct hall *hall = hall_draw("xx......xx\n");
	struct hall *expected = hall_draw("xx##....xx\n");
	struct best_available_block block = hall_find(hall, 2, HALL_ANY, HALL_ANY);
	best_available_strike_out(&block, 0, hall->available);
	assert_true(hall->available[block.seats[0]] && hall->available[block.seats[1]]);
	/* With the first of the two gone, the other would leave an orphan in its run of three. */
	best_available_strike_out(&block, 1, hall->available);
	assert_false(hall->available[block.seats[0]]);
	assert_true(hall->available[block.seats[1]]);
	block = hall_find(hall, 2, HALL_ANY, HALL_ANY);
	hall_assert_block(expected, &block, BEST_AVAILABLE_ADJACENT);
	hall_free(expected);
	hall_free(hall);
}

static void who_wants_too_many_gets_none(void **state)
{
	(void)state;
	assert_best("...\n"
		    "...\n",
		7, BEST_AVAILABLE_NONE);
	assert_best("xxx\n"
		    "xxx\n",
		1, BEST_AVAILABLE_NONE);
	assert_best("xxx\n", BEST_AVAILABLE_SEATS_MAX, BEST_AVAILABLE_NONE);
	assert_best("###\n"
		    "###\n",
		6, BEST_AVAILABLE_TWO_GROUPS);
}

/* A row of so many free seats, all but the last `spare` of them expected. */
static void assert_row(uint32_t count, uint32_t spare, enum best_available_level level)
{
	char drawing[128] = "";
	for (uint32_t i = 0; i < count; i++)
		drawing[i] = i + spare < count ? '#' : '.';
	assert_best(drawing, BEST_AVAILABLE_SEATS_MAX, level);
}

static void the_largest_party_is_seated(void **state)
{
	(void)state;
	assert_row(50, 0, BEST_AVAILABLE_ADJACENT);
	assert_row(51, 1, BEST_AVAILABLE_ADJACENT_ORPHAN);
	assert_row(52, 2, BEST_AVAILABLE_ADJACENT);
	assert_best(".........................\n"
		    "........................\n",
		BEST_AVAILABLE_SEATS_MAX, BEST_AVAILABLE_NONE);
}

static void the_same_question_has_the_same_answer(void **state)
{
	(void)state;
	struct hall *hall = hall_draw("..x..x.x..\n"
				      "x.x.......\n"
				      "-\n"
				      "..........\n");
	for (uint32_t quantity = 1; quantity <= 23; quantity++) {
		struct best_available_block first = hall_find(hall, quantity, HALL_ANY, HALL_ANY);
		hall->prepared = NULL;
		struct best_available_block second = hall_find(hall, quantity, HALL_ANY, HALL_ANY);
		assert_memory_equal(&first, &second, sizeof first);
	}
	hall_free(hall);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_to_the_focal_point_are_best),
		cmocka_unit_test(the_focal_point_may_be_anywhere),
		cmocka_unit_test(a_section_may_have_its_own_focal_point),
		cmocka_unit_test(no_orphan_is_left_at_the_end_of_a_row),
		cmocka_unit_test(no_orphan_is_left_between_others),
		cmocka_unit_test(an_orphan_that_was_there_before_does_not_matter),
		cmocka_unit_test(
			a_free_neighbour_of_another_category_saves_a_seat_from_being_orphaned),
		cmocka_unit_test(else_an_orphan_is_left),
		cmocka_unit_test(only_the_wished_category_is_given),
		cmocka_unit_test(only_the_wished_section_is_given),
		cmocka_unit_test(a_party_is_parted_in_two),
		cmocka_unit_test(nobody_of_a_large_party_sits_alone_if_that_can_be_helped),
		cmocka_unit_test(the_two_groups_are_near_to_each_other),
		cmocka_unit_test(of_equal_pairs_the_first_in_the_plan_is_taken),
		cmocka_unit_test(a_row_of_very_many_runs_is_looked_at_in_part),
		cmocka_unit_test(groups_are_of_neighbouring_rows_in_one_section),
		cmocka_unit_test(a_party_is_scattered_in_one_section),
		cmocka_unit_test(else_a_party_is_scattered_anywhere),
		cmocka_unit_test(orphans_of_a_scattered_party_count_once),
		cmocka_unit_test(after_a_collision_the_next_block_is_found),
		cmocka_unit_test(only_what_is_taken_is_struck_out),
		cmocka_unit_test(who_wants_too_many_gets_none),
		cmocka_unit_test(the_largest_party_is_seated),
		cmocka_unit_test(the_same_question_has_the_same_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
