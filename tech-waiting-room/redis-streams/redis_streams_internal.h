/* What the files of this adapter share. */
#pragma once

#include "lib/redis/redis.h"
#include "lib/ticketing/shuffle.h"
#include "tech-waiting-room/redis-streams/redis_streams.h"
#include "tech-waiting-room/redis-streams/room_record.h"

enum {
	/* How often an operation is begun anew because a script asked for something first: a room
	 * to be revived, a number to be recorded, ranks to be sent. */
	STEPS_MAX = 8,
	SHUFFLES_MAX = 4, /* Shuffled lobbies whose order one instance keeps. */
	LOBBY_PAGE = 1000,
	LOBBY_PAGES_PER_CALL = 20,
	JOIN_ARGUMENTS = 4, /* Per request, as the scripts take them. */
	PERSON_ARGUMENTS = 4,
};

/* "No ceiling", for rooms without a record; Lua still writes it as an integer. */
#define CEILING_NONE INT64_C(90000000000000)

/* What a script asks for before it goes on; the first number of its reply. */
enum script_code {
	CODE_DONE,
	CODE_NO_ROOM,
	CODE_CUT,     /* The lobby's number of people must be recorded. */
	CODE_RESERVE, /* Numbers must be reserved. */
	CODE_RANKS,   /* The shuffle's order is needed. */
	CODE_SHUFFLE, /* The lobby must be shuffled. */
	CODE_REFUSED,
};

enum room_key {
	KEY_ROOM,
	KEY_QUEUE,
	KEY_LOBBY,
	KEY_PEOPLE,
	KEY_ACTIVE,
	KEY_BACK,
	KEY_RANKS,
	KEY_LATE,
	KEY_COUNT
};

struct room_keys {
	char texts[KEY_COUNT][REDIS_KEY_SIZE_MAX];
	struct slice slices[KEY_COUNT];
};

/* The order of a lobby that has been shuffled, and how far it has been called. */
struct known_shuffle {
	char event[WAITING_ROOM_EVENT_SIZE_MAX + 1];
	uint8_t final_seed[SHUFFLE_HASH_SIZE];
	struct shuffle *shuffle;
	int64_t serving;
	uint64_t used; /* When, for the one to be forgotten. */
};

/* A lobby's list that is being hashed, over several calls. */
struct opening {
	char event[WAITING_ROOM_EVENT_SIZE_MAX + 1];
	int64_t epoch;
	struct lobby_list list;
};

struct redis_streams {
	struct waiting_room base;
	struct redis *redis;
	struct room_record *record; /* NULL: none. */
	struct waiting_room_traits traits;
	int64_t block;
	char consumer[64];
	struct known_shuffle shuffles[SHUFFLES_MAX];
	uint64_t shuffle_uses;
	struct opening opening;
	/* Reused by each call. */
	struct redis_argument arguments[KEY_COUNT + 8 + WAITING_ROOM_BATCH_MAX * JOIN_ARGUMENTS];
};

static inline struct redis_streams *redis_streams_of(struct waiting_room *room)
{
	return (struct redis_streams *)room;
}

void room_keys_make(struct room_keys *keys, struct slice event);

/* ---- redis_streams_room.c ---- */

enum status redis_streams_configure(struct waiting_room *room, struct slice event,
	const struct waiting_room_settings *settings, struct waiting_room_view *view);
enum status redis_streams_view(
	struct waiting_room *room, struct slice event, struct waiting_room_view *view, bool *found);
enum status redis_streams_list(struct waiting_room *room,
	char (*events)[WAITING_ROOM_EVENT_SIZE_MAX + 1], size_t max, size_t *count);

/* Make the room anew from its record. `*found` is false when there is no record of it. */
__attribute__((warn_unused_result)) enum status redis_streams_revive(
	struct redis_streams *streams, struct slice event, bool *found);

/* Note in Redis what the record holds: what advance.lua takes behind its key. */
enum { ADVANCE_ARGUMENTS_MAX = 4 };
__attribute__((warn_unused_result)) enum status redis_streams_advance(struct redis_streams *streams,
	struct slice event, const struct redis_argument arguments[], size_t count);

/* Reserve numbers up to `tail` and `serving` (0: none), and some more. */
__attribute__((warn_unused_result)) enum status redis_streams_reserve(struct redis_streams *streams,
	struct slice event, int64_t epoch, int64_t tail, int64_t serving);

/* How the room stands, without reviving it. */
__attribute__((warn_unused_result)) enum status redis_streams_peek(struct redis_streams *streams,
	struct slice event, struct waiting_room_view *view, bool *found);
struct redis_request redis_streams_view_request(
	const struct room_keys *keys, struct redis_argument arguments[2]);

/* ---- redis_streams_lobby.c ---- */

/* Record the lobby's number of people, and go on to its shuffle. */
__attribute__((warn_unused_result)) enum status redis_streams_cut(
	struct redis_streams *streams, struct slice event, int64_t epoch, int64_t cut);

/* Hash some more of the lobby's list; at its end record it and open the line. `*done` tells. */
__attribute__((warn_unused_result)) enum status redis_streams_shuffle_step(
	struct redis_streams *streams, struct slice event, int64_t epoch, int64_t cut, bool *done);

/* The order of the lobby; NULL when it was never shuffled. Borrowed until the next call. */
__attribute__((warn_unused_result)) enum status redis_streams_order(
	struct redis_streams *streams, struct slice event, struct known_shuffle **order);

enum status redis_streams_lobby(struct waiting_room *room, struct slice event, int64_t from,
	char (*people)[WAITING_ROOM_PERSON_SIZE_MAX + 1], size_t max, size_t *count);

/* ---- redis_streams_reply.c ---- */

/* The head of a script's reply. */
struct script_reply {
	enum script_code code;
	int64_t epoch, number;
};

/* False when it is not what our scripts answer. */
__attribute__((warn_unused_result)) bool script_reply_read(
	const struct redis_reply *reply, struct script_reply *head);

/* A person's record (join.lua). */
struct person_record {
	char kind; /* 'r', 'w', 'a', 'x', 'l'; 0: none. */
	int64_t place, rank, admitted_at_ms;
	bool claimed;
};

__attribute__((warn_unused_result)) bool person_record_read(
	struct slice text, struct person_record *record);
enum person_state person_record_state(const struct person_record *record, bool in_line);

__attribute__((warn_unused_result)) bool view_reply_read(
	const struct redis_reply *reply, struct waiting_room_view *view, bool *found);
