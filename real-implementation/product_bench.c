/* The product beside nginx, under fans, and with a million seats: what the README's figures say.
 *
 *	G4       what is free, from memory ÷ nginx, a static file of the same bytes
 *	journey  how long each step takes while five hundred fans queue and buy
 *	start    from exec to ready, and to the first answer about an event, with a million seats */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/measure.h"
#include "bench/report.h"
#include "lib/base/clock.h"
#include "lib/base/id.h"
#include "lib/base/program.h"
#include "real-implementation/product_programs_bench.h"

enum {
	URL_SIZE = 160,
	PATH_SIZE = 512,
	HALL_SEATS = 5000,
	FILES_MAX = 1000,
};

enum subject { AVAILABILITY, NGINX_SAME, STATUSES, LIST, SUBJECT_COUNT };

static const char *const titles[] = {
	[AVAILABILITY] = "`GET /events/{eventId}/availability`",
	[NGINX_SAME] = "nginx, static file of the same bytes",
	[STATUSES] = "`GET /events/{eventId}/statuses` (5,000 seats)",
	[LIST] = "`GET /events` (PostgreSQL, on a worker)",
};

struct figures {
	struct series rate, cpu_us;
	double failures;
};

static struct {
	struct product product;
	struct server nginx;
	char event[ID_TEXT_SIZE];
	char urls[SUBJECT_COUNT][URL_SIZE];
	struct figures figures[SUBJECT_COUNT];
	struct series ready_ms, first_ms;
} bench;

static int64_t seconds, rounds, connections, fans, fan_seconds, halls;
static const char *result_path, *journey_path;

static int read_settings(int argc, char **argv)
{
	static const struct config_setting table[] = {
		{.flag = "seconds",
			.kind = CONFIG_INTEGER,
			.value = &seconds,
			.fallback = "3",
			.min = 1,
			.max = 60,
			.help = "how long each load lasts"},
		{.flag = "rounds",
			.kind = CONFIG_INTEGER,
			.value = &rounds,
			.fallback = "5",
			.min = 1,
			.max = SERIES_MAX,
			.help = "interleaved rounds"},
		{.flag = "connections",
			.kind = CONFIG_INTEGER,
			.value = &connections,
			.fallback = "64",
			.min = 1,
			.max = 1000,
			.help = "kept-alive connections of the load generator"},
		{.flag = "fans",
			.kind = CONFIG_INTEGER,
			.value = &fans,
			.fallback = "500",
			.min = 1,
			.max = 1000,
			.help = "how many queue and buy"},
		{.flag = "fan-seconds",
			.kind = CONFIG_INTEGER,
			.value = &fan_seconds,
			.fallback = "30",
			.min = 1,
			.max = 600,
			.help = "for how long"},
		{.flag = "halls",
			.kind = CONFIG_INTEGER,
			.value = &halls,
			.fallback = "200",
			.min = 1,
			.max = FILES_MAX,
			.help = "events of 5,000 seats in the database at the start"},
		{.flag = "json",
			.kind = CONFIG_TEXT,
			.value = &result_path,
			.help = "the file that the result is written to"},
		{.flag = "journey-json",
			.kind = CONFIG_TEXT,
			.value = &journey_path,
			.help = "and that of the fans"},
	};
	static const struct config_program program = {.name = "product_bench",
		.summary = "The product beside nginx, under fans, and with a million seats.",
		.version = "1",
		.settings = table,
		.setting_count = sizeof table / sizeof *table};
	return program_configure(&program, argc, argv, NULL);
}

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

/* ---- Events ---- */

static void write_event(const char *name, size_t number)
{
	scratch_write(bench.product.folder, name,
		"{\"venue\":\"Meridian Hall\",\"name\":\"Evening %zu\",\"currency\":\"EUR\","
		"\"startsAt\":\"2099-01-01T20:00:00Z\",\"prices\":{\"Parterre\":12500,"
		"\"Mezzanine\":9800,\"First balcony\":7400,\"Second balcony\":4200,\"Box\":14500,"
		"\"Choir\":3600},\"waitingRoom\":{\"openAtHoldsPerSecond\":20,\"ratePerSecond\":"
		"100,"
		"\"activeMax\":300}}",
		number);
}

static void import_halls(void)
{
	for (int64_t i = 0; i < halls; i++) {
		char name[64], path[PATH_SIZE];
		(void)snprintf(name, sizeof name, "event-%lld.json", (long long)i);
		(void)snprintf(path, sizeof path, "%s/%s", bench.product.folder, name);
		write_event(name, (size_t)i);
		product_import("event", path);
		if ((i + 1) % 50 == 0)
			fprintf(stderr, "%lld seats\n", (long long)(i + 1) * HALL_SEATS);
	}
}

static void open_all(void)
{
	const char *source = getenv("ONSALE_SOURCE");
	char path[PATH_SIZE];
	product_open(&bench.product, "product-bench");
	scratch_make_certificate(bench.product.folder);
	(void)snprintf(
		path, sizeof path, "%s/demo/venues/concert-hall.json", source ? source : ".");
	product_import("venue", path);
	import_halls();
}

/* ---- Start-up ---- */

/* The event that is `number`th in the list. */
static void name_event(int64_t number, char event[ID_TEXT_SIZE])
{
	struct http_client_reply reply = {0};
	char path[URL_SIZE];
	(void)snprintf(path, sizeof path, "/events?limit=%lld", (long long)number + 1);
	product_get(bench.product.port, path, &reply);
	json_t *list = http_client_reply_json(&reply);
	const char *name = json_string_value(json_object_get(
		json_array_get(json_object_get(list, "items"), (size_t)number), "eventId"));
	if (!name)
		bench_fail("there are fewer events than rounds");
	(void)snprintf(event, ID_TEXT_SIZE, "%s", name);
	json_decref(list);
	http_client_reply_release(&reply);
}

static void measure_start(void)
{
	struct http_client_reply reply = {0};
	char path[URL_SIZE];
	int64_t began_ms = now_ms();
	product_start(&bench.product);
	series_add(&bench.ready_ms, (double)(now_ms() - began_ms));
	name_event(0, bench.event);
	(void)snprintf(path, sizeof path, "/events/%s/availability", bench.event);
	began_ms = now_ms();
	product_get(bench.product.port, path, &reply);
	series_add(&bench.first_ms, (double)(now_ms() - began_ms));
	http_client_reply_release(&reply);
}

/* ---- Reads ---- */

static void write_same_bytes(void)
{
	struct http_client_reply reply = {0};
	char path[URL_SIZE], folder[PATH_SIZE];
	(void)snprintf(path, sizeof path, "/events/%s/availability", bench.event);
	product_get(bench.product.port, path, &reply);
	(void)snprintf(folder, sizeof folder, "%s/www", bench.product.folder);
	if (mkdir(folder, 0755) != 0)
		bench_fail("%s cannot be made", folder);
	scratch_write(bench.product.folder, "www/json2k", "%s", reply.body);
	http_client_reply_release(&reply);
}

static void start_nginx(void)
{
	write_same_bytes();
	const struct nginx_options options = {.folder = bench.product.folder,
		.workers = 2,
		.port = process_free_port(),
		.tls_port = process_free_port()};
	nginx_start(&bench.nginx, &options);
	unsigned port = bench.product.port;
	(void)snprintf(bench.urls[AVAILABILITY], URL_SIZE,
		"http://127.0.0.1:%u/events/%s/availability", port, bench.event);
	(void)snprintf(bench.urls[STATUSES], URL_SIZE, "http://127.0.0.1:%u/events/%s/statuses",
		port, bench.event);
	(void)snprintf(bench.urls[LIST], URL_SIZE, "http://127.0.0.1:%u/events?limit=10", port);
	(void)snprintf(bench.urls[NGINX_SAME], URL_SIZE, "http://127.0.0.1:%u/json2k",
		(unsigned)bench.nginx.port);
}

static void run_subject(enum subject subject)
{
	struct figures *figures = &bench.figures[subject];
	pid_t server = subject == NGINX_SAME ? bench.nginx.process.pid : bench.product.onsale.pid;
	int64_t before_ns = measure_cpu_ns(server);
	struct load_result load = measure_load(&(struct load_options){
		.url = bench.urls[subject], .connections = connections, .seconds = seconds});
	double used_us = (double)(measure_cpu_ns(server) - before_ns) / 1000;
	series_add(&figures->rate, load.rate);
	series_add(&figures->cpu_us, used_us / load.requests);
	figures->failures += load.failures;
}

/* Every other round goes backwards, so that no subject always comes after the same one. */
static void run_round(int64_t round)
{
	fprintf(stderr, "round %lld:", (long long)round + 1);
	for (size_t i = 0; i < SUBJECT_COUNT; i++) {
		size_t subject = round % 2 == 0 ? i : SUBJECT_COUNT - 1 - i;
		run_subject((enum subject)subject);
		fprintf(stderr, " %.0f", bench.figures[subject].rate.values[round]);
	}
	fprintf(stderr, "\n");
}

static enum status tell_reads(void)
{
	struct report *report = report_new("product", "The product beside nginx", (size_t)rounds);
	report_column(report, "what", "Answer", 0);
	report_column(report, "rate", "Good answers/s", 0);
	report_column(report, "cpu", "Server's CPU, µs per request", 2);
	report_column(report, "failed", "Failed", 0);
	for (size_t i = 0; i < SUBJECT_COUNT; i++) {
		json_t *row = report_row(report, "what", titles[i]);
		report_cell(row, "rate", &bench.figures[i].rate, BETTER_MORE);
		report_cell(row, "cpu", &bench.figures[i].cpu_us, BETTER_LESS);
		report_number(row, "failed", bench.figures[i].failures);
	}
	struct series ratio =
		series_divide(&bench.figures[AVAILABILITY].rate, &bench.figures[NGINX_SAME].rate);
	report_ratio(report,
		&(struct report_ratio){
			"G4", "what is free ÷ nginx, static file", 0.9, 1.1, BETTER_MORE},
		&ratio);
	report_limit(report, "wrk -t1 -c%lld, %lld s per load, kept-alive connections",
		(long long)connections, (long long)seconds);
	report_limit(report, "2 loops, 2 nginx workers; load and servers share the cores");
	report_note(report,
		"With %lld seats in the database the server is ready after %.0f ms (at worst "
		"%.0f), and tells what is free of an event that nobody has looked at after %.0f ms "
		"(at worst %.0f).",
		(long long)halls * HALL_SEATS, series_median(&bench.ready_ms),
		series_worst(&bench.ready_ms, BETTER_LESS), series_median(&bench.first_ms),
		series_worst(&bench.first_ms, BETTER_LESS));
	report_note(report, "Routing, sessions, request ids, access log and metrics are on.");
	return report_finish(report, result_path);
}

/* ---- Fans ---- */

static json_t *last_line(const char *output)
{
	const char *end = output + strlen(output), *start;
	while (end > output && end[-1] == '\n')
		end--;
	for (start = end; start > output && start[-1] != '\n';)
		start--;
	json_t *json = json_loadb(start, (size_t)(end - start), 0, NULL);
	if (!json)
		bench_fail("the fans do not say how it went");
	return json;
}

/* An event of its own for each round, since people leave seats held. */
static json_t *run_fans(int64_t round)
{
	char base[URL_SIZE], event[URL_SIZE], count[64], time[64], seed[64], name[ID_TEXT_SIZE];
	struct process crowd = {0};
	(void)snprintf(
		base, sizeof base, "--base=http://127.0.0.1:%u", (unsigned)bench.product.port);
	name_event(round, name);
	(void)snprintf(event, sizeof event, "--event=%s", name);
	(void)snprintf(seed, sizeof seed, "--seed=%lld", (long long)round + 1);
	(void)snprintf(count, sizeof count, "--fans=%lld", (long long)fans);
	(void)snprintf(time, sizeof time, "--seconds=%lld", (long long)fan_seconds);
	const char *const arguments[] = {PRODUCT_FANS, base, event, count, time, seed, NULL};
	if (process_start(&crowd,
		    &(struct process_options){.arguments = arguments, .error_path = "/dev/null"}) !=
			STATUS_OK ||
		process_wait(&crowd, (fan_seconds + 120) * 1000) != STATUS_OK)
		bench_fail("the fans do not end");
	char *output = process_output(&crowd);
	json_t *summary = last_line(output);
	free(output);
	process_release(&crowd);
	return summary;
}

static double number(const json_t *json, const char *name)
{
	return json_number_value(json_object_get(json, name));
}

static enum status tell_journey(const json_t *summaries)
{
	struct report *report =
		report_new("product-journey", "A step of the journey, under fans", (size_t)rounds);
	const char *step;
	json_t *ignored;
	report_column(report, "step", "Step", 0);
	report_column(report, "count", "Times", 0);
	report_column(report, "p50", "p50, ms", 1);
	report_column(report, "p99", "p99, ms", 1);
	json_object_foreach(json_object_get(json_array_get(summaries, 0), "times"), step, ignored)
	{
		struct series count = {0}, p50 = {0}, p99 = {0};
		for (size_t i = 0; i < json_array_size(summaries); i++) {
			const json_t *times = json_object_get(
				json_object_get(json_array_get(summaries, i), "times"), step);
			series_add(&count, number(times, "count"));
			series_add(&p50, number(times, "p50Ms"));
			series_add(&p99, number(times, "p99Ms"));
		}
		json_t *row = report_row(report, "step", step);
		report_cell(row, "count", &count, BETTER_MORE);
		report_cell(row, "p50", &p50, BETTER_LESS);
		report_cell(row, "p99", &p99, BETTER_LESS);
	}
	report_limit(report,
		"%lld fans at a time for %lld s; fans, server, services and provider share the "
		"cores",
		(long long)fans, (long long)fan_seconds);
	report_note(report,
		"The waiting room opens by itself at 20 holds a second and lets in 100 people a "
		"second, 300 at a time. `joinToPass` is its doing: how long people wait. "
		"`confirmToTickets` is the payment in two phases, as its person sees it.");
	return report_finish(report, journey_path);
}

int main(int argc, char **argv)
{
	int code = read_settings(argc, argv);
	if (code != PROGRAM_READY)
		return code;
	open_all();
	for (int64_t round = 0; round + 1 < rounds; round++) {
		measure_start();
		product_stop(&bench.product);
	}
	measure_start();
	start_nginx();
	for (int64_t round = 0; round < rounds; round++)
		run_round(round);
	server_stop(&bench.nginx);
	json_t *summaries = json_array();
	for (int64_t round = 0; round < rounds; round++) {
		json_array_append_new(summaries, run_fans(round));
		fprintf(stderr, "fans: round %lld\n", (long long)round + 1);
	}
	product_stop(&bench.product);
	enum status status = tell_reads();
	if (status == STATUS_OK)
		status = tell_journey(summaries);
	json_decref(summaries);
	product_close(&bench.product);
	return status == STATUS_OK ? 0 : 1;
}
