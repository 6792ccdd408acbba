/* Best available once more, as slow and as plain as can be: for each level, all candidates of the
 * documented order are tried one by one. It reads nothing of a plan but coordinates, and knows a
 * hall by its columns, so it has neither stretches nor sliding sums nor shortcuts to be wrong in.
 * For drawn halls (test_hall.h) of at most ORACLE_SEATS_MAX seats, without a turned row. */
#pragma once

#include "lib/ticketing/test_hall.h"

enum { ORACLE_SEATS_MAX = 256 };

struct oracle_block {
	enum best_available_level level;
	bool seats[ORACLE_SEATS_MAX]; /* By index: whether the seat is of the block. */
	uint32_t orphan_count;
};

/* What best_available_find has to say to the same question. */
void oracle_find(const struct hall *hall, uint32_t quantity, int category, int section,
	struct oracle_block *block);
