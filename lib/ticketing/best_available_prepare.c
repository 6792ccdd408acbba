/* What is known of a plan before anybody asks: the order of seats in each row, where aisles are,
 * and how far each seat is from the focal point. */
#include "lib/ticketing/best_available_internal.h"

#include <stdlib.h>
#include <string.h>

enum { SPACINGS_MIN = 3 }; /* That a row needs for a median of its own. */

/* A wider gap than this part of the median spacing is an aisle. */
static const double aisle_factor = 1.5;

/* A seat on a line: how far along it stands. */
struct stand {
	double along;
	uint32_t seat;
};

struct preparation {
	struct best_available made;
	const struct seating_plan *plan;
	uint32_t *seats, *distances, *row_stretches, *nearest_stretches;
	uint32_t *zone_nearest, *nearest_zones;
	uint8_t *categories;
	struct stretch *stretches;
	struct stand *stands; /* As many as the plan has seats, and used for one row at a time. */
	double *spacings;     /* Likewise, for one zone at a time. */
	double *row_spacing_max; /* Of each row: beyond it, there is an aisle. */
};

/* An index and what it is sorted by. */
struct ranked {
	uint32_t key, index;
};

static bool make_room(struct preparation *preparation, struct arena *arena);
static void order_row(struct preparation *preparation, const struct seating_row *row);
static void turn_rows(struct preparation *preparation, const struct seating_zone *zone);
static void find_spacings(struct preparation *preparation, const struct seating_zone *zone);
static void measure_seats(struct preparation *preparation);
static bool cut_at_aisles(struct preparation *preparation, struct arena *arena);
static bool rank_by_distance(struct preparation *preparation, struct arena *arena);

const struct best_available *best_available_prepare(
	const struct seating_plan *plan, struct arena *arena)
{
	struct preparation preparation = {.plan = plan};
	if (!make_room(&preparation, arena))
		return NULL;
	for (uint32_t i = 0; i < plan->row_count; i++)
		order_row(&preparation, &plan->rows[i]);
	for (uint32_t i = 0; i < plan->zone_count; i++) {
		turn_rows(&preparation, &plan->zones[i]);
		find_spacings(&preparation, &plan->zones[i]);
	}
	measure_seats(&preparation);
	struct best_available *prepared = arena_calloc(arena, 1, sizeof *prepared);
	if (!prepared || !cut_at_aisles(&preparation, arena) ||
		!rank_by_distance(&preparation, arena))
		return NULL;
	*prepared = preparation.made;
	prepared->plan = plan;
	prepared->seats = preparation.seats;
	prepared->distances = preparation.distances;
	prepared->categories = preparation.categories;
	prepared->stretches = preparation.stretches;
	prepared->row_stretches = preparation.row_stretches;
	prepared->nearest_stretches = preparation.nearest_stretches;
	prepared->zone_nearest = preparation.zone_nearest;
	prepared->nearest_zones = preparation.nearest_zones;
	return prepared;
}

static bool make_room(struct preparation *preparation, struct arena *arena)
{
	const struct seating_plan *plan = preparation->plan;
	size_t seats = plan->seat_count, rows = plan->row_count, zones = plan->zone_count;
	preparation->seats = arena_calloc(arena, seats, sizeof *preparation->seats);
	preparation->distances = arena_calloc(arena, seats, sizeof *preparation->distances);
	preparation->categories = arena_calloc(arena, seats, sizeof *preparation->categories);
	preparation->stands = arena_calloc(arena, seats, sizeof *preparation->stands);
	preparation->spacings = arena_calloc(arena, seats, sizeof *preparation->spacings);
	preparation->row_spacing_max =
		arena_calloc(arena, rows, sizeof *preparation->row_spacing_max);
	preparation->row_stretches =
		arena_calloc(arena, rows + 1, sizeof *preparation->row_stretches);
	preparation->zone_nearest = arena_calloc(arena, zones, sizeof *preparation->zone_nearest);
	preparation->nearest_zones = arena_calloc(arena, zones, sizeof *preparation->nearest_zones);
	return preparation->seats && preparation->distances && preparation->categories &&
		preparation->stands && preparation->spacings && preparation->row_spacing_max &&
		preparation->row_stretches && preparation->zone_nearest &&
		preparation->nearest_zones;
}

static struct seating_point point_of(const struct preparation *preparation, uint32_t seat)
{
	return (struct seating_point){
		preparation->plan->seats[seat].x, preparation->plan->seats[seat].y};
}

static double length_between(const struct preparation *preparation, uint32_t seat, uint32_t other)
{
	struct seating_point a = point_of(preparation, seat), b = point_of(preparation, other);
	return sqrt((a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y));
}

static uint32_t farthest_in_row(
	const struct preparation *preparation, const struct seating_row *row, uint32_t from)
{
	uint32_t farthest = from;
	double length_max = 0;
	for (uint32_t i = 0; i < row->seat_count; i++) {
		double length = length_between(preparation, from, row->first_seat + i);
		if (length > length_max) {
			length_max = length;
			farthest = row->first_seat + i;
		}
	}
	return farthest;
}

static int compare_stands(const void *left, const void *right)
{
	const struct stand *a = left, *b = right;
	if (a->along != b->along)
		return a->along < b->along ? -1 : 1;
	return (a->seat > b->seat) - (a->seat < b->seat);
}

/* From one end of a row to the other, two seats that are as far apart as any, or nearly so: the
 * farthest from the first seat, and the farthest from that. Rather with the document than against
 * it. */
static struct seating_point way_of(
	const struct preparation *preparation, const struct seating_row *row)
{
	uint32_t end = farthest_in_row(preparation, row, row->first_seat);
	struct seating_point from = point_of(preparation, end);
	struct seating_point to = point_of(preparation, farthest_in_row(preparation, row, end));
	struct seating_point first = point_of(preparation, row->first_seat);
	struct seating_point last = point_of(preparation, row->first_seat + row->seat_count - 1);
	struct seating_point way = {to.x - from.x, to.y - from.y};
	if (way.x * (last.x - first.x) + way.y * (last.y - first.y) < 0)
		return (struct seating_point){-way.x, -way.y};
	return way;
}

/* The seats of a row along its way, in preparation->stands. */
static void line_up(struct preparation *preparation, const struct seating_row *row)
{
	struct seating_point way = way_of(preparation, row);
	struct seating_point first = point_of(preparation, row->first_seat);
	for (uint32_t i = 0; i < row->seat_count; i++) {
		struct seating_point point = point_of(preparation, row->first_seat + i);
		preparation->stands[i] = (struct stand){
			.along = (point.x - first.x) * way.x + (point.y - first.y) * way.y,
			.seat = row->first_seat + i,
		};
	}
	qsort(preparation->stands, row->seat_count, sizeof *preparation->stands, compare_stands);
}

/* A row that is curved by more than half a circle is in order only in the document; one that was
 * drawn or numbered out of order, only along its line. The right order is the shorter walk. */
static void order_row(struct preparation *preparation, const struct seating_row *row)
{
	uint32_t *seats = preparation->seats + row->first_seat;
	double walk = 0, walk_along = 0;
	if (row->seat_count == 0)
		return;
	line_up(preparation, row);
	for (uint32_t i = 0; i + 1 < row->seat_count; i++) {
		walk += length_between(preparation, row->first_seat + i, row->first_seat + i + 1);
		walk_along += length_between(
			preparation, preparation->stands[i].seat, preparation->stands[i + 1].seat);
	}
	/* The same walk backwards may come out a trifle shorter for rounding. */
	bool along = walk_along < walk * (1 - 1e-9);
	for (uint32_t i = 0; i < row->seat_count; i++)
		seats[i] = along ? preparation->stands[i].seat : row->first_seat + i;
}

static void reverse(uint32_t seats[], uint32_t count)
{
	for (uint32_t i = 0; i < count / 2; i++) {
		uint32_t seat = seats[i];
		seats[i] = seats[count - 1 - i];
		seats[count - 1 - i] = seat;
	}
}

/* Let each row of a zone lead the same way as the one before it, though they may be numbered as the
 * ox ploughs: the walk of choose_in_one_section relies on it. */
static void turn_rows(struct preparation *preparation, const struct seating_zone *zone)
{
	struct seating_point before = {0, 0};
	for (uint32_t i = 0; i < zone->row_count; i++) {
		const struct seating_row *row = &preparation->plan->rows[zone->first_row + i];
		uint32_t *seats = preparation->seats + row->first_seat;
		if (row->seat_count < 2)
			continue;
		struct seating_point from = point_of(preparation, seats[0]);
		struct seating_point to = point_of(preparation, seats[row->seat_count - 1]);
		struct seating_point way = {to.x - from.x, to.y - from.y};
		if (way.x * before.x + way.y * before.y < 0) {
			reverse(seats, row->seat_count);
			way = (struct seating_point){-way.x, -way.y};
		}
		before = way;
	}
}

static int compare_doubles(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;
	return (a > b) - (a < b);
}

/* Of an even number, the lower one: aisles are wider than what is usual, never narrower. */
static double median(double values[], uint32_t count)
{
	qsort(values, count, sizeof *values, compare_doubles);
	return count ? values[(count - 1) / 2] : 0;
}

/* Add a row's spacings to those at hand; returns how many it has. */
static uint32_t add_spacings(
	struct preparation *preparation, const struct seating_row *row, uint32_t count)
{
	const uint32_t *seats = preparation->seats + row->first_seat;
	if (row->seat_count == 0)
		return 0;
	for (uint32_t i = 0; i + 1 < row->seat_count; i++)
		preparation->spacings[count + i] =
			length_between(preparation, seats[i], seats[i + 1]);
	return row->seat_count - 1;
}

static void find_spacings(struct preparation *preparation, const struct seating_zone *zone)
{
	const struct seating_row *rows = preparation->plan->rows + zone->first_row;
	double *spacing_max = preparation->row_spacing_max + zone->first_row;
	uint32_t count = 0;
	for (uint32_t i = 0; i < zone->row_count; i++)
		count += add_spacings(preparation, &rows[i], count);
	double of_zone = median(preparation->spacings, count);
	for (uint32_t i = 0; i < zone->row_count; i++) {
		count = add_spacings(preparation, &rows[i], 0);
		double usual =
			count >= SPACINGS_MIN ? median(preparation->spacings, count) : of_zone;
		spacing_max[i] = usual * aisle_factor;
	}
}

static void measure_seats(struct preparation *preparation)
{
	const struct seating_plan *plan = preparation->plan;
	for (uint32_t i = 0; i < plan->zone_count; i++) {
		const struct seating_zone *zone = &plan->zones[i];
		struct seating_point focal_point = seating_zone_focal_point(plan, zone);
		for (uint32_t k = 0; k < zone->seat_count; k++) {
			uint32_t place = zone->first_seat + k, seat = preparation->seats[place];
			preparation->distances[place] =
				distance_between(point_of(preparation, seat), focal_point);
			preparation->categories[place] = (uint8_t)plan->seats[seat].category_index;
		}
	}
}

/* Whether the place is the first of its row or behind an aisle. */
static bool begins_stretch(
	const struct preparation *preparation, const struct seating_row *row, uint32_t place)
{
	const uint32_t *seats = preparation->seats;
	uint32_t row_index = (uint32_t)(row - preparation->plan->rows);
	return place == row->first_seat ||
		length_between(preparation, seats[place - 1], seats[place]) >
		preparation->row_spacing_max[row_index];
}

static uint32_t count_stretches(const struct preparation *preparation)
{
	const struct seating_plan *plan = preparation->plan;
	uint32_t count = 0;
	for (uint32_t i = 0; i < plan->seat_count; i++) {
		uint32_t row_index = plan->seats[preparation->seats[i]].row_index;
		count += begins_stretch(preparation, &plan->rows[row_index], i);
	}
	return count;
}

/* Mostly the seats of a stretch are neighbours in the plan's array, too; then one look tells that
 * all are sold. */
static void find_lowest_seat(const struct preparation *preparation, struct stretch *stretch)
{
	const uint32_t *seats = preparation->seats + stretch->first;
	uint32_t low = seats[0], high = seats[0];
	for (uint32_t i = 1; i < stretch->count; i++) {
		low = seats[i] < low ? seats[i] : low;
		high = seats[i] > high ? seats[i] : high;
	}
	stretch->lowest_seat = high - low + 1 == stretch->count ? low : NO_INDEX;
}

static bool cut_at_aisles(struct preparation *preparation, struct arena *arena)
{
	const struct seating_plan *plan = preparation->plan;
	struct stretch *stretch = NULL;
	uint32_t count = 0;
	preparation->stretches = arena_calloc(arena, count_stretches(preparation), sizeof *stretch);
	if (!preparation->stretches)
		return false;
	for (uint32_t i = 0; i < plan->row_count; i++) {
		const struct seating_row *row = &plan->rows[i];
		preparation->row_stretches[i] = count;
		for (uint32_t k = 0; k < row->seat_count; k++) {
			uint32_t place = row->first_seat + k;
			uint32_t distance = preparation->distances[place];
			if (begins_stretch(preparation, row, place)) {
				stretch = &preparation->stretches[count++];
				*stretch = (struct stretch){
					place, 0, i, row->zone_index, distance, NO_INDEX};
			}
			stretch->count++;
			if (distance < stretch->nearest)
				stretch->nearest = distance;
		}
	}
	for (uint32_t i = 0; i < count; i++)
		find_lowest_seat(preparation, &preparation->stretches[i]);
	preparation->row_stretches[plan->row_count] = count;
	preparation->made.stretch_count = count;
	return true;
}

static int compare_ranked(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;
	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return (a->index > b->index) - (a->index < b->index);
}

/* Sort, and keep the indices alone. */
static void keep_sorted(struct ranked ranked[], uint32_t count, uint32_t indices[])
{
	qsort(ranked, count, sizeof *ranked, compare_ranked);
	for (uint32_t i = 0; i < count; i++)
		indices[i] = ranked[i].index;
}

static bool rank_by_distance(struct preparation *preparation, struct arena *arena)
{
	const struct seating_plan *plan = preparation->plan;
	uint32_t count = preparation->made.stretch_count, zone_count = 0;
	uint32_t room = count > plan->zone_count ? count : plan->zone_count;
	struct ranked *ranked = arena_calloc(arena, room, sizeof *ranked);
	preparation->nearest_stretches =
		arena_calloc(arena, count, sizeof *preparation->nearest_stretches);
	if (!ranked || !preparation->nearest_stretches)
		return false;
	for (uint32_t i = 0; i < plan->zone_count; i++)
		preparation->zone_nearest[i] = UINT32_MAX;
	for (uint32_t i = 0; i < count; i++) {
		const struct stretch *stretch = &preparation->stretches[i];
		uint32_t *nearest = &preparation->zone_nearest[stretch->zone_index];
		ranked[i] = (struct ranked){stretch->nearest, i};
		if (stretch->nearest < *nearest)
			*nearest = stretch->nearest;
	}
	keep_sorted(ranked, count, preparation->nearest_stretches);
	for (uint32_t i = 0; i < plan->zone_count; i++)
		if (plan->zones[i].seat_count > 0)
			ranked[zone_count++] = (struct ranked){preparation->zone_nearest[i], i};
	keep_sorted(ranked, zone_count, preparation->nearest_zones);
	preparation->made.seated_zone_count = zone_count;
	return true;
}
