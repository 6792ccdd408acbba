/* Checkout where seats and orders share a database: the sale of the seats, the tickets and the
 * order change in one transaction (checkout.h, checkout_orders.h).
 *
 *	authorized ── one statement ──▶ finalized     seats sold, tickets written
 *	           └───────────────────▶ the mark     the hold was over: the reservation is voided
 *	capturing  ── one statement ──▶ canceled      tickets void, seats free: there is no money
 *
 * The sale is the transition itself: the stage that claims authorized orders has nothing to do but
 * to move them, a batch per statement, and the statement sells. So there is no moment at which one
 * has happened and the other has not, and nothing to compensate between them. Locks are taken in
 * the house's order: orders, holds, seats, tickets. */
#pragma once

#include "tech-locking-and-transactions/checkout_orders.h"

/* Zero means the default, where there is one; the texts are copied. */
struct postgres_checkout_options {
	const char *url; /* Of the database with the seats (postgres_seats.h) and the orders. */
	struct payment_provider *providers[ORDER_STAGES]; /* Become the engine's. */
	const char *return_url; /* Where a person comes back to after 3-D Secure; NULL: nowhere.
				 * Must outlive it. */
	size_t in_flight_max;   /* Orders of one stage of the payment. 0: 1,000. */
	int64_t call_ms_max;    /* For one statement. 0: 5 s. */
	int64_t lease_ms;       /* 0: 30 s. */
	int64_t backoff_ms_max; /* 0: 30 s. */
	int64_t action_ms;      /* For 3-D Secure. 0: 10 min. */
	int64_t margin_ms;      /* Before the authorization's own end. 0: 1 h. */
	int64_t wait_ms;        /* For how long `buy` waits. 0: 10 s. */
	struct metrics *metrics;
	/* As in checkout_orders.h; NULL: nobody. */
	void (*changed)(void *context, const struct order_change *change);
	void *changed_context;
};

/* Open the engine, and make the tables where they are missing; then checkout_orders_start, and for
 * each thread that buys postgres_checkout_open. Close it by checkout_orders_close. As
 * checkout_orders_open. */
__attribute__((warn_unused_result)) enum status postgres_checkout_engine(
	const struct postgres_checkout_options *options, struct checkout_orders **orders,
	struct fault *fault);

/* An instance for one thread, with connections of its own. `url` as in the options. */
__attribute__((warn_unused_result)) enum status postgres_checkout_open(
	struct checkout_orders *orders, const char *url, struct checkout **checkout,
	struct fault *fault);
