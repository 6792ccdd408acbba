/* What a handler sees: one request and the reply it makes of it.
 *
 * An exchange belongs to one thread at a time. A route's handler is called either on the event
 * loop, where it must not block, or on a worker thread, where it may. A handler makes exactly one
 * reply; what it leaves out becomes a 500. Everything that an exchange hands out (slices, JSON,
 * arena memory) lives until the reply has been sent. */
#pragma once

#include <jansson.h>

#include "lib/base/arena.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

struct http_exchange;
struct lane;
struct lane_item;

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_METHOD_COUNT };

enum http_thread {
	HTTP_ON_LOOP,   /* On the event loop: must not block; may defer. */
	HTTP_ON_WORKER, /* On a worker thread: may block. */
};

/* One resource and method. HEAD is answered as GET without the body, OPTIONS and 405 from the
 * table. A pattern's segments are literal or `{name}`; a parameter whose name ends in "Token" is a
 * secret and is kept out of the access log. */
struct http_route {
	enum http_method method;
	const char *pattern; /* "/events/{eventId}/holds" */
	enum http_thread thread;
	void (*handle)(struct http_exchange *exchange);
	size_t body_bytes_max; /* A longer body gets 413. 0: a body is refused. */
};

/* ---- The request ---- */

enum http_method http_method(const struct http_exchange *exchange);

/* The route that matched. */
const struct http_route *http_route(const struct http_exchange *exchange);

/* The path as it came, without the query. */
struct slice http_path(const struct http_exchange *exchange);

/* What the server's options give this route: its entry in `contexts`, else `context`. */
void *http_context(const struct http_exchange *exchange);

/* The number of the worker thread that runs this handler, from 0; so that each worker can have a
 * database connection of its own. Only on a worker. */
size_t http_worker(const struct http_exchange *exchange);

/* The address of the client's end of the connection, in network order: 4 bytes of IPv4. Empty when
 * it is not known. Behind a proxy it is the proxy's. */
struct slice http_peer(const struct http_exchange *exchange);

/* The id that the access log and the reply's X-Request-Id carry. */
const char *http_request_id(const struct http_exchange *exchange);

/* The path parameter of that name, percent-decoded: UTF-8, without control characters. The name
 * must be one of the route's pattern (else it is a bug). */
struct slice http_parameter(const struct http_exchange *exchange, const char *name);

/* The query parameter of that name, decoded as above ('+' is a space). False when it is not there.
 * Requests that repeat a parameter or cannot be decoded never reach a handler (400). */
bool http_query(const struct http_exchange *exchange, const char *name, struct slice *value);

/* Reply 400 and return false unless each query parameter is one of `names` (which ends with NULL);
 * so that a mistyped filter is not silently ignored. */
__attribute__((warn_unused_result)) bool http_query_only(
	struct http_exchange *exchange, const char *const names[]);

/* The header's value, without regard to the case of its name. False when it is not there. */
bool http_header(const struct http_exchange *exchange, const char *name, struct slice *value);

struct slice http_body(const struct http_exchange *exchange);

/* Whether the body's media type is that of JSON; if not, 415 was replied. For who parses it. */
__attribute__((warn_unused_result)) bool http_body_is_json(struct http_exchange *exchange);

/* The body as JSON. Where it is not a JSON object (media type, encoding, depth, duplicate keys,
 * size of numbers are checked), replies with a problem and returns NULL. The exchange owns the
 * value. */
__attribute__((warn_unused_result)) json_t *http_body_object(struct http_exchange *exchange);

/* The monotonic time in ms after which nobody waits for the answer any more. */
int64_t http_deadline_ms(const struct http_exchange *exchange);

/* Whether the client has closed its side. Any thread may ask. */
bool http_abandoned(const struct http_exchange *exchange);

/* Memory that lives as long as the exchange. */
struct arena *http_arena(struct http_exchange *exchange);

/* ---- The reply ---- */

/* A kind of problem (RFC 9457). The type is stable: clients may branch on it. */
struct http_problem {
	unsigned status;
	const char *type;  /* Short name; the reply carries "urn:onsale:problem:<type>". */
	const char *title; /* The same for each occurrence. */
};

/* Problems that any application has. */
extern const struct http_problem http_problem_bad_request;   /* 400 malformed */
extern const struct http_problem http_problem_not_found;     /* 404 */
extern const struct http_problem http_problem_conflict;      /* 409 */
extern const struct http_problem http_problem_too_large;     /* 413 */
extern const struct http_problem http_problem_media_type;    /* 415 */
extern const struct http_problem http_problem_unprocessable; /* 422 well-formed but wrong */
extern const struct http_problem http_problem_internal;      /* 500 */
extern const struct http_problem http_problem_unavailable;   /* 503 */

/* Reply with `bytes`, which must live as long as the exchange (its arena, or static). */
void http_reply(struct http_exchange *exchange, unsigned status, const char *content_type,
	struct slice bytes);

/* Reply with JSON. Takes ownership of `json`; NULL (memory was short) becomes a 500. */
void http_reply_json(struct http_exchange *exchange, unsigned status, json_t *json);

/* Reply with JSON that is already text. The text is copied. */
void http_reply_json_text(struct http_exchange *exchange, unsigned status, struct slice text);

/* Reply without a body, for instance 204. */
void http_reply_empty(struct http_exchange *exchange, unsigned status);

/* Make no reply but end the connection, as a server does that dies at this moment. For those that
 * stand in for another one, in tests. */
void http_reply_nothing(struct http_exchange *exchange);

/* Reply with a problem. `detail` says what is wrong this time, for a person; it may be NULL. */
__attribute__((format(printf, 3, 4))) void http_reply_problem(struct http_exchange *exchange,
	const struct http_problem *problem, const char *detail, ...);

/* As above, with further members for programs. Takes ownership of `members`, a JSON object. */
__attribute__((format(printf, 4, 5))) void http_reply_problem_with(struct http_exchange *exchange,
	const struct http_problem *problem, json_t *members, const char *detail, ...);

/* Add a header to the reply, before or after making it; at most HTTP_REPLY_HEADERS_MAX. The value
 * is copied and must have no line break. Without a Cache-Control of its own a reply is `no-store`.
 */
void http_reply_header(struct http_exchange *exchange, const char *name, const char *value);

enum { HTTP_REPLY_HEADERS_MAX = 12 };

/* Whether a reply has been made, and which. 0: none yet. */
unsigned http_reply_status(const struct http_exchange *exchange);

/* The body of the reply that has been made; empty when it has none. */
struct slice http_reply_body(const struct http_exchange *exchange);

/* ---- Handing it over ---- */

/* Keep the exchange beyond the return of a handler that runs on the loop. Whoever gets it next owns
 * it, makes the reply and calls http_complete. */
void http_defer(struct http_exchange *exchange);

/* Give a deferred exchange back to its loop, which sends the reply. Any thread may call; the
 * exchange must not be touched afterwards. */
void http_complete(struct http_exchange *exchange);

/* Defer the exchange, as http_defer does, and submit `item` to `lane` at the end of this round of
 * the loop, together with what its other requests have for the same lane: one lock and one wake-up
 * for all of them. The order is kept. `refuse` is called, on the loop, with each item that the lane
 * does not take; it makes the reply and calls http_complete. */
void http_submit(struct http_exchange *exchange, struct lane *lane, struct lane_item *item,
	void (*refuse)(struct lane_item *item));

/* Exchanges that are given back together: each of their loops is woken once. All zero is empty. */
struct http_burst {
	struct http_exchange *first, *last;
};

/* Add an exchange that would otherwise be given to http_complete; it must not be touched
 * afterwards. */
void http_burst_add(struct http_burst *burst, struct http_exchange *exchange);

/* Give them all back, in the order in which they were added. The burst is empty again. */
void http_burst_complete(struct http_burst *burst);
