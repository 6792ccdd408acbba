/* Reading UTF-8, and writing text into JSON strings. */
#include "lib/base/utf8.h"

#include <assert.h>

static bool must_be_escaped(uint32_t code_point);
static size_t write_escape(uint32_t code_point, char character[JSON_CHARACTER_SIZE_MAX]);

size_t utf8_decode(struct slice text, uint32_t *code_point)
{
	if (text.size == 0)
		return 0;

	/* The bounds of the second byte are what excludes overlong forms, surrogates and what lies
	 * past U+10FFFF; all later bytes are plain continuations. */
	const uint8_t *bytes = (const uint8_t *)text.data;
	uint8_t first = bytes[0], second_min = 0x80, second_max = 0xBF;
	size_t size;
	uint32_t value;
	if (first < 0x80) {
		*code_point = first;
		return 1;
	} else if (first >= 0xC2 && first <= 0xDF) {
		size = 2;
		value = first & 0x1Fu;
	} else if (first >= 0xE0 && first <= 0xEF) {
		size = 3;
		value = first & 0x0Fu;
		second_min = first == 0xE0 ? 0xA0 : 0x80;
		second_max = first == 0xED ? 0x9F : 0xBF;
	} else if (first >= 0xF0 && first <= 0xF4) {
		size = 4;
		value = first & 0x07u;
		second_min = first == 0xF0 ? 0x90 : 0x80;
		second_max = first == 0xF4 ? 0x8F : 0xBF;
	} else {
		return 0;
	}
	if (text.size < size || bytes[1] < second_min || bytes[1] > second_max)
		return 0;
	for (size_t index = 1; index < size; index++) {
		if ((bytes[index] & 0xC0) != 0x80)
			return 0;
		value = value << 6 | (bytes[index] & 0x3Fu);
	}
	*code_point = value;
	return size;
}

size_t json_plain_size(struct slice text)
{
	size_t size = 0;
	while (size < text.size) {
		char c = text.data[size];
		if (c < ' ' || c > '~' || c == '"' || c == '\\')
			break;
		size++;
	}
	return size;
}

size_t json_take_character(struct slice *rest, char character[JSON_CHARACTER_SIZE_MAX])
{
	assert(rest->size > 0);
	const char *bytes = rest->data;
	uint32_t code_point;
	size_t size = utf8_decode(*rest, &code_point);
	bool broken = size == 0;
	if (broken) {
		bytes = "\xEF\xBF\xBD";
		code_point = 0xFFFD;
		size = 3;
	}
	rest->data += broken ? 1 : size;
	rest->size -= broken ? 1 : size;

	if (must_be_escaped(code_point))
		return write_escape(code_point, character);
	memcpy(character, bytes, size);
	return size;
}

static bool must_be_escaped(uint32_t code_point)
{
	return utf8_is_control(code_point) || code_point == '"' || code_point == '\\' ||
		(code_point >= 0x2028 && code_point <= 0x202E) || /* Separators, embeddings. */
		(code_point >= 0x2066 && code_point <= 0x2069) || /* Isolates. */
		code_point == 0x200E || code_point == 0x200F;     /* Marks of direction. */
}

static size_t write_escape(uint32_t code_point, char character[JSON_CHARACTER_SIZE_MAX])
{
	static const char digits[] = "0123456789abcdef";
	static const char letters[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	character[0] = '\\';
	for (size_t index = 0; index + 1 < sizeof letters; index += 2) {
		if (code_point == (uint32_t)letters[index]) {
			character[1] = letters[index + 1];
			return 2;
		}
	}
	character[1] = 'u';
	for (unsigned index = 0; index < 4; index++)
		character[2 + index] = digits[code_point >> (12 - 4 * index) & 0xF];
	return 6;
}
