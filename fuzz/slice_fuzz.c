/* Fuzzes lib/base/slice.h: splitting, trimming, numbers, ids. The first byte is the separator. */
#include <inttypes.h>
#include <stdio.h>

#include "fuzz/fuzz.h"

static void check_split(struct slice text, char separator);
static void check_trim(struct slice text);
static void check_integer(struct slice text);
static void check_id(struct slice text);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct slice text = fuzz_slice(data + 1, size - 1);
	check_split(text, (char)data[0]);
	check_trim(text);
	check_integer(text);
	check_id(text);
	return 0;
}

/* The pieces and the separators between them are the whole, in order. */
static void check_split(struct slice text, char separator)
{
	struct slice rest = text, piece;
	size_t at = 0, pieces = 0;
	while (slice_split(&rest, separator, &piece)) {
		assert(piece.data == text.data + at);
		assert(piece.size == 0 || !memchr(piece.data, separator, piece.size));
		at += piece.size;
		assert(at == text.size || text.data[at] == separator);
		at++;
		pieces++;
	}
	assert(pieces > 0 && at == text.size + 1 && !rest.data);
}

static void check_trim(struct slice text)
{
	struct slice trimmed = slice_trim(text);
	assert(trimmed.data >= text.data && trimmed.size <= text.size);
	assert(trimmed.data + trimmed.size <= text.data + text.size);
	struct slice again = slice_trim(trimmed);
	assert(again.data == trimmed.data && again.size == trimmed.size);
	for (const char *c = text.data; c < trimmed.data; c++)
		assert(*c == ' ' || *c == '\t');
	for (const char *c = trimmed.data + trimmed.size; c < text.data + text.size; c++)
		assert(*c == ' ' || *c == '\t');
}

/* There is one way to write each number, so an accepted one is written back the same. */
static void check_integer(struct slice text)
{
	int64_t value, again;
	char written[32];
	if (!slice_to_integer(text, INT64_MIN, INT64_MAX, &value))
		return;
	snprintf(written, sizeof written, "%" PRId64, value);
	assert(slice_is(text, written));
	assert(slice_to_integer(text, value, value, &again) && again == value);
	assert(value == INT64_MAX || !slice_to_integer(text, value + 1, INT64_MAX, &again));
	assert(value == INT64_MIN || !slice_to_integer(text, INT64_MIN, value - 1, &again));
}

/* An id is text, stays itself in a URL's path, and has no room for one byte less. */
static void check_id(struct slice text)
{
	if (!slice_is_id(text, 64))
		return;
	assert(slice_is_text(text) && slice_trim(text).size == text.size);
	assert(!memchr(text.data, '/', text.size) && !memchr(text.data, '%', text.size));
	assert(slice_is_id(text, text.size) && !slice_is_id(text, text.size - 1));
}
