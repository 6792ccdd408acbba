/* The proxy between a client and a service, both played by the test. */
#include "lib/testkit/fault_proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"

enum { PATIENCE_S = 30, PATIENCE_MS = PATIENCE_S * 1000, DELAY_MS = 300, LARGE_SIZE = 3000001 };

static int listener; /* The service's. */
static struct fault_proxy *proxy;
static int client, service; /* The two ends of the test's connection. */

static void make_patient(int fd)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	assert_int_equal(0, setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience));
	assert_int_equal(0, setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience));
}

/* 0, or the error with which the proxy refuses. */
static int connect_client(int *fd)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(fault_proxy_port(proxy)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(*fd >= 0);
	make_patient(*fd);
	return connect(*fd, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
}

static void connect_both(void)
{
	assert_int_equal(0, connect_client(&client));
	service = accept(listener, NULL, NULL);
	assert_true(service >= 0);
	make_patient(service);
}

static void close_both(void)
{
	(void)close(client);
	(void)close(service);
}

static int setup(void **state)
{
	(void)state;
	char url[64];
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(0, bind(listener, (struct sockaddr *)&address, size));
	assert_int_equal(0, listen(listener, 128));
	assert_int_equal(0, getsockname(listener, (struct sockaddr *)&address, &size));
	make_patient(listener);
	(void)snprintf(
		url, sizeof url, "tcp://user:word@127.0.0.1:%u/rest?x=1", ntohs(address.sin_port));
	proxy = fault_proxy_open(url);
	assert_non_null(proxy);
	connect_both();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close_both();
	fault_proxy_close(proxy);
	(void)close(listener);
	return 0;
}

static void say(int fd, const char *text)
{
	assert_int_equal((ssize_t)strlen(text), send(fd, text, strlen(text), MSG_NOSIGNAL));
}

static void hear(int fd, const char *text)
{
	char heard[256];
	assert_true(strlen(text) < sizeof heard);
	assert_int_equal((ssize_t)strlen(text), recv(fd, heard, strlen(text), MSG_WAITALL));
	assert_memory_equal(text, heard, strlen(text));
}

/* An orderly end. */
static void hear_end(int fd)
{
	char byte;
	assert_int_equal(0, recv(fd, &byte, 1, 0));
}

static void hear_reset(int fd)
{
	char byte;
	assert_int_equal(-1, recv(fd, &byte, 1, 0));
	assert_int_equal(ECONNRESET, errno);
}

/* Nothing has come, as far as can be seen: a test may wait for something, but not for nothing. */
static void hear_nothing(int fd)
{
	char byte;
	assert_int_equal(-1, recv(fd, &byte, 1, MSG_DONTWAIT));
	assert_int_equal(EAGAIN, errno);
}

static void bytes_and_ends_are_passed(void **state)
{
	(void)state;
	say(client, "ask");
	hear(service, "ask");
	say(service, "answer");
	hear(client, "answer");
	assert_int_equal(0, shutdown(client, SHUT_WR));
	hear_end(service);
	say(service, "last words");
	hear(client, "last words");
	assert_int_equal(0, shutdown(service, SHUT_WR));
	hear_end(client);
	assert_int_equal(1, fault_proxy_connection_count(proxy));
}

static void service_that_ends_first_is_passed_on(void **state)
{
	(void)state;
	say(service, "bye");
	assert_int_equal(0, shutdown(service, SHUT_WR));
	hear(client, "bye");
	hear_end(client);
	say(client, "too late?");
	hear(service, "too late?");
}

/* --- Much, in both directions at once --- */

static void *send_much(void *context)
{
	const int *fd = context;
	char *bytes = malloc(LARGE_SIZE);
	for (size_t i = 0; bytes != NULL && i < LARGE_SIZE; i++)
		bytes[i] = (char)(i * 2654435761u >> 13);
	for (size_t sent = 0; bytes != NULL && sent < LARGE_SIZE;) {
		ssize_t size = send(*fd, bytes + sent, LARGE_SIZE - sent, MSG_NOSIGNAL);
		if (size <= 0)
			break;
		sent += (size_t)size;
	}
	free(bytes);
	return NULL;
}

static void hear_much(int fd)
{
	char *bytes = malloc(LARGE_SIZE);
	assert_non_null(bytes);
	assert_int_equal(LARGE_SIZE, recv(fd, bytes, LARGE_SIZE, MSG_WAITALL));
	for (size_t i = 0; i < LARGE_SIZE; i++)
		assert_int_equal((char)(i * 2654435761u >> 13), bytes[i]);
	free(bytes);
}

static void much_is_passed_whole(void **state)
{
	(void)state;
	pthread_t threads[2];
	fault_proxy_lose_reply(proxy, slice_of("a pattern that nobody says"));
	assert_int_equal(0, pthread_create(&threads[0], NULL, send_much, &client));
	assert_int_equal(0, pthread_create(&threads[1], NULL, send_much, &service));
	hear_much(service);
	hear_much(client);
	for (int i = 0; i < 2; i++)
		assert_int_equal(0, pthread_join(threads[i], NULL));
	assert_int_equal(0, fault_proxy_lost_count(proxy));
}

/* --- Faults of connections --- */

static void cut_resets_both_sides(void **state)
{
	(void)state;
	say(client, "ask");
	hear(service, "ask");
	fault_proxy_cut(proxy);
	hear_reset(client);
	hear_reset(service);
	close_both();
	connect_both();
	say(client, "again");
	hear(service, "again");
}

static void refused_until_passed(void **state)
{
	(void)state;
	int refused;
	fault_proxy_refuse(proxy);
	assert_int_equal(ECONNREFUSED, connect_client(&refused));
	(void)close(refused);
	/* Who is there already stays. */
	say(client, "ask");
	hear(service, "ask");
	fault_proxy_refuse(proxy);
	fault_proxy_pass(proxy);
	fault_proxy_pass(proxy);
	close_both();
	connect_both();
	say(service, "hello");
	hear(client, "hello");
}

static void client_of_an_absent_service_is_reset(void **state)
{
	(void)state;
	int lonely;
	(void)close(listener);
	assert_int_equal(0, connect_client(&lonely));
	hear_reset(lonely);
	(void)close(lonely);
	listener = -1;
}

static void stalled_bytes_arrive_later(void **state)
{
	(void)state;
	fault_proxy_stall(proxy);
	say(client, "ask");
	say(service, "answer");
	int later;
	assert_int_equal(0, connect_client(&later));
	(void)fault_proxy_lost_count(proxy); /* It has looked at its sockets since. */
	hear_nothing(service);
	hear_nothing(client);
	fault_proxy_pass(proxy);
	hear(service, "ask");
	hear(client, "answer");
	(void)close(later);
}

static void delayed_replies_are_late(void **state)
{
	(void)state;
	fault_proxy_delay(proxy, DELAY_MS);
	int64_t start_ms = clock_monotonic_ms(clock_system());
	say(service, "late");
	hear(client, "late");
	assert_true(clock_monotonic_ms(clock_system()) - start_ms >= DELAY_MS);
	fault_proxy_pass(proxy);
	say(service, "soon");
	hear(client, "soon");
}

/* --- Faults of requests --- */

static void reply_to_a_pattern_is_lost_once(void **state)
{
	(void)state;
	say(client, "commit"); /* Before the fault was asked for. */
	hear(service, "commit");
	fault_proxy_lose_reply(proxy, slice_of("commit"));
	say(service, "done");
	hear(client, "done");
	say(client, "insert");
	hear(service, "insert");
	say(service, "done");
	hear(client, "done");
	say(client, "please com");
	hear(service, "please com");
	say(client, "mit now");
	hear(service, "mit now");
	hear_nothing(client);
	assert_int_equal(0, fault_proxy_lost_count(proxy));
	say(service, "done");
	hear_reset(client);
	assert_true(fault_proxy_wait_lost(proxy, 1, PATIENCE_MS));
	hear_end(service);
	close_both();
	connect_both();
	say(client, "commit");
	hear(service, "commit");
	say(service, "done");
	hear(client, "done");
}

/* Only that client is cut off, and only its reply is lost. */
static void other_connections_go_on(void **state)
{
	(void)state;
	int first_client = client, first_service = service;
	connect_both();
	fault_proxy_lose_reply(proxy, slice_of("x"));
	say(first_client, "x");
	hear(first_service, "x");
	say(service, "to the other");
	hear(client, "to the other");
	say(first_service, "lost");
	hear_reset(first_client);
	say(service, "again");
	hear(client, "again");
	(void)close(first_client);
	(void)close(first_service);
}

static void next_reply_is_lost(void **state)
{
	(void)state;
	fault_proxy_lose_next_reply(proxy);
	say(client, "ask");
	hear(service, "ask");
	say(service, "lost");
	hear_reset(client);
	assert_true(fault_proxy_wait_lost(proxy, 1, PATIENCE_MS));
	assert_false(fault_proxy_wait_lost(proxy, 2, 1));
	close_both();
	connect_both();
	say(service, "not lost");
	hear(client, "not lost");
}

static void request_is_lost(void **state)
{
	(void)state;
	fault_proxy_lose_request(proxy, slice_of("commit"));
	say(client, "insert");
	hear(service, "insert");
	say(client, "then commit");
	hear_reset(client);
	hear_reset(service); /* And nothing before it. */
	assert_int_equal(1, fault_proxy_lost_count(proxy));
}

static void pass_forgets_what_was_to_be_lost(void **state)
{
	(void)state;
	fault_proxy_lose_reply(proxy, slice_of("a"));
	say(client, "a");
	hear(service, "a");
	fault_proxy_pass(proxy);
	say(service, "reply");
	hear(client, "reply");
	fault_proxy_lose_request(proxy, slice_of("b"));
	fault_proxy_lose_next_reply(proxy);
	fault_proxy_pass(proxy);
	say(client, "b");
	hear(service, "b");
	say(service, "reply");
	hear(client, "reply");
	assert_int_equal(0, fault_proxy_lost_count(proxy));
}

/* --- Many, and none --- */

static void more_connections_than_it_takes_wait(void **state)
{
	(void)state;
	enum { MORE = 5, COUNT = FAULT_PROXY_CONNECTIONS_MAX + MORE };
	int clients[COUNT];
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(0, connect_client(&clients[i]));
	while (fault_proxy_connection_count(proxy) < FAULT_PROXY_CONNECTIONS_MAX)
		(void)poll(NULL, 0, 1);
	fault_proxy_cut(proxy);
	while (fault_proxy_connection_count(proxy) < COUNT + 1)
		(void)poll(NULL, 0, 1);
	for (int i = 0; i < COUNT; i++)
		(void)close(clients[i]);
}

static void urls_get_the_address_of_the_proxy(void **state)
{
	(void)state;
	const struct {
		const char *url, *before, *after;
	} cases[] = {
		{"redis://:127.0.0.1:5@127.0.0.1:6379/0", "redis://:127.0.0.1:5@127.0.0.1:", "/0"},
		{"postgresql://u:p@localhost:5432/d?x=y", "postgresql://u:p@127.0.0.1:", "/d?x=y"},
		{"127.0.0.1:1", "127.0.0.1:", ""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char expected[128];
		struct fault_proxy *other = fault_proxy_open(cases[i].url);
		assert_non_null(other);
		(void)snprintf(expected, sizeof expected, "%s%u%s", cases[i].before,
			fault_proxy_port(other), cases[i].after);
		assert_string_equal(expected, fault_proxy_url(other));
		fault_proxy_close(other);
	}
	const char *const others[] = {"", "redis://example.org:6379", "127.0.0.1:", "127.0.0.1:x",
		"127.0.0.1:0", "127.0.0.1:65536", "postgresql:///d?host=/tmp"};
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		assert_null(fault_proxy_open(others[i]));
	fault_proxy_close(NULL);
}

#define test(function_) cmocka_unit_test_setup_teardown(function_, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(bytes_and_ends_are_passed),
		test(service_that_ends_first_is_passed_on),
		test(much_is_passed_whole),
		test(cut_resets_both_sides),
		test(refused_until_passed),
		test(client_of_an_absent_service_is_reset),
		test(stalled_bytes_arrive_later),
		test(delayed_replies_are_late),
		test(reply_to_a_pattern_is_lost_once),
		test(other_connections_go_on),
		test(next_reply_is_lost),
		test(request_is_lost),
		test(pass_forgets_what_was_to_be_lost),
		test(more_connections_than_it_takes_wait),
		cmocka_unit_test(urls_get_the_address_of_the_proxy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
