/* Each type there and back again, and what must not be sent. */
#include "lib/postgres/postgres_test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BIG_COUNT = 10000 };

static struct postgres_result result;
static struct arena arena;

static int setup(void **state)
{
	arena_init(&arena, 8 << 20);
	return test_connect(state);
}

static int teardown(void **state)
{
	postgres_result_release(&result);
	arena_release(&arena);
	return test_disconnect(state);
}

/* Send one value to a statement that gives it back, beside what the server reads it as. */
static void echo(const struct postgres_statement *statement, struct postgres_parameter parameter)
{
	postgres_result_release(&result);
	assert_ok(postgres_execute(pg, statement, POSTGRES_PARAMETERS(parameter), &result));
	assert_int_equal(1, result.row_count);
	assert_int_equal(2, result.column_count);
	assert_int_equal(1, result.affected_count);
}

/* The server's own reading of the value just echoed. */
static void assert_read_as(const char *expected)
{
	assert_slice(expected, postgres_get_text(&result, 0, 1));
}

static const struct postgres_statement echo_text = {
	.name = "echo_text", .sql = "select $1::text, octet_length($1::text)::text"};
static const struct postgres_statement echo_bigint = {
	.name = "echo_bigint", .sql = "select $1::bigint, $1::text"};
static const struct postgres_statement echo_integer = {
	.name = "echo_integer", .sql = "select $1::integer, $1::text"};
static const struct postgres_statement echo_boolean = {
	.name = "echo_boolean", .sql = "select $1::boolean, $1::text"};
static const struct postgres_statement echo_uuid = {
	.name = "echo_uuid", .sql = "select $1::uuid, $1::text"};
static const struct postgres_statement echo_timestamp = {
	.name = "echo_timestamp", .sql = "select $1::timestamptz, $1::text"};
static const struct postgres_statement echo_jsonb = {
	.name = "echo_jsonb", .sql = "select $1::jsonb, $1->>'a'"};
static const struct postgres_statement echo_bytes = {
	.name = "echo_bytes", .sql = "select $1::bytea, encode($1, 'hex')"};
static const struct postgres_statement echo_texts = {
	.name = "echo_texts", .sql = "select $1::text[], $1::text"};
static const struct postgres_statement echo_bigints = {
	.name = "echo_bigints", .sql = "select $1::bigint[], cardinality($1)::text"};

static void text_returns(void **state)
{
	(void)state;
	const char *const texts[] = {"plain", "", "Zürich 🎟 日本",
		"it's \\ \"quoted\" $1; --", "line\nand\ttab\x7f"};
	const char *const sizes[] = {"5", "0", "19", "22", "13"};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		echo(&echo_text, postgres_text(slice_of(texts[i])));
		assert_slice(texts[i], postgres_get_text(&result, 0, 0));
		assert_read_as(sizes[i]);
	}
}

static void absent_text_is_null(void **state)
{
	(void)state;
	echo(&echo_text, postgres_text((struct slice){.data = NULL}));
	assert_true(postgres_is_null(&result, 0, 0));
	assert_null(postgres_get_text(&result, 0, 0).data);
	echo(&echo_text, postgres_null());
	assert_true(postgres_is_null(&result, 0, 0));
}

static void untyped_null_may_come_first(void **state)
{
	(void)state;
	echo(&echo_bigint, postgres_null());
	assert_true(postgres_is_null(&result, 0, 0));
	echo(&echo_bigint, postgres_bigint(7));
	assert_int_equal(7, postgres_get_bigint(&result, 0, 0));
	echo(&echo_bigint, postgres_null());
	assert_true(postgres_is_null(&result, 0, 0));
}

static void numbers_return(void **state)
{
	(void)state;
	const int64_t numbers[] = {0, 1, -1, INT64_MAX, INT64_MIN, 0x0102030405060708};
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		char text[32];
		(void)snprintf(text, sizeof text, "%lld", (long long)numbers[i]);
		echo(&echo_bigint, postgres_bigint(numbers[i]));
		assert_true(numbers[i] == postgres_get_bigint(&result, 0, 0));
		assert_read_as(text);
		(void)snprintf(text, sizeof text, "%d", (int32_t)numbers[i]);
		echo(&echo_integer, postgres_integer((int32_t)numbers[i]));
		assert_int_equal((int32_t)numbers[i], postgres_get_integer(&result, 0, 0));
		assert_read_as(text);
	}
}

static void booleans_return(void **state)
{
	(void)state;
	echo(&echo_boolean, postgres_boolean(true));
	assert_true(postgres_get_boolean(&result, 0, 0));
	assert_read_as("true");
	echo(&echo_boolean, postgres_boolean(false));
	assert_false(postgres_get_boolean(&result, 0, 0));
	assert_read_as("false");
}

static void uuids_return(void **state)
{
	(void)state;
	char text[ID_TEXT_SIZE];
	struct id id = id_new(1795374257000);
	id_format(id, text);
	echo(&echo_uuid, postgres_uuid(id));
	struct id found = postgres_get_uuid(&result, 0, 0);
	assert_memory_equal(id.bytes, found.bytes, sizeof id.bytes);
	assert_read_as(text);
}

static void timestamps_return(void **state)
{
	(void)state;
	const struct {
		int64_t wall_ms;
		const char *text;
	} times[] = {
		{0, "1970-01-01 00:00:00+00"},
		{-1, "1969-12-31 23:59:59.999+00"},
		{946684800000, "2000-01-01 00:00:00+00"},
		{1795374257123, "2026-11-22 19:04:17.123+00"},
		{-210866803200000, "4714-11-24 00:00:00+00 BC"},
		{9224318015999999, "294276-12-31 23:59:59.999+00"},
	};
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
		echo(&echo_timestamp, postgres_timestamp(times[i].wall_ms));
		assert_true(times[i].wall_ms == postgres_get_timestamp(&result, 0, 0));
		assert_read_as(times[i].text);
	}
}

static void microseconds_are_cut_downwards(void **state)
{
	(void)state;
	static const struct postgres_statement times = {.name = "times",
		.sql = "select '1969-12-31 23:59:59.999999Z'::timestamptz, "
		       "'2026-01-01 00:00:00.000999Z'::timestamptz, 'infinity'::timestamptz, "
		       "'-infinity'::timestamptz"};
	assert_ok(postgres_execute(pg, &times, POSTGRES_NO_PARAMETERS, &result));
	assert_true(-1 == postgres_get_timestamp(&result, 0, 0));
	assert_true(1767225600000 == postgres_get_timestamp(&result, 0, 1));
	assert_true(INT64_MAX == postgres_get_timestamp(&result, 0, 2));
	assert_true(INT64_MIN == postgres_get_timestamp(&result, 0, 3));
}

static void json_returns(void **state)
{
	(void)state;
	echo(&echo_jsonb, postgres_jsonb(slice_of("{\"a\" :  \"é\"}")));
	assert_slice("{\"a\": \"é\"}", postgres_get_text(&result, 0, 0));
	assert_read_as("é");
}

static void bytes_return(void **state)
{
	(void)state;
	struct slice bytes = {.data = "\x00\xff\x80", .size = 3};
	echo(&echo_bytes, postgres_bytes(bytes));
	assert_true(slice_equal(bytes, postgres_get_bytes(&result, 0, 0)));
	assert_read_as("00ff80");
	echo(&echo_bytes, postgres_bytes((struct slice){.data = "", .size = 0}));
	assert_false(postgres_is_null(&result, 0, 0));
	assert_int_equal(0, postgres_get_bytes(&result, 0, 0).size);
}

static void text_arrays_return(void **state)
{
	(void)state;
	const struct slice items[] = {
		slice_of("a"), {.data = NULL}, slice_of(""), slice_of("NULL"), slice_of("{\"é,")};
	struct slice *found;
	size_t count;
	echo(&echo_texts, postgres_text_array(items, 5));
	assert_read_as("{a,NULL,\"\",\"NULL\",\"{\\\"é,\"}");
	assert_true(postgres_get_text_array(&result, 0, 0, &arena, &found, &count));
	assert_int_equal(5, count);
	assert_null(found[1].data);
	assert_non_null(found[2].data);
	for (size_t i = 0; i < count; i++)
		assert_true(slice_equal(items[i], found[i]));
	echo(&echo_texts, postgres_text_array(NULL, 0));
	assert_read_as("{}");
	assert_true(postgres_get_text_array(&result, 0, 0, &arena, &found, &count));
	assert_int_equal(0, count);
}

static void other_arrays_arrive(void **state)
{
	(void)state;
	static const struct postgres_statement statement = {.name = "arrays",
		.sql = "select $1::bigint[]::text, $2::integer[]::text, $3::boolean[]::text, "
		       "$4::uuid[]::text, $5::timestamptz[]::text"};
	const int64_t bigints[] = {INT64_MIN, -1, INT64_MAX}, times[] = {0, 1795374257123};
	const int32_t integers[] = {INT32_MIN, 5};
	const bool booleans[] = {true, false};
	const struct id ids[] = {{.bytes = {1, 2}}, {.bytes = {[15] = 255}}};
	assert_ok(postgres_execute(pg, &statement,
		POSTGRES_PARAMETERS(postgres_bigint_array(bigints, 3),
			postgres_integer_array(integers, 2), postgres_boolean_array(booleans, 2),
			postgres_uuid_array(ids, 2), postgres_timestamp_array(times, 2)),
		&result));
	const char *const expected[] = {"{-9223372036854775808,-1,9223372036854775807}",
		"{-2147483648,5}", "{t,f}",
		"{01020000-0000-0000-0000-000000000000,00000000-0000-0000-0000-0000000000ff}",
		"{\"1970-01-01 00:00:00+00\",\"2026-11-22 19:04:17.123+00\"}"};
	for (size_t i = 0; i < 5; i++)
		assert_slice(expected[i], postgres_get_text(&result, 0, i));
}

static void big_arrays_return(void **state)
{
	(void)state;
	static int64_t numbers[BIG_COUNT];
	static struct slice texts[BIG_COUNT];
	static char names[BIG_COUNT][16];
	int64_t *found_numbers;
	struct slice *found_texts;
	size_t count;
	for (int i = 0; i < BIG_COUNT; i++) {
		numbers[i] = (int64_t)i << 32;
		(void)snprintf(names[i], sizeof names[i], "seat-%d", i);
		texts[i] = slice_of(names[i]);
	}
	echo(&echo_bigints, postgres_bigint_array(numbers, BIG_COUNT));
	assert_read_as("10000");
	assert_true(postgres_get_bigint_array(&result, 0, 0, &arena, &found_numbers, &count));
	assert_int_equal(BIG_COUNT, count);
	assert_memory_equal(numbers, found_numbers, sizeof numbers);
	echo(&echo_texts, postgres_text_array(texts, BIG_COUNT));
	assert_true(postgres_get_text_array(&result, 0, 0, &arena, &found_texts, &count));
	assert_int_equal(BIG_COUNT, count);
	for (size_t i = 0; i < count; i++)
		assert_true(slice_equal(texts[i], found_texts[i]));
}

static void full_arena_is_reported(void **state)
{
	(void)state;
	const int64_t numbers[64] = {0};
	struct arena small;
	int64_t *found;
	size_t count;
	arena_init(&small, 64);
	echo(&echo_bigints, postgres_bigint_array(numbers, 64));
	assert_false(postgres_get_bigint_array(&result, 0, 0, &small, &found, &count));
	arena_release(&small);
}

/* Each is refused here, with the class of data, and the connection goes on. */
static void assert_refused(const struct postgres_statement *statement,
	struct postgres_parameter parameter, const char *sqlstate)
{
	assert_status(pg, STATUS_REFUSED,
		postgres_execute(pg, statement, POSTGRES_PARAMETERS(parameter), &result));
	assert_int_equal(POSTGRES_DATA, postgres_error(pg)->class);
	assert_string_equal(sqlstate, postgres_error(pg)->sqlstate);
	assert_int_equal(0, result.row_count);
	assert_int_equal(1, test_number(pg, "one", "select 1::bigint"));
}

static void bad_text_is_refused(void **state)
{
	(void)state;
	const struct slice texts[] = {{"a\0b", 3}, {"\xff", 1}, {"\xc0\xaf", 2}, {"ab\xe2\x82", 4},
		{"\xed\xa0\x80", 3}, {"\xf4\x90\x80\x80", 4}, {"\x80", 1}};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		assert_refused(&echo_text, postgres_text(texts[i]), "22021");
		assert_refused(&echo_jsonb, postgres_jsonb(texts[i]), "22021");
		assert_refused(&echo_texts, postgres_text_array(&texts[i], 1), "22021");
	}
	assert_refused(&echo_jsonb, postgres_jsonb(slice_of("{\"a\":")), "22P02");
	assert_refused(&echo_jsonb, postgres_jsonb(slice_of("\"\\u0000\"")), "22P05");
}

static void bad_times_and_sizes_are_refused(void **state)
{
	(void)state;
	const int64_t times[] = {INT64_MAX, INT64_MIN, -210866803200001, 9224318016000000};
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
		assert_refused(&echo_timestamp, postgres_timestamp(times[i]), "22008");
	char *huge = calloc(1, POSTGRES_MESSAGE_SIZE_MAX + 1);
	assert_non_null(huge);
	assert_refused(&echo_bytes,
		postgres_bytes((struct slice){huge, POSTGRES_MESSAGE_SIZE_MAX + 1}), "54000");
	assert_refused(&echo_bytes, postgres_bytes((struct slice){huge, POSTGRES_MESSAGE_SIZE_MAX}),
		"54000");
	free(huge);
}

/* Whether the function ends the process by an assert. */
static bool aborts(void (*function)(void))
{
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)signal(SIGABRT, SIG_DFL);
		if (!freopen("/dev/null", "w", stderr))
			_exit(1);
		function();
		_exit(0);
	}
	assert_int_equal(child, waitpid(child, &status, 0));
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void read_wrong_type(void)
{
	(void)postgres_get_integer(&result, 0, 0);
}

static void read_wrong_row(void)
{
	(void)postgres_get_bigint(&result, 1, 0);
}

static void read_number_as_text(void)
{
	(void)postgres_get_text(&result, 0, 0);
}

static void wrong_types_are_bugs(void **state)
{
	(void)state;
	echo(&echo_bigint, postgres_bigint(7));
	assert_true(aborts(read_wrong_type));
	assert_true(aborts(read_wrong_row));
	assert_true(aborts(read_number_as_text));
	echo(&echo_integer, postgres_null());
	assert_true(aborts(read_wrong_type)); /* NULL is no integer. */
}

static int start_cluster(void **state)
{
	(void)state;
	return postgres_fixture_start(&fixture, "parameter") == STATUS_OK ? 0 : -1;
}

#define test(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(text_returns),
		test(absent_text_is_null),
		test(untyped_null_may_come_first),
		test(numbers_return),
		test(booleans_return),
		test(uuids_return),
		test(timestamps_return),
		test(microseconds_are_cut_downwards),
		test(json_returns),
		test(bytes_return),
		test(text_arrays_return),
		test(other_arrays_arrive),
		test(big_arrays_return),
		test(full_arena_is_reported),
		test(bad_text_is_refused),
		test(bad_times_and_sizes_are_refused),
		test(wrong_types_are_bugs),
	};
	return cmocka_run_group_tests(tests, start_cluster, test_stop_cluster);
}
