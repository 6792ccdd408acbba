/* A server for tests of the client that does exactly what a test tells it, also what no server
 * should: each connection is a thread that runs the test's function. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PEER_CONNECTIONS_MAX = 512, PEER_REQUEST_SIZE = 64 << 10 };

struct peer;

struct peer_connection {
	struct peer *peer;
	pthread_t thread;
	int fd;
	size_t number;                   /* From 1, in the order in which they came. */
	char request[PEER_REQUEST_SIZE]; /* The last one's head, with a zero byte behind. */
	size_t body_size;                /* How much of its body has come. */
};

struct peer {
	void (*serve)(struct peer_connection *connection);
	int listen_fd;
	int held_fd; /* Bound and not listening: nobody else gets the port of a peer that stopped.
		      */
	uint16_t port;
	pthread_t thread;
	pthread_mutex_t mutex; /* Of the descriptors, which are closed by two sides. */
	struct peer_connection *all[PEER_CONNECTIONS_MAX];
	atomic_size_t connections;  /* Accepted. */
	atomic_size_t requests;     /* Whose head has come. */
	atomic_size_t now, now_max; /* For the test's function. */
	atomic_bool ending;
	char last_request[PEER_REQUEST_SIZE]; /* Of any connection; read it when all is quiet. */
};

/* Listen on a free port of 127.0.0.1 and serve each connection; it ends when `serve` returns. */
void peer_open(struct peer *peer, void (*serve)(struct peer_connection *connection));

/* End all connections and threads. From now on whoever connects is refused. */
void peer_stop(struct peer *peer);

/* Stop, and give the port back. */
void peer_close(struct peer *peer);

/* Receive a head and as much of a body as it declares. False when the client has gone. */
bool peer_receive(struct peer_connection *connection);

/* Receive a head only. */
bool peer_receive_head(struct peer_connection *connection);

/* Receive `size` bytes and throw them away. */
bool peer_receive_bytes(struct peer_connection *connection, size_t size);

/* Send text; false when the client has gone. */
bool peer_send(struct peer_connection *connection, const char *text);

/* End the connection by a reset. */
void peer_reset(struct peer_connection *connection);

/* Wait until the client has gone or the test is over. */
void peer_wait_gone(struct peer_connection *connection);

/* Wait until the peer has got so many requests; what it gets, it gets without the client's help. */
void peer_wait_requests(struct peer *peer, size_t count);

/* Wait until the connection with this number, from 1, was ended by the test's function. */
void peer_wait_ended(struct peer *peer, size_t number);

/* Answer 200 with "ok" to whatever comes, until the client has gone. */
void peer_serve_ok(struct peer_connection *connection);
