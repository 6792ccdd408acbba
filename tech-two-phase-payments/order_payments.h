/* The stages of an order's payment: what the provider has to do is claimed, committed, asked for,
 * and then the order moves on (lib/stages/stages.h). What is asked for, and what an answer means,
 * is decided in order_step.h.
 *
 *	stage       claims                        and asks the provider to
 *	authorize   authorizing                   make an intent; when that is stored, authorize it
 *	action      requires_action               tell what the person has done
 *	capture     finalized, capturing          capture
 *	ending      whatever has the mark         void or refund
 *
 * Each stage has a thread, a connection to the database, and an instance of the provider, with as
 * many calls in flight as it has orders. Several processes may share the orders. */
#pragma once

#include "lib/base/status.h"
#include "lib/metrics/metrics.h"
#include "tech-two-phase-payments/order_feed.h"
#include "tech-two-phase-payments/order_step.h"

enum order_stage_kind {
	ORDER_STAGE_AUTHORIZE,
	ORDER_STAGE_ACTION,
	ORDER_STAGE_CAPTURE,
	ORDER_STAGE_ENDING,
	ORDER_STAGES,
};

struct order_payments;

struct order_payments_options {
	const char *database_url;
	int64_t database_ms; /* For one call to it. */
	/* One instance for each stage; they become the stages' own. */
	struct payment_provider *providers[ORDER_STAGES];
	const char *return_url; /* Where a person comes back to after 3-D Secure; NULL: nowhere. */
	size_t in_flight_max;   /* Orders of one stage; the provider takes as many calls. */
	int64_t lease_ms, backoff_ms_max;
	struct order_rules rules; /* Without the provider's times and now_ms, which are filled in.
				   */
	struct metrics *metrics;
};

/* Allocates the stages; before metrics_freeze(). When it fails the providers stay the caller's.
 *	payment_calls_total{operation, outcome}    the outcome's name, or the status's
 *	payment_call_seconds{operation}            from submission until collected */
__attribute__((warn_unused_result)) enum status order_payments_open(
	const struct order_payments_options *options, struct order_payments **payments);

/* Drive them from now on; changes are told to the feed, which must live until they are stopped. */
__attribute__((warn_unused_result)) enum status order_payments_start(
	struct order_payments *payments, struct order_feed *feed);

/* Orders for this stage were committed. Any thread, until the close. */
void order_payments_wake(struct order_payments *payments, enum order_stage_kind stage);

/* Claim no more, and wait up to `timeout_ms` for what is in flight. What is left is taken over when
 * its lease has run out. */
void order_payments_stop(struct order_payments *payments, int64_t timeout_ms);

/* Stop, close the providers, and free. NULL is allowed. */
void order_payments_close(struct order_payments *payments);
