/* Levels are integers: a billionth of a token per millisecond is a millionth of a token per second.
 * The largest level, TOKEN_BUCKET_RATE_MAX × 10⁹ = 10¹⁴, is far from overflowing, and elapsed times
 * are cut off at what fills the bucket before they are multiplied. */
#include "lib/ticketing/token_bucket.h"

#include <assert.h>

static const int64_t token = 1000000000; /* In billionths. */

static void set_rate(struct token_bucket *bucket, double rate_per_second)
{
	assert(rate_per_second > 0 && rate_per_second <= TOKEN_BUCKET_RATE_MAX);
	int64_t rate = (int64_t)(rate_per_second * 1e6 + 0.5);
	bucket->rate = rate > 0 ? rate : 1;
	bucket->capacity = bucket->rate > token / 1000 ? bucket->rate * 1000 : token;
}

/* The level at this moment. */
static int64_t level_at(const struct token_bucket *bucket, int64_t now_ms)
{
	if (now_ms <= bucket->last_ms)
		return bucket->level;
	/* Unsigned, since two times can be further apart than an int64_t can say. */
	uint64_t elapsed = (uint64_t)now_ms - (uint64_t)bucket->last_ms;
	int64_t missing = bucket->capacity - bucket->level;
	if (elapsed > (uint64_t)(missing / bucket->rate))
		return bucket->capacity;
	return bucket->level + bucket->rate * (int64_t)elapsed;
}

static void refill(struct token_bucket *bucket, int64_t now_ms)
{
	bucket->level = level_at(bucket, now_ms);
	bucket->last_ms = now_ms;
}

void token_bucket_init(struct token_bucket *bucket, double rate_per_second, int64_t now_ms)
{
	set_rate(bucket, rate_per_second);
	bucket->level = bucket->capacity;
	bucket->last_ms = now_ms;
}

void token_bucket_set_rate(struct token_bucket *bucket, double rate_per_second, int64_t now_ms)
{
	refill(bucket, now_ms);
	set_rate(bucket, rate_per_second);
	if (bucket->level > bucket->capacity)
		bucket->level = bucket->capacity;
}

int64_t token_bucket_take(struct token_bucket *bucket, int64_t now_ms, int64_t want)
{
	assert(want >= 0);
	refill(bucket, now_ms);
	int64_t there = bucket->level / token;
	int64_t granted = want < there ? want : there;
	bucket->level -= granted * token;
	return granted;
}

void token_bucket_return(struct token_bucket *bucket, int64_t count)
{
	assert(count >= 0);
	int64_t missing = bucket->capacity - bucket->level;
	bucket->level = count > missing / token ? bucket->capacity : bucket->level + count * token;
}

int64_t token_bucket_next_ms(const struct token_bucket *bucket, int64_t now_ms)
{
	int64_t missing = token - level_at(bucket, now_ms);
	return missing > 0 ? (missing + bucket->rate - 1) / bucket->rate : 0;
}
