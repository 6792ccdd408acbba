/* Stripe's objects: payment intents, charges and refunds as JSON. See stripe_reply.h. */
#include "lib/base/json_guard.h"
#include "tech-two-phase-payments/stripe/stripe_reply.h"
#include "tech-two-phase-payments/stripe/stripe_request.h"

static void copy_reason(char reason[PAYMENT_REASON_SIZE], struct slice text);

json_t *stripe_json_load(struct slice text, size_t size_max)
{
	const struct json_limits limits = {
		.size_max = size_max, .depth_max = 32, .containers_max = 4096, .tokens_max = 32768};
	if (json_guard(text, &limits, NULL) != STATUS_OK)
		return NULL;
	json_t *object = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(object)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

struct slice stripe_json_text(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	if (!json_is_string(value))
		return (struct slice){"", 0};
	return (struct slice){json_string_value(value), json_string_length(value)};
}

struct slice stripe_json_id(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	return json_is_object(value) ? stripe_json_text(value, "id")
				     : stripe_json_text(object, name);
}

bool stripe_copy_id(struct slice id, char copy[PAYMENT_REFERENCE_SIZE])
{
	copy[0] = '\0';
	if (!stripe_is_id(id))
		return false;
	memcpy(copy, id.data, id.size);
	copy[id.size] = '\0';
	return true;
}

enum payment_outcome stripe_intent_state(const json_t *intent, char reason[PAYMENT_REASON_SIZE])
{
	static const struct {
		const char *status;
		enum payment_outcome outcome;
	} states[] = {
		{"requires_payment_method", PAYMENT_CREATED},
		{"requires_confirmation", PAYMENT_CREATED},
		{"requires_action", PAYMENT_REQUIRES_ACTION},
		{"processing", PAYMENT_PENDING},
		{"requires_capture", PAYMENT_AUTHORIZED},
		{"succeeded", PAYMENT_CAPTURED},
		{"canceled", PAYMENT_VOIDED},
	};
	struct slice status = stripe_json_text(intent, "status");
	reason[0] = '\0';
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		if (!slice_is(status, states[i].status))
			continue;
		/* What failed leaves the intent waiting for another payment method. */
		const json_t *error = json_object_get(intent, "last_payment_error");
		if (i > 0 || !json_is_object(error))
			return states[i].outcome;
		struct slice why = stripe_json_text(error, "decline_code");
		copy_reason(reason, why.size > 0 ? why : stripe_json_text(error, "code"));
		return PAYMENT_DECLINED;
	}
	return PAYMENT_NONE;
}

enum payment_outcome stripe_refund_state(const json_t *refund, char reason[PAYMENT_REASON_SIZE])
{
	struct slice status = stripe_json_text(refund, "status");
	reason[0] = '\0';
	if (slice_is(status, "succeeded"))
		return PAYMENT_REFUNDED;
	if (slice_is(status, "pending") || slice_is(status, "requires_action"))
		return PAYMENT_PENDING;
	if (!slice_is(status, "failed") && !slice_is(status, "canceled"))
		return PAYMENT_NONE;
	struct slice why = stripe_json_text(refund, "failure_reason");
	copy_reason(reason, why.size > 0 ? why : status);
	return PAYMENT_REFUND_FAILED;
}

/* Stripe's codes are words with underscores; anything else is not passed on to logs and clients. */
static void copy_reason(char reason[PAYMENT_REASON_SIZE], struct slice text)
{
	if (!stripe_is_id(text) || text.size >= PAYMENT_REASON_SIZE)
		text = slice_of("unknown");
	memcpy(reason, text.data, text.size);
	reason[text.size] = '\0';
}
