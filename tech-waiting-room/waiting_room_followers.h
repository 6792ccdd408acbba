/* Who follows a room by a stream on this process, by person. People who wait stand in a heap by
 * place, so that those whose turn has come are found without a look at the others; the others stand
 * in lists in the order in which they are to be looked at again.
 *
 * All of it belongs to the room's lane. Whether a stream is still open is told now and then by the
 * event loops (`seen`); who has not been seen for a while is dropped. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tech-waiting-room/waiting_room.h"

enum follower_standing {
	FOLLOWER_WAITS,     /* In the heap. */
	FOLLOWER_IN_LOBBY,  /* Waits for the shuffle. */
	FOLLOWER_RETURNS,   /* The token is of an earlier epoch: to join again with it. */
	FOLLOWER_CALLED,    /* The place has been called; not known to be admitted. */
	FOLLOWER_ADMITTED,  /* Has the pass; the open stream is the heartbeat. */
	FOLLOWER_STANDINGS, /* How many there are. */
};

struct follower {
	struct follower *previous, *next; /* In the list of its standing. */
	struct follower *bucket_next;
	uint64_t hash;
	size_t heap_index;
	enum follower_standing standing;
	int64_t place;          /* 0: not known yet. */
	int64_t rank;           /* 0: none. */
	int64_t epoch;          /* In which place or rank was given. */
	int64_t admitted_at_ms; /* With this place in this epoch, by the room's clock; 0: not so. */
	int64_t due_ms;         /* When to be looked at, monotonic; called and admitted only. */
	int64_t asked_ms;       /* When the room was last asked. */
	int64_t seen_ms;        /* When its stream was last known to be open. */
	bool told;              /* Its stream has been sent what became of it. */
	uint8_t person_size;
	char person[WAITING_ROOM_PERSON_SIZE_MAX + 1];
};

struct follower_list {
	struct follower *first, *last;
};

struct followers {
	struct follower **buckets; /* Chains by hash of the person. */
	size_t bucket_count;       /* A power of two; 0 before the first follower. */
	size_t count;
	struct follower **heap; /* Room for all of them. */
	size_t heap_count;
	struct follower_list lists[FOLLOWER_STANDINGS];
};

/* The follower with this person, or NULL. */
struct follower *followers_find(const struct followers *followers, struct slice person);

/* The same, made new with standing FOLLOWER_CALLED if there was none. NULL when memory is short.
 * `person` has 1 to WAITING_ROOM_PERSON_SIZE_MAX bytes. */
__attribute__((warn_unused_result)) struct follower *followers_add(
	struct followers *followers, struct slice person);

/* Change the standing; the follower goes to the end of its list, or into the heap by its place. */
void followers_move(
	struct followers *followers, struct follower *follower, enum follower_standing standing);

/* The first of a list, NULL when it is empty; of those who wait, the one with the smallest place.
 */
struct follower *followers_first(
	const struct followers *followers, enum follower_standing standing);

/* Forget one. */
void followers_drop(struct followers *followers, struct follower *follower);

/* Forget all who have not been seen since. */
void followers_drop_unseen(struct followers *followers, int64_t since_ms);

/* All are to return: their tokens are of an earlier epoch. */
void followers_return(struct followers *followers);

/* Forget all and free everything. */
void followers_release(struct followers *followers);

static inline struct slice follower_person(const struct follower *follower)
{
	return (struct slice){.data = follower->person, .size = follower->person_size};
}
