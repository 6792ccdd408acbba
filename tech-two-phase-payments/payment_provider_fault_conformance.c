/* What a provider must do when its peer fails: see payment_provider_conformance.h. */
#include "tech-two-phase-payments/payment_provider_internal_conformance.h"

/* The steps of a payment, and what the books say when each has been made. */
static const struct {
	enum payment_operation operation;
	enum payment_outcome outcome, before;
	int64_t authorized, captured, refunded;
} steps[] = {
	{PAYMENT_AUTHORIZE, PAYMENT_AUTHORIZED, PAYMENT_CREATED, 4500, 0, 0},
	{PAYMENT_CAPTURE, PAYMENT_CAPTURED, PAYMENT_AUTHORIZED, 4500, 4500, 0},
	{PAYMENT_REFUND, PAYMENT_REFUNDED, PAYMENT_CAPTURED, 4500, 4500, 4500},
};
enum { STEP_COUNT = sizeof steps / sizeof *steps };

static void want_unknown(const struct payment_result *result, enum payment_next next)
{
	if (result->status != STATUS_UNKNOWN || result->next != next)
		fail_msg("wanted unknown, %s; got %s %s, %s: %s", payment_next_name(next),
			status_name(result->status), payment_outcome_name(result->outcome),
			payment_next_name(result->next), result->detail);
}

static void want_books_after(const struct payment *payment, size_t made)
{
	size_t last = made > 0 ? made - 1 : 0;
	want_books(payment, made ? steps[last].authorized : 0, made ? steps[last].captured : 0,
		made ? steps[last].refunded : 0, 0);
}

/* The outcome is unknown; the same call with the same key finds it out, and takes effect once. */
static void fail_and_repeat(enum payment_fault fault, size_t applied)
{
	struct payment payment = new_payment(4500, "EUR");
	for (size_t i = 0; i < STEP_COUNT; i++) {
		enum payment_operation operation = steps[i].operation;
		conformance->inject(fault, operation, 0);
		want_unknown(step(&payment, operation, 1), PAYMENT_NEXT_REPEAT);
		want_unknown(step(&payment, operation, 1), PAYMENT_NEXT_REPEAT);
		want_books_after(&payment, i + applied);
		conformance->heal();
		want(step(&payment, operation, 1), steps[i].outcome);
		want_books_after(&payment, i + 1);
	}
	assert_int_equal(1, books_of(&payment).refunds);
}

void test_answer_lost(void **state)
{
	(void)state;
	fail_and_repeat(PAYMENT_FAULT_ANSWER_LOST, 1);
	/* An intent whose reference was lost is found again by its key. */
	struct payment payment = new_payment(4500, "EUR");
	char reference[PAYMENT_REFERENCE_SIZE];
	memcpy(reference, payment.reference, sizeof reference);
	conformance->inject(PAYMENT_FAULT_ANSWER_LOST, PAYMENT_CREATE_INTENT, 0);
	want_unknown(step(&payment, PAYMENT_CREATE_INTENT, 1), PAYMENT_NEXT_REPEAT);
	conformance->heal();
	assert_string_equal(reference, step(&payment, PAYMENT_CREATE_INTENT, 1)->reference);
	/* To look up has no effect, so it is unavailable and never unknown. */
	conformance->inject(PAYMENT_FAULT_ANSWER_LOST, PAYMENT_LOOK_UP, 0);
	const struct payment_result *result = step(&payment, PAYMENT_LOOK_UP, 1);
	assert_int_equal(STATUS_UNAVAILABLE, result->status);
	assert_int_equal(PAYMENT_NEXT_REPEAT, result->next);
}

void test_request_lost(void **state)
{
	(void)state;
	fail_and_repeat(PAYMENT_FAULT_REQUEST_LOST, 0);
}

/* One answer that is lost, the adapter asks for again by itself. */
void test_lost_once(void **state)
{
	(void)state;
	struct payment payment = new_payment(4500, "EUR");
	for (size_t i = 0; i < STEP_COUNT; i++) {
		conformance->inject(PAYMENT_FAULT_ANSWER_LOST, steps[i].operation, 1);
		const struct payment_result *result = step(&payment, steps[i].operation, 1);
		want(result, steps[i].outcome);
		assert_int_equal(2, result->attempts);
		assert_true(result->replayed);
		want_books_after(&payment, i + 1);
	}
}

/* An error that is not remembered: unknown all the same, since nobody tells which kind it was. The
 * look-up shows that nothing was done, and another attempt does it. */
void test_server_error(void **state)
{
	(void)state;
	struct payment payment = new_payment(4500, "EUR");
	for (size_t i = 0; i < STEP_COUNT; i++) {
		enum payment_operation operation = steps[i].operation;
		conformance->inject(PAYMENT_FAULT_SERVER_ERROR, operation, 1);
		assert_int_equal(STATUS_UNKNOWN, step(&payment, operation, 1)->status);
		want(step(&payment, PAYMENT_LOOK_UP, 1), steps[i].before);
		want_books_after(&payment, i);
		want(step(&payment, operation, 2), steps[i].outcome);
		want_books_after(&payment, i + 1);
	}
}

void test_stored_error(void **state)
{
	(void)state;
	struct payment payment = new_payment(4500, "EUR");
	for (size_t i = 0; i < STEP_COUNT; i++) {
		enum payment_operation operation = steps[i].operation;
		conformance->inject(PAYMENT_FAULT_STORED_ERROR, operation, 1);
		want_unknown(step(&payment, operation, 1), PAYMENT_NEXT_LOOK_UP);
		/* The key is worn out, though the peer is well again. */
		const struct payment_result *result = step(&payment, operation, 1);
		want_unknown(result, PAYMENT_NEXT_LOOK_UP);
		assert_true(result->replayed);
		want(step(&payment, PAYMENT_LOOK_UP, 1), steps[i].before);
		want(step(&payment, operation, 2), steps[i].outcome);
		want_books_after(&payment, i + 1);
	}
}

void test_stored_error_of_what_was_applied(void **state)
{
	(void)state;
	struct payment payment = new_payment(4500, "EUR");
	for (size_t i = 0; i < STEP_COUNT; i++) {
		enum payment_operation operation = steps[i].operation;
		conformance->inject(PAYMENT_FAULT_STORED_APPLIED, operation, 1);
		want_unknown(step(&payment, operation, 1), PAYMENT_NEXT_LOOK_UP);
		want_unknown(step(&payment, operation, 1), PAYMENT_NEXT_LOOK_UP);
		want(step(&payment, PAYMENT_LOOK_UP, 1), steps[i].outcome);
		want_books_after(&payment, i + 1);
	}
	/* Without a reference there is nothing to look up: the next attempt makes another intent,
	 * and the first one holds no money. */
	conformance->inject(PAYMENT_FAULT_STORED_APPLIED, PAYMENT_CREATE_INTENT, 1);
	want_unknown(step(&payment, PAYMENT_CREATE_INTENT, 2), PAYMENT_NEXT_LOOK_UP);
	want(step(&payment, PAYMENT_CREATE_INTENT, 3), PAYMENT_CREATED);
}

void test_rate_limited(void **state)
{
	(void)state;
	struct payment payment = new_payment(4500, "EUR");
	for (size_t i = 0; i < STEP_COUNT; i++) {
		conformance->inject(PAYMENT_FAULT_RATE_LIMITED, steps[i].operation, 1);
		const struct payment_result *result = step(&payment, steps[i].operation, 1);
		assert_int_equal(STATUS_UNAVAILABLE, result->status);
		assert_int_equal(PAYMENT_NEXT_REPEAT, result->next);
		want_books_after(&payment, i);
		want(step(&payment, steps[i].operation, 1), steps[i].outcome);
	}
}

/* A slow answer delays nobody else: others that were submitted behind it are done before it. */
void test_one_slow_answer(void **state)
{
	(void)state;
	struct payment slow = new_authorized(), other = new_payment(4500, "EUR");
	char key[PAYMENT_KEY_SIZE];
	struct payment_call *done = NULL;
	conformance->inject(PAYMENT_FAULT_SLOW, PAYMENT_CAPTURE, 1);
	slow.call = (struct payment_call){
		.key = payment_key(key, slice_of(slow.order), PAYMENT_CAPTURE, 1),
		.reference = slice_of(slow.reference),
		.amount = slow.amount,
	};
	other.call = (struct payment_call){.reference = slice_of(other.reference)};
	assert_int_equal(STATUS_OK, payment_capture(provider, &slow.call));
	assert_int_equal(STATUS_OK, payment_look_up(provider, &other.call));
	int64_t end_ms = clock_monotonic_ms(clock_system()) + CONFORMANCE_WAIT_MS;
	while (!done && clock_monotonic_ms(clock_system()) < end_ms)
		payment_collect(provider, 200, &done, 1);
	assert_ptr_equal(&other.call, done);
	want(&other.call.result, PAYMENT_CREATED);
	collect_one(&slow.call);
	want(&slow.call.result, PAYMENT_CAPTURED);
	assert_true(slow.call.result.took_us >= (PAYMENT_SLOW_MS - 100) * 1000);
}

/* The same call many times at once, as from many processes: one effect, and each finds it out. */
void test_same_key_at_once(void **state)
{
	(void)state;
	enum { COUNT = 50 };
	static struct payment_call calls[COUNT];
	struct payment payment = new_payment(4500, "EUR");
	char key[PAYMENT_KEY_SIZE];
	for (size_t i = 0; i < COUNT; i++) {
		calls[i] = (struct payment_call){
			.key = payment_key(key, slice_of(payment.order), PAYMENT_AUTHORIZE, 1),
			.reference = slice_of(payment.reference),
			.payment_method = slice_of(payment.method),
		};
		assert_int_equal(STATUS_OK, payment_authorize(provider, &calls[i]));
	}
	size_t count = 0, authorized = 0;
	int64_t end_ms = clock_monotonic_ms(clock_system()) + CONFORMANCE_WAIT_MS;
	while (authorized < COUNT && clock_monotonic_ms(clock_system()) < end_ms) {
		struct payment_call *done[COUNT];
		count = payment_collect(provider, 200, done, COUNT);
		for (size_t i = 0; i < count; i++) {
			if (done[i]->result.status == STATUS_OK) {
				want(&done[i]->result, PAYMENT_AUTHORIZED);
				authorized++;
				continue;
			}
			/* The key is in use: once more. */
			want_unknown(&done[i]->result, PAYMENT_NEXT_REPEAT);
			assert_int_equal(STATUS_OK, payment_authorize(provider, done[i]));
		}
	}
	assert_int_equal(COUNT, authorized);
	want_books(&payment, 4500, 0, 0, 0);
	assert_int_equal(1, books_of(&payment).authorizations);
}

/* The negative control: a caller that makes a new key after a lost answer, without looking up,
 * moves money twice, and the books show it. */
void test_a_new_key_is_a_new_effect(void **state)
{
	(void)state;
	struct payment payment = new_authorized();
	want(step(&payment, PAYMENT_CAPTURE, 1), PAYMENT_CAPTURED);
	payment.amount.minor = 1000;
	conformance->inject(PAYMENT_FAULT_ANSWER_LOST, PAYMENT_REFUND, 1);
	want_unknown(step(&payment, PAYMENT_REFUND, 1), PAYMENT_NEXT_REPEAT);
	want(step(&payment, PAYMENT_REFUND, 2), PAYMENT_REFUNDED);
	assert_int_equal(2, books_of(&payment).refunds);
	assert_int_equal(2000, books_of(&payment).refunded);
	/* Two intents of one order, both authorized: the buyer's money is held twice. */
	payment = new_authorized();
	struct payment twin = payment;
	const struct payment_result *result = step(&twin, PAYMENT_CREATE_INTENT, 2);
	want(result, PAYMENT_CREATED);
	assert_string_not_equal(payment.reference, result->reference);
	memcpy(twin.reference, result->reference, sizeof twin.reference);
	want(step(&twin, PAYMENT_AUTHORIZE, 2), PAYMENT_AUTHORIZED);
	assert_int_equal(4500, books_of(&payment).authorized);
	assert_int_equal(4500, books_of(&twin).authorized);
}
