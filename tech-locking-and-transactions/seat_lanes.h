/* What the files of the seats' HTTP front share and nobody else sees.
 *
 *	seat_routes.c     the table; opening and closing, starting and stopping; the handlers
 *	seat_admin.c      the admin's requests
 *	seat_lanes.c      lanes with a store: opening it, batches, ticks
 *	seat_holds.c      holds and releases
 *	seat_reads.c      look-ups of holds, and the seats of an event
 *	seat_purchases.c  lanes with a checkout: purchases, orders, recovery
 *	seat_reply.c      replies
 *
 * Who owns what: a request belongs to its loop until it is submitted, then to its lane, which
 * completes the exchange or hands it on to another lane. A store or checkout belongs to one thread
 * of a lane. */
#pragma once

#include <stdatomic.h>

#include "lib/batch/lane.h"
#include "lib/http/exchange.h"
#include "tech-locking-and-transactions/seat_routes.h"

enum {
	SEAT_HOLD_LANES_DEFAULT = 2,
	SEAT_CHECKOUT_THREADS_DEFAULT = 4,
	SEAT_QUEUE_DEFAULT = 4096,
	SEAT_READS_DEFAULT = 64,
	SEAT_READS_BATCH_MAX = 32, /* Each has a reply of its own, as large as the event. */
	SEAT_HOLD_MS_DEFAULT = 600000,
	SEAT_EXPIRE_MS_DEFAULT = 1000,
	SEAT_RETRY_MS = 250,            /* Until a technology that did not answer is asked again. */
	SEAT_RECOVER_MAX = 256,         /* Orders taken up by one call. */
	SEAT_BODY_BYTES_MAX = 8192,     /* Of any request here. */
	SEAT_TEXT_BYTES_MAX = 48 << 20, /* Of a reply; below what an exchange may have. */
	SEAT_LOOK_BYTES_MAX = 128 << 20,        /* Of what is read for a batch. */
	SEAT_ITEM_TEXT_SIZE = 2 * ID_TEXT_SIZE, /* "<event>.<own>" */
};

_Static_assert((int)SEAT_STORE_BATCH_MAX <= (int)LANE_BATCH_MAX, "a batch is one call at most");
_Static_assert((int)CHECKOUT_BATCH_MAX <= (int)LANE_BATCH_MAX, "likewise");

enum seat_operation {
	SEAT_ASK_HOLD,
	SEAT_ASK_RELEASE,
	SEAT_ASK_SHOW_HOLD,
	SEAT_ASK_FIND_BUYER, /* A purchase that does not say whose hold it is: look, then buy. */
	SEAT_ASK_EXPLAIN,    /* A purchase of no hold that lives: was there ever one? */
	SEAT_ASK_SHOW_SEATS,
	SEAT_ASK_BUY,
	SEAT_ASK_SHOW_ORDER,
	SEAT_ASK_RECOVER,
	SEAT_ASK_SHOW_STUCK,
};

/* A request on its way, in its exchange's arena. */
struct seat_request {
	struct lane_item item; /* First. */
	enum seat_operation operation;
	struct http_exchange *exchange;
	bool done; /* It was replied to. */
	const struct seat_listing *sold;
	struct id event, hold, order;
	struct slice person; /* Without data: it was not said. */
	const struct slice *seats;
	size_t seat_count;
	struct slice payment_method;
	struct slice section; /* Without data: any. */
	bool has_status;
	enum seat_status status;
	size_t max;
};

enum seat_lane_kind {
	SEAT_LANE_HOLDS,
	SEAT_LANE_RELEASES, /* And what is due by itself: the stock, and expiry. */
	SEAT_LANE_LOOK_UPS,
	SEAT_LANE_SEATS,
};

/* A lane with a store. What follows the store is reused for each batch. */
struct seat_lane {
	struct seat_routes *routes;
	enum seat_lane_kind kind;
	struct lane *lane;
	struct seat_store *store; /* NULL: not opened yet. */
	int64_t open_ms;          /* When opening is tried again. */
	bool complained;
	atomic_bool answers; /* The technology answered last time. */
	size_t stocked;      /* RELEASES: so many events are on sale. */
	struct arena arena;
	struct buffer text;
	struct seat_request *asked[SEAT_STORE_BATCH_MAX];
	struct hold_name names[SEAT_STORE_BATCH_MAX];
	struct hold_record records[SEAT_STORE_BATCH_MAX];
	struct hold_request holds[SEAT_STORE_BATCH_MAX];
	struct hold_result held[SEAT_STORE_BATCH_MAX];
	struct release_request releases[SEAT_STORE_BATCH_MAX];
	enum release_outcome released[SEAT_STORE_BATCH_MAX];
};

/* A thread with a checkout. */
struct seat_till {
	struct seat_routes *routes;
	struct checkout *checkout; /* NULL: not opened yet. */
	int64_t open_ms;
	bool complained;
	struct arena arena;
	struct buffer text;
	struct buy_request *requests; /* CHECKOUT_BATCH_MAX of each. */
	struct buy_result *results;
	struct seat_request **asked;
	struct stuck_order *stuck;
};

struct seat_metrics {
	struct metrics_counter *holds[HOLD_MALFORMED + 1];
	struct metrics_counter *purchases[BUY_OUTCOME_COUNT];
	struct metrics_counter *released, *expired, *recovered;
	struct metrics_counter *calls_failed, *calls_repeated;
};

enum { SEAT_OTHER_LANES = 3 };

struct seat_routes {
	struct seat_routes_options options;
	const struct seat_listing *events[SEAT_ROUTES_EVENTS_MAX];
	struct seat_lane *lanes; /* Those of holds, then releases, look-ups, seats. */
	size_t lane_count;
	struct seat_till *tills; /* Those of purchases, then orders, recovery. */
	size_t till_count;
	struct lane *purchases, *orders, *recovery; /* NULL: nothing can be bought. */
	atomic_bool started, stocked, stopping;
	struct seat_metrics metrics;
};

/* ---- Requests ---- */

/* A request in the exchange's arena. NULL: it was replied. */
struct seat_request *seat_request_new(
	struct http_exchange *exchange, enum seat_operation operation);

static inline struct seat_request *seat_request_of(struct lane_item *item)
{
	return (struct seat_request *)item;
}

/* Hand it over to a lane, which is looked at once the lanes have started. When it takes no more, or
 * there is none, it is replied. From a loop. */
void seat_submit(struct seat_request *request, struct lane *const *lane);

/* The same for a request that a lane hands on to another; it is completed where that fails. */
void seat_pass_on(struct seat_request *request, struct lane *lane);

struct seat_lane *seat_release_lane(struct seat_routes *routes);
struct seat_lane *seat_look_lane(struct seat_routes *routes);
struct seat_lane *seat_seats_lane(struct seat_routes *routes);

/* ---- Lanes with a store; the lane's thread ---- */

extern const struct lane_ops seat_hold_ops, seat_release_ops, seat_look_ops, seat_seats_ops;

/* The store, opened where it is not. NULL: it cannot be opened now. */
struct seat_store *seat_lane_store(struct seat_lane *lane);

/* How many requests one call may have. */
size_t seat_lane_batch_max(const struct seat_lane *lane);

/* Note how a call went: count, log, and remember for /readyz. Returns the status. */
enum status seat_lane_told(struct seat_lane *lane, const char *what, enum status status);

/* Take out of a batch those whose clients have gone, which are answered; the others are in
 * lane->asked. Returns how many. */
size_t seat_lane_take(struct lane_item *const items[], size_t count, struct seat_request *asked[]);

/* What is due by itself: the stock, and expiry. */
int64_t seat_lane_tick(void *context, int64_t now_ms);

/* Answer those that waited too long. */
void seat_late(void *context, struct lane_item *const items[], size_t count);

/* Look the holds of lane->asked[0..count) up, to lane->records. */
enum status seat_lane_look_up(struct seat_lane *lane, size_t count);

enum status seat_lane_open(struct seat_lane *lane, struct seat_routes *routes,
	enum seat_lane_kind kind, struct fault *fault);
void seat_lane_close(struct seat_lane *lane);

/* ---- Lanes with a checkout ---- */

extern const struct lane_ops seat_buy_ops, seat_order_ops, seat_recover_ops;

enum status seat_tills_open(struct seat_routes *routes, struct fault *fault);
void seat_tills_close(struct seat_routes *routes);

/* ---- Replies; whoever has the exchange. Each completes nothing. ---- */

void seat_reply_hold(struct seat_request *request, const struct hold_result *result,
	const char *currency, struct buffer *text);
void seat_reply_record(
	struct seat_request *request, const struct hold_record *record, struct buffer *text);
void seat_reply_release(struct seat_request *request, enum release_outcome outcome);
void seat_reply_buy(
	struct seat_request *request, const struct buy_result *result, struct buffer *text);
void seat_reply_order(
	struct seat_request *request, const struct buy_result *result, struct buffer *text);
void seat_reply_stuck(struct seat_request *request, const struct stuck_order orders[], size_t count,
	struct buffer *text);
void seat_reply_no_hold(struct seat_request *request);
void seat_reply_gone(struct seat_request *request);

/* The technology did not do it. */
void seat_reply_failed(struct seat_request *request, enum status status);

/* 503, with why. */
void seat_reply_refused(struct seat_request *request, const char *why);

/* A member of JSON, with a comma in front. */
void seat_add_text(struct buffer *text, const char *name, struct slice value);
void seat_add_integer(struct buffer *text, const char *name, int64_t value);

/* "<event>.<own>" */
const char *seat_item_text(struct id event, struct id own, char text[SEAT_ITEM_TEXT_SIZE]);

/* Complete those that were asked, once all have their replies: one by one, each would wake its
 * loop. Those that were handed on are NULL. */
void seat_complete(struct seat_request *asked[], size_t count);

/* ---- Handlers of seat_admin.c ---- */

void seat_recover(struct http_exchange *exchange);
void seat_show_stuck(struct http_exchange *exchange);
