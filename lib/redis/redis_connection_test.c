/* Connections that cannot be made, are lost, or keep silent; and the way back. */
#include "lib/redis/redis_test.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/testkit/fault_proxy.h"
#include "lib/testkit/process.h"

enum { URL_SIZE = 400, LOOK_MS = 5 };

static const struct redis_command info = {"INFO", REDIS_READS};
static const struct redis_command pop = {"BLPOP", REDIS_WRITES};

static struct fault_proxy *proxy;
static struct redis *through; /* By the proxy. */

static int setup(void **state)
{
	(void)test_connect(state);
	proxy = fault_proxy_open(fixture.url);
	assert_non_null(proxy);
	through = test_open_url(fault_proxy_url(proxy), PATIENCE_MS);
	assert_status(through, STATUS_OK, redis_connect(through, NULL));
	return 0;
}

static int teardown(void **state)
{
	redis_close(through);
	fault_proxy_close(proxy);
	return test_disconnect(state);
}

/* A connection by the proxy whose calls are short. */
static struct redis *open_hasty(void)
{
	struct redis *hasty = test_open_url(fault_proxy_url(proxy), SHORT_MS);
	assert_status(hasty, STATUS_OK, redis_connect(hasty, NULL));
	return hasty;
}

static void wait_number(const char *key, int64_t number)
{
	for (int64_t end_ms = test_now_ms() + PATIENCE_MS; test_number(redis, key) != number;
		(void)poll(NULL, 0, LOOK_MS))
		assert_true(test_now_ms() < end_ms);
}

/* --- Connecting --- */

/* Try a URL; the fault must not tell the password. */
static enum status try_url(const char *url, int64_t ms_max)
{
	struct fault fault = {.what = ""};
	struct redis *tried = redis_open(&(struct redis_options){
		.url = url, .connect_ms_max = ms_max, .call_ms_max = ms_max});
	assert_non_null(tried);
	enum status status = redis_connect(tried, &fault);
	assert_int_equal(status == STATUS_OK, fault.what[0] == '\0');
	assert_null(strstr(fault.what, "sesame"));
	assert_status(tried, status == STATUS_OK ? STATUS_OK : STATUS_UNAVAILABLE,
		test_increment(tried, "tried"));
	redis_close(tried);
	return status;
}

/* Replace what stands before the address in the fixture's URL, and after it. */
static const char *make_url(char url[URL_SIZE], const char *before, const char *after)
{
	const char *at = strchr(fixture.url, '@');
	assert_non_null(at);
	(void)snprintf(url, URL_SIZE, "redis://%s%.*s%s", before, (int)strcspn(at, "/"), at, after);
	return url;
}

static void what_cannot_work_is_refused_at_once(void **state)
{
	(void)state;
	char url[URL_SIZE], own[URL_SIZE];
	(void)snprintf(own, sizeof own, "%.*s", (int)(strchr(fixture.url, '@') - fixture.url),
		fixture.url);
	const char *login = own + strlen("redis://");
	assert_int_equal(STATUS_OK, try_url(make_url(url, login, ""), PATIENCE_MS));
	assert_int_equal(STATUS_OK, try_url(make_url(url, login, "/15"), PATIENCE_MS));
	assert_int_equal(STATUS_OK, try_url(make_url(url, strchr(login, ':'), "/0"), PATIENCE_MS));
	/* With another password, user, or none, and with a database that is not there. */
	assert_int_equal(STATUS_REFUSED, try_url(make_url(url, ":sesame", "/0"), PATIENCE_MS));
	assert_int_equal(STATUS_REFUSED, try_url(make_url(url, "ali:sesame", "/0"), PATIENCE_MS));
	assert_int_equal(STATUS_REFUSED, try_url(make_url(url, ":", "/0"), PATIENCE_MS));
	assert_int_equal(STATUS_REFUSED, try_url(make_url(url, login, "/16"), PATIENCE_MS));
	assert_int_equal(STATUS_REFUSED, try_url("redis://:sesame@[::1", PATIENCE_MS));
	assert_int_equal(STATUS_REFUSED, try_url("sesame", PATIENCE_MS));
}

static void databases_are_apart(void **state)
{
	(void)state;
	char url[URL_SIZE];
	const char *by_proxy = fault_proxy_url(proxy);
	(void)snprintf(
		url, sizeof url, "%.*s/3", (int)(strrchr(by_proxy, '/') - by_proxy), by_proxy);
	struct redis *third = test_open_url(url, PATIENCE_MS);
	assert_status(third, STATUS_OK, test_increment(third, "n"));
	assert_int_equal(-1, test_number(redis, "n"));
	/* It is chosen again on a new connection. */
	fault_proxy_cut(proxy);
	assert_int_equal(1, test_number(third, "n"));
	redis_close(third);
}

static void nobody_there_ends_at_the_deadline(void **state)
{
	(void)state;
	char url[URL_SIZE];
	int64_t start_ms = test_now_ms();
	(void)snprintf(url, sizeof url, "redis://:sesame@127.0.0.1:%u", process_free_port());
	assert_int_equal(STATUS_UNAVAILABLE, try_url(url, SHORT_MS));
	assert_true(test_now_ms() - start_ms >= 2 * SHORT_MS); /* Connecting, then the call. */
}

static void silent_server_ends_at_the_deadline(void **state)
{
	(void)state;
	int64_t start_ms = test_now_ms();
	fault_proxy_stall(proxy);
	assert_int_equal(STATUS_UNAVAILABLE, try_url(fault_proxy_url(proxy), SHORT_MS));
	assert_true(test_now_ms() - start_ms >= 2 * SHORT_MS);
}

static void host_name_that_is_none_is_unavailable(void **state)
{
	(void)state;
	assert_int_equal(STATUS_UNAVAILABLE, try_url("redis://:sesame@a..b", SHORT_MS));
}

/* --- Silence --- */

static void deadline_ends_a_call(void **state)
{
	(void)state;
	struct redis *hasty = open_hasty();
	int64_t start_ms = test_now_ms();
	fault_proxy_stall(proxy);
	assert_status(hasty, STATUS_UNKNOWN, test_increment(hasty, "n"));
	assert_int_equal(REDIS_CONNECTION, redis_error(hasty)->class);
	assert_true(test_now_ms() - start_ms >= SHORT_MS);
	fault_proxy_cut(proxy);
	fault_proxy_pass(proxy);
	assert_int_equal(-1, test_number(redis, "n"));
	assert_status(through, STATUS_OK, test_increment(through, "n"));
	assert_int_equal(1, test_number(redis, "n"));
	redis_close(hasty);
}

static void deadline_of_a_read_is_unavailable(void **state)
{
	(void)state;
	struct redis *hasty = open_hasty();
	fault_proxy_stall(proxy);
	assert_status(hasty, STATUS_UNAVAILABLE,
		redis_execute(hasty, &get, REDIS_ARGUMENTS(redis_text("n")), NULL));
	redis_close(hasty);
}

/* What UNKNOWN warns of: a request that was given up is applied when the silence ends. */
static void request_given_up_may_be_applied_later(void **state)
{
	(void)state;
	struct redis *hasty = open_hasty();
	fault_proxy_stall(proxy);
	assert_status(hasty, STATUS_UNKNOWN, test_increment(hasty, "n"));
	assert_int_equal(-1, test_number(redis, "n"));
	fault_proxy_pass(proxy);
	wait_number("n", 1);
	redis_close(hasty);
}

/* More than sockets take while nobody reads: it has not left us whole, so it cannot be applied. */
static void request_that_was_not_sent_whole_is_unavailable(void **state)
{
	(void)state;
	enum { SIZE = 48 << 20 };
	struct slice large = {.data = calloc(1, SIZE), .size = SIZE};
	struct redis *hasty = open_hasty();
	assert_non_null(large.data);
	fault_proxy_stall(proxy);
	assert_status(hasty, STATUS_UNAVAILABLE,
		redis_execute(
			hasty, &set, REDIS_ARGUMENTS(redis_text("n"), redis_slice(large)), NULL));
	fault_proxy_pass(proxy);
	assert_status(through, STATUS_OK, test_increment(through, "n"));
	/* Behind a write that has left us, it is another matter. */
	const struct redis_argument key = redis_text("n");
	const struct redis_argument pair[] = {redis_text("m"), redis_slice(large)};
	const struct redis_request requests[] = {
		{.command = &increment, .arguments = &key, .argument_count = 1},
		{.command = &set, .arguments = pair, .argument_count = 2},
	};
	struct redis_reply *replies[2];
	redis_close(hasty);
	hasty = open_hasty();
	fault_proxy_stall(proxy);
	assert_status(hasty, STATUS_UNKNOWN, redis_pipeline(hasty, requests, 2, replies));
	assert_null(replies[0]);
	fault_proxy_pass(proxy);
	wait_number("n", 2);
	assert_int_equal(-1, test_number(redis, "m"));
	redis_close(hasty);
	free((char *)large.data);
}

static void slow_replies_are_waited_for(void **state)
{
	(void)state;
	int64_t start_ms = test_now_ms();
	fault_proxy_delay(proxy, SHORT_MS);
	assert_status(through, STATUS_OK, test_increment(through, "n"));
	assert_true(test_now_ms() - start_ms >= SHORT_MS);
}

/* --- Haste --- */

/* Call until it succeeds; meanwhile nothing may be applied. */
static void increment_soon(struct redis *hasty)
{
	enum status status;
	for (int64_t end_ms = test_now_ms() + PATIENCE_MS;
		(status = test_increment(hasty, "n")) == STATUS_UNAVAILABLE &&
		test_now_ms() < end_ms;)
		(void)poll(NULL, 0, LOOK_MS);
	assert_status(hasty, STATUS_OK, status);
}

/* A server that takes connections and says nothing. Each call could wait for it for an hour, so
 * that this ends at all is because no attempt takes longer than it may. */
static void server_that_hangs_takes_a_tenth_of_the_time(void **state)
{
	enum { ATTEMPT_MS = 100, ATTEMPTS = 4, SHARE = 10, ROUNDING_MS = 2 };
	(void)state;
	struct redis *hasty = redis_open(&(struct redis_options){.url = fault_proxy_url(proxy),
		.connect_ms_max = REDIS_MS_MAX,
		.call_ms_max = REDIS_MS_MAX,
		.fail_fast = true,
		.attempt_ms_max = ATTEMPT_MS});
	assert_non_null(hasty);
	increment_soon(hasty);
	fault_proxy_stall(proxy);
	fault_proxy_cut(proxy);
	int64_t before = fault_proxy_connection_count(proxy), start_ms = test_now_ms();
	for (int64_t attempts = 1; attempts <= ATTEMPTS;) {
		int64_t end_ms = start_ms + attempts * PATIENCE_MS;
		assert_status(hasty, STATUS_UNAVAILABLE, test_increment(hasty, "n"));
		assert_true(test_now_ms() < end_ms);
		if (fault_proxy_connection_count(proxy) - before < attempts) {
			(void)poll(NULL, 0, 1);
			continue;
		}
		/* On a slow machine they are only further apart. */
		assert_true(test_now_ms() - start_ms >=
			(attempts - 1) * (SHARE * ATTEMPT_MS - ROUNDING_MS));
		attempts++;
	}
	fault_proxy_pass(proxy);
	increment_soon(hasty);
	assert_int_equal(2, test_number(redis, "n"));
	redis_close(hasty);
}

/* --- Loss --- */

static void lost_reply_is_unknown(void **state)
{
	(void)state;
	fault_proxy_lose_reply(proxy, slice_of("INCR"));
	assert_status(through, STATUS_UNKNOWN, test_increment(through, "n"));
	assert_int_equal(REDIS_CONNECTION, redis_error(through)->class);
	assert_true(fault_proxy_wait_lost(proxy, 1, PATIENCE_MS));
	assert_int_equal(1, test_number(redis, "n"));
	assert_status(through, STATUS_OK, test_increment(through, "n"));
	assert_int_equal(2, test_number(redis, "n"));
	fault_proxy_lose_next_reply(proxy);
	assert_status(through, STATUS_UNAVAILABLE,
		redis_execute(through, &get, REDIS_ARGUMENTS(redis_text("n")), NULL));
}

static void lost_request_is_unknown(void **state)
{
	(void)state;
	fault_proxy_lose_request(proxy, slice_of("INCR"));
	assert_status(through, STATUS_UNKNOWN, test_increment(through, "n"));
	assert_int_equal(1, fault_proxy_lost_count(proxy));
	assert_int_equal(-1, test_number(redis, "n"));
}

static void idle_loss_is_not_noticed_by_callers(void **state)
{
	(void)state;
	assert_status(through, STATUS_OK, test_increment(through, "n"));
	fault_proxy_cut(proxy);
	assert_status(through, STATUS_OK, test_increment(through, "n"));
	assert_int_equal(STATUS_OK, redis_fixture_kill(&fixture));
	assert_int_equal(STATUS_OK, redis_fixture_start_again(&fixture));
	assert_int_equal(2, test_number(redis, "n"));
	assert_int_equal(STATUS_OK, redis_fixture_empty(&fixture));
	assert_int_equal(-1, test_number(redis, "n"));
}

static void server_that_is_down_comes_back(void **state)
{
	(void)state;
	struct redis *hasty = open_hasty();
	assert_ok(test_increment(redis, "n"));
	fault_proxy_refuse(proxy);
	fault_proxy_cut(proxy);
	for (int i = 0; i < 2; i++)
		assert_status(hasty, STATUS_UNAVAILABLE, test_increment(hasty, "n"));
	fault_proxy_pass(proxy);
	assert_status(hasty, STATUS_OK, redis_connect(hasty, NULL));
	redis_close(hasty);
	assert_int_equal(1, test_number(redis, "n"));
}

/* A call that waits for its server to come back is answered when it does. */
static void *start_server_again(void *context)
{
	enum status *status = context;
	(void)poll(NULL, 0, SHORT_MS);
	*status = redis_fixture_start_again(&fixture);
	return NULL;
}

static void call_waits_for_the_server(void **state)
{
	(void)state;
	pthread_t thread;
	enum status started = STATUS_UNKNOWN;
	assert_ok(test_increment(redis, "n"));
	assert_int_equal(STATUS_OK, redis_fixture_halt(&fixture));
	assert_int_equal(0, pthread_create(&thread, NULL, start_server_again, &started));
	enum status status = test_increment(redis, "n");
	assert_int_equal(0, pthread_join(thread, NULL));
	assert_int_equal(STATUS_OK, started);
	assert_ok(status);
	assert_int_equal(2, test_number(redis, "n"));
}

static void *pop_slowly(void *context)
{
	enum status *status = context;
	*status = redis_execute(
		through, &pop, REDIS_ARGUMENTS(redis_text("list"), redis_integer(60)), NULL);
	return NULL;
}

static bool somebody_is_blocked(void)
{
	struct redis_reply *reply;
	assert_ok(redis_execute(redis, &info, REDIS_ARGUMENTS(redis_text("clients")), &reply));
	bool blocked = strstr(redis_get_slice(reply).data, "blocked_clients:1") != NULL;
	redis_reply_free(reply);
	return blocked;
}

static void server_is_killed_during_a_call(void **state)
{
	(void)state;
	pthread_t thread;
	enum status status = STATUS_OK;
	int64_t end_ms = test_now_ms() + PATIENCE_MS;
	assert_int_equal(0, pthread_create(&thread, NULL, pop_slowly, &status));
	for (; !somebody_is_blocked(); (void)poll(NULL, 0, LOOK_MS))
		assert_true(test_now_ms() < end_ms);
	assert_int_equal(STATUS_OK, redis_fixture_kill(&fixture));
	assert_int_equal(0, pthread_join(thread, NULL));
	assert_status(through, STATUS_UNKNOWN, status);
}

static int start_server(void **state)
{
	(void)state;
	return redis_fixture_start(&fixture, "redis-connection") == STATUS_OK ? 0 : -1;
}

#define test(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(what_cannot_work_is_refused_at_once), test(databases_are_apart),
		test(nobody_there_ends_at_the_deadline), test(silent_server_ends_at_the_deadline),
		test(host_name_that_is_none_is_unavailable), test(deadline_ends_a_call),
		test(deadline_of_a_read_is_unavailable),
		test(request_given_up_may_be_applied_later),
		test(request_that_was_not_sent_whole_is_unavailable),
		test(slow_replies_are_waited_for),
		test(server_that_hangs_takes_a_tenth_of_the_time), test(lost_reply_is_unknown),
		test(lost_request_is_unknown), test(idle_loss_is_not_noticed_by_callers),
		test(server_that_is_down_comes_back), test(call_waits_for_the_server),
		test(server_is_killed_during_a_call), /* And stays so: it is the last. */
	};
	return cmocka_run_group_tests(tests, start_server, test_stop_server);
}
