/* The server that the benches of lib/http measure: one route per way that a request can take. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/program.h"
#include "lib/batch/lane.h"
#include "lib/http/representation.h"
#include "lib/http/server.h"
#include "lib/http/server_metrics.h"
#include "lib/http/stream.h"

#define LANE_NAME "bench"

enum { JSON_BYTES = 2048, QUEUE_MAX = 4096, BATCH_MAX = 512 };

static struct {
	int64_t port, loops, connections_max, pool, stall_ms, keep_alive_ms;
	const char *access_log, *json, *tls_certificate, *tls_key;
} settings;

static const struct config_setting table[] = {
	{.flag = "port",
		.kind = CONFIG_INTEGER,
		.value = &settings.port,
		.fallback = "0",
		.max = 65535,
		.help = "TCP port of 127.0.0.1; 0 picks a free one"},
	{.flag = "loops",
		.kind = CONFIG_INTEGER,
		.value = &settings.loops,
		.fallback = "2",
		.min = 1,
		.max = 64,
		.help = "event loops"},
	{.flag = "connections-max",
		.kind = CONFIG_INTEGER,
		.value = &settings.connections_max,
		.fallback = "19000",
		.min = 1,
		.max = 1000000,
		.help = "connections beyond this get 503"},
	{.flag = "connection-pool",
		.kind = CONFIG_SIZE,
		.value = &settings.pool,
		.fallback = "8KiB",
		.min = HTTP_CONNECTION_POOL_SIZE_MIN,
		.max = 1 << 20,
		.help = "libmicrohttpd's memory for a connection"},
	{.flag = "stall-max",
		.kind = CONFIG_DURATION,
		.value = &settings.stall_ms,
		.fallback = "10s",
		.min = 1000,
		.max = 3600000,
		.help = "a stream whose reader takes nothing for so long is dropped"},
	{.flag = "keep-alive",
		.kind = CONFIG_DURATION,
		.value = &settings.keep_alive_ms,
		.fallback = "15s",
		.min = 1000,
		.max = 3600000,
		.help = "how often a silent stream gets a comment"},
	{.flag = "json",
		.kind = CONFIG_TEXT,
		.value = &settings.json,
		.help = "the file that GET /json2k answers with"},
	{.flag = "access-log",
		.kind = CONFIG_TEXT,
		.value = &settings.access_log,
		.help = "the file that the access log is appended to; none without it"},
	{.flag = "tls-certificate",
		.kind = CONFIG_TEXT,
		.value = &settings.tls_certificate,
		.help = "PEM file"},
	{.flag = "tls-key", .kind = CONFIG_TEXT, .value = &settings.tls_key, .help = "PEM file"},
};

/* What the handlers share. */
struct application {
	struct metrics *metrics;
	struct lane *lane;
	struct http_prepared *json;
	struct http_channel *channel;
};

struct lane_request {
	struct lane_item item;
	struct http_exchange *exchange;
};

static void answer_empty(struct http_exchange *exchange);
static void answer_by_lane(struct http_exchange *exchange);
static void answer_json(struct http_exchange *exchange);
static void follow(struct http_exchange *exchange);
static void publish(struct http_exchange *exchange);

static const struct http_route routes[] = {
	{HTTP_GET, "/empty", HTTP_ON_LOOP, answer_empty, 0},
	{HTTP_GET, "/worker", HTTP_ON_WORKER, answer_empty, 0},
	{HTTP_GET, "/lane", HTTP_ON_LOOP, answer_by_lane, 0},
	{HTTP_GET, "/json2k", HTTP_ON_LOOP, answer_json, 0},
	{HTTP_GET, "/stream", HTTP_ON_LOOP, follow, 0},
	{HTTP_POST, "/publish", HTTP_ON_LOOP, publish, HTTP_EVENT_BYTES_MAX},
};

static int read_settings(int argc, char **argv);
static void end_with(const struct fault *fault) __attribute__((noreturn));
static void open_json(struct application *application);
static struct http_server *open_server(struct application *application, int access_log_fd);
static struct lane *open_lane(struct metrics *metrics);
static struct metrics *open_metrics(void);

int main(int argc, char **argv)
{
	int code = read_settings(argc, argv);
	if (code != PROGRAM_READY)
		return code;
	program_hold_signals();
	int log_fd = 0;
	if (settings.access_log)
		log_fd = open(settings.access_log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	struct application application = {.metrics = open_metrics()};
	application.lane = open_lane(application.metrics);
	open_json(&application);
	struct http_server *server = open_server(&application, log_fd);
	printf("ready %u\n", (unsigned)http_server_port(server));
	fflush(stdout);
	(void)program_wait_signal();
	lane_stop(application.lane);
	http_server_close(server);
	lane_close(application.lane);
	http_prepared_release(application.json);
	metrics_free(application.metrics);
	return 0;
}

static struct metrics *open_metrics(void)
{
	struct metrics *metrics = metrics_new();
	http_register_metrics(metrics, routes, sizeof routes / sizeof routes[0]);
	lane_register_metrics(metrics, LANE_NAME);
	if (!metrics || metrics_freeze(metrics) != STATUS_OK)
		end_with(&(struct fault){.where = "memory", .what = "is short"});
	return metrics;
}

static int read_settings(int argc, char **argv)
{
	static const struct config_program program = {.name = "bench_server",
		.summary = "The HTTP server that the benches measure.",
		.version = "1",
		.settings = table,
		.setting_count = sizeof table / sizeof table[0]};
	return program_configure(&program, argc, argv, NULL);
}

static void end_with(const struct fault *fault)
{
	fprintf(stderr, "bench_server: %s: %s\n", fault->where, fault->what);
	exit(1);
}

/* ---- The lane that does nothing ---- */

static void lane_apply(void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	(void)context, (void)thread;
	struct http_burst burst = {0};
	for (size_t i = 0; i < count; i++) {
		struct lane_request *request = (struct lane_request *)items[i];
		http_reply_empty(request->exchange, 204);
		http_burst_add(&burst, request->exchange);
	}
	http_burst_complete(&burst);
}

static void lane_late(void *context, struct lane_item *const items[], size_t count)
{
	(void)context;
	for (size_t i = 0; i < count; i++) {
		struct lane_request *request = (struct lane_request *)items[i];
		http_reply_problem(request->exchange, &http_problem_unavailable, "Too late.");
		http_complete(request->exchange);
	}
}

static struct lane *open_lane(struct metrics *metrics)
{
	static const struct lane_ops ops = {.apply = lane_apply, .late = lane_late};
	struct lane_options options = {.name = LANE_NAME,
		.metrics = metrics,
		.ops = &ops,
		.queue_max = QUEUE_MAX,
		.batch_max = BATCH_MAX};
	struct lane *lane;
	if (lane_open(&options, &lane) != STATUS_OK)
		end_with(&(struct fault){.where = "lane", .what = "cannot be opened"});
	return lane;
}

static void refuse(struct lane_item *item)
{
	struct http_exchange *exchange = ((struct lane_request *)item)->exchange;
	http_reply_problem(exchange, &http_problem_unavailable, "The lane is full.");
	http_complete(exchange);
}

static void answer_by_lane(struct http_exchange *exchange)
{
	struct application *application = http_context(exchange);
	struct lane_request *request = arena_alloc(http_arena(exchange), sizeof *request);
	if (!request) {
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
		return;
	}
	*request = (struct lane_request){
		.item.deadline_ms = http_deadline_ms(exchange), .exchange = exchange};
	http_submit(exchange, application->lane, &request->item, refuse);
}

/* ---- The other routes ---- */

static void answer_empty(struct http_exchange *exchange)
{
	http_reply_empty(exchange, 204);
}

static void answer_json(struct http_exchange *exchange)
{
	struct application *application = http_context(exchange);
	http_reply_prepared(exchange, application->json);
}

static void follow(struct http_exchange *exchange)
{
	struct application *application = http_context(exchange);
	http_stream_begin(exchange, application->channel, (struct slice){0});
}

static void publish(struct http_exchange *exchange)
{
	struct application *application = http_context(exchange);
	if (http_channel_publish(application->channel, "seats", http_body(exchange)) == STATUS_OK)
		http_reply_empty(exchange, 204);
	else
		http_reply_problem(exchange, &http_problem_unavailable, "It cannot be published.");
}

static void open_json(struct application *application)
{
	char body[JSON_BYTES] = "{}";
	size_t size = 2;
	FILE *file = settings.json ? fopen(settings.json, "re") : NULL;
	if (settings.json && !file)
		end_with(&(struct fault){.where = "--json", .what = "cannot be read"});
	if (file) {
		size = fread(body, 1, sizeof body, file);
		fclose(file);
	}
	struct http_prepared_options options = {.content_type = "application/json"};
	application->json = http_prepared_new(&options, (struct slice){.data = body, .size = size});
	if (!application->json)
		end_with(&(struct fault){.where = "memory", .what = "is short"});
}

static struct http_server *open_server(struct application *application, int access_log_fd)
{
	struct http_server_options options = {
		.port = (uint16_t)settings.port,
		.routes = routes,
		.route_count = sizeof routes / sizeof routes[0],
		.context = application,
		.loop_count = (size_t)settings.loops,
		.worker_count = 2,
		.connections_max = (size_t)settings.connections_max,
		.connection_pool_size = (size_t)settings.pool,
		.stream_stall_ms_max = settings.stall_ms,
		.stream_keep_alive_ms = settings.keep_alive_ms,
		.tls_certificate = settings.tls_certificate,
		.tls_key = settings.tls_key,
		.metrics = application->metrics,
		.access_log_fd = access_log_fd,
	};
	struct http_channel_options channel = {.delivery = HTTP_DELIVER_EACH};
	struct http_server *server;
	struct fault fault = {.where = "server", .what = "cannot be opened"};
	if (http_server_open(&options, &server, &fault) != STATUS_OK)
		end_with(&fault);
	application->channel = http_channel_open(server, &channel);
	if (!application->channel)
		end_with(&(struct fault){.where = "memory", .what = "is short"});
	return server;
}
