/* Bytes that grow: what JSON, log lines and messages are written into.
 *
 * A buffer owns its memory. Adding never fails halfway: past `size_max`, or when memory is short,
 * `failed` is set, the content stays as it was and everything added later is ignored; so a writer
 * checks once, at the end. */
#pragma once

#include <stdbool.h>

#include "lib/base/slice.h"

struct buffer {
	char *data;
	size_t size;
	size_t capacity;
	size_t size_max;
	bool failed;
};

void buffer_init(struct buffer *buffer, size_t size_max);
void buffer_release(struct buffer *buffer);

/* Forget the content and the failure; keep the memory. */
void buffer_reset(struct buffer *buffer);

void buffer_add(struct buffer *buffer, const void *bytes, size_t size);
void buffer_add_text(struct buffer *buffer, const char *text);
__attribute__((format(printf, 2, 3))) void buffer_add_format(
	struct buffer *buffer, const char *format, ...);

/* `text` as a JSON string with its quotes, everything escaped that RFC 8259 asks for; a byte that
 * is not UTF-8 becomes U+FFFD, so that the output is always valid. */
void buffer_add_json(struct buffer *buffer, struct slice text);

static inline struct slice buffer_slice(const struct buffer *buffer)
{
	return (struct slice){.data = buffer->data, .size = buffer->size};
}
