/* Requests of lib/http beside nginx: an empty answer, one by way of a lane, one from a worker
 * thread, a prepared JSON answer of 2 KB, and an empty one over TLS. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/measure.h"
#include "bench/report.h"
#include "bench/servers.h"
#include "lib/base/program.h"

enum { JSON_BYTES = 2048, URL_SIZE = 64 };

/* What is loaded in each round. Those that are compared stand beside each other. */
enum subject {
	EMPTY,
	NGINX_EMPTY,
	BY_LANE,
	BY_WORKER,
	JSON,
	NGINX_JSON,
	TLS_EMPTY,
	NGINX_TLS_EMPTY,
	SUBJECT_COUNT,
};

static const char *const titles[] = {
	[EMPTY] = "empty answer, on the loop",
	[NGINX_EMPTY] = "nginx `return 204`",
	[BY_LANE] = "empty answer, by way of a lane",
	[BY_WORKER] = "empty answer, from a worker thread",
	[JSON] = "prepared JSON, 2 KB",
	[NGINX_JSON] = "nginx, static file of the same bytes",
	[TLS_EMPTY] = "TLS, empty answer",
	[NGINX_TLS_EMPTY] = "TLS, nginx `return 204`",
};

struct figures {
	struct series rate, cpu_us;
	double failures;
};

struct bench {
	char folder[SCRATCH_PATH_SIZE];
	struct server ours, ours_tls, nginx;
	char urls[SUBJECT_COUNT][URL_SIZE];
	struct figures figures[SUBJECT_COUNT];
};

static int64_t seconds, rounds, connections, loops;
static const char *result_path;

static int read_settings(int argc, char **argv);
static void open_servers(struct bench *bench);
static void name_urls(struct bench *bench, uint16_t nginx_tls_port);
static void close_servers(struct bench *bench);
static void run_round(struct bench *bench, int64_t round);
static enum status tell(const struct bench *bench);

int main(int argc, char **argv)
{
	static struct bench bench;
	int code = read_settings(argc, argv);
	if (code != PROGRAM_READY)
		return code;
	open_servers(&bench);
	for (int64_t round = 0; round < rounds; round++)
		run_round(&bench, round);
	close_servers(&bench);
	return tell(&bench) == STATUS_OK ? 0 : 1;
}

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
			.fallback = "7",
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
		{.flag = "loops",
			.kind = CONFIG_INTEGER,
			.value = &loops,
			.fallback = "2",
			.min = 1,
			.max = 64,
			.help = "our event loops, and nginx's workers"},
		{.flag = "json",
			.kind = CONFIG_TEXT,
			.value = &result_path,
			.help = "the file that the result is written to"},
	};
	static const struct config_program program = {.name = "http_bench",
		.summary = "Requests of lib/http beside nginx.",
		.version = "1",
		.settings = table,
		.setting_count = sizeof table / sizeof table[0]};
	return program_configure(&program, argc, argv, NULL);
}

static void write_json(const char *folder)
{
	char body[JSON_BYTES + 1];
	size_t size = (size_t)snprintf(body, sizeof body, "{\"seats\":\"");
	memset(body + size, 'a', JSON_BYTES - size);
	memcpy(body + JSON_BYTES - 2, "\"}", 3);
	scratch_write(folder, "www/json2k", "%s", body);
}

static void start_ours(struct bench *bench, struct server *server, bool tls)
{
	char log[2 * SCRATCH_PATH_SIZE], json[2 * SCRATCH_PATH_SIZE], loops_flag[32];
	char key[2 * SCRATCH_PATH_SIZE], certificate[2 * SCRATCH_PATH_SIZE];
	snprintf(log, sizeof log, "--access-log=%s/ours.log", bench->folder);
	snprintf(json, sizeof json, "--json=%s/www/json2k", bench->folder);
	snprintf(loops_flag, sizeof loops_flag, "--loops=%lld", (long long)loops);
	snprintf(key, sizeof key, "--tls-key=%s/key.pem", bench->folder);
	snprintf(certificate, sizeof certificate, "--tls-certificate=%s/certificate.pem",
		bench->folder);
	const char *flags[] = {
		log, json, loops_flag, tls ? key : NULL, tls ? certificate : NULL, NULL};
	server_start(server, "bench_server", flags);
}

static void open_servers(struct bench *bench)
{
	char www[2 * SCRATCH_PATH_SIZE];
	scratch_open(bench->folder);
	scratch_make_certificate(bench->folder);
	snprintf(www, sizeof www, "%s/www", bench->folder);
	if (mkdir(www, 0755) != 0)
		bench_fail("%s cannot be made", www);
	write_json(bench->folder);
	start_ours(bench, &bench->ours, false);
	start_ours(bench, &bench->ours_tls, true);
	struct nginx_options nginx = {.folder = bench->folder,
		.workers = loops,
		.port = process_free_port(),
		.tls_port = process_free_port()};
	nginx_start(&bench->nginx, &nginx);
	name_urls(bench, nginx.tls_port);
}

static void name_urls(struct bench *bench, uint16_t nginx_tls_port)
{
	const struct {
		const char *scheme, *path;
		uint16_t port;
	} urls[SUBJECT_COUNT] = {
		[EMPTY] = {"http", "/empty", bench->ours.port},
		[NGINX_EMPTY] = {"http", "/empty", bench->nginx.port},
		[BY_LANE] = {"http", "/lane", bench->ours.port},
		[BY_WORKER] = {"http", "/worker", bench->ours.port},
		[JSON] = {"http", "/json2k", bench->ours.port},
		[NGINX_JSON] = {"http", "/json2k", bench->nginx.port},
		[TLS_EMPTY] = {"https", "/empty", bench->ours_tls.port},
		[NGINX_TLS_EMPTY] = {"https", "/empty", nginx_tls_port},
	};
	for (size_t i = 0; i < SUBJECT_COUNT; i++)
		snprintf(bench->urls[i], URL_SIZE, "%s://127.0.0.1:%u%s", urls[i].scheme,
			(unsigned)urls[i].port, urls[i].path);
}

static void close_servers(struct bench *bench)
{
	server_stop(&bench->nginx);
	server_stop(&bench->ours_tls);
	server_stop(&bench->ours);
	scratch_close(bench->folder);
}

static const struct server *server_of(const struct bench *bench, enum subject subject)
{
	switch (subject) {
	case NGINX_EMPTY:
	case NGINX_JSON:
	case NGINX_TLS_EMPTY:
		return &bench->nginx;
	case TLS_EMPTY:
		return &bench->ours_tls;
	default:
		return &bench->ours;
	}
}

static void run_subject(struct bench *bench, enum subject subject)
{
	struct figures *figures = &bench->figures[subject];
	pid_t server = server_of(bench, subject)->process.pid;
	int64_t before_ns = measure_cpu_ns(server);
	struct load_result load = measure_load(&(struct load_options){
		.url = bench->urls[subject], .connections = connections, .seconds = seconds});
	double used_us = (double)(measure_cpu_ns(server) - before_ns) / 1000;
	series_add(&figures->rate, load.rate);
	series_add(&figures->cpu_us, used_us / load.requests);
	figures->failures += load.failures;
}

/* Every other round goes backwards, so that no subject always comes after the same one. */
static void run_round(struct bench *bench, int64_t round)
{
	fprintf(stderr, "round %lld:", (long long)round + 1);
	for (size_t i = 0; i < SUBJECT_COUNT; i++) {
		size_t subject = round % 2 == 0 ? i : SUBJECT_COUNT - 1 - i;
		run_subject(bench, (enum subject)subject);
		fprintf(stderr, " %.0f", bench->figures[subject].rate.values[round]);
	}
	fprintf(stderr, "\n");
}

static void tell_rows(const struct bench *bench, struct report *report)
{
	report_column(report, "what", "Endpoint", 0);
	report_column(report, "rate", "Good answers/s", 0);
	report_column(report, "cpu", "Server's CPU, µs per request", 2);
	report_column(report, "failed", "Failed", 0);
	for (size_t i = 0; i < SUBJECT_COUNT; i++) {
		const struct figures *figures = &bench->figures[i];
		json_t *row = report_row(report, "what", titles[i]);
		report_cell(row, "rate", &figures->rate, BETTER_MORE);
		report_cell(row, "cpu", &figures->cpu_us, BETTER_LESS);
		report_number(row, "failed", figures->failures);
	}
}

static enum status tell(const struct bench *bench)
{
	static const struct {
		struct report_ratio ratio;
		enum subject above, below;
	} ratios[] = {
		{{"G0", "empty answer ÷ nginx `return 204`", 0.8, 1.1, BETTER_MORE}, EMPTY,
			NGINX_EMPTY},
		{{"G0 lane", "empty answer by way of a lane ÷ nginx `return 204`", 0.8, 1.1,
			 BETTER_MORE},
			BY_LANE, NGINX_EMPTY},
		{{"G0 TLS", "the same over TLS: empty answer ÷ nginx `return 204`", 0.8, 1.1,
			 BETTER_MORE},
			TLS_EMPTY, NGINX_TLS_EMPTY},
		{{"G0 JSON", "prepared JSON of 2 KB ÷ nginx, static file", 0.9, 1.1, BETTER_MORE},
			JSON, NGINX_JSON},
		{{"lane", "empty answer by way of a lane ÷ on the loop", 0.6, 0.7, BETTER_MORE},
			BY_LANE, EMPTY},
	};
	struct report *report =
		report_new("http", "Requests of lib/http beside nginx", (size_t)rounds);
	tell_rows(bench, report);
	for (size_t i = 0; i < sizeof ratios / sizeof ratios[0]; i++) {
		struct series series = series_divide(&bench->figures[ratios[i].above].rate,
			&bench->figures[ratios[i].below].rate);
		report_ratio(report, &ratios[i].ratio, &series);
	}
	report_limit(report, "wrk -t1 -c%lld, %lld s per load, kept-alive connections",
		(long long)connections, (long long)seconds);
	report_limit(report, "%lld loops, %lld nginx workers; load and servers share the cores",
		(long long)loops, (long long)loops);
	report_note(report,
		"Routing, request ids, access log and metrics are on; nginx logs with "
		"buffer=32k, and has sendfile and open_file_cache on.");
	return report_finish(report, result_path);
}
