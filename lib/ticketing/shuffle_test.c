#include "lib/ticketing/shuffle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/testkit/random.h"
#include "lib/ticketing/hmac.h"

enum { PEOPLE = 20, UNKNOWN_RANK = 7, MANY = 300000 };

/* What Python's hashlib and hmac make of the seed of bytes 0 to 31 and the people person-1 to
 * person-20 of winter-gala, the seventh of whom is not known any more. */
static const char *const commitment_hex =
	"630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd";
static const char *const empty_list_hex =
	"66676f1daeac71a9e4638b4f1917ee1ee5945bb36a100d28974796407ffe9d12";
static const char *const list_hex =
	"253c7a0ecbeb8bbaa6efb531b75a5d45f2f0711fb9ad322c87587e3e03fb0364";
static const char *const final_hex =
	"fa6bf471512285aa840e21b7bd5813f2967212a25aff48d344bc29148fb8ad8a";
static const char *const final_with_beacon_hex =
	"580993d66e1ee72c6fec8134b8a84a4418db3cfded645da6eb2c07d41c750d82";
static const int64_t ranks_in_order[PEOPLE] = {
	6, 5, 14, 9, 1, 11, 15, 17, 19, 7, 18, 13, 10, 8, 12, 16, 2, 3, 4, 20};
static const int64_t ranks_with_beacon[PEOPLE] = {
	7, 17, 13, 18, 20, 9, 19, 8, 14, 5, 10, 12, 15, 4, 1, 11, 16, 2, 6, 3};
/* SHA-256 of the ranks of MANY people in order, four bytes each, the highest first. Twelve pairs
 * among them have the first four bytes of their keys in common. */
static const char *const many_ranks_hex =
	"2ced96b340e89b0d1beec6f9404d68c9d245e02c59e014e38eadcbfcec45b269";

static void assert_hex(const uint8_t hash[SHUFFLE_HASH_SIZE], const char *hex)
{
	char text[SHUFFLE_HASH_SIZE * 2 + 1];
	for (size_t i = 0; i < SHUFFLE_HASH_SIZE; i++)
		snprintf(text + i * 2, 3, "%02x", hash[i]);
	assert_string_equal(text, hex);
}

static void fill_seed(uint8_t seed[SHUFFLE_HASH_SIZE])
{
	for (size_t i = 0; i < SHUFFLE_HASH_SIZE; i++)
		seed[i] = (uint8_t)i;
}

static struct slice event(void)
{
	return slice_of("winter-gala");
}

static struct slice person(int64_t rank, char text[32])
{
	snprintf(text, 32, "person-%d", (int)rank);
	return slice_of(rank == UNKNOWN_RANK ? "" : text);
}

static void fill_list(struct lobby_list *list)
{
	char text[32];
	lobby_list_init(list, event());
	for (int64_t rank = 1; rank <= PEOPLE; rank++)
		lobby_list_add(list, event(), person(rank, text));
}

static void fill_published(struct shuffle_published *published, struct lobby_list *list)
{
	fill_list(list);
	*published = (struct shuffle_published){.lobby_size = list->size};
	fill_seed(published->seed);
	shuffle_commitment(published->seed, published->commitment);
	memcpy(published->list_hash, list->hash, SHUFFLE_HASH_SIZE);
}

static void hashes_are_those_that_others_compute(void **state)
{
	(void)state;
	struct lobby_list list;
	uint8_t seed[SHUFFLE_HASH_SIZE], hash[SHUFFLE_HASH_SIZE];
	fill_seed(seed);
	shuffle_commitment(seed, hash);
	assert_hex(hash, commitment_hex);
	lobby_entry(event(), 1, slice_of("person-1"), hash);
	assert_hex(hash, "529ada6c44375c6c0a55a92895ab4cc2decacd914b06a910ef1eec776c53f625");
	lobby_entry(event(), UNKNOWN_RANK, slice_of(""), hash);
	assert_hex(hash, "cc4408b70dd1c380f778be529a686f353b72e425c80355e8ea38325cc4a39b37");
	lobby_list_init(&list, event());
	assert_hex(list.hash, empty_list_hex);
	fill_list(&list);
	assert_int_equal(list.size, PEOPLE);
	assert_hex(list.hash, list_hex);
	shuffle_final_seed(seed, list.hash, slice_of(""), hash);
	assert_hex(hash, final_hex);
	shuffle_final_seed(seed, list.hash, slice_of("beacon round 42"), hash);
	assert_hex(hash, final_with_beacon_hex);
}

static void assert_order(const char *beacon, const int64_t ranks[PEOPLE])
{
	struct lobby_list list;
	uint8_t seed[SHUFFLE_HASH_SIZE], final_seed[SHUFFLE_HASH_SIZE];
	fill_seed(seed);
	fill_list(&list);
	shuffle_final_seed(seed, list.hash, slice_of(beacon), final_seed);
	struct shuffle *shuffle = shuffle_new(final_seed, PEOPLE);
	assert_non_null(shuffle);
	assert_int_equal(shuffle_size(shuffle), PEOPLE);
	for (int64_t place = 1; place <= PEOPLE; place++) {
		int64_t rank = ranks[place - 1];
		assert_int_equal(shuffle_rank(shuffle, place), rank);
		assert_int_equal(shuffle_place(shuffle, rank), place);
		assert_int_equal(shuffle_place_of(final_seed, PEOPLE, rank), place);
	}
	shuffle_free(shuffle);
}

static void the_order_is_the_one_that_others_compute(void **state)
{
	(void)state;
	assert_order("", ranks_in_order);
	assert_order("beacon round 42", ranks_with_beacon);
}

/* Enough that keys begin alike: then the rest of them decides. */
static void many_are_in_the_order_that_others_compute(void **state)
{
	(void)state;
	struct lobby_list list;
	uint8_t seed[SHUFFLE_HASH_SIZE], final_seed[SHUFFLE_HASH_SIZE], hash[SHUFFLE_HASH_SIZE];
	fill_seed(seed);
	fill_list(&list);
	shuffle_final_seed(seed, list.hash, slice_of(""), final_seed);
	struct shuffle *shuffle = shuffle_new(final_seed, MANY);
	assert_non_null(shuffle);
	uint8_t *bytes = malloc((size_t)MANY * 4);
	assert_non_null(bytes);
	for (int64_t place = 1; place <= MANY; place++) {
		uint8_t rank[8];
		put_big_endian(rank, shuffle_rank(shuffle, place));
		memcpy(bytes + (place - 1) * 4, rank + 4, 4);
	}
	const struct slice all = slice_of_bytes(bytes, (size_t)MANY * 4);
	sha256_pieces(&all, 1, hash);
	assert_hex(hash, many_ranks_hex);
	/* A pair that begins alike. */
	assert_true(shuffle_place(shuffle, 145121) + 1 == shuffle_place(shuffle, 198387));
	free(bytes);
	shuffle_free(shuffle);
}

static void draw_seed(struct random *random, uint8_t seed[SHUFFLE_HASH_SIZE])
{
	for (size_t i = 0; i < SHUFFLE_HASH_SIZE; i++)
		seed[i] = (uint8_t)random_next(random);
}

static void each_rank_has_a_place_of_its_own(void **state)
{
	(void)state;
	struct random random;
	random_init(&random, random_seed());
	for (int round = 0; round < 200; round++) {
		uint8_t seed[SHUFFLE_HASH_SIZE];
		int64_t size = random_between(&random, 0, 1000);
		draw_seed(&random, seed);
		struct shuffle *shuffle = shuffle_new(seed, size);
		assert_non_null(shuffle);
		assert_int_equal(shuffle_size(shuffle), size);
		for (int64_t rank = 1; rank <= size; rank++) {
			int64_t place = shuffle_place(shuffle, rank);
			assert_in_range(place, 1, size);
			assert_int_equal(shuffle_rank(shuffle, place), rank);
		}
		for (int i = 0; i < 3 && size > 0; i++) {
			int64_t rank = random_between(&random, 1, size);
			assert_int_equal(
				shuffle_place_of(seed, size, rank), shuffle_place(shuffle, rank));
		}
		shuffle_free(shuffle);
	}
	shuffle_free(NULL);
}

/* Where the first of ten comes out, over many seeds: each place equally often. With 20,000 rounds
 * each place is taken 2,000 times, give or take 42 in one case of three; 300 is seven times that.
 */
static void no_place_is_likelier_than_another(void **state)
{
	(void)state;
	enum { SIZE = 10, ROUNDS = 20000, DEVIATION_MAX = 300 };
	struct random random;
	random_init(&random, random_seed());
	int64_t counts[SIZE] = {0};
	for (int round = 0; round < ROUNDS; round++) {
		uint8_t seed[SHUFFLE_HASH_SIZE];
		draw_seed(&random, seed);
		counts[shuffle_place_of(seed, SIZE, 1) - 1]++;
	}
	for (size_t i = 0; i < SIZE; i++)
		assert_in_range(
			counts[i], ROUNDS / SIZE - DEVIATION_MAX, ROUNDS / SIZE + DEVIATION_MAX);
}

/* Whatever differs in the list, its hash does: one person, the order, the event, how many. */
static void the_hash_tells_lists_apart(void **state)
{
	(void)state;
	struct lobby_list lists[7];
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		lobby_list_init(&lists[i], slice_of(i == 6 ? "f" : "e"));
	static const char *const people[][3] = {{"a", "b", "c"}, {"b", "a", "c"}, {"a", "b", "d"},
		{"a", "", "c"}, {"ab", "", "c"}, {"a", "bc", ""}, {"a", "b", "c"}};
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		for (size_t j = 0; j < 3; j++)
			lobby_list_add(
				&lists[i], slice_of(i == 6 ? "f" : "e"), slice_of(people[i][j]));
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(lists[i].hash, lists[j].hash, SHUFFLE_HASH_SIZE);
	}
	struct lobby_list longer = lists[0];
	lobby_list_add(&longer, slice_of("e"), slice_of(""));
	assert_memory_not_equal(longer.hash, lists[0].hash, SHUFFLE_HASH_SIZE);
	assert_int_equal(longer.size, 4);
}

static void entries_make_the_same_list_as_people(void **state)
{
	(void)state;
	struct lobby_list by_entry;
	char text[32];
	lobby_list_init(&by_entry, event());
	for (int64_t rank = 1; rank <= PEOPLE; rank++) {
		uint8_t entry[SHUFFLE_HASH_SIZE];
		lobby_entry(event(), rank, person(rank, text), entry);
		lobby_list_add_entry(&by_entry, entry);
	}
	assert_hex(by_entry.hash, list_hex);
}

static void a_fair_shuffle_is_found_fair(void **state)
{
	(void)state;
	struct lobby_list list;
	struct shuffle_published published;
	uint8_t final_seed[SHUFFLE_HASH_SIZE];
	fill_published(&published, &list);
	assert_int_equal(shuffle_verify(&published, &list, final_seed), SHUFFLE_FAIR);
	assert_hex(final_seed, final_hex);
	for (int64_t place = 1; place <= PEOPLE; place++)
		assert_int_equal(shuffle_verify_place(&published, ranks_in_order[place - 1], place),
			SHUFFLE_FAIR);
	published.beacon = slice_of("beacon round 42");
	assert_int_equal(shuffle_verify(&published, &list, final_seed), SHUFFLE_FAIR);
	assert_hex(final_seed, final_with_beacon_hex);
	assert_int_equal(shuffle_verify_place(&published, ranks_with_beacon[0], 1), SHUFFLE_FAIR);
}

static void another_seed_is_seen(void **state)
{
	(void)state;
	struct lobby_list list;
	struct shuffle_published published;
	uint8_t final_seed[SHUFFLE_HASH_SIZE];
	fill_published(&published, &list);
	published.seed[31] ^= 1;
	assert_int_equal(shuffle_verify(&published, &list, final_seed), SHUFFLE_OTHER_SEED);
	assert_int_equal(shuffle_verify_place(&published, 6, 1), SHUFFLE_OTHER_SEED);
	published.seed[31] ^= 1;
	published.commitment[0] ^= 0x80;
	assert_int_equal(shuffle_verify(&published, &list, final_seed), SHUFFLE_OTHER_SEED);
}

static void another_list_is_seen(void **state)
{
	(void)state;
	struct lobby_list list;
	struct shuffle_published published;
	uint8_t final_seed[SHUFFLE_HASH_SIZE];
	fill_published(&published, &list);
	struct lobby_list longer = list;
	lobby_list_add(&longer, event(), slice_of("friend-of-the-house"));
	assert_int_equal(shuffle_verify(&published, &longer, final_seed), SHUFFLE_OTHER_LIST);
	published.lobby_size++;
	assert_int_equal(shuffle_verify(&published, &list, final_seed), SHUFFLE_OTHER_LIST);
	published.lobby_size--;
	published.list_hash[5] ^= 4;
	assert_int_equal(shuffle_verify(&published, &list, final_seed), SHUFFLE_OTHER_LIST);
}

static void another_place_is_seen(void **state)
{
	(void)state;
	struct lobby_list list;
	struct shuffle_published published;
	fill_published(&published, &list);
	for (int64_t place = -1; place <= PEOPLE + 1; place++)
		assert_int_equal(shuffle_verify_place(&published, 14, place),
			place == 3 ? SHUFFLE_FAIR : SHUFFLE_OTHER_PLACE);
	static const int64_t outside[] = {0, -1, INT64_MIN, PEOPLE + 1, INT64_MAX};
	for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
		assert_int_equal(
			shuffle_verify_place(&published, outside[i], 1), SHUFFLE_OTHER_LIST);
	published.lobby_size = INT64_MAX;
	assert_int_equal(shuffle_verify_place(&published, 14, 3), SHUFFLE_OTHER_LIST);
	published.lobby_size = -1;
	assert_int_equal(shuffle_verify_place(&published, 14, 3), SHUFFLE_OTHER_LIST);
}

static void verdicts_are_sentences_that_differ(void **state)
{
	(void)state;
	for (int a = SHUFFLE_FAIR; a <= SHUFFLE_OTHER_PLACE; a++) {
		const char *text = shuffle_verdict_text((enum shuffle_verdict)a);
		assert_true(strlen(text) > 10);
		for (int b = SHUFFLE_FAIR; b < a; b++)
			assert_string_not_equal(
				text, shuffle_verdict_text((enum shuffle_verdict)b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_are_those_that_others_compute),
		cmocka_unit_test(the_order_is_the_one_that_others_compute),
		cmocka_unit_test(many_are_in_the_order_that_others_compute),
		cmocka_unit_test(each_rank_has_a_place_of_its_own),
		cmocka_unit_test(no_place_is_likelier_than_another),
		cmocka_unit_test(the_hash_tells_lists_apart),
		cmocka_unit_test(entries_make_the_same_list_as_people),
		cmocka_unit_test(a_fair_shuffle_is_found_fair),
		cmocka_unit_test(another_seed_is_seen),
		cmocka_unit_test(another_list_is_seen),
		cmocka_unit_test(another_place_is_seen),
		cmocka_unit_test(verdicts_are_sentences_that_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
