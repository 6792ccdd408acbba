/* Webhooks: who sent them, when, and what they say. */
#include "tech-two-phase-payments/stripe/stripe_webhook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tech-two-phase-payments/stripe/stripe.h"

#define KNOWN_HMAC "2e26570793fa686db17beb4bf824e3c255fe00453c4a443a682e4b41fa25f59f"
#define SECRET "whsec_0123456789abcdef"
#define OTHER_SECRET "whsec_fedcba9876543210"

static const int64_t now_ms = INT64_C(1750000000000);
static const char body_text[] = "{\"id\":\"evt_1\",\"object\":\"event\"}";

static enum status verify_at(const char *header, const char *body, int64_t at_ms)
{
	static const char *const secrets[] = {SECRET};
	const struct stripe_webhook_keys keys = {secrets, 1, STRIPE_TOLERANCE_MS};
	struct fault fault = {0};
	enum status status =
		stripe_webhook_verify(&keys, slice_of(header), slice_of(body), at_ms, &fault);
	assert_true((status == STATUS_OK) == (fault.what[0] == '\0'));
	return status;
}

static const char *sign(const char *secret, const char *body)
{
	static char headers[4][256];
	static size_t next;
	char *header = headers[next++ % 4];
	assert_true(
		stripe_webhook_sign(secret, slice_of(body), now_ms, header, sizeof headers[0]) > 0);
	return header;
}

/* Computed by `printf '%s' '1750000000.{…}' | openssl dgst -sha256 -hmac whsec_…`. */
static void test_known_signature(void **state)
{
	(void)state;
	assert_string_equal("t=1750000000,v1=" KNOWN_HMAC, sign(SECRET, body_text));
	assert_int_equal(STATUS_OK, verify_at("t=1750000000,v1=" KNOWN_HMAC, body_text, now_ms));
}

static void test_forged(void **state)
{
	(void)state;
	const char *header = sign(SECRET, body_text);
	char changed[256];
	assert_int_equal(STATUS_OK, verify_at(header, body_text, now_ms));
	assert_int_equal(STATUS_REFUSED, verify_at(header, "{\"id\":\"evt_2\"}", now_ms));
	assert_int_equal(STATUS_REFUSED, verify_at(header, "", now_ms));
	assert_int_equal(
		STATUS_REFUSED, verify_at(sign(OTHER_SECRET, body_text), body_text, now_ms));
	/* Each character of time and signature counts. */
	for (size_t i = 2; i < strlen(header); i++) {
		snprintf(changed, sizeof changed, "%s", header);
		changed[i] = changed[i] == '1' ? '2' : '1';
		assert_int_equal(STATUS_REFUSED, verify_at(changed, body_text, now_ms));
	}
}

static void test_time(void **state)
{
	(void)state;
	const char *header = sign(SECRET, body_text);
	assert_int_equal(STATUS_OK, verify_at(header, body_text, now_ms + 300000));
	assert_int_equal(STATUS_REFUSED, verify_at(header, body_text, now_ms + 300001));
	assert_int_equal(STATUS_OK, verify_at(header, body_text, now_ms - 300000));
	assert_int_equal(STATUS_REFUSED, verify_at(header, body_text, now_ms - 300001));
}

/* While a secret is replaced, the provider signs with both, and we may know both. */
static void test_several(void **state)
{
	(void)state;
	static const char zeros[] =
		"0000000000000000000000000000000000000000000000000000000000000000";
	char header[1024];
	const char *good = sign(SECRET, body_text);
	const char *time_end = strchr(good, ',');
	snprintf(header, sizeof header, "%.*s,v1=%s%s,v0=%s", (int)(time_end - good), good, zeros,
		time_end, zeros);
	assert_int_equal(STATUS_OK, verify_at(header, body_text, now_ms));
	snprintf(header, sizeof header, "v1=zz%s, %s", time_end, good);
	assert_int_equal(STATUS_OK, verify_at(header, body_text, now_ms));
	/* The right one of another scheme counts for nothing. */
	snprintf(header, sizeof header, "%.*s,v0%s", (int)(time_end - good), good, time_end + 3);
	assert_int_equal(STATUS_REFUSED, verify_at(header, body_text, now_ms));

	static const char *const secrets[] = {OTHER_SECRET, SECRET};
	const struct stripe_webhook_keys both = {secrets, 2, STRIPE_TOLERANCE_MS};
	const struct stripe_webhook_keys none = {NULL, 0, STRIPE_TOLERANCE_MS};
	assert_int_equal(STATUS_OK,
		stripe_webhook_verify(&both, slice_of(good), slice_of(body_text), now_ms, NULL));
	assert_int_equal(STATUS_REFUSED,
		stripe_webhook_verify(&none, slice_of(good), slice_of(body_text), now_ms, NULL));
}

static void test_malformed_headers(void **state)
{
	(void)state;
	static const char *const headers[] = {"", ",", "t", "t=", "v1=", "t=1750000000",
		"t=1750000000,", "t=1750000000,v1", "t=1750000000,v1=" KNOWN_HMAC "00",
		"v1=" KNOWN_HMAC, "t=x,v1=" KNOWN_HMAC, "t=-1,v1=" KNOWN_HMAC,
		"t=1750000000,t=1750000000,v1=" KNOWN_HMAC, "t=01750000000,v1=" KNOWN_HMAC,
		"t=99999999999999999999,v1=" KNOWN_HMAC, "t=1750000000;v1=" KNOWN_HMAC,
		"t= 1750000000,v1=" KNOWN_HMAC};
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
		if (verify_at(headers[i], body_text, now_ms) != STATUS_REFUSED)
			fail_msg("%s was accepted", headers[i]);

	char many[4096] = "t=1750000000";
	for (size_t i = 0; i <= STRIPE_SIGNATURES_MAX; i++)
		strncat(many, ",v1=" KNOWN_HMAC, sizeof many - strlen(many) - 1);
	assert_int_equal(STATUS_REFUSED, verify_at(many, body_text, now_ms));
	memset(many, 'x', sizeof many - 1);
	assert_int_equal(STATUS_REFUSED, verify_at(many, body_text, now_ms));
}

/* ---- What they say ---- */

static struct payment_event read_event(const char *type, const char *object)
{
	char text[2048];
	struct payment_event event;
	struct fault fault = {0};
	snprintf(text, sizeof text,
		"{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"%s\",\"created\":1750000000,"
		"\"data\":{\"object\":%s}}",
		type, object);
	if (stripe_event_read(slice_of(text), &event, &fault) != STATUS_OK)
		fail_msg("%s %s", fault.where, fault.what);
	assert_string_equal("evt_1", event.id);
	assert_string_equal(type, event.type);
	assert_true(event.created_ms == now_ms);
	return event;
}

static void test_intents(void **state)
{
	(void)state;
	static const struct {
		const char *type, *status;
		enum payment_outcome outcome;
	} cases[] = {
		{"payment_intent.created", "requires_payment_method", PAYMENT_CREATED},
		{"payment_intent.requires_action", "requires_action", PAYMENT_REQUIRES_ACTION},
		{"payment_intent.processing", "processing", PAYMENT_PENDING},
		{"payment_intent.amount_capturable_updated", "requires_capture",
			PAYMENT_AUTHORIZED},
		{"payment_intent.succeeded", "succeeded", PAYMENT_CAPTURED},
		{"payment_intent.canceled", "canceled", PAYMENT_VOIDED},
		{"payment_intent.surprised", "surprised", PAYMENT_NONE},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char object[256];
		snprintf(object, sizeof object,
			"{\"object\":\"payment_intent\",\"id\":\"pi_1\",\"status\":\"%s\"}",
			cases[i].status);
		struct payment_event event = read_event(cases[i].type, object);
		assert_int_equal(cases[i].outcome, event.outcome);
		assert_string_equal("pi_1", event.reference);
	}
	struct payment_event event = read_event("payment_intent.payment_failed",
		"{\"object\":\"payment_intent\",\"id\":\"pi_1\",\"status\":"
		"\"requires_payment_method\",\"last_payment_error\":{\"code\":\"expired_card\"}}");
	assert_int_equal(PAYMENT_DECLINED, event.outcome);
	assert_string_equal("expired_card", event.reason);
}

static void test_refunds_and_others(void **state)
{
	(void)state;
	struct payment_event event = read_event("refund.updated",
		"{\"object\":\"refund\",\"id\":\"re_1\",\"payment_intent\":\"pi_1\","
		"\"status\":\"succeeded\"}");
	assert_int_equal(PAYMENT_REFUNDED, event.outcome);
	assert_string_equal("pi_1", event.reference);
	assert_string_equal("re_1", event.refund);
	event = read_event("refund.failed",
		"{\"object\":\"refund\",\"id\":\"re_1\",\"payment_intent\":{\"id\":\"pi_1\"},"
		"\"status\":\"failed\",\"failure_reason\":\"unknown\"}");
	assert_int_equal(PAYMENT_REFUND_FAILED, event.outcome);
	event = read_event("charge.refunded",
		"{\"object\":\"charge\",\"id\":\"ch_1\",\"payment_intent\":\"pi_1\","
		"\"refunded\":true}");
	assert_int_equal(PAYMENT_REFUNDED, event.outcome);
	event = read_event("charge.captured",
		"{\"object\":\"charge\",\"id\":\"ch_1\",\"payment_intent\":\"pi_1\","
		"\"refunded\":false}");
	assert_int_equal(PAYMENT_NONE, event.outcome);
	assert_string_equal("pi_1", event.reference);
	event = read_event("customer.created", "{\"object\":\"customer\",\"id\":\"cus_1\"}");
	assert_int_equal(PAYMENT_NONE, event.outcome);
	assert_string_equal("", event.reference);
	event = read_event("payment_intent.created",
		"{\"object\":\"payment_intent\",\"id\":\"pi/1\",\"status\":\"canceled\"}");
	assert_int_equal(PAYMENT_NONE, event.outcome);
	assert_string_equal("", event.reference);
}

static const char two_ids[] = "{\"id\":\"evt_1\",\"id\":\"evt_1\",\"object\":\"event\","
			      "\"type\":\"x\",\"data\":{\"object\":{}}}";

static void test_no_events(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "null", "[]", "{}", "{", "\xFF",
		"{\"object\":\"event\",\"type\":\"x\",\"data\":{\"object\":{}}}",
		"{\"id\":\"evt_1\",\"type\":\"x\",\"data\":{\"object\":{}}}",
		"{\"id\":\"evt_1\",\"object\":\"event\",\"data\":{\"object\":{}}}",
		"{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"a b\",\"data\":{\"object\":{}}}",
		"{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"x\",\"data\":{\"object\":[]}}",
		"{\"id\":\"evt 1\",\"object\":\"event\",\"type\":\"x\",\"data\":{\"object\":{}}}",
		"{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"x\"}", two_ids};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct payment_event event;
		struct fault fault = {0};
		if (stripe_event_read(slice_of(texts[i]), &event, &fault) != STATUS_REFUSED)
			fail_msg("%s was accepted", texts[i]);
		assert_true(fault.where[0] != '\0');
		assert_string_equal("", event.id);
	}
}

/* Through the interface, as a server uses it. */
static void test_provider(void **state)
{
	(void)state;
	static const char text[] = "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"ping\","
				   "\"created\":1750000000,\"data\":{\"object\":{}}}";
	struct stripe_options options = {
		.secret_key = "sk_test_x", .webhook_secrets = {OTHER_SECRET, SECRET}};
	struct payment_provider *provider;
	struct payment_event event;
	struct fault fault;
	assert_int_equal(STATUS_OK, stripe_open(&options, &provider, &fault));
	assert_string_equal("Stripe-Signature", provider->traits.webhook_header);
	assert_int_equal(STATUS_OK,
		payment_read_event(provider, slice_of(sign(SECRET, text)), slice_of(text), now_ms,
			&event, &fault));
	assert_string_equal("evt_1", event.id);
	assert_int_equal(STATUS_REFUSED,
		payment_read_event(provider, slice_of(sign("whsec_of_somebody_else", text)),
			slice_of(text), now_ms, &event, &fault));
	payment_close(provider);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_signature),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_malformed_headers),
		cmocka_unit_test(test_intents),
		cmocka_unit_test(test_refunds_and_others),
		cmocka_unit_test(test_no_events),
		cmocka_unit_test(test_provider),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
