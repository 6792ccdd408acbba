/* Whether and when an attempt that failed is followed by another. See client.h for the rules and
 * where they come from. */
#include <stdio.h>

#include "lib/http/client_internal.h"

enum { RETRY_AFTER_SIZE_MAX = 64, RETRY_AFTER_SECONDS_MAX = 366 * 86400 };

static uint64_t random_next(uint64_t *state);

bool http_retry_allowed(enum http_retry retry, enum http_fetch_outcome outcome, unsigned status)
{
	switch (outcome) {
	case HTTP_FETCH_NOT_SENT:
		return retry != HTTP_RETRY_NEVER;
	case HTTP_FETCH_LOST:
		return retry == HTTP_RETRY_IDEMPOTENT;
	case HTTP_FETCH_ANSWERED:
		return retry == HTTP_RETRY_IDEMPOTENT &&
			(status == 429 || (status >= 502 && status <= 504));
	case HTTP_FETCH_REFUSED:
	case HTTP_FETCH_TOO_LARGE:
		break;
	}
	return false;
}

int64_t http_backoff_ms(
	int64_t backoff_ms_min, int64_t backoff_ms_max, unsigned attempts, uint64_t *random)
{
	int64_t cap_ms = backoff_ms_min;
	for (unsigned i = 1; i < attempts && cap_ms < backoff_ms_max; i++)
		cap_ms = cap_ms > backoff_ms_max / 2 ? backoff_ms_max : 2 * cap_ms;
	if (cap_ms > backoff_ms_max)
		cap_ms = backoff_ms_max;
	/* The remainder favours small pauses by less than one in 2^40, which nobody can notice. */
	return (int64_t)(random_next(random) % ((uint64_t)cap_ms + 1));
}

int64_t http_retry_after_ms(struct slice value, int64_t wall_ms)
{
	int64_t seconds;
	if (slice_to_integer(value, 0, INT64_MAX, &seconds))
		return (seconds < RETRY_AFTER_SECONDS_MAX ? seconds : RETRY_AFTER_SECONDS_MAX) *
			1000;
	char text[RETRY_AFTER_SIZE_MAX];
	if (value.size >= sizeof text)
		return 0;
	snprintf(text, sizeof text, "%.*s", SLICE_PRINT(value));
	int64_t when_s = curl_getdate(text, NULL);
	int64_t ms = when_s <= 0 ? 0 : when_s * 1000 - wall_ms;
	return ms > 0 ? ms : 0;
}

/* splitmix64 (G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA
 * 2014): enough to keep clients from repeating their calls all at once. */
static uint64_t random_next(uint64_t *state)
{
	uint64_t mixed = *state += 0x9E3779B97F4A7C15;
	mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
	mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
	return mixed ^ (mixed >> 31);
}
