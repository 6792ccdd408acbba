/* Best available: seats for a party that does not choose them itself.
 *
 * The order of preferences is what the field does (seats.io documents its own in
 * https://docs.seats.io/docs/api/best-available): seats next to each other in one row that strand
 * nobody's seat; else such that do; else the party is parted, as little as possible. Within each
 * level, the nearest to the focal point win (seating_zone_focal_point).
 *
 *	ADJACENT         Adjacent seats of one row, and no orphan is left: a free seat beside the
 *	                 block that had a free neighbour before and has none any more.
 *	ADJACENT_ORPHAN  Adjacent seats of one row.
 *	TWO_GROUPS       Two groups of adjacent seats, in the same row or in neighbouring rows of
 *	                 one section, as equal as the free runs allow (the odd seat in front). In
 *	                 a party of four or more nobody sits alone, if that can be helped.
 *	ONE_SECTION      Scattered, near to each other in one section.
 *	ANYWHERE         Scattered, in several sections.
 *
 * A wish for a category or a section is never relaxed.
 *
 * WHAT IS NEAR. A seat's distance to the focal point is rounded to 1/256 plan unit, so that the two
 * halves of a symmetric hall are equal and sums do not depend on their order. A block's distance is
 * the sum over its seats. In detail:
 *	ADJACENT…    The least distance; of equal ones the first in the plan.
 *	TWO_GROUPS   Each group takes its place within its run of free seats as a party of its
 *	             size would. Then the least of: distance + quantity × what lies between the
 *	             middles of the groups, so that a step away from one's friends counts as one
 *	             away from the stage. Of equal ones the first in the plan, the group in front
 *	             before the other. A row's runs behind its first BEST_AVAILABLE_RUNS_MAX, more
 *	             than any real row has, are not looked at.
 *	ONE_SECTION  The section is walked row by row, every other row backwards; candidates are
 *	             the free seats that follow each other on that walk. The least of: distance +
 *	             quantity × the diagonal of the rectangle that holds them all. Of equal ones
 *	             the first on the walk, in the section whose nearest seat is nearest.
 *	ANYWHERE     The free seat nearest to the focal point, and those nearest to it; of equal
 *	             ones the first in the plan.
 *
 * WHAT IS ADJACENT. The seats of a row are taken in the order of the document or along the row's
 * longest direction, whichever makes the shorter walk: that suits both curved rows and those that
 * number odd seats on the left and even ones on the right. Two that follow each other are adjacent
 * unless the distance between them exceeds 1.5 times the row's median spacing; then an aisle lies
 * between them, or a seat that the plan does not have. In a row with fewer than three spacings the
 * section's median counts. Whatever is not available counts as taken. Neighbouring rows are those
 * that follow each other in the document.
 *
 * COLLISIONS. The answer depends on the arguments alone, so all who ask at once get the same seats,
 * and all but one of them find some taken. Strike those out and ask again: that gives the next
 * block.
 *
 *	best_available_find(prepared, available, &wish, &block);
 *	while (block.level != BEST_AVAILABLE_NONE && hold(&block, &which) == HOLD_TAKEN) {
 *		best_available_strike_out(&block, which, available);
 *		best_available_find(prepared, available, &wish, &block);
 *	}
 *
 * Where many ask in the same moment, each of them does well to strike out a random number of whole
 * blocks in its copy of `available` first, lest all of them race for one after the other.
 *
 * COST. Preparing a plan of n seats: n log n, once. ADJACENT goes through the stretches between
 * aisles, the nearest first, and stops when the rest is farther away than what it has; a stretch
 * that is sold out costs one memchr. So it takes about as long as it takes to pass by what is sold,
 * and that there is nothing left is known after n bytes. Each further level that is tried takes n
 * steps, and more only where candidates come near the best: TWO_GROUPS compares the free runs of
 * neighbouring rows in pairs, ONE_SECTION measures a rectangle, `quantity` steps, around each
 * candidate whose distance alone does not rule it out. Nothing is allocated, there is no clock and
 * no state: threads share what is prepared. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/ticketing/seating_plan.h"

enum {
	BEST_AVAILABLE_SEATS_MAX = 50, /* Of one party: as many as a hold may have. */
	BEST_AVAILABLE_RUNS_MAX = 64,
	BEST_AVAILABLE_ARENA_SIZE_MAX = 32 * 1024 * 1024, /* Enough for any plan. */
};

enum best_available_level {
	BEST_AVAILABLE_NONE, /* Fewer such seats are available than are wanted. */
	BEST_AVAILABLE_ADJACENT,
	BEST_AVAILABLE_ADJACENT_ORPHAN,
	BEST_AVAILABLE_TWO_GROUPS,
	BEST_AVAILABLE_ONE_SECTION,
	BEST_AVAILABLE_ANYWHERE,
};

/* Category and section are those of the prepared plan; NULL: any. */
struct best_available_wish {
	uint32_t quantity; /* 1 to BEST_AVAILABLE_SEATS_MAX. */
	const struct seating_category *category;
	const struct seating_zone *section;
};

/* The counts tell what was relaxed: without any of it, all are 1 and there is no orphan. */
struct best_available_block {
	enum best_available_level level;
	uint32_t seat_count;                      /* What was wished; NONE: 0. */
	uint32_t seats[BEST_AVAILABLE_SEATS_MAX]; /* Indices in the plan, by row and position. */
	uint32_t group_count;                     /* Of seats that are adjacent to each other. */
	uint32_t row_count, section_count;        /* That the seats stand in. */
	uint32_t orphan_count;                    /* New ones that the block leaves. */
};

/* What is known of a plan before anybody asks: rows in order, aisles, distances. */
struct best_available;

/* Prepare a plan, once per plan. The result lives in the arena and borrows the plan. NULL past the
 * arena's bound, or when the system's memory is short. */
__attribute__((warn_unused_result)) const struct best_available *best_available_prepare(
	const struct seating_plan *plan, struct arena *arena);

/* The best block for a wish. `available` has an element for each seat of the plan, in its order:
 * true if it can be had now. What is not on sale at all is not available. */
void best_available_find(const struct best_available *prepared, const bool available[],
	const struct best_available_wish *wish, struct best_available_block *block);

/* Mark those of the block's seats as not available whose bit is set: bit i is for seats[i]. */
void best_available_strike_out(
	const struct best_available_block *block, uint64_t which, bool available[]);
