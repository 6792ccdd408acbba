/* Time as an interface, so that a test can hold it still.
 *
 * Rules take the time as an argument; only what waits or stamps asks a clock. The monotonic time
 * measures durations and deadlines; the wall time is for people and never decides who was first. */
#pragma once

#include <stdint.h>

#include "lib/base/slice.h"
#include "lib/base/status.h"

struct clock;

struct clock_ops {
	int64_t (*wall_ms)(struct clock *clock);
	int64_t (*monotonic_ns)(struct clock *clock);
};

struct clock {
	const struct clock_ops *ops;
};

/* Milliseconds since 1970-01-01T00:00:00Z. */
static inline int64_t clock_wall_ms(struct clock *clock)
{
	return clock->ops->wall_ms(clock);
}

/* Nanoseconds since some moment before the program began; never goes back. */
static inline int64_t clock_monotonic_ns(struct clock *clock)
{
	return clock->ops->monotonic_ns(clock);
}

static inline int64_t clock_monotonic_ms(struct clock *clock)
{
	return clock_monotonic_ns(clock) / 1000000;
}

/* The system's clock. May be used by any thread; needs no release. */
struct clock *clock_system(void);

/* A clock that moves only when told. One thread at a time. */
struct clock_fake {
	struct clock base;
	int64_t now_wall_ms;
	int64_t now_monotonic_ns;
};

void clock_fake_init(struct clock_fake *fake, int64_t wall_ms);

/* Let `ms` milliseconds pass on both scales; `ms` is not negative. */
void clock_fake_advance(struct clock_fake *fake, int64_t ms);

/* Set the wall time forwards or backwards, as an operator or NTP might; monotonic time stays. */
void clock_fake_jump(struct clock_fake *fake, int64_t wall_ms);

enum { TIME_TEXT_SIZE = sizeof "2026-11-22T18:43:00.123Z" };

/* Write `wall_ms` as RFC 3339 in UTC with milliseconds, zero-terminated. Years 0 to 9999. */
void time_format(int64_t wall_ms, char text[TIME_TEXT_SIZE]);

/* Parse an RFC 3339 date and time with its offset ("2026-11-22T18:43:00Z", "…T19:43:00.5+01:00").
 * The whole of `text` must be one. A leap second (:60) counts as the second after. Anything else is
 * STATUS_REFUSED and leaves `wall_ms` alone. */
__attribute__((warn_unused_result)) enum status time_parse(struct slice text, int64_t *wall_ms);
