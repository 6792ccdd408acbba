/* See seat_server.h. */
#include "tech-locking-and-transactions/seat_server.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/program.h"
#include "lib/batch/lane.h"
#include "lib/http/server.h"
#include "lib/http/server_metrics.h"
#include "lib/ticketing/seating_plan.h"

enum {
	WORKERS = 2, /* For /metrics alone. */
	HEALTH_MS = 200,
	DRAIN_MS = 2000, /* Below the 5 s that run.sh gives a server to end. */
};

static struct {
	int64_t port, loops, connections_max, queue_max, reads_max, batch_max;
	int64_t hold_lanes, checkout_threads, hold_ms, expire_ms;
	int64_t request_ms, head_ms, body_ms, idle_ms, log_form, log_level, price;
	const char *address, *admin_token, *plan, *event_name, *currency, *prices;
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
		.help = "IPv4 address to listen on; it takes a userId on trust, so keep it on "
			"loopback or behind something that knows its users"},
	{.flag = "admin-token",
		.environment = "ADMIN_TOKEN",
		.kind = CONFIG_SECRET,
		.value = &settings.admin_token,
		.required = true,
		.help = "what opens /admin"},
	{.flag = "plan",
		.environment = "PLAN",
		.kind = CONFIG_TEXT,
		.value = &settings.plan,
		.fallback = "demo/venues/concert-hall.json",
		.help = "file with the seating plan of the event that is on sale"},
	{.flag = "event-name",
		.environment = "EVENT_NAME",
		.kind = CONFIG_TEXT,
		.value = &settings.event_name,
		.help = "of that event; the plan's unless given"},
	{.flag = "currency",
		.environment = "CURRENCY",
		.kind = CONFIG_TEXT,
		.value = &settings.currency,
		.fallback = "EUR",
		.help = "of its prices"},
	{.flag = "prices",
		.environment = "PRICES",
		.kind = CONFIG_TEXT,
		.value = &settings.prices,
		.help = "in minor units, by the plan's categories: Parterre=12500,Box=14500"},
	{.flag = "price",
		.environment = "PRICE",
		.kind = CONFIG_INTEGER,
		.value = &settings.price,
		.fallback = "4500",
		.max = MONEY_PRICE_MINOR_MAX,
		.help = "of categories that are not named in prices"},
	{.flag = "hold-time",
		.environment = "HOLD_TIME",
		.kind = CONFIG_DURATION,
		.value = &settings.hold_ms,
		.fallback = "10m",
		.min = 1,
		.max = SEAT_STORE_HOLD_MS_MAX,
		.help = "how long seats are held for somebody"},
	{.flag = "expire-every",
		.environment = "EXPIRE_EVERY",
		.kind = CONFIG_DURATION,
		.value = &settings.expire_ms,
		.fallback = "1s",
		.min = 10,
		.max = 3600000,
		.help = "how often holds that ran out are tidied up; their seats are free at once"},
	{.flag = "hold-lanes",
		.environment = "HOLD_LANES",
		.kind = CONFIG_INTEGER,
		.value = &settings.hold_lanes,
		.fallback = "2",
		.min = 1,
		.max = SEAT_ROUTES_LANES_MAX,
		.help = "threads that hold seats; a section belongs to one of them"},
	{.flag = "checkout-threads",
		.environment = "CHECKOUT_THREADS",
		.kind = CONFIG_INTEGER,
		.value = &settings.checkout_threads,
		.fallback = "4",
		.min = 1,
		.max = SEAT_ROUTES_LANES_MAX,
		.help = "threads that buy; each waits for the payments of its batch"},
	{.flag = "batch-max",
		.environment = "BATCH_MAX",
		.kind = CONFIG_INTEGER,
		.value = &settings.batch_max,
		.fallback = "256",
		.min = 1,
		.max = SEAT_STORE_BATCH_MAX,
		.help = "requests that one call serves at most"},
	{.flag = "queue-max",
		.environment = "QUEUE_MAX",
		.kind = CONFIG_INTEGER,
		.value = &settings.queue_max,
		.fallback = "4096",
		.min = 1,
		.max = LANE_QUEUE_MAX,
		.help = "requests that wait for a lane; beyond, 503"},
	{.flag = "reads-max",
		.environment = "READS_MAX",
		.kind = CONFIG_INTEGER,
		.value = &settings.reads_max,
		.fallback = "64",
		.min = 1,
		.max = LANE_QUEUE_MAX,
		.help = "the same for the seats of an event, each reply to which is large"},
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
		.help = "least level that is logged"},
};

enum { COMMON_COUNT = sizeof common / sizeof *common };

static_assert((int)COMMON_COUNT < (int)SEAT_SERVER_SETTINGS_MAX, "a technology can add some");

/* What is opened on the way up and closed on the way down. */
struct server_parts {
	const struct seat_technology *technology;
	struct metrics *metrics;
	struct seat_listing *event;
	struct seat_routes *seats;
	struct http_health *health;
	struct http_server *http;
	struct http_route routes[SEAT_SERVER_ROUTES_MAX];
	size_t route_count;
};

static int configure(const struct seat_technology *technology, int argc, char **argv);
static enum status open_parts(struct server_parts *parts, struct fault *fault);
static void close_parts(struct server_parts *parts);

int seat_serve(const struct seat_technology *technology, int argc, char **argv)
{
	int code = configure(technology, argc, argv);
	if (code != PROGRAM_READY)
		return code;
	log_configure(
		settings.log_form == 0 ? LOG_JSON : LOG_PLAIN, (enum log_level)settings.log_level);
	program_hold_signals();
	json_object_seed(0);
	struct server_parts parts = {.technology = technology};
	struct fault fault = {.where = "server", .what = "memory or threads are short"};
	enum status status = open_parts(&parts, &fault);
	if (status == STATUS_OK) {
		printf("ready http://%s:%u\n", settings.address,
			(unsigned)http_server_port(parts.http));
		(void)fflush(stdout);
		log_info("server.stopping", LOG_INTEGER("signal", program_wait_signal()));
	} else if (program_is_signaled()) {
		status = STATUS_OK; /* Asked to end while it waited for a service. */
	} else {
		log_error("server.failed", LOG_TEXT("where", fault.where),
			LOG_TEXT("why", fault.what));
	}
	close_parts(&parts);
	return status == STATUS_OK ? 0 : 1;
}

static int configure(const struct seat_technology *technology, int argc, char **argv)
{
	/* Static, since the texts of --help and of faults point into it. */
	static struct config_setting table[SEAT_SERVER_SETTINGS_MAX];
	size_t count = COMMON_COUNT, more = 0;
	if (technology->more_settings)
		more = *technology->more_setting_count;
	assert(count + technology->setting_count + more <= SEAT_SERVER_SETTINGS_MAX);
	memcpy(table, common, sizeof common);
	table[0].fallback = technology->port;
	if (technology->setting_count > 0)
		memcpy(&table[count], technology->settings,
			technology->setting_count * sizeof *table);
	count += technology->setting_count;
	if (more > 0)
		memcpy(&table[count], technology->more_settings, more * sizeof *table);
	count += more;
	const struct config_program program = {
		.name = technology->name,
		.summary = technology->summary,
		.version = "1.0",
		.settings = table,
		.setting_count = count,
	};
	return program_configure(&program, argc, argv, NULL);
}

/* ---- The event ---- */

/* Read the whole file; false: `fault` says why not. */
static bool read_file(const char *path, struct buffer *text, struct fault *fault)
{
	char bytes[16384];
	size_t size;
	FILE *file = fopen(path, "re");
	if (!file) {
		fault_set(fault, "plan", "%.100s: %s", path, strerror(errno));
		return false;
	}
	while ((size = fread(bytes, 1, sizeof bytes, file)) > 0)
		buffer_add(text, bytes, size);
	bool good = !ferror(file) && !text->failed;
	(void)fclose(file);
	if (!good)
		fault_set(fault, "plan", "%.100s cannot be read, or is too large", path);
	return good;
}

static enum status open_event(struct server_parts *parts, struct fault *fault)
{
	struct buffer text;
	buffer_init(&text, SEATING_PLAN_SIZE_MAX);
	enum status status = STATUS_REFUSED;
	if (read_file(settings.plan, &text, fault)) {
		const struct seat_listing_options options = {.plan = buffer_slice(&text),
			.name = settings.event_name,
			.currency = settings.currency,
			.prices = settings.prices,
			.price = settings.price};
		status = seat_listing_new(&options, &parts->event, fault);
	}
	buffer_release(&text);
	return status;
}

/* ---- Up ---- */

static enum status open_seats(struct server_parts *parts, struct fault *fault)
{
	const struct seat_listing *events[] = {parts->event};
	const struct seat_routes_options options = {
		.opener = parts->technology->opener,
		.events = events,
		.event_count = 1,
		.admin_token = settings.admin_token,
		.hold_lane_count = (size_t)settings.hold_lanes,
		.checkout_thread_count = (size_t)settings.checkout_threads,
		.queue_max = (size_t)settings.queue_max,
		.reads_max = (size_t)settings.reads_max,
		.batch_max = (size_t)settings.batch_max,
		.hold_ms = settings.hold_ms,
		.expire_ms = settings.expire_ms,
		.metrics = parts->metrics,
	};
	return seat_routes_open(&options, &parts->seats, fault);
}

static bool seats_answer(void *context)
{
	return seat_routes_ready(context);
}

static enum status open_health(struct server_parts *parts)
{
	const struct seat_technology *technology = parts->technology;
	struct http_health_check checks[HTTP_HEALTH_CHECKS_MAX];
	assert(technology->check_count < HTTP_HEALTH_CHECKS_MAX);
	checks[0] = (struct http_health_check){technology->service, seats_answer, parts->seats};
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
		.context = parts->seats,
		.loop_count = (size_t)settings.loops,
		.worker_count = WORKERS,
		.connections_max = (size_t)settings.connections_max,
		.head_ms_max = settings.head_ms,
		.body_ms_max = settings.body_ms,
		.idle_ms_max = settings.idle_ms,
		.request_ms_max = settings.request_ms,
		.drain_ms_max = DRAIN_MS,
		.metrics = parts->metrics,
		.health = parts->health,
		.access_log_fd = settings.access_log ? STDERR_FILENO : 0,
	};
	return http_server_open(&options, &parts->http, fault);
}

static void add_routes(struct server_parts *parts, const struct http_route routes[], size_t count)
{
	assert(parts->route_count + count <= SEAT_SERVER_ROUTES_MAX);
	if (count > 0)
		memcpy(&parts->routes[parts->route_count], routes, count * sizeof *routes);
	parts->route_count += count;
}

static enum status open_parts(struct server_parts *parts, struct fault *fault)
{
	static const struct http_route own[] = {
		{HTTP_GET, "/healthz", HTTP_ON_LOOP, http_reply_healthz, 0},
		{HTTP_GET, "/readyz", HTTP_ON_LOOP, http_reply_readyz, 0},
		{HTTP_GET, "/metrics", HTTP_ON_WORKER, http_reply_metrics, 0},
	};
	const struct seat_technology *technology = parts->technology;
	parts->metrics = metrics_new();
	enum status status = parts->metrics ? open_event(parts, fault) : STATUS_UNAVAILABLE;
	if (status == STATUS_OK && technology->prepare)
		status = technology->prepare(parts->metrics, fault);
	if (status == STATUS_OK)
		status = open_seats(parts, fault);
	add_routes(parts, own, sizeof own / sizeof *own);
	add_routes(parts, seat_route_table, seat_route_count);
	add_routes(parts, technology->routes, technology->route_count);
	http_register_metrics(parts->metrics, parts->routes, parts->route_count);
	if (status == STATUS_OK)
		status = metrics_freeze(parts->metrics);
	if (status == STATUS_OK && technology->start)
		status = technology->start(fault);
	if (status == STATUS_OK)
		status = open_health(parts);
	if (status == STATUS_OK)
		status = open_http(parts, fault);
	if (status == STATUS_OK)
		status = seat_routes_start(parts->seats, fault);
	return status;
}

/* ---- Down ---- */

/* The lanes first, so that what is under way is answered by whom it was asked of. */
static void close_parts(struct server_parts *parts)
{
	if (parts->technology->end_waits)
		parts->technology->end_waits();
	if (parts->seats)
		seat_routes_stop(parts->seats);
	if (parts->http)
		http_server_close(parts->http);
	http_health_close(parts->health);
	seat_routes_close(parts->seats);
	if (parts->technology->close)
		parts->technology->close();
	seat_listing_free(parts->event);
	metrics_free(parts->metrics);
}
