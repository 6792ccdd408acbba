/* Base64 in its two alphabets (RFC 4648), strictly: each sequence of bytes has one spelling, and
 * every other text is refused: padding that is missing or too much, unused bits that are not zero
 * (section 3.5), spaces, foreign characters. Private. Not for secrets whose reading others can
 * time: it looks up tables. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/slice.h"

enum base64_kind {
	BASE64_PADDED,    /* Section 4: + and /, filled up with = to a multiple of four. */
	BASE64_URL_PLAIN, /* Section 5: - and _, no padding. */
};

/* Write `bytes` in the URL's alphabet without padding and return how many characters those are,
 * (4 × size + 2) / 3. No zero byte. */
size_t base64_write_url(const uint8_t *bytes, size_t size, char *text);

/* Read the whole of `text`. False when it is not base64 or makes more than `size_max` bytes; then
 * `bytes` may hold anything. */
__attribute__((warn_unused_result)) bool base64_read(
	enum base64_kind kind, struct slice text, uint8_t *bytes, size_t size_max, size_t *size);
