/* Each row of the table of endpoints: exact status codes, exact members. */
#include "simplest-implementation/simplest_fixture.h"

#include "demo/venues.h"
#include "lib/base/buffer.h"

enum { LISTED_EVENTS = 25, PAGE_ITEMS = 7, HOLD_SEATS_MAX = 10 };

static int start(void **state)
{
	(void)state;
	SERVER_START("HOLD_DURATION=10m", "REQUEST_TIMEOUT=60s");
	return 0;
}

/* `count` seat ids from s-`first` on, as JSON strings. */
static const char *seat_list(size_t first, size_t count)
{
	const char *list = text("\"s-%zu\"", first);
	for (size_t i = 1; i < count; i++)
		list = text("%s,\"s-%zu\"", list, first + i);
	return list;
}

static json_t *try_hold(const char *event, const char *user, const char *seats, int status)
{
	return ask("POST", text("/events/%s/holds", event), new_key(),
		text("{\"userId\":\"%s\",\"seats\":[%s]}", user, seats), status);
}

static void want_counts(const char *event, int64_t available, int64_t held, int64_t sold)
{
	json_t *seats = json_object_get(look(text("/events/%s", event)), "seats");
	WANT_MEMBERS(seats, "total", "available", "held", "sold");
	assert_int_equal(available, integer_at(seats, "available"));
	assert_int_equal(held, integer_at(seats, "held"));
	assert_int_equal(sold, integer_at(seats, "sold"));
	assert_int_equal(available + held + sold, integer_at(seats, "total"));
}

/* ---- Venues and events ---- */

static void venue_is_made_of_a_seating_plan(void **state)
{
	(void)state;
	char *plan = plan_make("The Old Hall", 30);
	json_t *venue = ask("POST", "/venues", NULL, plan, 201);
	free(plan);
	WANT_MEMBERS(venue, "venueId", "name", "sections", "seats");
	assert_int_equal(36, strlen(string_at(venue, "venueId")));
	assert_string_equal("The Old Hall", string_at(venue, "name"));
	assert_int_equal(2, integer_at(venue, "sections"));
	assert_int_equal(30, integer_at(venue, "seats"));
	json_t *problem = ask("POST", "/venues", NULL, "{\"name\":\"Nothing in it\"}", 422);
	want_problem("unprocessable");
	assert_true(string_at(problem, "path")[0] == '$');
	ask("POST", "/venues", NULL, "[]", 422);
	ask("POST", "/venues", NULL, "{", 422);
}

static void event_is_put_on_sale(void **state)
{
	(void)state;
	char *plan = plan_make("The Old Hall", 30);
	char venue[EVENT_ID_SIZE];
	snprintf(venue, sizeof venue, "%s",
		string_at(ask("POST", "/venues", NULL, plan, 201), "venueId"));
	free(plan);
	const char *format = "{\"venueId\":\"%s\",\"name\":\"Fidelio\",\"currency\":\"%s\","
			     "\"startsAt\":\"2027-05-01T21:30:00.5+02:00\",\"prices\":%s}";
	json_t *event = ask(
		"POST", "/events", NULL, text(format, venue, "EUR", "{\"A\":5000,\"B\":0}"), 201);
	WANT_MEMBERS(event, "eventId", "name", "startsAt", "venueId", "venueName", "currency",
		"prices", "seats");
	assert_string_equal(venue, string_at(event, "venueId"));
	assert_string_equal("Fidelio", string_at(event, "name"));
	assert_string_equal("The Old Hall", string_at(event, "venueName"));
	assert_string_equal("2027-05-01T19:30:00.500Z", string_at(event, "startsAt"));
	assert_string_equal("EUR", string_at(event, "currency"));
	assert_int_equal(5000, integer_at(json_object_get(event, "prices"), "A"));
	assert_int_equal(0, integer_at(json_object_get(event, "prices"), "B"));
	want_counts(string_at(event, "eventId"), 30, 0, 0);
	/* Each category has its price, and nothing else has one. */
	const char *const wrong[] = {"{\"A\":1}", "{\"A\":1,\"B\":1,\"C\":1}", "{}",
		"{\"A\":1,\"B\":-1}", "{\"A\":1,\"B\":1.5}", "{\"A\":1,\"B\":\"1\"}"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		json_t *problem =
			ask("POST", "/events", NULL, text(format, venue, "EUR", wrong[i]), 422);
		want_problem("unprocessable");
		assert_string_equal("/prices", string_at(problem, "pointer"));
	}
	ask("POST", "/events", NULL, text(format, venue, "EURO", "{\"A\":1,\"B\":1}"), 422);
	ask("POST", "/events", NULL, text(format, new_key(), "EUR", "{\"A\":1,\"B\":1}"), 422);
	assert_string_equal("/venueId", string_at(simplest.json, "pointer"));
}

/* Follow the pages of a list and check that each name comes once and in order. */
static size_t walk_pages(const char *query, size_t page_items)
{
	size_t count = 0, page_count = 0;
	char next[128] = "", last[64] = "";
	do {
		json_t *page = look(text("/events?%s&limit=%zu%s%s", query, page_items,
			*next ? "&cursor=" : "", next));
		json_t *items = json_object_get(page, "items"), *item;
		const char *cursor = json_string_value(json_object_get(page, "next"));
		size_t index;
		assert_true(json_array_size(items) == page_items || !cursor);
		json_array_foreach(items, index, item)
		{
			WANT_MEMBERS(item, "eventId", "name", "startsAt", "venueId", "venueName",
				"currency");
			assert_true(strcmp(last, string_at(item, "name")) < 0);
			snprintf(last, sizeof last, "%s", string_at(item, "name"));
			count++;
		}
		snprintf(next, sizeof next, "%s", cursor ? cursor : "");
		assert_true(++page_count <= LISTED_EVENTS + 1);
	} while (*next);
	return count;
}

static void events_are_listed_page_by_page(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE];
	/* All start at the same time, so only the id keeps their order. */
	for (int i = 0; i < LISTED_EVENTS; i++)
		event_make(text("Listed %02d", i), 2, event);
	event_make("100% \\\\_Percent", 2, event);
	for (size_t items = 1; items <= LISTED_EVENTS + 1; items += 6)
		assert_int_equal(LISTED_EVENTS, walk_pages("q=listed", items));
	assert_int_equal(LISTED_EVENTS, walk_pages("q=sted+", PAGE_ITEMS));
	/* The venue's name is searched too; what is a wildcard to the database is not to people. */
	assert_true(json_array_size(json_object_get(look("/events?q=TEST%20HALL"), "items")) >
		LISTED_EVENTS);
	array_at(look("/events?q=100%25"), "items", 1);
	array_at(look("/events?q=%5C_p"), "items", 1);
	array_at(look("/events?q=_isted"), "items", 0);
	array_at(look("/events?q=nothing+like+it"), "items", 0);
	assert_null(json_object_get(simplest.json, "next"));
	const char *const wrong[] = {"limit=0", "limit=201", "limit=x", "limit=", "cursor=x",
		"cursor=1.2", "page=2", "q=%ff", "q=a&q=b"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		ask("GET", text("/events?%s", wrong[i]), NULL, NULL, 400);
		want_problem("bad-request");
	}
}

static void seats_are_listed_and_filtered(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE], hold[HOLD_ID_SIZE];
	event_make("Seats", 40, event);
	hold_make(event, "\"s-1\",\"s-2\"", hold);
	buy(hold, "pm_card_visa", 200);
	hold_make(event, "\"s-40\"", hold);
	json_t *seats = array_at(look(text("/events/%s/seats", event)), "items", 40);
	WANT_MEMBERS(simplest.json, "items");
	for (size_t i = 0; i < 40; i++) {
		json_t *seat = json_array_get(seats, i);
		WANT_MEMBERS(seat, "seatId", "section", "row", "number", "category", "price",
			"status", "x", "y");
		assert_string_equal(text("s-%zu", i + 1), string_at(seat, "seatId"));
		assert_string_equal(i < 20 ? "Stalls" : "Balcony", string_at(seat, "section"));
		size_t row = i % 20 / 10 + 1;
		assert_string_equal(text("%zu", row), string_at(seat, "row"));
		assert_string_equal(text("%zu", i % 10 + 1), string_at(seat, "number"));
		assert_string_equal(i < 20 ? "A" : "B", string_at(seat, "category"));
		assert_int_equal(i < 20 ? PRICE_STALLS : PRICE_BALCONY, integer_at(seat, "price"));
		assert_string_equal(i < 2 ? "sold"
				: i == 39 ? "held"
					  : "available",
			string_at(seat, "status"));
		assert_true(json_number_value(json_object_get(seat, "x")) == (double)(i % 10 * 20));
		assert_true(json_number_value(json_object_get(seat, "y")) == (double)(20 * row));
	}
	array_at(look(text("/events/%s/seats?section=Stalls", event)), "items", 20);
	array_at(look(text("/events/%s/seats?status=sold", event)), "items", 2);
	array_at(look(text("/events/%s/seats?status=held", event)), "items", 1);
	array_at(look(text("/events/%s/seats?status=available", event)), "items", 37);
	array_at(look(text("/events/%s/seats?status=held&section=Stalls", event)), "items", 0);
	array_at(look(text("/events/%s/seats?section=Pit", event)), "items", 0);
	ask("GET", text("/events/%s/seats?status=free", event), NULL, NULL, 400);
	ask("GET", text("/events/%s/seats?seat=s-1", event), NULL, NULL, 400);
}

/* ---- Holds ---- */

static void hold_takes_all_its_seats_or_none(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE];
	event_make("Holds", 40, event);
	json_t *hold = try_hold(event, "ann", "\"s-20\",\"s-21\"", 201);
	WANT_MEMBERS(hold, "holdId", "eventId", "userId", "status", "expiresAt", "total",
		"currency", "seats");
	assert_string_equal("held", string_at(hold, "status"));
	assert_string_equal("ann", string_at(hold, "userId"));
	assert_string_equal(event, string_at(hold, "eventId"));
	assert_string_equal("EUR", string_at(hold, "currency"));
	assert_int_equal(PRICE_STALLS + PRICE_BALCONY, integer_at(hold, "total"));
	assert_memory_equal(event, string_at(hold, "holdId"), strlen(event));
	json_t *seats = array_at(hold, "seats", 2);
	assert_string_equal("s-20", json_string_value(json_array_get(seats, 0)));
	assert_string_equal("s-21", json_string_value(json_array_get(seats, 1)));
	int64_t left_s = database_count("select extract(epoch from '%s'::timestamptz - now())::int",
		string_at(hold, "expiresAt"));
	assert_in_range(left_s, 540, 600);
	want_counts(event, 38, 2, 0);
	/* The taken ones are named, and the free ones stay free. */
	json_t *problem = try_hold(event, "bob", "\"s-19\",\"s-20\",\"s-21\",\"s-22\"", 409);
	want_problem("seats-taken");
	seats = array_at(problem, "seats", 2);
	assert_string_equal("s-20", json_string_value(json_array_get(seats, 0)));
	assert_string_equal("s-21", json_string_value(json_array_get(seats, 1)));
	want_counts(event, 38, 2, 0);
	try_hold(event, "ann", "\"s-20\"", 409);
	try_hold(event, "bob", "\"s-19\",\"s-22\"", 201);
	want_counts(event, 36, 4, 0);
}

static void hold_takes_one_to_ten_seats(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE];
	event_make("Sizes", 40, event);
	assert_int_equal(HOLD_SEATS_MAX * PRICE_STALLS,
		integer_at(try_hold(event, "u", seat_list(1, HOLD_SEATS_MAX), 201), "total"));
	try_hold(event, "u", "\"s-11\"", 201);
	const char *const wrong[] = {"", seat_list(12, HOLD_SEATS_MAX + 1), "\"s-12\",\"s-12\"",
		"\"s-12\",\"s-41\"", "\"nowhere\"", "\"\"", "12"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		json_t *problem = try_hold(event, "u", wrong[i], 422);
		want_problem("unprocessable");
		assert_string_equal("/seats", string_at(problem, "pointer"));
	}
	try_hold(event, "u", "\"s-12\",\"s-41\",\"s-13\",\"s-0\"", 422);
	array_at(simplest.json, "seats", 2);
	want_counts(event, 29, 11, 0);
}

static void released_seats_go_to_another(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE], hold[HOLD_ID_SIZE];
	event_make("Release", 4, event);
	hold_make(event, "\"s-1\",\"s-2\"", hold);
	try_hold(event, "bob", "\"s-1\"", 409);
	ask("DELETE", text("/holds/%s", hold), NULL, NULL, 204);
	assert_int_equal(0, simplest.reply.body_size);
	want_counts(event, 4, 0, 0);
	ask("DELETE", text("/holds/%s", hold), NULL, NULL, 204);
	try_hold(event, "bob", "\"s-1\"", 201);
	/* Releasing once more must not take them from the other. */
	ask("DELETE", text("/holds/%s", hold), NULL, NULL, 204);
	want_counts(event, 3, 1, 0);
	buy(hold, "pm_card_visa", 410);
	want_problem("hold-expired");
	want_counts(event, 3, 1, 0);
}

/* ---- Purchases and orders ---- */

static void want_order(const json_t *order, const char *event, const char *hold)
{
	WANT_MEMBERS(order, "orderId", "eventId", "holdId", "userId", "status", "total", "currency",
		"createdAt", "tickets");
	assert_string_equal(event, string_at(order, "eventId"));
	assert_string_equal(hold, string_at(order, "holdId"));
	assert_string_equal("u", string_at(order, "userId"));
	assert_string_equal("paid", string_at(order, "status"));
	assert_string_equal("EUR", string_at(order, "currency"));
	assert_int_equal(PRICE_STALLS + PRICE_BALCONY, integer_at(order, "total"));
	json_t *tickets = array_at(order, "tickets", 2);
	for (size_t i = 0; i < 2; i++) {
		json_t *ticket = json_array_get(tickets, i);
		WANT_MEMBERS(ticket, "ticketId", "seatId", "section", "row", "number", "price");
		assert_memory_equal(event, string_at(ticket, "ticketId"), strlen(event));
		assert_string_equal(i ? "s-3" : "s-2", string_at(ticket, "seatId"));
		assert_string_equal(i ? "Balcony" : "Stalls", string_at(ticket, "section"));
		assert_int_equal(i ? PRICE_BALCONY : PRICE_STALLS, integer_at(ticket, "price"));
	}
}

static void purchase_gives_tickets_once(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE], hold[HOLD_ID_SIZE], order[HOLD_ID_SIZE];
	event_make("Purchase", 4, event);
	hold_make(event, "\"s-3\",\"s-2\"", hold);
	want_order(buy(hold, "pm_card_visa", 200), event, hold);
	snprintf(order, sizeof order, "%s", string_at(simplest.json, "orderId"));
	want_counts(event, 2, 0, 2);
	json_t *first = json_deep_copy(look(text("/orders/%s", order)));
	want_order(first, event, hold);
	/* Another key, and even another payment method: the hold is bought, and that is the answer.
	 */
	assert_true(json_equal(first, buy(hold, "pm_card_visa", 200)));
	assert_true(json_equal(first, buy(hold, "pm_card_visa_chargeDeclined", 200)));
	json_decref(first);
	assert_int_equal(
		1, database_count("select count(*) from charges where event_id = '%s'", event));
	assert_int_equal(PRICE_STALLS + PRICE_BALCONY,
		database_count("select sum(amount) from charges where event_id = '%s'", event));
	ask("DELETE", text("/holds/%s", hold), NULL, NULL, 409);
	want_problem("hold-sold");
	try_hold(event, "bob", "\"s-2\"", 409);
	want_counts(event, 2, 0, 2);
}

static void declined_payment_leaves_the_seats_held(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE], hold[HOLD_ID_SIZE];
	event_make("Declined", 4, event);
	hold_make(event, "\"s-2\",\"s-3\"", hold);
	buy(hold, "pm_card_visa_chargeDeclined", 402);
	want_problem("payment-declined");
	want_counts(event, 2, 2, 0);
	assert_int_equal(
		0, database_count("select count(*) from charges where event_id = '%s'", event));
	buy(hold, "pm_card_unknown", 422);
	assert_string_equal("/paymentMethod", string_at(simplest.json, "pointer"));
	want_order(buy(hold, "pm_card_visa", 200), event, hold);
	want_counts(event, 2, 0, 2);
}

static void what_does_not_exist_is_404(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE], hold[HOLD_ID_SIZE];
	event_make("Not found", 4, event);
	hold_make(event, "\"s-1\"", hold);
	char unknown[EVENT_ID_SIZE];
	snprintf(unknown, sizeof unknown, "%s", new_key());
	const char *const ids[] = {unknown, "x", "00000000-0000-0000-0000-000000000000"};
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		ask("GET", text("/events/%s", ids[i]), NULL, NULL, 404);
		want_problem("not-found");
		ask("GET", text("/events/%s/seats", ids[i]), NULL, NULL, 404);
		try_hold(ids[i], "u", "\"s-1\"", 404);
		want_problem("not-found");
		/* Alone, with an event that exists, and the other way about. */
		const char *const items[] = {ids[i], text("%s.%s", event, ids[i]),
			text("%s.%s", ids[i], hold + EVENT_ID_SIZE)};
		for (size_t j = 0; j < sizeof items / sizeof *items; j++) {
			ask("DELETE", text("/holds/%s", items[j]), NULL, NULL, 404);
			buy(items[j], "pm_card_visa", 404);
			ask("GET", text("/orders/%s", items[j]), NULL, NULL, 404);
		}
	}
	/* A hold is no order. */
	ask("GET", text("/orders/%s", hold), NULL, NULL, 404);
	ask("GET", "/nothing", NULL, NULL, 404);
	ask("PUT", "/events", NULL, "{}", 405);
	want_counts(event, 3, 1, 0);
}

/* ---- Large venues ---- */

/* Import a drawing as it is shown in the demo, put an event on sale there, sell one of its seats.
 */
static void sell_in(const struct layout *layout, size_t seat_count)
{
	struct buffer plan, body;
	char hold[HOLD_ID_SIZE], event[EVENT_ID_SIZE];
	buffer_init(&plan, 64 << 20);
	buffer_init(&body, 4 << 10);
	layout_write(layout, &plan);
	buffer_add(&plan, "", 1);
	json_t *venue = ask("POST", "/venues", NULL, plan.data, 201);
	assert_int_equal(seat_count, integer_at(venue, "seats"));
	buffer_add_format(&body,
		"{\"venueId\":\"%s\",\"name\":\"Gala\",\"currency\":\"EUR\","
		"\"startsAt\":\"2028-05-01T19:30:00Z\",\"prices\":{",
		string_at(venue, "venueId"));
	for (int i = 0; i < layout->category_count; i++)
		buffer_add_format(&body, "%s\"%s\":100", i ? "," : "", layout->categories[i].name);
	buffer_add(&body, "}}", 3);
	json_t *made = ask("POST", "/events", NULL, body.data, 201);
	snprintf(event, sizeof event, "%s", string_at(made, "eventId"));
	json_t *seats = array_at(look(text("/events/%s/seats", event)), "items", seat_count);
	const char *last = string_at(json_array_get(seats, seat_count - 1), "seatId");
	hold_make(event, text("\"%s\"", last), hold);
	buy(hold, "pm_card_visa", 200);
	want_counts(event, (int64_t)seat_count - 1, 0, 1);
	buffer_release(&plan);
	buffer_release(&body);
}

static void concert_hall_of_5000_seats_is_sold(void **state)
{
	(void)state;
	struct layout layout;
	layout_init(&layout, "Concert hall");
	concert_hall_draw(&layout);
	sell_in(&layout, CONCERT_HALL_SEATS);
	layout_release(&layout);
}

static void stadium_of_50000_seats_is_sold(void **state)
{
	(void)state;
	struct layout layout;
	simplest.client.timeout_ms = 60000;
	layout_init(&layout, "Stadium");
	stadium_draw(&layout, STADIUM_SEATS_DEFAULT);
	sell_in(&layout, STADIUM_SEATS_DEFAULT);
	layout_release(&layout);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVER_TEST(venue_is_made_of_a_seating_plan, start),
		SERVER_TEST(event_is_put_on_sale, start),
		SERVER_TEST(events_are_listed_page_by_page, start),
		SERVER_TEST(seats_are_listed_and_filtered, start),
		SERVER_TEST(hold_takes_all_its_seats_or_none, start),
		SERVER_TEST(hold_takes_one_to_ten_seats, start),
		SERVER_TEST(released_seats_go_to_another, start),
		SERVER_TEST(purchase_gives_tickets_once, start),
		SERVER_TEST(declined_payment_leaves_the_seats_held, start),
		SERVER_TEST(what_does_not_exist_is_404, start),
		SERVER_TEST(concert_hall_of_5000_seats_is_sold, start),
		SERVER_TEST(stadium_of_50000_seats_is_sold, start),
	};
	return cmocka_run_group_tests(tests, simplest_set_up, simplest_tear_down);
}
