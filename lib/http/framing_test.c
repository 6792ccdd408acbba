/* Where one request ends and the next begins: what is refused because it could be read in two ways,
 * what libmicrohttpd takes and we cannot see, requests cut short, and requests in a row. */
#include "lib/http/server_fixture.h"

#include <time.h>

static int set_up(void **state)
{
	(void)state;
	fixture_open((struct http_server_options){.loop_count = 2, .worker_count = 4});
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fixture_close();
	return 0;
}

/* What follows the doubtful request must never be read as a request of its own. */
static void refused_and_closed(const char *head)
{
	char text[2048];
	snprintf(text, sizeof text, "%s\r\n0\r\n\r\nGET /plain HTTP/1.1\r\nHost: h\r\n\r\n", head);
	size_t handled = atomic_load(&fixture.handled);
	send_raw(text);
	enum http_client_outcome outcome =
		http_client_receive(&fixture.client, "POST", &fixture.reply);
	if (outcome != HTTP_CLIENT_OK || fixture.reply.status != 400)
		fail_msg(
			"%s: %s %d", head, http_client_outcome_name(outcome), fixture.reply.status);
	want_problem("bad-request");
	want_header("Connection", "close");
	assert_int_equal(handled, atomic_load(&fixture.handled));
	want_closed();
}

static void test_doubtful_lengths_are_refused(void **state)
{
	(void)state;
	static const char *const heads[] = {
		"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
		"Transfer-Encoding: chunked\r\n",
		"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
		"Content-Length: 5\r\n",
		"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n",
		"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 0\r\n",
		"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\ncontent-length: 50\r\n",
		"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n",
		"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n",
		"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n",
		"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n",
		"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \r\n",
		"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
		"Transfer-Encoding: chunked\r\n",
		"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
		"Transfer-Encoding: identity\r\n",
		"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 05\r\n",
	};
	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
		refused_and_closed(heads[i]);
	want_alive();
}

static void test_hosts(void **state)
{
	(void)state;
	refused_and_closed("POST /echo HTTP/1.1\r\nContent-Length: 0\r\n");
	refused_and_closed("POST /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 0\r\n");
	refused_and_closed("POST /echo HTTP/1.1\r\nHost: a\r\nhost: a\r\nContent-Length: 0\r\n");
	refused_and_closed("GET /plain HTTP/1.1\r\n");
	want_alive();
}

/* To libmicrohttpd "Content-Length " is another header than "Content-Length". */
static void test_malformed_header_names(void **state)
{
	(void)state;
	static const char *const lines[] = {"Transfer-Encoding : chunked", "Content-Length : 5",
		"Content-Length\t: 5", "X Y: 1", "X(Y): 1", "X\x80: 1", "\"X\": 1"};
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		char head[256];
		snprintf(head, sizeof head, "POST /echo HTTP/1.1\r\nHost: h\r\n%s\r\n", lines[i]);
		refused_and_closed(head);
	}
	ask("GET", "/plain", "X-!#$%&'*+-.^_`|~09azAZ: 1\r\n", NULL, 200);
}

/* libmicrohttpd itself refuses these; its reply is no problem, but it is one of 4xx, and final. */
static void test_malformed_lengths(void **state)
{
	(void)state;
	static const char *const lengths[] = {
		"-1", "+5", "5 5", "5,5", "0x5", "5.0", "five", "", "99999999999999999999999"};
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		char head[256];
		snprintf(head, sizeof head,
			"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: %s\r\n\r\nhello",
			lengths[i]);
		send_raw(head);
		want("POST", strlen(lengths[i]) > 20 ? 413 : 400);
		want_closed();
	}
	want_alive();
}

static void test_malformed_chunks(void **state)
{
	(void)state;
	static const char *const bodies[] = {"x\r\n", "-1\r\n\r\n", "5\r\nhello!\r\n0\r\n\r\n",
		"ffffffffffffffffff\r\nhello", "5 hello\r\n"};
	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		size_t handled = atomic_load(&fixture.handled);
		send_raw("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
		assert_int_equal(HTTP_CLIENT_OK, http_client_send_text(&fixture.client, bodies[i]));
		http_client_finish_sending(&fixture.client);
		if (http_client_receive(&fixture.client, "POST", &fixture.reply) == HTTP_CLIENT_OK)
			assert_true(fixture.reply.status >= 400 && fixture.reply.status < 500);
		assert_true(http_client_wait_closed(&fixture.client, PATIENCE_MS));
		assert_int_equal(handled, atomic_load(&fixture.handled));
	}
	want_alive();
}

/* Not a wish but a record: libmicrohttpd takes a bare LF as the end of a line, and joins folded
 * lines, and does not let us see it. A proxy in front has to refuse these. */
static void test_bare_line_feeds_are_taken(void **state)
{
	(void)state;
	send_raw("GET /plain HTTP/1.1\nHost: h\n\n");
	want("GET", 200);
	send_raw("POST /echo HTTP/1.1\nHost: h\nContent-Length: 2\n\nhi");
	want("POST", 200);
	want_body("hi");
	send_raw("GET /plain HTTP/1.1\r\nHost: h\r\nX-Folded: a\r\n b\r\n\r\n");
	want("GET", 200);
}

static void test_headers_past_the_pool(void **state)
{
	(void)state;
	static char text[40000];
	size_t size = (size_t)snprintf(text, sizeof text, "GET /plain HTTP/1.1\r\nHost: h\r\nX: ");
	memset(text + size, 'x', sizeof text - size - 5);
	snprintf(text + sizeof text - 5, 5, "\r\n\r");
	send_raw(text);
	want("GET", 431);
	want_closed();
	/* Many small ones, too. */
	size = (size_t)snprintf(text, sizeof text, "GET /plain HTTP/1.1\r\nHost: h\r\n");
	while (size + 16 < sizeof text)
		size += (size_t)snprintf(text + size, sizeof text - size, "X%zu: y\r\n", size);
	send_raw(text);
	want("GET", 431);
	want_closed();
	size = (size_t)snprintf(text, sizeof text, "GET /");
	memset(text + size, 'x', sizeof text - size - 1);
	send_raw(text);
	want("GET", 414);
	want_closed();
	want_alive();
}

/* A browser's headers are some KB; the least pool that may be set must take them. */
static void test_headers_of_a_browser_fit(void **state)
{
	(void)state;
	static char headers[4096];
	memset(headers, 'x', sizeof headers - 1);
	memcpy(headers, "Cookie: ", 8);
	memcpy(headers + 3000, "\r\n", 3);
	ask("GET", "/plain", headers, NULL, 200);
	fixture_close();
	fixture_open((struct http_server_options){
		.loop_count = 1, .connection_pool_size = HTTP_CONNECTION_POOL_SIZE_MIN});
	ask("GET", "/plain", headers, NULL, 200);
	ask("GET", "/work", headers, NULL, 200);
	fixture_close();
	set_up(NULL);
}

static void test_truncated_requests(void **state)
{
	(void)state;
	static const char whole[] = "POST /work-echo HTTP/1.1\r\nHost: h\r\n"
				    "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
	size_t handled = atomic_load(&fixture.handled);
	for (size_t size = 0; size < sizeof whole - 1; size++) {
		assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&fixture.client));
		assert_int_equal(HTTP_CLIENT_OK, http_client_send(&fixture.client, whole, size));
		http_client_finish_sending(&fixture.client);
		if (!http_client_wait_closed(&fixture.client, PATIENCE_MS))
			fail_msg("not closed after %zu bytes", size);
	}
	assert_int_equal(handled, atomic_load(&fixture.handled));
	send_raw("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
	http_client_finish_sending(&fixture.client);
	assert_true(http_client_wait_closed(&fixture.client, PATIENCE_MS));
	assert_int_equal(handled, atomic_load(&fixture.handled));
	want_alive();
}

/* The end of the stream may come together with the last bytes: what was asked is answered, and then
 * the connection ends, instead of waiting for its deadline. On a worker there is nothing to do for
 * a client that has closed its side. */
static void test_requests_followed_by_the_end(void **state)
{
	(void)state;
	static char text[100000];
	for (size_t round = 0; round < 20; round++) {
		size_t size = 0;
		for (size_t i = 0; i < round * round; i++)
			size += (size_t)snprintf(text + size, sizeof text - size,
				"GET /items/%zu HTTP/1.1\r\nHost: h\r\n\r\n", i);
		text[size] = '\0';
		send_raw(text);
		http_client_finish_sending(&fixture.client);
		for (size_t i = 0; i < round * round; i++) {
			char item[32];
			snprintf(item, sizeof item, "%zu", i);
			want("GET", 200);
			want_body(item);
		}
		want_closed();
	}
	send_raw("GET /deferred HTTP/1.1\r\nHost: h\r\n\r\n");
	http_client_finish_sending(&fixture.client);
	want("GET", 200);
	want_closed();
}

static void test_a_request_in_pieces(void **state)
{
	(void)state;
	static const char *const paths[] = {"/echo", "/work-echo"};
	for (size_t i = 0; i < 2; i++) {
		char text[256];
		snprintf(text, sizeof text,
			"POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", paths[i]);
		assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&fixture.client));
		assert_int_equal(HTTP_CLIENT_OK, http_client_send_slowly(&fixture.client, text, 1));
		want("POST", 200);
		want_body("hello");
	}
	send_raw("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nX-Trailer: 1\r\n\r\n");
	want("POST", 200);
	want_body("hello");
	ask("GET", "/plain", NULL, NULL, 200);
}

static void pipelined(const char *path, size_t count)
{
	static char text[64 * 1024];
	size_t size = 0;
	for (size_t i = 0; i < count; i++) {
		char body[16];
		snprintf(body, sizeof body, "%zu", i * 37);
		size += (size_t)snprintf(text + size, sizeof text - size,
			"POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n%s", path,
			strlen(body), body);
	}
	send_raw(text);
	for (size_t i = 0; i < count; i++) {
		char body[16];
		snprintf(body, sizeof body, "%zu", i * 37);
		want("POST", 200);
		want_body(body);
	}
	assert_int_equal(0, fixture.client.received_size);
}

/* Without MHD_get_timeout only a part of them would be answered, and the rest waited for in vain.
 */
static void test_pipelined_requests_are_answered_in_order(void **state)
{
	(void)state;
	static const size_t counts[] = {2, 10, 50, 500};
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		pipelined("/echo", counts[i]);
		pipelined("/work-echo", counts[i]);
	}
}

static void test_pipelined_requests_of_all_kinds(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		int status;
	} kinds[] = {{"/plain", 200}, {"/work", 200}, {"/deferred", 200}, {"/nothing", 404},
		{"/silent-work", 500}, {"/echo", 405}};
	enum { KINDS = sizeof kinds / sizeof kinds[0], ROUNDS = 20 };
	static char text[KINDS * ROUNDS * 64];
	size_t size = 0;
	for (size_t i = 0; i < ROUNDS * (size_t)KINDS; i++)
		size += (size_t)snprintf(text + size, sizeof text - size,
			"GET %s HTTP/1.1\r\nHost: h\r\n\r\n", kinds[i * 7 % KINDS].path);
	send_raw(text);
	for (size_t i = 0; i < ROUNDS * (size_t)KINDS; i++)
		want("GET", kinds[i * 7 % KINDS].status);
}

static void test_http_1_0(void **state)
{
	(void)state;
	send_raw("GET /plain HTTP/1.0\r\nHost: h\r\n\r\n");
	want("GET", 200);
	want_closed();
	send_raw("GET /plain\r\n\r\n");
	want("GET", 400);
	send_raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	want("GET", 505);
	want_alive();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doubtful_lengths_are_refused),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_malformed_header_names),
		cmocka_unit_test(test_malformed_lengths),
		cmocka_unit_test(test_malformed_chunks),
		cmocka_unit_test(test_bare_line_feeds_are_taken),
		cmocka_unit_test(test_headers_past_the_pool),
		cmocka_unit_test(test_headers_of_a_browser_fit),
		cmocka_unit_test(test_truncated_requests),
		cmocka_unit_test(test_requests_followed_by_the_end),
		cmocka_unit_test(test_a_request_in_pieces),
		cmocka_unit_test(test_pipelined_requests_are_answered_in_order),
		cmocka_unit_test(test_pipelined_requests_of_all_kinds),
		cmocka_unit_test(test_http_1_0),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
