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

static bool is_among(const json_t *texts, const char *text)
{
	for (size_t i = 0; i < json_array_size(texts); i++)
		if (strcmp(json_string_value(json_array_get(texts, i)), text) == 0)
			return true;
	return false;
}

/* A sent parameter is one that the operation has, of the right type. */
static void check_parameter(const json_t *described, struct slice name, struct slice value)
{
	char top[64], text[256];
	int64_t number;
	size_t size = strcspn(name.data, "%=&");
	snprintf(top, sizeof top, "%.*s", (int)size, name.data);
	snprintf(text, sizeof text, "%.*s", SLICE_PRINT(value));
	const json_t *parameter = json_object_get(described, top);
	if (!parameter)
		fail_msg("the operation has no parameter %s", top);
	const json_t *types = json_object_get(parameter, "types");
	const json_t *choices = json_object_get(parameter, "enum");
	const json_t *longest = json_object_get(parameter, "maxLength");
	if (name.size > size)
		assert_true(is_among(types, "array") || is_among(types, "object"));
	else if (is_among(types, "integer"))
		assert_true(slice_to_integer(value, 0, INT64_MAX, &number));
	else
		assert_true(is_among(types, "string"));
	assert_true(!choices || is_among(choices, text));
	assert_true(!longest || (json_int_t)value.size <= json_integer_value(longest));
}

static void check_described(const json_t *operation, const json_t *recorded, const char *form)
{
	struct slice rest = slice_of(form), pair, name;
	const json_t *required = json_object_get(operation, "required");
	static const char *const same[][2] = {{"method", "method"}, {"path", "template"}};
	for (size_t i = 0; i < 2; i++)
		assert_string_equal(json_string_value(json_object_get(operation, same[i][0])),
			json_string_value(json_object_get(recorded, same[i][1])));
	/* Else an unknown name would be no error. */
	assert_true(json_is_true(json_object_get(operation, "closed")));
	while (*form && slice_split(&rest, '&', &pair)) {
		slice_split(&pair, '=', &name);
		assert_non_null(pair.data);
		check_parameter(json_object_get(operation, "parameters"), name, pair);
	}
	for (size_t i = 0; i < json_array_size(required); i++) {
		char start[64];
		snprintf(
			start, sizeof start, "%s=", json_string_value(json_array_get(required, i)));
		assert_non_null(strstr(form, start));
	}
}

/* By Stripe's published descriptions: see describe.sh. */
static void check_by_descriptions(const json_t *file, const json_t *recorded, const char *form)
{
	const json_t *descriptions = json_object_get(file, "descriptions");
	const char *id = json_string_value(json_object_get(recorded, "operationId"));
	assert_true(json_array_size(descriptions) >= 2);
	for (size_t i = 0; i < json_array_size(descriptions); i++) {
		const json_t *operations =
			json_object_get(json_array_get(descriptions, i), "operations");
		const json_t *operation = json_object_get(operations, id);
		assert_non_null(operation);
		check_described(operation, recorded, form);
	}
}

/* The pinned version lies between those of the descriptions, which are in their order. */
static void check_versions(const json_t *file, const char *pinned)
{
	const json_t *descriptions = json_object_get(file, "descriptions");
	size_t count = json_array_size(descriptions);
	const char *first =
		json_string_value(json_object_get(json_array_get(descriptions, 0), "version"));
	const char *last = json_string_value(
		json_object_get(json_array_get(descriptions, count - 1), "version"));
	assert_true(strncmp(first, pinned, strlen("2024-06-20")) <= 0);
	assert_true(strncmp(pinned, last, strlen("2024-06-20")) <= 0);
}

static void check_recorded(const json_t *recorded, const json_t *file, const json_t *described)
{
	const json_t *from = json_object_get(recorded, "call");
	const char *method = json_string_value(json_object_get(recorded, "method"));
	const char *path = json_string_value(json_object_get(recorded, "path"));
	const char *body = json_string_value(json_object_get(recorded, "body"));
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
	check_by_descriptions(described, recorded, post ? body : query ? query + 1 : "");
	fixture_close(NULL);
}

static json_t *load(const char *name)
{
	char path[128];
	json_error_t error;
	snprintf(path, sizeof path, "tech-two-phase-payments/stripe/%s", name);
	json_t *file = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!file)
		fail_msg("%s, line %d", error.text, error.line);
	return file;
}

static void test_recorded_requests(void **state)
{
	(void)state;
	json_t *file = load("requests.json"), *described = load("described.json");
	const json_t *headers = json_object_get(file, "headers");
	check_versions(described, json_string_value(json_object_get(headers, "Stripe-Version")));
	const json_t *operations = json_object_get(file, "operations");
	bool seen[PAYMENT_OPERATION_COUNT] = {0};
	for (size_t i = 0; i < json_array_size(operations); i++) {
		const json_t *recorded = json_array_get(operations, i);
		check_recorded(recorded, file, described);
		seen[operation_named(json_string_value(json_object_get(recorded, "operation")))] =
			true;
	}
	for (int i = 0; i < PAYMENT_OPERATION_COUNT; i++)
		assert_true(seen[i]);
	json_decref(described);
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
