/* An exchange without a socket, for fuzz targets: what libmicrohttpd tells lib/http of a request is
 * answered from memory. The functions of libmicrohttpd that a request's way through lib/http calls
 * are defined here and, standing in the program itself, come before the shared library's. */
#pragma once

#include "lib/http/exchange.h"
#include "lib/http/routes.h"
#include "lib/http/stream.h"

enum { FAKE_HEADERS_MAX = 64 };

struct fake_headers {
	struct {
		char *name, *value;
	} items[FAKE_HEADERS_MAX];
	size_t count;
};

/* Take header lines out of `rest`, up to an empty line, which is taken too. */
void fake_headers_read(struct fake_headers *headers, struct slice *rest);
void fake_headers_release(struct fake_headers *headers);

struct fake_request {
	struct slice method, target; /* As they came. */
	struct fake_headers headers;
	struct slice body; /* Cut to what its route takes, as the server would refuse more. */
};

/* Make the exchange of a request with its first line and headers; the routes are those of
 * fake_routes. It is not parsed yet. Released by fake_exchange_free, together with the server. */
struct http_exchange *fake_exchange_new(struct fake_request *request);
void fake_exchange_free(struct http_exchange *exchange);

/* What the server does when a request's headers and body have come: check the framing, find the
 * route, take the body, call the handler, compress. Then a reply has been made. */
void fake_exchange_run(struct http_exchange *exchange, struct slice body);

/* Assert that the reply is one that a client can read: a status, headers without line breaks, valid
 * JSON where it says so, a problem that repeats the status, an access log line that is JSON and
 * does not show `secret`, which may be empty. */
void fake_exchange_check(struct http_exchange *exchange, struct slice secret);

/* The reply's header of that name; NULL when it has none. */
const char *fake_reply_header(const struct http_exchange *exchange, const char *name);

extern const struct http_route fake_routes[];
extern const size_t fake_route_count;

/* Open a channel on the server of all fake exchanges. */
struct http_channel *fake_channel_open(const struct http_channel_options *options);

/* Let the loop see what has been published. */
void fake_loop_deliver(void);

/* What the client of a stream reads now: at most `size` bytes. Returns how many there were. */
size_t fake_stream_read(struct http_exchange *exchange, char *to, size_t size);
