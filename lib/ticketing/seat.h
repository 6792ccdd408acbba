/* The states of a seat at one event, and the only ways from one to another.
 *
 *	             hold              sell
 *	available ────────▶ held ────────▶ sold
 *	    ▲  ▲  release,   │               │
 *	    │  └─── expire ──┘               │
 *	    └──────────── revoke ────────────┘
 *
 * "Held" and "sold" are different everywhere: a held seat may come back within minutes, a sold one
 * comes back only when its ticket is revoked. */
#pragma once

#include <stdbool.h>

#include "lib/base/slice.h"

enum seat_status {
	SEAT_AVAILABLE,
	SEAT_HELD,
	SEAT_SOLD,
};

enum { SEAT_STATUS_COUNT = SEAT_SOLD + 1 };

enum seat_event {
	SEAT_HOLD,    /* A person reserves it. */
	SEAT_RELEASE, /* That person gives it back. */
	SEAT_EXPIRE,  /* The hold's time is over. */
	SEAT_SELL,    /* The hold is bought: the seat gets its ticket. */
	SEAT_REVOKE, /* The ticket is taken back, for a refund or a payment that failed for good. */
};

enum { SEAT_EVENT_COUNT = SEAT_REVOKE + 1 };

/* The status as APIs and tables write it: "available", "held", "sold". Never NULL. */
const char *seat_status_name(enum seat_status status);

/* The status with this name. False, and *status unchanged, if there is none. */
__attribute__((warn_unused_result)) bool seat_status_parse(
	struct slice name, enum seat_status *status);

/* Where `event` takes a seat that is `from`. False, and *to unchanged, where the event is not
 * legal: a sold seat is not held, and no seat is sold that nobody holds. */
__attribute__((warn_unused_result)) bool seat_transition(
	enum seat_status from, enum seat_event event, enum seat_status *to);
