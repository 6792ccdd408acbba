/* The engine of a checkout whose orders are in PostgreSQL (schema/checkout.sql): what every
 * technique has in common.
 *
 *	buy ──▶ authorizing ──▶ authorized ──▶ finalized ──▶ capturing ──▶ paid
 *	            authorize        SELL          capture       (order_payments.h)
 *
 * A purchase is a row, and each step a stage that claims it (lib/stages/stages.h): the payment's
 * stages are those of two-phase payments; the one between them, which sells the seats, is the
 * technique's, and so is what undoes it. `buy` makes the rows and waits until the stages of this
 * process, or of another, have brought them to an end.
 *
 * DESIGN. One engine per process has the stages' threads; each thread that buys has a light
 * instance of `struct checkout` on top of it, with a connection of its own. Who waits is woken by
 * the stage that ends the order (lib/batch/rendezvous.h); an end that another process brings about
 * is found by looking, a few times a second, with one statement for all who wait. A batch waits for
 * its slowest purchase, at most `wait_ms`.
 *
 * An order that was not authorized when its hold ends is ended by the ending stage; one that was is
 * sold or not by whoever decides about the seats, with the hold locked.
 *
 * Orders may also be made by others, as requires_confirmation, and be confirmed, which makes them
 * authorizing, or marked to be ended: by their own statements on the same table, and with
 * checkout_orders_wake_stage. */
#pragma once

#include "lib/metrics/metrics.h"
#include "lib/stages/stages.h"
#include "tech-locking-and-transactions/checkout.h"
#include "tech-locking-and-transactions/seat_store.h"
#include "tech-two-phase-payments/order_payments.h"

enum {
	CHECKOUT_KEY_SIZE = 74,                 /* "<event>.<order>" and a zero byte. */
	CHECKOUT_ROWS_MAX = CHECKOUT_BATCH_MAX, /* Of one claim or move of a technique's stage. */
};

/* A stage of the technique's. Its statements are those of lib/stages; its rows need no renewal,
 * since it has an `act`. `moved` and `at` are the engine's. */
struct checkout_stage {
	const char *state; /* $1 of its statements. */
	struct stage_sql sql;
	bool (*read)(void *context, struct stage_row *row, const struct postgres_result *result,
		size_t index); /* As in stage_ops; may be NULL. */
	void (*act)(void *context, struct stage_row *const rows[], size_t count);
	void *context;
	size_t row_size; /* 0: that of struct stage_row. */
};

struct checkout_orders_options {
	const char *database_url;      /* Of the orders. */
	const char *database_settings; /* Of the technique's and the payment's sessions, or NULL. */
	int64_t database_ms;           /* For one call to it. */

	struct payment_provider *providers[ORDER_STAGES]; /* Become the engine's. */
	const char *return_url; /* Where a person comes back to after 3-D Secure; NULL: nowhere. */
	size_t in_flight_max;   /* Orders of one stage of the payment. */
	int64_t lease_ms, backoff_ms_max;
	int64_t action_ms;       /* How long a person has for 3-D Secure; never beyond the hold. */
	int64_t margin_ms;       /* As in order_step.h. */
	int64_t wait_ms;         /* For how long `buy` and `recover` wait. */
	struct metrics *metrics; /* NULL: none. */

	/* The technique. */
	struct checkout_traits traits;
	struct checkout_stage sell; /* Claims `authorized`. */
	/* Claims by the mark revoke_due. `act` NULL: there is none. */
	struct checkout_stage revoke;
	struct seat_store *seats[2]; /* Of those two; become the engine's. NULL: they need none. */
	const char *payment_move;    /* `move` of the payment's stages, around checkout_move(). */

	/* As `changed` of order_payments.h, after the engine has done its part. Whether an order is
	 * finalized is decided by the technique's statement, so that is told together with
	 * capturing, a moment later; whoever is ended between the two is told the end alone. */
	void (*changed)(void *context, const struct order_change *change);
	void *changed_context;
};

struct checkout_orders;

/* Make the tables where they are missing, and allocate; before metrics_freeze(). REFUSED: what no
 * retry mends. UNAVAILABLE: the database does not answer, or memory is short. When it fails the
 * providers and the seats stay the caller's. */
__attribute__((warn_unused_result)) enum status checkout_orders_open(
	const struct checkout_orders_options *options, struct checkout_orders **orders,
	struct fault *fault);

/* Drive the stages from now on. */
__attribute__((warn_unused_result)) enum status checkout_orders_start(
	struct checkout_orders *orders);

/* An instance for one thread. `seats` is asked for the holds; it becomes the instance's, and has to
 * be for the same thread. The engine must outlive it. UNAVAILABLE when memory is short; then the
 * seats stay the caller's. */
__attribute__((warn_unused_result)) enum status checkout_orders_checkout(
	struct checkout_orders *orders, struct seat_store *seats, struct checkout **checkout);

/* The process is to end: who waits in `buy` or `recover`, and who begins to from now on, does so
 * for no longer than `within_ms` from now; what is not over then is PENDING. Any thread. */
void checkout_orders_end_waits(struct checkout_orders *orders, int64_t within_ms);

/* Claim no more, and wait up to `timeout_ms` for what is in flight; what is left is taken over when
 * its lease has run out. Instances may go on, and are told PENDING. */
void checkout_orders_stop(struct checkout_orders *orders, int64_t timeout_ms);

/* Stop, close the providers, and free. NULL is allowed. */
void checkout_orders_close(struct checkout_orders *orders);

/* The provider has sent an event about some payment: look at what is in its hands. Any thread. */
void checkout_orders_wake(struct checkout_orders *orders);

/* Orders for this stage of the payment were committed by somebody else than the engine. Any thread,
 * until the close. */
void checkout_orders_wake_stage(struct checkout_orders *orders, enum order_stage_kind stage);
