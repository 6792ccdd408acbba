/* Clients that take their time. libmicrohttpd's own time-out counts inactivity only, so one that
 * sends or reads a byte now and then would hold its connection for ever. */
#include "lib/http/server_fixture.h"

#include <sys/socket.h>

/* In each test one limit is short and all others are not met. Each must strike: not before its
 * time, and while the client still sends or reads. That it strikes soon is not asked, since the
 * machine may be busy; a limit that only another one hides would not strike at all. */
enum { SHORT_MS = 300, TRIES = 3 };

static int tear_down(void **state)
{
	(void)state;
	fixture_close();
	return 0;
}

static void open_server(struct http_server_options options)
{
	options.loop_count = 1;
	options.worker_count = 1;
	fixture_open(options);
}

/* A loop reads the clock once per round, so a machine that stands still within the round makes the
 * limit shorter. Of several tries one at least must have had its time. */
static void want_one_of(const int64_t took_ms[TRIES])
{
	int64_t longest_ms = 0;
	for (size_t i = 0; i < TRIES; i++)
		longest_ms = took_ms[i] > longest_ms ? took_ms[i] : longest_ms;
	if (longest_ms < SHORT_MS - 20)
		fail_msg("took %d ms instead of %d", (int)longest_ms, SHORT_MS);
}

/* Enough for a byte now and then over PATIENCE_MS, and less than the memory of a connection. */
enum { PADDING_SIZE = 1000, PADDING_PAUSE_MS = 20 };

static char padding[PADDING_SIZE + 1];

static void send_padding(void)
{
	memset(padding, '.', PADDING_SIZE);
	assert_int_equal(HTTP_CLIENT_CLOSED,
		http_client_send_slowly(&fixture.client, padding, PADDING_PAUSE_MS));
}

static void want_told_and_cut(void)
{
	want("POST", 408);
	want_header("Content-Type", "application/problem+json");
	want_header("Connection", "close");
	json_t *problem = http_client_reply_json(&fixture.reply);
	assert_string_equal("urn:onsale:problem:request-timeout",
		json_string_value(json_object_get(problem, "type")));
	json_decref(problem);
	want_closed();
	fixture_wait_connections(0);
}

/* Each of these clients begins like this and then sends a byte now and then. */
static void late_clients_are_told_and_cut(const char *const beginnings[TRIES])
{
	int64_t took_ms[TRIES];
	for (size_t i = 0; i < TRIES; i++) {
		int64_t began_ms = now_ms();
		assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&fixture.client));
		/* On a busy machine even this may come too late. */
		http_client_send_text(&fixture.client, beginnings[i]);
		send_padding();
		took_ms[i] = now_ms() - began_ms;
		want_told_and_cut();
	}
	want_one_of(took_ms);
}

static void test_slow_head(void **state)
{
	(void)state;
	open_server((struct http_server_options){.head_ms_max = SHORT_MS});
	late_clients_are_told_and_cut(
		(const char *const[TRIES]){"G", "GET /", "GET /plain HTTP/1.1\r\nHost: h\r\nX: "});
}

static void test_slow_body(void **state)
{
	(void)state;
	open_server((struct http_server_options){.body_ms_max = SHORT_MS});
	late_clients_are_told_and_cut((const char *const[TRIES]){
		"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\n",
		"POST /work-echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n",
		"POST /nothing HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\n"});
	assert_int_equal(0, atomic_load(&fixture.handled));
}

static void test_silent_client(void **state)
{
	(void)state;
	int64_t took_ms[TRIES];
	open_server((struct http_server_options){.head_ms_max = SHORT_MS});
	for (size_t i = 0; i < TRIES; i++) {
		int64_t began_ms = now_ms();
		assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&fixture.client));
		assert_true(http_client_wait_closed(&fixture.client, PATIENCE_MS));
		took_ms[i] = now_ms() - began_ms;
	}
	want_one_of(took_ms);
	fixture_wait_connections(0);
}

static void test_idle_connection(void **state)
{
	(void)state;
	int64_t took_ms[TRIES];
	open_server((struct http_server_options){.idle_ms_max = SHORT_MS});
	for (size_t i = 0; i < TRIES; i++) {
		int64_t began_ms = now_ms();
		send_raw("GET /plain HTTP/1.1\r\nHost: h\r\n\r\n");
		want("GET", 200);
		/* A 408 would be taken for the answer to the next request. */
		want_closed();
		took_ms[i] = now_ms() - began_ms;
	}
	want_one_of(took_ms);
}

/* While requests come, it may live longer than the limit. Each request comes together with the end
 * of the one before, so that the connection is never idle on the client's account. */
static void test_busy_connection_is_not_idle(void **state)
{
	(void)state;
	enum { IDLE_MS = 1500, REQUESTS = 5 };
	open_server((struct http_server_options){.idle_ms_max = IDLE_MS});
	send_raw("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel");
	for (size_t i = 0; i < REQUESTS; i++) {
		pause_ms(IDLE_MS / (REQUESTS - 2));
		assert_int_equal(HTTP_CLIENT_OK,
			http_client_send_text(&fixture.client,
				"loPOST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: "
				"5\r\n\r\nhel"));
		want("POST", 200);
		want_body("hello");
	}
	/* The server would wait for the rest of the last one. */
	http_client_close(&fixture.client);
	fixture_wait_connections(0);
}

/* The pause and the next request's first line have one deadline together; behind that line it is
 * the one for heads. */
static void test_slow_head_on_an_idle_connection(void **state)
{
	(void)state;
	int64_t took_ms[TRIES];
	open_server((struct http_server_options){.idle_ms_max = SHORT_MS});
	for (size_t i = 0; i < TRIES; i++) {
		int64_t began_ms = now_ms();
		send_raw("GET /plain HTTP/1.1\r\nHost: h\r\n\r\n");
		want("GET", 200);
		send_padding();
		took_ms[i] = now_ms() - began_ms;
		assert_true(http_client_wait_closed(&fixture.client, PATIENCE_MS));
	}
	want_one_of(took_ms);
}

static void test_slow_second_head(void **state)
{
	(void)state;
	/* The first head has to come in time, also on a busy machine. */
	enum { HEAD_MS = 3000 };
	open_server((struct http_server_options){.head_ms_max = HEAD_MS});
	send_raw("GET /plain HTTP/1.1\r\nHost: h\r\n\r\nGET /plain HTTP/1.1\r\nHost: h\r\nX: ");
	want("GET", 200);
	send_padding();
	want_told_and_cut();
}

static void ask_for_large(void)
{
	size_t handled = atomic_load(&fixture.handled);
	assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&fixture.client));
	int size = 4096;
	setsockopt(fixture.client.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_send_text(&fixture.client, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n"));
	fixture_wait_count(&fixture.handled, handled + 1);
}

static void test_reader_that_does_not_read(void **state)
{
	(void)state;
	int64_t took_ms[TRIES];
	open_server((struct http_server_options){.reply_ms_max = SHORT_MS});
	for (size_t i = 0; i < TRIES; i++) {
		int64_t began_ms = now_ms();
		ask_for_large();
		fixture_wait_connections(0);
		took_ms[i] = now_ms() - began_ms;
		assert_int_equal(HTTP_CLIENT_CLOSED,
			http_client_receive(&fixture.client, "GET", &fixture.reply));
	}
	want_one_of(took_ms);
	want_alive();
}

static void test_reader_that_reads_slowly(void **state)
{
	(void)state;
	int64_t took_ms[TRIES];
	open_server((struct http_server_options){.reply_ms_max = SHORT_MS});
	for (size_t i = 0; i < TRIES; i++) {
		int64_t began_ms = now_ms();
		ask_for_large();
		while (fixture_connections() > 0 && now_ms() < began_ms + PATIENCE_MS) {
			char bytes[512];
			assert_true(recv(fixture.client.fd, bytes, sizeof bytes, 0) != 0);
			pause_ms(10);
		}
		fixture_wait_connections(0);
		took_ms[i] = now_ms() - began_ms;
	}
	want_one_of(took_ms);
	want_alive();
}

/* Whoever reads gets all of it. */
static void test_large_reply(void **state)
{
	(void)state;
	open_server((struct http_server_options){0});
	ask("GET", "/large", NULL, NULL, 200);
	assert_int_equal(LARGE_SIZE, fixture.reply.body_size);
}

/* While a handler works, the client has nothing to do, so no limit on it runs. */
static void test_handling_takes_its_time(void **state)
{
	(void)state;
	open_server((struct http_server_options){
		.body_ms_max = SHORT_MS, .reply_ms_max = SHORT_MS, .idle_ms_max = SHORT_MS});
	send_raw("GET /gate HTTP/1.1\r\nHost: h\r\n\r\n");
	fixture_wait_count(&fixture.waiting, 1);
	pause_ms(2 * SHORT_MS);
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
	open_server((struct http_server_options){.head_ms_max = SHORT_MS});
	for (size_t i = 0; i < CLIENTS; i++) {
		http_client_init(&clients[i], fixture.port);
		assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&clients[i]));
		http_client_send_text(&clients[i], i % 2 ? "GET /pl" : "");
	}
	for (size_t i = 0; i < CLIENTS; i++) {
		assert_true(http_client_wait_closed(&clients[i], PATIENCE_MS));
		http_client_release(&clients[i]);
	}
	fixture_wait_connections(0);
}

int main(void)
{
#define DEADLINE_TEST(name) cmocka_unit_test_teardown(name, tear_down)
	const struct CMUnitTest tests[] = {
		DEADLINE_TEST(test_slow_head),
		DEADLINE_TEST(test_slow_body),
		DEADLINE_TEST(test_silent_client),
		DEADLINE_TEST(test_idle_connection),
		DEADLINE_TEST(test_busy_connection_is_not_idle),
		DEADLINE_TEST(test_slow_head_on_an_idle_connection),
		DEADLINE_TEST(test_slow_second_head),
		DEADLINE_TEST(test_reader_that_does_not_read),
		DEADLINE_TEST(test_reader_that_reads_slowly),
		DEADLINE_TEST(test_large_reply),
		DEADLINE_TEST(test_handling_takes_its_time),
		DEADLINE_TEST(test_many_slow_clients),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
