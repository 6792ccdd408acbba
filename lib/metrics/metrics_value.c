/* The metrics themselves: what each update costs.
 *
 * A plain atomic per metric would be one cache line for which all event loops queue: at 200,000
 * requests/s each, with several metrics per request, that is felt. So each thread has one of a few
 * shards. Relaxed order is enough, since no figure guards any other memory. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/metrics/metrics_internal.h"

static void *new_lines(size_t size);
static size_t own_shard(void);
static size_t bucket_of(const struct metrics_buckets *buckets, int64_t value);

void metrics_counter_add(struct metrics_counter *counter, uint64_t count)
{
	if (counter)
		atomic_fetch_add_explicit(
			&counter->shards[own_shard()].count, count, memory_order_relaxed);
}

void metrics_gauge_set(struct metrics_gauge *gauge, int64_t value)
{
	if (gauge)
		atomic_store_explicit(&gauge->value, value, memory_order_relaxed);
}

void metrics_gauge_add(struct metrics_gauge *gauge, int64_t difference)
{
	if (gauge)
		atomic_fetch_add_explicit(&gauge->value, difference, memory_order_relaxed);
}

void metrics_histogram_record(struct metrics_histogram *histogram, int64_t value)
{
	if (!histogram)
		return;
	if (value < 0)
		value = 0;
	_Atomic uint64_t *shard = &histogram->words[own_shard() * histogram->stride];
	size_t bucket = bucket_of(&histogram->buckets, value);
	atomic_fetch_add_explicit(&shard[0], (uint64_t)value, memory_order_relaxed);
	atomic_fetch_add_explicit(&shard[1 + bucket], 1, memory_order_relaxed);
}

uint64_t metrics_counter_value(const struct metrics_counter *counter)
{
	uint64_t count = 0;
	for (size_t i = 0; counter && i < METRICS_SHARDS; i++)
		count += atomic_load_explicit(&counter->shards[i].count, memory_order_relaxed);
	return count;
}

int64_t metrics_gauge_value(const struct metrics_gauge *gauge)
{
	return gauge ? atomic_load_explicit(&gauge->value, memory_order_relaxed) : 0;
}

uint64_t metrics_histogram_count(const struct metrics_histogram *histogram)
{
	uint64_t counts[METRICS_BUCKETS_MAX + 1], count = 0;
	if (!histogram)
		return 0;
	metrics_histogram_read(histogram, counts);
	for (size_t bucket = 0; bucket <= histogram->buckets.count; bucket++)
		count += counts[bucket];
	return count;
}

uint64_t metrics_histogram_sum(const struct metrics_histogram *histogram)
{
	uint64_t counts[METRICS_BUCKETS_MAX + 1];
	return histogram ? metrics_histogram_read(histogram, counts) : 0;
}

uint64_t metrics_histogram_read(
	const struct metrics_histogram *histogram, uint64_t counts[METRICS_BUCKETS_MAX + 1])
{
	uint64_t sum = 0;
	memset(counts, 0, (METRICS_BUCKETS_MAX + 1) * sizeof counts[0]);
	for (size_t i = 0; i < METRICS_SHARDS; i++) {
		const _Atomic uint64_t *shard = &histogram->words[i * histogram->stride];
		sum += atomic_load_explicit(&shard[0], memory_order_relaxed);
		for (size_t bucket = 0; bucket <= histogram->buckets.count; bucket++)
			counts[bucket] +=
				atomic_load_explicit(&shard[1 + bucket], memory_order_relaxed);
	}
	return sum;
}

struct metrics_counter *metrics_counter_new(void)
{
	return new_lines(sizeof(struct metrics_counter));
}

struct metrics_gauge *metrics_gauge_new(void)
{
	return new_lines(sizeof(struct metrics_gauge));
}

struct metrics_histogram *metrics_histogram_new(const struct metrics_buckets *buckets)
{
	size_t words = buckets->count + 2;
	size_t stride = (words + METRICS_WORDS_PER_LINE - 1) / METRICS_WORDS_PER_LINE *
		METRICS_WORDS_PER_LINE;
	struct metrics_histogram *histogram =
		new_lines(sizeof *histogram + METRICS_SHARDS * stride * sizeof histogram->words[0]);
	if (!histogram)
		return NULL;
	histogram->buckets = *buckets;
	histogram->stride = stride;
	return histogram;
}

/* Zeroed, and neither begins nor ends within a cache line of somebody else. */
static void *new_lines(size_t size)
{
	assert(size % METRICS_CACHE_LINE == 0);
	void *memory = aligned_alloc(METRICS_CACHE_LINE, size);
	if (memory)
		memset(memory, 0, size);
	return memory;
}

/* Threads are dealt out in the order of their first update. A processor's number would be closer to
 * the truth, but costs a system call or a restartable sequence each time. */
static size_t own_shard(void)
{
	static atomic_size_t dealt;
	static _Thread_local size_t own; /* One more than the shard; 0: none yet. */
	if (own == 0)
		own = 1 +
			atomic_fetch_add_explicit(&dealt, 1, memory_order_relaxed) % METRICS_SHARDS;
	return own - 1;
}

/* The first whose bound is not below the value, or the infinite one. */
static size_t bucket_of(const struct metrics_buckets *buckets, int64_t value)
{
	size_t from = 0, to = buckets->count;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (buckets->bounds[middle] < value)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}
