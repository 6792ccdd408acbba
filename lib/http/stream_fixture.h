/* A client that reads a stream of events. Whatever goes wrong fails the running test. */
#pragma once

#include "lib/http/server_fixture.h"
#include "lib/http/stream.h"

/* What has come: the head as it is, and of the body what the chunks carry, since a chunk may begin
 * anywhere in an event. */
struct reader {
	int fd;
	size_t head_end;   /* Of its last four bytes, how many were CR LF CR LF; 4: in the body. */
	size_t chunk_left; /* Bytes of this chunk still to come. */
	size_t line_size;  /* Of the line with a chunk's size. */
	char line[32];
	bool ended; /* The last chunk has come. */
	size_t size;
	char text[1 << 20];
};

/* Ask for the stream at `path`, with these header lines, each of which ends in CR LF. */
struct reader *reader_open(struct http_server *server, const char *path, const char *headers);

void reader_close(struct reader *reader);

/* Take what has come, for at most `ms`. False at the end of the connection or of the time. */
bool reader_take(struct reader *reader, int ms);

/* Read until `text` has come. */
void reader_want(struct reader *reader, const char *text);

/* What has come so far does not hold `text`. */
void reader_want_not(const struct reader *reader, const char *text);

/* Read until the stream ends as it should, by its last chunk. */
void reader_want_end(struct reader *reader);

/* How often `text` has come so far. */
size_t reader_count(const struct reader *reader, const char *text);

/* GET of this path is answered with this status, and with no stream. */
void want_status(struct http_server *server, const char *path, int status);

/* Wait until the channel has so many streams. */
void want_streams(const struct http_channel *channel, size_t count);
