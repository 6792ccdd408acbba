/* Error replies, class by class, and replies that are none: what a server could say. */
#include "lib/redis/redis_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/redis/redis_peer_fixture.h"

enum { PATIENCE_MS = 30000 };

static const struct redis_command write_command = {"SET", REDIS_WRITES};
static const struct redis_command read_command = {"GET", REDIS_READS};
static const char *const welcome[] = {REDIS_PEER_WELCOME, NULL};

static struct redis *open_peer(const struct redis_peer *peer)
{
	struct redis *redis = redis_open(&(struct redis_options){
		.url = peer->url, .connect_ms_max = PATIENCE_MS, .call_ms_max = PATIENCE_MS});
	assert_non_null(redis);
	return redis;
}

static void codes_have_their_classes(void **state)
{
	(void)state;
	const struct {
		const char *reply, *code;
		enum redis_class class;
		enum status status;
	} cases[] = {
		{"-LOADING Redis is loading the dataset in memory\r\n", "LOADING", REDIS_BUSY,
			STATUS_UNAVAILABLE},
		{"-BUSY Redis is busy running a script.\r\n", "BUSY", REDIS_BUSY,
			STATUS_UNAVAILABLE},
		{"-MASTERDOWN Link with MASTER is down\r\n", "MASTERDOWN", REDIS_BUSY,
			STATUS_UNAVAILABLE},
		{"-CLUSTERDOWN The cluster is down\r\n", "CLUSTERDOWN", REDIS_BUSY,
			STATUS_UNAVAILABLE},
		{"-TRYAGAIN Multiple keys request during rehashing of slot\r\n", "TRYAGAIN",
			REDIS_BUSY, STATUS_UNAVAILABLE},
		{"-MISCONF Errors writing to the AOF file\r\n", "MISCONF", REDIS_BUSY,
			STATUS_UNAVAILABLE},
		{"-OOM command not allowed when used memory > 'maxmemory'.\r\n", "OOM", REDIS_BUSY,
			STATUS_UNAVAILABLE},
		{"-NOREPLICAS Not enough good replicas to write.\r\n", "NOREPLICAS", REDIS_BUSY,
			STATUS_UNAVAILABLE},
		{"-READONLY You can't write against a read only replica.\r\n", "READONLY",
			REDIS_BUSY, STATUS_UNAVAILABLE},
		{"-MOVED 3999 127.0.0.1:6381\r\n", "MOVED", REDIS_ELSEWHERE, STATUS_UNAVAILABLE},
		{"-ASK 3999 127.0.0.1:6381\r\n", "ASK", REDIS_ELSEWHERE, STATUS_UNAVAILABLE},
		{"-NOAUTH Authentication required.\r\n", "NOAUTH", REDIS_DENIED, STATUS_REFUSED},
		{"-NOPERM this user has no permissions\r\n", "NOPERM", REDIS_DENIED,
			STATUS_REFUSED},
		{"-ERR syntax error\r\n", "ERR", REDIS_BUG, STATUS_REFUSED},
		{"-WRONGTYPE Operation against a key\r\n", "WRONGTYPE", REDIS_BUG, STATUS_REFUSED},
		{"-CROSSSLOT Keys in request don't hash to the same slot\r\n", "CROSSSLOT",
			REDIS_BUG, STATUS_REFUSED},
		{"-BUSYGROUP Consumer Group name already exists\r\n", "BUSYGROUP", REDIS_DATA,
			STATUS_REFUSED},
		{"-OURS\r\n", "OURS", REDIS_DATA, STATUS_REFUSED},
		{"-LOADINGS are something else\r\n", "LOADINGS", REDIS_DATA, STATUS_REFUSED},
		{"-\r\n", "", REDIS_DATA, STATUS_REFUSED},
		{"-AVERYLONGCODETHATISCUTATTHIRTYONEBYTESINALL x\r\n",
			"AVERYLONGCODETHATISCUTATTHIRTYO", REDIS_DATA, STATUS_REFUSED},
	};
	enum { COUNT = sizeof cases / sizeof cases[0] };
	const char *answers[COUNT + 1] = {NULL};
	for (size_t i = 0; i < COUNT; i++)
		answers[i] = cases[i].reply;
	struct redis_peer peer = {.greetings = welcome, .answers = answers};
	redis_peer_start(&peer);
	struct redis *redis = open_peer(&peer);
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(cases[i].status,
			redis_execute(redis, &write_command, REDIS_NO_ARGUMENTS, NULL));
		assert_int_equal(cases[i].class, redis_error(redis)->class);
		assert_string_equal(cases[i].code, redis_error(redis)->code);
		assert_true(redis_failed_with(redis, cases[i].code));
	}
	redis_close(redis);
	redis_peer_stop(&peer);
}

/* After none of these can the connection be used, and nothing is known of the write. */
static void malformed_replies_lose_the_connection(void **state)
{
	(void)state;
	const char *const answers[] = {
		"HTTP/1.1 400 Bad Request\r\n\r\n",
		"?\r\n",
		"\r\n\r\n",
		":12x\r\n",
		":\r\n",
		"$-2\r\n",
		"$99999999999999999999999999\r\n",
		"*-2\r\n",
		"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
		"",
		NULL,
	};
	enum { COUNT = sizeof answers / sizeof answers[0] - 1 };
	struct redis_peer peer = {.greetings = welcome, .answers = answers};
	redis_peer_start(&peer);
	struct redis *redis = open_peer(&peer);
	for (size_t i = 0; i < COUNT; i++) {
		struct redis_reply *reply;
		if (redis_execute(redis, &write_command, REDIS_NO_ARGUMENTS, &reply) !=
			STATUS_UNKNOWN)
			fail_msg("%s: %s", answers[i], redis_error(redis)->message);
		assert_null(reply);
		assert_int_equal(REDIS_CONNECTION, redis_error(redis)->class);
		assert_string_equal("", redis_error(redis)->code);
	}
	assert_int_equal(
		STATUS_UNAVAILABLE, redis_execute(redis, &read_command, REDIS_NO_ARGUMENTS, NULL));
	redis_close(redis);
	redis_peer_stop(&peer);
}

/* A reply that nobody has asked for is not taken for that of the next request, whether it comes
 * with the one before or cut in two. */
static void surplus_replies_lose_the_connection(void **state)
{
	(void)state;
	const char *const answers[] = {":1\r\n:666\r\n", ":2\r\n:6", ":3\r\n", NULL};
	struct redis_peer peer = {.greetings = welcome, .answers = answers};
	redis_peer_start(&peer);
	struct redis *redis = open_peer(&peer);
	for (int i = 1; i <= 3; i++) {
		struct redis_reply *reply;
		assert_int_equal(STATUS_OK,
			redis_execute(redis, &write_command, REDIS_NO_ARGUMENTS, &reply));
		assert_int_equal(i, redis_get_integer(reply));
		redis_reply_free(reply);
	}
	redis_close(redis);
	redis_peer_stop(&peer);
}

/* --- The greeting --- */

static enum status try_greetings(const char *const greetings[], int64_t connect_ms_max)
{
	const char *const answers[] = {":1\r\n", NULL};
	struct fault fault = {.what = ""};
	struct redis_peer peer = {.greetings = greetings, .answers = answers};
	redis_peer_start(&peer);
	struct redis *redis = redis_open(&(struct redis_options){
		.url = peer.url, .connect_ms_max = connect_ms_max, .call_ms_max = PATIENCE_MS});
	assert_non_null(redis);
	enum status status = redis_connect(redis, &fault);
	assert_int_equal(status == STATUS_OK, fault.what[0] == '\0');
	assert_int_equal(
		status == STATUS_OK ? REDIS_NO_ERROR : REDIS_CONNECTION, redis_error(redis)->class);
	if (status == STATUS_OK)
		assert_int_equal(
			STATUS_OK, redis_execute(redis, &write_command, REDIS_NO_ARGUMENTS, NULL));
	redis_close(redis);
	redis_peer_stop(&peer);
	return status;
}

static void loading_server_is_waited_for(void **state)
{
	(void)state;
	const char *const greetings[] = {
		"-ERR max number of clients reached\r\n",
		"+OK\r\n-LOADING Redis is loading the dataset in memory\r\n",
		"",
		"+OK\r\n-BUSY Redis is busy running a script.\r\n",
		"+OK\r\n-MASTERDOWN Link with MASTER is down\r\n",
		REDIS_PEER_WELCOME,
		NULL,
	};
	assert_int_equal(STATUS_OK, try_greetings(greetings, PATIENCE_MS));
}

static void client_without_a_name_is_let_in(void **state)
{
	(void)state;
	const char *const greetings[] = {"-NOPERM no client command for you\r\n+PONG\r\n", NULL};
	assert_int_equal(STATUS_OK, try_greetings(greetings, PATIENCE_MS));
}

static void unwelcome_client_is_refused_at_once(void **state)
{
	(void)state;
	const char *const cases[] = {
		"-NOAUTH Authentication required.\r\n-NOAUTH Authentication required.\r\n",
		"-DENIED Redis is running in protected mode\r\n-ERR\r\n",
		"+OK\r\n-NOPERM no ping for you\r\n",
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *const greetings[] = {cases[i], NULL};
		assert_int_equal(STATUS_REFUSED, try_greetings(greetings, PATIENCE_MS));
	}
}

static void strange_server_is_unavailable(void **state)
{
	(void)state;
	const char *const cases[] = {"SSH-2.0-OpenSSH_9.2\r\n", "220 mail ESMTP\r\n", "",
		"+OK\r\n+HELLO\r\n", "+OK\r\n:1\r\n",
		"*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$6\r\nonsale\r\n*1\r\n$4\r\nPING\r\n"};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *const greetings[] = {cases[i], NULL};
		assert_int_equal(STATUS_UNAVAILABLE, try_greetings(greetings, 100));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_have_their_classes),
		cmocka_unit_test(malformed_replies_lose_the_connection),
		cmocka_unit_test(surplus_replies_lose_the_connection),
		cmocka_unit_test(loading_server_is_waited_for),
		cmocka_unit_test(client_without_a_name_is_let_in),
		cmocka_unit_test(unwelcome_client_is_refused_at_once),
		cmocka_unit_test(strange_server_is_unavailable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
