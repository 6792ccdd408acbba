/* The seats of one event as this process knows them, and what is told of them. Pure: no I/O, no
 * threads, time is an argument; one owner.
 *
 * A seat's state is what PostgreSQL said last, by its version: an older one never replaces a newer
 * one, whatever order they are heard of in. So a board may be read anew, or hear of a change twice,
 * at any time.
 *
 * PROPOSALS. Who asks for the best seats is proposed some, and until it is known here whether they
 * were taken, nobody else is proposed the same: else a crowd that asks at once would be sent to the
 * same seats, and all but one of them in vain. A proposal is no reservation: it lapses after
 * BOARD_PROPOSAL_MS, and where nothing else is left, proposed seats are proposed again. */
#pragma once

#include "lib/base/buffer.h"
#include "lib/ticketing/best_available.h"
#include "lib/ticketing/money.h"
#include "lib/ticketing/seat.h"
#include "real-implementation/venue_plan.h"

enum { BOARD_PROPOSAL_MS = 500 };

/* What changes seldom of an event. */
struct event_facts {
	struct id event, venue;
	int64_t version; /* Of the event's row; grows. */
	char currency[CURRENCY_TEXT_SIZE];
	int64_t starts_at_ms, on_sale_at_ms;
	bool canceled;
	int64_t seats_per_hold_max, hold_ms;
};

/* Whether holds are taken at this moment, or why not. */
enum sale_state { SALE_UPCOMING, SALE_ON, SALE_ENDED, SALE_CANCELED };

enum sale_state event_sale_state(const struct event_facts *facts, int64_t now_wall_ms);
const char *sale_state_name(enum sale_state state); /* "upcoming", "on_sale", … */

struct board_counts {
	uint32_t by_status[SEAT_STATUS_COUNT];
};

struct board_proposal {
	uint32_t seat;
	int64_t ends_ms;
};

struct board {
	struct venue_plan *plan;
	uint32_t seat_count;
	/* Of each seat of the plan. One that is not on sale has version −1. */
	uint8_t *status;
	int64_t *version;
	int64_t *price;
	bool *available; /* On sale, available and not proposed to somebody. */
	bool *changed;   /* Since the last board_tell. */
	uint32_t *changes;
	size_t change_count;
	struct board_counts *counts; /* Of each section and category. */
	struct board_counts total;
	int64_t version_sum; /* Of all seats: the version of the board, the same in each process. */
	struct board_proposal *proposals; /* A ring, the oldest first. */
	size_t proposal_first, proposal_count;
};

/* A board on which nothing is on sale yet. Takes over one reference to the plan. NULL when memory
 * is short; then the reference stays the caller's. */
__attribute__((warn_unused_result)) struct board *board_new(struct venue_plan *plan);

/* NULL is allowed. */
void board_free(struct board *board);

/* The seat stands so, as of this version. Unknown seats are ignored; a price below 0 is not known
 * and stays. Returns whether it was news. */
bool board_set(struct board *board, struct slice seat, enum seat_status status, int64_t version,
	int64_t price);

/* What has been set so far is no news to anybody: as after the first reading. */
void board_settle(struct board *board);

/* Best seats for a wish, as best_available_find; those of the block count as proposed from now on.
 */
void board_propose(struct board *board, const struct best_available_wish *wish, int64_t now_ms,
	struct best_available_block *block);

/* ---- What is told ---- */

/* Write the counts as JSON members (no braces): version, total, sections with categories. The
 * prices are the event's. */
void board_availability(const struct board *board, struct buffer *text);

/* Write what has changed since the last call as an object for a stream:
 * {"version","available":[…],"held":[…],"sold":[…]} with indices of the plan, and forget it. False,
 * and nothing written: nothing has. At most `max` seats; returns true again for the rest. */
__attribute__((warn_unused_result)) bool board_tell(
	struct board *board, size_t max, struct buffer *text);
