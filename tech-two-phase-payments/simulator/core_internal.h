/* What the files of the core share: core.c (lane, batches, answers), execute.c and operations.c
 * (Stripe's requests), admin.c (the simulator's own), outbox.c (events). All of it runs on the
 * core's thread. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>

#include "tech-two-phase-payments/simulator/core.h"
#include "tech-two-phase-payments/simulator/journal.h"
#include "tech-two-phase-payments/simulator/records.h"
#include "tech-two-phase-payments/simulator/render.h"
#include "tech-two-phase-payments/simulator/sender.h"

_Static_assert(offsetof(struct job, kind) == offsetof(struct delivery, kind),
	"the lane tells jobs and deliveries apart by what stands behind the item");

/* An event that is not yet delivered. */
struct event {
	struct event *all_previous, *all_next;
	struct event *next; /* Among those that are ready. */
	struct timer timer; /* Until it is ready; monotonic. */
	char id[OBJECT_ID_SIZE];
	struct span record;
	struct job *job; /* Whose answer waits for it; NULL: none. */
	unsigned copies; /* How often it is still to be delivered. */
	bool delivered;  /* Only while the journal is replayed. */
};

struct outbox {
	struct sender *sender; /* NULL: there is no endpoint. */
	struct event *all;
	struct timers later;
	struct event *ready_first, *ready_last;
	size_t in_flight;
	struct table replayed;
};

struct core {
	struct core_options options;
	_Atomic(const char *) base_url;
	struct lane *lane;
	struct state state;
	struct journal *journal;
	struct faults faults;
	struct timers answers; /* Monotonic. */
	struct outbox outbox;
	struct buffer scratch;
	struct job start_job, drain_job;
	struct job *batch[LANE_BATCH_MAX];
	int64_t now_ms;           /* Wall; taken once per batch. */
	int64_t now_monotonic_ms; /* Likewise. */
	bool started, draining;
	bool must_commit;    /* Somebody waits for what is in the journal's frame. */
	int64_t unsynced_ms; /* Monotonic: since when the frame holds what nobody waits for. */
};

/* End the process: the memory is ahead of the disk, or cannot follow it. */
void core_give_up(const char *why) __attribute__((noreturn));

/* That it was OK. */
static inline void core_must(enum status status, const char *what)
{
	if (status != STATUS_OK)
		core_give_up(what);
}

struct render_options core_rendering(const struct core *core, bool expand_charge);

/* What an operation has come to; how the answer is made of it, also when it is replayed. */
struct result {
	unsigned status;
	enum answer_kind kind;
	const struct intent *intent;
	const struct refund *refund;
	struct provider_error error; /* ANSWER_TEXT: rendered, unless it is a charge. */
	bool is_charge;
	struct span span; /* Of the record that holds the intent or the refund as it is now. */
};

/* operations.c: do what the request asks for, whatever its key says. */
void execute_operation(struct core *core, struct job *job, struct result *result);

/* execute.c: execute one of Stripe's requests and make the answer of `job`. */
void execute_provider(struct core *core, struct job *job);

/* operations.c: the customer's bank has spoken. */
enum attempt execute_authentication(struct core *core, struct intent *intent, enum attempt outcome,
	struct provider_error *error);

/* operations.c: an authorization has expired. */
void execute_expiry(struct core *core, struct intent *intent);

/* admin.c: execute one of the simulator's own requests, and reply. */
void execute_admin(struct core *core, struct job *job);

/* outbox.c: make an event of an intent's state, which `intent_span` holds. `job` is whoever asked,
 * or NULL. */
void outbox_add(struct core *core, enum event_type type, struct span intent_span, struct job *job);

/* An event has been delivered. Takes ownership. */
void outbox_delivered(struct core *core, struct delivery *delivery);

/* The answer of a job goes out now, whatever it waited for. */
void outbox_forget_job(struct job *job);

/* Hand over what is ready. */
void outbox_work(struct core *core);

/* Records of events, while the journal is replayed; and its end. */
bool outbox_replay(
	struct core *core, enum record_type type, struct slice content, struct span span);
void outbox_replayed(struct core *core);
void outbox_release(struct outbox *outbox);

/* core.c: the answer need wait no longer. */
void core_release_answer(struct core *core, struct job *job);
