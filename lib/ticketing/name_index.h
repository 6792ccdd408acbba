/* Names of a plan in an order that finds one by halves and brings equal ones together. Private.
 *
 * Sorting needs no hash, hence no secret seed: no choice of names makes it slow. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/slice.h"

struct name_entry {
	struct slice name;
	uint32_t index; /* Of what has the name. */
};

/* Sort by name, and equal names by index. */
void name_index_sort(struct name_entry entries[], size_t count);

/* Find the first entry, in order of index, whose name an earlier one has already. False if all
 * names differ. */
bool name_index_repeated(
	const struct name_entry entries[], size_t count, uint32_t *earlier, uint32_t *later);

/* The entry with this name; NULL if there is none. */
const struct name_entry *name_index_find(
	const struct name_entry entries[], size_t count, struct slice name);
