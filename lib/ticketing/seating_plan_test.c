/* Plans that must be read, and what becomes of them. */
#include "lib/ticketing/seating_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "lib/ticketing/test_plan.h"

static void assert_slice(struct slice slice, const char *text)
{
	assert_string_equal(slice.data, text);
	assert_int_equal(slice.size, strlen(text));
}

/* Equal but for rounding. */
static void assert_real(double value, double expected)
{
	double difference = value - expected;
	if (!(difference > -1e-9 && difference < 1e-9))
		fail_msg("%f is not %f", value, expected);
}

static void assert_point(struct seating_point point, double x, double y)
{
	assert_real(point.x, x);
	assert_real(point.y, y);
}

static void an_export_of_the_editor_is_read(void **state)
{
	const struct seating_plan *plan =
		read_file(*state, "lib/ticketing/testdata/editor-export.json");
	assert_slice(plan->name,
		"Kulturhaus S\xc3\xbc"
		"d");
	assert_real(plan->width, 640);
	assert_real(plan->height, 480);
	assert_false(plan->has_focal_point);
	assert_int_equal(plan->category_count, 3);
	assert_int_equal(plan->zone_count, 2);
	assert_int_equal(plan->row_count, 2);
	assert_int_equal(plan->seat_count, 4);
	assert_int_equal(plan->area_count, 6);
	assert_slice(plan->zones[0].name, "Saal");
	assert_slice(plan->zones[0].zone_id, "saal");
	assert_slice(plan->zones[1].zone_id, "Foyer");
	assert_true(plan->zones[0].has_focal_point);
	assert_point(plan->zones[0].focal_point, 320.5, 29.75);
	assert_int_equal(plan->zones[0].seat_count, 4);
	assert_int_equal(plan->zones[1].first_seat, 4);
	assert_int_equal(plan->zones[1].seat_count, 0);
	assert_int_equal(plan->categories[1].color.red, 0xee);
	assert_int_equal(plan->categories[1].color.green, 0x77);
	assert_int_equal(plan->categories[1].color.blue, 0);
	assert_int_equal(plan->categories[1].color.alpha, 255);
	assert_int_equal(plan->categories[2].color.alpha, 0);
}

static void positions_nest(void **state)
{
	const struct seating_plan *plan =
		read_file(*state, "lib/ticketing/testdata/editor-export.json");
	const struct seating_seat *seat = &plan->seats[1];
	assert_slice(seat->guid, "saal-1-2");
	assert_slice(seat->number, "2");
	assert_point((struct seating_point){seat->x, seat->y}, 145.499999, 100.625);
	seat = &plan->seats[3];
	assert_slice(seat->guid,
		"Saal S\xc3\xbc"
		"d/2/1");
	assert_int_equal(seat->row_index, 1);
	assert_int_equal(seat->category_index, 2);
	assert_point((struct seating_point){seat->x, seat->y}, 120.5, 130);
	const struct seating_area *areas = plan->areas;
	assert_int_equal(areas[0].shape, SEATING_RECTANGLE);
	assert_point(areas[0].position, 200.5, 40);
	assert_point(areas[0].size, 240, 40);
	assert_slice(areas[0].text.text, "B\xc3\xbchne");
	assert_point(areas[0].text.position, 320.5, 60);
	assert_real(areas[0].text.size, 22);
	assert_real(areas[0].rotation, -12.5);
	assert_int_equal(areas[1].shape, SEATING_CIRCLE);
	assert_real(areas[1].radius, 12);
	assert_int_equal(areas[1].text.text.size, 0);
	assert_int_equal(areas[2].shape, SEATING_ELLIPSE);
	assert_point(areas[2].radii, 30, 12.5);
	assert_int_equal(areas[3].shape, SEATING_POLYGON);
	assert_int_equal(areas[3].polygon.count, 3);
	assert_point(areas[3].polygon.points[2], 430.5, 355);
	assert_int_equal(areas[4].shape, SEATING_TEXT_ONLY);
	assert_real(areas[4].text.size, 16);
	assert_int_equal(areas[5].shape, SEATING_TEXT_ONLY);
}

static void a_plan_of_the_first_schema_is_read(void **state)
{
	const struct seating_plan *plan =
		read_file(*state, "lib/ticketing/testdata/first-version.json");
	assert_slice(plan->zones[0].name, "main");
	assert_slice(plan->rows[0].number, "7");
	assert_slice(plan->seats[0].number, "101");
	assert_slice(plan->seats[1].number, "-2");
	assert_int_equal(plan->areas[0].shape, SEATING_RECTANGLE);
	assert_point(plan->areas[0].size, 80, 20);
	assert_point(plan->areas[0].text.position, 15, 60);
	assert_slice(plan->areas[0].text.text, "Screen");
}

static void seats_are_named_for_people(void **state)
{
	const struct seating_plan *plan =
		read_file(*state, "lib/ticketing/testdata/editor-export.json");
	char text[64];
	assert_string_equal(seating_seat_label(plan, &plan->seats[1], text, sizeof text),
		"Saal, Reihe 1, Platz 2");
	assert_string_equal(seating_seat_label(plan, &plan->seats[3], text, sizeof text),
		"Saal, row 2, seat 1 R");
	assert_string_equal(seating_seat_label(plan, &plan->seats[1], text, 12), "Saal, Reihe");
	assert_string_equal(seating_seat_label(plan, &plan->seats[1], text, 1), "");
}

static void a_label_is_cut_between_characters(void **state)
{
	spoil(*state, "\"Stalls\"", "\"\xc3\xa4\xe2\x82\xac\"");
	const struct seating_plan *plan = read_plan(*state);
	char text[8];
	assert_string_equal(seating_seat_label(plan, &plan->seats[0], text, 2), "");
	assert_string_equal(seating_seat_label(plan, &plan->seats[0], text, 3), "\xc3\xa4");
	assert_string_equal(seating_seat_label(plan, &plan->seats[0], text, 5), "\xc3\xa4");
	assert_string_equal(
		seating_seat_label(plan, &plan->seats[0], text, 6), "\xc3\xa4\xe2\x82\xac");
}

static void a_focal_point_may_stand_in_the_plan(void **state)
{
	spoil(*state, "\"size\"", "\"focalPoint\":{\"x\":50,\"y\":0.5},\"size\"");
	const struct seating_plan *plan = read_plan(*state);
	assert_true(plan->has_focal_point);
	assert_point(plan->focal_point, 50, 0.5);
	assert_false(plan->zones[1].has_focal_point);
}

static double cpu_seconds(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

/* As large as a plan may be. The bound on time is generous, since sanitizers share it. */
static void the_largest_plan_is_read_in_time(void **state)
{
	enum { ROWS = LIMIT_SEATS_PER_PLAN / 100 };
	struct reading *reading = *state;
	struct buffer *json = &reading->json;
	buffer_add_text(json,
		"{\"name\":\"Largest\",\"size\":{\"width\":9,\"height\":9},"
		"\"categories\":[{\"name\":\"A\"}],"
		"\"zones\":[{\"position\":{\"x\":0,\"y\":0},\"rows\":[");
	for (int row = 0; row < ROWS; row++) {
		buffer_add_format(
			json, "%s{\"row_number\":\"%d\",\"seats\":[", row ? "," : "", row);
		for (int seat = 0; seat < 100; seat++)
			buffer_add_format(json,
				"%s{\"seat_guid\":\"5e8f9f0c-3c1f-4f5e-8d3c-%06d%06d\","
				"\"seat_number\":\"%d\",\"position\":{\"x\":%d.5,\"y\":%d},"
				"\"uuid\":\"\",\"radius\":10,\"category\":\"A\"}",
				seat ? "," : "", seat, row, seat, seat, row);
		buffer_add_text(json, "]}");
	}
	buffer_add_text(json, "]}]}");
	assert_false(json->failed);
	double before = cpu_seconds();
	const struct seating_plan *plan = read_plan(reading);
	double seconds = cpu_seconds() - before;
	print_message("%u seats, %zu bytes: %.2f s, %zu bytes of arena\n", plan->seat_count,
		json->size, seconds, reading->arena.bytes_used);
	assert_int_equal(plan->seat_count, LIMIT_SEATS_PER_PLAN);
	assert_real(plan->seats[LIMIT_SEATS_PER_PLAN - 1].y, ROWS - 1);
	assert_true(seconds < 10);
}

static void a_small_arena_is_unavailable_not_refused(void **state)
{
	struct reading *reading = *state;
	struct slice json = slice_of(test_plan);
	enum status status = STATUS_UNAVAILABLE;
	size_t size = 0;
	for (; status == STATUS_UNAVAILABLE && size < 1000000; size += 64) {
		struct arena small;
		const struct seating_plan *plan = NULL;
		struct fault fault;
		arena_init(&small, size);
		status = seating_plan_read(json, &small, &plan, &fault);
		assert_int_equal(status == STATUS_OK, plan != NULL);
		arena_release(&small);
	}
	assert_int_equal(status, STATUS_OK);
	assert_true(size > 1000);
	buffer_add_text(&reading->json, test_plan);
	assert_int_equal(read_plan(reading)->seat_count, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			an_export_of_the_editor_is_read, reading_set_up, reading_tear_down),
		cmocka_unit_test_setup_teardown(positions_nest, reading_set_up, reading_tear_down),
		cmocka_unit_test_setup_teardown(
			a_plan_of_the_first_schema_is_read, reading_set_up, reading_tear_down),
		cmocka_unit_test_setup_teardown(
			seats_are_named_for_people, reading_set_up, reading_tear_down),
		cmocka_unit_test_setup_teardown(
			a_label_is_cut_between_characters, reading_set_up, reading_tear_down),
		cmocka_unit_test_setup_teardown(
			a_focal_point_may_stand_in_the_plan, reading_set_up, reading_tear_down),
		cmocka_unit_test_setup_teardown(
			the_largest_plan_is_read_in_time, reading_set_up, reading_tear_down),
		cmocka_unit_test_setup_teardown(a_small_arena_is_unavailable_not_refused,
			reading_set_up, reading_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
