/* Each decision of a payment's steps, by table: what is asked for in which state, and what each
 * answer makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tech-two-phase-payments/order_step.h"

enum { TOTAL = 4500, NOW_MS = 1000000, MINUTE_MS = 60000, HOUR_MS = 3600000 };

static const struct order_rules rules = {.finalize_ms = 10 * MINUTE_MS,
	.action_ms = 5 * MINUTE_MS,
	.margin_ms = HOUR_MS,
	.key_ms_min = 24 * HOUR_MS,
	.authorization_ms_min = 100 * HOUR_MS,
	.now_ms = NOW_MS};

static struct order_payment payment_of(enum order_status status)
{
	bool paid = status == ORDER_PAID;
	return (struct order_payment){.status = status,
		.has_intent = true,
		.total = TOTAL,
		.captured = paid ? TOTAL : 0,
		.age_ms = MINUTE_MS};
}

static struct payment_result answer_of(enum payment_outcome outcome)
{
	return (struct payment_result){.status = STATUS_OK, .outcome = outcome};
}

static struct order_verdict begin(const struct order_payment *payment)
{
	struct order_verdict verdict;
	order_step_begin(payment, &rules, &verdict);
	return verdict;
}

static struct order_verdict settle(const struct order_payment *payment,
	enum payment_operation operation, const struct payment_result *result)
{
	struct order_verdict verdict;
	order_step_settle(payment, operation, result, &rules, &verdict);
	return verdict;
}

static void assert_calls(const struct order_payment *payment, enum payment_operation operation)
{
	struct order_verdict verdict = begin(payment);
	assert_int_equal(ORDER_CALLS, verdict.kind);
	assert_int_equal(operation, verdict.operation);
}

static void assert_moves(struct order_verdict verdict, enum order_status status)
{
	assert_int_equal(ORDER_MOVES, verdict.kind);
	assert_int_equal(status, verdict.next);
}

static void each_status_asks_for_its_step(void **state)
{
	(void)state;
	struct order_payment payment = payment_of(ORDER_AUTHORIZING);
	assert_calls(&payment, PAYMENT_AUTHORIZE);
	payment.has_intent = false;
	assert_calls(&payment, PAYMENT_CREATE_INTENT);
	assert_int_equal(TOTAL, begin(&payment).amount);
	payment = payment_of(ORDER_REQUIRES_ACTION);
	assert_calls(&payment, PAYMENT_LOOK_UP);
	payment.age_ms = 0; /* Nobody is that quick. */
	assert_int_equal(ORDER_WAITS, begin(&payment).kind);
	payment = payment_of(ORDER_CAPTURING);
	assert_calls(&payment, PAYMENT_CAPTURE);
	assert_int_equal(TOTAL, begin(&payment).amount);
	payment.ending = ORDER_ENDS_BY_CANCEL; /* Has to wait. */
	assert_calls(&payment, PAYMENT_CAPTURE);
	payment = payment_of(ORDER_AUTHORIZED);
	assert_int_equal(ORDER_GIVES_UP, begin(&payment).kind);
}

/* What was not answered, or may be forgotten, is asked after before anything is sent again. */
static void doubt_is_settled_first(void **state)
{
	(void)state;
	static const enum order_status statuses[] = {
		ORDER_AUTHORIZING, ORDER_CAPTURING, ORDER_AUTHORIZED, ORDER_PAID};
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		struct order_payment payment = payment_of(statuses[i]);
		if (statuses[i] == ORDER_AUTHORIZED || statuses[i] == ORDER_PAID)
			payment.ending = ORDER_ENDS_BY_CANCEL;
		payment.look_up = ORDER_LOOK_UP_WORN;
		assert_calls(&payment, PAYMENT_LOOK_UP);
		payment.look_up = ORDER_LOOK_UP_PENDING;
		assert_calls(&payment, PAYMENT_LOOK_UP);
		payment.look_up = ORDER_LOOK_UP_NONE;
		payment.key_age_ms = 24 * HOUR_MS;
		assert_calls(&payment, PAYMENT_LOOK_UP);
	}
}

static void mark_is_carried_out_by_status(void **state)
{
	(void)state;
	for (int status = 0; status < ORDER_STATUS_COUNT; status++) {
		struct order_payment payment = payment_of((enum order_status)status);
		payment.ending = ORDER_ENDS_BY_CANCEL;
		switch (payment.status) {
		case ORDER_CAPTURING:
			break;
		case ORDER_PAID:
			assert_calls(&payment, PAYMENT_REFUND);
			assert_int_equal(TOTAL, begin(&payment).amount);
			payment.refunded = 500;
			assert_int_equal(TOTAL - 500, begin(&payment).amount);
			break;
		case ORDER_CANCELED:
		case ORDER_EXPIRED:
		case ORDER_REFUNDED:
			assert_int_equal(ORDER_GIVES_UP, begin(&payment).kind);
			break;
		default:
			assert_calls(&payment, PAYMENT_VOID_AUTHORIZATION);
			payment.has_intent = false;
			assert_moves(begin(&payment), ORDER_CANCELED);
		}
	}
	struct order_payment payment = payment_of(ORDER_REQUIRES_CONFIRMATION);
	payment.ending = ORDER_ENDS_BY_EXPIRY;
	payment.has_intent = false;
	assert_moves(begin(&payment), ORDER_EXPIRED);
}

static void intent_is_stored_before_it_is_used(void **state)
{
	(void)state;
	struct order_payment payment = payment_of(ORDER_AUTHORIZING);
	struct payment_result result = answer_of(PAYMENT_CREATED);
	payment.has_intent = false;
	struct order_verdict verdict = settle(&payment, PAYMENT_CREATE_INTENT, &result);
	assert_int_equal(ORDER_WAITS, verdict.kind);
	assert_int_equal(0, verdict.delay_ms);
	assert_true(verdict.stores_intent && !verdict.next_attempt);

	result = (struct payment_result){
		.status = STATUS_UNKNOWN, .next = PAYMENT_NEXT_LOOK_UP, .detail = "HTTP 500"};
	verdict = settle(&payment, PAYMENT_CREATE_INTENT, &result);
	assert_int_equal(ORDER_RETRIES, verdict.kind);
	assert_true(verdict.next_attempt && !verdict.stores_intent);

	result = (struct payment_result){.status = STATUS_REFUSED, .reason = "amount_too_small"};
	verdict = settle(&payment, PAYMENT_CREATE_INTENT, &result);
	assert_moves(verdict, ORDER_DECLINED);
	assert_string_equal("amount_too_small", verdict.reason);
}

/* For each status and operation: no answer, or one that says nothing of the payment. */
static void lost_answers_settle_nothing(void **state)
{
	(void)state;
	static const struct {
		enum order_status status;
		enum order_ending ending;
		enum payment_operation operation;
	} cases[] = {
		{ORDER_AUTHORIZING, ORDER_GOES_ON, PAYMENT_AUTHORIZE},
		{ORDER_CAPTURING, ORDER_GOES_ON, PAYMENT_CAPTURE},
		{ORDER_AUTHORIZED, ORDER_ENDS_BY_CANCEL, PAYMENT_VOID_AUTHORIZATION},
		{ORDER_PAID, ORDER_ENDS_BY_CANCEL, PAYMENT_REFUND},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct order_payment payment = payment_of(cases[i].status);
		payment.ending = cases[i].ending;
		for (enum status status = STATUS_UNAVAILABLE; status <= STATUS_UNKNOWN; status++) {
			struct payment_result result = {.status = status,
				.next = PAYMENT_NEXT_REPEAT,
				.retry_after_ms = 700,
				.detail = "lost"};
			struct order_verdict verdict =
				settle(&payment, cases[i].operation, &result);
			assert_int_equal(ORDER_RETRIES, verdict.kind);
			assert_int_equal(700, verdict.delay_ms);
			assert_int_equal(ORDER_LOOK_UP_NONE, verdict.look_up);
			assert_false(verdict.next_attempt); /* The same key. */
		}
		struct payment_result worn = {
			.status = STATUS_UNKNOWN, .next = PAYMENT_NEXT_LOOK_UP};
		struct order_verdict verdict = settle(&payment, cases[i].operation, &worn);
		assert_int_equal(ORDER_RETRIES, verdict.kind);
		assert_int_equal(ORDER_LOOK_UP_WORN, verdict.look_up);
		assert_false(verdict.next_attempt);

		struct payment_result refused = {.status = STATUS_REFUSED, .detail = "HTTP 400"};
		verdict = settle(&payment, cases[i].operation, &refused);
		assert_int_equal(ORDER_GIVES_UP, verdict.kind);
		assert_string_equal("HTTP 400", verdict.note);
	}
}

enum { MOVES = 100, WAITS, ANEW, GIVES_UP };

/* What each outcome makes: a status, or one of the above. */
static void assert_table(const struct order_payment *payment, enum payment_operation operation,
	const int expected[PAYMENT_OUTCOME_COUNT])
{
	for (int i = PAYMENT_CREATED; i < PAYMENT_OUTCOME_COUNT; i++) {
		struct payment_result result = answer_of((enum payment_outcome)i);
		if (i == PAYMENT_CAPTURED)
			result.captured.minor = TOTAL;
		struct order_verdict verdict = settle(payment, operation, &result);
		print_message("%s: %s\n", payment_operation_name(operation),
			payment_outcome_name((enum payment_outcome)i));
		if (expected[i] < MOVES) {
			assert_moves(verdict, (enum order_status)expected[i]);
		} else if (expected[i] == WAITS) {
			assert_int_equal(ORDER_WAITS, verdict.kind);
			assert_true(verdict.delay_ms > 0 && !verdict.next_attempt);
		} else if (expected[i] == ANEW) {
			assert_true(verdict.kind == ORDER_WAITS || verdict.kind == ORDER_RETRIES);
			assert_true(verdict.next_attempt);
			assert_int_equal(ORDER_LOOK_UP_NONE, verdict.look_up);
		} else {
			assert_int_equal(ORDER_GIVES_UP, verdict.kind);
			assert_non_null(verdict.note);
		}
	}
}

static void answers_to_authorizing(void **state)
{
	(void)state;
	static const int acted[PAYMENT_OUTCOME_COUNT] = {[PAYMENT_CREATED] = ORDER_DECLINED,
		[PAYMENT_DECLINED] = ORDER_DECLINED,
		[PAYMENT_REQUIRES_ACTION] = ORDER_REQUIRES_ACTION,
		[PAYMENT_PENDING] = WAITS,
		[PAYMENT_AUTHORIZED] = ORDER_AUTHORIZED,
		[PAYMENT_CAPTURED] = GIVES_UP,
		[PAYMENT_VOIDED] = ORDER_CANCELED,
		[PAYMENT_REFUNDED] = GIVES_UP,
		[PAYMENT_REFUND_FAILED] = GIVES_UP,
		[PAYMENT_NOT_FOUND] = GIVES_UP};
	int doubted[PAYMENT_OUTCOME_COUNT], action[PAYMENT_OUTCOME_COUNT];
	struct order_payment payment = payment_of(ORDER_AUTHORIZING);
	assert_table(&payment, PAYMENT_AUTHORIZE, acted);

	memcpy(doubted, acted, sizeof doubted);
	doubted[PAYMENT_CREATED] = doubted[PAYMENT_DECLINED] = ANEW;
	payment.look_up = ORDER_LOOK_UP_WORN;
	assert_table(&payment, PAYMENT_LOOK_UP, doubted);
	payment.look_up = ORDER_LOOK_UP_PENDING;
	assert_table(&payment, PAYMENT_LOOK_UP, acted);

	memcpy(action, acted, sizeof action);
	action[PAYMENT_REQUIRES_ACTION] = WAITS;
	payment = payment_of(ORDER_REQUIRES_ACTION);
	assert_table(&payment, PAYMENT_LOOK_UP, action);
}

static void answers_to_capturing(void **state)
{
	(void)state;
	static const int expected[PAYMENT_OUTCOME_COUNT] = {[PAYMENT_CREATED] = ORDER_CANCELED,
		[PAYMENT_DECLINED] = ORDER_CANCELED,
		[PAYMENT_REQUIRES_ACTION] = GIVES_UP,
		[PAYMENT_PENDING] = WAITS,
		[PAYMENT_AUTHORIZED] = ANEW,
		[PAYMENT_CAPTURED] = ORDER_PAID,
		[PAYMENT_VOIDED] = ORDER_CANCELED,
		[PAYMENT_REFUNDED] = GIVES_UP,
		[PAYMENT_REFUND_FAILED] = GIVES_UP,
		[PAYMENT_NOT_FOUND] = GIVES_UP};
	struct order_payment payment = payment_of(ORDER_CAPTURING);
	assert_table(&payment, PAYMENT_CAPTURE, expected);
	payment.look_up = ORDER_LOOK_UP_WORN;
	assert_table(&payment, PAYMENT_LOOK_UP, expected);
	payment.look_up = ORDER_LOOK_UP_PENDING;
	struct payment_result still = answer_of(PAYMENT_AUTHORIZED);
	assert_int_equal(ORDER_WAITS, settle(&payment, PAYMENT_LOOK_UP, &still).kind);
	assert_false(settle(&payment, PAYMENT_LOOK_UP, &still).next_attempt);
	struct payment_result taken = answer_of(PAYMENT_CAPTURED);
	taken.captured.minor = TOTAL;
	assert_int_equal(TOTAL, settle(&payment, PAYMENT_LOOK_UP, &taken).amount);
}

static void answers_to_voiding(void **state)
{
	(void)state;
	int expected[PAYMENT_OUTCOME_COUNT] = {[PAYMENT_CREATED] = ANEW,
		[PAYMENT_DECLINED] = ANEW,
		[PAYMENT_REQUIRES_ACTION] = ANEW,
		[PAYMENT_PENDING] = WAITS,
		[PAYMENT_AUTHORIZED] = ANEW,
		[PAYMENT_CAPTURED] = GIVES_UP,
		[PAYMENT_VOIDED] = ORDER_CANCELED,
		[PAYMENT_REFUNDED] = GIVES_UP,
		[PAYMENT_REFUND_FAILED] = GIVES_UP,
		[PAYMENT_NOT_FOUND] = GIVES_UP};
	struct order_payment payment = payment_of(ORDER_FINALIZED);
	payment.ending = ORDER_ENDS_BY_CANCEL;
	assert_table(&payment, PAYMENT_VOID_AUTHORIZATION, expected);
	payment.status = ORDER_AUTHORIZING;
	payment.look_up = ORDER_LOOK_UP_WORN;
	assert_table(&payment, PAYMENT_LOOK_UP, expected);
	expected[PAYMENT_VOIDED] = ORDER_EXPIRED;
	payment = payment_of(ORDER_AUTHORIZED);
	payment.ending = ORDER_ENDS_BY_EXPIRY;
	assert_table(&payment, PAYMENT_VOID_AUTHORIZATION, expected);
	/* A finalized order has its tickets and does not expire. */
	payment.status = ORDER_FINALIZED;
	struct payment_result voided = answer_of(PAYMENT_VOIDED);
	assert_int_equal(
		ORDER_GIVES_UP, settle(&payment, PAYMENT_VOID_AUTHORIZATION, &voided).kind);
}

static void answers_to_refunding(void **state)
{
	(void)state;
	int expected[PAYMENT_OUTCOME_COUNT];
	for (int i = 0; i < PAYMENT_OUTCOME_COUNT; i++)
		expected[i] = GIVES_UP;
	expected[PAYMENT_PENDING] = WAITS;
	expected[PAYMENT_REFUNDED] = ORDER_REFUNDED;
	struct order_payment payment = payment_of(ORDER_PAID);
	payment.ending = ORDER_ENDS_BY_CANCEL;
	assert_table(&payment, PAYMENT_REFUND, expected);
	expected[PAYMENT_CAPTURED] = ANEW;
	payment.look_up = ORDER_LOOK_UP_WORN;
	assert_table(&payment, PAYMENT_LOOK_UP, expected);

	/* What was given back already is not given back again. */
	struct payment_result part = answer_of(PAYMENT_CAPTURED);
	part.refunded.minor = 500;
	assert_int_equal(500, settle(&payment, PAYMENT_LOOK_UP, &part).amount);
	struct payment_result whole = answer_of(PAYMENT_REFUNDED);
	assert_int_equal(TOTAL, settle(&payment, PAYMENT_LOOK_UP, &whole).amount);
	/* One that is pending is waited for, but not for ever. */
	payment.look_up = ORDER_LOOK_UP_PENDING;
	assert_int_equal(ORDER_WAITS, settle(&payment, PAYMENT_LOOK_UP, &part).kind);
	payment.key_age_ms = 8 * 24 * (int64_t)HOUR_MS;
	assert_int_equal(ORDER_GIVES_UP, settle(&payment, PAYMENT_LOOK_UP, &part).kind);
}

static void authorization_is_given_up_before_it_ends(void **state)
{
	(void)state;
	struct order_payment payment = payment_of(ORDER_AUTHORIZING);
	struct payment_result result = answer_of(PAYMENT_AUTHORIZED);
	struct order_verdict verdict = settle(&payment, PAYMENT_AUTHORIZE, &result);
	assert_int_equal(10 * MINUTE_MS, verdict.stay_ms);
	assert_int_equal(NOW_MS + 100 * HOUR_MS, verdict.capture_before_ms);
	result.expires_ms = NOW_MS + HOUR_MS + MINUTE_MS;
	verdict = settle(&payment, PAYMENT_AUTHORIZE, &result);
	assert_int_equal(MINUTE_MS, verdict.stay_ms);
	assert_int_equal(result.expires_ms, verdict.capture_before_ms);
	result.expires_ms = NOW_MS + MINUTE_MS;
	assert_int_equal(0, settle(&payment, PAYMENT_AUTHORIZE, &result).stay_ms);
}

static void action_has_a_bounded_time(void **state)
{
	(void)state;
	struct order_payment payment = payment_of(ORDER_AUTHORIZING);
	struct payment_result result = answer_of(PAYMENT_REQUIRES_ACTION);
	struct order_verdict verdict = settle(&payment, PAYMENT_AUTHORIZE, &result);
	assert_int_equal(5 * MINUTE_MS, verdict.stay_ms);
	assert_null(verdict.next_action_url);
	memcpy(result.next_action_url, "https://x", sizeof "https://x");
	verdict = settle(&payment, PAYMENT_AUTHORIZE, &result);
	assert_string_equal("https://x", verdict.next_action_url);
	/* Asking again does not begin it anew. */
	payment.status = ORDER_REQUIRES_ACTION;
	assert_int_equal(-1, settle(&payment, PAYMENT_LOOK_UP, &result).stay_ms);
	payment.age_ms = 0;
	assert_int_equal(1000, settle(&payment, PAYMENT_LOOK_UP, &result).delay_ms);
	payment.age_ms = 24 * (int64_t)HOUR_MS;
	assert_int_equal(60000, settle(&payment, PAYMENT_LOOK_UP, &result).delay_ms);
}

static void an_order_of_nothing_needs_no_provider(void **state)
{
	(void)state;
	static const struct {
		enum order_status from;
		enum order_ending ending;
		enum order_status to;
	} table[] = {
		{ORDER_AUTHORIZING, ORDER_GOES_ON, ORDER_AUTHORIZED},
		{ORDER_CAPTURING, ORDER_GOES_ON, ORDER_PAID},
		{ORDER_CAPTURING, ORDER_ENDS_BY_CANCEL, ORDER_PAID},
		{ORDER_AUTHORIZED, ORDER_ENDS_BY_EXPIRY, ORDER_EXPIRED},
		{ORDER_FINALIZED, ORDER_ENDS_BY_CANCEL, ORDER_CANCELED},
		{ORDER_PAID, ORDER_ENDS_BY_CANCEL, ORDER_REFUNDED},
	};
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		const struct order_payment payment = {
			.status = table[i].from, .ending = table[i].ending};
		struct order_verdict verdict = begin(&payment);
		assert_moves(verdict, table[i].to);
		assert_int_equal(0, verdict.amount);
	}
}

static void names_are_those_of_the_table(void **state)
{
	(void)state;
	for (int i = 0; i <= ORDER_ENDS_BY_EXPIRY; i++) {
		const char *name = order_ending_name((enum order_ending)i);
		assert_int_equal(i, order_ending_parse(slice_of(name ? name : "")));
	}
	for (int i = 0; i <= ORDER_LOOK_UP_PENDING; i++) {
		const char *name = order_look_up_name((enum order_look_up)i);
		assert_int_equal(i, order_look_up_parse(slice_of(name ? name : "")));
	}
	assert_int_equal(ORDER_GOES_ON, order_ending_parse((struct slice){.data = NULL}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_status_asks_for_its_step),
		cmocka_unit_test(doubt_is_settled_first),
		cmocka_unit_test(mark_is_carried_out_by_status),
		cmocka_unit_test(intent_is_stored_before_it_is_used),
		cmocka_unit_test(lost_answers_settle_nothing),
		cmocka_unit_test(answers_to_authorizing),
		cmocka_unit_test(answers_to_capturing),
		cmocka_unit_test(answers_to_voiding),
		cmocka_unit_test(answers_to_refunding),
		cmocka_unit_test(authorization_is_given_up_before_it_ends),
		cmocka_unit_test(action_has_a_bounded_time),
		cmocka_unit_test(an_order_of_nothing_needs_no_provider),
		cmocka_unit_test(names_are_those_of_the_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
