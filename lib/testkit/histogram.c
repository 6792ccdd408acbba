/* The bucket of a value: below 2 × BUCKETS_PER_DOUBLING its own; above, the value keeps its highest
 * PRECISION_BITS + 1 bits, and the number of bits dropped says which row of buckets it is in. */
#include "lib/testkit/histogram.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static size_t bucket_of(int64_t value);
static int64_t bucket_last_value(size_t bucket);

void histogram_init(struct histogram *histogram)
{
	memset(histogram, 0, sizeof *histogram);
	histogram->min_ns = INT64_MAX;
}

void histogram_record(struct histogram *histogram, int64_t duration_ns)
{
	int64_t value = duration_ns < 0 ? 0 : duration_ns;
	histogram->counts[bucket_of(value)]++;
	histogram->count++;
	histogram->sum_ns += (double)value;
	if (value < histogram->min_ns)
		histogram->min_ns = value;
	if (value > histogram->max_ns)
		histogram->max_ns = value;
}

void histogram_merge(struct histogram *histogram, const struct histogram *other)
{
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		histogram->counts[i] += other->counts[i];
	histogram->count += other->count;
	histogram->sum_ns += other->sum_ns;
	if (other->min_ns < histogram->min_ns)
		histogram->min_ns = other->min_ns;
	if (other->max_ns > histogram->max_ns)
		histogram->max_ns = other->max_ns;
}

int64_t histogram_percentile_ns(const struct histogram *histogram, double percent)
{
	assert(percent >= 0 && percent <= 100);
	if (histogram->count == 0)
		return 0;
	double exact = (double)histogram->count * percent / 100;
	uint64_t wanted = (uint64_t)exact;
	if ((double)wanted < exact || wanted == 0)
		wanted++;
	uint64_t seen = 0;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->counts[i];
		if (seen >= wanted) {
			int64_t last = bucket_last_value(i);
			return last < histogram->max_ns ? last : histogram->max_ns;
		}
	}
	return histogram->max_ns;
}

int64_t histogram_min_ns(const struct histogram *histogram)
{
	return histogram->count ? histogram->min_ns : 0;
}

int64_t histogram_max_ns(const struct histogram *histogram)
{
	return histogram->max_ns;
}

double histogram_mean_ns(const struct histogram *histogram)
{
	return histogram->count ? histogram->sum_ns / (double)histogram->count : 0;
}

static size_t bucket_of(int64_t value)
{
	uint64_t bits = (uint64_t)value;
	if (bits < 2 * HISTOGRAM_BUCKETS_PER_DOUBLING)
		return (size_t)bits;
	size_t dropped = 63 - (size_t)__builtin_clzll(bits) - HISTOGRAM_PRECISION_BITS;
	return dropped * HISTOGRAM_BUCKETS_PER_DOUBLING + (size_t)(bits >> dropped);
}

static int64_t bucket_last_value(size_t bucket)
{
	if (bucket < 2 * HISTOGRAM_BUCKETS_PER_DOUBLING)
		return (int64_t)bucket;
	size_t dropped = bucket / HISTOGRAM_BUCKETS_PER_DOUBLING - 1;
	uint64_t kept = bucket % HISTOGRAM_BUCKETS_PER_DOUBLING + HISTOGRAM_BUCKETS_PER_DOUBLING;
	return (int64_t)(((kept + 1) << dropped) - 1);
}
