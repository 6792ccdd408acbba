/* See stripe_reply.h.
 *
 * DESIGN. An answer is read in this order: is it Stripe's at all (a payment intent, a refund, or an
 * error object in JSON); is it about the payment that was asked for; which state does it tell. Only
 * then is the call settled. The HTTP status alone never settles anything, since any proxy between
 * may have made it.
 *
 * Sources: https://docs.stripe.com/api/errors, https://docs.stripe.com/error-low-level and
 * https://docs.stripe.com/api/idempotent_requests. Rate limits (429) and authentication (401, 403)
 * come before the layer that knows the keys, so they have applied nothing; a request that conflicts
 * with one under way (409) is not stored either, but the other one may well be applied. */
#include "tech-two-phase-payments/stripe/stripe_reply.h"

#include "tech-two-phase-payments/stripe/stripe_money.h"

/* What is known while an answer is read. */
struct reading {
	const struct payment_call *call;
	const struct stripe_answer *answer;
	struct payment_result *result;
};

static bool read_success(const struct reading *reading, const json_t *object);
static bool read_error(const struct reading *reading, const json_t *error);
static void settle_unread(const struct reading *reading, const json_t *error);
static bool take_intent(const struct reading *reading, const json_t *intent);
static bool take_refund(const struct reading *reading, const json_t *refund);
static void fail(const struct reading *reading, enum status status, enum payment_next next);
static void describe(const struct reading *reading, const json_t *error);

void stripe_reply_read(const struct payment_call *call, const struct stripe_answer *answer,
	struct payment_result *result)
{
	const struct reading reading = {call, answer, result};
	json_t *object = stripe_json_load(answer->body, STRIPE_REPLY_BYTES_MAX);
	const json_t *error = json_object_get(object, "error");
	bool success = answer->http_status >= 200 && answer->http_status < 300;
	result->replayed = answer->replayed;
	bool read = success ? read_success(&reading, object)
			    : json_is_object(error) && read_error(&reading, error);
	if (!read)
		settle_unread(&reading, error);
	if (result->status != STATUS_OK)
		describe(&reading, error);
	json_decref(object);
}

/* ---- What went well ---- */

static void settle(const struct reading *reading, enum payment_outcome outcome)
{
	struct payment_result *result = reading->result;
	result->status = STATUS_OK;
	result->outcome = outcome;
	result->next = PAYMENT_NEXT_NOTHING;
	if (reading->call->own.operation != PAYMENT_CREATE_INTENT)
		stripe_copy_id(reading->call->reference, result->reference);
}

static bool read_success(const struct reading *reading, const json_t *object)
{
	return reading->call->own.operation == PAYMENT_REFUND ? take_refund(reading, object)
							      : take_intent(reading, object);
}

static bool read_money(
	const json_t *object, const char *name, struct slice currency, struct money *money)
{
	const json_t *amount = json_object_get(object, name);
	return json_is_integer(amount) &&
		stripe_amount_read(json_integer_value(amount), currency, money);
}

/* Wall time in milliseconds; 0 if it is missing or makes no sense. */
static int64_t read_time_ms(const json_t *object, const char *name)
{
	const int64_t year_9999 = 253402300799;
	const json_t *value = json_object_get(object, name);
	int64_t seconds = json_integer_value(value);
	return json_is_integer(value) && seconds > 0 && seconds <= year_9999 ? seconds * 1000 : 0;
}

/* The charge says it exactly. Where it was not expanded, the shortest time that Stripe documents
 * for card payments over the Internet counts, from the intent's making on. */
static int64_t read_expiry_ms(const json_t *intent)
{
	const json_t *charge = json_object_get(intent, "latest_charge");
	const json_t *details = json_object_get(charge, "payment_method_details");
	int64_t ms = read_time_ms(json_object_get(details, "card"), "capture_before");
	if (ms > 0)
		return ms;
	int64_t created_ms = read_time_ms(intent, "created");
	return created_ms > 0 ? created_ms + STRIPE_AUTHORIZATION_MS_MIN : 0;
}

static bool read_action_url(const struct reading *reading, const json_t *intent)
{
	const json_t *action = json_object_get(intent, "next_action");
	struct slice url = stripe_json_text(json_object_get(action, "redirect_to_url"), "url");
	char *copy = reading->result->next_action_url;
	if (url.size == 0)
		return true; /* The intent was confirmed without a return_url. */
	bool known = slice_starts_with(url, "https://") ||
		(reading->answer->plain_urls && slice_starts_with(url, "http://"));
	if (!known || url.size >= PAYMENT_URL_SIZE)
		return false;
	for (size_t i = 0; i < url.size; i++)
		if (url.data[i] <= ' ' || url.data[i] >= 0x7F)
			return false;
	memcpy(copy, url.data, url.size);
	copy[url.size] = '\0';
	return true;
}

/* Whether the intent is the one that was asked for, in amount and currency for create_intent. */
static bool is_asked_for(const struct reading *reading, const json_t *intent, struct money amount)
{
	const struct payment_call *call = reading->call;
	if (call->own.operation == PAYMENT_CREATE_INTENT)
		return amount.minor == call->amount.minor &&
			strcmp(amount.currency, call->amount.currency) == 0;
	return slice_equal(stripe_json_text(intent, "id"), call->reference);
}

/* What is left of captured money once the charge's refunds are told. */
static bool read_captured(const json_t *intent, struct slice currency,
	struct payment_result *result, enum payment_outcome *outcome)
{
	const json_t *charge = json_object_get(intent, "latest_charge");
	if (!read_money(intent, "amount_received", currency, &result->captured))
		return false;
	if (json_is_object(charge) &&
		!read_money(charge, "amount_refunded", currency, &result->refunded))
		return false;
	if (result->captured.minor > 0 && result->refunded.minor >= result->captured.minor)
		*outcome = PAYMENT_REFUNDED;
	return true;
}

/* Take an intent's state as the answer. False: it is none, or another one. */
static bool take_intent(const struct reading *reading, const json_t *intent)
{
	struct payment_result *result = reading->result;
	struct payment_result taken = {0};
	struct slice currency = stripe_json_text(intent, "currency");
	struct money amount = {0};
	if (!slice_is(stripe_json_text(intent, "object"), "payment_intent") ||
		!stripe_copy_id(stripe_json_text(intent, "id"), taken.reference) ||
		!read_money(intent, "amount", currency, &amount) ||
		!is_asked_for(reading, intent, amount))
		return false;

	enum payment_outcome outcome = stripe_intent_state(intent, taken.reason);
	if (outcome == PAYMENT_NONE)
		return false;
	if (outcome == PAYMENT_AUTHORIZED) {
		if (!read_money(intent, "amount_capturable", currency, &taken.authorized))
			return false;
		taken.expires_ms = read_expiry_ms(intent);
	}
	if (outcome == PAYMENT_CAPTURED && !read_captured(intent, currency, &taken, &outcome))
		return false;
	if (outcome == PAYMENT_REQUIRES_ACTION && !read_action_url(reading, intent))
		return false;

	settle(reading, outcome);
	memcpy(result->reference, taken.reference, sizeof result->reference);
	memcpy(result->reason, taken.reason, sizeof result->reason);
	result->authorized = taken.authorized;
	result->captured = taken.captured;
	result->refunded = taken.refunded;
	result->expires_ms = taken.expires_ms;
	return true;
}

static bool take_refund(const struct reading *reading, const json_t *refund)
{
	struct payment_result *result = reading->result;
	char reason[PAYMENT_REASON_SIZE], id[PAYMENT_REFERENCE_SIZE];
	struct money amount = {0};
	enum payment_outcome outcome = stripe_refund_state(refund, reason);
	if (outcome == PAYMENT_NONE || !slice_is(stripe_json_text(refund, "object"), "refund") ||
		!slice_equal(stripe_json_id(refund, "payment_intent"), reading->call->reference) ||
		!stripe_copy_id(stripe_json_text(refund, "id"), id) ||
		!read_money(refund, "amount", stripe_json_text(refund, "currency"), &amount))
		return false;

	settle(reading, outcome);
	memcpy(result->refund, id, sizeof result->refund);
	memcpy(result->reason, reason, sizeof result->reason);
	if (outcome == PAYMENT_REFUNDED)
		result->refunded = amount;
	return true;
}

/* ---- Errors that Stripe describes ---- */

static void copy_code(char *copy, size_t size, struct slice text)
{
	snprintf(copy, size, "%.*s", text.size < size ? (int)text.size : 0, text.data);
	for (char *c = copy; *c; c++)
		if (!(*c == '_' || (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z')))
			*copy = '\0';
}

static void settle_because(
	const struct reading *reading, enum payment_outcome outcome, struct slice why)
{
	settle(reading, outcome);
	copy_code(reading->result->reason, sizeof reading->result->reason, why);
}

/* Errors that tell the payment's state by their code. */
static bool read_state_by_code(
	const struct reading *reading, const json_t *error, struct slice code)
{
	enum payment_operation operation = reading->call->own.operation;
	bool known = slice_is(code, "payment_intent_unexpected_state") ||
		slice_is(code, "charge_already_captured") ||
		slice_is(code, "charge_expired_for_capture");
	if (slice_is(code, "charge_already_refunded") && operation == PAYMENT_REFUND) {
		settle(reading, PAYMENT_REFUNDED);
		return true;
	}
	if (!known || operation == PAYMENT_REFUND)
		return false;
	if (take_intent(reading, json_object_get(error, "payment_intent")))
		return true;
	/* The error came without the intent: only its state can tell. */
	fail(reading, STATUS_UNKNOWN, PAYMENT_NEXT_LOOK_UP);
	return true;
}

/* The bank or Stripe's rules said no. */
static bool read_card_error(const struct reading *reading, const json_t *error, struct slice code)
{
	struct slice why = stripe_json_text(error, "decline_code");
	why = why.size > 0 ? why : code;
	if (reading->call->own.operation == PAYMENT_REFUND)
		settle_because(reading, PAYMENT_REFUND_FAILED, why);
	else if (take_intent(reading, json_object_get(error, "payment_intent")) &&
		reading->result->outcome != PAYMENT_CREATED)
		copy_code(reading->result->reason, sizeof reading->result->reason, why);
	else if (reading->call->own.operation == PAYMENT_AUTHORIZE)
		settle_because(reading, PAYMENT_DECLINED, why);
	else
		return reading->result->outcome == PAYMENT_CREATED;
	return true;
}

static bool names_payment(struct slice param)
{
	return param.size == 0 || slice_is(param, "intent") || slice_is(param, "id") ||
		slice_is(param, "payment_intent");
}

/* A 4xx that says what is wrong with the request. */
static bool read_request_error(
	const struct reading *reading, const json_t *error, struct slice code)
{
	enum payment_operation operation = reading->call->own.operation;
	struct slice param = stripe_json_text(error, "param");
	if (operation == PAYMENT_AUTHORIZE && slice_is(param, "payment_method"))
		settle_because(reading, PAYMENT_DECLINED, code);
	else if (slice_is(code, "resource_missing") && names_payment(param) &&
		operation != PAYMENT_CREATE_INTENT)
		settle(reading, PAYMENT_NOT_FOUND);
	else if (!read_state_by_code(reading, error, code))
		fail(reading, STATUS_REFUSED, PAYMENT_NEXT_NOTHING);
	return true;
}

/* False: it does not settle the call; the HTTP status decides how to go on. */
static bool read_error(const struct reading *reading, const json_t *error)
{
	struct slice type = stripe_json_text(error, "type");
	struct slice code = stripe_json_text(error, "code");
	switch (reading->answer->http_status) {
	case 400:
	case 402:
	case 404:
		if (slice_is(type, "card_error"))
			return read_card_error(reading, error, code);
		if (slice_is(type, "invalid_request_error") || slice_is(type, "idempotency_error"))
			return read_request_error(reading, error, code);
		return false;
	case 401:
	case 403:
	case 429:
		fail(reading, STATUS_UNAVAILABLE, PAYMENT_NEXT_REPEAT);
		return true;
	default:
		return false;
	}
}

/* ---- Everything else ---- */

/* Refused and unavailable speak of the last attempt; with one lost before it, nothing is known. */
static void fail(const struct reading *reading, enum status status, enum payment_next next)
{
	struct payment_result *result = reading->result;
	result->status = status;
	result->outcome = PAYMENT_NONE;
	result->next = next;
	if (reading->call->own.operation == PAYMENT_LOOK_UP) {
		result->status = status == STATUS_REFUSED ? status : STATUS_UNAVAILABLE;
		result->next = status == STATUS_REFUSED ? next : PAYMENT_NEXT_REPEAT;
	} else if (reading->answer->lost_before && status != STATUS_UNKNOWN) {
		result->status = STATUS_UNKNOWN;
		result->next = PAYMENT_NEXT_REPEAT;
	}
}

/* An answer that settles nothing: perhaps the call was applied. To repeat it is no use when that
 * would bring the same answer again: when it was stored under the key, or when it came from Stripe
 * as a success that we cannot read. */
static void settle_unread(const struct reading *reading, const json_t *error)
{
	const struct stripe_answer *answer = reading->answer;
	unsigned status = answer->http_status;
	bool success = status >= 200 && status < 300;
	bool stored = answer->replayed || success;
	if (json_is_object(error) && (status == 500 || status == 402))
		stored = true;
	if (slice_is(answer->should_retry, "true") && !answer->replayed)
		stored = false;
	if (slice_is(answer->should_retry, "false"))
		stored = true;
	fail(reading, STATUS_UNKNOWN, stored ? PAYMENT_NEXT_LOOK_UP : PAYMENT_NEXT_REPEAT);
}

/* "HTTP 400 invalid_request_error parameter_unknown metadata"; never the message, which quotes what
 * was sent. */
static void describe(const struct reading *reading, const json_t *error)
{
	static const char *const names[] = {"type", "code", "decline_code"};
	struct payment_result *result = reading->result;
	char code[PAYMENT_REASON_SIZE];
	snprintf(result->detail, sizeof result->detail, "HTTP %u", reading->answer->http_status);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		copy_code(code, sizeof code, stripe_json_text(error, names[i]));
		if (code[0] == '\0')
			continue;
		size_t size = strlen(result->detail);
		snprintf(result->detail + size, sizeof result->detail - size, " %s", code);
	}
	if (!json_is_object(error))
		snprintf(result->detail, sizeof result->detail,
			"HTTP %u with an answer that is not understood",
			reading->answer->http_status);
	else if (result->status == STATUS_REFUSED) {
		struct slice why = stripe_json_text(error, "code");
		copy_code(result->reason, sizeof result->reason,
			why.size > 0 ? why : stripe_json_text(error, "type"));
	}
}
