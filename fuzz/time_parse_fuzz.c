/* Fuzzes time_parse. The C library's calendar is the other opinion. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fuzz/fuzz.h"
#include "lib/base/clock.h"

static int64_t other_opinion(struct slice text);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = fuzz_slice(data, size);
	int64_t ms = INT64_MIN, again;
	char written[TIME_TEXT_SIZE];
	if (time_parse(text, &ms) != STATUS_OK) {
		assert(ms == INT64_MIN);
		return 0;
	}
	assert(slice_is_text(text));
	time_format(ms, written);
	assert(strlen(written) == TIME_TEXT_SIZE - 1);
	assert(time_parse(slice_of(written), &again) == STATUS_OK && again == ms);
	assert(other_opinion(text) == ms);
	return 0;
}

static int64_t digits(const char *text, size_t size)
{
	int64_t value = 0;
	for (size_t i = 0; i < size; i++)
		value = value * 10 + (text[i] - '0');
	return value;
}

/* What has been accepted, read by its columns: "2026-11-22T18:43:00[.123…]Z|+01:00". */
static int64_t other_opinion(struct slice text)
{
	struct tm tm = {.tm_year = (int)digits(text.data, 4) - 1900,
		.tm_mon = (int)digits(text.data + 5, 2) - 1,
		.tm_mday = (int)digits(text.data + 8, 2),
		.tm_hour = (int)digits(text.data + 11, 2),
		.tm_min = (int)digits(text.data + 14, 2),
		.tm_sec = (int)digits(text.data + 17, 2)};
	int64_t ms = (int64_t)timegm(&tm) * 1000;
	size_t at = 19;
	if (text.data[at] == '.')
		for (int64_t weight_ms = 100; text.data[++at] >= '0' && text.data[at] <= '9';
			weight_ms /= 10)
			ms += (text.data[at] - '0') * weight_ms;
	if (text.data[at] == 'Z' || text.data[at] == 'z')
		return ms;
	int64_t offset_ms =
		(digits(text.data + at + 1, 2) * 60 + digits(text.data + at + 4, 2)) * 60000;
	return text.data[at] == '-' ? ms + offset_ms : ms - offset_ms;
}
