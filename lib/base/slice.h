/* A piece of text or bytes that belongs to somebody else.
 *
 * A slice borrows: it is valid as long as the memory it points into. It may hold any byte, zero
 * included, and need not end in one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *data;
	size_t size;
};

/* How a slice is printed: printf("%.*s", SLICE_PRINT(s)). */
#define SLICE_PRINT(s) (int)(s).size, (s).data

static inline struct slice slice_of(const char *text)
{
	return (struct slice){.data = text, .size = strlen(text)};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool slice_is(struct slice slice, const char *text)
{
	return slice_equal(slice, slice_of(text));
}

/* Whether `slice` begins with `prefix`. */
bool slice_starts_with(struct slice slice, const char *prefix);

/* A number for tables and lanes, each bit of which depends on every byte: FNV-1a
 * (http://www.isthe.com/chongo/tech/comp/fnv/), whose last bytes reach the lower bits only,
 * finished as MurmurHash3 is. `seed` is 0, or the hash of what stands before. Who chooses the text
 * can choose the hash: a table of strangers' texts needs a bound of its own. */
uint64_t slice_hash(struct slice slice, uint64_t seed);

/* Take what stands before the first `separator` out of `rest`, and the separator with it. Without
 * one, everything is taken. Returns false, and an empty slice, when `rest` was NULL to begin with;
 * after the last piece `rest->data` is NULL. */
bool slice_split(struct slice *rest, char separator, struct slice *piece);

/* Without the spaces and tabs at both ends. */
struct slice slice_trim(struct slice slice);

/* Parse the whole of `slice` as a decimal integer between the bounds, both included. Returns false,
 * and leaves `value` alone, for anything else: empty, spaces, a plus sign, leading zeros or
 * overflow. */
bool slice_to_integer(struct slice slice, int64_t min, int64_t max, int64_t *value);

/* Whether it is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms) and has no control
 * characters (C0, DEL, C1) and no noncharacters. Names and ids that people write must pass. */
bool slice_is_text(struct slice slice);

/* Whether it has 1 to `size_max` characters of A–Z a–z 0–9 - _ . ~ (RFC 3986 "unreserved") and is
 * not "." or "..": an id that the outside may give. */
bool slice_is_id(struct slice slice, size_t size_max);
