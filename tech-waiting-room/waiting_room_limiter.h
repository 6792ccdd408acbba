/* How many joins one client address may make: a bound on what a single machine can do to everybody
 * else's line.
 *
 * DESIGN. Each address has a token bucket, kept as one number: the time at which it would be full
 * again (the "generic cell rate algorithm", ITU-T I.371, annex A). Buckets stand in a table of
 * fixed size, found by a hash with a secret key, once in each of two rows; an address is refused
 * only if both of its buckets are empty, so an innocent one would have to share both with somebody
 * who floods. So the table needs no locks, no eviction and no memory that an attacker could fill.
 * Two threads that take from one bucket at the same moment may take one more than it has. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/slice.h"

struct join_limiter;

/* A limiter that lets each address have `burst` (≥ 1) at once and `per_second` (> 0) in the long
 * run. NULL when memory is short. */
__attribute__((warn_unused_result)) struct join_limiter *join_limiter_new(
	double per_second, int64_t burst);

/* NULL is allowed. */
void join_limiter_free(struct join_limiter *limiter);

/* Take one from the address's bucket. False when it is empty; then `*retry_ms` says when there will
 * be one. `now_ns` is monotonic. Any thread. */
__attribute__((warn_unused_result)) bool join_limiter_take(
	struct join_limiter *limiter, struct slice address, int64_t now_ns, int64_t *retry_ms);
