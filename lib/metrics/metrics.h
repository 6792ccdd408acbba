/* What the program counts and measures, as OpenMetrics text for GET /metrics.
 *
 * Register first, then freeze, then count. While there is one thread, everything that is to be
 * counted is created in a registry; metrics_freeze() ends that. From then on the registry's lists
 * never change, so any thread may update and render without a lock. Creating something later is a
 * bug, asking for what exists already is not: the same name with the same labels gives the same
 * metric, at any time.
 *
 *	struct metrics *metrics = metrics_new();
 *	struct metrics_counter *held = metrics_add_counter(metrics,
 *		&(struct metrics_description) {.name = "holds", .help = "Holds granted."});
 *	if (metrics_freeze(metrics) != STATUS_OK)
 *		… out of memory …
 *	metrics_counter_add(held, 1);
 *	metrics_render(metrics, &buffer);
 *
 * Nobody need check each creation: where memory is short or `metrics` is NULL it gives NULL, every
 * update ignores NULL, and metrics_freeze() tells. So code that counts is the same whether anybody
 * wants its figures or not.
 *
 * Updates are relaxed atomic additions. Counters and histograms keep one copy for each of several
 * groups of threads, each on cache lines of its own, so that event loops do not take turns at one
 * line; a rendering adds the copies up. It is not a snapshot: what is updated meanwhile may be in
 * or not, and a histogram's sum may be ahead of its count by what is just being recorded. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/buffer.h"
#include "lib/base/status.h"

enum {
	METRICS_NAME_SIZE_MAX = 100,
	METRICS_LABELS_MAX = 8,
	METRICS_LABEL_VALUE_SIZE_MAX = 128, /* In bytes, before escaping; what is longer is cut. */
	METRICS_FAMILIES_MAX = 256,         /* Names in one registry. */
	METRICS_SERIES_MAX = 1024,          /* Sets of labels under one name. */
	METRICS_BUCKETS_MAX = 62,           /* Bounds of one histogram, without the infinite one. */
	METRICS_RENDERED_SIZE_MAX = 8 << 20, /* For the buffer that is rendered into. */
};

/* What the reply to GET /metrics is declared as. */
extern const char metrics_content_type[];

struct metrics;
struct metrics_counter;
struct metrics_gauge;
struct metrics_histogram;

struct metrics_label {
	const char *name; /* [a-z][a-z0-9_]*, not "le" or "quantile". */
	/* Any text. Control characters and bytes that are not UTF-8 become U+FFFD. Never what the
	 * outside chose freely: each value costs memory for as long as the program runs. */
	const char *value;
};

/* Everything is copied. */
struct metrics_description {
	/* [a-z][a-z0-9_]*, at most METRICS_NAME_SIZE_MAX, without the endings that OpenMetrics adds
	 * itself: _total, _created, _count, _sum, _bucket, _info. */
	const char *name;
	const char *help; /* One sentence. */
	/* The base unit ("seconds", "bytes") that the name ends in; NULL: none. */
	const char *unit;
	const struct metrics_label *labels; /* Told apart by their order as well. */
	size_t label_count;
};

/* The buckets of a histogram. Values are integers, so that sums are exact and need one atomic
 * addition; `decimals` says where the point stands when they are shown: 9 for nanoseconds that are
 * shown as seconds, 0 for things that are counted. */
struct metrics_buckets {
	const int64_t *bounds; /* Each bucket's greatest value, rising; borrowed for ever. */
	size_t count;          /* 1 to METRICS_BUCKETS_MAX. */
	unsigned decimals;     /* 0 to 9. */
};

/* Durations recorded in nanoseconds: 100 µs, 200 µs, 500 µs, 1 ms … 20 s, 60 s. */
extern const struct metrics_buckets metrics_latency_buckets;

/* Sizes of batches: 1, 2, 4 … 4096. */
extern const struct metrics_buckets metrics_batch_buckets;

/* An empty registry, or NULL when memory is short. */
struct metrics *metrics_new(void);

/* Frees the registry and all its metrics: no thread may use either any more. NULL is allowed. */
void metrics_free(struct metrics *metrics);

/* Create a metric, or find the one that has this name and these labels. Metrics of one name are one
 * family: they have the same type and unit, and a histogram the same buckets (assert); the help of
 * the first holds. They belong to the registry. Until metrics_freeze() by one thread at a time. */
struct metrics_counter *metrics_add_counter(
	struct metrics *metrics, const struct metrics_description *description);
struct metrics_gauge *metrics_add_gauge(
	struct metrics *metrics, const struct metrics_description *description);
struct metrics_histogram *metrics_add_histogram(struct metrics *metrics,
	const struct metrics_description *description, const struct metrics_buckets *buckets);

/* A gauge whose value is asked for at each rendering, by the thread that renders. `read` must be
 * safe there for as long as the registry lives, and quick. Its name and labels must be new. */
void metrics_add_gauge_callback(struct metrics *metrics,
	const struct metrics_description *description, double (*read)(void *context),
	void *context);

/* Nothing is created from here on. UNAVAILABLE when some creation was short of memory. Call it
 * before there are other threads that update or render. */
__attribute__((warn_unused_result)) enum status metrics_freeze(struct metrics *metrics);

/* Add the whole registry to `buffer` as OpenMetrics 1.0 text, "# EOF" included. The registry must
 * be frozen. The caller looks at buffer->failed. Any thread.
 * Source: https://github.com/prometheus/OpenMetrics, specification/OpenMetrics.md, version 1.0.0 */
void metrics_render(const struct metrics *metrics, struct buffer *buffer);

/* Updates: any thread, no lock, never fail; NULL does nothing. */
void metrics_counter_add(struct metrics_counter *counter, uint64_t count);
void metrics_gauge_set(struct metrics_gauge *gauge, int64_t value);
void metrics_gauge_add(struct metrics_gauge *gauge, int64_t difference);
/* A negative value, which only a clock that jumped gives, counts as 0. */
void metrics_histogram_record(struct metrics_histogram *histogram, int64_t value);

/* What was counted so far; 0 for NULL. For tests and for programs that print a summary. */
uint64_t metrics_counter_value(const struct metrics_counter *counter);
int64_t metrics_gauge_value(const struct metrics_gauge *gauge);
uint64_t metrics_histogram_count(const struct metrics_histogram *histogram);
uint64_t metrics_histogram_sum(const struct metrics_histogram *histogram);
