/* The registry: families in the order of their first metric, and in each its sets of labels. */
#include "lib/metrics/metrics.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/metrics/metrics_internal.h"

static struct metrics_series *find_or_add(struct metrics *metrics, enum metrics_kind kind,
	const struct metrics_description *description);
static struct metrics_family *find_family(const struct metrics *metrics, const char *name);
static struct metrics_family *add_family(struct metrics *metrics, enum metrics_kind kind,
	const struct metrics_description *description);
static struct metrics_series *find_series(const struct metrics_family *family, struct slice labels);
static struct metrics_series *add_series(
	struct metrics *metrics, struct metrics_family *family, struct slice labels);
static void check_description(const struct metrics_description *description);
static void check_buckets(
	const struct metrics_family *family, const struct metrics_buckets *buckets);
static void family_free(struct metrics_family *family);

const struct metrics_buckets metrics_latency_buckets = {
	.bounds = (const int64_t[]){100000, 200000, 500000, 1000000, 2000000, 5000000, 10000000,
		20000000, 50000000, 100000000, 200000000, 500000000, 1000000000, 2000000000,
		5000000000, 10000000000, 20000000000, 60000000000},
	.count = 18,
	.decimals = 9,
};

const struct metrics_buckets metrics_batch_buckets = {
	.bounds = (const int64_t[]){1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096},
	.count = 13,
};

struct metrics *metrics_new(void)
{
	struct metrics *metrics = calloc(1, sizeof *metrics);
	if (metrics)
		metrics->end = &metrics->first;
	return metrics;
}

void metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	while (metrics->first) {
		struct metrics_family *family = metrics->first;
		metrics->first = family->next;
		family_free(family);
	}
	free(metrics);
}

enum status metrics_freeze(struct metrics *metrics)
{
	metrics->frozen = true;
	return metrics->failed ? STATUS_UNAVAILABLE : STATUS_OK;
}

struct metrics_counter *metrics_add_counter(
	struct metrics *metrics, const struct metrics_description *description)
{
	struct metrics_series *series = find_or_add(metrics, METRICS_COUNTER, description);
	if (!series)
		return NULL;
	if (!series->counter && !metrics->frozen) {
		series->counter = metrics_counter_new();
		metrics->failed |= !series->counter;
	}
	return series->counter;
}

struct metrics_gauge *metrics_add_gauge(
	struct metrics *metrics, const struct metrics_description *description)
{
	struct metrics_series *series = find_or_add(metrics, METRICS_GAUGE, description);
	if (!series)
		return NULL;
	assert(!series->read);
	if (!series->gauge && !metrics->frozen) {
		series->gauge = metrics_gauge_new();
		metrics->failed |= !series->gauge;
	}
	return series->gauge;
}

void metrics_add_gauge_callback(struct metrics *metrics,
	const struct metrics_description *description, double (*read)(void *context), void *context)
{
	struct metrics_series *series = find_or_add(metrics, METRICS_GAUGE, description);
	if (!series)
		return;
	assert(!series->gauge && !series->read && !metrics->frozen);
	series->read = read;
	series->context = context;
}

struct metrics_histogram *metrics_add_histogram(struct metrics *metrics,
	const struct metrics_description *description, const struct metrics_buckets *buckets)
{
	struct metrics_series *series = find_or_add(metrics, METRICS_HISTOGRAM, description);
	if (!series)
		return NULL;
	check_buckets(find_family(metrics, description->name), buckets);
	if (!series->histogram && !metrics->frozen) {
		series->histogram = metrics_histogram_new(buckets);
		metrics->failed |= !series->histogram;
	}
	return series->histogram;
}

/* NULL where there is no registry, or no memory. */
static struct metrics_series *find_or_add(struct metrics *metrics, enum metrics_kind kind,
	const struct metrics_description *description)
{
	if (!metrics)
		return NULL;
	check_description(description);

	struct metrics_family *family = find_family(metrics, description->name);
	if (!family)
		family = add_family(metrics, kind, description);
	if (!family)
		return NULL;
	assert(family->kind == kind);
	const char *unit = description->unit;
	assert(!unit == !family->unit && (!unit || strcmp(unit, family->unit) == 0));

	struct buffer labels;
	buffer_init(&labels, METRICS_RENDERED_SIZE_MAX);
	metrics_render_labels(&labels, description->labels, description->label_count);
	struct metrics_series *series = NULL;
	if (!labels.failed) {
		series = find_series(family, buffer_slice(&labels));
		if (!series)
			series = add_series(metrics, family, buffer_slice(&labels));
	} else if (!metrics->frozen) {
		metrics->failed = true;
	}
	buffer_release(&labels);
	return series;
}

static struct metrics_family *find_family(const struct metrics *metrics, const char *name)
{
	struct metrics_family *family = metrics->first;
	while (family && strcmp(family->name, name) != 0)
		family = family->next;
	return family;
}

static struct metrics_family *add_family(struct metrics *metrics, enum metrics_kind kind,
	const struct metrics_description *description)
{
	assert(!metrics->frozen && metrics->family_count < METRICS_FAMILIES_MAX);
	struct metrics_family *family = calloc(1, sizeof *family);
	if (!family)
		goto fail;
	family->kind = kind;
	family->end = &family->first;
	family->name = strdup(description->name);
	family->help = strdup(description->help);
	family->unit = description->unit ? strdup(description->unit) : NULL;
	if (!family->name || !family->help || (description->unit && !family->unit))
		goto fail;
	*metrics->end = family;
	metrics->end = &family->next;
	metrics->family_count++;
	return family;

fail:
	family_free(family);
	metrics->failed = true;
	return NULL;
}

static struct metrics_series *find_series(const struct metrics_family *family, struct slice labels)
{
	struct metrics_series *series = family->first;
	while (series && !slice_is(labels, series->labels))
		series = series->next;
	return series;
}

static struct metrics_series *add_series(
	struct metrics *metrics, struct metrics_family *family, struct slice labels)
{
	assert(!metrics->frozen && family->series_count < METRICS_SERIES_MAX);
	struct metrics_series *series = calloc(1, sizeof *series);
	char *copy = strndup(labels.size > 0 ? labels.data : "", labels.size);
	if (!series || !copy) {
		free(series);
		free(copy);
		metrics->failed = true;
		return NULL;
	}
	series->labels = copy;
	*family->end = series;
	family->end = &series->next;
	family->series_count++;
	return series;
}

static void family_free(struct metrics_family *family)
{
	if (!family)
		return;
	while (family->first) {
		struct metrics_series *series = family->first;
		family->first = series->next;
		free(series->labels);
		free(series->counter);
		free(series->gauge);
		free(series->histogram);
		free(series);
	}
	free(family->name);
	free(family->help);
	free(family->unit);
	free(family);
}

static bool is_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	size_t size = strlen(name);
	return size >= 1 && size <= METRICS_NAME_SIZE_MAX && strchr(letters, name[0]) &&
		strspn(name, rest) == size;
}

static bool ends_with(const char *name, const char *ending)
{
	size_t size = strlen(name), ending_size = strlen(ending);
	return size > ending_size && strcmp(name + size - ending_size, ending) == 0;
}

/* Names are written in the program, so a bad one is a bug. Without the reserved endings no family
 * can ever produce a line that looks like another's. */
static void check_description(const struct metrics_description *description)
{
	static const char *const reserved[] = {
		"_total", "_created", "_count", "_sum", "_bucket", "_info"};
	const char *name = description->name, *unit = description->unit;
	assert(is_name(name) && description->help);
	for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
		assert(!ends_with(name, reserved[i]));
	if (unit) {
		size_t before = strlen(name) - strlen(unit);
		assert(is_name(unit) && ends_with(name, unit) && name[before - 1] == '_');
	}

	assert(description->label_count <= METRICS_LABELS_MAX);
	for (size_t i = 0; i < description->label_count; i++) {
		const struct metrics_label *label = &description->labels[i];
		assert(is_name(label->name) && label->value);
		assert(strcmp(label->name, "le") != 0 && strcmp(label->name, "quantile") != 0);
		for (size_t j = 0; j < i; j++)
			assert(strcmp(label->name, description->labels[j].name) != 0);
	}
}

static void check_buckets(
	const struct metrics_family *family, const struct metrics_buckets *buckets)
{
	assert(buckets->count >= 1 && buckets->count <= METRICS_BUCKETS_MAX);
	assert(buckets->decimals <= 9 && buckets->bounds[0] >= 0);
	for (size_t i = 1; i < buckets->count; i++)
		assert(buckets->bounds[i] > buckets->bounds[i - 1]);

	if (!family->first->histogram)
		return;
	const struct metrics_buckets *first = &family->first->histogram->buckets;
	assert(first->count == buckets->count && first->decimals == buckets->decimals);
	assert(memcmp(first->bounds, buckets->bounds, first->count * sizeof first->bounds[0]) == 0);
}
