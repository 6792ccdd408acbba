/* The end of the server: what is in flight is answered, what is stuck is cut, and libmicrohttpd is
 * never stopped with a suspended connection, at which it would abort the process. */
#include "lib/http/server_fixture.h"

#include <pthread.h>
#include <sys/socket.h>

#include "lib/http/internal.h"

/* How long a server waits for what is in flight. Where all of it ends by itself, the server must
 * not wait for the time to pass. */
enum { DRAIN_MS = 600 };

static void open_server(int64_t drain_ms_max)
{
	fixture_open((struct http_server_options){
		.loop_count = 2, .worker_count = 2, .drain_ms_max = drain_ms_max});
}

static int open_hasty(void **state)
{
	(void)state;
	open_server(DRAIN_MS);
	return 0;
}

static int open_patient(void **state)
{
	(void)state;
	open_server(NEVER_MS);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	fixture_close();
	return 0;
}

static void open_client(struct http_client *client, const char *text)
{
	http_client_init(client, fixture.port);
	assert_int_equal(HTTP_CLIENT_OK, http_client_connect(client));
	assert_int_equal(HTTP_CLIENT_OK, http_client_send_text(client, text));
}

static void want_answer(struct http_client *client, int status)
{
	struct http_client_reply reply = {0};
	assert_int_equal(HTTP_CLIENT_OK, http_client_receive(client, "GET", &reply));
	assert_int_equal(status, reply.status);
	assert_string_equal("close", http_client_reply_header(&reply, "Connection"));
	http_client_reply_release(&reply);
	http_client_release(client);
}

static void *close_server(void *unused)
{
	(void)unused;
	fixture_end_server();
	return NULL;
}

/* Begin to close the server, which something in flight still holds up. */
static void begin_closing(pthread_t *closer)
{
	struct http_server *server = fixture.server;
	int64_t end_ms = now_ms() + PATIENCE_MS;
	assert_int_equal(0, pthread_create(closer, NULL, close_server, NULL));
	for (size_t i = 0; i < 2; i++)
		while (!atomic_load(&server->loops[i].stopping) && now_ms() < end_ms)
			pause_ms(1);
}

static void test_nothing_in_flight(void **state)
{
	(void)state;
	struct http_client idle[20];
	for (size_t i = 0; i < 20; i++)
		open_client(&idle[i], i % 2 ? "" : "GET /pl");
	ask("GET", "/plain", NULL, NULL, 200);
	fixture_wait_connections(21);
	int64_t began_ms = now_ms();
	fixture_end_server();
	assert_true(now_ms() - began_ms < NEVER_MS / 2);
	for (size_t i = 0; i < 20; i++) {
		assert_true(http_client_wait_closed(&idle[i], PATIENCE_MS));
		http_client_release(&idle[i]);
	}
	assert_true(http_client_wait_closed(&fixture.client, PATIENCE_MS));
	assert_int_equal(HTTP_CLIENT_UNREACHABLE, http_client_connect(&fixture.client));
}

/* On workers, waiting for one, and deferred. */
static void test_requests_in_flight_are_answered(void **state)
{
	(void)state;
	struct http_client running[2], queued[30], deferred[10];
	pthread_t closer;
	for (size_t i = 0; i < 2; i++)
		open_client(&running[i], "GET /gate HTTP/1.1\r\nHost: h\r\n\r\n");
	fixture_wait_count(&fixture.waiting, 2);
	for (size_t i = 0; i < 30; i++)
		open_client(&queued[i], "GET /work HTTP/1.1\r\nHost: h\r\n\r\n");
	for (size_t i = 0; i < 10; i++)
		open_client(&deferred[i], "GET /left HTTP/1.1\r\nHost: h\r\n\r\n");
	fixture_wait_queued(30);
	fixture_wait_deferred(10);
	begin_closing(&closer);
	/* Handlers are waited for, longer than clients would be. */
	pause_ms(DRAIN_MS + 200);
	fixture_open_gate();
	for (size_t i = 0; i < 2; i++)
		want_answer(&running[i], 200);
	for (size_t i = 0; i < 30; i++)
		want_answer(&queued[i], 200);
	for (size_t i = 0; i < 10; i++)
		want_answer(&deferred[i], 200);
	pthread_join(closer, NULL);
}

/* Bodies that are still coming may yet need a worker. */
static void test_bodies_in_flight_are_taken(void **state)
{
	(void)state;
	struct http_client coming[8];
	pthread_t closer;
	for (size_t i = 0; i < 8; i++)
		open_client(&coming[i],
			"POST /work-echo HTTP/1.1\r\nHost: h\r\nContent-Length: "
			"5\r\n" EXPECT_CONTINUE "\r\n");
	for (size_t i = 0; i < 8; i++) {
		want_continue(&coming[i]);
		assert_int_equal(HTTP_CLIENT_OK, http_client_send_text(&coming[i], "hel"));
	}
	begin_closing(&closer);
	for (size_t i = 0; i < 8; i++) {
		pause_ms(30);
		assert_int_equal(HTTP_CLIENT_OK, http_client_send_text(&coming[i], "lo"));
	}
	for (size_t i = 0; i < 8; i++)
		want_answer(&coming[i], 200);
	pthread_join(closer, NULL);
	assert_int_equal(8, atomic_load(&fixture.handled));
}

/* A body that never ends, a reply that nobody reads, a head that trickles. */
static void test_stuck_clients_are_cut(void **state)
{
	(void)state;
	struct http_client body, reader, head;
	open_client(&body,
		"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 500\r\n" EXPECT_CONTINUE "\r\n");
	want_continue(&body);
	http_client_send_text(&body, "hel");
	open_client(&head, "POST /echo HTTP/1.1\r\nHost:");
	http_client_init(&reader, fixture.port);
	assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&reader));
	int size = 4096;
	setsockopt(reader.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	http_client_send_text(&reader, "GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
	fixture_wait_count(&fixture.handled, 1);
	fixture_wait_connections(3);
	int64_t began_ms = now_ms();
	fixture_end_server();
	assert_true(now_ms() - began_ms >= DRAIN_MS);
	assert_true(now_ms() - began_ms < NEVER_MS / 2);
	assert_true(http_client_wait_closed(&body, PATIENCE_MS));
	http_client_release(&body);
	http_client_release(&reader);
	http_client_release(&head);
}

static atomic_bool asking;

static void *ask_without_end(void *unused)
{
	(void)unused;
	struct http_client client;
	struct http_client_reply reply = {0};
	static const char *const paths[] = {"/plain", "/work", "/deferred", "/silent-deferred"};
	http_client_init(&client, fixture.port);
	for (size_t i = 0; atomic_load(&asking); i++)
		http_client_call(&client, "GET", paths[i % 4], NULL, NULL, &reply);
	http_client_reply_release(&reply);
	http_client_release(&client);
	return NULL;
}

static void test_closing_under_load(void **state)
{
	(void)state;
	enum { ASKERS = 8, ROUNDS = 10 };
	for (size_t round = 0; round < ROUNDS; round++) {
		pthread_t askers[ASKERS];
		atomic_store(&asking, true);
		for (size_t i = 0; i < ASKERS; i++)
			assert_int_equal(
				0, pthread_create(&askers[i], NULL, ask_without_end, NULL));
		pause_ms(20);
		int64_t began_ms = now_ms();
		fixture_end_server();
		assert_true(now_ms() - began_ms < NEVER_MS / 2);
		atomic_store(&asking, false);
		for (size_t i = 0; i < ASKERS; i++)
			pthread_join(askers[i], NULL);
		close_all(NULL);
		open_patient(NULL);
	}
}

static void test_closing_nothing(void **state)
{
	(void)state;
	http_server_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_in_flight, open_patient, close_all),
		cmocka_unit_test_setup_teardown(
			test_requests_in_flight_are_answered, open_hasty, close_all),
		cmocka_unit_test_setup_teardown(
			test_bodies_in_flight_are_taken, open_patient, close_all),
		cmocka_unit_test_setup_teardown(test_stuck_clients_are_cut, open_hasty, close_all),
		cmocka_unit_test_setup_teardown(test_closing_under_load, open_patient, close_all),
		cmocka_unit_test(test_closing_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
