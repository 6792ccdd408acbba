/* What the files of holds.h share.
 *
 *	holds.c        opening and closing; the handlers, up to the seats
 *	hold_lanes.c   the lanes with a store
 *	hold_reply.c   replies
 */
#pragma once

#include <stdatomic.h>

#include "lib/batch/lane.h"
#include "real-implementation/holds.h"

enum {
	HOLD_LANES_DEFAULT = 2,
	HOLD_QUEUE_DEFAULT = 4096,
	HOLD_EXPIRE_MS_DEFAULT = 1000,
	HOLD_RETRY_MS = 250,
	HOLD_BODY_BYTES_MAX = 8 << 10,
	HOLD_TEXT_BYTES_MAX = 64 << 10,
	HOLD_LOOK_BYTES_MAX = 16 << 20,
};

enum hold_operation { HOLD_TAKE, HOLD_SHOW, HOLD_RELEASE };

/* A request, in its exchange's arena. */
struct hold_job {
	struct lane_item item; /* First. */
	enum hold_operation operation;
	struct holds *holds;
	struct http_exchange *exchange; /* NULL: it was answered, or handed on. */
	struct id event, hold;
	struct slice person;
	struct slice pass;

	/* TAKE */
	struct live_ask ask;
	struct slice seats[SEAT_STORE_SEATS_MAX]; /* Of the answer. */
	size_t attempts;
	int64_t hold_ms;
};

/* A lane with a store. What stands behind the store is reused for each batch. */
struct hold_lane {
	struct holds *holds;
	struct lane *lane;
	struct seat_store *store; /* NULL: not opened yet. */
	int64_t open_ms;
	bool complained;
	atomic_bool answers;
	struct arena arena;
	struct buffer text;
	struct hold_job *jobs[SEAT_STORE_BATCH_MAX];
	struct hold_request requests[SEAT_STORE_BATCH_MAX];
	struct hold_result results[SEAT_STORE_BATCH_MAX];
	struct hold_name names[SEAT_STORE_BATCH_MAX];
	struct hold_record records[SEAT_STORE_BATCH_MAX];
	struct release_request releases[SEAT_STORE_BATCH_MAX];
	enum release_outcome released[SEAT_STORE_BATCH_MAX];
};

struct hold_metrics {
	struct metrics_counter *taken[HOLD_MALFORMED + 1];
	struct metrics_counter *refused_passes, *best_again, *released, *expired, *calls_failed;
};

struct holds {
	struct holds_options options;
	struct live *live;
	struct waiting_room_routes *rooms;
	struct hold_lane lanes[HOLD_LANES_MAX + 1]; /* The last: whatever takes no seats. */
	size_t lane_count;                          /* Without that one. */
	atomic_bool started;
	struct hold_metrics metrics;
};

static inline struct hold_lane *hold_other_lane(struct holds *holds)
{
	return &holds->lanes[HOLD_LANES_MAX];
}

extern const struct lane_ops hold_take_ops, hold_other_ops;

/* Ask for other seats, since those that were best were taken. On a hold lane. */
void hold_ask_again(struct hold_job *job);

/* The person needs the waiting room's slot no more. */
void hold_let_out(struct holds *holds, struct id event, struct slice person);

/* ---- hold_reply.c: each completes nothing ---- */

extern const struct http_problem hold_problem_no_pass;

void hold_reply_granted(
	struct hold_job *job, const struct hold_result *result, struct buffer *text);
void hold_reply_refused(struct hold_job *job, const struct hold_result *result);
void hold_reply_record(struct hold_job *job, const struct hold_record *record, struct buffer *text);
void hold_reply_released(struct hold_job *job, enum release_outcome outcome);
void hold_reply_no_hold(struct hold_job *job);
void hold_reply_failed(struct hold_job *job, enum status status);
void hold_reply_busy(struct hold_job *job, const char *why);
void hold_reply_pass(struct hold_job *job, enum waiting_room_pass_verdict verdict);

/* The keeper's answer where it found no seats. */
void hold_reply_ask(struct hold_job *job);
void hold_reply_not_on_sale(struct hold_job *job, enum sale_state sale);
void hold_reply_too_many(struct hold_job *job);
