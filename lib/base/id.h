/* Ids that sort by the time they were made: UUIDv7 (RFC 9562, section 5.7).
 *
 * 48 bits of wall milliseconds, then 74 bits of which the first 12 count within the millisecond
 * (method 1 of section 6.2) and the rest are random. They are made for indexes, not for secrets and
 * not for deciding who was first. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/slice.h"

enum { ID_TEXT_SIZE = 37 }; /* 36 characters and a zero byte. */

struct id {
	uint8_t bytes[16];
};

/* A new id. Any thread may call. Within one thread, ids grow. */
struct id id_new(int64_t wall_ms);

void id_format(struct id id, char text[ID_TEXT_SIZE]);

/* Whether the whole of `text` is a UUID of 8-4-4-4-12 hexadecimal digits; then `id` is set. */
bool id_parse(struct slice text, struct id *id);

/* Fill `bytes` with random bytes that are fit for secrets (the kernel's). Ends the process if the
 * kernel has none, since nothing that needs them could go on safely. */
void random_bytes(void *bytes, size_t size);
