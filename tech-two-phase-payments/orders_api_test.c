/* The order server's interface: what it answers to whom, and what becomes of an order. */
#include "tech-two-phase-payments/orders_fixture.h"

#include <time.h>

#include "tech-two-phase-payments/stripe/stripe_webhook.h"

#define ADMIN "Authorization: Bearer " ORDERS_ADMIN_TOKEN "\r\n"
#define BODY \
	"{\"userId\":\"alice\",\"currency\":\"EUR\"," \
	"\"items\":[{\"description\":\"Seat A-1\",\"amount\":4500}," \
	"{\"description\":\"Seat A-2\",\"amount\":3000}]}"

static void want_problem(const char *type)
{
	assert_string_equal(text("urn:onsale:problem:%s", type), orders_text(orders.json, "type"));
}

static void order_is_paid_once(void **state)
{
	(void)state;
	ORDERS_START("ACCESS_LOG=false");
	const json_t *made = orders_ask("POST", "/orders", "key-1", BODY, 201);
	assert_string_equal("requires_confirmation", orders_text(made, "status"));
	assert_string_equal("EUR", orders_text(made, "currency"));
	assert_int_equal(7500, orders_number(made, "total"));
	assert_int_equal(2, json_array_size(json_object_get(made, "items")));
	const char *order = text("%s", orders_text(made, "orderId"));
	const json_t *confirmed = orders_ask("POST", text("/orders/%s/confirm", order), "key-1",
		"{\"paymentMethod\":\"pm_card_visa\"}", 202);
	assert_string_equal("authorizing", orders_text(confirmed, "status"));
	orders_wait_status(order, "authorized");
	assert_int_equal(0, orders_number(orders.json, "captured"));
	assert_int_equal(7500, simulator_fixture_total(&orders.simulator, "eur", "open"));
	orders_ask("POST", text("/orders/%s/finalize", order), "key-1", NULL, 202);
	orders_wait_status(order, "paid");
	assert_int_equal(7500, orders_number(orders.json, "captured"));
	orders_wait_quiet();
	assert_int_equal(0, orders_judge(ORDERS_JUDGE_TELLS));
	assert_int_equal(7500, simulator_fixture_total(&orders.simulator, "eur", "captured"));
	/* A token is kept no longer than it is needed, and told to nobody. */
	assert_int_equal(0,
		orders_query("SELECT count(*) FROM payments.orders "
			     "WHERE payment_method IS NOT NULL"));
	assert_null(strstr(orders.reply.body, "pm_card"));
	orders_ask("GET", "/readyz", NULL, NULL, 200);
	orders_ask("GET", "/metrics", NULL, NULL, 200);
	assert_non_null(strstr(orders.reply.body,
		"payment_calls_total{operation=\"capture\",outcome=\"captured\"} 1"));
}

static void declined_order_may_be_confirmed_again(void **state)
{
	(void)state;
	ORDERS_START("ACCESS_LOG=false");
	const char *order = orders_make();
	orders_confirm(order, "pm_card_visa_chargeDeclinedInsufficientFunds");
	orders_wait_status(order, "declined");
	assert_string_equal("insufficient_funds", orders_text(orders.json, "reason"));
	orders_confirm(order, "pm_card_there_is_none");
	orders_wait_status(order, "declined");
	orders_confirm(order, "pm_card_visa");
	orders_wait_status(order, "authorized");
	assert_null(json_object_get(orders.json, "reason"));
	orders_do(order, "finalize", 202);
	orders_wait_status(order, "paid");
	orders_wait_quiet();
	assert_int_equal(0, orders_judge(ORDERS_JUDGE_TELLS));
}

/* The intent in the URL of its next action. */
static const char *intent_of(const char *url)
{
	const char *intent = strstr(url, "pi_");
	assert_non_null(intent);
	return text("%.*s", (int)strcspn(intent, "/"), intent);
}

/* Each by another answer: the customer's own, and, with events refused, by looking it up. */
static void proof_is_waited_for(void **state)
{
	(void)state;
	static const char *const secrets[] = {"STRIPE_WEBHOOK_SECRET=" ORDERS_WEBHOOK_SECRET,
		"STRIPE_WEBHOOK_SECRET=whsec_that_is_another_one"};
	for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
		ORDERS_START(secrets[i]);
		for (int good = 0; good <= 1; good++) {
			const char *order = orders_make();
			orders_confirm(order, "pm_card_authenticationRequired");
			orders_wait_status(order, "requires_action");
			const char *url = orders_text(orders.json, "nextActionUrl");
			assert_non_null(strstr(url, "/authentication"));
			orders_text(orders.json, "expiresAt");
			json_decref(simulator_fixture_authenticate(
				&orders.simulator, intent_of(url), good ? "succeeded" : "failed"));
			orders_wait_status(order, good ? "authorized" : "declined");
			assert_null(json_object_get(orders.json, "nextActionUrl"));
			orders_do(order, "cancel", 202);
			orders_wait_status(order, "canceled");
		}
		orders_stop(0);
	}
	orders_wait_quiet();
	assert_int_equal(0, orders_judge(ORDERS_JUDGE_TELLS));
}

static void cancel_voids_or_refunds(void **state)
{
	(void)state;
	ORDERS_START("ACCESS_LOG=false");
	const char *order = orders_make();
	orders_do(order, "cancel", 202);
	assert_true(json_is_true(json_object_get(orders.json, "cancelRequested")));
	orders_wait_status(order, "canceled");
	orders_do(order, "cancel", 409);
	orders_do(order, "finalize", 409);

	order = orders_make();
	orders_confirm(order, "pm_card_visa");
	orders_wait_status(order, "authorized");
	orders_do(order, "cancel", 202);
	orders_do(order, "finalize", 0); /* Too late, whichever way it is told. */
	assert_true(orders.reply.status == 409 || orders.reply.status == 410);
	orders_wait_status(order, "canceled");
	assert_int_equal(4500, simulator_fixture_total(&orders.simulator, "eur", "voided"));

	order = orders_make();
	orders_confirm(order, "pm_card_visa");
	orders_wait_status(order, "authorized");
	orders_do(order, "finalize", 202);
	orders_wait_status(order, "paid");
	orders_do(order, "cancel", 202);
	orders_wait_status(order, "refunded");
	assert_int_equal(4500, orders_number(orders.json, "refunded"));
	assert_int_equal(4500, simulator_fixture_total(&orders.simulator, "eur", "refunded"));
	orders_wait_quiet();
	assert_int_equal(0, orders_judge(ORDERS_JUDGE_TELLS));
}

/* Nobody comes back: nothing is left reserved. The times are short, so each wait is for the end. */
static void time_ends_what_is_left(void **state)
{
	(void)state;
	ORDERS_START("CONFIRM_TIME=1500ms", "ACTION_TIME=1500ms", "FINALIZE_TIME=1500ms");
	const char *left = orders_make();
	orders_wait_status(left, "expired");
	orders_ask("POST", text("/orders/%s/confirm", left), "late",
		"{\"paymentMethod\":\"pm_card_visa\"}", 410);
	want_problem("order-over");
	orders_stop(0);

	ORDERS_START("CONFIRM_TIME=1h", "ACTION_TIME=1500ms", "FINALIZE_TIME=1500ms");
	const char *authorized = orders_make(), *asked = orders_make();
	orders_confirm(authorized, "pm_card_visa");
	orders_confirm(asked, "pm_card_authenticationRequired");
	orders_wait_status(authorized, "expired");
	orders_wait_status(asked, "expired");
	orders_do(authorized, "finalize", 410);
	orders_wait_quiet();
	assert_int_equal(0, orders_judge(ORDERS_JUDGE_TELLS));
	assert_int_equal(0, simulator_fixture_total(&orders.simulator, "eur", "open"));
	orders_stop(0);

	/* An authorization that ends soon is given up before it does, by the margin. */
	ORDERS_START("CAPTURE_MARGIN=168h");
	const char *short_lived = orders_make();
	orders_confirm(short_lived, "pm_card_visa");
	orders_wait_status(short_lived, "expired");
	assert_int_equal(1,
		orders_query("SELECT count(*) FROM payments.orders WHERE order_id = "
			     "'%s' AND capture_before > clock_timestamp()",
			short_lived));
	orders_wait_quiet();
	assert_int_equal(0, orders_judge(ORDERS_JUDGE_TELLS));
}

/* The authorization has ended at the provider before it was captured: the order is not paid, and
 * says why. */
static void lapsed_authorization_is_not_paid(void **state)
{
	(void)state;
	ORDERS_START("ACCESS_LOG=false");
	const char *order = orders_make();
	orders_confirm(order, "pm_card_visa");
	orders_wait_status(order, "authorized");
	const char *path = text("/v1/payment_intents/%s/cancel",
		orders_query_text("SELECT intent_id FROM payments.orders"));
	assert_int_equal(200, simulator_fixture_ask(&orders.simulator, path, NULL, ""));
	orders_do(order, "finalize", 202);
	orders_wait_status(order, "canceled");
	orders_text(orders.json, "reason");
	assert_int_equal(0, orders_number(orders.json, "captured"));
	orders_wait_quiet();
	assert_int_equal(0, orders_judge(ORDERS_JUDGE_TELLS));
}

static void keys_are_required_and_kept(void **state)
{
	(void)state;
	ORDERS_START("ACCESS_LOG=false");
	orders_ask("POST", "/orders", NULL, BODY, 400);
	const json_t *made = orders_ask("POST", "/orders", "one", BODY, 201);
	const char *first = text("%s", orders.reply.body);
	const char *order = text("%s", orders_text(made, "orderId"));
	orders_ask("POST", "/orders", "one", BODY, 201);
	assert_string_equal(first, orders.reply.body);
	assert_string_equal(
		"true", http_client_reply_header(&orders.reply, "Idempotency-Replayed"));
	orders_ask("POST", "/orders", "one",
		"{\"userId\":\"alice\",\"currency\":\"EUR\",\"items\":[{\"description\":\"x\","
		"\"amount\":1}]}",
		422);
	want_problem("idempotency-key-reused");
	/* Another caller's key is another key. */
	orders_ask("POST", "/orders", "one",
		"{\"userId\":\"bob\",\"currency\":\"EUR\",\"items\":[{\"description\":\"x\","
		"\"amount\":1}]}",
		201);
	static const char *const acts[] = {"confirm", "finalize", "cancel"};
	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
		orders_ask("POST", text("/orders/%s/%s", order, acts[i]), NULL,
			i == 0 ? "{\"paymentMethod\":\"pm_card_visa\"}" : NULL, 400);
	}
	const char *path = text("/orders/%s/confirm", order);
	orders_ask("POST", path, "one", "{\"paymentMethod\":\"pm_card_visa\"}", 202);
	orders_wait_status(order, "authorized");
	orders_ask("POST", path, "one", "{\"paymentMethod\":\"pm_card_visa\"}", 202);
	assert_string_equal("authorizing", orders_text(orders.json, "status"));
	orders_ask("POST", path, "one", "{\"paymentMethod\":\"pm_card_mastercard\"}", 422);
	orders_ask("POST", path, "two", "{\"paymentMethod\":\"pm_card_visa\"}", 409);
	want_problem("order-status");
	assert_string_equal("authorized", orders_text(orders.json, "orderStatus"));
	/* A refusal because of the state is not kept: the same key may be used again. */
	orders_do(order, "cancel", 202);
	orders_wait_status(order, "canceled");
	/* After a day it is forgotten. */
	orders_query(
		"UPDATE payments.idempotency_keys SET created_at = created_at - interval '25 h'");
	orders_wait_query(0, "SELECT count(*) FROM payments.idempotency_keys");
}

/* However many there are: a sale leaves thousands a second, and they must not be there for days. */
static void old_keys_are_forgotten_as_fast_as_they_come(void **state)
{
	(void)state;
	ORDERS_START("ACCESS_LOG=false");
	orders_query("INSERT INTO payments.idempotency_keys (caller, operation, key, fingerprint, "
		     "status, body, created_at) SELECT 'alice', 'POST /orders', n, '', 201, '', "
		     "clock_timestamp() - interval '25 h' FROM generate_series(1, 100000) AS n");
	orders_wait_query(0, "SELECT count(*) FROM payments.idempotency_keys");
}

static void wrong_requests_are_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"{\"userId\":\"alice\",\"currency\":\"EUR\",\"items\":[]}",
		"{\"userId\":\"alice\",\"currency\":\"EUR\"}",
		"{\"userId\":\"alice\",\"currency\":\"EUR\",\"items\":{\"a\":1}}",
		"{\"userId\":\"alice\",\"currency\":\"eur\",\"items\":[{\"description\":\"x\","
		"\"amount\":1}]}",
		"{\"userId\":\"\",\"currency\":\"EUR\",\"items\":[{\"description\":\"x\","
		"\"amount\":1}]}",
		"{\"userId\":\"a\",\"currency\":\"EUR\",\"items\":[{\"description\":\"x\","
		"\"amount\":0}]}",
		"{\"userId\":\"a\",\"currency\":\"EUR\",\"items\":[{\"description\":\"x\","
		"\"amount\":1.5}]}",
		"{\"userId\":\"a\",\"currency\":\"EUR\",\"items\":[{\"description\":\"x\","
		"\"amount\":99999999},{\"description\":\"x\",\"amount\":1}]}",
		"{\"userId\":\"a\",\"currency\":\"EUR\",\"items\":[{\"description\":\"\","
		"\"amount\":1}]}",
		"{\"userId\":\"a\",\"currency\":\"EUR\",\"items\":[{\"description\":\"x\","
		"\"amount\":1,\"more\":1}]}",
		"{\"userId\":\"a\",\"currency\":\"EUR\",\"more\":1,\"items\":[{"
		"\"description\":\"x\",\"amount\":1}]}",
	};
	ORDERS_START("ACCESS_LOG=false");
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		orders_ask("POST", "/orders", "wrong", wrong[i], 422);
	orders_ask("POST", "/orders", "wrong", "[1]", 0);
	assert_true(orders.reply.status == 400 || orders.reply.status == 422);
	orders_ask("POST", "/orders", "wrong", "{", 400);
	assert_int_equal(0, orders_query("SELECT count(*) FROM payments.orders"));

	static const char unknown[] = "01998d7a-7e0b-7000-8000-000000000000";
	orders_ask("GET", text("/orders/%s", unknown), NULL, NULL, 404);
	orders_ask("GET", "/orders/1", NULL, NULL, 404);
	orders_ask("GET", "/orders/1/stream", NULL, NULL, 404);
	orders_do(unknown, "finalize", 404);
	orders_do("1", "cancel", 404);
	const char *order = orders_make();
	orders_ask("POST", text("/orders/%s/confirm", order), "k", "{}", 422);
	orders_ask("POST", text("/orders/%s/confirm", order), "k",
		"{\"paymentMethod\":\"two words\"}", 422);
	orders_ask("POST", text("/orders/%s/finalize", order), "k", "{\"x\":1}", 422);
	orders_ask("POST", text("/orders/%s/finalize", order), "k", "{}", 409);
}

/* A body that is larger than any good one is not read to its end. */
static void large_bodies_are_refused(void **state)
{
	(void)state;
	enum { ORDER_SIZE = 33 << 10, SMALL_SIZE = 5 << 10 };
	static char large[ORDER_SIZE + 1];
	ORDERS_START("ACCESS_LOG=false");
	const char *order = orders_make();
	memset(large, ' ', ORDER_SIZE);
	orders_ask("POST", "/orders", "large", large, 413);
	large[SMALL_SIZE] = '\0';
	orders_ask("POST", text("/orders/%s/confirm", order), "large", large, 413);
	orders_ask("POST", text("/orders/%s/finalize", order), "large", large, 413);
	orders_ask("POST", text("/orders/%s/cancel", order), "large", large, 413);
	orders_ask("GET", text("/orders/%s", order), NULL, NULL, 200);
	assert_string_equal("requires_confirmation", orders_text(orders.json, "status"));
	/* What was refused has used up no key. */
	orders_ask("POST", text("/orders/%s/confirm", order), "large",
		"{\"paymentMethod\":\"pm_card_visa\"}", 202);
}

static void card_numbers_are_neither_taken_nor_logged(void **state)
{
	(void)state;
	ORDERS_START("ACCESS_LOG=true");
	const char *order = orders_make();
	static const char *const methods[] = {
		"4242424242424242", "4242 4242 4242 4242", "pm_4000-0025-0000-3155"};
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		orders_ask("POST", text("/orders/%s/confirm", order), "card",
			text("{\"paymentMethod\":\"%s\"}", methods[i]), 422);
		want_problem("card-number");
		assert_null(strstr(orders.reply.body, "4242"));
	}
	orders_ask("POST", "/orders", "card",
		"{\"userId\":\"4242424242424242\",\"currency\":\"EUR\",\"items\":[{"
		"\"description\":\"x\",\"amount\":1}]}",
		422);
	orders_ask("POST", "/orders", "card",
		"{\"userId\":\"a\",\"currency\":\"EUR\",\"items\":[{"
		"\"description\":\"my card 4242 4242 4242 4242\",\"amount\":1}]}",
		422);
	orders_confirm(order, "pm_card_visa");
	orders_wait_status(order, "authorized");
	orders_do(order, "cancel", 202);
	orders_wait_status(order, "canceled");
	orders_stop(0); /* The access log is written whole. */
	assert_true(orders_have_logged("/confirm"));
	assert_false(orders_have_logged("4242"));
	assert_false(orders_have_logged("3155"));
	assert_false(orders_have_logged("pm_card_visa"));
	assert_false(orders_have_logged(SIMULATOR_KEY));
	assert_false(orders_have_logged(ORDERS_ADMIN_TOKEN));
	assert_int_equal(0,
		orders_query("SELECT count(*) FROM payments.idempotency_keys "
			     "WHERE body LIKE '%%4242%%'"));
}

/* ---- The provider's events, and the operator ---- */

static void send_event(const char *secret, int64_t age_ms, const char *body, int status)
{
	char header[512];
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	assert_true(stripe_webhook_sign(secret, slice_of(body), (int64_t)now.tv_sec * 1000 - age_ms,
			    header, sizeof header) > 0);
	enum http_client_outcome outcome = http_client_call(&orders.client, "POST",
		"/webhooks/stripe", text("Stripe-Signature: %s\r\n", header), body, &orders.reply);
	assert_int_equal(HTTP_CLIENT_OK, outcome);
	assert_int_equal(status, orders.reply.status);
}

/* An event is a hint: even one with a good signature changes nothing by what it says. */
static void events_are_verified_and_not_believed(void **state)
{
	(void)state;
	ORDERS_START("ACCESS_LOG=false");
	const char *order = orders_make();
	orders_confirm(order, "pm_card_authenticationRequired");
	orders_wait_status(order, "requires_action");
	const char *intent = intent_of(orders_text(orders.json, "nextActionUrl"));
	const char *event =
		text("{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"payment_intent.succeeded\","
		     "\"created\":1700000000,\"data\":{\"object\":{\"id\":\"%s\",\"object\":"
		     "\"payment_intent\",\"status\":\"succeeded\",\"amount\":4500,"
		     "\"amount_received\":4500,\"currency\":\"eur\"}}}",
			intent);
	send_event("whsec_somebody_else", 0, event, 400);
	send_event(ORDERS_WEBHOOK_SECRET, 3600000, event, 400);
	orders_ask("POST", "/webhooks/stripe", NULL, event, 400);
	for (int i = 0; i < 3; i++)
		send_event(ORDERS_WEBHOOK_SECRET, 0, event, 200);
	send_event(ORDERS_WEBHOOK_SECRET, 0,
		"{\"id\":\"evt_2\",\"object\":\"event\",\"type\":\"customer.created\","
		"\"created\":1700000000,\"data\":{\"object\":{\"id\":\"cus_1\",\"object\":"
		"\"customer\"}}}",
		200);
	orders_wait_status(order, "requires_action");
	json_decref(simulator_fixture_authenticate(&orders.simulator, intent, "succeeded"));
	orders_wait_status(order, "authorized");
	send_event(ORDERS_WEBHOOK_SECRET, 0, event, 200); /* Out of order, too. */
	orders_do(order, "finalize", 202);
	orders_wait_status(order, "paid");
	orders_wait_quiet();
	assert_int_equal(0, orders_judge(ORDERS_JUDGE_TELLS));
}

static void operator_sees_what_is_stuck(void **state)
{
	(void)state;
	ORDERS_START("ACCESS_LOG=false");
	orders_ask("GET", "/admin/stuck", NULL, NULL, 401);
	const char *order = orders_make();
	orders_confirm(order, "pm_card_visa");
	orders_wait_status(order, "authorized");
	/* Somebody has captured it in the provider's own pages. */
	int64_t found = orders_query("SELECT 1 FROM payments.orders WHERE intent_id IS NOT NULL");
	assert_int_equal(1, found);
	orders_query("UPDATE payments.orders SET intent_id = 'pi_that_is_none'");
	orders_do(order, "finalize", 202);
	orders_wait_query(1, "SELECT count(*) FROM payments.orders WHERE stuck");
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_call(&orders.client, "GET", "/admin/stuck",
			"Authorization: Bearer another\r\n", NULL, &orders.reply));
	assert_int_equal(401, orders.reply.status);
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_call(
			&orders.client, "GET", "/admin/stuck", ADMIN, NULL, &orders.reply));
	assert_int_equal(200, orders.reply.status);
	assert_non_null(strstr(orders.reply.body, order));
	assert_non_null(strstr(orders.reply.body, "capturing"));
	assert_int_equal(1, orders_judge(ORDERS_JUDGE_KEEPS_QUIET));
}

static void databases_absence_is_told(void **state)
{
	(void)state;
	ORDERS_START("ACCESS_LOG=false");
	const char *order = orders_make();
	orders_stop(0);
	ORDERS_START("DATABASE_TIMEOUT=500ms");
	assert_int_equal(STATUS_OK, postgres_fixture_kill(&orders.postgres));
	PQfinish(orders.database);
	orders.database = NULL;
	orders_ask("GET", text("/orders/%s", order), NULL, NULL, 503);
	orders_ask("POST", text("/orders/%s/cancel", order), "absent", NULL, 503);
	assert_non_null(http_client_reply_header(&orders.reply, "Retry-After"));
	assert_int_equal(STATUS_OK, postgres_fixture_start_again(&orders.postgres));
	int64_t end_ms = orders_now_ms() + ORDERS_WAIT_MS_MAX;
	do
		orders_ask("POST", text("/orders/%s/cancel", order), "absent", NULL, 0);
	while (orders.reply.status == 503 && orders_now_ms() < end_ms);
	assert_int_equal(202, orders.reply.status);
	orders_wait_query(1, "SELECT count(*) FROM payments.orders WHERE status = 'canceled'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ORDERS_TEST(order_is_paid_once),
		ORDERS_TEST(declined_order_may_be_confirmed_again),
		ORDERS_TEST(proof_is_waited_for),
		ORDERS_TEST(cancel_voids_or_refunds),
		ORDERS_TEST(time_ends_what_is_left),
		ORDERS_TEST(lapsed_authorization_is_not_paid),
		ORDERS_TEST(keys_are_required_and_kept),
		ORDERS_TEST(old_keys_are_forgotten_as_fast_as_they_come),
		ORDERS_TEST(wrong_requests_are_refused),
		ORDERS_TEST(large_bodies_are_refused),
		ORDERS_TEST(card_numbers_are_neither_taken_nor_logged),
		ORDERS_TEST(events_are_verified_and_not_believed),
		ORDERS_TEST(operator_sees_what_is_stuck),
		ORDERS_TEST(databases_absence_is_told),
	};
	return cmocka_run_group_tests(tests, orders_set_up, orders_tear_down);
}
