/* UTF-8: all sequences of two and three bytes, and the corners of those of four, are counted
 * against how many code points there are. */
#include "lib/base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void one_and_two_bytes(void **state)
{
	(void)state;
	int count[5] = {0};
	for (unsigned index = 0; index < 1u << 16; index++) {
		char bytes[2] = {(char)(index >> 8), (char)index};
		uint32_t code_point = 1;
		size_t size = utf8_decode((struct slice){.data = bytes, .size = 2}, &code_point);
		count[size]++;
		if (size == 1)
			assert_int_equal(code_point, index >> 8);
		if (size == 2)
			assert_int_equal(code_point, (index >> 8 & 0x1F) << 6 | (index & 0x3F));
	}
	assert_int_equal(count[1], 128 * 256);
	assert_int_equal(count[2], 0x800 - 0x80);
	assert_int_equal(count[3] + count[4], 0);
}

static void three_bytes(void **state)
{
	(void)state;
	int count = 0;
	uint32_t last = 0;
	for (unsigned index = 0xE00000; index < 0x1000000; index++) {
		char bytes[3] = {(char)(index >> 16), (char)(index >> 8), (char)index};
		uint32_t code_point;
		if (utf8_decode((struct slice){.data = bytes, .size = 3}, &code_point) != 3)
			continue;
		count++;
		assert_true(code_point > last);
		last = code_point;
	}
	assert_int_equal(count, 0x10000 - 0x800 - 0x800);
	assert_int_equal(last, 0xFFFF);
}

static void four_bytes(void **state)
{
	(void)state;
	static const char ends[] = {0x7F, (char)0x80, (char)0xBF, (char)0xC0};
	int count = 0;
	for (unsigned index = 0xF000; index < 0x10000; index++) {
		for (unsigned end = 0; end < 16; end++) {
			char bytes[4] = {
				(char)(index >> 8), (char)index, ends[end / 4], ends[end % 4]};
			uint32_t code_point = 0;
			struct slice text = {.data = bytes, .size = 4};
			if (utf8_decode(text, &code_point) == 0)
				continue;
			count++;
			assert_true(code_point >= 0x10000 && code_point <= 0x10FFFF);
		}
	}
	/* 16 planes of 16 blocks of 4096, each with 4 of the 4096. */
	assert_int_equal(count, 16 * 16 * 4);
}

static void nothing_behind_the_end_is_read(void **state)
{
	(void)state;
	uint32_t code_point = 42;
	assert_int_equal(utf8_decode((struct slice){.data = NULL, .size = 0}, &code_point), 0);
	for (size_t size = 0; size < 4; size++)
		assert_int_equal(
			utf8_decode((struct slice){.data = "\xf0\x9f\x8e\xab", .size = size},
				&code_point),
			0);
	assert_int_equal(code_point, 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_and_two_bytes),
		cmocka_unit_test(three_bytes),
		cmocka_unit_test(four_bytes),
		cmocka_unit_test(nothing_behind_the_end_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
