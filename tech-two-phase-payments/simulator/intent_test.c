/* The state machine of intents: each step in each state, legal or not, and the money it moves. */
#include "tech-two-phase-payments/simulator/intent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { AMOUNT = 4500, NOW_MS = 1000000, LIFETIME_MS = 5000 };

static const struct step step = {
	.now_ms = NOW_MS, .lifetime_ms = LIFETIME_MS, .new_charge = "ch_new"};

static struct intent make(enum intent_status status)
{
	struct intent intent = {.id = "pi_1",
		.currency = "eur",
		.status = status,
		.capture = CAPTURE_MANUAL,
		.amount = AMOUNT};
	if (status != INTENT_REQUIRES_PAYMENT_METHOD)
		intent.card = card_find(slice_of("pm_card_visa"));
	if (status == INTENT_REQUIRES_CAPTURE)
		intent.capturable = AMOUNT;
	if (status == INTENT_SUCCEEDED)
		intent.received = AMOUNT;
	return intent;
}

static const struct card *card(const char *name)
{
	const struct card *found = card_find(slice_of(name));
	assert_non_null(found);
	return found;
}

static void want_unexpected_state(const struct provider_error *error)
{
	assert_int_equal(400, error->status);
	assert_string_equal("payment_intent_unexpected_state", error->code);
	assert_string_equal("invalid_request_error", error->type);
	assert_true(error->message[0] != '\0');
}

static bool is_same(const struct intent *a, const struct intent *b)
{
	return a->status == b->status && a->cancel_reason == b->cancel_reason &&
		a->card == b->card && a->failure == b->failure && a->amount == b->amount &&
		a->capturable == b->capturable && a->received == b->received &&
		a->refunded == b->refunded && a->canceled_s == b->canceled_s &&
		a->capture_before_ms == b->capture_before_ms && strcmp(a->charge, b->charge) == 0;
}

/* Which steps each state allows. */
static void test_every_step_in_every_state(void **state)
{
	(void)state;
	static const struct {
		bool confirm, authenticate, capture, cancel, refund;
	} allowed[INTENT_STATUS_COUNT] = {
		[INTENT_REQUIRES_PAYMENT_METHOD] = {true, false, false, true, false},
		[INTENT_REQUIRES_CONFIRMATION] = {true, false, false, true, false},
		[INTENT_REQUIRES_ACTION] = {true, true, false, true, false},
		[INTENT_REQUIRES_CAPTURE] = {false, false, true, true, false},
		[INTENT_SUCCEEDED] = {false, false, false, false, true},
		[INTENT_CANCELED] = {false, false, false, false, false},
	};
	for (enum intent_status i = 0; i < INTENT_STATUS_COUNT; i++) {
		struct provider_error error;
		int64_t amount = 0;
		struct intent intent = make(i), before = intent;
		bool done = intent_confirm(&intent, card("pm_card_visa"), &step, &error) !=
			ATTEMPT_REFUSED;
		assert_int_equal(allowed[i].confirm, done);
		if (!done)
			want_unexpected_state(&error);
		assert_true(done || is_same(&before, &intent));

		intent = before;
		done = intent_authenticate(&intent, ATTEMPT_AUTHORIZED, &step, &error) !=
			ATTEMPT_REFUSED;
		assert_int_equal(allowed[i].authenticate, done);
		assert_true(done || is_same(&before, &intent));

		intent = before;
		done = intent_capture(&intent, 0, &amount, &error);
		assert_int_equal(allowed[i].capture, done);
		if (!done)
			want_unexpected_state(&error);
		assert_true(done || is_same(&before, &intent));

		intent = before;
		done = intent_cancel(&intent, CANCEL_DUPLICATE, NOW_MS, &amount, &error);
		assert_int_equal(allowed[i].cancel, done);
		if (!done)
			want_unexpected_state(&error);
		assert_true(done || is_same(&before, &intent));

		intent = before;
		amount = 0;
		done = intent_refund(&intent, &amount, &error);
		assert_int_equal(allowed[i].refund, done);
		assert_true(done || is_same(&before, &intent));
	}
}

static void test_authorize_and_capture(void **state)
{
	(void)state;
	struct provider_error error;
	struct intent intent = make(INTENT_REQUIRES_CONFIRMATION);
	int64_t released;
	assert_int_equal(ATTEMPT_AUTHORIZED, intent_confirm(&intent, NULL, &step, &error));
	assert_int_equal(INTENT_REQUIRES_CAPTURE, intent.status);
	assert_int_equal(AMOUNT, intent.capturable);
	assert_int_equal(0, intent.received);
	assert_int_equal(NOW_MS + LIFETIME_MS, intent.capture_before_ms);
	assert_string_equal("ch_new", intent.charge);
	assert_false(intent_capture(&intent, AMOUNT + 1, &released, &error));
	assert_string_equal("amount_too_large", error.code);
	assert_true(intent_capture(&intent, 4000, &released, &error));
	assert_int_equal(500, released);
	assert_int_equal(4000, intent.received);
	assert_int_equal(0, intent.capturable);
}

static void test_automatic_capture(void **state)
{
	(void)state;
	struct provider_error error;
	struct intent intent = make(INTENT_REQUIRES_CONFIRMATION);
	intent.capture = CAPTURE_AUTOMATIC;
	assert_int_equal(ATTEMPT_PAID, intent_confirm(&intent, NULL, &step, &error));
	assert_int_equal(INTENT_SUCCEEDED, intent.status);
	assert_int_equal(AMOUNT, intent.received);
}

static void test_declined_and_tried_again(void **state)
{
	(void)state;
	struct provider_error error;
	struct intent intent = make(INTENT_REQUIRES_PAYMENT_METHOD);
	assert_int_equal(ATTEMPT_DECLINED,
		intent_confirm(&intent, card("pm_card_visa_chargeDeclinedInsufficientFunds"), &step,
			&error));
	assert_int_equal(INTENT_REQUIRES_PAYMENT_METHOD, intent.status);
	assert_string_equal("card_declined", intent.failure->code);
	assert_string_equal("insufficient_funds", intent.failure->decline_code);
	assert_int_equal(0, intent.capturable);
	/* The card that failed is no longer the intent's. */
	assert_int_equal(ATTEMPT_REFUSED, intent_confirm(&intent, NULL, &step, &error));
	want_unexpected_state(&error);
	assert_int_equal(
		ATTEMPT_AUTHORIZED, intent_confirm(&intent, card("pm_card_visa"), &step, &error));
	assert_null(intent.failure);
}

static void test_authentication(void **state)
{
	(void)state;
	struct provider_error error;
	struct intent intent = make(INTENT_REQUIRES_PAYMENT_METHOD);
	const struct card *secure = card("pm_card_authenticationRequired");
	assert_int_equal(ATTEMPT_REQUIRES_ACTION, intent_confirm(&intent, secure, &step, &error));
	assert_int_equal(0, intent.capturable);
	assert_int_equal(
		ATTEMPT_DECLINED, intent_authenticate(&intent, ATTEMPT_DECLINED, &step, &error));
	assert_int_equal(INTENT_REQUIRES_PAYMENT_METHOD, intent.status);
	assert_string_equal("payment_intent_authentication_failure", intent.failure->code);
	assert_int_equal(ATTEMPT_REQUIRES_ACTION, intent_confirm(&intent, secure, &step, &error));
	assert_int_equal(ATTEMPT_AUTHORIZED,
		intent_authenticate(&intent, ATTEMPT_AUTHORIZED, &step, &error));
	assert_int_equal(AMOUNT, intent.capturable);
}

static void test_cancel_gives_back_what_was_held(void **state)
{
	(void)state;
	struct provider_error error;
	int64_t voided = -1;
	struct intent intent = make(INTENT_REQUIRES_CONFIRMATION);
	assert_true(intent_cancel(&intent, CANCEL_ABANDONED, NOW_MS, &voided, &error));
	assert_int_equal(0, voided);
	intent = make(INTENT_REQUIRES_CAPTURE);
	assert_true(intent_cancel(&intent, CANCEL_ABANDONED, NOW_MS, &voided, &error));
	assert_int_equal(AMOUNT, voided);
	assert_int_equal(0, intent.capturable);
	assert_int_equal(NOW_MS / 1000, intent.canceled_s);
	intent = make(INTENT_REQUIRES_CAPTURE);
	assert_int_equal(AMOUNT, intent_expire(&intent, NOW_MS));
	assert_int_equal(INTENT_CANCELED, intent.status);
	assert_int_equal(CANCEL_AUTOMATIC, intent.cancel_reason);
}

static void test_refunds_never_exceed_what_was_captured(void **state)
{
	(void)state;
	struct provider_error error;
	struct intent intent = make(INTENT_SUCCEEDED);
	int64_t amount = 4000;
	assert_true(intent_refund(&intent, &amount, &error));
	amount = 501;
	assert_false(intent_refund(&intent, &amount, &error));
	assert_string_equal("amount", error.param);
	amount = 0;
	assert_true(intent_refund(&intent, &amount, &error));
	assert_int_equal(500, amount);
	amount = 0;
	assert_false(intent_refund(&intent, &amount, &error));
	assert_string_equal("charge_already_refunded", error.code);
}

static void test_declines_keep_their_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; decline_at(i); i++)
		assert_int_equal(i, decline_number(decline_at(i)));
	assert_ptr_equal(&decline_authentication, decline_at(0));
	assert_string_equal("insufficient_funds", decline_at(2)->decline_code);
	assert_null(card_find(slice_of("4242424242424242")));
	assert_null(card_find(slice_of("")));
}

static void test_ids_are_long_and_different(void **state)
{
	(void)state;
	char a[OBJECT_ID_SIZE], b[OBJECT_ID_SIZE];
	object_id_make("pi_", a);
	object_id_make("pi_", b);
	assert_int_equal(27, strlen(a));
	assert_string_not_equal(a, b);
	assert_true(slice_is_id(slice_of(a), OBJECT_ID_SIZE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_step_in_every_state),
		cmocka_unit_test(test_authorize_and_capture),
		cmocka_unit_test(test_automatic_capture),
		cmocka_unit_test(test_declined_and_tried_again),
		cmocka_unit_test(test_authentication),
		cmocka_unit_test(test_cancel_gives_back_what_was_held),
		cmocka_unit_test(test_refunds_never_exceed_what_was_captured),
		cmocka_unit_test(test_declines_keep_their_numbers),
		cmocka_unit_test(test_ids_are_long_and_different),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
