/* Holds per second of the simplest implementation beside pgbench with the same transaction: what
 * its HTTP, its workers and its waiting cost, and the baseline that everything else has to beat.
 *
 * Holds run out soon and are free at once for whoever looks, so that a load never dries up; nobody
 * releases, and the sweeper sleeps, so that both sides do the same transactions. What buyers heard
 * is compared with the database after each load. */
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/measure.h"
#include "bench/report.h"
#include "bench/servers.h"
#include "lib/base/program.h"
#include "lib/testkit/postgres_fixture.h"
#include "simplest-implementation/bench/bench.sql.h"
#include "simplest-implementation/load_bench.h"

enum {
	CLIENTS_MAX = 64,
	READY_MS_MAX = 30000,
	PAUSE_US = 10000,
	LINE_SIZE = 64,
	SETTING_SIZE = 320
};

enum subject { SERVER, PGBENCH_BEST, PGBENCH_SAME, SUBJECT_COUNT };

/* The events of bench/bench.sql. */
static const struct {
	const char *event, *title;
	int64_t seats;
} fields[] = {
	{"00000000-0000-7000-8000-000000005000", "5,000 seats", 5000},
	{"00000000-0000-7000-8000-000000000100", "100 hot seats", 100},
};

enum { FIELD_COUNT = sizeof fields / sizeof fields[0] };

struct figures {
	struct series holds, answers, p50_ms, p99_ms, server_us, postgres_us;
	double failures;
};

struct bench {
	char folder[SCRATCH_PATH_SIZE];
	struct postgres_fixture postgres;
	PGconn *database;
	pid_t postmaster;
	struct server server;
	int64_t best[FIELD_COUNT]; /* How many clients pgbench likes best. */
	struct figures figures[FIELD_COUNT][SUBJECT_COUNT];
};

static int64_t seconds, rounds, clients, hold_ms;
static const char *result_path, *server_program;

static int read_settings(int argc, char **argv);
static void open_database(struct bench *bench);
static void start_server(struct bench *bench);
static void close_all(struct bench *bench);
static void find_best(struct bench *bench, size_t field);
static void run_round(struct bench *bench, int64_t round);
static enum status tell(const struct bench *bench);

int main(int argc, char **argv)
{
	static struct bench bench;
	int code = read_settings(argc, argv);
	if (code != PROGRAM_READY)
		return code;
	scratch_open(bench.folder);
	open_database(&bench);
	start_server(&bench);
	for (size_t field = 0; field < FIELD_COUNT; field++)
		find_best(&bench, field);
	for (int64_t round = 0; round < rounds; round++)
		run_round(&bench, round);
	close_all(&bench);
	return tell(&bench) == STATUS_OK ? 0 : 1;
}

static int read_settings(int argc, char **argv)
{
	static const struct config_setting table[] = {
		{.flag = "seconds",
			.kind = CONFIG_INTEGER,
			.value = &seconds,
			.fallback = "5",
			.min = 3,
			.max = 60,
			.help = "how long each load lasts"},
		{.flag = "rounds",
			.kind = CONFIG_INTEGER,
			.value = &rounds,
			.fallback = "7",
			.min = 1,
			.max = SERIES_MAX,
			.help = "interleaved rounds"},
		{.flag = "clients",
			.kind = CONFIG_INTEGER,
			.value = &clients,
			.fallback = "64",
			.min = 1,
			.max = CLIENTS_MAX,
			.help = "buyers, each on a connection"},
		{.flag = "hold",
			.kind = CONFIG_DURATION,
			.value = &hold_ms,
			.fallback = "100ms",
			.min = 100,
			.max = 60000,
			.help = "when a hold runs out"},
		{.flag = "server",
			.kind = CONFIG_TEXT,
			.value = &server_program,
			.fallback = SIMPLEST_SERVER,
			.help = "the server's program"},
		{.flag = "json",
			.kind = CONFIG_TEXT,
			.value = &result_path,
			.help = "the file that the result is written to"},
	};
	static const struct config_program program = {.name = "simplest_bench",
		.summary = "Holds per second of the simplest implementation beside pgbench with "
			   "the same transaction, each on a private PostgreSQL.",
		.version = "1",
		.settings = table,
		.setting_count = sizeof table / sizeof table[0]};
	return program_configure(&program, argc, argv, NULL);
}

/* ---- The programs ---- */

/* Run statements and return the first value, or 0 where there is none. */
static int64_t query(const struct bench *bench, const char *sql)
{
	PGresult *result = PQexec(bench->database, sql);
	ExecStatusType status = PQresultStatus(result);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		bench_fail("PostgreSQL: %s", PQerrorMessage(bench->database));
	int64_t value = 0;
	if (PQntuples(result) > 0)
		value = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return value;
}

/* The fields of /proc/PID/stat from the fourth on, behind the name, which may hold spaces. */
static const char *read_stat(pid_t process, char *line, int size)
{
	char path[LINE_SIZE];
	snprintf(path, sizeof path, "/proc/%d/stat", process);
	FILE *file = fopen(path, "re");
	const char *name_end = file && fgets(line, size, file) ? strrchr(line, ')') : NULL;
	if (file)
		fclose(file);
	if (!name_end)
		bench_fail("%s cannot be read", path);
	return name_end + strlen(") S ");
}

/* Of the children that have ended. */
static int64_t ended_cpu_ns(pid_t process)
{
	char line[1024];
	long long user, system;
	const char *rest = read_stat(process, line, sizeof line);
	if (sscanf(rest, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lld %lld", &user,
		    &system) != 2)
		bench_fail("the times of process %d cannot be read", process);
	return (user + system) * (1000000000 / sysconf(_SC_CLK_TCK));
}

/* Of the sessions that run. A session that has just ended counts nothing. */
static int64_t session_cpu_ns(pid_t postmaster)
{
	char path[LINE_SIZE], line[4096] = "";
	int64_t sum = 0;
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", postmaster, postmaster);
	FILE *file = fopen(path, "re");
	if (!file || !fgets(line, sizeof line, file))
		bench_fail("%s cannot be read", path);
	fclose(file);
	char *at = line, *end;
	for (long session; (session = strtol(at, &end, 10)) > 0; at = end) {
		long long used_ns;
		snprintf(path, sizeof path, "/proc/%ld/schedstat", session);
		file = fopen(path, "re");
		if (file && fscanf(file, "%lld", &used_ns) == 1)
			sum += used_ns;
		if (file)
			fclose(file);
	}
	return sum;
}

/* What PostgreSQL has used. The sessions of pgbench have ended when it is read, and are then in the
 * postmaster's account of its children. */
static int64_t postgres_cpu_ns(const struct bench *bench)
{
	int64_t ended_ns, running_ns;
	do { /* Again when a session ended meanwhile, which would be counted twice or never. */
		while (query(bench, bench_count_sessions) > 0)
			usleep(PAUSE_US);
		ended_ns = ended_cpu_ns(bench->postmaster);
		running_ns = session_cpu_ns(bench->postmaster);
	} while (ended_cpu_ns(bench->postmaster) != ended_ns);
	return ended_ns + running_ns;
}

static void open_database(struct bench *bench)
{
	char line[1024];
	setenv("ONSALE_SOURCE", SIMPLEST_SOURCE, 0);
	if (postgres_fixture_start(&bench->postgres, "bench") != STATUS_OK)
		bench_fail("there is no PostgreSQL");
	bench->database = PQconnectdb(bench->postgres.url);
	if (PQstatus(bench->database) != CONNECTION_OK)
		bench_fail("PostgreSQL: %s", PQerrorMessage(bench->database));
	bench->postmaster = (pid_t)strtol(
		read_stat(PQbackendPID(bench->database), line, sizeof line), NULL, 10);
}

/* As it is shipped, its access log included. */
static void start_server(struct bench *bench)
{
	char url[SETTING_SIZE], hold[LINE_SIZE], log[2 * SCRATCH_PATH_SIZE], line[LINE_SIZE];
	snprintf(url, sizeof url, "DATABASE_URL=%s", bench->postgres.url);
	snprintf(hold, sizeof hold, "HOLD_DURATION=%lldms", (long long)hold_ms);
	snprintf(log, sizeof log, "%s/server.log", bench->folder);
	const char *arguments[] = {server_program, NULL};
	const char *environment[] = {url, hold, "PORT=0", "SWEEP_INTERVAL=1h", "ADDRESS", NULL};
	struct process_options options = {
		.arguments = arguments, .environment = environment, .error_path = log};
	if (process_start(&bench->server.process, &options) != STATUS_OK ||
		process_wait_line(&bench->server.process, "ready http://127.0.0.1:", READY_MS_MAX,
			line, sizeof line) != STATUS_OK)
		bench_fail("%s does not get ready; %s says why", server_program, log);
	bench->server.port = (uint16_t)strtoul(strrchr(line, ':') + 1, NULL, 10);
	query(bench, bench_make);
}

static void close_all(struct bench *bench)
{
	server_stop(&bench->server);
	PQfinish(bench->database);
	postgres_fixture_stop(&bench->postgres);
	scratch_close(bench->folder);
}

/* ---- Loading ---- */

static void begin_anew(const struct bench *bench)
{
	query(bench, bench_begin_anew);
	query(bench, bench_vacuum);
	query(bench, bench_checkpoint);
}

/* Each hold that a buyer heard of is in the database with the record of its key, and no other. */
static void judge(const struct bench *bench, const struct load_outcome *outcome)
{
	int64_t holds = query(bench, bench_count_holds), keys = query(bench, bench_count_keys);
	if (holds != keys || (outcome->failures == 0 && holds != outcome->holds))
		bench_fail("buyers heard of %lld holds, the database has %lld and %lld keys",
			(long long)outcome->holds, (long long)holds, (long long)keys);
}

static void run_load(struct bench *bench, const struct load *load, enum subject subject,
	struct load_outcome *outcome)
{
	const struct pgbench_options options = {
		.url = bench->postgres.url, .folder = bench->folder};
	if (subject == SERVER)
		load_by_buyers(load, bench->server.port, outcome);
	else
		load_by_pgbench(load, &options, outcome);
}

static struct load load_of(const struct bench *bench, size_t field, enum subject subject)
{
	return (struct load){.event = fields[field].event,
		.seats = fields[field].seats,
		.hold_ms = hold_ms,
		.clients = subject == PGBENCH_BEST ? bench->best[field] : clients,
		.seconds = seconds};
}

/* The rival may choose; what is chosen here is measured anew in the rounds. */
static void find_best(struct bench *bench, size_t field)
{
	static struct load_outcome outcome;
	double best = -1;
	fprintf(stderr, "pgbench on %s:", fields[field].title);
	for (int64_t count = 1; count <= CLIENTS_MAX; count *= 2) {
		struct load load = load_of(bench, field, PGBENCH_SAME);
		load.clients = count;
		begin_anew(bench);
		run_load(bench, &load, PGBENCH_SAME, &outcome);
		double rate = (double)query(bench, bench_count_holds) / outcome.seconds;
		fprintf(stderr, " %lld:%.0f", (long long)count, rate);
		if (rate > best) {
			best = rate;
			bench->best[field] = count;
		}
	}
	fprintf(stderr, "\n");
}

static void run_subject(struct bench *bench, size_t field, enum subject subject)
{
	static struct load_outcome outcome;
	struct figures *figures = &bench->figures[field][subject];
	const struct load load = load_of(bench, field, subject);
	pid_t server = bench->server.process.pid;
	begin_anew(bench);
	int64_t server_ns = measure_cpu_ns(server), postgres_ns = postgres_cpu_ns(bench);
	run_load(bench, &load, subject, &outcome);
	server_ns = measure_cpu_ns(server) - server_ns;
	postgres_ns = postgres_cpu_ns(bench) - postgres_ns;
	if (subject == SERVER)
		judge(bench, &outcome);
	else
		outcome.holds = query(bench, bench_count_holds);
	double answers = (double)outcome.answers;
	series_add(&figures->holds, (double)outcome.holds / outcome.seconds);
	series_add(&figures->answers, answers / outcome.seconds);
	series_add(&figures->p50_ms, (double)histogram_percentile_ns(&outcome.latencies, 50) / 1e6);
	series_add(&figures->p99_ms, (double)histogram_percentile_ns(&outcome.latencies, 99) / 1e6);
	series_add(&figures->server_us, (double)server_ns / 1000 / answers);
	series_add(&figures->postgres_us, (double)postgres_ns / 1000 / answers);
	figures->failures += (double)outcome.failures;
	fprintf(stderr, " %.0f", figures->holds.values[figures->holds.count - 1]);
}

/* Every other round goes backwards, so that no subject always comes after the same one. */
static void run_round(struct bench *bench, int64_t round)
{
	const size_t count = (size_t)FIELD_COUNT * SUBJECT_COUNT;
	fprintf(stderr, "round %lld:", (long long)round + 1);
	for (size_t i = 0; i < count; i++) {
		size_t turn = round % 2 == 0 ? i : count - 1 - i;
		run_subject(bench, turn / SUBJECT_COUNT, (enum subject)(turn % SUBJECT_COUNT));
	}
	fprintf(stderr, "\n");
}

/* ---- Telling ---- */

static void tell_row(
	const struct bench *bench, struct report *report, size_t field, enum subject subject)
{
	const struct figures *figures = &bench->figures[field][subject];
	const struct load load = load_of(bench, field, subject);
	char title[LINE_SIZE];
	snprintf(title, sizeof title, "%s, %s, %lld %s", fields[field].title,
		subject == SERVER ? "server" : "pgbench", (long long)load.clients,
		subject == SERVER ? "buyers" : "clients");
	json_t *row = report_row(report, "what", title);
	report_cell(row, "holds", &figures->holds, BETTER_MORE);
	report_cell(row, "answers", &figures->answers, BETTER_MORE);
	report_cell(row, "p50", &figures->p50_ms, BETTER_LESS);
	report_cell(row, "p99", &figures->p99_ms, BETTER_LESS);
	if (subject == SERVER)
		report_cell(row, "server", &figures->server_us, BETTER_LESS);
	else
		json_object_set_new(row, "server", json_null());
	report_cell(row, "postgres", &figures->postgres_us, BETTER_LESS);
	report_number(row, "failed", figures->failures);
}

static void tell_rows(const struct bench *bench, struct report *report)
{
	report_column(report, "what", "Load", 0);
	report_column(report, "holds", "Holds/s", 0);
	report_column(report, "answers", "Answers/s", 0);
	report_column(report, "p50", "p50, ms", 1);
	report_column(report, "p99", "p99, ms", 1);
	report_column(report, "server", "Server's CPU, µs per answer", 0);
	report_column(report, "postgres", "PostgreSQL's CPU, µs per answer", 0);
	report_column(report, "failed", "Failed", 0);
	for (size_t field = 0; field < FIELD_COUNT; field++)
		for (size_t subject = 0; subject < SUBJECT_COUNT; subject++)
			tell_row(bench, report, field, (enum subject)subject);
}

static void tell_ratios(const struct bench *bench, struct report *report)
{
	for (size_t field = 0; field < FIELD_COUNT; field++) {
		const struct figures *figures = bench->figures[field];
		char what[2 * LINE_SIZE];
		snprintf(what, sizeof what, "holds/s on %s ÷ pgbench at its best",
			fields[field].title);
		struct series holds =
			series_divide(&figures[SERVER].holds, &figures[PGBENCH_BEST].holds);
		report_ratio(report,
			&(struct report_ratio){.id = "holds",
				.what = what,
				.must = 0.6,
				.aim = 0.8,
				.better = BETTER_MORE},
			&holds);
		snprintf(what, sizeof what, "p99 on %s ÷ pgbench with as many clients",
			fields[field].title);
		struct series p99 =
			series_divide(&figures[SERVER].p99_ms, &figures[PGBENCH_SAME].p99_ms);
		report_ratio(report,
			&(struct report_ratio){.id = "p99",
				.what = what,
				.must = 1,
				.aim = 0.5,
				.better = BETTER_LESS},
			&p99);
	}
}

static enum status tell(const struct bench *bench)
{
	struct report *report = report_new("simplest-holds",
		"Holds of the simplest implementation beside pgbench", (size_t)rounds);
	tell_rows(bench, report);
	tell_ratios(bench, report);
	report_limit(report, "%lld s per load", (long long)seconds);
	report_limit(report, "load and servers share the cores");
	report_limit(report, "16 workers");
	report_limit(report, "fsync and synchronous_commit on");
	report_note(report,
		"Each request is for one random seat, and its answer is a hold or a refusal (409); "
		"the difference of the two rates are refusals. Latencies and CPU times are of all "
		"answers.");
	report_note(report,
		"A hold runs out after %lld ms and is free at once for whoever looks, so that the "
		"load never dries up, nobody releases and nothing is swept; 100 seats give at most "
		"%lld holds/s.",
		(long long)hold_ms, 100 * 1000 / (long long)hold_ms);
	report_note(report,
		"pgbench runs simplest-implementation/bench/hold.pgbench, prepared, with the "
		"number "
		"of clients among 1, 2, 4 … 64 that holds most, and with as many as there are "
		"buyers. Its rates begin when all have connected; PostgreSQL's CPU has the "
		"connecting too.");
	return report_finish(report, result_path);
}
