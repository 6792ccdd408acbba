/* Event streams of lib/http beside a bare epoll program: the memory of an idle one, and how long an
 * event takes to reach all of them, also when some readers have stalled.
 *
 * In each round both servers are started anew and hold their streams at the same time, opened by a
 * client process of their own each; so each process keeps to its descriptors, and all publications
 * of a round meet the same machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/measure.h"
#include "bench/report.h"
#include "bench/servers.h"
#include "lib/base/clock.h"
#include "lib/base/program.h"
#include "lib/testkit/http_client.h"

enum {
	OPEN_MS_MAX = 60000,
	DELIVERY_MS_MAX = 60000,
	SETTLE_MS = 300,
	SETTLE_PAUSES_MAX = 10,
	SETTLED_BYTES = 256 << 10,
	FILL_COUNT = 3,        /* Large events that fill the buffers of stalled readers. */
	FILL_BYTES = 48 << 10, /* Each larger than such a reader's buffers. */
	EVENT_BYTES_MAX = FILL_BYTES + 4096,
	SEND_BUFFER_KIB = 32, /* That of a stream in lib/http; the rival's is set to the same. */
};

enum side { OURS, BARE, SIDE_COUNT };

static const char *const side_names[] = {[OURS] = "lib/http", [BARE] = "bare program"};

/* One server with its crowd, for one round. */
struct crowd {
	enum side side;
	struct server server;
	struct process client;
	struct http_client publisher;
	unsigned published;
	size_t event_bytes; /* Of the last event as it came over the wire, per reader. */
};

struct figures {
	struct series process_bytes, kernel_bytes; /* Per stream. */
	struct series delivery_ms, delivery_cpu_us;
	struct series stalled_ms, stalled_cpu_us;
};

static int64_t rounds, streams, publications, loops, event_bytes, stalled_percent, pool;
static const char *result_path;
static struct figures figures[SIDE_COUNT];

static int read_settings(int argc, char **argv);
static void run_round(int64_t round);
static void run_stalled_round(int64_t round);
static enum status tell(void);

int main(int argc, char **argv)
{
	int code = read_settings(argc, argv);
	if (code != PROGRAM_READY)
		return code;
	for (int64_t round = 0; round < rounds; round++) {
		run_round(round);
		run_stalled_round(round);
	}
	return tell() == STATUS_OK ? 0 : 1;
}

static int read_settings(int argc, char **argv)
{
	static const struct config_setting table[] = {
		{.flag = "streams",
			.kind = CONFIG_INTEGER,
			.value = &streams,
			.fallback = "15000",
			.min = 100,
			.max = 19000,
			.help = "streams that each server holds"},
		{.flag = "rounds",
			.kind = CONFIG_INTEGER,
			.value = &rounds,
			.fallback = "7",
			.min = 1,
			.max = SERIES_MAX,
			.help = "interleaved rounds"},
		{.flag = "publications",
			.kind = CONFIG_INTEGER,
			.value = &publications,
			.fallback = "15",
			.min = 1,
			.max = SERIES_MAX,
			.help = "events per round and server; their median counts"},
		{.flag = "event-bytes",
			.kind = CONFIG_SIZE,
			.value = &event_bytes,
			.fallback = "200",
			.min = 1,
			.max = 4096,
			.help = "data of an event"},
		{.flag = "stalled-percent",
			.kind = CONFIG_INTEGER,
			.value = &stalled_percent,
			.fallback = "5",
			.min = 1,
			.max = 50,
			.help = "readers that read nothing"},
		{.flag = "loops",
			.kind = CONFIG_INTEGER,
			.value = &loops,
			.fallback = "2",
			.min = 1,
			.max = 64,
			.help = "loops of both servers"},
		{.flag = "connection-pool",
			.kind = CONFIG_SIZE,
			.value = &pool,
			.fallback = "8KiB",
			.min = 8192,
			.max = 1 << 20,
			.help = "libmicrohttpd's memory for a connection"},
		{.flag = "json",
			.kind = CONFIG_TEXT,
			.value = &result_path,
			.help = "the file that the result is written to"},
	};
	static const struct config_program program = {.name = "streams_bench",
		.summary = "Event streams of lib/http beside a bare epoll program.",
		.version = "1",
		.settings = table,
		.setting_count = sizeof table / sizeof table[0]};
	return program_configure(&program, argc, argv, NULL);
}

/* ---- Crowds ---- */

static void crowd_start_server(struct crowd *crowd, enum side side)
{
	char loops_flag[32], pool_flag[48], buffer_flag[48];
	*crowd = (struct crowd){.side = side};
	snprintf(loops_flag, sizeof loops_flag, "--loops=%lld", (long long)loops);
	snprintf(pool_flag, sizeof pool_flag, "--connection-pool=%lld", (long long)pool);
	snprintf(buffer_flag, sizeof buffer_flag, "--send-buffer=%dKiB", SEND_BUFFER_KIB);
	/* No comments and no dropping within a round, which the rival does not do either. */
	const char *ours[] = {loops_flag, pool_flag, "--keep-alive=10m", "--stall-max=10m", NULL};
	const char *bare[] = {loops_flag, buffer_flag, NULL};
	server_start(&crowd->server, side == OURS ? "bench_server" : "bare_server",
		side == OURS ? ours : bare);
	http_client_init(&crowd->publisher, crowd->server.port);
}

static void crowd_open(struct crowd *crowd, int64_t stalled)
{
	char port[32], count[32], stalled_flag[32];
	snprintf(port, sizeof port, "--port=%u", (unsigned)crowd->server.port);
	snprintf(count, sizeof count, "--streams=%lld", (long long)streams);
	snprintf(stalled_flag, sizeof stalled_flag, "--stalled=%lld", (long long)stalled);
	const char *arguments[] = {
		(ONSALE_BENCH "/stream_client"), port, count, stalled_flag, NULL};
	struct process_options options = {.arguments = arguments};
	if (process_start(&crowd->client, &options) != STATUS_OK ||
		process_wait_line(&crowd->client, "ready ", OPEN_MS_MAX, NULL, 0) != STATUS_OK)
		bench_fail(
			"%s cannot hold %lld streams", side_names[crowd->side], (long long)streams);
}

static void crowd_close(struct crowd *crowd)
{
	http_client_release(&crowd->publisher);
	process_kill(&crowd->client);
	process_release(&crowd->client);
	process_kill(&crowd->server.process);
	process_release(&crowd->server.process);
}

/* Send an event whose data has `size` bytes to all; returns the ms until the last reader had it. */
static double crowd_publish(struct crowd *crowd, size_t size, int64_t readers)
{
	static char body[EVENT_BYTES_MAX + 1];
	struct http_client_reply reply = {0};
	char prefix[48], line[128];
	memset(body, 'x', size);
	memcpy(body + size - 1, "!", 2);
	snprintf(prefix, sizeof prefix, "delivered %u ", ++crowd->published);
	int64_t from_ns = clock_monotonic_ns(clock_system());
	enum http_client_outcome outcome =
		http_client_call(&crowd->publisher, "POST", "/publish", NULL, body, &reply);
	if (outcome != HTTP_CLIENT_OK || reply.status != 204 ||
		process_wait_line(&crowd->client, prefix, DELIVERY_MS_MAX, line, sizeof line) !=
			STATUS_OK)
		bench_fail(
			"%s did not deliver event %u", side_names[crowd->side], crowd->published);
	http_client_reply_release(&reply);
	char *end;
	int64_t last_ns = strtoll(line + strlen(prefix), &end, 10);
	crowd->event_bytes = (size_t)(strtoll(end, NULL, 10) / readers);
	return (double)(last_ns - from_ns) / 1e6;
}

/* Wait until the kernel has given back what was freed before, which it does some time later: until
 * its memory hardly changes any more. */
static void settle(void)
{
	int64_t bytes = measure_kernel_bytes(), before;
	int pauses = 0;
	do {
		struct timespec pause = {.tv_nsec = SETTLE_MS * 1000000L};
		nanosleep(&pause, NULL);
		before = bytes;
		bytes = measure_kernel_bytes();
	} while (llabs(bytes - before) > SETTLED_BYTES && ++pauses < SETTLE_PAUSES_MAX);
}

/* ---- Rounds ---- */

/* Open the streams, and see what memory they take once the first event has gone to each. */
static void measure_memory(struct crowd *crowd)
{
	settle();
	double process = (double)measure_process_bytes(crowd->server.process.pid);
	double kernel = (double)measure_kernel_bytes();
	crowd_open(crowd, 0);
	crowd_publish(crowd, (size_t)event_bytes, streams);
	settle();
	process = (double)measure_process_bytes(crowd->server.process.pid) - process;
	kernel = (double)measure_kernel_bytes() - kernel;
	series_add(&figures[crowd->side].process_bytes, process / (double)streams);
	series_add(&figures[crowd->side].kernel_bytes, kernel / (double)streams);
}

/* Publish to both in turn, and keep the median of each: the round's value. */
static void measure_delivery(struct crowd crowds[], int64_t readers, struct series *into_ms[],
	struct series *into_cpu_us[])
{
	struct series ms[SIDE_COUNT] = {0}, cpu_us[SIDE_COUNT] = {0};
	crowd_publish(&crowds[OURS], (size_t)event_bytes, readers);
	for (int64_t i = 0; i < publications * SIDE_COUNT; i++) {
		enum side side = (i + i / SIDE_COUNT) % 2 == 0 ? OURS : BARE;
		/* The rival sends what ours sent, as it was on the wire. */
		size_t size = side == OURS ? (size_t)event_bytes : crowds[OURS].event_bytes;
		pid_t server = crowds[side].server.process.pid;
		int64_t cpu_ns = measure_cpu_ns(server);
		series_add(&ms[side], crowd_publish(&crowds[side], size, readers));
		cpu_ns = measure_cpu_ns(server) - cpu_ns;
		series_add(&cpu_us[side], (double)cpu_ns / 1000 / (double)readers);
	}
	for (enum side side = 0; side < SIDE_COUNT; side++) {
		series_add(into_ms[side], series_median(&ms[side]));
		series_add(into_cpu_us[side], series_median(&cpu_us[side]));
	}
}

static void run_round(int64_t round)
{
	struct crowd crowds[SIDE_COUNT];
	enum side first = round % 2 == 0 ? OURS : BARE;
	for (enum side side = 0; side < SIDE_COUNT; side++)
		crowd_start_server(&crowds[side], side);
	measure_memory(&crowds[first]);
	measure_memory(&crowds[1 - first]);
	measure_delivery(crowds, streams,
		(struct series *[]){&figures[OURS].delivery_ms, &figures[BARE].delivery_ms},
		(struct series *[]){
			&figures[OURS].delivery_cpu_us, &figures[BARE].delivery_cpu_us});
	for (enum side side = 0; side < SIDE_COUNT; side++)
		crowd_close(&crowds[side]);
	fprintf(stderr, "round %lld:", (long long)round + 1);
	for (enum side side = 0; side < SIDE_COUNT; side++)
		fprintf(stderr, " %s %.0f + %.0f bytes, %.1f ms;", side_names[side],
			figures[side].process_bytes.values[round],
			figures[side].kernel_bytes.values[round],
			figures[side].delivery_ms.values[round]);
	fprintf(stderr, "\n");
}

static void run_stalled_round(int64_t round)
{
	struct crowd crowds[SIDE_COUNT];
	int64_t stalled = streams * stalled_percent / 100, readers = streams - stalled;
	for (enum side side = 0; side < SIDE_COUNT; side++) {
		crowd_start_server(&crowds[side], side);
		crowd_open(&crowds[side], stalled);
		for (int i = 0; i < FILL_COUNT; i++)
			crowd_publish(&crowds[side], FILL_BYTES, readers);
	}
	measure_delivery(crowds, readers,
		(struct series *[]){&figures[OURS].stalled_ms, &figures[BARE].stalled_ms},
		(struct series *[]){&figures[OURS].stalled_cpu_us, &figures[BARE].stalled_cpu_us});
	for (enum side side = 0; side < SIDE_COUNT; side++)
		crowd_close(&crowds[side]);
	fprintf(stderr, "round %lld, stalled: %.1f ms; %.1f ms\n", (long long)round + 1,
		figures[OURS].stalled_ms.values[round], figures[BARE].stalled_ms.values[round]);
}

/* ---- The result ---- */

/* What the server's end of a stream takes. The client's end of each connection is in the kernel's
 * figure as well, and is the same for both; the bare program holds what the client holds, a socket
 * in an epoll set, so half of its kernel memory is the client's. */
static struct series server_bytes(enum side side)
{
	struct series bytes = {0};
	for (size_t i = 0; i < (size_t)rounds; i++)
		series_add(&bytes,
			figures[side].process_bytes.values[i] +
				figures[side].kernel_bytes.values[i] -
				figures[BARE].kernel_bytes.values[i] / 2);
	return bytes;
}

static void tell_rows(struct report *report)
{
	static const struct {
		const char *key, *title;
		int digits;
	} columns[] = {{"what", "Server", 0}, {"process", "Process, bytes per stream", 0},
		{"kernel", "Kernel, bytes per stream, both ends", 0}, {"ms", "Event to all, ms", 1},
		{"cpu", "Server's CPU, µs per delivery", 2},
		{"stalledMs", "Event to all readers, some stalled, ms", 1},
		{"stalledCpu", "Server's CPU, µs per delivery", 2}};
	for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
		report_column(report, columns[i].key, columns[i].title, columns[i].digits);
	for (enum side side = 0; side < SIDE_COUNT; side++) {
		json_t *row = report_row(report, "what", side_names[side]);
		report_cell(row, "process", &figures[side].process_bytes, BETTER_LESS);
		report_cell(row, "kernel", &figures[side].kernel_bytes, BETTER_LESS);
		report_cell(row, "ms", &figures[side].delivery_ms, BETTER_LESS);
		report_cell(row, "cpu", &figures[side].delivery_cpu_us, BETTER_LESS);
		report_cell(row, "stalledMs", &figures[side].stalled_ms, BETTER_LESS);
		report_cell(row, "stalledCpu", &figures[side].stalled_cpu_us, BETTER_LESS);
	}
}

static enum status tell(void)
{
	struct report *report = report_new(
		"streams", "Event streams of lib/http beside a bare program", (size_t)rounds);
	struct series ours = server_bytes(OURS), bare = server_bytes(BARE);
	struct series memory = series_divide(&ours, &bare);
	struct series speed = series_divide(&figures[BARE].delivery_ms, &figures[OURS].delivery_ms);
	struct series stalled = series_divide(&figures[BARE].stalled_ms, &figures[OURS].stalled_ms);
	tell_rows(report);
	report_ratio(report,
		&(struct report_ratio){"G5",
			"bytes per idle stream, process and the kernel's for the server's end, ÷ "
			"a bare accept-and-epoll program",
			3.2, 1.8, BETTER_LESS},
		&memory);
	report_ratio(report,
		&(struct report_ratio){"G6", "event to all: speed ÷ a bare loop of `send()`", 0.8,
			0.95, BETTER_MORE},
		&speed);
	report_ratio(report,
		&(struct report_ratio){"G6 stalled", "the same with some of the readers stalled",
			0.8, 0.95, BETTER_MORE},
		&stalled);
	report_limit(report,
		"%lld streams on each server, %lld %% of them stalled in the last two "
		"columns",
		(long long)streams, (long long)stalled_percent);
	report_limit(report, "%lld loops, events of %lld bytes of data, connection pool %lld bytes",
		(long long)loops, (long long)event_bytes, (long long)pool);
	report_note(report,
		"The client's end of each connection is half of the bare program's "
		"kernel memory; G5 leaves it out on both sides.");
	report_note(report,
		"A round's time is the median of %lld events, each until the last "
		"reader had it; the clients share the cores.",
		(long long)publications);
	return report_finish(report, result_path);
}
