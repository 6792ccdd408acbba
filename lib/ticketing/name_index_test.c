#include "lib/ticketing/name_index.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void fill(struct name_entry entries[], const char *const names[], uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		entries[i] = (struct name_entry){.name = slice_of(names[i]), .index = i};
	name_index_sort(entries, count);
}

static void names_are_found(void **state)
{
	(void)state;
	static const char *const names[] = {"stalls", "", "box", "a", "balcony", "boy"};
	struct name_entry entries[6];
	fill(entries, names, 6);
	for (uint32_t i = 0; i < 6; i++) {
		const struct name_entry *entry = name_index_find(entries, 6, slice_of(names[i]));
		assert_non_null(entry);
		assert_int_equal(entry->index, i);
	}
	assert_null(name_index_find(entries, 6, slice_of("bo")));
	assert_null(name_index_find(entries, 6, slice_of("boxx")));
	assert_null(name_index_find(entries, 6, (struct slice){.data = "a\0", .size = 2}));
	assert_null(name_index_find(entries, 0, slice_of("a")));
}

static void the_first_repetition_is_named(void **state)
{
	(void)state;
	static const char *const names[] = {"a", "b", "c", "b", "a", "b"};
	struct name_entry entries[6];
	uint32_t earlier = 99, later = 99;
	fill(entries, names, 6);
	assert_true(name_index_repeated(entries, 6, &earlier, &later));
	assert_int_equal(earlier, 1);
	assert_int_equal(later, 3);
	fill(entries, names, 3);
	assert_false(name_index_repeated(entries, 3, &earlier, &later));
	assert_false(name_index_repeated(entries, 0, &earlier, &later));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_found),
		cmocka_unit_test(the_first_repetition_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
