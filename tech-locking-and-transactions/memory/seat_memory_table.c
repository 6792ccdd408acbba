/* See seat_memory_table.h. */
#include "tech-locking-and-transactions/memory/seat_memory_table.h"

#include <stdlib.h>
#include <string.h>

size_t memory_list_find(
	const struct memory_list *list, memory_compare *compare, const void *key, bool *found)
{
	size_t low = 0, high = list->count;
	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(key, list->items[middle]);
		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

bool memory_list_insert(struct memory_list *list, size_t at, void *item)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity > 0 ? 2 * list->capacity : 64;
		void **items = reallocarray(list->items, capacity, sizeof *items);
		if (!items)
			return false;
		list->items = items;
		list->capacity = capacity;
	}
	memmove(list->items + at + 1, list->items + at, (list->count - at) * sizeof *list->items);
	list->items[at] = item;
	list->count++;
	return true;
}

struct slice memory_copy(struct slice text)
{
	char *copy = malloc(text.size + 1);
	if (!copy)
		return (struct slice){0};
	if (text.size > 0)
		memcpy(copy, text.data, text.size);
	copy[text.size] = 0;
	return (struct slice){.data = copy, .size = text.size};
}

int memory_compare_event(const void *key, const void *item)
{
	const struct memory_event *event = item;
	return seat_compare_ids(*(const struct id *)key, event->id);
}

int memory_compare_seat(const void *key, const void *item)
{
	const struct memory_seat *a = key, *b = item;
	int order = seat_compare_ids(a->event, b->event);
	return order != 0 ? order : seat_compare(a->seat, b->seat);
}

int memory_compare_hold(const void *key, const void *item)
{
	const struct hold_name *a = key;
	const struct memory_hold *b = item;
	int order = seat_compare_ids(a->event, b->event);
	return order != 0 ? order : seat_compare_ids(a->hold, b->id);
}

void memory_seat_free(struct memory_seat *seat)
{
	if (!seat)
		return;
	free((void *)seat->seat.data);
	free((void *)seat->section.data);
	free((void *)seat->row.data);
	free((void *)seat->number.data);
	free(seat);
}

void memory_hold_free(struct memory_hold *hold)
{
	if (!hold)
		return;
	free((void *)hold->person.data);
	free(hold->seats);
	free(hold);
}
