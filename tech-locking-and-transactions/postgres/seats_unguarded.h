/* The adapter with one guard off: the negative controls. Never part of a release. */
#pragma once

#include "tech-locking-and-transactions/postgres/postgres_seats_internal.h"

enum seats_guard {
	SEATS_GUARD_NONE,    /* All are on. */
	SEATS_GUARD_LOCK,    /* Seats and holds are read without a row lock, */
	SEATS_GUARD_VERSION, /* written whatever their version is now, */
	SEATS_GUARD_FENCE,   /* sold whatever version the sale names, */
	SEATS_GUARD_CLOCK,   /* and in time if the transaction began in time. */
};

/* From now on, in all statements of this process. Where the gap that a guard closes is narrow, it
 * is made wider by a pause, so that the damage is done in every run. */
void seats_guard_off(enum seats_guard guard);
