/* Blocks in a list, the newest first; allocation bumps a pointer in the newest.
 *
 * A block doubles its predecessor up to a maximum, so that small arenas stay small and large ones
 * ask malloc seldom. What remains of a block when its successor is made is given up; a new block is
 * never smaller than what did not fit, so at most about half of the memory is lost that way. */
#include "lib/base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	BLOCK_SIZE_MIN = 4 * 1024 - 64, /* A page, less what malloc keeps for itself. */
	BLOCK_SIZE_MAX = 1024 * 1024,
};

struct arena_block {
	struct arena_block *older;
	size_t size; /* Of the bytes. */
	alignas(max_align_t) char bytes[];
};

static void *take(struct arena *arena, size_t size, size_t alignment);
static bool add_block(struct arena *arena, size_t size);
static void use_block(struct arena *arena, struct arena_block *block);

void arena_init(struct arena *arena, size_t bytes_max)
{
	*arena = (struct arena){.bytes_max = bytes_max};
}

void arena_release(struct arena *arena)
{
	arena_reset(arena);
	free(arena->newest);
	arena_init(arena, arena->bytes_max);
}

void arena_reset(struct arena *arena)
{
	arena->bytes_used = 0;
	if (!arena->newest)
		return;

	struct arena_block *block = arena->newest;
	while (block->older) {
		struct arena_block *older = block->older;
		free(block);
		block = older;
	}
	use_block(arena, block);
}

void *arena_alloc(struct arena *arena, size_t size)
{
	return take(arena, size, alignof(max_align_t));
}

void *arena_calloc(struct arena *arena, size_t count, size_t size)
{
	size_t total;
	if (__builtin_mul_overflow(count, size, &total))
		return NULL;
	void *memory = take(arena, total, alignof(max_align_t));
	if (memory)
		memset(memory, 0, total);
	return memory;
}

char *arena_copy(struct arena *arena, struct slice text)
{
	if (text.size == SIZE_MAX)
		return NULL;
	char *copy = take(arena, text.size + 1, 1);
	if (!copy)
		return NULL;
	if (text.size > 0)
		memcpy(copy, text.data, text.size);
	copy[text.size] = '\0';
	return copy;
}

struct slice arena_format(struct arena *arena, const char *format, ...)
{
	struct slice text = {.data = NULL, .size = 0};
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0)
		return text;

	char *memory = take(arena, (size_t)length + 1, 1);
	if (!memory)
		return text;
	va_start(arguments, format);
	int written = vsnprintf(memory, (size_t)length + 1, format, arguments);
	va_end(arguments);
	assert(written == length);
	text.data = memory;
	text.size = (size_t)length;
	return text;
}

/* What alignment skips counts as used: otherwise a million single bytes would take far more memory
 * than the bound allows. */
static void *take(struct arena *arena, size_t size, size_t alignment)
{
	assert(arena->bytes_used <= arena->bytes_max);
	size_t free_bytes = arena->bytes_max - arena->bytes_used;
	if (size > free_bytes)
		return NULL;

	size_t padding = (size_t)(-(uintptr_t)arena->next & (alignment - 1));
	size_t room = arena->newest ? (size_t)(arena->end - arena->next) : 0;
	if (!arena->newest || padding > room || size > room - padding) {
		if (!add_block(arena, size))
			return NULL;
		padding = 0;
	}
	if (padding > free_bytes - size)
		return NULL;

	char *memory = arena->next + padding;
	arena->next = memory + size;
	arena->bytes_used += padding + size;
	return memory;
}

static bool add_block(struct arena *arena, size_t size)
{
	size_t block_size = arena->newest ? arena->newest->size : BLOCK_SIZE_MIN / 2;
	block_size = block_size < BLOCK_SIZE_MAX / 2 ? block_size * 2 : BLOCK_SIZE_MAX;
	if (block_size < size)
		block_size = size;

	size_t total;
	if (__builtin_add_overflow(sizeof(struct arena_block), block_size, &total))
		return false;
	struct arena_block *block = malloc(total);
	if (!block)
		return false;
	block->older = arena->newest;
	block->size = block_size;
	use_block(arena, block);
	return true;
}

static void use_block(struct arena *arena, struct arena_block *block)
{
	arena->newest = block;
	arena->next = block->bytes;
	arena->end = block->bytes + block->size;
}
