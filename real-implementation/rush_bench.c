/* A rush over HTTP: what people do most, as often per second as the product answers, beside what
 * does the same without it.
 *
 *	G1  joins ÷ those of a waiting room in memory
 *	G7  reads of one's place ÷ an endpoint that returns the same bytes
 *	G2  holds ÷ pgbench at its best, one transaction per hold
 *	G8  holds that are granted when three times as many are asked for as can be ÷ that most
 *	G9  p99 ÷ p50 of holds at 70 % of it
 *	G3  purchases, from the hold to the ticket ÷ pgbench with the same transitions one by one
 *
 * Every load has an event of its own. What was acknowledged is compared with the database. */
#include "real-implementation/rush_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/database.h"
#include "bench/measure.h"
#include "bench/report.h"
#include "lib/base/clock.h"
#include "lib/base/program.h"
#include "real-implementation/bench/rush.sql.h"

enum {
	CLIENT_CHOICES = 5,
	PAID_MS_MAX = 120000,
	PAUSE_NS = 2000000,
	CALM_PERCENT = 70,
	RUSH_FACTOR = 3,
	WARM_UP_MS = 500,
};

const char *const rush_titles[] = {
	[JOINS] = "joins",
	[MEMORY_JOINS] = "… of a waiting room in memory",
	[READS] = "reads of one's place",
	[SAME_READS] = "… GET of the same bytes",
	[HOLDS] = "holds, as many as are answered",
	[CALM_HOLDS] = "holds, open loop at 70 %",
	[RUSH_HOLDS] = "holds, open loop at 300 %",
	[PGBENCH_HOLDS] = "… pgbench, a transaction each",
	[PURCHASES] = "purchases, from the hold to the ticket",
	[PURCHASE_HOLDS] = "… their holds",
	[PURCHASE_ORDERS] = "… their orders",
	[PURCHASE_PAYMENTS] = "… their payments, confirmation to ticket",
	[PGBENCH_PURCHASES] = "… pgbench, the same transitions one by one",
};

struct figures {
	struct series rate, p50_ms, p99_ms;
	double refused, failed;
};

static struct {
	struct product product;
	PGconn *database;
	struct rush_event hall;                 /* pgbench's. */
	int64_t hold_clients, purchase_clients; /* That pgbench likes best. */
	struct figures figures[SUBJECT_COUNT];
	struct series spread; /* p99 ÷ p50 of a calm round. */
} bench;

struct rush_settings rush_settings;
static const char *result_path;

static int read_settings(int argc, char **argv)
{
	static const struct config_setting table[] = {
		{.flag = "seconds",
			.kind = CONFIG_INTEGER,
			.value = &rush_settings.seconds,
			.fallback = "4",
			.min = 1,
			.max = 60,
			.help = "how long each load lasts"},
		{.flag = "rounds",
			.kind = CONFIG_INTEGER,
			.value = &rush_settings.rounds,
			.fallback = "15",
			.min = 1,
			.max = SERIES_MAX,
			.help = "interleaved rounds"},
		{.flag = "connections",
			.kind = CONFIG_INTEGER,
			.value = &rush_settings.connections,
			.fallback = "512",
			.min = 1,
			.max = 8000,
			.help = "kept-alive connections of a closed loop, with a request under way "
				"on each; an open loop has eight times as many"},
		{.flag = "sweep",
			.kind = CONFIG_INTEGER,
			.value = &rush_settings.sweep_seconds,
			.fallback = "2",
			.max = 60,
			.help = "for how many seconds each number of pgbench's clients is tried; "
				"0: it gets 16"},
		{.flag = "seats",
			.kind = CONFIG_INTEGER,
			.value = &rush_settings.seats,
			.fallback = "100000",
			.min = 1000,
			.max = 200000,
			.help = "of the hall, rounded down to thousands"},
		{.flag = "purchases",
			.kind = CONFIG_INTEGER,
			.value = &rush_settings.purchases,
			.fallback = "5000",
			.min = 1,
			.max = 100000,
			.help = "of each round"},
		{.flag = "people",
			.kind = CONFIG_INTEGER,
			.value = &rush_settings.persons,
			.fallback = "200000",
			.min = 1000,
			.max = 1000000,
			.help = "who join, at most; as many as join in the time"},
		{.flag = "json",
			.kind = CONFIG_TEXT,
			.value = &result_path,
			.help = "the file that the result is written to"},
	};
	static const struct config_program program = {.name = "rush_bench",
		.summary = "A rush over HTTP, beside what does the same without the product.",
		.version = "1",
		.settings = table,
		.setting_count = sizeof table / sizeof *table};
	return program_configure(&program, argc, argv, NULL);
}

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

const char *rush_scratch(char path[RUSH_TEXT_SIZE], const char *name)
{
	(void)snprintf(path, RUSH_TEXT_SIZE, "%s/%s", bench.product.folder, name);
	return path;
}

static int64_t ask(const char *sql, const struct rush_event *event)
{
	const char *const parameters[] = {event->id};
	return (int64_t)bench_query(bench.database, sql, parameters, 1);
}

/* A new event, and its id. */
void rush_new_event(const char *what, int64_t round, struct rush_event *event)
{
	char name[RUSH_TEXT_SIZE];
	(void)snprintf(name, sizeof name, "%s %lld", what, (long long)round);
	rush_import_event(&bench.product, name, event);
	const char *const parameters[] = {name};
	PGresult *result =
		PQexecParams(bench.database, bench_event_named, 1, NULL, parameters, NULL, NULL, 0);
	if (PQntuples(result) != 1)
		bench_fail("there is no event %s", name);
	(void)snprintf(event->id, sizeof event->id, "%s", PQgetvalue(result, 0, 0));
	PQclear(result);
}

static void tidy(void)
{
	bench_query(bench.database, bench_tidy, NULL, 0);
	bench_query(bench.database, bench_checkpoint, NULL, 0);
	sync();
}

void rush_note(enum rush_subject subject, const struct http_load_outcome *outcome)
{
	struct figures *figures = &bench.figures[subject];
	double rate = outcome->good / outcome->seconds;
	series_add(&figures->rate, rate);
	series_add(&figures->p50_ms, outcome->p50_ms);
	series_add(&figures->p99_ms, outcome->p99_ms);
	figures->refused += outcome->refused + outcome->dropped;
	figures->failed += outcome->failed;
	fprintf(stderr, " %.0f", rate);
}

/* ---- Holds ---- */

/* The board is there before the first asks, as it is when a sale begins. */
static void warm(const struct rush_event *event)
{
	char path[RUSH_TEXT_SIZE];
	struct http_client_reply reply = {0};
	(void)snprintf(path, sizeof path, "/events/%s/availability", event->id);
	product_get(bench.product.port, path, &reply);
	http_client_reply_release(&reply);
}

/* Holds for as long as `load` says. Returns how many per second were granted. */
static double run_holds(enum rush_subject subject, int64_t round, double rate)
{
	char holds[RUSH_TEXT_SIZE];
	struct rush_event event;
	struct http_load_outcome outcome;
	/* An open loop ends before the seats do. */
	int64_t most_seconds =
		rate > 0 ? (int64_t)((double)bench.hall.seats / rate) : rush_settings.seconds;
	rush_new_event(rush_titles[subject], round, &event);
	rush_write_holds(rush_scratch(holds, "holds"), &event, event.seats);
	tidy();
	warm(&event);
	http_load_run(
		&(struct http_load){.port = bench.product.port,
			.ask = holds,
			.good = 201,
			.connections = rate > 0 ? 8 * rush_settings.connections
						: rush_settings.connections,
			.depth = 1,
			.seconds = most_seconds < 1                    ? 1
				: most_seconds < rush_settings.seconds ? most_seconds
								       : rush_settings.seconds,
			.rate = (int64_t)rate,
			.warm_ms = subject == CALM_HOLDS ? WARM_UP_MS : 0,
			.seed = round + 1},
		&outcome);
	if (ask(bench_count_holds, &event) != (int64_t)outcome.good)
		bench_fail("%s: %.0f holds were granted, and others are stored",
			rush_titles[subject], outcome.good);
	rush_note(subject, &outcome);
	if (subject == CALM_HOLDS)
		series_add(&bench.spread, outcome.p99_ms / outcome.p50_ms);
	return outcome.good / outcome.seconds;
}

static double pgbench(const char *script, int64_t clients, int64_t time)
{
	char event[64], all[64], many[64];
	(void)snprintf(event, sizeof event, "event=%s", bench.hall.id);
	(void)snprintf(all, sizeof all, "seats=%lld", (long long)bench.hall.seats);
	(void)snprintf(many, sizeof many, "clients=%lld", (long long)clients);
	const char *const definitions[] = {event, all, many, "hold_ms=100", "bought=0", NULL};
	(void)ask(bench_peer_begin_anew, &bench.hall);
	tidy();
	return pgbench_rate(&(struct pgbench){.url = bench.product.postgres.url,
		.script = script,
		.folder = bench.product.folder,
		.clients = clients,
		.seconds = time,
		.definitions = definitions});
}

static int64_t find_best(const char *script)
{
	static const int64_t choices[CLIENT_CHOICES] = {4, 8, 16, 32, 64};
	int64_t best = 16;
	double most = -1;
	for (size_t i = 0; i < CLIENT_CHOICES && rush_settings.sweep_seconds > 0; i++) {
		double rate = pgbench(script, choices[i], rush_settings.sweep_seconds);
		fprintf(stderr, " %lld: %.0f", (long long)choices[i], rate);
		if (rate > most)
			best = choices[i];
		most = rate > most ? rate : most;
	}
	fprintf(stderr, "\n");
	return best;
}

/* ---- Purchases ---- */

static void run_phase(enum rush_subject subject, const char *requests, const char *keep,
	const char *member, int status)
{
	struct http_load_outcome outcome;
	http_load_run(&(struct http_load){.port = bench.product.port,
			      .ask = requests,
			      .good = status,
			      .connections = rush_settings.connections,
			      .depth = 1,
			      .keep = keep,
			      .member = member},
		&outcome);
	if ((int64_t)outcome.good != rush_settings.purchases)
		bench_fail("%s: %.0f of %lld", rush_titles[subject], outcome.good,
			(long long)rush_settings.purchases);
	if (subject != PURCHASE_PAYMENTS)
		rush_note(subject, &outcome);
}

static void wait_until_paid(const struct rush_event *event)
{
	int64_t end_ms = now_ms() + PAID_MS_MAX;
	while (ask(bench_count_unpaid, event) > 0) {
		if (now_ms() > end_ms)
			bench_fail("some orders are not paid after %d s", PAID_MS_MAX / 1000);
		(void)nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
	}
	if (ask(bench_count_bought, event) != rush_settings.purchases)
		bench_fail("what was sold, ticketed and paid is not the same");
}

/* Everybody holds, then everybody orders, then everybody pays. The time that this bench takes to
 * write the next requests does not count. */
static void run_purchases(int64_t round)
{
	char requests[RUSH_TEXT_SIZE], kept[RUSH_TEXT_SIZE];
	struct rush_event event;
	struct figures *figures = bench.figures;
	rush_new_event("purchases", round, &event);
	rush_write_holds(rush_scratch(requests, "requests"), &event, rush_settings.purchases);
	tidy();
	warm(&event);
	int64_t begin_ms = now_ms(), spent_ms = 0;
	run_phase(PURCHASE_HOLDS, requests, rush_scratch(kept, "kept"), "holdId", 201);
	spent_ms += now_ms() - begin_ms;
	rush_write_orders(requests, kept, rush_settings.purchases);
	begin_ms = now_ms();
	run_phase(PURCHASE_ORDERS, requests, kept, "orderId", 201);
	spent_ms += now_ms() - begin_ms;
	rush_write_confirmations(requests, kept, rush_settings.purchases);
	begin_ms = now_ms();
	run_phase(PURCHASE_PAYMENTS, requests, NULL, NULL, 202);
	wait_until_paid(&event);
	int64_t paying_ms = now_ms() - begin_ms;
	spent_ms += paying_ms;
	series_add(&figures[PURCHASE_PAYMENTS].rate,
		(double)rush_settings.purchases * 1000 / (double)paying_ms);
	series_add(&figures[PURCHASES].rate,
		(double)rush_settings.purchases * 1000 / (double)spent_ms);
	fprintf(stderr, " %.0f, together %.0f", figures[PURCHASE_PAYMENTS].rate.values[round],
		figures[PURCHASES].rate.values[round]);
}

/* ---- All of it ---- */

static void run_product(int64_t round)
{
	product_start(&bench.product);
	fprintf(stderr, " queue");
	rush_queue_round(round);
	fprintf(stderr, "; holds");
	double peak = run_holds(HOLDS, round, 0);
	(void)run_holds(CALM_HOLDS, round, peak * CALM_PERCENT / 100);
	(void)run_holds(RUSH_HOLDS, round, peak * RUSH_FACTOR);
	fprintf(stderr, "; purchases");
	run_purchases(round);
	product_stop(&bench.product);
}

/* Without the product: it would look after the seats, too. */
static void run_pgbench(void)
{
	double holds = pgbench(RUSH_HOLD_SCRIPT, bench.hold_clients, rush_settings.seconds);
	double bought =
		pgbench(RUSH_PURCHASE_SCRIPT, bench.purchase_clients, rush_settings.seconds);
	if (ask(bench_count_unpaid, &bench.hall) > bench.purchase_clients)
		bench_fail("pgbench has left orders that are not paid");
	series_add(&bench.figures[PGBENCH_HOLDS].rate, holds);
	series_add(&bench.figures[PGBENCH_PURCHASES].rate, bought);
	fprintf(stderr, "; pgbench %.0f holds, %.0f purchases", holds, bought);
}

static void open_all(void)
{
	product_open(&bench.product, "rush-bench");
	bench.database = bench_connect(bench.product.postgres.url);
	rush_open_people(rush_settings.persons);
	rush_import_hall(&bench.product, rush_settings.seats);
	rush_new_event("pgbench", 0, &bench.hall);
	rush_queue_open(&bench.product);
	fprintf(stderr, "pgbench, holds:");
	bench.hold_clients = find_best(RUSH_HOLD_SCRIPT);
	fprintf(stderr, "pgbench, purchases:");
	bench.purchase_clients = find_best(RUSH_PURCHASE_SCRIPT);
}

static void close_all(void)
{
	rush_queue_close();
	rush_close_people();
	PQfinish(bench.database);
	product_close(&bench.product);
}

static void tell_row(struct report *report, enum rush_subject subject)
{
	const struct figures *figures = &bench.figures[subject];
	json_t *row = report_row(report, "what", rush_titles[subject]);
	report_cell(row, "rate", &figures->rate, BETTER_MORE);
	if (figures->p50_ms.count > 0) {
		report_cell(row, "p50", &figures->p50_ms, BETTER_LESS);
		report_cell(row, "p99", &figures->p99_ms, BETTER_LESS);
	} else {
		json_object_set_new(row, "p50", json_null());
		json_object_set_new(row, "p99", json_null());
	}
	report_number(row, "refused", figures->refused);
	report_number(row, "failed", figures->failed);
}

static void tell_ratio(struct report *report, const struct report_ratio *ratio,
	enum rush_subject above, enum rush_subject below)
{
	struct series series =
		series_divide(&bench.figures[above].rate, &bench.figures[below].rate);
	report_ratio(report, ratio, &series);
}

static enum status tell(void)
{
	struct report *report =
		report_new("product-rush", "A rush over HTTP", (size_t)rush_settings.rounds);
	report_column(report, "what", "What", 0);
	report_column(report, "rate", "Per second", 0);
	report_column(report, "p50", "p50, ms", 1);
	report_column(report, "p99", "p99, ms", 1);
	report_column(report, "refused", "Refused", 0);
	report_column(report, "failed", "Failed", 0);
	for (size_t i = 0; i < SUBJECT_COUNT; i++)
		tell_row(report, (enum rush_subject)i);
	tell_ratio(report,
		&(struct report_ratio){
			"G1", "joins/s ÷ of a waiting room in memory", 0.5, 0.8, BETTER_MORE},
		JOINS, MEMORY_JOINS);
	tell_ratio(report,
		&(struct report_ratio){"G7",
			"reads/s of one's place ÷ an endpoint that returns the same bytes", 0.85,
			0.95, BETTER_MORE},
		READS, SAME_READS);
	tell_ratio(report,
		&(struct report_ratio){"G2 over HTTP",
			"holds/s ÷ pgbench at its best, one `FOR UPDATE` transaction per hold", 0,
			0, BETTER_MORE},
		HOLDS, PGBENCH_HOLDS);
	tell_ratio(report,
		&(struct report_ratio){"G3",
			"purchases/s ÷ pgbench at its best, the same transitions one by one", 1.5,
			3, BETTER_MORE},
		PURCHASES, PGBENCH_PURCHASES);
	tell_ratio(report,
		&(struct report_ratio){"G8", "holds/s granted at three times the most ÷ the most",
			0.85, 0.95, BETTER_MORE},
		RUSH_HOLDS, HOLDS);
	report_ratio(report,
		&(struct report_ratio){
			"G9", "p99 ÷ p50 of holds at 70 % of the most", 4, 2.5, BETTER_LESS},
		&bench.spread);
	report_limit(report,
		"%lld kept-alive connections; for joins and reads %lld with %d "
		"requests under way "
		"on each, in an open loop %lld",
		(long long)rush_settings.connections, 2 * (long long)rush_settings.connections,
		RUSH_QUEUE_DEPTH, 8 * (long long)rush_settings.connections);
	report_limit(report, "%lld s per load", (long long)rush_settings.seconds);
	report_limit(report, "load, server, services and provider share the cores");
	report_limit(report, "fsync and synchronous_commit on, `appendfsync always`");
	report_note(report,
		"Holds are of %lld seats in random order, each asked for once, by people with "
		"sessions and keys of their own; after each load the database has as many as were "
		"acknowledged. An open loop asks at moments that a Poisson process gives, and its "
		"times count from these; at 70 %% the first half second warms up, and is in no "
		"time. "
		"*Refused* are 503, and at three times the most what was never sent for want of a "
		"connection.",
		(long long)bench.hall.seats);
	report_note(report,
		"Purchases: %lld people hold a seat each, then all order, then all pay, until the "
		"last has a ticket; the provider answers at once. pgbench had %lld clients for "
		"holds and %lld for purchases.",
		(long long)rush_settings.purchases, (long long)bench.hold_clients,
		(long long)bench.purchase_clients);
	return report_finish(report, result_path);
}

int main(int argc, char **argv)
{
	int code = read_settings(argc, argv);
	if (code != PROGRAM_READY)
		return code;
	open_all();
	for (int64_t round = 0; round < rush_settings.rounds; round++) {
		fprintf(stderr, "round %lld:", (long long)round + 1);
		if (round % 2 == 1)
			run_pgbench();
		run_product(round);
		if (round % 2 == 0)
			run_pgbench();
		fprintf(stderr, "\n");
	}
	close_all();
	return tell() == STATUS_OK ? 0 : 1;
}
