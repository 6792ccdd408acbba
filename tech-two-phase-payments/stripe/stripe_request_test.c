/* What is sent, against the recorded requests of Stripe's API; and what is never sent. */
#include "tech-two-phase-payments/stripe/stripe_request.h"

#include <jansson.h>

#include "tech-two-phase-payments/stripe/stripe_fixture.h"
#include "tech-two-phase-payments/stripe/stripe_reply.h"

/* ---- The recorded requests ---- */

static enum payment_operation operation_named(const char *name)
{
	for (int i = 0; i < PAYMENT_OPERATION_COUNT; i++)
		if (strcmp(payment_operation_name((enum payment_operation)i), name) == 0)
			return (enum payment_operation)i;
	fail_msg("there is no operation %s", name);
	return PAYMENT_LOOK_UP;
}

static struct payment_call recorded_call(const json_t *from)
{
	struct payment_call call = {
		.key = stripe_json_text(from, "key"),
		.reference = stripe_json_text(from, "reference"),
		.order_id = stripe_json_text(from, "orderId"),
		.payment_method = stripe_json_text(from, "paymentMethod"),
		.return_url = stripe_json_text(from, "returnUrl"),
		.amount.minor = json_integer_value(json_object_get(from, "amount")),
	};
	struct slice currency = stripe_json_text(from, "currency");
	assert_true(currency.size < sizeof call.amount.currency);
	memcpy(call.amount.currency, currency.data, currency.size);
	return call;
}

/* The head has this line, and the header once only. */
static void want_header(const char *head, const char *name, const char *value)
{
	char line[512], start[128];
	snprintf(start, sizeof start, "\r\n%s:", name);
	snprintf(line, sizeof line, "\r\n%s: %s\r\n", name, value);
	const char *found = strcasestr(head, start);
	if (!found || strncasecmp(found, line, strlen(line)) != 0)
		fail_msg("wanted %s in %s", line, head);
	else if (strcasestr(found + 1, start))
		fail_msg("%s comes twice in %s", name, head);
}

static void want_headers(const char *head, const json_t *headers)
{
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)headers, name, value)
		want_header(head, name, json_string_value(value));
}

/* Each sent parameter is one that the operation has, of the right type. */
static void check_parameter(const json_t *described, struct slice name, struct slice value)
{
	char top[64];
	int64_t number;
	size_t size = strcspn(name.data, "%=&");
	snprintf(top, sizeof top, "%.*s", (int)size, name.data);
	const json_t *parameter = json_object_get(described, top);
	if (!parameter)
		fail_msg("the operation has no parameter %s", top);
	const char *type = json_string_value(json_object_get(parameter, "type"));
	bool nested = name.size > size;
	assert_true(nested == (strcmp(type, "array") == 0 || strcmp(type, "object") == 0));
	if (strcmp(type, "integer") == 0)
		assert_true(slice_to_integer(value, 0, INT64_MAX, &number));
	const json_t *choices = json_object_get(parameter, "enum");
	bool known = !choices;
	for (size_t i = 0; i < json_array_size(choices); i++)
		known |= slice_is(value, json_string_value(json_array_get(choices, i)));
	assert_true(known);
}

static void check_described(const json_t *described, const char *form)
{
	struct slice rest = slice_of(form), pair, name;
	const char *required;
	json_t *parameter;
	while (*form && slice_split(&rest, '&', &pair)) {
		slice_split(&pair, '=', &name);
		assert_non_null(pair.data);
		check_parameter(described, name, pair);
	}
	json_object_foreach((json_t *)(uintptr_t)described, required, parameter)
	{
		char start[64];
		snprintf(start, sizeof start, "%s=", required);
		if (json_is_true(json_object_get(parameter, "required")))
			assert_non_null(strstr(form, start));
	}
}

static void check_recorded(const json_t *recorded, const json_t *file)
{
	const json_t *from = json_object_get(recorded, "call");
	const char *method = json_string_value(json_object_get(recorded, "method"));
	const char *path = json_string_value(json_object_get(recorded, "path"));
	const char *body = json_string_value(json_object_get(recorded, "body"));
	const json_t *described = json_object_get(recorded, "parameters");
	struct payment_call call = recorded_call(from);
	char line[1024];

	FIXTURE_OPEN({ANSWER, 401, NULL, "{\"error\":{\"type\":\"invalid_request_error\"}}"});
	make(&call, operation_named(json_string_value(json_object_get(recorded, "operation"))));
	assert_int_equal(1, request_count());
	const struct kept *kept = &fixture.kept[0];
	snprintf(line, sizeof line, "%s %s HTTP/1.1\r\n", method, path);
	if (strncmp(kept->head, line, strlen(line)) != 0)
		fail_msg("wanted %s, got %s", line, kept->head);
	assert_string_equal(body, kept->body);
	want_headers(kept->head, json_object_get(file, "headers"));
	bool post = strcmp(method, "POST") == 0;
	if (post) {
		want_headers(kept->head, json_object_get(file, "postHeaders"));
		want_header(kept->head, "Idempotency-Key",
			json_string_value(json_object_get(from, "key")));
	} else {
		assert_null(strcasestr(kept->head, "\r\nIdempotency-Key:"));
	}
	const char *query = strchr(path, '?');
	check_described(described, post ? body : query ? query + 1 : "");
	fixture_close(NULL);
}

static void test_recorded_requests(void **state)
{
	(void)state;
	json_error_t error;
	json_t *file = json_load_file(
		"tech-two-phase-payments/stripe/requests.json", JSON_REJECT_DUPLICATES, &error);
	if (!file)
		fail_msg("%s, line %d", error.text, error.line);
	const json_t *operations = json_object_get(file, "operations");
	bool seen[PAYMENT_OPERATION_COUNT] = {0};
	for (size_t i = 0; i < json_array_size(operations); i++) {
		const json_t *recorded = json_array_get(operations, i);
		check_recorded(recorded, file);
		seen[operation_named(json_string_value(json_object_get(recorded, "operation")))] =
			true;
	}
	for (int i = 0; i < PAYMENT_OPERATION_COUNT; i++)
		assert_true(seen[i]);
	json_decref(file);
}

/* ---- What is refused here ---- */

static void want_refused(struct payment_call call, enum payment_operation operation,
	const char *where, const char *secret)
{
	const struct payment_result *result = make(&call, operation);
	assert_int_equal(STATUS_REFUSED, result->status);
	assert_string_equal(where, result->reason);
	if (secret && strstr(result->detail, secret))
		fail_msg("%s stands in %s", secret, result->detail);
	assert_int_equal(0, result->attempts);
}

static void test_missing_or_malformed(void **state)
{
	(void)state;
	static const char *const keys[] = {"", "with space", "line\nbreak", "caf\xC3\xA9", "\x7F"};
	static const char *const references[] = {
		"", "pi_1/capture", "../x", "pi 1", "pi_1?x", "pi%31", "pi_1\n"};
	FIXTURE_OPEN({ANSWER, 200, NULL, "{}"});
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		struct payment_call call = sample_call(PAYMENT_CAPTURE);
		call.key = slice_of(keys[i]);
		want_refused(call, PAYMENT_CAPTURE, "key", NULL);
	}
	for (size_t i = 0; i < sizeof references / sizeof *references; i++) {
		struct payment_call call = sample_call(PAYMENT_CAPTURE);
		call.reference = slice_of(references[i]);
		for (int j = PAYMENT_AUTHORIZE; j < PAYMENT_OPERATION_COUNT; j++)
			want_refused(call, (enum payment_operation)j, "reference", NULL);
	}
	static const enum payment_operation with_amount[] = {
		PAYMENT_CREATE_INTENT, PAYMENT_CAPTURE, PAYMENT_REFUND};
	for (size_t i = 0; i < 3; i++) {
		struct payment_call call = sample_call(with_amount[i]);
		call.amount.minor = 0;
		want_refused(call, with_amount[i], "amount", NULL);
		call.amount = (struct money){100, "XXX"};
		want_refused(call, with_amount[i], "currency", NULL);
	}
	struct payment_call call = sample_call(PAYMENT_CREATE_INTENT);
	call.order_id = slice_of("two words");
	want_refused(call, PAYMENT_CREATE_INTENT, "order_id", NULL);
	assert_int_equal(0, request_count());
}

static void test_long(void **state)
{
	(void)state;
	char text[PAYMENT_KEY_SIZE + 1];
	memset(text, 'x', sizeof text);
	FIXTURE_OPEN({ANSWER, 200, NULL, intent_json("succeeded", "")});
	struct payment_call call = sample_call(PAYMENT_CAPTURE);
	call.key = (struct slice){text, 256};
	want_refused(call, PAYMENT_CAPTURE, "key", NULL);
	call = sample_call(PAYMENT_CAPTURE);
	call.reference = (struct slice){text, 256};
	want_refused(call, PAYMENT_CAPTURE, "reference", NULL);
	assert_int_equal(0, request_count());

	/* The longest key and id that Stripe has are sent. */
	call.reference = (struct slice){text, 255};
	call.key = (struct slice){text, 255};
	make(&call, PAYMENT_CAPTURE);
	assert_int_equal(1, request_count());
}

/* Nobody's card number goes on, and none comes back in what is logged. */
static void test_cards(void **state)
{
	(void)state;
	static const char *const cards[] = {
		"4242424242424242", "pm_4242424242424242", "4242 4242 4242 4242"};
	static const char *const others[] = {"", "pm card", "pm_\xC3\xA9", "pm&amount=1"};
	FIXTURE_OPEN({ANSWER, 200, NULL, "{}"});
	for (size_t i = 0; i < sizeof cards / sizeof *cards; i++) {
		struct payment_call call = sample_call(PAYMENT_AUTHORIZE);
		call.payment_method = slice_of(cards[i]);
		want_refused(call, PAYMENT_AUTHORIZE, "payment_method", "4242");
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		struct payment_call call = sample_call(PAYMENT_AUTHORIZE);
		call.payment_method = slice_of(others[i]);
		want_refused(call, PAYMENT_AUTHORIZE, "payment_method", NULL);
	}
	struct payment_call call = sample_call(PAYMENT_AUTHORIZE);
	call.return_url = slice_of("https://x.example/?card=4242424242424242");
	want_refused(call, PAYMENT_AUTHORIZE, "return_url", "4242");
	call.return_url = slice_of("javascript:alert(1)");
	want_refused(call, PAYMENT_AUTHORIZE, "return_url", "alert");
	assert_int_equal(0, request_count());
}

static void test_form(void **state)
{
	(void)state;
	struct buffer form;
	buffer_init(&form, 256);
	stripe_form_add(&form, "a[b]", slice_of("x y&z=1%+~*-._/\xC3\xA9"));
	stripe_form_add(&form, "c", slice_of(""));
	assert_true(slice_is(buffer_slice(&form), "a%5Bb%5D=x+y%26z%3D1%25%2B%7E*-._%2F%C3%A9&c="));
	buffer_release(&form);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_recorded_requests, fixture_close),
		cmocka_unit_test_teardown(test_missing_or_malformed, fixture_close),
		cmocka_unit_test_teardown(test_long, fixture_close),
		cmocka_unit_test_teardown(test_cards, fixture_close),
		cmocka_unit_test(test_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
