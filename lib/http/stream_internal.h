/* What the event loop and the reply know of streams. */
#pragma once

#include "lib/http/internal.h"
#include "lib/http/stream.h"

/* Formatted once, shared by all loops, freed with its last reference. */
struct http_message {
	atomic_size_t references;
	size_t size;
	char bytes[];
};

/* What a loop is told of a publication. */
struct http_notice {
	struct http_notice *next;
	struct http_channel *channel;
	struct http_message *message;
};

/* stream.c: the message reached this loop: keep it and wake the streams. Owns the notice. */
void http_channel_deliver(struct http_loop *loop, struct http_notice *notice);

/* Make the stream's response. NULL when memory is short. */
struct MHD_Response *http_stream_response(struct http_exchange *exchange);

/* The keep-alive interval of a waiting stream is over. */
void http_stream_keep_alive(struct http_stream *stream);

/* The client has gone, or the server is closing: let the stream end by itself. */
void http_stream_end(struct http_stream *stream);

/* The exchange ends: forget its stream. */
void http_stream_free(struct http_stream *stream);

/* The next of the server's channels. */
struct http_channel *http_channel_next(struct http_channel *channel);

/* Free a channel whose loops have ended. */
void http_channel_free(struct http_channel *channel);

/* loop.c: hand a publication to the loop. Any thread; takes ownership. */
void http_loop_notify(struct http_loop *loop, struct http_notice *notice);
