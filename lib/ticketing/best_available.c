/* Finding a block: adjacent seats, and what is said of any block in the end. */
#include "lib/ticketing/best_available_internal.h"

#include <stdlib.h>
#include <string.h>

/* The best run of adjacent seats: its first place, and its distance. */
struct adjacent {
	bool found;
	uint32_t first;
	int64_t distance;
};

/* Those that leave no orphan, and those that do. */
struct adjacents {
	struct adjacent clean, orphaning;
};

static void find_adjacent(struct query *query, struct adjacents *best);
static void fill_in(const struct query *query, enum best_available_level level, uint32_t places[],
	struct best_available_block *block);

static void fill_in_adjacent(const struct query *query, enum best_available_level level,
	uint32_t first, struct best_available_block *block)
{
	uint32_t places[BEST_AVAILABLE_SEATS_MAX];
	for (uint32_t i = 0; i < query->quantity; i++)
		places[i] = first + i;
	fill_in(query, level, places, block);
}

static void find_parted(const struct query *query, struct best_available_block *block)
{
	static const struct {
		void (*choose)(const struct query *query, struct choice *choice);
		enum best_available_level level;
	} ways[] = {
		{choose_two_groups, BEST_AVAILABLE_TWO_GROUPS},
		{choose_in_one_section, BEST_AVAILABLE_ONE_SECTION},
		{choose_anywhere, BEST_AVAILABLE_ANYWHERE},
	};
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		struct choice choice = {.found = false};
		ways[i].choose(query, &choice);
		if (choice.found) {
			fill_in(query, ways[i].level, choice.places, block);
			return;
		}
	}
}

void best_available_find(const struct best_available *prepared, const bool available[],
	const struct best_available_wish *wish, struct best_available_block *block)
{
	const struct seating_plan *plan = prepared->plan;
	assert(wish->quantity >= 1 && wish->quantity <= BEST_AVAILABLE_SEATS_MAX);
	struct query query = {
		.prepared = prepared,
		.available = available,
		.quantity = wish->quantity,
		.category =
			wish->category ? (uint32_t)(wish->category - plan->categories) : NO_INDEX,
		.zone = wish->section ? (uint32_t)(wish->section - plan->zones) : NO_INDEX,
	};
	assert(query.category < plan->category_count || query.category == NO_INDEX);
	assert(query.zone < plan->zone_count || query.zone == NO_INDEX);
	struct adjacents best = {{.found = false}, {.found = false}};
	*block = (struct best_available_block){.level = BEST_AVAILABLE_NONE};
	find_adjacent(&query, &best);
	if (best.clean.found)
		fill_in_adjacent(&query, BEST_AVAILABLE_ADJACENT, best.clean.first, block);
	else if (best.orphaning.found)
		fill_in_adjacent(
			&query, BEST_AVAILABLE_ADJACENT_ORPHAN, best.orphaning.first, block);
	else if (query.wanted_count >= query.quantity)
		find_parted(&query, block);
}

void best_available_strike_out(
	const struct best_available_block *block, uint64_t which, bool available[])
{
	static_assert(BEST_AVAILABLE_SEATS_MAX <= 64, "each seat of a block has a bit");
	for (uint32_t i = 0; i < block->seat_count; i++)
		if (which >> i & 1)
			available[block->seats[i]] = false;
}

bool leaves_orphan(
	const struct query *query, const struct stretch *stretch, uint32_t first, uint32_t count)
{
	uint32_t before = first - stretch->first; /* How many places of the stretch there are. */
	uint32_t behind = stretch->count - before - count;
	bool left = before > 0 && is_free(query, first - 1) &&
		!(before > 1 && is_free(query, first - 2));
	uint32_t next = first + count;
	bool right =
		behind > 0 && is_free(query, next) && !(behind > 1 && is_free(query, next + 1));
	return left || right;
}

static void weigh_adjacent(struct adjacent *best, uint32_t first, int64_t distance)
{
	if (!best->found || distance < best->distance ||
		(distance == best->distance && first < best->first))
		*best = (struct adjacent){true, first, distance};
}

/* The front of a hall is sold out soon, and each search begins there. */
static bool is_sold_out(const struct query *query, const struct stretch *stretch)
{
	static_assert(sizeof *query->available == 1, "memchr goes by bytes");
	return stretch->lowest_seat != NO_INDEX &&
		!memchr(query->available + stretch->lowest_seat, 1, stretch->count);
}

/* Slide a window of the party's size along each run of wanted seats. */
static void search_stretch(
	struct query *query, const struct stretch *stretch, struct adjacents *best)
{
	const uint32_t *distances = query->prepared->distances;
	uint32_t quantity = query->quantity, run = 0;
	int64_t distance = 0;
	for (uint32_t i = 0; i < stretch->count; i++) {
		uint32_t place = stretch->first + i;
		if (!is_wanted(query, place)) {
			run = 0;
			distance = 0;
			continue;
		}
		query->wanted_count++;
		distance += distances[place];
		if (++run > quantity)
			distance -= distances[place - quantity];
		if (run < quantity)
			continue;
		uint32_t first = place + 1 - quantity;
		bool orphan = leaves_orphan(query, stretch, first, quantity);
		weigh_adjacent(orphan ? &best->orphaning : &best->clean, first, distance);
	}
}

/* From the nearest stretch on, until none can be nearer than what is found. Equally near ones are
 * still looked at, since they may come first in the plan. */
static void find_adjacent(struct query *query, struct adjacents *best)
{
	const struct best_available *prepared = query->prepared;
	for (uint32_t i = 0; i < prepared->stretch_count; i++) {
		const struct stretch *stretch =
			&prepared->stretches[prepared->nearest_stretches[i]];
		if (best->clean.found &&
			(int64_t)query->quantity * stretch->nearest > best->clean.distance)
			break;
		if (zone_is_wanted(query, stretch->zone_index) && !is_sold_out(query, stretch))
			search_stretch(query, stretch, best);
	}
}

static const struct stretch *stretch_of(const struct best_available *prepared, uint32_t place)
{
	uint32_t low = 0, high = prepared->stretch_count;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		if (prepared->stretches[middle].first <= place)
			low = middle;
		else
			high = middle;
	}
	return &prepared->stretches[low];
}

static int compare_places(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	return (a > b) - (a < b);
}

/* A finished block, while its neighbours are looked at. */
struct taken {
	const struct query *query;
	const uint32_t *places; /* Ascending. */
};

/* Whether the place is of this stretch, and free once the block is taken. */
static bool stays_free(const struct taken *taken, const struct stretch *stretch, uint32_t place)
{
	/* In front of place 0 there is UINT32_MAX, which is behind the end of any stretch. */
	return place >= stretch->first && place < stretch->first + stretch->count &&
		is_free(taken->query, place) &&
		!bsearch(&place, taken->places, taken->query->quantity, sizeof place,
			compare_places);
}

static bool is_orphaned(const struct taken *taken, const struct stretch *stretch, uint32_t place)
{
	return stays_free(taken, stretch, place) && !stays_free(taken, stretch, place - 1) &&
		!stays_free(taken, stretch, place + 1);
}

/* Put the places in order, and count what there is to tell of them. */
static void fill_in(const struct query *query, enum best_available_level level, uint32_t places[],
	struct best_available_block *block)
{
	const struct best_available *prepared = query->prepared;
	const struct stretch *before = NULL;
	uint32_t orphan = NO_INDEX;
	qsort(places, query->quantity, sizeof *places, compare_places);
	struct taken taken = {query, places};
	block->level = level;
	block->seat_count = query->quantity;
	for (uint32_t i = 0; i < query->quantity; i++) {
		uint32_t place = places[i];
		const struct stretch *stretch = stretch_of(prepared, place);
		block->seats[i] = prepared->seats[place];
		block->group_count += i == 0 || stretch != before || place != places[i - 1] + 1;
		block->row_count += !before || before->row_index != stretch->row_index;
		block->section_count += !before || before->zone_index != stretch->zone_index;
		/* One that lies between two seats of the block counts once. */
		if (place - 1 != orphan && is_orphaned(&taken, stretch, place - 1))
			block->orphan_count++;
		if (is_orphaned(&taken, stretch, place + 1)) {
			orphan = place + 1;
			block->orphan_count++;
		}
		before = stretch;
	}
}
