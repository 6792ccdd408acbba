/* How many may be admitted now: a token bucket.
 *
 * It holds at most one second's worth of admissions, at least 1, is full at the beginning, and is
 * refilled by the time that passes ("Leaky bucket as a meter", ITU-T I.371; Turner, "New directions
 * in communications", 1986). Within any t seconds no more than capacity + rate × t are granted.
 * Whoever asks for more each time before it is full again is granted exactly the rate over any long
 * time: it counts in whole billionths, so nothing is lost or won by how often it is asked.
 *
 * Time is the caller's, from one clock. When that jumps back, what is in the bucket stays and time
 * counts on from there; when it jumps ahead, no more than the capacity is won. */
#pragma once

#include <stdint.h>

enum {
	TOKEN_BUCKET_RATE_MAX = 100000, /* Per second. */
};

/* The rate is kept to the nearest millionth per second, at least one. */
#define TOKEN_BUCKET_RATE_MIN 0.000001

/* The members are the functions' own. Plain data: it may be copied and stored. */
struct token_bucket {
	int64_t rate;     /* Billionths of a token per millisecond. */
	int64_t capacity; /* Billionths of a token. */
	int64_t level;    /* Likewise; 0 to capacity. */
	int64_t last_ms;  /* When the level was brought up to date. */
};

/* A full bucket. `rate_per_second` > 0 and ≤ TOKEN_BUCKET_RATE_MAX. */
void token_bucket_init(struct token_bucket *bucket, double rate_per_second, int64_t now_ms);

/* From now on at another rate; what is in it stays, as far as it fits into the new capacity. */
void token_bucket_set_rate(struct token_bucket *bucket, double rate_per_second, int64_t now_ms);

/* Take as many as there are, at most `want` (not negative), and return how many. */
int64_t token_bucket_take(struct token_bucket *bucket, int64_t now_ms, int64_t want);

/* Put back what was taken and not used (nobody was there), up to the capacity. */
void token_bucket_return(struct token_bucket *bucket, int64_t count);

/* In how many milliseconds the next one can be taken; 0: now. */
int64_t token_bucket_next_ms(const struct token_bucket *bucket, int64_t now_ms);
