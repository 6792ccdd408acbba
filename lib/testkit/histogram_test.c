#include "lib/testkit/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/testkit/random.h"

static struct histogram histogram;
static struct histogram other;

static int prepare(void **state)
{
	(void)state;
	histogram_init(&histogram);
	histogram_init(&other);
	return 0;
}

static void empty_gives_zeros(void **state)
{
	(void)state;
	assert_true(histogram_count(&histogram) == 0);
	assert_true(histogram_percentile_ns(&histogram, 50) == 0);
	assert_true(histogram_min_ns(&histogram) == 0);
	assert_true(histogram_max_ns(&histogram) == 0);
	assert_true(histogram_mean_ns(&histogram) == 0);
}

static void small_values_are_exact(void **state)
{
	(void)state;
	for (int64_t value = 1; value <= 100; value++)
		histogram_record(&histogram, value);
	assert_true(histogram_count(&histogram) == 100);
	assert_true(histogram_percentile_ns(&histogram, 0) == 1);
	assert_true(histogram_percentile_ns(&histogram, 1) == 1);
	assert_true(histogram_percentile_ns(&histogram, 50) == 50);
	assert_true(histogram_percentile_ns(&histogram, 50.5) == 51);
	assert_true(histogram_percentile_ns(&histogram, 99) == 99);
	assert_true(histogram_percentile_ns(&histogram, 100) == 100);
	assert_true(histogram_mean_ns(&histogram) == 50.5);
	assert_true(histogram_min_ns(&histogram) == 1);
}

static int compare(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a;
	int64_t right = *(const int64_t *)b;
	return (left > right) - (left < right);
}

static void percentiles_are_within_their_precision(void **state)
{
	(void)state;
	enum { COUNT = 20000 };
	static int64_t values[COUNT];
	struct random random;
	random_init(&random, random_seed());
	for (int i = 0; i < COUNT; i++) {
		/* All sizes alike: from nanoseconds to hours. */
		values[i] = (int64_t)(random_next(&random) >> random_between(&random, 20, 63));
		histogram_record(&histogram, values[i]);
	}
	qsort(values, COUNT, sizeof values[0], compare);
	static const double percents[] = {0.1, 1, 10, 50, 90, 99, 99.9, 100};
	for (size_t i = 0; i < sizeof percents / sizeof percents[0]; i++) {
		int64_t exact = values[(int)(COUNT * percents[i] / 100 + 0.5) - 1];
		int64_t given = histogram_percentile_ns(&histogram, percents[i]);
		assert_true(given >= exact);
		assert_true(given - exact <= exact / HISTOGRAM_BUCKETS_PER_DOUBLING);
	}
}

static void extremes_fit(void **state)
{
	(void)state;
	histogram_record(&histogram, INT64_MAX);
	histogram_record(&histogram, -5);
	histogram_record(&histogram, 0);
	assert_true(histogram_max_ns(&histogram) == INT64_MAX);
	assert_true(histogram_min_ns(&histogram) == 0);
	assert_true(histogram_percentile_ns(&histogram, 100) == INT64_MAX);
	assert_true(histogram_percentile_ns(&histogram, 50) == 0);
}

static void each_edge_of_a_bucket_is_kept(void **state)
{
	(void)state;
	for (int bit = 0; bit < 63; bit++)
		for (int64_t step = -1; step <= 1; step++) {
			int64_t value = (INT64_C(1) << bit) + step;
			histogram_init(&histogram);
			histogram_record(&histogram, value);
			assert_true(histogram_percentile_ns(&histogram, 50) == value);
		}
}

static void merging_is_like_recording_both(void **state)
{
	(void)state;
	for (int64_t value = 0; value < 1000; value++)
		histogram_record(value % 2 ? &histogram : &other, value * 1000);
	histogram_merge(&histogram, &other);
	assert_true(histogram_count(&histogram) == 1000);
	assert_true(histogram_min_ns(&histogram) == 0);
	assert_true(histogram_max_ns(&histogram) == 999000);
	int64_t median = histogram_percentile_ns(&histogram, 50);
	assert_true(median >= 499000 && median <= 503000);
	histogram_init(&other);
	histogram_merge(&histogram, &other);
	assert_true(histogram_min_ns(&histogram) == 0);
	assert_true(histogram_count(&histogram) == 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(empty_gives_zeros, prepare),
		cmocka_unit_test_setup(small_values_are_exact, prepare),
		cmocka_unit_test_setup(percentiles_are_within_their_precision, prepare),
		cmocka_unit_test_setup(extremes_fit, prepare),
		cmocka_unit_test_setup(each_edge_of_a_bucket_is_kept, prepare),
		cmocka_unit_test_setup(merging_is_like_recording_both, prepare),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
