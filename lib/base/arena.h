/* Memory that is given back all at once: one arena per HTTP request, per batch, per file.
 *
 * Allocation bumps a pointer within a block; a block that is full gets a larger successor. An arena
 * has a bound, so that a hostile request cannot take all memory: past it, and when the system has
 * none left, arena_alloc returns NULL. An arena belongs to one thread at a time. */
#pragma once

#include "lib/base/slice.h"

struct arena_block;

struct arena {
	struct arena_block *newest;
	char *next;        /* The first free byte of the newest block. */
	char *end;         /* The first byte behind it. */
	size_t bytes_used; /* In all blocks, without what was asked for in vain. */
	size_t bytes_max;
};

/* Make an empty arena that gives out at most `bytes_max` bytes. Takes no memory yet. */
void arena_init(struct arena *arena, size_t bytes_max);

/* Give everything back. The arena is empty and can be used again. */
void arena_release(struct arena *arena);

/* Forget everything but keep the first block for the next use, which makes a reused arena free of
 * malloc in the usual case. */
void arena_reset(struct arena *arena);

/* `size` bytes, aligned for any type and not cleared. NULL past the bound. */
__attribute__((malloc, warn_unused_result)) void *arena_alloc(struct arena *arena, size_t size);

/* Room for `count` things of `size` bytes, cleared. NULL past the bound or on overflow. */
__attribute__((malloc, warn_unused_result)) void *arena_calloc(
	struct arena *arena, size_t count, size_t size);

/* A copy, with a zero byte after its end. NULL past the bound. */
__attribute__((warn_unused_result)) char *arena_copy(struct arena *arena, struct slice text);

/* Formatted text with a zero byte at its end. Its `data` is NULL past the bound. */
__attribute__((format(printf, 2, 3))) struct slice arena_format(
	struct arena *arena, const char *format, ...);
