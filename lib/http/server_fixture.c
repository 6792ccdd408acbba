#include "lib/http/server_fixture.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/http/internal.h"

enum { DEFERRED_MAX = 4096 };

struct server_fixture fixture;

static char large[LARGE_SIZE];

/* The exchanges that /deferred, /silent-deferred and /left have handed over, and the thread that
 * completes them. */
static struct {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	pthread_t thread;
	struct http_exchange *queue[DEFERRED_MAX];
	size_t count;
	bool ending;
	bool gate_is_open;
} other = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static const struct http_route *all_routes(size_t *count);
static void *complete_deferred(void *unused);

void fixture_open(struct http_server_options options)
{
	struct fault fault = {0};
	fixture = (struct server_fixture){0};
	other.ending = other.gate_is_open = false;
	memset(large, 'x', sizeof large);
	int64_t *const limits_ms[] = {&options.head_ms_max, &options.body_ms_max,
		&options.request_ms_max, &options.reply_ms_max, &options.idle_ms_max};
	for (size_t i = 0; i < sizeof limits_ms / sizeof limits_ms[0]; i++)
		*limits_ms[i] = *limits_ms[i] ? *limits_ms[i] : NEVER_MS;
	options.routes = all_routes(&options.route_count);
	options.context = &fixture;
	if (http_server_open(&options, &fixture.server, &fault) != STATUS_OK)
		fail_msg("%s: %s", fault.where, fault.what);
	assert_int_equal(0, pthread_create(&other.thread, NULL, complete_deferred, NULL));
	fixture.port = http_server_port(fixture.server);
	http_client_init(&fixture.client, fixture.port);
}

void fixture_close(void)
{
	fixture_open_gate();
	fixture_end_server();
	pthread_mutex_lock(&other.mutex);
	other.ending = true;
	pthread_cond_broadcast(&other.changed);
	pthread_mutex_unlock(&other.mutex);
	pthread_join(other.thread, NULL);
	http_client_reply_release(&fixture.reply);
	http_client_release(&fixture.client);
}

void fixture_open_gate(void)
{
	pthread_mutex_lock(&other.mutex);
	other.gate_is_open = true;
	pthread_cond_broadcast(&other.changed);
	pthread_mutex_unlock(&other.mutex);
}

void fixture_end_server(void)
{
	http_server_close(fixture.server);
	fixture.server = NULL;
}

size_t fixture_loop_connections(size_t index)
{
	return atomic_load(&fixture.server->loops[index].connection_count);
}

size_t fixture_connections(void)
{
	size_t total = 0;
	for (size_t i = 0; i < fixture.server->options.loop_count; i++)
		total += fixture_loop_connections(i);
	return total;
}

void fixture_wait_connections(size_t count)
{
	int64_t end_ms = now_ms() + PATIENCE_MS;
	while (fixture_connections() != count && now_ms() < end_ms)
		pause_ms(1);
	assert_int_equal(count, fixture_connections());
}

void fixture_wait_count(const atomic_size_t *counter, size_t value)
{
	int64_t end_ms = now_ms() + PATIENCE_MS;
	while (atomic_load(counter) != value && now_ms() < end_ms)
		pause_ms(1);
	assert_int_equal(value, atomic_load(counter));
}

void fixture_wait_queued(size_t count)
{
	int64_t end_ms = now_ms() + PATIENCE_MS;
	while (lane_depth(fixture.server->workers) != count && now_ms() < end_ms)
		pause_ms(1);
	assert_int_equal(count, lane_depth(fixture.server->workers));
}

static size_t deferred_count(void)
{
	pthread_mutex_lock(&other.mutex);
	size_t count = other.count;
	pthread_mutex_unlock(&other.mutex);
	return count;
}

void fixture_wait_deferred(size_t count)
{
	int64_t end_ms = now_ms() + PATIENCE_MS;
	while (deferred_count() != count && now_ms() < end_ms)
		pause_ms(1);
	assert_int_equal(count, deferred_count());
}

/* ---- Asking and checking ---- */

void ask(const char *method, const char *path, const char *headers, const char *body, int status)
{
	enum http_client_outcome outcome =
		http_client_call(&fixture.client, method, path, headers, body, &fixture.reply);
	if (outcome != HTTP_CLIENT_OK)
		fail_msg("%s %s: %s", method, path, http_client_outcome_name(outcome));
	if (status != fixture.reply.status)
		fail_msg("%s %s: wanted %d, got %d %s", method, path, status, fixture.reply.status,
			fixture.reply.body);
}

void send_raw(const char *text)
{
	assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&fixture.client));
	assert_int_equal(HTTP_CLIENT_OK, http_client_send_text(&fixture.client, text));
}

void want_continue(struct http_client *client)
{
	static const char wanted[] = "HTTP/1.1 100 Continue\r\n\r\n";
	char got[sizeof wanted] = "";
	size_t size = 0;
	while (size < sizeof wanted - 1) {
		struct pollfd ready = {.fd = client->fd, .events = POLLIN};
		assert_int_equal(1, poll(&ready, 1, PATIENCE_MS));
		ssize_t more = recv(client->fd, got + size, sizeof wanted - 1 - size, 0);
		assert_true(more > 0);
		size += (size_t)more;
	}
	assert_string_equal(wanted, got);
}

void want(const char *method, int status)
{
	enum http_client_outcome outcome =
		http_client_receive(&fixture.client, method, &fixture.reply);
	if (outcome != HTTP_CLIENT_OK)
		fail_msg("wanted %d: %s", status, http_client_outcome_name(outcome));
	if (status != fixture.reply.status)
		fail_msg("wanted %d, got %d %s", status, fixture.reply.status, fixture.reply.body);
}

void want_problem(const char *type)
{
	char urn[128];
	snprintf(urn, sizeof urn, "urn:onsale:problem:%s", type);
	want_header("Content-Type", "application/problem+json");
	json_t *problem = http_client_reply_json(&fixture.reply);
	assert_non_null(problem);
	assert_string_equal(urn, json_string_value(json_object_get(problem, "type")));
	assert_true(json_string_length(json_object_get(problem, "title")) > 0);
	assert_int_equal(
		fixture.reply.status, json_integer_value(json_object_get(problem, "status")));
	assert_string_equal(http_client_reply_header(&fixture.reply, "X-Request-Id"),
		json_string_value(json_object_get(problem, "requestId")));
	json_decref(problem);
}

void want_body(const char *text)
{
	assert_string_equal(text, fixture.reply.body);
}

void want_header(const char *name, const char *value)
{
	const char *found = http_client_reply_header(&fixture.reply, name);
	if (!value) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_string_equal(value, found);
}

void want_closed(void)
{
	assert_true(http_client_wait_closed(&fixture.client, PATIENCE_MS));
	assert_int_equal(0, fixture.client.received_size);
}

void want_alive(void)
{
	http_client_close(&fixture.client);
	ask("GET", "/plain", NULL, NULL, 200);
	want_body("plain\n");
}

int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

void pause_ms(int64_t ms)
{
	struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000 * 1000000)};
	nanosleep(&pause, NULL);
}

/* ---- Handlers ---- */

static void reply_text(struct http_exchange *exchange, struct slice text)
{
	atomic_fetch_add(&fixture.handled, 1);
	http_reply(exchange, 200, "text/plain", text);
}

static void get_plain(struct http_exchange *exchange)
{
	reply_text(exchange, slice_of("plain\n"));
}

static void get_work(struct http_exchange *exchange)
{
	reply_text(exchange, slice_of("work\n"));
}

static void get_place(struct http_exchange *exchange)
{
	reply_text(exchange, slice_of("place\n"));
}

static void get_large(struct http_exchange *exchange)
{
	reply_text(exchange, (struct slice){.data = large, .size = sizeof large});
}

static void get_gate(struct http_exchange *exchange)
{
	pthread_mutex_lock(&other.mutex);
	atomic_fetch_add(&fixture.waiting, 1);
	while (!other.gate_is_open)
		pthread_cond_wait(&other.changed, &other.mutex);
	pthread_mutex_unlock(&other.mutex);
	reply_text(exchange, slice_of("gate\n"));
}

static void get_silent(struct http_exchange *exchange)
{
	(void)exchange;
	atomic_fetch_add(&fixture.handled, 1);
}

static void get_deferred(struct http_exchange *exchange)
{
	http_defer(exchange);
	pthread_mutex_lock(&other.mutex);
	assert_true(other.count < DEFERRED_MAX);
	other.queue[other.count++] = exchange;
	pthread_cond_broadcast(&other.changed);
	pthread_mutex_unlock(&other.mutex);
}

static void echo(struct http_exchange *exchange)
{
	reply_text(exchange, http_body(exchange));
}

static void post_json(struct http_exchange *exchange)
{
	json_t *body = http_body_object(exchange);
	if (!body)
		return;
	atomic_fetch_add(&fixture.handled, 1);
	http_reply_json(exchange, 200, json_incref(body));
}

static void get_query(struct http_exchange *exchange)
{
	static const char *const names[] = {"a", "b", "long name", NULL};
	json_t *found = json_object();
	if (!http_query_only(exchange, names)) {
		json_decref(found);
		return;
	}
	for (size_t i = 0; names[i]; i++) {
		struct slice value;
		if (http_query(exchange, names[i], &value))
			json_object_set_new(found, names[i], json_stringn(value.data, value.size));
	}
	http_reply_json(exchange, 200, found);
}

static void get_item(struct http_exchange *exchange)
{
	reply_text(exchange, http_parameter(exchange, "itemId"));
}

static void get_special(struct http_exchange *exchange)
{
	reply_text(exchange, slice_of("special"));
}

static void get_part(struct http_exchange *exchange)
{
	struct slice item = http_parameter(exchange, "itemId");
	struct slice part = http_parameter(exchange, "partId");
	reply_text(exchange,
		arena_format(
			http_arena(exchange), "%.*s\n%.*s", SLICE_PRINT(item), SLICE_PRINT(part)));
}

static const struct http_route *all_routes(size_t *count)
{
	static const struct http_route routes[] = {
		{HTTP_GET, "/plain", HTTP_ON_LOOP, get_plain, 0},
		{HTTP_GET, "/work", HTTP_ON_WORKER, get_work, 0},
		{HTTP_GET, "/deferred", HTTP_ON_LOOP, get_deferred, 0},
		{HTTP_GET, "/silent-deferred", HTTP_ON_LOOP, get_deferred, 0},
		{HTTP_GET, "/left", HTTP_ON_LOOP, get_deferred, 0},
		{HTTP_GET, "/gate", HTTP_ON_WORKER, get_gate, 0},
		{HTTP_GET, "/silent", HTTP_ON_LOOP, get_silent, 0},
		{HTTP_GET, "/silent-work", HTTP_ON_WORKER, get_silent, 0},
		{HTTP_GET, "/large", HTTP_ON_LOOP, get_large, 0},
		{HTTP_POST, "/echo", HTTP_ON_LOOP, echo, ECHO_SIZE_MAX},
		{HTTP_POST, "/work-echo", HTTP_ON_WORKER, echo, ECHO_SIZE_MAX},
		{HTTP_POST, "/small", HTTP_ON_LOOP, echo, SMALL_SIZE_MAX},
		{HTTP_POST, "/json", HTTP_ON_LOOP, post_json, JSON_SIZE_MAX},
		{HTTP_GET, "/query", HTTP_ON_LOOP, get_query, 0},
		{HTTP_GET, "/items/{itemId}", HTTP_ON_LOOP, get_item, 0},
		{HTTP_PUT, "/items/{itemId}", HTTP_ON_LOOP, get_item, SMALL_SIZE_MAX},
		{HTTP_DELETE, "/items/{itemId}", HTTP_ON_LOOP, get_item, 0},
		{HTTP_GET, "/items/special", HTTP_ON_LOOP, get_special, 0},
		{HTTP_GET, "/items/{itemId}/parts/{partId}", HTTP_ON_LOOP, get_part, 0},
		{HTTP_GET, "/places/{placeToken}", HTTP_ON_LOOP, get_place, 0},
	};
	*count = sizeof routes / sizeof routes[0];
	return routes;
}

/* ---- The thread that completes what was deferred ---- */

static bool is_at(const struct http_exchange *exchange, const char *path)
{
	return strcmp(exchange->route->pattern, path) == 0;
}

/* Whether it was completed; /left waits for its client to go. */
static bool complete(struct http_exchange *exchange)
{
	if (is_at(exchange, "/left") && !http_abandoned(exchange) && !other.gate_is_open)
		return false;
	if (is_at(exchange, "/left") && http_abandoned(exchange))
		atomic_fetch_add(&fixture.left, 1);
	if (!is_at(exchange, "/silent-deferred"))
		reply_text(exchange, slice_of("deferred\n"));
	http_complete(exchange);
	return true;
}

static void *complete_deferred(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&other.mutex);
	while (!other.ending || other.count > 0) {
		size_t kept = 0;
		for (size_t i = 0; i < other.count; i++)
			if (!complete(other.queue[i]))
				other.queue[kept++] = other.queue[i];
		other.count = kept;
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 5000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&other.changed, &other.mutex, &until);
	}
	pthread_mutex_unlock(&other.mutex);
	return NULL;
}
