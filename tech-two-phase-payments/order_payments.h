/* The stages of an order's payment: what the provider has to do is claimed, committed, asked for,
 * and then the order moves on (lib/stages/stages.h). What is asked for, and what an answer means,
 * is decided in order_step.h; where the orders are kept, and what else changes with them, is the
 * caller's, who gives the statements and is told of each change.
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
#include "tech-two-phase-payments/order_step.h"

enum order_stage_kind {
	ORDER_STAGE_AUTHORIZE,
	ORDER_STAGE_ACTION,
	ORDER_STAGE_CAPTURE,
	ORDER_STAGE_ENDING,
	ORDER_STAGES,
};

enum { ORDER_PAYMENTS_DATA = 8 }; /* Texts of a transition, as `move` takes them. */

struct order_payments;

/* As lib/stages/stages.h wants them; the texts outlive the stages. The key of a row is what the
 * provider knows the order by.
 *
 *	claim    gives, behind key and attempts: status, version, total, currency, payment method,
 *	         intent, payment attempt, look-up, ending, captured, refunded, ms since the status
 *	         changed, ms since the attempt's keys are in use
 *	move     takes $9 intent, $10 reason, $11 URL of the next action, $12 ms that the new status
 *	         may last, $13 wall time in ms at which the authorization ends, $14 look-up ('none'
 *	         clears it), $15 payment attempt, $16 amount: captured for the new status 'paid',
 *	         otherwise refunded so far. NULL: it stays
 *
 * The capture's claim makes an order that is finalized capturing. The ending's goes by the mark and
 * not by $1, which is "ending" for it, also in `renew` and `move`. */
struct order_payments_sql {
	const char *claim[ORDER_STAGES];
	const char *renew, *move;
};

/* What has become of an order; the texts are borrowed. */
struct order_change {
	struct slice key;
	const char *status;
	int64_t version;
	struct slice reason, next_action_url; /* `data` NULL: none. */
};

struct order_payments_options {
	const char *database_url;
	const char *database_settings; /* Of each session; NULL: none. See postgres.h. */
	int64_t database_ms;           /* For one call to it. */
	struct order_payments_sql sql;
	/* One instance for each stage; they become the stages' own. */
	struct payment_provider *providers[ORDER_STAGES];
	const char *return_url; /* Where a person comes back to after 3-D Secure; NULL: nowhere. */
	size_t in_flight_max;   /* Orders of one stage; the provider takes as many calls. */
	int64_t lease_ms, backoff_ms_max;
	struct order_rules rules; /* Without the provider's times and now_ms, which are filled in.
				   */
	/* An order has another status, and that is committed. A hint: a crash may come before it.
	 * On the threads of the stages, from order_payments_start until the stop. NULL: nobody. */
	void (*changed)(void *context, const struct order_change *change);
	void *context;
	struct metrics *metrics; /* NULL: none. */
};

/* Allocates the stages; before metrics_freeze(). When it fails the providers stay the caller's.
 *	payment_calls_total{operation, outcome}    the outcome's name, or the status's
 *	payment_call_seconds{operation}            from submission until collected */
__attribute__((warn_unused_result)) enum status order_payments_open(
	const struct order_payments_options *options, struct order_payments **payments);

/* Drive them from now on. */
__attribute__((warn_unused_result)) enum status order_payments_start(
	struct order_payments *payments);

/* Orders for this stage were committed. Any thread, until the close. */
void order_payments_wake(struct order_payments *payments, enum order_stage_kind stage);

/* Claim no more, and wait up to `timeout_ms` for what is in flight. What is left is taken over when
 * its lease has run out. */
void order_payments_stop(struct order_payments *payments, int64_t timeout_ms);

/* Stop, close the providers, and free. NULL is allowed. */
void order_payments_close(struct order_payments *payments);
