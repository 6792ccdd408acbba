/* Events on their way to the endpoint: kept in the journal until they are delivered, handed to the
 * sender when they are ready, a limited number at a time. */
#include <stddef.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "tech-two-phase-payments/simulator/core_internal.h"

enum { OUTBOX_IN_FLIGHT_MAX = 1024 };

_Static_assert((int)OUTBOX_IN_FLIGHT_MAX <= (int)SENDER_QUEUE_MAX, "the sender takes all of them");

static void push_ready(struct outbox *outbox, struct event *event)
{
	event->next = NULL;
	if (outbox->ready_first)
		outbox->ready_last->next = event;
	else
		outbox->ready_first = event;
	outbox->ready_last = event;
}

/* An event in the list of all, so that none is lost sight of. NULL: memory is short. */
static struct event *event_new(struct outbox *outbox)
{
	struct event *event = calloc(1, sizeof *event);
	if (!event)
		return NULL;
	event->all_next = outbox->all;
	if (outbox->all)
		outbox->all->all_previous = event;
	outbox->all = event;
	return event;
}

static void event_free(struct outbox *outbox, struct event *event)
{
	if (event->all_previous)
		event->all_previous->all_next = event->all_next;
	else
		outbox->all = event->all_next;
	if (event->all_next)
		event->all_next->all_previous = event->all_previous;
	free(event);
}

/* ---- Making ---- */

/* When it may go out: with the answer to the request that made it, unless a fault wants it sooner
 * or later. */
static void schedule(struct core *core, struct event *event, struct job *job)
{
	struct event_faults faults =
		faults_of_event(&core->faults, job ? job->operation : OPERATION_COUNT);
	int64_t delay_ms = job ? job->delay_ms : 0;
	event->copies = faults.twice ? 2 : 1;
	if (faults.first_ms > 0 && job && job->waiting_events < JOB_EVENTS_MAX) {
		job->events[job->waiting_events++] = event;
		event->job = job;
		delay_ms = 0;
		if (faults.first_ms > job->first_ms)
			job->first_ms = faults.first_ms;
	}
	core_must(timers_add(&core->outbox.later, &event->timer,
			  core->now_monotonic_ms + delay_ms + faults.late_ms),
		"memory is short");
}

void outbox_add(struct core *core, enum event_type type, struct span intent_span, struct job *job)
{
	if (!core->outbox.sender)
		return;
	struct event *event = event_new(&core->outbox);
	if (!event)
		core_give_up("memory is short");
	struct event_record record = {
		.type = type, .created_s = core->now_ms / 1000, .intent = intent_span};
	object_id_make("evt_", record.id);
	memcpy(event->id, record.id, sizeof event->id);
	if (job) {
		memcpy(record.request_id, job->request_id, sizeof record.request_id);
		record.idempotency_key = job->key;
	}
	event->record = record_event(core->journal, &record);
	core->must_commit = true;
	schedule(core, event, job);
}

/* ---- Handing over ---- */

/* The event as it is sent, from what the journal says of it. NULL: memory is short. */
static struct delivery *make_delivery(struct core *core, struct event *event)
{
	struct buffer content, state, body;
	struct event_record record;
	struct delivery *delivery = calloc(1, sizeof *delivery);
	struct intent *intent = NULL;
	buffer_init(&content, ANSWER_SIZE_MAX);
	buffer_init(&state, ANSWER_SIZE_MAX);
	buffer_init(&body, ANSWER_SIZE_MAX);
	if (!delivery || journal_read(core->journal, event->record, &content) != STATUS_OK ||
		!record_read_event(buffer_slice(&content), &record) ||
		journal_read(core->journal, record.intent, &state) != STATUS_OK ||
		!(intent = record_read_intent(buffer_slice(&state)))) {
		free(delivery);
		delivery = NULL;
	} else {
		struct render_options options = core_rendering(core, false);
		render_event(&body,
			&(struct event_view){.id = record.id,
				.type = record.type,
				.created_s = record.created_s,
				.api_version = core->options.api_version,
				.request_id = record.request_id,
				.idempotency_key = record.idempotency_key,
				.intent = intent},
			&options);
		delivery->context = event;
		delivery->body = body.data;
		delivery->body_size = body.size;
	}
	if (delivery && body.failed) {
		delivery_free(delivery);
		delivery = NULL;
	}
	intent_free(intent);
	buffer_release(&content);
	buffer_release(&state);
	return delivery;
}

/* False: not now. */
static bool hand_over(struct core *core, struct event *event)
{
	struct delivery *delivery = make_delivery(core, event);
	if (delivery && sender_submit(core->outbox.sender, delivery) == STATUS_OK) {
		core->outbox.in_flight++;
		return true;
	}
	delivery_free(delivery);
	return false;
}

void outbox_work(struct core *core)
{
	struct outbox *outbox = &core->outbox;
	struct timer *timer;
	while ((timer = timers_pop(&outbox->later, core->now_monotonic_ms)))
		push_ready(outbox, (struct event *)((char *)timer - offsetof(struct event, timer)));
	if (!core->started)
		return;
	while (outbox->ready_first && outbox->in_flight < OUTBOX_IN_FLIGHT_MAX) {
		struct event *event = outbox->ready_first;
		if (!hand_over(core, event))
			return; /* The next tick tries again. */
		outbox->ready_first = event->next;
	}
}

void outbox_delivered(struct core *core, struct delivery *delivery)
{
	struct event *event = delivery->context;
	struct job *job = event->job;
	core->outbox.in_flight--;
	delivery_free(delivery);
	event->copies--;
	if (job) {
		for (size_t i = 0; i < JOB_EVENTS_MAX; i++)
			if (job->events[i] == event)
				job->events[i] = NULL;
		event->job = NULL;
		if (--job->waiting_events == 0)
			core_release_answer(core, job);
	}
	if (event->copies > 0) {
		push_ready(&core->outbox, event);
		return;
	}
	record_delivered(core->journal, event->id);
	if (core->unsynced_ms == 0)
		core->unsynced_ms = core->now_monotonic_ms;
	event_free(&core->outbox, event);
}

void outbox_forget_job(struct job *job)
{
	for (size_t i = 0; i < JOB_EVENTS_MAX; i++)
		if (job->events[i])
			job->events[i]->job = NULL;
}

/* ---- At the start and at the end ---- */

static struct slice event_id(const void *event)
{
	return slice_of(((const struct event *)event)->id);
}

bool outbox_replay(struct core *core, enum record_type type, struct slice content, struct span span)
{
	struct outbox *outbox = &core->outbox;
	if (!outbox->replayed.id_of)
		table_init(&outbox->replayed, event_id);
	if (type == RECORD_DELIVERED) {
		struct slice id = {.data = content.data + sizeof(uint32_t)};
		if (content.size < sizeof(uint32_t))
			return false;
		id.size = content.size - sizeof(uint32_t);
		struct event *event = table_find(&outbox->replayed, id);
		if (!event)
			return false;
		table_remove(&outbox->replayed, event);
		event->delivered = true;
		return true;
	}
	struct event_record record;
	struct event *event = event_new(outbox);
	if (event && record_read_event(content, &record)) {
		memcpy(event->id, record.id, sizeof event->id);
		event->record = span;
		event->copies = 1;
		if (table_add(&outbox->replayed, event) == STATUS_OK) {
			push_ready(outbox, event);
			return true;
		}
	}
	return false;
}

void outbox_replayed(struct core *core)
{
	struct outbox *outbox = &core->outbox;
	struct event *event = outbox->ready_first, *next;
	size_t count = 0;
	outbox->ready_first = outbox->ready_last = NULL;
	for (; event; event = next) {
		next = event->next;
		/* Without an endpoint they wait for a start that has one. */
		if (event->delivered || !outbox->sender) {
			event_free(outbox, event);
			continue;
		}
		push_ready(outbox, event);
		count++;
	}
	table_release(&outbox->replayed);
	if (count > 0)
		log_info("webhooks.undelivered", LOG_INTEGER("events", count));
}

void outbox_release(struct outbox *outbox)
{
	for (struct event *event = outbox->all, *next; event; event = next) {
		next = event->all_next;
		free(event);
	}
	timers_release(&outbox->later);
	table_release(&outbox->replayed);
}
