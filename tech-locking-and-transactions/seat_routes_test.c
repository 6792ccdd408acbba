/* Events, seats, holds and releases over HTTP, on seats in memory. */
#include <pthread.h>

#include "tech-locking-and-transactions/seat_routes_fixture.h"

static struct shop shop;
static struct shop_server server;

static int set_up(void **state)
{
	(void)state;
	shop_open(&shop);
	shop_server_open(&server, &shop, (struct seat_routes_options){0});
	shop_wait_ready(&server, true);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	shop_server_close(&server);
	shop_close(&shop);
	return 0;
}

static void reopen(struct seat_routes_options options)
{
	shop_server_close(&server);
	shop_server_open(&server, &shop, options);
	shop_wait_ready(&server, true);
}

/* ---- Looking ---- */

static void test_the_event_that_is_on_sale(void **state)
{
	(void)state;
	const json_t *items =
		json_object_get(shop_ask(&server, "GET", "/events", NULL, 200, NULL), "items");
	assert_int_equal(1, json_array_size(items));
	const json_t *event = json_array_get(items, 0);
	assert_string_equal(shop.listing->id_text, text_in(event, "eventId"));
	assert_string_equal("A \"small\" event", text_in(event, "name"));
	assert_string_equal("Small hall", text_in(event, "venueName"));
	assert_string_equal("EUR", text_in(event, "currency"));
	assert_int_equal(SHOP_SEATS, number_in(event, "seats"));
	assert_int_equal(2, json_array_size(json_object_get(event, "sections")));
	shop_ask(&server, "GET", "/events?q=x", NULL, 400, NULL);
}

static void test_the_seats_of_an_event(void **state)
{
	(void)state;
	assert_int_equal(SHOP_SEATS, shop_count(&server, ""));
	const json_t *seat = json_array_get(json_object_get(server.json, "items"), 0);
	assert_string_equal("left-1-1", text_in(seat, "seatId"));
	assert_string_equal("Left", text_in(seat, "section"));
	assert_string_equal("1", text_in(seat, "row"));
	assert_string_equal("1", text_in(seat, "number"));
	assert_string_equal("available", text_in(seat, "status"));
	assert_int_equal(SHOP_LEFT_PRICE, number_in(seat, "price"));
	int64_t version = number_in(seat, "version");
	shop_held(&server, "ada", "k1", "\"left-1-1\"");
	assert_int_equal(50, shop_count(&server, "?section=Left"));
	seat = json_array_get(json_object_get(server.json, "items"), 0);
	assert_string_equal("held", text_in(seat, "status"));
	assert_true(number_in(seat, "version") > version);
	assert_int_equal(49, shop_count(&server, "?section=Left&status=available"));
	assert_int_equal(1, shop_count(&server, "?status=held"));
	assert_int_equal(0, shop_count(&server, "?status=sold"));
	assert_int_equal(0, shop_count(&server, "?section=Nowhere"));
	assert_int_equal(0, shop_count(&server, "?section="));
}

/* ---- Holding ---- */

static void test_a_hold(void **state)
{
	(void)state;
	const json_t *hold = shop_hold(&server, "ada", "k1", "\"right-1-2\",\"left-1-1\"", 201);
	const char *id = text("%s", text_in(hold, "holdId"));
	assert_true(strncmp(id, shop.listing->id_text, 36) == 0 && id[36] == '.');
	assert_string_equal(
		text("/holds/%s", id), http_client_reply_header(&server.reply, "Location"));
	assert_string_equal("held", text_in(hold, "status"));
	assert_string_equal("ada", text_in(hold, "userId"));
	assert_string_equal("EUR", text_in(hold, "currency"));
	assert_int_equal(SHOP_LEFT_PRICE + SHOP_RIGHT_PRICE, number_in(hold, "total"));
	assert_true(number_in(hold, "version") >= 1);
	assert_int_equal(2, json_array_size(json_object_get(hold, "seats")));
	const char *expires_at = text("%s", text_in(hold, "expiresAt"));
	const json_t *shown = shop_ask(&server, "GET", text("/holds/%s", id), NULL, 200, NULL);
	assert_string_equal(id, text_in(shown, "holdId"));
	assert_string_equal("held", text_in(shown, "status"));
	assert_string_equal(expires_at, text_in(shown, "expiresAt"));
	assert_string_equal("ada", text_in(shown, "userId"));
	assert_int_equal(SHOP_LEFT_PRICE + SHOP_RIGHT_PRICE, number_in(shown, "total"));
	shop_ask(&server, "GET", text("/holds/%s?userId=ada", id), NULL, 200, NULL);
	shop_ask(&server, "GET", text("/holds/%s?userId=eve", id), NULL, 404, NULL);
}

static void test_what_is_taken_is_named(void **state)
{
	(void)state;
	shop_held(&server, "ada", "k1", "\"left-1-1\",\"left-1-2\"");
	const json_t *problem =
		shop_hold(&server, "ben", "k1", "\"left-1-3\",\"left-1-2\",\"left-1-1\"", 409);
	shop_want_problem(&server, "seats-taken");
	const json_t *seats = json_object_get(problem, "seats");
	assert_int_equal(2, json_array_size(seats));
	assert_string_equal("left-1-2", json_string_value(json_array_get(seats, 0)));
	assert_string_equal("left-1-1", json_string_value(json_array_get(seats, 1)));
	/* All or nothing. */
	shop_held(&server, "cyd", "k1", "\"left-1-3\"");
}

static void test_a_repeated_hold_is_the_same(void **state)
{
	(void)state;
	shop_hold(&server, "ada", "k1", "\"left-1-1\"", 201);
	char *first = strdup(server.reply.body);
	shop_hold(&server, "ada", "k1", "\"left-1-1\"", 201);
	assert_string_equal(first, server.reply.body);
	/* Whatever else: the key stands for the request. */
	shop_hold(&server, "ada", "k1", "\"left-1-2\"", 422);
	shop_want_problem(&server, "idempotency-key-reused");
	shop_hold(&server, "ada", "k1", "\"left-1-1\",\"left-1-2\"", 422);
	/* Another person's key is another key, and another key is another request. */
	shop_hold(&server, "ben", "k1", "\"left-1-1\"", 409);
	shop_hold(&server, "ada", "k2", "\"left-1-1\"", 409);
	shop_held(&server, "ben", "k1", "\"left-1-2\"");
	/* A refusal is not kept: the same key may succeed later. */
	const json_t *hold = shop_hold(&server, "ada", "k1", "\"left-1-1\"", 201);
	shop_ask(&server, "DELETE", text("/holds/%s", text_in(hold, "holdId")), NULL, 204, NULL);
	shop_hold(&server, "ada", "k2", "\"left-1-1\"", 201);
	/* The first answer stays, though the seat is another hold's by now. */
	shop_hold(&server, "ada", "k1", "\"left-1-1\"", 201);
	assert_string_equal(first, server.reply.body);
	free(first);
}

static void test_a_hold_of_other_settings_is_the_same(void **state)
{
	(void)state;
	shop_hold(&server, "ada", "k1", "\"left-1-1\",\"left-1-2\"", 201);
	char *first = strdup(server.reply.body);
	reopen((struct seat_routes_options){.hold_ms = 1234567});
	shop_hold(&server, "ada", "k1", "\"left-1-1\",\"left-1-2\"", 201);
	assert_string_equal(first, server.reply.body);
	shop_hold(&server, "ada", "k1", "\"left-1-1\",\"left-1-3\"", 422);
	shop_hold(&server, "ada", "k1", "\"left-1-1\"", 422);
	free(first);
}

static void test_an_expired_hold_is_free_and_says_so(void **state)
{
	(void)state;
	reopen((struct seat_routes_options){.hold_ms = 1, .expire_ms = NEVER_MS});
	const char *hold = shop_held(&server, "ada", "k1", "\"left-1-1\"");
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	const json_t *shown;
	do {
		assert_true(now_ms() < deadline_ms);
		shown = shop_ask(&server, "GET", text("/holds/%s", hold), NULL, 200, NULL);
	} while (strcmp("expired", text_in(shown, "status")) != 0);
	assert_int_equal(SHOP_SEATS, shop_count(&server, "?status=available"));
	shop_ask(&server, "DELETE", text("/holds/%s", hold), NULL, 204, NULL);
	shop_held(&server, "ben", "k1", "\"left-1-1\"");
	shop_buy(&server, hold, NULL, "k1", "pm_visa", 410);
	shop_want_problem(&server, "hold-expired");
}

static void test_holds_are_tidied_up_by_themselves(void **state)
{
	(void)state;
	reopen((struct seat_routes_options){.hold_ms = 1, .expire_ms = 1});
	shop_held(&server, "ada", "k1", "\"left-1-1\"");
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	while (shop_metric(&server, "seat_holds_expired_total") == 0)
		assert_true(now_ms() < deadline_ms);
}

/* ---- Releasing ---- */

static void test_a_release(void **state)
{
	(void)state;
	const char *hold = shop_held(&server, "ada", "k1", "\"left-1-1\"");
	shop_ask(&server, "DELETE", text("/holds/%s?userId=eve", hold), NULL, 404, NULL);
	assert_int_equal(1, shop_count(&server, "?status=held"));
	shop_ask(&server, "DELETE", text("/holds/%s?userId=ada", hold), NULL, 204, NULL);
	assert_int_equal(0, shop_count(&server, "?status=held"));
	/* Again is as good, and without saying whose. */
	shop_ask(&server, "DELETE", text("/holds/%s", hold), NULL, 204, NULL);
	const json_t *shown = shop_ask(&server, "GET", text("/holds/%s", hold), NULL, 200, NULL);
	assert_string_equal("released", text_in(shown, "status"));
	shop_buy(&server, hold, "ada", "k1", "pm_visa", 410);
	shop_buy(&server, hold, NULL, "k1", "pm_visa", 410);
	shop_buy(&server, hold, "eve", "k1", "pm_visa", 404);
}

static void test_what_does_not_exist(void **state)
{
	static const char *const none[] = {"x", "0198c0de-0000-7000-8000-000000000000",
		"0198c0de-0000-7000-8000-000000000000.x", ".", "x.y",
		"0198c0de-0000-7000-8000-000000000000.0198c0de-0000-7000-8000-000000000000",
		"0198c0de-0000-7000-8000-000000000000.0198c0de-0000-7000-8000-000000000000.x"};
	(void)state;
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		shop_ask(&server, "GET", text("/holds/%s", none[i]), NULL, 404, NULL);
		shop_ask(&server, "DELETE", text("/holds/%s", none[i]), NULL, 404, NULL);
		shop_ask(&server, "GET", text("/orders/%s", none[i]), NULL, 404, NULL);
		shop_ask(&server, "GET", text("/events/%s/seats", none[i]), NULL, 404, NULL);
		shop_ask(&server, "POST", text("/events/%s/holds", none[i]),
			"Idempotency-Key: k\r\n", 404, "{\"userId\":\"u\",\"seats\":[\"s\"]}");
		shop_buy(&server, none[i], NULL, "k", "pm_visa", 404);
		shop_buy(&server, none[i], "ada", "k", "pm_visa", 404);
	}
	/* A hold of this event, under another event's id. */
	const char *hold = shop_held(&server, "ada", "k1", "\"left-1-1\"");
	const char *moved = text("0198c0de-0000-7000-8000-000000000000%s", hold + 36);
	shop_ask(&server, "GET", text("/holds/%s", moved), NULL, 404, NULL);
	shop_ask(&server, "DELETE", text("/holds/%s", moved), NULL, 404, NULL);
	shop_buy(&server, moved, "ada", "k", "pm_visa", 404);
	assert_int_equal(1, shop_count(&server, "?status=held"));
}

/* ---- The technology is slow, gone, or loses answers ---- */

static void test_while_the_technology_is_gone(void **state)
{
	(void)state;
	const char *hold = shop_held(&server, "ada", "k1", "\"left-1-1\"");
	atomic_store(&server.gate.status, STATUS_UNAVAILABLE);
	shop_wait_ready(&server, false);
	shop_hold(&server, "ben", "k1", "\"left-1-2\"", 503);
	assert_non_null(http_client_reply_header(&server.reply, "Retry-After"));
	shop_ask(&server, "GET", text("/holds/%s", hold), NULL, 503, NULL);
	shop_ask(&server, "DELETE", text("/holds/%s", hold), NULL, 503, NULL);
	shop_ask(&server, "GET", text("/events/%s/seats", shop.listing->id_text), NULL, 503, NULL);
	shop_buy(&server, hold, NULL, "k1", "pm_visa", 503);
	shop_buy(&server, hold, "ada", "k1", "pm_visa", 503);
	/* What needs nobody is answered. */
	shop_ask(&server, "GET", "/events", NULL, 200, NULL);
	atomic_store(&server.gate.status, STATUS_OK);
	shop_wait_ready(&server, true);
	shop_hold(&server, "ben", "k1", "\"left-1-2\"", 201);
	assert_true(shop_metric(&server, "seat_calls_failed_total") > 0);
}

static void test_a_server_that_starts_before_its_service(void **state)
{
	(void)state;
	shop_server_close(&server);
	atomic_store(&server.gate.away, true);
	shop_server_open(&server, &shop, (struct seat_routes_options){0});
	shop_wait_ready(&server, false);
	shop_hold(&server, "ada", "k1", "\"left-1-1\"", 503);
	shop_ask(&server, "POST", "/admin/recover", SHOP_ADMIN, 503, NULL);
	atomic_store(&server.gate.away, false);
	shop_wait_ready(&server, true);
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	while (shop_hold(&server, "ada", "k1", "\"left-1-1\"", 0), server.reply.status != 201)
		assert_true(now_ms() < deadline_ms);
}

static void test_a_lost_answer_is_found_again(void **state)
{
	(void)state;
	/* Made, and the answer lost: it is read. */
	atomic_store(&server.gate.lost, 1);
	shop_hold(&server, "ada", "k1", "\"left-1-1\"", 201);
	assert_int_equal(0, atomic_load(&server.gate.lost));
	/* Not made: it is made again. */
	atomic_store(&server.gate.lost_early, 1);
	shop_hold(&server, "ada", "k2", "\"left-1-2\"", 201);
	assert_int_equal(0, atomic_load(&server.gate.lost_early));
	/* Somebody else has it: that is told, though the first answer was lost. */
	atomic_store(&server.gate.lost, 1);
	shop_hold(&server, "ben", "k1", "\"left-1-2\"", 409);
	/* Twice lost: nobody knows, until it is sent again. */
	atomic_store(&server.gate.lost_early, 2);
	shop_hold(&server, "ada", "k3", "\"left-1-3\"", 503);
	assert_non_null(http_client_reply_header(&server.reply, "Retry-After"));
	shop_hold(&server, "ada", "k3", "\"left-1-3\"", 201);
	const char *hold = text("%s", text_in(server.json, "holdId"));
	atomic_store(&server.gate.lost, 1);
	shop_ask(&server, "DELETE", text("/holds/%s", hold), NULL, 204, NULL);
	assert_int_equal(0, atomic_load(&server.gate.lost));
	assert_int_equal(4 + 1, shop_metric(&server, "seat_calls_repeated_total"));
}

/* ---- Many at once ---- */

struct asker {
	pthread_t thread;
	const char *path, *headers, *body;
	char person[32], bytes[256];
	int status;
	char *reply;
};

static void *ask_once(void *context)
{
	struct asker *asker = context;
	struct http_client client;
	struct http_client_reply reply = {0};
	http_client_init(&client, http_server_port(server.http));
	client.timeout_ms = 3 * PATIENCE_MS;
	if (http_client_call(&client, asker->body ? "POST" : "GET", asker->path, asker->headers,
		    asker->body, &reply) == HTTP_CLIENT_OK) {
		asker->status = reply.status;
		asker->reply = reply.body_size > 0 ? strdup(reply.body) : NULL;
	}
	http_client_reply_release(&reply);
	http_client_release(&client);
	return NULL;
}

static void start(struct asker *asker)
{
	assert_int_equal(0, pthread_create(&asker->thread, NULL, ask_once, asker));
}

static const char *holds_path(void)
{
	return text("/events/%s/holds", shop.listing->id_text);
}

static void start_hold(struct asker *asker, size_t number, const char *path)
{
	snprintf(asker->person, sizeof asker->person, "Idempotency-Key: %zu\r\n", number);
	snprintf(asker->bytes, sizeof asker->bytes,
		"{\"userId\":\"u%zu\",\"seats\":[\"left-%zu-%zu\"]}", number, number / 10 + 1,
		number % 10 + 1);
	asker->path = path;
	asker->headers = asker->person;
	asker->body = asker->bytes;
	start(asker);
}

static void end_all(struct asker askers[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		pthread_join(askers[i].thread, NULL);
}

static void test_who_waits_is_served_by_one_call(void **state)
{
	static struct asker askers[20];
	(void)state;
	memset(askers, 0, sizeof askers);
	const char *path = holds_path();
	atomic_store(&server.gate.closed, true);
	start_hold(&askers[0], 0, path);
	fixture_wait_count(&server.gate.waiting, 1);
	for (size_t i = 1; i < 20; i++)
		start_hold(&askers[i], i, path);
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	while (shop_metric(&server, "lane_depth{lane=\"seat_holds\"}") < 19)
		assert_true(now_ms() < deadline_ms);
	atomic_store(&server.gate.closed, false);
	end_all(askers, 20);
	for (size_t i = 0; i < 20; i++) {
		assert_int_equal(201, askers[i].status);
		free(askers[i].reply);
	}
	assert_int_equal(2, atomic_load(&server.gate.holds));
	assert_int_equal(20, atomic_load(&server.gate.held));
}

static void test_one_seat_for_many_is_one_person_s(void **state)
{
	static struct asker askers[32];
	(void)state;
	memset(askers, 0, sizeof askers);
	const char *path = holds_path();
	for (size_t i = 0; i < 32; i++) {
		snprintf(askers[i].bytes, sizeof askers[i].bytes,
			"{\"userId\":\"u%zu\",\"seats\":[\"left-1-1\",\"right-1-%zu\"]}", i,
			i % 10 + 1);
		askers[i].path = path;
		askers[i].headers = "Idempotency-Key: k\r\n";
		askers[i].body = askers[i].bytes;
		start(&askers[i]);
	}
	end_all(askers, 32);
	int granted = 0;
	for (size_t i = 0; i < 32; i++) {
		granted += askers[i].status == 201;
		assert_true(askers[i].status == 201 || askers[i].status == 409);
		free(askers[i].reply);
	}
	assert_int_equal(1, granted);
	assert_int_equal(2, shop_count(&server, "?status=held"));
}

static void test_a_request_repeated_while_in_flight(void **state)
{
	static struct asker askers[8];
	(void)state;
	memset(askers, 0, sizeof askers);
	const char *path = holds_path();
	atomic_store(&server.gate.closed, true);
	for (size_t i = 0; i < 8; i++)
		start_hold(&askers[i], 3, path);
	fixture_wait_count(&server.gate.waiting, 1);
	atomic_store(&server.gate.closed, false);
	end_all(askers, 8);
	for (size_t i = 0; i < 8; i++) {
		assert_int_equal(201, askers[i].status);
		assert_string_equal(askers[0].reply, askers[i].reply);
	}
	for (size_t i = 0; i < 8; i++)
		free(askers[i].reply);
}

static void test_a_full_queue_is_refused_before_any_work(void **state)
{
	static struct asker askers[2];
	(void)state;
	memset(askers, 0, sizeof askers);
	reopen((struct seat_routes_options){.queue_max = 1, .reads_max = 1});
	const char *path = holds_path();
	atomic_store(&server.gate.closed, true);
	start_hold(&askers[0], 0, path);
	fixture_wait_count(&server.gate.waiting, 1);
	start_hold(&askers[1], 1, path);
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	while (shop_metric(&server, "lane_depth{lane=\"seat_holds\"}") < 1)
		assert_true(now_ms() < deadline_ms);
	shop_hold(&server, "u2", "k", "\"left-1-3\"", 503);
	assert_non_null(http_client_reply_header(&server.reply, "Retry-After"));
	assert_int_equal(1, shop_metric(&server, "lane_refused_total{lane=\"seat_holds\"}"));
	atomic_store(&server.gate.closed, false);
	end_all(askers, 2);
	assert_int_equal(201, askers[0].status);
	assert_int_equal(201, askers[1].status);
	free(askers[0].reply);
	free(askers[1].reply);
	assert_int_equal(2, shop_count(&server, "?status=held"));
}

static void test_a_client_that_has_gone_holds_nothing(void **state)
{
	static struct asker asker;
	struct http_client client;
	(void)state;
	memset(&asker, 0, sizeof asker);
	const char *path = holds_path();
	shop.loop_count = 1;
	reopen((struct seat_routes_options){0});
	atomic_store(&server.gate.closed, true);
	start_hold(&asker, 0, path);
	fixture_wait_count(&server.gate.waiting, 1);
	http_client_init(&client, http_server_port(server.http));
	assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&client));
	const char *body = "{\"userId\":\"gone\",\"seats\":[\"left-1-2\"]}";
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_send_text(&client,
			text("POST %s HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\n"
			     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
				path, strlen(body), body)));
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	while (shop_metric(&server, "lane_depth{lane=\"seat_holds\"}") < 1)
		assert_true(now_ms() < deadline_ms);
	http_client_release(&client);
	/* The one loop has seen that by the time it has answered what comes after: at the latest
	 * with the second, since events that are there together are handled in any order. */
	shop_ask(&server, "GET", "/events", NULL, 200, NULL);
	shop_ask(&server, "GET", "/events", NULL, 200, NULL);
	atomic_store(&server.gate.closed, false);
	end_all(&asker, 1);
	free(asker.reply);
	assert_int_equal(1, shop_count(&server, "?status=held"));
}

static void test_readings_share_a_call(void **state)
{
	static struct asker askers[9];
	(void)state;
	memset(askers, 0, sizeof askers);
	const char *paths[] = {text("/events/%s/seats", shop.listing->id_text),
		text("/events/%s/seats?section=Left", shop.listing->id_text),
		text("/events/%s/seats?status=held", shop.listing->id_text)};
	atomic_store(&server.gate.closed, true);
	for (size_t i = 0; i < 9; i++) {
		askers[i].path = paths[i % 3];
		start(&askers[i]);
		if (i == 0)
			fixture_wait_count(&server.gate.waiting, 1);
	}
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	while (shop_metric(&server, "lane_depth{lane=\"seat_readings\"}") < 8)
		assert_true(now_ms() < deadline_ms);
	atomic_store(&server.gate.closed, false);
	end_all(askers, 9);
	assert_int_equal(2, atomic_load(&server.gate.readings));
	for (size_t i = 0; i < 9; i++) {
		json_t *json = json_loads(askers[i].reply, 0, NULL);
		assert_int_equal(200, askers[i].status);
		assert_int_equal(i % 3 == 0  ? 100
				: i % 3 == 1 ? 50
					     : 0,
			json_array_size(json_object_get(json, "items")));
		json_decref(json);
		free(askers[i].reply);
	}
}

static void test_an_end_with_work_in_flight(void **state)
{
	static struct asker askers[4];
	(void)state;
	memset(askers, 0, sizeof askers);
	const char *path = holds_path();
	atomic_store(&server.gate.closed, true);
	start_hold(&askers[0], 0, path);
	fixture_wait_count(&server.gate.waiting, 1);
	for (size_t i = 1; i < 4; i++)
		start_hold(&askers[i], i, path);
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	while (shop_metric(&server, "lane_depth{lane=\"seat_holds\"}") < 3)
		assert_true(now_ms() < deadline_ms);
	reopen((struct seat_routes_options){0}); /* Opens the gate, too. */
	end_all(askers, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(201, askers[i].status);
		free(askers[i].reply);
	}
	assert_int_equal(4, shop_count(&server, "?status=held"));
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(test_##name_, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(the_event_that_is_on_sale),
		TEST(the_seats_of_an_event),
		TEST(a_hold),
		TEST(what_is_taken_is_named),
		TEST(a_repeated_hold_is_the_same),
		TEST(a_hold_of_other_settings_is_the_same),
		TEST(an_expired_hold_is_free_and_says_so),
		TEST(holds_are_tidied_up_by_themselves),
		TEST(a_release),
		TEST(what_does_not_exist),
		TEST(while_the_technology_is_gone),
		TEST(a_server_that_starts_before_its_service),
		TEST(a_lost_answer_is_found_again),
		TEST(who_waits_is_served_by_one_call),
		TEST(one_seat_for_many_is_one_person_s),
		TEST(a_request_repeated_while_in_flight),
		TEST(a_full_queue_is_refused_before_any_work),
		TEST(a_client_that_has_gone_holds_nothing),
		TEST(readings_share_a_call),
		TEST(an_end_with_work_in_flight),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
