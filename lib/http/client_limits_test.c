/* Answers without end, and requests that are large: nothing that a server sends may take more
 * memory or time than was allowed. */
#include "lib/http/client_fixture.h"

enum { REPLY_BYTES_MAX = 10000, HEAD_BYTES_MAX = 2000 };

static const struct http_fetcher_options small = {
	.reply_bytes_max = REPLY_BYTES_MAX,
	.head_bytes_max = HEAD_BYTES_MAX,
};

static const char hundred[] =
	"....................................................................."
	"..............................";

static void serve_long_body(struct peer_connection *connection)
{
	if (peer_receive(connection))
		peer_send(connection, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
	while (peer_send(connection, hundred))
		continue;
}

static void serve_endless_body(struct peer_connection *connection)
{
	if (peer_receive(connection))
		peer_send(connection, "HTTP/1.1 200 OK\r\n\r\n");
	while (peer_send(connection, hundred))
		continue;
}

static void serve_endless_chunks(struct peer_connection *connection)
{
	if (peer_receive(connection))
		peer_send(connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	while (peer_send(connection, "63\r\n") && peer_send(connection, hundred) &&
		peer_send(connection, "\r\n"))
		continue;
}

static void serve_endless_headers(struct peer_connection *connection)
{
	if (peer_receive(connection))
		peer_send(connection, "HTTP/1.1 200 OK\r\n");
	while (peer_send(connection, "X-More: and more\r\n"))
		continue;
}

static void serve_endless_header(struct peer_connection *connection)
{
	if (peer_receive(connection))
		peer_send(connection, "HTTP/1.1 200 OK\r\nX-Long: ");
	while (peer_send(connection, hundred))
		continue;
}

static void serve_endless_status_line(struct peer_connection *connection)
{
	if (peer_receive(connection))
		peer_send(connection, "HTTP/1.1 200 O");
	while (peer_send(connection, "K"))
		continue;
}

static void serve_endless_interim(struct peer_connection *connection)
{
	peer_receive(connection);
	while (peer_send(connection, "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"))
		continue;
}

static void serve_endless_trailers(struct peer_connection *connection)
{
	if (peer_receive(connection))
		peer_send(connection, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
	while (peer_send(connection, "X-More: and more\r\n"))
		continue;
}

static void test_too_large(void **state)
{
	(void)state;
	static void (*const serves[])(struct peer_connection *) = {serve_long_body,
		serve_endless_body, serve_endless_chunks, serve_endless_headers,
		serve_endless_header, serve_endless_status_line, serve_endless_interim,
		serve_endless_trailers};
	for (size_t i = 0; i < sizeof serves / sizeof serves[0]; i++) {
		fixture_serve(serves[i]);
		fixture_fetcher(small);
		struct http_fetch fetch = post_root();
		fetch.retry = HTTP_RETRY_IDEMPOTENT;
		submit(&fetch);
		collect(&fetch);
		if (fetch.result.outcome != HTTP_FETCH_TOO_LARGE ||
			fetch.result.cause != HTTP_CAUSE_SIZE)
			fail_msg("%zu: %s/%s %s", i, http_fetch_outcome_name(fetch.result.outcome),
				http_fetch_cause_name(fetch.result.cause), fetch.result.detail);
		assert_int_equal(1, fetch.result.attempts);
		assert_int_equal(0, fetch.result.body.size);
		assert_true(fetch.own.head.capacity <= HEAD_BYTES_MAX + 1);
		assert_int_equal(0, fetch.own.body.capacity);
		http_fetch_release(&fetch);
		fixture_end(NULL);
	}
}

static size_t exact_size;

static void serve_exact(struct peer_connection *connection)
{
	char head[64];
	snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", exact_size);
	peer_receive(connection);
	peer_send(connection, head);
	for (size_t i = 0; i < exact_size; i++)
		if (!peer_send(connection, "x"))
			break;
	peer_wait_gone(connection);
}

static void test_just_fits(void **state)
{
	(void)state;
	fixture_serve(serve_exact);
	fixture_fetcher(small);
	exact_size = REPLY_BYTES_MAX;
	struct http_fetch fetch = get_root();
	const struct http_fetch_result *result = want(&fetch, HTTP_FETCH_ANSWERED, HTTP_CAUSE_NONE);
	assert_int_equal(REPLY_BYTES_MAX, result->body.size);
	http_fetch_release(&fetch);
	fixture_end(NULL);
	fixture_serve(serve_exact);
	fixture_fetcher(small);
	exact_size = REPLY_BYTES_MAX + 1;
	fetch = get_root();
	want(&fetch, HTTP_FETCH_TOO_LARGE, HTTP_CAUSE_SIZE);
	http_fetch_release(&fetch);
}

/* A byte now and then: 20 of them to the first request, and no end of them to the others. */
static void serve_drip(struct peer_connection *connection)
{
	for (size_t size = 20; peer_receive(connection); size = 1000000) {
		char head[64];
		snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
		peer_send(connection, head);
		for (size_t i = 0; i < size && peer_send(connection, "x"); i++)
			pause_ms(20);
	}
}

static void test_slow_drip(void **state)
{
	(void)state;
	fixture_serve(serve_drip);
	struct http_fetch fetch = get_root();
	want_ok(&fetch, "xxxxxxxxxxxxxxxxxxxx");
	http_fetch_release(&fetch);
	/* On a busy machine the time may be over before the head has come; then it gets more. */
	fetch = get_root();
	fetch.result.status = 0;
	for (int64_t ms = 100; fetch.result.status == 0 && ms < PATIENCE_MS; ms *= 2) {
		http_fetch_release(&fetch);
		fetch.attempt_ms_max = ms;
		submit(&fetch);
		collect(&fetch);
		assert_int_equal(HTTP_CAUSE_TIMEOUT, fetch.result.cause);
	}
	assert_int_equal(HTTP_FETCH_LOST, fetch.result.outcome);
	assert_int_equal(200, fetch.result.status);
	assert_int_equal(0, fetch.result.body.size);
	http_fetch_release(&fetch);
}

/* ---- Requests that libcurl asks first for (Expect: 100-continue) ---- */

enum { LARGE_SIZE = 2 << 20 };

static char large[LARGE_SIZE];

static void serve_continue(struct peer_connection *connection)
{
	if (!peer_receive_head(connection) || !strstr(connection->request, "100-continue"))
		return;
	peer_send(connection, "HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\n");
	if (peer_receive_bytes(connection, LARGE_SIZE))
		peer_send(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	peer_wait_gone(connection);
}

static void serve_no_continue(struct peer_connection *connection)
{
	if (peer_receive(connection) && connection->body_size == LARGE_SIZE)
		peer_send(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	peer_wait_gone(connection);
}

static void serve_refusal(struct peer_connection *connection)
{
	if (peer_receive_head(connection))
		peer_send(connection,
			"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n"
			"Connection: close\r\n\r\nno");
	/* A client that has waited long enough may have begun to send, and is to get its answer. */
	peer_wait_gone(connection);
}

static void serve_no_expectation(struct peer_connection *connection)
{
	if (peer_receive_head(connection))
		peer_send(connection,
			"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n"
			"\r\nno");
	peer_wait_gone(connection);
}

static struct http_fetch post_large(void)
{
	struct http_fetch fetch = post_root();
	fixture_fetcher((struct http_fetcher_options){.body_bytes_max = LARGE_SIZE});
	fetch.body = (struct slice){large, sizeof large};
	return fetch;
}

static void test_large_request(void **state)
{
	(void)state;
	fixture_serve(serve_continue);
	struct http_fetch fetch = post_large();
	struct slice value;
	want_ok(&fetch, "ok");
	assert_false(http_fetch_reply_header(&fetch, "X-Interim", &value));
	http_fetch_release(&fetch);
	fixture_end(NULL);

	fixture_serve(serve_no_continue);
	fetch = post_large();
	want_ok(&fetch, "ok");
	http_fetch_release(&fetch);
}

static void test_large_request_is_refused(void **state)
{
	(void)state;
	fixture_serve(serve_refusal);
	struct http_fetch fetch = post_large();
	const struct http_fetch_result *result = want(&fetch, HTTP_FETCH_ANSWERED, HTTP_CAUSE_NONE);
	assert_int_equal(413, result->status);
	http_fetch_release(&fetch);
	fixture_end(NULL);

	/* libcurl would send it once more, without Expect. */
	fixture_serve(serve_no_expectation);
	fetch = post_large();
	result = want(&fetch, HTTP_FETCH_ANSWERED, HTTP_CAUSE_NONE);
	assert_int_equal(417, result->status);
	assert_int_equal(1, atomic_load(&fixture.peer.requests));
	http_fetch_release(&fetch);
}

#define TEST(name) cmocka_unit_test_teardown(name, fixture_end)

int main(void)
{
	memset(large, 'x', sizeof large);
	const struct CMUnitTest tests[] = {
		TEST(test_too_large),
		TEST(test_just_fits),
		TEST(test_slow_drip),
		TEST(test_large_request),
		TEST(test_large_request_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
