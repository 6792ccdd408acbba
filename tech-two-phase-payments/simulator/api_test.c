/* Stripe's requests, over HTTP: what a payment goes through, and what the answers look like. */
#include "tech-two-phase-payments/simulator/simulator_test.h"

static void test_authorize_capture_refund(void **state)
{
	(void)state;
	ask(INTENTS, "k1", HELD "&metadata[orderId]=o-1&description=Two+seats", 200);
	want("object", "payment_intent");
	want("status", "requires_capture");
	want("currency", "eur");
	want("payment_method", "pm_card_visa");
	want("metadata.orderId", "o-1");
	want("description", "Two seats");
	want_number("amount_capturable", 4500);
	want_number("amount_received", 0);
	assert_int_equal(0, strncmp(json_string_value(at("id")), "pi_", 3));
	assert_int_equal(0, strncmp(json_string_value(at("latest_charge")), "ch_", 3));
	want_header("Idempotency-Key", "k1");
	want_header("Stripe-Version", "2024-06-20");
	want_header("Idempotent-Replayed", NULL);
	assert_int_equal(
		0, strncmp(http_client_reply_header(&simulator.reply, "Request-Id"), "req_", 4));
	const char *id = text("%s", json_string_value(at("id")));

	ask(text(INTENTS "/%s/capture", id), "k2", "metadata[seat]=A-1", 200);
	want("status", "succeeded");
	want("metadata.seat", "A-1");
	want("metadata.orderId", "o-1");
	want_number("amount_received", 4500);
	want_number("amount_capturable", 0);

	ask("/v1/refunds", "k3", text("payment_intent=%s&amount=500&reason=duplicate", id), 200);
	want("object", "refund");
	want("status", "succeeded");
	want("payment_intent", id);
	want("reason", "duplicate");
	const char *refund = text("%s", json_string_value(at("id")));
	ask(text("/v1/refunds/%s", refund), NULL, NULL, 200);
	want_number("amount", 500);
	ask("/v1/refunds", "k4", text("payment_intent=%s", id), 200);
	want_number("amount", 4000);
	ask("/v1/refunds", "k5", text("payment_intent=%s", id), 400);
	want("error.code", "charge_already_refunded");

	ask(text(INTENTS "/%s?expand%%5B%%5D=latest_charge", id), NULL, NULL, 200);
	want_number("latest_charge.amount_refunded", 4500);
	assert_true(json_is_true(at("latest_charge.refunded")));
	ask(text("/v1/charges/%s", json_string_value(at("latest_charge.id"))), NULL, NULL, 200);
	want("payment_intent", id);
	assert_int_equal(4500, total("captured"));
	assert_int_equal(4500, total("refunded"));
	assert_int_equal(0, total("open"));
}

static void test_create_then_confirm(void **state)
{
	(void)state;
	ask(INTENTS, NULL, "amount=4500&currency=eur&capture_method=manual", 200);
	want("status", "requires_payment_method");
	assert_true(json_is_null(at("latest_charge")));
	const char *confirm = text(INTENTS "/%s/confirm", json_string_value(at("id")));
	ask(confirm, NULL, "", 400);
	want("error.code", "payment_intent_unexpected_state");
	want("error.payment_intent.status", "requires_payment_method");
	ask(confirm, NULL, "payment_method=pm_card_visa&return_url=https://example.com", 200);
	want("status", "requires_capture");
	ask(confirm, NULL, "payment_method=pm_card_visa", 400);
	want("error.payment_intent.status", "requires_capture");
	assert_int_equal(4500, total("authorized"));

	ask(INTENTS, NULL, "amount=100&currency=usd&payment_method=pm_card_mastercard", 200);
	want("status", "requires_confirmation");
	want("capture_method", "automatic");
	ask(text(INTENTS "/%s/confirm", json_string_value(at("id"))), NULL, "", 200);
	want("status", "succeeded");
	want_number("amount_received", 100);
}

static void test_declines(void **state)
{
	(void)state;
	static const struct {
		const char *card, *code, *decline_code;
	} cases[] = {
		{"pm_card_visa_chargeDeclined", "card_declined", "generic_decline"},
		{"pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined",
			"insufficient_funds"},
		{"pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"},
		{"pm_card_chargeDeclinedExpiredCard", "expired_card", NULL},
		{"pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", NULL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *form = text("amount=4500&currency=eur&capture_method=manual&"
					"confirm=true&payment_method=%s",
			cases[i].card);
		ask(INTENTS, text("d%zu", i), form, 402);
		want("error.type", "card_error");
		want("error.code", cases[i].code);
		if (cases[i].decline_code)
			want("error.decline_code", cases[i].decline_code);
		want("error.payment_intent.status", "requires_payment_method");
		assert_true(json_is_null(at("error.payment_intent.payment_method")));
		char *first = strdup(simulator.reply.body);
		ask(INTENTS, text("d%zu", i), form, 402);
		want_header("Idempotent-Replayed", "true");
		assert_string_equal(first, simulator.reply.body);
		free(first);
		ask(text(INTENTS "/%s", json_string_value(at("error.payment_intent.id"))), NULL,
			NULL, 200);
		want("last_payment_error.code", cases[i].code);
	}
	assert_int_equal(0, total("authorized"));
}

static const char *start_authentication(const char *card)
{
	ask(INTENTS, NULL,
		text("amount=4500&currency=eur&capture_method=manual&confirm=true&payment_method=%"
		     "s",
			card),
		200);
	want("status", "requires_action");
	want("next_action.type", "redirect_to_url");
	assert_non_null(strstr(
		json_string_value(at("next_action.redirect_to_url.url")), "/authentication"));
	return text("%s", json_string_value(at("id")));
}

static void test_three_d_secure(void **state)
{
	(void)state;
	const char *id = start_authentication("pm_card_authenticationRequired");
	assert_int_equal(0, total("authorized"));
	json_decref(simulator_fixture_authenticate(&simulator, id, "succeeded"));
	ask(text(INTENTS "/%s", id), NULL, NULL, 200);
	want("status", "requires_capture");
	assert_int_equal(4500, total("authorized"));

	id = start_authentication("pm_card_threeDSecure2Required");
	json_decref(simulator_fixture_authenticate(&simulator, id, "failed"));
	ask(text(INTENTS "/%s", id), NULL, NULL, 200);
	want("status", "requires_payment_method");
	want("last_payment_error.code", "payment_intent_authentication_failure");

	id = start_authentication("pm_card_threeDSecureRequiredChargeDeclined");
	json_decref(simulator_fixture_authenticate(&simulator, id, "succeeded"));
	ask(text(INTENTS "/%s", id), NULL, NULL, 200);
	want("last_payment_error.decline_code", "generic_decline");
	assert_int_equal(4500, total("authorized"));
}

/* The customer proves who they are by the client secret, and nobody else can. */
static void test_the_customer_has_no_admin_token(void **state)
{
	(void)state;
	const char *id = start_authentication("pm_card_authenticationRequired");
	const char *secret = text("%s", json_string_value(at("client_secret")));
	const char *path = text("/simulator/payment_intents/%s/authentication", id);
	static const char *const wrong[] = {"{\"outcome\":\"succeeded\"}",
		"{\"outcome\":\"succeeded\",\"clientSecret\":\"x\"}",
		"{\"outcome\":\"perhaps\",\"clientSecret\":\"x\"}"};
	static const int status[] = {422, 404, 422};
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(HTTP_CLIENT_OK,
			http_client_call(
				&simulator.client, "POST", path, NULL, wrong[i], &simulator.reply));
		assert_int_equal(status[i], simulator.reply.status);
	}
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_call(&simulator.client, "POST", path, NULL,
			text("{\"outcome\":\"succeeded\",\"clientSecret\":\"%s\"}", secret),
			&simulator.reply));
	assert_int_equal(200, simulator.reply.status);
	assert_int_equal(4500, total("authorized"));
}

static void test_partial_capture_and_void(void **state)
{
	(void)state;
	const char *id = hold();
	const char *capture = text(INTENTS "/%s/capture", id);
	ask(capture, NULL, "amount_to_capture=4501", 400);
	want("error.code", "amount_too_large");
	want("error.param", "amount_to_capture");
	ask(capture, NULL, "amount_to_capture=4000", 200);
	want_number("amount_received", 4000);
	ask(capture, NULL, "", 400);
	want("error.code", "payment_intent_unexpected_state");
	ask(text(INTENTS "/%s/cancel", id), NULL, "", 400);
	assert_int_equal(500, total("released"));

	const char *cancel = text(INTENTS "/%s/cancel", hold());
	ask(cancel, NULL, "cancellation_reason=requested_by_customer", 200);
	want("status", "canceled");
	want("cancellation_reason", "requested_by_customer");
	want_number("amount_capturable", 0);
	ask(cancel, NULL, "", 400);
	want("error.payment_intent.status", "canceled");
	assert_int_equal(4500, total("voided"));
	assert_int_equal(0, total("open"));
}

static void test_what_is_not_there(void **state)
{
	(void)state;
	ask(INTENTS "/pi_none", NULL, NULL, 404);
	want("error.code", "resource_missing");
	want("error.type", "invalid_request_error");
	ask(INTENTS "/pi_none/capture", NULL, "", 404);
	ask(INTENTS "/pi_none/confirm", NULL, "payment_method=pm_card_visa", 404);
	ask("/v1/refunds/re_none", NULL, NULL, 404);
	ask("/v1/charges/ch_none", NULL, NULL, 404);
	ask("/v1/refunds", NULL, "payment_intent=pi_none", 400);
	want("error.param", "payment_intent");
	ask("/v1/refunds", NULL, text("payment_intent=%s", hold()), 400);
	ask("/v1/nothing", NULL, NULL, 404);
}

static void test_authorizations_expire(void **state)
{
	(void)state;
	char id[40], path[80];
	snprintf(id, sizeof id, "%s", hold());
	snprintf(path, sizeof path, INTENTS "/%s", id);
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	do {
		assert_true(now_ms() < deadline_ms);
		pause_ms(20);
		ask(path, NULL, NULL, 200);
	} while (strcmp(json_string_value(at("status")), "canceled") != 0);
	want("cancellation_reason", "automatic");
	want_number("amount_capturable", 0);
	ask(text(INTENTS "/%s/capture", id), NULL, "", 400);
	assert_int_equal(4500, total("expired"));
	assert_int_equal(0, total("open"));
}

static void test_keys_and_versions(void **state)
{
	(void)state;
	simulator.key = "sk_test_second";
	hold();
	simulator.key = "sk_test_wrong";
	ask(INTENTS, NULL, HELD, 401);
	want("error.type", "invalid_request_error");
	simulator.key = "sk_test";
	ask(INTENTS, NULL, HELD, 401);
	simulator.key = "";
	ask(INTENTS, NULL, HELD, 401);
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_call(
			&simulator.client, "GET", INTENTS "/pi_1", NULL, NULL, &simulator.reply));
	assert_int_equal(401, simulator.reply.status);
	/* c2tfdGVzdF9maXh0dXJlOg== is "sk_test_fixture:". */
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_call(&simulator.client, "GET", INTENTS "/pi_1",
			"Authorization: Basic c2tfdGVzdF9maXh0dXJlOg==\r\n", NULL,
			&simulator.reply));
	assert_int_equal(404, simulator.reply.status);
	simulator.key = SIMULATOR_KEY;
	assert_int_equal(200,
		simulator_fixture_ask(
			&simulator, INTENTS, "Stripe-Version: 2024-09-30.acacia\r\n", HELD));
	want_header("Stripe-Version", "2024-09-30.acacia");
	assert_int_equal(400,
		simulator_fixture_ask(&simulator, INTENTS, "Stripe-Version: latest\r\n", HELD));
}

static void test_the_ledger_has_pages(void **state)
{
	(void)state;
	enum { HOLDS = 25 };
	for (size_t i = 0; i < HOLDS; i++)
		ask(INTENTS, NULL, text(HELD "&metadata[number]=%zu", i), 200);
	static const char admin[] = "Authorization: Bearer " SIMULATOR_ADMIN_TOKEN "\r\n";
	const char *path = "/simulator/ledger?limit=10";
	size_t seen = 0;
	for (size_t page = 0; path; page++) {
		assert_int_equal(HTTP_CLIENT_OK,
			http_client_call(
				&simulator.client, "GET", path, admin, NULL, &simulator.reply));
		json_t *json = http_client_reply_json(&simulator.reply);
		json_t *items = json_object_get(json, "items"), *item;
		size_t i;
		json_array_foreach(items, i, item)
		{
			const json_t *metadata = json_object_get(item, "metadata");
			assert_int_equal(
				++seen, json_integer_value(json_object_get(item, "sequence")));
			assert_string_equal(text("%zu", seen - 1),
				json_string_value(json_object_get(metadata, "number")));
			assert_string_equal(
				"authorization", json_string_value(json_object_get(item, "kind")));
		}
		const char *next = json_string_value(json_object_get(json, "next"));
		path = next ? text("/simulator/ledger?limit=10&after=%s", next) : NULL;
		json_decref(json);
	}
	assert_int_equal(HOLDS, seen);
	assert_int_equal((int64_t)HOLDS * 4500, total("open"));
	json_t *all = simulator_fixture_ledger(&simulator);
	assert_int_equal(HOLDS, json_array_size(json_object_get(all, "items")));
	json_decref(all);
}

static void test_it_serves_operators(void **state)
{
	(void)state;
	ask("/healthz", NULL, NULL, 200);
	ask("/readyz", NULL, NULL, 200);
	ask("/metrics", NULL, NULL, 200);
	assert_non_null(strstr(simulator.reply.body, "lane_batch_items"));
}

int main(void)
{
	static const char *const brief[] = {"AUTHORIZATION_LIFETIME=300ms", NULL};
	static const char *const keys[] = {"PROVIDER_KEYS=sk_test_fixture,sk_test_second", NULL};
	const struct CMUnitTest tests[] = {
		SIMULATOR_TEST(test_authorize_capture_refund, NULL),
		SIMULATOR_TEST(test_create_then_confirm, NULL),
		SIMULATOR_TEST(test_declines, NULL),
		SIMULATOR_TEST(test_three_d_secure, NULL),
		SIMULATOR_TEST(test_the_customer_has_no_admin_token, NULL),
		SIMULATOR_TEST(test_partial_capture_and_void, NULL),
		SIMULATOR_TEST(test_what_is_not_there, NULL),
		SIMULATOR_TEST(test_authorizations_expire, brief),
		SIMULATOR_TEST(test_keys_and_versions, keys),
		SIMULATOR_TEST(test_the_ledger_has_pages, NULL),
		SIMULATOR_TEST(test_it_serves_operators, NULL),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
