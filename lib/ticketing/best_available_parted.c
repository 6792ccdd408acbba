/* Seats for a party that cannot sit together: there is no run that is long enough for it. */
#include "lib/ticketing/best_available_internal.h"

#include <string.h>

/* Seats that are wanted and adjacent, with none more at either end. */
struct run {
	const struct stretch *stretch;
	uint32_t first, count;
	uint32_t nearest; /* The least distance of its seats. */
};

struct row_runs {
	uint32_t count, longest;
	struct run runs[BEST_AVAILABLE_RUNS_MAX];
};

/* Where a group sits. */
struct group {
	uint32_t first, count;
	int64_t distance;
	bool orphan;
};

/* The best pair of groups so far. */
struct pair {
	bool found;
	bool alone; /* A group is a single seat, which in a party of three one always is. */
	int64_t cost;
	struct group front, back;
};

static struct seating_point point_at(const struct best_available *prepared, uint32_t place)
{
	const struct seating_seat *seat = seat_at(prepared, place);
	return (struct seating_point){seat->x, seat->y};
}

/* ---- two groups ---- */

static void add_run(const struct query *query, const struct stretch *stretch, uint32_t first,
	uint32_t count, struct row_runs *runs)
{
	if (count == 0 || runs->count == BEST_AVAILABLE_RUNS_MAX)
		return;
	struct run run = {stretch, first, count, UINT32_MAX};
	for (uint32_t i = 0; i < count; i++)
		if (query->prepared->distances[first + i] < run.nearest)
			run.nearest = query->prepared->distances[first + i];
	runs->runs[runs->count++] = run;
	if (count > runs->longest)
		runs->longest = count;
}

static void collect_runs(const struct query *query, uint32_t row_index, struct row_runs *runs)
{
	const struct best_available *prepared = query->prepared;
	runs->count = runs->longest = 0;
	for (uint32_t i = prepared->row_stretches[row_index];
		i < prepared->row_stretches[row_index + 1]; i++) {
		const struct stretch *stretch = &prepared->stretches[i];
		uint32_t end = stretch->first + stretch->count, count = 0;
		for (uint32_t place = stretch->first; place < end; place++) {
			if (is_wanted(query, place)) {
				count++;
				continue;
			}
			add_run(query, stretch, place - count, count, runs);
			count = 0;
		}
		add_run(query, stretch, end - count, count, runs);
	}
}

/* Where in the run a party of this size would sit by itself. */
static struct group place_group(const struct query *query, const struct run *run, uint32_t count)
{
	const uint32_t *distances = query->prepared->distances;
	struct group best = {.count = 0};
	int64_t distance = 0;
	for (uint32_t i = 0; i < run->count; i++) {
		uint32_t place = run->first + i;
		distance += distances[place];
		if (i >= count)
			distance -= distances[place - count];
		if (i + 1 < count)
			continue;
		uint32_t first = place + 1 - count;
		bool orphan = leaves_orphan(query, run->stretch, first, count);
		if (best.count == 0 || orphan < best.orphan ||
			(orphan == best.orphan && distance < best.distance))
			best = (struct group){first, count, distance, orphan};
	}
	return best;
}

static struct seating_point middle_of(
	const struct best_available *prepared, const struct group *group)
{
	struct seating_point from = point_at(prepared, group->first);
	struct seating_point to = point_at(prepared, group->first + group->count - 1);
	return (struct seating_point){(from.x + to.x) / 2, (from.y + to.y) / 2};
}

/* The order of pairs; that of places decides between equals, wherever the search began. */
static bool is_better(const struct pair *pair, const struct pair *than)
{
	if (!than->found || pair->alone != than->alone)
		return !than->found || than->alone;
	if (pair->cost != than->cost)
		return pair->cost < than->cost;
	if (pair->front.first != than->front.first)
		return pair->front.first < than->front.first;
	return pair->back.first < than->back.first;
}

/* Part the party between two runs, of which `front` comes first in the plan. */
static void try_pair(const struct query *query, const struct run *front, const struct run *back,
	struct pair *best)
{
	uint32_t quantity = query->quantity;
	if (front->count + back->count < quantity)
		return;
	/* Each run is shorter than the party, so both groups have a seat at least. */
	uint32_t min = quantity - back->count, max = front->count;
	uint32_t in_front = (quantity + 1) / 2;
	if (in_front < min)
		in_front = min;
	if (in_front > max)
		in_front = max;
	uint32_t behind = quantity - in_front;
	struct pair pair = {.found = true};
	pair.alone = quantity > 3 && (in_front == 1 || behind == 1);
	/* No pair of these runs costs less than this, so most are not worth placing. */
	pair.cost = (int64_t)in_front * front->nearest + (int64_t)behind * back->nearest;
	if (best->found &&
		(pair.alone > best->alone || (pair.alone == best->alone && pair.cost > best->cost)))
		return;
	pair.front = place_group(query, front, in_front);
	pair.back = place_group(query, back, behind);
	uint32_t between = distance_between(
		middle_of(query->prepared, &pair.front), middle_of(query->prepared, &pair.back));
	pair.cost = pair.front.distance + pair.back.distance + (int64_t)quantity * between;
	if (is_better(&pair, best))
		*best = pair;
}

static void try_rows(const struct query *query, const struct row_runs *front,
	const struct row_runs *back, struct pair *best)
{
	if (front->longest + back->longest < query->quantity)
		return;
	for (uint32_t i = 0; i < front->count; i++)
		for (uint32_t k = front == back ? i + 1 : 0; k < back->count; k++)
			try_pair(query, &front->runs[i], &back->runs[k], best);
}

static void try_zone(const struct query *query, const struct seating_zone *zone, struct pair *best)
{
	struct row_runs rows[2] = {{.count = 0}, {.count = 0}};
	for (uint32_t i = 0; i < zone->row_count; i++) {
		struct row_runs *row = &rows[i % 2], *before = &rows[(i + 1) % 2];
		collect_runs(query, zone->first_row + i, row);
		try_rows(query, row, row, best);
		try_rows(query, before, row, best);
	}
}

void choose_two_groups(const struct query *query, struct choice *choice)
{
	const struct best_available *prepared = query->prepared;
	struct pair best = {.found = false};
	for (uint32_t i = 0; i < prepared->seated_zone_count; i++) {
		uint32_t zone = prepared->nearest_zones[i];
		int64_t cost_min = (int64_t)query->quantity * prepared->zone_nearest[zone];
		if (best.found && !best.alone && cost_min > best.cost)
			break;
		if (zone_is_wanted(query, zone))
			try_zone(query, &prepared->plan->zones[zone], &best);
	}
	choice->found = best.found;
	for (uint32_t i = 0; best.found && i < query->quantity; i++)
		choice->places[i] = i < best.front.count ? best.front.first + i
							 : best.back.first + i - best.front.count;
}

/* ---- scattered in one section ---- */

/* The last wanted places of a walk through a section, in a ring. */
struct walk {
	const struct query *query;
	uint32_t places[BEST_AVAILABLE_SEATS_MAX];
	uint32_t next;  /* Which of them is the oldest, and replaced next. */
	uint32_t count; /* Of all so far. */
	int64_t distance;
};

/* The diagonal of the rectangle that holds the places of the ring. */
static uint32_t diagonal(const struct walk *walk)
{
	struct seating_point low = point_at(walk->query->prepared, walk->places[0]), high = low;
	for (uint32_t i = 1; i < walk->query->quantity; i++) {
		struct seating_point point = point_at(walk->query->prepared, walk->places[i]);
		low = (struct seating_point){fmin(low.x, point.x), fmin(low.y, point.y)};
		high = (struct seating_point){fmax(high.x, point.x), fmax(high.y, point.y)};
	}
	return distance_between(low, high);
}

static void step_on(struct walk *walk, uint32_t place, struct choice *choice)
{
	const struct query *query = walk->query;
	const uint32_t *distances = query->prepared->distances;
	uint32_t quantity = query->quantity;
	uint32_t *slot = &walk->places[walk->next];
	if (walk->count >= quantity)
		walk->distance -= distances[*slot];
	*slot = place;
	walk->distance += distances[place];
	walk->count++;
	walk->next = walk->next + 1 < quantity ? walk->next + 1 : 0;
	/* Distance alone may be too much, which spares most diagonals. */
	if (walk->count < quantity || (choice->found && walk->distance > choice->cost))
		return;
	int64_t cost = walk->distance + (int64_t)quantity * diagonal(walk);
	if (choice->found && cost >= choice->cost)
		return;
	choice->found = true;
	choice->cost = cost;
	memcpy(choice->places, walk->places, quantity * sizeof *walk->places);
}

static void walk_zone(const struct query *query, uint32_t zone_index, struct choice *choice)
{
	const struct seating_plan *plan = query->prepared->plan;
	const struct seating_zone *zone = &plan->zones[zone_index];
	struct walk walk = {.query = query};
	for (uint32_t i = 0; i < zone->row_count; i++) {
		const struct seating_row *row = &plan->rows[zone->first_row + i];
		for (uint32_t k = 0; k < row->seat_count; k++) {
			uint32_t step = i % 2 ? row->seat_count - 1 - k : k;
			if (is_wanted(query, row->first_seat + step))
				step_on(&walk, row->first_seat + step, choice);
		}
	}
}

void choose_in_one_section(const struct query *query, struct choice *choice)
{
	const struct best_available *prepared = query->prepared;
	for (uint32_t i = 0; i < prepared->seated_zone_count; i++) {
		uint32_t zone = prepared->nearest_zones[i];
		int64_t cost_min = (int64_t)query->quantity * prepared->zone_nearest[zone];
		if (choice->found && cost_min > choice->cost)
			break;
		if (zone_is_wanted(query, zone))
			walk_zone(query, zone, choice);
	}
}

/* ---- scattered anywhere ---- */

/* The wanted place with the least distance to the focal point. */
static uint32_t nearest_place(const struct query *query)
{
	const struct best_available *prepared = query->prepared;
	uint32_t nearest = NO_INDEX;
	for (uint32_t place = 0; place < prepared->plan->seat_count; place++)
		if (is_wanted(query, place) &&
			(nearest == NO_INDEX ||
				prepared->distances[place] < prepared->distances[nearest]))
			nearest = place;
	return nearest;
}

/* Only a wish for any section comes this far: one section was not enough. */
void choose_anywhere(const struct query *query, struct choice *choice)
{
	const struct best_available *prepared = query->prepared;
	uint32_t distances[BEST_AVAILABLE_SEATS_MAX]; /* From `middle`, ascending. */
	uint32_t count = 0, quantity = query->quantity;
	assert(query->zone == NO_INDEX && quantity > 0);
	struct seating_point middle = point_at(prepared, nearest_place(query));
	for (uint32_t place = 0; place < prepared->plan->seat_count; place++) {
		if (!is_wanted(query, place))
			continue;
		uint32_t distance = distance_between(point_at(prepared, place), middle);
		if (count == quantity && distance >= distances[quantity - 1])
			continue;
		if (count < quantity)
			count++;
		uint32_t i = count - 1;
		for (; i > 0 && distances[i - 1] > distance; i--) {
			distances[i] = distances[i - 1];
			choice->places[i] = choice->places[i - 1];
		}
		distances[i] = distance;
		choice->places[i] = place;
	}
	choice->found = count == quantity;
}
