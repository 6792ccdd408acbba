/* The simulator's one owner of everything: a lane whose thread executes requests, writes the
 * journal, and holds back answers that have to be late.
 *
 * DESIGN. The event loops only parse; whatever reads or changes the state is a job for the lane.
 * While the disk is busy with one batch, jobs pile up; the next batch is the pile, which is
 * executed in order, written as one frame, synced once, and only then answered. A late answer is a
 * timer in a heap and not a thread that sleeps, so thousands may be in flight. One thread owns all
 * the state, so there are no locks in it. */
#pragma once

#include "lib/batch/lane.h"
#include "lib/http/exchange.h"
#include "tech-two-phase-payments/simulator/faults.h"
#include "tech-two-phase-payments/simulator/state.h"

struct core;

enum { JOBS_WAITING_MAX = 1 << 16, JOB_EVENTS_MAX = 2 };

enum job_kind {
	JOB_PROVIDER, /* One of Stripe's requests. */
	JOB_AUTHENTICATE,
	JOB_LEDGER,
	JOB_FAULT_ADD,
	JOB_FAULT_LIST,
	JOB_FAULT_REMOVE, /* `target` is its id; without one, all. */
	JOB_START,        /* From now on events may be sent; see core_open. */
	JOB_DRAIN,
	JOB_DELIVERED, /* A struct delivery, and no struct job. */
};

/* A request on its way through the core, in its exchange's arena. */
struct job {
	struct lane_item item;
	int kind; /* As in struct delivery, behind the item. */
	struct http_exchange *exchange;
	struct core *core;

	/* JOB_PROVIDER */
	enum operation operation;
	struct slice target; /* The id in the path. */
	bool target_is_refund, target_is_charge;
	struct parameters parameters;
	struct slice key; /* Idempotency-Key; its data is NULL when there is none. */
	uint8_t fingerprint[KEY_FINGERPRINT_SIZE];
	char request_id[OBJECT_ID_SIZE];
	const char *version; /* Stripe-Version, as it is echoed. */

	/* The others. */
	bool is_admin;
	struct slice client_secret;
	enum attempt outcome;
	int64_t after, limit;
	struct fault_rule rule;

	/* The core's own: the answer. */
	unsigned status;
	struct slice body;
	struct key *busy;
	struct event *events[JOB_EVENTS_MAX];
	size_t waiting_events;
	bool dropped;
	int64_t delay_ms; /* Of the answer, and of the events with it. */
	int64_t first_ms; /* How long the answer waits for its events. */
	struct timer timer;
};

struct core_options {
	const char *journal_path;
	const char *api_version; /* Of events and of answers to requests that name none. */
	int64_t lifetime_ms;     /* Of an authorization. */
	int64_t answer_delay_ms; /* Of each answer to a /v1 request. */
	const char *webhook_url; /* NULL: no events are made. */
	const char *webhook_secret;
	int64_t webhook_retry_ms_min, webhook_retry_ms_max;
	struct metrics *metrics;
};

void core_register_metrics(struct metrics *metrics);

/* Replay the journal and start. The options' texts must outlive it. */
__attribute__((warn_unused_result)) enum status core_open(
	const struct core_options *options, struct core **core, struct fault *fault);

/* Where the simulator is reached, for links to the customer's bank: known once it listens. Borrowed
 * for ever. */
void core_set_base_url(struct core *core, const char *url);

/* Hand a job over; its exchange is deferred already. When there are too many, it is answered 503.
 */
void core_submit(struct core *core, struct job *job);

/* Answer everything that is held back, now and from now on: before the HTTP server is closed. */
void core_drain(struct core *core);

/* When no exchange is left. NULL is allowed. */
void core_close(struct core *core);
