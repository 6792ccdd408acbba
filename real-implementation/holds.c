/* See holds.h: opening and closing, and a request's way up to the lane that takes its seats. */
#include "real-implementation/holds.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/http/fields.h"
#include "lib/http/idempotency.h"
#include "real-implementation/holds_internal.h"
#include "tech-locking-and-transactions/seat_routes.h"

static void open_metrics(struct holds *holds);
static enum status open_lane(
	struct holds *holds, struct hold_lane *lane, const struct lane_ops *ops, const char *name);

enum status holds_open(const struct holds_options *options, struct holds **result)
{
	struct holds *holds = calloc(1, sizeof *holds);
	assert(options->open_store && options->person && options->lane_count <= HOLD_LANES_MAX);
	if (!holds)
		return STATUS_UNAVAILABLE;
	holds->options = *options;
	holds->lane_count = options->lane_count ? options->lane_count : HOLD_LANES_DEFAULT;
	if (holds->options.queue_max == 0)
		holds->options.queue_max = HOLD_QUEUE_DEFAULT;
	if (holds->options.expire_ms == 0)
		holds->options.expire_ms = HOLD_EXPIRE_MS_DEFAULT;
	open_metrics(holds);
	*result = holds;
	return STATUS_OK;
}

static struct metrics_counter *counter(
	struct holds *holds, const char *name, const char *help, const struct metrics_label *label)
{
	if (!holds->options.metrics)
		return NULL;
	return metrics_add_counter(holds->options.metrics,
		&(struct metrics_description){
			.name = name, .help = help, .labels = label, .label_count = label ? 1 : 0});
}

static void open_metrics(struct holds *holds)
{
	struct hold_metrics *metrics = &holds->metrics;
	for (int outcome = 0; outcome <= HOLD_MALFORMED; outcome++) {
		const struct metrics_label label = {
			"outcome", hold_outcome_name((enum hold_outcome)outcome)};
		metrics->taken[outcome] = counter(
			holds, "seat_holds", "Requests to hold seats, by their outcome.", &label);
	}
	metrics->refused_passes =
		counter(holds, "seat_holds_without_pass", "Refused since a pass is needed.", NULL);
	metrics->best_again = counter(holds, "seat_holds_best_again",
		"Asked for other seats since the best were taken.", NULL);
	metrics->released =
		counter(holds, "seat_holds_released", "Holds given back by request.", NULL);
	metrics->expired =
		counter(holds, "seat_holds_expired", "Holds tidied up after their time.", NULL);
	metrics->calls_failed =
		counter(holds, "seat_calls_failed", "Calls that the store did not answer.", NULL);
	lane_register_metrics(holds->options.metrics, "holds");
	lane_register_metrics(holds->options.metrics, "holds_other");
}

enum status holds_start(struct holds *holds, struct live *live, struct waiting_room_routes *rooms)
{
	holds->live = live;
	holds->rooms = rooms;
	enum status status =
		open_lane(holds, hold_other_lane(holds), &hold_other_ops, "holds_other");
	for (size_t i = 0; i < holds->lane_count && status == STATUS_OK; i++)
		status = open_lane(holds, &holds->lanes[i], &hold_take_ops, "holds");
	atomic_store(&holds->started, status == STATUS_OK);
	return status;
}

static enum status open_lane(
	struct holds *holds, struct hold_lane *lane, const struct lane_ops *ops, const char *name)
{
	lane->holds = holds;
	arena_init(&lane->arena, HOLD_LOOK_BYTES_MAX);
	buffer_init(&lane->text, HOLD_TEXT_BYTES_MAX);
	return lane_open(&(struct lane_options){.name = name,
				 .ops = ops,
				 .context = lane,
				 .queue_max = holds->options.queue_max,
				 .batch_max = SEAT_STORE_BATCH_MAX,
				 .metrics = holds->options.metrics},
		&lane->lane);
}

bool holds_ready(const struct holds *holds)
{
	return atomic_load(&holds->started) && atomic_load(&holds->lanes[HOLD_LANES_MAX].answers);
}

size_t holds_depth(const struct holds *holds)
{
	size_t deepest = 0;
	for (size_t i = 0; i < holds->lane_count && atomic_load(&holds->started); i++) {
		size_t depth = lane_depth(holds->lanes[i].lane);
		deepest = depth > deepest ? depth : deepest;
	}
	return deepest;
}

void holds_stop(struct holds *holds)
{
	for (size_t i = 0; i <= HOLD_LANES_MAX; i++)
		if (holds->lanes[i].lane)
			lane_stop(holds->lanes[i].lane);
}

void holds_close(struct holds *holds)
{
	if (!holds)
		return;
	for (size_t i = 0; i <= HOLD_LANES_MAX; i++) {
		struct hold_lane *lane = &holds->lanes[i];
		if (!lane->holds)
			continue;
		lane_close(lane->lane);
		seat_store_close(lane->store);
		buffer_release(&lane->text);
		arena_release(&lane->arena);
	}
	free(holds);
}

/* ---- Ids ---- */

bool item_id_parse(struct slice text, struct id *event, struct id *own)
{
	struct slice first;
	return slice_split(&text, '.', &first) && text.data && id_parse(first, event) &&
		id_parse(text, own);
}

const char *item_id_format(struct id event, struct id own, char text[ITEM_ID_SIZE])
{
	id_format(event, text);
	text[ID_TEXT_SIZE - 1] = '.';
	id_format(own, text + ID_TEXT_SIZE);
	return text;
}

/* ---- Requests ---- */

static struct hold_job *job_new(struct http_exchange *exchange, enum hold_operation operation)
{
	struct holds *holds = http_context(exchange);
	struct slice person;
	if (!holds->options.person(holds->options.person_context, exchange, &person))
		return NULL;
	if (!atomic_load_explicit(&holds->started, memory_order_acquire)) {
		http_reply_problem(exchange, &http_problem_unavailable, "The server is starting.");
		return NULL;
	}
	struct hold_job *job = arena_calloc(http_arena(exchange), 1, sizeof *job);
	if (!job) {
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
		return NULL;
	}
	job->operation = operation;
	job->holds = holds;
	job->exchange = exchange;
	job->person = person;
	job->item.deadline_ms = http_deadline_ms(exchange);
	return job;
}

static void complete(struct hold_job *job)
{
	struct http_exchange *exchange = job->exchange;
	job->exchange = NULL;
	http_complete(exchange);
}

static void refuse_item(struct lane_item *item)
{
	struct hold_job *job = (struct hold_job *)item;
	hold_reply_busy(job, "Too many requests are waiting; nothing was done.");
	complete(job);
}

static void about_hold(struct http_exchange *exchange, enum hold_operation operation)
{
	struct hold_job *job = job_new(exchange, operation);
	if (!job)
		return;
	if (item_id_parse(http_parameter(exchange, "holdId"), &job->event, &job->hold))
		http_submit(exchange, hold_other_lane(job->holds)->lane, &job->item, refuse_item);
	else
		hold_reply_no_hold(job);
}

static void show(struct http_exchange *exchange)
{
	about_hold(exchange, HOLD_SHOW);
}

static void release(struct http_exchange *exchange)
{
	about_hold(exchange, HOLD_RELEASE);
}

void hold_let_out(struct holds *holds, struct id event, struct slice person)
{
	char text[ID_TEXT_SIZE];
	if (!holds->rooms)
		return;
	id_format(event, text);
	waiting_room_let_out(holds->rooms, slice_of(text), person);
}

/* ---- POST …/holds ---- */

static struct slice member_text(
	struct http_fields *fields, const json_t *object, const char *name, const char *path)
{
	const json_t *value = json_object_get(object, name);
	struct slice text = {.data = json_string_value(value), .size = json_string_length(value)};
	if (!value || json_is_null(value))
		return (struct slice){0};
	if (!text.data || text.size < 1 || text.size > LIMIT_NAME_SIZE_MAX || !slice_is_text(text))
		http_field_refuse(
			fields, path, "must be a text of 1 to %d bytes", (int)LIMIT_NAME_SIZE_MAX);
	return text;
}

static void read_wish(struct http_fields *fields, struct live_ask *ask)
{
	const json_t *best = http_field_object(fields, "best");
	const char *name;
	json_t *value;
	if (!best)
		return;
	json_object_foreach((json_t *)(uintptr_t)best, name, value)
	{
		if (strcmp(name, "quantity") != 0 && strcmp(name, "category") != 0 &&
			strcmp(name, "section") != 0) {
			http_field_refuse(fields, "best",
				"has quantity, category and section, and nothing else");
			return;
		}
	}
	const json_t *quantity = json_object_get(best, "quantity");
	json_int_t wanted = json_integer_value(quantity);
	if (!json_is_integer(quantity) || wanted < 1 || wanted > LIMIT_SEATS_PER_HOLD) {
		http_field_refuse(fields, "best/quantity", "must be an integer from 1 to %d",
			(int)LIMIT_SEATS_PER_HOLD);
		return;
	}
	ask->seat_count = (size_t)wanted;
	ask->category = member_text(fields, best, "category", "best/category");
	ask->section = member_text(fields, best, "section", "best/section");
}

static bool read_body(struct hold_job *job)
{
	struct http_fields fields;
	http_fields_begin(&fields, job->exchange);
	bool seats = http_field_given(&fields, "seats"), best = http_field_given(&fields, "best");
	if (fields.object && seats == best)
		http_field_refuse(&fields, "seats",
			"must be given, or instead of them best: {quantity, category, section}");
	if (seats)
		job->ask.seats = http_field_texts(&fields, "seats", SEAT_STORE_ID_SIZE_MAX, 1,
			LIMIT_SEATS_PER_HOLD, &job->ask.seat_count);
	else if (best)
		read_wish(&fields, &job->ask);
	return http_fields_end(&fields);
}

static void on_seats(struct live_ask *ask);

static struct hold_job *job_of(struct live_ask *ask)
{
	return (struct hold_job *)((char *)ask - offsetof(struct hold_job, ask));
}

/* On a loop or a lane; the exchange is deferred. */
static void ask_for_seats(struct hold_job *job)
{
	job->ask.exchange = job->exchange;
	job->ask.event = job->event;
	job->ask.then = on_seats;
	live_ask_seats(job->holds->live, &job->ask);
}

void hold_ask_again(struct hold_job *job)
{
	metrics_counter_add(job->holds->metrics.best_again, 1);
	job->ask.again = true;
	ask_for_seats(job);
}

static void on_pass(
	void *context, struct http_exchange *exchange, enum waiting_room_pass_verdict verdict)
{
	struct hold_job *job = context;
	assert(job->exchange == exchange);
	if (verdict == WAITING_ROOM_PASS_GOOD) {
		ask_for_seats(job);
		return;
	}
	metrics_counter_add(job->holds->metrics.refused_passes, 1);
	hold_reply_pass(job, verdict);
	complete(job);
}

/* Whether the event's waiting room lets nobody through without a pass. */
static bool needs_pass(const struct hold_job *job, const char *event)
{
	struct waiting_room_view view;
	return job->holds->rooms &&
		waiting_room_known_view(job->holds->rooms, slice_of(event), &view) &&
		view.settings.state != WAITING_ROOM_CLOSED;
}

static void take(struct http_exchange *exchange)
{
	struct hold_job *job = job_new(exchange, HOLD_TAKE);
	struct http_idempotency key;
	if (!job || !http_idempotency_read(exchange, HTTP_KEY_REQUIRED, &key) || !read_body(job))
		return;
	if (!id_parse(http_parameter(exchange, "eventId"), &job->event)) {
		http_reply_problem(exchange, &http_problem_not_found, "There is no such event.");
		return;
	}
	char *event = arena_alloc(http_arena(exchange), ID_TEXT_SIZE);
	if (!event) {
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
		return;
	}
	id_format(job->event, event);
	job->hold = seat_hold_id(job->person, job->event, key.key);
	if (!needs_pass(job, event)) {
		http_defer(exchange);
		ask_for_seats(job);
		return;
	}
	if (!http_header(exchange, "Waiting-Room-Pass", &job->pass)) {
		metrics_counter_add(job->holds->metrics.refused_passes, 1);
		http_reply_problem(exchange, &hold_problem_no_pass,
			"Join with POST /events/%s/waiting-room; who is admitted gets a pass, "
			"which "
			"stands in the header Waiting-Room-Pass.",
			event);
		return;
	}
	waiting_room_claim_pass(job->holds->rooms,
		&(struct waiting_room_pass_claim){.exchange = exchange,
			.event = slice_of(event),
			.person = job->person,
			.pass = job->pass,
			.then = on_pass,
			.context = job});
}

/* ---- Which seats ---- */

static struct hold_lane *lane_of(const struct hold_job *job)
{
	const struct slice event = {(const char *)job->event.bytes, sizeof job->event.bytes};
	uint64_t hash = slice_hash(job->ask.found[0].section, slice_hash(event, 0));
	return &job->holds->lanes[hash % job->holds->lane_count];
}

/* On the keeper's thread, or on the asker's where the keeper takes no more. */
static void on_seats(struct live_ask *ask)
{
	struct hold_job *job = job_of(ask);
	enum sale_state sale = SALE_ON;
	if (ask->answer != LIVE_NO_EVENT && ask->answer != LIVE_BUSY)
		sale = event_sale_state(&ask->facts, clock_wall_ms(clock_system()));
	if (sale != SALE_ON)
		hold_reply_not_on_sale(job, sale);
	else if (ask->answer != LIVE_FOUND)
		hold_reply_ask(job);
	else if ((int64_t)ask->found_count > ask->facts.seats_per_hold_max)
		hold_reply_too_many(job);
	else {
		for (size_t i = 0; i < ask->found_count; i++)
			job->seats[i] = ask->found[i].seat;
		job->hold_ms = ask->facts.hold_ms;
		if (lane_submit(lane_of(job)->lane, &job->item) == STATUS_OK)
			return;
		hold_reply_busy(job, "Too many requests are waiting; nothing was done.");
	}
	complete(job);
}

const struct http_route hold_route_table[] = {
	{HTTP_POST, "/events/{eventId}/holds", HTTP_ON_LOOP, take, HOLD_BODY_BYTES_MAX},
	{HTTP_GET, "/holds/{holdId}", HTTP_ON_LOOP, show, 0},
	{HTTP_DELETE, "/holds/{holdId}", HTTP_ON_LOOP, release, 0},
};
const size_t hold_route_count = sizeof hold_route_table / sizeof *hold_route_table;
