/* When will it be my turn? A range, from how fast people were admitted in the last minutes.
 *
 * Only time in which somebody waited and admission was on is measured: that few were admitted while
 * few came says nothing about a rush. The range comes from the mean rate and the standard deviation
 * of the rates of ten-second slots, to which that of a mere count is added:
 *
 *	low = ahead / (mean + deviation)        high = (ahead + 1) / (mean - deviation)
 *
 * The slower rate is not below a third of the mean, and neither is faster than the rate that is
 * configured now. Both times grow with the number of people ahead, so nobody is promised to come
 * before those in front.
 *
 *	on each change of the room:    arrival_estimate_add(&estimate, &sample);
 *	                               snapshot->pace = arrival_estimate_pace(&estimate, now_ms);
 *	on each poll, from a snapshot: arrival_range(&snapshot->pace, ahead)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ARRIVAL_SLOT_MS = 10000,
	ARRIVAL_SLOTS_MAX = 30,         /* Five minutes. */
	ARRIVAL_MEASURED_MS_MIN = 5000, /* Less tells nothing. */
	ARRIVAL_SECONDS_MAX = 604800,   /* A week: what is longer is not told apart. */
};

/* The room at one moment. */
struct arrival_sample {
	int64_t now_ms;         /* From one clock, which may jump: then measuring begins anew. */
	int64_t admitted;       /* Ever; grows. If it falls (a new epoch), measuring begins anew. */
	int64_t waiting;        /* People in line. */
	double rate_per_second; /* As configured; > 0. */
	bool admitting;         /* The room is open or draining: not lobby, paused or closed. */
};

/* The members are the functions' own. Plain data. */
struct arrival_estimate {
	struct arrival_sample last; /* Of `now_ms` INT64_MIN: there was none. */
	struct arrival_slot {
		int64_t number;      /* now_ms / ARRIVAL_SLOT_MS. */
		int64_t measured_ms; /* Of the intervals that ended in this slot. */
		double admitted;     /* During that time. */
	} slots[ARRIVAL_SLOTS_MAX];  /* By number modulo ARRIVAL_SLOTS_MAX. */
};

enum arrival_basis {
	ARRIVAL_UNKNOWN,    /* Nobody is admitted now; or nobody was of late, though many waited. */
	ARRIVAL_CONFIGURED, /* Not enough measured: the configured rate, to half of it. */
	ARRIVAL_MEASURED,
};

struct arrival_pace {
	enum arrival_basis basis;
	double slow, fast; /* Admissions per second, 0 < slow ≤ fast; 0 when unknown. */
};

struct arrival_range {
	bool known;
	int64_t low, high; /* Seconds, 0 ≤ low < high ≤ ARRIVAL_SECONDS_MAX; 0 when not known. */
};

void arrival_estimate_init(struct arrival_estimate *estimate);

/* Take in how the room stands. At any intervals; a few per second are enough. An interval longer
 * than ARRIVAL_SLOT_MS is not measured, since nobody watched. */
void arrival_estimate_add(struct arrival_estimate *estimate, const struct arrival_sample *sample);

/* What was measured in the last minutes, for the room as it was last. Unknown before the first
 * sample. */
struct arrival_pace arrival_estimate_pace(const struct arrival_estimate *estimate, int64_t now_ms);

/* When it is the turn of somebody with `ahead` people in front (not negative). Two divisions. */
struct arrival_range arrival_range(const struct arrival_pace *pace, int64_t ahead);
