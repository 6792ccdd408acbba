/* See live.h: opening and closing, the table of events, and what others ask. */
#include "real-implementation/live.h"

#include <stdlib.h>

#include "lib/base/clock.h"
#include "real-implementation/live_internal.h"

static void register_metrics(struct live *live);
static void free_event(struct live_event *event);

enum status live_open(const struct live_options *options, struct live **result)
{
	struct live *live = calloc(1, sizeof *live);
	if (!live)
		return STATUS_UNAVAILABLE;
	live->options = *options;
	if (live->options.poll_ms == 0)
		live->options.poll_ms = LIVE_POLL_MS;
	if (live->options.seats_max == 0)
		live->options.seats_max = LIVE_SEATS_MAX;
	buffer_init(&live->text, LIVE_TEXT_BYTES_MAX);
	live->pg = postgres_open(&(struct postgres_options){.url = options->database_url,
		.application_name = "onsale-live",
		.connect_ms_max = options->database_ms,
		.call_ms_max = options->database_ms,
		.fail_fast = true});
	if (!live->pg) {
		live_close(live);
		return STATUS_UNAVAILABLE;
	}
	register_metrics(live);
	*result = live;
	return STATUS_OK;
}

static void register_metrics(struct live *live)
{
	struct metrics *metrics = live->options.metrics;
	lane_register_metrics(metrics, "live_keeper");
	lane_register_metrics(metrics, "live_reader");
	lane_register_metrics(metrics, "live_renderer");
	if (!metrics)
		return;
	live->changes = metrics_add_counter(metrics,
		&(struct metrics_description){
			.name = "live_seat_changes", .help = "Seat changes that were read."});
	live->loads = metrics_add_counter(metrics,
		&(struct metrics_description){
			.name = "live_boards_loaded", .help = "Events that were read whole."});
	live->drops = metrics_add_counter(metrics,
		&(struct metrics_description){.name = "live_boards_dropped",
			.help = "Events whose memory was given to others."});
}

enum status live_start(
	struct live *live, struct http_server *server, struct waiting_room_routes *rooms)
{
	struct lane_options options = {.name = "live_renderer",
		.ops = &live_renderer_ops,
		.context = live,
		.queue_max = LIVE_RENDER_QUEUE_MAX,
		.batch_max = 1,
		.metrics = live->options.metrics};
	live->server = server;
	live->rooms = rooms;
	enum status status = lane_open(&options, &live->renderer);
	options.name = "live_keeper";
	options.ops = &live_keeper_ops;
	options.queue_max = LIVE_QUEUE_MAX;
	options.batch_max = LIVE_BATCH_MAX;
	if (status == STATUS_OK)
		status = lane_open(&options, &live->keeper);
	options.name = "live_reader";
	options.ops = &live_reader_ops;
	options.queue_max = LIVE_READ_QUEUE_MAX;
	options.batch_max = 1;
	if (status == STATUS_OK)
		status = lane_open(&options, &live->reader);
	atomic_store(&live->started, status == STATUS_OK);
	return status;
}

bool live_ready(const struct live *live)
{
	int64_t read_ms = atomic_load(&live->read_ms);
	return read_ms > 0 && clock_monotonic_ms(clock_system()) - read_ms < LIVE_READY_MS;
}

/* Upstream first, so that nothing is handed to a lane that has ended. */
void live_stop(struct live *live)
{
	atomic_store(&live->started, false);
	if (live->reader)
		lane_stop(live->reader);
	if (live->keeper)
		lane_stop(live->keeper);
	if (live->renderer)
		lane_stop(live->renderer);
}

void live_close(struct live *live)
{
	if (!live)
		return;
	lane_close(live->reader);
	lane_close(live->keeper);
	lane_close(live->renderer);
	for (size_t i = 0; i < LIVE_BUCKETS; i++) {
		struct live_event *event = atomic_load(&live->buckets[i]);
		for (struct live_event *next; event; event = next) {
			next = event->next;
			free_event(event);
		}
	}
	for (size_t i = 0; i < LIVE_PLANS_MAX; i++)
		venue_plan_release(live->plans[i]);
	seat_store_close(live->store);
	postgres_close(live->pg);
	buffer_release(&live->text);
	free(live);
}

/* ---- The table ---- */

static size_t bucket_of(struct id event)
{
	uint32_t hash;
	/* The last bytes of our ids are random; strangers' ids only make it slower. */
	memcpy(&hash, event.bytes + sizeof event.bytes - sizeof hash, sizeof hash);
	return hash % LIVE_BUCKETS;
}

struct live_event *live_find(const struct live *live, struct id id)
{
	struct live_event *event =
		atomic_load_explicit(&live->buckets[bucket_of(id)], memory_order_acquire);
	while (event && memcmp(event->id.bytes, id.bytes, sizeof id.bytes) != 0)
		event = event->next;
	return event;
}

struct live_event *live_add(struct live *live, struct id id)
{
	struct live_event *event =
		live->event_count < LIVE_EVENTS_MAX ? calloc(1, sizeof *event) : NULL;
	if (!event)
		return NULL;
	event->id = id;
	id_format(id, event->text);
	http_prepared_cell_init(&event->availability);
	http_prepared_cell_init(&event->statuses);
	http_prepared_cell_init(&event->map);
	size_t bucket = bucket_of(id);
	event->next = atomic_load_explicit(&live->buckets[bucket], memory_order_relaxed);
	atomic_store_explicit(&live->buckets[bucket], event, memory_order_release);
	live->event_count++;
	return event;
}

static void free_event(struct live_event *event)
{
	struct facts_version *facts = atomic_load(&event->facts);
	for (struct facts_version *older; facts; facts = older) {
		older = facts->older;
		free(facts);
	}
	board_free(event->board);
	http_prepared_cell_release(&event->availability);
	http_prepared_cell_release(&event->statuses);
	http_prepared_cell_release(&event->map);
	free(event);
}

const struct event_facts *live_facts(const struct live_event *event)
{
	const struct facts_version *version =
		atomic_load_explicit(&event->facts, memory_order_acquire);
	return version ? &version->facts : NULL;
}

/* ---- Jobs ---- */

struct live_job *live_job_new(enum live_job_kind kind, struct http_exchange *exchange)
{
	struct live_job *job = exchange ? arena_calloc(http_arena(exchange), 1, sizeof *job)
					: calloc(1, sizeof *job);
	if (!job)
		return NULL;
	job->kind = kind;
	job->exchange = exchange;
	job->item.deadline_ms = exchange ? http_deadline_ms(exchange) : LANE_NEVER;
	return job;
}

void live_job_free(struct live_job *job)
{
	venue_plan_release(job->plan);
	job->plan = NULL;
	if (job->exchange)
		return;
	board_free(job->board);
	free(job->changes);
	free(job);
}

bool live_submit(struct lane *lane, struct live_job *job)
{
	return lane_submit(lane, &job->item) == STATUS_OK;
}

/* ---- Who asks, and who watches ---- */

void live_ask_seats(struct live *live, struct live_ask *ask)
{
	struct live_job *job = NULL;
	ask->answer = LIVE_BUSY;
	if (atomic_load_explicit(&live->started, memory_order_acquire))
		job = live_job_new(LIVE_JOB_ASK, ask->exchange);
	if (job) {
		job->id = ask->event;
		job->ask = ask;
	}
	if (!job || !live_submit(live->keeper, job))
		ask->then(ask);
}

static void visit_event(const struct live_event *event,
	void (*visit)(void *context, const struct live_standing *standing), void *context)
{
	const struct event_facts *facts = live_facts(event);
	if (!facts)
		return;
	struct live_standing standing = {.facts = *facts,
		.asks = atomic_load(&event->asks),
		.available = (uint32_t)atomic_load(&event->counts[SEAT_AVAILABLE]),
		.held = (uint32_t)atomic_load(&event->counts[SEAT_HELD]),
		.sold = (uint32_t)atomic_load(&event->counts[SEAT_SOLD])};
	memcpy(standing.text, event->text, sizeof standing.text);
	visit(context, &standing);
}

void live_visit(struct live *live,
	void (*visit)(void *context, const struct live_standing *standing), void *context)
{
	for (size_t i = 0; i < LIVE_BUCKETS; i++) {
		const struct live_event *event =
			atomic_load_explicit(&live->buckets[i], memory_order_acquire);
		for (; event; event = event->next)
			visit_event(event, visit, context);
	}
}
