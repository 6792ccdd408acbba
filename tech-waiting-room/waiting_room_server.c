/* See waiting_room_server.h. */
#include "tech-waiting-room/waiting_room_server.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/program.h"
#include "lib/batch/lane.h"
#include "lib/http/server.h"
#include "lib/http/server_metrics.h"
#include "tech-waiting-room/waiting_room_page.h"

enum {
	ROUTES_MAX = 32,
	WORKERS = 2, /* For /metrics alone. */
	HEALTH_MS = 200,
};

static struct {
	int64_t port, lanes, queue_max, loops, connections_max, joins_burst, joins_per_second;
	int64_t request_ms, head_ms, body_ms, idle_ms, keep_alive_ms, stall_ms, log_form, log_level;
	const char *address, *admin_token, *place_keys, *address_from;
	bool access_log;
} settings;

static const char *const log_forms[] = {"json", "plain", NULL};
static const char *const log_levels[] = {"debug", "info", "warning", "error", NULL};

/* The first is the port, whose default is the technology's. */
static const struct config_setting common[] = {
	{.flag = "port",
		.environment = "PORT",
		.kind = CONFIG_INTEGER,
		.value = &settings.port,
		.max = 65535,
		.help = "TCP port; 0 picks a free one"},
	{.flag = "address",
		.environment = "ADDRESS",
		.kind = CONFIG_TEXT,
		.value = &settings.address,
		.fallback = "127.0.0.1",
		.help = "IPv4 address to listen on; it takes the userId of a join on trust, so "
			"keep it on loopback or behind something that knows its users"},
	{.flag = "admin-token",
		.environment = "ADMIN_TOKEN",
		.kind = CONFIG_SECRET,
		.value = &settings.admin_token,
		.required = true,
		.help = "of the admin's routes"},
	{.flag = "place-keys",
		.environment = "PLACE_KEYS",
		.kind = CONFIG_SECRET,
		.value = &settings.place_keys,
		.required = true,
		.help = "sign places and passes: kid:base64,kid:base64, newest first"},
	{.flag = "lanes",
		.environment = "LANES",
		.kind = CONFIG_INTEGER,
		.value = &settings.lanes,
		.fallback = "2",
		.min = 1,
		.max = WAITING_ROOM_LANES_MAX,
		.help = "threads that talk to the technology; an event belongs to one of them"},
	{.flag = "queue-max",
		.environment = "QUEUE_MAX",
		.kind = CONFIG_INTEGER,
		.value = &settings.queue_max,
		.fallback = "16384",
		.min = 1,
		.max = LANE_QUEUE_MAX,
		.help = "requests that wait for a lane; beyond, 503"},
	{.flag = "joins-per-second",
		.environment = "JOINS_PER_SECOND",
		.kind = CONFIG_INTEGER,
		.value = &settings.joins_per_second,
		.fallback = "50",
		.min = 1,
		.max = 1000000000,
		.help = "by one client address in the long run; beyond, 429"},
	{.flag = "joins-burst",
		.environment = "JOINS_BURST",
		.kind = CONFIG_INTEGER,
		.value = &settings.joins_burst,
		.fallback = "200",
		.min = 1,
		.max = 1000000000,
		.help = "by one client address at once"},
	{.flag = "address-from",
		.environment = "ADDRESS_FROM",
		.kind = CONFIG_TEXT,
		.value = &settings.address_from,
		.help = "header whose last item is the client's address; only behind a proxy that "
			"sets it"},
	{.flag = "loops",
		.environment = "LOOPS",
		.kind = CONFIG_INTEGER,
		.value = &settings.loops,
		.fallback = "0",
		.max = 64,
		.help = "event loops; 0: one per core"},
	{.flag = "connections-max",
		.environment = "CONNECTIONS_MAX",
		.kind = CONFIG_INTEGER,
		.value = &settings.connections_max,
		.fallback = "0",
		.max = 1000000,
		.help = "client connections; beyond, 503; 0: 10,000, or what descriptors allow"},
	{.flag = "head-timeout",
		.environment = "HEAD_TIMEOUT",
		.kind = CONFIG_DURATION,
		.value = &settings.head_ms,
		.fallback = "10s",
		.min = 100,
		.max = 600000,
		.help = "for a request's headers, as a whole"},
	{.flag = "body-timeout",
		.environment = "BODY_TIMEOUT",
		.kind = CONFIG_DURATION,
		.value = &settings.body_ms,
		.fallback = "30s",
		.min = 100,
		.max = 600000,
		.help = "for a request's body, as a whole"},
	{.flag = "idle-timeout",
		.environment = "IDLE_TIMEOUT",
		.kind = CONFIG_DURATION,
		.value = &settings.idle_ms,
		.fallback = "75s",
		.min = 100,
		.max = 3600000,
		.help = "for a connection between two requests"},
	{.flag = "request-timeout",
		.environment = "REQUEST_TIMEOUT",
		.kind = CONFIG_DURATION,
		.value = &settings.request_ms,
		.fallback = "10s",
		.min = 100,
		.max = 600000,
		.help = "a request that waits longer for its lane gets 503"},
	{.flag = "stream-keep-alive",
		.environment = "STREAM_KEEP_ALIVE",
		.kind = CONFIG_DURATION,
		.value = &settings.keep_alive_ms,
		.fallback = "15s",
		.min = 100,
		.max = 3600000,
		.help = "how often a silent stream gets a comment"},
	{.flag = "stream-stall",
		.environment = "STREAM_STALL",
		.kind = CONFIG_DURATION,
		.value = &settings.stall_ms,
		.fallback = "10s",
		.min = 100,
		.max = 3600000,
		.help = "a stream whose reader takes nothing for so long is dropped"},
	{.flag = "access-log",
		.environment = "ACCESS_LOG",
		.kind = CONFIG_SWITCH,
		.value = &settings.access_log,
		.fallback = "true",
		.help = "a JSON line per request on standard error"},
	{.flag = "log-form",
		.environment = "LOG_FORM",
		.kind = CONFIG_CHOICE,
		.value = &settings.log_form,
		.fallback = "json",
		.choices = log_forms,
		.help = "form of the log on standard error"},
	{.flag = "log-level",
		.environment = "LOG_LEVEL",
		.kind = CONFIG_CHOICE,
		.value = &settings.log_level,
		.fallback = "info",
		.choices = log_levels,
		.help = "least level that is logged; debug tells of each admission"},
};

enum { COMMON_COUNT = sizeof common / sizeof *common };

static_assert(
	(int)COMMON_COUNT < (int)WAITING_ROOM_SERVER_SETTINGS_MAX, "a technology can add some");

/* What is opened on the way up and closed on the way down. */
struct server_parts {
	const struct waiting_room_technology *technology;
	struct metrics *metrics;
	struct keyring *keyring;
	struct waiting_room_routes *rooms;
	struct http_health *health;
	struct http_server *http;
	struct http_route routes[ROUTES_MAX];
	size_t route_count;
};

static int configure(const struct waiting_room_technology *technology, int argc, char **argv);
static enum status open_parts(struct server_parts *parts, struct fault *fault);
static void close_parts(struct server_parts *parts);

int waiting_room_serve(const struct waiting_room_technology *technology, int argc, char **argv)
{
	int code = configure(technology, argc, argv);
	if (code != PROGRAM_READY)
		return code;
	log_configure(
		settings.log_form == 0 ? LOG_JSON : LOG_PLAIN, (enum log_level)settings.log_level);
	program_hold_signals();
	if (technology->prepare && !technology->prepare())
		return 1;
	struct server_parts parts = {.technology = technology};
	struct fault fault = {.where = "server", .what = "memory or threads are short"};
	enum status status = open_parts(&parts, &fault);
	if (status == STATUS_OK) {
		printf("ready http://%s:%u\n", settings.address,
			(unsigned)http_server_port(parts.http));
		(void)fflush(stdout);
		log_info("server.stopping", LOG_INTEGER("signal", program_wait_signal()));
	} else {
		log_error("server.failed", LOG_TEXT("where", fault.where),
			LOG_TEXT("why", fault.what));
	}
	close_parts(&parts);
	return status == STATUS_OK ? 0 : 1;
}

static int configure(const struct waiting_room_technology *technology, int argc, char **argv)
{
	/* Static, since the texts of --help and of faults point into it. */
	static struct config_setting table[WAITING_ROOM_SERVER_SETTINGS_MAX];
	assert((size_t)COMMON_COUNT + technology->setting_count <=
		WAITING_ROOM_SERVER_SETTINGS_MAX);
	memcpy(table, common, sizeof common);
	table[0].fallback = technology->port;
	if (technology->setting_count > 0)
		memcpy(&table[COMMON_COUNT], technology->settings,
			technology->setting_count * sizeof *table);
	const struct config_program program = {
		.name = technology->name,
		.summary = technology->summary,
		.version = "1.0",
		.settings = table,
		.setting_count = COMMON_COUNT + technology->setting_count,
	};
	return program_configure(&program, argc, argv, NULL);
}

/* ---- Up ---- */

static void add_routes(struct server_parts *parts, const struct http_route routes[], size_t count)
{
	assert(parts->route_count + count <= ROUTES_MAX);
	memcpy(&parts->routes[parts->route_count], routes, count * sizeof *routes);
	parts->route_count += count;
}

static void log_admission(void *context, const struct waiting_room_admitted *admitted)
{
	(void)context;
	log_debug("waiting_room.admitted", LOG_TEXT("id", admitted->id),
		LOG_SLICE("event", admitted->event),
		LOG_TEXT("person", admitted->admission->person));
}

static enum status open_rooms(struct server_parts *parts, struct fault *fault)
{
	struct fault keys;
	enum status status = keyring_new(slice_of(settings.place_keys), &parts->keyring, &keys);
	if (status != STATUS_OK)
		return status == STATUS_REFUSED
			? fault_set(fault, "PLACE_KEYS", "%s: %s", keys.where, keys.what)
			: status;
	const struct waiting_room_routes_options options = {
		.opener = parts->technology->opener,
		.keyring = parts->keyring,
		.admin_token = settings.admin_token,
		.lane_count = (size_t)settings.lanes,
		.queue_max = (size_t)settings.queue_max,
		.joins_per_second = (double)settings.joins_per_second,
		.joins_burst = settings.joins_burst,
		.address_from = settings.address_from,
		.on_admitted = log_admission,
		.metrics = parts->metrics,
	};
	return waiting_room_routes_open(&options, &parts->rooms, fault);
}

static bool rooms_answer(void *context)
{
	return waiting_room_routes_ready(context);
}

static enum status open_health(struct server_parts *parts)
{
	const struct waiting_room_technology *technology = parts->technology;
	struct http_health_check checks[HTTP_HEALTH_CHECKS_MAX];
	assert(technology->check_count < HTTP_HEALTH_CHECKS_MAX);
	checks[0] = (struct http_health_check){technology->service, rooms_answer, parts->rooms};
	if (technology->check_count > 0)
		memcpy(&checks[1], technology->checks, technology->check_count * sizeof *checks);
	const struct http_health_options options = {.checks = checks,
		.check_count = 1 + technology->check_count,
		.interval_ms = HEALTH_MS};
	return http_health_open(&options, &parts->health);
}

static enum status open_http(struct server_parts *parts, struct fault *fault)
{
	const struct http_server_options options = {
		.address = settings.address,
		.port = (uint16_t)settings.port,
		.routes = parts->routes,
		.route_count = parts->route_count,
		.context = parts->rooms,
		.loop_count = (size_t)settings.loops,
		.worker_count = WORKERS,
		.connections_max = (size_t)settings.connections_max,
		.head_ms_max = settings.head_ms,
		.body_ms_max = settings.body_ms,
		.idle_ms_max = settings.idle_ms,
		.request_ms_max = settings.request_ms,
		.stream_keep_alive_ms = settings.keep_alive_ms,
		.stream_stall_ms_max = settings.stall_ms,
		.metrics = parts->metrics,
		.health = parts->health,
		.access_log_fd = settings.access_log ? STDERR_FILENO : 0,
	};
	return http_server_open(&options, &parts->http, fault);
}

static enum status open_parts(struct server_parts *parts, struct fault *fault)
{
	static const struct http_route own[] = {
		{HTTP_GET, "/healthz", HTTP_ON_LOOP, http_reply_healthz, 0},
		{HTTP_GET, "/readyz", HTTP_ON_LOOP, http_reply_readyz, 0},
		{HTTP_GET, "/metrics", HTTP_ON_WORKER, waiting_room_reply_metrics, 0},
	};
	parts->metrics = metrics_new();
	enum status status = parts->metrics ? STATUS_OK : STATUS_UNAVAILABLE;
	if (status == STATUS_OK)
		status = open_rooms(parts, fault);
	add_routes(parts, own, sizeof own / sizeof *own);
	add_routes(parts, waiting_room_page_table, waiting_room_page_count);
	add_routes(parts, waiting_room_route_table, waiting_room_route_count);
	http_register_metrics(parts->metrics, parts->routes, parts->route_count);
	if (status == STATUS_OK)
		status = metrics_freeze(parts->metrics);
	if (status == STATUS_OK)
		status = open_health(parts);
	if (status == STATUS_OK)
		status = open_http(parts, fault);
	if (status == STATUS_OK)
		status = waiting_room_routes_start(parts->rooms, parts->http, fault);
	return status;
}

/* ---- Down ---- */

/* The lanes end first: they publish to the server's streams. */
static void close_parts(struct server_parts *parts)
{
	if (parts->rooms)
		waiting_room_routes_stop(parts->rooms);
	if (parts->http)
		http_server_close(parts->http);
	http_health_close(parts->health);
	waiting_room_routes_close(parts->rooms);
	keyring_free(parts->keyring);
	metrics_free(parts->metrics);
}
