/* See waiting_room_routes.h: the table, and the life of what stands behind it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/http/bearer.h"
#include "tech-waiting-room/waiting_room_front.h"

#define LANE_NAME "waiting_room"
#define SHUFFLER_NAME "waiting_room_shuffle"

const struct http_route waiting_room_route_table[] = {
	{HTTP_POST, "/events/{eventId}/waiting-room", HTTP_ON_LOOP, front_join,
		FRONT_BODY_BYTES_MAX},
	{HTTP_GET, "/events/{eventId}/waiting-room", HTTP_ON_LOOP, front_view, 0},
	{HTTP_PUT, "/events/{eventId}/waiting-room", HTTP_ON_LOOP, front_configure,
		FRONT_BODY_BYTES_MAX},
	{HTTP_GET, "/events/{eventId}/waiting-room/lobby", HTTP_ON_LOOP, front_lobby, 0},
	{HTTP_GET, "/waiting-room/{placeToken}", HTTP_ON_LOOP, front_poll, 0},
	{HTTP_DELETE, "/waiting-room/{placeToken}", HTTP_ON_LOOP, front_leave, 0},
	{HTTP_GET, "/waiting-room/{placeToken}/stream", HTTP_ON_LOOP, front_stream, 0},
	{HTTP_POST, "/waiting-room/{placeToken}/heartbeat", HTTP_ON_LOOP, front_heartbeat,
		FRONT_BODY_BYTES_MAX},
	{HTTP_POST, "/waiting-room/passes/verify", HTTP_ON_LOOP, front_verify,
		FRONT_BODY_BYTES_MAX},
	{HTTP_POST, "/waiting-room/passes/claim", HTTP_ON_LOOP, front_claim, FRONT_BODY_BYTES_MAX},
	{HTTP_POST, "/waiting-room/passes/release", HTTP_ON_LOOP, front_release,
		FRONT_BODY_BYTES_MAX},
};
const size_t waiting_room_route_count =
	sizeof waiting_room_route_table / sizeof *waiting_room_route_table;

static void set_defaults(struct waiting_room_routes_options *options);

enum status waiting_room_routes_open(const struct waiting_room_routes_options *options,
	struct waiting_room_routes **result, struct fault *fault)
{
	assert(options->opener.open && options->keyring && options->admin_token);
	if (strlen(options->admin_token) == 0)
		return fault_set(fault, "ADMIN_TOKEN", "must not be empty");
	struct waiting_room_routes *routes = calloc(1, sizeof *routes);
	if (!routes)
		return STATUS_UNAVAILABLE;
	routes->options = *options;
	set_defaults(&routes->options);
	routes->lane_count = routes->options.lane_count;
	routes->lanes = calloc(routes->lane_count, sizeof *routes->lanes);
	routes->limiter =
		http_limiter_new(routes->options.joins_per_second, routes->options.joins_burst);
	if (!routes->lanes || !routes->limiter) {
		waiting_room_routes_close(routes);
		return STATUS_UNAVAILABLE;
	}
	front_metrics_open(&routes->metrics, options->metrics);
	lane_register_metrics(options->metrics, LANE_NAME);
	lane_register_metrics(options->metrics, SHUFFLER_NAME);
	*result = routes;
	return STATUS_OK;
}

static void set_defaults(struct waiting_room_routes_options *options)
{
	if (options->lane_count == 0)
		options->lane_count = FRONT_LANES_DEFAULT;
	if (options->queue_max == 0)
		options->queue_max = FRONT_QUEUE_DEFAULT;
	if (options->joins_per_second <= 0)
		options->joins_per_second = FRONT_JOINS_PER_SECOND_DEFAULT;
	if (options->joins_burst == 0)
		options->joins_burst = FRONT_JOINS_BURST_DEFAULT;
	if (options->list_ms == 0)
		options->list_ms = FRONT_LIST_MS_DEFAULT;
	assert(options->lane_count <= WAITING_ROOM_LANES_MAX);
}

static enum status start_lanes(struct waiting_room_routes *routes)
{
	struct lane_options options = {.name = SHUFFLER_NAME,
		.ops = &front_shuffler_ops,
		.context = routes,
		.queue_max = WAITING_ROOM_EVENTS_MAX * WAITING_ROOM_LANES_MAX,
		.batch_max = 1,
		.metrics = routes->options.metrics};
	enum status status = lane_open(&options, &routes->shuffler);
	for (size_t i = 0; i < routes->lane_count && status == STATUS_OK; i++) {
		struct front_lane *lane = &routes->lanes[i];
		options = (struct lane_options){.name = LANE_NAME,
			.ops = &front_lane_ops,
			.context = lane,
			.queue_max = routes->options.queue_max,
			.batch_max = lane->batch_max,
			.metrics = routes->options.metrics};
		status = lane_open(&options, &lane->lane);
	}
	return status;
}

enum status waiting_room_routes_start(
	struct waiting_room_routes *routes, struct http_server *server, struct fault *fault)
{
	routes->server = server;
	enum status status = STATUS_OK;
	for (size_t i = 0; i < routes->lane_count && status == STATUS_OK; i++)
		status = front_lane_open(&routes->lanes[i], routes, fault);
	if (status == STATUS_OK && start_lanes(routes) != STATUS_OK) {
		status = STATUS_UNAVAILABLE;
		fault_set(fault, "waiting room", "threads or memory are short");
	}
	atomic_store(&routes->started, status == STATUS_OK);
	return status;
}

bool waiting_room_routes_ready(const struct waiting_room_routes *routes)
{
	bool ready = atomic_load(&routes->started);
	for (size_t i = 0; i < routes->lane_count; i++)
		ready = ready && atomic_load(&routes->lanes[i].answers);
	return ready;
}

void waiting_room_routes_stop(struct waiting_room_routes *routes)
{
	for (size_t i = 0; i < routes->lane_count; i++)
		if (routes->lanes[i].lane)
			lane_stop(routes->lanes[i].lane);
	if (routes->shuffler)
		lane_stop(routes->shuffler);
}

void waiting_room_routes_close(struct waiting_room_routes *routes)
{
	if (!routes)
		return;
	for (size_t i = 0; routes->lanes && i < routes->lane_count; i++)
		lane_close(routes->lanes[i].lane);
	lane_close(routes->shuffler);
	for (size_t i = 0; routes->lanes && i < routes->lane_count; i++)
		front_lane_close(&routes->lanes[i]);
	http_limiter_free(routes->limiter);
	free(routes->lanes);
	free(routes);
}

/* ---- Shared by the handlers ---- */

struct waiting_room_routes *front_of(const struct http_exchange *exchange)
{
	return http_context(exchange);
}

struct front_lane *front_lane_of(struct waiting_room_routes *routes, uint64_t hash)
{
	/* The low bits choose the bucket. */
	return &routes->lanes[(hash >> 32) % routes->lane_count];
}

struct front_room *front_find_room(
	struct waiting_room_routes *routes, struct slice event, uint64_t hash)
{
	struct front_lane *lane = front_lane_of(routes, hash);
	return front_room_of(directory_find(&lane->directory, event, hash));
}

bool front_path_event(struct http_exchange *exchange, struct slice *event)
{
	*event = http_parameter(exchange, "eventId");
	if (slice_is_id(*event, WAITING_ROOM_EVENT_SIZE_MAX))
		return true;
	front_reply_no_room(exchange);
	return false;
}

bool front_is_admin(struct http_exchange *exchange)
{
	return http_admin_asks(exchange, slice_of(front_of(exchange)->options.admin_token));
}

struct front_request *front_request_new(
	struct http_exchange *exchange, enum front_operation operation)
{
	struct front_request *request = arena_alloc(http_arena(exchange), sizeof *request);
	if (!request) {
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
		return NULL;
	}
	/* The tokens' bytes stand last and are written before they are read. */
	memset(request, 0, offsetof(struct front_request, token_bytes));
	request->operation = operation;
	request->exchange = exchange;
	return request;
}

static void refuse_item(struct lane_item *item)
{
	front_refuse(
		(struct front_request *)item, "Too many requests are waiting; nothing was done.");
}

void front_submit(struct front_request *request)
{
	front_submit_to(front_of(request->exchange), request);
}

void front_submit_to(struct waiting_room_routes *routes, struct front_request *request)
{
	struct http_exchange *exchange = request->exchange;
	if (!atomic_load_explicit(&routes->started, memory_order_acquire)) {
		http_reply_problem(exchange, &http_problem_unavailable, "The server is starting.");
		return;
	}
	request->hash = event_hash(request->event);
	request->item.deadline_ms = http_deadline_ms(exchange);
	struct front_lane *lane = front_lane_of(routes, request->hash);
	http_submit(exchange, lane->lane, &request->item, refuse_item);
}
