/* Slices: splitting, numbers, and what counts as text or as an id. */
#include "lib/base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct slice bytes(const char *data, size_t size)
{
	return (struct slice){.data = data, .size = size};
}

static void equality(void **state)
{
	(void)state;
	assert_true(slice_equal(bytes(NULL, 0), slice_of("")));
	assert_true(slice_is(bytes("a\0b", 1), "a"));
	assert_false(slice_is(bytes("a\0b", 3), "a"));
	assert_false(slice_is(slice_of("ab"), "abc"));
	assert_true(slice_starts_with(slice_of("seat"), "se"));
	assert_true(slice_starts_with(slice_of("seat"), "seat"));
	assert_true(slice_starts_with(bytes(NULL, 0), ""));
	assert_false(slice_starts_with(slice_of("se"), "seat"));
	assert_false(slice_starts_with(bytes("seat", 2), "seat"));
}

static void splitting(void **state)
{
	(void)state;
	struct slice piece, rest = slice_of("a,,bc,");
	assert_true(slice_split(&rest, ',', &piece));
	assert_true(slice_is(piece, "a"));
	assert_true(slice_split(&rest, ',', &piece));
	assert_true(slice_is(piece, ""));
	assert_true(slice_split(&rest, ',', &piece));
	assert_true(slice_is(piece, "bc"));
	assert_non_null(rest.data);
	assert_true(slice_split(&rest, ',', &piece));
	assert_true(slice_is(piece, ""));
	assert_null(rest.data);
	assert_false(slice_split(&rest, ',', &piece));
	assert_null(piece.data);
	assert_int_equal(piece.size, 0);

	rest = slice_of("");
	assert_true(slice_split(&rest, ',', &piece));
	assert_non_null(piece.data);
	assert_int_equal(piece.size, 0);
	assert_false(slice_split(&rest, ',', &piece));

	/* What lies behind the slice is not looked at. */
	rest = bytes("ab,c", 2);
	assert_true(slice_split(&rest, ',', &piece));
	assert_true(slice_is(piece, "ab"));
	assert_null(rest.data);
	rest = bytes("a\0b", 3);
	assert_true(slice_split(&rest, '\0', &piece));
	assert_true(slice_is(rest, "b"));
}

static void trimming(void **state)
{
	(void)state;
	assert_true(slice_is(slice_trim(slice_of(" \t a b\t ")), "a b"));
	assert_true(slice_is(slice_trim(slice_of(" \t ")), ""));
	assert_true(slice_is(slice_trim(slice_of("\n a")), "\n a"));
	assert_int_equal(slice_trim(bytes(NULL, 0)).size, 0);
}

static void integers_that_are_taken(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t value;
	} cases[] = {
		{"0", 0},
		{"7", 7},
		{"-1", -1},
		{"1000", 1000},
		{"9223372036854775807", INT64_MAX},
		{"-9223372036854775808", INT64_MIN},
	};
	for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
		int64_t value = 42;
		struct slice text = slice_of(cases[index].text);
		assert_true(slice_to_integer(text, INT64_MIN, INT64_MAX, &value));
		assert_true(value == cases[index].value);
	}
	int64_t value = 0;
	assert_true(slice_to_integer(bytes("123", 2), 12, 12, &value));
	assert_int_equal(value, 12);
}

static void integers_that_are_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {"", "-", "+1", " 1", "1 ", "01", "00", "-0", "-01",
		"1.0", "1e3", "0x10", "1_000", "9223372036854775808", "-9223372036854775809",
		"99999999999999999999999999", "18446744073709551617", "\xd9\xa1", "--1", "1-"};
	for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
		int64_t value = 42;
		struct slice text = slice_of(cases[index]);
		if (slice_to_integer(text, INT64_MIN, INT64_MAX, &value))
			fail_msg("\"%s\" was taken", cases[index]);
		assert_int_equal(value, 42);
	}
	int64_t value = 42;
	assert_false(slice_to_integer(bytes("1\0", 2), 0, 9, &value));
	assert_false(slice_to_integer(bytes(NULL, 0), 0, 9, &value));
	assert_false(slice_to_integer(slice_of("10"), 0, 9, &value));
	assert_false(slice_to_integer(slice_of("-1"), 0, 9, &value));
	assert_int_equal(value, 42);
}

static void text_that_is_taken(void **state)
{
	(void)state;
	static const char *const cases[] = {"", "Row A", "K\xc3\xb6ln", "\xe6\x9d\xb1\xe4\xba\xac",
		"\xf0\x9f\x8e\xab", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd",
		"\xf4\x8f\xbf\xbd", "\xc2\xa0", "\xe2\x80\x8f"};
	for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
		if (!slice_is_text(slice_of(cases[index])))
			fail_msg("case %zu was refused", index);
	}
}

static void text_that_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {"a\nb", "\t", "\x1b[0m", "\x7f", "\xc2\x80",
		"\xc2\x9f",                                                     /* controls */
		"\x80", "\xbf", "\xc3", "\xc3(", "\xe2\x82", "\xf0\x9f\x8e",    /* broken off */
		"\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",     /* overlong */
		"\xed\xa0\x80", "\xed\xbf\xbf",                                 /* surrogates */
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xfe", "\xff",         /* past U+10FFFF */
		"\xef\xbf\xbe", "\xef\xbf\xbf", "\xef\xb7\x90", "\xef\xb7\xaf", /* noncharacters */
		"\xf0\x9f\xbf\xbe", "\xf4\x8f\xbf\xbf", "ok\xc3"};
	for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
		if (slice_is_text(slice_of(cases[index])))
			fail_msg("case %zu was taken", index);
	}
	assert_false(slice_is_text(bytes("a\0b", 3)));
	/* The character goes on behind the end of the slice. */
	assert_false(slice_is_text(bytes("K\xc3\xb6ln", 2)));
}

static void ids(void **state)
{
	(void)state;
	assert_true(slice_is_id(slice_of("AZaz09-_.~"), 64));
	assert_true(slice_is_id(slice_of("..."), 64));
	assert_true(slice_is_id(slice_of(".a"), 64));
	assert_true(slice_is_id(slice_of("abc"), 3));
	static const char *const cases[] = {"", ".", "..", "a b", "a/b", "a%20", "a:b", "a+b",
		"caf\xc3\xa9", "a\n", "{a}", "a@", "a[", "a`", "a'", "*"};
	for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
		if (slice_is_id(slice_of(cases[index]), 64))
			fail_msg("\"%s\" was taken", cases[index]);
	}
	assert_false(slice_is_id(slice_of("abcd"), 3));
	assert_false(slice_is_id(bytes("a\0b", 3), 64));
	assert_false(slice_is_id(bytes(NULL, 0), 64));
}

/* Names of a hall's sections differ in their last letter: both halves of a hash tell them apart. */
static void hashes_of_like_names_differ_everywhere(void **state)
{
	(void)state;
	enum { NAMES = 26, PARTS = 8 };
	size_t low[PARTS] = {0}, high[PARTS] = {0};
	for (size_t i = 0; i < NAMES; i++) {
		char name[] = "Section A";
		name[sizeof name - 2] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i];
		uint64_t hash = slice_hash(slice_of(name), 0);
		low[hash % PARTS]++;
		high[(hash >> 32) % PARTS]++;
		assert_true(hash == slice_hash(slice_of(name), 0));
		assert_true(hash != slice_hash(slice_of(name), 1));
	}
	for (size_t i = 0; i < PARTS; i++) {
		assert_in_range(low[i], 1, NAMES / 3);
		assert_in_range(high[i], 1, NAMES / 3);
	}
	assert_true(slice_hash(slice_of(""), 0) != slice_hash((struct slice){"\0", 1}, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equality),
		cmocka_unit_test(splitting),
		cmocka_unit_test(trimming),
		cmocka_unit_test(integers_that_are_taken),
		cmocka_unit_test(integers_that_are_refused),
		cmocka_unit_test(text_that_is_taken),
		cmocka_unit_test(text_that_is_refused),
		cmocka_unit_test(ids),
		cmocka_unit_test(hashes_of_like_names_differ_everywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
