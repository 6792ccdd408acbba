/* Base32 (RFC 4648, section 6) without padding, in capitals, strictly: each sequence of bytes has
 * one spelling, and every other text is refused: small letters, padding, unused bits that are not
 * zero, spaces, foreign characters. Private. Not for secrets. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/slice.h"

/* How many characters `size` bytes are: five bits each. */
#define BASE32_TEXT_SIZE(size) (((size)*8 + 4) / 5)

/* Write `bytes` and return how many characters those are, BASE32_TEXT_SIZE(size). No zero byte. */
size_t base32_write(const uint8_t *bytes, size_t size, char *text);

/* Read the whole of `text`. False when it is not the base32 of exactly `size` bytes; then `bytes`
 * may hold anything. */
__attribute__((warn_unused_result)) bool base32_read(
	struct slice text, uint8_t *bytes, size_t size);
