/* Halls that are drawn with letters, for the tests of best available.
 *
 *	.  a free seat of category 0      #  the same, expected in the block
 *	,  a free seat of category 1      @  the same, expected in the block
 *	x  a seat of category 0 that is taken
 *	   (a blank) no seat
 *
 * A line is a row; a line of "-" begins the next section. Columns and lines are HALL_PITCH plan
 * units apart, the first of each at HALL_PITCH. The focal point is above the middle column. */
#pragma once

#include "lib/ticketing/best_available.h"

enum {
	HALL_PITCH = 10,
	HALL_SEATS_MAX = 4096,
	HALL_ROWS_MAX = 128,
	HALL_ZONES_MAX = 16,
	HALL_ANY = -1, /* Category, section. */
};

struct hall {
	struct seating_plan plan;
	struct seating_category categories[2];
	struct seating_zone zones[HALL_ZONES_MAX];
	struct seating_row rows[HALL_ROWS_MAX];
	struct seating_seat seats[HALL_SEATS_MAX];
	bool available[HALL_SEATS_MAX], expected[HALL_SEATS_MAX];
	struct arena arena;
	const struct best_available *prepared; /* NULL until the first hall_find. */
};

/* A hall of the caller's to fill by hall_add_…, or from a drawing. hall_free after either. */
struct hall *hall_new(void);
struct hall *hall_draw(const char *drawing);
void hall_free(struct hall *hall);

void hall_add_zone(struct hall *hall);
void hall_add_row(struct hall *hall);
void hall_add_seat(struct hall *hall, double x, double y, uint32_t category, bool available);

/* What is best now; category and section by index, or HALL_ANY. */
struct best_available_block hall_find(
	struct hall *hall, uint32_t quantity, int category, int section);

/* The block has this level and the drawing's expected seats. Fails with a drawing of the block. */
void hall_assert_block(const struct hall *hall, const struct best_available_block *block,
	enum best_available_level level);
