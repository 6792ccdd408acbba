/* Holding seats: by name, or the best there are, behind the waiting room where it is not closed.
 *
 *	POST   /events/{eventId}/holds   {seats: […]} or {best: {quantity, category?, section?}}
 *	GET    /holds/{holdId}           how it stands
 *	DELETE /holds/{holdId}           give the seats back
 *
 * DESIGN. A request goes from one lane to the next, and nothing waits for anything but its turn:
 *
 *	loop ──▶ waiting room (the pass) ──▶ keeper of live.h (which seats) ──▶ a hold lane (the
 *store) ▲                                │ └── the best were taken: others ─┘
 *
 * There are several hold lanes, each with a seat store of its own, chosen by event and section, so
 * that two of them seldom want the same rows. A hold's id is made of who asks, for which event, and
 * the Idempotency-Key (seat_hold_id): so a repeated request is told what became of the first one,
 * and no record of keys is kept. Who repeats a request for the best seats is told which they were.
 *
 * Whose time is over, or who gives seats back, leaves the waiting room's active set: somebody else
 * may come in. */
#pragma once

#include "lib/http/exchange.h"
#include "lib/metrics/metrics.h"
#include "real-implementation/live.h"

struct holds;

enum { HOLD_LANES_MAX = 16, HOLD_BEST_ATTEMPTS_MAX = 32 };

struct holds_options {
	/* Opens a store, one for each lane; on its thread, again where it failed. */
	enum status (*open_store)(void *context, struct seat_store **store, struct fault *fault);
	void *store_context;
	/* Who asks; replies 401 and returns false where it is not known. On a loop. */
	bool (*person)(void *context, struct http_exchange *exchange, struct slice *person);
	void *person_context;
	size_t lane_count;       /* 0: 2. */
	size_t queue_max;        /* Of each lane; beyond: 503. 0: 4,096. */
	int64_t expire_ms;       /* How often expired holds are tidied up. 0: 1 s. */
	struct metrics *metrics; /* Not yet frozen. NULL: none. */
};

/* Allocate; before metrics_freeze(). */
__attribute__((warn_unused_result)) enum status holds_open(
	const struct holds_options *options, struct holds **holds);

/* Begin. Until then requests get 503. `rooms` may be NULL: there are no waiting rooms. */
__attribute__((warn_unused_result)) enum status holds_start(
	struct holds *holds, struct live *live, struct waiting_room_routes *rooms);

/* Whether the store answered when it was last asked, which is at least every expire_ms. */
bool holds_ready(const struct holds *holds);

/* How many requests wait for the longest queue of all lanes. Any thread. */
size_t holds_depth(const struct holds *holds);

/* Answer what is under way and end the lanes; before the live lanes are stopped, the requests of
 * the waiting room's after. */
void holds_stop(struct holds *holds);

/* After the server has been closed. NULL is allowed. */
void holds_close(struct holds *holds);

extern const struct http_route hold_route_table[]; /* Their context is the struct holds. */
extern const size_t hold_route_count;

/* "<event>.<own>", as the ids of holds, orders and tickets are written. False: it is none. */
__attribute__((warn_unused_result)) bool item_id_parse(
	struct slice text, struct id *event, struct id *own);
enum { ITEM_ID_SIZE = 2 * ID_TEXT_SIZE };
const char *item_id_format(struct id event, struct id own, char text[ITEM_ID_SIZE]);
