/* See routes_fixture.h. */
#include "tech-waiting-room/routes_fixture.h"

#include "lib/http/server_metrics.h"

enum { TEXT_SIZE = 4096, POLL_MS = 10 };

/* ---- The gate ---- */

struct gated_room {
	struct waiting_room base;
	struct waiting_room *inner;
	struct gate *gate;
};

static enum status gate_pass(const struct waiting_room *room)
{
	struct gate *gate = ((const struct gated_room *)room)->gate;
	atomic_fetch_add(&gate->waiting, 1);
	while (atomic_load(&gate->closed))
		pause_ms(1);
	atomic_fetch_sub(&gate->waiting, 1);
	return (enum status)atomic_load(&gate->status);
}

static struct waiting_room *inner(const struct waiting_room *room)
{
	return ((const struct gated_room *)room)->inner;
}

static const struct waiting_room_traits *gated_traits(const struct waiting_room *room)
{
	return waiting_room_traits(inner(room));
}

static enum status gated_configure(struct waiting_room *room, struct slice event,
	const struct waiting_room_settings *settings, struct waiting_room_view *view)
{
	enum status status = gate_pass(room);
	return status ? status : waiting_room_configure(inner(room), event, settings, view);
}

static enum status gated_view(
	struct waiting_room *room, struct slice event, struct waiting_room_view *view, bool *found)
{
	enum status status = gate_pass(room);
	return status ? status : waiting_room_view(inner(room), event, view, found);
}

static enum status gated_list(struct waiting_room *room,
	char (*events)[WAITING_ROOM_EVENT_SIZE_MAX + 1], size_t max, size_t *count)
{
	enum status status = gate_pass(room);
	return status ? status : waiting_room_list(inner(room), events, max, count);
}

static enum status gated_join(struct waiting_room *room, struct slice event,
	const struct join_request requests[], struct join_result results[], size_t count)
{
	enum status status = gate_pass(room);
	return status ? status : waiting_room_join(inner(room), event, requests, results, count);
}

#define GATED(name_) \
	static enum status gated_##name_(struct waiting_room *room, struct slice event, \
		const struct person_request requests[], struct person_result results[], \
		size_t count) \
	{ \
		enum status status = gate_pass(room); \
		return status \
			? status \
			: waiting_room_##name_(inner(room), event, requests, results, count); \
	}
GATED(look_up)
GATED(claim)
GATED(leave)

static enum status gated_heartbeat(struct waiting_room *room, struct slice event,
	const struct person_request requests[], struct person_result results[], size_t count)
{
	enum status status = gate_pass(room);
	if (status == STATUS_OK)
		status = waiting_room_heartbeat(inner(room), event, requests, results, count);
	atomic_fetch_add(&((const struct gated_room *)room)->gate->heartbeats, 1);
	return status;
}

static enum status gated_admit(struct waiting_room *room, struct slice event,
	struct admission admissions[], size_t max, size_t *count, struct waiting_room_view *view,
	int64_t *next_ms)
{
	enum status status = gate_pass(room);
	return status
		? status
		: waiting_room_admit(inner(room), event, admissions, max, count, view, next_ms);
}

static enum status gated_lobby(struct waiting_room *room, struct slice event, int64_t from,
	char (*people)[WAITING_ROOM_PERSON_SIZE_MAX + 1], size_t max, size_t *count)
{
	enum status status = gate_pass(room);
	return status ? status : waiting_room_lobby(inner(room), event, from, people, max, count);
}

static void gated_close(struct waiting_room *room)
{
	waiting_room_close(inner(room));
	free(room);
}

static const struct waiting_room_ops gated_ops = {
	.traits = gated_traits,
	.configure = gated_configure,
	.view = gated_view,
	.list = gated_list,
	.join = gated_join,
	.look_up = gated_look_up,
	.heartbeat = gated_heartbeat,
	.claim = gated_claim,
	.leave = gated_leave,
	.admit = gated_admit,
	.lobby = gated_lobby,
	.close = gated_close,
};

static enum status open_gated(void *context, struct waiting_room **room, struct fault *fault)
{
	struct room_server *server = context;
	struct gated_room *gated = calloc(1, sizeof *gated);
	(void)fault;
	assert_non_null(gated);
	*gated = (struct gated_room){.base = {.ops = &gated_ops}, .gate = &server->gate};
	assert_int_equal(STATUS_OK,
		memory_room_open(
			&(struct memory_room_options){.store = server->store}, &gated->inner));
	*room = &gated->base;
	return STATUS_OK;
}

/* ---- The rooms' clock ---- */

static _Atomic int64_t held_ns; /* 0: it runs. */

static int64_t room_wall_ms(struct clock *clock)
{
	(void)clock;
	return clock_wall_ms(clock_system());
}

static int64_t room_monotonic_ns(struct clock *clock)
{
	int64_t held = atomic_load(&held_ns);
	(void)clock;
	return held ? held : clock_monotonic_ns(clock_system());
}

static const struct clock_ops room_clock_ops = {
	.wall_ms = room_wall_ms, .monotonic_ns = room_monotonic_ns};
static struct clock room_clock = {.ops = &room_clock_ops};

void room_clock_hold(void)
{
	atomic_store(&held_ns, clock_monotonic_ns(clock_system()));
}

void room_clock_advance(int64_t ms)
{
	atomic_fetch_add(&held_ns, ms * 1000000);
}

/* ---- The server ---- */

struct memory_store *room_store_new(int64_t record_block)
{
	struct memory_store *store;
	struct memory_store_options options = {
		.clock = &room_clock, .people_max = 10000, .record_block = record_block};
	atomic_store(&held_ns, 0);
	assert_int_equal(STATUS_OK, memory_store_new(&options, &store));
	return store;
}

void room_server_open(struct room_server *server, struct memory_store *store,
	struct waiting_room_routes_options options)
{
	struct fault fault;
	*server = (struct room_server){.store = store, .metrics = metrics_new()};
	assert_non_null(server->metrics);
	if (!options.keyring)
		assert_int_equal(STATUS_OK, keyring_new(slice_of(KEYS), &server->keyring, &fault));
	options.opener = (struct waiting_room_opener){.open = open_gated, .context = server};
	options.keyring = options.keyring ? options.keyring : server->keyring;
	options.admin_token = ADMIN_TOKEN;
	options.metrics = server->metrics;
	if (options.joins_per_second <= 0) {
		options.joins_per_second = 1e6;
		options.joins_burst = 1000000;
	}
	assert_int_equal(STATUS_OK, waiting_room_routes_open(&options, &server->routes, &fault));
	size_t count = waiting_room_route_count;
	server->routes_and_more = calloc(count + 1, sizeof *server->routes_and_more);
	assert_non_null(server->routes_and_more);
	memcpy(server->routes_and_more, waiting_room_route_table,
		count * sizeof *server->routes_and_more);
	server->routes_and_more[count++] = (struct http_route){
		HTTP_GET, "/metrics", HTTP_ON_WORKER, waiting_room_reply_metrics, 0};
	http_register_metrics(server->metrics, server->routes_and_more, count);
	assert_int_equal(STATUS_OK, metrics_freeze(server->metrics));
	struct http_server_options http = {.routes = server->routes_and_more,
		.route_count = count,
		.context = server->routes,
		.loop_count = 2,
		.head_ms_max = NEVER_MS,
		.body_ms_max = NEVER_MS,
		.request_ms_max = PATIENCE_MS,
		.idle_ms_max = NEVER_MS,
		.stream_stall_ms_max = NEVER_MS,
		.metrics = server->metrics};
	assert_int_equal(STATUS_OK, http_server_open(&http, &server->server, &fault));
	assert_int_equal(
		STATUS_OK, waiting_room_routes_start(server->routes, server->server, &fault));
	http_client_init(&server->client, http_server_port(server->server));
	server->client.timeout_ms = 2 * PATIENCE_MS;
	room_wait_ready(server, true);
}

void room_wait_ready(const struct room_server *server, bool ready)
{
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	while (waiting_room_routes_ready(server->routes) != ready) {
		if (now_ms() > deadline_ms)
			fail_msg("the server did not become %s", ready ? "ready" : "unready");
		pause_ms(5);
	}
}

void room_server_close(struct room_server *server)
{
	atomic_store(&server->gate.closed, false);
	json_decref(server->json);
	http_client_reply_release(&server->reply);
	http_client_release(&server->client);
	waiting_room_routes_stop(server->routes);
	http_server_close(server->server);
	waiting_room_routes_close(server->routes);
	metrics_free(server->metrics);
	keyring_free(server->keyring);
	free(server->routes_and_more);
}

/* ---- Asking ---- */

json_t *room_ask(struct room_server *server, const char *method, const char *path,
	const char *headers, int status, const char *body, ...)
{
	char bytes[TEXT_SIZE];
	if (body) {
		va_list arguments;
		va_start(arguments, body);
		int size = vsnprintf(bytes, sizeof bytes, body, arguments);
		va_end(arguments);
		assert_in_range(size, 0, TEXT_SIZE - 1);
	}
	enum http_client_outcome outcome = http_client_call(
		&server->client, method, path, headers, body ? bytes : NULL, &server->reply);
	if (outcome != HTTP_CLIENT_OK)
		fail_msg("%s %s: %s", method, path, http_client_outcome_name(outcome));
	if (server->reply.status != status)
		fail_msg("%s %s: %d instead of %d: %s", method, path, server->reply.status, status,
			server->reply.body);
	json_decref(server->json);
	server->json = server->reply.body_size > 0 ? http_client_reply_json(&server->reply) : NULL;
	return server->json;
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

void room_wait_text(
	struct room_server *server, const char *path, const char *name, const char *value)
{
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	for (;;) {
		const json_t *json = room_ask(server, "GET", path, NULL, 200, NULL);
		const char *found = json_string_value(json_object_get(json, name));
		if (found && strcmp(found, value) == 0)
			return;
		if (now_ms() > deadline_ms)
			fail_msg("%s did not become %s: %s", name, value, server->reply.body);
		pause_ms(POLL_MS);
	}
}

void room_wait_number(struct room_server *server, const char *path, const char *name, int64_t value)
{
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	for (;;) {
		const json_t *json = room_ask(server, "GET", path, NULL, 200, NULL);
		if (json_integer_value(json_object_get(json, name)) == value)
			return;
		if (now_ms() > deadline_ms)
			fail_msg("%s did not become %lld: %s", name, (long long)value,
				server->reply.body);
		pause_ms(POLL_MS);
	}
}

void room_put(struct room_server *server, const char *event, const char *members)
{
	const char *path = text("/events/%s/waiting-room", event);
	enum http_client_outcome outcome = http_client_call(
		&server->client, "PUT", path, ADMIN, text("{%s}", members), &server->reply);
	assert_int_equal(HTTP_CLIENT_OK, outcome);
	if (server->reply.status != 200 && server->reply.status != 201)
		fail_msg("PUT %s: %s", path, server->reply.body);
}

char *room_join(struct room_server *server, const char *event, const char *person)
{
	const json_t *json = room_ask(server, "POST", text("/events/%s/waiting-room", event), NULL,
		201, "{\"userId\":\"%s\"}", person);
	char *token = strdup(text_in(json, "placeToken"));
	assert_non_null(token);
	return token;
}

const char *place_path(const char *token, const char *rest)
{
	return text("/waiting-room/%s%s", token, rest);
}

void want_problem_in(const struct room_server *server, const char *type)
{
	assert_string_equal(text("urn:onsale:problem:%s", type), text_in(server->json, "type"));
	assert_string_equal("application/problem+json",
		http_client_reply_header(&server->reply, "Content-Type"));
}
