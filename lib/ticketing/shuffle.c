/* Ranks are sorted by the first four bytes of their keys, packed with the rank into one number, so
 * that a radix sort moves 8 bytes per person; the few that have those bytes in common (about a
 * thousand pairs in four million people) are put right by their whole keys afterwards. */
#include "lib/ticketing/shuffle.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/ticketing/hmac.h"

enum {
	RADIX_BITS = 16,
	RADIX_SIZE = 1 << RADIX_BITS,
	PREFIX_SHIFT = 32, /* The prefix stands above the rank. */
};

_Static_assert((int)SHUFFLE_HASH_SIZE == (int)SHA256_SIZE, "the hash is SHA-256");

struct shuffle {
	int64_t size;
	uint32_t *places; /* By rank - 1. */
	uint32_t *ranks;  /* By place - 1. */
};

static struct slice slice_of_hash(const uint8_t hash[SHUFFLE_HASH_SIZE])
{
	return slice_of_bytes(hash, SHUFFLE_HASH_SIZE);
}

/* ---- the lobby's list ---- */

void shuffle_commitment(
	const uint8_t seed[SHUFFLE_HASH_SIZE], uint8_t commitment[SHUFFLE_HASH_SIZE])
{
	const struct slice piece = slice_of_hash(seed);
	sha256_pieces(&piece, 1, commitment);
}

void lobby_list_init(struct lobby_list *list, struct slice event)
{
	assert(event.size >= 1 && event.size <= SHUFFLE_FIELD_SIZE_MAX);
	const struct slice pieces[] = {slice_of("onsale-lobby-list"), event};
	sha256_pieces(pieces, sizeof pieces / sizeof *pieces, list->hash);
	list->size = 0;
}

void lobby_entry(
	struct slice event, int64_t rank, struct slice person, uint8_t entry[SHUFFLE_HASH_SIZE])
{
	assert(event.size >= 1 && event.size <= SHUFFLE_FIELD_SIZE_MAX);
	assert(person.size <= SHUFFLE_FIELD_SIZE_MAX && rank >= 1);
	uint8_t event_size = (uint8_t)event.size, person_size = (uint8_t)person.size;
	uint8_t rank_bytes[8];
	put_big_endian(rank_bytes, rank);
	const struct slice pieces[] = {
		slice_of("onsale-lobby"),
		slice_of_bytes(&event_size, 1),
		event,
		slice_of_bytes(rank_bytes, sizeof rank_bytes),
		slice_of_bytes(&person_size, 1),
		person,
	};
	sha256_pieces(pieces, sizeof pieces / sizeof *pieces, entry);
}

void lobby_list_add(struct lobby_list *list, struct slice event, struct slice person)
{
	uint8_t entry[SHUFFLE_HASH_SIZE];
	lobby_entry(event, list->size + 1, person, entry);
	lobby_list_add_entry(list, entry);
}

void lobby_list_add_entry(struct lobby_list *list, const uint8_t entry[SHUFFLE_HASH_SIZE])
{
	assert(list->size < SHUFFLE_LOBBY_SIZE_MAX);
	const struct slice pieces[] = {slice_of_hash(list->hash), slice_of_hash(entry)};
	sha256_pieces(pieces, sizeof pieces / sizeof *pieces, list->hash);
	list->size++;
}

void shuffle_final_seed(const uint8_t seed[SHUFFLE_HASH_SIZE],
	const uint8_t list_hash[SHUFFLE_HASH_SIZE], struct slice beacon,
	uint8_t final_seed[SHUFFLE_HASH_SIZE])
{
	assert(beacon.size <= SHUFFLE_BEACON_SIZE_MAX);
	const struct slice pieces[] = {slice_of_hash(seed), slice_of_hash(list_hash), beacon};
	sha256_pieces(pieces, sizeof pieces / sizeof *pieces, final_seed);
}

/* ---- the order ---- */

static void rank_key(const struct hmac_key *seed, int64_t rank, uint8_t key[SHUFFLE_HASH_SIZE])
{
	uint8_t bytes[8];
	put_big_endian(bytes, rank);
	const struct slice piece = slice_of_bytes(bytes, sizeof bytes);
	hmac_pieces(seed, &piece, 1, key);
}

/* One pass of a radix sort, least significant digit first (Knuth, "The Art of Computer
 * Programming", volume 3, section 5.2.5): `to` gets what is in `from`, ordered by the RADIX_BITS at
 * `shift`, equals as they were. `starts` is RADIX_SIZE counters to work with. */
static void radix_pass(
	const uint64_t *from, uint64_t *to, size_t count, unsigned shift, uint32_t *starts)
{
	memset(starts, 0, RADIX_SIZE * sizeof *starts);
	for (size_t i = 0; i < count; i++)
		starts[from[i] >> shift & (RADIX_SIZE - 1)]++;
	uint32_t start = 0;
	for (size_t i = 0; i < RADIX_SIZE; i++) {
		uint32_t size = starts[i];
		starts[i] = start;
		start += size;
	}
	for (size_t i = 0; i < count; i++)
		to[starts[from[i] >> shift & (RADIX_SIZE - 1)]++] = from[i];
}

/* Whether the rank in `a` comes before the one in `b`, by whole keys. */
static bool comes_before(const struct hmac_key *seed, uint64_t a, uint64_t b)
{
	uint8_t keys[2][SHUFFLE_HASH_SIZE];
	rank_key(seed, (int64_t)(uint32_t)a, keys[0]);
	rank_key(seed, (int64_t)(uint32_t)b, keys[1]);
	int order = memcmp(keys[0], keys[1], SHUFFLE_HASH_SIZE);
	return order != 0 ? order < 0 : a < b;
}

/* Put those right that have the same prefix, by insertion: they are twos and threes. */
static void settle_equals(const struct hmac_key *seed, uint64_t *packed, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		uint64_t moved = packed[i];
		size_t at = i;
		for (; at > 0 && packed[at - 1] >> PREFIX_SHIFT == moved >> PREFIX_SHIFT &&
			comes_before(seed, moved, packed[at - 1]);
			at--)
			packed[at] = packed[at - 1];
		packed[at] = moved;
	}
}

/* Sort `packed`, with as much memory again to work with. Two passes: it ends where it began. */
static void sort_packed(const struct hmac_key *seed, uint64_t *packed, uint64_t *other,
	uint32_t *starts, size_t count)
{
	radix_pass(packed, other, count, PREFIX_SHIFT, starts);
	radix_pass(other, packed, count, PREFIX_SHIFT + RADIX_BITS, starts);
	settle_equals(seed, packed, count);
}

static uint64_t pack(const struct hmac_key *seed, int64_t rank)
{
	uint8_t key[SHUFFLE_HASH_SIZE];
	rank_key(seed, rank, key);
	uint64_t prefix =
		(uint64_t)key[0] << 24 | (uint64_t)key[1] << 16 | (uint64_t)key[2] << 8 | key[3];
	return prefix << PREFIX_SHIFT | (uint64_t)rank;
}

/* Fill in both directions. False when there is no memory to work with. */
static bool compute(struct shuffle *shuffle, const uint8_t final_seed[SHUFFLE_HASH_SIZE])
{
	size_t count = (size_t)shuffle->size;
	struct hmac_key seed;
	hmac_key_init(&seed, final_seed, SHUFFLE_HASH_SIZE);
	uint64_t *packed = calloc(count + 1, sizeof *packed);
	uint64_t *other = malloc((count + 1) * sizeof *other);
	uint32_t *starts = malloc(RADIX_SIZE * sizeof *starts);
	bool done = packed && other && starts;
	if (done) {
		for (size_t i = 0; i < count; i++)
			packed[i] = pack(&seed, (int64_t)i + 1);
		sort_packed(&seed, packed, other, starts, count);
		for (size_t i = 0; i < count; i++) {
			uint32_t rank = (uint32_t)packed[i];
			shuffle->ranks[i] = rank;
			shuffle->places[rank - 1] = (uint32_t)i + 1;
		}
	}
	free(packed);
	free(other);
	free(starts);
	return done;
}

struct shuffle *shuffle_new(const uint8_t final_seed[SHUFFLE_HASH_SIZE], int64_t lobby_size)
{
	assert(lobby_size >= 0 && lobby_size <= SHUFFLE_LOBBY_SIZE_MAX);
	size_t count = (size_t)lobby_size;
	struct shuffle *shuffle = calloc(1, sizeof *shuffle);
	if (!shuffle)
		return NULL;
	shuffle->size = lobby_size;
	shuffle->places = malloc((count + 1) * sizeof *shuffle->places);
	shuffle->ranks = malloc((count + 1) * sizeof *shuffle->ranks);
	if (shuffle->places && shuffle->ranks && compute(shuffle, final_seed))
		return shuffle;
	shuffle_free(shuffle);
	return NULL;
}

void shuffle_free(struct shuffle *shuffle)
{
	if (!shuffle)
		return;
	free(shuffle->places);
	free(shuffle->ranks);
	free(shuffle);
}

int64_t shuffle_size(const struct shuffle *shuffle)
{
	return shuffle->size;
}

int64_t shuffle_place(const struct shuffle *shuffle, int64_t rank)
{
	assert(rank >= 1 && rank <= shuffle->size);
	return shuffle->places[rank - 1];
}

int64_t shuffle_rank(const struct shuffle *shuffle, int64_t place)
{
	assert(place >= 1 && place <= shuffle->size);
	return shuffle->ranks[place - 1];
}

int64_t shuffle_place_of(
	const uint8_t final_seed[SHUFFLE_HASH_SIZE], int64_t lobby_size, int64_t rank)
{
	assert(lobby_size <= SHUFFLE_LOBBY_SIZE_MAX && rank >= 1 && rank <= lobby_size);
	struct hmac_key seed;
	uint8_t own[SHUFFLE_HASH_SIZE], key[SHUFFLE_HASH_SIZE];
	hmac_key_init(&seed, final_seed, SHUFFLE_HASH_SIZE);
	rank_key(&seed, rank, own);
	int64_t place = 1;
	for (int64_t other = 1; other <= lobby_size; other++) {
		rank_key(&seed, other, key);
		int order = memcmp(key, own, SHUFFLE_HASH_SIZE);
		place += order < 0 || (order == 0 && other < rank);
	}
	return place;
}

/* ---- verification ---- */

const char *shuffle_verdict_text(enum shuffle_verdict verdict)
{
	switch (verdict) {
	case SHUFFLE_FAIR:
		return "the published data give these places";
	case SHUFFLE_OTHER_SEED:
		return "the seed is not the one that was committed to";
	case SHUFFLE_OTHER_LIST:
		return "the lobby is not the one whose hash was published";
	case SHUFFLE_OTHER_PLACE:
		break;
	}
	return "the published data give another place";
}

static bool seed_is_committed(const struct shuffle_published *published)
{
	uint8_t commitment[SHUFFLE_HASH_SIZE];
	shuffle_commitment(published->seed, commitment);
	return memcmp(commitment, published->commitment, SHUFFLE_HASH_SIZE) == 0;
}

enum shuffle_verdict shuffle_verify(const struct shuffle_published *published,
	const struct lobby_list *list, uint8_t final_seed[SHUFFLE_HASH_SIZE])
{
	if (!seed_is_committed(published))
		return SHUFFLE_OTHER_SEED;
	if (list->size != published->lobby_size ||
		memcmp(list->hash, published->list_hash, SHUFFLE_HASH_SIZE) != 0)
		return SHUFFLE_OTHER_LIST;
	shuffle_final_seed(published->seed, published->list_hash, published->beacon, final_seed);
	return SHUFFLE_FAIR;
}

enum shuffle_verdict shuffle_verify_place(
	const struct shuffle_published *published, int64_t rank, int64_t place)
{
	uint8_t final_seed[SHUFFLE_HASH_SIZE];
	if (!seed_is_committed(published))
		return SHUFFLE_OTHER_SEED;
	if (published->lobby_size < 0 || published->lobby_size > SHUFFLE_LOBBY_SIZE_MAX ||
		rank < 1 || rank > published->lobby_size)
		return SHUFFLE_OTHER_LIST;
	shuffle_final_seed(published->seed, published->list_hash, published->beacon, final_seed);
	return shuffle_place_of(final_seed, published->lobby_size, rank) == place
		? SHUFFLE_FAIR
		: SHUFFLE_OTHER_PLACE;
}
