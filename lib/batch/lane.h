/* A lane: a bounded queue, and one thread that applies what is queued to one blocking back end.
 *
 * While the back end is busy with one batch, items pile up; the next batch is the pile, at most
 * `batch_max` of it. There is no timer that waits for a batch to fill: an idle lane applies a
 * single item at once, a busy one makes batches as large as the load needs.
 *
 * Items are intrusive. The caller embeds a struct lane_item in its request, and finds the request
 * again by its address:
 *
 *	struct join { struct lane_item item; … };
 *	static const struct lane_ops ops = {.apply = apply_joins, .late = refuse_joins};
 *	struct lane *lane;
 *	struct lane_options options = {.name = "join", .ops = &ops, .context = room,
 *		.queue_max = 4096, .batch_max = 512, .thread_count = 1, .metrics = metrics};
 *	if (lane_open(&options, &lane) != STATUS_OK)
 *		…
 *	join->item.deadline_ms = now_ms + 2000;
 *	if (lane_submit(lane, &join->item) != STATUS_OK)
 *		… answer 503; nothing was done …
 *
 * With more than one thread it is a pool: the threads share the queue, each applies its own
 * batches, and nothing is said about order between batches. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/clock.h"
#include "lib/base/status.h"
#include "lib/metrics/metrics.h"

enum {
	LANE_QUEUE_MAX = 1 << 20,
	LANE_BATCH_MAX = 4096,
	LANE_THREADS_MAX = 256,
	LANE_NAME_SIZE = 64, /* With its zero byte. */
};

#define LANE_NEVER INT64_MAX /* As a deadline: none. As the next wake-up: no tick any more. */

/* Belongs to the lane from lane_submit() until it is handed to apply or late. */
struct lane_item {
	struct lane_item *next; /* The lane's. */
	int64_t deadline_ms; /* The submitter's: monotonic, by the lane's clock; or LANE_NEVER. */
	int64_t queued_ns;   /* The lane's: when it was submitted. Stays readable in apply. */
};

/* What a lane calls, always from its own threads and without a lock, so all of it may block and may
 * submit to this or another lane. With one thread, never two at once. */
struct lane_ops {
	/* Do the work of 1 to batch_max items, in the order in which they were submitted, and see
	 * that each gets its result. From here on the items are the callee's, who may free them;
	 * the array is the lane's and is reused. `thread` is below thread_count; a thread's calls
	 * all have the same one. */
	void (*apply)(void *context, size_t thread, struct lane_item *const items[], size_t count);

	/* The deadlines of these, in order of submission, had passed when they were taken out: they
	 * are not applied, and must be answered so. Called before the apply of those that were
	 * taken out with them. The items are the callee's. */
	void (*late)(void *context, struct lane_item *const items[], size_t count);

	/* Do what is due by itself (admission, expiry, heartbeats), and return when to be called
	 * again, monotonic in ms; what is not after `now_ms` counts as 1 ms after it. First called
	 * when the lane opens, perhaps before lane_open() returns. A busy lane calls it between two
	 * batches when it is due: never twice without a batch between while there is work, so
	 * neither starves the other. Not called once the lane is stopped and its queue is empty.
	 * NULL: none. Only with one thread. */
	int64_t (*tick)(void *context, int64_t now_ms);
};

struct lane_options {
	const char *name; /* For its threads and its metrics; copied. */
	const struct lane_ops *ops;
	void *context;
	size_t queue_max; /* Items that may wait, without those in flight. 1 to LANE_QUEUE_MAX. */
	size_t batch_max; /* 1 to LANE_BATCH_MAX. */
	size_t thread_count;     /* 1 to LANE_THREADS_MAX; 0 counts as 1. */
	struct clock *clock;     /* NULL: the system's. Several threads read it. */
	struct metrics *metrics; /* NULL: none are kept. Must outlive the lane. */
};

struct lane;

/* Allocate everything and start the threads; they inherit the caller's signal mask. The ops and the
 * context stay the caller's and must outlive the lane. UNAVAILABLE when memory or threads are
 * short. */
__attribute__((warn_unused_result)) enum status lane_open(
	const struct lane_options *options, struct lane **lane);

/* Register the metrics of lanes of this name before metrics_freeze(), for lanes that are opened
 * after it. Lanes of one name share their metrics and are summed. lane_open() does this itself.
 *	lane_depth               gauge      items that wait
 *	lane_batch_items         histogram  items per call of apply
 *	lane_waiting_seconds     histogram  from submission until taken out
 *	lane_service_seconds     histogram  how long each call of apply took
 *	lane_late_total          counter    taken out after their deadline
 *	lane_refused_total       counter    not taken: full or stopped */
void lane_register_metrics(struct metrics *metrics, const char *name);

/* Put an item at the end of the queue. OK: it will be handed to apply or late, exactly once.
 * UNAVAILABLE: the queue is full, or the lane is stopping; the item was not touched. Any thread,
 * until lane_close(). Never waits for the back end. Wakes a thread only where one sleeps that was
 * not woken already, so a burst costs one wake-up. */
__attribute__((warn_unused_result)) enum status lane_submit(
	struct lane *lane, struct lane_item *item);

/* Put a chain of items, each with its deadline, linked by `next` up to NULL, at the end of the
 * queue, in its order: one lock and at most one wake-up per thread for all of them. Returns the
 * rest of the chain that was not taken, untouched: all or the end of it where the queue gets full,
 * all where the lane is stopping; NULL when none was refused. Otherwise as lane_submit(). */
__attribute__((warn_unused_result)) struct lane_item *lane_submit_all(
	struct lane *lane, struct lane_item *chain);

/* How many items wait, without those in flight. Any thread; old as soon as it is told. */
size_t lane_depth(struct lane *lane);

/* Have the next tick no later than at `ms` (monotonic), since what was just applied makes something
 * due. Only from within apply or late of a lane that has a tick. */
void lane_tick_by(struct lane *lane, int64_t ms);

/* Refuse new items from now on, and return when everything that was queued has been handed over and
 * the threads have ended. Submitting stays allowed, and is refused. One thread, not the lane's own;
 * again does nothing. */
void lane_stop(struct lane *lane);

/* Stop it and free it. Every lane_submit() must have returned. NULL is allowed. */
void lane_close(struct lane *lane);
