/* Buffers: growth, bounds, failures that leave the content whole, and JSON strings judged by
 * another program's parser. */
#include "lib/base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

static void assert_content(const struct buffer *buffer, const char *text)
{
	assert_int_equal(buffer->size, strlen(text));
	assert_memory_equal(buffer->data, text, buffer->size);
}

static void assert_json(const char *bytes, size_t size, const char *json)
{
	struct buffer buffer;
	buffer_init(&buffer, 1000);
	buffer_add_json(&buffer, (struct slice){.data = bytes, .size = size});
	assert_false(buffer.failed);
	assert_content(&buffer, json);
	buffer_release(&buffer);
}

static void grows_and_keeps_order(void **state)
{
	(void)state;
	struct buffer buffer;
	buffer_init(&buffer, 10 << 20);
	for (int index = 0; index < 100000; index++)
		buffer_add_format(&buffer, "%06d,", index);
	assert_false(buffer.failed);
	assert_int_equal(buffer.size, 700000);
	for (int index = 0; index < 100000; index += 997)
		assert_int_equal(strtol(buffer.data + 7 * index, NULL, 10), index);
	buffer_release(&buffer);
}

static void the_bound_is_exact(void **state)
{
	(void)state;
	struct buffer buffer;
	buffer_init(&buffer, 8);
	buffer_add_text(&buffer, "12345");
	buffer_add_format(&buffer, "%d", 678);
	assert_false(buffer.failed);
	assert_content(&buffer, "12345678");
	buffer_add(&buffer, "", 0);
	buffer_add_text(&buffer, "");
	buffer_add_format(&buffer, "%s", "");
	assert_false(buffer.failed);
	buffer_add(&buffer, "9", 1);
	assert_true(buffer.failed);
	assert_content(&buffer, "12345678");
	buffer_release(&buffer);
}

static void a_failure_stays_and_keeps_the_content(void **state)
{
	(void)state;
	struct buffer buffer;
	buffer_init(&buffer, 10);
	buffer_add_text(&buffer, "abc");
	buffer_add_text(&buffer, "far too long for it");
	buffer_add_text(&buffer, "d");
	buffer_add_format(&buffer, "%d", 1);
	buffer_add_json(&buffer, slice_of("e"));
	assert_true(buffer.failed);
	assert_content(&buffer, "abc");

	buffer_reset(&buffer);
	assert_false(buffer.failed);
	buffer_add_format(&buffer, "%s", "longer than ten bytes");
	assert_true(buffer.failed);
	assert_int_equal(buffer.size, 0);
	buffer_reset(&buffer);
	buffer_add_text(&buffer, "0123456789");
	assert_content(&buffer, "0123456789");
	buffer_release(&buffer);
}

static void json_is_added_whole_or_not_at_all(void **state)
{
	(void)state;
	for (size_t size_max = 0; size_max < 12; size_max++) {
		struct buffer buffer;
		buffer_init(&buffer, size_max);
		buffer_add_text(&buffer, "=");
		size_t size_before = buffer.size;
		buffer_add_json(&buffer, slice_of("ab\ncd\x01")); /* 14 bytes */
		assert_true(buffer.failed);
		assert_int_equal(buffer.size, size_before);
		buffer_release(&buffer);
	}
	struct buffer buffer;
	buffer_init(&buffer, 14);
	buffer_add_json(&buffer, slice_of("ab\ncd\x01"));
	assert_content(&buffer, "\"ab\\ncd\\u0001\"");
	buffer_release(&buffer);
}

static void sizes_do_not_overflow(void **state)
{
	(void)state;
	struct buffer buffer;
	buffer_init(&buffer, SIZE_MAX);
	buffer_add_text(&buffer, "x");
	buffer_add(&buffer, "y", SIZE_MAX - 1);
	assert_true(buffer.failed);
	assert_content(&buffer, "x");
	buffer_reset(&buffer);
	buffer_add(&buffer, "y", SIZE_MAX);
	assert_true(buffer.failed);
	buffer_release(&buffer);
}

static void json_escapes(void **state)
{
	(void)state;
	assert_json("", 0, "\"\"");
	assert_json(NULL, 0, "\"\"");
	assert_json("\"\\/", 3, "\"\\\"\\\\/\"");
	assert_json("\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"");
	assert_json("a\0b", 3, "\"a\\u0000b\"");
	assert_json("\x1b[2J", 4, "\"\\u001b[2J\"");
	assert_json("\x7f", 1, "\"\\u007f\"");
	assert_json("\xc2\x9b", 2, "\"\\u009b\"");
	assert_json("\xe2\x80\xa8", 3, "\"\\u2028\"");
	assert_json("\xe2\x80\xae", 3, "\"\\u202e\"");
	assert_json("\xc3\xa9\xf0\x9f\x8e\xab", 6, "\"\xc3\xa9\xf0\x9f\x8e\xab\"");
}

static void broken_bytes_become_the_replacement_character(void **state)
{
	(void)state;
	assert_json("\xff", 1, "\"\xef\xbf\xbd\"");
	assert_json("a\xc3", 2, "\"a\xef\xbf\xbd\"");
	assert_json("\xc3\"", 2, "\"\xef\xbf\xbd\\\"\"");
	assert_json("\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	assert_json("\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
	assert_json("\xf0\x9f\x8e", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

static size_t encode(uint32_t code_point, char bytes[4])
{
	if (code_point < 0x80) {
		bytes[0] = (char)code_point;
		return 1;
	}
	size_t size = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
	for (size_t index = size - 1; index > 0; index--) {
		bytes[index] = (char)(0x80 | (code_point & 0x3F));
		code_point >>= 6;
	}
	bytes[0] = (char)(0xF00 >> size | code_point);
	return size;
}

/* Each code point comes back from the parser as it went in. */
static void every_character_survives(void **state)
{
	(void)state;
	struct buffer buffer;
	buffer_init(&buffer, 100);
	for (int code_point = 0; code_point <= 0x10FFFF; code_point++) {
		if (code_point >= 0xD800 && code_point <= 0xDFFF)
			continue;
		char source[4];
		size_t size = encode((uint32_t)code_point, source);
		buffer_reset(&buffer);
		buffer_add_json(&buffer, (struct slice){.data = source, .size = size});
		json_t *value = json_loadb(
			buffer.data, buffer.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		assert_non_null(value);
		assert_int_equal(json_string_length(value), size);
		assert_memory_equal(json_string_value(value), source, size);
		json_decref(value);
	}
	buffer_release(&buffer);
}

static void random_bytes_give_valid_json(void **state)
{
	(void)state;
	struct buffer buffer;
	buffer_init(&buffer, 1000);
	uint32_t seed = 12345;
	for (int round = 0; round < 20000; round++) {
		char bytes[40];
		for (size_t index = 0; index < sizeof bytes; index++) {
			seed = seed * 1664525u + 1013904223u;
			bytes[index] = (char)(seed >> 24);
		}
		buffer_reset(&buffer);
		buffer_add_json(&buffer, (struct slice){.data = bytes, .size = seed >> 8 & 31});
		assert_false(buffer.failed);
		json_t *value = json_loadb(
			buffer.data, buffer.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		assert_non_null(value);
		json_decref(value);
	}
	buffer_release(&buffer);
}

static void a_released_buffer_works_again(void **state)
{
	(void)state;
	struct buffer buffer;
	buffer_init(&buffer, 3);
	buffer_release(&buffer);
	buffer_add_text(&buffer, "abc");
	buffer_add_text(&buffer, "d");
	assert_true(buffer.failed);
	assert_true(slice_is(buffer_slice(&buffer), "abc"));
	buffer_release(&buffer);
	assert_null(buffer_slice(&buffer).data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_keeps_order),
		cmocka_unit_test(the_bound_is_exact),
		cmocka_unit_test(a_failure_stays_and_keeps_the_content),
		cmocka_unit_test(json_is_added_whole_or_not_at_all),
		cmocka_unit_test(sizes_do_not_overflow),
		cmocka_unit_test(json_escapes),
		cmocka_unit_test(broken_bytes_become_the_replacement_character),
		cmocka_unit_test(every_character_survives),
		cmocka_unit_test(random_bytes_give_valid_json),
		cmocka_unit_test(a_released_buffer_works_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
