/* The requests for the product's orders, up to their payment: who may ask what, how often a key
 * counts, and what is refused. */
#include <pthread.h>

#include "real-implementation/orders_fixture.h"

enum { CROWD = 8 };

#define NO_ID "0197a000-0000-7000-8000-000000000000.0197a000-0000-7000-8000-000000000001"

static const char *hold_body(const char *hold)
{
	return text("{\"holdId\":\"%s\"}", hold);
}

static int64_t order_count(void)
{
	return shop_query("SELECT count(*) FROM checkout_orders WHERE event_id = $1::uuid AND $2 "
			  "IS NOT NULL",
		NULL);
}

static void order_is_made_for_a_hold_and_read(void **state)
{
	(void)state;
	const char *hold = shop_hold(ALICE, 2);
	json_t *made = shop_ask("POST", "/orders", ALICE, "made", hold_body(hold), 201);
	assert_string_equal("requires_confirmation", shop_text(made, "status"));
	assert_int_equal(2 * SHOP_PRICE, shop_number(made, "total"));
	assert_string_equal("EUR", shop_text(made, "currency"));
	assert_string_equal(hold, shop_text(made, "holdId"));
	assert_int_equal(1, shop_number(made, "version"));
	assert_non_null(shop_text(made, "expiresAt"));
	assert_non_null(shop_text(made, "createdAt"));
	assert_int_equal(0, json_array_size(json_object_get(made, "tickets")));
	assert_true(json_is_array(json_object_get(made, "tickets")));
	const json_t *seats = json_object_get(made, "seats");
	assert_int_equal(2, json_array_size(seats));
	const json_t *seat = json_array_get(seats, 1);
	assert_string_equal("A-02", shop_text(seat, "seatId"));
	assert_string_equal("Parterre", shop_text(seat, "section"));
	assert_string_equal("A", shop_text(seat, "row"));
	assert_string_equal("02", shop_text(seat, "number"));
	assert_int_equal(SHOP_PRICE, shop_number(seat, "price"));
	json_incref(made);
	json_t *read = shop_ask(
		"GET", text("/orders/%s", shop_text(made, "orderId")), ALICE, NULL, NULL, 200);
	assert_true(json_equal(made, read));
	json_decref(made);
}

static void nobody_is_told_to_say_who_they_are(void **state)
{
	(void)state;
	const char *order = text("/orders/%s", shop_order(shop_hold(ALICE, 1)));
	shop_ask("POST", "/orders", NULL, "k", hold_body(NO_ID), 401);
	shop_ask("GET", "/orders", NULL, NULL, NULL, 401);
	shop_ask("GET", order, NULL, NULL, NULL, 401);
	shop_ask("GET", text("%s/stream", order), NULL, NULL, NULL, 401);
	shop_ask("POST", text("%s/confirm", order), NULL, "k", "{}", 401);
	shop_ask("POST", text("%s/cancel", order), NULL, "k", NULL, 401);
}

static void hold_must_be_ones_own_and_live(void **state)
{
	(void)state;
	const char *hold = shop_hold(BOB, 1);
	shop_ask("POST", "/orders", ALICE, "1", hold_body(hold), 404);
	shop_ask("POST", "/orders", ALICE, "2", hold_body(NO_ID), 404);
	shop_ask("POST", "/orders", ALICE, "3", hold_body("what"), 404);
	hold = shop_hold(ALICE, 1);
	(void)shop_query("UPDATE seat_holds SET status = 'released' WHERE event_id = $1::uuid AND "
			 "hold_id = $2::uuid RETURNING 1::bigint",
		hold);
	shop_ask("POST", "/orders", ALICE, "4", hold_body(hold), 410);
	shop_want_problem("hold-over");
	assert_int_equal(0, order_count());
	/* Refusals are not remembered: the key may be used for a hold that lives. */
	shop_ask("POST", "/orders", ALICE, "4", hold_body(shop_hold(ALICE, 1)), 201);
}

static void hold_has_one_order_at_a_time(void **state)
{
	(void)state;
	const char *hold = shop_hold(ALICE, 1), *order = shop_order(hold);
	json_t *problem = shop_ask("POST", "/orders", ALICE, "again", hold_body(hold), 409);
	shop_want_problem("order-exists");
	assert_string_equal(order, shop_text(problem, "orderId"));
	assert_string_equal("requires_confirmation", shop_text(problem, "orderStatus"));
	/* Also one that was declined, since it may be confirmed again. */
	shop_confirm(order, "pm_card_chargeDeclined", 202);
	shop_wait_status(order, "declined");
	problem = shop_ask("POST", "/orders", ALICE, "again", hold_body(hold), 409);
	assert_string_equal(order, shop_text(problem, "orderId"));
	shop_cancel(order, 202);
	shop_wait_status(order, "canceled");
	assert_string_not_equal(order, shop_order(hold));
}

static void set_event_status(const char *status)
{
	(void)shop_query(
		"WITH venue AS (INSERT INTO venues (venue_id, name, city, plan, seat_count, "
		"section_count, sections, categories, made_from) VALUES ($1::uuid, 'Hall', "
		"'Bern', '{}', 1, 1, '[]', '[]', '') ON CONFLICT DO NOTHING) "
		"INSERT INTO events (event_id, venue_id, name, performers, description, "
		"city, starts_at, on_sale_at, currency, prices, price_from, price_to, "
		"status, seats_per_hold_max, hold_seconds, waiting_room, made_from) "
		"VALUES ($1::uuid, $1::uuid, 'Evening', '{}', '', 'Bern', now(), now(), "
		"'EUR', '{}', 0, 0, $2::text, 9, 60, '{}', '') "
		"ON CONFLICT (event_id) DO UPDATE SET status = EXCLUDED.status "
		"RETURNING 1::bigint",
		status);
}

static void canceled_event_sells_nothing(void **state)
{
	(void)state;
	set_event_status("scheduled");
	const char *first = shop_hold(ALICE, 1), *second = shop_hold(ALICE, 1);
	const char *order = shop_order(first), *paid = shop_order(shop_hold(ALICE, 1));
	shop_confirm(paid, "pm_card_visa", 202);
	shop_wait_status(paid, "paid");
	set_event_status("canceled");
	shop_ask("POST", "/orders", ALICE, "late", hold_body(second), 409);
	shop_want_problem("event-canceled");
	shop_confirm(order, "pm_card_visa", 409);
	shop_want_problem("event-canceled");
	/* What there is can be left, and who has paid gets the money back. */
	shop_cancel(order, 202);
	shop_wait_status(order, "canceled");
	shop_cancel(paid, 202);
	shop_wait_status(paid, "refunded");
}

static void malformed_requests_are_refused(void **state)
{
	(void)state;
	const char *hold = shop_hold(ALICE, 1);
	shop_ask("POST", "/orders", ALICE, NULL, hold_body(hold), 400);
	shop_ask("POST", "/orders", ALICE, "k", "{}", 422);
	shop_ask("POST", "/orders", ALICE, "k", "[", 400);
	shop_ask("POST", "/orders", ALICE, "k", "{\"holdId\":1}", 422);
	shop_ask("POST", "/orders", ALICE, "k", text("{\"holdId\":\"%s\",\"total\":1}", hold), 422);
	const char *order = shop_order(hold), *confirm = text("/orders/%s/confirm", order);
	shop_ask("POST", confirm, ALICE, NULL, "{\"paymentMethod\":\"pm_card_visa\"}", 400);
	shop_ask("POST", confirm, ALICE, "k", "{\"paymentMethod\":\"pm card\"}", 422);
	shop_ask("POST", confirm, ALICE, "k", "{\"paymentMethod\":\"\"}", 422);
	shop_ask("POST", confirm, ALICE, "k", "{}", 422); /* It costs something. */
	assert_string_equal("/paymentMethod", shop_text(shop.json, "pointer"));
	shop_ask("POST", text("/orders/%s/cancel", order), ALICE, NULL, NULL, 400);
	shop_ask("POST", text("/orders/%s/cancel", order), ALICE, "k", "{\"why\":1}", 422);
	shop_ask("POST", "/orders/none/cancel", ALICE, "k", NULL, 404);
	shop_ask("POST", text("/orders/%s/cancel", NO_ID), ALICE, "k", NULL, 404);
	shop_ask("GET", "/orders/none", ALICE, NULL, NULL, 404);
	shop_ask("GET", "/orders/none/stream", ALICE, NULL, NULL, 404);
	shop_ask("GET", "/orders?what=1", ALICE, NULL, NULL, 400);
	shop_ask("GET", "/orders?limit=0", ALICE, NULL, NULL, 400);
	shop_ask("GET", "/orders?limit=201", ALICE, NULL, NULL, 400);
	shop_ask("GET", "/orders?cursor=here", ALICE, NULL, NULL, 400);
	shop_ask("GET", text("/orders/%s", order), ALICE, NULL, NULL, 200);
	assert_string_equal("requires_confirmation", shop_text(shop.json, "status"));
}

static void card_number_is_refused_and_kept_nowhere(void **state)
{
	(void)state;
	const char *order = shop_order(shop_hold(ALICE, 1));
	shop_confirm(order, "4242424242424242", 422);
	shop_want_problem("card-number");
	shop_confirm(order, "4242 4242 4242 4242", 422);
	shop_want_problem("card-number");
	assert_null(strstr(shop.reply.body, "4242"));
	assert_int_equal(0,
		shop_query("SELECT count(*) FROM checkout_orders o WHERE o::text LIKE "
			   "'%4242424242424242%' "
			   "AND event_id = $1::uuid AND $2 IS NOT NULL",
			NULL));
}

static void another_persons_order_is_not_there(void **state)
{
	(void)state;
	const char *order = shop_order(shop_hold(ALICE, 1)), *path = text("/orders/%s", order);
	const char *method = "{\"paymentMethod\":\"pm_card_visa\"}";
	shop_ask("GET", path, BOB, NULL, NULL, 404);
	shop_ask("POST", text("%s/confirm", path), BOB, "b", method, 404);
	shop_ask("POST", text("%s/cancel", path), BOB, "b", NULL, 404);
	json_t *list = shop_ask("GET", "/orders", BOB, NULL, NULL, 200);
	for (size_t i = 0; i < json_array_size(json_object_get(list, "items")); i++)
		assert_string_not_equal(order,
			shop_text(json_array_get(json_object_get(list, "items"), i), "orderId"));
	for (size_t server = 0; server < SHOP_SERVERS; server++) {
		struct reader *alice = shop_follow(server, order, ALICE);
		reader_want(alice, "requires_confirmation");
		struct reader *bob = shop_follow(server, order, BOB);
		reader_want(bob, "\"status\":404");
		reader_want_end(bob);
		reader_want_not(bob, "event: order");
		reader_close(bob);
		reader_close(alice);
	}
	/* A key is its person's: Bob's request with Alice's key is another. */
	shop_ask("POST", text("%s/cancel", path), ALICE, "same", NULL, 202);
	shop_ask("POST", text("%s/cancel", path), BOB, "same", NULL, 404);
	assert_string_equal("canceled", shop_text(shop_wait_status(order, "canceled"), "status"));
}

static void repeated_key_gets_the_same_answer_and_another_body_none(void **state)
{
	(void)state;
	const char *hold = shop_hold(ALICE, 1), *other = shop_hold(ALICE, 1);
	const char *order = text("%s",
		shop_text(shop_ask("POST", "/orders", ALICE, "repeat", hold_body(hold), 201),
			"orderId"));
	const char *first = text("%s", shop.reply.body);
	shop_ask("POST", "/orders", ALICE, "repeat", hold_body(hold), 201);
	assert_string_equal(first, shop.reply.body);
	shop_ask("POST", "/orders", ALICE, "repeat", hold_body(other), 422);
	shop_want_problem("idempotency-key-reused");
	const char *confirm = text("/orders/%s/confirm", order);
	const char *declined = "{\"paymentMethod\":\"pm_card_chargeDeclined\"}";
	shop_ask("POST", confirm, ALICE, "confirm", declined, 202);
	assert_string_equal("authorizing", shop_text(shop.json, "status"));
	shop_wait_status(order, "declined");
	/* Not confirmed once more, though that would be legal. */
	shop_ask("POST", confirm, ALICE, "confirm", declined, 202);
	assert_string_equal("authorizing", shop_text(shop.json, "status"));
	shop_ask("POST", confirm, ALICE, "confirm", "{\"paymentMethod\":\"pm_card_visa\"}", 422);
	shop_wait_status(order, "declined");
	shop_ask("POST", text("/orders/%s/cancel", order), ALICE, "cancel", NULL, 202);
	shop_wait_status(order, "canceled");
	shop_ask("POST", text("/orders/%s/cancel", order), ALICE, "cancel", NULL, 202);
	shop_cancel(order, 409);
	shop_want_problem("order-status");
	assert_int_equal(1, order_count());
}

static void orders_are_listed_by_pages(void **state)
{
	enum { ORDERS = 5, PAGE = 2 };
	static const char carol[] = "0197a000-0000-7000-8000-0000000ca201";
	const char *orders[ORDERS];
	char person[64]; /* Nobody else has orders of theirs. */
	(void)state;
	(void)snprintf(person, sizeof person, "%s", carol);
	for (int i = 0; i < ORDERS; i++) {
		shop_ask("POST", "/orders", person, text("list-%d", i),
			hold_body(shop_hold(person, 1)), 201);
		orders[i] = text("%s", shop_text(shop.json, "orderId"));
	}
	const char *path = text("/orders?limit=%d", PAGE);
	int seen = 0;
	for (int page = 0; path; page++) {
		json_t *list = shop_ask("GET", path, person, NULL, NULL, 200);
		const json_t *items = json_object_get(list, "items");
		for (size_t i = 0; i < json_array_size(items); i++)
			assert_string_equal(orders[ORDERS - ++seen],
				shop_text(json_array_get(items, i), "orderId"));
		const json_t *next = json_object_get(list, "next");
		assert_true(page < ORDERS / PAGE ? json_is_string(next) : !next);
		path = next ? text("/orders?limit=%d&cursor=%s", PAGE, json_string_value(next))
			    : NULL;
	}
	assert_int_equal(ORDERS, seen);
	json_t *all = shop_ask("GET", text("/orders?limit=%d", ORDERS), person, NULL, NULL, 200);
	assert_null(json_object_get(all, "next"));
	json_t *none =
		shop_ask("GET", "/orders", "0197a000-0000-7000-8000-00000000e177", NULL, NULL, 200);
	assert_int_equal(0, json_array_size(json_object_get(none, "items")));
}

/* ---- At once, by two writers ---- */

struct fan {
	pthread_t thread;
	uint16_t port;
	const char *path;
	char headers[256], body[256], order[128];
	int status;
};

static void *ask_at_once(void *context)
{
	struct fan *fan = context;
	struct http_client client;
	struct http_client_reply reply = {0};
	http_client_init(&client, fan->port);
	if (http_client_call(&client, "POST", fan->path, fan->headers, fan->body, &reply) ==
		HTTP_CLIENT_OK) {
		json_t *json = http_client_reply_json(&reply);
		const char *order = json_string_value(json_object_get(json, "orderId"));
		fan->status = reply.status;
		(void)snprintf(fan->order, sizeof fan->order, "%s", order ? order : "");
		json_decref(json);
	}
	http_client_reply_release(&reply);
	http_client_release(&client);
	return NULL;
}

/* Everybody posts at once, half of them to each server; with one key or with one each. */
static void post_at_once(struct fan fans[CROWD], const char *path, const char *key,
	bool has_one_key, const char *body)
{
	for (size_t i = 0; i < CROWD; i++) {
		fans[i] =
			(struct fan){.port = http_server_port(shop.servers[i % SHOP_SERVERS].http),
				.path = path};
		(void)snprintf(fans[i].headers, sizeof fans[i].headers,
			"Person: " ALICE "\r\nContent-Type: application/json\r\n"
			"Idempotency-Key: %s-%zu\r\n",
			key, has_one_key ? 0 : i);
		(void)snprintf(fans[i].body, sizeof fans[i].body, "%s", body);
	}
	for (size_t i = 0; i < CROWD; i++)
		assert_int_equal(0, pthread_create(&fans[i].thread, NULL, ask_at_once, &fans[i]));
	for (size_t i = 0; i < CROWD; i++)
		assert_int_equal(0, pthread_join(fans[i].thread, NULL));
}

static void same_key_at_once_from_two_writers_has_one_effect(void **state)
{
	struct fan fans[CROWD];
	(void)state;
	for (int round = 0; round < 5; round++) {
		const char *hold = shop_hold(ALICE, 1);
		post_at_once(fans, "/orders", text("once-%d", round), true, hold_body(hold));
		for (size_t i = 0; i < CROWD; i++) {
			assert_int_equal(201, fans[i].status);
			assert_string_equal(fans[0].order, fans[i].order);
		}
		assert_int_equal(round + 1, order_count());
		const char *path = text("/orders/%s/cancel", fans[0].order);
		post_at_once(fans, path, text("once-%d", round), true, "{}");
		for (size_t i = 0; i < CROWD; i++)
			assert_int_equal(202, fans[i].status);
	}
}

static void other_keys_at_once_from_two_writers_make_one_order(void **state)
{
	struct fan fans[CROWD];
	(void)state;
	for (int round = 0; round < 5; round++) {
		const char *hold = shop_hold(ALICE, 1);
		int made = 0;
		post_at_once(fans, "/orders", text("other-%d", round), false, hold_body(hold));
		for (size_t i = 0; i < CROWD; i++) {
			made += fans[i].status == 201;
			assert_true(fans[i].status == 201 || fans[i].status == 409);
			assert_string_equal(fans[0].order, fans[i].order);
		}
		assert_int_equal(1, made);
		int confirmed = 0;
		const char *path = text("/orders/%s/confirm", fans[0].order);
		post_at_once(fans, path, text("other-%d", round), false,
			"{\"paymentMethod\":\"pm_card_visa\"}");
		for (size_t i = 0; i < CROWD; i++) {
			confirmed += fans[i].status == 202;
			assert_true(fans[i].status == 202 || fans[i].status == 409);
		}
		assert_int_equal(1, confirmed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SHOP_TEST(order_is_made_for_a_hold_and_read),
		SHOP_TEST(nobody_is_told_to_say_who_they_are),
		SHOP_TEST(hold_must_be_ones_own_and_live),
		SHOP_TEST(hold_has_one_order_at_a_time),
		SHOP_TEST(canceled_event_sells_nothing),
		SHOP_TEST(malformed_requests_are_refused),
		SHOP_TEST(card_number_is_refused_and_kept_nowhere),
		SHOP_TEST(another_persons_order_is_not_there),
		SHOP_TEST(repeated_key_gets_the_same_answer_and_another_body_none),
		SHOP_TEST(orders_are_listed_by_pages),
		SHOP_TEST(same_key_at_once_from_two_writers_has_one_effect),
		SHOP_TEST(other_keys_at_once_from_two_writers_make_one_order),
	};
	return cmocka_run_group_tests(tests, shop_start, shop_stop);
}
