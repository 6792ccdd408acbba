/* Answers as Stripe writes them, as JSON text: https://docs.stripe.com/api/payment_intents/object
 * and its neighbours. Each function adds one JSON value to the buffer. What the simulator does not
 * know is null or absent, as it is for an account that uses nothing but cards. */
#pragma once

#include "lib/base/buffer.h"
#include "tech-two-phase-payments/simulator/state.h"

enum { ANSWER_SIZE_MAX = 256 << 10 };

struct render_options {
	const char *base_url; /* For the page of the customer's bank. */
	bool expand_charge;
};

void render_intent(
	struct buffer *buffer, const struct intent *intent, const struct render_options *options);
void render_charge(struct buffer *buffer, const struct intent *intent);
void render_refund(struct buffer *buffer, const struct refund *refund);

/* {"error": …}. `intent` is the one that it is about, or NULL. */
void render_error(struct buffer *buffer, const struct provider_error *error,
	const struct intent *intent, const struct render_options *options);

/* The card error of an intent whose last attempt has failed. */
void render_declined(
	struct buffer *buffer, const struct intent *intent, const struct render_options *options);

enum event_type {
	EVENT_INTENT_CREATED,
	EVENT_INTENT_REQUIRES_ACTION,
	EVENT_INTENT_AMOUNT_CAPTURABLE_UPDATED,
	EVENT_INTENT_PAYMENT_FAILED,
	EVENT_INTENT_SUCCEEDED,
	EVENT_INTENT_CANCELED,
	EVENT_CHARGE_REFUNDED,
	EVENT_TYPE_COUNT,
};

extern const char *const event_type_names[EVENT_TYPE_COUNT];

/* An event as it is sent to webhooks: https://docs.stripe.com/api/events/object. */
struct event_view {
	const char *id;
	enum event_type type;
	int64_t created_s;
	const char *api_version;
	const char *request_id;       /* Empty: nobody asked for it, as with an expiry. */
	struct slice idempotency_key; /* Empty: none. */
	const struct intent *intent;  /* As it was then. */
};

void render_event(struct buffer *buffer, const struct event_view *event,
	const struct render_options *options);

/* One item of the ledger, and the totals of all. */
void render_ledger_entry(struct buffer *buffer, const struct ledger_entry *entry, size_t sequence);
void render_ledger_totals(struct buffer *buffer, const struct ledger *ledger);
