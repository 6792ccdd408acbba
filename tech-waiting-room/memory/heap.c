/* See heap.h. */
#include "tech-waiting-room/memory/heap.h"

#include <assert.h>
#include <stdlib.h>

enum status memory_heap_init(struct memory_heap *heap, size_t count_max)
{
	*heap = (struct memory_heap){
		.entries = calloc(count_max, sizeof *heap->entries), .count_max = count_max};
	return heap->entries ? STATUS_OK : STATUS_UNAVAILABLE;
}

void memory_heap_release(struct memory_heap *heap)
{
	free(heap->entries);
	*heap = (struct memory_heap){0};
}

/* Move `entry` from the free place `at` up to where it belongs. */
static void rise(struct memory_heap *heap, size_t at, struct memory_heap_entry entry)
{
	while (at > 0 && entry.key < heap->entries[(at - 1) / 2].key) {
		heap->entries[at] = heap->entries[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap->entries[at] = entry;
}

/* Move `entry` from the free place `at` down to where it belongs. */
static void sink(struct memory_heap *heap, size_t at, struct memory_heap_entry entry)
{
	for (size_t child; (child = 2 * at + 1) < heap->count; at = child) {
		if (child + 1 < heap->count &&
			heap->entries[child + 1].key < heap->entries[child].key)
			child++;
		if (entry.key <= heap->entries[child].key)
			break;
		heap->entries[at] = heap->entries[child];
	}
	heap->entries[at] = entry;
}

void memory_heap_push(struct memory_heap *heap, struct memory_heap_entry entry)
{
	assert(heap->count < heap->count_max);
	rise(heap, heap->count++, entry);
}

struct memory_heap_entry memory_heap_pop(struct memory_heap *heap)
{
	assert(heap->count > 0);
	struct memory_heap_entry first = heap->entries[0];
	struct memory_heap_entry last = heap->entries[--heap->count];
	if (heap->count > 0)
		sink(heap, 0, last);
	return first;
}

void memory_heap_sift(struct memory_heap *heap,
	bool (*keep)(void *context, struct memory_heap_entry *entry), void *context)
{
	size_t kept = 0;
	for (size_t i = 0; i < heap->count; i++) {
		struct memory_heap_entry entry = heap->entries[i];
		if (keep(context, &entry))
			heap->entries[kept++] = entry;
	}
	heap->count = kept;
	for (size_t i = kept / 2; i-- > 0;)
		sink(heap, i, heap->entries[i]);
}
