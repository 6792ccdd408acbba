/* Server-Sent Events (WHATWG HTML, section 9.2): channels that anybody publishes to, and streams
 * that clients keep open to follow one.
 *
 * DESIGN. An event is formatted once, into a message that all loops share and nobody changes. Each
 * loop keeps the channel's last messages in a ring of its own and each stream is a position in that
 * ring, so publishing to ten thousand streams copies nothing and allocates nothing per stream. A
 * stream that has nothing to send is suspended, and woken by the next message.
 *
 * Ids are "<epoch>-<number>". A client that returns with Last-Event-ID goes on behind that message
 * if the ring still has it; if not, or if the id is of another process's life, it gets an explicit
 * `reset` event and must read the state anew. So it never misses a message without knowing.
 *
 * A reader that is too slow to follow is first conflated: it jumps to the latest message (of a
 * channel that delivers the latest) or gets a reset (of one that delivers each). One that takes
 * nothing at all for the server's stream_stall_ms_max is dropped. */
#pragma once

#include "lib/http/exchange.h"

struct http_channel;
struct http_server;

enum http_delivery {
	HTTP_DELIVER_EACH,   /* Every event matters; who misses one is told to reset. */
	HTTP_DELIVER_LATEST, /* Each event replaces those before it; a new stream gets the last one.
			      */
};

struct http_channel_options {
	enum http_delivery delivery;
	size_t backlog;   /* Messages kept for slow and returning readers. 0: 256. */
	int64_t retry_ms; /* Each stream is told to reconnect after one to two times this. 0: 2 s.
			   */
};

enum { HTTP_EVENT_BYTES_MAX = 64 << 10, HTTP_CHANNEL_BACKLOG_MAX = 65536 };

/* A new channel of this server, which frees it when it closes. NULL when memory is short. Any
 * thread may call. */
__attribute__((warn_unused_result)) struct http_channel *http_channel_open(
	struct http_server *server, const struct http_channel_options *options);

/* Send an event to every stream of the channel. `type` has no line break; lines of `data` become
 * `data:` lines. Any thread may call; events of one thread arrive in its order.
 * STATUS_REFUSED: too long, or a line break in the type. STATUS_UNAVAILABLE: memory is short. */
__attribute__((warn_unused_result)) enum status http_channel_publish(
	struct http_channel *channel, const char *type, struct slice data);

/* Streams that are open now, on all loops. Any thread may ask. */
size_t http_channel_stream_count(const struct http_channel *channel);

/* Reply to this GET by following the channel, after sending `first` (an event as formatted by
 * http_event_format, for instance the state at this moment; may be empty). To be called by a
 * handler that runs on the loop. */
void http_stream_begin(
	struct http_exchange *exchange, struct http_channel *channel, struct slice first);

/* Format one event without an id, for `first`, into the exchange's arena. Its `data` is NULL past
 * the bounds above. */
struct slice http_event_format(struct http_exchange *exchange, const char *type, struct slice data);
