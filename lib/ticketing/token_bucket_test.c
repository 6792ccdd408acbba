#include "lib/ticketing/token_bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/testkit/random.h"

enum { LOTS = 1000000000 };

static const int64_t start_ms = 1700000000000;

static struct token_bucket bucket_of(double rate_per_second)
{
	struct token_bucket bucket;
	token_bucket_init(&bucket, rate_per_second, start_ms);
	return bucket;
}

static struct token_bucket empty_bucket_of(double rate_per_second)
{
	struct token_bucket bucket = bucket_of(rate_per_second);
	token_bucket_take(&bucket, start_ms, LOTS);
	return bucket;
}

static void a_full_bucket_holds_one_second_and_at_least_one(void **state)
{
	(void)state;
	static const struct {
		double rate;
		int64_t capacity;
	} cases[] = {{1, 1}, {0.25, 1}, {TOKEN_BUCKET_RATE_MIN, 1}, {1e-300, 1}, {1.5, 1}, {2, 2},
		{99.99, 99}, {100, 100}, {TOKEN_BUCKET_RATE_MAX, TOKEN_BUCKET_RATE_MAX}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct token_bucket bucket = bucket_of(cases[i].rate);
		assert_int_equal(token_bucket_next_ms(&bucket, start_ms), 0);
		assert_int_equal(token_bucket_take(&bucket, start_ms, LOTS), cases[i].capacity);
		assert_int_equal(token_bucket_take(&bucket, start_ms, LOTS), 0);
	}
}

static void no_more_is_granted_than_wanted(void **state)
{
	(void)state;
	struct token_bucket bucket = bucket_of(10);
	assert_int_equal(token_bucket_take(&bucket, start_ms, 0), 0);
	assert_int_equal(token_bucket_take(&bucket, start_ms, 4), 4);
	assert_int_equal(token_bucket_take(&bucket, start_ms, 4), 4);
	assert_int_equal(token_bucket_take(&bucket, start_ms, 4), 2);
	assert_int_equal(token_bucket_take(&bucket, start_ms, 4), 0);
}

static void the_next_one_comes_when_it_is_said(void **state)
{
	(void)state;
	static const struct {
		double rate;
		int64_t next_ms;
	} cases[] = {{1, 1000}, {3, 334}, {10, 100}, {0.5, 2000}, {1000, 1}, {100000, 1},
		{TOKEN_BUCKET_RATE_MIN, 1000000000}, {0.0000001, 1000000000}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct token_bucket bucket = empty_bucket_of(cases[i].rate);
		int64_t next_ms = token_bucket_next_ms(&bucket, start_ms);
		if (cases[i].rate < 1000) {
			/* What the full bucket had beyond whole ones is there already. */
			assert_int_equal(next_ms, cases[i].next_ms);
			assert_int_equal(
				token_bucket_take(&bucket, start_ms + next_ms - 1, LOTS), 0);
		}
		assert_true(token_bucket_take(&bucket, start_ms + next_ms, LOTS) >= 1);
	}
}

/* Asked for a day, at any times before it is full again: not one more or less than the rate says.
 */
static void a_day_is_counted_exactly(void **state)
{
	(void)state;
	enum { DAY_MS = 86400000 };
	static const int64_t rates[] = {1, 3, 7, 250};
	struct random random;
	random_init(&random, random_seed());
	for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
		struct token_bucket bucket = empty_bucket_of((double)rates[i]);
		int64_t granted = 0, now_ms = start_ms;
		while (now_ms < start_ms + DAY_MS) {
			/* At 1 per second it is full as soon as there is one. */
			now_ms += random_between(&random, 1,
				rates[i] > 1 ? 500 : token_bucket_next_ms(&bucket, now_ms));
			if (now_ms > start_ms + DAY_MS)
				now_ms = start_ms + DAY_MS;
			granted += token_bucket_take(&bucket, now_ms, LOTS);
		}
		assert_int_equal(granted, rates[i] * (DAY_MS / 1000));
	}
}

/* Within any time t no more than capacity + rate × t, whatever is asked when. */
static void no_window_has_more_than_its_due(void **state)
{
	(void)state;
	enum { STEPS = 300 };
	struct random random;
	random_init(&random, random_seed());
	for (int round = 0; round < 50; round++) {
		int64_t rate = random_between(&random, 1, 200);
		struct token_bucket bucket = bucket_of((double)rate);
		int64_t times[STEPS], granted[STEPS], now_ms = start_ms;
		for (size_t i = 0; i < STEPS; i++) {
			now_ms += random_between(
				&random, 0, random_chance(&random, 1, 20) ? 5000 : 50);
			times[i] = now_ms;
			granted[i] = token_bucket_take(
				&bucket, now_ms, random_between(&random, 0, 2 * rate));
		}
		for (size_t from = 0; from < STEPS; from++) {
			int64_t sum = 0;
			for (size_t to = from; to < STEPS; to++) {
				sum += granted[to];
				assert_true(sum * 1000 <=
					rate * 1000 + rate * (times[to] - times[from]));
			}
		}
	}
}

static void a_clock_that_jumps_back_takes_nothing_and_gives_nothing(void **state)
{
	(void)state;
	struct token_bucket bucket = bucket_of(10);
	assert_int_equal(token_bucket_take(&bucket, start_ms, 7), 7);
	/* An hour back: the three that were there are there, and time goes on from here. */
	int64_t back_ms = start_ms - 3600000;
	assert_int_equal(token_bucket_next_ms(&bucket, back_ms), 0);
	assert_int_equal(token_bucket_take(&bucket, back_ms, LOTS), 3);
	assert_int_equal(token_bucket_take(&bucket, back_ms, LOTS), 0);
	assert_int_equal(token_bucket_take(&bucket, back_ms + 99, LOTS), 0);
	assert_int_equal(token_bucket_take(&bucket, back_ms + 100, LOTS), 1);
	/* An hour ahead: a second's worth and no more. */
	assert_int_equal(token_bucket_take(&bucket, start_ms, LOTS), 10);
}

static void times_may_be_as_far_apart_as_they_like(void **state)
{
	(void)state;
	struct token_bucket bucket;
	token_bucket_init(&bucket, TOKEN_BUCKET_RATE_MAX, INT64_MIN);
	assert_int_equal(token_bucket_take(&bucket, INT64_MIN, LOTS), TOKEN_BUCKET_RATE_MAX);
	assert_int_equal(token_bucket_take(&bucket, INT64_MAX, LOTS), TOKEN_BUCKET_RATE_MAX);
	assert_int_equal(token_bucket_take(&bucket, INT64_MIN, LOTS), 0);
	token_bucket_init(&bucket, TOKEN_BUCKET_RATE_MIN, INT64_MIN);
	assert_int_equal(token_bucket_take(&bucket, INT64_MIN, LOTS), 1);
	assert_int_equal(token_bucket_next_ms(&bucket, INT64_MIN), 1000000000);
	assert_int_equal(token_bucket_take(&bucket, INT64_MAX, LOTS), 1);
}

static void the_rate_may_change_while_it_runs(void **state)
{
	(void)state;
	struct token_bucket bucket = bucket_of(100);
	assert_int_equal(token_bucket_take(&bucket, start_ms, 50), 50);
	/* 50 and 10 for the 100 ms at the old rate; then 1000 per second. */
	token_bucket_set_rate(&bucket, 1000, start_ms + 100);
	assert_int_equal(token_bucket_take(&bucket, start_ms + 100, LOTS), 60);
	assert_int_equal(token_bucket_take(&bucket, start_ms + 150, LOTS), 50);
	assert_int_equal(token_bucket_take(&bucket, start_ms + 5150, 400), 400);
	/* 600 are left, of which two fit. */
	token_bucket_set_rate(&bucket, 2, start_ms + 5150);
	assert_int_equal(token_bucket_take(&bucket, start_ms + 5150, LOTS), 2);
	assert_int_equal(token_bucket_next_ms(&bucket, start_ms + 5150), 500);
}

static void what_is_not_used_goes_back(void **state)
{
	(void)state;
	struct token_bucket bucket = bucket_of(10);
	assert_int_equal(token_bucket_take(&bucket, start_ms, 8), 8);
	token_bucket_return(&bucket, 5);
	assert_int_equal(token_bucket_take(&bucket, start_ms, LOTS), 7);
	token_bucket_return(&bucket, INT64_MAX);
	assert_int_equal(token_bucket_take(&bucket, start_ms, LOTS), 10);
	token_bucket_return(&bucket, 0);
	assert_int_equal(token_bucket_take(&bucket, start_ms, LOTS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_bucket_holds_one_second_and_at_least_one),
		cmocka_unit_test(no_more_is_granted_than_wanted),
		cmocka_unit_test(the_next_one_comes_when_it_is_said),
		cmocka_unit_test(a_day_is_counted_exactly),
		cmocka_unit_test(no_window_has_more_than_its_due),
		cmocka_unit_test(a_clock_that_jumps_back_takes_nothing_and_gives_nothing),
		cmocka_unit_test(times_may_be_as_far_apart_as_they_like),
		cmocka_unit_test(the_rate_may_change_while_it_runs),
		cmocka_unit_test(what_is_not_used_goes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
