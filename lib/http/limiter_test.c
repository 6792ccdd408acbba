#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/http/limiter.h"

static const int64_t second_ns = 1000000000;

static struct slice address(uint32_t *number)
{
	return (struct slice){.data = (const char *)number, .size = sizeof *number};
}

static int take(struct http_limiter *limiter, uint32_t number, int times, int64_t now_ns)
{
	int taken = 0;
	int64_t retry_ms;
	for (int i = 0; i < times; i++)
		taken += http_limiter_take(limiter, address(&number), now_ns, &retry_ms);
	return taken;
}

static void a_burst_and_then_the_rate(void **state)
{
	(void)state;
	struct http_limiter *limiter = http_limiter_new(10, 5);
	int64_t now_ns = 7 * second_ns, retry_ms = 0;
	uint32_t number = 1;
	assert_int_equal(5, take(limiter, 1, 100, now_ns));
	assert_false(http_limiter_take(limiter, address(&number), now_ns, &retry_ms));
	assert_in_range(retry_ms, 99, 101);
	assert_int_equal(0, take(limiter, 1, 100, now_ns + second_ns / 10 - 1));
	assert_int_equal(1, take(limiter, 1, 100, now_ns + second_ns / 10));
	/* To be refused costs nothing, however often. */
	assert_int_equal(1, take(limiter, 1, 100, now_ns + 2 * second_ns / 10));
	/* Whoever has been away has a burst again, and no more. */
	assert_int_equal(5, take(limiter, 1, 100, now_ns + 60 * second_ns));
	http_limiter_free(limiter);
}

static void the_long_run_is_the_rate(void **state)
{
	enum { SECONDS = 100, STEPS_PER_SECOND = 1000 };
	(void)state;
	struct http_limiter *limiter = http_limiter_new(7.5, 3);
	int taken = 0;
	for (int i = 0; i <= SECONDS * STEPS_PER_SECOND; i++)
		taken += take(limiter, 1, 2, second_ns + i * (second_ns / STEPS_PER_SECOND));
	assert_in_range(taken, 3 + SECONDS * 15 / 2 - 1, 3 + SECONDS * 15 / 2);
	http_limiter_free(limiter);
}

/* A thousand addresses that flood empty their own buckets, and hardly anybody else's. */
static void the_innocent_pass(void **state)
{
	enum { FLOODING = 1000, INNOCENT = 20000 };
	(void)state;
	struct http_limiter *limiter = http_limiter_new(0.001, 2);
	for (uint32_t i = 0; i < FLOODING; i++)
		take(limiter, i, 10, second_ns);
	int passed = 0;
	/* Each looks, takes one, and so does not fill the table for the next. */
	for (uint32_t i = 0; i < INNOCENT; i++) {
		struct http_limiter *fresh = i % 1000 == 0 ? http_limiter_new(0.001, 2) : NULL;
		if (fresh) {
			http_limiter_free(limiter);
			limiter = fresh;
			for (uint32_t j = 0; j < FLOODING; j++)
				take(limiter, j, 10, second_ns);
		}
		passed += take(limiter, FLOODING + i, 1, second_ns);
	}
	/* Expected are two buckets of a thousand in 16,384 each: 0.4 %, and those of other
	 * innocents.
	 */
	assert_true(passed > INNOCENT * 97 / 100);
	http_limiter_free(limiter);
}

/* A million requests from one address within ten minutes: the burst and the rate pass, each refusal
 * says when to come again, and who does so is let in; somebody else never waits. */
static void a_million_from_one_address(void **state)
{
	enum { REQUESTS = 1000000, SECONDS = 600, PER_SECOND = 50, BURST = 200, OTHERS = 100 };
	const int64_t step_ns = SECONDS * second_ns / REQUESTS;
	(void)state;
	struct http_limiter *limiter = http_limiter_new(PER_SECOND, BURST);
	uint32_t number = 1;
	int taken = 0, others = 0;
	int64_t retry_ms, longest_ms = 0, now_ns = second_ns;
	for (int i = 0; i < REQUESTS; i++, now_ns += step_ns) {
		if (http_limiter_take(limiter, address(&number), now_ns, &retry_ms)) {
			taken++;
		} else {
			assert_true(retry_ms >= 1);
			longest_ms = retry_ms > longest_ms ? retry_ms : longest_ms;
		}
		if (i % (REQUESTS / OTHERS) == 0)
			others += take(limiter, 1000000 + (uint32_t)i, 1, now_ns);
	}
	assert_in_range(taken, BURST + SECONDS * PER_SECOND - 1, BURST + SECONDS * PER_SECOND);
	assert_true(longest_ms <= 1000 / PER_SECOND + 1);
	assert_int_equal(0, take(limiter, 1, 1, now_ns - step_ns));
	assert_int_equal(1, take(limiter, 1, 1, now_ns + longest_ms * 1000000));
	/* Two buckets of each are of the 16,384 twice. */
	assert_true(others >= OTHERS - 2);
	http_limiter_free(limiter);
}

static void addresses_of_any_length(void **state)
{
	(void)state;
	struct http_limiter *limiter = http_limiter_new(1, 1);
	int64_t retry_ms;
	assert_true(http_limiter_take(limiter, (struct slice){0}, second_ns, &retry_ms));
	assert_false(http_limiter_take(limiter, (struct slice){0}, second_ns, &retry_ms));
	assert_true(http_limiter_take(limiter, slice_of("2001:db8::1"), second_ns, &retry_ms));
	assert_true(http_limiter_take(limiter, slice_of("2001:db8::2"), second_ns, &retry_ms));
	assert_false(http_limiter_take(limiter, slice_of("2001:db8::1"), second_ns, &retry_ms));
	http_limiter_free(limiter);
	http_limiter_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_and_then_the_rate),
		cmocka_unit_test(the_long_run_is_the_rate),
		cmocka_unit_test(the_innocent_pass),
		cmocka_unit_test(a_million_from_one_address),
		cmocka_unit_test(addresses_of_any_length),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
