/* What batching gives: the same lane with one item per call, and with up to 1,024.
 *
 * The back end is artificial: 500 µs per call and 2 µs per item, as a round trip to a database with
 * its commit, and its rows. It sleeps until that time has passed and so costs no processor time,
 * which leaves the lane's own cost visible. The clients are a closed loop without threads of their
 * own: one event loop submits for all of them and gets finished batches back by a list and one
 * eventfd write per batch, as the product's loops do. A latency is from a client's submission until
 * the event loop has its result in hand.
 *
 * The two settings take turns. In each run every client is served once before anything counts, so
 * that a queue of seconds is there when the measuring begins. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "bench/report.h"
#include "lib/base/program.h"
#include "lib/batch/lane.h"
#include "lib/testkit/histogram.h"

enum {
	CALL_NS = 500000,
	ITEM_NS = 2000,
	CLIENTS_MAX = 4096,
	BATCH_MAX = 1024,
	ROUNDS_MAX = 50,
	MEASURED_MS_MIN = 50, /* Of each run. */
	SETTINGS = 2,
};

#define NS_PER_SECOND INT64_C(1000000000)

static const size_t client_counts[] = {1, 8, 64, 512, CLIENTS_MAX};
enum { STEPS = sizeof client_counts / sizeof client_counts[0] };

static const size_t batch_sizes[SETTINGS] = {1, BATCH_MAX};

struct result {
	double per_second;
	double items_per_call;
	double cpu_us;
	double p50_ms, p99_ms;
};

struct client {
	struct lane_item item;
	int64_t submitted_ns;
};

struct run {
	struct lane *lane;
	struct client *clients;
	size_t client_count;
	int wake_fd;
	atomic_bool ending; /* Then a call costs nothing, so that the queue is soon empty. */
	struct histogram latencies;

	pthread_mutex_t mutex; /* Guards what follows. */
	struct lane_item *done;
	uint64_t calls;
};

static struct {
	int64_t seconds, rounds;
	const char *json_path;
} settings;

static int configure(int argc, char **argv);
static int64_t measured_ns(void);
static struct result measure(size_t client_count, size_t batch_max, int64_t duration_ns);
static struct report *make_report(struct result results[ROUNDS_MAX][STEPS][SETTINGS]);

int main(int argc, char **argv)
{
	static struct result results[ROUNDS_MAX][STEPS][SETTINGS];
	int code = configure(argc, argv);
	if (code != PROGRAM_READY)
		return code;
	int64_t duration_ns = measured_ns();
	for (int64_t round = 0; round < settings.rounds; round++)
		for (size_t step = 0; step < STEPS; step++)
			for (size_t setting = 0; setting < SETTINGS; setting++)
				results[round][step][setting] = measure(
					client_counts[step], batch_sizes[setting], duration_ns);
	return report_finish(make_report(results), settings.json_path) == STATUS_OK ? 0 : 1;
}

static int configure(int argc, char **argv)
{
	static const struct config_setting table[] = {
		{.flag = "seconds",
			.kind = CONFIG_INTEGER,
			.value = &settings.seconds,
			.fallback = "60",
			.min = 1,
			.max = 3600,
			.help = "how long all of it takes"},
		{.flag = "rounds",
			.kind = CONFIG_INTEGER,
			.value = &settings.rounds,
			.fallback = "5",
			.min = 1,
			.max = ROUNDS_MAX,
			.help = "rounds, of which median and worst are printed"},
		{.flag = "json",
			.kind = CONFIG_TEXT,
			.value = &settings.json_path,
			.help = "file to write the result to, for tools/figures"},
	};
	static const struct config_program program = {
		.name = "lane_bench",
		.summary = "Measures what batching gives with a back end of 500 µs per call and "
			   "2 µs per item.",
		.version = "1",
		.settings = table,
		.setting_count = sizeof table / sizeof table[0],
	};
	int code = program_configure(&program, argc, argv, NULL);
	if (code != PROGRAM_READY || measured_ns() >= MEASURED_MS_MIN * INT64_C(1000000))
		return code;
	fprintf(stderr, "lane_bench: --seconds: is too short for %" PRId64 " rounds\n",
		settings.rounds);
	return 2;
}

/* What the time given leaves to each run after its clients were served once, which takes long only
 * one at a time. A tenth is kept for starting and ending. */
static int64_t measured_ns(void)
{
	int64_t once_ns = 0;
	for (size_t step = 0; step < STEPS; step++)
		once_ns += (int64_t)client_counts[step] * (CALL_NS + ITEM_NS);
	int64_t left_ns = settings.seconds * NS_PER_SECOND * 9 / 10 - settings.rounds * once_ns;
	return left_ns / (settings.rounds * STEPS * SETTINGS);
}

static int64_t now_ns(void)
{
	return clock_monotonic_ns(clock_system());
}

/* The lane's side. */
static void apply(void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	(void)thread;
	struct run *run = context;
	int64_t end_ns = now_ns() + CALL_NS + (int64_t)count * ITEM_NS;
	struct timespec end = {.tv_sec = end_ns / NS_PER_SECOND, .tv_nsec = end_ns % NS_PER_SECOND};
	if (!atomic_load(&run->ending)) {
		/* The kernel's usual 50 µs of slack would be a tenth of the call. */
		prctl(PR_SET_TIMERSLACK, 1);
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
			;
	}

	pthread_mutex_lock(&run->mutex);
	for (size_t i = 0; i < count; i++) {
		items[i]->next = run->done;
		run->done = items[i];
	}
	run->calls++;
	pthread_mutex_unlock(&run->mutex);
	eventfd_write(run->wake_fd, 1);
}

static void late(void *context, struct lane_item *const items[], size_t count)
{
	(void)context;
	(void)items;
	(void)count;
	abort(); /* Nothing here has a deadline. */
}

static void submit(struct run *run, struct client *client, int64_t at_ns)
{
	client->submitted_ns = at_ns;
	client->item.deadline_ms = LANE_NEVER;
	if (lane_submit(run->lane, &client->item) != STATUS_OK)
		abort(); /* The queue has room for all clients. */
}

/* The event loop: wait for finished items, note how long they took, submit them again. Returns how
 * many. */
static uint64_t turn_around(struct run *run)
{
	eventfd_t wakes;
	while (eventfd_read(run->wake_fd, &wakes) != 0)
		;
	pthread_mutex_lock(&run->mutex);
	struct lane_item *done = run->done;
	run->done = NULL;
	pthread_mutex_unlock(&run->mutex);

	uint64_t count = 0;
	int64_t at_ns = now_ns();
	for (; done; count++) {
		struct client *client = (struct client *)done;
		done = done->next;
		histogram_record(&run->latencies, at_ns - client->submitted_ns);
		submit(run, client, at_ns);
	}
	return count;
}

static int64_t cpu_ns(void)
{
	struct timespec used;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (int64_t)used.tv_sec * NS_PER_SECOND + used.tv_nsec;
}

static uint64_t calls_of(struct run *run)
{
	pthread_mutex_lock(&run->mutex);
	uint64_t calls = run->calls;
	pthread_mutex_unlock(&run->mutex);
	return calls;
}

static struct result measure_loop(struct run *run, int64_t duration_ns)
{
	for (size_t i = 0; i < run->client_count; i++)
		submit(run, &run->clients[i], now_ns());
	for (uint64_t served = 0; served < run->client_count;)
		served += turn_around(run);

	histogram_init(&run->latencies);
	uint64_t calls = calls_of(run), count = 0;
	int64_t cpu_before_ns = cpu_ns(), start_ns = now_ns(), end_ns = start_ns;
	for (; end_ns < start_ns + duration_ns; end_ns = now_ns())
		count += turn_around(run);
	calls = calls_of(run) - calls;
	return (struct result){
		.per_second = (double)count * 1e9 / (double)(end_ns - start_ns),
		.items_per_call = (double)count / (double)(calls > 0 ? calls : 1),
		.cpu_us = (double)(cpu_ns() - cpu_before_ns) / 1e3 / (double)count,
		.p50_ms = (double)histogram_percentile_ns(&run->latencies, 50) / 1e6,
		.p99_ms = (double)histogram_percentile_ns(&run->latencies, 99) / 1e6,
	};
}

static struct result measure(size_t client_count, size_t batch_max, int64_t duration_ns)
{
	static const struct lane_ops ops = {.apply = apply, .late = late};
	static struct run run;
	static struct client clients[CLIENTS_MAX];
	run = (struct run){.clients = clients,
		.client_count = client_count,
		.wake_fd = eventfd(0, EFD_CLOEXEC)};
	pthread_mutex_init(&run.mutex, NULL);
	struct lane_options options = {.name = "bench",
		.ops = &ops,
		.context = &run,
		.queue_max = CLIENTS_MAX,
		.batch_max = batch_max};
	if (run.wake_fd < 0 || lane_open(&options, &run.lane) != STATUS_OK) {
		fprintf(stderr, "lane_bench: cannot open a lane: %s\n", strerror(errno));
		exit(1);
	}
	struct result result = measure_loop(&run, duration_ns);
	atomic_store(&run.ending, true);
	lane_close(run.lane);
	close(run.wake_fd);
	pthread_mutex_destroy(&run.mutex);
	return result;
}

/* The rounds' values of one field of struct result. */
static struct series rounds_of(struct result results[ROUNDS_MAX][STEPS][SETTINGS], size_t step,
	size_t setting, size_t offset)
{
	struct series series = {.count = 0};
	for (int64_t round = 0; round < settings.rounds; round++) {
		double value;
		memcpy(&value, (const char *)&results[round][step][setting] + offset, sizeof value);
		series_add(&series, value);
	}
	return series;
}

static void add_row(struct report *report, struct result results[ROUNDS_MAX][STEPS][SETTINGS],
	size_t step, size_t setting)
{
	static const struct {
		const char *key;
		size_t offset;
		enum better better;
	} fields[] = {
		{"items", offsetof(struct result, items_per_call), BETTER_MORE},
		{"rate", offsetof(struct result, per_second), BETTER_MORE},
		{"p50", offsetof(struct result, p50_ms), BETTER_LESS},
		{"p99", offsetof(struct result, p99_ms), BETTER_LESS},
		{"cpu", offsetof(struct result, cpu_us), BETTER_LESS},
	};
	char clients[32];
	snprintf(clients, sizeof clients, "%zu", client_counts[step]);
	json_t *row = report_row(report, "clients", clients);
	report_number(row, "most", (double)batch_sizes[setting]);
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		struct series series = rounds_of(results, step, setting, fields[i].offset);
		report_cell(row, fields[i].key, &series, fields[i].better);
	}
}

static struct report *make_report(struct result results[ROUNDS_MAX][STEPS][SETTINGS])
{
	struct report *report =
		report_new("lane", "What a lane's batches give", (size_t)settings.rounds);
	report_column(report, "clients", "Clients", 0);
	report_column(report, "most", "Items per call, at most", 0);
	report_column(report, "items", "Items per call", 1);
	report_column(report, "rate", "Requests/s", 0);
	report_column(report, "p50", "p50 ms", 2);
	report_column(report, "p99", "p99 ms", 2);
	report_column(report, "cpu", "CPU µs per request", 1);
	for (size_t step = 0; step < STEPS; step++)
		for (size_t setting = 0; setting < SETTINGS; setting++)
			add_row(report, results, step, setting);
	report_note(report,
		"The back end sleeps 500 µs per call and 2 µs per item, so the CPU time is "
		"the lane's and the event loop's own.");
	for (size_t step = 1; step < STEPS; step++) {
		size_t offset = offsetof(struct result, per_second);
		struct series one = rounds_of(results, step, 0, offset);
		struct series many = rounds_of(results, step, 1, offset);
		struct series ratios = series_divide(&many, &one);
		char what[64];
		snprintf(what, sizeof what, "%zu clients ÷ the same, one item per call",
			client_counts[step]);
		report_ratio(report, &(struct report_ratio){.id = "lane", .what = what, .must = 1},
			&ratios);
	}
	return report;
}
