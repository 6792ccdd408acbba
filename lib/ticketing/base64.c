/* Four characters are three bytes. A rest of two or three characters is one or two bytes; one
 * character alone is none. */
#include "lib/ticketing/base64.h"

#include <assert.h>

enum {
	BASE64_INVALID = 0xff,
	BASE64_VALUE_MAX = 0x3f,
};

static const char url_alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64_write_url(const uint8_t *bytes, size_t size, char *text)
{
	size_t written = 0;
	uint32_t bits = 0;
	int count = 0; /* Bits that have not been written yet. */
	for (size_t i = 0; i < size; i++) {
		bits = bits << 8 | bytes[i];
		for (count += 8; count >= 6; count -= 6)
			text[written++] = url_alphabet[bits >> (count - 6) & BASE64_VALUE_MAX];
	}
	if (count > 0)
		text[written++] = url_alphabet[bits << (6 - count) & BASE64_VALUE_MAX];
	return written;
}

static uint32_t value_of(enum base64_kind kind, char character)
{
	if (character >= 'A' && character <= 'Z')
		return (uint32_t)(character - 'A');
	if (character >= 'a' && character <= 'z')
		return (uint32_t)(character - 'a' + 26);
	if (character >= '0' && character <= '9')
		return (uint32_t)(character - '0' + 52);
	if (character == (kind == BASE64_PADDED ? '+' : '-'))
		return 62;
	if (character == (kind == BASE64_PADDED ? '/' : '_'))
		return 63;
	return BASE64_INVALID;
}

/* Take the padding off. False when it is not exactly what fills up to a multiple of four. */
static bool strip_padding(struct slice *text)
{
	if (text->size % 4 != 0)
		return false;
	for (int i = 0; i < 2 && text->size > 0 && text->data[text->size - 1] == '='; i++)
		text->size--;
	return true;
}

bool base64_read(
	enum base64_kind kind, struct slice text, uint8_t *bytes, size_t size_max, size_t *size)
{
	if (kind == BASE64_PADDED && !strip_padding(&text))
		return false;
	if (text.size % 4 == 1 || text.size / 4 * 3 + text.size % 4 * 3 / 4 > size_max)
		return false;
	uint32_t bits = 0;
	int count = 0;
	size_t written = 0;
	for (size_t i = 0; i < text.size; i++) {
		uint32_t value = value_of(kind, text.data[i]);
		if (value == BASE64_INVALID)
			return false;
		bits = bits << 6 | value;
		count += 6;
		if (count >= 8) {
			count -= 8;
			bytes[written++] = (uint8_t)(bits >> count);
		}
	}
	assert(written <= size_max);
	*size = written;
	return (bits & ((1U << count) - 1)) == 0;
}
