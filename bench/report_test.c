/* The series' arithmetic, and that what a report writes is what tools/figures takes. */
#include "bench/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct series series_of(const double values[], size_t count)
{
	struct series series = {0};
	for (size_t i = 0; i < count; i++)
		series_add(&series, values[i]);
	return series;
}

static void test_median_and_worst(void **state)
{
	(void)state;
	struct series odd = series_of((double[]){5, 1, 3}, 3);
	struct series even = series_of((double[]){4, 1, 3, 10}, 4);
	assert_true(series_median(&odd) == 3);
	assert_true(series_median(&even) == 3.5);
	assert_true(series_worst(&odd, BETTER_MORE) == 1);
	assert_true(series_worst(&odd, BETTER_LESS) == 5);
	assert_true(odd.values[0] == 5);
}

static void test_ratios_are_made_within_each_round(void **state)
{
	(void)state;
	struct series above = series_of((double[]){10, 30, 20}, 3);
	struct series below = series_of((double[]){5, 10, 40}, 3);
	struct series ratios = series_divide(&above, &below);
	assert_true(series_median(&ratios) == 2);
	assert_true(series_worst(&ratios, BETTER_MORE) == 0.5);
}

static void write_report(const char *path, double value)
{
	struct report *report = report_new("example", "An example", 6);
	struct series series = {0};
	for (int i = 0; i < 6; i++)
		series_add(&series, value + i / 7.0);
	report_column(report, "what", "What", 0);
	report_column(report, "rate", "Rate", 1);
	report_column(report, "failed", "Failed", 0);
	json_t *row = report_row(report, "what", "ours");
	report_cell(row, "rate", &series, BETTER_MORE);
	report_number(row, "failed", 0);
	report_limit(report, "%d loops", 2);
	report_note(report, "A note.");
	report_ratio(report, &(struct report_ratio){"G0", "more", 0.8, 1.1, BETTER_MORE}, &series);
	report_ratio(report, &(struct report_ratio){"G5", "less", 3.2, 1.8, BETTER_LESS}, &series);
	assert_int_equal(STATUS_OK, report_finish(report, path));
}

/* What tools/figures says of a folder that has just this result. */
static int check_figures(const char *folder)
{
	char command[512];
	snprintf(command, sizeof command, "\"${ONSALE_SOURCE:-.}/tools/figures\" %s >/dev/null",
		folder);
	/* NOLINTNEXTLINE(cert-env33-c): nothing in the command is from outside. */
	return system(command);
}

static void test_result_is_what_the_figures_take(void **state)
{
	(void)state;
	char folder[] = "/tmp/onsale-report-XXXXXX", path[128];
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/bench", folder);
	assert_int_equal(0, mkdir(path, 0755));
	snprintf(path, sizeof path, "%s/bench/results", folder);
	assert_int_equal(0, mkdir(path, 0755));
	snprintf(path, sizeof path, "%s/bench/results/example.json", folder);
	write_report(path, 1.0);
	int good = check_figures(folder);
	/* Below its floor and without a reason, it must be refused: so the check above can fail. */
	write_report(path, 0.1);
	int missed = check_figures(folder);
	unlink(path);
	snprintf(path, sizeof path, "%s/bench/results", folder);
	rmdir(path);
	snprintf(path, sizeof path, "%s/bench", folder);
	rmdir(path);
	rmdir(folder);
	assert_int_equal(0, good);
	assert_int_not_equal(0, missed);
}

static void test_file_that_cannot_be_written(void **state)
{
	(void)state;
	struct report *report = report_new("example", "An example", 5);
	assert_int_equal(STATUS_UNAVAILABLE, report_finish(report, "/nowhere/example.json"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_median_and_worst),
		cmocka_unit_test(test_ratios_are_made_within_each_round),
		cmocka_unit_test(test_result_is_what_the_figures_take),
		cmocka_unit_test(test_file_that_cannot_be_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
