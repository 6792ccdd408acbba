/* OpenMetrics text, version 1.0.0.
 * Source: https://github.com/prometheus/OpenMetrics, specification/OpenMetrics.md.
 *
 * The optional _created lines are left out: they double what counters cost to send, and a restart
 * shows as a value that falls. */
#include <assert.h>
#include <inttypes.h>
#include <math.h>

#include "lib/base/utf8.h"
#include "lib/metrics/metrics_internal.h"

static void render_family(const struct metrics_family *family, struct buffer *buffer);
static void render_gauge(const struct metrics_family *family, const struct metrics_series *series,
	struct buffer *buffer);
static void render_histogram(const struct metrics_family *family,
	const struct metrics_series *series, struct buffer *buffer);
static void add_sample_name(struct buffer *buffer, const struct metrics_family *family,
	const char *ending, const struct metrics_series *series);
static void add_decimal(struct buffer *buffer, uint64_t value, unsigned decimals);
static void add_real(struct buffer *buffer, double value);
static void add_escaped(struct buffer *buffer, struct slice text, size_t size_max);

const char metrics_content_type[] = "application/openmetrics-text; version=1.0.0; charset=utf-8";

void metrics_render(const struct metrics *metrics, struct buffer *buffer)
{
	assert(metrics->frozen);
	for (const struct metrics_family *family = metrics->first; family; family = family->next)
		render_family(family, buffer);
	buffer_add_text(buffer, "# EOF\n");
}

void metrics_render_labels(struct buffer *buffer, const struct metrics_label labels[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buffer_add_text(buffer, ",");
		buffer_add_text(buffer, labels[i].name);
		buffer_add_text(buffer, "=\"");
		add_escaped(buffer, slice_of(labels[i].value), METRICS_LABEL_VALUE_SIZE_MAX);
		buffer_add_text(buffer, "\"");
	}
}

static void render_family(const struct metrics_family *family, struct buffer *buffer)
{
	static const char *const types[] = {
		[METRICS_COUNTER] = "counter",
		[METRICS_GAUGE] = "gauge",
		[METRICS_HISTOGRAM] = "histogram",
	};
	buffer_add_format(buffer, "# TYPE %s %s\n", family->name, types[family->kind]);
	if (family->unit)
		buffer_add_format(buffer, "# UNIT %s %s\n", family->name, family->unit);
	buffer_add_format(buffer, "# HELP %s ", family->name);
	add_escaped(buffer, slice_of(family->help), SIZE_MAX);
	buffer_add_text(buffer, "\n");

	for (const struct metrics_series *series = family->first; series; series = series->next) {
		switch (family->kind) {
		case METRICS_COUNTER:
			add_sample_name(buffer, family, "_total", series);
			buffer_add_format(
				buffer, "%" PRIu64 "\n", metrics_counter_value(series->counter));
			break;
		case METRICS_GAUGE:
			render_gauge(family, series, buffer);
			break;
		case METRICS_HISTOGRAM:
			render_histogram(family, series, buffer);
			break;
		}
	}
}

static void render_gauge(const struct metrics_family *family, const struct metrics_series *series,
	struct buffer *buffer)
{
	add_sample_name(buffer, family, "", series);
	if (series->read)
		add_real(buffer, series->read(series->context));
	else
		buffer_add_format(buffer, "%" PRId64, metrics_gauge_value(series->gauge));
	buffer_add_text(buffer, "\n");
}

/* The count is the infinite bucket's by construction, so that the two can never disagree. */
static void render_histogram(const struct metrics_family *family,
	const struct metrics_series *series, struct buffer *buffer)
{
	const struct metrics_histogram *histogram = series->histogram;
	if (!histogram)
		return;
	const struct metrics_buckets *buckets = &histogram->buckets;
	uint64_t counts[METRICS_BUCKETS_MAX + 1], count = 0;
	uint64_t sum = metrics_histogram_read(histogram, counts);

	for (size_t bucket = 0; bucket <= buckets->count; bucket++) {
		count += counts[bucket];
		buffer_add_format(buffer, "%s_bucket{%s%sle=\"", family->name, series->labels,
			series->labels[0] ? "," : "");
		if (bucket < buckets->count)
			add_decimal(buffer, (uint64_t)buckets->bounds[bucket], buckets->decimals);
		else
			buffer_add_text(buffer, "+Inf");
		buffer_add_format(buffer, "\"} %" PRIu64 "\n", count);
	}
	add_sample_name(buffer, family, "_count", series);
	buffer_add_format(buffer, "%" PRIu64 "\n", count);
	add_sample_name(buffer, family, "_sum", series);
	add_decimal(buffer, sum, buckets->decimals);
	buffer_add_text(buffer, "\n");
}

static void add_sample_name(struct buffer *buffer, const struct metrics_family *family,
	const char *ending, const struct metrics_series *series)
{
	if (series->labels[0])
		buffer_add_format(buffer, "%s%s{%s} ", family->name, ending, series->labels);
	else
		buffer_add_format(buffer, "%s%s ", family->name, ending);
}

/* value / 10^decimals exactly, as "0.0001" or "2.0". OpenMetrics wants bounds with a point, always
 * written the same; a double would make 0.1 of some and 0.10000000000000001 of others. */
static void add_decimal(struct buffer *buffer, uint64_t value, unsigned decimals)
{
	uint64_t scale = 1;
	for (unsigned i = 0; i < decimals; i++)
		scale *= 10;
	uint64_t fraction = value % scale;
	int digits = (int)decimals;
	while (digits > 1 && fraction % 10 == 0) {
		fraction /= 10;
		digits--;
	}
	if (digits == 0)
		digits = 1;
	buffer_add_format(buffer, "%" PRIu64 ".%0*" PRIu64, value / scale, digits, fraction);
}

static void add_real(struct buffer *buffer, double value)
{
	if (isnan(value))
		buffer_add_text(buffer, "NaN");
	else if (isinf(value))
		buffer_add_text(buffer, value > 0 ? "+Inf" : "-Inf");
	else
		buffer_add_format(buffer, "%.15g", value);
}

/* Add whole characters of at most `size_max` bytes, escaped as within quotes. The specification
 * allows all control characters but the newline; viewers that split lines at others do not. */
static void add_escaped(struct buffer *buffer, struct slice text, size_t size_max)
{
	while (text.size > 0) {
		uint32_t code_point = 0;
		size_t decoded = utf8_decode(text, &code_point), size = decoded > 0 ? decoded : 1;
		if (size > size_max)
			return;
		size_max -= size;
		if (code_point == '\n')
			buffer_add_text(buffer, "\\n");
		else if (code_point == '"' || code_point == '\\')
			buffer_add_format(buffer, "\\%c", (char)code_point);
		else if (decoded == 0 || utf8_is_control(code_point))
			buffer_add_text(buffer, "\xEF\xBF\xBD"); /* U+FFFD */
		else
			buffer_add(buffer, text.data, size);
		text.data += size;
		text.size -= size;
	}
}
