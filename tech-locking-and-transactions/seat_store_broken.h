/* A seat store that breaks its contract in one way: the negative control of the conformance suite.
 * Around any technology; for tests only.
 *
 * Each way is one that a real system has been seen to have, or a mistake that is easily made. */
#pragma once

#include "tech-locking-and-transactions/seat_store.h"

enum seat_store_breakage {
	BREAK_NOTHING,
	BREAK_HOLD_PART,         /* Of several seats, those that are free are held. */
	BREAK_GRANT_TAKEN,       /* A seat that is taken is granted to a second person. */
	BREAK_FORGET_HOLD,       /* A hold is acknowledged, and is none. */
	BREAK_HOLD_AGAIN,        /* Whoever repeats a request is told that the seat is taken. */
	BREAK_IGNORE_CONTENT,    /* The id alone decides, whatever else the request says. */
	BREAK_ANYBODY_SELLS,     /* The person is not compared. */
	BREAK_IGNORE_FENCE,      /* The version is not compared. */
	BREAK_SELL_EXPIRED,      /* Time is not compared. */
	BREAK_SELL_AGAIN,        /* A second order is told that it has bought, too. */
	BREAK_FORGET_RELEASE,    /* Released is answered, and the seats stay held. */
	BREAK_FORGET_REVOCATION, /* Revoked is answered, and the seats stay sold. */
	BREAK_LAST_CLAIM_WINS,   /* A batch is applied from its end. */
	BREAK_STALE_STATUS,      /* Held seats are shown as available. */
	BREAK_COUNT,
};

/* "hold_part" */
const char *seat_store_breakage_name(enum seat_store_breakage breakage);

/* Wrap `store`, which is closed with the wrapper. NULL when there is no memory. */
struct seat_store *seat_store_broken(struct seat_store *store, enum seat_store_breakage breakage);
