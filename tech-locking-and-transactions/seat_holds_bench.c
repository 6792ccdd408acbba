/* Holds per second of each technique of the seat store, beside pgbench with one transaction per
 * hold, on the same private PostgreSQL and the same tables.
 *
 * Holds run out soon and are free at once for whoever asks, so that a load never dries up; nobody
 * releases, and nothing is tidied up. Everybody gets the number of clients that they like best.
 * What the clients heard is compared with the database after each load. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/database.h"
#include "bench/measure.h"
#include "bench/report.h"
#include "bench/servers.h"
#include "lib/testkit/postgres_fixture.h"
#include "lib/testkit/redis_fixture.h"
#include "tech-locking-and-transactions/bench/bench.sql.h"
#include "tech-locking-and-transactions/seat_load_bench.h"
#include "tech-locking-and-transactions/seats_bench.h"

enum { LINE_SIZE = 96, CLIENT_CHOICES = 7 };

static const struct field {
	const char *title, *event, *script;
	int64_t seats, count, hold_ms, clients_max;
	const char *goal; /* The ratio's id, for the batched form. */
	double must, aim;
	const char *guard_goal; /* That of the guard before it to itself. */
	bool by_answers;        /* What counts is how fast everybody is told. */
	size_t sweep; /* The field whose numbers of clients it has; itself where they are tried. */
} fields[] = {
	{"50,000 seats", SEATS_BENCH_EVENT, "hold_one.pgbench", 50000, 1, 100, 0, "G2", 3, 4.5,
		"guard, 50,000", false, 0},
	{"100 hot seats", SEATS_BENCH_HOT_EVENT, "hold_one.pgbench", 100, 1, 1, 64, "G2h", 4, 8,
		"guard, 100", false, 1},
	{"groups of 4", SEATS_BENCH_EVENT, "hold.pgbench", 50000, 4, 100, 0, "groups", 0, 0,
		"guard, groups", false, 0},
	{"100 seats that stay held", SEATS_BENCH_HOT_EVENT, "hold_one.pgbench", 100, 1, 3600000, 64,
		"held", 0, 0, "guard, held", true, 1},
};

static const struct subject {
	const char *title;
	const char *script; /* Of pgbench; "" is the field's own. */
	enum postgres_seats_technique technique;
	bool guarded;
	int64_t clients[CLIENT_CHOICES]; /* To choose from. */
	int64_t count_max;               /* The most seats that it can hold at once. */
} subjects[] = {
	{"pgbench", "", 0, false, {4, 8, 16, 32, 64}, 8},
	{"pgbench, one conditional statement", "conditional.pgbench", 0, false, {32, 64}, 1},
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
	const struct seats_bench *settings;
	char folder[SCRATCH_PATH_SIZE];
	struct postgres_fixture postgres;
	struct redis_fixture redis; /* The guard's. */
	PGconn *database;
	struct figures figures[FIELD_COUNT][SUBJECT_COUNT];
};

static void open_database(struct bench *bench);
static void close_database(struct bench *bench);
static void find_best(struct bench *bench, size_t field, size_t subject);
static void run_round(struct bench *bench, int64_t round);
static enum status tell(const struct bench *bench);

enum status seat_holds_bench(const struct seats_bench *settings)
{
	static struct bench bench;
	bench.settings = settings;
	scratch_open(bench.folder);
	open_database(&bench);
	for (size_t field = 0; field < FIELD_COUNT; field++)
		for (size_t subject = 0; subject < SUBJECT_COUNT; subject++)
			find_best(&bench, field, subject);
	for (int64_t round = 0; round < settings->rounds; round++) {
		fprintf(stderr, "holds, round %lld:", (long long)round + 1);
		run_round(&bench, round);
		fprintf(stderr, "\n");
	}
	close_database(&bench);
	return tell(&bench);
}

/* ---- The database ---- */

static int64_t query(const struct bench *bench, const char *sql)
{
	return (int64_t)bench_query(bench->database, sql, NULL, 0);
}

static void open_database(struct bench *bench)
{
	struct seat_store *store;
	struct fault fault = {0};
	if (postgres_fixture_start(&bench->postgres, "seats-bench") != STATUS_OK)
		bench_fail("there is no PostgreSQL");
	if (redis_fixture_start(&bench->redis, "seats-bench") != STATUS_OK)
		bench_fail("there is no Redis");
	struct postgres_seats_options options = {.url = bench->postgres.url};
	if (postgres_seats_open(&options, &store, &fault) != STATUS_OK)
		bench_fail("%s: %s", fault.where, fault.what);
	seat_store_close(store);
	bench->database = bench_connect(bench->postgres.url);
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
	if (fields[field].sweep != field) {
		figures->clients = bench->figures[fields[field].sweep][subject].clients;
		return;
	}
	for (size_t i = 0; can(field, subject) && i < CLIENT_CHOICES; i++) {
		int64_t clients = subjects[subject].clients[i];
		if (clients == 0 ||
			(fields[field].clients_max > 0 && clients > fields[field].clients_max))
			continue;
		if (bench->settings->sweep_seconds == 0) {
			figures->clients = clients;
			return;
		}
		load_once(bench, field, subject, clients, bench->settings->sweep_seconds, &outcome);
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
			load_once(bench, field, subject, figures->clients, bench->settings->seconds,
				&outcome);
			fprintf(stderr, " %.0f", (double)outcome.holds / outcome.seconds);
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
}

static struct report *new_report(const struct bench *bench, const char *name, const char *title)
{
	struct report *report = report_new(name, title, (size_t)bench->settings->rounds);
	report_column(report, "what", "Load", 0);
	report_column(report, "holds", "Holds/s", 0);
	report_column(report, "answers", "Answers/s", 0);
	report_column(report, "p50", "p50, ms", 1);
	report_column(report, "p99", "p99, ms", 1);
	report_limit(report, "%lld s per load", (long long)bench->settings->seconds);
	report_limit(report, "load and database share the cores");
	report_limit(
		report, "fsync and synchronous_commit on, the guard's Redis appendfsync always");
	report_note(report,
		"Each request is for random seats, and its answer is a hold or a refusal; the "
		"difference of the two rates are refusals. Everybody has the number of clients "
		"that holds most, for groups of 4 that of single seats; at most 64 for the hot "
		"seats, whose holds run out after 1 ms, and as many for those that stay held, "
		"where answers count.");
	return report;
}

static enum status tell_all(const struct bench *bench)
{
	struct report *report =
		new_report(bench, "seats", "Holds of the seat store, beside pgbench");
	for (size_t field = 0; field < FIELD_COUNT; field++)
		for (size_t subject = 0; subject < SUBJECT_COUNT; subject++)
			if (can(field, subject))
				tell_row(bench, report, field, subject);
	for (size_t field = 0; field < FIELD_COUNT; field++)
		tell_ratios(bench, report, field);
	report_note(report,
		"pgbench runs the scripts of tech-locking-and-transactions/bench, prepared: one "
		"transaction with SELECT … FOR UPDATE per hold, on the same tables. It does not "
		"look whether the request was made before; the techniques do.");
	return report_finish(report, bench->settings->holds_path);
}

/* The guard and what is behind it, by themselves. */
static enum status tell_guard(const struct bench *bench)
{
	struct report *report =
		new_report(bench, "seats-guard", "Holds with a guard in Redis, and without");
	for (size_t field = 0; field < FIELD_COUNT; field++) {
		tell_row(bench, report, field, BATCHED);
		tell_row(bench, report, field, GUARDED);
		tell_ratio(bench, report, field,
			&(struct report_ratio){.id = fields[field].guard_goal}, GUARDED, BATCHED);
	}
	return report_finish(report, bench->settings->guard_path);
}

static enum status tell(const struct bench *bench)
{
	enum status all = tell_all(bench), guard = tell_guard(bench);
	return all == STATUS_OK ? guard : all;
}
