/* Lanes with a store: what all of them have in common, and what is due by itself. */
#include "tech-locking-and-transactions/seat_lanes.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/base/log.h"

static void stock(struct seat_lane *lane);
static bool expire(struct seat_lane *lane);

/* ---- Opening ---- */

static enum status open_store(struct seat_lane *lane, struct fault *fault)
{
	const struct seat_opener *opener = &lane->routes->options.opener;
	enum status status = opener->open_store(opener->context, &lane->store, fault);
	if (status != STATUS_OK)
		lane->store = NULL;
	lane->open_ms = clock_monotonic_ms(clock_system()) + SEAT_RETRY_MS;
	return status;
}

enum status seat_lane_open(struct seat_lane *lane, struct seat_routes *routes,
	enum seat_lane_kind kind, struct fault *fault)
{
	static const struct lane_options kinds[] = {
		[SEAT_LANE_HOLDS] = {.name = "seat_holds", .ops = &seat_hold_ops},
		[SEAT_LANE_RELEASES] = {.name = "seat_releases", .ops = &seat_release_ops},
		[SEAT_LANE_LOOK_UPS] = {.name = "seat_look_ups", .ops = &seat_look_ops},
		[SEAT_LANE_SEATS] = {.name = "seat_readings", .ops = &seat_seats_ops},
	};
	bool seats = kind == SEAT_LANE_SEATS;
	lane->routes = routes;
	lane->kind = kind;
	arena_init(&lane->arena, SEAT_LOOK_BYTES_MAX);
	buffer_init(&lane->text, SEAT_TEXT_BYTES_MAX);
	/* The first says whether it can be opened at all. The service may be away for now, and
	 * then all of them are opened when it is there. */
	if (lane == routes->lanes && open_store(lane, fault) == STATUS_REFUSED)
		return STATUS_REFUSED;
	struct lane_options options = kinds[kind];
	options.context = lane;
	options.queue_max = seats ? routes->options.reads_max : routes->options.queue_max;
	options.batch_max = routes->options.batch_max;
	if (seats && options.batch_max > SEAT_READS_BATCH_MAX)
		options.batch_max = SEAT_READS_BATCH_MAX;
	options.metrics = routes->options.metrics;
	return lane_open(&options, &lane->lane);
}

void seat_lane_close(struct seat_lane *lane)
{
	if (!lane->routes)
		return;
	seat_store_close(lane->store);
	buffer_release(&lane->text);
	arena_release(&lane->arena);
}

struct seat_store *seat_lane_store(struct seat_lane *lane)
{
	struct fault fault = {.where = "store", .what = "memory is short"};
	if (lane->store || clock_monotonic_ms(clock_system()) < lane->open_ms)
		return lane->store;
	if (open_store(lane, &fault) == STATUS_REFUSED && !lane->complained)
		log_error("seats.refused", LOG_TEXT("where", fault.where),
			LOG_TEXT("why", fault.what));
	return lane->store;
}

size_t seat_lane_batch_max(const struct seat_lane *lane)
{
	size_t batch_max = seat_store_traits(lane->store)->batch_max;
	assert(batch_max >= 1 && batch_max <= SEAT_STORE_BATCH_MAX);
	return batch_max;
}

enum status seat_lane_told(struct seat_lane *lane, const char *what, enum status status)
{
	bool good = status == STATUS_OK || status == STATUS_REFUSED;
	atomic_store_explicit(&lane->answers, good, memory_order_relaxed);
	if (!good)
		metrics_counter_add(lane->routes->metrics.calls_failed, 1);
	/* Once, and not for each call of an outage. */
	if (!good && !lane->complained)
		log_warning("seats.no_answer", LOG_TEXT("call", what),
			LOG_TEXT("status", status_name(status)));
	if (good && lane->complained)
		log_info("seats.answers_again", LOG_TEXT("call", what));
	lane->complained = !good;
	return status;
}

/* ---- Batches ---- */

size_t seat_lane_take(struct lane_item *const items[], size_t count, struct seat_request *asked[])
{
	size_t taken = 0;
	for (size_t i = 0; i < count; i++) {
		struct seat_request *request = seat_request_of(items[i]);
		if (!http_abandoned(request->exchange)) {
			asked[taken++] = request;
			continue;
		}
		seat_reply_refused(request, "The client has gone; nothing was done.");
		http_complete(request->exchange);
	}
	return taken;
}

void seat_late(void *context, struct lane_item *const items[], size_t count)
{
	(void)context;
	for (size_t i = 0; i < count; i++) {
		struct seat_request *request = seat_request_of(items[i]);
		seat_reply_refused(
			request, "The request waited too long for its turn; nothing was done.");
		http_complete(request->exchange);
	}
}

void seat_complete(struct seat_request *asked[], size_t count)
{
	struct http_burst burst = {0};
	for (size_t i = 0; i < count; i++)
		if (asked[i])
			http_burst_add(&burst, asked[i]->exchange);
	http_burst_complete(&burst);
}

enum status seat_lane_look_up(struct seat_lane *lane, size_t count)
{
	struct seat_store *store = seat_lane_store(lane);
	enum status status = store ? STATUS_OK : STATUS_UNAVAILABLE;
	arena_reset(&lane->arena);
	for (size_t i = 0; i < count; i++)
		lane->names[i] = (struct hold_name){lane->asked[i]->event, lane->asked[i]->hold};
	for (size_t done = 0; done < count && status == STATUS_OK;) {
		size_t size = count - done, batch_max = seat_lane_batch_max(lane);
		size = size < batch_max ? size : batch_max;
		status = seat_store_look_up(
			store, lane->names + done, lane->records + done, size, &lane->arena);
		done += size;
	}
	return seat_lane_told(lane, "look_up", status);
}

/* ---- What is due by itself ---- */

int64_t seat_lane_tick(void *context, int64_t now_ms)
{
	struct seat_lane *lane = context;
	if (!seat_lane_store(lane)) {
		(void)seat_lane_told(lane, "open", STATUS_UNAVAILABLE);
		return now_ms + SEAT_RETRY_MS;
	}
	if (!atomic_load(&lane->routes->stocked))
		stock(lane);
	bool more = expire(lane);
	bool good = atomic_load(&lane->answers);
	return now_ms + (!good ? SEAT_RETRY_MS : more ? 1 : lane->routes->options.expire_ms);
}

/* Put what is not yet on sale on sale. */
static void stock(struct seat_lane *lane)
{
	const struct seat_routes_options *options = &lane->routes->options;
	while (lane->stocked < options->event_count) {
		const struct seat_listing *event = options->events[lane->stocked];
		enum status status =
			seat_lane_told(lane, "stock", seat_listing_stock(event, lane->store));
		if (status == STATUS_REFUSED)
			log_error("seats.event_refused", LOG_TEXT("event", event->id_text));
		if (status != STATUS_OK)
			return;
		log_info("seats.on_sale", LOG_TEXT("event", event->id_text),
			LOG_INTEGER("seats", (int64_t)event->offer_count));
		lane->stocked++;
	}
	atomic_store(&lane->routes->stocked, true);
}

/* Returns whether there may be more to do at once. */
static bool expire(struct seat_lane *lane)
{
	size_t count = 0, max = SEAT_STORE_BATCH_MAX;
	enum status status = seat_lane_told(
		lane, "expire", seat_store_expire(lane->store, max, lane->names, &count));
	if (status == STATUS_OK)
		metrics_counter_add(lane->routes->metrics.expired, count);
	return status == STATUS_OK && count == max;
}
