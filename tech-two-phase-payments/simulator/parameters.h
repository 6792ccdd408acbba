/* What a request asks for: the form's parameters, checked as Stripe checks them before it executes
 * anything (https://docs.stripe.com/api/payment_intents/create and its neighbours). What is wrong
 * becomes Stripe's answer: 400 with type, code and param. */
#pragma once

#include "tech-two-phase-payments/simulator/form.h"
#include "tech-two-phase-payments/simulator/intent.h"

enum operation {
	OPERATION_CREATE,
	OPERATION_CONFIRM,
	OPERATION_CAPTURE,
	OPERATION_CANCEL,
	OPERATION_REFUND,
	OPERATION_RETRIEVE,
	OPERATION_COUNT, /* Also: whatever is not a client's request, such as an expiry. */
};

/* "create", "confirm", …; those by which faults name them. */
extern const char *const operation_names[OPERATION_COUNT];

enum {
	AMOUNT_MIN = 50, /* Stripe's least charge in its main currencies. */
	AMOUNT_MAX = 99999999,
	METADATA_KEYS_MAX = 50,
	METADATA_KEY_SIZE_MAX = 40,
	METADATA_VALUE_SIZE_MAX = 500,
	TEXT_PARAMETER_SIZE_MAX = 1000,
};

/* Slices point into the form. What was not given is zero. */
struct parameters {
	int64_t amount; /* Also amount_to_capture. */
	char currency[CURRENCY_SIZE];
	enum capture_method capture;
	bool confirm;
	const struct card *card;
	struct slice description; /* Its data is NULL when it was not given. */
	struct slice payment_intent, charge;
	enum cancel_reason reason; /* Also a refund's. */
	bool expand_charge;
	const struct form *form; /* Where the metadata is. */
};

/* Check the form of a request. False: `error` says what is wrong. */
__attribute__((warn_unused_result)) bool parameters_read(enum operation operation,
	const struct form *form, struct parameters *parameters, struct provider_error *error);

/* Merge the form's metadata[…] into `metadata`, a JSON object as text or NULL, as Stripe does: an
 * empty value removes its key. *merged is owned by the caller and may be NULL for an empty one.
 * False: there are too many keys. UNAVAILABLE memory is a refusal, too. */
__attribute__((warn_unused_result)) bool parameters_merge_metadata(
	const struct form *form, const char *metadata, char **merged, struct provider_error *error);
