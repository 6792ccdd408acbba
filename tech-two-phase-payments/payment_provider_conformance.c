/* See payment_provider_conformance.h. The usual life of a payment, and events; what goes wrong is
 * in payment_provider_fault_conformance.c. */
#include "tech-two-phase-payments/payment_provider_internal_conformance.h"

const struct payment_conformance *conformance;
struct payment_provider *provider;

static unsigned order_count;

/* ---- Helpers for both files ---- */

int open_patient(void **state)
{
	(void)state;
	provider = conformance->open(3);
	return provider ? 0 : -1;
}

int open_hasty(void **state)
{
	(void)state;
	provider = conformance->open(1);
	return provider ? 0 : -1;
}

int close_and_heal(void **state)
{
	(void)state;
	payment_close(provider);
	provider = NULL;
	conformance->heal();
	return 0;
}

/* Wait for one call, however long it takes. */
void collect_one(struct payment_call *call)
{
	struct payment_call *done = NULL;
	int64_t end_ms = clock_monotonic_ms(clock_system()) + CONFORMANCE_WAIT_MS;
	while (done != call && clock_monotonic_ms(clock_system()) < end_ms)
		payment_collect(provider, 200, &done, 1);
	assert_ptr_equal(call, done);
}

const struct payment_result *step(
	struct payment *payment, enum payment_operation operation, unsigned attempt)
{
	struct payment_call *call = &payment->call;
	char key[PAYMENT_KEY_SIZE];
	*call = (struct payment_call){
		.key = payment_key(key, slice_of(payment->order), operation, attempt),
		.reference = slice_of(payment->reference),
		.amount = payment->amount,
		.order_id = slice_of(payment->order),
		.payment_method = slice_of(payment->method),
		.return_url = slice_of("https://tickets.example/back"),
	};
	if (operation == PAYMENT_CREATE_INTENT)
		call->reference = (struct slice){0};
	if (operation == PAYMENT_LOOK_UP)
		call->key = (struct slice){0};
	assert_int_equal(STATUS_OK, payment_submit(provider, call, operation));
	collect_one(call);
	return &call->result;
}

void want(const struct payment_result *result, enum payment_outcome outcome)
{
	if (result->status != STATUS_OK || result->outcome != outcome)
		fail_msg("wanted %s, got %s %s %s %s", payment_outcome_name(outcome),
			status_name(result->status), payment_outcome_name(result->outcome),
			result->reason, result->detail);
}

struct payment new_payment(int64_t minor, const char *currency)
{
	struct payment payment = {.amount.minor = minor, .method = conformance->accepted};
	int64_t now_ms = clock_wall_ms(clock_system());
	snprintf(payment.amount.currency, sizeof payment.amount.currency, "%s", currency);
	snprintf(payment.order, sizeof payment.order, "conformance-%lld-%u", (long long)now_ms,
		++order_count);
	const struct payment_result *result = step(&payment, PAYMENT_CREATE_INTENT, 1);
	want(result, PAYMENT_CREATED);
	assert_true(result->reference[0] != '\0');
	memcpy(payment.reference, result->reference, sizeof payment.reference);
	return payment;
}

struct payment new_authorized(void)
{
	struct payment payment = new_payment(4500, "EUR");
	want(step(&payment, PAYMENT_AUTHORIZE, 1), PAYMENT_AUTHORIZED);
	return payment;
}

struct payment_books books_of(const struct payment *payment)
{
	struct payment_books books = {0};
	conformance->read_books(payment->reference, &books);
	return books;
}

void want_books(const struct payment *payment, int64_t authorized, int64_t captured,
	int64_t refunded, int64_t given_back)
{
	struct payment_books books = books_of(payment);
	assert_int_equal(authorized, books.authorized);
	assert_int_equal(captured, books.captured);
	assert_int_equal(refunded, books.refunded);
	assert_int_equal(given_back, books.given_back);
	assert_true(books.authorizations <= 1 && books.captures <= 1);
}

/* ---- The usual life ---- */

static void test_conversation(void **state)
{
	(void)state;
	static const struct money amounts[] = {
		{4500, "EUR"}, {500, "JPY"}, {5120, "KWD"}, {500, "ISK"}};
	for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++) {
		int64_t minor = amounts[i].minor;
		struct payment payment = new_payment(minor, amounts[i].currency);
		want_books(&payment, 0, 0, 0, 0);
		const struct payment_result *result = step(&payment, PAYMENT_AUTHORIZE, 1);
		want(result, PAYMENT_AUTHORIZED);
		assert_string_equal(payment.reference, result->reference);
		assert_int_equal(minor, result->authorized.minor);
		assert_string_equal(amounts[i].currency, result->authorized.currency);
		assert_true(result->expires_ms > clock_wall_ms(clock_system()));
		result = step(&payment, PAYMENT_CAPTURE, 1);
		want(result, PAYMENT_CAPTURED);
		assert_int_equal(minor, result->captured.minor);
		result = step(&payment, PAYMENT_LOOK_UP, 1);
		want(result, PAYMENT_CAPTURED);
		assert_int_equal(minor, result->captured.minor);
		assert_string_equal(amounts[i].currency, result->captured.currency);
		assert_int_equal(0, result->refunded.minor);
		assert_int_equal(1, books_of(&payment).captures);
	}
}

static void test_looked_up_at_each_step(void **state)
{
	(void)state;
	struct payment payment = new_payment(4500, "EUR");
	want(step(&payment, PAYMENT_LOOK_UP, 1), PAYMENT_CREATED);
	step(&payment, PAYMENT_AUTHORIZE, 1);
	const struct payment_result *result = step(&payment, PAYMENT_LOOK_UP, 1);
	want(result, PAYMENT_AUTHORIZED);
	assert_int_equal(4500, result->authorized.minor);
	assert_true(result->expires_ms > clock_wall_ms(clock_system()));
	step(&payment, PAYMENT_VOID_AUTHORIZATION, 1);
	want(step(&payment, PAYMENT_LOOK_UP, 1), PAYMENT_VOIDED);
}

static void test_partial_capture(void **state)
{
	(void)state;
	struct payment payment = new_authorized();
	if (!provider->traits.partial_capture)
		skip();
	payment.amount.minor = 3000;
	const struct payment_result *result = step(&payment, PAYMENT_CAPTURE, 1);
	want(result, PAYMENT_CAPTURED);
	assert_int_equal(3000, result->captured.minor);
	want_books(&payment, 4500, 3000, 0, 1500);
}

static void test_capture_of_too_much(void **state)
{
	(void)state;
	struct payment payment = new_authorized();
	payment.amount.minor = 4501;
	assert_int_equal(STATUS_REFUSED, step(&payment, PAYMENT_CAPTURE, 1)->status);
	want_books(&payment, 4500, 0, 0, 0);
}

static void test_void(void **state)
{
	(void)state;
	struct payment payment = new_authorized();
	want(step(&payment, PAYMENT_VOID_AUTHORIZATION, 1), PAYMENT_VOIDED);
	want_books(&payment, 4500, 0, 0, 4500);
	/* Again, too late, and as another attempt. */
	want(step(&payment, PAYMENT_VOID_AUTHORIZATION, 1), PAYMENT_VOIDED);
	want(step(&payment, PAYMENT_VOID_AUTHORIZATION, 2), PAYMENT_VOIDED);
	want(step(&payment, PAYMENT_CAPTURE, 1), PAYMENT_VOIDED);
	want(step(&payment, PAYMENT_AUTHORIZE, 2), PAYMENT_VOIDED);
	want_books(&payment, 4500, 0, 0, 4500);
}

/* An intent that was given up cannot be authorized by a call that was still on its way. */
static void test_void_before_authorize(void **state)
{
	(void)state;
	struct payment payment = new_payment(4500, "EUR");
	want(step(&payment, PAYMENT_VOID_AUTHORIZATION, 1), PAYMENT_VOIDED);
	want(step(&payment, PAYMENT_AUTHORIZE, 1), PAYMENT_VOIDED);
	want_books(&payment, 0, 0, 0, 0);
}

static void test_too_late(void **state)
{
	(void)state;
	struct payment payment = new_authorized();
	want(step(&payment, PAYMENT_AUTHORIZE, 2), PAYMENT_AUTHORIZED);
	want(step(&payment, PAYMENT_CAPTURE, 1), PAYMENT_CAPTURED);
	want(step(&payment, PAYMENT_CAPTURE, 2), PAYMENT_CAPTURED);
	want(step(&payment, PAYMENT_VOID_AUTHORIZATION, 1), PAYMENT_CAPTURED);
	want(step(&payment, PAYMENT_AUTHORIZE, 3), PAYMENT_CAPTURED);
	want_books(&payment, 4500, 4500, 0, 0);
	payment = new_payment(4500, "EUR");
	want(step(&payment, PAYMENT_CAPTURE, 1), PAYMENT_CREATED);
}

static void test_refund(void **state)
{
	(void)state;
	struct payment payment = new_authorized();
	step(&payment, PAYMENT_CAPTURE, 1);
	payment.amount.minor = 1500;
	const struct payment_result *result = step(&payment, PAYMENT_REFUND, 1);
	want(result, PAYMENT_REFUNDED);
	assert_int_equal(1500, result->refunded.minor);
	assert_true(result->refund[0] != '\0');
	/* The same key is the same refund, another key is another. */
	want(step(&payment, PAYMENT_REFUND, 1), PAYMENT_REFUNDED);
	want_books(&payment, 4500, 4500, 1500, 0);
	result = step(&payment, PAYMENT_LOOK_UP, 1);
	want(result, PAYMENT_CAPTURED);
	assert_int_equal(1500, result->refunded.minor);
	payment.amount.minor = 3000;
	want(step(&payment, PAYMENT_REFUND, 2), PAYMENT_REFUNDED);
	result = step(&payment, PAYMENT_LOOK_UP, 1);
	want(result, PAYMENT_REFUNDED);
	assert_int_equal(4500, result->refunded.minor);
	/* There is nothing left to give back. */
	result = step(&payment, PAYMENT_REFUND, 3);
	assert_true(result->status == STATUS_REFUSED || result->outcome == PAYMENT_REFUNDED);
	want_books(&payment, 4500, 4500, 4500, 0);
}

static void test_declined(void **state)
{
	(void)state;
	struct payment payment = new_payment(4500, "EUR");
	payment.method = conformance->declined;
	const struct payment_result *result = step(&payment, PAYMENT_AUTHORIZE, 1);
	want(result, PAYMENT_DECLINED);
	assert_string_equal(conformance->declined_reason, result->reason);
	want(step(&payment, PAYMENT_AUTHORIZE, 1), PAYMENT_DECLINED);
	want(step(&payment, PAYMENT_LOOK_UP, 1), PAYMENT_DECLINED);
	want_books(&payment, 0, 0, 0, 0);
	/* Another payment method on the same intent. */
	payment.method = conformance->accepted;
	want(step(&payment, PAYMENT_AUTHORIZE, 2), PAYMENT_AUTHORIZED);
	want_books(&payment, 4500, 0, 0, 0);
}

static void test_action(void **state)
{
	(void)state;
	for (int succeeds = 0; succeeds < 2; succeeds++) {
		struct payment payment = new_payment(4500, "EUR");
		payment.method = conformance->wants_action;
		const struct payment_result *result = step(&payment, PAYMENT_AUTHORIZE, 1);
		want(result, PAYMENT_REQUIRES_ACTION);
		assert_true(slice_starts_with(slice_of(result->next_action_url), "http"));
		want_books(&payment, 0, 0, 0, 0);
		want(step(&payment, PAYMENT_LOOK_UP, 1), PAYMENT_REQUIRES_ACTION);
		conformance->act(payment.reference, succeeds == 1);
		want(step(&payment, PAYMENT_LOOK_UP, 1),
			succeeds ? PAYMENT_AUTHORIZED : PAYMENT_DECLINED);
		want_books(&payment, succeeds ? 4500 : 0, 0, 0, 0);
	}
}

static void test_void_while_action_is_required(void **state)
{
	(void)state;
	struct payment payment = new_payment(4500, "EUR");
	payment.method = conformance->wants_action;
	want(step(&payment, PAYMENT_AUTHORIZE, 1), PAYMENT_REQUIRES_ACTION);
	want(step(&payment, PAYMENT_VOID_AUTHORIZATION, 1), PAYMENT_VOIDED);
	want_books(&payment, 0, 0, 0, 0);
}

static void test_not_found(void **state)
{
	(void)state;
	struct payment payment = new_payment(4500, "EUR");
	snprintf(payment.reference, sizeof payment.reference, "pi_nobody_has_this");
	want(step(&payment, PAYMENT_LOOK_UP, 1), PAYMENT_NOT_FOUND);
	want(step(&payment, PAYMENT_AUTHORIZE, 1), PAYMENT_NOT_FOUND);
	want(step(&payment, PAYMENT_CAPTURE, 1), PAYMENT_NOT_FOUND);
	want(step(&payment, PAYMENT_VOID_AUTHORIZATION, 1), PAYMENT_NOT_FOUND);
	want(step(&payment, PAYMENT_REFUND, 1), PAYMENT_NOT_FOUND);
}

/* ---- Keys ---- */

static void test_same_key_same_answer(void **state)
{
	(void)state;
	struct payment payment = new_payment(4500, "EUR");
	char reference[PAYMENT_REFERENCE_SIZE];
	memcpy(reference, payment.reference, sizeof reference);
	const struct payment_result *result = step(&payment, PAYMENT_CREATE_INTENT, 1);
	want(result, PAYMENT_CREATED);
	assert_string_equal(reference, result->reference);
	for (int i = 0; i < 3; i++)
		want(step(&payment, PAYMENT_AUTHORIZE, 1), PAYMENT_AUTHORIZED);
	for (int i = 0; i < 3; i++)
		want(step(&payment, PAYMENT_CAPTURE, 1), PAYMENT_CAPTURED);
	/* The first answer, although the payment has gone on. */
	want(step(&payment, PAYMENT_AUTHORIZE, 1), PAYMENT_AUTHORIZED);
	want_books(&payment, 4500, 4500, 0, 0);
}

static void test_same_key_other_call(void **state)
{
	(void)state;
	struct payment payment = new_authorized();
	want(step(&payment, PAYMENT_CAPTURE, 1), PAYMENT_CAPTURED);
	payment.amount.minor = 1000;
	want(step(&payment, PAYMENT_REFUND, 1), PAYMENT_REFUNDED);
	payment.amount.minor = 2000;
	assert_int_equal(STATUS_REFUSED, step(&payment, PAYMENT_REFUND, 1)->status);
	want_books(&payment, 4500, 4500, 1000, 0);
}

/* ---- Events ---- */

/* Verified and read. Nobody else could have sent it, not even another text with the same meaning,
 * nor will it be believed for ever. */
static struct payment_event read_genuine(struct slice signature, struct slice body)
{
	static char longer[PAYMENT_EVENT_BYTES_MAX];
	struct payment_event event, forged;
	struct fault fault;
	int64_t now_ms = clock_wall_ms(clock_system());
	if (payment_read_event(provider, signature, body, now_ms, &event, &fault) != STATUS_OK)
		fail_msg("%s %s", fault.where, fault.what);
	assert_true(event.id[0] != '\0' && event.type[0] != '\0');

	assert_true(body.size < sizeof longer);
	memcpy(longer, body.data, body.size);
	longer[body.size] = ' ';
	struct slice other = {longer, body.size + 1};
	assert_int_equal(STATUS_REFUSED,
		payment_read_event(provider, signature, other, now_ms, &forged, &fault));
	now_ms += 24 * 3600 * 1000;
	assert_int_equal(STATUS_REFUSED,
		payment_read_event(provider, signature, body, now_ms, &forged, &fault));
	return event;
}

/* Read events until one is about this payment in this state. The others belong to other tests. */
static void want_event(const struct payment *payment, enum payment_outcome outcome)
{
	struct slice signature, body;
	int64_t end_ms = clock_monotonic_ms(clock_system()) + CONFORMANCE_WAIT_MS;
	while (clock_monotonic_ms(clock_system()) < end_ms) {
		if (!conformance->next_event(200, &signature, &body))
			continue;
		struct payment_event event = read_genuine(signature, body);
		if (strcmp(event.reference, payment->reference) == 0 && event.outcome == outcome)
			return;
	}
	fail_msg("there was no event of %s", payment_outcome_name(outcome));
}

static void test_events(void **state)
{
	(void)state;
	if (!conformance->next_event)
		skip();
	struct payment payment = new_authorized();
	want_event(&payment, PAYMENT_AUTHORIZED);
	step(&payment, PAYMENT_CAPTURE, 1);
	want_event(&payment, PAYMENT_CAPTURED);
	payment = new_payment(4500, "EUR");
	payment.method = conformance->declined;
	step(&payment, PAYMENT_AUTHORIZE, 1);
	want_event(&payment, PAYMENT_DECLINED);
	step(&payment, PAYMENT_VOID_AUTHORIZATION, 1);
	want_event(&payment, PAYMENT_VOIDED);
}

static void test_traits(void **state)
{
	(void)state;
	const struct payment_traits *traits = &provider->traits;
	assert_true(traits->name && traits->webhook_header);
	assert_true(traits->in_flight_max > 0);
	assert_true(traits->submitted_max >= traits->in_flight_max);
	assert_true(traits->key_ms_min > 0 && traits->authorization_ms_min > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_patient, close_and_heal)

int payment_provider_conformance_run(const struct payment_conformance *technology, const char *name)
{
	const struct CMUnitTest tests[] = {
		TEST(test_traits),
		TEST(test_conversation),
		TEST(test_looked_up_at_each_step),
		TEST(test_partial_capture),
		TEST(test_capture_of_too_much),
		TEST(test_void),
		TEST(test_void_before_authorize),
		TEST(test_too_late),
		TEST(test_refund),
		TEST(test_declined),
		TEST(test_action),
		TEST(test_void_while_action_is_required),
		TEST(test_not_found),
		TEST(test_same_key_same_answer),
		TEST(test_same_key_other_call),
		TEST(test_events),
		FAULT_CONFORMANCE_TESTS,
	};
	conformance = technology;
	return cmocka_run_group_tests_name(name, tests, technology->set_up, technology->tear_down);
}
