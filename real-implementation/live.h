/* Events as they are at this moment: what is free, what the sale's state is, told to everybody who
 * looks, without asking the database for each of them.
 *
 *	GET /events/{eventId}/availability   counts by section and category, from memory
 *	GET /events/{eventId}/seats          each seat, ?section=
 *	GET /events/{eventId}/statuses       one letter for each seat, in the order of the map
 *	GET /events/{eventId}/map            the geometry, which never changes
 *	GET /events/{eventId}/stream         seat changes, the room, the sale, as Server-Sent Events
 *
 * DESIGN. Three lanes, each with one thread, and data that flows one way:
 *
 *	PostgreSQL ──▶ reader ──▶ keeper ──▶ streams, prepared replies, whoever asks for seats
 *	                             └─────▶ renderer: long lists, made apart
 *
 * The keeper owns a board (board.h) for each event that somebody has looked at; it never blocks.
 *The reader asks the database: for an event that is looked at for the first time, and a few times a
 * second for what has changed in any (the table seat_changes, which a trigger fills in the same
 * transaction as the change; schema/050_live_changes.sql). It reads in the order of transactions
 * and only what is older than every transaction still running, so that no commit is passed by
 * however late it becomes visible. Every process does this for itself, so processes need not know
 * each other.
 *
 * What is shown is at most LIVE_POLL_MS older than the database, plus the time of a reading. A seat
 * never goes back to an older state: versions decide.
 *
 * A board is dropped when it was not looked at for long and others need its memory; its place in
 * the table of events, and the channel of its streams, stay. */
#pragma once

#include "lib/http/exchange.h"
#include "lib/metrics/metrics.h"
#include "real-implementation/board.h"
#include "tech-locking-and-transactions/seat_store.h"
#include "tech-waiting-room/waiting_room_gate.h"

struct http_server;
struct live;

enum {
	LIVE_POLL_MS = 100,        /* Between two looks for changes, and two tellings of them. */
	LIVE_SEATS_MAX = 4000000,  /* On all boards together; beyond, the oldest is dropped. */
	LIVE_EVENTS_MAX = 1000000, /* Ever looked at by one process. */
	LIVE_ASK_SEATS_MAX = SEAT_STORE_SEATS_MAX,
};

struct live_options {
	const char *database_url;
	int64_t database_ms; /* For one call to it. */
	/* Opens a store for the reader; as seat_opener of seat_routes.h. */
	enum status (*open_store)(void *context, struct seat_store **store, struct fault *fault);
	void *context;
	int64_t poll_ms;         /* 0: LIVE_POLL_MS. */
	int64_t seats_max;       /* 0: LIVE_SEATS_MAX. */
	struct metrics *metrics; /* NULL: none. */
};

/* Allocate; before metrics_freeze(). */
__attribute__((warn_unused_result)) enum status live_open(
	const struct live_options *options, struct live **live);

/* Begin. The streams are those of this server; `rooms` tells how waiting rooms stand, or is NULL.
 * Until then requests get 503. */
__attribute__((warn_unused_result)) enum status live_start(
	struct live *live, struct http_server *server, struct waiting_room_routes *rooms);

/* Whether changes were read lately. Any thread. */
bool live_ready(const struct live *live);

/* Answer what is under way and end the lanes; before the server is closed. */
void live_stop(struct live *live);

/* After the server has been closed. NULL is allowed. */
void live_close(struct live *live);

extern const struct http_route live_route_table[]; /* Their context is the struct live. */
extern const size_t live_route_count;

/* ---- Who asks for seats ---- */

enum live_answer {
	LIVE_FOUND,
	LIVE_NO_EVENT,    /* There is none, or it is still being made. */
	LIVE_NO_SEAT,     /* Seats were named that the plan does not have: bit i of `which`. */
	LIVE_NO_SECTION,  /* The wish names a section that is none, */
	LIVE_NO_CATEGORY, /* or a category. */
	LIVE_NONE_LEFT,   /* Fewer such seats are free than are wished. */
	LIVE_BUSY,        /* Too much is asked at once, or the database does not answer. */
};

struct live_seat {
	struct slice seat, section, row, number, category;
	int64_t price;
};

/* Seats of an event: those that are named, or the best for a wish. Lives in the memory of an
 * exchange that is deferred, and so do the texts of the answer. */
struct live_ask {
	struct http_exchange *exchange;
	struct id event;
	const struct slice *seats;      /* Named; NULL: a wish. */
	size_t seat_count;              /* 1 to LIVE_ASK_SEATS_MAX; of a wish: how many. */
	struct slice section, category; /* Of a wish; without data: any. */
	bool again;                     /* Already counted as demand. */

	/* Called on the keeper's thread, once. Must be quick and may not block. */
	void (*then)(struct live_ask *ask);

	enum live_answer answer;
	struct event_facts facts;
	uint64_t which;
	struct live_seat found[LIVE_ASK_SEATS_MAX];
	size_t found_count;
	enum best_available_level level; /* Of a wish: what had to be given up. */
};

/* Ask. Any thread. `then` may be called before this returns. */
void live_ask_seats(struct live *live, struct live_ask *ask);

/* ---- Who watches over events ---- */

/* How an event stands, for somebody who looks at all of them now and then. */
struct live_standing {
	struct event_facts facts;
	char text[ID_TEXT_SIZE];
	uint64_t asks; /* For seats, so far, through this process; those again left out. */
	uint32_t available, held, sold;
};

/* Visit each event that has a board, on the caller's thread. */
void live_visit(struct live *live,
	void (*visit)(void *context, const struct live_standing *standing), void *context);
