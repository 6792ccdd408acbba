/* See seat_routes.h: the table, the life of what stands behind it, and what is asked. */
#include <assert.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "lib/http/fields.h"
#include "lib/http/idempotency.h"
#include "tech-locking-and-transactions/seat_lanes.h"
#include "tech-two-phase-payments/payment_card.h"

#define HOLDS_PATTERN "/events/{eventId}/holds"
#define PURCHASE_PATTERN "/holds/{holdId}/purchase"

static void list_events(struct http_exchange *exchange);
static void show_seats(struct http_exchange *exchange);
static void hold_seats(struct http_exchange *exchange);
static void show_hold(struct http_exchange *exchange);
static void release_hold(struct http_exchange *exchange);
static void purchase(struct http_exchange *exchange);
static void show_order(struct http_exchange *exchange);

const struct http_route seat_route_table[] = {
	{HTTP_GET, "/events", HTTP_ON_LOOP, list_events, 0},
	{HTTP_GET, "/events/{eventId}/seats", HTTP_ON_LOOP, show_seats, 0},
	{HTTP_POST, HOLDS_PATTERN, HTTP_ON_LOOP, hold_seats, SEAT_BODY_BYTES_MAX},
	{HTTP_GET, "/holds/{holdId}", HTTP_ON_LOOP, show_hold, 0},
	{HTTP_DELETE, "/holds/{holdId}", HTTP_ON_LOOP, release_hold, 0},
	{HTTP_POST, PURCHASE_PATTERN, HTTP_ON_LOOP, purchase, SEAT_BODY_BYTES_MAX},
	{HTTP_GET, "/orders/{orderId}", HTTP_ON_LOOP, show_order, 0},
	{HTTP_POST, "/admin/recover", HTTP_ON_LOOP, seat_recover, SEAT_BODY_BYTES_MAX},
	{HTTP_GET, "/admin/stuck", HTTP_ON_LOOP, seat_show_stuck, 0},
};
const size_t seat_route_count = sizeof seat_route_table / sizeof *seat_route_table;

static const struct http_problem card_problem = {
	422, "card-number", "Card numbers are not taken here; give a payment method's token"};

/* ---- Ids ---- */

/* Each part with its size in front: no two lists of parts give the same bytes. The sizes fit. */
static struct id id_of_parts(const struct slice parts[], size_t count)
{
	uint8_t bytes[1024], hash[SHA256_DIGEST_LENGTH];
	size_t size = 0;
	for (size_t i = 0; i < count; i++) {
		assert(size + 2 + parts[i].size <= sizeof bytes);
		bytes[size++] = (uint8_t)(parts[i].size >> 8);
		bytes[size++] = (uint8_t)parts[i].size;
		if (parts[i].size > 0)
			memcpy(bytes + size, parts[i].data, parts[i].size);
		size += parts[i].size;
	}
	SHA256(bytes, size, hash);
	return seat_id_of_hash(hash);
}

static struct slice id_bytes(const struct id *id)
{
	return (struct slice){(const char *)id->bytes, sizeof id->bytes};
}

struct id seat_hold_id(struct slice person, struct id event, struct slice key)
{
	const struct slice parts[] = {
		person, id_bytes(&event), slice_of("POST " HOLDS_PATTERN), key};
	return id_of_parts(parts, sizeof parts / sizeof *parts);
}

struct id seat_order_id(struct id event, struct id hold, struct slice key)
{
	const struct slice parts[] = {
		id_bytes(&event), id_bytes(&hold), slice_of("POST " PURCHASE_PATTERN), key};
	return id_of_parts(parts, sizeof parts / sizeof *parts);
}

/* ---- Life ---- */

static void set_defaults(struct seat_routes_options *options)
{
	if (options->hold_lane_count == 0)
		options->hold_lane_count = SEAT_HOLD_LANES_DEFAULT;
	if (options->checkout_thread_count == 0)
		options->checkout_thread_count = SEAT_CHECKOUT_THREADS_DEFAULT;
	if (options->queue_max == 0)
		options->queue_max = SEAT_QUEUE_DEFAULT;
	if (options->reads_max == 0)
		options->reads_max = SEAT_READS_DEFAULT;
	if (options->batch_max == 0 || options->batch_max > SEAT_STORE_BATCH_MAX)
		options->batch_max = SEAT_STORE_BATCH_MAX;
	if (options->hold_ms == 0)
		options->hold_ms = SEAT_HOLD_MS_DEFAULT;
	if (options->expire_ms == 0)
		options->expire_ms = SEAT_EXPIRE_MS_DEFAULT;
	assert(options->hold_lane_count <= SEAT_ROUTES_LANES_MAX);
	assert(options->checkout_thread_count <= SEAT_ROUTES_LANES_MAX);
	assert(options->hold_ms <= SEAT_STORE_HOLD_MS_MAX);
}

static struct metrics_counter *counter(
	struct metrics *registry, const char *name, const char *help, const char *outcome)
{
	const struct metrics_label label = {.name = "outcome", .value = outcome};
	return metrics_add_counter(registry,
		&(struct metrics_description){.name = name,
			.help = help,
			.labels = outcome ? &label : NULL,
			.label_count = outcome ? 1 : 0});
}

static void open_metrics(struct seat_metrics *metrics, struct metrics *registry)
{
	for (int i = 0; i <= HOLD_MALFORMED; i++)
		metrics->holds[i] = counter(registry, "seat_holds", "Requests to hold seats.",
			hold_outcome_name((enum hold_outcome)i));
	for (int i = 0; i < BUY_OUTCOME_COUNT; i++)
		metrics->purchases[i] = counter(registry, "seat_purchases",
			"Requests to buy a hold.", buy_outcome_name((enum buy_outcome)i));
	metrics->released =
		counter(registry, "seat_holds_released", "Holds given back by request.", NULL);
	metrics->expired =
		counter(registry, "seat_holds_expired", "Holds tidied up after their time.", NULL);
	metrics->recovered = counter(registry, "seat_orders_recovered",
		"Orders that were left half done and brought to their end.", NULL);
	metrics->calls_failed = counter(
		registry, "seat_calls_failed", "Calls that the technology did not answer.", NULL);
	metrics->calls_repeated = counter(registry, "seat_calls_repeated",
		"Calls made again since their answer was lost.", NULL);
}

enum status seat_routes_open(
	const struct seat_routes_options *options, struct seat_routes **result, struct fault *fault)
{
	static const char *const lanes[] = {"seat_holds", "seat_releases", "seat_look_ups",
		"seat_readings", "seat_purchases", "seat_orders", "seat_recovery"};
	assert(options->opener.open_store && options->admin_token);
	assert(options->event_count >= 1 && options->event_count <= SEAT_ROUTES_EVENTS_MAX);
	if (strlen(options->admin_token) == 0)
		return fault_set(fault, "ADMIN_TOKEN", "must not be empty");
	struct seat_routes *routes = calloc(1, sizeof *routes);
	if (!routes)
		return STATUS_UNAVAILABLE;
	routes->options = *options;
	set_defaults(&routes->options);
	memcpy(routes->events, options->events, options->event_count * sizeof *routes->events);
	routes->options.events = routes->events;
	routes->lane_count = routes->options.hold_lane_count + SEAT_OTHER_LANES;
	routes->lanes = calloc(routes->lane_count, sizeof *routes->lanes);
	if (!routes->lanes) {
		seat_routes_close(routes);
		return STATUS_UNAVAILABLE;
	}
	open_metrics(&routes->metrics, options->metrics);
	for (size_t i = 0; i < sizeof lanes / sizeof *lanes; i++)
		lane_register_metrics(options->metrics, lanes[i]);
	*result = routes;
	return STATUS_OK;
}

enum status seat_routes_start(struct seat_routes *routes, struct fault *fault)
{
	size_t holds = routes->options.hold_lane_count;
	enum status status = STATUS_OK;
	for (size_t i = 0; i < routes->lane_count && status == STATUS_OK; i++)
		status = seat_lane_open(&routes->lanes[i], routes,
			i < holds ? SEAT_LANE_HOLDS
				  : (enum seat_lane_kind)(SEAT_LANE_RELEASES + (int)(i - holds)),
			fault);
	if (status == STATUS_OK && routes->options.opener.open_checkout)
		status = seat_tills_open(routes, fault);
	if (status == STATUS_UNAVAILABLE)
		fault_set(fault, "lanes", "threads or memory are short");
	atomic_store(&routes->started, status == STATUS_OK);
	return status;
}

bool seat_routes_ready(const struct seat_routes *routes)
{
	return atomic_load(&routes->started) && atomic_load(&routes->stocked) &&
		atomic_load(&routes->lanes[routes->options.hold_lane_count].answers);
}

/* Who hands on comes before those who are handed to. */
void seat_routes_stop(struct seat_routes *routes)
{
	struct lane *tills[] = {routes->purchases, routes->orders, routes->recovery};
	atomic_store(&routes->stopping, true);
	for (size_t i = 0; i < routes->lane_count; i++)
		if (routes->lanes[i].lane)
			lane_stop(routes->lanes[i].lane);
	for (size_t i = 0; i < sizeof tills / sizeof *tills; i++)
		if (tills[i])
			lane_stop(tills[i]);
}

void seat_routes_close(struct seat_routes *routes)
{
	if (!routes)
		return;
	for (size_t i = 0; routes->lanes && i < routes->lane_count; i++)
		lane_close(routes->lanes[i].lane);
	lane_close(routes->purchases);
	lane_close(routes->orders);
	lane_close(routes->recovery);
	for (size_t i = 0; routes->lanes && i < routes->lane_count; i++)
		seat_lane_close(&routes->lanes[i]);
	seat_tills_close(routes);
	free(routes->lanes);
	free(routes);
}

struct seat_lane *seat_release_lane(struct seat_routes *routes)
{
	return &routes->lanes[routes->options.hold_lane_count];
}

struct seat_lane *seat_look_lane(struct seat_routes *routes)
{
	return &routes->lanes[routes->options.hold_lane_count + 1];
}

struct seat_lane *seat_seats_lane(struct seat_routes *routes)
{
	return &routes->lanes[routes->options.hold_lane_count + 2];
}

/* ---- Requests ---- */

struct seat_request *seat_request_new(struct http_exchange *exchange, enum seat_operation operation)
{
	struct seat_request *request = arena_calloc(http_arena(exchange), 1, sizeof *request);
	if (!request) {
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
		return NULL;
	}
	request->operation = operation;
	request->exchange = exchange;
	request->item.deadline_ms = http_deadline_ms(exchange);
	return request;
}

static const char no_purchases[] = "Nothing can be bought here.";

static void refuse_item(struct lane_item *item)
{
	struct seat_request *request = seat_request_of(item);
	seat_reply_refused(request, "Too many requests are waiting; nothing was done.");
	http_complete(request->exchange);
}

void seat_submit(struct seat_request *request, struct lane *const *lane)
{
	const struct seat_routes *routes = http_context(request->exchange);
	if (!atomic_load_explicit(&routes->started, memory_order_acquire)) {
		seat_reply_refused(request, "The server is starting.");
		return;
	}
	if (*lane)
		http_submit(request->exchange, *lane, &request->item, refuse_item);
	else
		seat_reply_refused(request, no_purchases);
}

void seat_pass_on(struct seat_request *request, struct lane *lane)
{
	if (!lane) {
		seat_reply_refused(request, no_purchases);
		http_complete(request->exchange);
	} else if (lane_submit(lane, &request->item) != STATUS_OK) {
		refuse_item(&request->item);
	}
}

/* The lane of the section in which the first seat is. */
static struct lane *const *hold_lane(struct seat_routes *routes, const struct seat_request *request)
{
	const struct seat_offer *offer = seat_listing_find(request->sold, request->seats[0]);
	struct slice section = offer ? offer->section : slice_of("");
	const struct slice event = {
		(const char *)request->event.bytes, sizeof request->event.bytes};
	uint64_t hash = slice_hash(section, slice_hash(event, 0));
	return &routes->lanes[hash % routes->options.hold_lane_count].lane;
}

/* ---- What stands in a path, and what must not stand anywhere ---- */

static bool read_event(struct seat_request *request)
{
	const struct seat_routes *routes = http_context(request->exchange);
	if (id_parse(http_parameter(request->exchange, "eventId"), &request->event))
		for (size_t i = 0; i < routes->options.event_count && !request->sold; i++)
			if (seat_ids_equal(routes->options.events[i]->id, request->event))
				request->sold = routes->options.events[i];
	if (!request->sold)
		http_reply_problem(
			request->exchange, &http_problem_not_found, "There is no such event.");
	return request->sold != NULL;
}

/* "<event>.<own>" */
static bool read_item(
	struct seat_request *request, const char *name, struct id *own, const char *what)
{
	struct slice event, text = http_parameter(request->exchange, name);
	if (slice_split(&text, '.', &event) && text.data && id_parse(event, &request->event) &&
		id_parse(text, own))
		return true;
	http_reply_problem(
		request->exchange, &http_problem_not_found, "There is no such %s.", what);
	return false;
}

/* Without data where nothing was said. */
static bool read_user_query(struct seat_request *request)
{
	static const char *const names[] = {"userId", NULL};
	if (!http_query_only(request->exchange, names))
		return false;
	if (!http_query(request->exchange, "userId", &request->person) ||
		slice_is_id(request->person, LIMIT_ID_SIZE_MAX))
		return true;
	http_reply_problem(request->exchange, &http_problem_bad_request,
		"userId must be 1 to %d letters, digits or any of - _ . ~", LIMIT_ID_SIZE_MAX);
	return false;
}

static bool refuse_card(struct http_exchange *exchange, struct slice text)
{
	if (!text.data || !payment_looks_like_card(text))
		return false;
	http_reply_problem(exchange, &card_problem, NULL);
	return true;
}

/* ---- Handlers, on a loop ---- */

static json_t *event_json(const struct seat_listing *event)
{
	json_t *sections = json_array();
	for (size_t i = 0; i < event->section_count; i++)
		json_array_append_new(
			sections, json_stringn(event->sections[i].data, event->sections[i].size));
	return json_pack("{s:s, s:s%, s:s%, s:s, s:I, s:o}", "eventId", event->id_text, "name",
		event->name.data, event->name.size, "venueName", event->venue_name.data,
		event->venue_name.size, "currency", event->currency, "seats",
		(json_int_t)event->offer_count, "sections", sections);
}

static void list_events(struct http_exchange *exchange)
{
	static const char *const names[] = {NULL};
	const struct seat_routes *routes = http_context(exchange);
	if (!http_query_only(exchange, names))
		return;
	json_t *items = json_array();
	for (size_t i = 0; i < routes->options.event_count; i++)
		json_array_append_new(items, event_json(routes->options.events[i]));
	http_reply_json(exchange, 200, json_pack("{s:o}", "items", items));
}

static void show_seats(struct http_exchange *exchange)
{
	static const char *const names[] = {"section", "status", NULL};
	struct slice status;
	struct seat_routes *routes = http_context(exchange);
	struct seat_request *request = seat_request_new(exchange, SEAT_ASK_SHOW_SEATS);
	if (!request || !http_query_only(exchange, names) || !read_event(request))
		return;
	(void)http_query(exchange, "section", &request->section);
	request->has_status = http_query(exchange, "status", &status);
	if (request->has_status && !seat_status_parse(status, &request->status)) {
		http_reply_problem(exchange, &http_problem_bad_request,
			"status must be one of available, held, sold.");
		return;
	}
	seat_submit(request, &seat_seats_lane(routes)->lane);
}

static void hold_seats(struct http_exchange *exchange)
{
	struct http_fields fields;
	struct http_idempotency key;
	struct seat_routes *routes = http_context(exchange);
	struct seat_request *request = seat_request_new(exchange, SEAT_ASK_HOLD);
	if (!request || !http_idempotency_read(exchange, HTTP_KEY_REQUIRED, &key))
		return;
	http_fields_begin(&fields, exchange);
	request->person = http_field_id(&fields, "userId");
	request->seats = http_field_texts(&fields, "seats", SEAT_STORE_ID_SIZE_MAX, 1,
		LIMIT_SEATS_PER_HOLD, &request->seat_count);
	if (!http_fields_end(&fields) || refuse_card(exchange, request->person) ||
		!read_event(request))
		return;
	request->hold = seat_hold_id(request->person, request->event, key.key);
	seat_submit(request, hold_lane(routes, request));
}

static void show_hold(struct http_exchange *exchange)
{
	struct seat_routes *routes = http_context(exchange);
	struct seat_request *request = seat_request_new(exchange, SEAT_ASK_SHOW_HOLD);
	if (request && read_user_query(request) &&
		read_item(request, "holdId", &request->hold, "hold"))
		seat_submit(request, &seat_look_lane(routes)->lane);
}

static void release_hold(struct http_exchange *exchange)
{
	struct seat_routes *routes = http_context(exchange);
	struct seat_request *request = seat_request_new(exchange, SEAT_ASK_RELEASE);
	if (request && read_user_query(request) &&
		read_item(request, "holdId", &request->hold, "hold"))
		seat_submit(request, &seat_release_lane(routes)->lane);
}

static void purchase(struct http_exchange *exchange)
{
	struct http_fields fields;
	struct http_idempotency key;
	struct seat_routes *routes = http_context(exchange);
	struct seat_request *request = seat_request_new(exchange, SEAT_ASK_BUY);
	if (!request || !http_idempotency_read(exchange, HTTP_KEY_REQUIRED, &key))
		return;
	http_fields_begin(&fields, exchange);
	if (http_field_given(&fields, "userId"))
		request->person = http_field_id(&fields, "userId");
	request->payment_method =
		http_field_text(&fields, "paymentMethod", CHECKOUT_METHOD_SIZE_MAX);
	if (fields.object && !payment_looks_like_card(request->payment_method) &&
		!slice_is_id(request->payment_method, CHECKOUT_METHOD_SIZE_MAX))
		http_field_refuse(&fields, "paymentMethod", "must be the provider's token");
	if (!http_fields_end(&fields) || refuse_card(exchange, request->payment_method) ||
		refuse_card(exchange, request->person) ||
		!read_item(request, "holdId", &request->hold, "hold"))
		return;
	request->order = seat_order_id(request->event, request->hold, key.key);
	if (request->person.data || !routes->options.opener.open_checkout) {
		seat_submit(request, &routes->purchases);
		return;
	}
	request->operation = SEAT_ASK_FIND_BUYER;
	seat_submit(request, &seat_look_lane(routes)->lane);
}

static void show_order(struct http_exchange *exchange)
{
	static const char *const names[] = {NULL};
	struct seat_routes *routes = http_context(exchange);
	struct seat_request *request = seat_request_new(exchange, SEAT_ASK_SHOW_ORDER);
	if (request && http_query_only(exchange, names) &&
		read_item(request, "orderId", &request->order, "order"))
		seat_submit(request, &routes->orders);
}
