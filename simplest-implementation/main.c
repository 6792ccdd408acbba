/* The simplest ticketing server that works: HTTP on one side, one Postgres on the other, and in
 * between the row locks that keep a seat from being sold twice. Its README says what it cannot do.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/program.h"
#include "lib/http/health.h"
#include "lib/http/server.h"
#include "lib/http/server_metrics.h"
#include "lib/ticketing/seating_plan.h"
#include "simplest-implementation/app.h"
#include "simplest-implementation/schema/001_simplest.sql.h"
#include "simplest-implementation/statements.sql.h"

STATEMENT_READS(ready);

/* A request does not wait long for a database that is gone or for a lock that nobody gives up (see
 * --database-timeout): its client is told, and tries again. Only a start has the patience for a
 * database that starts too. */
enum { SMALL_BODY_MAX = 16 << 10, CHECK_PATIENCE_MS = 2000, START_PATIENCE_MS = 5000 };

static struct {
	int64_t port, workers, connections_max, hold_ms, sweep_ms, log_form;
	int64_t head_ms, body_ms, idle_ms, request_ms, database_ms;
	const char *address, *database_url, *tls_certificate, *tls_key;
	bool access_log;
} settings;

static const char *const log_forms[] = {"json", "plain", NULL};

static const struct config_setting table[] = {
	{.flag = "port",
		.environment = "PORT",
		.kind = CONFIG_INTEGER,
		.value = &settings.port,
		.fallback = "8081",
		.max = 65535,
		.help = "TCP port; 0 picks a free one"},
	{.flag = "address",
		.environment = "ADDRESS",
		.kind = CONFIG_TEXT,
		.value = &settings.address,
		.fallback = "127.0.0.1",
		.help = "IPv4 address to listen on; it knows no users, so keep it on loopback or "
			"behind something that does"},
	{.flag = "database-url",
		.environment = "DATABASE_URL",
		.kind = CONFIG_SECRET,
		.value = &settings.database_url,
		.required = true,
		.help = "PostgreSQL connection string"},
	{.flag = "database-timeout",
		.environment = "DATABASE_TIMEOUT",
		.kind = CONFIG_DURATION,
		.value = &settings.database_ms,
		.fallback = "2s",
		.min = 100,
		.max = 600000,
		.help = "for connecting to the database; half of it for a lock"},
	{.flag = "hold-duration",
		.environment = "HOLD_DURATION",
		.kind = CONFIG_DURATION,
		.value = &settings.hold_ms,
		.fallback = "10m",
		.min = 100,
		.max = 24 * 3600000,
		.help = "how long seats stay held"},
	{.flag = "sweep-interval",
		.environment = "SWEEP_INTERVAL",
		.kind = CONFIG_DURATION,
		.value = &settings.sweep_ms,
		.fallback = "1s",
		.min = 10,
		.max = 3600000,
		.help = "how often expired holds are tidied up"},
	{.flag = "workers",
		.environment = "WORKERS",
		.kind = CONFIG_INTEGER,
		.value = &settings.workers,
		.fallback = "16",
		.min = 1,
		.max = 128,
		.help = "threads, each with a database connection"},
	{.flag = "connections-max",
		.environment = "CONNECTIONS_MAX",
		.kind = CONFIG_INTEGER,
		.value = &settings.connections_max,
		.fallback = "10000",
		.min = 1,
		.max = 1000000,
		.help = "client connections; beyond, 503"},
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
		.help = "a request that waits longer for a worker gets 503"},
	{.flag = "tls-certificate",
		.environment = "TLS_CERTIFICATE",
		.kind = CONFIG_TEXT,
		.value = &settings.tls_certificate,
		.help = "PEM file; with the key, it speaks HTTPS"},
	{.flag = "tls-key",
		.environment = "TLS_KEY",
		.kind = CONFIG_TEXT,
		.value = &settings.tls_key,
		.help = "PEM file of the certificate's key"},
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
};

static const struct http_route routes[] = {
	{HTTP_GET, "/healthz", HTTP_ON_LOOP, http_reply_healthz, 0},
	{HTTP_GET, "/readyz", HTTP_ON_LOOP, http_reply_readyz, 0},
	{HTTP_GET, "/metrics", HTTP_ON_WORKER, http_reply_metrics, 0},
	{HTTP_POST, "/venues", HTTP_ON_WORKER, venue_create, SEATING_PLAN_SIZE_MAX},
	{HTTP_POST, "/events", HTTP_ON_WORKER, event_create, SMALL_BODY_MAX},
	{HTTP_GET, "/events", HTTP_ON_WORKER, event_list, 0},
	{HTTP_GET, "/events/{eventId}", HTTP_ON_WORKER, event_read, 0},
	{HTTP_GET, "/events/{eventId}/seats", HTTP_ON_WORKER, event_seats, 0},
	{HTTP_POST, "/events/{eventId}/holds", HTTP_ON_WORKER, hold_create, SMALL_BODY_MAX},
	{HTTP_DELETE, "/holds/{holdId}", HTTP_ON_WORKER, hold_release, 0},
	{HTTP_POST, "/holds/{holdId}/purchase", HTTP_ON_WORKER, hold_purchase, SMALL_BODY_MAX},
	{HTTP_GET, "/orders/{orderId}", HTTP_ON_WORKER, order_read, 0},
};

/* The sweeper has a connection and a thread of its own. */
struct sweeper {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct postgres *database;
	bool stopping;
};

static int serve(struct app *app, struct metrics *metrics);
static struct metrics *make_metrics(void);
static struct postgres *open_database(int64_t patience_ms);

int main(int argc, char **argv)
{
	static const struct config_program program = {
		.name = "simplest-server",
		.summary = "Sells seats: one server, one Postgres, row locks. Listens on loopback "
			   "unless told otherwise, since it knows no users.",
		.version = "1.0",
		.settings = table,
		.setting_count = sizeof table / sizeof *table,
	};
	int code = program_configure(&program, argc, argv, NULL);
	if (code != PROGRAM_READY)
		return code;
	log_configure(settings.log_form == 0 ? LOG_JSON : LOG_PLAIN, LOG_INFO);
	program_hold_signals();

	struct app app = {.worker_count = (size_t)settings.workers, .hold_ms = settings.hold_ms};
	app.connections = calloc(app.worker_count, sizeof *app.connections);
	struct metrics *metrics = make_metrics();
	bool good = app.connections && metrics;
	for (size_t i = 0; good && i < app.worker_count; i++)
		good = (app.connections[i] = open_database(settings.database_ms)) != NULL;
	code = good ? serve(&app, metrics) : 1;
	for (size_t i = 0; app.connections && i < app.worker_count; i++)
		postgres_close(app.connections[i]);
	free(app.connections);
	metrics_free(metrics);
	return code;
}

/* Everything that is counted, before there are threads to count. NULL when memory is short. */
static struct metrics *make_metrics(void)
{
	struct metrics *metrics = metrics_new();
	http_register_metrics(metrics, routes, sizeof routes / sizeof *routes);
	if (metrics && metrics_freeze(metrics) == STATUS_OK)
		return metrics;
	metrics_free(metrics);
	return NULL;
}

static struct postgres *open_database(int64_t patience_ms)
{
	return postgres_open(&(struct postgres_options){
		.url = settings.database_url,
		.application_name = "onsale-simplest",
		.clock = clock_system(),
		.connect_ms_max = patience_ms,
		.lock_ms_max = patience_ms / 2,
	});
}

static void *sweeper_run(void *context)
{
	struct sweeper *sweeper = context;
	pthread_mutex_lock(&sweeper->mutex);
	while (!sweeper->stopping) {
		pthread_mutex_unlock(&sweeper->mutex);
		size_t count = sweep(sweeper->database);
		if (count > 0)
			log_info("holds.expired", LOG_INTEGER("count", count));
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += settings.sweep_ms / 1000;
		until.tv_nsec += settings.sweep_ms % 1000 * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_mutex_lock(&sweeper->mutex);
		if (!sweeper->stopping)
			pthread_cond_timedwait(&sweeper->changed, &sweeper->mutex, &until);
	}
	pthread_mutex_unlock(&sweeper->mutex);
	return NULL;
}

static bool sweeper_start(struct sweeper *sweeper)
{
	pthread_mutex_init(&sweeper->mutex, NULL);
	pthread_cond_init(&sweeper->changed, NULL);
	sweeper->database = open_database(settings.database_ms);
	return sweeper->database &&
		pthread_create(&sweeper->thread, NULL, sweeper_run, sweeper) == 0;
}

static void sweeper_stop(struct sweeper *sweeper)
{
	pthread_mutex_lock(&sweeper->mutex);
	sweeper->stopping = true;
	pthread_cond_signal(&sweeper->changed);
	pthread_mutex_unlock(&sweeper->mutex);
	pthread_join(sweeper->thread, NULL);
	postgres_close(sweeper->database);
}

/* As long as it takes: it may be starting as well, or recovering, and to give up would only leave
 * the waiting to whoever starts us again. Each round says in the log why. What waiting cannot mend,
 * such as a wrong password, ends it. */
static bool wait_for_database(struct postgres *pg, struct fault *fault)
{
	enum status status;
	do
		status = postgres_connect(pg, fault);
	while (status == STATUS_UNAVAILABLE && !program_is_signaled());
	return status == STATUS_OK;
}

/* Create what is missing in the database. Two servers may start at once. */
static bool apply_schema(void)
{
	struct fault fault;
	struct postgres *pg = open_database(START_PATIENCE_MS);
	bool connected = pg && wait_for_database(pg, &fault);
	bool applied = connected && postgres_run_script(pg, sql_schema) == STATUS_OK;
	if (pg && !connected)
		log_error("database.unreachable", LOG_TEXT("why", fault.what));
	else if (pg && !applied)
		log_error("database.schema_failed", LOG_TEXT("why", postgres_error(pg)->message));
	postgres_close(pg);
	return applied;
}

static bool database_is_there(void *connection)
{
	return postgres_execute(connection, &ready, POSTGRES_NO_PARAMETERS, NULL) == STATUS_OK;
}

/* Answer requests until a signal comes. Returns the exit code. */
static int listen_and_wait(struct app *app, struct metrics *metrics, struct http_health *health)
{
	struct http_server_options options = {
		.address = settings.address,
		.port = (uint16_t)settings.port,
		.routes = routes,
		.route_count = sizeof routes / sizeof *routes,
		.context = app,
		.worker_count = app->worker_count,
		.connections_max = (size_t)settings.connections_max,
		.head_ms_max = settings.head_ms,
		.body_ms_max = settings.body_ms,
		.idle_ms_max = settings.idle_ms,
		.request_ms_max = settings.request_ms,
		.tls_certificate = settings.tls_certificate,
		.tls_key = settings.tls_key,
		.metrics = metrics,
		.health = health,
		.access_log_fd = settings.access_log ? STDERR_FILENO : 0,
	};
	struct http_server *server;
	struct fault fault;
	if (http_server_open(&options, &server, &fault) != STATUS_OK) {
		log_error("server.failed", LOG_TEXT("where", fault.where),
			LOG_TEXT("why", fault.what));
		return 1;
	}
	printf("ready %s://%s:%u\n", settings.tls_key ? "https" : "http", settings.address,
		(unsigned)http_server_port(server));
	fflush(stdout);
	log_info("server.stopping", LOG_INTEGER("signal", program_wait_signal()));
	http_server_close(server);
	return 0;
}

static int serve(struct app *app, struct metrics *metrics)
{
	struct sweeper sweeper = {.stopping = false};
	if (!apply_schema() || !sweeper_start(&sweeper))
		return program_is_signaled() ? 0 : 1;
	struct postgres *checked = open_database(CHECK_PATIENCE_MS);
	const struct http_health_check check = {"postgres", database_is_there, checked};
	struct http_health *health = NULL;
	int code = 1;
	if (checked &&
		http_health_open(&(struct http_health_options){.checks = &check, .check_count = 1},
			&health) == STATUS_OK)
		code = listen_and_wait(app, metrics, health);
	http_health_close(health);
	postgres_close(checked);
	sweeper_stop(&sweeper);
	return code;
}
