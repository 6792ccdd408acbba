/* The demo's venues: invented, with the shapes of real ones. */
#pragma once

#include "demo/layout.h"

enum {
	THEATRE_SEATS = 300,
	CONCERT_HALL_SEATS = 5000,
	STADIUM_SEATS_DEFAULT = 50000,
	STADIUM_SEATS_MIN = 10000,
	STADIUM_SEATS_MAX = 200000,
};

/* A small theatre: stalls in a gentle curve, a balcony behind them, boxes along both walls. */
void theatre_draw(struct layout *layout);

/* A large concert hall: a fan of tiers around the platform, boxes at the sides, and a choir behind
 * the players, as in halls of the vineyard kind. */
void concert_hall_draw(struct layout *layout);

/* A stadium with its stage at one end of the field: chairs on the field, and a lower and an upper
 * bowl in sectors that go around the corners and stay closed behind the stage. */
void stadium_draw(struct layout *layout, uint32_t seat_count);

/* Concentric rows of one tier, from the inside out, around the middle of a stage. */
struct tier {
	struct layout_point centre;
	double middle_angle; /* Where the tier's middle is, in degrees. */
	double half_angle;   /* How far it reaches to either side. */
	double radius;       /* Of the first row. */
	double row_depth, pitch;
	int row_count;
	double aisle_width;
	double aisles[4]; /* Degrees from the middle, from left to right; half of them negative. */
	int aisle_count;
	const char *color; /* Of the floor beneath it. */
};

/* Draw the floor beneath a tier. */
void tier_floor(struct layout *layout, const struct tier *tier);

/* Draw the segments of row `index` of a tier; the row itself is the caller's. */
void tier_row(struct layout *layout, const struct tier *tier, int index);
