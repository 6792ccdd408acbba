/* Clocks, and the one form of time that leaves the process: RFC 3339.
 *
 * The calendar is computed here and not by the C library: timegm, strftime and strptime depend on
 * locale or platform, and mktime on the time zone. Dates become days and back by Howard Hinnant's
 * days_from_civil and civil_from_days ("chrono-Compatible Low-Level Date Algorithms",
 * https://howardhinnant.github.io/date_algorithms.html): years begin in March, so that the leap day
 * comes last, and are taken in eras of 400 years, which all have the same number of days. */
#include "lib/base/clock.h"

#include <assert.h>
#include <time.h>

enum {
	DAYS_PER_ERA = 146097,
	DAYS_TO_1970 = 719468, /* From 0000-03-01. */
	MS_PER_SECOND = 1000,
	MS_PER_MINUTE = 60 * MS_PER_SECOND,
	MS_PER_HOUR = 60 * MS_PER_MINUTE,
	MS_PER_DAY = 24 * MS_PER_HOUR,
};

#define TIME_MIN_MS INT64_C(-62167219200000) /* 0000-01-01T00:00:00.000Z */
#define TIME_MAX_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

struct date {
	int64_t year, month, day; /* Month and day begin with 1. */
};

static int64_t read_clock_ns(clockid_t which);
static int64_t days_of(struct date date);
static struct date date_of(int64_t days);
static int64_t days_in_month(struct date date);
static char *put_digits(char *next, int64_t value, int digits, char behind);
static bool take_digits(struct slice *rest, size_t digits, int64_t max, int64_t *value);
static bool take_one_of(struct slice *rest, const char *characters, char *taken);
static bool take_date(struct slice *rest, struct date *date);
static bool take_time(struct slice *rest, int64_t *ms, bool *leap);
static bool take_fraction(struct slice *rest, int64_t *ms);
static bool take_offset(struct slice *rest, int64_t *ms);

static int64_t system_wall_ms(struct clock *clock)
{
	(void)clock;
	return read_clock_ns(CLOCK_REALTIME) / 1000000;
}

static int64_t system_monotonic_ns(struct clock *clock)
{
	(void)clock;
	return read_clock_ns(CLOCK_MONOTONIC);
}

static int64_t read_clock_ns(clockid_t which)
{
	struct timespec now;
	int failed = clock_gettime(which, &now);
	assert(!failed);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct clock *clock_system(void)
{
	static const struct clock_ops ops = {
		.wall_ms = system_wall_ms, .monotonic_ns = system_monotonic_ns};
	static struct clock system = {.ops = &ops};
	return &system;
}

static int64_t fake_wall_ms(struct clock *clock)
{
	return ((struct clock_fake *)clock)->now_wall_ms;
}

static int64_t fake_monotonic_ns(struct clock *clock)
{
	return ((struct clock_fake *)clock)->now_monotonic_ns;
}

void clock_fake_init(struct clock_fake *fake, int64_t wall_ms)
{
	static const struct clock_ops ops = {
		.wall_ms = fake_wall_ms, .monotonic_ns = fake_monotonic_ns};
	/* Not 0: the real one never reads 0, and code may rely on that. */
	*fake = (struct clock_fake){
		.base.ops = &ops, .now_wall_ms = wall_ms, .now_monotonic_ns = 1000000000};
}

void clock_fake_advance(struct clock_fake *fake, int64_t ms)
{
	assert(ms >= 0);
	fake->now_wall_ms += ms;
	fake->now_monotonic_ns += ms * 1000000;
}

void clock_fake_jump(struct clock_fake *fake, int64_t wall_ms)
{
	fake->now_wall_ms = wall_ms;
}

void time_format(int64_t wall_ms, char text[TIME_TEXT_SIZE])
{
	assert(wall_ms >= TIME_MIN_MS && wall_ms <= TIME_MAX_MS);

	/* Division rounds towards zero, but a day before 1970 begins at its earlier end. */
	int64_t ms = (wall_ms % MS_PER_DAY + MS_PER_DAY) % MS_PER_DAY;
	struct date date = date_of((wall_ms - ms) / MS_PER_DAY);
	char *next = put_digits(text, date.year, 4, '-');
	next = put_digits(next, date.month, 2, '-');
	next = put_digits(next, date.day, 2, 'T');
	next = put_digits(next, ms / MS_PER_HOUR, 2, ':');
	next = put_digits(next, ms / MS_PER_MINUTE % 60, 2, ':');
	next = put_digits(next, ms / MS_PER_SECOND % 60, 2, '.');
	next = put_digits(next, ms % MS_PER_SECOND, 3, 'Z');
	*next = '\0';
}

static char *put_digits(char *next, int64_t value, int digits, char behind)
{
	for (int index = digits - 1; index >= 0; index--) {
		next[index] = (char)('0' + value % 10);
		value /= 10;
	}
	next[digits] = behind;
	return next + digits + 1;
}

enum status time_parse(struct slice text, int64_t *wall_ms)
{
	struct date date;
	int64_t ms_of_day, offset_ms;
	bool leap;
	char separator;
	if (!take_date(&text, &date) || !take_one_of(&text, "Tt", &separator) ||
		!take_time(&text, &ms_of_day, &leap) || !take_offset(&text, &offset_ms) ||
		text.size > 0)
		return STATUS_REFUSED;

	int64_t result = days_of(date) * MS_PER_DAY + ms_of_day - offset_ms;
	if (result < TIME_MIN_MS || result > TIME_MAX_MS)
		return STATUS_REFUSED;
	/* RFC 3339, section 5.7: leap seconds end a month in UTC, so the second after begins one.
	 */
	int64_t ms_of_utc_day = (result % MS_PER_DAY + MS_PER_DAY) % MS_PER_DAY;
	if (leap &&
		(ms_of_utc_day >= MS_PER_SECOND ||
			date_of((result - ms_of_utc_day) / MS_PER_DAY).day != 1))
		return STATUS_REFUSED;
	*wall_ms = result;
	return STATUS_OK;
}

static bool take_date(struct slice *rest, struct date *date)
{
	char dash;
	return take_digits(rest, 4, 9999, &date->year) && take_one_of(rest, "-", &dash) &&
		take_digits(rest, 2, 12, &date->month) && date->month > 0 &&
		take_one_of(rest, "-", &dash) &&
		take_digits(rest, 2, days_in_month(*date), &date->day) && date->day > 0;
}

static bool take_time(struct slice *rest, int64_t *ms, bool *leap)
{
	int64_t hour, minute, second, fraction_ms;
	char colon;
	if (!take_digits(rest, 2, 23, &hour) || !take_one_of(rest, ":", &colon) ||
		!take_digits(rest, 2, 59, &minute) || !take_one_of(rest, ":", &colon) ||
		!take_digits(rest, 2, 60, &second) || !take_fraction(rest, &fraction_ms))
		return false;
	*leap = second == 60;
	*ms = hour * MS_PER_HOUR + minute * MS_PER_MINUTE + second * MS_PER_SECOND + fraction_ms;
	return true;
}

/* What is finer than a millisecond is read and dropped. */
static bool take_fraction(struct slice *rest, int64_t *ms)
{
	*ms = 0;
	char taken;
	if (!take_one_of(rest, ".", &taken))
		return true;
	if (!take_one_of(rest, "0123456789", &taken))
		return false;
	int64_t weight_ms = 100;
	do {
		*ms += (taken - '0') * weight_ms;
		weight_ms /= 10;
	} while (take_one_of(rest, "0123456789", &taken));
	return true;
}

static bool take_offset(struct slice *rest, int64_t *ms)
{
	char sign, colon;
	*ms = 0;
	if (take_one_of(rest, "Zz", &sign))
		return true;
	int64_t hours, minutes;
	if (!take_one_of(rest, "+-", &sign) || !take_digits(rest, 2, 23, &hours) ||
		!take_one_of(rest, ":", &colon) || !take_digits(rest, 2, 59, &minutes))
		return false;
	*ms = hours * MS_PER_HOUR + minutes * MS_PER_MINUTE;
	if (sign == '-')
		*ms = -*ms;
	return true;
}

static bool take_digits(struct slice *rest, size_t digits, int64_t max, int64_t *value)
{
	if (rest->size < digits)
		return false;
	*value = 0;
	for (size_t index = 0; index < digits; index++) {
		char c = rest->data[index];
		if (c < '0' || c > '9')
			return false;
		*value = *value * 10 + (c - '0');
	}
	rest->data += digits;
	rest->size -= digits;
	return *value <= max;
}

static bool take_one_of(struct slice *rest, const char *characters, char *taken)
{
	if (rest->size == 0 || !memchr(characters, rest->data[0], strlen(characters)))
		return false;
	*taken = rest->data[0];
	rest->data++;
	rest->size--;
	return true;
}

static int64_t days_in_month(struct date date)
{
	struct date first = {.year = date.year, .month = date.month, .day = 1};
	struct date next = {
		.year = date.year + date.month / 12, .month = date.month % 12 + 1, .day = 1};
	return days_of(next) - days_of(first);
}

/* Days since 1970-01-01. */
static int64_t days_of(struct date date)
{
	int64_t year = date.month > 2 ? date.year : date.year - 1;
	int64_t month = date.month > 2 ? date.month - 3 : date.month + 9; /* March is 0. */
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year = (153 * month + 2) / 5 + date.day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;
}

static struct date date_of(int64_t days)
{
	days += DAYS_TO_1970;
	int64_t era = (days >= 0 ? days : days - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
	int64_t day = days - era * DAYS_PER_ERA;
	int64_t year = (day - day / 1460 + day / 36524 - day / (DAYS_PER_ERA - 1)) / 365;
	int64_t day_of_year = day - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * day_of_year + 2) / 153; /* March is 0. */
	return (struct date){
		.year = year + era * 400 + (month >= 10),
		.month = month < 10 ? month + 3 : month - 9,
		.day = day_of_year - (153 * month + 2) / 5 + 1,
	};
}
