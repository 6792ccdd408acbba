/* See stripe_webhook.h. */
#include "tech-two-phase-payments/stripe/stripe_webhook.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>

#include "tech-two-phase-payments/stripe/stripe_reply.h"

enum { HMAC_SIZE = crypto_auth_hmacsha256_BYTES, HMAC_TEXT_SIZE = 2 * HMAC_SIZE + 1 };

/* A header, taken apart. */
struct signature {
	struct slice time; /* As it was written, since that is what was signed. */
	int64_t time_ms;
	uint8_t v1[STRIPE_SIGNATURES_MAX][HMAC_SIZE];
	size_t v1_count;
};

static enum status parse_header(
	struct slice header, struct signature *signature, struct fault *fault);
static void compute(
	const char *secret, struct slice time, struct slice body, uint8_t hmac[HMAC_SIZE]);
static void read_object(const json_t *object, struct payment_event *event);

enum status stripe_webhook_verify(const struct stripe_webhook_keys *keys, struct slice header,
	struct slice body, int64_t now_ms, struct fault *fault)
{
	struct signature signature;
	enum status status = parse_header(header, &signature, fault);
	if (status != STATUS_OK)
		return status;
	if (body.size > PAYMENT_EVENT_BYTES_MAX)
		return fault_set(fault, "body", "is larger than %d bytes", PAYMENT_EVENT_BYTES_MAX);
	if (signature.time_ms < now_ms - keys->tolerance_ms ||
		signature.time_ms > now_ms + keys->tolerance_ms)
		return fault_set(fault, "signature", "is too old, or the clocks differ");

	/* All are compared, so that the time tells nothing of which one was nearly right. */
	bool genuine = false;
	for (size_t i = 0; i < keys->count; i++) {
		uint8_t hmac[HMAC_SIZE];
		compute(keys->secrets[i], signature.time, body, hmac);
		for (size_t j = 0; j < signature.v1_count; j++)
			genuine |= sodium_memcmp(hmac, signature.v1[j], HMAC_SIZE) == 0;
		sodium_memzero(hmac, sizeof hmac);
	}
	return genuine ? STATUS_OK : fault_set(fault, "signature", "is not the provider's");
}

size_t stripe_webhook_sign(
	const char *secret, struct slice body, int64_t now_ms, char *header, size_t size)
{
	char time[24], hex[HMAC_TEXT_SIZE];
	uint8_t hmac[HMAC_SIZE];
	snprintf(time, sizeof time, "%" PRId64, now_ms / 1000);
	compute(secret, slice_of(time), body, hmac);
	sodium_bin2hex(hex, sizeof hex, hmac, sizeof hmac);
	int written = snprintf(header, size, "t=%s,v1=%s", time, hex);
	return written > 0 && (size_t)written < size ? (size_t)written : 0;
}

static void compute(
	const char *secret, struct slice time, struct slice body, uint8_t hmac[HMAC_SIZE])
{
	crypto_auth_hmacsha256_state state;
	crypto_auth_hmacsha256_init(&state, (const uint8_t *)secret, strlen(secret));
	crypto_auth_hmacsha256_update(&state, (const uint8_t *)time.data, time.size);
	crypto_auth_hmacsha256_update(&state, (const uint8_t *)".", 1);
	crypto_auth_hmacsha256_update(&state, (const uint8_t *)body.data, body.size);
	crypto_auth_hmacsha256_final(&state, hmac);
	sodium_memzero(&state, sizeof state);
}

/* ---- The header ---- */

static bool parse_hex(struct slice text, uint8_t bytes[HMAC_SIZE])
{
	size_t size = 0;
	return text.size == HMAC_TEXT_SIZE - 1 &&
		sodium_hex2bin(bytes, HMAC_SIZE, text.data, text.size, NULL, &size, NULL) == 0 &&
		size == HMAC_SIZE;
}

static enum status parse_item(struct signature *signature, struct slice item, struct fault *fault)
{
	/* Above this, milliseconds would not fit; it is the year 9999. */
	const int64_t seconds_max = 253402300799;
	struct slice name, value = slice_trim(item);
	int64_t seconds;
	slice_split(&value, '=', &name);
	if (!value.data)
		return fault_set(fault, "signature", "is malformed");
	if (slice_is(name, "t")) {
		if (signature->time.data || !slice_to_integer(value, 0, seconds_max, &seconds))
			return fault_set(fault, "signature", "has no time, or two");
		signature->time = value;
		signature->time_ms = seconds * 1000;
	} else if (slice_is(name, "v1")) {
		if (signature->v1_count == STRIPE_SIGNATURES_MAX)
			return fault_set(fault, "signature", "has too many parts");
		/* One that is no hexadecimal number cannot be right; another may be. */
		if (parse_hex(value, signature->v1[signature->v1_count]))
			signature->v1_count++;
	}
	return STATUS_OK;
}

static enum status parse_header(
	struct slice header, struct signature *signature, struct fault *fault)
{
	struct slice item;
	*signature = (struct signature){0};
	if (header.size == 0 || header.size > STRIPE_SIGNATURE_SIZE_MAX)
		return fault_set(fault, "signature", "is missing or too large");
	while (slice_split(&header, ',', &item)) {
		enum status status = parse_item(signature, item, fault);
		if (status != STATUS_OK)
			return status;
	}
	if (!signature->time.data)
		return fault_set(fault, "signature", "has no time, or two");
	if (signature->v1_count == 0)
		return fault_set(fault, "signature", "has no part of the scheme v1");
	return STATUS_OK;
}

/* ---- The event ---- */

/* The types that Stripe sends are words with points and underscores. */
static bool copy_type(struct slice type, char copy[PAYMENT_EVENT_TYPE_SIZE])
{
	if (type.size >= PAYMENT_EVENT_TYPE_SIZE || !slice_is_id(type, PAYMENT_EVENT_TYPE_SIZE - 1))
		return false;
	memcpy(copy, type.data, type.size);
	copy[type.size] = '\0';
	return true;
}

enum status stripe_event_read(struct slice body, struct payment_event *event, struct fault *fault)
{
	*event = (struct payment_event){0};
	json_t *root = stripe_json_load(body, PAYMENT_EVENT_BYTES_MAX);
	const json_t *object = json_object_get(json_object_get(root, "data"), "object");
	const json_t *created = json_object_get(root, "created");
	enum status status = STATUS_OK;
	if (!root || !slice_is(stripe_json_text(root, "object"), "event"))
		status = fault_set(fault, "$", "is no event");
	else if (!stripe_copy_id(stripe_json_text(root, "id"), event->id))
		status = fault_set(fault, "$.id", "is no id of the provider");
	else if (!copy_type(stripe_json_text(root, "type"), event->type))
		status = fault_set(fault, "$.type", "is no type of event");
	else if (!json_is_object(object))
		status = fault_set(fault, "$.data.object", "is missing");
	if (status == STATUS_OK) {
		if (json_is_integer(created) && json_integer_value(created) > 0 &&
			json_integer_value(created) < INT64_MAX / 1000)
			event->created_ms = json_integer_value(created) * 1000;
		read_object(object, event);
	} else {
		*event = (struct payment_event){0};
	}
	json_decref(root);
	return status;
}

/* What is of no interest leaves the outcome NONE, and so does what cannot be understood: an event
 * is only a hint, and its payment will be looked up. */
static void read_object(const json_t *object, struct payment_event *event)
{
	struct slice kind = stripe_json_text(object, "object");
	if (slice_is(kind, "payment_intent")) {
		if (stripe_copy_id(stripe_json_text(object, "id"), event->reference))
			event->outcome = stripe_intent_state(object, event->reason);
	} else if (slice_is(kind, "refund")) {
		if (stripe_copy_id(stripe_json_id(object, "payment_intent"), event->reference) &&
			stripe_copy_id(stripe_json_text(object, "id"), event->refund))
			event->outcome = stripe_refund_state(object, event->reason);
	} else if (slice_is(kind, "charge")) {
		if (stripe_copy_id(stripe_json_id(object, "payment_intent"), event->reference) &&
			json_is_true(json_object_get(object, "refunded")))
			event->outcome = PAYMENT_REFUNDED;
	}
}
