/* What the files of best available share; nobody else includes it. */
#pragma once

#include <assert.h>
#include <math.h>

#include "lib/ticketing/best_available.h"

enum { NO_INDEX = UINT32_MAX >> 1 }; /* Larger than any index. */

enum {
	DISTANCE_UNITS = 256,    /* Of a distance, in one plan unit. */
	DISTANCE_PLAN_UNITS = 10 /* No two points of a plan are farther apart, in coordinates. */
};

/* Positions nest three levels deep, so seats are at most 3 coordinates from 0, and a stage that is
 * turned less than 4: the diagonal between them is below 10. */
static_assert((uint64_t)DISTANCE_PLAN_UNITS * SEATING_COORDINATE_MAX * DISTANCE_UNITS <= UINT32_MAX,
	"a distance fits");

/* A place is a seat's rank by row and by position in the row. The places of a row are those numbers
 * that its seats have in the plan, so places and seats are in the same order wherever the plan's
 * rows are. A stretch is what lies between two aisles: places that follow each other. */
struct stretch {
	uint32_t first, count; /* Places. */
	uint32_t row_index, zone_index;
	uint32_t nearest;     /* The least distance of its seats. */
	uint32_t lowest_seat; /* If its seats follow each other in the plan, in whatever order their
			       * places do, the first of them; else NO_INDEX. */
};

struct best_available {
	const struct seating_plan *plan;
	const uint32_t *seats;             /* Of each place. */
	const uint32_t *distances;         /* Of each place, to the focal point. */
	const uint8_t *categories;         /* Of each place. */
	const struct stretch *stretches;   /* By place. */
	const uint32_t *row_stretches;     /* Where each row's begin; one more for the end. */
	const uint32_t *nearest_stretches; /* Indices, by `nearest`. */
	const uint32_t *zone_nearest;      /* The least distance of each zone's seats. */
	const uint32_t *nearest_zones;     /* Indices, by that; none without seats. */
	uint32_t stretch_count, seated_zone_count;
};

static_assert(SEATING_CATEGORIES_MAX <= UINT8_MAX + 1, "an index of a category fits");

/* One wish on its way. */
struct query {
	const struct best_available *prepared;
	const bool *available;
	uint32_t quantity;
	uint32_t category, zone; /* NO_INDEX: any. */
	uint32_t wanted_count;   /* Seats that could be had, if all were looked at. */
};

/* The choice so far: ascending places, or in the case of a single stretch just the first. */
struct choice {
	bool found;
	int64_t cost;
	uint32_t places[BEST_AVAILABLE_SEATS_MAX];
};

/* Whether the seat can be had by anybody. */
static inline bool is_free(const struct query *query, uint32_t place)
{
	return query->available[query->prepared->seats[place]];
}

/* Whether it is also what was wished; the section is for the caller to see to. */
static inline bool is_wanted(const struct query *query, uint32_t place)
{
	return is_free(query, place) &&
		(query->category == NO_INDEX ||
			query->prepared->categories[place] == query->category);
}

static inline bool zone_is_wanted(const struct query *query, uint32_t zone_index)
{
	return query->zone == NO_INDEX || query->zone == zone_index;
}

static inline const struct seating_seat *seat_at(
	const struct best_available *prepared, uint32_t place)
{
	return &prepared->plan->seats[prepared->seats[place]];
}

static inline uint32_t distance_between(struct seating_point a, struct seating_point b)
{
	double x = a.x - b.x, y = a.y - b.y;
	return (uint32_t)(sqrt(x * x + y * y) * DISTANCE_UNITS + 0.5);
}

/* Whether `count` places from `first` on, all free and of this stretch, would leave an orphan. */
bool leaves_orphan(
	const struct query *query, const struct stretch *stretch, uint32_t first, uint32_t count);

/* The levels from TWO_GROUPS on. Each fills in `choice` if it finds seats. They may be called when
 * there is no run of adjacent seats that is long enough. */
void choose_two_groups(const struct query *query, struct choice *choice);
void choose_in_one_section(const struct query *query, struct choice *choice);
void choose_anywhere(const struct query *query, struct choice *choice);
