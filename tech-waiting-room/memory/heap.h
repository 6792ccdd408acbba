/* People by a number, the smallest first: by place, or by when their time is over. Private to
 * memory/.
 *
 * A binary heap (J. W. J. Williams, Algorithm 232, CACM 7, 1964). What has changed meanwhile is not
 * searched for in it: whoever takes the first out looks whether it still holds. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/status.h"

struct memory_heap_entry {
	int64_t key;
	uint32_t person; /* A number of people.h. */
};

struct memory_heap {
	struct memory_heap_entry *entries; /* entries[0] is the first. */
	size_t count;
	size_t count_max;
};

/* UNAVAILABLE when there is no memory. */
__attribute__((warn_unused_result)) enum status memory_heap_init(
	struct memory_heap *heap, size_t count_max);
void memory_heap_release(struct memory_heap *heap);

/* There is room. */
void memory_heap_push(struct memory_heap *heap, struct memory_heap_entry entry);

/* Take the first out; there is one. */
struct memory_heap_entry memory_heap_pop(struct memory_heap *heap);

/* Keep the entries that `keep` says yes to (it may change their keys), in order again. */
void memory_heap_sift(struct memory_heap *heap,
	bool (*keep)(void *context, struct memory_heap_entry *entry), void *context);
