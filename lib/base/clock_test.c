/* Clocks and RFC 3339: every day of ten thousand years against a calendar that just counts. */
#include "lib/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void assert_time(const char *text, int64_t expected_ms)
{
	int64_t wall_ms = 42;
	if (time_parse(slice_of(text), &wall_ms) != STATUS_OK)
		fail_msg("\"%s\" was refused", text);
	if (wall_ms != expected_ms)
		fail_msg("\"%s\" is %lld", text, (long long)wall_ms);
}

static void the_system_clock_runs(void **state)
{
	(void)state;
	struct clock *clock = clock_system();
	int64_t before = clock_monotonic_ns(clock);
	assert_true(before > 0);
	assert_true(clock_monotonic_ns(clock) >= before);
	assert_true(clock_monotonic_ms(clock) >= before / 1000000);
	assert_true(llabs(clock_wall_ms(clock) / 1000 - (int64_t)time(NULL)) <= 1);
}

static void the_fake_clock_moves_when_told(void **state)
{
	(void)state;
	struct clock_fake fake;
	clock_fake_init(&fake, 1000);
	struct clock *clock = &fake.base;
	int64_t start_ns = clock_monotonic_ns(clock);
	assert_int_equal(clock_wall_ms(clock), 1000);
	assert_int_equal(clock_wall_ms(clock), 1000);
	clock_fake_advance(&fake, 250);
	assert_int_equal(clock_wall_ms(clock), 1250);
	assert_int_equal(clock_monotonic_ns(clock), start_ns + 250000000);
	clock_fake_jump(&fake, 5);
	assert_int_equal(clock_wall_ms(clock), 5);
	assert_int_equal(clock_monotonic_ns(clock), start_ns + 250000000);
}

/* A calendar that knows nothing but the lengths of months and the rule of leap years. */
static void every_day_is_written_and_read(void **state)
{
	(void)state;
	static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int64_t wall_ms = INT64_C(-62167219200000);
	for (int year = 0; year <= 9999; year++) {
		bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
		for (int month = 1; month <= 12; month++) {
			int length = lengths[month - 1] + (month == 2 && leap ? 1 : 0);
			for (int day = 1; day <= length; day++) {
				char expected[64], text[TIME_TEXT_SIZE];
				snprintf(expected, sizeof expected, "%04d-%02d-%02dT00:00:00.000Z",
					year, month, day);
				time_format(wall_ms, text);
				if (strcmp(text, expected) != 0)
					fail_msg("%s instead of %s", text, expected);
				assert_time(text, wall_ms);
				wall_ms += 86400000;
			}
			char behind[64];
			snprintf(behind, sizeof behind, "%04d-%02d-%02dT00:00:00Z", year, month,
				length + 1);
			int64_t ignored;
			if (time_parse(slice_of(behind), &ignored) == STATUS_OK)
				fail_msg("%s was taken", behind);
		}
	}
	assert_true(wall_ms == INT64_C(253402300800000));
}

static void the_ends_of_the_range(void **state)
{
	(void)state;
	char text[TIME_TEXT_SIZE];
	time_format(INT64_C(253402300799999), text);
	assert_string_equal(text, "9999-12-31T23:59:59.999Z");
	assert_time(text, INT64_C(253402300799999));
	time_format(INT64_C(-62167219200000), text);
	assert_string_equal(text, "0000-01-01T00:00:00.000Z");
	time_format(-1, text);
	assert_string_equal(text, "1969-12-31T23:59:59.999Z");
	assert_time(text, -1);
}

static void every_form_of_rfc_3339(void **state)
{
	(void)state;
	const int64_t base = INT64_C(1795372980000); /* 2026-11-22T18:43:00Z, by date(1). */
	assert_time("2026-11-22T18:43:00Z", base);
	assert_time("2026-11-22t18:43:00z", base);
	assert_time("2026-11-22T19:43:00.5+01:00", base + 500);
	assert_time("2026-11-22T18:43:00.1Z", base + 100);
	assert_time("2026-11-22T18:43:00.12Z", base + 120);
	assert_time("2026-11-22T18:43:00.123Z", base + 123);
	assert_time("2026-11-22T18:43:00.1239999999999999999999999999Z", base + 123);
	assert_time("2026-11-22T18:43:00-00:00", base);
	assert_time("2026-11-23T18:42:00+23:59", base);
	assert_time("2026-11-21T18:44:00-23:59", base);
	assert_time("2026-11-23T00:28:00+05:45", base);
	/* The examples of RFC 3339, section 5.8. */
	assert_time("1985-04-12T23:20:50.52Z", INT64_C(482196050520));
	assert_time("1996-12-19T16:39:57-08:00", INT64_C(851042397000));
	assert_time("1937-01-01T12:00:27.87+00:20", INT64_C(-1041337172130));
}

static void leap_seconds(void **state)
{
	(void)state;
	assert_time("1990-12-31T23:59:60Z", INT64_C(662688000000));
	assert_time("1990-12-31T15:59:60-08:00", INT64_C(662688000000));
	assert_time("2016-12-31T23:59:60.75Z", INT64_C(1483228800750));
	assert_time("2017-01-01T05:44:60+05:45", INT64_C(1483228800000));
}

static void what_is_no_time_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {"", "Z", "2026-11-22", "18:43:00Z",
		"2026-11-22T18:43:00", "2026-11-22T18:43Z", "2026-11-22 18:43:00Z",
		" 2026-11-22T18:43:00Z", "2026-11-22T18:43:00Z ", "2026-11-22T18:43:00ZZ",
		"2026-11-22T18:43:00.Z", "2026-11-22T18:43:00,5Z", "2026-11-22T18:43:00+1:00",
		"2026-11-22T18:43:00+0100", "2026-11-22T18:43:00+24:00",
		"2026-11-22T18:43:00+01:60", "2026-11-22T18:43:00+01", "2026-11-22T24:00:00Z",
		"2026-11-22T18:60:00Z", "2026-11-22T18:43:61Z", "2026-00-22T18:43:00Z",
		"2026-13-22T18:43:00Z", "2026-11-00T18:43:00Z", "2026-11-31T18:43:00Z",
		"2026-02-29T18:43:00Z", "1900-02-29T00:00:00Z", "02026-11-22T18:43:00Z",
		"+2026-11-22T18:43:00Z", "-026-11-22T18:43:00Z", "2026-1-22T18:43:00Z",
		"2026/11/22T18:43:00Z", "20261122T184300Z", "2026-W47-7T18:43:00Z",
		"2026-11-22T1 :43:00Z",
		/* Leap seconds stand at the end of a month in UTC only. */
		"2026-11-22T18:43:60Z", "2026-11-22T23:59:60Z", "2016-12-31T23:59:60+01:00",
		/* Outside of the years 0 to 9999 once in UTC. */
		"0000-01-01T00:59:59+01:00", "9999-12-31T23:00:00-01:00", "9999-12-31T23:59:60Z"};
	for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
		int64_t wall_ms = 42;
		if (time_parse(slice_of(cases[index]), &wall_ms) != STATUS_REFUSED)
			fail_msg("\"%s\" was taken", cases[index]);
		assert_int_equal(wall_ms, 42);
	}
	int64_t wall_ms = 42;
	assert_int_equal(
		time_parse((struct slice){.data = NULL, .size = 0}, &wall_ms), STATUS_REFUSED);
}

static void no_prefix_is_a_time(void **state)
{
	(void)state;
	static const char text[] = "2026-11-22T19:43:00.5+01:00";
	for (size_t size = 0; size < sizeof text - 1; size++) {
		/* Of its own size, so that the sanitizer sees a read behind the end. */
		char *copy = malloc(size + 1);
		memcpy(copy, text, size);
		int64_t wall_ms = 42;
		assert_int_equal(time_parse((struct slice){.data = copy, .size = size}, &wall_ms),
			STATUS_REFUSED);
		free(copy);
	}
}

static void each_wrong_byte_is_refused(void **state)
{
	(void)state;
	static const char text[] = "2026-11-22T18:43:00.250Z";
	for (size_t index = 0; index < sizeof text - 1; index++) {
		for (int c = 0; c < 256; c++) {
			char changed[sizeof text];
			memcpy(changed, text, sizeof text);
			changed[index] = (char)c;
			int64_t wall_ms = 42;
			enum status status = time_parse(
				(struct slice){.data = changed, .size = sizeof text - 1}, &wall_ms);
			bool digit = c >= '0' && c <= '9';
			if (status == STATUS_OK && !digit && c != 'Z' && c != 'z' && c != 'T' &&
				c != 't' && c != text[index])
				fail_msg("\"%s\" was taken", changed);
			if (status != STATUS_OK)
				assert_int_equal(wall_ms, 42);
		}
	}
}

static void the_time_zone_does_not_matter(void **state)
{
	(void)state;
	setenv("TZ", "Asia/Kathmandu", 1);
	tzset();
	char text[TIME_TEXT_SIZE];
	time_format(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	assert_time("1970-01-01T00:00:00Z", 0);
	unsetenv("TZ");
	tzset();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_system_clock_runs),
		cmocka_unit_test(the_fake_clock_moves_when_told),
		cmocka_unit_test(every_day_is_written_and_read),
		cmocka_unit_test(the_ends_of_the_range),
		cmocka_unit_test(every_form_of_rfc_3339),
		cmocka_unit_test(leap_seconds),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(no_prefix_is_a_time),
		cmocka_unit_test(each_wrong_byte_is_refused),
		cmocka_unit_test(the_time_zone_does_not_matter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
