/* What the checks of the checkout's suite are made with. Private to the suite; see
 * seat_suite_conformance.h, whose CHECK and TRY are used with suite->seats. */
#pragma once

#include "tech-locking-and-transactions/checkout_conformance.h"
#include "tech-locking-and-transactions/seat_suite_conformance.h"
#include "tech-two-phase-payments/payment_provider.h"

enum { BUYING_SEATS = 60, BUYING_SECOND_MS = 1000, BUYING_ARENA_BYTES_MAX = 16 << 20 };

#define METHOD_GOOD "pm_card_visa"
#define METHOD_DECLINED "pm_card_visa_chargeDeclinedInsufficientFunds"
#define METHOD_PROOF "pm_card_authenticationRequired"

struct checkout_suite {
	const struct checkout_factory *factory;
	struct seat_suite *seats;
	struct checkout *checkout;
	struct arena arena; /* Of results; reset by each call. */
	int next_seat;
	bool leaves_something_wrong; /* On purpose: the judge has to see it. */
	struct buy_request requests[CHECKOUT_BATCH_MAX];
	struct buy_result results[CHECKOUT_BATCH_MAX];
};

typedef const char *checkout_check_function(struct checkout_suite *suite);

/* Open an instance on the event of `seats`, which it does not own. */
const char *buying_open(const struct checkout_factory *factory, struct seat_suite *seats,
	struct checkout_suite *suite);
void buying_close(struct checkout_suite *suite);

/* Hold the next `count` seats for this long (0: for good), and write the request to buy them, by a
 * new order, into requests[index]. */
const char *buying_hold(struct checkout_suite *suite, size_t index, int count, int64_t hold_ms);

/* One call with requests[0..count); any status but OK is a violation. */
const char *buying_ask(struct checkout_suite *suite, size_t count);

/* The same again and again, until none is pending. */
const char *buying_finish(struct checkout_suite *suite, size_t count);

/* The last call has answered this. */
const char *buying_expect(struct checkout_suite *suite, size_t index, enum buy_outcome outcome);

/* buying_hold, buying_finish and buying_expect of one purchase by this method. */
const char *buying_one(struct checkout_suite *suite, const char *method, enum buy_outcome outcome);

/* Wait until look_up says so of requests[0]. */
const char *buying_wait_status(struct checkout_suite *suite, enum order_status status);

/* The state of requests[index]'s hold. */
const char *buying_expect_hold(struct checkout_suite *suite, size_t index, enum hold_state state);

/* How often the provider's ledger has this kind for the order of requests[index]. */
const char *buying_expect_ledger(
	struct checkout_suite *suite, size_t index, const char *kind, int wanted);

/* The reference of its payment; empty when nothing was authorized. */
const char *buying_reference(
	struct checkout_suite *suite, size_t index, char reference[PAYMENT_REFERENCE_SIZE]);

/* Everything is at rest, and right. */
const char *buying_judge(struct checkout_suite *suite);

/* The person that requests[index] asks for a proof gives it, or fails: "succeeded", "failed". */
const char *buying_prove(struct checkout_suite *suite, size_t index, const char *outcome);

/* The payment that action_url is about. */
const char *buying_proof_reference(
	struct checkout_suite *suite, size_t index, char reference[PAYMENT_REFERENCE_SIZE]);

/* Make a call of Stripe's about a payment behind everybody's back: "capture", "cancel". */
const char *buying_meddle(struct checkout_suite *suite, const char *reference, const char *what);

/* Set a fault of the provider's. */
void buying_fault(struct checkout_suite *suite, const char *json);

/* checkout_buy_conformance.c */
checkout_check_function check_buy_paid_once, check_buy_declined, check_buy_proof,
	check_buy_proof_failed, check_buy_refusals, check_buy_other_order, check_buy_batch,
	check_buy_at_once, check_buy_crowd, check_buy_free, check_buy_malformed;
/* checkout_fault_conformance.c */
checkout_check_function check_buy_expired_before, check_buy_expired_waiting,
	check_buy_expired_authorized, check_buy_wait_past_expiry, check_buy_released_meanwhile,
	check_buy_answers_lost, check_buy_errors_stored, check_buy_provider_down,
	check_buy_provider_slow, check_buy_capture_refused, check_buy_restart_seats,
	check_buy_restart_orders, check_buy_stuck;
