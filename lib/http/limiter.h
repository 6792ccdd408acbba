/* How often one client address may ask for something: a bound on what a single machine can do to
 * everybody else.
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

#include "lib/http/exchange.h"

struct http_limiter;

/* A limiter that lets each address have `burst` (≥ 1) at once and `per_second` (> 0) in the long
 * run. NULL when memory is short. */
__attribute__((warn_unused_result)) struct http_limiter *http_limiter_new(
	double per_second, int64_t burst);

/* NULL is allowed. */
void http_limiter_free(struct http_limiter *limiter);

/* Take one from the address's bucket. False when it is empty; then `*retry_ms` says when there will
 * be one. `now_ns` is monotonic. Any thread. */
__attribute__((warn_unused_result)) bool http_limiter_take(
	struct http_limiter *limiter, struct slice address, int64_t now_ns, int64_t *retry_ms);

/* The address of the client. `header` names a header whose last item it is, set by the proxy in
 * front; what a client writes in front of that does not count. NULL, or a request without it: the
 * socket's own address. Lives as long as the exchange. */
struct slice http_client_address(const struct http_exchange *exchange, const char *header);

/* Add Retry-After to the reply: whole seconds, rounded up. */
void http_reply_retry_after(struct http_exchange *exchange, int64_t ms);
