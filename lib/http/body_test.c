/* Bodies: large ones that fit, and the 413 of those that do not. Whoever sends too much should be
 * able to read so, instead of finding a broken pipe. */
#include "lib/http/server_fixture.h"

enum { MEGABYTE = 1 << 20 };

static char bytes[8 * MEGABYTE];

static int set_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)('a' + i * 7 % 26);
	fixture_open((struct http_server_options){.loop_count = 1, .worker_count = 2});
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fixture_close();
	return 0;
}

static enum http_client_outcome post(const char *path, size_t size, const char *headers)
{
	char head[256];
	snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n%s\r\n",
		path, size, headers);
	send_raw(head);
	return http_client_send(&fixture.client, bytes, size);
}

static void test_large_bodies_arrive_whole(void **state)
{
	(void)state;
	static const char *const paths[] = {"/echo", "/work-echo"};
	static const size_t sizes[] = {0, 1, 16384, 65536, MEGABYTE, ECHO_SIZE_MAX};
	for (size_t i = 0; i < 2; i++) {
		for (size_t j = 0; j < sizeof sizes / sizeof sizes[0]; j++) {
			assert_int_equal(HTTP_CLIENT_OK, post(paths[i], sizes[j], ""));
			want("POST", 200);
			assert_int_equal(sizes[j], fixture.reply.body_size);
			assert_memory_equal(bytes, fixture.reply.body, sizes[j]);
		}
	}
}

/* Once in a row, and with other requests on the same connection behind it. */
static void test_large_bodies_keep_the_connection(void **state)
{
	(void)state;
	static char text[MEGABYTE + 1];
	memcpy(text, bytes, MEGABYTE);
	http_client_close(&fixture.client);
	for (size_t i = 0; i < 8; i++) {
		ask("POST", i % 2 ? "/echo" : "/work-echo", NULL, text, 200);
		assert_int_equal(MEGABYTE, fixture.reply.body_size);
		assert_true(fixture.client.fd >= 0);
	}
}

static void send_chunk(size_t size)
{
	char line[16];
	snprintf(line, sizeof line, "%zx\r\n", size);
	http_client_send_text(&fixture.client, line);
	http_client_send(&fixture.client, bytes, size);
	http_client_send_text(&fixture.client, "\r\n");
}

static void post_chunked(const char *path, size_t size)
{
	char head[256];
	snprintf(head, sizeof head,
		"POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", path);
	send_raw(head);
	for (size_t sent = 0; sent < size; sent += 50000)
		send_chunk(size - sent < 50000 ? size - sent : 50000);
	http_client_send_text(&fixture.client, "0\r\n\r\n");
}

static void test_chunked_bodies(void **state)
{
	(void)state;
	post_chunked("/echo", MEGABYTE);
	want("POST", 200);
	assert_int_equal(MEGABYTE, fixture.reply.body_size);
	post_chunked("/echo", ECHO_SIZE_MAX);
	want("POST", 200);
	post_chunked("/small", SMALL_SIZE_MAX);
	want("POST", 200);
	post_chunked("/small", SMALL_SIZE_MAX + 1);
	want("POST", 413);
	want_problem("content-too-large");
}

/* The limit is exact, and the client that sends all before it reads finds its 413. */
static void test_excess_is_read_before_the_refusal(void **state)
{
	(void)state;
	static const size_t sizes[] = {SMALL_SIZE_MAX + 1, 20000, MEGABYTE / 2, MEGABYTE};
	size_t handled = atomic_load(&fixture.handled);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		assert_int_equal(HTTP_CLIENT_OK, post("/small", sizes[i], ""));
		/* All has been read: the connection can go on. */
		want("POST", 413);
		want_problem("content-too-large");
		assert_int_equal(HTTP_CLIENT_OK,
			http_client_send_text(
				&fixture.client, "GET /plain HTTP/1.1\r\nHost: h\r\n\r\n"));
		handled++;
		want("GET", 200);
		post_chunked("/small", sizes[i]);
		want("POST", 413);
	}
	assert_int_equal(handled, atomic_load(&fixture.handled));
	assert_int_equal(HTTP_CLIENT_OK, post("/small", SMALL_SIZE_MAX, ""));
	want("POST", 200);
}

/* The refusal comes without a byte of the body, and the connection ends. */
static void test_large_excess_is_refused_at_once(void **state)
{
	(void)state;
	static const char *const lengths[] = {"1048577", "8388608", "9223372036854775807"};
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		char head[256];
		snprintf(head, sizeof head,
			"POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: %s\r\n\r\n",
			lengths[i]);
		send_raw(head);
		want("POST", 413);
		want_problem("content-too-large");
		want_closed();
	}
	/* Nor does it read what comes all the same. */
	post("/small", sizeof bytes, "");
	assert_true(http_client_wait_closed(&fixture.client, PATIENCE_MS));
	want_alive();
}

/* A chunked body does not say its length, so it is read up to the bounded excess and then cut. */
static void test_endless_chunks_are_cut(void **state)
{
	(void)state;
	size_t handled = atomic_load(&fixture.handled);
	send_raw("POST /small HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (size_t i = 0; i < 200; i++)
		send_chunk(50000);
	assert_int_equal(HTTP_CLIENT_CLOSED, http_client_send_text(&fixture.client, "0\r\n\r\n"));
	assert_int_equal(handled, atomic_load(&fixture.handled));
	want_alive();
}

static void test_expect_continue(void **state)
{
	(void)state;
	send_raw("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n"
		 "Expect: 100-continue\r\n\r\n");
	want_continue(&fixture.client);
	assert_int_equal(HTTP_CLIENT_OK, http_client_send_text(&fixture.client, "hello"));
	want("POST", 200);
	assert_int_equal(0, fixture.reply.interim_count);
	want_body("hello");
	/* Refused without asking for the body: too large, unknown path, wrong method. */
	static const struct {
		const char *start;
		int status;
	} refused[] = {{"POST /small", 413}, {"POST /nothing", 404}, {"POST /plain", 405}};
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		char head[256];
		snprintf(head, sizeof head,
			"%s HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n"
			"Expect: 100-continue\r\n\r\n",
			refused[i].start);
		send_raw(head);
		want("POST", refused[i].status);
		assert_int_equal(0, fixture.reply.interim_count);
	}
}

/* A refusal that was found in the head waits for the body too, and the next request is read where
 * that ends. */
static void test_refused_requests_with_bodies_keep_the_connection(void **state)
{
	(void)state;
	http_client_close(&fixture.client);
	ask("POST", "/nothing", NULL, "GET /plain HTTP/1.1\r\nHost: h\r\n\r\n", 404);
	ask("POST", "/plain", NULL, "0123456789", 405);
	ask("POST", "/small", NULL, "0123456789012345678901234567890123456789", 413);
	ask("GET", "/plain", NULL, "a body where none is taken", 413);
	ask("GET", "/plain", NULL, NULL, 200);
	want_body("plain\n");
	assert_int_equal(0, fixture.client.received_size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_large_bodies_arrive_whole),
		cmocka_unit_test(test_large_bodies_keep_the_connection),
		cmocka_unit_test(test_chunked_bodies),
		cmocka_unit_test(test_excess_is_read_before_the_refusal),
		cmocka_unit_test(test_large_excess_is_refused_at_once),
		cmocka_unit_test(test_endless_chunks_are_cut),
		cmocka_unit_test(test_expect_continue),
		cmocka_unit_test(test_refused_requests_with_bodies_keep_the_connection),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
