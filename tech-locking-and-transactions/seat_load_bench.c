/* See seat_load_bench.h. */
#include "tech-locking-and-transactions/seat_load_bench.h"

#include <assert.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/measure.h"
#include "lib/base/clock.h"
#include "lib/batch/lane.h"
#include "lib/testkit/process.h"
#include "lib/testkit/random.h"
#include "tech-locking-and-transactions/redis-guard/redis_guard.h"

enum {
	NAME_SIZE = 16,
	COUNT_MAX = 8,
	PATH_SIZE = 320,
	ARGUMENT_SIZE = 96,
	LINE_SIZE = 256,
	ATTEMPTS_MAX = 5,
	LONGER_SECONDS = 3,
};

struct crowd;

/* One client with its one request. */
struct client {
	struct lane_item item;
	struct crowd *crowd;
	struct hold_request request;
	struct slice seats[COUNT_MAX];
	char names[COUNT_MAX][NAME_SIZE];
	int64_t asked_ns;
};

struct crowd {
	const struct seat_load *load;
	struct id event;
	struct seat_store *store;
	struct lane *lane;
	struct random random;
	struct seat_load_outcome *outcome;
	int64_t end_ns;
	int64_t under_way; /* Clients who have not gone home yet. */
	pthread_mutex_t mutex;
	pthread_cond_t all_gone;
};

static int64_t now_ns(void)
{
	return clock_monotonic_ns(clock_system());
}

static void outcome_init(struct seat_load_outcome *outcome)
{
	*outcome = (struct seat_load_outcome){0};
	histogram_init(&outcome->latencies);
}

static struct seat_store *open_store(
	const struct seat_load *load, enum postgres_seats_technique technique)
{
	struct fault fault = {0};
	struct seat_store *store;
	struct postgres_seats_options options = {.url = load->url,
		.application_name = "bench",
		.technique = technique,
		.call_ms_max = 60000,
		.lock_ms_max = 50000};
	if (postgres_seats_open(&options, &store, &fault) != STATUS_OK)
		bench_fail("%s: %s", fault.where, fault.what);
	if (!load->guard_url)
		return store;
	struct redis_guard_options guard = {.redis_url = load->guard_url, .call_ms_max = 60000};
	if (redis_guard_open(store, &guard, &store, &fault) != STATUS_OK)
		bench_fail("%s: %s", fault.where, fault.what);
	return store;
}

static void crowd_init(struct crowd *crowd, const struct seat_load *load,
	struct seat_load_outcome *outcome, uint64_t stream)
{
	*crowd = (struct crowd){
		.load = load, .outcome = outcome, .end_ns = now_ns() + load->seconds * 1000000000};
	random_init_stream(&crowd->random, random_seed(), stream);
	if (load->count > COUNT_MAX || !id_parse(slice_of(load->event), &crowd->event))
		bench_fail("the load cannot be");
}

static void ask_anew(struct client *client)
{
	struct crowd *crowd = client->crowd;
	const struct seat_load *load = crowd->load;
	uint64_t first =
		1 + random_below(&crowd->random, (uint64_t)(load->seats - load->count + 1));
	uint64_t hold[2] = {random_next(&crowd->random), random_next(&crowd->random)};
	for (int64_t i = 0; i < load->count; i++) {
		snprintf(client->names[i], NAME_SIZE, "s-%llu",
			(unsigned long long)first + (unsigned long long)i);
		client->seats[i] = slice_of(client->names[i]);
	}
	client->request = (struct hold_request){.event = crowd->event,
		.person = slice_of("buyer"),
		.seats = client->seats,
		.seat_count = (size_t)load->count,
		.hold_ms = load->hold_ms};
	memcpy(client->request.hold.bytes, hold, sizeof client->request.hold.bytes);
	client->asked_ns = now_ns();
}

static void count_answer(struct seat_load_outcome *outcome, const struct client *client,
	const struct hold_result *result, int64_t answered_ns)
{
	if (result->outcome != HOLD_GRANTED && result->outcome != HOLD_TAKEN)
		bench_fail("a hold is %s", hold_outcome_name(result->outcome));
	outcome->answers++;
	outcome->holds += result->outcome == HOLD_GRANTED;
	histogram_record(&outcome->latencies, answered_ns - client->asked_ns);
}

/* ---- through a lane ---- */

static void apply(void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	struct crowd *crowd = context;
	struct hold_request requests[SEAT_STORE_BATCH_MAX] = {0};
	struct hold_result results[SEAT_STORE_BATCH_MAX];
	(void)thread;
	for (size_t i = 0; i < count; i++)
		requests[i] = ((struct client *)items[i])->request;
	if (seat_store_hold(crowd->store, requests, results, count) != STATUS_OK)
		bench_fail("a batch of holds failed");
	int64_t answered_ns = now_ns();
	int64_t gone = 0;
	for (size_t i = 0; i < count; i++) {
		struct client *client = (struct client *)items[i];
		count_answer(crowd->outcome, client, &results[i], answered_ns);
		gone += answered_ns >= crowd->end_ns;
		if (answered_ns >= crowd->end_ns)
			continue;
		ask_anew(client);
		if (lane_submit(crowd->lane, &client->item) != STATUS_OK)
			bench_fail("the lane is full");
	}
	if (gone == 0)
		return;
	pthread_mutex_lock(&crowd->mutex);
	crowd->under_way -= gone;
	pthread_cond_signal(&crowd->all_gone);
	pthread_mutex_unlock(&crowd->mutex);
}

static void late(void *context, struct lane_item *const items[], size_t count)
{
	(void)context;
	(void)items;
	(void)count;
	bench_fail("a request without a deadline is late");
}

void seat_load_by_lane(const struct seat_load *load, enum postgres_seats_technique technique,
	struct seat_load_outcome *outcome)
{
	static const struct lane_ops ops = {.apply = apply, .late = late};
	struct crowd crowd;
	outcome_init(outcome);
	crowd_init(&crowd, load, outcome, 0);
	crowd.store = open_store(load, technique);
	pthread_mutex_init(&crowd.mutex, NULL);
	pthread_cond_init(&crowd.all_gone, NULL);
	struct lane_options options = {.name = "hold",
		.ops = &ops,
		.context = &crowd,
		.queue_max = (size_t)load->clients,
		.batch_max = SEAT_STORE_BATCH_MAX,
		.thread_count = 1};
	struct client *clients = calloc((size_t)load->clients, sizeof *clients);
	if (!clients || lane_open(&options, &crowd.lane) != STATUS_OK)
		bench_fail("there is no memory for the clients");
	crowd.under_way = load->clients;
	int64_t start_ns = now_ns();
	crowd.end_ns = start_ns + load->seconds * 1000000000;
	for (int64_t i = 0; i < load->clients; i++) {
		clients[i].crowd = &crowd;
		clients[i].item.deadline_ms = LANE_NEVER;
	}
	/* Only the lane's thread draws numbers once it has begun, so all are drawn before. */
	for (int64_t i = 0; i < load->clients; i++)
		ask_anew(&clients[i]);
	for (int64_t i = 0; i < load->clients; i++)
		if (lane_submit(crowd.lane, &clients[i].item) != STATUS_OK)
			bench_fail("the lane is full");
	pthread_mutex_lock(&crowd.mutex);
	while (crowd.under_way > 0)
		pthread_cond_wait(&crowd.all_gone, &crowd.mutex);
	pthread_mutex_unlock(&crowd.mutex);
	outcome->seconds = (double)(now_ns() - start_ns) / 1e9;
	lane_close(crowd.lane);
	if (load->guard_url && redis_guard_counts(crowd.store).bypassed > 0)
		bench_fail("the guard has lost its Redis");
	seat_store_close(crowd.store);
	pthread_mutex_destroy(&crowd.mutex);
	pthread_cond_destroy(&crowd.all_gone);
	free(clients);
}

/* ---- a connection each ---- */

struct thread {
	pthread_t thread;
	struct crowd crowd;
	struct seat_load_outcome outcome;
	pthread_barrier_t *connected;
	enum postgres_seats_technique technique;
};

static void *run_client(void *context)
{
	struct thread *thread = context;
	struct client client = {.crowd = &thread->crowd};
	thread->crowd.store = open_store(thread->crowd.load, thread->technique);
	pthread_barrier_wait(thread->connected);
	int64_t start_ns = now_ns(), answered_ns;
	do {
		struct hold_result result;
		ask_anew(&client);
		if (seat_store_hold(thread->crowd.store, &client.request, &result, 1) != STATUS_OK)
			bench_fail("a hold failed");
		answered_ns = now_ns();
		count_answer(&thread->outcome, &client, &result, answered_ns);
	} while (answered_ns - start_ns < thread->crowd.load->seconds * 1000000000);
	thread->outcome.seconds = (double)(answered_ns - start_ns) / 1e9;
	seat_store_close(thread->crowd.store);
	return NULL;
}

void seat_load_by_threads(const struct seat_load *load, enum postgres_seats_technique technique,
	struct seat_load_outcome *outcome)
{
	pthread_barrier_t connected;
	struct thread *threads = calloc((size_t)load->clients, sizeof *threads);
	outcome_init(outcome);
	if (!threads || pthread_barrier_init(&connected, NULL, (unsigned)load->clients) != 0)
		bench_fail("there is no memory for the clients");
	for (int64_t i = 0; i < load->clients; i++) {
		struct thread *thread = &threads[i];
		outcome_init(&thread->outcome);
		crowd_init(&thread->crowd, load, &thread->outcome, (uint64_t)i);
		thread->connected = &connected;
		thread->technique = technique;
		if (pthread_create(&thread->thread, NULL, run_client, thread) != 0)
			bench_fail("there is no thread for a client");
	}
	for (int64_t i = 0; i < load->clients; i++) {
		const struct seat_load_outcome *one = &threads[i].outcome;
		pthread_join(threads[i].thread, NULL);
		outcome->answers += one->answers;
		outcome->holds += one->holds;
		if (one->seconds > outcome->seconds)
			outcome->seconds = one->seconds;
		histogram_merge(&outcome->latencies, &one->latencies);
	}
	pthread_barrier_destroy(&connected);
	free(threads);
}

/* ---- pgbench ---- */

static void run_pgbench(
	const struct seat_load *load, int64_t seconds, const char *script, const char *folder)
{
	char texts[8][ARGUMENT_SIZE], file[PATH_SIZE], prefix[PATH_SIZE], errors[PATH_SIZE];
	snprintf(texts[0], ARGUMENT_SIZE, "--client=%lld", (long long)load->clients);
	snprintf(texts[1], ARGUMENT_SIZE, "--jobs=%d", load->clients > 1 ? 2 : 1);
	snprintf(texts[2], ARGUMENT_SIZE, "--time=%lld", (long long)seconds);
	snprintf(texts[3], ARGUMENT_SIZE, "--define=event=%s", load->event);
	snprintf(texts[4], ARGUMENT_SIZE, "--define=seats=%lld", (long long)load->seats);
	snprintf(texts[5], ARGUMENT_SIZE, "--define=count=%lld", (long long)load->count);
	snprintf(texts[6], ARGUMENT_SIZE, "--define=hold_ms=%lld", (long long)load->hold_ms);
	snprintf(file, sizeof file, "--file=%s/%s", SEATS_BENCH, script);
	snprintf(prefix, sizeof prefix, "--log-prefix=%s/pgbench", folder);
	snprintf(errors, sizeof errors, "%s/errors", folder);
	const char *arguments[] = {"pgbench", "--no-vacuum", "--protocol=prepared", "--log", file,
		prefix, texts[0], texts[1], texts[2], texts[3], texts[4], texts[5], texts[6],
		load->url, NULL};
	struct process_options options = {.arguments = arguments, .error_path = errors};
	struct process pgbench = {0};
	if (process_start(&pgbench, &options) != STATUS_OK ||
		process_wait(&pgbench, (seconds + 60) * 1000) != STATUS_OK ||
		pgbench.exit_code != 0)
		bench_fail("pgbench failed; %s says why", errors);
	process_release(&pgbench);
	unlink(errors);
}

struct span {
	int64_t first_us, last_us;
};

static void read_log(const char *path, struct seat_load_outcome *outcome, struct span *span)
{
	char line[LINE_SIZE];
	FILE *file = fopen(path, "re");
	if (!file)
		bench_fail("%s cannot be opened", path);
	while (fgets(line, sizeof line, file)) {
		long long took_us, seconds, rest_us;
		if (sscanf(line, "%*s %*s %lld %*s %lld %lld", &took_us, &seconds, &rest_us) != 3)
			bench_fail("%s has the line %s", path, line);
		int64_t end_us = seconds * 1000000 + rest_us;
		histogram_record(&outcome->latencies, took_us * 1000);
		outcome->answers++;
		if (span->last_us == 0 || end_us - took_us < span->first_us)
			span->first_us = end_us - took_us;
		if (end_us > span->last_us)
			span->last_us = end_us;
	}
	fclose(file);
}

static void read_logs(const char *folder, struct seat_load_outcome *outcome, struct span *span)
{
	DIR *entries = opendir(folder);
	if (!entries)
		bench_fail("%s cannot be read", folder);
	for (const struct dirent *entry; (entry = readdir(entries));) {
		char path[PATH_SIZE];
		if (strncmp(entry->d_name, "pgbench.", strlen("pgbench.")) != 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		read_log(path, outcome, span);
		unlink(path);
	}
	closedir(entries);
}

/* Its time includes connecting. Where that took all of it, it gets more. */
void seat_load_by_pgbench(const struct seat_load *load, const char *script, const char *folder,
	struct seat_load_outcome *outcome)
{
	struct span span = {0};
	outcome_init(outcome);
	for (int i = 0; i < ATTEMPTS_MAX && outcome->answers == 0; i++) {
		run_pgbench(load, load->seconds + i * LONGER_SECONDS, script, folder);
		read_logs(folder, outcome, &span);
	}
	if (outcome->answers == 0)
		bench_fail("pgbench has logged no transaction in %s", folder);
	outcome->seconds = (double)(span.last_us - span.first_us) / 1e6;
}
