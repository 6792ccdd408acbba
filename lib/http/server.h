/* An HTTP/1.1 server: event loops on libmicrohttpd, and workers for handlers that block.
 *
 * DESIGN. Each loop is one thread with one MHD daemon in external-epoll mode. The loop waits on an
 * epoll set of its own: MHD's epoll descriptor, an eventfd by which other threads wake it, and each
 * connection's socket (only to see that a client has gone while its request is being worked on).
 * Loop 0 also owns the listening socket and deals new connections to the loop that has the fewest;
 * with one listening socket per loop (SO_REUSEPORT) the kernel would deal unevenly, a full loop
 * would let newcomers hang, and a second process could bind the same port unnoticed.
 *
 * A handler that may block runs on a worker: the connection is suspended, the exchange goes through
 * a bounded queue, and comes back through the loop's list of completed exchanges, with one write to
 * the eventfd per burst. Only the loop's own thread touches MHD. A full queue is answered by 503
 * with Retry-After before any work is done.
 *
 * MHD's time-out counts inactivity, which a client that sends a byte a second never meets; so each
 * phase of a connection (head, body, reply, idle) has an absolute deadline here. */
#pragma once

#include <stdint.h>

#include "lib/http/exchange.h"
#include "lib/metrics/metrics.h"

struct http_health;
struct http_server;

struct http_server_options {
	const char *address; /* Where to listen; NULL: 127.0.0.1. */
	uint16_t port;       /* 0: a free one. */
	const struct http_route *routes;
	size_t route_count;
	void *context; /* For handlers: http_context(). */
	/* Of each route, where tables of several fronts stand in one; an entry that is NULL means
	 * `context`. NULL: that holds for all. Must live as long as the server. */
	void *const *contexts;
	size_t loop_count;           /* 0: one per core. */
	size_t worker_count;         /* 0: 16, when a route needs workers. */
	size_t worker_queue_max;     /* Exchanges that wait for a worker. 0: 1,024. */
	size_t connections_max;      /* Beyond: 503. 0: 10,000, or what descriptors allow. */
	size_t connection_pool_size; /* MHD's memory per connection, ≥ 8 KiB. 0: 8 KiB. */
	int64_t head_ms_max; /* From the first byte, or the connect, to the end of the headers. 0:
				10 s. */
	int64_t body_ms_max; /* From there to the end of the body. 0: 30 s. */
	int64_t request_ms_max;       /* From there until nobody waits any more: 503. 0: 10 s. */
	int64_t reply_ms_max;         /* For sending the reply. 0: 30 s. */
	int64_t idle_ms_max;          /* Between two requests. 0: 75 s. */
	int64_t stream_keep_alive_ms; /* A silent stream gets a comment this often. 0: 15 s. */
	int64_t stream_stall_ms_max;  /* A stream whose reader takes nothing is dropped. 0: 10 s. */
	int64_t drain_ms_max; /* http_server_close waits this long for what is in flight. 0: 10 s.
			       */
	const char *tls_certificate; /* PEM files; both or neither. NULL: no TLS. */
	const char *tls_key;
	struct metrics *metrics;    /* See server_metrics.h; must outlive the server. NULL: none. */
	struct http_health *health; /* See health.h; must outlive the server. NULL: none. */
	int access_log_fd;          /* 0: none, else a line per request is written to it. */
};

enum { HTTP_CONNECTION_POOL_SIZE_MIN = 8192 };

/* Listen and serve. The options' routes must live as long as the server. On STATUS_REFUSED `fault`
 * says why (the port is taken, a pattern is wrong). */
__attribute__((warn_unused_result)) enum status http_server_open(
	const struct http_server_options *options, struct http_server **server,
	struct fault *fault);

/* The port it listens on. */
uint16_t http_server_port(const struct http_server *server);

/* Take no new connections, answer what is in flight (no longer than drain_ms_max), end all threads
 * and free everything. NULL is allowed. */
void http_server_close(struct http_server *server);
