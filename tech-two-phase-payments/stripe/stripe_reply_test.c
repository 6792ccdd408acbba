/* What each answer of Stripe's means: states, errors, garbage. */
#include "tech-two-phase-payments/stripe/stripe_reply.h"

#include "tech-two-phase-payments/stripe/stripe_fixture.h"

#define ERROR_(type, more) "{\"error\":{\"type\":\"" type "\"" more "}}"
#define CODE(code) ",\"code\":\"" code "\""

struct expected {
	enum payment_operation operation;
	unsigned http_status;
	const char *body;
	enum status status;
	enum payment_outcome outcome;
	enum payment_next next;
	const char *reason;
};

static struct payment_result read_with(
	enum payment_operation operation, struct stripe_answer answer, const char *body)
{
	struct payment_call call = sample_call(operation);
	struct payment_result result = {0};
	call.own.operation = operation;
	answer.body = slice_of(body);
	stripe_reply_read(&call, &answer, &result);
	return result;
}

static struct payment_result read_plain(
	enum payment_operation operation, unsigned http_status, const char *body)
{
	return read_with(operation, (struct stripe_answer){.http_status = http_status}, body);
}

static void want_all(const struct expected expected[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct expected *want = &expected[i];
		struct payment_result got =
			read_plain(want->operation, want->http_status, want->body);
		const char *reason = want->reason ? want->reason : "";
		if (got.status != want->status || got.outcome != want->outcome ||
			got.next != want->next || strcmp(got.reason, reason) != 0)
			fail_msg("%s, %u %s: got %s, %s, %s, '%s', '%s'",
				payment_operation_name(want->operation), want->http_status,
				want->body, status_name(got.status),
				payment_outcome_name(got.outcome), payment_next_name(got.next),
				got.reason, got.detail);
	}
}
#define WANT_ALL(table) want_all(table, sizeof(table) / sizeof *(table))

/* ---- Success ---- */

static void test_states(void **state)
{
	(void)state;
	static const struct {
		const char *status, *more;
		enum payment_outcome outcome;
		const char *reason;
	} cases[] = {
		{"requires_payment_method", "", PAYMENT_CREATED, ""},
		{"requires_payment_method", ",\"last_payment_error\":null", PAYMENT_CREATED, ""},
		{"requires_payment_method",
			",\"last_payment_error\":{\"code\":\"card_declined\","
			"\"decline_code\":\"insufficient_funds\"}",
			PAYMENT_DECLINED, "insufficient_funds"},
		{"requires_payment_method", ",\"last_payment_error\":{\"code\":\"expired_card\"}",
			PAYMENT_DECLINED, "expired_card"},
		{"requires_payment_method", ",\"last_payment_error\":{\"code\":\"<script>\"}",
			PAYMENT_DECLINED, "unknown"},
		{"requires_confirmation", "", PAYMENT_CREATED, ""},
		{"requires_action", "", PAYMENT_REQUIRES_ACTION, ""},
		{"processing", "", PAYMENT_PENDING, ""},
		{"requires_capture", "", PAYMENT_AUTHORIZED, ""},
		{"succeeded", "", PAYMENT_CAPTURED, ""},
		{"canceled", "", PAYMENT_VOIDED, ""},
	};
	static const enum payment_operation operations[] = {PAYMENT_CREATE_INTENT,
		PAYMENT_AUTHORIZE, PAYMENT_CAPTURE, PAYMENT_VOID_AUTHORIZATION, PAYMENT_LOOK_UP};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *body = intent_json(cases[i].status, cases[i].more);
		for (size_t j = 0; j < sizeof operations / sizeof *operations; j++) {
			struct payment_result got = read_plain(operations[j], 200, body);
			assert_int_equal(STATUS_OK, got.status);
			assert_int_equal(cases[i].outcome, got.outcome);
			assert_string_equal(cases[i].reason, got.reason);
			assert_string_equal("pi_1", got.reference);
			assert_int_equal(PAYMENT_NEXT_NOTHING, got.next);
		}
	}
}

static void test_authorized(void **state)
{
	(void)state;
	struct payment_result got = read_plain(PAYMENT_AUTHORIZE, 200,
		intent_json("requires_capture",
			",\"latest_charge\":{\"id\":\"ch_1\",\"payment_method_details\":{\"card\":"
			"{\"capture_before\":1750604800}}}"));
	assert_int_equal(4500, got.authorized.minor);
	assert_string_equal("EUR", got.authorized.currency);
	assert_true(got.expires_ms == 1750604800000);
	/* Without a charge that tells it: the shortest time that is documented. */
	got = read_plain(PAYMENT_AUTHORIZE, 200,
		intent_json("requires_capture", ",\"latest_charge\":\"ch_1\""));
	assert_true(got.expires_ms == 1750000000000 + INT64_C(114) * 3600 * 1000);
	assert_int_equal(0, got.captured.minor);
}

static void test_captured(void **state)
{
	(void)state;
	struct payment_result got = read_plain(PAYMENT_LOOK_UP, 200,
		intent_json("succeeded", ",\"latest_charge\":{\"amount_refunded\":1500}"));
	assert_int_equal(PAYMENT_CAPTURED, got.outcome);
	assert_int_equal(4500, got.captured.minor);
	assert_int_equal(1500, got.refunded.minor);
	got = read_plain(PAYMENT_LOOK_UP, 200,
		intent_json("succeeded", ",\"latest_charge\":{\"amount_refunded\":4500}"));
	assert_int_equal(PAYMENT_REFUNDED, got.outcome);
	got = read_plain(PAYMENT_LOOK_UP, 200,
		intent_json("succeeded", ",\"latest_charge\":{\"amount_refunded\":-1}"));
	assert_int_equal(STATUS_UNAVAILABLE, got.status);
}

static void test_action(void **state)
{
	(void)state;
	const char *secure = intent_json("requires_action",
		",\"next_action\":{\"type\":\"redirect_to_url\",\"redirect_to_url\":{\"url\":"
		"\"https://hooks.example/3ds?x=1\"}}");
	const char *plain = intent_json("requires_action",
		",\"next_action\":{\"redirect_to_url\":{\"url\":\"http://127.0.0.1/3ds\"}}");
	const char *wrong = intent_json("requires_action",
		",\"next_action\":{\"redirect_to_url\":{\"url\":\"javascript:alert(1)\"}}");
	struct payment_result got = read_plain(PAYMENT_AUTHORIZE, 200, secure);
	assert_string_equal("https://hooks.example/3ds?x=1", got.next_action_url);
	struct stripe_answer answer = {.http_status = 200, .plain_urls = true};
	got = read_with(PAYMENT_AUTHORIZE, answer, plain);
	assert_string_equal("http://127.0.0.1/3ds", got.next_action_url);
	got = read_plain(PAYMENT_AUTHORIZE, 200, plain);
	assert_int_equal(STATUS_UNKNOWN, got.status);
	got = read_with(PAYMENT_AUTHORIZE, answer, wrong);
	assert_int_equal(STATUS_UNKNOWN, got.status);
	assert_string_equal("", got.next_action_url);
}

#define REFUND(more) \
	"{\"id\":\"re_1\",\"object\":\"refund\",\"amount\":1500,\"currency\":\"eur\"," \
	"\"payment_intent\":\"pi_1\"" more "}"

static void test_refunds(void **state)
{
	(void)state;
	struct payment_result got =
		read_plain(PAYMENT_REFUND, 200, REFUND(",\"status\":\"succeeded\""));
	assert_int_equal(PAYMENT_REFUNDED, got.outcome);
	assert_int_equal(1500, got.refunded.minor);
	assert_string_equal("re_1", got.refund);
	assert_string_equal("pi_1", got.reference);
	got = read_plain(PAYMENT_REFUND, 200, REFUND(",\"status\":\"pending\""));
	assert_int_equal(PAYMENT_PENDING, got.outcome);
	assert_int_equal(0, got.refunded.minor);
	got = read_plain(PAYMENT_REFUND, 200,
		REFUND(",\"status\":\"failed\",\"failure_reason\":\"lost_or_stolen_card\""));
	assert_int_equal(PAYMENT_REFUND_FAILED, got.outcome);
	assert_string_equal("lost_or_stolen_card", got.reason);
	got = read_plain(PAYMENT_REFUND, 200, REFUND(",\"status\":\"canceled\""));
	assert_string_equal("canceled", got.reason);
	got = read_plain(PAYMENT_REFUND, 200, REFUND(",\"status\":\"new\""));
	assert_int_equal(STATUS_UNKNOWN, got.status);
	got = read_plain(PAYMENT_REFUND, 200,
		"{\"id\":\"re_1\",\"object\":\"refund\",\"amount\":1500,\"currency\":\"eur\","
		"\"payment_intent\":\"pi_2\",\"status\":\"succeeded\"}");
	assert_int_equal(STATUS_UNKNOWN, got.status);
}

/* ---- Errors ---- */

#define DECLINE ",\"code\":\"card_declined\",\"decline_code\":\"insufficient_funds\""
#define WITH_INTENT(status, more) \
	",\"payment_intent\":{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":4500," \
	"\"amount_capturable\":0,\"amount_received\":0,\"currency\":\"eur\",\"status\":\"" status \
	"\"" more "}"
#define UNEXPECTED ",\"code\":\"payment_intent_unexpected_state\""

static void test_declined(void **state)
{
	(void)state;
	static const struct expected table[] = {
		{PAYMENT_AUTHORIZE, 402, ERROR_("card_error", DECLINE), STATUS_OK, PAYMENT_DECLINED,
			PAYMENT_NEXT_NOTHING, "insufficient_funds"},
		{PAYMENT_AUTHORIZE, 402,
			ERROR_("card_error",
				DECLINE WITH_INTENT(
					"requires_payment_method", ",\"last_payment_error\":{}")),
			STATUS_OK, PAYMENT_DECLINED, PAYMENT_NEXT_NOTHING, "insufficient_funds"},
		{PAYMENT_AUTHORIZE, 402,
			ERROR_("card_error",
				CODE("expired_card") WITH_INTENT("requires_payment_method", "")),
			STATUS_OK, PAYMENT_DECLINED, PAYMENT_NEXT_NOTHING, "expired_card"},
		/* Stripe cancels an intent that was tried too often. */
		{PAYMENT_AUTHORIZE, 402, ERROR_("card_error", DECLINE WITH_INTENT("canceled", "")),
			STATUS_OK, PAYMENT_VOIDED, PAYMENT_NEXT_NOTHING, "insufficient_funds"},
		{PAYMENT_REFUND, 402, ERROR_("card_error", DECLINE), STATUS_OK,
			PAYMENT_REFUND_FAILED, PAYMENT_NEXT_NOTHING, "insufficient_funds"},
		/* A capture is not declined: look what it is. */
		{PAYMENT_CAPTURE, 402, ERROR_("card_error", DECLINE), STATUS_UNKNOWN, PAYMENT_NONE,
			PAYMENT_NEXT_LOOK_UP, NULL},
		/* A payment method that is none is the customer's affair. */
		{PAYMENT_AUTHORIZE, 400,
			ERROR_("invalid_request_error",
				CODE("resource_missing") ",\"param\":\"payment_method\""),
			STATUS_OK, PAYMENT_DECLINED, PAYMENT_NEXT_NOTHING, "resource_missing"},
	};
	WANT_ALL(table);
}

static void test_states_by_error(void **state)
{
	(void)state;
	static const struct expected table[] = {
		{PAYMENT_CAPTURE, 400,
			ERROR_("invalid_request_error", UNEXPECTED WITH_INTENT("canceled", "")),
			STATUS_OK, PAYMENT_VOIDED, PAYMENT_NEXT_NOTHING, NULL},
		{PAYMENT_CAPTURE, 400,
			ERROR_("invalid_request_error", UNEXPECTED WITH_INTENT("succeeded", "")),
			STATUS_OK, PAYMENT_CAPTURED, PAYMENT_NEXT_NOTHING, NULL},
		{PAYMENT_VOID_AUTHORIZATION, 400,
			ERROR_("invalid_request_error", UNEXPECTED WITH_INTENT("succeeded", "")),
			STATUS_OK, PAYMENT_CAPTURED, PAYMENT_NEXT_NOTHING, NULL},
		{PAYMENT_VOID_AUTHORIZATION, 400,
			ERROR_("invalid_request_error", UNEXPECTED WITH_INTENT("canceled", "")),
			STATUS_OK, PAYMENT_VOIDED, PAYMENT_NEXT_NOTHING, NULL},
		{PAYMENT_VOID_AUTHORIZATION, 400,
			ERROR_("invalid_request_error", UNEXPECTED WITH_INTENT("processing", "")),
			STATUS_OK, PAYMENT_PENDING, PAYMENT_NEXT_NOTHING, NULL},
		{PAYMENT_CAPTURE, 400, ERROR_("invalid_request_error", UNEXPECTED), STATUS_UNKNOWN,
			PAYMENT_NONE, PAYMENT_NEXT_LOOK_UP, NULL},
		{PAYMENT_CAPTURE, 400,
			ERROR_("invalid_request_error", CODE("charge_expired_for_capture")),
			STATUS_UNKNOWN, PAYMENT_NONE, PAYMENT_NEXT_LOOK_UP, NULL},
		{PAYMENT_REFUND, 400,
			ERROR_("invalid_request_error", CODE("charge_already_refunded")), STATUS_OK,
			PAYMENT_REFUNDED, PAYMENT_NEXT_NOTHING, NULL},
		{PAYMENT_LOOK_UP, 404,
			ERROR_("invalid_request_error",
				CODE("resource_missing") ",\"param\":\"intent\""),
			STATUS_OK, PAYMENT_NOT_FOUND, PAYMENT_NEXT_NOTHING, NULL},
		{PAYMENT_REFUND, 404,
			ERROR_("invalid_request_error",
				CODE("resource_missing") ",\"param\":\"payment_intent\""),
			STATUS_OK, PAYMENT_NOT_FOUND, PAYMENT_NEXT_NOTHING, NULL},
	};
	WANT_ALL(table);
}

static void test_refused(void **state)
{
	(void)state;
	static const struct expected table[] = {
		{PAYMENT_CREATE_INTENT, 400,
			ERROR_("invalid_request_error",
				CODE("parameter_unknown") ",\"param\":\"x\""),
			STATUS_REFUSED, PAYMENT_NONE, PAYMENT_NEXT_NOTHING, "parameter_unknown"},
		{PAYMENT_CREATE_INTENT, 400,
			ERROR_("invalid_request_error", CODE("amount_too_small")), STATUS_REFUSED,
			PAYMENT_NONE, PAYMENT_NEXT_NOTHING, "amount_too_small"},
		/* The key with other parameters: a bug of ours. */
		{PAYMENT_CAPTURE, 400, ERROR_("idempotency_error", ""), STATUS_REFUSED,
			PAYMENT_NONE, PAYMENT_NEXT_NOTHING, "idempotency_error"},
		{PAYMENT_CREATE_INTENT, 404,
			ERROR_("invalid_request_error", CODE("resource_missing")), STATUS_REFUSED,
			PAYMENT_NONE, PAYMENT_NEXT_NOTHING, "resource_missing"},
		/* An amount that is too large says nothing of the payment's state. */
		{PAYMENT_CAPTURE, 400,
			ERROR_("invalid_request_error",
				CODE("amount_too_large") WITH_INTENT("requires_capture", "")),
			STATUS_REFUSED, PAYMENT_NONE, PAYMENT_NEXT_NOTHING, "amount_too_large"},
	};
	WANT_ALL(table);
}

static void test_unavailable(void **state)
{
	(void)state;
	static const struct expected table[] = {
		{PAYMENT_CAPTURE, 429, ERROR_("invalid_request_error", CODE("rate_limit")),
			STATUS_UNAVAILABLE, PAYMENT_NONE, PAYMENT_NEXT_REPEAT, NULL},
		{PAYMENT_CAPTURE, 401, ERROR_("invalid_request_error", ""), STATUS_UNAVAILABLE,
			PAYMENT_NONE, PAYMENT_NEXT_REPEAT, NULL},
		{PAYMENT_CAPTURE, 403, ERROR_("invalid_request_error", ""), STATUS_UNAVAILABLE,
			PAYMENT_NONE, PAYMENT_NEXT_REPEAT, NULL},
		{PAYMENT_LOOK_UP, 500, ERROR_("api_error", ""), STATUS_UNAVAILABLE, PAYMENT_NONE,
			PAYMENT_NEXT_REPEAT, NULL},
		{PAYMENT_LOOK_UP, 200, "half", STATUS_UNAVAILABLE, PAYMENT_NONE,
			PAYMENT_NEXT_REPEAT, NULL},
	};
	WANT_ALL(table);
}

static void test_unknown(void **state)
{
	(void)state;
	static const struct expected table[] = {
		{PAYMENT_CAPTURE, 409, ERROR_("idempotency_error", CODE("idempotency_key_in_use")),
			STATUS_UNKNOWN, PAYMENT_NONE, PAYMENT_NEXT_REPEAT, NULL},
		{PAYMENT_CAPTURE, 500, ERROR_("api_error", ""), STATUS_UNKNOWN, PAYMENT_NONE,
			PAYMENT_NEXT_LOOK_UP, NULL},
		{PAYMENT_CREATE_INTENT, 500, ERROR_("api_error", ""), STATUS_UNKNOWN, PAYMENT_NONE,
			PAYMENT_NEXT_LOOK_UP, NULL},
		{PAYMENT_CAPTURE, 502, "<html>Bad gateway</html>", STATUS_UNKNOWN, PAYMENT_NONE,
			PAYMENT_NEXT_REPEAT, NULL},
		{PAYMENT_CAPTURE, 503, ERROR_("api_error", ""), STATUS_UNKNOWN, PAYMENT_NONE,
			PAYMENT_NEXT_REPEAT, NULL},
		/* What a proxy says settles nothing. */
		{PAYMENT_CAPTURE, 400, "<html>Bad request</html>", STATUS_UNKNOWN, PAYMENT_NONE,
			PAYMENT_NEXT_REPEAT, NULL},
		{PAYMENT_AUTHORIZE, 402, "{\"message\":\"pay the proxy\"}", STATUS_UNKNOWN,
			PAYMENT_NONE, PAYMENT_NEXT_REPEAT, NULL},
		{PAYMENT_CAPTURE, 404, "{\"error\":\"not found\"}", STATUS_UNKNOWN, PAYMENT_NONE,
			PAYMENT_NEXT_REPEAT, NULL},
		{PAYMENT_CAPTURE, 403, "Forbidden", STATUS_UNKNOWN, PAYMENT_NONE,
			PAYMENT_NEXT_REPEAT, NULL},
		{PAYMENT_CAPTURE, 302, "", STATUS_UNKNOWN, PAYMENT_NONE, PAYMENT_NEXT_REPEAT, NULL},
		{PAYMENT_CAPTURE, 418, ERROR_("teapot_error", ""), STATUS_UNKNOWN, PAYMENT_NONE,
			PAYMENT_NEXT_REPEAT, NULL},
	};
	WANT_ALL(table);
}

/* Successes that do not say what they should. */
static void test_garbage(void **state)
{
	(void)state;
	static const char *const bodies[] = {"", "null", "[]", "{}", "{\"id\":", "\"pi_1\"",
		"{\"id\":\"pi_1\"}", "{\"id\":\"pi_1\",\"object\":\"charge\"}",
		"{\"id\":\"pi_1\",\"id\":\"pi_1\"}", "\xFF\xFE", "{\"error\":{}}",
		/* Another payment; another currency; amounts that are none; a state to come. */
		"{\"id\":\"pi_2\",\"object\":\"payment_intent\",\"amount\":4500,"
		"\"currency\":\"eur\",\"status\":\"succeeded\",\"amount_received\":4500}",
		"{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":4500,"
		"\"currency\":\"xxx\",\"status\":\"succeeded\",\"amount_received\":4500}",
		"{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":\"4500\","
		"\"currency\":\"eur\",\"status\":\"succeeded\",\"amount_received\":4500}",
		"{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":4500,"
		"\"currency\":\"eur\",\"status\":\"succeeded\",\"amount_received\":4500.0}",
		"{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":4500,"
		"\"currency\":\"eur\",\"status\":\"succeeded\"}",
		"{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":4500,"
		"\"currency\":\"eur\",\"status\":\"requires_patience\"}",
		"{\"id\":\"pi_1/../x\",\"object\":\"payment_intent\",\"amount\":4500,"
		"\"currency\":\"eur\",\"status\":\"processing\"}"};
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
		for (int j = 0; j < PAYMENT_LOOK_UP; j++) {
			if (j == PAYMENT_CREATE_INTENT && strstr(bodies[i], "pi_2"))
				continue;
			struct payment_result got =
				read_plain((enum payment_operation)j, 200, bodies[i]);
			assert_int_equal(STATUS_UNKNOWN, got.status);
			assert_int_equal(PAYMENT_NEXT_LOOK_UP, got.next);
			assert_string_equal("", got.reference);
		}
	/* An intent of another amount than was asked for. */
	struct payment_call call = sample_call(PAYMENT_CREATE_INTENT);
	struct payment_result result = {0};
	struct stripe_answer answer = {
		.http_status = 200, .body = slice_of(intent_json("requires_payment_method", ""))};
	call.amount.minor = 4501;
	stripe_reply_read(&call, &answer, &result);
	assert_int_equal(STATUS_UNKNOWN, result.status);
}

static void test_large_and_deep(void **state)
{
	(void)state;
	char *body = malloc(STRIPE_REPLY_BYTES_MAX + 2);
	assert_non_null(body);
	memset(body, '[', STRIPE_REPLY_BYTES_MAX + 1);
	body[STRIPE_REPLY_BYTES_MAX + 1] = '\0';
	struct payment_result got = read_plain(PAYMENT_CAPTURE, 200, body);
	assert_int_equal(STATUS_UNKNOWN, got.status);
	body[100] = '\0';
	got = read_plain(PAYMENT_CAPTURE, 200, body);
	assert_int_equal(STATUS_UNKNOWN, got.status);
	free(body);
}

/* ---- What the headers add ---- */

static void test_stored_and_should_retry(void **state)
{
	(void)state;
	static const char server_error[] = ERROR_("api_error", "");
	struct stripe_answer answer = {.http_status = 500, .replayed = true};
	struct payment_result got = read_with(PAYMENT_CAPTURE, answer, server_error);
	assert_int_equal(PAYMENT_NEXT_LOOK_UP, got.next);
	assert_true(got.replayed);
	answer.http_status = 503;
	got = read_with(PAYMENT_CAPTURE, answer, server_error);
	assert_int_equal(PAYMENT_NEXT_LOOK_UP, got.next);
	answer.replayed = false;
	got = read_with(PAYMENT_CAPTURE, answer, server_error);
	assert_int_equal(PAYMENT_NEXT_REPEAT, got.next);
	answer.should_retry = slice_of("false");
	got = read_with(PAYMENT_CAPTURE, answer, server_error);
	assert_int_equal(PAYMENT_NEXT_LOOK_UP, got.next);
	answer = (struct stripe_answer){.http_status = 500, .should_retry = slice_of("true")};
	got = read_with(PAYMENT_CAPTURE, answer, server_error);
	assert_int_equal(PAYMENT_NEXT_REPEAT, got.next);
	answer.replayed = true;
	got = read_with(PAYMENT_CAPTURE, answer, server_error);
	assert_int_equal(PAYMENT_NEXT_LOOK_UP, got.next);
}

/* A refusal of the second attempt does not undo what the first may have done. */
static void test_lost_before(void **state)
{
	(void)state;
	static const unsigned statuses[] = {400, 401, 403, 429};
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		struct stripe_answer answer = {.http_status = statuses[i], .lost_before = true};
		struct payment_result got =
			read_with(PAYMENT_CAPTURE, answer, ERROR_("invalid_request_error", ""));
		assert_int_equal(STATUS_UNKNOWN, got.status);
		assert_int_equal(PAYMENT_NEXT_REPEAT, got.next);
		got = read_with(PAYMENT_LOOK_UP, answer, ERROR_("invalid_request_error", ""));
		assert_int_not_equal(STATUS_UNKNOWN, got.status);
	}
	struct stripe_answer answer = {.http_status = 402, .lost_before = true};
	struct payment_result got =
		read_with(PAYMENT_AUTHORIZE, answer, ERROR_("card_error", DECLINE));
	assert_int_equal(PAYMENT_DECLINED, got.outcome);
}

/* Stripe's messages quote what was sent; they get nowhere. */
static void test_message_is_not_kept(void **state)
{
	(void)state;
	struct payment_result got = read_plain(PAYMENT_AUTHORIZE, 400,
		ERROR_("invalid_request_error",
			",\"code\":\"no pm_secret here\",\"message\":\"No such 'pm_secret'\""));
	assert_int_equal(STATUS_REFUSED, got.status);
	assert_null(strstr(got.detail, "pm_secret"));
	assert_null(strstr(got.reason, "pm_secret"));
	assert_non_null(strstr(got.detail, "HTTP 400 invalid_request_error"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_authorized),
		cmocka_unit_test(test_captured),
		cmocka_unit_test(test_action),
		cmocka_unit_test(test_refunds),
		cmocka_unit_test(test_declined),
		cmocka_unit_test(test_states_by_error),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_unavailable),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_large_and_deep),
		cmocka_unit_test(test_stored_and_should_retry),
		cmocka_unit_test(test_lost_before),
		cmocka_unit_test(test_message_is_not_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
