/* What the two files of the fault proxy share; nobody else includes it. */
#pragma once

#include <poll.h>
#include <pthread.h>
#include <stddef.h>

#include "lib/testkit/fault_proxy.h"

enum {
	FAULT_PROXY_URL_SIZE_MAX = 1024,
	FAULT_PROXY_CHUNK_SIZE = 64 * 1024,
	FAULT_PROXY_TAIL_SIZE_MAX = FAULT_PROXY_PATTERN_SIZE_MAX - 1,
};

/* Bytes on their way from one socket to the other. Nothing more is read until they have gone. The
 * end of what went before stays in front of them, since a pattern may lie across two pieces. */
struct flow {
	char bytes[FAULT_PROXY_TAIL_SIZE_MAX + FAULT_PROXY_CHUNK_SIZE];
	size_t tail_size;  /* Before FAULT_PROXY_TAIL_SIZE_MAX. */
	size_t chunk_size; /* From FAULT_PROXY_TAIL_SIZE_MAX on. */
	size_t sent_size;  /* Of the chunk. */
	int64_t due_ms;    /* When the chunk may leave. */
	bool ended;        /* Nothing more will come. */
	bool closed;       /* And the other side was told. */
};

struct connection {
	int client_fd, service_fd; /* client_fd is -1 once its reply was lost. */
	bool armed;                /* What the service says next is to be lost. */
	struct flow request, reply;
};

enum order_kind {
	ORDER_PASS,
	ORDER_CUT,
	ORDER_REFUSE,
	ORDER_STALL,
	ORDER_DELAY,
	ORDER_LOSE_REPLY,
	ORDER_LOSE_NEXT_REPLY,
	ORDER_LOSE_REQUEST,
	ORDER_COUNT_LOST,
	ORDER_COUNT_CONNECTIONS,
	ORDER_END,
};

/* What the test wants, and the pattern or the time that goes with it. */
struct order {
	enum order_kind kind;
	int64_t ms;
	size_t pattern_size;
	char pattern[FAULT_PROXY_PATTERN_SIZE_MAX];
};

struct fault_proxy {
	pthread_t thread;
	uint16_t port, service_port;
	char url[FAULT_PROXY_URL_SIZE_MAX];
	int order_fds[2]; /* The test's end and the thread's. */

	/* From here on all belongs to the thread. */
	int placeholder_fd; /* Keeps the port while nobody listens on it. */
	int listener_fd;    /* -1 while connections are refused. */
	struct connection *connections[FAULT_PROXY_CONNECTIONS_MAX];
	size_t connection_count;
	int64_t taken_count, lost_count, delay_ms;
	bool stalled, lose_next;
	struct order lose; /* ORDER_LOSE_REPLY, ORDER_LOSE_REQUEST, or ORDER_PASS for neither. */
};

/* The connection between one client and the service; both descriptors become its own. NULL when
 * memory is short. */
struct connection *fault_connection_new(int client_fd, int service_fd);

/* Close it: in order when both sides have ended and all was passed on, otherwise with a reset. */
void fault_connection_free(struct connection *connection);

/* Close with a reset, so that the other side cannot take it for an orderly end. */
void fault_reset(int fd);

/* What poll has to wait for on the client's and on the service's side, and until when at most. */
void fault_connection_wait(const struct fault_proxy *proxy, const struct connection *connection,
	struct pollfd pair[2], int64_t *wake_ms);

/* Move bytes where poll has found that it can be done. False when the connection is over. */
bool fault_connection_serve(
	struct fault_proxy *proxy, struct connection *connection, const struct pollfd pair[2]);

/* Forget what the client has said, as far as patterns go. */
void fault_connection_forget(struct connection *connection);
