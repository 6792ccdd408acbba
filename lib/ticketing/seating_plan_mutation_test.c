/* A valid plan with bytes flipped, deleted, inserted and copied: each of very many such texts is
 * read or refused with a path, and under the sanitizers nothing else happens. The seed is fixed, so
 * a failure repeats. */
#include "lib/ticketing/seating_plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/ticketing/test_plan.h"

enum { ROUNDS = 20000, MUTATIONS_MAX = 4, COPY_SIZE_MAX = 40 };

/* SplitMix64 (Steele, Lea, Flood 2014): small, and good enough to choose bytes. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static size_t below(uint64_t *state, size_t bound)
{
	return (size_t)(next_random(state) % bound);
}

struct text {
	char *data;
	size_t size, capacity;
};

/* Make room for `size` bytes at `at`, and put them there. */
static void insert(struct text *text, size_t at, const char *bytes, size_t size)
{
	if (text->size + size > text->capacity)
		return;
	memmove(text->data + at + size, text->data + at, text->size - at);
	memcpy(text->data + at, bytes, size);
	text->size += size;
}

static void erase(struct text *text, size_t at, size_t size)
{
	size = size < text->size - at ? size : text->size - at;
	memmove(text->data + at, text->data + at + size, text->size - at - size);
	text->size -= size;
}

static void copy_within(struct text *text, uint64_t *random)
{
	char piece[COPY_SIZE_MAX];
	size_t size = 1 + below(random, COPY_SIZE_MAX);
	if (size >= text->size)
		return;
	memcpy(piece, text->data + below(random, text->size - size), size);
	insert(text, below(random, text->size), piece, size);
}

/* What breaks readers more often than random bytes do. */
static void insert_token(struct text *text, uint64_t *random)
{
	static const char *const tokens[] = {"{", "}", "[", "]", "\"", ",", ":", "null", "-1",
		"1e9", "1e999", "0.5", "true", "\\u0000", "\\ud800", "\xff", "\xc3",
		"[[[[[[[[[[[[[[[[[", "\"\"", "{}", "\"x\":0,", "%s", "\xe2\x80\xa8",
		"99999999999999999999"};
	const char *token = tokens[below(random, sizeof tokens / sizeof *tokens)];
	insert(text, below(random, text->size), token, strlen(token));
}

static void mutate(struct text *text, uint64_t *random)
{
	if (text->size < 2)
		return;
	size_t at = below(random, text->size);
	switch (below(random, 5)) {
	case 0:
		text->data[at] = (char)(text->data[at] ^ (1 << below(random, 8)));
		break;
	case 1:
		text->data[at] = (char)next_random(random);
		break;
	case 2:
		erase(text, at, 1 + below(random, COPY_SIZE_MAX));
		break;
	case 3:
		insert_token(text, random);
		break;
	default:
		copy_within(text, random);
	}
}

/* Read a copy of just that size, so that the address sanitizer sees a byte too far. */
static enum status read_copy(struct arena *arena, const struct text *text)
{
	char *copy = malloc(text->size ? text->size : 1);
	assert_non_null(copy);
	memcpy(copy, text->data, text->size);
	const struct seating_plan *plan = NULL;
	struct fault fault = {.where = "", .what = ""};
	struct slice json = {.data = copy, .size = text->size};
	enum status status = seating_plan_read(json, arena, &plan, &fault);
	free(copy);
	assert_true(status == STATUS_OK || status == STATUS_REFUSED);
	assert_int_equal(status == STATUS_OK, plan != NULL);
	if (status == STATUS_REFUSED) {
		assert_int_equal(fault.where[0], '$');
		assert_true(strlen(fault.what) > 0);
		assert_true(slice_is_text(slice_of(fault.where)));
	} else if (plan) {
		assert_true(plan->seat_count > 0);
		char label[100];
		seating_seat_label(plan, &plan->seats[plan->seat_count - 1], label, sizeof label);
	}
	arena_reset(arena);
	return status;
}

static void mutate_many(struct reading *reading, uint64_t seed)
{
	struct slice whole = buffer_slice(&reading->json);
	struct text text = {.capacity = whole.size * 2};
	size_t accepted = 0;
	text.data = malloc(text.capacity);
	assert_non_null(text.data);
	for (int round = 0; round < ROUNDS; round++) {
		memcpy(text.data, whole.data, whole.size);
		text.size = whole.size;
		for (size_t i = 1 + below(&seed, MUTATIONS_MAX); i > 0; i--)
			mutate(&text, &seed);
		accepted += read_copy(&reading->arena, &text) == STATUS_OK;
	}
	free(text.data);
	print_message("%zu of %d mutated plans were still plans\n", accepted, ROUNDS);
	assert_true(accepted > 0 && accepted < ROUNDS);
}

static void mutations_of_a_small_plan_are_survived(void **state)
{
	struct reading *reading = *state;
	buffer_add_text(&reading->json, test_plan);
	mutate_many(reading, 1);
}

static void mutations_of_an_export_are_survived(void **state)
{
	struct reading *reading = *state;
	test_file_read("lib/ticketing/testdata/editor-export.json", &reading->json);
	mutate_many(reading, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			mutations_of_a_small_plan_are_survived, reading_set_up, reading_tear_down),
		cmocka_unit_test_setup_teardown(
			mutations_of_an_export_are_survived, reading_set_up, reading_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
