/* What claims to be a Redis server and says what a test wants: a thread that answers the first
 * bytes of each connection with a greeting, and whatever comes then with the next of its answers,
 * without reading any of it. */
#pragma once

#include <pthread.h>
#include <stddef.h>

/* The greeting of a server that has nothing against us: to CLIENT SETNAME and to PING. */
#define REDIS_PEER_WELCOME "+OK\r\n+PONG\r\n"

struct redis_peer {
	/* Set by the test before it starts the peer; each list ends with NULL. */
	const char *const *greetings; /* After each but the last the connection is closed; the last
				       * is also that of all later connections. */
	const char *const *answers;   /* When there are no more, and in place of an empty one, the
				       * connection is closed. */
	char url[64];                 /* Without a password. */

	int listener_fd;
	pthread_t thread;
};

/* Start it; asserts that it can be. */
void redis_peer_start(struct redis_peer *peer);

/* End it with all its connections. */
void redis_peer_stop(struct redis_peer *peer);
