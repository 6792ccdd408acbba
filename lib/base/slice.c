/* Taking text apart and judging it. */
#include "lib/base/slice.h"

#include "lib/base/utf8.h"

static bool is_noncharacter(uint32_t code_point);

bool slice_starts_with(struct slice slice, const char *prefix)
{
	size_t size = strlen(prefix);
	return slice.size >= size && (size == 0 || memcmp(slice.data, prefix, size) == 0);
}

uint64_t slice_hash(struct slice slice, uint64_t seed)
{
	uint64_t hash = 0xcbf29ce484222325u ^ seed;
	for (size_t i = 0; i < slice.size; i++)
		hash = (hash ^ (uint8_t)slice.data[i]) * 0x100000001b3u;
	hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdu;
	hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53u;
	return hash ^ hash >> 33;
}

bool slice_split(struct slice *rest, char separator, struct slice *piece)
{
	*piece = (struct slice){.data = NULL, .size = 0};
	if (!rest->data)
		return false;

	const char *found = rest->size > 0 ? memchr(rest->data, separator, rest->size) : NULL;
	if (!found) {
		*piece = *rest;
		*rest = (struct slice){.data = NULL, .size = 0};
		return true;
	}
	piece->data = rest->data;
	piece->size = (size_t)(found - rest->data);
	rest->data = found + 1;
	rest->size -= piece->size + 1;
	return true;
}

struct slice slice_trim(struct slice slice)
{
	while (slice.size > 0 && (slice.data[0] == ' ' || slice.data[0] == '\t')) {
		slice.data++;
		slice.size--;
	}
	while (slice.size > 0) {
		char last = slice.data[slice.size - 1];
		if (last != ' ' && last != '\t')
			break;
		slice.size--;
	}
	return slice;
}

bool slice_to_integer(struct slice slice, int64_t min, int64_t max, int64_t *value)
{
	bool negative = slice.size > 0 && slice.data[0] == '-';
	size_t first = negative ? 1 : 0;
	if (slice.size == first)
		return false;
	/* One way to write each number: "-0" is refused like "007". */
	if (slice.data[first] == '0' && slice.size > 1)
		return false;

	int64_t result = 0;
	for (size_t index = first; index < slice.size; index++) {
		char c = slice.data[index];
		if (c < '0' || c > '9')
			return false;
		/* Negative numbers are built downwards, since -INT64_MIN does not exist. */
		int64_t digit = negative ? '0' - c : c - '0';
		if (__builtin_mul_overflow(result, 10, &result) ||
			__builtin_add_overflow(result, digit, &result))
			return false;
	}
	if (result < min || result > max)
		return false;
	*value = result;
	return true;
}

bool slice_is_text(struct slice slice)
{
	while (slice.size > 0) {
		uint32_t code_point;
		size_t size = utf8_decode(slice, &code_point);
		if (size == 0 || utf8_is_control(code_point) || is_noncharacter(code_point))
			return false;
		slice.data += size;
		slice.size -= size;
	}
	return true;
}

/* Unicode 15.0, section 23.7: 66 code points that no interchanged text may hold. */
static bool is_noncharacter(uint32_t code_point)
{
	return (code_point >= 0xFDD0 && code_point <= 0xFDEF) || (code_point & 0xFFFE) == 0xFFFE;
}

bool slice_is_id(struct slice slice, size_t size_max)
{
	if (slice.size == 0 || slice.size > size_max)
		return false;
	/* A dot segment would be resolved away in a URL's path (RFC 3986, section 5.2.4). */
	if (slice_is(slice, ".") || slice_is(slice, ".."))
		return false;
	for (size_t index = 0; index < slice.size; index++) {
		char c = slice.data[index];
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
		bool digit = c >= '0' && c <= '9';
		if (!letter && !digit && c != '-' && c != '_' && c != '.' && c != '~')
			return false;
	}
	return true;
}
