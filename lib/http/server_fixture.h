/* A server with a route of each kind, one client, and short ways to ask and check. One per test
 * program; whatever goes wrong fails the running test. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/http/server.h"
#include "lib/testkit/http_client.h"

/* The routes, each answering {"path": …} or what is said here:
 *
 *	GET /plain                            on the loop: "plain\n"
 *	GET /work                             on a worker: "work\n"
 *	GET /deferred                         another thread completes it: "deferred\n"
 *	GET /gate                             a worker waits until fixture_open_gate: "gate\n"
 *	GET /left                             deferred until the client has gone
 *	GET /silent, GET /silent-work, GET /silent-deferred    make no reply
 *	GET /large                            LARGE_SIZE bytes
 *	POST /echo, POST /work-echo           the body, up to ECHO_SIZE_MAX
 *	POST /small                           the body, up to SMALL_SIZE_MAX
 *	POST /json                            the body's object, up to JSON_SIZE_MAX
 *	GET /query                            {name: value}
 *	GET, PUT, DELETE /items/{itemId}      the parameter as it was decoded
 *	GET /items/special                    "special"
 *	GET /items/{itemId}/parts/{partId}    both, with a line between them
 *	GET /places/{placeToken}              "place\n"
 */
enum {
	ECHO_SIZE_MAX = 2 << 20,
	SMALL_SIZE_MAX = 16,
	JSON_SIZE_MAX = 8192,
	LARGE_SIZE = 16 << 20,
};

/* On a busy machine each step may be late by seconds. So what must happen is waited for as long as
 * PATIENCE_MS, and what must not happen by itself is put off until NEVER_MS. */
enum { PATIENCE_MS = 20000, NEVER_MS = 600000 };

struct server_fixture {
	struct http_server *server;
	uint16_t port;
	struct http_client client;
	struct http_client_reply reply;
	atomic_size_t handled; /* How often a handler was called. */
	atomic_size_t waiting; /* Workers that stand before the gate. */
	atomic_size_t left;    /* Requests of /left that saw their client go. */
};

extern struct server_fixture fixture;

/* Open the server; the options' routes are filled in, limits on clients and requests that are zero
 * become NEVER_MS, and what else is zero has its default. */
void fixture_open(struct http_server_options options);

/* Opens the gate as well, so that the server can end. */
void fixture_close(void);

void fixture_open_gate(void);

/* End the server only; fixture_close is still to follow. */
void fixture_end_server(void);

/* How many connections the server has, or one of its loops. */
size_t fixture_connections(void);
size_t fixture_loop_connections(size_t index);

/* Wait until the server has `count` connections; fails the test after PATIENCE_MS, as all waiting
 * here does. */
void fixture_wait_connections(size_t count);

/* Wait until `counter` is `value`. */
void fixture_wait_count(const atomic_size_t *counter, size_t value);

/* Wait until `count` exchanges are in the workers' queue. */
void fixture_wait_queued(size_t count);

/* Wait until the other thread has `count` exchanges that were deferred. */
void fixture_wait_deferred(size_t count);

/* Ask on the fixture's client and want a reply of this status. */
void ask(const char *method, const char *path, const char *headers, const char *body, int status);

/* Send these bytes on a new connection of the fixture's client. */
void send_raw(const char *text);

/* Wait until the server has read the head of the request that this client has sent: a head with
 * EXPECT_CONTINUE, to which it says 100. */
#define EXPECT_CONTINUE "Expect: 100-continue\r\n"
void want_continue(struct http_client *client);

/* Receive a reply of this status. */
void want(const char *method, int status);

/* The last reply is a problem of this kind, in the shape of RFC 9457. */
void want_problem(const char *type);

void want_body(const char *text);

/* The last reply's header has this value; NULL: it has no such header. */
void want_header(const char *name, const char *value);

/* The server ends the fixture's connection without saying anything more. */
void want_closed(void);

/* The server answers on a new connection: whatever happened before has not hurt it. */
void want_alive(void);

int64_t now_ms(void);

void pause_ms(int64_t ms);
