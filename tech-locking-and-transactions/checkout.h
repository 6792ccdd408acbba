/* Checkout: from a hold to tickets, and the money with them.
 *
 *	hold --> authorize --> sell (seats and tickets) --> capture --> paid
 *
 * Three parties take part, and none of them knows the others: a seat store (seat_store.h), a
 *payment provider, and an order store that remembers how far each order has come. Money is reserved
 *before seats are sold, and taken after, so nobody pays for what they do not get and nobody keeps
 *what they have not paid for. What a crash leaves half done is found in the order store and either
 * finished or undone; nothing is ever assumed.
 *
 *	what has happened          and then the process died   recover
 *	nothing is authorized      the hold runs out           ends the order: EXPIRED
 *	perhaps authorized         the answer was lost         looks up, and goes on from there
 *	authorized, not sold       the hold may be over        sells, or voids: EXPIRED
 *	sold, not captured         tickets are out             captures; refused for good: revokes
 *the sale, voids: DECLINED captured                   nobody was told             says PAID
 *
 * How the parties are bound together is the technique's: one transaction where seats and orders
 * share a database; a saga with compensations where they do not; two-phase commit. All of them have
 * these operations and must pass the same suite.
 *
 * An instance belongs to one thread. A call blocks, for no longer than the technique's options say;
 * what has not come to an end by then is PENDING, and goes on by itself or by `recover`. Statuses
 * speak of the call, outcomes of a purchase (lib/base/status.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/id.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "lib/ticketing/money.h"
#include "lib/ticketing/order.h"

/* tech-locking-and-transactions/seat_store.h and tech-two-phase-payments/payment_provider.h: what a
 * technique's constructor takes, beside its own options. They stay the caller's, are used by the
 * checkout's thread only, and outlive it. */
struct seat_store;
struct payment_provider;

enum {
	CHECKOUT_BATCH_MAX = 256,       /* Purchases of one call. */
	CHECKOUT_METHOD_SIZE_MAX = 255, /* Of a payment method, in bytes. */
	CHECKOUT_REASON_SIZE = 64,
	CHECKOUT_URL_SIZE = 2048,
	CHECKOUT_TICKETS_MAX = 50, /* Of one order: the seats of one hold. */
};

/* ---- buy ---- */

struct buy_request {
	struct id event;
	struct id hold;
	struct slice person;
	struct id order;             /* The request's id, and that of the order that it makes. */
	struct slice payment_method; /* The provider's token, never a card's number. */
};

enum buy_outcome {
	BUY_PAID,     /* The money is taken and the tickets are valid. */
	BUY_DECLINED, /* The provider will not pay; no money is taken. The hold stays, while it
		       * lives, and may be bought by another order. */
	BUY_REQUIRES_ACTION, /* The person has to prove something at action_url; then the same
			      * request again. */
	BUY_EXPIRED,         /* The hold was over before it was sold. What was reserved is, or will
			      * be, voided. */
	BUY_NOT_HELD,        /* There is no such hold, or it was released. */
	BUY_NOT_YOURS,       /* The hold is another person's. */
	BUY_OTHER_ORDER,     /* The hold was bought by another order. */
	BUY_OTHER_REQUEST,   /* The order is about another hold or person. */
	BUY_PENDING,         /* It is not over: the provider has not said, or the time was up. The
			      * same request again, or look_up, tells more. */
};

struct buy_ticket {
	struct id ticket; /* seat_ticket_id of order and seat. */
	struct slice seat;
};

struct buy_result {
	enum buy_outcome outcome;
	enum order_status status; /* How far the order has come. */
	struct money total;
	struct buy_ticket *tickets; /* PAID: in order of the seats; the arena's. */
	size_t ticket_count;
	char reason[CHECKOUT_REASON_SIZE]; /* DECLINED: the provider's code. */
	char action_url[CHECKOUT_URL_SIZE];
};

/* ---- recover ---- */

struct recovery {
	size_t finished; /* Orders that were brought to their end, either way. */
	size_t open;     /* Looked at, and still not over: asked again later. */
	size_t stuck;    /* Neither finished nor undone after many attempts: for a person to see. */
};

/* ---- the checkout ---- */

struct checkout_traits {
	const char *name;     /* "saga" */
	bool one_transaction; /* Seats, tickets and order change at one instant. Otherwise an order
			       * may for a while be seen without its tickets, or the reverse. */
	bool survives_seats; /* kill -9 of the seats' database in the middle, and of the orders', */
	bool survives_orders; /* leaves nothing that `recover` does not finish or undo. */
	size_t batch_max;     /* Purchases of one call, 1 to CHECKOUT_BATCH_MAX. */
};

struct checkout {
	const struct checkout_ops *ops;
};

struct checkout_ops {
	/* Constant for the instance. Any thread. */
	const struct checkout_traits *(*traits)(const struct checkout *checkout);

	/* Buy holds, each on its own. Repeated with the same order, the first answer is given
	 * again, or how far it has come since: an order is authorized, sold and captured at most
	 * once. A declined order may be repeated with another payment method, which is a new
	 * attempt. What belongs to results is in the arena. */
	enum status (*buy)(struct checkout *checkout, const struct buy_request requests[],
		struct buy_result results[], size_t count, struct arena *arena);

	/* How orders stand, by event and order of the requests; the rest of these is not looked at.
	 * NOT_HELD: there is no such order. */
	enum status (*look_up)(struct checkout *checkout, const struct buy_request requests[],
		struct buy_result results[], size_t count, struct arena *arena);

	/* Take up what has been left half done, at most `max` orders: those whose lease is over, in
	 * any process. May be called at any time, and by several at once. */
	enum status (*recover)(struct checkout *checkout, size_t max, struct recovery *recovery);

	/* Free the instance; the orders stay. */
	void (*close)(struct checkout *checkout);
};

/* ---- Callers use these ---- */

static inline const struct checkout_traits *checkout_traits(const struct checkout *checkout)
{
	return checkout->ops->traits(checkout);
}

__attribute__((warn_unused_result)) static inline enum status checkout_buy(
	struct checkout *checkout, const struct buy_request requests[], struct buy_result results[],
	size_t count, struct arena *arena)
{
	return checkout->ops->buy(checkout, requests, results, count, arena);
}

__attribute__((warn_unused_result)) static inline enum status checkout_look_up(
	struct checkout *checkout, const struct buy_request requests[], struct buy_result results[],
	size_t count, struct arena *arena)
{
	return checkout->ops->look_up(checkout, requests, results, count, arena);
}

__attribute__((warn_unused_result)) static inline enum status checkout_recover(
	struct checkout *checkout, size_t max, struct recovery *recovery)
{
	return checkout->ops->recover(checkout, max, recovery);
}

static inline void checkout_close(struct checkout *checkout)
{
	if (checkout)
		checkout->ops->close(checkout);
}
