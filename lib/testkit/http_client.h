/* A blocking HTTP/1.1 client for tests, over a bare socket to 127.0.0.1.
 *
 * A test has to send what no library sends: half a request, two at once, a byte a second, two
 * lengths. So sending takes any bytes, and receiving reads exactly one reply by the rules of
 * RFC 9112. Nothing is retried and nothing aborts: what went wrong is an outcome, since to be cut
 * off is often just what the test waits for.
 *
 *	struct http_client client;
 *	struct http_client_reply reply = {0};
 *	http_client_init(&client, port);
 *	assert_int_equal(HTTP_CLIENT_OK, http_client_call(&client, "POST", "/events/e1/holds",
 *		"Idempotency-Key: k1\r\n", "{\"seats\":[\"A-1\"]}", &reply));
 *	assert_int_equal(201, reply.status);
 *	json_t *hold = http_client_reply_json(&reply);
 *	…
 *	json_decref(hold);
 *	http_client_reply_release(&reply);
 *	http_client_release(&client);
 *
 * A client belongs to one thread at a time. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HTTP_CLIENT_TIMEOUT_MS_DEFAULT = 30000,
	HTTP_CLIENT_HEADERS_MAX = 64,
	HTTP_CLIENT_HEAD_SIZE_MAX = 64 * 1024,
	HTTP_CLIENT_BODY_SIZE_MAX = 256 * 1024 * 1024,
};

enum http_client_outcome {
	HTTP_CLIENT_OK,
	HTTP_CLIENT_UNREACHABLE, /* No connection: nobody listens, or the backlog is full. */
	HTTP_CLIENT_CLOSED,      /* The server ended the connection, before or within the reply. */
	HTTP_CLIENT_TIMEOUT,     /* The time was over first. */
	HTTP_CLIENT_MALFORMED,   /* What came is no HTTP reply. */
	HTTP_CLIENT_TOO_LARGE,   /* The reply passes one of the maxima above. */
};

/* The outcome's name, for messages. Never NULL. */
const char *http_client_outcome_name(enum http_client_outcome outcome);

struct http_client {
	uint16_t port;
	int fd;             /* -1: not connected. */
	int64_t timeout_ms; /* For each connect, send and receive as a whole; may be changed. */
	char *received;     /* What has come and was not yet used: pipelined replies wait here. */
	size_t received_size;
	size_t received_capacity;
};

struct http_client_header {
	const char *name;
	const char *value;
};

struct http_client_reply {
	int status;
	struct http_client_header headers[HTTP_CLIENT_HEADERS_MAX];
	size_t header_count;
	size_t interim_count; /* 1xx replies that came before it. */
	char *body;           /* Without transfer coding; a zero byte follows. */
	size_t body_size;
	bool keep_alive; /* Whether the connection stays open after it. */
	char *head;      /* What the headers point into. */
};

/* A client for 127.0.0.1:`port`, not connected yet. */
void http_client_init(struct http_client *client, uint16_t port);

/* Close the connection and give the memory back. */
void http_client_release(struct http_client *client);

/* Connect, after closing what was open. */
enum http_client_outcome http_client_connect(struct http_client *client);

/* Try to connect until it succeeds or `timeout_ms` have passed: for a server that is just starting
 * again. */
enum http_client_outcome http_client_reconnect(struct http_client *client, int64_t timeout_ms);

/* End the connection in the usual way; what was received and not used is dropped. Connecting again
 * is allowed. */
void http_client_close(struct http_client *client);

/* End the connection by a reset (RST), as when the other machine crashes and comes back. */
void http_client_abort(struct http_client *client);

/* Tell the server that nothing more will be sent; replies can still be received. */
void http_client_finish_sending(struct http_client *client);

/* Send bytes as they are. CLOSED when the server has ended the connection; a reply may still be
 * there to be received. Needs a connection, like everything below but http_client_call. */
enum http_client_outcome http_client_send(
	struct http_client *client, const void *bytes, size_t size);
enum http_client_outcome http_client_send_text(struct http_client *client, const char *text);

/* Send one byte, wait `pause_ms`, send the next: a client that wears a server out. Stops with
 * CLOSED as soon as the server ends the connection or answers. The client's time-out holds for each
 * byte. */
enum http_client_outcome http_client_send_slowly(
	struct http_client *client, const char *text, int64_t pause_ms);

/* Receive one reply to a request with this method (it matters for HEAD and CONNECT, whose replies
 * have no body). Interim replies (1xx) are counted and skipped. `reply` is zero or was used before;
 * what it held is released. When the reply says so, or on any outcome but OK, the connection is
 * closed. A body that ends early is CLOSED, with what came in `reply`. */
enum http_client_outcome http_client_receive(
	struct http_client *client, const char *method, struct http_client_reply *reply);

/* One request and its reply: connect where needed (also when the server has ended the idle
 * connection), send, receive. `headers` are lines that each end in \r\n, or NULL; Host is added,
 * and with a body its Content-Length and, unless given, `Content-Type: application/json`. `body` is
 * text, or NULL for none. A request is never sent twice. */
enum http_client_outcome http_client_call(struct http_client *client, const char *method,
	const char *path, const char *headers, const char *body, struct http_client_reply *reply);

/* Whether the server ends the connection within `timeout_ms`. Bytes that come before are kept. */
bool http_client_wait_closed(struct http_client *client, int64_t timeout_ms);

/* The value of the first header of this name, in any case; NULL: there is none. */
const char *http_client_reply_header(const struct http_client_reply *reply, const char *name);

/* The body as JSON, or NULL when it is none. The caller gives it back by json_decref. */
json_t *http_client_reply_json(const struct http_client_reply *reply);

/* Give back what it holds and make it zero. */
void http_client_reply_release(struct http_client_reply *reply);
