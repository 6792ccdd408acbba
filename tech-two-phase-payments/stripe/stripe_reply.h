/* What Stripe's answers mean. Pure: the answer comes as text, so that each meaning can be tested
 * and fuzzed without a connection. */
#pragma once

#include <jansson.h>

#include "tech-two-phase-payments/payment_provider.h"

enum {
	STRIPE_REPLY_BYTES_MAX = 256 << 10,
	/* The shortest time for which a card payment over the Internet stays reserved: 4 days and
	 * 18 hours (https://docs.stripe.com/payments/place-a-hold-on-a-payment-method). */
	STRIPE_AUTHORIZATION_MS_MIN = 114 * 3600 * 1000,
};

struct stripe_answer {
	unsigned http_status;
	struct slice body;
	bool replayed;             /* Idempotent-Replayed: true. */
	struct slice should_retry; /* Stripe-Should-Retry: "true", "false" or empty. */
	bool lost_before;          /* An earlier attempt with this key was lost. */
	bool plain_urls;           /* A next_action_url may be http; else https only. */
};

/* Fill in status, outcome, next and what belongs to the outcome from an answer that came whole. */
void stripe_reply_read(const struct payment_call *call, const struct stripe_answer *answer,
	struct payment_result *result);

/* ---- Shared with the reader of webhooks ---- */

/* Parse a JSON object that keeps to the limits; the caller frees it by json_decref. NULL: it is
 * none. */
json_t *stripe_json_load(struct slice text, size_t size_max);

/* The text of a member; empty if it is missing or no string. */
struct slice stripe_json_text(const json_t *object, const char *name);

/* The id that a member holds, whether it is expanded to an object or not; empty if there is none.
 */
struct slice stripe_json_id(const json_t *object, const char *name);

/* Copy an id. False, and `copy` empty, if it is no id. */
bool stripe_copy_id(struct slice id, char copy[PAYMENT_REFERENCE_SIZE]);

/* The state that a payment intent is in, and for DECLINED why; NONE when it cannot be told. */
enum payment_outcome stripe_intent_state(const json_t *intent, char reason[PAYMENT_REASON_SIZE]);

/* The state of a refund, and for REFUND_FAILED why; NONE when it cannot be told. */
enum payment_outcome stripe_refund_state(const json_t *refund, char reason[PAYMENT_REASON_SIZE]);
