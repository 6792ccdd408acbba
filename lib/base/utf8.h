/* Reading UTF-8, and writing text into JSON strings: shared by slices, buffers and the log. */
#pragma once

#include "lib/base/slice.h"

/* The size of the character that `text` begins with, 1 to 4 bytes, and its code point. 0, and
 * `code_point` is left alone, if `text` is empty or begins with what is not well-formed UTF-8
 * (Unicode 15.0, table 3-7: no surrogates, no overlong forms, nothing past U+10FFFF). */
size_t utf8_decode(struct slice text, uint32_t *code_point);

/* Whether it is a control character: C0, DEL or C1. */
static inline bool utf8_is_control(uint32_t code_point)
{
	return code_point < 0x20 || (code_point >= 0x7F && code_point <= 0x9F);
}

enum { JSON_CHARACTER_SIZE_MAX = 6 }; /* \u0000 */

/* How many bytes at the beginning of `text` are ASCII that stands in a JSON string as it is. */
size_t json_plain_size(struct slice text);

/* Take the first character out of `rest`, which is not empty, and write it as it stands within a
 * JSON string (RFC 8259, section 7). Returns the size of what was written. A byte that is not UTF-8
 * becomes U+FFFD. Besides what the RFC asks for, everything that could make a terminal or a viewer
 * show a line other than it is gets escaped: DEL, C1, line separators, changes of direction. */
size_t json_take_character(struct slice *rest, char character[JSON_CHARACTER_SIZE_MAX]);
