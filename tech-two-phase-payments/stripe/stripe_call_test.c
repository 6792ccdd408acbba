/* Calls on the wire: lost, slow, many, refused, given up; and the options. */
#include "tech-two-phase-payments/stripe/stripe_fixture.h"

#include <pthread.h>

#define SERVER_ERROR "{\"error\":{\"type\":\"api_error\"}}"

static void test_answered(void **state)
{
	(void)state;
	FIXTURE_OPEN({ANSWER, 200, NULL, intent_json("requires_capture", "")});
	struct payment_call call = sample_call(PAYMENT_AUTHORIZE);
	const struct payment_result *result = make(&call, PAYMENT_AUTHORIZE);
	assert_int_equal(STATUS_OK, result->status);
	assert_int_equal(PAYMENT_AUTHORIZED, result->outcome);
	assert_string_equal("req_recorded", result->request_id);
	assert_int_equal(1, result->attempts);
	assert_int_equal(200, result->http_status);
	assert_true(result->took_us > 0);
	/* The same struct may be used again. */
	assert_int_equal(PAYMENT_AUTHORIZED, make(&call, PAYMENT_LOOK_UP)->outcome);
}

/* A lost answer is asked for again under the same key. */
static void test_lost_then_answered(void **state)
{
	(void)state;
	FIXTURE_OPEN({DROP, 0, NULL, NULL},
		{ANSWER, 200, "Idempotent-Replayed: true\r\n", intent_json("succeeded", "")});
	struct payment_call call = sample_call(PAYMENT_CAPTURE);
	const struct payment_result *result = make(&call, PAYMENT_CAPTURE);
	assert_int_equal(PAYMENT_CAPTURED, result->outcome);
	assert_true(result->replayed);
	assert_int_equal(2, result->attempts);
	assert_int_equal(2, request_count());
	const char *first = strcasestr(fixture.kept[0].head, "Idempotency-Key: o-1:sample:1\r\n");
	const char *second = strcasestr(fixture.kept[1].head, "Idempotency-Key: o-1:sample:1\r\n");
	assert_true(first && second);
	assert_string_equal(fixture.kept[0].body, fixture.kept[1].body);
}

static void test_lost(void **state)
{
	(void)state;
	static const struct {
		struct step step;
		unsigned attempts;
		int64_t attempt_ms; /* Enough to connect and send, however busy the machine is. */
	} cases[] = {
		{{DROP, 0, NULL, NULL}, 2, 20000},
		{{HALF, 200, NULL, "{\"id\":\"pi_1\"}"}, 2, 20000},
		{{HANG, 0, NULL, NULL}, 1, 5000},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		fixture_open(&cases[i].step, 1,
			(struct stripe_options){.attempt_ms_max = cases[i].attempt_ms,
				.attempts_max = cases[i].attempts});
		struct payment_call call = sample_call(PAYMENT_CAPTURE);
		const struct payment_result *result = make(&call, PAYMENT_CAPTURE);
		assert_int_equal(STATUS_UNKNOWN, result->status);
		assert_int_equal(PAYMENT_NEXT_REPEAT, result->next);
		assert_int_equal(cases[i].attempts, result->attempts);
		fixture_close(NULL);
	}
}

/* To read is harmless, so it is only unavailable. */
static void test_look_up_lost(void **state)
{
	(void)state;
	FIXTURE_OPEN({DROP, 0, NULL, NULL});
	struct payment_call call = sample_call(PAYMENT_LOOK_UP);
	const struct payment_result *result = make(&call, PAYMENT_LOOK_UP);
	assert_int_equal(STATUS_UNAVAILABLE, result->status);
	assert_int_equal(PAYMENT_NEXT_REPEAT, result->next);
}

static void test_nobody_listens(void **state)
{
	(void)state;
	FIXTURE_OPEN({ANSWER, 200, NULL, "{}"});
	peer_stop(&fixture.peer);
	struct payment_call call = sample_call(PAYMENT_CAPTURE);
	const struct payment_result *result = make(&call, PAYMENT_CAPTURE);
	assert_int_equal(STATUS_UNAVAILABLE, result->status);
	assert_int_equal(PAYMENT_NEXT_REPEAT, result->next);
	assert_int_equal(0, result->http_status);
}

static void test_rate_limited(void **state)
{
	(void)state;
	static const char limited[] =
		"{\"error\":{\"type\":\"invalid_request_error\",\"code\":\"rate_limit\"}}";
	FIXTURE_OPEN({ANSWER, 429, NULL, limited}, {ANSWER, 429, "Retry-After: 7\r\n", limited});
	struct payment_call call = sample_call(PAYMENT_CAPTURE);
	const struct payment_result *result = make(&call, PAYMENT_CAPTURE);
	assert_int_equal(STATUS_UNAVAILABLE, result->status);
	assert_true(result->retry_after_ms == 7000);
	assert_int_equal(429, result->http_status);
}

/* The key is in use because our first attempt is still being worked on. */
static void test_key_in_use(void **state)
{
	(void)state;
	static const char in_use[] = "{\"error\":{\"type\":\"idempotency_error\",\"code\":"
				     "\"idempotency_key_in_use\"}}";
	FIXTURE_OPEN({DROP, 0, NULL, NULL}, {ANSWER, 409, "Retry-After: 2\r\n", in_use},
		{ANSWER, 200, NULL, intent_json("succeeded", "")});
	struct payment_call call = sample_call(PAYMENT_CAPTURE);
	const struct payment_result *result = make(&call, PAYMENT_CAPTURE);
	assert_int_equal(STATUS_UNKNOWN, result->status);
	assert_int_equal(PAYMENT_NEXT_REPEAT, result->next);
	assert_true(result->retry_after_ms == 2000);
	assert_int_equal(PAYMENT_CAPTURED, make(&call, PAYMENT_CAPTURE)->outcome);
}

/* A stored 500 is replayed; the caller looks up, and only then may make a new key. */
static void test_stored_server_error(void **state)
{
	(void)state;
	FIXTURE_OPEN({ANSWER, 500, NULL, SERVER_ERROR},
		{ANSWER, 500, "Idempotent-Replayed: true\r\n", SERVER_ERROR},
		{ANSWER, 200, NULL, intent_json("requires_capture", "")},
		{ANSWER, 200, NULL, intent_json("succeeded", "")});
	struct payment_call call = sample_call(PAYMENT_CAPTURE);
	const struct payment_result *result = make(&call, PAYMENT_CAPTURE);
	assert_int_equal(STATUS_UNKNOWN, result->status);
	assert_int_equal(PAYMENT_NEXT_LOOK_UP, result->next);
	assert_int_equal(1, result->attempts);
	result = make(&call, PAYMENT_CAPTURE);
	assert_int_equal(PAYMENT_NEXT_LOOK_UP, result->next);
	assert_true(result->replayed);
	struct payment_call look_up = sample_call(PAYMENT_LOOK_UP);
	assert_int_equal(PAYMENT_AUTHORIZED, make(&look_up, PAYMENT_LOOK_UP)->outcome);
	call.key = slice_of("o-1:sample:2");
	assert_int_equal(PAYMENT_CAPTURED, make(&call, PAYMENT_CAPTURE)->outcome);
}

static void test_answer_too_large(void **state)
{
	(void)state;
	enum { SIZE = 300 << 10 };
	char *body = malloc(SIZE + 1);
	assert_non_null(body);
	memset(body, ' ', SIZE);
	body[SIZE] = '\0';
	FIXTURE_OPEN({ANSWER, 200, NULL, body});
	struct payment_call call = sample_call(PAYMENT_CAPTURE);
	const struct payment_result *result = make(&call, PAYMENT_CAPTURE);
	assert_int_equal(STATUS_UNKNOWN, result->status);
	assert_int_equal(PAYMENT_NEXT_LOOK_UP, result->next);
	fixture_close(NULL);
	free(body);
}

/* ---- Many at once ---- */

static void test_many_in_flight(void **state)
{
	(void)state;
	enum { COUNT = 40, IN_FLIGHT = 8 };
	static struct payment_call calls[COUNT];
	static const struct step step = {
		ANSWER, 401, NULL, "{\"error\":{\"type\":\"invalid_request_error\"}}"};
	fixture_open(&step, 1,
		(struct stripe_options){.in_flight_max = IN_FLIGHT, .submitted_max = COUNT});
	atomic_store(&fixture.held, true);
	for (size_t i = 0; i < COUNT; i++) {
		calls[i] = sample_call(PAYMENT_CAPTURE);
		assert_int_equal(STATUS_OK, payment_capture(fixture.provider, &calls[i]));
	}
	/* One too many is not taken in, and not touched. */
	struct payment_call more = sample_call(PAYMENT_CAPTURE);
	assert_int_equal(STATUS_UNAVAILABLE, payment_capture(fixture.provider, &more));

	struct payment_call *done[COUNT];
	int64_t end_ms = clock_monotonic_ms(clock_system()) + WAIT_MS;
	while (request_count() < IN_FLIGHT && clock_monotonic_ms(clock_system()) < end_ms)
		assert_int_equal(0, payment_collect(fixture.provider, 10, done, COUNT));
	struct payment_counts counts = payment_counts(fixture.provider);
	assert_int_equal(IN_FLIGHT, counts.in_flight);
	assert_int_equal(COUNT - IN_FLIGHT, counts.waiting);
	assert_int_equal(IN_FLIGHT, request_count());

	atomic_store(&fixture.held, false);
	size_t count = 0;
	while (count < COUNT && clock_monotonic_ms(clock_system()) < end_ms)
		count += payment_collect(fixture.provider, 100, done, COUNT);
	assert_int_equal(COUNT, count);
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(STATUS_UNAVAILABLE, calls[i].result.status);
	assert_int_equal(STATUS_OK, payment_capture(fixture.provider, &more));
}

/* A refusal that never was sent is collected too, while others are on the wire. */
static void test_refused_among_others(void **state)
{
	(void)state;
	FIXTURE_OPEN({ANSWER, 200, NULL, intent_json("succeeded", "")});
	atomic_store(&fixture.held, true);
	struct payment_call slow = sample_call(PAYMENT_CAPTURE);
	struct payment_call bad = sample_call(PAYMENT_CAPTURE);
	struct payment_call *done = NULL;
	bad.key = slice_of("");
	assert_int_equal(STATUS_OK, payment_capture(fixture.provider, &slow));
	assert_int_equal(STATUS_OK, payment_capture(fixture.provider, &bad));
	assert_int_equal(1, payment_counts(fixture.provider).done);
	assert_int_equal(1, payment_collect(fixture.provider, -1, &done, 1));
	assert_ptr_equal(&bad, done);
	assert_int_equal(STATUS_REFUSED, bad.result.status);
	assert_int_equal(0, payment_counts(fixture.provider).done);
	atomic_store(&fixture.held, false);
	assert_int_equal(1, payment_collect(fixture.provider, WAIT_MS, &done, 1));
	assert_ptr_equal(&slow, done);
}

static void test_deadline(void **state)
{
	(void)state;
	FIXTURE_OPEN({HANG, 0, NULL, NULL});
	struct payment_call call = sample_call(PAYMENT_CAPTURE);
	call.deadline_ms = clock_monotonic_ms(clock_system()) + 200;
	const struct payment_result *result = make(&call, PAYMENT_CAPTURE);
	assert_true(result->status == STATUS_UNKNOWN || result->status == STATUS_UNAVAILABLE);
	assert_true(clock_monotonic_ms(clock_system()) >= call.deadline_ms);
	/* A deadline that has passed: never sent. */
	call.deadline_ms = 1;
	result = make(&call, PAYMENT_CAPTURE);
	assert_int_equal(STATUS_UNAVAILABLE, result->status);
}

static void test_close_gives_up(void **state)
{
	(void)state;
	FIXTURE_OPEN({HANG, 0, NULL, NULL});
	struct payment_call call = sample_call(PAYMENT_CAPTURE);
	struct payment_call *done;
	assert_int_equal(STATUS_OK, payment_capture(fixture.provider, &call));
	payment_collect(fixture.provider, 10, &done, 1);
	payment_close(fixture.provider);
	fixture.provider = NULL;
	assert_false(call.own.submitted);
	payment_close(NULL);
}

static void *wake_up(void *provider)
{
	payment_wakeup(provider);
	return NULL;
}

static void test_wakeup(void **state)
{
	(void)state;
	pthread_t thread;
	struct payment_call *done;
	FIXTURE_OPEN({HANG, 0, NULL, NULL});
	assert_int_equal(0, pthread_create(&thread, NULL, wake_up, fixture.provider));
	/* Without the wake-up this would wait for ever. */
	assert_int_equal(0, payment_collect(fixture.provider, -1, &done, 1));
	pthread_join(thread, NULL);
}

/* ---- Options ---- */

static void want_fault(struct stripe_options options, const char *where)
{
	struct payment_provider *provider;
	struct fault fault = {0};
	assert_int_equal(STATUS_REFUSED, stripe_open(&options, &provider, &fault));
	assert_null(provider);
	assert_string_equal(where, fault.where);
	assert_null(strstr(fault.what, "sk_"));
}

static void test_options(void **state)
{
	(void)state;
	const char *key = "sk_test_x";
	static const char *const urls[] = {"", "api.stripe.com", "https://", "ftp://x",
		"https://x/v1", "https://x?y", "https://user@x", "https://x y", "http://"};
	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
		want_fault((struct stripe_options){.base_url = urls[i], .secret_key = key},
			"base_url");
	static const char *const keys[] = {
		NULL, "", "sk_", "pk_test_x", "whsec_x", "sk_test x", "sk_test_\r\nX: y"};
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		want_fault((struct stripe_options){.secret_key = keys[i]}, "secret_key");
	/* A key that moves real money never travels in the clear. */
	want_fault((struct stripe_options){.base_url = "http://127.0.0.1:1",
			   .secret_key = "sk_live_x"},
		"base_url");
	want_fault((struct stripe_options){.secret_key = key, .api_version = "a b"}, "api_version");
	want_fault((struct stripe_options){.secret_key = key, .webhook_secrets = {"short"}},
		"webhook_secrets");
	want_fault((struct stripe_options){.secret_key = key, .webhook_tolerance_ms = -1},
		"webhook_tolerance_ms");
	want_fault((struct stripe_options){.secret_key = key, .in_flight_max = 1 << 20},
		"in_flight_max, submitted_max");

	struct payment_provider *provider;
	struct fault fault;
	struct stripe_options good = {.secret_key = "rk_live_x"};
	assert_int_equal(STATUS_OK, stripe_open(&good, &provider, &fault));
	assert_string_equal("stripe", provider->traits.name);
	assert_int_equal(64, provider->traits.in_flight_max);
	payment_close(provider);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_answered, fixture_close),
		cmocka_unit_test_teardown(test_lost_then_answered, fixture_close),
		cmocka_unit_test_teardown(test_lost, fixture_close),
		cmocka_unit_test_teardown(test_look_up_lost, fixture_close),
		cmocka_unit_test_teardown(test_nobody_listens, fixture_close),
		cmocka_unit_test_teardown(test_rate_limited, fixture_close),
		cmocka_unit_test_teardown(test_key_in_use, fixture_close),
		cmocka_unit_test_teardown(test_stored_server_error, fixture_close),
		cmocka_unit_test_teardown(test_answer_too_large, fixture_close),
		cmocka_unit_test_teardown(test_many_in_flight, fixture_close),
		cmocka_unit_test_teardown(test_refused_among_others, fixture_close),
		cmocka_unit_test_teardown(test_deadline, fixture_close),
		cmocka_unit_test_teardown(test_close_gives_up, fixture_close),
		cmocka_unit_test_teardown(test_wakeup, fixture_close),
		cmocka_unit_test(test_options),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
