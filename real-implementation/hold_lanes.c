/* Lanes with a seat store: those that take seats, and one for the rest. */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "real-implementation/holds_internal.h"

/* ---- The store ---- */

static struct seat_store *store_of(struct hold_lane *lane)
{
	struct fault fault = {.where = "store", .what = "memory is short"};
	const struct holds_options *options = &lane->holds->options;
	int64_t now_ms = clock_monotonic_ms(clock_system());
	if (lane->store || now_ms < lane->open_ms)
		return lane->store;
	lane->open_ms = now_ms + HOLD_RETRY_MS;
	enum status status = options->open_store(options->store_context, &lane->store, &fault);
	if (status != STATUS_OK)
		lane->store = NULL;
	if (status == STATUS_REFUSED && !lane->complained)
		log_error("holds.refused", LOG_TEXT("where", fault.where),
			LOG_TEXT("why", fault.what));
	return lane->store;
}

/* Note how a call went: count, log, and remember for /readyz. */
static enum status told(struct hold_lane *lane, const char *what, enum status status)
{
	bool good = status == STATUS_OK || status == STATUS_REFUSED;
	atomic_store_explicit(&lane->answers, good, memory_order_relaxed);
	if (!good)
		metrics_counter_add(lane->holds->metrics.calls_failed, 1);
	/* Once, and not for each call of an outage. */
	if (!good && !lane->complained)
		log_warning("holds.no_answer", LOG_TEXT("call", what),
			LOG_TEXT("status", status_name(status)));
	if (good && lane->complained)
		log_info("holds.answers_again", LOG_TEXT("call", what));
	lane->complained = !good;
	return status;
}

/* The jobs of a batch, without those whose clients have gone. */
static size_t take_jobs(struct hold_lane *lane, struct lane_item *const items[], size_t count)
{
	size_t taken = 0;
	for (size_t i = 0; i < count; i++) {
		struct hold_job *job = (struct hold_job *)items[i];
		if (!http_abandoned(job->exchange)) {
			lane->jobs[taken++] = job;
			continue;
		}
		hold_reply_busy(job, "The client has gone; nothing was done.");
		http_complete(job->exchange);
	}
	return taken;
}

static void complete_all(struct hold_job *const jobs[], size_t count)
{
	struct http_burst burst = {0};
	for (size_t i = 0; i < count; i++)
		if (jobs[i])
			http_burst_add(&burst, jobs[i]->exchange);
	http_burst_complete(&burst);
}

static void late(void *context, struct lane_item *const items[], size_t count)
{
	(void)context;
	for (size_t i = 0; i < count; i++) {
		struct hold_job *job = (struct hold_job *)items[i];
		hold_reply_busy(job, "The request waited too long for its turn; nothing was done.");
		http_complete(job->exchange);
	}
}

/* ---- Taking seats ---- */

static enum status call_hold(struct hold_lane *lane, size_t from, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct hold_job *job = lane->jobs[from + i];
		lane->requests[i] = (struct hold_request){.event = job->event,
			.hold = job->hold,
			.person = job->person,
			.seats = job->seats,
			.seat_count = job->ask.found_count,
			.hold_ms = job->hold_ms};
	}
	return told(
		lane, "hold", seat_store_hold(lane->store, lane->requests, lane->results, count));
}

/* Whether the hold is what this request has made or would make. */
static bool is_answer_to(const struct hold_record *record, const struct hold_job *job)
{
	const struct live_ask *ask = &job->ask;
	if (record->state == HOLD_NONE || !slice_equal(record->person, job->person))
		return false;
	if (!ask->seats) /* Which were the best then need not be the best now. */
		return record->seat_count == ask->seat_count;
	for (size_t i = 0; i < record->seat_count; i++) {
		size_t j = 0;
		while (j < ask->seat_count && !slice_equal(record->seats[i], ask->seats[j]))
			j++;
		if (j == ask->seat_count)
			return false;
	}
	return true;
}

/* Answer those whose hold is there already. */
static size_t answer_from_records(struct hold_lane *lane, size_t from, size_t count)
{
	size_t answered = 0;
	arena_reset(&lane->arena);
	for (size_t i = 0; i < count; i++)
		lane->names[i] =
			(struct hold_name){lane->jobs[from + i]->event, lane->jobs[from + i]->hold};
	if (told(lane, "look_up",
		    seat_store_look_up(lane->store, lane->names, lane->records, count,
			    &lane->arena)) != STATUS_OK)
		return 0;
	for (size_t i = 0; i < count; i++) {
		struct hold_job *job = lane->jobs[from + i];
		if (!is_answer_to(&lane->records[i], job))
			continue;
		hold_reply_record(job, &lane->records[i], &lane->text);
		metrics_counter_add(lane->holds->metrics.taken[HOLD_GRANTED], 1);
		answered++;
	}
	return answered;
}

static void settle(struct hold_lane *lane, size_t index, const struct hold_result *result)
{
	struct hold_job *job = lane->jobs[index];
	if (http_reply_status(job->exchange) != 0)
		return; /* It was answered from its record. */
	if (result->outcome == HOLD_TAKEN && !job->ask.seats &&
		++job->attempts < HOLD_BEST_ATTEMPTS_MAX) {
		lane->jobs[index] = NULL;
		hold_ask_again(job);
		return;
	}
	metrics_counter_add(lane->holds->metrics.taken[result->outcome], 1);
	if (result->outcome == HOLD_GRANTED)
		hold_reply_granted(job, result, &lane->text);
	else
		hold_reply_refused(job, result);
}

/* One call, and once more where its answer was lost: first it is read what became of it; then the
 * same ids again, by which what was granted is granted again. */
static void hold_some(struct hold_lane *lane, size_t from, size_t count)
{
	enum status status = call_hold(lane, from, count);
	if (status == STATUS_UNKNOWN) {
		if (answer_from_records(lane, from, count) == count)
			return;
		status = call_hold(lane, from, count);
	}
	if (status != STATUS_OK) {
		for (size_t i = 0; i < count; i++)
			if (http_reply_status(lane->jobs[from + i]->exchange) == 0)
				hold_reply_failed(lane->jobs[from + i], status);
		return;
	}
	/* A repeated request for the best seats, or one made under other settings of the event. */
	struct hold_result results[SEAT_STORE_BATCH_MAX];
	memcpy(results, lane->results, count * sizeof *results);
	for (size_t i = 0; i < count; i++)
		if (results[i].outcome == HOLD_OTHER_REQUEST)
			(void)answer_from_records(lane, from + i, 1);
	for (size_t i = 0; i < count; i++)
		settle(lane, from + i, &results[i]);
}

static void apply_takes(void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	struct hold_lane *lane = context;
	(void)thread;
	count = take_jobs(lane, items, count);
	struct seat_store *store = store_of(lane);
	size_t batch_max = store ? seat_store_traits(store)->batch_max : count;
	if (!store)
		(void)told(lane, "open", STATUS_UNAVAILABLE);
	for (size_t done = 0; done < count;) {
		size_t size = count - done < batch_max ? count - done : batch_max;
		if (store)
			hold_some(lane, done, size);
		for (size_t i = 0; i < size && !store; i++)
			hold_reply_failed(lane->jobs[done + i], STATUS_UNAVAILABLE);
		done += size;
	}
	complete_all(lane->jobs, count);
}

const struct lane_ops hold_take_ops = {.apply = apply_takes, .late = late};

/* ---- Showing, giving back, and what is due by itself ---- */

static enum status look_up(struct hold_lane *lane, size_t count)
{
	struct seat_store *store = store_of(lane);
	enum status status = store ? STATUS_OK : STATUS_UNAVAILABLE;
	arena_reset(&lane->arena);
	for (size_t i = 0; i < count; i++)
		lane->names[i] = (struct hold_name){lane->jobs[i]->event, lane->jobs[i]->hold};
	for (size_t done = 0; done < count && status == STATUS_OK;) {
		size_t size = count - done, batch_max = seat_store_traits(store)->batch_max;
		size = size < batch_max ? size : batch_max;
		status = seat_store_look_up(
			store, lane->names + done, lane->records + done, size, &lane->arena);
		done += size;
	}
	return told(lane, "look_up", status);
}

static void release_one(struct hold_lane *lane, struct hold_job *job)
{
	const struct release_request request = {
		.event = job->event, .hold = job->hold, .person = job->person};
	enum release_outcome outcome;
	enum status status = STATUS_UNKNOWN;
	/* Releasing again does no harm. */
	for (int attempt = 0; attempt < 2 && status == STATUS_UNKNOWN; attempt++)
		status = told(
			lane, "release", seat_store_release(lane->store, &request, &outcome, 1));
	if (status != STATUS_OK) {
		hold_reply_failed(job, status);
		return;
	}
	if (outcome == RELEASE_RELEASED) {
		metrics_counter_add(lane->holds->metrics.released, 1);
		hold_let_out(lane->holds, job->event, job->person);
	}
	hold_reply_released(job, outcome);
}

/* Who does not know of the hold is told that there is none, whatever it is. */
static void apply_others(
	void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	struct hold_lane *lane = context;
	(void)thread;
	count = take_jobs(lane, items, count);
	enum status status = count > 0 ? look_up(lane, count) : STATUS_OK;
	for (size_t i = 0; i < count; i++) {
		struct hold_job *job = lane->jobs[i];
		const struct hold_record *record = &lane->records[i];
		if (status != STATUS_OK)
			hold_reply_failed(job, status);
		else if (record->state == HOLD_NONE || !slice_equal(record->person, job->person))
			hold_reply_no_hold(job);
		else if (job->operation == HOLD_SHOW)
			hold_reply_record(job, record, &lane->text);
		else
			release_one(lane, job);
	}
	complete_all(lane->jobs, count);
}

/* Returns whether there may be more to do at once. The people are let out of the waiting room. */
static bool expire(struct hold_lane *lane)
{
	size_t count = 0, max = SEAT_STORE_BATCH_MAX;
	struct hold_name expired[SEAT_STORE_BATCH_MAX];
	enum status status =
		told(lane, "expire", seat_store_expire(lane->store, max, expired, &count));
	if (status != STATUS_OK || count == 0)
		return false;
	metrics_counter_add(lane->holds->metrics.expired, count);
	arena_reset(&lane->arena);
	size_t batch_max = seat_store_traits(lane->store)->batch_max;
	for (size_t done = 0; done < count && status == STATUS_OK;) {
		size_t size = count - done < batch_max ? count - done : batch_max;
		status = seat_store_look_up(
			lane->store, expired + done, lane->records, size, &lane->arena);
		for (size_t i = 0; i < size && status == STATUS_OK; i++)
			if (lane->records[i].state == HOLD_EXPIRED)
				hold_let_out(lane->holds, expired[done + i].event,
					lane->records[i].person);
		done += size;
	}
	return count == max;
}

static int64_t tick(void *context, int64_t now_ms)
{
	struct hold_lane *lane = context;
	if (!store_of(lane)) {
		(void)told(lane, "open", STATUS_UNAVAILABLE);
		return now_ms + HOLD_RETRY_MS;
	}
	bool more = expire(lane);
	bool good = atomic_load(&lane->answers);
	return now_ms + (!good ? HOLD_RETRY_MS : more ? 1 : lane->holds->options.expire_ms);
}

const struct lane_ops hold_other_ops = {.apply = apply_others, .late = late, .tick = tick};
