/* The states of an order, and the only ways from one to another.
 *
 * The usual way of an order with two-phase payment:
 *
 *	requires_confirmation --confirm--> authorizing --authorize--> authorized
 *	    --finalize--> finalized --capture--> capturing --pay--> paid
 *
 * Money is reserved before seats and tickets are written, and taken after, so that nobody pays for
 * what they do not get. Three rules stand behind the rest of the table:
 *
 *   1. What the provider has not answered is not known. `authorizing` and `capturing` are the two
 *	statuses in which a call may be under way; they are left by an answer only. An order in one
 *	of them that is to be canceled waits for it.
 *   2. A cancellation, a refund and a passed deadline are events of this table once the provider
 *	has done its part (order_cancel): the authorization is voided first, then the order is
 *	canceled and its seats released, never the other way round. That one is wanted is a mark
 *	beside the status, not a status.
 *   3. A declined order may be confirmed again, with another payment method. That is a new payment
 *	attempt with keys of its own at the provider; the answers to an earlier attempt no longer
 *	count.
 *
 * A finalized order has its tickets, so it does not expire: it is captured, or its capture fails
 * for good and the tickets are revoked. order_diagram.h draws all of it. */
#pragma once

#include <stdbool.h>

#include "lib/base/slice.h"

enum order_status {
	ORDER_REQUIRES_CONFIRMATION, /* Made; a payment method is still to be named. */
	ORDER_AUTHORIZING,           /* The provider is being asked to reserve the money. */
	ORDER_REQUIRES_ACTION,       /* The buyer has to prove who they are (3-D Secure). */
	ORDER_AUTHORIZED,            /* The money is reserved. */
	ORDER_FINALIZED,             /* Seats are sold and tickets written; no money was taken. */
	ORDER_CAPTURING,             /* The provider is being asked to take the money. */
	ORDER_PAID,                  /* Taken, and the tickets are valid. */
	ORDER_DECLINED,              /* The provider said no; another payment method may do. */
	ORDER_CANCELED,              /* Over, and no money was taken. */
	ORDER_EXPIRED,               /* Over, because its deadline passed; no money was taken. */
	ORDER_REFUNDED,              /* Over; the money was taken and given back. */
};

enum { ORDER_STATUS_COUNT = ORDER_REFUNDED + 1 };

enum order_event {
	ORDER_CONFIRM,        /* The buyer names a payment method: a new payment attempt. */
	ORDER_REQUIRE_ACTION, /* The provider wants the buyer to prove who they are. */
	ORDER_AUTHORIZE,      /* The provider has reserved the money. */
	ORDER_DECLINE,        /* The provider has refused, or the proof failed. */
	ORDER_FINALIZE,       /* Seats and tickets are written, in one transaction. */
	ORDER_CAPTURE,        /* The money is about to be asked for. */
	ORDER_PAY,            /* The provider has taken the money. */
	ORDER_FAIL_CAPTURE,   /* It never will: tickets are revoked and seats freed. */
	ORDER_CANCEL,         /* Given up, and nothing is reserved any more. */
	ORDER_EXPIRE,         /* The deadline passed, and nothing is reserved any more. */
	ORDER_REFUND,         /* The money was given back. */
};

enum { ORDER_EVENT_COUNT = ORDER_REFUND + 1 };

/* What the provider has to do before an order in some status may be canceled. */
enum order_cancel {
	ORDER_CANCEL_AT_ONCE, /* Nothing: no money is reserved. The next event is ORDER_CANCEL. */
	ORDER_CANCEL_VOID,    /* Void the authorization, then ORDER_CANCEL. */
	ORDER_CANCEL_REFUND,  /* Refund, then ORDER_REFUND. */
	ORDER_CANCEL_WAIT,    /* A call is under way: decide again by the status that it leads to.
			       * Only whoever owns that call may cancel before it was made. */
	ORDER_CANCEL_OVER,    /* The order has ended already; there is nothing to cancel. */
};

/* The status as APIs and tables write it: "requires_confirmation", …; the event as diagrams and
 * logs do: "confirm", …. Never NULL. */
const char *order_status_name(enum order_status status);
const char *order_event_name(enum order_event event);

/* The status or event with this name. False, and nothing changed, if there is none. */
__attribute__((warn_unused_result)) bool order_status_parse(
	struct slice name, enum order_status *status);
__attribute__((warn_unused_result)) bool order_event_parse(
	struct slice name, enum order_event *event);

/* Where `event` takes an order that is `from`. False, and *to unchanged, where it is not legal. */
__attribute__((warn_unused_result)) bool order_transition(
	enum order_status from, enum order_event event, enum order_status *to);

/* Whether no event leads out of the status. `paid` is not terminal: it may be refunded. */
bool order_is_terminal(enum order_status status);

/* What canceling an order in this status takes. The same holds for one whose deadline has passed,
 * with ORDER_EXPIRE for ORDER_CANCEL where that is legal; paid and finalized orders do not expire.
 */
enum order_cancel order_cancel(enum order_status status);
