/* Where the focal point of a plan is, with and without one of its own. */
#include "lib/ticketing/seating_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/ticketing/test_plan.h"

static void assert_point(struct seating_point point, double x, double y)
{
	struct seating_point off = {point.x - x, point.y - y};
	if (!(off.x * off.x + off.y * off.y < 1e-12))
		fail_msg("%f, %f is not %f, %f", point.x, point.y, x, y);
}

static void a_plan_may_give_its_focal_point(void **state)
{
	spoil(*state, "\"size\"", "\"focalPoint\":{\"x\":30,\"y\":-4.5},\"size\"");
	const struct seating_plan *plan = read_plan(*state);
	assert_point(seating_plan_focal_point(plan), 30, -4.5);
	assert_point(seating_zone_focal_point(plan, &plan->zones[1]), 30, -4.5);
}

static void a_zone_may_have_its_own(void **state)
{
	spoil(*state, "\"name\":\"Stalls\"",
		"\"focalPoint\":{\"x\":5,\"y\":6},\"name\":\"Stalls\"");
	const struct seating_plan *plan = read_plan(*state);
	/* Relative to the zone, which stands at 1, 2. */
	assert_point(seating_zone_focal_point(plan, &plan->zones[1]), 6, 8);
	assert_point(seating_zone_focal_point(plan, &plan->zones[0]), 50, 0);
}

static void without_a_stage_it_is_the_middle_of_the_upper_edge(void **state)
{
	spoil(*state, "\"Bar\"", "\"Bar\"");
	const struct seating_plan *plan = read_plan(*state);
	assert_point(seating_plan_focal_point(plan), 50, 0);
	assert_point(seating_zone_focal_point(plan, &plan->zones[1]), 50, 0);
}

static void a_stage_is_known_by_its_text(void **state)
{
	static const char *const stages[] = {"Stage", "STAGE", " Main stage ", "B\xc3\xbchne",
		"Die B\xc3\x9cHNE", "podium", "SC\xc3\x88NE", "Sc\xc3\xa8ne", "Scene", "the-stage"};
	static const char *const others[] = {"Backstage", "Stage door", "stages", "tage", "",
		"B\xc3\xbchneneingang", "\xc3\xbcstage"};
	(void)state;
	for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
		struct seating_area area = {.shape = SEATING_TEXT_ONLY,
			.text = {.text = slice_of(stages[i]), .position = {7, 8}}};
		struct seating_plan plan = {.width = 100, .areas = &area, .area_count = 1};
		assert_point(seating_plan_focal_point(&plan), 7, 8);
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		struct seating_area area = {.shape = SEATING_TEXT_ONLY,
			.text = {.text = slice_of(others[i]), .position = {7, 8}}};
		struct seating_plan plan = {.width = 100, .areas = &area, .area_count = 1};
		assert_point(seating_plan_focal_point(&plan), 50, 0);
	}
}

static void a_stage_has_its_middle_by_its_shape(void **state)
{
	(void)state;
	static const struct seating_point points[] = {{0, 0}, {30, 10}, {10, 40}};
	struct seating_area area = {
		.position = {10, 20}, .text = {.text = slice_of("Stage"), .position = {1, 2}}};
	struct seating_plan plan = {.width = 100, .areas = &area, .area_count = 1};
	area.shape = SEATING_RECTANGLE;
	area.size = (struct seating_point){40, 20};
	assert_point(seating_plan_focal_point(&plan), 30, 30);
	/* A quarter clockwise, y downwards: what was right of the corner is below it. */
	area.rotation = 90;
	assert_point(seating_plan_focal_point(&plan), 0, 40);
	area.shape = SEATING_CIRCLE;
	area.radius = 5;
	assert_point(seating_plan_focal_point(&plan), 10, 20);
	area.shape = SEATING_ELLIPSE;
	area.radii = (struct seating_point){5, 6};
	assert_point(seating_plan_focal_point(&plan), 10, 20);
	area.shape = SEATING_POLYGON;
	area.rotation = 0;
	area.polygon.points = points;
	area.polygon.count = 3;
	assert_point(seating_plan_focal_point(&plan), 15, 20);
	area.polygon.count = 0;
	assert_point(seating_plan_focal_point(&plan), 10, 20);
}

static void the_first_stage_of_a_plan_counts(void **state)
{
	const struct seating_plan *plan =
		read_file(*state, "lib/ticketing/testdata/editor-export.json");
	/* "Bühne", a rectangle of 240 × 40 at 200.5, 40, turned by -12.5 degrees. */
	struct seating_point point = seating_plan_focal_point(plan);
	assert_true(point.x > 321.9 && point.x < 322.1 && point.y > 33.5 && point.y < 33.6);
	assert_point(seating_zone_focal_point(plan, &plan->zones[0]), 320.5, 29.75);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_plan_may_give_its_focal_point, reading_set_up, reading_tear_down),
		cmocka_unit_test_setup_teardown(
			a_zone_may_have_its_own, reading_set_up, reading_tear_down),
		cmocka_unit_test_setup_teardown(without_a_stage_it_is_the_middle_of_the_upper_edge,
			reading_set_up, reading_tear_down),
		cmocka_unit_test(a_stage_is_known_by_its_text),
		cmocka_unit_test(a_stage_has_its_middle_by_its_shape),
		cmocka_unit_test_setup_teardown(
			the_first_stage_of_a_plan_counts, reading_set_up, reading_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
