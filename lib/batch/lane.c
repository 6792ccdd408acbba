/* A lane is a list under a mutex, and threads that take its head.
 *
 * The mutex is held for a few pointer moves; whoever submits never waits for the back end. Only a
 * pile of more than a batch is walked under it, one batch long, since its last item has to be
 * found.
 *
 * Waking costs a system call and, on a small machine, the processor that the submitter wanted to go
 * on using. So a submission wakes a thread only when one sleeps that was not woken already, and
 * those that were woken could not take everything in one batch each. A thread that is awake looks
 * at the queue before it sleeps, under the same mutex, so no item is overlooked. */
#include "lib/batch/lane.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	NS_PER_MS = 1000000,
	SLEEP_MS_MAX = 3600000, /* So that no sum overflows; whoever wakes early sleeps again. */
	THREAD_NAME_SIZE = 16,  /* Linux allows no more. */
};

struct lane_metrics {
	struct metrics_gauge *depth;
	struct metrics_histogram *batch, *waiting, *service;
	struct metrics_counter *late, *refused;
};

struct lane_thread {
	struct lane *lane;
	size_t index;
	pthread_t thread;
	struct lane_item **items, **late; /* Room for a batch in each. */
};

struct lane {
	struct lane_options options;
	char name[LANE_NAME_SIZE];
	struct clock *clock;
	struct lane_metrics metrics;
	struct lane_thread *threads;
	size_t thread_count;     /* That run. */
	struct lane_item **room; /* The threads' batches, in one piece. */
	int64_t tick_ms;         /* The next tick; the one thread's own. */

	pthread_mutex_t mutex; /* Guards what follows. */
	pthread_cond_t changed;
	struct lane_item *first, *last;
	size_t depth;
	size_t sleeping;
	size_t woken; /* Of the sleeping, those that were signalled and have not come back yet. */
	bool stopping;
};

static void check_options(const struct lane_options *options);
static void init_mutex(struct lane *lane);
static struct lane_metrics open_metrics(struct metrics *metrics, const char *name);
static enum status start_thread(struct lane *lane);
static void *run(void *context);
static bool wait_for_turn(struct lane *lane, struct lane_item **chain);
static bool is_tick_due(const struct lane *lane);
static void sleep_until_changed(struct lane *lane);
static struct lane_item *take_batch(struct lane *lane);
static void tick(struct lane *lane);
static void hand_over(struct lane_thread *thread, struct lane_item *chain);

enum status lane_open(const struct lane_options *options, struct lane **result)
{
	check_options(options);
	size_t thread_count = options->thread_count > 0 ? options->thread_count : 1;
	struct lane *lane = calloc(1, sizeof *lane);
	if (!lane)
		return STATUS_UNAVAILABLE;
	lane->options = *options;
	lane->clock = options->clock ? options->clock : clock_system();
	(void)snprintf(lane->name, sizeof lane->name, "%s", options->name);
	lane->options.name = lane->name;
	lane->metrics = open_metrics(options->metrics, lane->name);
	init_mutex(lane);
	lane->threads = calloc(thread_count, sizeof *lane->threads);
	lane->room = calloc(thread_count * 2 * options->batch_max, sizeof lane->room[0]);
	if (!lane->threads || !lane->room)
		goto fail;
	while (lane->thread_count < thread_count)
		if (start_thread(lane) != STATUS_OK)
			goto fail;
	*result = lane;
	return STATUS_OK;

fail:
	lane_close(lane);
	return STATUS_UNAVAILABLE;
}

void lane_register_metrics(struct metrics *metrics, const char *name)
{
	open_metrics(metrics, name);
}

enum status lane_submit(struct lane *lane, struct lane_item *item)
{
	struct lane_item *before = item->next;
	item->next = NULL;
	if (!lane_submit_all(lane, item))
		return STATUS_OK;
	item->next = before;
	return STATUS_UNAVAILABLE;
}

/* Under the mutex: how many of the sleeping have to be woken for the queue as it is. */
static size_t count_wakes(const struct lane *lane)
{
	size_t batch_max = lane->options.batch_max;
	size_t wanted = (lane->depth + batch_max - 1) / batch_max;
	wanted = wanted < lane->sleeping ? wanted : lane->sleeping;
	return wanted > lane->woken ? wanted - lane->woken : 0;
}

struct lane_item *lane_submit_all(struct lane *lane, struct lane_item *chain)
{
	int64_t now_ns = clock_monotonic_ns(lane->clock);
	struct lane_item *rest = chain, *last = NULL;
	size_t taken = 0, refused = 0, wakes = 0;
	pthread_mutex_lock(&lane->mutex);
	size_t room = lane->stopping || lane->depth >= lane->options.queue_max
		? 0
		: lane->options.queue_max - lane->depth;
	for (; rest && taken < room; rest = rest->next, taken++) {
		rest->queued_ns = now_ns;
		last = rest;
	}
	if (last) {
		last->next = NULL;
		if (lane->last)
			lane->last->next = chain;
		else
			lane->first = chain;
		lane->last = last;
		lane->depth += taken;
		metrics_gauge_add(lane->metrics.depth, (int64_t)taken);
		wakes = count_wakes(lane);
		lane->woken += wakes;
	}
	pthread_mutex_unlock(&lane->mutex);
	/* Outside, so that the woken thread does not run into the mutex and sleep again. */
	for (; wakes > 0; wakes--)
		pthread_cond_signal(&lane->changed);
	for (struct lane_item *item = rest; item; item = item->next)
		refused++;
	if (refused > 0)
		metrics_counter_add(lane->metrics.refused, refused);
	return rest;
}

size_t lane_depth(struct lane *lane)
{
	pthread_mutex_lock(&lane->mutex);
	size_t depth = lane->depth;
	pthread_mutex_unlock(&lane->mutex);
	return depth;
}

void lane_tick_by(struct lane *lane, int64_t ms)
{
	assert(lane->options.ops->tick);
	if (ms < lane->tick_ms)
		lane->tick_ms = ms;
}

void lane_stop(struct lane *lane)
{
	pthread_mutex_lock(&lane->mutex);
	lane->stopping = true;
	pthread_cond_broadcast(&lane->changed);
	pthread_mutex_unlock(&lane->mutex);
	for (; lane->thread_count > 0; lane->thread_count--)
		pthread_join(lane->threads[lane->thread_count - 1].thread, NULL);
	assert(lane->depth == 0 && !lane->first);
}

void lane_close(struct lane *lane)
{
	if (!lane)
		return;
	lane_stop(lane);
	pthread_cond_destroy(&lane->changed);
	pthread_mutex_destroy(&lane->mutex);
	free(lane->threads);
	free(lane->room);
	free(lane);
}

static void check_options(const struct lane_options *options)
{
	assert(options->name && options->ops->apply && options->ops->late);
	assert(options->queue_max >= 1 && options->queue_max <= LANE_QUEUE_MAX);
	assert(options->batch_max >= 1 && options->batch_max <= LANE_BATCH_MAX);
	assert(options->thread_count <= LANE_THREADS_MAX);
	assert(!options->ops->tick || options->thread_count <= 1);
}

static void init_mutex(struct lane *lane)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&lane->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&lane->mutex, NULL);
}

static struct lane_metrics open_metrics(struct metrics *metrics, const char *name)
{
	enum { DEPTH, BATCH, WAITING, SERVICE, LATE, REFUSED, COUNT };
	struct metrics_description descriptions[COUNT] = {
		[DEPTH] = {.name = "lane_depth", .help = "Items that wait in the queue."},
		[BATCH] = {.name = "lane_batch_items",
			.unit = "items",
			.help = "Items per call of the back end."},
		[WAITING] = {.name = "lane_waiting_seconds",
			.unit = "seconds",
			.help = "From an item's submission until it is taken out."},
		[SERVICE] = {.name = "lane_service_seconds",
			.unit = "seconds",
			.help = "How long each call of the back end took."},
		[LATE] = {.name = "lane_late", .help = "Items taken out after their deadline."},
		[REFUSED] = {.name = "lane_refused",
			.help = "Items refused by a full or stopped queue."},
	};
	const struct metrics_label label = {.name = "lane", .value = name};
	for (size_t i = 0; i < COUNT; i++) {
		descriptions[i].labels = &label;
		descriptions[i].label_count = 1;
	}
	return (struct lane_metrics){
		.depth = metrics_add_gauge(metrics, &descriptions[DEPTH]),
		.batch = metrics_add_histogram(
			metrics, &descriptions[BATCH], &metrics_batch_buckets),
		.waiting = metrics_add_histogram(
			metrics, &descriptions[WAITING], &metrics_latency_buckets),
		.service = metrics_add_histogram(
			metrics, &descriptions[SERVICE], &metrics_latency_buckets),
		.late = metrics_add_counter(metrics, &descriptions[LATE]),
		.refused = metrics_add_counter(metrics, &descriptions[REFUSED]),
	};
}

static enum status start_thread(struct lane *lane)
{
	size_t index = lane->thread_count;
	struct lane_thread *thread = &lane->threads[index];
	struct lane_item **room = &lane->room[index * 2 * lane->options.batch_max];
	*thread = (struct lane_thread){.lane = lane,
		.index = index,
		.items = room,
		.late = room + lane->options.batch_max};
	if (pthread_create(&thread->thread, NULL, run, thread) != 0)
		return STATUS_UNAVAILABLE;
	lane->thread_count++;
	char name[THREAD_NAME_SIZE];
	(void)snprintf(name, sizeof name, "%.*s", THREAD_NAME_SIZE - 1, lane->name);
	pthread_setname_np(thread->thread, name);
	return STATUS_OK;
}

/* The tick stands between taking a batch and applying it, at most one per round: however often it
 * is due it cannot keep a batch away, nor batches the tick. */
static void *run(void *context)
{
	struct lane_thread *thread = context;
	struct lane *lane = thread->lane;
	struct lane_item *chain;
	while (wait_for_turn(lane, &chain)) {
		if (is_tick_due(lane))
			tick(lane);
		if (chain)
			hand_over(thread, chain);
	}
	return NULL;
}

/* Wait until there is something to do, and take the next batch, NULL where only the tick is due.
 * False: the lane is stopped and its queue is empty. */
static bool wait_for_turn(struct lane *lane, struct lane_item **chain)
{
	pthread_mutex_lock(&lane->mutex);
	while (!lane->first && !lane->stopping && !is_tick_due(lane))
		sleep_until_changed(lane);
	*chain = take_batch(lane);
	bool goes_on = *chain || !lane->stopping;
	pthread_mutex_unlock(&lane->mutex);
	return goes_on;
}

static bool is_tick_due(const struct lane *lane)
{
	return lane->options.ops->tick && lane->tick_ms != LANE_NEVER &&
		clock_monotonic_ms(lane->clock) >= lane->tick_ms;
}

/* Under the mutex, which is given up meanwhile. May return for no reason. */
static void sleep_until_changed(struct lane *lane)
{
	lane->sleeping++;
	if (lane->options.ops->tick && lane->tick_ms != LANE_NEVER) {
		int64_t wait_ms = lane->tick_ms - clock_monotonic_ms(lane->clock);
		wait_ms = wait_ms < 0 ? 0 : wait_ms > SLEEP_MS_MAX ? SLEEP_MS_MAX : wait_ms;
		/* The kernel knows only the system's clock, whichever the lane goes by. */
		int64_t end_ns = clock_monotonic_ns(clock_system()) + wait_ms * NS_PER_MS;
		struct timespec end = {
			.tv_sec = end_ns / 1000000000, .tv_nsec = end_ns % 1000000000};
		pthread_cond_timedwait(&lane->changed, &lane->mutex, &end);
	} else {
		pthread_cond_wait(&lane->changed, &lane->mutex);
	}
	lane->sleeping--;
	/* Whoever comes back counts as the one that was woken. If it was another, that one comes
	 * back as well, and at worst one more is woken than was needed. */
	if (lane->woken > 0)
		lane->woken--;
}

/* Under the mutex: unlink the head of the queue. NULL when it is empty. */
static struct lane_item *take_batch(struct lane *lane)
{
	struct lane_item *first = lane->first;
	size_t count = lane->depth;
	if (count <= lane->options.batch_max) {
		lane->first = NULL;
		lane->last = NULL;
	} else {
		count = lane->options.batch_max;
		struct lane_item *last = first;
		assert(last);
		for (size_t i = 1; i < count; i++) {
			last = last->next;
			assert(last);
		}
		lane->first = last->next;
		last->next = NULL;
	}
	lane->depth -= count;
	metrics_gauge_add(lane->metrics.depth, -(int64_t)count);
	return first;
}

static void tick(struct lane *lane)
{
	int64_t now_ms = clock_monotonic_ms(lane->clock);
	int64_t next_ms = lane->options.ops->tick(lane->options.context, now_ms);
	lane->tick_ms = next_ms > now_ms ? next_ms : now_ms + 1;
}

/* Once items are handed over they may be gone, so everything about them is measured before. */
static void hand_over(struct lane_thread *thread, struct lane_item *chain)
{
	struct lane *lane = thread->lane;
	const struct lane_ops *ops = lane->options.ops;
	void *context = lane->options.context;
	int64_t taken_ns = clock_monotonic_ns(lane->clock);
	size_t count = 0, late_count = 0;
	while (chain) {
		struct lane_item *item = chain;
		chain = item->next;
		item->next = NULL;
		metrics_histogram_record(lane->metrics.waiting, taken_ns - item->queued_ns);
		if (item->deadline_ms < taken_ns / NS_PER_MS)
			thread->late[late_count++] = item;
		else
			thread->items[count++] = item;
	}

	if (late_count > 0) {
		metrics_counter_add(lane->metrics.late, late_count);
		ops->late(context, thread->late, late_count);
	}
	if (count > 0) {
		metrics_histogram_record(lane->metrics.batch, (int64_t)count);
		int64_t start_ns = clock_monotonic_ns(lane->clock);
		ops->apply(context, thread->index, thread->items, count);
		metrics_histogram_record(
			lane->metrics.service, clock_monotonic_ns(lane->clock) - start_ns);
	}
}
