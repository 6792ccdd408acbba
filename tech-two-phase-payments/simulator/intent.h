/* A PaymentIntent, its charge and its refunds: the state machine, without I/O and with the time as
 * an argument. From https://docs.stripe.com/payments/paymentintents/lifecycle and
 * https://docs.stripe.com/payments/place-a-hold-on-a-payment-method:
 *
 *	requires_payment_method → requires_confirmation → requires_action → requires_capture
 *	   ↑ declined, not authenticated                       capture ↓    cancel, expiry ↓
 *	                                                        succeeded         canceled
 *
 * With automatic capture an authorization goes on to `succeeded` at once. A simulator's bank
 * answers at once, so nothing is ever `processing`. */
#pragma once

#include <stdint.h>

#include "tech-two-phase-payments/simulator/cards.h"
#include "tech-two-phase-payments/simulator/timers.h"

enum {
	OBJECT_ID_SIZE = 32, /* "pi_", "ch_", "re_", "evt_" and 24 characters. */
	INTENT_SECRET_SIZE = 26,
	CURRENCY_SIZE = 4,
};

enum intent_status {
	INTENT_REQUIRES_PAYMENT_METHOD,
	INTENT_REQUIRES_CONFIRMATION,
	INTENT_REQUIRES_ACTION,
	INTENT_REQUIRES_CAPTURE,
	INTENT_SUCCEEDED,
	INTENT_CANCELED,
	INTENT_STATUS_COUNT,
};

enum capture_method {
	CAPTURE_AUTOMATIC,
	CAPTURE_AUTOMATIC_ASYNC,
	CAPTURE_MANUAL,
	CAPTURE_METHOD_COUNT,
};

enum cancel_reason {
	CANCEL_NO_REASON,
	CANCEL_DUPLICATE,
	CANCEL_FRAUDULENT,
	CANCEL_REQUESTED_BY_CUSTOMER,
	CANCEL_ABANDONED,
	CANCEL_AUTOMATIC, /* The authorization expired. */
	CANCEL_REASON_COUNT,
};

/* As Stripe writes them; NULL for CANCEL_NO_REASON. */
extern const char *const intent_status_names[INTENT_STATUS_COUNT];
extern const char *const capture_method_names[CAPTURE_METHOD_COUNT];
extern const char *const cancel_reason_names[CANCEL_REASON_COUNT];

struct intent {
	struct timer expiry; /* Set while it requires capture; wall time. */
	char id[OBJECT_ID_SIZE];
	char charge[OBJECT_ID_SIZE];     /* The latest attempt's; empty: none yet. */
	char secret[INTENT_SECRET_SIZE]; /* The client secret is "<id>_secret_<this>". */
	char currency[CURRENCY_SIZE];    /* In lower case. */
	enum intent_status status;
	enum capture_method capture;
	enum cancel_reason cancel_reason;
	const struct card *card;       /* NULL: none. */
	const struct decline *failure; /* Of the last attempt; NULL: it did not fail. */
	int64_t amount, capturable, received, refunded;
	int64_t created_s, canceled_s;
	int64_t capture_before_ms; /* Wall; 0: it was never authorized. */
	char *description;         /* Owned; NULL: none. */
	char *metadata;            /* Owned JSON object as text; NULL: {}. */
};

struct refund {
	char id[OBJECT_ID_SIZE];
	struct intent *intent;
	int64_t amount, created_s;
	const char *reason; /* NULL: none. Static. */
	char *metadata;     /* As above. */
};

/* What a client is told when something is wrong, as in
 * https://docs.stripe.com/api/errors. Texts but the message are static. */
struct provider_error {
	unsigned status;
	const char *type;         /* "invalid_request_error" */
	const char *code;         /* NULL: none. */
	const char *decline_code; /* NULL: none. */
	char param[64];           /* Empty: none. */
	char message[320];
};

/* Fill in an invalid_request_error. Returns false, so that `return refuse(…)` is the usual form. */
__attribute__((format(printf, 5, 6))) bool provider_refuse(struct provider_error *error,
	unsigned status, const char *code, const char *param, const char *message, ...);

/* How an attempt to pay has gone. */
enum attempt {
	ATTEMPT_REFUSED,         /* Not in this state: nothing has changed, `error` says why. */
	ATTEMPT_DECLINED,        /* Its failure is set, and a new payment method is required. */
	ATTEMPT_REQUIRES_ACTION, /* The customer is at the bank. */
	ATTEMPT_AUTHORIZED,      /* The amount is held. */
	ATTEMPT_PAID,            /* It was held and captured at once. */
};

/* The clock and the ids of one step. */
struct step {
	int64_t now_ms;                  /* Wall. */
	int64_t lifetime_ms;             /* Of an authorization. */
	char new_charge[OBJECT_ID_SIZE]; /* Used when the step makes a charge. */
};

/* Confirm, with this card or, where it is NULL, the one that the intent has. */
enum attempt intent_confirm(struct intent *intent, const struct card *card, const struct step *step,
	struct provider_error *error);

/* The customer at the bank: was it them? Only while an action is required. */
enum attempt intent_authenticate(struct intent *intent, enum attempt outcome,
	const struct step *step, struct provider_error *error);

/* Capture `amount`, or everything where it is 0. *released is what is given back. */
bool intent_capture(
	struct intent *intent, int64_t amount, int64_t *released, struct provider_error *error);

/* Cancel. *voided is what had been held, 0 where nothing was. */
bool intent_cancel(struct intent *intent, enum cancel_reason reason, int64_t now_ms,
	int64_t *voided, struct provider_error *error);

/* Cancel because the authorization has expired; returns what had been held. */
int64_t intent_expire(struct intent *intent, int64_t now_ms);

/* Give back `*amount`, or all that is left where it is 0; then *amount becomes that. */
bool intent_refund(struct intent *intent, int64_t *amount, struct provider_error *error);

void intent_free(struct intent *intent);
void refund_free(struct refund *refund);

/* Write prefix and 24 random characters. */
void object_id_make(const char *prefix, char id[OBJECT_ID_SIZE]);
/* Fill `text` with size - 1 random letters and digits. */
void random_text_make(char *text, size_t size);
