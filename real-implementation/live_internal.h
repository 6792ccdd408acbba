/* What the files of live.h share.
 *
 *	live.c           opening and closing; the table of events; who asks and who watches
 *	live_keeper.c    the lane that owns the boards
 *	live_reader.c    the lane that asks the database
 *	live_renderer.c  replies, and the lane that writes long ones
 *	live_routes.c    the handlers
 */
#pragma once

#include <stdatomic.h>

#include "lib/batch/lane.h"
#include "lib/http/representation.h"
#include "lib/http/stream.h"
#include "lib/postgres/postgres.h"
#include "real-implementation/live.h"

enum {
	LIVE_BUCKETS = 1 << 14,
	LIVE_ABSENT_SLOTS = 1024,
	LIVE_QUEUE_MAX = 16384,
	LIVE_READ_QUEUE_MAX = 256,  /* Events that wait to be read for the first time. */
	LIVE_RENDER_QUEUE_MAX = 64, /* Each is as large as an event. */
	LIVE_BATCH_MAX = 512,
	LIVE_CHANGES_MAX = 5000, /* Read by one statement. */
	LIVE_PLANS_MAX = 64,     /* Of venues read lately. */
	LIVE_FACTS_MS = 500,     /* Between two looks for events that were edited. */
	LIVE_PURGE_MS = 10000,
	LIVE_RETRY_MS = 500,
	LIVE_READY_MS = 5000,  /* Changes that were read before this were not read lately. */
	LIVE_LOST_MS = 300000, /* Without changes for longer, boards are read anew. */
	LIVE_ABSENT_MS = 1000, /* For so long an event that is not there is not looked for. */
	LIVE_WANTED_MS = 2000, /* For so long what was asked for is kept up to date. */
	LIVE_TOLD_MAX = 4096,  /* Seats in one event of a stream. */
	LIVE_TEXT_BYTES_MAX = 48 << 20,
	LIVE_BACKLOG = 256, /* Messages kept for streams that come back. */
	LIVE_MESSAGE_SIZE = 512,
};

enum live_job_kind {
	LIVE_JOB_REPLY,   /* Keeper: reply to the exchange when the board is there. */
	LIVE_JOB_ASK,     /* Keeper: answer who asks for seats, likewise. */
	LIVE_JOB_LOADED,  /* Keeper: what the reader found of an event. */
	LIVE_JOB_CHANGES, /* Keeper: changes of seats. */
	LIVE_JOB_FACTS,   /* Keeper: an event was edited. */
	LIVE_JOB_LOST,    /* Keeper: changes were missed; forget all boards. */
	LIVE_JOB_LOAD,    /* Reader: read the event. */
	LIVE_JOB_SEATS,   /* Renderer: write the list of seats. */
	LIVE_JOB_MAP,     /* Renderer: write the geometry. */
};

enum live_resource { LIVE_AVAILABILITY, LIVE_SEATS, LIVE_STATUSES, LIVE_MAP, LIVE_STREAM };

struct live_change {
	struct id event;
	enum seat_status status;
	int64_t version;
	uint8_t seat_size;
	char seat[SEAT_STORE_ID_SIZE_MAX];
};

/* Older ones are kept, since somebody may still read them. An event is seldom edited. */
struct facts_version {
	struct facts_version *older;
	struct event_facts facts;
};

/* An event in the table: it stays, so that any thread may follow the pointers. */
struct live_event {
	struct live_event *next; /* In its bucket. Never changes. */
	struct id id;
	char text[ID_TEXT_SIZE];
	struct http_prepared_cell availability, statuses, map;
	_Atomic(struct http_channel *) channel; /* NULL: nobody has followed yet. */
	_Atomic(struct facts_version *) facts;
	atomic_uint_fast64_t asks;
	atomic_int_fast64_t used_ms;     /* When somebody last looked, monotonic, */
	atomic_int_fast64_t statuses_ms; /* or wanted the statuses. */
	atomic_uint_fast32_t counts[SEAT_STATUS_COUNT];
	atomic_int_fast64_t version;

	/* The keeper's. */
	struct board *board; /* NULL: not loaded. */
	bool dirty;          /* What is prepared is older than the board. */
	struct live_event *previous_loaded, *next_loaded;
	enum sale_state sale_told;
	struct waiting_room_view room_told;
};

struct live_job {
	struct lane_item item;
	struct live_job *next; /* Among those that wait for the same event. */
	enum live_job_kind kind;
	struct id id;
	struct live_event *event; /* SEATS, MAP. */

	struct live_ask *ask;           /* ASK */
	struct http_exchange *exchange; /* REPLY, SEATS, MAP: whose arena the job is in. */
	enum live_resource resource;
	struct slice section;

	enum status status; /* LOADED: REFUSED means that there is no such event. */
	struct board *board;
	struct event_facts facts; /* FACTS, too. */

	struct live_change *changes;
	size_t change_count;

	struct venue_plan *plan; /* SEATS, MAP; of SEATS also the rest, in the arena. */
	uint8_t *statuses;
	int64_t *prices, *versions;
	int64_t version;
};

/* An event that is being read, and who waits for it. */
struct live_pending {
	struct live_pending *next;
	struct id id;
	struct live_job *first, *last;
};

struct live_absent {
	struct id id;
	int64_t until_ms;
};

struct live {
	struct live_options options;
	struct http_server *server;
	struct waiting_room_routes *rooms;
	struct lane *keeper, *reader, *renderer;
	atomic_bool started;
	_Atomic(struct live_event *) buckets[LIVE_BUCKETS];
	atomic_int_fast64_t read_ms; /* When changes were read last, monotonic; 0: never. */

	/* The keeper's. */
	size_t event_count;
	struct live_event *loaded; /* The first of those with boards. */
	int64_t seats;             /* On all boards. */
	struct live_pending *pending;
	struct live_absent absent[LIVE_ABSENT_SLOTS];
	struct buffer text;

	/* The reader's. */
	struct postgres *pg;
	struct seat_store *store;
	int64_t open_ms;   /* When opening the store is tried again. */
	char position[24]; /* The transaction before which all changes were read. Empty: none. */
	int64_t position_change;
	int64_t facts_ms, purge_ms, edited_ms;
	struct venue_plan *plans[LIVE_PLANS_MAX];
	size_t plan_next;
	bool complained;

	struct metrics_counter *changes, *loads, *drops;
};

/* ---- live.c ---- */

/* The event, or NULL where it was never loaded. Any thread. */
struct live_event *live_find(const struct live *live, struct id event);

/* Add one that is not there. NULL: memory is short, or there are too many. The keeper. */
struct live_event *live_add(struct live *live, struct id event);

/* The newest facts. Any thread. */
const struct event_facts *live_facts(const struct live_event *event);

/* A job of the heap, or (with an exchange) of its arena. NULL: memory is short. */
struct live_job *live_job_new(enum live_job_kind kind, struct http_exchange *exchange);

/* Free what it has, and itself where it is of the heap. */
void live_job_free(struct live_job *job);

/* Hand it to a lane. False: it takes no more; the job is still the caller's. */
__attribute__((warn_unused_result)) bool live_submit(struct lane *lane, struct live_job *job);

extern const struct lane_ops live_keeper_ops, live_reader_ops, live_renderer_ops;

/* ---- live_renderer.c ---- */

void live_reply_no_event(struct http_exchange *exchange);
void live_reply_busy(struct http_exchange *exchange);

/* Make what is prepared of the event anew. The keeper. */
void live_prepare_availability(struct live_event *event, struct buffer *text, int64_t now_wall_ms);
void live_prepare_statuses(struct live_event *event, struct buffer *text);

/* How the event stands, for a stream: of the sale, and of the room where it has one. */
struct slice live_sale_text(
	const struct live_event *event, enum sale_state sale, char text[LIVE_MESSAGE_SIZE]);
struct slice live_room_text(const struct waiting_room_view *view, char text[LIVE_MESSAGE_SIZE]);
