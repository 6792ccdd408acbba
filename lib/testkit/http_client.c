/* How a reply is cut out of the stream follows RFC 9112: section 6.3 says what ends a body, 7.1
 * what chunks look like. What comes is kept in one growing block; a reply is taken from its front,
 * and what is behind it belongs to the next. */
#include "lib/testkit/http_client.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/testkit/http_client_reply.h"

enum { RECONNECT_PAUSE_MS = 10, RECEIVE_SIZE = 16 * 1024, CHUNK_LINE_SIZE_MAX = 1024 };

static int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

static void pause_for(int64_t ms)
{
	struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000 * 1000000)};
	nanosleep(&pause, NULL);
}

/* Wait for one of `events`; 0 when the deadline comes first. */
static short wait_for(int fd, short events, int64_t deadline_ms)
{
	for (;;) {
		int64_t left_ms = deadline_ms - now_ms();
		struct pollfd one = {.fd = fd, .events = events};
		int ready = poll(&one, 1, left_ms > 0 ? (int)left_ms : 0);
		if (ready > 0)
			return one.revents;
		if (ready == 0 || errno != EINTR)
			return 0;
	}
}

void http_client_init(struct http_client *client, uint16_t port)
{
	*client = (struct http_client){
		.port = port, .fd = -1, .timeout_ms = HTTP_CLIENT_TIMEOUT_MS_DEFAULT};
}

void http_client_release(struct http_client *client)
{
	http_client_close(client);
	free(client->received);
	http_client_init(client, client->port);
}

enum http_client_outcome http_client_connect(struct http_client *client)
{
	http_client_close(client);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return HTTP_CLIENT_UNREACHABLE;
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(client->port)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int error = 0;
	socklen_t size = sizeof error;
	if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		error = errno;
	if (error == EINPROGRESS) {
		if (!wait_for(fd, POLLOUT, now_ms() + client->timeout_ms))
			error = ETIMEDOUT;
		else
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	}
	if (error) {
		close(fd);
		return error == ETIMEDOUT ? HTTP_CLIENT_TIMEOUT : HTTP_CLIENT_UNREACHABLE;
	}
	/* Small pieces must leave at once, else a test of partial requests tests Nagle's rule. */
	int on = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	client->fd = fd;
	return HTTP_CLIENT_OK;
}

enum http_client_outcome http_client_reconnect(struct http_client *client, int64_t timeout_ms)
{
	int64_t deadline_ms = now_ms() + timeout_ms;
	enum http_client_outcome outcome = http_client_connect(client);
	while (outcome != HTTP_CLIENT_OK && now_ms() < deadline_ms) {
		pause_for(RECONNECT_PAUSE_MS);
		outcome = http_client_connect(client);
	}
	return outcome;
}

void http_client_close(struct http_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	client->received_size = 0;
}

void http_client_abort(struct http_client *client)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};
	if (client->fd >= 0)
		setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	http_client_close(client);
}

void http_client_finish_sending(struct http_client *client)
{
	shutdown(client->fd, SHUT_WR);
}

enum http_client_outcome http_client_send(
	struct http_client *client, const void *bytes, size_t size)
{
	assert(client->fd >= 0);
	int64_t deadline_ms = now_ms() + client->timeout_ms;
	const char *next = bytes;
	while (size > 0) {
		ssize_t sent = send(client->fd, next, size, MSG_NOSIGNAL);
		if (sent >= 0) {
			next += sent;
			size -= (size_t)sent;
		} else if (errno == EAGAIN) {
			if (!wait_for(client->fd, POLLOUT, deadline_ms))
				return HTTP_CLIENT_TIMEOUT;
		} else if (errno != EINTR) {
			return HTTP_CLIENT_CLOSED;
		}
	}
	return HTTP_CLIENT_OK;
}

enum http_client_outcome http_client_send_text(struct http_client *client, const char *text)
{
	return http_client_send(client, text, strlen(text));
}

enum http_client_outcome http_client_send_slowly(
	struct http_client *client, const char *text, int64_t pause_ms)
{
	for (const char *next = text; *next; next++) {
		enum http_client_outcome outcome = http_client_send(client, next, 1);
		if (outcome != HTTP_CLIENT_OK)
			return outcome;
		/* Readable before the request is whole: an early answer or the end. */
		if (next[1] && wait_for(client->fd, POLLIN | POLLRDHUP, now_ms() + pause_ms))
			return HTTP_CLIENT_CLOSED;
	}
	return HTTP_CLIENT_OK;
}

/* Receive what there is, at least one byte. */
static enum http_client_outcome receive_more(struct http_client *client, int64_t deadline_ms)
{
	if (client->received_capacity - client->received_size < RECEIVE_SIZE) {
		size_t capacity = client->received_capacity * 2 + RECEIVE_SIZE;
		char *grown = realloc(client->received, capacity);
		assert(grown);
		client->received = grown;
		client->received_capacity = capacity;
	}
	for (;;) {
		ssize_t got = recv(client->fd, client->received + client->received_size,
			client->received_capacity - client->received_size, 0);
		if (got > 0) {
			client->received_size += (size_t)got;
			return HTTP_CLIENT_OK;
		}
		if (got == 0 || (errno != EAGAIN && errno != EINTR))
			return HTTP_CLIENT_CLOSED;
		if (errno == EAGAIN && !wait_for(client->fd, POLLIN, deadline_ms))
			return HTTP_CLIENT_TIMEOUT;
	}
}

/* Forget the first `size` bytes. */
static void received_drop(struct http_client *client, size_t size)
{
	assert(size <= client->received_size);
	client->received_size -= size;
	memmove(client->received, client->received + size, client->received_size);
}

/* Wait until the received bytes from `from` on hold `mark`, and set `at` to where it begins. */
static enum http_client_outcome receive_until(struct http_client *client, size_t from,
	const char *mark, size_t size_max, int64_t deadline_ms, size_t *at)
{
	for (;;) {
		char *found = NULL;
		if (client->received_size > from)
			found = memmem(client->received + from, client->received_size - from, mark,
				strlen(mark));
		if (found) {
			*at = (size_t)(found - client->received);
			return HTTP_CLIENT_OK;
		}
		if (client->received_size - from > size_max)
			return HTTP_CLIENT_TOO_LARGE;
		enum http_client_outcome outcome = receive_more(client, deadline_ms);
		if (outcome != HTTP_CLIENT_OK)
			return outcome;
	}
}

static enum http_client_outcome head_receive(
	struct http_client *client, int64_t deadline_ms, struct http_client_reply *reply)
{
	size_t size;
	enum http_client_outcome outcome =
		receive_until(client, 0, "\r\n\r\n", HTTP_CLIENT_HEAD_SIZE_MAX, deadline_ms, &size);
	/* Something that is not HTTP may never hold an empty line. */
	if (outcome != HTTP_CLIENT_OK && client->received_size >= 7 &&
		memcmp(client->received, "HTTP/1.", 7) != 0)
		return HTTP_CLIENT_MALFORMED;
	if (outcome != HTTP_CLIENT_OK)
		return outcome;
	if (memchr(client->received, '\0', size))
		return HTTP_CLIENT_MALFORMED;
	reply->head = strndup(client->received, size);
	assert(reply->head);
	received_drop(client, size + 4);
	return http_client_head_parse(reply);
}

/* Move the first `size` received bytes to the end of the body. */
static enum http_client_outcome body_take(
	struct http_client *client, struct http_client_reply *reply, size_t size)
{
	if (size > HTTP_CLIENT_BODY_SIZE_MAX - reply->body_size)
		return HTTP_CLIENT_TOO_LARGE;
	char *grown = realloc(reply->body, reply->body_size + size + 1);
	assert(grown);
	reply->body = grown;
	if (size > 0)
		memcpy(reply->body + reply->body_size, client->received, size);
	reply->body_size += size;
	reply->body[reply->body_size] = '\0';
	received_drop(client, size);
	return HTTP_CLIENT_OK;
}

static enum http_client_outcome body_receive_sized(struct http_client *client, size_t size,
	int64_t deadline_ms, struct http_client_reply *reply)
{
	if (size > HTTP_CLIENT_BODY_SIZE_MAX)
		return HTTP_CLIENT_TOO_LARGE;
	enum http_client_outcome outcome = HTTP_CLIENT_OK;
	while (outcome == HTTP_CLIENT_OK && client->received_size < size)
		outcome = receive_more(client, deadline_ms);
	size_t there = client->received_size < size ? client->received_size : size;
	enum http_client_outcome taken = body_take(client, reply, there);
	return outcome == HTTP_CLIENT_OK ? taken : outcome;
}

static enum http_client_outcome body_receive_to_end(
	struct http_client *client, int64_t deadline_ms, struct http_client_reply *reply)
{
	enum http_client_outcome outcome = HTTP_CLIENT_OK;
	while (outcome == HTTP_CLIENT_OK && client->received_size <= HTTP_CLIENT_BODY_SIZE_MAX)
		outcome = receive_more(client, deadline_ms);
	enum http_client_outcome taken = body_take(client, reply, client->received_size);
	reply->keep_alive = false;
	return outcome == HTTP_CLIENT_CLOSED ? taken : outcome;
}

/* Read trailer lines up to and including the empty one. */
static enum http_client_outcome trailers_drop(struct http_client *client, int64_t deadline_ms)
{
	for (;;) {
		size_t size;
		enum http_client_outcome outcome = receive_until(
			client, 0, "\r\n", HTTP_CLIENT_HEAD_SIZE_MAX, deadline_ms, &size);
		if (outcome != HTTP_CLIENT_OK)
			return outcome;
		received_drop(client, size + 2);
		if (size == 0)
			return HTTP_CLIENT_OK;
	}
}

static enum http_client_outcome body_receive_chunked(
	struct http_client *client, int64_t deadline_ms, struct http_client_reply *reply)
{
	for (;;) {
		size_t line_size;
		size_t size;
		enum http_client_outcome outcome = receive_until(
			client, 0, "\r\n", CHUNK_LINE_SIZE_MAX, deadline_ms, &line_size);
		if (outcome != HTTP_CLIENT_OK)
			return outcome;
		if (!http_client_chunk_size_parse(client->received, line_size, &size))
			return HTTP_CLIENT_MALFORMED;
		received_drop(client, line_size + 2);
		if (size == 0)
			return trailers_drop(client, deadline_ms);
		outcome = body_receive_sized(client, size, deadline_ms, reply);
		if (outcome != HTTP_CLIENT_OK)
			return outcome;
		outcome = receive_until(client, 0, "\r\n", 2, deadline_ms, &line_size);
		if (outcome != HTTP_CLIENT_OK)
			return outcome;
		if (line_size != 0)
			return HTTP_CLIENT_MALFORMED;
		received_drop(client, 2);
	}
}

/* RFC 9112, section 6.3. */
static enum http_client_outcome body_receive(struct http_client *client, const char *method,
	int64_t deadline_ms, struct http_client_reply *reply)
{
	if (strcmp(method, "HEAD") == 0 || reply->status == 204 || reply->status == 304 ||
		reply->status == 101)
		return HTTP_CLIENT_OK;
	if (strcmp(method, "CONNECT") == 0 && reply->status / 100 == 2)
		return HTTP_CLIENT_OK;
	const char *coding = http_client_reply_header(reply, "Transfer-Encoding");
	const char *length = http_client_reply_header(reply, "Content-Length");
	if (coding && (length || strcasecmp(coding, "chunked") != 0))
		return HTTP_CLIENT_MALFORMED;
	if (coding)
		return body_receive_chunked(client, deadline_ms, reply);
	if (!length)
		return body_receive_to_end(client, deadline_ms, reply);
	char *end = NULL;
	errno = 0;
	unsigned long long size = strtoull(length, &end, 10);
	if (strspn(length, "0123456789") == 0 || *end || errno)
		return HTTP_CLIENT_MALFORMED;
	return body_receive_sized(client, (size_t)size, deadline_ms, reply);
}

enum http_client_outcome http_client_receive(
	struct http_client *client, const char *method, struct http_client_reply *reply)
{
	assert(client->fd >= 0);
	int64_t deadline_ms = now_ms() + client->timeout_ms;
	enum http_client_outcome outcome;
	size_t interim_count = 0;
	for (;; interim_count++) {
		http_client_reply_release(reply);
		outcome = head_receive(client, deadline_ms, reply);
		if (outcome != HTTP_CLIENT_OK || reply->status >= 200 || reply->status == 101)
			break;
	}
	reply->interim_count = interim_count;
	if (outcome == HTTP_CLIENT_OK) {
		/* A body that may be looked at without asking whether there is one. */
		reply->body = calloc(1, 1);
		assert(reply->body);
		outcome = body_receive(client, method, deadline_ms, reply);
	}
	if (outcome != HTTP_CLIENT_OK || !reply->keep_alive)
		http_client_close(client);
	return outcome;
}

/* Whether the idle connection was ended by the server; it is closed then. */
static bool idle_ended(struct http_client *client)
{
	char byte;
	ssize_t got = recv(client->fd, &byte, 1, MSG_PEEK);
	return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

enum http_client_outcome http_client_call(struct http_client *client, const char *method,
	const char *path, const char *headers, const char *body, struct http_client_reply *reply)
{
	http_client_reply_release(reply);
	if (client->fd < 0 || idle_ended(client)) {
		enum http_client_outcome connected = http_client_connect(client);
		if (connected != HTTP_CLIENT_OK)
			return connected;
	}
	const char *given = headers ? headers : "";
	const char *type = body && !strcasestr(given, "content-type:")
		? "Content-Type: application/json\r\n"
		: "";
	char length[48] = "";
	if (body)
		snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(body));
	char *request = NULL;
	int size = asprintf(&request, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s%s%s\r\n%s",
		method, path, (unsigned int)client->port, given, type, length, body ? body : "");
	assert(size > 0);
	enum http_client_outcome sent = http_client_send(client, request, (size_t)size);
	free(request);
	if (sent == HTTP_CLIENT_TIMEOUT) {
		http_client_close(client);
		return sent;
	}
	/* A server that refused the body and closed may have answered before. */
	return http_client_receive(client, method, reply);
}

bool http_client_wait_closed(struct http_client *client, int64_t timeout_ms)
{
	int64_t deadline_ms = now_ms() + timeout_ms;
	enum http_client_outcome outcome = HTTP_CLIENT_OK;
	while (client->fd >= 0 && outcome == HTTP_CLIENT_OK &&
		client->received_size < HTTP_CLIENT_BODY_SIZE_MAX)
		outcome = receive_more(client, deadline_ms);
	return client->fd < 0 || outcome == HTTP_CLIENT_CLOSED;
}
