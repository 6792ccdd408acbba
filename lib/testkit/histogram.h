/* How long things took, in nanoseconds: counts in buckets whose width grows with the value.
 *
 * The idea is HdrHistogram's (Gil Tene, https://hdrhistogram.org): each power of two is divided
 * into the same number of equal buckets, so that recording costs a shift and an increment, memory
 * is fixed, and each value is kept to within one part in 128. Keeping all samples, or a mean and a
 * deviation, would cost more or hide the tail.
 *
 * A histogram belongs to one thread; each thread fills its own, and they are merged at the end.
 * It is 58 KiB large: static, or on the stack of a thread with the usual 8 MiB. */
#pragma once

#include <stdint.h>

enum {
	HISTOGRAM_PRECISION_BITS = 7,
	HISTOGRAM_BUCKETS_PER_DOUBLING = 1 << HISTOGRAM_PRECISION_BITS,
	/* Values below 2 × BUCKETS_PER_DOUBLING are exact; each doubling up to 2^63 adds a row. */
	HISTOGRAM_BUCKETS = (63 - HISTOGRAM_PRECISION_BITS + 1) * HISTOGRAM_BUCKETS_PER_DOUBLING,
};

struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS];
	uint64_t count;
	int64_t min_ns;
	int64_t max_ns;
	double sum_ns;
};

/* Make it empty. */
void histogram_init(struct histogram *histogram);

/* Count one duration. A negative one, which only a clock that jumped gives, counts as zero. */
void histogram_record(struct histogram *histogram, int64_t duration_ns);

/* Add everything that `other` counted. */
void histogram_merge(struct histogram *histogram, const struct histogram *other);

/* The least recorded value at or under which at least `percent` of the values lie: 50 is the
 * median, 99.9 the time that one in a thousand exceeds. It is rounded up to its bucket's end, by at
 * most one part in 128, and never above the maximum. `percent` is from 0 to 100; an empty histogram
 * gives 0. */
int64_t histogram_percentile_ns(const struct histogram *histogram, double percent);

/* Exact; 0 when empty. */
int64_t histogram_min_ns(const struct histogram *histogram);
int64_t histogram_max_ns(const struct histogram *histogram);
double histogram_mean_ns(const struct histogram *histogram);

static inline uint64_t histogram_count(const struct histogram *histogram)
{
	return histogram->count;
}
