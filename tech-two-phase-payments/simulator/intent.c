/* See intent.h. Checks come first, so that a refused step has changed nothing. */
#include "tech-two-phase-payments/simulator/intent.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/id.h"

const char *const intent_status_names[] = {
	[INTENT_REQUIRES_PAYMENT_METHOD] = "requires_payment_method",
	[INTENT_REQUIRES_CONFIRMATION] = "requires_confirmation",
	[INTENT_REQUIRES_ACTION] = "requires_action",
	[INTENT_REQUIRES_CAPTURE] = "requires_capture",
	[INTENT_SUCCEEDED] = "succeeded",
	[INTENT_CANCELED] = "canceled",
};
const char *const capture_method_names[] = {
	[CAPTURE_AUTOMATIC] = "automatic",
	[CAPTURE_AUTOMATIC_ASYNC] = "automatic_async",
	[CAPTURE_MANUAL] = "manual",
};
const char *const cancel_reason_names[] = {
	[CANCEL_NO_REASON] = NULL,
	[CANCEL_DUPLICATE] = "duplicate",
	[CANCEL_FRAUDULENT] = "fraudulent",
	[CANCEL_REQUESTED_BY_CUSTOMER] = "requested_by_customer",
	[CANCEL_ABANDONED] = "abandoned",
	[CANCEL_AUTOMATIC] = "automatic",
};

static const char unexpected_state[] = "payment_intent_unexpected_state";

bool provider_refuse(struct provider_error *error, unsigned status, const char *code,
	const char *param, const char *message, ...)
{
	*error = (struct provider_error){
		.status = status, .type = "invalid_request_error", .code = code};
	if (param)
		snprintf(error->param, sizeof error->param, "%s", param);
	va_list arguments;
	va_start(arguments, message);
	vsnprintf(error->message, sizeof error->message, message, arguments);
	va_end(arguments);
	return false;
}

/* ---- Paying ---- */

static enum attempt decline(
	struct intent *intent, const struct decline *why, const struct step *step)
{
	memcpy(intent->charge, step->new_charge, sizeof intent->charge);
	intent->failure = why;
	intent->status = INTENT_REQUIRES_PAYMENT_METHOD;
	return ATTEMPT_DECLINED;
}

/* The bank has the customer's consent: it holds the amount, or declines. */
static enum attempt charge(struct intent *intent, const struct step *step)
{
	if (intent->card->decline)
		return decline(intent, intent->card->decline, step);
	memcpy(intent->charge, step->new_charge, sizeof intent->charge);
	intent->failure = NULL;
	if (intent->capture != CAPTURE_MANUAL) {
		intent->status = INTENT_SUCCEEDED;
		intent->received = intent->amount;
		return ATTEMPT_PAID;
	}
	intent->status = INTENT_REQUIRES_CAPTURE;
	intent->capturable = intent->amount;
	intent->capture_before_ms = step->now_ms + step->lifetime_ms;
	return ATTEMPT_AUTHORIZED;
}

enum attempt intent_confirm(struct intent *intent, const struct card *card, const struct step *step,
	struct provider_error *error)
{
	if (intent->status == INTENT_SUCCEEDED) {
		provider_refuse(error, 400, unexpected_state, NULL,
			"You cannot confirm this PaymentIntent because it has already succeeded "
			"after being previously confirmed.");
		return ATTEMPT_REFUSED;
	}
	if (intent->status == INTENT_REQUIRES_CAPTURE || intent->status == INTENT_CANCELED) {
		provider_refuse(error, 400, unexpected_state, NULL,
			"You cannot confirm this PaymentIntent because it has a status of %s. Only "
			"a PaymentIntent with one of the following statuses may be confirmed: "
			"requires_confirmation, requires_action.",
			intent_status_names[intent->status]);
		return ATTEMPT_REFUSED;
	}
	/* A card that has failed is no longer the intent's. */
	if (!card && intent->status != INTENT_REQUIRES_PAYMENT_METHOD)
		card = intent->card;
	if (!card) {
		provider_refuse(error, 400, unexpected_state, NULL,
			"You cannot confirm this PaymentIntent because it's missing a payment "
			"method. You can either update the PaymentIntent with a payment method and "
			"then confirm it again, or confirm it again directly with a payment "
			"method.");
		return ATTEMPT_REFUSED;
	}
	intent->card = card;
	intent->failure = NULL;
	if (!card->authenticates)
		return charge(intent, step);
	intent->status = INTENT_REQUIRES_ACTION;
	return ATTEMPT_REQUIRES_ACTION;
}

enum attempt intent_authenticate(struct intent *intent, enum attempt outcome,
	const struct step *step, struct provider_error *error)
{
	if (intent->status != INTENT_REQUIRES_ACTION) {
		provider_refuse(error, 400, unexpected_state, NULL,
			"This PaymentIntent has a status of %s; nobody has to authenticate.",
			intent_status_names[intent->status]);
		return ATTEMPT_REFUSED;
	}
	if (outcome == ATTEMPT_DECLINED)
		return decline(intent, &decline_authentication, step);
	return charge(intent, step);
}

/* ---- Afterwards ---- */

bool intent_capture(
	struct intent *intent, int64_t amount, int64_t *released, struct provider_error *error)
{
	if (intent->status != INTENT_REQUIRES_CAPTURE)
		return provider_refuse(error, 400, unexpected_state, NULL,
			"This PaymentIntent could not be captured because it has a status of %s. "
			"Only a PaymentIntent with one of the following statuses may be captured: "
			"requires_capture.",
			intent_status_names[intent->status]);
	if (amount > intent->capturable)
		return provider_refuse(error, 400, "amount_too_large", "amount_to_capture",
			"You cannot capture more than the amount that was authorized: %lld is "
			"greater than %lld.",
			(long long)amount, (long long)intent->capturable);
	if (amount == 0)
		amount = intent->capturable;
	*released = intent->capturable - amount;
	intent->status = INTENT_SUCCEEDED;
	intent->received = amount;
	intent->capturable = 0;
	return true;
}

static int64_t end(struct intent *intent, enum cancel_reason reason, int64_t now_ms)
{
	int64_t held = intent->capturable;
	intent->status = INTENT_CANCELED;
	intent->cancel_reason = reason;
	intent->canceled_s = now_ms / 1000;
	intent->capturable = 0;
	return held;
}

bool intent_cancel(struct intent *intent, enum cancel_reason reason, int64_t now_ms,
	int64_t *voided, struct provider_error *error)
{
	if (intent->status == INTENT_SUCCEEDED || intent->status == INTENT_CANCELED)
		return provider_refuse(error, 400, unexpected_state, NULL,
			"You cannot cancel this PaymentIntent because it has a status of %s. Only "
			"a PaymentIntent with one of the following statuses may be canceled: "
			"requires_payment_method, requires_capture, requires_confirmation, "
			"requires_action, processing.",
			intent_status_names[intent->status]);
	*voided = end(intent, reason, now_ms);
	return true;
}

int64_t intent_expire(struct intent *intent, int64_t now_ms)
{
	assert(intent->status == INTENT_REQUIRES_CAPTURE);
	return end(intent, CANCEL_AUTOMATIC, now_ms);
}

bool intent_refund(struct intent *intent, int64_t *amount, struct provider_error *error)
{
	int64_t left = intent->received - intent->refunded;
	if (intent->received == 0)
		return provider_refuse(error, 400, unexpected_state, "payment_intent",
			"This PaymentIntent (%s) does not have a successful charge to refund.",
			intent->id);
	if (left == 0)
		return provider_refuse(error, 400, "charge_already_refunded", NULL,
			"Charge %s has already been refunded.", intent->charge);
	if (*amount > left)
		return provider_refuse(error, 400, NULL, "amount",
			"Refund amount (%lld) is greater than unrefunded amount on charge (%lld)",
			(long long)*amount, (long long)left);
	if (*amount == 0)
		*amount = left;
	intent->refunded += *amount;
	return true;
}

/* ---- Objects ---- */

void intent_free(struct intent *intent)
{
	if (!intent)
		return;
	free(intent->description);
	free(intent->metadata);
	free(intent);
}

void refund_free(struct refund *refund)
{
	if (!refund)
		return;
	free(refund->metadata);
	free(refund);
}

void random_text_make(char *text, size_t size)
{
	static const char letters[] =
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz01";
	random_bytes(text, size - 1);
	for (size_t i = 0; i + 1 < size; i++)
		text[i] = letters[(unsigned char)text[i] % (sizeof letters - 1)];
	text[size - 1] = '\0';
}

void object_id_make(const char *prefix, char id[OBJECT_ID_SIZE])
{
	enum { RANDOM_SIZE = 25 };
	int size = snprintf(id, OBJECT_ID_SIZE - RANDOM_SIZE + 1, "%s", prefix);
	assert(size > 0 && size <= OBJECT_ID_SIZE - RANDOM_SIZE);
	random_text_make(id + size, RANDOM_SIZE);
}
