/* Commands, pipelines and replies, against a server. */
#include "lib/redis/redis_test.h"

#include <stdlib.h>

#include "lib/testkit/random.h"

static const struct redis_command ping = {"PING", REDIS_READS};
static const struct redis_command echo = {"ECHO", REDIS_READS};
static const struct redis_command push = {"RPUSH", REDIS_WRITES};
static const struct redis_command range = {"LRANGE", REDIS_READS};
static const struct redis_command group_create = {"XGROUP CREATE", REDIS_WRITES};
static const struct redis_command client_name = {"CLIENT GETNAME", REDIS_READS};
static const struct redis_command no_such = {"NOSUCH", REDIS_WRITES};

static void replies_have_their_kinds(void **state)
{
	(void)state;
	struct redis_reply *reply;
	assert_ok(redis_execute(redis, &ping, REDIS_NO_ARGUMENTS, &reply));
	assert_int_equal(REDIS_TEXT, redis_reply_kind(reply));
	assert_true(slice_is(redis_get_slice(reply), "PONG"));
	redis_reply_free(reply);
	assert_ok(redis_execute(redis, &push,
		REDIS_ARGUMENTS(redis_text("list"), redis_text("a"), redis_integer(INT64_MIN),
			redis_integer(INT64_MAX), redis_integer(0)),
		&reply));
	assert_int_equal(REDIS_INTEGER, redis_reply_kind(reply));
	assert_int_equal(4, redis_get_integer(reply));
	redis_reply_free(reply);
	assert_ok(redis_execute(redis, &range,
		REDIS_ARGUMENTS(redis_text("list"), redis_integer(0), redis_integer(-1)), &reply));
	assert_int_equal(REDIS_ARRAY, redis_reply_kind(reply));
	assert_int_equal(4, redis_get_count(reply));
	const char *const items[] = {"a", "-9223372036854775808", "9223372036854775807", "0"};
	for (size_t i = 0; i < 4; i++)
		assert_true(slice_is(redis_get_slice(redis_get_item(reply, i)), items[i]));
	redis_reply_free(reply);
	assert_ok(redis_execute(redis, &get, REDIS_ARGUMENTS(redis_text("none")), &reply));
	assert_int_equal(REDIS_NIL, redis_reply_kind(reply));
	assert_null(redis_get_slice(reply).data);
	assert_int_equal(0, redis_get_count(reply));
	redis_reply_free(reply);
	redis_reply_free(NULL);
}

static void names_of_several_words(void **state)
{
	(void)state;
	struct redis_reply *reply;
	assert_ok(redis_execute(redis, &client_name, REDIS_NO_ARGUMENTS, &reply));
	assert_true(slice_is(redis_get_slice(reply), "test"));
	redis_reply_free(reply);
}

static void any_bytes_come_back(void **state)
{
	(void)state;
	enum { SIZE = 300000 };
	struct random random;
	struct redis_reply *reply;
	char *bytes = malloc(SIZE);
	assert_non_null(bytes);
	random_init(&random, random_seed());
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (char)random_next(&random);
	const size_t sizes[] = {0, 1, 2, 255, 4096, 65535, 65536, SIZE};
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct slice sent = {.data = bytes, .size = sizes[i]};
		assert_ok(redis_execute(redis, &echo, REDIS_ARGUMENTS(redis_slice(sent)), &reply));
		assert_true(slice_equal(sent, redis_get_slice(reply)));
		assert_int_equal(0, redis_get_slice(reply).data[sizes[i]]);
		redis_reply_free(reply);
	}
	struct slice forged = slice_of("x\r\n*1\r\n$8\r\nFLUSHALL\r\n");
	assert_ok(test_increment(redis, "n"));
	assert_ok(redis_execute(redis, &echo, REDIS_ARGUMENTS(redis_slice(forged)), NULL));
	assert_int_equal(1, test_number(redis, "n"));
	free(bytes);
}

static void errors_have_a_code_and_apply_nothing(void **state)
{
	(void)state;
	struct redis_reply *reply = (struct redis_reply *)&reply;
	assert_ok(redis_execute(
		redis, &push, REDIS_ARGUMENTS(redis_text("list"), redis_text("a")), NULL));
	assert_status(redis, STATUS_REFUSED,
		redis_execute(redis, &increment, REDIS_ARGUMENTS(redis_text("list")), &reply));
	assert_null(reply);
	assert_int_equal(REDIS_BUG, redis_error(redis)->class);
	assert_string_equal("WRONGTYPE", redis_error(redis)->code);
	assert_status(redis, STATUS_REFUSED,
		redis_execute(redis, &no_such, REDIS_ARGUMENTS(redis_text("x")), NULL));
	assert_string_equal("ERR", redis_error(redis)->code);
	const struct redis_argument group[] = {
		redis_text("s"), redis_text("g"), redis_text("$"), redis_text("MKSTREAM")};
	assert_ok(redis_execute(redis, &group_create, group, 4, NULL));
	assert_int_equal(REDIS_NO_ERROR, redis_error(redis)->class);
	assert_false(redis_failed_with(redis, "BUSYGROUP"));
	assert_status(redis, STATUS_REFUSED, redis_execute(redis, &group_create, group, 4, NULL));
	assert_int_equal(REDIS_DATA, redis_error(redis)->class);
	assert_true(redis_failed_with(redis, "BUSYGROUP"));
	/* It was the command's fault: the connection is still good. */
	assert_ok(test_increment(redis, "n"));
	assert_int_equal(1, test_number(redis, "n"));
}

/* As when its disk is full: nothing is thrown out, writes are refused, reads go on. */
static void full_memory_is_unavailable(void **state)
{
	(void)state;
	static const struct redis_command config_set = {"CONFIG SET", REDIS_WRITES};
	assert_ok(test_increment(redis, "n"));
	assert_ok(redis_execute(redis, &config_set,
		REDIS_ARGUMENTS(redis_text("maxmemory"), redis_integer(1)), NULL));
	enum status status = test_increment(redis, "n");
	struct redis_error error = *redis_error(redis);
	int64_t number = test_number(redis, "n");
	assert_ok(redis_execute(redis, &config_set,
		REDIS_ARGUMENTS(redis_text("maxmemory"), redis_integer(0)), NULL));
	assert_int_equal(STATUS_UNAVAILABLE, status);
	assert_int_equal(REDIS_BUSY, error.class);
	assert_string_equal("OOM", error.code);
	assert_int_equal(1, number);
}

/* --- Pipelines --- */

static void pipeline_answers_each_in_order(void **state)
{
	(void)state;
	enum { COUNT = REDIS_REQUESTS_MAX };
	static struct redis_argument arguments[COUNT][2];
	static struct redis_request requests[COUNT];
	static struct redis_reply *replies[COUNT];
	for (size_t i = 0; i < COUNT; i++) {
		arguments[i][0] = redis_text("n");
		arguments[i][1] = redis_text("surplus"); /* INCR has one argument. */
		requests[i] = (struct redis_request){.command = &increment,
			.arguments = arguments[i],
			.argument_count = i % 10 == 9 ? 2 : 1};
	}
	assert_ok(redis_pipeline(redis, requests, COUNT, replies));
	int64_t expected = 0;
	for (size_t i = 0; i < COUNT; i++) {
		if (i % 10 == 9) {
			assert_int_equal(REDIS_ERROR, redis_reply_kind(replies[i]));
			assert_int_equal(STATUS_REFUSED, redis_reply_status(replies[i]));
			assert_true(slice_starts_with(redis_get_slice(replies[i]), "ERR "));
		} else {
			assert_int_equal(STATUS_OK, redis_reply_status(replies[i]));
			assert_int_equal(++expected, redis_get_integer(replies[i]));
		}
		redis_reply_free(replies[i]);
	}
	assert_int_equal(expected, test_number(redis, "n"));
}

/* Much more than sockets hold, in both directions at once: who wrote all before reading would wait
 * for ever. */
static void pipeline_larger_than_any_buffer(void **state)
{
	(void)state;
	enum { COUNT = 48, SIZE = 1 << 20 };
	struct redis_request requests[COUNT];
	struct redis_argument arguments[COUNT];
	struct redis_reply *replies[COUNT];
	char *bytes = malloc(SIZE);
	assert_non_null(bytes);
	memset(bytes, 'x', SIZE);
	for (size_t i = 0; i < COUNT; i++) {
		arguments[i] = redis_slice((struct slice){.data = bytes, .size = SIZE - i});
		requests[i] = (struct redis_request){
			.command = &echo, .arguments = &arguments[i], .argument_count = 1};
	}
	assert_ok(redis_pipeline(redis, requests, COUNT, replies));
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(SIZE - i, redis_get_slice(replies[i]).size);
		redis_reply_free(replies[i]);
	}
	free(bytes);
}

/* --- Limits --- */

static void too_large_a_request_is_not_sent(void **state)
{
	(void)state;
	struct slice large = {
		.data = calloc(1, REDIS_REQUEST_SIZE_MAX), .size = REDIS_REQUEST_SIZE_MAX};
	assert_non_null(large.data);
	assert_status(redis, STATUS_REFUSED,
		redis_execute(
			redis, &set, REDIS_ARGUMENTS(redis_text("n"), redis_slice(large)), NULL));
	assert_int_equal(REDIS_BUG, redis_error(redis)->class);
	assert_string_equal("", redis_error(redis)->code);
	assert_int_equal(-1, test_number(redis, "n"));
	free((char *)large.data);
}

static void too_large_a_reply_is_lost(void **state)
{
	(void)state;
	static const struct redis_command append = {"GETSET", REDIS_WRITES};
	char bytes[10000];
	struct redis *narrow =
		redis_open(&(struct redis_options){.url = fixture.url, .reply_size_max = 8000});
	memset(bytes, '7', sizeof bytes);
	struct redis_argument large =
		redis_slice((struct slice){.data = bytes, .size = sizeof bytes});
	assert_status(narrow, STATUS_OK,
		redis_execute(narrow, &set, REDIS_ARGUMENTS(redis_text("n"), large), NULL));
	assert_status(narrow, STATUS_UNAVAILABLE,
		redis_execute(narrow, &get, REDIS_ARGUMENTS(redis_text("n")), NULL));
	assert_int_equal(REDIS_CONNECTION, redis_error(narrow)->class);
	assert_status(narrow, STATUS_UNKNOWN,
		redis_execute(
			narrow, &append, REDIS_ARGUMENTS(redis_text("n"), redis_text("1")), NULL));
	/* What came of the large reply is not taken for the next one. */
	assert_int_equal(1, test_number(narrow, "n"));
	redis_close(narrow);
}

static int start_server(void **state)
{
	(void)state;
	return redis_fixture_start(&fixture, "redis-call") == STATUS_OK ? 0 : -1;
}

#define test(function_) cmocka_unit_test_setup_teardown(function_, test_connect, test_disconnect)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(replies_have_their_kinds),
		test(names_of_several_words),
		test(any_bytes_come_back),
		test(errors_have_a_code_and_apply_nothing),
		test(full_memory_is_unavailable),
		test(pipeline_answers_each_in_order),
		test(pipeline_larger_than_any_buffer),
		test(too_large_a_request_is_not_sent),
		test(too_large_a_reply_is_lost),
	};
	return cmocka_run_group_tests(tests, start_server, test_stop_server);
}
