/* See table.h. */
#include "tech-two-phase-payments/simulator/table.h"

#include <assert.h>
#include <stdlib.h>

enum { CAPACITY_MIN = 1024 };

void table_init(struct table *table, struct slice (*id_of)(const void *thing))
{
	*table = (struct table){.id_of = id_of};
}

void table_release(struct table *table)
{
	free(table->places);
	table_init(table, table->id_of);
}

/* Where the thing with this id is, or the empty place where it would be. */
static size_t place_of(const struct table *table, struct slice id)
{
	size_t mask = table->capacity - 1, place = slice_hash(id, 0) & mask;
	while (table->places[place] && !slice_equal(table->id_of(table->places[place]), id))
		place = (place + 1) & mask;
	return place;
}

void *table_find(const struct table *table, struct slice id)
{
	return table->capacity > 0 ? table->places[place_of(table, id)] : NULL;
}

static enum status grow(struct table *table)
{
	struct table larger = *table;
	larger.capacity = table->capacity ? 2 * table->capacity : CAPACITY_MIN;
	larger.places = calloc(larger.capacity, sizeof(void *));
	if (!larger.places)
		return STATUS_UNAVAILABLE;
	for (size_t i = 0; i < table->capacity; i++)
		if (table->places[i])
			larger.places[place_of(&larger, table->id_of(table->places[i]))] =
				table->places[i];
	free(table->places);
	*table = larger;
	return STATUS_OK;
}

enum status table_add(struct table *table, void *thing)
{
	if (2 * (table->count + 1) > table->capacity && grow(table) != STATUS_OK)
		return STATUS_UNAVAILABLE;
	size_t place = place_of(table, table->id_of(thing));
	assert(!table->places[place]);
	table->places[place] = thing;
	table->count++;
	return STATUS_OK;
}

/* What stands behind the gap moves up where the gap would end the search for it (Knuth, The Art of
 * Computer Programming, volume 3, section 6.4, algorithm R). */
void table_remove(struct table *table, const void *thing)
{
	size_t mask = table->capacity - 1, gap = place_of(table, table->id_of(thing));
	assert(table->places[gap] == thing);
	for (size_t i = (gap + 1) & mask; table->places[i]; i = (i + 1) & mask) {
		size_t home = slice_hash(table->id_of(table->places[i]), 0) & mask;
		if (((i - home) & mask) < ((i - gap) & mask))
			continue;
		table->places[gap] = table->places[i];
		gap = i;
	}
	table->places[gap] = NULL;
	table->count--;
}
