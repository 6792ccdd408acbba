/* Fuzzes lib/base/utf8.h and what writes text into JSON. jansson's own decoder is the other
 * opinion. */
#include <jansson.h>

#include "fuzz/fuzz.h"
#include "lib/base/buffer.h"
#include "lib/base/utf8.h"

static size_t encode(uint32_t code_point, char bytes[4]);
static bool check_characters(struct slice text);
static void check_json(struct slice text, bool well_formed);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = fuzz_slice(data, size);
	bool well_formed = check_characters(text);
	json_t *other = json_stringn(text.data, text.size);
	assert(well_formed == (other != NULL));
	json_decref(other);
	assert(well_formed || !slice_is_text(text));
	check_json(text, well_formed);
	return 0;
}

/* Each character that is decoded is encoded to the same bytes, so there are no overlong forms. */
static bool check_characters(struct slice text)
{
	while (text.size > 0) {
		uint32_t code_point;
		char bytes[4];
		size_t size = utf8_decode(text, &code_point);
		if (size == 0)
			return false;
		assert(size <= text.size && size == encode(code_point, bytes));
		assert(memcmp(text.data, bytes, size) == 0);
		text.data += size;
		text.size -= size;
	}
	return true;
}

/* RFC 3629, section 3. */
static size_t encode(uint32_t code_point, char bytes[4])
{
	assert(code_point <= 0x10FFFF && (code_point < 0xD800 || code_point > 0xDFFF));
	if (code_point < 0x80) {
		bytes[0] = (char)code_point;
		return 1;
	}
	size_t size = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
	for (size_t i = size - 1; i > 0; i--) {
		bytes[i] = (char)(0x80 | (code_point & 0x3F));
		code_point >>= 6;
	}
	bytes[0] = (char)((0xF00 >> size) | code_point);
	return size;
}

/* Whatever it is, it becomes a valid JSON string on one line; and if it is UTF-8, its own. */
static void check_json(struct slice text, bool well_formed)
{
	struct buffer buffer;
	assert(json_plain_size(text) <= text.size);
	buffer_init(&buffer, text.size * JSON_CHARACTER_SIZE_MAX + 2);
	buffer_add_json(&buffer, text);
	assert(!buffer.failed && !memchr(buffer.data, '\n', buffer.size));
	json_t *read = json_loadb(buffer.data, buffer.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	assert(json_is_string(read));
	if (well_formed)
		assert(json_string_length(read) == text.size &&
			memcmp(json_string_value(read), text.data, text.size) == 0);
	json_decref(read);
	buffer_release(&buffer);
}
