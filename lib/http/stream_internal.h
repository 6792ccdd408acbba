/* What the files of streams share, and what the event loop and the reply know of them.
 *
 * channel.c has the channels and what they hand to the loops, stream.c the streams, stream_keys.c
 * what keyed streams have besides. */
#pragma once

#include "lib/http/internal.h"
#include "lib/http/stream.h"

enum { HTTP_HASH_KEY_SIZE = 16 };

/* Formatted once, shared by all loops, freed with its last reference. */
struct http_message {
	atomic_size_t references;
	size_t size;
	char bytes[];
};

enum http_notice_kind {
	HTTP_NOTICE_MESSAGE, /* For the ring, and for every stream. */
	HTTP_NOTICE_KEYED,   /* For the streams of one key. */
	HTTP_NOTICE_LAST,    /* Likewise, after which they end. */
	HTTP_NOTICE_VISIT,   /* The loop is asked for its keys. */
};

/* What a loop is told by a channel. */
struct http_notice {
	struct http_notice *next;
	struct http_channel *channel;
	struct http_message *message; /* May be NULL for a LAST. */
	enum http_notice_kind kind;
	struct http_key_visit visit;
	size_t key_size;
	char key[];
};

/* An idle stream costs what this struct costs, so what only few need stands elsewhere. */
struct http_stream {
	struct http_exchange *exchange;
	struct channel_side *side;
	struct http_keyed *keyed;            /* NULL: it has no key. */
	struct http_stream *previous, *next; /* Among the side's waiting or sending ones. */
	struct http_message *first;          /* Sent before anything else. */
	struct http_message *current;        /* What is being sent. */
	uint64_t position;                   /* The number of the next message. */
	int64_t began_ns;
	struct MHD_Response *response; /* While it still has headers. Borrowed from MHD. */
	uint32_t sent;                 /* Of the current message. */
	bool waiting;                  /* Suspended, with nothing to send. */
	bool keep_alive_due;
	bool ending;
};

struct stream_list {
	struct http_stream *first;
};

/* A hash of key → streams, each bucket a list. Nothing is allocated before the first. */
struct http_keys {
	struct http_keyed **buckets;
	size_t bucket_count, count;
};

/* One loop's view of the channel; only that loop touches it. */
struct channel_side {
	struct http_channel *channel;
	struct http_message **ring; /* Message number n stands at n % backlog. */
	uint64_t head;              /* The number of the next message. */
	struct stream_list waiting, sending;
	struct http_keys keys;
};

struct http_channel {
	struct http_server *server;
	struct http_channel *next; /* Of the server's channels. */
	struct http_channel_options options;
	char epoch[17];
	unsigned char
		hash_key[HTTP_HASH_KEY_SIZE]; /* So that nobody can choose keys that collide. */
	pthread_mutex_t mutex;                /* Numbers and order of publications. */
	uint64_t published;
	atomic_size_t stream_count;
	struct channel_side sides[]; /* One per loop. */
};

/* ---- channel.c ---- */

struct http_message *http_message_new(struct slice bytes);
/* Both take NULL as well. */
struct http_message *http_message_hold(struct http_message *message);
void http_message_drop(struct http_message *message);

/* The notice reached this loop: do what it says. Owns the notice. */
void http_channel_deliver(struct http_loop *loop, struct http_notice *notice);

/* The next of the server's channels. */
struct http_channel *http_channel_next(struct http_channel *channel);

/* Free a channel whose loops have ended. */
void http_channel_free(struct http_channel *channel);

/* ---- stream.c ---- */

/* Make the stream's response. NULL when memory is short. */
struct MHD_Response *http_stream_response(struct http_exchange *exchange);

/* There is something to send. */
void http_stream_wake(struct http_stream *stream);

/* The keep-alive interval of a waiting stream is over. */
void http_stream_keep_alive(struct http_stream *stream);

/* The client has gone, or the server is closing: let the stream end by itself. */
void http_stream_end(struct http_stream *stream);

/* The exchange ends: forget its stream. */
void http_stream_free(struct http_stream *stream);

/* ---- stream_keys.c ---- */

/* How many streams on this side have the key. */
size_t http_keys_count(const struct channel_side *side, struct slice key);

/* Give the stream this key. False when memory is short. */
__attribute__((warn_unused_result)) bool http_keyed_begin(
	struct http_stream *stream, struct slice key);

/* Forget the stream's key, and what still waits for it. */
void http_keyed_end(struct http_stream *stream);

/* Hand an event to the streams of its key. */
void http_keyed_deliver(struct channel_side *side, const struct http_notice *notice);

/* The keyed event whose turn it is, with a reference for the stream; NULL when there is none. Ends
 * a stream that has had its last. */
struct http_message *http_keyed_next(struct http_stream *stream);

void http_keyed_visit(const struct channel_side *side, const struct http_key_visit *visit);

void http_keys_free(struct http_keys *keys);

/* ---- loop.c ---- */

/* Hand a notice to the loop. Any thread; takes ownership. */
void http_loop_notify(struct http_loop *loop, struct http_notice *notice);
