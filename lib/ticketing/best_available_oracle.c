/* Try everything. */
#include "lib/ticketing/best_available_oracle.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A question, and the best answer to it so far on the level at hand. */
struct search {
	const struct hall *hall;
	int quantity, category, section;
	bool found;
	bool alone;
	int64_t cost;
	bool seats[ORACLE_SEATS_MAX];
};

/* Seats that follow each other, from `first` on. */
struct part {
	int first, count;
};

static int64_t units(double x, double y)
{
	return (int64_t)(sqrt(x * x + y * y) * 256 + 0.5);
}

static int64_t distance(const struct search *search, int seat)
{
	const struct seating_seat *at = &search->hall->seats[seat];
	const struct seating_zone *zone = &search->hall->zones[at->zone_index];
	struct seating_point focal_point =
		zone->has_focal_point ? zone->focal_point : search->hall->plan.focal_point;
	return units(at->x - focal_point.x, at->y - focal_point.y);
}

static int64_t distance_of(const struct search *search, struct part part)
{
	int64_t sum = 0;
	for (int i = 0; i < part.count; i++)
		sum += distance(search, part.first + i);
	return sum;
}

static bool wanted(const struct search *search, int seat)
{
	const struct seating_seat *at = &search->hall->seats[seat];
	return search->hall->available[seat] &&
		(search->category == HALL_ANY || (int)at->category_index == search->category) &&
		(search->section == HALL_ANY || (int)at->zone_index == search->section);
}

/* In a drawn hall the next column of the same line. */
static bool adjacent(const struct search *search, int seat, int next)
{
	const struct seating_seat *seats = search->hall->seats;
	return seat >= 0 && next < (int)search->hall->plan.seat_count &&
		seats[seat].row_index == seats[next].row_index &&
		seats[next].x - seats[seat].x < 1.1 * HALL_PITCH;
}

static bool all_wanted_and_adjacent(const struct search *search, struct part part)
{
	for (int i = 0; i < part.count; i++) {
		int seat = part.first + i;
		if (seat >= (int)search->hall->plan.seat_count || !wanted(search, seat) ||
			(i > 0 && !adjacent(search, seat - 1, seat)))
			return false;
	}
	return true;
}

static bool is_alone(const struct search *search, const bool available[], int seat)
{
	return available[seat] && !(adjacent(search, seat - 1, seat) && available[seat - 1]) &&
		!(adjacent(search, seat, seat + 1) && available[seat + 1]);
}

/* How many seats are alone without `seats` that were not alone before. */
static uint32_t count_orphans(const struct search *search, const bool seats[])
{
	bool left[ORACLE_SEATS_MAX] = {false};
	uint32_t count = 0;
	for (uint32_t i = 0; i < search->hall->plan.seat_count; i++)
		left[i] = search->hall->available[i] && !seats[i];
	for (uint32_t i = 0; i < search->hall->plan.seat_count; i++)
		count += is_alone(search, left, (int)i) &&
			!is_alone(search, search->hall->available, (int)i);
	return count;
}

static uint32_t count_orphans_of(const struct search *search, struct part part)
{
	bool seats[ORACLE_SEATS_MAX] = {false};
	for (int i = 0; i < part.count; i++)
		seats[part.first + i] = true;
	return count_orphans(search, seats);
}

static void keep(
	struct search *search, int64_t cost, bool alone, const struct part parts[], int part_count)
{
	search->found = true;
	search->cost = cost;
	search->alone = alone;
	memset(search->seats, 0, sizeof search->seats);
	for (int i = 0; i < part_count; i++)
		for (int k = 0; k < parts[i].count; k++)
			search->seats[parts[i].first + k] = true;
}

static void try_adjacent(struct search *search, bool with_orphan)
{
	for (int seat = 0; seat < (int)search->hall->plan.seat_count; seat++) {
		struct part part = {seat, search->quantity};
		if (!all_wanted_and_adjacent(search, part) ||
			(!with_orphan && count_orphans_of(search, part) > 0))
			continue;
		int64_t cost = distance_of(search, part);
		if (!search->found || cost < search->cost)
			keep(search, cost, false, &part, 1);
	}
}

/* The run that begins with this seat; none if it goes on to the left. */
static struct part run_at(const struct search *search, int seat)
{
	struct part run = {seat, 0};
	if (seat > 0 && all_wanted_and_adjacent(search, (struct part){seat - 1, 2}))
		return run;
	while (all_wanted_and_adjacent(search, (struct part){seat, run.count + 1}))
		run.count++;
	return run;
}

static struct part place_in(const struct search *search, struct part run, int count)
{
	struct part best = {run.first, 0};
	for (int with_orphan = 0; with_orphan < 2 && best.count == 0; with_orphan++) {
		for (int i = 0; i + count <= run.count; i++) {
			struct part part = {run.first + i, count};
			if (!with_orphan && count_orphans_of(search, part) > 0)
				continue;
			if (best.count == 0 ||
				distance_of(search, part) < distance_of(search, best))
				best = part;
		}
	}
	return best;
}

static struct seating_point middle(const struct search *search, struct part part)
{
	const struct seating_seat *from = &search->hall->seats[part.first];
	const struct seating_seat *to = from + part.count - 1;
	return (struct seating_point){(from->x + to->x) / 2, (from->y + to->y) / 2};
}

/* The split whose parts differ least; of two such the one with more in front. */
static int share_in_front(const struct search *search, struct part front, struct part back)
{
	int best = 0;
	for (int share = 1; share < search->quantity; share++) {
		if (share > front.count || search->quantity - share > back.count)
			continue;
		if (best == 0 ||
			abs(2 * share - search->quantity) <= abs(2 * best - search->quantity))
			best = share;
	}
	return best;
}

static void try_pair(struct search *search, struct part front, struct part back)
{
	int share = share_in_front(search, front, back), rest = search->quantity - share;
	if (share == 0)
		return;
	struct part parts[] = {place_in(search, front, share), place_in(search, back, rest)};
	struct seating_point a = middle(search, parts[0]), b = middle(search, parts[1]);
	bool alone = search->quantity >= 4 && (share == 1 || rest == 1);
	int64_t cost = distance_of(search, parts[0]) + distance_of(search, parts[1]) +
		search->quantity * units(a.x - b.x, a.y - b.y);
	if (!search->found || alone < search->alone ||
		(alone == search->alone && cost < search->cost))
		keep(search, cost, alone, parts, 2);
}

static void try_two_groups(struct search *search)
{
	const struct seating_seat *seats = search->hall->seats;
	int count = (int)search->hall->plan.seat_count;
	for (int i = 0; i < count; i++) {
		for (int k = i + 1; k < count; k++) {
			struct part front = run_at(search, i), back = run_at(search, k);
			uint32_t rows = seats[k].row_index - seats[i].row_index;
			if (front.count > 0 && back.count > 0 && rows < 2 &&
				seats[i].zone_index == seats[k].zone_index)
				try_pair(search, front, back);
		}
	}
}

/* The wanted seats of a section in the order of the walk; returns how many. */
static int walk(const struct search *search, uint32_t zone_index, int seats[])
{
	const struct seating_zone *zone = &search->hall->zones[zone_index];
	int count = 0;
	for (uint32_t i = 0; i < zone->row_count; i++) {
		const struct seating_row *row = &search->hall->rows[zone->first_row + i];
		int first = (int)row->first_seat, end = first + (int)row->seat_count;
		for (int seat = first; seat < end; seat++) {
			int step = i % 2 ? end - 1 - (seat - first) : seat;
			if (wanted(search, step))
				seats[count++] = step;
		}
	}
	return count;
}

static void try_window(struct search *search, const int seats[])
{
	struct part parts[ORACLE_SEATS_MAX];
	double left = INFINITY, right = -INFINITY, top = INFINITY, bottom = -INFINITY;
	int64_t cost = 0;
	for (int i = 0; i < search->quantity; i++) {
		const struct seating_seat *seat = &search->hall->seats[seats[i]];
		left = fmin(left, seat->x);
		right = fmax(right, seat->x);
		top = fmin(top, seat->y);
		bottom = fmax(bottom, seat->y);
		parts[i] = (struct part){seats[i], 1};
		cost += distance(search, seats[i]);
	}
	cost += search->quantity * units(right - left, bottom - top);
	if (!search->found || cost < search->cost)
		keep(search, cost, false, parts, search->quantity);
}

/* The least distance of any seat of a section. */
static int64_t nearest(const struct search *search, uint32_t zone_index)
{
	const struct seating_zone *zone = &search->hall->zones[zone_index];
	int64_t least = INT64_MAX;
	for (uint32_t i = 0; i < zone->seat_count; i++) {
		int64_t one = distance(search, (int)(zone->first_seat + i));
		least = one < least ? one : least;
	}
	return least;
}

/* Sections from the nearest on, which decides between equals. */
static void try_one_section(struct search *search)
{
	bool done[HALL_ZONES_MAX] = {false};
	for (uint32_t turn = 0; turn < search->hall->plan.zone_count; turn++) {
		uint32_t zone = 0;
		int seats[ORACLE_SEATS_MAX];
		while (done[zone])
			zone++;
		for (uint32_t i = zone + 1; i < search->hall->plan.zone_count; i++)
			if (!done[i] && nearest(search, i) < nearest(search, zone))
				zone = i;
		done[zone] = true;
		int count = walk(search, zone, seats);
		for (int i = 0; i + search->quantity <= count; i++)
			try_window(search, seats + i);
	}
}

/* The wanted seat that is nearest to `from`, or to the focal point if that is -1; -1: none left. */
static int nearest_left(const struct search *search, int from, const bool gone[])
{
	int best = -1;
	int64_t least = 0;
	for (int seat = 0; seat < (int)search->hall->plan.seat_count; seat++) {
		const struct seating_seat *seats = search->hall->seats;
		if (!wanted(search, seat) || gone[seat])
			continue;
		int64_t one = from < 0
			? distance(search, seat)
			: units(seats[seat].x - seats[from].x, seats[seat].y - seats[from].y);
		if (best < 0 || one < least) {
			best = seat;
			least = one;
		}
	}
	return best;
}

static void try_anywhere(struct search *search)
{
	struct part parts[ORACLE_SEATS_MAX];
	bool gone[ORACLE_SEATS_MAX] = {false};
	int middle_seat = nearest_left(search, -1, gone);
	for (int i = 0; i < search->quantity; i++) {
		int seat = nearest_left(search, middle_seat, gone);
		if (seat < 0)
			return;
		gone[seat] = true;
		parts[i] = (struct part){seat, 1};
	}
	keep(search, 0, false, parts, search->quantity);
}

void oracle_find(const struct hall *hall, uint32_t quantity, int category, int section,
	struct oracle_block *block)
{
	struct search search = {
		.hall = hall, .quantity = (int)quantity, .category = category, .section = section};
	assert_true(hall->plan.seat_count <= ORACLE_SEATS_MAX && quantity <= ORACLE_SEATS_MAX);
	int level = BEST_AVAILABLE_ADJACENT;
	for (; level <= BEST_AVAILABLE_ANYWHERE && !search.found; level++) {
		if (level <= BEST_AVAILABLE_ADJACENT_ORPHAN)
			try_adjacent(&search, level == BEST_AVAILABLE_ADJACENT_ORPHAN);
		else if (level == BEST_AVAILABLE_TWO_GROUPS)
			try_two_groups(&search);
		else if (level == BEST_AVAILABLE_ONE_SECTION)
			try_one_section(&search);
		else
			try_anywhere(&search);
	}
	*block = (struct oracle_block){.level = BEST_AVAILABLE_NONE};
	if (!search.found)
		return;
	block->level = (enum best_available_level)(level - 1);
	memcpy(block->seats, search.seats, sizeof block->seats);
	block->orphan_count = count_orphans(&search, search.seats);
}
