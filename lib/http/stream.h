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
 * `reset` event and must read the state anew. So it never misses a message without knowing. Who
 * returns to a channel that delivers the latest, and has that one, is not sent it again.
 *
 * KEYS. A stream may be begun with a key, for instance of a person or an order, and then gets the
 * events that are sent to that key besides those of the channel. Each loop has a hash of its keys;
 * so sending to one among a hundred thousand streams wakes nobody else, and where nobody follows
 * the key, nothing happens. Keyed events are neither conflated nor kept. They wait for the stream
 * in their order, and among the channel's messages where each of those is delivered. When too many
 * wait, or the reader stalls, the stream is ended. They carry no id and leave the client's last one
 * as it is. So whoever comes back, for whatever reason, must be told the state of its key anew:
 *
 *	- The state is at hand on the loop: whoever changes it does so first and sends afterwards,
 *	  and the handler reads it, formats it as `first` and begins the stream without leaving the
 *	  loop. What is sent after that reading arrives; what was sent before it is in `first`.
 *	- It is not (a row in a database): the handler begins the stream, and has a lane read the
 *	  state and send it to the key as any other event. What changes after that reading is sent
 *	  too; let the same lane send it, or number the states, since an older one must not win.
 *
 * Either way there is no gap; an event may come twice, as state and as event. When the story of a
 * key is over (http_channel_finish), the client comes back all the same; it stays away after a 204.
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

enum {
	HTTP_EVENT_BYTES_MAX = 64 << 10,
	HTTP_CHANNEL_BACKLOG_MAX = 65536,
	HTTP_STREAM_KEY_SIZE_MAX = 128,
	HTTP_STREAMS_PER_KEY_MAX = 16, /* On one loop; tabs of the same person. */
	/* Keyed events that wait for one stream. */
	HTTP_STREAM_WAITING_MAX = 64,
	HTTP_STREAM_WAITING_BYTES_MAX = 128 << 10,
};

/* A new channel of this server, which frees it when it closes. NULL when memory is short. Any
 * thread may call. */
__attribute__((warn_unused_result)) struct http_channel *http_channel_open(
	struct http_server *server, const struct http_channel_options *options);

/* Send an event to every stream of the channel. `type` has no line break; lines of `data` become
 * `data:` lines. Any thread may call; events of one thread arrive in its order.
 * STATUS_REFUSED: too long, or a line break in the type. STATUS_UNAVAILABLE: memory is short. */
__attribute__((warn_unused_result)) enum status http_channel_publish(
	struct http_channel *channel, const char *type, struct slice data);

/* Send an event to the streams of the channel that were begun with this key, however many there
 * are. Nobody following: nothing happens. Any thread may call; what one thread sends and publishes
 * arrives in its order.
 * STATUS_REFUSED: as above, or the key is empty or too long. STATUS_UNAVAILABLE: memory is short.
 */
__attribute__((warn_unused_result)) enum status http_channel_send(
	struct http_channel *channel, struct slice key, const char *type, struct slice data);

/* The same for the last event: once they have been sent it and all before it, these streams end.
 * `type` may be NULL: they end without a further event. Streams that begin later are not
 * concerned. */
__attribute__((warn_unused_result)) enum status http_channel_finish(
	struct http_channel *channel, struct slice key, const char *type, struct slice data);

/* Somebody who wants to know which keys are followed. `visit` is called by each loop, on its own
 * thread and so perhaps by several at once, with up to 256 keys at a time; it must not block, and
 * the keys are borrowed. */
struct http_key_visit {
	void (*visit)(void *context, const struct slice keys[], size_t count);
	void *context; /* Must live until the server has closed. */
};

/* Ask each loop for the keys of its open streams, soon: each key once for each of its streams. Any
 * thread may call, for instance a lane's tick that counts an open stream as a heartbeat. However a
 * stream has ended, it is not told any more; one whose peer has vanished without a word is, until
 * the next keep-alive is not acknowledged (stream_keep_alive_ms and stream_stall_ms_max).
 * STATUS_UNAVAILABLE: memory is short, and nobody is asked. */
__attribute__((warn_unused_result)) enum status http_channel_visit_keys(
	struct http_channel *channel, const struct http_key_visit *visit);

/* Streams that are open now, on all loops. Any thread may ask. */
size_t http_channel_stream_count(const struct http_channel *channel);

/* Reply to this GET by following the channel, after sending `first` (an event as formatted by
 * http_event_format, for instance the state at this moment; may be empty). To be called by a
 * handler that runs on the loop. */
void http_stream_begin(
	struct http_exchange *exchange, struct http_channel *channel, struct slice first);

/* Follow the channel and this key in it; see KEYS above. The key is copied. Beyond
 * HTTP_STREAMS_PER_KEY_MAX it replies 429, to a key that is empty or too long 400. */
void http_stream_begin_keyed(struct http_exchange *exchange, struct http_channel *channel,
	struct slice key, struct slice first);

/* Format one event without an id, for `first`, into the exchange's arena. Its `data` is NULL past
 * the bounds above. */
struct slice http_event_format(struct http_exchange *exchange, const char *type, struct slice data);
