/* Checkout: from a hold to tickets, and the money with them.
 *
 *	hold --> authorize --> sell (seats and tickets) --> capture --> paid
 *
 * Three parties take part, and none of them knows the others: a seat store (seat_store.h), a
 * payment provider, and an order store that remembers how far each order has come. Money is
 * reserved before seats are sold, and taken after, so nobody pays for what they do not get and
 * nobody keeps what they have not paid for. What a crash leaves half done is found in the order
 * store and either finished or undone; nothing is ever assumed.
 *
 *	what has happened          and then the process died   what becomes of it
 *	nothing is authorized      the hold runs out           ends the order: EXPIRED
 *	perhaps authorized         the answer was lost         asks again, and goes on from there
 *	authorized, not sold       the hold may be over        sells, or voids: EXPIRED
 *	sold, not captured         tickets are out             captures; refused for good: revokes
 *	                                                       the sale: DECLINED
 *	captured                   nobody was told             says PAID
 *
 * It is done by itself, in any process that has a checkout on the same orders; `recover` only says
 * that now is a good time.
 *
 * How the parties are bound together is the technique's: one transaction where seats and orders
 * share a database; a saga with compensations where they do not; two-phase commit. All of them have
 * these operations and must pass the same suite (checkout_conformance.h).
 *
 * A request is wholly determined by its order's id. Whoever repeats it means the same purchase,
 * however often, through whatever process, also while the first is under way; and the order that
 * was declined stays declined. To try again with another payment method is another order, for the
 * same hold, which is still the person's while it lives.
 *
 * An instance belongs to one thread. A call blocks, for no longer than the technique's options say;
 * what has not come to an end by then is PENDING, and goes on by itself. Statuses speak of the
 * call, outcomes of a purchase (lib/base/status.h):
 *	OK           every result is filled in
 *	UNAVAILABLE  no order was made
 *	UNKNOWN      perhaps some were: repeat the same requests, or look_up
 * Results are undefined unless the status is OK. Slices are borrowed until the call returns. */
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
	struct slice payment_method; /* The provider's token, never a card's number: 1 to
				      * CHECKOUT_METHOD_SIZE_MAX bytes of text. */
};

enum buy_outcome {
	BUY_PAID,     /* The money is taken and the tickets are valid. */
	BUY_DECLINED, /* No money is taken and none will be, by this order. Mostly the provider will
		       * not pay; the hold stays while it lives, and may be bought by another order.
		       * Where the money could not be taken after the sale, or was given back
		       * (status canceled, refunded), the seats are free, or soon will be. */
	BUY_REQUIRES_ACTION, /* The person has to prove something at action_url; then the same
			      * request again. */
	BUY_EXPIRED,         /* The hold was over before it was sold. What was reserved is, or will
			      * be, voided. */
	BUY_NOT_HELD,        /* There is no such hold, or it was released. */
	BUY_NOT_YOURS,       /* The hold is another person's. */
	BUY_OTHER_ORDER,     /* The hold was bought by another order, or is being bought. */
	BUY_OTHER_REQUEST,   /* The order is about another hold, person or payment method. */
	BUY_MALFORMED,       /* Limits are exceeded, or a text is none; see buy_request_is_sound. */
	BUY_PENDING,         /* It is not over: the provider has not said, or the time was up. The
			      * same request again, or look_up, tells more. */
	BUY_OUTCOME_COUNT,
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

/* ---- recover, stuck ---- */

struct recovery {
	size_t finished; /* Orders that were brought to their end, either way. */
	size_t open;     /* Looked at, and still not over: asked again later. */
	size_t stuck;    /* Neither finished nor undone after many attempts: for a person to see. */
};

/* An order that goes on only when a person has looked at it. The texts are the arena's. */
struct stuck_order {
	struct id event, order;
	enum order_status status;
	struct slice note;      /* What went wrong last. */
	struct slice reference; /* Of the payment, at the provider; `data` NULL: there is none. */
	int64_t since_ms;       /* Unix time of its last change of status. */
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

	/* Buy holds, each on its own, 1 to traits.batch_max. Repeated with the same order, the
	 * first answer is given again, or how far it has come since: an order is authorized, sold
	 * and captured at most once. What belongs to results is in the arena. */
	enum status (*buy)(struct checkout *checkout, const struct buy_request requests[],
		struct buy_result results[], size_t count, struct arena *arena);

	/* How orders stand, by event and order of the requests; the rest of these is not looked at.
	 * NOT_HELD: there is no such order. Does not wait. */
	enum status (*look_up)(struct checkout *checkout, const struct buy_request requests[],
		struct buy_result results[], size_t count, struct arena *arena);

	/* Take up what has been left half done, 1 to CHECKOUT_BATCH_MAX orders: those whose lease
	 * is over, in any process, and those that wait for their next attempt. Waits for them as
	 * `buy` does. May be called at any time, and by several at once. */
	enum status (*recover)(struct checkout *checkout, size_t max, struct recovery *recovery);

	/* Those that are stuck, the oldest first: at most `max`, 1 to CHECKOUT_BATCH_MAX. */
	enum status (*stuck)(struct checkout *checkout, size_t max, struct stuck_order orders[],
		size_t *count, struct arena *arena);

	/* Free the instance; the orders stay. */
	void (*close)(struct checkout *checkout);
};

/* ---- For techniques: what all of them check in the same way ---- */

/* Whether the limits are kept and person and method are text (slice_is_text). */
bool buy_request_is_sound(const struct buy_request *request);

/* For messages: "paid", "not held", … Never NULL. */
const char *buy_outcome_name(enum buy_outcome outcome);

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

__attribute__((warn_unused_result)) static inline enum status checkout_stuck(
	struct checkout *checkout, size_t max, struct stuck_order orders[], size_t *count,
	struct arena *arena)
{
	return checkout->ops->stuck(checkout, max, orders, count, arena);
}

static inline void checkout_close(struct checkout *checkout)
{
	if (checkout)
		checkout->ops->close(checkout);
}
