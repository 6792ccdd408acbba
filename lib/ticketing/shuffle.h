/* The lobby's shuffle: ranks become places in an order that nobody could choose and everybody can
 * recompute.
 *
 *	commitment  = SHA-256(seed)                   published before anybody is in the lobby
 *	entry(rank) = SHA-256("onsale-lobby" ‖ size of event, event ‖ rank ‖ size of person, person)
 *	list(0)     = SHA-256("onsale-lobby-list" ‖ event)
 *	list(n)     = SHA-256(list(n - 1) ‖ entry(n)) published at the cut-off, n the lobby's size
 *	final seed  = SHA-256(seed ‖ list(n) ‖ beacon)
 *	key(rank)   = HMAC-SHA256(final seed, rank)
 *	place       = position of the rank, from 1, by key (as bytes), then by rank
 *
 * Sizes are one byte, ranks eight, big-endian. A person who is not known any more counts as one
 * with an empty id.
 *
 * Who could cheat? People in the lobby do not know the seed. The operator, who does, cannot change
 * it after the commitment, but decides who else is in the list until the cut-off, and could try
 * many lists; a public beacon (a value that did not exist at the cut-off, such as a later round of
 * a randomness beacon) takes that away too. Entries may be published instead of ids: everybody
 * finds their own and sees that it is counted once, while others' ids can only be guessed at.
 * Committing to a seed and opening it later is Blum's coin flipping ("Coin flipping by telephone",
 * 1981).
 *
 * Nothing here is locked; what is const may be used by any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/slice.h"

enum {
	SHUFFLE_HASH_SIZE = 32, /* Bytes of a seed, a commitment, an entry, a list's hash. */
	SHUFFLE_LOBBY_SIZE_MAX = 4000000, /* People in one lobby. */
	SHUFFLE_FIELD_SIZE_MAX = 64,      /* Bytes of an event's or a person's id. */
	SHUFFLE_BEACON_SIZE_MAX = 1024,   /* Bytes. */
};

/* What is published of a seed beforehand. */
void shuffle_commitment(
	const uint8_t seed[SHUFFLE_HASH_SIZE], uint8_t commitment[SHUFFLE_HASH_SIZE]);

/* ---- the lobby's list ---- */

/* The hash of the first `size` people. Plain data: it may be copied, stored and gone on with. */
struct lobby_list {
	uint8_t hash[SHUFFLE_HASH_SIZE];
	int64_t size;
};

/* The list of an event's lobby, with nobody in it yet. `event`: 1 to SHUFFLE_FIELD_SIZE_MAX bytes.
 */
void lobby_list_init(struct lobby_list *list, struct slice event);

/* What stands in the list for the person of this rank (from 1). `person`: 0 (not known any more) to
 * SHUFFLE_FIELD_SIZE_MAX bytes. */
void lobby_entry(
	struct slice event, int64_t rank, struct slice person, uint8_t entry[SHUFFLE_HASH_SIZE]);

/* Add the person of the next rank, list->size + 1: by id, or by the entry that was published. The
 * list has fewer than SHUFFLE_LOBBY_SIZE_MAX. */
void lobby_list_add(struct lobby_list *list, struct slice event, struct slice person);
void lobby_list_add_entry(struct lobby_list *list, const uint8_t entry[SHUFFLE_HASH_SIZE]);

/* The seed of the order. `beacon`: 0 (none) to SHUFFLE_BEACON_SIZE_MAX bytes. */
void shuffle_final_seed(const uint8_t seed[SHUFFLE_HASH_SIZE],
	const uint8_t list_hash[SHUFFLE_HASH_SIZE], struct slice beacon,
	uint8_t final_seed[SHUFFLE_HASH_SIZE]);

/* ---- the order ---- */

/* Both directions, 8 bytes per person. */
struct shuffle;

/* Compute the order of ranks 1 to `lobby_size` (0 to SHUFFLE_LOBBY_SIZE_MAX). Takes about 0.2 s of
 * one core per million, and 16 bytes more per person while it runs. NULL when memory is short. */
__attribute__((warn_unused_result)) struct shuffle *shuffle_new(
	const uint8_t final_seed[SHUFFLE_HASH_SIZE], int64_t lobby_size);

/* NULL is accepted. */
void shuffle_free(struct shuffle *shuffle);

int64_t shuffle_size(const struct shuffle *shuffle);

/* The place of a rank, and the rank of a place; both from 1 to the lobby's size. */
int64_t shuffle_place(const struct shuffle *shuffle, int64_t rank);
int64_t shuffle_rank(const struct shuffle *shuffle, int64_t place);

/* The place of one rank without the others' order: as long as shuffle_new without the sorting, and
 * no memory. Written apart from it, so that one checks the other. */
int64_t shuffle_place_of(
	const uint8_t final_seed[SHUFFLE_HASH_SIZE], int64_t lobby_size, int64_t rank);

/* ---- verification, by whoever doubts ---- */

/* What a room publishes when its shuffle is finished. */
struct shuffle_published {
	uint8_t commitment[SHUFFLE_HASH_SIZE]; /* As noted down *before* the start. */
	uint8_t seed[SHUFFLE_HASH_SIZE];
	uint8_t list_hash[SHUFFLE_HASH_SIZE];
	struct slice beacon; /* Empty: none. */
	int64_t lobby_size;
};

enum shuffle_verdict {
	SHUFFLE_FAIR,
	SHUFFLE_OTHER_SEED,  /* The opened seed is not the one that was committed to. */
	SHUFFLE_OTHER_LIST,  /* The people (or how many) are not those whose hash was published. */
	SHUFFLE_OTHER_PLACE, /* The published data give another place. */
};

/* The verdict as a sentence without a full stop. Never NULL. */
const char *shuffle_verdict_text(enum shuffle_verdict verdict);

/* Whether seed and list are those that were promised; `list` has been made of the published people
 * or entries, by lobby_list_add. When SHUFFLE_FAIR, `final_seed` is filled in, from which
 * shuffle_new gives everybody's place. */
__attribute__((warn_unused_result)) enum shuffle_verdict shuffle_verify(
	const struct shuffle_published *published, const struct lobby_list *list,
	uint8_t final_seed[SHUFFLE_HASH_SIZE]);

/* Whether the person of `rank` was given the right place, the published list hash taken on trust.
 * A rank that is not in the lobby has no right place. */
__attribute__((warn_unused_result)) enum shuffle_verdict shuffle_verify_place(
	const struct shuffle_published *published, int64_t rank, int64_t place);
