/* A fetcher, a peer to talk to, and short ways to ask and check. Whatever goes wrong fails the
 * running test. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/http/client.h"
#include "lib/http/client_peer.h"

enum { FETCHES_MAX = 512 };

/* On a busy machine each step may be late by seconds. So what must happen is waited for as long as
 * PATIENCE_MS, and what must not happen by itself is put off until NEVER_MS. */
enum { PATIENCE_MS = 20000, NEVER_MS = 600000 };

struct client_fixture {
	struct peer peer;
	struct http_fetcher *fetcher;
	struct http_fetch fetches[FETCHES_MAX];
	char url[128];
	int closed_fd; /* Keeps the port of fixture_closed_port. 0: none. */
};

extern struct client_fixture fixture;

/* Make every call of the fetcher that is not said otherwise. Limits of time that are zero become
 * NEVER_MS. */
void fixture_fetcher(struct http_fetcher_options options);

/* The peer, and a fetcher with defaults that suit a test: no limits of time, short pauses. */
void fixture_serve(void (*serve)(struct peer_connection *connection));

/* Close and release everything; a cmocka teardown. */
int fixture_end(void **state);

/* "http://127.0.0.1:PORT" and the path; valid until the next one. */
const char *peer_url(const char *path);

/* A GET of the peer's "/"; a POST of "{}" to it as JSON. */
struct http_fetch get_root(void);
struct http_fetch post_root(void);

/* A port of 127.0.0.1 on which nobody listens until the end of the test. */
uint16_t fixture_closed_port(void);

void submit(struct http_fetch *fetch);

/* Collect until `fetch` is done; all others that come first are forgotten. */
void collect(struct http_fetch *fetch);

/* Submit, collect, and want this; returns the call's result. */
const struct http_fetch_result *want(
	struct http_fetch *fetch, enum http_fetch_outcome outcome, enum http_fetch_cause cause);

/* The answer is 200 with this body. */
void want_ok(struct http_fetch *fetch, const char *body);

int64_t now_ms(void);
void pause_ms(int64_t ms);

/* Turn the fetcher until the peer has got so many requests. Nothing may be done meanwhile. */
void turn_until_requests(size_t count);
