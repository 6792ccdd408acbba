/* Holds per second of each technique of the seat store, beside pgbench with one transaction per
 * hold, on the same private PostgreSQL and the same tables.
 *
 * Holds run out soon and are free at once for whoever asks, so that a load never dries up; nobody
 * releases, and nothing is tidied up. Everybody gets the number of clients that they like best.
 * What the clients heard is compared with the database after each load. */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/measure.h"
#include "bench/report.h"
#include "bench/servers.h"
#include "lib/base/program.h"
#include "lib/testkit/postgres_fixture.h"
#include "lib/testkit/redis_fixture.h"
#include "tech-locking-and-transactions/bench/bench.sql.h"
#include "tech-locking-and-transactions/seat_load_bench.h"

enum { LINE_SIZE = 96, CLIENT_CHOICES = 7 };

static const struct field {
	const char *title, *event, *script;
	int64_t seats, count, hold_ms, clients_max;
	const char *goal; /* The ratio's id, for the batched form. */
	double must, aim;
	const char *guard_goal; /* That of the guard before it to itself. */
	bool by_answers;        /* What counts is how fast everybody is told. */
} fields[] = {
	{"50,000 seats", "00000000-0000-7000-8000-000000050000", "hold_one.pgbench", 50000, 1, 100,
		0, "G2", 3, 4.5, "guard, 50,000", false},
	{"100 hot seats", "00000000-0000-7000-8000-000000000100", "hold_one.pgbench", 100, 1, 1, 64,
		"G2h", 4, 8, "guard, 100", false},
	{"groups of 4", "00000000-0000-7000-8000-000000050000", "hold.pgbench", 50000, 4, 100, 0,
		"groups", 0, 0, "guard, groups", false},
	{"100 seats that stay held", "00000000-0000-7000-8000-000000000100", "hold_one.pgbench",
		100, 1, 3600000, 64, "held", 0, 0, "guard, held", true},
};

static const struct subject {
	const char *title;
	const char *script; /* Of pgbench; "" is the field's own. */
	enum postgres_seats_technique technique;
	bool guarded;
	int64_t clients[CLIENT_CHOICES]; /* To choose from. */
	int64_t count_max;               /* The most seats that it can hold at once. */
} subjects[] = {
	{"pgbench", "", 0, false, {1, 2, 4, 8, 16, 32, 64}, 8},
	{"pgbench, one conditional statement", "conditional.pgbench", 0, false, {8, 32, 64}, 1},
	{"pessimistic", NULL, POSTGRES_SEATS_PESSIMISTIC, false, {8, 32, 64}, 8},
	{"optimistic", NULL, POSTGRES_SEATS_OPTIMISTIC, false, {8, 32, 64}, 8},
	{"batched", NULL, POSTGRES_SEATS_BATCHED, false, {64, 128, 256, 512}, 8},
	{"batched with guard", NULL, POSTGRES_SEATS_BATCHED, true, {64, 128, 256, 512}, 8},
};

enum {
	FIELD_COUNT = sizeof fields / sizeof fields[0],
	SUBJECT_COUNT = sizeof subjects / sizeof subjects[0],
	PGBENCH = 0,
	GUARDED = SUBJECT_COUNT - 1,
	BATCHED = GUARDED - 1,
};

struct figures {
	struct series holds, answers, p50_ms, p99_ms;
	int64_t clients; /* That it likes best. */
};

struct bench {
	char folder[SCRATCH_PATH_SIZE];
	struct postgres_fixture postgres;
	struct redis_fixture redis; /* The guard's. */
	PGconn *database;
	struct figures figures[FIELD_COUNT][SUBJECT_COUNT];
};

static int64_t seconds, rounds, sweep_seconds;
static const char *result_path;

static int read_settings(int argc, char **argv);
static void open_database(struct bench *bench);
static void close_database(struct bench *bench);
static void find_best(struct bench *bench, size_t field, size_t subject);
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
	for (size_t field = 0; field < FIELD_COUNT; field++)
		for (size_t subject = 0; subject < SUBJECT_COUNT; subject++)
			find_best(&bench, field, subject);
	for (int64_t round = 0; round < rounds; round++)
		run_round(&bench, round);
	close_database(&bench);
	return tell(&bench) == STATUS_OK ? 0 : 1;
}

static int read_settings(int argc, char **argv)
{
	static const struct config_setting table[] = {
		{.flag = "seconds",
			.kind = CONFIG_INTEGER,
			.value = &seconds,
			.fallback = "4",
			.min = 1,
			.max = 60,
			.help = "how long each load lasts"},
		{.flag = "sweep",
			.kind = CONFIG_INTEGER,
			.value = &sweep_seconds,
			.fallback = "2",
			.min = 1,
			.max = 60,
			.help = "how long each number of clients is tried"},
		{.flag = "rounds",
			.kind = CONFIG_INTEGER,
			.value = &rounds,
			.fallback = "5",
			.min = 1,
			.max = SERIES_MAX,
			.help = "interleaved rounds"},
		{.flag = "json",
			.kind = CONFIG_TEXT,
			.value = &result_path,
			.help = "the file that the result is written to"},
	};
	static const struct config_program program = {.name = "seat_store_bench",
		.summary = "Holds per second of each technique of the seat store beside pgbench.",
		.version = "1",
		.settings = table,
		.setting_count = sizeof table / sizeof table[0]};
	return program_configure(&program, argc, argv, NULL);
}

/* ---- The database ---- */

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

static void open_database(struct bench *bench)
{
	struct seat_store *store;
	struct fault fault = {0};
	setenv("ONSALE_SOURCE", SEATS_SOURCE, 0);
	if (postgres_fixture_start(&bench->postgres, "seats-bench") != STATUS_OK)
		bench_fail("there is no PostgreSQL");
	if (redis_fixture_start(&bench->redis, "seats-bench") != STATUS_OK)
		bench_fail("there is no Redis");
	struct postgres_seats_options options = {.url = bench->postgres.url};
	if (postgres_seats_open(&options, &store, &fault) != STATUS_OK)
		bench_fail("%s: %s", fault.where, fault.what);
	seat_store_close(store);
	bench->database = PQconnectdb(bench->postgres.url);
	if (PQstatus(bench->database) != CONNECTION_OK)
		bench_fail("PostgreSQL: %s", PQerrorMessage(bench->database));
	query(bench, bench_make);
}

static void close_database(struct bench *bench)
{
	PQfinish(bench->database);
	redis_fixture_stop(&bench->redis);
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

static void load_once(struct bench *bench, size_t field, size_t subject, int64_t clients,
	int64_t load_seconds, struct seat_load_outcome *outcome)
{
	const struct seat_load load = {.url = bench->postgres.url,
		.guard_url = subjects[subject].guarded ? bench->redis.url : NULL,
		.event = fields[field].event,
		.seats = fields[field].seats,
		.count = fields[field].count,
		.hold_ms = fields[field].hold_ms,
		.clients = clients,
		.seconds = load_seconds};
	const char *script = subjects[subject].script;
	if (subjects[subject].guarded && redis_fixture_empty(&bench->redis) != STATUS_OK)
		bench_fail("Redis cannot be emptied");
	begin_anew(bench);
	if (script)
		seat_load_by_pgbench(
			&load, script[0] ? script : fields[field].script, bench->folder, outcome);
	else if (subjects[subject].technique == POSTGRES_SEATS_BATCHED)
		seat_load_by_lane(&load, subjects[subject].technique, outcome);
	else
		seat_load_by_threads(&load, subjects[subject].technique, outcome);
	int64_t stored = query(bench, bench_count_holds);
	if (!script && stored != outcome->holds)
		bench_fail("%s: %lld holds were granted and %lld are stored",
			subjects[subject].title, (long long)outcome->holds, (long long)stored);
	outcome->holds = stored;
}

static bool can(size_t field, size_t subject)
{
	return fields[field].count <= subjects[subject].count_max;
}

static void find_best(struct bench *bench, size_t field, size_t subject)
{
	static struct seat_load_outcome outcome;
	struct figures *figures = &bench->figures[field][subject];
	double most = -1;
	for (size_t i = 0; can(field, subject) && i < CLIENT_CHOICES; i++) {
		int64_t clients = subjects[subject].clients[i];
		if (clients == 0 ||
			(fields[field].clients_max > 0 && clients > fields[field].clients_max))
			continue;
		load_once(bench, field, subject, clients, sweep_seconds, &outcome);
		int64_t done = fields[field].by_answers ? outcome.answers : outcome.holds;
		double rate = (double)done / outcome.seconds;
		if (rate <= most)
			continue;
		most = rate;
		figures->clients = clients;
	}
}

/* Each round begins with another subject, so that none always follows the same one. */
static void run_round(struct bench *bench, int64_t round)
{
	static struct seat_load_outcome outcome;
	for (size_t field = 0; field < FIELD_COUNT; field++) {
		for (size_t i = 0; i < SUBJECT_COUNT; i++) {
			size_t subject = (i + (size_t)round) % SUBJECT_COUNT;
			struct figures *figures = &bench->figures[field][subject];
			if (!can(field, subject))
				continue;
			load_once(bench, field, subject, figures->clients, seconds, &outcome);
			series_add(&figures->holds, (double)outcome.holds / outcome.seconds);
			series_add(&figures->answers, (double)outcome.answers / outcome.seconds);
			series_add(&figures->p50_ms,
				(double)histogram_percentile_ns(&outcome.latencies, 50) / 1e6);
			series_add(&figures->p99_ms,
				(double)histogram_percentile_ns(&outcome.latencies, 99) / 1e6);
		}
	}
}

/* ---- Telling ---- */

static void tell_row(const struct bench *bench, struct report *report, size_t field, size_t subject)
{
	const struct figures *figures = &bench->figures[field][subject];
	char title[LINE_SIZE];
	snprintf(title, sizeof title, "%s, %s, %lld clients", fields[field].title,
		subjects[subject].title, (long long)figures->clients);
	json_t *row = report_row(report, "what", title);
	report_cell(row, "holds", &figures->holds, BETTER_MORE);
	report_cell(row, "answers", &figures->answers, BETTER_MORE);
	report_cell(row, "p50", &figures->p50_ms, BETTER_LESS);
	report_cell(row, "p99", &figures->p99_ms, BETTER_LESS);
}

static void tell_ratio(const struct bench *bench, struct report *report, size_t field,
	const struct report_ratio *ratio, size_t subject, size_t base)
{
	const struct figures *figures = bench->figures[field];
	bool by_answers = fields[field].by_answers;
	char what[LINE_SIZE];
	snprintf(what, sizeof what, "%s: %s %s ÷ %s", fields[field].title, subjects[subject].title,
		by_answers ? "answers/s" : "holds/s", subjects[base].title);
	struct series ratios = by_answers
		? series_divide(&figures[subject].answers, &figures[base].answers)
		: series_divide(&figures[subject].holds, &figures[base].holds);
	struct report_ratio told = *ratio;
	told.what = what;
	told.better = BETTER_MORE;
	report_ratio(report, &told, &ratios);
}

static void tell_ratios(const struct bench *bench, struct report *report, size_t field)
{
	tell_ratio(bench, report, field,
		&(struct report_ratio){.id = fields[field].goal,
			.must = fields[field].must,
			.aim = fields[field].aim},
		BATCHED, PGBENCH);
	tell_ratio(bench, report, field, &(struct report_ratio){.id = fields[field].guard_goal},
		GUARDED, BATCHED);
}

static enum status tell(const struct bench *bench)
{
	struct report *report = report_new("seat-store", "Holds of the seat store", (size_t)rounds);
	report_column(report, "what", "Load", 0);
	report_column(report, "holds", "Holds/s", 0);
	report_column(report, "answers", "Answers/s", 0);
	report_column(report, "p50", "p50, ms", 1);
	report_column(report, "p99", "p99, ms", 1);
	for (size_t field = 0; field < FIELD_COUNT; field++)
		for (size_t subject = 0; subject < SUBJECT_COUNT; subject++)
			if (can(field, subject))
				tell_row(bench, report, field, subject);
	for (size_t field = 0; field < FIELD_COUNT; field++)
		tell_ratios(bench, report, field);
	report_limit(report, "%lld s per load", (long long)seconds);
	report_limit(report, "load and database share the cores");
	report_limit(
		report, "fsync and synchronous_commit on, the guard's Redis appendfsync always");
	report_note(report,
		"Each request is for random seats, and its answer is a hold or a refusal; the "
		"difference of the two rates are refusals. Everybody has the number of clients "
		"that "
		"holds most, at most 64 for the hot seats, whose holds run out after 1 ms, and for "
		"those that stay held, where answers count.");
	report_note(report,
		"pgbench runs the scripts of tech-locking-and-transactions/bench, prepared: one "
		"transaction with SELECT … FOR UPDATE per hold, on the same tables. It does not "
		"look "
		"whether the request was made before; the techniques do.");
	return report_finish(report, result_path);
}
