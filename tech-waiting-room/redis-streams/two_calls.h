/* A lesson: admission in two calls, as consumer groups are usually taught, and what it costs.
 *
 *	1. count the free slots, XREADGROUP so many        from here on they are *pending*
 *	2. ZADD them to the active set, XACK               from here on they are done
 *	   XAUTOCLAIM takes over what a dead server left pending
 *
 * Nobody is lost: what was taken and not acknowledged stays in the group's pending list, and
 * another server claims it. But there is a window between the calls. Two servers that count the
 * same free slots both fill them, so `active_max` is passed; and while a dead server's people wait
 * to be claimed, those behind them have been called. Both can be mended with reservations and
 * leases, that is, with more state; a script (admit.lua) has no window to mend. The product uses
 * the script, and two_calls_test.c shows each of these sentences. */
#pragma once

#include "lib/redis/redis.h"
#include "tech-waiting-room/waiting_room.h"

struct taken {
	char id[48]; /* Of the stream's entry. */
	char person[WAITING_ROOM_PERSON_SIZE_MAX + 1];
};

/* Add somebody to the lesson's queue, and make its group where it is missing. */
__attribute__((warn_unused_result)) enum status two_calls_join(
	struct redis *redis, struct slice event, struct slice person);

/* Free slots as this server sees them at this moment. */
__attribute__((warn_unused_result)) enum status two_calls_free(
	struct redis *redis, struct slice event, int64_t active_max, int64_t *free_slots);

/* First call: take up to `max` people, who stay pending for this consumer. */
__attribute__((warn_unused_result)) enum status two_calls_take(struct redis *redis,
	struct slice event, const char *consumer, size_t max, struct taken taken[], size_t *count);

/* Second call: they are active, and no longer pending. May be made again. */
__attribute__((warn_unused_result)) enum status two_calls_confirm(
	struct redis *redis, struct slice event, const struct taken taken[], size_t count);

/* Take over what others took and have not confirmed for `idle_ms`. */
__attribute__((warn_unused_result)) enum status two_calls_reclaim(struct redis *redis,
	struct slice event, const char *consumer, int64_t idle_ms, size_t max, struct taken taken[],
	size_t *count);

/* How many are active, and how many pending for whomever. */
__attribute__((warn_unused_result)) enum status two_calls_count(
	struct redis *redis, struct slice event, int64_t *active, int64_t *pending);
