/* Scripts: by source once, by SHA1 from then on, and by source again when they were forgotten. */
#include "lib/redis/redis_test.h"

#include <stdio.h>

#include "lib/redis/testdata/fail.lua.h"
#include "lib/redis/testdata/take.lua.h"

static const struct redis_script take = {.name = "take", .source = lua_take};
static const struct redis_script fail_as = {.name = "fail", .source = lua_fail};
static const struct redis_script nonsense = {.name = "nonsense", .source = "this is no Lua"};
static const struct redis_script doze = {.name = "doze",
	.source = "while true do redis.call('GET', 'n') end",
	.effect = REDIS_READS};

static const struct redis_command script_flush = {"SCRIPT FLUSH", REDIS_WRITES};
static const struct redis_command info = {"INFO", REDIS_READS};

/* Run `take` for so many names, and check its answer, which begins with `first`. */
static void check_take(struct redis *from, int64_t first, size_t count)
{
	struct redis_argument arguments[16] = {redis_text("n")};
	struct redis_reply *reply;
	for (size_t i = 0; i < count; i++)
		arguments[i + 1] = redis_integer((int64_t)i * 100);
	assert_status(
		from, STATUS_OK, redis_evaluate(from, &take, 1, arguments, count + 1, &reply));
	assert_int_equal(count + 1, redis_get_count(reply));
	for (size_t i = 0; i < count; i++) {
		char name[24];
		const struct redis_reply *pair = redis_get_item(reply, i);
		(void)snprintf(name, sizeof name, "%zu", i * 100);
		assert_true(slice_is(redis_get_slice(redis_get_item(pair, 0)), name));
		assert_int_equal(first + (int64_t)i, redis_get_integer(redis_get_item(pair, 1)));
	}
	assert_true(slice_is(redis_get_slice(redis_get_item(reply, count)), "quoted \\ \"text\""));
	redis_reply_free(reply);
}

/* How often the server has run a command, as "INFO commandstats" counts. */
static int64_t call_count(const char *command)
{
	char prefix[64];
	struct redis_reply *reply;
	int64_t count = 0;
	(void)snprintf(prefix, sizeof prefix, "cmdstat_%s:calls=", command);
	assert_ok(redis_execute(redis, &info, REDIS_ARGUMENTS(redis_text("commandstats")), &reply));
	struct slice rest = redis_get_slice(reply), line;
	while (slice_split(&rest, '\n', &line)) {
		if (!slice_starts_with(line, prefix))
			continue;
		line.data += strlen(prefix);
		line.size = strcspn(line.data, ",");
		assert_true(slice_to_integer(line, 0, INT64_MAX, &count));
	}
	redis_reply_free(reply);
	return count;
}

static void source_is_sent_once(void **state)
{
	(void)state;
	int64_t evals = call_count("eval"), by_sha1 = call_count("evalsha");
	for (int i = 0; i < 5; i++)
		check_take(redis, 1 + 3 * i, 3);
	assert_int_equal(evals + 1, call_count("eval"));
	assert_int_equal(by_sha1 + 4, call_count("evalsha"));
}

static void forgotten_script_is_sent_again(void **state)
{
	(void)state;
	check_take(redis, 1, 2);
	assert_ok(redis_execute(redis, &script_flush, REDIS_NO_ARGUMENTS, NULL));
	int64_t evals = call_count("eval");
	check_take(redis, 3, 2);
	check_take(redis, 5, 2);
	assert_int_equal(evals + 1, call_count("eval"));
}

/* The same in the middle of a pipeline: its neighbours are applied once. */
static void forgotten_script_in_a_pipeline(void **state)
{
	(void)state;
	const struct redis_argument key = redis_text("n");
	const struct redis_request requests[] = {
		{.command = &increment, .arguments = &key, .argument_count = 1},
		{.script = &take, .key_count = 1, .arguments = &key, .argument_count = 1},
		{.script = &fail_as, .key_count = 1, .arguments = &key, .argument_count = 1},
		{.script = &take, .key_count = 1, .arguments = &key, .argument_count = 1},
		{.command = &increment, .arguments = &key, .argument_count = 1},
	};
	struct redis_reply *replies[5];
	for (int64_t round = 0; round < 3; round++) {
		assert_ok(redis_pipeline(redis, requests, 5, replies));
		assert_int_equal(1 + 2 * round, redis_get_integer(replies[0]));
		assert_int_equal(1, redis_get_count(replies[1]));
		assert_int_equal(STATUS_REFUSED, redis_reply_status(replies[2]));
		assert_int_equal(1, redis_get_count(replies[3]));
		assert_int_equal(2 + 2 * round, redis_get_integer(replies[4]));
		for (size_t i = 0; i < 5; i++)
			redis_reply_free(replies[i]);
		if (round == 1)
			assert_ok(redis_execute(redis, &script_flush, REDIS_NO_ARGUMENTS, NULL));
	}
	assert_int_equal(6, test_number(redis, "n"));
}

static void new_connection_is_sent_the_source(void **state)
{
	(void)state;
	check_take(redis, 1, 1);
	assert_int_equal(STATUS_OK, redis_fixture_empty(&fixture));
	check_take(redis, 1, 1);
	check_take(redis, 2, 1);
}

static enum status run_fail(const char *code, const char *written)
{
	struct redis_argument arguments[] = {
		redis_text("n"), redis_text(code), redis_text(written != NULL ? written : "")};
	return redis_evaluate(redis, &fail_as, 1, arguments, written != NULL ? 3 : 2, NULL);
}

static void errors_of_scripts_are_refusals(void **state)
{
	(void)state;
	assert_status(redis, STATUS_REFUSED,
		redis_evaluate(redis, &nonsense, 0, REDIS_NO_ARGUMENTS, NULL));
	assert_int_equal(REDIS_BUG, redis_error(redis)->class);
	assert_status(redis, STATUS_REFUSED,
		redis_evaluate(redis, &nonsense, 0, REDIS_NO_ARGUMENTS, NULL));
	assert_int_equal(REDIS_BUG, redis_error(redis)->class);
	assert_status(redis, STATUS_REFUSED, run_fail("runtime", NULL));
	assert_int_equal(REDIS_BUG, redis_error(redis)->class);
	/* It names the line as the file counts. */
	assert_non_null(strstr(redis_error(redis)->message, ":7:"));
	assert_status(redis, STATUS_REFUSED, run_fail("CLOSED the room is closed", NULL));
	assert_int_equal(REDIS_DATA, redis_error(redis)->class);
	assert_true(redis_failed_with(redis, "CLOSED"));
	assert_int_equal(-1, test_number(redis, "n"));
	/* What the header warns of: a script that fails half-way keeps what it has written. */
	assert_status(redis, STATUS_REFUSED, run_fail("runtime", "written"));
	assert_int_equal(1, test_number(redis, "n"));
}

/* A script that does not end keeps all others waiting; they are told BUSY after a while, and it is
 * our deadline that ends the call. */
static void endless_script_makes_others_unavailable(void **state)
{
	(void)state;
	static const struct redis_command config_set = {"CONFIG SET", REDIS_WRITES};
	static const struct redis_command script_kill = {"SCRIPT KILL", REDIS_WRITES};
	struct redis *hasty = test_open_url(fixture.url, SHORT_MS);
	assert_ok(redis_execute(redis, &config_set,
		REDIS_ARGUMENTS(redis_text("busy-reply-threshold"), redis_integer(1)), NULL));
	assert_int_equal(STATUS_OK, redis_connect(hasty, NULL));
	assert_status(hasty, STATUS_UNAVAILABLE,
		redis_evaluate(hasty, &doze, 0, REDIS_NO_ARGUMENTS, NULL));
	assert_int_equal(REDIS_CONNECTION, redis_error(hasty)->class);
	int64_t end_ms = test_now_ms() + PATIENCE_MS;
	while (test_increment(redis, "n") == STATUS_OK)
		assert_true(test_now_ms() < end_ms);
	assert_int_equal(REDIS_BUSY, redis_error(redis)->class);
	assert_string_equal("BUSY", redis_error(redis)->code);
	assert_ok(redis_execute(redis, &script_kill, REDIS_NO_ARGUMENTS, NULL));
	while (test_increment(redis, "n") != STATUS_OK)
		assert_true(test_now_ms() < end_ms + PATIENCE_MS);
	redis_close(hasty);
}

static int start_server(void **state)
{
	(void)state;
	return redis_fixture_start(&fixture, "redis-script") == STATUS_OK ? 0 : -1;
}

#define test(function_) cmocka_unit_test_setup_teardown(function_, test_connect, test_disconnect)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(source_is_sent_once),
		test(forgotten_script_is_sent_again),
		test(forgotten_script_in_a_pipeline),
		test(new_connection_is_sent_the_source),
		test(errors_of_scripts_are_refusals),
		test(endless_script_makes_others_unavailable),
	};
	return cmocka_run_group_tests(tests, start_server, test_stop_server);
}
