/* The venues are plans that the reader takes, with as many seats as they say, none upon another;
 * the committed files are what the generator draws; and the season fits the venues. */
#include "demo/venues.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "lib/base/clock.h"
#include "lib/ticketing/money.h"
#include "lib/ticketing/seating_plan.h"

enum { TEXT_SIZE_MAX = 64 * 1024 * 1024, EVENTS_MIN = 12 };

/* A seat is drawn with a radius of 8 to 10, and chairs stand at least half a metre apart. */
static const double distance_min = 19;

static void draw(struct buffer *json, const char *name, void (*draw_hall)(struct layout *layout))
{
	struct layout layout;
	layout_init(&layout, name);
	draw_hall(&layout);
	layout_write(&layout, json);
	layout_release(&layout);
	assert_false(json->failed);
}

static void draw_stadium(struct buffer *json, uint32_t seat_count)
{
	struct layout layout;
	layout_init(&layout, "Harbour Stadium");
	stadium_draw(&layout, seat_count);
	layout_write(&layout, json);
	layout_release(&layout);
	assert_false(json->failed);
}

static void read_committed(const char *path, struct buffer *buffer)
{
	const char *root = getenv("ONSALE_SOURCE");
	char full[4096];
	char piece[8192];
	snprintf(full, sizeof full, "%s/demo/%s", root ? root : ".", path);
	FILE *file = fopen(full, "rb");
	if (!file) {
		fail_msg("cannot open %s", full);
		return;
	}
	size_t size;
	while ((size = fread(piece, 1, sizeof piece, file)) > 0)
		buffer_add(buffer, piece, size);
	fclose(file);
	assert_false(buffer->failed);
}

static const struct seating_plan *read_plan(struct arena *arena, const struct buffer *json)
{
	const struct seating_plan *plan = NULL;
	struct fault fault;
	if (seating_plan_read(buffer_slice(json), arena, &plan, &fault) != STATUS_OK)
		fail_msg("%s %s", fault.where, fault.what);
	return plan;
}

static int compare_by_x(const void *left, const void *right)
{
	double a = ((const struct seating_seat *)left)->x;
	double b = ((const struct seating_seat *)right)->x;
	return (a > b) - (a < b);
}

/* Sorted by x, only the few seats within reach to the right need a look. */
static void assert_apart(const struct seating_plan *plan)
{
	size_t size = plan->seat_count * sizeof *plan->seats;
	struct seating_seat *seats = malloc(size + 1);
	assert_non_null(seats);
	memcpy(seats, plan->seats, size);
	qsort(seats, plan->seat_count, sizeof *seats, compare_by_x);
	for (uint32_t i = 0; i < plan->seat_count; i++) {
		for (uint32_t k = i + 1; k < plan->seat_count; k++) {
			double x = seats[k].x - seats[i].x, y = seats[k].y - seats[i].y;
			if (x >= distance_min)
				break;
			if (x * x + y * y < distance_min * distance_min)
				fail_msg("%s stands on %s", seats[i].guid.data, seats[k].guid.data);
		}
	}
	free(seats);
}

static void assert_inside(const struct seating_plan *plan, double x, double y)
{
	if (x < 0 || y < 0 || x > plan->width || y > plan->height)
		fail_msg("%f, %f is outside of the plan", x, y);
}

static bool has_stage(const struct seating_plan *plan)
{
	for (uint32_t i = 0; i < plan->area_count; i++)
		if (slice_is(plan->areas[i].text.text, "Stage"))
			return true;
	return false;
}

static void assert_sound(const struct buffer *json, uint32_t seat_count)
{
	struct arena arena;
	arena_init(&arena, SEATING_ARENA_SIZE_MAX);
	const struct seating_plan *plan = read_plan(&arena, json);
	assert_int_equal(plan->seat_count, seat_count);
	for (uint32_t i = 0; i < plan->seat_count; i++) {
		assert_inside(plan, plan->seats[i].x, plan->seats[i].y);
		assert_true(slice_is_id(plan->seats[i].guid, LIMIT_ID_SIZE_MAX));
	}
	assert_true(plan->has_focal_point);
	assert_inside(plan, plan->focal_point.x, plan->focal_point.y);
	assert_true(has_stage(plan));
	for (uint32_t i = 0; i < plan->category_count; i++)
		assert_int_equal(plan->categories[i].color.alpha, 255);
	assert_apart(plan);
	arena_release(&arena);
}

static void assert_committed(const struct buffer *json, const char *path)
{
	struct buffer committed;
	buffer_init(&committed, TEXT_SIZE_MAX);
	read_committed(path, &committed);
	if (!slice_equal(buffer_slice(json), buffer_slice(&committed)))
		fail_msg("%s is not what make_venue writes: make it anew", path);
	buffer_release(&committed);
}

static void the_theatre_has_300_seats(void **state)
{
	(void)state;
	struct buffer json;
	buffer_init(&json, TEXT_SIZE_MAX);
	draw(&json, "Lantern Theatre", theatre_draw);
	assert_sound(&json, 300);
	assert_committed(&json, "venues/theatre.json");
	buffer_release(&json);
}

static void the_concert_hall_has_5000_seats(void **state)
{
	(void)state;
	struct buffer json;
	buffer_init(&json, TEXT_SIZE_MAX);
	draw(&json, "Meridian Hall", concert_hall_draw);
	assert_sound(&json, 5000);
	assert_committed(&json, "venues/concert-hall.json");
	buffer_release(&json);
}

static void the_stadium_has_as_many_seats_as_wanted(void **state)
{
	(void)state;
	static const uint32_t counts[] = {STADIUM_SEATS_DEFAULT, STADIUM_SEATS_MIN, 77777};
	assert_int_equal(STADIUM_SEATS_DEFAULT, 50000);
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		struct buffer json;
		buffer_init(&json, TEXT_SIZE_MAX);
		draw_stadium(&json, counts[i]);
		assert_sound(&json, counts[i]);
		buffer_release(&json);
	}
}

static void the_largest_stadium_is_a_plan(void **state)
{
	(void)state;
	struct buffer json;
	struct arena arena;
	buffer_init(&json, TEXT_SIZE_MAX);
	arena_init(&arena, SEATING_ARENA_SIZE_MAX);
	draw_stadium(&json, STADIUM_SEATS_MAX);
	assert_int_equal(read_plan(&arena, &json)->seat_count, LIMIT_SEATS_PER_PLAN);
	arena_release(&arena);
	buffer_release(&json);
}

static void seats_are_numbered_through_each_row(void **state)
{
	(void)state;
	struct buffer json;
	struct arena arena;
	buffer_init(&json, TEXT_SIZE_MAX);
	arena_init(&arena, SEATING_ARENA_SIZE_MAX);
	draw(&json, "Meridian Hall", concert_hall_draw);
	const struct seating_plan *plan = read_plan(&arena, &json);
	for (uint32_t i = 0; i < plan->seat_count; i++) {
		const struct seating_seat *seat = &plan->seats[i];
		int64_t number;
		assert_true(slice_to_integer(seat->number, 1, 1000, &number));
		assert_int_equal(number, i - plan->rows[seat->row_index].first_seat + 1);
	}
	arena_release(&arena);
	buffer_release(&json);
}

static struct slice text_of(const json_t *event, const char *key)
{
	const char *text = json_string_value(json_object_get(event, key));
	if (!text)
		fail_msg("an event has no %s", key);
	return slice_of(text ? text : "");
}

/* Every category of the venue has a price, and no other has. */
static void check_prices(const json_t *event, const struct seating_plan *plan)
{
	const json_t *prices = json_object_get(event, "prices");
	assert_int_equal(json_object_size(prices), plan->category_count);
	for (uint32_t i = 0; i < plan->category_count; i++) {
		const json_t *price = json_object_get(prices, plan->categories[i].name.data);
		struct money money;
		assert_true(json_is_integer(price));
		assert_int_equal(money_price(json_integer_value(price), text_of(event, "currency"),
					 &money, NULL),
			STATUS_OK);
	}
}

static void make_by_stem(struct buffer *json, struct slice stem)
{
	char path[200];
	if (slice_is(stem, "stadium")) {
		draw_stadium(json, STADIUM_SEATS_DEFAULT);
		return;
	}
	snprintf(path, sizeof path, "venues/%.*s.json", SLICE_PRINT(stem));
	read_committed(path, json);
}

static void check_event(const json_t *event)
{
	struct buffer json;
	struct arena arena;
	int64_t starts_ms, from_ms, to_ms;
	assert_true(slice_is_text(text_of(event, "name")));
	assert_true(text_of(event, "name").size <= LIMIT_NAME_SIZE_MAX);
	assert_true(slice_is_text(text_of(event, "description")));
	assert_true(json_array_size(json_object_get(event, "performers")) > 0);
	assert_int_equal(time_parse(text_of(event, "startsAt"), &starts_ms), STATUS_OK);
	assert_int_equal(time_parse(slice_of("2027-01-01T00:00:00Z"), &from_ms), STATUS_OK);
	assert_int_equal(time_parse(slice_of("2028-01-01T00:00:00Z"), &to_ms), STATUS_OK);
	assert_true(starts_ms >= from_ms && starts_ms < to_ms);
	buffer_init(&json, TEXT_SIZE_MAX);
	arena_init(&arena, SEATING_ARENA_SIZE_MAX);
	make_by_stem(&json, text_of(event, "venue"));
	check_prices(event, read_plan(&arena, &json));
	arena_release(&arena);
	buffer_release(&json);
}

static void the_season_fits_the_venues(void **state)
{
	(void)state;
	struct buffer text;
	json_error_t error;
	buffer_init(&text, TEXT_SIZE_MAX);
	read_committed("events.json", &text);
	json_t *events = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES, &error);
	if (!events)
		fail_msg("events.json: line %d: %s", error.line, error.text);
	assert_true(json_array_size(events) >= EVENTS_MIN);
	for (size_t i = 0; i < json_array_size(events); i++)
		check_event(json_array_get(events, i));
	json_decref(events);
	buffer_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_theatre_has_300_seats),
		cmocka_unit_test(the_concert_hall_has_5000_seats),
		cmocka_unit_test(the_stadium_has_as_many_seats_as_wanted),
		cmocka_unit_test(the_largest_stadium_is_a_plan),
		cmocka_unit_test(seats_are_numbered_through_each_row),
		cmocka_unit_test(the_season_fits_the_venues),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
