/* Clients that take their time. libmicrohttpd's own time-out counts inactivity only, so one that
 * sends or reads a byte now and then would hold its connection for ever. */
#include "lib/http/server_fixture.h"

#include <sys/socket.h>

enum { HEAD_MS = 300, BODY_MS = 400, REPLY_MS = 500, IDLE_MS = 350, SLACK_MS = 2000 };

static int set_up(void **state)
{
	(void)state;
	fixture_open((struct http_server_options){
		.loop_count = 1,
		.worker_count = 1,
		.head_ms_max = HEAD_MS,
		.body_ms_max = BODY_MS,
		.reply_ms_max = REPLY_MS,
		.idle_ms_max = IDLE_MS,
	});
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fixture_close();
	return 0;
}

static void took(int64_t since_ms, int64_t min_ms)
{
	int64_t ms = now_ms() - since_ms;
	if (ms < min_ms - 20 || ms > min_ms + SLACK_MS)
		fail_msg("took %d ms instead of %d", (int)ms, (int)min_ms);
}

static void late_client_is_told_and_cut(const char *at_once, const char *slowly, int64_t ms)
{
	int64_t began_ms = now_ms();
	send_raw(at_once);
	assert_int_equal(HTTP_CLIENT_CLOSED, http_client_send_slowly(&fixture.client, slowly, 25));
	took(began_ms, ms);
	want("POST", 408);
	want_header("Content-Type", "application/problem+json");
	want_header("Connection", "close");
	json_t *problem = http_client_reply_json(&fixture.reply);
	assert_string_equal("urn:onsale:problem:request-timeout",
		json_string_value(json_object_get(problem, "type")));
	json_decref(problem);
	want_closed(1000);
	fixture_wait_connections(0);
}

static const char padding[] = "................................................................"
			      "................................................................";

static void test_slow_head(void **state)
{
	(void)state;
	late_client_is_told_and_cut("G", padding, HEAD_MS);
	late_client_is_told_and_cut("GET /", padding, HEAD_MS);
	late_client_is_told_and_cut("GET /plain HTTP/1.1\r\nHost: h\r\nX: ", padding, HEAD_MS);
}

static void test_slow_body(void **state)
{
	(void)state;
	size_t handled = atomic_load(&fixture.handled);
	late_client_is_told_and_cut(
		"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 500\r\n\r\n", padding, BODY_MS);
	late_client_is_told_and_cut("POST /work-echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
				    "chunked\r\n\r\n80\r\n",
		padding, BODY_MS);
	late_client_is_told_and_cut(
		"POST /nothing HTTP/1.1\r\nHost: h\r\nContent-Length: 500\r\n\r\n", padding,
		BODY_MS);
	assert_int_equal(handled, atomic_load(&fixture.handled));
}

static void test_silent_client(void **state)
{
	(void)state;
	int64_t began_ms = now_ms();
	send_raw("");
	assert_true(http_client_wait_closed(&fixture.client, 5000));
	took(began_ms, HEAD_MS);
	fixture_wait_connections(0);
}

static void test_idle_connection(void **state)
{
	(void)state;
	http_client_close(&fixture.client);
	/* While requests come, it may live longer than any single limit. */
	int64_t began_ms = now_ms();
	while (now_ms() < began_ms + 2 * IDLE_MS) {
		ask("GET", "/plain", NULL, NULL, 200);
		pause_ms(IDLE_MS / 4);
	}
	assert_int_equal(1, fixture_connections());
	ask("GET", "/plain", NULL, NULL, 200);
	began_ms = now_ms();
	/* A 408 would be taken for the answer to the next request. */
	want_closed(5000);
	took(began_ms, IDLE_MS);
}

static void test_slow_head_on_an_idle_connection(void **state)
{
	(void)state;
	int64_t began_ms = now_ms();
	send_raw("GET /plain HTTP/1.1\r\nHost: h\r\n\r\n");
	want("GET", 200);
	http_client_send_slowly(&fixture.client, padding, 25);
	took(began_ms, IDLE_MS);
	assert_true(http_client_wait_closed(&fixture.client, 1000));
	send_raw("GET /plain HTTP/1.1\r\nHost: h\r\n\r\nGET /plain HTTP/1.1\r\nHost: h\r\n");
	want("GET", 200);
	http_client_send_slowly(&fixture.client, padding, 25);
	want("GET", 408);
	fixture_wait_connections(0);
}

static void ask_for_large(void)
{
	assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&fixture.client));
	int size = 4096;
	setsockopt(fixture.client.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_send_text(&fixture.client, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n"));
}

static void test_reader_that_does_not_read(void **state)
{
	(void)state;
	ask_for_large();
	int64_t began_ms = now_ms();
	fixture_wait_connections(1);
	fixture_wait_connections(0);
	took(began_ms, REPLY_MS);
	assert_int_equal(
		HTTP_CLIENT_CLOSED, http_client_receive(&fixture.client, "GET", &fixture.reply));
	want_alive();
}

static void test_reader_that_reads_slowly(void **state)
{
	(void)state;
	ask_for_large();
	fixture_wait_connections(1);
	int64_t began_ms = now_ms();
	while (fixture_connections() > 0 && now_ms() < began_ms + 5000) {
		char bytes[512];
		assert_true(recv(fixture.client.fd, bytes, sizeof bytes, 0) != 0);
		pause_ms(10);
	}
	took(began_ms, REPLY_MS);
	want_alive();
}

/* Whoever reads gets all of it. */
static void test_large_reply(void **state)
{
	(void)state;
	http_client_close(&fixture.client);
	ask("GET", "/large", NULL, NULL, 200);
	assert_int_equal(LARGE_SIZE, fixture.reply.body_size);
}

/* While a handler works, the client has nothing to do, so no limit on it runs. */
static void test_handling_takes_its_time(void **state)
{
	(void)state;
	send_raw("GET /gate HTTP/1.1\r\nHost: h\r\n\r\n");
	fixture_wait_count(&fixture.waiting, 1);
	pause_ms(2 * REPLY_MS);
	fixture_open_gate();
	want("GET", 200);
	want_body("gate\n");
}

/* One that is late must not keep those behind it in the list from being cut. */
static void test_many_slow_clients(void **state)
{
	(void)state;
	enum { CLIENTS = 100 };
	static struct http_client clients[CLIENTS];
	int64_t began_ms = now_ms();
	for (size_t i = 0; i < CLIENTS; i++) {
		http_client_init(&clients[i], fixture.port);
		assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&clients[i]));
		http_client_send_text(&clients[i], i % 2 ? "GET /pl" : "");
	}
	want_alive();
	http_client_close(&fixture.client);
	for (size_t i = 0; i < CLIENTS; i++) {
		assert_true(http_client_wait_closed(&clients[i], 5000));
		http_client_release(&clients[i]);
	}
	took(began_ms, HEAD_MS);
	fixture_wait_connections(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slow_head),
		cmocka_unit_test(test_slow_body),
		cmocka_unit_test(test_silent_client),
		cmocka_unit_test(test_idle_connection),
		cmocka_unit_test(test_slow_head_on_an_idle_connection),
		cmocka_unit_test(test_reader_that_does_not_read),
		cmocka_unit_test(test_reader_that_reads_slowly),
		cmocka_unit_test(test_large_reply),
		cmocka_unit_test(test_handling_takes_its_time),
		cmocka_unit_test(test_many_slow_clients),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
