/* See limiter.h. */
#include "lib/http/limiter.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/id.h"

enum { ROWS = 2, SLOTS = 1 << 14, NS_PER_MS = 1000000 };

static_assert((SLOTS & (SLOTS - 1)) == 0, "a slot is chosen by masking");

struct http_limiter {
	int64_t interval_ns; /* Between two, in the long run. */
	int64_t ahead_ns;    /* How far ahead of now a bucket's time may be for one more to pass. */
	uint64_t keys[ROWS];
	_Atomic int64_t full_ns[ROWS][SLOTS]; /* When each bucket is full again. */
};

struct http_limiter *http_limiter_new(double per_second, int64_t burst)
{
	assert(per_second > 0 && burst >= 1);
	struct http_limiter *limiter = calloc(1, sizeof *limiter);
	if (!limiter)
		return NULL;
	limiter->interval_ns = (int64_t)(1e9 / per_second);
	limiter->ahead_ns = (int64_t)((double)(burst - 1) * (1e9 / per_second));
	random_bytes(limiter->keys, sizeof limiter->keys);
	return limiter;
}

void http_limiter_free(struct http_limiter *limiter)
{
	free(limiter);
}

/* Multiply and fold, with a secret start: nobody outside can choose addresses that share a slot. */
static size_t slot_of(uint64_t key, struct slice address)
{
	uint64_t hash = key ^ address.size;
	for (size_t i = 0; i < address.size; i++) {
		hash = (hash ^ (unsigned char)address.data[i]) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 29;
	}
	hash = (hash ^ key) * 0xbf58476d1ce4e5b9u;
	return (size_t)(hash >> 40) & (SLOTS - 1);
}

static void take_from(_Atomic int64_t *full_ns, int64_t now_ns, int64_t interval_ns)
{
	int64_t full = atomic_load_explicit(full_ns, memory_order_relaxed), next;
	do
		next = (full > now_ns ? full : now_ns) + interval_ns;
	while (!atomic_compare_exchange_weak_explicit(
		full_ns, &full, next, memory_order_relaxed, memory_order_relaxed));
}

bool http_limiter_take(
	struct http_limiter *limiter, struct slice address, int64_t now_ns, int64_t *retry_ms)
{
	_Atomic int64_t *buckets[ROWS];
	int64_t wait_ns = INT64_MAX;
	for (size_t i = 0; i < ROWS; i++) {
		buckets[i] = &limiter->full_ns[i][slot_of(limiter->keys[i], address)];
		int64_t full = atomic_load_explicit(buckets[i], memory_order_relaxed);
		int64_t wait = full - now_ns - limiter->ahead_ns;
		wait_ns = wait < wait_ns ? wait : wait_ns;
	}
	if (wait_ns > 0) {
		*retry_ms = wait_ns / NS_PER_MS + 1;
		return false;
	}
	for (size_t i = 0; i < ROWS; i++)
		take_from(buckets[i], now_ns, limiter->interval_ns);
	return true;
}

struct slice http_client_address(const struct http_exchange *exchange, const char *header)
{
	struct slice listed, last = {0};
	if (!header || !http_header(exchange, header, &listed))
		return http_peer(exchange);
	for (struct slice item; slice_split(&listed, ',', &item);)
		last = slice_trim(item);
	return last;
}

void http_reply_retry_after(struct http_exchange *exchange, int64_t ms)
{
	char seconds[24];
	(void)snprintf(seconds, sizeof seconds, "%" PRId64, (ms + 999) / 1000);
	http_reply_header(exchange, "Retry-After", seconds);
}
