#include "lib/ticketing/base32.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "lib/testkit/random.h"

enum { BYTES_MAX = 64 };

static bool reads(struct slice text, size_t size)
{
	uint8_t bytes[BYTES_MAX];
	return base32_read(text, bytes, size);
}

/* RFC 4648, section 10, without the padding. */
static void the_vectors_of_the_standard_are_met(void **state)
{
	(void)state;
	static const char *const vectors[][2] = {
		{"", ""},
		{"f", "MY"},
		{"fo", "MZXQ"},
		{"foo", "MZXW6"},
		{"foob", "MZXW6YQ"},
		{"fooba", "MZXW6YTB"},
		{"foobar", "MZXW6YTBOI"},
	};
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		const char *bytes = vectors[i][0], *text = vectors[i][1];
		size_t size = strlen(bytes);
		char written[BASE32_TEXT_SIZE(BYTES_MAX)];
		uint8_t read[BYTES_MAX];
		assert_int_equal(base32_write((const uint8_t *)bytes, size, written), strlen(text));
		assert_memory_equal(written, text, strlen(text));
		assert_int_equal(BASE32_TEXT_SIZE(size), strlen(text));
		assert_true(base32_read(slice_of(text), read, size));
		assert_memory_equal(read, bytes, size);
	}
}

static void other_spellings_are_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "MZXW", "MZXW6Y", "MZXW6YQ", "mzxw6", "MZXw6",
		"MZXW6===", "MZXW ", "MZXW\n", " MZXW", "MZXW0", "MZXW1", "MZXW8", "MZXW9", "MZXW@",
		"MZXW[", "MZXW\xc3", "MZX-6"};
	assert_true(reads(slice_of("MZXW6"), 3));
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(reads(slice_of(wrong[i]), 3));
	assert_false(reads((struct slice){.data = "MZX\0006", .size = 5}, 3));
}

/* Of the last character's bits, those behind the last byte. */
static void unused_bits_are_zero(void **state)
{
	(void)state;
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	for (size_t size = 1; size <= 5; size++) {
		char text[8];
		size_t length = base32_write((const uint8_t *)"\xff\xff\xff\xff\xff", size, text);
		size_t unused = length * 5 - size * 8, good_count = 0;
		for (size_t i = 0; i < 32; i++) {
			text[length - 1] = alphabet[i];
			good_count += reads((struct slice){.data = text, .size = length}, size);
		}
		assert_int_equal(good_count, 32 >> unused);
	}
}

static void what_is_written_is_read(void **state)
{
	(void)state;
	struct random random;
	random_init(&random, random_seed());
	for (int round = 0; round < 2000; round++) {
		uint8_t bytes[BYTES_MAX], read[BYTES_MAX];
		char text[BASE32_TEXT_SIZE(BYTES_MAX)];
		size_t size = random_below(&random, BYTES_MAX + 1);
		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)random_next(&random);
		struct slice slice = {.data = text, .size = base32_write(bytes, size, text)};
		assert_true(base32_read(slice, read, size));
		assert_memory_equal(read, bytes, size);
		assert_false(reads(slice, size + 1));
		assert_true(size == 0 || !reads(slice, size - 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vectors_of_the_standard_are_met),
		cmocka_unit_test(other_spellings_are_refused),
		cmocka_unit_test(unused_bits_are_zero),
		cmocka_unit_test(what_is_written_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
