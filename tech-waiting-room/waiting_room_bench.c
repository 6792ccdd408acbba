/* See waiting_room_bench.h: the settings, the rounds and the result. */
#include "tech-waiting-room/waiting_room_bench.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/program.h"
#include "lib/testkit/http_client.h"

enum { TECHNOLOGIES_MAX = 8, READERS = 1000, EVENT_SIZE = 64 };

enum subject { JOINS, READS, SUBJECT_COUNT }; /* That have a peer. */

struct row {
	struct bench_room room;
	struct bench_rates joins, reads, admissions;
	struct bench_standing standing;
};

static struct {
	char folder[SCRATCH_PATH_SIZE], readers[BENCH_TEXT_SIZE];
	struct server peer;
	struct bench_rates peer_joins, peer_reads;
	struct row rows[TECHNOLOGIES_MAX];
	size_t row_count;
} bench;

struct bench_settings bench_settings;
static const char *result_path, *standing_path;

static int read_settings(int argc, char **argv);
static void open_all(const struct bench_technology *const technologies[], size_t count);
static void close_all(void);
static void run_round(int64_t round);
static enum status tell_rates(void);
static enum status tell_standing(void);

int waiting_room_bench(
	const struct bench_technology *const technologies[], size_t count, int argc, char **argv)
{
	int code = read_settings(argc, argv);
	if (code != PROGRAM_READY)
		return code;
	scratch_open(bench.folder);
	open_all(technologies, count);
	for (int64_t round = 0; round < bench_settings.rounds; round++)
		run_round(round);
	close_all();
	for (size_t i = 0; i < count; i++)
		bench_most(technologies[i], bench.folder, &bench.rows[i].standing);
	scratch_close(bench.folder);
	enum status status = tell_rates();
	return tell_standing() == STATUS_OK && status == STATUS_OK ? 0 : 1;
}

static const struct config_setting table[] = {
	{.flag = "rounds",
		.kind = CONFIG_INTEGER,
		.value = &bench_settings.rounds,
		.fallback = "5",
		.min = 1,
		.max = SERIES_MAX,
		.help = "interleaved rounds"},
	{.flag = "seconds",
		.kind = CONFIG_INTEGER,
		.value = &bench_settings.seconds,
		.fallback = "5",
		.min = 1,
		.max = 60,
		.help = "how long each load lasts"},
	{.flag = "connections",
		.kind = CONFIG_INTEGER,
		.value = &bench_settings.connections,
		.fallback = "1000",
		.min = 1,
		.max = 8000,
		.help = "kept-alive connections of a load"},
	{.flag = "depth",
		.kind = CONFIG_INTEGER,
		.value = &bench_settings.depth,
		.fallback = "4",
		.min = 1,
		.max = 16,
		.help = "requests under way on each"},
	{.flag = "admissions",
		.kind = CONFIG_INTEGER,
		.value = &bench_settings.admissions,
		.fallback = "50000",
		.min = 1,
		.max = WAITING_ROOM_ACTIVE_MAX,
		.help = "people to admit, if as many have joined"},
	{.flag = "streams",
		.kind = CONFIG_INTEGER,
		.value = &bench_settings.streams,
		.fallback = "15000",
		.min = 1,
		.max = 18000,
		.help = "streams that are open when somebody is called"},
	{.flag = "changes",
		.kind = CONFIG_INTEGER,
		.value = &bench_settings.changes,
		.fallback = "10",
		.min = 1,
		.max = 1000,
		.help = "how often in a round somebody is called; the slowest counts"},
	{.flag = "most",
		.kind = CONFIG_INTEGER,
		.value = &bench_settings.most,
		.fallback = "1000000",
		.min = 1000,
		.max = 1000000,
		.help = "people who join one event at the end"},
	{.flag = "json",
		.kind = CONFIG_TEXT,
		.value = &result_path,
		.help = "the file for what the rates are"},
	{.flag = "standing-json",
		.kind = CONFIG_TEXT,
		.value = &standing_path,
		.help = "the file for memory, streams and kills"},
};

static int read_settings(int argc, char **argv)
{
	static const struct config_program program = {.name = "waiting-room_bench",
		.summary = "What a waiting room costs with each technology, on private services.",
		.version = "1",
		.settings = table,
		.setting_count = sizeof table / sizeof table[0]};
	return program_configure(&program, argc, argv, NULL);
}

/* ---- The programs ---- */

/* A line of `http_load --ask` for each place that was kept: somebody reads it. */
static void write_readers(const char *kept, const char *file)
{
	char line[BENCH_TEXT_SIZE];
	FILE *from = fopen(kept, "re"), *to = fopen(file, "we");
	while (from && to && fgets(line, sizeof line, from)) {
		const char *token = strchr(line, '\t') + 1;
		fprintf(to, "GET\t/waiting-room/%.*s\t\t\t\n", (int)strcspn(token, "\n"), token);
	}
	if (!from || !to || fclose(from) != 0 || fclose(to) != 0)
		bench_fail("%s cannot be written", file);
}

/* A thousand people who wait; everybody's request to read goes to the same file, since the peer,
 * which does not look at it, gets the same ones. */
static void open_readers(struct bench_room *room, const char *file)
{
	struct http_load_outcome outcome;
	char kept[BENCH_TEXT_SIZE];
	snprintf(kept, sizeof kept, "%s/kept", bench.folder);
	bench_room_set(room, &(struct bench_event){"readers", "paused", WAITING_ROOM_RATE_MAX, 0});
	bench_run_load(&(struct http_load){.port = room->server.port,
			       .join = "/events/readers/waiting-room",
			       .good = 201,
			       .count = READERS,
			       .keep = kept},
		&outcome);
	http_load_judge_joins(room->technology->name, &outcome);
	write_readers(kept, file);
}

/* What somebody in the middle is answered, whose place has as many digits as most have. */
static void write_reply(const struct bench_room *room, const char *readers)
{
	char line[BENCH_TEXT_SIZE] = "";
	struct http_client client;
	struct http_client_reply reply = {0};
	FILE *file = fopen(readers, "re");
	for (size_t i = 0; file && i < READERS / 2 && fgets(line, sizeof line, file);)
		i++;
	if (!file || fclose(file) != 0 || !strchr(line, '\t'))
		bench_fail("%s cannot be read", readers);
	char *path = strchr(line, '\t') + 1;
	path[strcspn(path, "\t")] = '\0';
	http_client_init(&client, room->server.port);
	if (http_client_call(&client, "GET", path, NULL, NULL, &reply) != HTTP_CLIENT_OK ||
		reply.status != 200)
		bench_fail("a place cannot be read: %d", reply.status);
	scratch_write(bench.folder, "reply", "%s", reply.body);
	http_client_reply_release(&reply);
	http_client_release(&client);
}

static void open_peer(void)
{
	char flag[BENCH_TEXT_SIZE], log[BENCH_TEXT_SIZE], line[BENCH_TEXT_SIZE];
	snprintf(flag, sizeof flag, "--reply=%s/reply", bench.folder);
	snprintf(log, sizeof log, "%s/peer.log", bench.folder);
	const char *arguments[] = {(WAITING_ROOM_BENCH "/waiting_room_peer"), flag, NULL};
	struct process_options options = {.arguments = arguments, .error_path = log};
	if (process_start(&bench.peer.process, &options) != STATUS_OK ||
		process_wait_line(&bench.peer.process, "ready http://127.0.0.1:", 10000, line,
			sizeof line) != STATUS_OK)
		bench_fail("the peer does not start");
	bench.peer.port = (uint16_t)strtoul(strrchr(line, ':') + 1, NULL, 10);
}

static void readers_of(const struct row *row, char file[BENCH_TEXT_SIZE])
{
	snprintf(file, BENCH_TEXT_SIZE, "%s/readers-%s", bench.folder, row->room.technology->name);
}

static void open_all(const struct bench_technology *const technologies[], size_t count)
{
	char file[BENCH_TEXT_SIZE];
	if (count == 0 || count > TECHNOLOGIES_MAX)
		bench_fail("%zu technologies", count);
	bench.row_count = count;
	for (size_t i = 0; i < count; i++) {
		bench_room_open(&bench.rows[i].room, technologies[i], bench.folder);
		readers_of(&bench.rows[i], file);
		open_readers(&bench.rows[i].room, file);
	}
	readers_of(&bench.rows[0], bench.readers);
	write_reply(&bench.rows[0].room, bench.readers);
	open_peer();
}

static void close_all(void)
{
	server_stop(&bench.peer);
	for (size_t i = 0; i < bench.row_count; i++)
		bench_room_close(&bench.rows[i].room);
}

/* ---- Rounds ---- */

static void run_peer(enum subject subject)
{
	struct http_load join = {
		.port = bench.peer.port, .join = "/events/peer/nothing", .good = 204};
	struct http_load read = {
		.port = bench.peer.port, .ask = bench.readers, .again = true, .good = 200};
	if (subject == JOINS)
		bench_rate(&bench.peer, NULL, &join, &bench.peer_joins);
	else
		bench_rate(&bench.peer, NULL, &read, &bench.peer_reads);
}

static void run_row(struct row *row, enum subject subject, int64_t round)
{
	char text[BENCH_TEXT_SIZE];
	if (subject == JOINS) {
		snprintf(text, sizeof text, "joins-%lld", (long long)round);
		bench_joins(&row->room, text, &row->joins);
		return;
	}
	readers_of(row, text);
	bench_rate(&row->room.server, row->room.technology,
		&(struct http_load){
			.port = row->room.server.port, .ask = text, .again = true, .good = 200},
		&row->reads);
	bench_room_empty_log(&row->room);
}

static void run_subject(enum subject subject, int64_t round)
{
	for (size_t i = 0; i <= bench.row_count; i++) {
		size_t turn = round % 2 == 0 ? i : bench.row_count - i;
		if (turn == 0)
			run_peer(subject);
		else
			run_row(&bench.rows[turn - 1], subject, round);
	}
}

/* Every other round goes backwards, so that nobody always comes after the same one. */
static void run_round(int64_t round)
{
	char event[EVENT_SIZE];
	fprintf(stderr, "round %lld: joins", (long long)round + 1);
	run_subject(JOINS, round);
	fprintf(stderr, "; reads");
	run_subject(READS, round);
	for (size_t i = 0; i < bench.row_count; i++) {
		struct row *row = &bench.rows[round % 2 == 0 ? i : bench.row_count - 1 - i];
		fprintf(stderr, "; %s: admissions", row->room.technology->name);
		snprintf(event, sizeof event, "joins-%lld", (long long)round);
		bench_admissions(&row->room, event, &row->admissions);
		fprintf(stderr, ", streams");
		snprintf(event, sizeof event, "streams-%lld", (long long)round);
		bench_streams(&row->room, event, &row->standing);
		fprintf(stderr, ", kills");
		snprintf(event, sizeof event, "kills-%lld", (long long)round);
		bench_recovery(&row->room, event, &row->standing);
	}
	fprintf(stderr, "\n");
}

/* ---- Telling: rates ---- */

static void tell_cell(json_t *row, const char *key, const struct series *series, enum better better)
{
	if (series->count > 0)
		report_cell(row, key, series, better);
	else
		json_object_set_new(row, key, json_null());
}

static void tell_rate(struct report *report, const char *who, const char *what,
	const struct bench_technology *technology, const struct bench_rates *rates)
{
	static const struct series none;
	char title[BENCH_TEXT_SIZE];
	snprintf(title, sizeof title, "%s%s%s", who, *who ? ": " : "", what);
	json_t *row = report_row(report, "what", title);
	bool has_service = technology && technology->cpu_ns;
	tell_cell(row, "rate", &rates->rate, BETTER_MORE);
	tell_cell(row, "p50", &rates->p50_ms, BETTER_LESS);
	tell_cell(row, "p99", &rates->p99_ms, BETTER_LESS);
	tell_cell(row, "server", &rates->server_us, BETTER_LESS);
	tell_cell(row, "service", has_service ? &rates->service_us : &none, BETTER_LESS);
	tell_cell(row, "calls", has_service ? &rates->service_calls : &none, BETTER_LESS);
	report_number(row, "failed", rates->refused + rates->failed);
}

static void tell_columns(struct report *report)
{
	report_column(report, "what", "What", 0);
	report_column(report, "rate", "Per second", 0);
	report_column(report, "p50", "p50, ms", 1);
	report_column(report, "p99", "p99, ms", 1);
	report_column(report, "server", "Server's CPU, µs each", 2);
	report_column(report, "service", "Service's CPU, µs each", 2);
	report_column(report, "calls", "Calls to the service, each", 4);
	report_column(report, "failed", "Refused or failed", 0);
}

static void tell_ratio(struct report *report, const struct report_ratio *ratio,
	const struct series *above, const struct series *below)
{
	struct series series = series_divide(above, below);
	report_ratio(report, ratio, &series);
}

static void tell_ratios(struct report *report)
{
	const struct row *first = &bench.rows[0];
	tell_ratio(report,
		&(struct report_ratio){"G1 base",
			"joins/s in memory ÷ an empty endpoint with the same body", 0.6, 0,
			BETTER_MORE},
		&first->joins.rate, &bench.peer_joins.rate);
	for (size_t i = 1; i < bench.row_count; i++) {
		const struct bench_technology *technology = bench.rows[i].room.technology;
		char what[BENCH_TEXT_SIZE];
		snprintf(what, sizeof what, "acknowledged joins/s, %s ÷ in memory",
			technology->name);
		if (technology->must > 0)
			tell_ratio(report,
				&(struct report_ratio){
					"G1", what, technology->must, technology->aim, BETTER_MORE},
				&bench.rows[i].joins.rate, &first->joins.rate);
	}
	for (size_t i = 0; i < bench.row_count; i++) {
		char what[BENCH_TEXT_SIZE];
		snprintf(what, sizeof what,
			"reads/s of one's place, %s ÷ an endpoint that returns the same bytes",
			bench.rows[i].room.technology->name);
		tell_ratio(report, &(struct report_ratio){"G7", what, 0.85, 0.95, BETTER_MORE},
			&bench.rows[i].reads.rate, &bench.peer_reads.rate);
	}
}

static void tell_limits(struct report *report)
{
	report_limit(report, "%lld kept-alive connections with %lld requests under way on each",
		(long long)bench_settings.connections, (long long)bench_settings.depth);
	report_limit(report, "%lld s per load", (long long)bench_settings.seconds);
	report_limit(report, "load, servers and services share the cores");
}

static enum status tell_rates(void)
{
	struct report *report = report_new(
		"waiting-room", "What a waiting room does", (size_t)bench_settings.rounds);
	tell_columns(report);
	tell_rate(report, "", "empty POST", NULL, &bench.peer_joins);
	for (size_t i = 0; i < bench.row_count; i++) {
		struct row *row = &bench.rows[i];
		const struct bench_technology *technology = row->room.technology;
		tell_rate(report, technology->name, "joins", technology, &row->joins);
		tell_rate(report, technology->name, "admissions", technology, &row->admissions);
		tell_rate(report, technology->name, "reads", technology, &row->reads);
	}
	tell_rate(report, "", "GET of the same bytes", NULL, &bench.peer_reads);
	tell_ratios(report);
	tell_limits(report);
	report_note(report,
		"Each join is of another person, has been acknowledged as durable (Redis: "
		"`appendfsync always`), and got a place that is larger than that of every join "
		"acknowledged before it was sent; together they are 1..n. Latencies are those of "
		"a crowd that never pauses: mostly waiting in line for the server.");
	report_note(report,
		"Admissions: from the request that opens a room of waiting people until so many "
		"are called; nothing else is asked meanwhile.");
	report_note(report,
		"Reads: a thousand people in turn, the signature verified each time. Routing, "
		"request ids, access log and metrics are on everywhere.");
	return report_finish(report, result_path);
}

/* ---- Telling: how it stands ---- */

static void tell_standing_columns(struct report *report)
{
	report_column(report, "what", "Technology", 0);
	report_column(report, "server", "Server, bytes per person of 100,000", 0);
	report_column(report, "service", "Service, bytes", 0);
	report_column(report, "serverMost", "Server, bytes per person of a million", 0);
	report_column(report, "serviceMost", "Service, bytes", 0);
	report_column(report, "seconds", "A million joins, s", 1);
	report_column(report, "streams", "Called to the last stream, ms", 0);
	report_column(report, "join", "Server killed: next join, ms", 0);
	report_column(report, "admit", "next admission, ms", 0);
	report_column(report, "serviceJoin", "Service killed: next join, ms", 0);
	report_column(report, "serviceAdmit", "next admission, ms", 0);
}

static void tell_standing_row(struct report *report, const struct row *row)
{
	const struct bench_technology *technology = row->room.technology;
	const struct bench_standing *standing = &row->standing;
	json_t *json = report_row(report, "what", technology->name);
	report_number(json, "server", standing->server_bytes);
	report_number(json, "serverMost", standing->server_bytes_most);
	json_object_set_new(json, "service",
		technology->bytes ? json_real(standing->service_bytes) : json_null());
	json_object_set_new(json, "serviceMost",
		technology->bytes ? json_real(standing->service_bytes_most) : json_null());
	report_number(json, "seconds", standing->most_seconds);
	tell_cell(json, "streams", &standing->streams_ms, BETTER_LESS);
	tell_cell(json, "join", &standing->after_server_ms, BETTER_LESS);
	tell_cell(json, "admit", &standing->admit_after_server_ms, BETTER_LESS);
	tell_cell(json, "serviceJoin", &standing->after_service_ms, BETTER_LESS);
	tell_cell(json, "serviceAdmit", &standing->admit_after_service_ms, BETTER_LESS);
}

static enum status tell_standing(void)
{
	struct report *report = report_new("waiting-room-standing",
		"How a waiting room holds many, and goes on after a kill",
		(size_t)bench_settings.rounds);
	tell_standing_columns(report);
	for (size_t i = 0; i < bench.row_count; i++)
		tell_standing_row(report, &bench.rows[i]);
	for (size_t i = 0; i < bench.row_count; i++) {
		char what[BENCH_TEXT_SIZE];
		snprintf(what, sizeof what,
			"ms from a change of `serving` to the last of %lld streams, %s",
			(long long)bench_settings.streams, bench.rows[i].room.technology->name);
		report_ratio(report, &(struct report_ratio){"streams", what, 250, 0, BETTER_LESS},
			&bench.rows[i].standing.streams_ms);
	}
	tell_limits(report);
	report_note(report,
		"Streams: the slowest of %lld calls in a round, from the request that lets one "
		"more person in, its own time included; the clients share the cores.",
		(long long)bench_settings.changes);
	report_note(report,
		"Killed by `kill -9` while people join and are admitted, and started again at "
		"once, the service by its script; the time is from the kill to the answer that "
		"somebody got.");
	report_note(report,
		"A million joins: of one event, all acknowledged, in order, with the places 1 to "
		"%lld.",
		(long long)bench_settings.most);
	return report_finish(report, standing_path);
}
