/* Purchases per second of each technique, from asking for seats until they are paid, and what
 * becomes of those that a kill cuts short.
 *
 * Those who buy are a program of its own (seat_buyers_bench.c), on a private PostgreSQL, a second
 * one for the saga's orders, and the payment provider's simulator, which answers at once. What they
 * heard is compared with the databases after each load. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/database.h"
#include "bench/measure.h"
#include "bench/report.h"
#include "bench/servers.h"
#include "lib/base/clock.h"
#include "lib/testkit/postgres_fixture.h"
#include "lib/testkit/random.h"
#include "lib/testkit/redis_fixture.h"
#include "tech-locking-and-transactions/bench/bench.sql.h"
#include "tech-locking-and-transactions/postgres/postgres_seats.h"
#include "tech-locking-and-transactions/seat_buyers_bench.h"

#define PROVIDER_KEY "sk_test_of_the_bench"

enum {
	READY_MS_MAX = 60000,
	REST_MS_MAX = 60000, /* Until all are paid once the time is up, or after a kill. */
	LOOK_PAUSE_MS = 2,
	PEOPLE = 256,
	LEASE_MS = 30000,     /* The default of the servers, */
	KILL_LEASE_MS = 2000, /* and where one is killed. */
	KILL_ROUNDS = 3,      /* At most; the others have none. */
	WARM_MS = 400,
	KILL_AFTER = 300, /* Purchases. */
	FLAGS_MAX = 20,
	FLAG_SIZE = 320,
	LINE_SIZE = 128,
};

/* Where a transaction is one person's, several hold at once, with a connection each. */
static const struct technique {
	const char *title, *holds;
	int64_t hold_threads;
	bool guarded, saga;
} techniques[] = {
	{"pessimistic", "pessimistic", 32, false, false},
	{"optimistic", "optimistic", 32, false, false},
	{"batched", "batched", 1, false, false},
	{"batched with guard", "batched", 1, true, false},
	{"saga", "batched", 1, false, true},
};

enum {
	TECHNIQUE_COUNT = sizeof techniques / sizeof techniques[0],
};

struct figures {
	struct series rate, p50_ms, p99_ms, trips;
};

struct bench {
	const struct seats_bench *settings;
	char folder[SCRATCH_PATH_SIZE];
	struct postgres_fixture seats, orders; /* The second is the saga's. */
	PGconn *seats_database, *orders_database;
	struct redis_fixture redis; /* The guard's. */
	struct process provider;
	unsigned provider_port;
	struct figures figures[SEAT_BUYERS_LOADS][TECHNIQUE_COUNT];
	struct series open[TECHNIQUE_COUNT], seconds[TECHNIQUE_COUNT]; /* After a kill. */
};

static void open_all(struct bench *bench);
static void close_all(struct bench *bench);
static void run_loads(struct bench *bench, size_t technique);
static void run_kill(struct bench *bench, size_t technique);
static enum status tell(const struct bench *bench);

enum status seat_purchases_bench(const struct seats_bench *settings)
{
	static struct bench bench;
	bench.settings = settings;
	open_all(&bench);
	/* Each round begins with another technique, so that none always follows the same one. */
	for (int64_t round = 0; round < settings->rounds; round++) {
		fprintf(stderr, "purchases, round %lld:", (long long)round + 1);
		for (size_t i = 0; i < TECHNIQUE_COUNT; i++) {
			size_t technique = (i + (size_t)round) % TECHNIQUE_COUNT;
			run_loads(&bench, technique);
			if (round < KILL_ROUNDS)
				run_kill(&bench, technique);
		}
		fprintf(stderr, "\n");
	}
	close_all(&bench);
	return tell(&bench);
}

static void pause_ms(int64_t ms)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = (long)ms * 1000000}, NULL);
}

/* ---- The programs ---- */

static void start_provider(struct bench *bench)
{
	char data[FLAG_SIZE], log[FLAG_SIZE], line[LINE_SIZE];
	snprintf(data, sizeof data, "SIMULATOR_DATA=%s/provider", bench->folder);
	snprintf(log, sizeof log, "%s/provider.log", bench->folder);
	const char *environment[] = {data, "PORT=0", ("PROVIDER_KEYS=" PROVIDER_KEY),
		"ADMIN_TOKEN=admin-of-the-bench", "ACCESS_LOG=false", "PROVIDER_KEYS_FILE",
		"ADMIN_TOKEN_FILE", "ADDRESS", "WEBHOOK_URL", NULL};
	const char *arguments[] = {SEATS_PROVIDER, NULL};
	struct process_options options = {
		.arguments = arguments, .environment = environment, .error_path = log};
	if (process_start(&bench->provider, &options) != STATUS_OK ||
		process_wait_line(&bench->provider, "ready http://127.0.0.1:", READY_MS_MAX, line,
			sizeof line) != STATUS_OK)
		bench_fail("the payment provider does not get ready");
	bench->provider_port = (unsigned)strtoul(strrchr(line, ':') + 1, NULL, 10);
}

struct flags {
	const char *arguments[FLAGS_MAX + 2];
	char texts[FLAGS_MAX][FLAG_SIZE];
	size_t count;
};

__attribute__((format(printf, 2, 3))) static void add(struct flags *flags, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	if (flags->count >= FLAGS_MAX ||
		vsnprintf(flags->texts[flags->count], FLAG_SIZE, format, arguments) >= FLAG_SIZE)
		bench_fail("there is no room for the flags of a program");
	va_end(arguments);
	flags->arguments[1 + flags->count] = flags->texts[flags->count];
	flags->count++;
}

/* For how long they buy. */
struct stay {
	int64_t warm_ms, ms, lease_ms;
};

static const struct stay idle = {0, 0, KILL_LEASE_MS},
			 until_killed = {0, REST_MS_MAX, KILL_LEASE_MS};

/* Start those who buy, and wait until they begin. */
static void start_buyers(const struct bench *bench, struct process *buyers, size_t technique,
	const struct stay *stay)
{
	const struct technique *how = &techniques[technique];
	static struct flags flags;
	flags = (struct flags){.arguments = {SEATS_BUYERS}};
	add(&flags, "--technique=%s", how->holds);
	add(&flags, "--seats-url=%s", bench->seats.url);
	if (how->saga)
		add(&flags, "--orders-url=%s", bench->orders.url);
	if (how->guarded)
		add(&flags, "--guard-url=%s", bench->redis.url);
	add(&flags, "--provider-url=http://127.0.0.1:%u", bench->provider_port);
	add(&flags, "--provider-key=%s", PROVIDER_KEY);
	add(&flags, "--people=%d", PEOPLE);
	add(&flags, "--hold-threads=%lld", (long long)how->hold_threads);
	add(&flags, "--warm-ms=%lld", (long long)stay->warm_ms);
	add(&flags, "--ms=%lld", (long long)stay->ms);
	add(&flags, "--lease-ms=%lld", (long long)stay->lease_ms);
	add(&flags, "--seed=%lld", (long long)(random_seed() >> 1));
	struct process_options options = {.arguments = flags.arguments};
	*buyers = (struct process){0};
	if (process_start(buyers, &options) != STATUS_OK ||
		process_wait_line(buyers, "ready", READY_MS_MAX, NULL, 0) != STATUS_OK)
		bench_fail("the buyers do not get ready");
}

/* Wait for an end that must be a good one. */
static void end_buyers(struct process *buyers, int64_t ms_max)
{
	if (process_wait(buyers, ms_max) != STATUS_OK || buyers->exit_code != 0)
		bench_fail("the buyers did not end well");
}

static void open_all(struct bench *bench)
{
	struct seat_store *store;
	struct fault fault = {0};
	scratch_open(bench->folder);
	if (postgres_fixture_start(&bench->seats, "purchases-seats") != STATUS_OK ||
		postgres_fixture_start(&bench->orders, "purchases-orders") != STATUS_OK)
		bench_fail("there is no PostgreSQL");
	if (redis_fixture_start(&bench->redis, "purchases") != STATUS_OK)
		bench_fail("there is no Redis");
	start_provider(bench);
	struct postgres_seats_options options = {.url = bench->seats.url};
	if (postgres_seats_open(&options, &store, &fault) != STATUS_OK)
		bench_fail("%s: %s", fault.where, fault.what);
	seat_store_close(store);
	bench->seats_database = bench_connect(bench->seats.url);
	bench->orders_database = bench_connect(bench->orders.url);
	bench_query(bench->seats_database, bench_make, NULL, 0);
	/* They make the orders' tables. */
	for (size_t i = 0; i < TECHNIQUE_COUNT; i++) {
		struct process buyers;
		start_buyers(bench, &buyers, i, &idle);
		process_signal(&buyers, SIGTERM);
		end_buyers(&buyers, REST_MS_MAX);
		process_release(&buyers);
	}
}

static void close_all(struct bench *bench)
{
	process_release(&bench->provider);
	PQfinish(bench->seats_database);
	PQfinish(bench->orders_database);
	redis_fixture_stop(&bench->redis);
	postgres_fixture_stop(&bench->seats);
	postgres_fixture_stop(&bench->orders);
	scratch_close(bench->folder);
}

static void begin_anew(struct bench *bench, size_t technique)
{
	if (techniques[technique].guarded && redis_fixture_empty(&bench->redis) != STATUS_OK)
		bench_fail("Redis cannot be emptied");
	bench_query(bench->seats_database, bench_begin_anew, NULL, 0);
	bench_query(bench->seats_database, bench_forget_orders, NULL, 0);
	bench_query(bench->seats_database, bench_vacuum, NULL, 0);
	bench_query(bench->seats_database, bench_checkpoint, NULL, 0);
	if (!techniques[technique].saga)
		return;
	bench_query(bench->orders_database, bench_forget_saga, NULL, 0);
	bench_query(bench->orders_database, bench_checkpoint, NULL, 0);
}

static PGconn *orders_of(const struct bench *bench, size_t technique)
{
	return techniques[technique].saga ? bench->orders_database : bench->seats_database;
}

/* Whoever has paid has seats and tickets, and nobody else. */
static void judge(const struct bench *bench, size_t technique)
{
	int64_t sold = (int64_t)bench_query(bench->seats_database, bench_count_sold, NULL, 0);
	int64_t paid =
		(int64_t)bench_query(orders_of(bench, technique), bench_count_paid_seats, NULL, 0);
	if (sold != paid)
		bench_fail("%s: %lld seats are paid and %lld are sold", techniques[technique].title,
			(long long)paid, (long long)sold);
}

/* ---- Loading ---- */

/* Take the next line that they have printed. Returns how many purchases it tells of. */
static int64_t take_line(const char **text, struct figures *figures)
{
	double seconds, p50_ms, p99_ms;
	long long bought, refused, trips;
	const char *line = strstr(*text, "bought ");
	if (!line ||
		sscanf(line, "bought %lld refused %lld seconds %lf p50 %lf p99 %lf trips %lld",
			&bought, &refused, &seconds, &p50_ms, &p99_ms, &trips) != 6 ||
		bought == 0)
		bench_fail("the buyers have bought nothing");
	*text = line + strlen("bought ");
	if (!figures)
		return bought;
	series_add(&figures->rate, (double)bought / seconds);
	series_add(&figures->p50_ms, p50_ms);
	series_add(&figures->p99_ms, p99_ms);
	series_add(&figures->trips, (double)trips / (double)bought);
	fprintf(stderr, " %.0f", (double)bought / seconds);
	return bought;
}

static void run_loads(struct bench *bench, size_t technique)
{
	struct process buyers;
	begin_anew(bench, technique);
	start_buyers(bench, &buyers, technique,
		&(struct stay){WARM_MS, bench->settings->seconds * 1000, LEASE_MS});
	end_buyers(&buyers, SEAT_BUYERS_LOADS * (bench->settings->seconds * 1000 + REST_MS_MAX));
	char *output = process_output(&buyers);
	const char *at = output;
	int64_t bought = take_line(&at, NULL);
	for (size_t load = 0; load < SEAT_BUYERS_LOADS; load++)
		bought += take_line(&at, &bench->figures[load][technique]);
	free(output);
	process_release(&buyers);
	judge(bench, technique);
	if ((int64_t)bench_query(orders_of(bench, technique), bench_count_paid, NULL, 0) != bought)
		bench_fail("%s: %lld purchases were heard of, and others are there",
			techniques[technique].title, (long long)bought);
}

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

/* Wait until what is counted lies between the two. */
static void wait_until(PGconn *database, const char *count, int64_t least, int64_t most)
{
	int64_t end_ms = now_ms() + REST_MS_MAX;
	for (;;) {
		int64_t found = (int64_t)bench_query(database, count, NULL, 0);
		if (found >= least && found <= most)
			return;
		if (now_ms() > end_ms)
			bench_fail("there are still %lld orders", (long long)found);
		pause_ms(LOOK_PAUSE_MS);
	}
}

/* One process buys and is killed; another, which has the same orders to see to, brings to their end
 * those that are not over. */
static void run_kill(struct bench *bench, size_t technique)
{
	struct process buyers, other;
	PGconn *orders = orders_of(bench, technique);
	begin_anew(bench, technique);
	start_buyers(bench, &other, technique, &idle);
	start_buyers(bench, &buyers, technique, &until_killed);
	wait_until(orders, bench_count_paid, KILL_AFTER, INT64_MAX);
	process_kill(&buyers);
	int64_t killed_ms = now_ms();
	series_add(&bench->open[technique], bench_query(orders, bench_count_open, NULL, 0));
	wait_until(orders, bench_count_open, 0, 0);
	series_add(&bench->seconds[technique], (double)(now_ms() - killed_ms) / 1e3);
	process_signal(&other, SIGTERM);
	end_buyers(&other, REST_MS_MAX);
	process_release(&buyers);
	process_release(&other);
	judge(bench, technique);
}

/* ---- Telling ---- */

/* Without the single values, since not all rounds have one. */
static void tell_kill(json_t *row, const char *key, const struct series *series)
{
	json_object_set_new(row, key,
		json_pack("{s:f, s:f}", "median", series_median(series), "worst",
			series_worst(series, BETTER_LESS)));
}

static void tell_row(
	const struct bench *bench, struct report *report, size_t load, size_t technique)
{
	const struct figures *figures = &bench->figures[load][technique];
	char title[LINE_SIZE];
	snprintf(title, sizeof title, "%s, %s", seat_buyers_loads[load].title,
		techniques[technique].title);
	json_t *row = report_row(report, "what", title);
	report_cell(row, "rate", &figures->rate, BETTER_MORE);
	report_cell(row, "p50", &figures->p50_ms, BETTER_LESS);
	report_cell(row, "p99", &figures->p99_ms, BETTER_LESS);
	report_cell(row, "trips", &figures->trips, BETTER_LESS);
	if (load == 0) {
		tell_kill(row, "open", &bench->open[technique]);
		tell_kill(row, "ended", &bench->seconds[technique]);
		return;
	}
	json_object_set_new(row, "open", json_null());
	json_object_set_new(row, "ended", json_null());
}

static void tell_notes(const struct bench *bench, struct report *report)
{
	report_limit(report, "%lld s per load", (long long)bench->settings->seconds);
	report_limit(report, "%d people at once", PEOPLE);
	report_limit(report, "buyers, databases and provider simulator share the cores");
	report_limit(
		report, "fsync and synchronous_commit on, the guard's Redis appendfsync always");
	report_note(report,
		"A purchase is hold, authorize, sell, capture; p50 and p99 are from asking for the "
		"seats that were had until they were paid, and rates until the last has paid. "
		"100 hot seats: until they are sold out.");
	report_note(report,
		"The techniques hold differently, one by one with 32 connections, or in batches "
		"with one; the checkout is the same for all but the saga, whose orders are in a "
		"second PostgreSQL. The guard is before the holds only.");
	report_note(report,
		"Round trips are counted by lib/postgres: each answer that the process has waited "
		"for, BEGIN, COMMIT and preparing included, refused holds and the stages' looking "
		"for work, too; few purchases share those in the load of the hot seats.");
	report_note(report,
		"Killed by `kill -9` after %d purchases, in %d rounds, beside a second process "
		"with "
		"the same orders: how many were not over, and when that one had finished the last. "
		"What the dead one had in hand is taken over when its lease is over: here %d s, by "
		"default %d s.",
		KILL_AFTER, (int)bench->open[0].count, KILL_LEASE_MS / 1000, LEASE_MS / 1000);
}

static enum status tell(const struct bench *bench)
{
	struct report *report = report_new(
		"seats-purchases", "Seats held and paid", (size_t)bench->settings->rounds);
	report_column(report, "what", "Load", 0);
	report_column(report, "rate", "Purchases/s", 0);
	report_column(report, "p50", "p50, ms", 0);
	report_column(report, "p99", "p99, ms", 0);
	report_column(report, "trips", "Database round trips per purchase", 2);
	report_column(report, "open", "Killed: not over", 0);
	report_column(report, "ended", "all over after, s", 2);
	for (size_t load = 0; load < SEAT_BUYERS_LOADS; load++)
		for (size_t technique = 0; technique < TECHNIQUE_COUNT; technique++)
			tell_row(bench, report, load, technique);
	tell_notes(bench, report);
	return report_finish(report, bench->settings->purchases_path);
}
