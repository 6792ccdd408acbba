/* What the tests of lib/redis share: one server per program, one connection per test. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/redis/redis.h"
#include "lib/testkit/redis_fixture.h"

enum { PATIENCE_MS = 30000, SHORT_MS = 300 };

static struct redis_fixture fixture;
static struct redis *redis; /* Of the test that runs. */

static const struct redis_command flush_all = {"FLUSHALL", REDIS_WRITES};
static const struct redis_command set = {"SET", REDIS_WRITES};
static const struct redis_command get = {"GET", REDIS_READS};
static const struct redis_command increment = {"INCR", REDIS_WRITES};

/* Open a URL, not connected yet. However short a call may be, redis_connect is given time. */
static inline struct redis *test_open_url(const char *url, int64_t call_ms_max)
{
	struct redis *opened = redis_open(&(struct redis_options){.url = url,
		.client_name = "test",
		.connect_ms_max = PATIENCE_MS,
		.call_ms_max = call_ms_max});
	assert_non_null(opened);
	return opened;
}

static inline int64_t test_now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

/* Fail with what the server said. */
static inline void test_status(const struct redis *from, enum status expected, enum status status,
	const char *file, int line)
{
	if (status == expected)
		return;
	print_error("%s instead of %s: %s\n", status_name(status), status_name(expected),
		redis_error(from)->message);
	_fail(file, line);
}

#define assert_status(from_, expected_, status_) \
	test_status(from_, expected_, status_, __FILE__, __LINE__)
#define assert_ok(status_) assert_status(redis, STATUS_OK, status_)

static inline int test_connect(void **state)
{
	(void)state;
	redis = test_open_url(fixture.url, PATIENCE_MS);
	assert_ok(redis_execute(redis, &flush_all, REDIS_NO_ARGUMENTS, NULL));
	return 0;
}

static inline int test_disconnect(void **state)
{
	(void)state;
	redis_close(redis);
	redis = NULL;
	return 0;
}

static inline int test_stop_server(void **state)
{
	(void)state;
	redis_fixture_stop(&fixture);
	return 0;
}

/* What a key holds, as a number; -1 when it is not there. */
static inline int64_t test_number(struct redis *from, const char *key)
{
	struct redis_reply *reply;
	int64_t number = -1;
	assert_status(from, STATUS_OK,
		redis_execute(from, &get, REDIS_ARGUMENTS(redis_text(key)), &reply));
	struct slice text = redis_get_slice(reply);
	if (text.data != NULL)
		assert_true(slice_to_integer(text, INT64_MIN, INT64_MAX, &number));
	redis_reply_free(reply);
	return number;
}

static inline enum status test_increment(struct redis *from, const char *key)
{
	return redis_execute(from, &increment, REDIS_ARGUMENTS(redis_text(key)), NULL);
}
