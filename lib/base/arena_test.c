/* Arenas: alignment, bounds, overflow, reuse. The sanitizers see what is written out of bounds. */
#include "lib/base/arena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void allocations_are_aligned_and_apart(void **state)
{
	(void)state;
	enum { COUNT = 3000 };
	static unsigned char *memory[COUNT];
	struct arena arena;
	arena_init(&arena, 64 << 20);
	for (size_t index = 0; index < COUNT; index++) {
		size_t size = index * 7 % 5000 + 1;
		memory[index] = arena_alloc(&arena, size);
		assert_non_null(memory[index]);
		assert_int_equal((uintptr_t)memory[index] % alignof(max_align_t), 0);
		memset(memory[index], (int)(index % 251), size);
	}
	for (size_t index = 0; index < COUNT; index++) {
		size_t size = index * 7 % 5000 + 1;
		assert_int_equal(memory[index][0], index % 251);
		assert_int_equal(memory[index][size - 1], index % 251);
	}
	arena_release(&arena);
}

static void the_bound_is_exact(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 100);
	assert_null(arena_alloc(&arena, 101));
	assert_null(arena_alloc(&arena, SIZE_MAX));
	assert_int_equal(arena.bytes_used, 0);
	char *memory = arena_alloc(&arena, 100);
	assert_non_null(memory);
	memset(memory, 1, 100);
	assert_int_equal(arena.bytes_used, 100);

	assert_null(arena_alloc(&arena, 1));
	assert_null(arena_calloc(&arena, 1, 1));
	assert_null(arena_copy(&arena, slice_of("")));
	assert_null(arena_format(&arena, "%d", 1).data);
	assert_int_equal(arena_format(&arena, "%d", 1).size, 0);
	assert_int_equal(arena.bytes_used, 100);
	arena_release(&arena);
}

static void many_small_pieces_cannot_pass_the_bound(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 4 * alignof(max_align_t));
	for (int index = 0; index < 4; index++)
		assert_non_null(arena_alloc(&arena, 1));
	assert_null(arena_alloc(&arena, 1));
	arena_release(&arena);
}

static void nothing_is_given_by_an_empty_bound(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 0);
	assert_null(arena_alloc(&arena, 1));
	assert_null(arena_copy(&arena, slice_of("x")));
	arena_release(&arena);
}

static void overflow_is_refused(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, SIZE_MAX);
	assert_non_null(arena_alloc(&arena, 1));
	assert_null(arena_alloc(&arena, SIZE_MAX));
	assert_null(arena_alloc(&arena, SIZE_MAX - 1));
	assert_null(arena_calloc(&arena, SIZE_MAX / 2, 3));
	assert_null(arena_calloc(&arena, (SIZE_MAX >> 4) + 1, 16));
	assert_null(arena_copy(&arena, (struct slice){.data = "x", .size = SIZE_MAX}));
	assert_non_null(arena_alloc(&arena, 1));
	arena_release(&arena);
}

static void calloc_clears_used_memory(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 1 << 20);
	char *memory = arena_alloc(&arena, 2000);
	assert_non_null(memory);
	memset(memory, 0xAA, 2000);
	arena_reset(&arena);
	memory = arena_calloc(&arena, 500, 4);
	assert_non_null(memory);
	for (size_t index = 0; index < 2000; index++)
		assert_int_equal(memory[index], 0);
	arena_release(&arena);
}

static void copies_end_in_zero(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 1000);
	char *copy = arena_copy(&arena, (struct slice){.data = "abcdef", .size = 3});
	assert_string_equal(copy, "abc");
	copy = arena_copy(&arena, (struct slice){.data = NULL, .size = 0});
	assert_string_equal(copy, "");
	copy = arena_copy(&arena, (struct slice){.data = "a\0b", .size = 3});
	assert_memory_equal(copy, "a\0b", 4);
	arena_release(&arena);
}

static void formats_of_any_length(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 1 << 20);
	struct slice text = arena_format(&arena, "%s-%d", "seat", 12);
	assert_true(slice_is(text, "seat-12"));
	assert_int_equal(text.data[text.size], 0);
	text = arena_format(&arena, "%s", "");
	assert_non_null(text.data);
	assert_int_equal(text.size, 0);
	text = arena_format(&arena, "%*d", 100000, 7);
	assert_int_equal(text.size, 100000);
	assert_int_equal(text.data[99999], '7');
	arena_release(&arena);
}

static void reset_keeps_the_first_block(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 64 << 20);
	char *first = arena_alloc(&arena, 10);
	for (int round = 0; round < 3; round++) {
		for (int index = 0; index < 100; index++)
			assert_non_null(arena_alloc(&arena, 100000));
		arena_reset(&arena);
		assert_int_equal(arena.bytes_used, 0);
		assert_ptr_equal(arena_alloc(&arena, 10), first);
	}
	arena_release(&arena);
}

static void a_released_arena_works_again(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 50);
	arena_reset(&arena);
	arena_release(&arena);
	assert_non_null(arena_alloc(&arena, 50));
	arena_release(&arena);
	assert_int_equal(arena.bytes_max, 50);
	assert_non_null(arena_alloc(&arena, 50));
	assert_null(arena_alloc(&arena, 1));
	arena_release(&arena);
	arena_release(&arena);
}

static void nothing_may_be_asked_for(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 10);
	assert_non_null(arena_alloc(&arena, 0));
	assert_non_null(arena_calloc(&arena, 0, 8));
	assert_int_equal(arena.bytes_used, 0);
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocations_are_aligned_and_apart),
		cmocka_unit_test(the_bound_is_exact),
		cmocka_unit_test(many_small_pieces_cannot_pass_the_bound),
		cmocka_unit_test(nothing_is_given_by_an_empty_bound),
		cmocka_unit_test(overflow_is_refused),
		cmocka_unit_test(calloc_clears_used_memory),
		cmocka_unit_test(copies_end_in_zero),
		cmocka_unit_test(formats_of_any_length),
		cmocka_unit_test(reset_keeps_the_first_block),
		cmocka_unit_test(a_released_arena_works_again),
		cmocka_unit_test(nothing_may_be_asked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
