/* Things by their id: a hash table with open addressing and linear probing.
 *
 * A thing is known by a function that tells its id; the table keeps pointers only. FNV-1a (Fowler,
 * Noll, Vo) over the id, finished by a multiplication, since ids come from ourselves or from a
 * tester: nobody is kept from making them collide, only the tester would wait. One thread. */
#pragma once

#include "lib/base/slice.h"
#include "lib/base/status.h"

struct table {
	struct slice (*id_of)(const void *thing);
	void **places; /* A power of two of them. */
	size_t count, capacity;
};

void table_init(struct table *table, struct slice (*id_of)(const void *thing));
void table_release(struct table *table);

/* The thing with this id, or NULL. */
void *table_find(const struct table *table, struct slice id);

/* Put in a thing whose id is not there yet. UNAVAILABLE when memory is short. */
__attribute__((warn_unused_result)) enum status table_add(struct table *table, void *thing);

/* Take out a thing that is there. */
void table_remove(struct table *table, const void *thing);
