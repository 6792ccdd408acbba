/* catalog_document.h: what is read from documents, what is refused and where, and settings of the
 * waiting room as they are stored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "real-implementation/catalog_document.h"

#define REQUIRED_MEMBERS \
	"\"venueId\":\"00000000-0000-7000-8000-000000000001\",\"name\":\"Bach\"," \
	"\"startsAt\":\"2027-01-16T18:30:00Z\",\"currency\":\"EUR\",\"prices\":{\"A\":100}"

static struct arena arena;
static struct event_document event;
static struct fault fault;
static json_t *root;

static int begin(void **state)
{
	(void)state;
	arena_init(&arena, 1 << 24);
	return 0;
}

static int end(void **state)
{
	(void)state;
	json_decref(root);
	root = NULL;
	arena_release(&arena);
	return 0;
}

static enum status read_event(enum event_purpose purpose, const char *text)
{
	json_decref(root);
	root = json_loads(text, JSON_DECODE_ANY, NULL);
	assert_non_null(root);
	fault = (struct fault){0};
	return event_document_read(root, purpose, &arena, &event, &fault);
}

/* The document is refused at this place, in words that contain `what`. */
static void refused(
	enum event_purpose purpose, const char *text, const char *where, const char *what)
{
	assert_int_equal(STATUS_REFUSED, read_event(purpose, text));
	assert_string_equal(where, fault.where);
	if (!strstr(fault.what, what))
		fail_msg("'%s' does not say '%s'", fault.what, what);
}

/* A new event with these members after the required ones. */
static void refused_with(const char *members, const char *where, const char *what)
{
	char text[16384];
	assert_true((size_t)snprintf(text, sizeof text, "{" REQUIRED_MEMBERS ",%s}", members) <
		sizeof text);
	refused(EVENT_NEW, text, where, what);
}

static void an_event_has_its_defaults(void **state)
{
	(void)state;
	assert_int_equal(STATUS_OK, read_event(EVENT_NEW, "{" REQUIRED_MEMBERS "}"));
	assert_true(event.has_venue_id && event.has_starts && !event.has_on_sale);
	assert_true(slice_is(event.name, "Bach"));
	assert_true(event.starts_at_ms == 1800124200000);
	assert_string_equal("EUR", event.currency);
	assert_int_equal(1, event.price_count);
	assert_true(slice_is(event.prices[0].category, "A"));
	assert_int_equal(100, event.prices[0].minor);
	assert_true(slice_is(event.prices_json, "{\"A\":100}"));
	assert_int_equal(LIMIT_SEATS_PER_HOLD, event.seats_per_hold_max);
	assert_int_equal(CATALOG_HOLD_SECONDS_DEFAULT, event.hold_seconds);
	assert_memory_equal(&catalog_room_default, &event.room, sizeof event.room);
	assert_null(event.description.data);
}

static void an_event_has_what_it_says(void **state)
{
	(void)state;
	assert_int_equal(STATUS_OK,
		read_event(EVENT_NEW,
			"{" REQUIRED_MEMBERS ",\"performers\":[\"P\",\"Q\"],"
			"\"description\":\"one\\ntwo\",\"onSaleAt\":\"2027-01-01T00:00:00+01:00\","
			"\"seatsPerHoldMax\":4,\"holdSeconds\":30,\"waitingRoom\":{"
			"\"openAtHoldsPerSecond\":0,\"openAtLaneDepth\":7,\"ratePerSecond\":0.5,"
			"\"activeMax\":3,\"claimSeconds\":4,\"heartbeatSeconds\":5,"
			"\"sessionSeconds\":6}}"));
	assert_int_equal(2, event.performer_count);
	assert_true(slice_is(event.performers[1], "Q"));
	assert_true(slice_is(event.description, "one\ntwo"));
	assert_true(event.has_on_sale && event.on_sale_at_ms == 1798758000000);
	assert_int_equal(4, event.seats_per_hold_max);
	assert_int_equal(30, event.hold_seconds);
	assert_true(event.has_room && event.room.rate_per_second == 0.5);
	assert_int_equal(0, event.room.open_at_holds_per_second);
	assert_int_equal(6, event.room.session_seconds);
}

static void each_wrong_member_is_named(void **state)
{
	(void)state;
	refused(EVENT_NEW, "[]", "$", "object");
	refused(EVENT_NEW, "{}", "$.venueId", "required");
	refused(EVENT_NEW, "{\"venueId\":\"no uuid\"}", "$.venueId", "no such venue");
	refused_with("\"venue\":\"x\"", "$.venue", "beside venueId");
	refused_with("\"mistyped\":1", "$.mistyped", "not a member");
	refused_with("\"status\":\"canceled\"", "$.status", "not a member");
	refused_with("\"name\":\"\"", "$.name", "1 to 200 bytes");
	refused_with("\"name\":\"a\\nb\"", "$.name", "control characters");
	refused_with("\"name\":7", "$.name", "must be a text");
	refused_with("\"name\":null", "$.name", "required");
	refused_with("\"description\":\"a\\tb\"", "$.description", "control");
	refused_with("\"description\":[]", "$.description", "must be a text");
	refused_with("\"performers\":\"x\"", "$.performers", "list");
	refused_with("\"performers\":[\"a\",\"a\"]", "$.performers[1]", "different");
	refused_with("\"performers\":[\"a\",1]", "$.performers[1]", "must be a text");
	refused_with("\"startsAt\":\"tomorrow\"", "$.startsAt", "RFC 3339");
	refused_with("\"onSaleAt\":\"2027-01-16T18:30:01Z\"", "$.onSaleAt", "after startsAt");
	refused_with("\"currency\":\"eur\"", "$.currency", "");
	refused_with("\"currency\":\"XAU\"", "$.currency", "");
	refused_with("\"prices\":{}", "$.prices", "for each category");
	refused_with("\"prices\":[1]", "$.prices", "object");
	refused_with("\"prices\":{\"A\":-1}", "$.prices.A", "integer from 0");
	refused_with("\"prices\":{\"A\":1.5}", "$.prices.A", "integer from 0");
	refused_with("\"prices\":{\"A\":100000001}", "$.prices.A", "to 100000000");
	refused_with("\"seatsPerHoldMax\":0", "$.seatsPerHoldMax", "from 1 to 10");
	refused_with("\"seatsPerHoldMax\":11", "$.seatsPerHoldMax", "from 1 to 10");
	refused_with("\"holdSeconds\":29", "$.holdSeconds", "from 30 to 3600");
	refused_with("\"holdSeconds\":3601", "$.holdSeconds", "from 30 to 3600");
	refused_with("\"holdSeconds\":60.0", "$.holdSeconds", "integer");
	refused_with("\"waitingRoom\":true", "$.waitingRoom", "object");
	refused_with("\"waitingRoom\":{\"x\":1}", "$.waitingRoom.x", "not a member");
	refused_with("\"waitingRoom\":{\"ratePerSecond\":0}", "$.waitingRoom.ratePerSecond",
		"number from");
	refused_with("\"waitingRoom\":{\"activeMax\":-1}", "$.waitingRoom.activeMax", "integer");
	refused_with("\"waitingRoom\":{\"claimSeconds\":0}", "$.waitingRoom.claimSeconds",
		"integer from 1");
}

/* Names of the document's own appear in faults, cut, and still UTF-8. */
static void long_names_are_cut(void **state)
{
	char members[1024], name[99 + 2 * 300 + 1];
	(void)state;
	memset(name, 'a', 99);
	for (int i = 0; i < 300; i++)
		memcpy(name + 99 + 2 * i, "é", 3);
	snprintf(members, sizeof members, "\"prices\":{\"%s\":-1}", name);
	refused_with(members,
		"$.prices.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"integer");
	assert_true(slice_is_text(slice_of(fault.where)));
}

static void lists_and_texts_have_bounds(void **state)
{
	static const char list[] = "\"performers\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\","
				   "\"8\",\"9\",\"10\",\"11\",\"12\",\"13\",\"14\",\"15\",\"16\","
				   "\"17\",\"18\",\"19\",\"20\",\"21\"]";
	char text[8192];
	(void)state;
	refused_with(list, "$.performers", "at most 20");
	snprintf(text, sizeof text, "\"description\":\"%04001d\"", 0);
	refused_with(text, "$.description", "0 to 4000 bytes");
	snprintf(text, sizeof text, "\"name\":\"%0201d\"", 0);
	refused_with(text, "$.name", "1 to 200 bytes");
}

static void a_change_needs_nothing(void **state)
{
	(void)state;
	assert_int_equal(STATUS_OK, read_event(EVENT_CHANGE, "{}"));
	assert_true(!event.has_starts && !event.has_room && !event.canceled && !event.has_prices);
	assert_int_equal(0, event.seats_per_hold_max);
	assert_int_equal(0, event.hold_seconds);
	assert_int_equal(STATUS_OK,
		read_event(EVENT_CHANGE,
			"{\"status\":\"canceled\",\"description\":\"\",\"performers\":[]}"));
	assert_true(event.canceled && event.has_performers && event.description.data);
	refused(EVENT_CHANGE, "{\"status\":\"scheduled\"}", "$.status", "canceled");
	refused(EVENT_CHANGE, "{\"status\":5}", "$.status", "canceled");
	refused(EVENT_CHANGE, "{\"holdSeconds\":0}", "$.holdSeconds", "integer");
}

static void prices_fit_the_categories(void **state)
{
	const struct slice a[] = {slice_of("A")}, b[] = {slice_of("B")},
			   ab[] = {slice_of("A"), slice_of("B")};
	(void)state;
	assert_int_equal(STATUS_OK, read_event(EVENT_NEW, "{" REQUIRED_MEMBERS "}"));
	assert_int_equal(STATUS_OK, event_document_check_prices(&event, a, 1, &fault));
	assert_int_equal(STATUS_REFUSED, event_document_check_prices(&event, ab, 2, &fault));
	assert_string_equal("$.prices", fault.where);
	assert_string_equal("category \"B\" has no price", fault.what);
	assert_int_equal(STATUS_REFUSED, event_document_check_prices(&event, b, 1, &fault));
	assert_int_equal(STATUS_REFUSED, event_document_check_prices(&event, a, 0, &fault));
	assert_string_equal("$.prices.A", fault.where);
}

static void settings_of_the_room_come_back(void **state)
{
	struct catalog_room room = {1, 2, 0.1, 3, 4, 5, 6}, read;
	(void)state;
	assert_true(catalog_room_parse(catalog_room_format(&room, &arena), &read));
	assert_true(room.open_at_holds_per_second == read.open_at_holds_per_second &&
		room.open_at_lane_depth == read.open_at_lane_depth &&
		room.rate_per_second == read.rate_per_second &&
		room.active_max == read.active_max && room.claim_seconds == read.claim_seconds &&
		room.heartbeat_seconds == read.heartbeat_seconds &&
		room.session_seconds == read.session_seconds);
	assert_true(catalog_room_parse(slice_of("{\"activeMax\": 9}"), &read));
	assert_int_equal(9, read.active_max);
	assert_int_equal(catalog_room_default.claim_seconds, read.claim_seconds);
	assert_false(catalog_room_parse(slice_of("{\"activeMax\": -9}"), &read));
	assert_false(catalog_room_parse(slice_of("[]"), &read));
	assert_false(catalog_room_parse(slice_of("{"), &read));
}

/* ---- Venues ---- */

#define SEAT(guid_, category_) \
	"{\"seat_guid\":\"" guid_ "\",\"seat_number\":\"1\",\"position\":{\"x\":1,\"y\":1}," \
	"\"category\":\"" category_ "\"}"
#define ZONE(name_, seats_) \
	"{\"name\":\"" name_ "\",\"position\":{\"x\":0,\"y\":0},\"areas\":[],\"rows\":[{" \
	"\"row_number\":\"1\",\"position\":{\"x\":0,\"y\":0},\"seats\":[" seats_ "]}]}"
#define VENUE(members_, zones_) \
	"{\"name\":\"Hall\",\"size\":{\"width\":9,\"height\":9},\"categories\":[" \
	"{\"name\":\"A\",\"color\":\"#123\"},{\"name\":\"B\",\"color\":\"\"}]," members_ \
	"\"zones\":[" zones_ "]}"

static struct venue_document venue;

static void venue_refused(const char *text, const char *where)
{
	assert_int_equal(
		STATUS_REFUSED, venue_document_read(slice_of(text), &arena, &venue, &fault));
	assert_string_equal(where, fault.where);
}

static void a_venue_has_its_parts(void **state)
{
	(void)state;
	assert_int_equal(STATUS_OK,
		venue_document_read(
			slice_of(VENUE("\"city\":\"Zürich\",\"country\":\"CH\",",
				ZONE("Left", SEAT("1", "A")) "," ZONE("Right",
					SEAT("2", "A") "," SEAT("3", "A")) "," ZONE("Empty",
					"") "," ZONE("Left", SEAT("4", "A")))),
			&arena, &venue, &fault));
	assert_true(slice_is(venue.city, "Zürich"));
	assert_true(slice_is(venue.country, "CH"));
	assert_int_equal(2, venue.section_count);
	assert_true(slice_is(venue.sections[0].name, "Left"));
	assert_int_equal(2, venue.sections[0].seat_count);
	assert_int_equal(2, venue.sections[1].seat_count);
	assert_int_equal(1, venue.category_count);
	assert_int_equal(4, venue.categories[0].seat_count);
	assert_int_equal(0x33, venue.categories[0].color.blue);
}

static void a_wrong_venue_is_refused_with_its_place(void **state)
{
	(void)state;
	venue_refused(VENUE("", ZONE("Left", SEAT("1", "A"))), "$.city");
	venue_refused(VENUE("\"city\":5,", ZONE("Left", SEAT("1", "A"))), "$.city");
	venue_refused(VENUE("\"city\":\"\",", ZONE("Left", SEAT("1", "A"))), "$.city");
	venue_refused(VENUE("\"city\":\"a\\u0007\",", ZONE("Left", SEAT("1", "A"))), "$.city");
	venue_refused(VENUE("\"city\":\"x\",\"country\":\"ch\",", ZONE("Left", SEAT("1", "A"))),
		"$.country");
	venue_refused(
		VENUE("\"city\":\"x\",\"country\":1,", ZONE("Left", SEAT("1", "A"))), "$.country");
	venue_refused(VENUE("\"city\":\"x\",", ZONE("Left", "")), "$.zones");
	venue_refused(VENUE("\"city\":\"x\",", ZONE("Left", SEAT("1", "C"))),
		"$.zones[0].rows[0].seats[0].category");
	venue_refused("", "$");
	venue_refused("[]", "$");
	assert_int_equal(STATUS_OK,
		venue_document_read(slice_of(VENUE("\"city\":\"x\",\"country\":null,",
					    ZONE("Left", SEAT("1", "A")))),
			&arena, &venue, &fault));
	assert_null(venue.country.data);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(an_event_has_its_defaults),
		CASE(an_event_has_what_it_says),
		CASE(each_wrong_member_is_named),
		CASE(long_names_are_cut),
		CASE(lists_and_texts_have_bounds),
		CASE(a_change_needs_nothing),
		CASE(prices_fit_the_categories),
		CASE(settings_of_the_room_come_back),
		CASE(a_venue_has_its_parts),
		CASE(a_wrong_venue_is_refused_with_its_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
