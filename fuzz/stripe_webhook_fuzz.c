/* Fuzzes what arrives at the endpoint for Stripe's webhooks: the first line is the header
 * Stripe-Signature, the rest is the body. */
#include "tech-two-phase-payments/stripe/stripe_webhook.h"

#include <jansson.h>
#include <stdlib.h>

#include "fuzz/fuzz.h"

/* The seeds that are genuine were signed with these. */
#define SECRET "whsec_fuzz_0123456789"
static const int64_t now_ms = INT64_C(1750000000000);

static void check_signature(struct slice header, struct slice body);
static void check_event(struct slice body);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice header, body = fuzz_slice(data, size);
	slice_split(&body, '\n', &header);
	if (!body.data)
		body = slice_of("");
	check_signature(header, body);
	check_event(body);
	return 0;
}

/* Whoever is believed has the signature that we would have made, for the time that it names. */
static void check_signature(struct slice header, struct slice body)
{
	static const char *const secrets[] = {"whsec_of_nobody_at_all", SECRET};
	const struct stripe_webhook_keys keys = {secrets, 2, STRIPE_TOLERANCE_MS};
	struct fault fault;
	enum status status = stripe_webhook_verify(&keys, header, body, now_ms, &fault);
	if (status != STATUS_OK) {
		assert(status == STATUS_REFUSED);
		fuzz_assert_fault(&fault);
		return;
	}
	bool found = false;
	char *text = malloc(header.size + 1);
	assert(text);
	/* A part that does not count may have a zero byte, where the search would end. */
	for (size_t i = 0; i < header.size; i++)
		text[i] = header.data[i] != '\0' ? header.data[i] : ' ';
	text[header.size] = '\0';
	for (int64_t s = -STRIPE_TOLERANCE_MS / 1000; s <= STRIPE_TOLERANCE_MS / 1000; s++) {
		char ours[256];
		assert(stripe_webhook_sign(SECRET, body, now_ms + s * 1000, ours, sizeof ours));
		char *signature = strchr(ours, ',') + 1;
		found |= strcasestr(text, signature) != NULL;
	}
	free(text);
	assert(found);
}

static bool is_plain(const char *text, size_t size_max)
{
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c >= 0x7F)
			return false;
	return strlen(text) < size_max;
}

static void check_texts(const struct payment_event *event)
{
	assert(event->id[0] != '\0' && is_plain(event->id, sizeof event->id));
	assert(event->type[0] != '\0' && is_plain(event->type, sizeof event->type));
	assert(is_plain(event->reference, sizeof event->reference));
	assert(is_plain(event->refund, sizeof event->refund));
	assert(is_plain(event->reason, sizeof event->reason));
	assert((unsigned)event->outcome < PAYMENT_OUTCOME_COUNT && event->created_ms >= 0);
	/* Without a payment there is nothing to be said of its state. */
	assert(event->outcome == PAYMENT_NONE || event->reference[0] != '\0');
	bool has_reason =
		event->outcome == PAYMENT_DECLINED || event->outcome == PAYMENT_REFUND_FAILED;
	assert(has_reason == (event->reason[0] != '\0'));
}

/* Spaces, escapes and the order of members are no part of an event. */
static void check_event(struct slice body)
{
	struct payment_event event, again;
	struct fault fault;
	enum status status = stripe_event_read(body, &event, &fault);
	if (status != STATUS_OK) {
		assert(status == STATUS_REFUSED && event.id[0] == '\0');
		fuzz_assert_fault(&fault);
		return;
	}
	check_texts(&event);
	json_t *tree = json_loadb(body.data, body.size, 0, NULL);
	assert(tree);
	char *text = json_dumps(tree, JSON_SORT_KEYS | JSON_ENSURE_ASCII | JSON_INDENT(1));
	assert(text);
	if (strlen(text) <= PAYMENT_EVENT_BYTES_MAX) {
		assert(stripe_event_read(slice_of(text), &again, &fault) == STATUS_OK);
		assert(event.outcome == again.outcome && event.created_ms == again.created_ms);
		assert(strcmp(event.id, again.id) == 0 && strcmp(event.type, again.type) == 0);
		assert(strcmp(event.reference, again.reference) == 0);
		assert(strcmp(event.refund, again.refund) == 0);
		assert(strcmp(event.reason, again.reason) == 0);
	}
	free(text);
	json_decref(tree);
}
