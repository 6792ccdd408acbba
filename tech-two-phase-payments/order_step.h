/* What an order needs from its payment provider next, and what an answer makes of it: the decisions
 * of the stages, pure, so that every one of them can be tested without a provider.
 *
 *	order_step_begin(&payment, &rules, &verdict);
 *	if (verdict.kind == ORDER_CALLS)
 *		… make the call `verdict.operation`, and with its result
 *		order_step_settle(&payment, verdict.operation, &result, &rules, &verdict);
 *
 * Three rules stand behind it:
 *   1. An answer that was lost settles nothing: the same call is made again with the same key, or,
 *	where the provider would only repeat a stored error, it is asked for the payment's state
 *	first and a new key is made when nothing was applied.
 *   2. The reference of a payment is stored before anything is reserved under it.
 *   3. An order with the mark (ending) is canceled or expired only when the provider has said that
 *	nothing is reserved, and refunded only when it has said that it gave the money back.
 * An order of nothing needs no provider: it moves without a call. */
#pragma once

#include "lib/ticketing/order.h"
#include "tech-two-phase-payments/payment_provider.h"

enum order_ending { ORDER_GOES_ON, ORDER_ENDS_BY_CANCEL, ORDER_ENDS_BY_EXPIRY };

/* Why the provider is asked for the state before anything else. */
enum order_look_up {
	ORDER_LOOK_UP_NONE,
	ORDER_LOOK_UP_WORN,    /* The key is worn out: whether the step was applied is not known. */
	ORDER_LOOK_UP_PENDING, /* The step was applied, and the provider is at it. */
};

/* What is known of an order's payment. */
struct order_payment {
	enum order_status status;
	enum order_ending ending;
	enum order_look_up look_up;
	bool has_intent;
	int64_t total, captured, refunded; /* Minor units. */
	int64_t age_ms;                    /* Of the status. */
	int64_t key_age_ms;                /* How long the keys of this attempt are in use. */
};

struct order_rules {
	int64_t finalize_ms; /* How long an authorized order may wait to be finalized. */
	int64_t action_ms;   /* How long a person has for 3-D Secure. */
	int64_t margin_ms;   /* Capture happens so long before the authorization's own end. */
	int64_t key_ms_min;  /* As in payment_traits. */
	int64_t authorization_ms_min;
	int64_t now_ms; /* Wall time. */
};

enum order_verdict_kind {
	ORDER_CALLS,    /* Make the call. */
	ORDER_MOVES,    /* To another status. */
	ORDER_WAITS,    /* Look again after delay_ms; nothing is wrong. */
	ORDER_RETRIES,  /* Again after delay_ms; 0: after a backoff. */
	ORDER_GIVES_UP, /* A person has to look. */
};

/* The texts are borrowed from the result, or static. */
struct order_verdict {
	enum order_verdict_kind kind;
	enum payment_operation operation; /* CALLS */
	int64_t amount; /* CALLS: to capture or refund. MOVES to paid: what was captured. Otherwise
			 * what was refunded so far, or −1: unchanged. */
	enum order_status next; /* MOVES */
	int64_t delay_ms;
	const char *note; /* RETRIES and GIVES_UP. */

	bool stores_intent;         /* result.reference, with this transition. */
	bool next_attempt;          /* With new keys. */
	enum order_look_up look_up; /* Of an order that does not move. */
	int64_t stay_ms;            /* MOVES: how long the next status may last; −1: unchanged. */
	int64_t capture_before_ms;  /* MOVES to authorized; otherwise 0. */
	const char *reason;         /* MOVES; NULL: none. */
	const char *next_action_url; /* MOVES to requires_action; may be NULL. */
};

/* What to do for an order that somebody has just claimed. */
void order_step_begin(const struct order_payment *payment, const struct order_rules *rules,
	struct order_verdict *verdict);

/* What the result of a call means. Never CALLS. */
void order_step_settle(const struct order_payment *payment, enum payment_operation operation,
	const struct payment_result *result, const struct order_rules *rules,
	struct order_verdict *verdict);

/* As columns write them; NULL for the first of each. */
const char *order_ending_name(enum order_ending ending);
const char *order_look_up_name(enum order_look_up look_up);
enum order_ending order_ending_parse(struct slice name);
enum order_look_up order_look_up_parse(struct slice name);
