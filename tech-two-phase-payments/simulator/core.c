/* The lane, its batches, and answers that have to be late. See core.h. */
#include "tech-two-phase-payments/simulator/core.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "tech-two-phase-payments/simulator/core_internal.h"

#define CORE_LANE "core"

enum {
	TICK_MS_MAX = 10, /* A timer that a batch sets cannot move the lane's next tick forward. */
	UNSYNCED_MS_MAX = 1000,
	BATCH_MAX = 4096,
	SCRATCH_SIZE_MAX = 64 << 20,
};

static void core_apply(void *context, size_t thread, struct lane_item *const items[], size_t count);
static void core_late(void *context, struct lane_item *const items[], size_t count);
static int64_t core_tick(void *context, int64_t now_ms);
static bool core_replay(void *context, unsigned type, struct slice content, struct span span);

static const struct lane_ops lane_ops = {.apply = core_apply, .late = core_late, .tick = core_tick};

/* ---- Opening and closing ---- */

void core_register_metrics(struct metrics *metrics)
{
	lane_register_metrics(metrics, CORE_LANE);
	sender_register_metrics(metrics);
}

/* A delivery comes back as an item of the core's lane. */
static bool on_delivered(void *context, struct delivery *delivery)
{
	struct core *core = context;
	delivery->kind = JOB_DELIVERED;
	delivery->item.deadline_ms = LANE_NEVER;
	return lane_submit(core->lane, &delivery->item) == STATUS_OK;
}

static enum status open_sender(struct core *core, struct fault *fault)
{
	const struct core_options *options = &core->options;
	if (!options->webhook_url)
		return STATUS_OK;
	return sender_open(&(struct sender_options){.url = options->webhook_url,
				   .secret = options->webhook_secret,
				   .retry_ms_min = options->webhook_retry_ms_min,
				   .retry_ms_max = options->webhook_retry_ms_max,
				   .on_delivered = on_delivered,
				   .context = core,
				   .metrics = options->metrics},
		&core->outbox.sender, fault);
}

/* The lane's thread runs before anybody knows the lane, and must hand nothing to the sender until
 * its deliveries can come back; so the first item says that it may. */
static enum status open_lane(struct core *core, struct fault *fault)
{
	enum status status = lane_open(&(struct lane_options){.name = CORE_LANE,
					       .ops = &lane_ops,
					       .context = core,
					       .queue_max = JOBS_WAITING_MAX,
					       .batch_max = BATCH_MAX,
					       .metrics = core->options.metrics},
		&core->lane);
	core->start_job = (struct job){.item.deadline_ms = LANE_NEVER, .kind = JOB_START};
	if (status == STATUS_OK)
		status = lane_submit(core->lane, &core->start_job.item);
	if (status != STATUS_OK)
		fault_set(fault, "core", "memory or threads are short");
	return status;
}

enum status core_open(const struct core_options *options, struct core **result, struct fault *fault)
{
	struct core *core = calloc(1, sizeof *core);
	if (!core) {
		fault_set(fault, "core", "memory is short");
		return STATUS_UNAVAILABLE;
	}
	core->options = *options;
	atomic_init(&core->base_url, "");
	state_init(&core->state);
	buffer_init(&core->scratch, SCRATCH_SIZE_MAX);
	enum status status =
		journal_open(options->journal_path, core_replay, core, &core->journal, fault);
	if (status == STATUS_OK)
		status = open_sender(core, fault);
	if (status != STATUS_OK) {
		core_close(core);
		return status;
	}
	outbox_replayed(core);
	log_info("core.opened", LOG_INTEGER("intents", core->state.intents.count),
		LOG_INTEGER("ledger", core->state.ledger.count),
		LOG_INTEGER("journalBytes", journal_size(core->journal)));
	status = open_lane(core, fault);
	if (status != STATUS_OK) {
		core_close(core);
		return status;
	}
	*result = core;
	return STATUS_OK;
}

static bool core_replay(void *context, unsigned type, struct slice content, struct span span)
{
	struct core *core = context;
	if (type == RECORD_EVENT || type == RECORD_DELIVERED)
		return outbox_replay(core, type, content, span);
	return record_replay(&core->state, type, content);
}

void core_set_base_url(struct core *core, const char *url)
{
	atomic_store(&core->base_url, url);
}

void core_submit(struct core *core, struct job *job)
{
	job->core = core;
	job->item.deadline_ms = LANE_NEVER;
	if (lane_submit(core->lane, &job->item) == STATUS_OK)
		return;
	http_reply_problem(job->exchange, &http_problem_unavailable,
		"Too many requests are waiting; nothing was done.");
	http_complete(job->exchange);
}

void core_drain(struct core *core)
{
	core->drain_job = (struct job){.item.deadline_ms = LANE_NEVER, .kind = JOB_DRAIN};
	if (lane_submit(core->lane, &core->drain_job.item) != STATUS_OK)
		log_warning("core.cannot_drain");
}

void core_close(struct core *core)
{
	if (!core)
		return;
	if (core->lane)
		lane_stop(core->lane);
	sender_close(core->outbox.sender);
	if (core->journal && journal_commit(core->journal) != STATUS_OK)
		log_error("journal.commit_failed");
	lane_close(core->lane);
	outbox_release(&core->outbox);
	journal_close(core->journal);
	timers_release(&core->answers);
	state_release(&core->state);
	buffer_release(&core->scratch);
	free(core);
}

void core_give_up(const char *why)
{
	log_error("core.gives_up", LOG_TEXT("why", why));
	_exit(1);
}

struct render_options core_rendering(const struct core *core, bool expand_charge)
{
	return (struct render_options){
		.base_url = atomic_load(&core->base_url), .expand_charge = expand_charge};
}

/* ---- Batches ---- */

static int kind_of(const struct lane_item *item)
{
	int kind;
	memcpy(&kind, (const char *)item + offsetof(struct job, kind), sizeof kind);
	return kind;
}

static struct job *job_of(struct lane_item *item)
{
	return (struct job *)((char *)item - offsetof(struct job, item));
}

static void core_execute(struct core *core, struct lane_item *item)
{
	switch (kind_of(item)) {
	case JOB_DELIVERED:
		outbox_delivered(
			core, (struct delivery *)((char *)item - offsetof(struct delivery, item)));
		break;
	case JOB_START:
		core->started = true;
		break;
	case JOB_DRAIN:
		core->draining = true;
		break;
	case JOB_PROVIDER:
		execute_provider(core, job_of(item));
		break;
	default:
		execute_admin(core, job_of(item));
	}
}

static void core_commit(struct core *core)
{
	core_must(journal_commit(core->journal), "the journal cannot be written");
	core->must_commit = false;
	core->unsynced_ms = 0;
}

/* Give the exchange back to its event loop; the job is gone then. */
static void answer(struct job *job)
{
	if (job->busy)
		job->busy->busy = false;
	outbox_forget_job(job);
	if (job->dropped)
		http_reply_nothing(job->exchange);
	else if (job->kind == JOB_PROVIDER)
		http_reply(job->exchange, job->status, "application/json", job->body);
	http_complete(job->exchange);
}

void core_release_answer(struct core *core, struct job *job)
{
	timers_remove(&core->answers, &job->timer);
	answer(job);
}

/* What a job waited for is on disk: answer it now, or when it is time. */
static void finish(struct core *core, struct job *job)
{
	int64_t delay_ms = job->delay_ms > job->first_ms ? job->delay_ms : job->first_ms;
	if (delay_ms == 0 || core->draining)
		answer(job);
	else
		core_must(
			timers_add(&core->answers, &job->timer, core->now_monotonic_ms + delay_ms),
			"memory is short");
}

static void take_time(struct core *core)
{
	core->now_ms = clock_wall_ms(clock_system());
	core->now_monotonic_ms = clock_monotonic_ms(clock_system());
}

static void release_all_answers(struct core *core)
{
	struct timer *timer;
	while ((timer = timers_pop_any(&core->answers)))
		answer((struct job *)((char *)timer - offsetof(struct job, timer)));
}

static void core_apply(void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	struct core *core = context;
	(void)thread;
	take_time(core);
	for (size_t i = 0; i < count; i++) {
		/* The others have no exchange, and a delivery is freed when it is executed. */
		bool is_job = kind_of(items[i]) < JOB_START;
		core_execute(core, items[i]);
		core->batch[i] = is_job ? job_of(items[i]) : NULL;
	}
	if (core->must_commit)
		core_commit(core);
	take_time(core);
	for (size_t i = 0; i < count; i++)
		if (core->batch[i])
			finish(core, core->batch[i]);
	if (core->draining)
		release_all_answers(core);
	outbox_work(core);
}

/* Jobs have no deadline: a provider does what it was asked to, whether anybody still waits or not.
 */
static void core_late(void *context, struct lane_item *const items[], size_t count)
{
	core_apply(context, 0, items, count);
}

/* ---- What is due by itself ---- */

static void expire_authorizations(struct core *core)
{
	enum { EXPIRIES_PER_TICK_MAX = 1000 };
	struct intent *intent;
	for (size_t i = 0; i < EXPIRIES_PER_TICK_MAX &&
		(intent = state_next_expired(&core->state, core->now_ms));
		i++)
		execute_expiry(core, intent);
	if (core->must_commit)
		core_commit(core);
}

static int64_t core_tick(void *context, int64_t now_ms)
{
	struct core *core = context;
	struct timer *timer;
	take_time(core);
	while ((timer = timers_pop(&core->answers, now_ms)))
		answer((struct job *)((char *)timer - offsetof(struct job, timer)));
	expire_authorizations(core);
	state_forget_keys(&core->state, core->now_ms);
	outbox_work(core);
	if (core->unsynced_ms > 0 && core->unsynced_ms + UNSYNCED_MS_MAX <= now_ms)
		core_commit(core);
	int64_t next_ms = timers_next_ms(&core->answers);
	return next_ms < now_ms + TICK_MS_MAX ? next_ms : now_ms + TICK_MS_MAX;
}
