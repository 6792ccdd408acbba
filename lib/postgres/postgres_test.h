/* What the tests of lib/postgres share: one cluster per program, one connection per test. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/postgres/postgres.h"
#include "lib/testkit/postgres_fixture.h"

static struct postgres_fixture fixture;
static struct postgres *pg; /* Of the test that runs. */

/* No call that is to succeed fails for lack of time on a busy machine. */
enum { TEST_CALL_MS_MAX = 60000 };

/* 0: TEST_CALL_MS_MAX. */
static inline struct postgres *test_open(int64_t call_ms_max)
{
	struct postgres *opened = postgres_open(&(struct postgres_options){
		.url = fixture.url,
		.application_name = "test",
		.connect_ms_max = TEST_CALL_MS_MAX,
		.call_ms_max = call_ms_max ? call_ms_max : TEST_CALL_MS_MAX,
	});
	assert_non_null(opened);
	return opened;
}

static inline int test_connect(void **state)
{
	(void)state;
	pg = test_open(0);
	return 0;
}

static inline int test_disconnect(void **state)
{
	(void)state;
	postgres_close(pg);
	pg = NULL;
	return 0;
}

static inline int test_stop_cluster(void **state)
{
	(void)state;
	postgres_fixture_stop(&fixture);
	return 0;
}

/* Fail with what the server said. */
static inline void test_status(
	struct postgres *from, enum status expected, enum status status, const char *file, int line)
{
	if (status == expected)
		return;
	print_error("%s instead of %s: %s %s\n", status_name(status), status_name(expected),
		postgres_error(from)->sqlstate, postgres_error(from)->message);
	_fail(file, line);
}

#define assert_status(from_, expected_, status_) \
	test_status(from_, expected_, status_, __FILE__, __LINE__)
#define assert_ok(status_) assert_status(pg, STATUS_OK, status_)

/* Run a script that must succeed. */
#define assert_script(sql_) assert_ok(postgres_run_script(pg, sql_))

#define assert_slice(expected_, slice_) \
	do { \
		struct slice found = (slice_); \
		assert_int_equal(strlen(expected_), found.size); \
		assert_memory_equal(expected_, found.data, found.size); \
	} while (0)

/* Run a statement without parameters that gives one bigint. */
static inline int64_t test_number(struct postgres *from, const char *name, const char *sql)
{
	struct postgres_statement statement = {.name = name, .sql = sql};
	struct postgres_result result;
	assert_status(from, STATUS_OK,
		postgres_execute(from, &statement, POSTGRES_NO_PARAMETERS, &result));
	assert_int_equal(1, result.row_count);
	int64_t number = postgres_get_bigint(&result, 0, 0);
	postgres_result_release(&result);
	return number;
}
