/* The waiting room on Redis Streams: a stream is the queue, a consumer group reads it, and every
 * operation is one script for the whole batch, so that nothing can happen in the middle of one.
 *
 * DESIGN. All keys of an event share one hash slot ("wr:{event}:…"):
 *	room    hash    settings, epoch, tail, serving, the admission bucket
 *	queue   stream  who waits; the entry's id is the place ("<place>-1"), read by the group
 *	                `admission` and deleted when taken
 *	lobby   stream  the same for ranks; kept, since it is the list that was shuffled
 *	people  hash    what became of each person: a short record (join.lua)
 *	active  zset    who is admitted, by the moment when the slot falls back
 *	back    zset    who came back with a place of an earlier epoch
 *	ranks, late     hashes: ranks of who came back with one
 *
 * Time is Redis's own, so servers whose clocks differ agree. A record in PostgreSQL (room_record.h)
 * lets a room go on when all that Redis knew is gone; without one a lost room is lost. */
#pragma once

#include "tech-waiting-room/waiting_room.h"

enum {
	REDIS_STREAMS_CALL_MS_DEFAULT = 5000,
	REDIS_STREAMS_BLOCK_DEFAULT = 10000, /* Places reserved at once in the durable record. */
};

/* Zero means the default. The texts are copied. */
struct redis_streams_options {
	const char *redis_url;
	const char *database_url; /* Of the durable record; NULL: none. */
	const char *consumer;     /* This server's name in the consumer group; NULL: its process. */
	int64_t call_ms_max;      /* For one call to Redis, or to PostgreSQL. */
	int64_t block;            /* Places reserved at once. 1 to 1,000,000. */
	/* For a server, whose other requests wait meanwhile: a call to a service that is away fails
	 * at once and does not wait for it to come back. */
	bool fail_fast;
};

/* Connect to both. REFUSED: what no retry mends (`fault` says what, and holds no password). A
 * service that does not answer at the moment is no failure: calls are UNAVAILABLE until it does. */
__attribute__((warn_unused_result)) enum status redis_streams_open(
	const struct redis_streams_options *options, struct waiting_room **room,
	struct fault *fault);
