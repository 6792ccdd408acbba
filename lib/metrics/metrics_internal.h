/* What the files of lib/metrics share and nobody else sees. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "lib/metrics/metrics.h"

enum {
	/* Copies of each counter and histogram. Threads are dealt over them in turn, so up to this
	 * many never meet; more would only cost memory and rendering. */
	METRICS_SHARDS = 8,
	METRICS_CACHE_LINE = 64, /* Bytes; x86-64 and most ARM. */
	METRICS_WORDS_PER_LINE = METRICS_CACHE_LINE / sizeof(uint64_t),
};

enum metrics_kind { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

struct metrics_counter {
	struct {
		_Alignas(METRICS_CACHE_LINE) _Atomic uint64_t count;
	} shards[METRICS_SHARDS];
};

/* One copy only: what is set has to be seen by whoever adds to it. */
struct metrics_gauge {
	_Alignas(METRICS_CACHE_LINE) _Atomic int64_t value;
};

struct metrics_histogram {
	struct metrics_buckets buckets;
	size_t stride; /* Words from one shard to the next: whole cache lines. */
	/* Each shard is the sum, the bucket of each bound, and the infinite bucket. */
	_Alignas(METRICS_CACHE_LINE) _Atomic uint64_t words[];
};

/* One set of labels within a family, with the one metric that its family's kind says. */
struct metrics_series {
	struct metrics_series *next;
	char *labels; /* As they stand between the braces, escaped; empty without any. */
	struct metrics_counter *counter;
	struct metrics_gauge *gauge;
	struct metrics_histogram *histogram;
	double (*read)(void *context); /* A gauge without a value of its own. */
	void *context;
};

struct metrics_family {
	struct metrics_family *next;
	enum metrics_kind kind;
	char *name, *help, *unit; /* The unit may be NULL. */
	struct metrics_series *first, **end;
	size_t series_count;
};

struct metrics {
	struct metrics_family *first, **end;
	size_t family_count;
	bool frozen;
	bool failed; /* Memory was short for some creation. */
};

/* metrics_value.c: zero, or NULL when memory is short. Freed by free(). */
struct metrics_counter *metrics_counter_new(void);
struct metrics_gauge *metrics_gauge_new(void);
struct metrics_histogram *metrics_histogram_new(const struct metrics_buckets *buckets);

/* How many values each bucket holds, the infinite one last, not cumulated. Returns their sum, in
 * units of 10^-decimals. */
uint64_t metrics_histogram_read(
	const struct metrics_histogram *histogram, uint64_t counts[METRICS_BUCKETS_MAX + 1]);

/* metrics_render.c: the labels as they stand between the braces. */
void metrics_render_labels(
	struct buffer *buffer, const struct metrics_label labels[], size_t count);
