/* Whether a call that failed may have had its effect: a peer that ends the connection at each
 * stage, and what libcurl would repeat by itself. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/http/client_fixture.h"

enum { BODY_SIZE = 1 << 20 };

static char large[BODY_SIZE];

static void test_nobody_listens(void **state)
{
	(void)state;
	char url[64];
	fixture_serve(peer_serve_ok);
	snprintf(url, sizeof url, "http://127.0.0.1:%u/", fixture_closed_port());
	struct http_fetch fetch = post_root();
	fetch.url = url;
	const struct http_fetch_result *result =
		want(&fetch, HTTP_FETCH_NOT_SENT, HTTP_CAUSE_CONNECT);
	assert_int_equal(1, result->attempts);
	assert_int_equal(0, result->attempts_lost);
	assert_int_equal(0, result->status);
}

static void test_host_without_address(void **state)
{
	(void)state;
	fixture_serve(peer_serve_ok);
	struct http_fetch fetch = post_root();
	fetch.url = "http://nobody.invalid/";
	fetch.attempt_ms_max = PATIENCE_MS / 4;
	submit(&fetch);
	collect(&fetch);
	assert_int_equal(HTTP_FETCH_NOT_SENT, fetch.result.outcome);
	/* Where no name server can be reached, the resolver may take longer than the attempt. */
	assert_true(fetch.result.cause == HTTP_CAUSE_RESOLVE ||
		fetch.result.cause == HTTP_CAUSE_TIMEOUT);
}

/* A listener whose backlog is full lets connections hang. */
static void test_connect_hangs(void **state)
{
	(void)state;
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	int full[8], fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(0, bind(fd, (struct sockaddr *)&address, size));
	assert_int_equal(0, listen(fd, 0));
	assert_int_equal(0, getsockname(fd, (struct sockaddr *)&address, &size));
	for (size_t i = 0; i < 8; i++) {
		full[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (connect(full[i], (struct sockaddr *)&address, size) != 0)
			continue;
	}
	/* Its backlog takes one, and that one it has. */
	struct pollfd taken = {.fd = full[0], .events = POLLOUT};
	assert_int_equal(1, poll(&taken, 1, PATIENCE_MS));
	fixture_fetcher((struct http_fetcher_options){.connect_ms_max = 200});
	struct http_fetch fetch = post_root();
	char url[64];
	snprintf(url, sizeof url, "http://127.0.0.1:%u/", ntohs(address.sin_port));
	fetch.url = url;
	int64_t began_ms = now_ms();
	want(&fetch, HTTP_FETCH_NOT_SENT, HTTP_CAUSE_TIMEOUT);
	assert_true(now_ms() >= began_ms + 150);
	for (size_t i = 0; i < 8; i++)
		close(full[i]);
	close(fd);
}

static void serve_wait(struct peer_connection *connection)
{
	peer_wait_gone(connection);
}

static void serve_no_answer(struct peer_connection *connection)
{
	peer_receive_head(connection);
	peer_wait_gone(connection);
}

/* On a busy machine the attempt may be over before it has sent anything, and says so; then it gets
 * more time. */
static void test_no_answer(void **state)
{
	(void)state;
	fixture_serve(serve_no_answer);
	struct http_fetch fetch = post_root();
	for (int64_t ms = 200; ms < PATIENCE_MS; ms *= 2) {
		int64_t began_ms = now_ms();
		fetch.attempt_ms_max = ms;
		submit(&fetch);
		collect(&fetch);
		assert_true(now_ms() >= began_ms + ms - 50);
		assert_int_equal(HTTP_CAUSE_TIMEOUT, fetch.result.cause);
		assert_int_equal(0, fetch.result.status);
		if (fetch.result.outcome == HTTP_FETCH_LOST)
			break;
		assert_int_equal(HTTP_FETCH_NOT_SENT, fetch.result.outcome);
		assert_int_equal(0, fetch.result.attempts_lost);
	}
	assert_int_equal(HTTP_FETCH_LOST, fetch.result.outcome);
	assert_int_equal(1, fetch.result.attempts_lost);
	peer_wait_requests(&fixture.peer, 1);
}

/* It ends the connection when something comes, without a look at it. */
static void serve_nothing(struct peer_connection *connection)
{
	struct pollfd something = {.fd = connection->fd, .events = POLLIN};
	(void)poll(&something, 1, PATIENCE_MS);
}

static void serve_close(struct peer_connection *connection)
{
	peer_receive(connection);
}

static void serve_reset(struct peer_connection *connection)
{
	peer_receive(connection);
	peer_reset(connection);
}

static void serve_half_head(struct peer_connection *connection)
{
	if (peer_receive(connection))
		peer_send(connection, "HTTP/1.1 200 OK\r\nContent-Le");
}

static void test_cut_before_the_answer(void **state)
{
	(void)state;
	static void (*const serves[])(struct peer_connection *) = {
		serve_nothing, serve_close, serve_reset, serve_half_head};
	for (size_t i = 0; i < sizeof serves / sizeof serves[0]; i++) {
		fixture_serve(serves[i]);
		struct http_fetch fetch = post_root();
		fetch.retry = HTTP_RETRY_IF_NOT_SENT;
		const struct http_fetch_result *result =
			want(&fetch, HTTP_FETCH_LOST, HTTP_CAUSE_BROKEN);
		assert_int_equal(1, result->attempts);
		assert_int_equal(0, result->body.size);
		assert_int_equal(1, atomic_load(&fixture.peer.connections));
		http_fetch_release(&fetch);
		fixture_end(NULL);
	}
}

static void serve_half_body(struct peer_connection *connection)
{
	if (peer_receive(connection))
		peer_send(connection, "HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\nhalf");
}

static void serve_half_chunks(struct peer_connection *connection)
{
	if (peer_receive(connection))
		peer_send(connection,
			"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
			"4\r\nhalf\r\n");
}

static void test_cut_within_the_answer(void **state)
{
	(void)state;
	static void (*const serves[])(struct peer_connection *) = {
		serve_half_body, serve_half_chunks};
	for (size_t i = 0; i < sizeof serves / sizeof serves[0]; i++) {
		fixture_serve(serves[i]);
		struct http_fetch fetch = post_root();
		const struct http_fetch_result *result =
			want(&fetch, HTTP_FETCH_LOST, HTTP_CAUSE_BROKEN);
		assert_int_equal(201, result->status);
		assert_int_equal(0, result->body.size);
		http_fetch_release(&fetch);
		fixture_end(NULL);
	}
}

static void serve_part_of_body(struct peer_connection *connection)
{
	if (peer_receive_head(connection))
		peer_receive_bytes(connection, 1000);
	peer_reset(connection);
}

static void test_cut_within_the_request(void **state)
{
	(void)state;
	fixture_serve(serve_part_of_body);
	struct http_fetch fetch = post_root();
	fetch.body = (struct slice){large, sizeof large};
	want(&fetch, HTTP_FETCH_LOST, HTTP_CAUSE_BROKEN);
	http_fetch_release(&fetch);
}

static const char *garbage;

static void serve_garbage(struct peer_connection *connection)
{
	if (peer_receive(connection))
		peer_send(connection, garbage);
	pause_ms(50);
}

static void test_garbage(void **state)
{
	(void)state;
	static const char *const kinds[] = {
		"\x16\x03\x01 what is this\r\n\r\n",
		"SSH-2.0-OpenSSH_9.2\r\n",
		"HTTP/1.1 abc\r\nContent-Length: 0\r\n\r\n",
		"HTTP/7.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	};
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		garbage = kinds[i];
		fixture_serve(serve_garbage);
		struct http_fetch fetch = post_root();
		submit(&fetch);
		collect(&fetch);
		/* libcurl tells a broken chunk as a failure to receive. */
		if (fetch.result.outcome != HTTP_FETCH_LOST ||
			(fetch.result.cause != HTTP_CAUSE_MALFORMED &&
				!strstr(kinds[i], "chunked")))
			fail_msg("%zu: %s/%s %s", i, http_fetch_outcome_name(fetch.result.outcome),
				http_fetch_cause_name(fetch.result.cause), fetch.result.detail);
		http_fetch_release(&fetch);
		fixture_end(NULL);
	}
}

/* The first request of the first connection is answered; its second one is not. */
static void serve_dies_on_reuse(struct peer_connection *connection)
{
	if (connection->number > 1) {
		peer_serve_ok(connection);
		return;
	}
	if (peer_receive(connection))
		peer_send(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	peer_receive(connection);
}

static void test_reused_connection_dies(void **state)
{
	(void)state;
	fixture_serve(serve_dies_on_reuse);
	struct http_fetch first = post_root(), second = post_root();
	second.retry = HTTP_RETRY_IF_NOT_SENT;
	want_ok(&first, "ok");
	want(&second, HTTP_FETCH_LOST, HTTP_CAUSE_BROKEN);
	assert_int_equal(1, second.result.attempts);
	assert_int_equal(1, second.result.attempts_lost);
	/* What this test is about: libcurl alone would have sent it once more. */
	pause_ms(50);
	assert_int_equal(2, atomic_load(&fixture.peer.requests));
	http_fetch_release(&first);
	http_fetch_release(&second);
}

static void test_reused_connection_dies_idempotent(void **state)
{
	(void)state;
	fixture_serve(serve_dies_on_reuse);
	struct http_fetch first = post_root(), second = post_root();
	second.retry = HTTP_RETRY_IDEMPOTENT;
	want_ok(&first, "ok");
	want_ok(&second, "ok");
	assert_int_equal(2, second.result.attempts);
	assert_int_equal(1, second.result.attempts_lost);
	assert_int_equal(3, atomic_load(&fixture.peer.requests));
	http_fetch_release(&first);
	http_fetch_release(&second);
}

static void serve_once(struct peer_connection *connection)
{
	if (peer_receive(connection))
		peer_send(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static void test_idle_connection_was_closed(void **state)
{
	(void)state;
	fixture_serve(serve_once);
	for (int i = 0; i < 3; i++) {
		struct http_fetch fetch = post_root();
		want_ok(&fetch, "ok");
		http_fetch_release(&fetch);
		peer_wait_ended(&fixture.peer, (size_t)i + 1);
	}
	assert_int_equal(3, atomic_load(&fixture.peer.connections));
	assert_int_equal(3, atomic_load(&fixture.peer.requests));
}

static void serve_once_and_wait(struct peer_connection *connection)
{
	peer_receive(connection);
	peer_wait_gone(connection);
}

/* A call that has no connection when its time is over was not sent. */
static void test_no_connection_is_free(void **state)
{
	(void)state;
	fixture_serve(serve_once_and_wait);
	fixture_fetcher((struct http_fetcher_options){.connections_per_host_max = 1});
	struct http_fetch *fetches = fixture.fetches, *done;
	fetches[0] = post_root();
	submit(&fetches[0]);
	turn_until_requests(1);
	for (size_t i = 1; i < 3; i++) {
		fetches[i] = post_root();
		fetches[i].attempt_ms_max = 200;
		submit(&fetches[i]);
	}
	for (size_t i = 1; i < 3; i++) {
		assert_int_equal(1, http_fetcher_collect(fixture.fetcher, PATIENCE_MS, &done, 1));
		assert_ptr_not_equal(&fetches[0], done);
		assert_int_equal(HTTP_FETCH_NOT_SENT, done->result.outcome);
		assert_int_equal(HTTP_CAUSE_TIMEOUT, done->result.cause);
	}
	http_fetcher_cancel(fixture.fetcher, &fetches[0]);
	collect(&fetches[0]);
	assert_int_equal(HTTP_FETCH_LOST, fetches[0].result.outcome);
	assert_int_equal(1, atomic_load(&fixture.peer.requests));
}

static void serve_no_tls(struct peer_connection *connection)
{
	peer_send(connection, "HTTP/1.1 400 Bad Request\r\n\r\n");
	peer_wait_gone(connection);
}

static void test_tls_does_not_begin(void **state)
{
	(void)state;
	static const struct {
		void (*serve)(struct peer_connection *);
		enum http_fetch_cause cause;
	} kinds[] = {
		{serve_no_tls, HTTP_CAUSE_TLS},
		{serve_nothing, HTTP_CAUSE_TLS},
		{serve_wait, HTTP_CAUSE_TIMEOUT},
	};
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		fixture_serve(kinds[i].serve);
		struct http_fetch fetch = post_root();
		char url[64];
		snprintf(url, sizeof url, "https://127.0.0.1:%u/", fixture.peer.port);
		fetch.url = url;
		if (kinds[i].cause == HTTP_CAUSE_TIMEOUT)
			fetch.attempt_ms_max = 300;
		want(&fetch, HTTP_FETCH_NOT_SENT, kinds[i].cause);
		fixture_end(NULL);
	}
}

#define TEST(name) cmocka_unit_test_teardown(name, fixture_end)

int main(void)
{
	memset(large, 'x', sizeof large);
	const struct CMUnitTest tests[] = {
		TEST(test_nobody_listens),
		TEST(test_host_without_address),
		TEST(test_connect_hangs),
		TEST(test_no_answer),
		TEST(test_cut_before_the_answer),
		TEST(test_cut_within_the_answer),
		TEST(test_cut_within_the_request),
		TEST(test_garbage),
		TEST(test_reused_connection_dies),
		TEST(test_reused_connection_dies_idempotent),
		TEST(test_idle_connection_was_closed),
		TEST(test_no_connection_is_free),
		TEST(test_tls_does_not_begin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
