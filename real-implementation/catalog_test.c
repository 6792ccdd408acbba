/* The organiser's routes: venues and events come in, are repeated, are cut short, and are changed.
 */
#include <pthread.h>

#include "real-implementation/catalog_fixture.h"

enum { THREAD_COUNT = 4 };

#define KEY(key_) FIXTURE_ADMIN "Idempotency-Key: " key_ "\r\n"
#define EVENT(members_) \
	"{\"venue\":\"Théâtre de la " \
	"Mer\",\"name\":\"Bach\",\"startsAt\":\"2027-05-01T19:00:00Z\"," \
	"\"currency\":\"EUR\",\"prices\":{\"Stalls\":5000,\"Balcony\":2500}" members_ "}"

static char path[64];

static const char *event_path(const char *event)
{
	snprintf(path, sizeof path, "/events/%s", event);
	return path;
}

static void wrong(const char *body, const char *where)
{
	fixture_send("POST", "/events", body, 422);
	assert_string_equal("urn:onsale:problem:document-invalid", fixture_text("type"));
	assert_string_equal(where, fixture_text("path"));
}

static void a_venue_comes_in(void **state)
{
	(void)state;
	const char *venue = fixture_add_venue();
	assert_int_equal(36, strlen(venue));
	assert_string_equal("Théâtre de la Mer", fixture_text("name"));
	assert_string_equal("Saint-Malo", fixture_text("city"));
	assert_string_equal("FR", fixture_text("country"));
	assert_int_equal(14, fixture_integer("seats"));
	assert_int_equal(2, fixture_integer("sections"));
	const json_t *categories = json_object_get(fixture.json, "categories");
	assert_int_equal(2, json_array_size(categories));
	assert_string_equal("Stalls", json_string_value(json_array_get(categories, 0)));
	assert_int_equal(0, atomic_load(&fixture.changed_count));
}

static void only_the_organiser_may(void **state)
{
	(void)state;
	fixture_ask("POST", "/venues", NULL, "{}", 401);
	fixture_ask("POST", "/events", NULL, "{}", 401);
	fixture_ask("PUT", "/events/00000000-0000-7000-8000-000000000001", NULL, "{}", 401);
	fixture_ask("POST", "/events", "Authorization: Bearer organise\r\n", "{}", 401);
	assert_int_equal(0, fixture_number("SELECT count(*) FROM venues"));
}

static void a_wrong_venue_is_told_where(void **state)
{
	char body[16384];
	(void)state;
	fixture_send("POST", "/venues", "{\"name\":\"x\"}", 422);
	assert_string_equal("urn:onsale:problem:document-invalid", fixture_text("type"));
	assert_non_null(fixture_text("path"));
	snprintf(body, sizeof body, "%s,\"country\":\"France\"}", fixture_venue());
	fixture_send("POST", "/venues", body, 422); /* Twice the same member. */
	fixture_send("POST", "/venues", "no json", 422);
	fixture_send("POST", "/venues", "", 422);
	assert_int_equal(0, fixture_number("SELECT count(*) FROM venues"));
}

static void an_event_goes_on_sale(void **state)
{
	(void)state;
	fixture_add_venue();
	const char *event = fixture_add_event("Goldberg Variations", "2027-05-01T19:00:00+02:00",
		",\"performers\":[\"Teodor Vask, piano\"],\"description\":\"An aria.\","
		"\"onSaleAt\":\"2027-01-01T10:00:00Z\",\"seatsPerHoldMax\":4,\"holdSeconds\":300,"
		"\"waitingRoom\":{\"activeMax\":7}");
	assert_string_equal("Goldberg Variations", fixture_text("name"));
	assert_string_equal("2027-05-01T17:00:00.000Z", fixture_text("startsAt"));
	assert_string_equal("2027-01-01T10:00:00.000Z", fixture_text("onSaleAt"));
	assert_string_equal("upcoming", fixture_text("status"));
	assert_string_equal("Saint-Malo", fixture_text("venue.city"));
	assert_string_equal("An aria.", fixture_text("description"));
	assert_int_equal(2500, fixture_integer("priceFrom"));
	assert_int_equal(5000, fixture_integer("priceTo"));
	assert_int_equal(5000, fixture_integer("prices.Stalls"));
	assert_int_equal(14, fixture_integer("seats"));
	assert_int_equal(4, fixture_integer("seatsPerHoldMax"));
	assert_int_equal(300, fixture_integer("holdSeconds"));
	assert_int_equal(7, fixture_integer("waitingRoom.activeMax"));
	assert_int_equal(1, fixture_integer("version"));
	assert_int_equal(1, atomic_load(&fixture.changed_count));
	assert_int_equal(14, fixture_number("SELECT count(*) FROM seats"));
	assert_int_equal(4,
		fixture_number("SELECT count(*) FROM seats WHERE price = 5000 "
			       "AND section = 'Parterre' AND seat_row = '1'"));
	assert_int_equal(1,
		fixture_number("SELECT count(*) FROM seat_events JOIN events "
			       "USING (event_id) WHERE seat_events.currency = 'EUR'"));
	/* Everybody sees it, without what is the organiser's. */
	fixture_ask("GET", event_path(event), NULL, NULL, 200);
	assert_null(json_object_get(fixture.json, "waitingRoom"));
}

static void an_event_without_a_time_is_on_sale_at_once(void **state)
{
	(void)state;
	fixture_add_venue();
	fixture_add_event("Now", "2099-05-01T19:00:00Z", "");
	assert_string_equal("on_sale", fixture_text("status"));
	assert_int_equal(10, fixture_integer("seatsPerHoldMax"));
	assert_int_equal(600, fixture_integer("holdSeconds"));
	fixture_add_event("Long ago", "2001-05-01T19:00:00Z", "");
	assert_string_equal("ended", fixture_text("status"));
}

static void a_wrong_event_is_told_where(void **state)
{
	(void)state;
	wrong(EVENT(""), "$.venue");
	wrong("{\"venueId\":\"00000000-0000-7000-8000-000000000001\",\"name\":\"x\","
	      "\"startsAt\":\"2027-05-01T19:00:00Z\",\"currency\":\"EUR\",\"prices\":{\"A\":1}}",
		"$.venueId");
	fixture_add_venue();
	wrong(EVENT(",\"holdSeconds\":1"), "$.holdSeconds");
	wrong("{\"venue\":\"Théâtre de la Mer\",\"name\":\"x\","
	      "\"startsAt\":\"2027-05-01T19:00:00Z\",\"currency\":\"EUR\","
	      "\"prices\":{\"Stalls\":1}}",
		"$.prices");
	wrong("{\"venue\":\"Théâtre de la Mer\",\"name\":\"x\","
	      "\"startsAt\":\"2027-05-01T19:00:00Z\",\"currency\":\"EUR\","
	      "\"prices\":{\"Stalls\":1,\"Balcony\":1,\"Box\":1}}",
		"$.prices.Box");
	fixture_add_venue();
	wrong(EVENT(""), "$.venue"); /* Two have that name now. */
	assert_int_equal(0, fixture_number("SELECT count(*) FROM events"));
	fixture_send("POST", "/events", "[]", 422);
	fixture_send("POST", "/events", "{\"name\":\"a\",\"name\":\"b\"}", 400);
	fixture_send("POST", "/events", "{", 400);
}

static void a_repeated_request_has_its_effect_once(void **state)
{
	char first[ID_TEXT_SIZE], body[8192];
	(void)state;
	snprintf(body, sizeof body, "%s}", fixture_venue());
	fixture_ask("POST", "/venues", KEY("v1"), body, 201);
	snprintf(first, sizeof first, "%s", fixture_text("venueId"));
	fixture_ask("POST", "/venues", KEY("v1"), body, 201);
	assert_string_equal(first, fixture_text("venueId"));
	assert_string_equal(
		"true", http_client_reply_header(&fixture.reply, "Idempotency-Replayed"));
	fixture_ask("POST", "/events", KEY("v1"), EVENT(""), 201); /* Another operation. */
	snprintf(first, sizeof first, "%s", fixture_text("eventId"));
	fixture_ask("POST", "/events", KEY("v1"), EVENT(""), 201);
	assert_string_equal(first, fixture_text("eventId"));
	fixture_ask("POST", "/events", KEY("v1"), EVENT(",\"holdSeconds\":99"), 422);
	assert_string_equal("urn:onsale:problem:idempotency-key-reused", fixture_text("type"));
	/* Keys are forgotten after a while, the event is not. */
	assert_int_equal(
		STATUS_OK, postgres_run_script(fixture.pg, "DELETE FROM idempotency_keys"));
	fixture_ask("POST", "/events", KEY("v1"), EVENT(""), 201);
	assert_string_equal(first, fixture_text("eventId"));
	fixture_ask("POST", "/events", KEY("v1"), EVENT(",\"holdSeconds\":99"), 422);
	assert_int_equal(1, fixture_number("SELECT count(*) FROM events"));
	assert_int_equal(1, fixture_number("SELECT count(*) FROM venues"));
	/* Without a key they are two. */
	fixture_send("POST", "/events", EVENT(""), 201);
	fixture_send("POST", "/events", EVENT(""), 201);
	assert_int_equal(3, fixture_number("SELECT count(*) FROM events"));
}

/* The seat store fails in the middle: nobody sees the event until it is completed. */
static void an_event_that_was_cut_short_is_completed(void **state)
{
	char event[ID_TEXT_SIZE];
	(void)state;
	fixture_add_venue();
	atomic_store(&fixture.stores_to_fail, 1);
	fixture_ask("POST", "/events", KEY("e1"), EVENT(""), 503);
	assert_int_equal(7, fixture_number("SELECT count(*) FROM seats"));
	assert_int_equal(1, fixture_number("SELECT count(*) FROM events WHERE status = 'draft'"));
	fixture_ask("GET", "/events?q=bach", NULL, NULL, 200);
	assert_int_equal(0, json_array_size(json_object_get(fixture.json, "items")));
	/* Its id is not known to anybody, and would not help. */
	struct postgres_statement read = {
		.name = "read_draft", .sql = "SELECT event_id FROM events"};
	struct postgres_result result;
	assert_int_equal(
		STATUS_OK, postgres_execute(fixture.pg, &read, POSTGRES_NO_PARAMETERS, &result));
	id_format(postgres_get_uuid(&result, 0, 0), event);
	postgres_result_release(&result);
	fixture_ask("GET", event_path(event), NULL, NULL, 404);
	fixture_send("PUT", event_path(event), "{\"name\":\"x\"}", 404);
	/* Another body under that key does not complete it. */
	fixture_ask("POST", "/events", KEY("e1"), EVENT(",\"holdSeconds\":99"), 422);
	fixture_ask("POST", "/events", KEY("e1"), EVENT(""), 201);
	assert_string_equal(event, fixture_text("eventId"));
	assert_int_equal(14, fixture_number("SELECT count(*) FROM seats"));
	fixture_ask("GET", event_path(event), NULL, NULL, 200);
}

static void *post_event(void *answered)
{
	struct http_client client;
	struct http_client_reply reply = {0};
	http_client_init(&client, fixture.client.port);
	client.timeout_ms = FIXTURE_PATIENCE_MS;
	if (http_client_call(&client, "POST", "/events", KEY("same"), EVENT(""), &reply) ==
		HTTP_CLIENT_OK)
		*(json_t **)answered = reply.status == 201 ? http_client_reply_json(&reply) : NULL;
	http_client_reply_release(&reply);
	http_client_release(&client);
	return NULL;
}

static void the_same_request_several_times_at_once(void **state)
{
	pthread_t threads[THREAD_COUNT];
	json_t *answers[THREAD_COUNT] = {NULL};
	(void)state;
	fixture_add_venue();
	for (size_t i = 0; i < THREAD_COUNT; i++)
		assert_int_equal(0, pthread_create(&threads[i], NULL, post_event, &answers[i]));
	for (size_t i = 0; i < THREAD_COUNT; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < THREAD_COUNT; i++) {
		assert_non_null(answers[i]);
		assert_true(json_equal(json_object_get(answers[0], "eventId"),
			json_object_get(answers[i], "eventId")));
	}
	for (size_t i = 0; i < THREAD_COUNT; i++)
		json_decref(answers[i]);
	assert_int_equal(1, fixture_number("SELECT count(*) FROM events"));
	assert_int_equal(14, fixture_number("SELECT count(*) FROM seats"));
	assert_int_equal(1, fixture_number("SELECT count(*) FROM idempotency_keys"));
}

static void an_event_is_changed(void **state)
{
	(void)state;
	fixture_add_venue();
	const char *event = fixture_add_event("Bahc", "2099-05-01T19:00:00Z", "");
	fixture_send("PUT", event_path(event),
		"{\"name\":\"Bach\",\"performers\":[\"Vask\"],\"description\":\"Piano\","
		"\"startsAt\":\"2098-05-01T19:00:00Z\",\"onSaleAt\":\"2097-05-01T19:00:00Z\","
		"\"seatsPerHoldMax\":2,\"holdSeconds\":60,\"waitingRoom\":{\"activeMax\":1},"
		"\"currency\":\"EUR\",\"prices\":{\"Balcony\":2500,\"Stalls\":5000}}",
		200);
	assert_int_equal(2, fixture_integer("version"));
	assert_string_equal("Bach", fixture_text("name"));
	assert_string_equal("Piano", fixture_text("description"));
	assert_string_equal("2098-05-01T19:00:00.000Z", fixture_text("startsAt"));
	assert_string_equal("upcoming", fixture_text("status"));
	assert_int_equal(2, fixture_integer("seatsPerHoldMax"));
	assert_int_equal(60, fixture_integer("holdSeconds"));
	assert_int_equal(1, fixture_integer("waitingRoom.activeMax"));
	assert_int_equal(120, fixture_integer("waitingRoom.claimSeconds"));
	assert_int_equal(2, atomic_load(&fixture.changed_count));
	/* What is not named stays; search goes by what it is now. */
	fixture_send("PUT", event_path(event), "{\"holdSeconds\":90}", 200);
	assert_int_equal(3, fixture_integer("version"));
	assert_string_equal("Bach", fixture_text("name"));
	assert_int_equal(1, fixture_integer("waitingRoom.activeMax"));
	fixture_ask("GET", "/events?q=vask", NULL, NULL, 200);
	assert_int_equal(1, json_array_size(json_object_get(fixture.json, "items")));
	fixture_ask("GET", "/events?q=bahc", NULL, NULL, 200);
	assert_int_equal(0, json_array_size(json_object_get(fixture.json, "items")));
}

static void what_is_sold_stays_what_it_is(void **state)
{
	static const struct {
		const char *body, *where;
	} changes[] = {
		{"{\"currency\":\"CHF\"}", "$.currency"},
		{"{\"prices\":{\"Stalls\":5001,\"Balcony\":2500}}", "$.prices"},
		{"{\"prices\":{\"Stalls\":5000}}", "$.prices"},
		{"{\"venue\":\"Elsewhere\"}", "$.venue"},
		{"{\"venueId\":\"00000000-0000-7000-8000-000000000001\"}", "$.venueId"},
	};
	(void)state;
	fixture_add_venue();
	const char *event = fixture_add_event("Bach", "2099-05-01T19:00:00Z", "");
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		fixture_send("PUT", event_path(event), changes[i].body, 409);
		assert_string_equal("urn:onsale:problem:event-unchangeable", fixture_text("type"));
		assert_string_equal(changes[i].where, fixture_text("path"));
	}
	fixture_send("PUT", event_path(event), "{\"onSaleAt\":\"2100-01-01T00:00:00Z\"}", 422);
	assert_string_equal("$.onSaleAt", fixture_text("path"));
	fixture_send("PUT", event_path(event), "{\"startsAt\":\"2001-01-01T00:00:00Z\"}", 422);
	assert_string_equal("$.startsAt", fixture_text("path"));
	fixture_send("PUT", event_path(event), "{\"eventId\":\"x\"}", 422);
	fixture_send("PUT", "/events/nothing", "{}", 404);
	fixture_send("PUT", "/events/00000000-0000-7000-8000-000000000001", "{}", 404);
	fixture_ask("GET", event_path(event), NULL, NULL, 200);
	assert_int_equal(1, fixture_integer("version"));
}

static void a_cancelation_is_final(void **state)
{
	(void)state;
	fixture_add_venue();
	const char *event = fixture_add_event("Bach", "2099-05-01T19:00:00Z", "");
	fixture_ask("PUT", event_path(event), KEY("c1"), "{\"status\":\"canceled\"}", 200);
	assert_string_equal("canceled", fixture_text("status"));
	fixture_ask("PUT", event_path(event), KEY("c1"), "{\"status\":\"canceled\"}", 200);
	assert_int_equal(2, fixture_integer("version"));
	fixture_send("PUT", event_path(event), "{\"name\":\"x\"}", 409);
	assert_string_equal("$.status", fixture_text("path"));
	fixture_ask("GET", event_path(event), NULL, NULL, 200);
	assert_string_equal("canceled", fixture_text("status"));
}

/* Texts of the organiser's that mean something elsewhere. */
static void hostile_texts_are_only_texts(void **state)
{
	static const char name[] = "'); DROP TABLE events; -- <b>\\u0022 & | ! :* \\\\";
	(void)state;
	fixture_add_venue();
	const char *event = fixture_add_event(name, "2099-05-01T19:00:00Z", "");
	assert_string_equal("'); DROP TABLE events; -- <b>\" & | ! :* \\", fixture_text("name"));
	fixture_ask("GET", event_path(event), NULL, NULL, 200);
	fixture_ask("GET", "/events?q=%27%29%3B%20DROP%20TABLE", NULL, NULL, 200);
	assert_int_equal(1, json_array_size(json_object_get(fixture.json, "items")));
	fixture_send("POST", "/events", EVENT(",\"description\":\"\\u0000\""), 400);
	fixture_send("POST", "/events", EVENT(",\"description\":\"\xff\""), 400);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, catalog_fixture_begin)
	const struct CMUnitTest tests[] = {
		CASE(a_venue_comes_in),
		CASE(only_the_organiser_may),
		CASE(a_wrong_venue_is_told_where),
		CASE(an_event_goes_on_sale),
		CASE(an_event_without_a_time_is_on_sale_at_once),
		CASE(a_wrong_event_is_told_where),
		CASE(a_repeated_request_has_its_effect_once),
		CASE(an_event_that_was_cut_short_is_completed),
		CASE(the_same_request_several_times_at_once),
		CASE(an_event_is_changed),
		CASE(what_is_sold_stays_what_it_is),
		CASE(a_cancelation_is_final),
		CASE(hostile_texts_are_only_texts),
	};
	return cmocka_run_group_tests(tests, catalog_fixture_start, catalog_fixture_stop);
}
