/* A TCP proxy in the test's own process, between a client and a service on 127.0.0.1, that can do
 * what networks do: lose an answer after the effect, break, refuse, keep silent, be slow.
 *
 *	struct fault_proxy *proxy = fault_proxy_open(fixture.url);
 *	options.url = fault_proxy_url(proxy);
 *	…
 *	fault_proxy_lose_reply(proxy, (struct slice){"commit", sizeof "commit"});
 *	assert_int_equal(STATUS_UNKNOWN, postgres_commit(pg));
 *	assert_true(fault_proxy_wait_lost(proxy, 1, PATIENCE_MS));
 *	…
 *	fault_proxy_close(proxy);
 *
 * DESIGN. One thread owns all sockets; what the test asks for is handed to it and done when the
 * function returns, so a test never has to wait for a fault to be in place. One thread at a time
 * controls a proxy. Bytes are passed as they come: the proxy understands no protocol, so it sees
 * neither inside TLS nor where one request ends. It takes what the service says first after a
 * request was passed on for the reply to it, which is right for a client that waits for each answer
 * before it asks again. A pattern needs care: "begin isolation level read committed" contains
 * "commit", but not with the zero byte that ends a query. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/slice.h"

enum {
	FAULT_PROXY_CONNECTIONS_MAX = 64, /* At once; further ones wait to be accepted. */
	FAULT_PROXY_PATTERN_SIZE_MAX = 64,
};

struct fault_proxy;

/* A proxy for the service at this URL, which has "127.0.0.1:PORT" or "localhost:PORT" in it, such
 * as that of a fixture. The service need not run yet. NULL when the URL has no such address, or the
 * system no socket or thread to give. */
__attribute__((warn_unused_result)) struct fault_proxy *fault_proxy_open(const char *url);

/* Break all connections and free. Accepts NULL. */
void fault_proxy_close(struct fault_proxy *proxy);

/* The URL with the proxy's address in place of the service's. Borrowed from the proxy. */
const char *fault_proxy_url(const struct fault_proxy *proxy);

/* The proxy's port. */
uint16_t fault_proxy_port(const struct fault_proxy *proxy);

/* From now on, pass everything again: ends each of the faults below that lasts, and forgets one
 * that still waits for its request. */
void fault_proxy_pass(struct fault_proxy *proxy);

/* Reset all connections, on both sides. New ones are taken. */
void fault_proxy_cut(struct fault_proxy *proxy);

/* Refuse new connections, as a service that does not run; the port stays ours. Lasts. */
void fault_proxy_refuse(struct fault_proxy *proxy);

/* Take connections and bytes, and pass nothing on in either direction, not even an end. What is
 * kept back is delivered when the fault ends. Lasts. */
void fault_proxy_stall(struct fault_proxy *proxy);

/* Deliver each piece of a reply no sooner than `ms` after it came. Lasts. */
void fault_proxy_delay(struct fault_proxy *proxy, int64_t ms);

/* Lose the reply to the next request that contains these bytes, 1 to FAULT_PROXY_PATTERN_SIZE_MAX:
 * the service gets the request and acts upon it, and when it begins to answer, the client's
 * connection is reset instead. Happens once. */
void fault_proxy_lose_reply(struct fault_proxy *proxy, struct slice request);

/* Lose what the service says next, to whomever, and reset that client's connection. Once. */
void fault_proxy_lose_next_reply(struct fault_proxy *proxy);

/* Lose the next request that contains these bytes: its last piece does not reach the service, and
 * the connection is reset on both sides. The client cannot tell it from a lost reply. Once. */
void fault_proxy_lose_request(struct fault_proxy *proxy, struct slice request);

/* How many replies and requests were lost so far by the three functions above. */
int64_t fault_proxy_lost_count(struct fault_proxy *proxy);

/* Wait until so many were lost. False when that many are not within the time. */
bool fault_proxy_wait_lost(struct fault_proxy *proxy, int64_t count, int64_t timeout_ms);

/* How many connections were taken so far. */
int64_t fault_proxy_connection_count(struct fault_proxy *proxy);
