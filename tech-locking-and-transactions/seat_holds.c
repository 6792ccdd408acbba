/* Taking seats for a while, and giving them back. */
#include "tech-locking-and-transactions/seat_lanes.h"

static enum status hold_some(struct seat_lane *lane, struct seat_request *asked[], size_t count);
static size_t answer_from_records(
	struct seat_lane *lane, struct seat_request *asked[], size_t count);

/* ---- Hold ---- */

static void reply_all(
	struct seat_lane *lane, struct seat_request *asked[], size_t count, enum status status)
{
	for (size_t i = 0; i < count; i++) {
		if (asked[i]->done)
			continue;
		if (status != STATUS_OK) {
			seat_reply_failed(asked[i], status);
			continue;
		}
		const struct hold_result *result = &lane->held[i];
		metrics_counter_add(lane->routes->metrics.holds[result->outcome], 1);
		if (result->outcome == HOLD_NO_EVENT && !atomic_load(&lane->routes->stocked))
			seat_reply_refused(asked[i], "The event is not on sale yet.");
		else
			seat_reply_hold(asked[i], result, asked[i]->sold->currency, &lane->text);
	}
}

static void apply_holds(void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	struct seat_lane *lane = context;
	(void)thread;
	count = seat_lane_take(items, count, lane->asked);
	struct seat_store *store = seat_lane_store(lane);
	size_t batch_max = store ? seat_lane_batch_max(lane) : count;
	for (size_t done = 0; done < count;) {
		size_t size = count - done < batch_max ? count - done : batch_max;
		enum status status = STATUS_UNAVAILABLE;
		if (store)
			status = hold_some(lane, lane->asked + done, size);
		else
			(void)seat_lane_told(lane, "open", status);
		reply_all(lane, lane->asked + done, size, status);
		done += size;
	}
	seat_complete(lane->asked, count);
}

static enum status call_hold(struct seat_lane *lane, struct seat_request *asked[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		lane->holds[i] = (struct hold_request){.event = asked[i]->event,
			.hold = asked[i]->hold,
			.person = asked[i]->person,
			.seats = asked[i]->seats,
			.seat_count = asked[i]->seat_count,
			.hold_ms = lane->routes->options.hold_ms};
	return seat_lane_told(
		lane, "hold", seat_store_hold(lane->store, lane->holds, lane->held, count));
}

/* One call, and once more where its answer was lost: first it is read what has become of it, since
 * that may be committed already, or be committed just now; then the same ids again. Some may be
 * done afterwards; of the others the results are in their places. */
static enum status hold_some(struct seat_lane *lane, struct seat_request *asked[], size_t count)
{
	enum status status = call_hold(lane, asked, count);
	if (status == STATUS_UNKNOWN) {
		metrics_counter_add(lane->routes->metrics.calls_repeated, 1);
		if (answer_from_records(lane, asked, count) == count)
			return STATUS_OK;
		/* The same whole batch: what was granted is granted again. */
		return call_hold(lane, asked, count);
	}
	/* What was held under other settings of this server is still the same request. */
	for (size_t i = 0; i < count && status == STATUS_OK; i++)
		if (lane->held[i].outcome == HOLD_OTHER_REQUEST)
			(void)answer_from_records(lane, asked + i, 1);
	return status;
}

/* Whether the hold is what this request has made or would make. */
static bool is_answer_to(const struct hold_record *record, const struct seat_request *request)
{
	if (record->state == HOLD_NONE || !slice_equal(record->person, request->person) ||
		record->seat_count != request->seat_count)
		return false;
	for (size_t i = 0; i < record->seat_count; i++) {
		size_t j = 0;
		while (j < request->seat_count && !slice_equal(record->seats[i], request->seats[j]))
			j++;
		if (j == request->seat_count)
			return false;
	}
	return true;
}

/* Answer those whose hold exists. Returns how many. */
static size_t answer_from_records(
	struct seat_lane *lane, struct seat_request *asked[], size_t count)
{
	size_t answered = 0;
	arena_reset(&lane->arena);
	for (size_t i = 0; i < count; i++)
		lane->names[i] = (struct hold_name){asked[i]->event, asked[i]->hold};
	if (seat_lane_told(lane, "look_up",
		    seat_store_look_up(lane->store, lane->names, lane->records, count,
			    &lane->arena)) != STATUS_OK)
		return 0;
	for (size_t i = 0; i < count; i++) {
		const struct hold_record *record = &lane->records[i];
		if (!is_answer_to(record, asked[i]))
			continue;
		const struct hold_result result = {.outcome = HOLD_GRANTED,
			.version = record->version,
			.expires_at_ms = record->expires_at_ms,
			.total = record->total.minor};
		metrics_counter_add(lane->routes->metrics.holds[HOLD_GRANTED], 1);
		seat_reply_hold(asked[i], &result, asked[i]->sold->currency, &lane->text);
		asked[i]->done = true;
		answered++;
	}
	return answered;
}

const struct lane_ops seat_hold_ops = {.apply = apply_holds, .late = seat_late};

/* ---- Release ---- */

/* Whoever does not say whose hold it is, knows its id, and that is enough. */
static enum status find_people(struct seat_lane *lane, size_t *count)
{
	size_t known = 0;
	enum status status = seat_lane_look_up(lane, *count);
	for (size_t i = 0; i < *count && status == STATUS_OK; i++) {
		struct seat_request *request = lane->asked[i];
		if (!request->person.data)
			request->person = lane->records[i].person;
		if (lane->records[i].state == HOLD_NONE) {
			seat_reply_no_hold(request);
			http_complete(request->exchange);
			continue;
		}
		lane->asked[known++] = request;
	}
	for (size_t i = 0; i < known; i++)
		lane->releases[i] = (struct release_request){.event = lane->asked[i]->event,
			.hold = lane->asked[i]->hold,
			.person = lane->asked[i]->person};
	if (status == STATUS_OK)
		*count = known;
	return status;
}

static enum status call_release(struct seat_lane *lane, size_t from, size_t count)
{
	enum status status = STATUS_UNKNOWN;
	/* Releasing again does no harm. */
	for (int attempt = 0; attempt < 2 && status == STATUS_UNKNOWN; attempt++) {
		if (attempt > 0)
			metrics_counter_add(lane->routes->metrics.calls_repeated, 1);
		status = seat_lane_told(lane, "release",
			seat_store_release(
				lane->store, lane->releases + from, lane->released, count));
	}
	return status;
}

static void apply_releases(
	void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	struct seat_lane *lane = context;
	(void)thread;
	count = seat_lane_take(items, count, lane->asked);
	enum status status = count > 0 ? find_people(lane, &count) : STATUS_OK;
	for (size_t done = 0; done < count;) {
		size_t size = count - done;
		if (status == STATUS_OK) {
			size_t batch_max = seat_lane_batch_max(lane);
			size = size < batch_max ? size : batch_max;
			status = call_release(lane, done, size);
		}
		for (size_t i = 0; i < size; i++) {
			struct seat_request *request = lane->asked[done + i];
			if (status != STATUS_OK) {
				seat_reply_failed(request, status);
				continue;
			}
			seat_reply_release(request, lane->released[i]);
			if (lane->released[i] == RELEASE_RELEASED)
				metrics_counter_add(lane->routes->metrics.released, 1);
		}
		done += size;
	}
	seat_complete(lane->asked, count);
}

const struct lane_ops seat_release_ops = {
	.apply = apply_releases, .late = seat_late, .tick = seat_lane_tick};
