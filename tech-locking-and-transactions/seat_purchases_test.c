/* Purchases, orders and what is the admin's, over HTTP, with a checkout that does what it is told.
 */
#include <pthread.h>

#include "tech-locking-and-transactions/seat_routes_fixture.h"

static struct shop shop;
static struct shop_server server, other;

static int set_up(void **state)
{
	(void)state;
	shop_open(&shop);
	shop_server_open(&server, &shop, (struct seat_routes_options){0});
	shop_server_open(&other, &shop,
		(struct seat_routes_options){.checkout_thread_count = 1, .hold_lane_count = 1});
	shop_wait_ready(&server, true);
	shop_wait_ready(&other, true);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	shop_server_close(&server);
	shop_server_close(&other);
	shop_close(&shop);
	return 0;
}

static void want_order_is_mine(const char *hold, const char *order)
{
	const json_t *shown = shop_ask(&server, "GET", text("/holds/%s", hold), NULL, 200, NULL);
	assert_string_equal("sold", text_in(shown, "status"));
	assert_string_equal(order, text_in(shown, "orderId"));
}

static void test_a_purchase(void **state)
{
	(void)state;
	const char *hold = shop_held(&server, "ada", "k1", "\"right-1-2\",\"left-1-1\"");
	const json_t *order = shop_buy(&server, hold, NULL, "p1", "pm_visa", 200);
	const char *id = text("%s", text_in(order, "orderId"));
	assert_true(strncmp(id, shop.listing->id_text, 36) == 0 && id[36] == '.');
	assert_string_equal(
		text("/orders/%s", id), http_client_reply_header(&server.reply, "Location"));
	assert_string_equal("paid", text_in(order, "status"));
	assert_string_equal("EUR", text_in(order, "currency"));
	assert_int_equal(SHOP_LEFT_PRICE + SHOP_RIGHT_PRICE, number_in(order, "total"));
	const json_t *tickets = json_object_get(order, "tickets");
	assert_int_equal(2, json_array_size(tickets));
	const json_t *ticket = json_array_get(tickets, 1);
	assert_string_equal("right-1-2", text_in(ticket, "seatId"));
	assert_string_equal("Right", text_in(ticket, "section"));
	assert_string_equal("2", text_in(ticket, "number"));
	assert_int_equal(SHOP_RIGHT_PRICE, number_in(ticket, "price"));
	assert_true(strncmp(text_in(ticket, "ticketId"), shop.listing->id_text, 36) == 0);
	char *bought = strdup(server.reply.body);
	shop_ask(&other, "GET", text("/orders/%s", id), NULL, 200, NULL);
	assert_string_equal(bought, other.reply.body);
	assert_null(http_client_reply_header(&other.reply, "Location"));
	want_order_is_mine(hold, id);
	assert_int_equal(2, shop_count(&server, "?status=sold"));
	/* Again, by whichever server, whoever says whose it is. */
	shop_buy(&other, hold, "ada", "p1", "pm_visa", 200);
	assert_string_equal(bought, other.reply.body);
	assert_int_equal(1, fake_orders_paid(shop.orders));
	free(bought);
	shop_ask(&server, "DELETE", text("/holds/%s", hold), NULL, 409, NULL);
	shop_want_problem(&server, "hold-sold");
}

static void test_the_key_is_for_one_payment_method(void **state)
{
	(void)state;
	const char *hold = shop_held(&server, "ada", "k1", "\"left-1-1\"");
	shop_buy(&server, hold, NULL, "p1", "pm_visa", 200);
	shop_buy(&server, hold, NULL, "p1", "pm_other", 422);
	shop_want_problem(&server, "idempotency-key-reused");
	/* Another key is another order, and the hold has been bought. */
	shop_buy(&server, hold, NULL, "p2", "pm_visa", 409);
	shop_want_problem(&server, "hold-sold");
	shop_buy(&server, hold, "eve", "p3", "pm_visa", 404);
	/* The same key for another hold is another order. */
	const char *second = shop_held(&server, "ada", "k2", "\"left-1-2\"");
	shop_buy(&server, second, NULL, "p1", "pm_visa", 200);
	assert_int_equal(2, fake_orders_paid(shop.orders));
}

static void test_a_declined_payment_leaves_the_seats_held(void **state)
{
	(void)state;
	const char *hold = shop_held(&server, "ada", "k1", "\"left-1-1\"");
	const json_t *problem = shop_buy(&server, hold, NULL, "p1", "pm_declined", 402);
	shop_want_problem(&server, "payment-declined");
	assert_string_equal("card_declined", text_in(problem, "reason"));
	const char *id = text("%s", text_in(problem, "orderId"));
	const json_t *order = shop_ask(&server, "GET", text("/orders/%s", id), NULL, 200, NULL);
	assert_string_equal("declined", text_in(order, "status"));
	assert_string_equal("card_declined", text_in(order, "reason"));
	assert_null(json_object_get(order, "tickets"));
	assert_int_equal(1, shop_count(&server, "?status=held"));
	shop_buy(&server, hold, NULL, "p1", "pm_declined", 402);
	shop_buy(&server, hold, NULL, "p2", "pm_visa", 200);
	assert_int_equal(1, fake_orders_paid(shop.orders));
}

static void test_what_is_not_over_is_accepted(void **state)
{
	(void)state;
	const char *proven = shop_held(&server, "ada", "k1", "\"left-1-1\"");
	const char *slow = shop_held(&server, "ada", "k2", "\"left-1-2\"");
	const json_t *order = shop_buy(&server, proven, NULL, "p1", "pm_action", 202);
	assert_string_equal("requires_action", text_in(order, "status"));
	assert_string_equal("https://bank.example/prove", text_in(order, "nextActionUrl"));
	const char *id = text("%s", text_in(order, "orderId"));
	order = shop_ask(&server, "GET", text("/orders/%s", id), NULL, 200, NULL);
	assert_string_equal("https://bank.example/prove", text_in(order, "nextActionUrl"));
	order = shop_buy(&server, slow, NULL, "p1", "pm_pending", 202);
	assert_string_equal("authorizing", text_in(order, "status"));
	assert_string_equal(text("/orders/%s", text_in(order, "orderId")),
		http_client_reply_header(&server.reply, "Location"));
	fake_orders_approve(shop.orders);
	shop_buy(&server, proven, NULL, "p1", "pm_action", 200);
	shop_buy(&server, slow, NULL, "p1", "pm_pending", 200);
}

static void test_a_lost_answer_of_a_purchase(void **state)
{
	(void)state;
	const char *hold = shop_held(&server, "ada", "k1", "\"left-1-1\"");
	/* The sale was made, and nobody was told: asked again, it is the same sale. */
	atomic_store(&server.gate.lost, 1);
	shop_buy(&server, hold, NULL, "p1", "pm_visa", 200);
	assert_int_equal(1, fake_orders_paid(shop.orders));
	assert_int_equal(1, shop_metric(&server, "seat_calls_repeated_total"));
	hold = shop_held(&server, "ada", "k2", "\"left-1-2\"");
	atomic_store(&server.gate.lost_early, 2);
	shop_buy(&server, hold, NULL, "p1", "pm_visa", 503);
	assert_non_null(http_client_reply_header(&server.reply, "Retry-After"));
	shop_buy(&server, hold, NULL, "p1", "pm_visa", 200);
	assert_int_equal(2, fake_orders_paid(shop.orders));
}

/* ---- Many at once ---- */

enum { BUYERS = 16 };

struct buyer {
	pthread_t thread;
	struct shop_server *server;
	char path[256], key[64], body[128];
	int status;
};

static void *buy_once(void *context)
{
	struct buyer *buyer = context;
	struct http_client client;
	struct http_client_reply reply = {0};
	http_client_init(&client, http_server_port(buyer->server->http));
	client.timeout_ms = 3 * PATIENCE_MS;
	if (http_client_call(&client, "POST", buyer->path, buyer->key, buyer->body, &reply) ==
		HTTP_CLIENT_OK)
		buyer->status = reply.status;
	http_client_reply_release(&reply);
	http_client_release(&client);
	return NULL;
}

/* Everybody at once; each has a path, a key and a body. Returns how many got this status. */
static size_t let_buy(struct buyer buyers[], size_t count, int status)
{
	size_t found = 0;
	for (size_t i = 0; i < count; i++) {
		buyers[i].server = i % 2 == 0 ? &server : &other;
		assert_int_equal(0, pthread_create(&buyers[i].thread, NULL, buy_once, &buyers[i]));
	}
	for (size_t i = 0; i < count; i++) {
		pthread_join(buyers[i].thread, NULL);
		found += buyers[i].status == status;
	}
	return found;
}

static void test_one_hold_is_bought_once(void **state)
{
	static struct buyer buyers[BUYERS];
	(void)state;
	const char *hold = shop_held(&server, "ada", "k1", "\"left-1-1\"");
	for (size_t i = 0; i < BUYERS; i++) {
		snprintf(buyers[i].path, sizeof buyers[i].path, "/holds/%s/purchase", hold);
		snprintf(buyers[i].key, sizeof buyers[i].key, "Idempotency-Key: %zu\r\n", i / 4);
		snprintf(buyers[i].body, sizeof buyers[i].body, "{\"paymentMethod\":\"pm_visa\"}");
	}
	/* Four with the same key, who all are told of their one order. */
	assert_int_equal(4, let_buy(buyers, BUYERS, 200));
	assert_int_equal(1, fake_orders_paid(shop.orders));
	for (size_t i = 0; i < BUYERS; i++)
		assert_true(buyers[i].status == 200 || buyers[i].status == 409);
}

static void test_everybody_buys_at_once(void **state)
{
	static struct buyer buyers[BUYERS];
	(void)state;
	for (size_t i = 0; i < BUYERS; i++) {
		const char *hold = shop_held(&server, "ada", text("k%zu", i),
			text("\"left-%zu-%zu\"", i / 10 + 1, i % 10 + 1));
		snprintf(buyers[i].path, sizeof buyers[i].path, "/holds/%s/purchase", hold);
		snprintf(buyers[i].key, sizeof buyers[i].key, "Idempotency-Key: p\r\n");
		snprintf(buyers[i].body, sizeof buyers[i].body,
			i % 3 == 0 ? "{\"paymentMethod\":\"pm_visa\",\"userId\":\"ada\"}"
				   : "{\"paymentMethod\":\"pm_visa\"}");
	}
	assert_int_equal(BUYERS, let_buy(buyers, BUYERS, 200));
	assert_int_equal(BUYERS, fake_orders_paid(shop.orders));
}

/* ---- The admin's ---- */

static void test_recovery_is_the_admin_s(void **state)
{
	(void)state;
	shop_ask(&server, "POST", "/admin/recover", NULL, 401, NULL);
	shop_want_problem(&server, "unauthorized");
	assert_string_equal("Bearer", http_client_reply_header(&server.reply, "WWW-Authenticate"));
	static const char *const wrong[] = {"Authorization: Bearer wrong\r\n",
		"Authorization: Bearer \r\n", "Authorization: Bearer\r\n",
		"Authorization: Basic " SHOP_ADMIN_TOKEN "\r\n",
		"Authorization: Bearer " SHOP_ADMIN_TOKEN "x\r\n",
		"Authorization: Bearer the-admin-s-toke\r\n"};
	size_t before = fake_orders_recoveries(shop.orders);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		shop_ask(&server, "POST", "/admin/recover", wrong[i], 401, NULL);
		shop_ask(&server, "GET", "/admin/stuck", wrong[i], 401, NULL);
	}
	assert_int_equal(before, fake_orders_recoveries(shop.orders));
	shop_buy(&server, shop_held(&server, "ada", "k1", "\"left-1-1\""), NULL, "p", "pm_pending",
		202);
	shop_buy(&server, shop_held(&server, "ada", "k2", "\"left-1-2\""), NULL, "p", "pm_stuck",
		202);
	const char *order = text("%s", text_in(server.json, "orderId"));
	const json_t *recovery = shop_ask(&server, "POST", "/admin/recover", SHOP_ADMIN, 200, NULL);
	assert_int_equal(0, number_in(recovery, "finished"));
	assert_int_equal(1, number_in(recovery, "open"));
	assert_int_equal(1, number_in(recovery, "stuck"));
	shop_ask(&server, "POST", "/admin/recover", SHOP_ADMIN, 200, "{}");
	shop_ask(&server, "POST", "/admin/recover", SHOP_ADMIN, 422, "{\"max\":1}");
	const json_t *items = json_object_get(
		shop_ask(&other, "GET", "/admin/stuck", SHOP_ADMIN, 200, NULL), "items");
	assert_int_equal(1, json_array_size(items));
	const json_t *stuck = json_array_get(items, 0);
	assert_string_equal(order, text_in(stuck, "orderId"));
	assert_string_equal("authorizing", text_in(stuck, "status"));
	assert_string_equal("the provider says \"no\"", text_in(stuck, "note"));
	assert_string_equal("pi_1", text_in(stuck, "paymentReference"));
	assert_string_equal("2023-11-14T22:13:20.000Z", text_in(stuck, "since"));
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(test_##name_, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_purchase),
		TEST(the_key_is_for_one_payment_method),
		TEST(a_declined_payment_leaves_the_seats_held),
		TEST(what_is_not_over_is_accepted),
		TEST(a_lost_answer_of_a_purchase),
		TEST(one_hold_is_bought_once),
		TEST(everybody_buys_at_once),
		TEST(recovery_is_the_admin_s),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
