/* Orders per second from intent to paid, beside pgbench making the same transitions one by one:
 * what batches win, with HTTP, a provider and its answers on top. And what slow answers of the
 * provider do to everybody else: nothing.
 *
 * Provider, server and PostgreSQL are private programs, each load begins with an empty table, and
 * after it every order must be paid once, or the bench fails. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/database.h"
#include "bench/measure.h"
#include "bench/report.h"
#include "bench/servers.h"
#include "lib/base/program.h"
#include "lib/testkit/http_client.h"
#include "lib/testkit/postgres_fixture.h"
#include "tech-two-phase-payments/bench/bench.sql.h"
#include "tech-two-phase-payments/orders_load_bench.h"

#define ADMIN_TOKEN "admin-of-the-bench"
#define PROVIDER_KEY "sk_test_of_the_bench"

enum {
	READY_MS_MAX = 30000,
	STOP_MS_MAX = 20000,
	CLIENTS_MAX = 64,
	LINE_SIZE = 128,
	SETTING_SIZE = 320,
	SLOW_MS = 10000,
	NEVER_MS = 1000000,
};

enum scene { SCENE_AT_ONCE, SCENE_SLOWLY, SCENE_SOME_LATE, SCENE_COUNT };

/* What the provider does, and what the load is. */
static const struct {
	const char *title;
	const char *faults[2];
	int64_t under_way, slow_ms;
} scenes[SCENE_COUNT] = {
	[SCENE_AT_ONCE] = {"server, the provider answers at once", {NULL}, 1000, NEVER_MS},
	[SCENE_SLOWLY] = {"server, each answer takes 200 ms",
		{"{\"fault\":\"slow\",\"rate\":1,\"ms\":200}"}, 2000, NEVER_MS},
	[SCENE_SOME_LATE] = {"… and 1 % of them 10 s",
		{"{\"fault\":\"slow\",\"rate\":1,\"ms\":200}",
			"{\"fault\":\"slow\",\"rate\":0.01,\"seed\":1,\"ms\":10000}"},
		2000, SLOW_MS},
};

struct figures {
	struct series rate, p50_ms, p99_ms, server_us, calls, order_kib;
	double failures, slow_percent;
};

struct bench {
	char folder[SCRATCH_PATH_SIZE];
	struct postgres_fixture postgres;
	PGconn *database;
	struct server provider, server;
	int64_t best; /* How many clients pgbench likes best. */
	struct series pgbench;
	struct figures figures[SCENE_COUNT];
	struct http_client client; /* Of the server, for its metrics. */
	double calls_sum, calls_count, bytes_before, bytes_most;
};

static int64_t seconds, rounds, slow_seconds, clients_max;
static const char *result_path;

static int read_settings(int argc, char **argv);
static void open_all(struct bench *bench);
static void close_all(struct bench *bench);
static double run_pgbench(struct bench *bench, int64_t clients);
static void find_best(struct bench *bench);
static void run_scene(struct bench *bench, enum scene scene);
static enum status tell(const struct bench *bench);

int main(int argc, char **argv)
{
	static struct bench bench;
	int code = read_settings(argc, argv);
	if (code != PROGRAM_READY)
		return code;
	open_all(&bench);
	find_best(&bench);
	for (int64_t round = 0; round < rounds; round++) {
		fprintf(stderr, "round %lld:", (long long)round + 1);
		/* Every other round goes backwards, so that none always comes after the same. */
		for (int turn = 0; turn <= SCENE_COUNT; turn++) {
			int which = round % 2 == 0 ? turn : SCENE_COUNT - turn;
			if (which < SCENE_COUNT)
				run_scene(&bench, (enum scene)which);
			else
				series_add(&bench.pgbench, run_pgbench(&bench, bench.best));
		}
		fprintf(stderr, "\n");
	}
	close_all(&bench);
	return tell(&bench) == STATUS_OK ? 0 : 1;
}

static int read_settings(int argc, char **argv)
{
	static const struct config_setting table[] = {
		{.flag = "seconds",
			.kind = CONFIG_INTEGER,
			.value = &seconds,
			.fallback = "6",
			.min = 2,
			.max = 60,
			.help = "how long each load lasts"},
		{.flag = "slow-seconds",
			.kind = CONFIG_INTEGER,
			.value = &slow_seconds,
			.fallback = "16",
			.min = 2,
			.max = 60,
			.help = "how long one with slow answers lasts"},
		{.flag = "rounds",
			.kind = CONFIG_INTEGER,
			.value = &rounds,
			.fallback = "5",
			.min = 1,
			.max = SERIES_MAX,
			.help = "interleaved rounds"},
		{.flag = "clients-max",
			.kind = CONFIG_INTEGER,
			.value = &clients_max,
			.fallback = "64",
			.min = 1,
			.max = CLIENTS_MAX,
			.help = "the most clients that pgbench may have"},
		{.flag = "json",
			.kind = CONFIG_TEXT,
			.value = &result_path,
			.help = "the file that the result is written to"},
	};
	static const struct config_program program = {.name = "orders_bench",
		.summary = "Orders per second from intent to paid, beside pgbench with the same "
			   "transitions one by one, each on a private PostgreSQL.",
		.version = "1",
		.settings = table,
		.setting_count = sizeof table / sizeof table[0]};
	return program_configure(&program, argc, argv, NULL);
}

/* ---- The programs ---- */

static void query(const struct bench *bench, const char *sql)
{
	(void)bench_query(bench->database, sql, NULL, 0);
}

/* Start one that says when it is ready, as it is shipped, its access log included. */
static void start(const struct bench *bench, struct server *server, const char *program,
	const char *const environment[])
{
	char log[2 * SCRATCH_PATH_SIZE], line[LINE_SIZE];
	const char *arguments[] = {program, NULL};
	snprintf(log, sizeof log, "%s/log", bench->folder);
	struct process_options options = {
		.arguments = arguments, .environment = environment, .error_path = log};
	if (process_start(&server->process, &options) != STATUS_OK ||
		process_wait_line(&server->process, "ready http://127.0.0.1:", READY_MS_MAX, line,
			sizeof line) != STATUS_OK)
		bench_fail("%s does not get ready; %s says why", program, log);
	server->port = (uint16_t)strtoul(strrchr(line, ':') + 1, NULL, 10);
}

static void start_provider(struct bench *bench)
{
	char data[SETTING_SIZE];
	snprintf(data, sizeof data, "SIMULATOR_DATA=%s/provider", bench->folder);
	const char *environment[] = {data, "PORT=0", ("PROVIDER_KEYS=" PROVIDER_KEY),
		("ADMIN_TOKEN=" ADMIN_TOKEN), "PROVIDER_KEYS_FILE", "ADMIN_TOKEN_FILE", "ADDRESS",
		"WEBHOOK_URL", NULL};
	start(bench, &bench->provider, ORDERS_PROVIDER, environment);
}

static void start_server(struct bench *bench)
{
	char url[SETTING_SIZE], provider[SETTING_SIZE];
	snprintf(url, sizeof url, "DATABASE_URL=%s", bench->postgres.url);
	snprintf(provider, sizeof provider, "STRIPE_BASE_URL=http://127.0.0.1:%u",
		(unsigned)bench->provider.port);
	const char *environment[] = {url, provider, "PORT=0", ("STRIPE_SECRET_KEY=" PROVIDER_KEY),
		("ADMIN_TOKEN=" ADMIN_TOKEN), "STRIPE_SECRET_KEY_FILE", "ADMIN_TOKEN_FILE",
		"DATABASE_URL_FILE", "STRIPE_WEBHOOK_SECRET", "STRIPE_WEBHOOK_SECRET_FILE",
		"ADDRESS", NULL};
	start(bench, &bench->server, ORDERS_SERVER, environment);
	http_client_init(&bench->client, bench->server.port);
}

static void stop_server(struct bench *bench)
{
	http_client_release(&bench->client);
	process_signal(&bench->server.process, SIGTERM);
	if (process_wait(&bench->server.process, STOP_MS_MAX) != STATUS_OK ||
		bench->server.process.exit_code != 0)
		bench_fail("the server did not end well");
	process_release(&bench->server.process);
}

static void open_all(struct bench *bench)
{
	scratch_open(bench->folder);
	setenv("ONSALE_SOURCE", ORDERS_SOURCE, 0);
	if (postgres_fixture_start(&bench->postgres, "bench") != STATUS_OK)
		bench_fail("there is no PostgreSQL");
	bench->database = bench_connect(bench->postgres.url);
	start_provider(bench);
	start_server(bench); /* It makes the tables, which pgbench needs first. */
	stop_server(bench);
}

static void close_all(struct bench *bench)
{
	process_release(&bench->provider.process);
	PQfinish(bench->database);
	postgres_fixture_stop(&bench->postgres);
	scratch_close(bench->folder);
}

static void begin_anew(const struct bench *bench)
{
	query(bench, bench_begin_anew);
	query(bench, bench_checkpoint);
}

/* ---- pgbench ---- */

static double run_pgbench(struct bench *bench, int64_t clients)
{
	begin_anew(bench);
	double orders = pgbench_rate(&(struct pgbench){.url = bench->postgres.url,
		.script = ORDERS_PGBENCH,
		.folder = bench->folder,
		.clients = clients,
		.seconds = seconds});
	if (bench_query(bench->database, bench_judge, NULL, 0) > (double)clients)
		bench_fail("pgbench has left orders that are not paid");
	fprintf(stderr, " %.0f", orders);
	return orders;
}

/* The rival may choose; what is chosen here is measured anew in the rounds. */
static void find_best(struct bench *bench)
{
	double best = -1;
	fprintf(stderr, "pgbench:");
	for (int64_t count = 1; count <= clients_max; count *= 2) {
		fprintf(stderr, " %lld:", (long long)count);
		double rate = run_pgbench(bench, count);
		if (rate > best) {
			best = rate;
			bench->best = count;
		}
	}
	fprintf(stderr, "\n");
}

/* ---- The server ---- */

static void ask_provider(
	const struct bench *bench, const char *method, const char *body, int status)
{
	struct http_client client;
	struct http_client_reply reply = {0};
	http_client_init(&client, bench->provider.port);
	if (http_client_call(&client, method, "/simulator/faults",
		    "Authorization: Bearer " ADMIN_TOKEN "\r\n", body, &reply) != HTTP_CLIENT_OK ||
		reply.status != status)
		bench_fail("the provider does not do as it is told");
	http_client_reply_release(&reply);
	http_client_release(&client);
}

/* The sum of a gauge over its labels. */
static double gauge(const char *metrics, const char *name)
{
	double sum = 0;
	size_t size = strlen(name);
	for (const char *line = metrics; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		const char *value = strncmp(line, name, size) == 0 && line[size] == '{'
			? strchr(line, '}')
			: NULL;
		if (value)
			sum += strtod(value + 1, NULL);
	}
	return sum;
}

/* Calls in flight, and the server's memory. */
static void sample(void *context)
{
	struct bench *bench = context;
	struct http_client_reply reply = {0};
	if (http_client_call(&bench->client, "GET", "/metrics", NULL, NULL, &reply) !=
			HTTP_CLIENT_OK ||
		reply.status != 200)
		bench_fail("the server does not tell its metrics");
	double bytes = (double)measure_process_bytes(bench->server.process.pid);
	bench->calls_sum += gauge(reply.body, "stage_in_flight");
	bench->calls_count++;
	bench->bytes_most = bytes > bench->bytes_most ? bytes : bench->bytes_most;
	http_client_reply_release(&reply);
}

static void run_scene(struct bench *bench, enum scene scene)
{
	struct figures *figures = &bench->figures[scene];
	struct orders_outcome outcome;
	begin_anew(bench);
	start_server(bench);
	for (size_t i = 0; i < 2 && scenes[scene].faults[i]; i++)
		ask_provider(bench, "POST", scenes[scene].faults[i], 201);
	pid_t server = bench->server.process.pid;
	bench->bytes_before = (double)measure_process_bytes(server);
	bench->bytes_most = bench->calls_sum = bench->calls_count = 0;
	int64_t cpu_ns = measure_cpu_ns(server);
	const struct orders_load load = {.port = bench->server.port,
		.url = bench->postgres.url,
		.under_way = scenes[scene].under_way,
		.seconds = scene == SCENE_AT_ONCE ? seconds : slow_seconds,
		.slow_ms = scenes[scene].slow_ms,
		.meanwhile = sample,
		.context = bench};
	orders_load_run(&load, bench->database, &outcome);
	cpu_ns = measure_cpu_ns(server) - cpu_ns;
	ask_provider(bench, "DELETE", NULL, 204);
	stop_server(bench);
	series_add(&figures->rate, outcome.rate);
	series_add(&figures->p50_ms, outcome.p50_ms);
	series_add(&figures->p99_ms, outcome.p99_ms);
	series_add(&figures->server_us, (double)cpu_ns / 1000 / (double)outcome.paid);
	series_add(&figures->calls, bench->calls_sum / bench->calls_count);
	series_add(&figures->order_kib,
		(bench->bytes_most - bench->bytes_before) / outcome.under_way / 1024);
	figures->failures += (double)outcome.failures;
	figures->slow_percent = outcome.slow_percent;
	fprintf(stderr, " %.0f", outcome.rate);
}

/* ---- Telling ---- */

static void tell_rows(const struct bench *bench, struct report *report)
{
	char title[LINE_SIZE];
	report_column(report, "what", "Load", 0);
	report_column(report, "rate", "Orders/s", 0);
	report_column(report, "p50", "p50, ms", 0);
	report_column(report, "p99", "p99, ms", 0);
	report_column(report, "calls", "Orders at the provider", 0);
	report_column(report, "server", "Server's CPU, µs per order", 0);
	report_column(report, "memory", "Memory, KiB per order under way", 1);
	report_column(report, "failed", "Failed requests", 0);
	snprintf(title, sizeof title, "pgbench, %lld clients", (long long)bench->best);
	json_t *row = report_row(report, "what", title);
	report_cell(row, "rate", &bench->pgbench, BETTER_MORE);
	static const char *const none[] = {"p50", "p99", "calls", "server", "memory", "failed"};
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		json_object_set_new(row, none[i], json_null());
	for (size_t i = 0; i < SCENE_COUNT; i++) {
		const struct figures *figures = &bench->figures[i];
		row = report_row(report, "what", scenes[i].title);
		report_cell(row, "rate", &figures->rate, BETTER_MORE);
		report_cell(row, "p50", &figures->p50_ms, BETTER_LESS);
		report_cell(row, "p99", &figures->p99_ms, BETTER_LESS);
		report_cell(row, "calls", &figures->calls, BETTER_MORE);
		report_cell(row, "server", &figures->server_us, BETTER_LESS);
		report_cell(row, "memory", &figures->order_kib, BETTER_LESS);
		report_number(row, "failed", figures->failures);
	}
}

static void tell_ratios(const struct bench *bench, struct report *report)
{
	const struct figures *figures = bench->figures;
	struct series rate = series_divide(&figures[SCENE_AT_ONCE].rate, &bench->pgbench);
	struct series p99 =
		series_divide(&figures[SCENE_SOME_LATE].p99_ms, &figures[SCENE_SLOWLY].p99_ms);
	report_ratio(report,
		&(struct report_ratio){.id = "G3",
			.what = "orders/s, intent to paid ÷ pgbench at its best, the same "
				"transitions one by one",
			.must = 1.5,
			.better = BETTER_MORE},
		&rate);
	report_ratio(report,
		&(struct report_ratio){.id = "p99",
			.what = "p99 of the others with 1 % of the answers taking 10 s ÷ without",
			.must = 1.2,
			.better = BETTER_LESS},
		&p99);
}

static enum status tell(const struct bench *bench)
{
	struct report *report =
		report_new("orders", "Orders from intent to paid, beside pgbench", (size_t)rounds);
	tell_rows(bench, report);
	tell_ratios(bench, report);
	report_limit(report, "%lld s per load, %lld s with slow answers", (long long)seconds,
		(long long)slow_seconds);
	report_limit(report, "load, server, provider simulator and PostgreSQL share the cores");
	report_limit(report, "1,000 orders at once where answers come at once, else 2,000");
	report_limit(report, "fsync and synchronous_commit on");
	report_note(report,
		"An order is three requests of its client over HTTP (make, confirm, finalize), "
		"three calls to the provider (make an intent, authorize, capture) and nine "
		"transitions in the database. pgbench makes only the transitions, prepared, with "
		"the number of clients among 1, 2, 4 … %lld that it likes best.",
		(long long)clients_max);
	report_note(report,
		"Times are from intent to paid by the database's clock, the wait for whoever "
		"finalizes included, and in the last row of those orders that took less than 10 s; "
		"%.1f %% took longer, since each makes three calls.",
		bench->figures[SCENE_SOME_LATE].slow_percent);
	report_note(report,
		"Orders at the provider are claimed by a stage and not moved on yet: each is one "
		"call in flight. After each load every order is paid once, or there is no figure.");
	return report_finish(report, result_path);
}
