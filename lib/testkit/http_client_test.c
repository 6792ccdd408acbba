/* The client against a server that plays back a script: what it accepts, and above all what it
 * refuses, since a client that takes anything would let any server pass. */
#include "lib/testkit/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/testkit/process.h"

enum { CONNECTIONS_MAX = 4, REQUEST_SIZE_MAX = 4096 };

/* For each connection: wait for the end of a request's head, play `reply`, wait for the next.
 * '|' in a reply is a pause; after the last reply the connection is ended. */
static struct {
	int listener;
	uint16_t port;
	pthread_t thread;
	const char *replies[CONNECTIONS_MAX][4];
	char requests[CONNECTIONS_MAX][4][REQUEST_SIZE_MAX];
} server;

static struct http_client client;
static struct http_client_reply reply;

static bool request_read(int fd, char request[REQUEST_SIZE_MAX])
{
	size_t size = 0;
	while (!strstr(request, "\r\n\r\n")) {
		ssize_t got = recv(fd, request + size, REQUEST_SIZE_MAX - 1 - size, 0);
		if (got <= 0)
			return false;
		size += (size_t)got;
	}
	return true;
}

static void reply_play(int fd, const char *text)
{
	while (*text) {
		size_t size = strcspn(text, "|");
		send(fd, text, size, MSG_NOSIGNAL);
		text += size;
		if (*text == '|') {
			usleep(20000);
			text++;
		}
	}
}

static void *server_run(void *unused)
{
	(void)unused;
	for (int i = 0; i < CONNECTIONS_MAX && server.replies[i][0]; i++) {
		int fd = accept(server.listener, NULL, NULL);
		for (int j = 0;
			j < 4 && server.replies[i][j] && request_read(fd, server.requests[i][j]);
			j++)
			reply_play(fd, server.replies[i][j]);
		close(fd);
	}
	return NULL;
}

static int prepare(void **state)
{
	(void)state;
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof address;
	memset(&server, 0, sizeof server);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.listener = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(server.listener, (struct sockaddr *)&address, sizeof address) != 0 ||
		listen(server.listener, 8) != 0 ||
		getsockname(server.listener, (struct sockaddr *)&address, &size) != 0)
		return -1;
	server.port = ntohs(address.sin_port);
	http_client_init(&client, server.port);
	return 0;
}

static void play(const char *first, const char *second, const char *other_connection)
{
	server.replies[0][0] = first;
	server.replies[0][1] = second;
	server.replies[1][0] = other_connection;
	assert_int_equal(0, pthread_create(&server.thread, NULL, server_run, NULL));
}

static int finish(void **state)
{
	(void)state;
	http_client_release(&client);
	http_client_reply_release(&reply);
	shutdown(server.listener, SHUT_RDWR);
	close(server.listener);
	if (server.thread)
		pthread_join(server.thread, NULL);
	return 0;
}

static enum http_client_outcome get(const char *method)
{
	return http_client_call(&client, method, "/path", NULL, NULL, &reply);
}

static void a_sized_reply_is_read_and_the_connection_reused(void **state)
{
	(void)state;
	play("HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nX-A:  b c \r\n"
	     "Content-Le|ngth: 11\r\n\r\n{\"a\":|[1,2]}",
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL);
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_call(
			&client, "POST", "/x?y=1", "Idempotency-Key: k\r\n", "{}", &reply));
	assert_int_equal(201, reply.status);
	assert_string_equal("b c", http_client_reply_header(&reply, "x-a"));
	assert_null(http_client_reply_header(&reply, "x"));
	assert_true(reply.keep_alive);
	json_t *json = http_client_reply_json(&reply);
	assert_int_equal(2, json_array_size(json_object_get(json, "a")));
	json_decref(json);
	int fd = client.fd;
	assert_int_equal(HTTP_CLIENT_OK, get("GET"));
	assert_int_equal(fd, client.fd);
	assert_int_equal(200, reply.status);
	assert_int_equal(0, reply.body_size);
	assert_string_equal("", reply.body);
	assert_null(http_client_reply_json(&reply));
}

static void the_request_is_written_as_it_should(void **state)
{
	(void)state;
	play("HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n", NULL);
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_call(&client, "POST", "/x?y=1", "A: b\r\n", "{}", &reply));
	char expected[256];
	snprintf(expected, sizeof expected,
		"POST /x?y=1 HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nA: b\r\n"
		"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
		(unsigned int)server.port);
	assert_string_equal(expected, server.requests[0][0]);
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_call(&client, "PUT", "/", "content-type: text/plain\r\n", "a", &reply));
	assert_null(strstr(server.requests[0][1], "application/json"));
}

static void chunks_are_joined(void **state)
{
	(void)state;
	play("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	     "5;name=value\r\nhello\r|\n00A\r\n, wor|ld\r\n!\r\n0\r\nTrailer: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext", NULL);
	assert_int_equal(HTTP_CLIENT_OK, get("GET"));
	assert_string_equal("hello, world\r\n!", reply.body);
	assert_int_equal(HTTP_CLIENT_OK, get("GET"));
	assert_string_equal("next", reply.body);
}

static void the_end_of_the_connection_ends_a_body_without_length(void **state)
{
	(void)state;
	play("HTTP/1.1 200 OK\r\n\r\nall |of it", NULL, "HTTP/1.0 200 OK\r\n\r\nold");
	assert_int_equal(HTTP_CLIENT_OK, get("GET"));
	assert_string_equal("all of it", reply.body);
	assert_false(reply.keep_alive);
	assert_int_equal(-1, client.fd);
	assert_int_equal(HTTP_CLIENT_OK, get("GET"));
	assert_string_equal("old", reply.body);
}

static void replies_without_a_body_have_none(void **state)
{
	(void)state;
	play("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
		"HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n",
		NULL);
	assert_int_equal(HTTP_CLIENT_OK, get("HEAD"));
	assert_int_equal(0, reply.body_size);
	assert_int_equal(HTTP_CLIENT_OK, get("GET"));
	assert_int_equal(304, reply.status);
	assert_int_equal(2, reply.interim_count);
	assert_null(http_client_reply_header(&reply, "Link"));
}

static void pipelined_replies_come_one_by_one(void **state)
{
	(void)state;
	play("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none"
	     "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\nConnection: close\r\n\r\ntwo",
		NULL, NULL);
	assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&client));
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_send_text(&client, "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n"));
	assert_int_equal(HTTP_CLIENT_OK, http_client_receive(&client, "GET", &reply));
	assert_string_equal("one", reply.body);
	assert_int_equal(HTTP_CLIENT_OK, http_client_receive(&client, "GET", &reply));
	assert_string_equal("two", reply.body);
	assert_int_equal(404, reply.status);
	assert_int_equal(-1, client.fd);
}

static void a_call_connects_again_when_the_idle_connection_was_ended(void **state)
{
	(void)state;
	play("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1", NULL,
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");
	assert_int_equal(HTTP_CLIENT_OK, get("GET"));
	assert_true(http_client_wait_closed(&client, 20000));
	assert_int_equal(HTTP_CLIENT_OK, get("GET"));
	assert_string_equal("2", reply.body);
}

static void what_is_no_reply_is_malformed(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"SSH-2.0-OpenSSH_9.2\r\n",
		"HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.1 099 Low\r\n\r\n",
		"HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
		"HTTP/1.1 200 OK\r\nSpace : before\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n1",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1ffffffff\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
	};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		prepare(state);
		play(texts[i], NULL, NULL);
		enum http_client_outcome outcome = get("GET");
		if (outcome != HTTP_CLIENT_MALFORMED)
			fail_msg("%s was %s", texts[i], http_client_outcome_name(outcome));
		assert_int_equal(-1, client.fd);
		finish(state);
	}
	prepare(state);
	play("HTTP/1.1 200 OK\r\n\r\n", NULL, NULL);
	assert_int_equal(HTTP_CLIENT_OK, get("GET"));
}

static void what_is_cut_short_is_closed(void **state)
{
	(void)state;
	play("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", NULL, "HTTP/1.1 200 O");
	assert_int_equal(HTTP_CLIENT_CLOSED, get("GET"));
	assert_int_equal(200, reply.status);
	assert_string_equal("half", reply.body);
	assert_int_equal(HTTP_CLIENT_CLOSED, get("GET"));
	assert_int_equal(0, reply.status);
	assert_int_equal(-1, client.fd);
}

static void too_much_is_refused(void **state)
{
	(void)state;
	static char flood[HTTP_CLIENT_HEAD_SIZE_MAX * 2] = "HTTP/1.1 200 OK\r\nA: ";
	memset(flood + strlen(flood), 'a', sizeof flood - 100);
	play(flood, NULL, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
	assert_int_equal(HTTP_CLIENT_TOO_LARGE, get("GET"));
	assert_int_equal(HTTP_CLIENT_TOO_LARGE, get("GET"));
}

static void silence_times_out(void **state)
{
	(void)state;
	/* The listener's backlog takes the connection; nobody accepts it. */
	client.timeout_ms = 30;
	assert_int_equal(HTTP_CLIENT_TIMEOUT, get("GET"));
	assert_int_equal(-1, client.fd);
	assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&client));
	assert_false(http_client_wait_closed(&client, 20));
}

static void nobody_there_is_unreachable(void **state)
{
	(void)state;
	/* Bound and not listening: nobody else can have this port meanwhile. */
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof address;
	int closed = socket(AF_INET, SOCK_STREAM, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(0, bind(closed, (struct sockaddr *)&address, size));
	assert_int_equal(0, getsockname(closed, (struct sockaddr *)&address, &size));
	client.port = ntohs(address.sin_port);
	assert_int_equal(HTTP_CLIENT_UNREACHABLE, get("GET"));
	assert_int_equal(HTTP_CLIENT_UNREACHABLE, http_client_reconnect(&client, 30));
	client.port = server.port;
	assert_int_equal(HTTP_CLIENT_OK, http_client_reconnect(&client, 20000));
	http_client_abort(&client);
	assert_int_equal(-1, client.fd);
	close(closed);
}

static void slow_sending_reaches_the_server(void **state)
{
	(void)state;
	play("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL, NULL);
	assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&client));
	assert_int_equal(
		HTTP_CLIENT_OK, http_client_send_slowly(&client, "GET / HTTP/1.1\r\n\r\n", 1));
	assert_int_equal(HTTP_CLIENT_OK, http_client_receive(&client, "GET", &reply));
	assert_string_equal("GET / HTTP/1.1\r\n\r\n", server.requests[0][0]);
	assert_true(http_client_wait_closed(&client, 20000));
}

static void slow_sending_notices_an_early_end(void **state)
{
	(void)state;
	assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&client));
	int fd = accept(server.listener, NULL, NULL);
	static const char early[] = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n";
	send(fd, early, sizeof early - 1, MSG_NOSIGNAL);
	close(fd);
	assert_int_equal(
		HTTP_CLIENT_CLOSED, http_client_send_slowly(&client, "GET / HTTP/1.1\r\n", 1000));
	assert_int_equal(HTTP_CLIENT_OK, http_client_receive(&client, "GET", &reply));
	assert_int_equal(408, reply.status);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, prepare, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_sized_reply_is_read_and_the_connection_reused),
		TEST(the_request_is_written_as_it_should),
		TEST(chunks_are_joined),
		TEST(the_end_of_the_connection_ends_a_body_without_length),
		TEST(replies_without_a_body_have_none),
		TEST(pipelined_replies_come_one_by_one),
		TEST(a_call_connects_again_when_the_idle_connection_was_ended),
		TEST(what_is_no_reply_is_malformed),
		TEST(what_is_cut_short_is_closed),
		TEST(too_much_is_refused),
		TEST(silence_times_out),
		TEST(nobody_there_is_unreachable),
		TEST(slow_sending_reaches_the_server),
		TEST(slow_sending_notices_an_early_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
