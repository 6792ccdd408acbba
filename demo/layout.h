/* A venue in the drawing: rows of seats along curves, shapes around them, and the seating plan that
 * is written of it.
 *
 * A drawing has coordinates of its own, with the stage wherever it is convenient; writing moves
 * everything so that it lies within the plan's size, and rounds to tenths. A generator adds in
 * order: a zone, its areas and its rows, a row's segments. It is a program's data, so running out
 * of the named maxima or of memory is a bug of the generator and ends the program. */
#pragma once

#include <stdint.h>

#include "lib/base/buffer.h"

enum {
	LAYOUT_CATEGORIES_MAX = 8,
	LAYOUT_ZONES_MAX = 400,
	LAYOUT_ROWS_MAX = 50000,
	LAYOUT_SEGMENTS_MAX = 100000,
	LAYOUT_AREAS_MAX = 1000,
	LAYOUT_POINTS_MAX = 10000,
	LAYOUT_NAME_SIZE = 32,
	LAYOUT_ROW_NUMBER_SIZE = 12,
};

struct layout_point {
	double x, y; /* Plan units, y downwards. */
};

/* A straight line, or an arc from one angle to another, either way round. Angles are in degrees
 * from the x axis clockwise on the page: 90 is straight down. */
struct layout_curve {
	enum { LAYOUT_LINE, LAYOUT_ARC } kind;
	struct layout_point from, to; /* Line. */
	struct layout_point centre;   /* Arc. */
	double radius, from_angle, to_angle;
};

struct layout_segment {
	struct layout_curve curve;
	double pitch;      /* From seat to seat along the curve. */
	uint32_t capacity; /* Seats that the curve has room for. */
	uint32_t count;    /* Seats that it has, in its middle. */
};

struct layout_row {
	char number[LAYOUT_ROW_NUMBER_SIZE];
	int category;
	uint32_t zone, first_segment, segment_count;
};

struct layout_zone {
	char id[LAYOUT_NAME_SIZE]; /* What its seats' guids begin with. */
	char name[LAYOUT_NAME_SIZE];
	const char *row_label; /* NULL: none. */
};

struct layout_area {
	uint32_t zone, first_point, point_count; /* Without points: a text alone. */
	struct layout_point centre;              /* Of the text. */
	const char *color, *border_color;
	char text[LAYOUT_NAME_SIZE]; /* Empty: none. */
	int text_size;
};

struct layout {
	const char *name;
	const char *city, *country; /* For programs that list venues; static texts. */
	struct layout_point focal_point;
	struct {
		const char *name, *color;
	} categories[LAYOUT_CATEGORIES_MAX];
	int category_count;
	uint32_t zone_count, row_count, segment_count, area_count, point_count, seat_count;
	struct layout_zone *zones;
	struct layout_row *rows;
	struct layout_segment *segments;
	struct layout_area *areas;
	struct layout_point *points;
};

void layout_init(struct layout *layout, const char *name);
void layout_release(struct layout *layout);

/* Forget all but the name. */
void layout_reset(struct layout *layout);

/* Returns the category's index. Both texts are kept by pointer. */
int layout_category(struct layout *layout, const char *name, const char *color);

/* The zone that the next rows and areas belong to. */
void layout_zone(struct layout *layout, const char *id, const char *name, const char *row_label);

/* The row that the next segments belong to; its seats are numbered through. */
void layout_row(struct layout *layout, const char *number, int category);

/* Fill a curve with as many seats as it has room for. */
void layout_segment(struct layout *layout, struct layout_curve curve, double pitch);

/* A band of a ring, a rectangle or a text alone, in the zone at hand. The colors are kept by
 * pointer, the text is copied. */
void layout_band(struct layout *layout, struct layout_curve inner, double depth, const char *color);
void layout_box(struct layout *layout, struct layout_point corner, struct layout_point opposite,
	const char *color, const char *text, int text_size);
void layout_text(
	struct layout *layout, struct layout_point centre, const char *text, int text_size);

/* Take seats away, one at a time from each row end, the last rows first, until `seat_count` are
 * left. The layout must have at least as many. */
void layout_cut_to(struct layout *layout, uint32_t seat_count);

/* Write the plan: one row of seats per line, so that a change shows in a line. */
void layout_write(const struct layout *layout, struct buffer *buffer);

struct layout_curve layout_line(struct layout_point from, struct layout_point to);
struct layout_curve layout_arc(
	struct layout_point centre, double radius, double from_angle, double to_angle);

/* The part of a curve without `margin` plan units at either end. */
struct layout_curve layout_inset(struct layout_curve curve, double margin);

double layout_length(const struct layout_curve *curve);

/* The point `distance` along the curve. */
struct layout_point layout_at(const struct layout_curve *curve, double distance);
