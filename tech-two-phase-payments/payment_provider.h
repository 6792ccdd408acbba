/* The contract of every payment provider: money is reserved first and taken later.
 *
 * DESIGN. A payment lives at the provider under a reference, and goes through these states:
 *
 *	CREATED ── authorize ──→ AUTHORIZED ── capture ──→ CAPTURED ── refund ──→ REFUNDED
 *	  │                        ↑  │
 *	  ├→ REQUIRES_ACTION ──────┤  └── void_authorization ──→ VOIDED
 *	  ├→ PENDING ──────────────┘
 *	  └→ DECLINED, from where authorize may be tried again
 *
 * Authorizing is two calls on purpose. create_intent moves no money and reports the reference,
 * which the caller stores and commits; only then does authorize reserve money under it. So whatever
 * is lost later, whoever holds the order can look the payment up; and an intent whose reference was
 * lost is harmless, because nothing was ever reserved under it.
 *
 * Every call but look_up carries an idempotency key made of order, step and payment attempt
 * (payment_key). The same call with the same key has its effect once and is given the first answer
 * again, for at least traits.key_ms_min; a caller that crashed simply makes its call once more.
 *
 * Payment providers are slow and far away, so a call is submitted and later collected, many of them
 * in flight at once; a slow answer delays nobody else. An instance belongs to one thread. Only
 * payment_wakeup and payment_read_event may be called by others.
 *
 *	struct payment_call call = {
 *		.key = slice_of(key), .reference = slice_of("pi_…"), .amount = total};
 *	if (payment_capture(provider, &call) != STATUS_OK)
 *		…too much in flight: try again after a collect
 *	size_t count = payment_collect(provider, 1000, done, 16);
 *	…done[i]->result
 *
 * WHAT TO DO WITH AN ANSWER. Two levels, as everywhere:
 *
 *	status       it means                            result.next says
 *	OK           `outcome` is the payment's state    NOTHING
 *	UNAVAILABLE  this call applied nothing           REPEAT: same key, after retry_after_ms
 *	UNKNOWN      perhaps it was applied              REPEAT, or LOOK_UP
 *	REFUSED      nothing was applied, nor will be    NOTHING: the request is wrong, a bug
 *
 * A provider that does not accept our credentials is UNAVAILABLE too: nothing was applied, and it
 * will be well once an operator has set them right; no order should fail for it.
 *
 * UNKNOWN is a pending payment, never a failed one. Usually the remedy is to REPEAT the call with
 * the same key. But a provider may have stored a server error under the key and would repeat just
 * that for ever; then `next` is LOOK_UP: the caller calls look_up with the stored reference, takes
 * the state as the answer if the step was applied, and otherwise repeats the step as the next
 * payment attempt, which makes a new key. For create_intent, which has no reference yet, the caller
 * goes on to the next attempt at once (above: an intent without reference is harmless). The adapter
 * itself never invents a key and never decides that nothing was applied. A call that is older than
 * traits.key_ms_min is to be looked up before it is repeated, since its key may be forgotten.
 *
 * An UNAVAILABLE or REFUSED speaks of this call only: it does not settle an earlier UNKNOWN.
 *
 * `outcome` is always the state of the payment as the provider tells it, also where the call came
 * too late or twice: voiding what was captured gives CAPTURED, capturing what was voided or has
 * expired gives VOIDED, capturing twice gives CAPTURED. So a caller compares the outcome with what
 * it wanted and needs no list of error codes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "lib/ticketing/money.h"

enum {
	PAYMENT_KEY_SIZE = 256,       /* Stripe allows 255 characters; and a zero byte. */
	PAYMENT_REFERENCE_SIZE = 256, /* Of each id that a provider gives. */
	PAYMENT_REASON_SIZE = 64,
	PAYMENT_DETAIL_SIZE = 160,
	PAYMENT_URL_SIZE = 2048,
	PAYMENT_METHOD_SIZE_MAX = 255,
	PAYMENT_EVENT_TYPE_SIZE = 128,
	PAYMENT_EVENT_BYTES_MAX = 256 << 10, /* Of a webhook's body. */
};

struct payment_provider;

/* ---- One call ---- */

enum payment_operation {
	PAYMENT_CREATE_INTENT,
	PAYMENT_AUTHORIZE,
	PAYMENT_CAPTURE,
	PAYMENT_VOID_AUTHORIZATION,
	PAYMENT_REFUND,
	PAYMENT_LOOK_UP,
	PAYMENT_OPERATION_COUNT,
};

enum payment_outcome {
	PAYMENT_NONE,     /* No state is known: the status is not OK. */
	PAYMENT_CREATED,  /* There is an intent and nothing is reserved. */
	PAYMENT_DECLINED, /* Nothing is reserved, `reason` says why. Another payment method may
			   * be tried on the same intent, as the next payment attempt. */
	PAYMENT_REQUIRES_ACTION, /* The person has to prove something (3-D Secure) at
				  * next_action_url. What comes of it is told by an event or by
				  * look_up: AUTHORIZED or DECLINED. */
	PAYMENT_PENDING,         /* The provider is at it; an event or look_up tells the end. */
	PAYMENT_AUTHORIZED,      /* Reserved until expires_ms. */
	PAYMENT_CAPTURED,        /* `captured` is taken, `refunded` of it given back (look_up). */
	PAYMENT_VOIDED,          /* Nothing is reserved any more: voided, canceled or expired. */
	PAYMENT_REFUNDED,        /* refund: this refund is made. look_up: all that was captured is
				  * given back. */
	PAYMENT_REFUND_FAILED, /* refund: the provider could not give it back; `reason` says why. */
	PAYMENT_NOT_FOUND,     /* The provider has no payment of this reference. */
	PAYMENT_OUTCOME_COUNT,
};

/* What the caller does next; see WHAT TO DO WITH AN ANSWER. */
enum payment_next {
	PAYMENT_NEXT_NOTHING,
	PAYMENT_NEXT_REPEAT,  /* The same call with the same key, after retry_after_ms. */
	PAYMENT_NEXT_LOOK_UP, /* The key is worn out: look up before a new key is made. */
};

struct payment_result {
	enum status status;
	enum payment_outcome outcome; /* NONE unless the status is OK. */
	enum payment_next next;
	int64_t retry_after_ms; /* As the provider asks; 0: it did not say. */

	char reference[PAYMENT_REFERENCE_SIZE]; /* Of the payment. Empty: unknown. */
	char refund[PAYMENT_REFERENCE_SIZE];    /* The refund's own, after refund. */
	struct money authorized; /* Reserved and can be captured now; 0 unless AUTHORIZED. */
	struct money captured;   /* 0 unless CAPTURED or REFUNDED; after refund 0. */
	struct money refunded;   /* After refund: by this call (0: it had been given back before).
				  * After look_up: in all. Else 0. */
	int64_t expires_ms;      /* AUTHORIZED: wall time from which the provider may drop the
				  * reservation; capture well before. Else 0. */
	char reason[PAYMENT_REASON_SIZE];       /* DECLINED, REFUND_FAILED, REFUSED: the provider's
						 * code, for example "expired_card". */
	char next_action_url[PAYMENT_URL_SIZE]; /* REQUIRES_ACTION; where to send the person. */

	bool replayed;        /* The provider repeated the stored answer to an earlier call. */
	unsigned attempts;    /* How often the adapter sent it. */
	unsigned http_status; /* Of the last answer; 0: there was none. For logs. */
	int64_t took_us;      /* From submit to the end. */
	char request_id[PAYMENT_REFERENCE_SIZE]; /* By which the provider's support finds the call.
						  */
	char detail[PAYMENT_DETAIL_SIZE]; /* In words, for the log; never holds a payment method or
					   * a key. Empty when OK. */
};

/* A call, in the caller's memory. Fill in what the operation wants, leave the rest zero. From
 * submit until it is collected the struct and everything that it points at stay as they are; after
 * that nothing needs to be released, and it may be used again. */
struct payment_call {
	struct slice key;            /* All but look_up. See payment_key. */
	struct slice reference;      /* All but create_intent. */
	struct money amount;         /* create_intent, capture, refund: more than 0. */
	struct slice order_id;       /* create_intent: kept at the provider for its people and ours.
				      * 1 to 255 bytes of printable ASCII. */
	struct slice payment_method; /* authorize: the token that the provider's own form gave the
				      * client, never a card number. */
	struct slice return_url;     /* authorize: where the person comes back to from
				      * next_action_url; without one, some providers have no such
				      * URL. May be empty. */
	int64_t deadline_ms;         /* On the monotonic clock. 0: the adapter's option. */
	void *context;               /* The caller's. */

	struct payment_result result; /* Once collected. */

	/* The adapter's own. */
	struct {
		enum payment_operation operation;
		bool submitted;
	} own;
};

/* ---- Events that the provider sends (webhooks) ---- */

/* What a webhook says. It is a hint and never the truth: events come late, repeated, and not in
 * order, so a CAPTURED may be followed by an older AUTHORIZED. Remember the id to drop repetitions,
 * and look the payment up before anything is decided. */
struct payment_event {
	char id[PAYMENT_REFERENCE_SIZE];        /* Of the event, the same each time it is sent. */
	char type[PAYMENT_EVENT_TYPE_SIZE];     /* As the provider names it. */
	char reference[PAYMENT_REFERENCE_SIZE]; /* The payment's. Empty: it is about none. */
	char refund[PAYMENT_REFERENCE_SIZE];    /* The refund's, if it is about one. */
	enum payment_outcome outcome;           /* The payment's state when the event was made;
						 * NONE: it is about something else. */
	char reason[PAYMENT_REASON_SIZE];       /* DECLINED, REFUND_FAILED. */
	int64_t created_ms;                     /* Wall time. */
};

/* ---- The provider ---- */

struct payment_traits {
	const char *name;             /* "stripe"; for logs and metrics. */
	const char *webhook_header;   /* Which HTTP header carries the signature of a webhook. */
	int64_t key_ms_min;           /* How long a key is remembered, at the least. */
	int64_t authorization_ms_min; /* How long a reservation lasts, at the least, if a payment
				       * does not say it better in expires_ms. */
	size_t in_flight_max;         /* Calls on the wire at once. */
	size_t submitted_max;         /* Calls submitted and not collected. */
	bool partial_capture;         /* Less than what is reserved may be captured, once; the rest
				       * is given back. */
	bool partial_refund;          /* A refund may be of a part, and there may be several. */
};

struct payment_counts {
	size_t waiting, in_flight, done; /* Now. */
};

struct payment_provider_ops {
	enum status (*submit)(struct payment_provider *provider, struct payment_call *call);
	size_t (*collect)(struct payment_provider *provider, int64_t timeout_ms,
		struct payment_call *done[], size_t max);
	void (*wakeup)(struct payment_provider *provider);
	struct payment_counts (*counts)(const struct payment_provider *provider);
	enum status (*read_event)(const struct payment_provider *provider, struct slice signature,
		struct slice body, int64_t now_ms, struct payment_event *event,
		struct fault *fault);
	void (*close)(struct payment_provider *provider);
};

struct payment_provider {
	const struct payment_provider_ops *ops;
	struct payment_traits traits;
};

/* All operations: OK: it was taken in and will be collected exactly once, whatever becomes of it; a
 * call that is not allowed (no key, an amount of 0, something that looks like a card number, …) is
 * collected as REFUSED. UNAVAILABLE: traits.submitted_max calls are submitted and not collected;
 * this one was not touched. */
__attribute__((warn_unused_result)) static inline enum status payment_submit(
	struct payment_provider *provider, struct payment_call *call,
	enum payment_operation operation)
{
	call->own.operation = operation;
	return provider->ops->submit(provider, call);
}

/* Make a payment of `amount` for `order_id`, of which nothing is reserved yet.
 * Outcome: CREATED with its reference, which is to be stored before authorize. */
__attribute__((warn_unused_result)) static inline enum status payment_create_intent(
	struct payment_provider *provider, struct payment_call *call)
{
	return payment_submit(provider, call, PAYMENT_CREATE_INTENT);
}

/* Reserve the intent's whole amount by `payment_method`.
 * Outcomes: AUTHORIZED, DECLINED, REQUIRES_ACTION, PENDING; and the state of a payment that was
 * beyond this already (CAPTURED, VOIDED) or is not there (NOT_FOUND). */
__attribute__((warn_unused_result)) static inline enum status payment_authorize(
	struct payment_provider *provider, struct payment_call *call)
{
	return payment_submit(provider, call, PAYMENT_AUTHORIZE);
}

/* Take `amount`, at most what is reserved; what remains of the reservation is given back.
 * Outcomes: CAPTURED; PENDING; VOIDED when it had been voided or has expired; another state when it
 * was not AUTHORIZED; NOT_FOUND. */
__attribute__((warn_unused_result)) static inline enum status payment_capture(
	struct payment_provider *provider, struct payment_call *call)
{
	return payment_submit(provider, call, PAYMENT_CAPTURE);
}

/* Give the reservation back, or end an intent before there is one, so that nothing can be reserved
 * under it any more.
 * Outcomes: VOIDED, also when it was so already; CAPTURED or REFUNDED when it is too late, and only
 * a refund helps; PENDING when it cannot be ended now; NOT_FOUND. */
__attribute__((warn_unused_result)) static inline enum status payment_void_authorization(
	struct payment_provider *provider, struct payment_call *call)
{
	return payment_submit(provider, call, PAYMENT_VOID_AUTHORIZATION);
}

/* Give `amount` of what was captured back. Unlike the other steps it may be made several times, so
 * a second key really is a second refund: LOOK_UP compares `refunded` before one is made.
 * Outcomes: REFUNDED, also when all had been given back before; PENDING; REFUND_FAILED;
 * NOT_FOUND. */
__attribute__((warn_unused_result)) static inline enum status payment_refund(
	struct payment_provider *provider, struct payment_call *call)
{
	return payment_submit(provider, call, PAYMENT_REFUND);
}

/* Ask for a payment's state; has no effect and needs no key.
 * Outcomes: all but REFUND_FAILED and NONE. DECLINED may speak of an earlier payment attempt: it
 * says that nothing is reserved, not which attempt was declined. */
__attribute__((warn_unused_result)) static inline enum status payment_look_up(
	struct payment_provider *provider, struct payment_call *call)
{
	return payment_submit(provider, call, PAYMENT_LOOK_UP);
}

/* Move what is in flight until at least one call is done, `timeout_ms` have passed (negative:
 * never) or payment_wakeup was called. Puts up to `max` done calls into `done` and returns how
 * many. Nothing moves outside of it. Without any call it waits all the same. */
static inline size_t payment_collect(struct payment_provider *provider, int64_t timeout_ms,
	struct payment_call *done[], size_t max)
{
	return provider->ops->collect(provider, timeout_ms, done, max);
}

/* Let the collect that waits now, or else the next one, return at once. Any thread may call. */
static inline void payment_wakeup(struct payment_provider *provider)
{
	provider->ops->wakeup(provider);
}

static inline struct payment_counts payment_counts(const struct payment_provider *provider)
{
	return provider->ops->counts(provider);
}

/* Verify a webhook and read it. `signature` is the value of the header traits.webhook_header,
 * `body` the request's body byte for byte as it came (parsed and written again it would have
 * another signature), now_ms the wall time against which the signature's age is judged.
 * REFUSED, with `fault`: it is not from the provider, too old, too large or not understood; answer
 * 400 and do nothing. OK: `event` is filled in; a kind of event that is of no interest has the
 * outcome NONE and is to be answered 200 like the others. Touches nothing but what was set when the
 * provider was opened, so any thread may call. */
__attribute__((warn_unused_result)) static inline enum status payment_read_event(
	const struct payment_provider *provider, struct slice signature, struct slice body,
	int64_t now_ms, struct payment_event *event, struct fault *fault)
{
	return provider->ops->read_event(provider, signature, body, now_ms, event, fault);
}

/* Give up what is in flight and free the provider. Calls that were not collected belong to their
 * caller again; what was on the wire is as good as UNKNOWN. NULL is allowed. */
static inline void payment_close(struct payment_provider *provider)
{
	if (provider)
		provider->ops->close(provider);
}

/* The names in lower case, for logs, metrics and tables: "void_authorization",
 * "requires_action", "look_up". Never NULL. */
static inline const char *payment_operation_name(enum payment_operation operation)
{
	static const char *const names[PAYMENT_OPERATION_COUNT] = {
		"create_intent", "authorize", "capture", "void_authorization", "refund", "look_up"};
	return (unsigned)operation < PAYMENT_OPERATION_COUNT ? names[operation] : "invalid";
}

static inline const char *payment_outcome_name(enum payment_outcome outcome)
{
	static const char *const names[PAYMENT_OUTCOME_COUNT] = {"none", "created", "declined",
		"requires_action", "pending", "authorized", "captured", "voided", "refunded",
		"refund_failed", "not_found"};
	return (unsigned)outcome < PAYMENT_OUTCOME_COUNT ? names[outcome] : "invalid";
}

static inline const char *payment_next_name(enum payment_next next)
{
	static const char *const names[] = {"nothing", "repeat", "look_up"};
	return (unsigned)next <= PAYMENT_NEXT_LOOK_UP ? names[next] : "invalid";
}

/* Write the idempotency key of a step: "<order>:<operation>:<attempt>". The same for whoever
 * repeats the step, whatever lease or process it has; another one for each payment attempt. The
 * order's id has 1 to 200 bytes. Returns the key as a slice of `key`. */
static inline struct slice payment_key(char key[PAYMENT_KEY_SIZE], struct slice order_id,
	enum payment_operation operation, unsigned attempt)
{
	int size = snprintf(key, PAYMENT_KEY_SIZE, "%.*s:%s:%u", SLICE_PRINT(order_id),
		payment_operation_name(operation), attempt);
	return (struct slice){key, (size_t)(size < PAYMENT_KEY_SIZE ? size : PAYMENT_KEY_SIZE - 1)};
}
