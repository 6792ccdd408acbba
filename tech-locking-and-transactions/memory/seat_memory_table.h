/* What the seat store in memory keeps: arrays of pointers in order, searched by halves. Plain
 * enough to be right at sight, which is what an oracle is for. */
#pragma once

#include "tech-locking-and-transactions/seat_store.h"

struct memory_event {
	struct id id;
	char currency[CURRENCY_TEXT_SIZE];
};

struct memory_seat {
	struct id event;
	struct slice seat, section, row, number; /* Copies. */
	int64_t price, version;
	enum seat_status status;
	struct id hold; /* HELD and SOLD. */
	int64_t reserved_until_ms;
};

struct memory_hold {
	struct id event, id;
	struct slice person; /* A copy. */
	struct memory_seat **seats;
	size_t seat_count;
	int64_t hold_ms, version, total, expires_at_ms;
	enum hold_state state; /* LIVE also when its time is over, until somebody tidies up. */
	struct id order;       /* SOLD and REVOKED. */
};

/* Pointers in order of what they point at. */
struct memory_list {
	void **items;
	size_t count, capacity;
};

typedef int memory_compare(const void *key, const void *item);

/* Where the key is or belongs; *found tells which. */
size_t memory_list_find(
	const struct memory_list *list, memory_compare *compare, const void *key, bool *found);

/* Put an item at this place. False when there is no memory. */
bool memory_list_insert(struct memory_list *list, size_t at, void *item);

/* A copy of a text, with memory of its own: NULL data when there is none. */
struct slice memory_copy(struct slice text);

memory_compare memory_compare_event, memory_compare_seat, memory_compare_hold;

/* Free what was made for the seat or hold, and itself. */
void memory_seat_free(struct memory_seat *seat);
void memory_hold_free(struct memory_hold *hold);
