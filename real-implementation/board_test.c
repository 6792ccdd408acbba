/* Boards: what is shown of an event's seats, and what is proposed to whom. */
#include "real-implementation/board.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

/* Two rows of four in one section, one of another category in a second. */
static const char plan_text[] =
	"{\"name\":\"Hall\",\"size\":{\"width\":100,\"height\":100},"
	"\"categories\":[{\"name\":\"A\",\"color\":\"#ff0000\"},{\"name\":\"B\","
	"\"color\":\"blue\"}],\"zones\":[{\"name\":\"Front\",\"position\":{\"x\":0,\"y\":10},"
	"\"rows\":[{\"row_number\":\"1\",\"position\":{\"x\":0,\"y\":0},\"seats\":["
	"{\"seat_guid\":\"f1\",\"seat_number\":\"1\",\"category\":\"A\",\"position\":{\"x\":10,"
	"\"y\":0}},"
	"{\"seat_guid\":\"f2\",\"seat_number\":\"2\",\"category\":\"A\",\"position\":{\"x\":20,"
	"\"y\":0}},"
	"{\"seat_guid\":\"f3\",\"seat_number\":\"3\",\"category\":\"A\",\"position\":{\"x\":30,"
	"\"y\":0}},"
	"{\"seat_guid\":\"f4\",\"seat_number\":\"4\",\"category\":\"A\",\"position\":{\"x\":40,"
	"\"y\":0}}]},"
	"{\"row_number\":\"2\",\"position\":{\"x\":0,\"y\":10},\"seats\":["
	"{\"seat_guid\":\"g1\",\"seat_number\":\"1\",\"category\":\"A\",\"position\":{\"x\":10,"
	"\"y\":0}},"
	"{\"seat_guid\":\"g2\",\"seat_number\":\"2\",\"category\":\"A\",\"position\":{\"x\":20,"
	"\"y\":0}}]}],"
	"\"areas\":[{\"shape\":\"rectangle\",\"position\":{\"x\":0,\"y\":0},"
	"\"rectangle\":{\"width\":50,\"height\":5},\"text\":{\"text\":\"Stage\","
	"\"position\":{\"x\":25,\"y\":2}}}]},"
	"{\"name\":\"Back\",\"position\":{\"x\":0,\"y\":60},\"rows\":[{\"row_number\":\"9\","
	"\"position\":{\"x\":0,\"y\":0},\"seats\":[{\"seat_guid\":\"b1\",\"seat_number\":\"1\","
	"\"category\":\"B\",\"position\":{\"x\":10,\"y\":0}}]}]}]}";

static struct board *board;
static struct buffer told;

static int set_up(void **state)
{
	struct venue_plan *plan;
	struct fault fault;
	(void)state;
	enum status status = venue_plan_new((struct id){{1}}, slice_of(plan_text), &plan, &fault);
	if (status != STATUS_OK)
		fail_msg("%s: %s", fault.where, fault.what);
	board = board_new(plan);
	assert_non_null(board);
	buffer_init(&told, 1 << 20);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	board_free(board);
	buffer_release(&told);
	return 0;
}

static void put(const char *seat, enum seat_status status, int64_t version)
{
	assert_true(board_set(board, slice_of(seat), status, version, 100));
}

static void put_all(void)
{
	static const char *const seats[] = {"f1", "f2", "f3", "f4", "g1", "g2", "b1"};
	for (size_t i = 0; i < sizeof seats / sizeof *seats; i++)
		put(seats[i], SEAT_AVAILABLE, 0);
	board_settle(board);
}

static json_t *availability(void)
{
	buffer_reset(&told);
	buffer_add_text(&told, "{");
	board_availability(board, &told);
	buffer_add_text(&told, "}");
	json_t *json = json_loadb(told.data, told.size, 0, NULL);
	assert_non_null(json);
	return json;
}

static void want_total(int64_t available, int64_t held, int64_t sold)
{
	json_t *json = availability(), *total = json_object_get(json, "total");
	assert_int_equal(available, json_integer_value(json_object_get(total, "available")));
	assert_int_equal(held, json_integer_value(json_object_get(total, "held")));
	assert_int_equal(sold, json_integer_value(json_object_get(total, "sold")));
	json_decref(json);
}

static void test_an_older_version_never_replaces_a_newer_one(void **state)
{
	(void)state;
	want_total(0, 0, 0); /* Nothing is on sale yet. */
	put_all();
	want_total(7, 0, 0);
	put("f1", SEAT_HELD, 1);
	put("f1", SEAT_SOLD, 2);
	assert_false(board_set(board, slice_of("f1"), SEAT_HELD, 1, 100));
	assert_false(board_set(board, slice_of("f1"), SEAT_AVAILABLE, 2, 100));
	assert_false(board_set(board, slice_of("nobody's"), SEAT_AVAILABLE, 9, 100));
	want_total(6, 0, 1);
	json_t *json = availability();
	assert_int_equal(2, json_integer_value(json_object_get(json, "version")));
	json_t *sections = json_object_get(json, "sections");
	assert_int_equal(2, json_array_size(sections));
	json_t *front =
		json_array_get(json_object_get(json_array_get(sections, 0), "categories"), 0);
	assert_string_equal("A", json_string_value(json_object_get(front, "category")));
	assert_int_equal(5, json_integer_value(json_object_get(front, "available")));
	assert_int_equal(1, json_integer_value(json_object_get(front, "sold")));
	json_decref(json);
}

static void want_told(const char *text)
{
	buffer_reset(&told);
	assert_true(board_tell(board, 100, &told));
	buffer_add(&told, "", 1);
	assert_string_equal(text, told.data);
}

/* Each seat is told once, as it is at that moment, however often it has changed. */
static void test_what_has_changed_is_told_once(void **state)
{
	(void)state;
	put_all();
	assert_false(board_tell(board, 100, &told));
	put("f2", SEAT_HELD, 1);
	put("b1", SEAT_HELD, 1);
	put("b1", SEAT_SOLD, 2);
	put("g1", SEAT_HELD, 1);
	put("g1", SEAT_AVAILABLE, 2);
	want_told("{\"version\":5,\"available\":[4],\"held\":[1],\"sold\":[6]}");
	assert_false(board_tell(board, 100, &told));
	put("f2", SEAT_AVAILABLE, 2);
	want_told("{\"version\":6,\"available\":[1],\"held\":[],\"sold\":[]}");
}

static void test_more_than_fits_is_told_in_parts(void **state)
{
	size_t parts = 0;
	(void)state;
	put_all();
	put("f1", SEAT_SOLD, 1);
	put("f2", SEAT_SOLD, 1);
	put("f3", SEAT_SOLD, 1);
	for (; board_tell(board, 2, &told); parts++)
		buffer_reset(&told);
	assert_int_equal(2, parts);
}

static struct best_available_block propose(uint32_t quantity, int64_t now_ms)
{
	struct best_available_block block;
	board_propose(board, &(struct best_available_wish){.quantity = quantity}, now_ms, &block);
	return block;
}

static void test_two_who_ask_at_once_are_proposed_different_seats(void **state)
{
	(void)state;
	put_all();
	struct best_available_block first = propose(2, 1000), second = propose(2, 1000);
	assert_int_equal(BEST_AVAILABLE_ADJACENT, first.level);
	for (size_t i = 0; i < 4; i++)
		assert_int_not_equal(first.seats[i / 2], second.seats[i % 2]);
	/* Whose proposal has lapsed without a hold, for those who ask later. */
	struct best_available_block third = propose(2, 1000 + BOARD_PROPOSAL_MS);
	assert_memory_equal(first.seats, third.seats, 2 * sizeof first.seats[0]);
}

/* A proposal is no reservation: where nothing else is left, it stands in nobody's way. */
static void test_the_last_seats_are_proposed_again(void **state)
{
	(void)state;
	put_all();
	struct best_available_block all = propose(7, 1000);
	assert_int_equal(7, all.seat_count);
	all = propose(7, 1001);
	assert_int_equal(7, all.seat_count);
	put("f1", SEAT_SOLD, 1);
	all = propose(7, 1002);
	assert_int_equal(BEST_AVAILABLE_NONE, all.level);
	all = propose(6, 1003);
	assert_int_equal(6, all.seat_count);
	/* A seat that was proposed, sold, and came back is there. */
	put("f1", SEAT_AVAILABLE, 2);
	all = propose(7, 1004);
	assert_int_equal(7, all.seat_count);
}

static void test_what_is_not_on_sale_is_not_proposed(void **state)
{
	(void)state;
	put("g1", SEAT_AVAILABLE, 0);
	put("g2", SEAT_HELD, 1);
	struct best_available_block block = propose(1, 0);
	assert_int_equal(1, block.seat_count);
	assert_int_equal(4, block.seats[0]);
	block = propose(2, 1);
	assert_int_equal(BEST_AVAILABLE_NONE, block.level);
}

static void test_the_map_has_every_seat(void **state)
{
	(void)state;
	buffer_reset(&told);
	venue_plan_map(board->plan, &told);
	json_t *json = json_loadb(told.data, told.size, 0, NULL);
	assert_non_null(json);
	assert_int_equal(7, json_integer_value(json_object_get(json, "seats")));
	json_t *back = json_array_get(json_object_get(json, "sections"), 1);
	json_t *row = json_array_get(json_object_get(back, "rows"), 0);
	assert_int_equal(6, json_integer_value(json_object_get(row, "first")));
	assert_string_equal(
		"b1", json_string_value(json_array_get(json_object_get(row, "ids"), 0)));
	assert_int_equal(
		1, json_integer_value(json_array_get(json_object_get(row, "categories"), 0)));
	json_decref(json);
	assert_int_equal(6, venue_plan_seat(board->plan, slice_of("b1")));
	assert_int_equal(0, venue_plan_seat(board->plan, slice_of("f1")));
	assert_int_equal(VENUE_PLAN_NO_SEAT, venue_plan_seat(board->plan, slice_of("f")));
	assert_int_equal(VENUE_PLAN_NO_SEAT, venue_plan_seat(board->plan, slice_of("z")));
	assert_non_null(venue_plan_section(board->plan, slice_of("Back")));
	assert_null(venue_plan_section(board->plan, slice_of("back")));
	assert_null(venue_plan_category(board->plan, slice_of("C")));
}

static void test_sales_begin_and_end_by_time(void **state)
{
	struct event_facts facts = {.on_sale_at_ms = 100, .starts_at_ms = 200};
	(void)state;
	assert_int_equal(SALE_UPCOMING, event_sale_state(&facts, 99));
	assert_int_equal(SALE_ON, event_sale_state(&facts, 100));
	assert_int_equal(SALE_ON, event_sale_state(&facts, 199));
	assert_int_equal(SALE_ENDED, event_sale_state(&facts, 200));
	facts.canceled = true;
	assert_int_equal(SALE_CANCELED, event_sale_state(&facts, 150));
	assert_string_equal("on_sale", sale_state_name(SALE_ON));
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_an_older_version_never_replaces_a_newer_one),
		TEST(test_what_has_changed_is_told_once),
		TEST(test_more_than_fits_is_told_in_parts),
		TEST(test_two_who_ask_at_once_are_proposed_different_seats),
		TEST(test_the_last_seats_are_proposed_again),
		TEST(test_what_is_not_on_sale_is_not_proposed),
		TEST(test_the_map_has_every_seat),
		TEST(test_sales_begin_and_end_by_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
