/* Bytes that grow by doubling, up to a bound. */
#include "lib/base/buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/utf8.h"

enum { CAPACITY_MIN = 256 };

static bool reserve(struct buffer *buffer, size_t size);

void buffer_init(struct buffer *buffer, size_t size_max)
{
	*buffer = (struct buffer){.size_max = size_max};
}

void buffer_release(struct buffer *buffer)
{
	free(buffer->data);
	buffer_init(buffer, buffer->size_max);
}

void buffer_reset(struct buffer *buffer)
{
	buffer->size = 0;
	buffer->failed = false;
}

void buffer_add(struct buffer *buffer, const void *bytes, size_t size)
{
	if (size == 0 || !reserve(buffer, size))
		return;
	memcpy(buffer->data + buffer->size, bytes, size);
	buffer->size += size;
}

void buffer_add_text(struct buffer *buffer, const char *text)
{
	buffer_add(buffer, text, strlen(text));
}

void buffer_add_format(struct buffer *buffer, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0) {
		buffer->failed = true;
		return;
	}
	if (length == 0 || !reserve(buffer, (size_t)length))
		return;

	va_start(arguments, format);
	int written = vsnprintf(buffer->data + buffer->size, (size_t)length + 1, format, arguments);
	va_end(arguments);
	assert(written == length);
	buffer->size += (size_t)length;
}

void buffer_add_json(struct buffer *buffer, struct slice text)
{
	size_t size_before = buffer->size;

	buffer_add(buffer, "\"", 1);
	while (text.size > 0 && !buffer->failed) {
		size_t plain = json_plain_size(text);
		buffer_add(buffer, text.data, plain);
		text.data += plain;
		text.size -= plain;
		if (text.size == 0)
			break;
		char character[JSON_CHARACTER_SIZE_MAX];
		size_t size = json_take_character(&text, character);
		buffer_add(buffer, character, size);
	}
	buffer_add(buffer, "\"", 1);

	if (buffer->failed)
		buffer->size = size_before;
}

/* Make room for `size` more bytes and for the zero byte that vsnprintf insists on. */
static bool reserve(struct buffer *buffer, size_t size)
{
	if (buffer->failed)
		return false;
	if (size > buffer->size_max - buffer->size || buffer->size + size == SIZE_MAX)
		goto fail;

	size_t needed = buffer->size + size + 1;
	if (needed <= buffer->capacity)
		return true;
	size_t capacity = buffer->capacity < CAPACITY_MIN ? CAPACITY_MIN : buffer->capacity;
	while (capacity < needed)
		capacity = capacity > SIZE_MAX / 2 ? SIZE_MAX : capacity * 2;
	if (capacity - 1 > buffer->size_max)
		capacity = buffer->size_max + 1;
	char *data = realloc(buffer->data, capacity);
	if (!data)
		goto fail;
	buffer->data = data;
	buffer->capacity = capacity;
	return true;

fail:
	buffer->failed = true;
	return false;
}
