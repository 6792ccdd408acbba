/* Sorting, and searching by halves. */
#include "lib/ticketing/name_index.h"

#include <stdlib.h>

/* Any fixed order will do, so the cheap comparison of sizes comes first. */
static int compare_names(const void *left, const void *right)
{
	const struct slice *a = &((const struct name_entry *)left)->name;
	const struct slice *b = &((const struct name_entry *)right)->name;
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	return a->size ? memcmp(a->data, b->data, a->size) : 0;
}

static int compare_entries(const void *left, const void *right)
{
	int order = compare_names(left, right);
	uint32_t a = ((const struct name_entry *)left)->index;
	uint32_t b = ((const struct name_entry *)right)->index;
	return order ? order : (a > b) - (a < b);
}

void name_index_sort(struct name_entry entries[], size_t count)
{
	qsort(entries, count, sizeof *entries, compare_entries);
}

bool name_index_repeated(
	const struct name_entry entries[], size_t count, uint32_t *earlier, uint32_t *later)
{
	bool found = false;
	for (size_t i = 1; i < count; i++) {
		bool repeated = slice_equal(entries[i - 1].name, entries[i].name);
		if (repeated && (!found || entries[i].index < *later)) {
			found = true;
			*earlier = entries[i - 1].index;
			*later = entries[i].index;
		}
	}
	return found;
}

const struct name_entry *name_index_find(
	const struct name_entry entries[], size_t count, struct slice name)
{
	struct name_entry wanted = {.name = name};
	return bsearch(&wanted, entries, count, sizeof *entries, compare_names);
}
