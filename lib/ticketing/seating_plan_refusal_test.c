/* Every way in which a plan is refused, each with its JSON path. */
#include "lib/ticketing/seating_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/ticketing/test_plan.h"

static void a_focal_point_is_a_point(void **state)
{
	static const struct spoiled spoiled[] = {
		{"\"size\"", "\"focalPoint\":7,\"size\"", "$.focalPoint", "object"},
		{"\"size\"", "\"focalPoint\":{\"x\":1},\"size\"", "$.focalPoint.y", "missing"},
		{"\"name\":\"Empty\"", "\"focalPoint\":[]", "$.zones[0].focalPoint", "object"},
	};
	ASSERT_ALL_REFUSED(*state, spoiled);
}

static void what_is_required_may_not_be_missing(void **state)
{
	static const struct spoiled spoiled[] = {
		{"\"name\":\"Hall\",", "", "$.name", "missing"},
		{"\"name\":\"Hall\"", "\"name\":null", "$.name", "missing"},
		{"\"size\":{\"width\":100,\"height\":80},", "", "$.size", "missing"},
		{"\"width\":100,", "", "$.size.width", "missing"},
		{",\"height\":80", "", "$.size.height", "missing"},
		{"\"categories\"", "\"categorys\"", "$.categories", "missing"},
		{"\"name\":\"B\"", "", "$.categories[1].name", "missing"},
		{"\"zones\"", "\"zone\"", "$.zones", "missing"},
		{"\"position\":{\"x\":0,\"y\":0},", "", "$.zones[0].position", "missing"},
		{",\"rows\":[]", "", "$.zones[0].rows", "missing"},
		{"\"row_number\":\"r1\",", "", "$.zones[1].rows[0].row_number", "missing"},
		{"\"row_number\":\"r1\",\"seats\"", "\"row_number\":\"r1\",\"seat\"",
			"$.zones[1].rows[0].seats", "missing"},
		{"\"seat_guid\":\"g3\",", "", "$.zones[1].rows[1].seats[1].seat_guid", "missing"},
		{"\"seat_number\":\"n3\",", "", "$.zones[1].rows[1].seats[1].seat_number",
			"missing"},
		{"\"position\":{\"x\":3,\"y\":3},", "", "$.zones[1].rows[1].seats[1].position",
			"missing"},
		{"\"x\":3,", "", "$.zones[1].rows[1].seats[1].position.x", "missing"},
		{",\"category\":\"B\"", "", "$.zones[1].rows[1].seats[1].category", "missing"},
	};
	ASSERT_ALL_REFUSED(*state, spoiled);
}

static void types_are_checked(void **state)
{
	static const struct spoiled spoiled[] = {
		{"\"Hall\"", "5", "$.name", "string"},
		{"{\"width\":100,\"height\":80}", "[100,80]", "$.size", "object"},
		{"100", "\"100\"", "$.size.width", "number"},
		{"[{\"name\":\"A\",\"color\":\"#fff\"},{\"name\":\"B\"}]", "{}", "$.categories",
			"array"},
		{"{\"name\":\"B\"}", "\"B\"", "$.categories[1]", "object"},
		{"\"rows\":[]", "\"rows\":{}", "$.zones[0].rows", "array"},
		{"\"rows\":[]", "\"rows\":[[]]", "$.zones[0].rows[0]", "object"},
		{"\"rows\":[]", "\"rows\":[],\"areas\":\"\"", "$.zones[0].areas", "array"},
		{"\"rows\":[]", "\"rows\":[],\"areas\":[3]", "$.zones[0].areas[0]", "object"},
		{"\"Empty\"", "[]", "$.zones[0].name", "string"},
		{"\"r1\"", "1.5", "$.zones[1].rows[0].row_number", "string"},
		{"\"r1\"", "\"r1\",\"row_label\":3", "$.zones[1].rows[0].row_label", "string"},
		{"\"seats\":[", "\"seats\":[7,", "$.zones[1].rows[0].seats[0]", "object"},
		{"\"g1\"", "17", "$.zones[1].rows[0].seats[0].seat_guid", "string"},
		{"\"n1\"", "true", "$.zones[1].rows[0].seats[0].seat_number", "string"},
		{"{\"x\":3,\"y\":3}", "3", "$.zones[1].rows[1].seats[1].position", "object"},
		{"\"x\":3", "\"x\":false", "$.zones[1].rows[1].seats[1].position.x", "number"},
		{":\"B\"}]}]", ":7}]}]", "$.zones[1].rows[1].seats[1].category", "name of one"},
	};
	ASSERT_ALL_REFUSED(*state, spoiled);
	assert_refused(*state, slice_of("[]"), "$", "object");
	assert_refused(*state, slice_of("[1]"), "$", "object");
}

static void names_and_guids_are_checked(void **state)
{
	static const struct spoiled spoiled[] = {
		{"\"Hall\"", "\"\"", "$.name", "empty"},
		{"\"Hall\"", "\"a\\tb\"", "$.name", "control"},
		{"\"name\":\"B\"", "\"name\":\"A\"", "$.categories[1].name",
			"also the name of $.categories[0]"},
		{"\"name\":\"B\"", "\"name\":\"\"", "$.categories[1].name", "empty"},
		{"\"g3\"", "\"g1\"", "$.zones[1].rows[1].seats[1].seat_guid",
			"also the guid of $.zones[1].rows[0].seats[0]"},
		{"\"g2\"", "\"g1\"", "$.zones[1].rows[1].seats[0].seat_guid", "also the guid"},
		{"\"g2\"", "\"\"", "$.zones[1].rows[1].seats[0].seat_guid", "empty"},
		{"\"g2\"", "\"a\\nb\"", "$.zones[1].rows[1].seats[0].seat_guid", "control"},
		{"\"g2\"", "\"01234567890123456789012345678901234567890123456789012345678901234\"",
			"$.zones[1].rows[1].seats[0].seat_guid", "longer than 64"},
		{":\"B\"}]}]", ":\"C\"}]}]", "$.zones[1].rows[1].seats[1].category", "name of one"},
		{":\"B\"}]}]", ":\"\"}]}]", "$.zones[1].rows[1].seats[1].category", "name of one"},
	};
	ASSERT_ALL_REFUSED(*state, spoiled);
}

static void long_texts_are_refused(void **state)
{
	static const struct {
		const char *piece, *where;
	} places[] = {
		{"\"Hall\"", "$.name"},
		{"\"Stalls\"", "$.zones[1].name"},
		{"\"r1\"", "$.zones[1].rows[0].row_number"},
		{"\"n1\"", "$.zones[1].rows[0].seats[0].seat_number"},
		{"\"Bar\"", "$.zones[1].areas[4].text.text"},
	};
	char text[LIMIT_NAME_SIZE_MAX + 4] = "\"";
	memset(text + 1, 'x', LIMIT_NAME_SIZE_MAX + 1);
	text[LIMIT_NAME_SIZE_MAX + 2] = '"';
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		spoil(*state, places[i].piece, text);
		struct reading *reading = *state;
		assert_refused(
			reading, buffer_slice(&reading->json), places[i].where, "longer than 200");
	}
	/* The longest that is allowed. */
	text[LIMIT_NAME_SIZE_MAX + 1] = '"';
	text[LIMIT_NAME_SIZE_MAX + 2] = '\0';
	spoil(*state, "\"Hall\"", text);
	assert_int_equal(read_plan(*state)->name.size, LIMIT_NAME_SIZE_MAX);
}

static void text_that_is_not_utf8_is_refused_where_it_stands(void **state)
{
	static const struct spoiled spoiled[] = {
		{"Hall", "Ha\xffll", "$.name", "JSON"},
		{"Hall", "Ha\xc3", "$.name", "JSON"},
		{"Hall", "Ha\xed\xa0\x80", "$.name", "JSON"},
		{"Hall", "Ha\xc0\xaf", "$.name", "JSON"},
		{"Hall", "Ha\\ud800", "$.name", "JSON"},
		{"Hall", "Ha\\u0000", "$.name", "JSON"},
		{"Hall", "Ha\nll", "$.name", "JSON"},
		{"n2", "\xff", "$.zones[1].rows[1].seats[0].seat_number", "JSON"},
		{"\"Stalls\"", "\"\xfe\xfe\"", "$.zones[1].name", "JSON"},
	};
	ASSERT_ALL_REFUSED(*state, spoiled);
}

static void bad_json_is_refused_where_it_breaks(void **state)
{
	struct reading *reading = *state;
	static const struct spoiled spoiled[] = {
		{"\"name\":\"Hall\"", "\"name\":\"Hall\",\"name\":\"Hall\"", "$.name", "duplicate"},
		{"\"seat_number\":\"n2\"", "\"seat_number\":\"n2\",\"category\":\"A\"",
			"$.zones[1].rows[1].seats[0].category", "duplicate"},
		{"\"width\":100", "\"width\":1e999", "$.size.width", "JSON"},
		{"\"width\":100", "\"width\":99999999999999999999", "$.size.width", "JSON"},
		{"\"width\":100", "\"width\":NaN", "$.size.width", "JSON"},
		{"\"width\":100", "\"width\":01", "$.size.width", "JSON"},
		{"[{\"name\":\"A\"", "[,{\"name\":\"A\"", "$.categories[1]", "JSON"},
	};
	ASSERT_ALL_REFUSED(reading, spoiled);
	assert_refused(reading, slice_of(""), "$", "JSON");
	assert_refused(reading, (struct slice){.data = NULL}, "$", "JSON");
	assert_refused(reading, slice_of("\xef\xbb\xbf{}"), "$", "JSON");
	assert_refused(reading, (struct slice){.data = "{}\0", .size = 3}, "$", "JSON");
	assert_refused(reading, slice_of("{} {}"), "$", "JSON");
	assert_refused(reading, slice_of("7"), "$", "JSON");
	for (size_t size = 0; size < strlen(test_plan); size++) {
		const struct seating_plan *plan;
		struct slice cut = {.data = test_plan, .size = size};
		assert_int_equal(
			seating_plan_read(cut, &reading->arena, &plan, NULL), STATUS_REFUSED);
	}
}

static void coordinates_are_bounded(void **state)
{
	static const struct spoiled spoiled[] = {
		{"\"width\":100", "\"width\":0", "$.size.width", "between 1 and 1000000"},
		{"\"height\":80", "\"height\":-80", "$.size.height", "between"},
		{"\"height\":80", "\"height\":1000001", "$.size.height", "between"},
		{"\"x\":3", "\"x\":1000000.5", "$.zones[1].rows[1].seats[1].position.x", "between"},
		{"\"x\":3", "\"x\":-1e300", "$.zones[1].rows[1].seats[1].position.x", "between"},
		{"\"y\":6", "\"y\":9007199254740993", "$.zones[1].rows[1].position.y", "between"},
		{"\"y\":2", "\"y\":1e9", "$.zones[1].position.y", "between"},
	};
	ASSERT_ALL_REFUSED(*state, spoiled);
}

static void areas_are_checked(void **state)
{
	static const struct spoiled spoiled[] = {
		{"\"shape\":\"circle\"", "\"shape\":\"star\"", "$.zones[1].areas[0].shape",
			"polygon"},
		{"\"shape\":\"circle\"", "\"shape\":1", "$.zones[1].areas[0].shape", "polygon"},
		{"\"circle\":{", "\"round\":{", "$.zones[1].areas[0].circle", "missing"},
		{"\"radius\":7", "\"radius\":-7", "$.zones[1].areas[0].circle.radius", "between"},
		{"\"radius\":7", "\"radius\":{}", "$.zones[1].areas[0].circle.radius", "number"},
		{"\"ellipse\":{\"radius\":{\"x\":8,\"y\":9}}", "\"ellipse\":{}",
			"$.zones[1].areas[1].ellipse.radius", "missing"},
		{"\"x\":8", "\"x\":-8", "$.zones[1].areas[1].ellipse.radius.x", "between"},
		{"\"width\":70,", "", "$.zones[1].areas[2].rectangle.width", "missing"},
		{"\"rectangle\":{", "\"square\":{", "$.zones[1].areas[2].rectangle", "missing"},
		{"{\"points\"", "{\"point\"", "$.zones[1].areas[3].polygon.points", "missing"},
		{"{\"x\":11,", "{", "$.zones[1].areas[3].polygon.points[0].x", "missing"},
		{"{\"x\":11,\"y\":12}", "11", "$.zones[1].areas[3].polygon.points[0]", "object"},
		{"\"rotation\":45", "\"rotation\":\"45\"", "$.zones[1].areas[4].rotation",
			"number"},
		{"\"rotation\":45", "\"position\":{}", "$.zones[1].areas[4].position.x", "missing"},
		{"\"text\":\"Bar\"", "\"text\":9", "$.zones[1].areas[4].text.text", "string"},
		{"\"text\":\"Bar\"", "\"size\":-1", "$.zones[1].areas[4].text.size", "between"},
	};
	ASSERT_ALL_REFUSED(*state, spoiled);
}

static void colors_are_checked(void **state)
{
	struct reading *reading = *state;
	static const char *const wrong[] = {"\"#12\"", "\"#12345\"", "\"#ggg\"", "\"fff\"", "\"#\"",
		"\"#1234567\"", "\"url(x)\"", "\"#fff;}\"", "\"blueish\"", "7", "\"\xc3\xa9\"",
		"\"#12345678901234567890123456789012345678901234567890\""};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		spoil(reading, "\"#fff\"", wrong[i]);
		assert_refused(reading, buffer_slice(&reading->json), "$.categories[0].color", "");
	}
	spoil(reading, "\"#fff\"", "\"#1a2B3c80\"");
	struct seating_color color = read_plan(reading)->categories[0].color;
	assert_memory_equal(&color, "\x1a\x2b\x3c\x80", 4);
	spoil(reading, "\"#fff\"", "\"#12af\"");
	color = read_plan(reading)->categories[0].color;
	assert_memory_equal(&color, "\x11\x22\xaa\xff", 4);
	spoil(reading, "\"#fff\"", "\"teal\"");
	color = read_plan(reading)->categories[0].color;
	assert_memory_equal(&color, "\x00\x80\x80\xff", 4);
	spoil(reading, "\"#fff\"", "null");
	color = read_plan(reading)->categories[0].color;
	assert_memory_equal(&color, "\0\0\0\0", 4);
}

static void a_plan_without_seats_is_refused(void **state)
{
	static const char form[] = "{\"name\":\"H\",\"size\":{\"width\":1,\"height\":1},"
				   "\"categories\":[],\"zones\":[%s]}";
	struct reading *reading = *state;
	buffer_add_format(&reading->json, form, "");
	assert_refused(reading, buffer_slice(&reading->json), "$.zones", "no seat");
	buffer_reset(&reading->json);
	buffer_add_format(&reading->json, form,
		"{\"position\":{\"x\":0,\"y\":0},\"rows\":[{\"row_number\":\"1\",\"seats\":[]}]}");
	assert_refused(reading, buffer_slice(&reading->json), "$.zones", "no seat");
}

/* One piece of the plan replaced by very many elements. */
struct many {
	const char *piece, *before, *element;
	size_t count;
	const char *after, *where, *what;
};

static void assert_many_refused(struct reading *reading, const struct many *many)
{
	struct buffer by;
	buffer_init(&by, SEATING_PLAN_SIZE_MAX);
	buffer_add_text(&by, many->before);
	for (size_t i = 0; i < many->count; i++) {
		buffer_add_text(&by, i ? "," : "");
		buffer_add_text(&by, many->element);
	}
	buffer_add(&by, many->after, strlen(many->after) + 1);
	assert_false(by.failed);
	spoil(reading, many->piece, by.data);
	buffer_release(&by);
	assert_refused(reading, buffer_slice(&reading->json), many->where, many->what);
}

static void every_count_is_bounded(void **state)
{
	static const char row[] = "{\"row_number\":\"1\",\"seats\":[]}";
	static const char zone[] = "{\"position\":{\"x\":0,\"y\":0},\"rows\":[]}";
	static const struct many cases[] = {
		{"\"categories\":[", "\"categories\":[", "{}", SEATING_CATEGORIES_MAX + 1, ",",
			"$.categories", "more than 256"},
		{"\"zones\":[", "\"zones\":[", zone, SEATING_ZONES_MAX, ",", "$.zones",
			"more than 2000"},
		{"\"rows\":[]", "\"rows\":[", row, SEATING_ROWS_MAX + 1, "]", "$.zones[0].rows",
			"more than 50000"},
		{"\"rows\":[]", "\"rows\":[", row, SEATING_ROWS_MAX - 1, "]", "$.zones[1].rows",
			"above 50000 rows"},
		{"\"seats\":[", "\"seats\":[", "0", LIMIT_SEATS_PER_PLAN, ",",
			"$.zones[1].rows[0].seats", "more than 200000"},
		{"\"seats\":[", "\"seats\":[", "0", LIMIT_SEATS_PER_PLAN - 1, ",",
			"$.zones[1].rows[1].seats", "above 200000 seats"},
		{"\"areas\":[", "\"areas\":[", "{}", SEATING_AREAS_MAX, ",", "$.zones[1].areas",
			"more than 10000"},
		{"\"rows\":[]", "\"rows\":[],\"areas\":[", "{}", SEATING_AREAS_MAX - 1, "]",
			"$.zones[1].areas", "above 10000 areas"},
		{"\"points\":[", "\"points\":[", "{\"x\":1,\"y\":2}", SEATING_POINTS_MAX, ",",
			"$.zones[1].areas[3].polygon.points", "more than 100000"},
		{"\"Hall\"", "\"Hall\",\"extra\":[", "0", SEATING_TOKENS_MAX, "]",
			"$.extra[5999995]", "values"},
		{"\"Hall\"", "\"Hall\",\"extra\":[", "[]", SEATING_CONTAINERS_MAX, "]",
			"$.extra[999998]", "objects and arrays"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_many_refused(*state, &cases[i]);
}

static void size_and_depth_are_bounded(void **state)
{
	struct reading *reading = *state;
	assert_true(SEATING_DEPTH_MAX == 16);
	spoil(reading, "\"Hall\"", "\"Hall\",\"extra\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]");
	read_plan(reading);
	spoil(reading, "\"Hall\"", "\"Hall\",\"extra\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]");
	assert_refused(reading, buffer_slice(&reading->json),
		"$.extra[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]", "16 levels");
	char *spaces = malloc(SEATING_PLAN_SIZE_MAX + 1);
	assert_non_null(spaces);
	memset(spaces, ' ', SEATING_PLAN_SIZE_MAX + 1);
	struct slice json = {.data = spaces, .size = SEATING_PLAN_SIZE_MAX + 1};
	assert_refused(reading, json, "$", "longer than");
	free(spaces);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_focal_point_is_a_point, reading_set_up, reading_tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_required_may_not_be_missing, reading_set_up, reading_tear_down),
		cmocka_unit_test_setup_teardown(
			types_are_checked, reading_set_up, reading_tear_down),
		cmocka_unit_test_setup_teardown(
			names_and_guids_are_checked, reading_set_up, reading_tear_down),
		cmocka_unit_test_setup_teardown(
			long_texts_are_refused, reading_set_up, reading_tear_down),
		cmocka_unit_test_setup_teardown(text_that_is_not_utf8_is_refused_where_it_stands,
			reading_set_up, reading_tear_down),
		cmocka_unit_test_setup_teardown(
			bad_json_is_refused_where_it_breaks, reading_set_up, reading_tear_down),
		cmocka_unit_test_setup_teardown(
			coordinates_are_bounded, reading_set_up, reading_tear_down),
		cmocka_unit_test_setup_teardown(
			areas_are_checked, reading_set_up, reading_tear_down),
		cmocka_unit_test_setup_teardown(
			colors_are_checked, reading_set_up, reading_tear_down),
		cmocka_unit_test_setup_teardown(
			a_plan_without_seats_is_refused, reading_set_up, reading_tear_down),
		cmocka_unit_test_setup_teardown(
			every_count_is_bounded, reading_set_up, reading_tear_down),
		cmocka_unit_test_setup_teardown(
			size_and_depth_are_bounded, reading_set_up, reading_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
