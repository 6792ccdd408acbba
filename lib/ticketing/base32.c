/* Eight characters are five bytes. A rest of 2, 4, 5 or 7 characters is 1 to 4 bytes. */
#include "lib/ticketing/base32.h"

#include <assert.h>

enum {
	BASE32_INVALID = 0xff,
	BASE32_VALUE_MAX = 0x1f,
};

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

size_t base32_write(const uint8_t *bytes, size_t size, char *text)
{
	size_t written = 0;
	uint32_t bits = 0;
	int count = 0; /* Bits that have not been written yet. */
	for (size_t i = 0; i < size; i++) {
		bits = bits << 8 | bytes[i];
		for (count += 8; count >= 5; count -= 5)
			text[written++] = alphabet[bits >> (count - 5) & BASE32_VALUE_MAX];
	}
	if (count > 0)
		text[written++] = alphabet[bits << (5 - count) & BASE32_VALUE_MAX];
	return written;
}

static uint32_t value_of(char character)
{
	if (character >= 'A' && character <= 'Z')
		return (uint32_t)(character - 'A');
	if (character >= '2' && character <= '7')
		return (uint32_t)(character - '2' + 26);
	return BASE32_INVALID;
}

bool base32_read(struct slice text, uint8_t *bytes, size_t size)
{
	if (text.size != BASE32_TEXT_SIZE(size))
		return false;
	uint32_t bits = 0;
	int count = 0;
	size_t written = 0;
	for (size_t i = 0; i < text.size; i++) {
		uint32_t value = value_of(text.data[i]);
		if (value == BASE32_INVALID)
			return false;
		bits = bits << 5 | value;
		count += 5;
		if (count >= 8) {
			count -= 8;
			bytes[written++] = (uint8_t)(bits >> count);
		}
	}
	assert(written == size);
	return (bits & ((1U << count) - 1)) == 0;
}
