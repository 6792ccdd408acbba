/* The judge: compares what the database holds about an event with itself and with what buyers were
 * told, and counts what does not agree (simplest_judge.sql says how). The same judge must find
 * nothing with all guards on, and a double sale with the guards off. */
#pragma once

#include "simplest-implementation/simplest_fixture.h"

enum judged {
	JUDGED_SECOND_TICKETS, /* Seats with more than one ticket in the database. */
	JUDGED_SOLD_TO_TWO,    /* Seats that two purchases were told they have. */
	JUDGED_LOST_TICKETS,   /* Acknowledged, and not there as they were. */
	JUDGED_LOST_HOLDS,
	JUDGED_UNTOLD_TICKETS, /* There, and nobody was told. */
	JUDGED_UNTOLD_HOLDS,
	JUDGED_MISSING_SEATS, /* Available, held and sold are not all seats. */
	JUDGED_MISCOUNTED,    /* Seats by which the API's counts are off. */
	JUDGED_SEATS_AT_ODDS_WITH_TICKETS,
	JUDGED_SEATS_AT_ODDS_WITH_HOLDS,
	JUDGED_ORDERS_AT_ODDS_WITH_CHARGES,
	JUDGED_ORDERS_AT_ODDS_WITH_HOLDS,
	JUDGED_ORDERS_AT_ODDS_WITH_PRICES,
	JUDGED_ORDERS_WITHOUT_ANSWER, /* Without the record of an Idempotency-Key. */
	JUDGED_COUNT,
};

struct verdict {
	int64_t found[JUDGED_COUNT];
	int64_t total;
	char words[1024]; /* What was found, for a person. */
};

/* Judge an event of `seats` seats while the server runs and nobody writes. `history` is a list of
 * {holdId, state, seats, total, order?}: each hold that was granted, what its buyer was last told
 * about it (held, released, sold), and the order as the API gave it. */
struct verdict judge(const char *event, int64_t seats, const json_t *history);
