/* See report.h. The report is the JSON value itself; Markdown is made from it. */
#include "bench/report.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

struct report {
	json_t *json;
};

static json_t *describe_machine(void);
static void print_markdown(const json_t *json);

/* ---- Series ---- */

void series_add(struct series *series, double value)
{
	assert(series->count < SERIES_MAX);
	series->values[series->count++] = value;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double series_median(const struct series *series)
{
	struct series sorted = *series;
	assert(series->count > 0);
	qsort(sorted.values, sorted.count, sizeof sorted.values[0], compare);
	size_t middle = sorted.count / 2;
	if (sorted.count % 2 == 1)
		return sorted.values[middle];
	return (sorted.values[middle - 1] + sorted.values[middle]) / 2;
}

double series_worst(const struct series *series, enum better better)
{
	double worst = series->values[0];
	assert(series->count > 0);
	for (size_t i = 1; i < series->count; i++) {
		double value = series->values[i];
		worst = better == BETTER_MORE ? fmin(worst, value) : fmax(worst, value);
	}
	return worst;
}

struct series series_divide(const struct series *above, const struct series *below)
{
	struct series ratios = {0};
	assert(above->count == below->count);
	for (size_t i = 0; i < above->count; i++)
		series_add(&ratios, above->values[i] / below->values[i]);
	return ratios;
}

/* ---- Building ---- */

static void set(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) != 0)
		abort();
}

static void append(struct report *report, const char *key, json_t *value)
{
	if (json_array_append_new(json_object_get(report->json, key), value) != 0)
		abort();
}

struct report *report_new(const char *name, const char *title, size_t rounds)
{
	struct report *report = calloc(1, sizeof *report);
	char date[sizeof "2026-11-22T18:43:00Z"];
	time_t now = time(NULL);
	struct tm utc;
	if (!report || !gmtime_r(&now, &utc) ||
		strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
		abort();
	report->json = json_pack("{s:s, s:s, s:s, s:o, s:I, s:[], s:[], s:[], s:[], s:[]}", "name",
		name, "title", title, "date", date, "machine", describe_machine(), "rounds",
		(json_int_t)rounds, "limits", "columns", "rows", "notes", "ratios");
	if (!report->json)
		abort();
	struct rlimit descriptors;
	if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0)
		report_limit(report, "%llu descriptors per process",
			(unsigned long long)descriptors.rlim_max);
	return report;
}

static void read_cpu(char *model, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];
	snprintf(model, size, "unknown");
	while (file && fgets(line, sizeof line, file)) {
		char *value = strstr(line, ": ");
		if (strncmp(line, "model name", 10) != 0 || !value)
			continue;
		snprintf(model, size, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
		break;
	}
	if (file)
		fclose(file);
}

static json_t *describe_machine(void)
{
	char cpu[128];
	struct utsname kernel;
	read_cpu(cpu, sizeof cpu);
	if (uname(&kernel) != 0)
		abort();
	double bytes = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
	return json_pack("{s:I, s:f, s:s, s:s}", "cores", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN),
		"memoryGiB", round(bytes / (1 << 30) * 10) / 10, "kernel", kernel.release, "cpu",
		cpu);
}

void report_column(struct report *report, const char *key, const char *title, int digits)
{
	append(report, "columns",
		json_pack("{s:s, s:s, s:i}", "key", key, "title", title, "digits", digits));
}

json_t *report_row(struct report *report, const char *key, const char *text)
{
	json_t *row = json_pack("{s:s}", key, text);
	append(report, "rows", row);
	return row;
}

static json_t *values_of(const struct series *series)
{
	json_t *values = json_array();
	for (size_t i = 0; i < series->count; i++)
		if (json_array_append_new(values, json_real(series->values[i])) != 0)
			abort();
	return values;
}

void report_cell(json_t *row, const char *key, const struct series *series, enum better better)
{
	set(row, key,
		json_pack("{s:f, s:f, s:o}", "median", series_median(series), "worst",
			series_worst(series, better), "rounds", values_of(series)));
}

void report_number(json_t *row, const char *key, double number)
{
	set(row, key, json_real(number));
}

static void append_text(
	struct report *report, const char *key, const char *format, va_list arguments)
{
	char text[512];
	vsnprintf(text, sizeof text, format, arguments);
	append(report, key, json_string(text));
}

void report_limit(struct report *report, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	append_text(report, "limits", format, arguments);
	va_end(arguments);
}

void report_note(struct report *report, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	append_text(report, "notes", format, arguments);
	va_end(arguments);
}

void report_ratio(
	struct report *report, const struct report_ratio *ratio, const struct series *ratios)
{
	json_t *json = json_pack("{s:s, s:s, s:f, s:f, s:f, s:o}", "id", ratio->id, "what",
		ratio->what, "value", series_median(ratios), "worst",
		series_worst(ratios, ratio->better), "must", ratio->must, "rounds",
		values_of(ratios));
	if (ratio->aim > 0)
		set(json, "aim", json_real(ratio->aim));
	if (ratio->better == BETTER_LESS)
		set(json, "better", json_string("less"));
	append(report, "ratios", json);
}

/* ---- Handing it out ---- */

enum status report_finish(struct report *report, const char *path)
{
	enum status status = STATUS_OK;
	print_markdown(report->json);
	if (path &&
		json_dump_file(report->json, path,
			JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(12)) != 0) {
		perror(path);
		status = STATUS_UNAVAILABLE;
	}
	json_decref(report->json);
	free(report);
	return status;
}

static void print_cell(const json_t *cell, int digits)
{
	if (json_is_object(cell))
		printf(" %.*f (%.*f) |", digits, json_real_value(json_object_get(cell, "median")),
			digits, json_real_value(json_object_get(cell, "worst")));
	else if (json_is_number(cell))
		printf(" %.*f |", digits, json_number_value(cell));
	else
		printf(" %s |", json_is_string(cell) ? json_string_value(cell) : "");
}

static void print_rows(const json_t *json)
{
	const json_t *columns = json_object_get(json, "columns"), *column, *row;
	size_t i, j;
	printf("\n|");
	json_array_foreach(columns, i, column)
		printf(" %s |", json_string_value(json_object_get(column, "title")));
	printf("\n|");
	json_array_foreach(columns, i, column) printf("---|");
	json_array_foreach(json_object_get(json, "rows"), i, row)
	{
		printf("\n|");
		json_array_foreach(columns, j, column) print_cell(
			json_object_get(row, json_string_value(json_object_get(column, "key"))),
			(int)json_integer_value(json_object_get(column, "digits")));
	}
	printf("\n");
}

static void print_ratios(const json_t *json)
{
	const json_t *ratio;
	size_t i;
	printf("\n| Ratio | What | Median (worst) | Must | Aim |\n|---|---|---|---|---|\n");
	json_array_foreach(json_object_get(json, "ratios"), i, ratio)
	{
		const json_t *aim = json_object_get(ratio, "aim");
		printf("| %s | %s | %.2f (%.2f) | %g | ",
			json_string_value(json_object_get(ratio, "id")),
			json_string_value(json_object_get(ratio, "what")),
			json_real_value(json_object_get(ratio, "value")),
			json_real_value(json_object_get(ratio, "worst")),
			json_real_value(json_object_get(ratio, "must")));
		if (aim)
			printf("%g ", json_real_value(aim));
		printf("|\n");
	}
}

static void print_texts(const json_t *json, const char *key)
{
	const json_t *text;
	size_t i;
	json_array_foreach(json_object_get(json, key), i, text)
		printf("- %s\n", json_string_value(text));
}

static void print_markdown(const json_t *json)
{
	printf("**%s** (%lld rounds)\n", json_string_value(json_object_get(json, "title")),
		(long long)json_integer_value(json_object_get(json, "rounds")));
	print_rows(json);
	print_ratios(json);
	printf("\n");
	print_texts(json, "limits");
	print_texts(json, "notes");
	fflush(stdout);
}
