/* Checkout where the seats are in one database and orders and tickets in another: a saga, that is,
 * steps of which each commits by itself, and compensations that undo those that were made.
 *
 *	step                     where        undone by
 *	1 hold                   seats        its own end, or release
 *	2 order                  orders       its end: declined, expired, canceled
 *	3 authorize              provider     void
 *	4 sell                   seats        revoke
 *	5 tickets, finalized     orders       the tickets are void
 *	6 capture                provider     (none: whoever is captured has everything)
 *
 * The orchestrator is the order's row: its state says which steps were made, and each step is a
 * stage that claims the row, acts, and moves it on (checkout_orders.h). So a crash between two
 * databases is a row whose act is done once more: every act is idempotent by the order's id, and so
 * is every compensation. What stands between step 4 and 5 is seen by others as seats that are sold
 * without tickets, never the reverse: undoing goes the other way round, tickets first. The last
 * step that may fail is the capture, so a compensation never has to give money back.
 *
 * What can neither be done nor undone is tried again, with growing pauses and for as long as it
 * takes; what the answer makes no sense of is stuck, and shown to a person (checkout_stuck). */
#pragma once

#include "tech-locking-and-transactions/checkout_orders.h"

/* Zero means the default, where there is one; texts are copied unless it says otherwise. */
struct saga_options {
	const char *url; /* Of the database with orders and tickets. */
	/* The seats, wherever they are: an instance for the thread that sells, and one for the one
	 * that revokes. They become the engine's. */
	struct seat_store *sell_seats, *revoke_seats;
	struct payment_provider *providers[ORDER_STAGES]; /* Become the engine's. */
	const char *return_url; /* Where a person comes back to after 3-D Secure; NULL: nowhere.
				 * Must outlive it. */
	size_t in_flight_max;   /* Orders of one stage of the payment. 0: 1,000. */
	int64_t call_ms_max;    /* For one statement. 0: 5 s. */
	int64_t lease_ms;       /* Longer than a call of the seats'. 0: 30 s. */
	int64_t backoff_ms_max; /* 0: 30 s. */
	int64_t action_ms;      /* For 3-D Secure. 0: 10 min. */
	int64_t margin_ms;      /* Before the authorization's own end. 0: 1 h. */
	int64_t wait_ms;        /* For how long `buy` waits. 0: 10 s. */
	struct metrics *metrics;
};

/* Open the engine, and make the orders' tables where they are missing; then checkout_orders_start,
 * and for each thread that buys checkout_orders_checkout with an instance of the same seats. Close
 * it by checkout_orders_close. When it fails seats and providers stay the caller's. Otherwise as
 * checkout_orders_open. */
__attribute__((warn_unused_result)) enum status saga_engine(
	const struct saga_options *options, struct checkout_orders **orders, struct fault *fault);
