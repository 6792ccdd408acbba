/* See seat_routes_fixture.h. */
#include "tech-locking-and-transactions/seat_routes_fixture.h"

#include "lib/base/buffer.h"
#include "lib/http/server_metrics.h"

enum { ROWS = 5, SEATS_OF_ROW = 10 };

/* ---- The gate ---- */

struct gated_store {
	struct seat_store base;
	struct seat_store *inner;
	struct shop_gate *gate;
};

static struct seat_store *inner(const struct seat_store *store)
{
	return ((const struct gated_store *)store)->inner;
}

static struct shop_gate *gate_of(const struct seat_store *store)
{
	return ((const struct gated_store *)store)->gate;
}

static bool takes_one(atomic_int *count)
{
	int before = atomic_load(count);
	while (before > 0)
		if (atomic_compare_exchange_weak(count, &before, before - 1))
			return true;
	return false;
}

/* Whether the call is to be made; if not, *status is its answer. */
static bool pass(struct shop_gate *gate, enum status *status)
{
	atomic_fetch_add(&gate->waiting, 1);
	while (atomic_load(&gate->closed))
		pause_ms(1);
	atomic_fetch_sub(&gate->waiting, 1);
	*status = (enum status)atomic_load(&gate->status);
	if (*status == STATUS_OK && takes_one(&gate->lost_early))
		*status = STATUS_UNKNOWN;
	return *status == STATUS_OK;
}

static enum status leave(struct shop_gate *gate, enum status status)
{
	return status == STATUS_OK && takes_one(&gate->lost) ? STATUS_UNKNOWN : status;
}

static const struct seat_store_traits *gated_traits(const struct seat_store *store)
{
	return seat_store_traits(inner(store));
}

static enum status gated_stock(struct seat_store *store, struct id event, struct slice currency,
	const struct seat_offer seats[], size_t count)
{
	enum status status = (enum status)atomic_load(&gate_of(store)->status);
	return status ? status : seat_store_stock(inner(store), event, currency, seats, count);
}

static enum status gated_hold(struct seat_store *store, const struct hold_request requests[],
	struct hold_result results[], size_t count)
{
	enum status status;
	atomic_fetch_add(&gate_of(store)->holds, 1);
	atomic_fetch_add(&gate_of(store)->held, count);
	if (!pass(gate_of(store), &status))
		return status;
	return leave(gate_of(store), seat_store_hold(inner(store), requests, results, count));
}

static enum status gated_sell(struct seat_store *store, const struct sell_request requests[],
	struct sell_result results[], size_t count)
{
	enum status status;
	if (!pass(gate_of(store), &status))
		return status;
	return leave(gate_of(store), seat_store_sell(inner(store), requests, results, count));
}

static enum status gated_release(struct seat_store *store, const struct release_request requests[],
	enum release_outcome outcomes[], size_t count)
{
	enum status status;
	if (!pass(gate_of(store), &status))
		return status;
	return leave(gate_of(store), seat_store_release(inner(store), requests, outcomes, count));
}

static enum status gated_revoke(struct seat_store *store, const struct revoke_request requests[],
	enum revoke_outcome outcomes[], size_t count)
{
	return seat_store_revoke(inner(store), requests, outcomes, count);
}

static enum status gated_expire(
	struct seat_store *store, size_t max, struct hold_name expired[], size_t *count)
{
	enum status status = (enum status)atomic_load(&gate_of(store)->status);
	return status ? status : seat_store_expire(inner(store), max, expired, count);
}

static enum status gated_look_up(struct seat_store *store, const struct hold_name names[],
	struct hold_record records[], size_t count, struct arena *arena)
{
	enum status status = (enum status)atomic_load(&gate_of(store)->status);
	return status ? status : seat_store_look_up(inner(store), names, records, count, arena);
}

static enum status gated_availability(
	struct seat_store *store, struct id event, seat_visit *visit, void *context, bool *found)
{
	enum status status;
	atomic_fetch_add(&gate_of(store)->readings, 1);
	if (!pass(gate_of(store), &status))
		return status;
	return seat_store_availability(inner(store), event, visit, context, found);
}

static void gated_close(struct seat_store *store)
{
	seat_store_close(inner(store));
	free(store);
}

static enum status open_store(void *context, struct seat_store **store, struct fault *fault)
{
	static const struct seat_store_ops ops = {.traits = gated_traits,
		.stock = gated_stock,
		.hold = gated_hold,
		.sell = gated_sell,
		.release = gated_release,
		.revoke = gated_revoke,
		.expire = gated_expire,
		.look_up = gated_look_up,
		.availability = gated_availability,
		.close = gated_close};
	struct shop_server *server = context;
	(void)fault;
	if (atomic_load(&server->gate.away))
		return STATUS_UNAVAILABLE;
	struct gated_store *gated = calloc(1, sizeof *gated);
	assert_non_null(gated);
	*gated = (struct gated_store){.base = {.ops = &ops},
		.inner = seat_memory_open(server->shop->memory),
		.gate = &server->gate};
	assert_non_null(gated->inner);
	*store = &gated->base;
	return STATUS_OK;
}

static enum status open_checkout(void *context, struct checkout **checkout, struct fault *fault)
{
	struct shop_server *server = context;
	struct seat_store *store;
	enum status status = open_store(context, &store, fault);
	if (status == STATUS_OK)
		*checkout = fake_checkout_open(server->shop->orders, store);
	return status;
}

/* ---- What is on sale ---- */

static void add_zone(struct buffer *json, const char *name, const char *prefix)
{
	buffer_add_format(json,
		"{\"name\":\"%s\",\"position\":{\"x\":0,\"y\":0},\"areas\":[],\"rows\":[", name);
	for (int row = 1; row <= ROWS; row++) {
		buffer_add_format(json,
			"%s{\"row_number\":\"%d\",\"row_number_position\":\"both\","
			"\"position\":{\"x\":0,\"y\":0},\"seats\":[",
			row > 1 ? "," : "", row);
		for (int seat = 1; seat <= SEATS_OF_ROW; seat++)
			buffer_add_format(json,
				"%s{\"seat_guid\":\"%s-%d-%d\",\"seat_number\":\"%d\","
				"\"position\":{\"x\":0,\"y\":0},\"category\":\"%s\"}",
				seat > 1 ? "," : "", prefix, row, seat, seat, name);
		buffer_add_text(json, "]}");
	}
	buffer_add_text(json, "]}");
}

void shop_open(struct shop *shop)
{
	struct buffer json;
	struct fault fault;
	*shop = (struct shop){
		.memory = seat_memory_new(clock_system()), .orders = fake_orders_new()};
	assert_non_null(shop->memory);
	buffer_init(&json, 1 << 20);
	buffer_add_text(&json,
		"{\"name\":\"Small hall\",\"size\":{\"width\":100,\"height\":100},\"categories\":["
		"{\"name\":\"Left\",\"color\":\"red\"},{\"name\":\"Right\",\"color\":\"blue\"}],"
		"\"zones\":[");
	add_zone(&json, "Left", "left");
	buffer_add_text(&json, ",");
	add_zone(&json, "Right", "right");
	buffer_add_text(&json, "]}");
	const struct seat_listing_options options = {.plan = buffer_slice(&json),
		.name = "A \"small\" event",
		.currency = "EUR",
		.prices = "Right=2500",
		.price = SHOP_LEFT_PRICE};
	if (seat_listing_new(&options, &shop->listing, &fault) != STATUS_OK)
		fail_msg("%s: %s", fault.where, fault.what);
	assert_int_equal(SHOP_SEATS, shop->listing->offer_count);
	buffer_release(&json);
}

void shop_close(struct shop *shop)
{
	seat_memory_free(shop->memory);
	fake_orders_free(shop->orders);
	seat_listing_free(shop->listing);
}

/* ---- The server ---- */

void shop_server_open(
	struct shop_server *server, struct shop *shop, struct seat_routes_options options)
{
	struct fault fault;
	const struct seat_listing *events[] = {shop->listing};
	bool away = atomic_load(&server->gate.away);
	*server = (struct shop_server){.shop = shop, .metrics = metrics_new()};
	atomic_store(&server->gate.away, away);
	assert_non_null(server->metrics);
	options.opener = (struct seat_opener){
		.open_store = open_store, .open_checkout = open_checkout, .context = server};
	options.events = events;
	options.event_count = 1;
	options.admin_token = SHOP_ADMIN_TOKEN;
	options.metrics = server->metrics;
	assert_int_equal(STATUS_OK, seat_routes_open(&options, &server->routes, &fault));
	size_t count = seat_route_count;
	server->table = calloc(count + 1, sizeof *server->table);
	assert_non_null(server->table);
	memcpy(server->table, seat_route_table, count * sizeof *server->table);
	server->table[count++] =
		(struct http_route){HTTP_GET, "/metrics", HTTP_ON_WORKER, http_reply_metrics, 0};
	http_register_metrics(server->metrics, server->table, count);
	assert_int_equal(STATUS_OK, metrics_freeze(server->metrics));
	struct http_server_options http = {.routes = server->table,
		.route_count = count,
		.context = server->routes,
		.loop_count = shop->loop_count > 0 ? shop->loop_count : 2,
		.worker_count = 1,
		.head_ms_max = NEVER_MS,
		.body_ms_max = NEVER_MS,
		.request_ms_max = NEVER_MS,
		.idle_ms_max = NEVER_MS,
		.metrics = server->metrics};
	assert_int_equal(STATUS_OK, http_server_open(&http, &server->http, &fault));
	assert_int_equal(STATUS_OK, seat_routes_start(server->routes, &fault));
	http_client_init(&server->client, http_server_port(server->http));
	server->client.timeout_ms = 3 * PATIENCE_MS;
}

void shop_server_close(struct shop_server *server)
{
	atomic_store(&server->gate.closed, false);
	json_decref(server->json);
	http_client_reply_release(&server->reply);
	http_client_release(&server->client);
	seat_routes_stop(server->routes);
	http_server_close(server->http);
	seat_routes_close(server->routes);
	metrics_free(server->metrics);
	free(server->table);
	*server = (struct shop_server){0};
}

void shop_wait_ready(const struct shop_server *server, bool ready)
{
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	while (seat_routes_ready(server->routes) != ready) {
		if (now_ms() > deadline_ms)
			fail_msg("the server did not become %s", ready ? "ready" : "unready");
		pause_ms(5);
	}
}

/* ---- Asking ---- */

json_t *shop_ask(struct shop_server *server, const char *method, const char *path,
	const char *headers, int status, const char *body)
{
	enum http_client_outcome outcome =
		http_client_call(&server->client, method, path, headers, body, &server->reply);
	if (outcome != HTTP_CLIENT_OK)
		fail_msg("%s %s: %s", method, path, http_client_outcome_name(outcome));
	if (status > 0 && server->reply.status != status)
		fail_msg("%s %s: %d instead of %d: %s", method, path, server->reply.status, status,
			server->reply.body);
	json_decref(server->json);
	server->json = server->reply.body_size > 0 ? http_client_reply_json(&server->reply) : NULL;
	return server->json;
}

json_t *shop_hold(struct shop_server *server, const char *person, const char *key,
	const char *seats, int status)
{
	return shop_ask(server, "POST", text("/events/%s/holds", server->shop->listing->id_text),
		text("Idempotency-Key: %s\r\n", key), status,
		text("{\"userId\":\"%s\",\"seats\":[%s]}", person, seats));
}

const char *shop_held(
	struct shop_server *server, const char *person, const char *key, const char *seats)
{
	return text("%s", text_in(shop_hold(server, person, key, seats, 201), "holdId"));
}

json_t *shop_buy(struct shop_server *server, const char *hold, const char *person, const char *key,
	const char *method, int status)
{
	const char *who = person ? text("\"userId\":\"%s\",", person) : "";
	return shop_ask(server, "POST", text("/holds/%s/purchase", hold),
		text("Idempotency-Key: %s\r\n", key), status,
		text("{%s\"paymentMethod\":\"%s\"}", who, method));
}

static json_t *member_of(const json_t *json, const char *name)
{
	json_t *value = json_object_get(json, name);
	if (!value) {
		char *dump = json_dumps(json, 0);
		fail_msg("there is no %s in %s", name, dump);
	}
	return value;
}

const char *text_in(const json_t *json, const char *name)
{
	json_t *value = member_of(json, name);
	assert_true(json_is_string(value));
	return json_string_value(value);
}

int64_t number_in(const json_t *json, const char *name)
{
	json_t *value = member_of(json, name);
	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

size_t shop_count(struct shop_server *server, const char *query)
{
	const json_t *json = shop_ask(server, "GET",
		text("/events/%s/seats%s", server->shop->listing->id_text, query), NULL, 200, NULL);
	return json_array_size(member_of(json, "items"));
}

int64_t shop_metric(struct shop_server *server, const char *name)
{
	shop_ask(server, "GET", "/metrics", NULL, 200, NULL);
	const char *at = strstr(server->reply.body, text("\n%s ", name));
	if (!at)
		fail_msg("there is no %s in %s", name, server->reply.body);
	return strtoll(at + strlen(name) + 2, NULL, 10);
}

void shop_want_problem(const struct shop_server *server, const char *type)
{
	assert_string_equal(text("urn:onsale:problem:%s", type), text_in(server->json, "type"));
	assert_string_equal("application/problem+json",
		http_client_reply_header(&server->reply, "Content-Type"));
}
