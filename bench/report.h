/* What a bench found, as tools/figures wants it (see its --help), and the same as Markdown.
 *
 *	struct report *report = report_new("http", "Requests", rounds);
 *	report_column(report, "what", "Endpoint", 0);
 *	report_column(report, "rate", "Requests/s", 0);
 *	json_t *row = report_row(report, "what", "empty");
 *	report_cell(row, "rate", &rates, BETTER_MORE);
 *	report_ratio(report, &(struct report_ratio){.id = "G0", …}, &ratios);
 *	return report_finish(report, settings.json) == STATUS_OK ? 0 : 1;
 *
 * Memory that is short ends the program: a bench has nobody else to tell. */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "lib/base/status.h"

enum { SERIES_MAX = 100 };

/* The values of one figure, one per round. */
struct series {
	double values[SERIES_MAX];
	size_t count;
};

enum better { BETTER_MORE, BETTER_LESS };

/* One more value; more than SERIES_MAX is a bug. */
void series_add(struct series *series, double value);

/* The middle one, or the mean of the two in the middle. The series is not empty. */
double series_median(const struct series *series);

/* The least favourable one. */
double series_worst(const struct series *series, enum better better);

/* The ratios of each round: `above` ÷ `below`, which have as many values. */
struct series series_divide(const struct series *above, const struct series *below);

struct report;

struct report_ratio {
	const char *id;   /* "G0" */
	const char *what; /* "÷ nginx `return 204`" */
	double must;      /* The floor; with BETTER_LESS the ceiling. */
	double aim;       /* 0: none. */
	enum better better;
};

/* The name is that of the result's file, without .json. */
struct report *report_new(const char *name, const char *title, size_t rounds);

void report_column(struct report *report, const char *key, const char *title, int digits);

/* A new row, whose cell `key` is that text. The report owns it. */
json_t *report_row(struct report *report, const char *key, const char *text);

/* A cell: the median, the worst and the single values. */
void report_cell(json_t *row, const char *key, const struct series *series, enum better better);

/* A cell that is one number. */
void report_number(json_t *row, const char *key, double number);

__attribute__((format(printf, 2, 3))) void report_limit(
	struct report *report, const char *format, ...);
__attribute__((format(printf, 2, 3))) void report_note(
	struct report *report, const char *format, ...);

/* A ratio with its single values, one per round. */
void report_ratio(
	struct report *report, const struct report_ratio *ratio, const struct series *ratios);

/* Print it as Markdown, write it to the file `path` unless that is NULL, and free it. Returns
 * UNAVAILABLE when the file cannot be written. Whether the floors were reached is for tools/figures
 * to say. */
__attribute__((warn_unused_result)) enum status report_finish(
	struct report *report, const char *path);
