/* A venue's seating plan, read from the open JSON format of pretix' seating-plan editor.
 *
 * The format is a public draft-07 schema (pretix, src/pretix/static/seating/
 * seating-plan.schema.json): name, size, categories, and zones that hold rows of seats and areas
 * (shapes and texts that are only drawn). Positions nest: a seat stands at zone + row + seat, an
 * area at zone + area. Here everything is flat and absolute.
 *
 * Where the reader is wider than the schema: fields it does not know are ignored, at every level;
 * a `focalPoint {x, y}` may stand in the plan and in a zone (there relative to the zone, as all
 * that stands in one); numbers of rows and seats may be integers; areas of the schema's first
 * version (width, height and a plain text, without a shape) are rectangles; null stands for an
 * optional field's absence. Where it is narrower: each text and number has a bound. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/limits.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

/* Seats are bounded by LIMIT_SEATS_PER_PLAN, names and numbers by LIMIT_NAME_SIZE_MAX, guids by
 * LIMIT_ID_SIZE_MAX. */
enum {
	SEATING_PLAN_SIZE_MAX = 64 * 1024 * 1024,   /* Bytes of JSON. */
	SEATING_DEPTH_MAX = 16,                     /* The schema needs 9. */
	SEATING_CONTAINERS_MAX = 1000000,           /* Objects and arrays; a seat has 2. */
	SEATING_TOKENS_MAX = 6000000,               /* A seat of an editor's export has about 20. */
	SEATING_ARENA_SIZE_MAX = 128 * 1024 * 1024, /* Enough for any plan within these bounds. */
	SEATING_CATEGORIES_MAX = 256,
	SEATING_ZONES_MAX = 2000,
	SEATING_ROWS_MAX = 50000,
	SEATING_AREAS_MAX = 10000,
	SEATING_POINTS_MAX = 100000,      /* Polygon points of all areas together. */
	SEATING_COORDINATE_MAX = 1000000, /* Plan units ("pixels"), either sign, each level. */
};

struct seating_point {
	double x, y; /* Plan units, x to the right, y downwards. */
};

/* Written #rgb, #rgba, #rrggbb, #rrggbbaa, one of the 17 names of CSS 2.1, or "transparent".
 * Missing or empty: all zero, which draws nothing. */
struct seating_color {
	uint8_t red, green, blue;
	uint8_t alpha; /* 0: nothing is drawn; 255: opaque. */
};

/* All texts are also zero-terminated, and are UTF-8 without control characters. */
struct seating_category {
	struct slice name; /* Unique in its plan, never empty. */
	struct seating_color color;
};

/* A zone is what buyers know as a section. Its rows, seats and areas stand together in the plan's
 * arrays. A zone may be empty of seats. */
struct seating_zone {
	struct slice name;    /* Without one: the zone_id, or else empty. */
	struct slice zone_id; /* Without one: the name. */
	struct seating_point position;
	bool has_focal_point;
	struct seating_point focal_point; /* Absolute. */
	uint32_t first_row, row_count;
	uint32_t first_seat, seat_count;
	uint32_t first_area, area_count;
};

struct seating_row {
	struct slice number;     /* "12", "C", as it is written at the row's end. */
	struct slice row_label;  /* "Row %s", for seating_seat_label; empty: as if "row %s". */
	struct slice seat_label; /* "Chair %s", likewise; empty: as if "seat %s". */
	uint32_t zone_index;
	uint32_t first_seat, seat_count;
};

struct seating_seat {
	struct slice guid; /* Unique in its plan, never empty. */
	struct slice number;
	uint32_t zone_index, row_index, category_index;
	double x, y; /* Absolute. */
};

enum seating_shape {
	SEATING_TEXT_ONLY, /* Nothing but the text, if there is one. */
	SEATING_RECTANGLE,
	SEATING_CIRCLE,
	SEATING_ELLIPSE,
	SEATING_POLYGON,
};

struct seating_area {
	enum seating_shape shape;
	uint32_t zone_index;
	struct seating_color color, border_color;
	double rotation;               /* Degrees clockwise around `position`. */
	struct seating_point position; /* Absolute: a rectangle's corner, a circle's centre. */
	union {
		struct seating_point size;  /* Rectangle: width and height. */
		double radius;              /* Circle. */
		struct seating_point radii; /* Ellipse. */
		struct {
			const struct seating_point *points; /* Absolute. */
			uint32_t count;
		} polygon;
	};
	struct {
		struct slice text; /* Empty: none. */
		struct seating_color color;
		double size;                   /* Plan units. */
		struct seating_point position; /* Absolute: the middle of the text. */
	} text;
};

struct seating_plan {
	struct slice name;
	double width, height;
	bool has_focal_point;
	struct seating_point focal_point; /* What the best seats are near to: the stage. */
	const struct seating_category *categories;
	const struct seating_zone *zones;
	const struct seating_row *rows;
	const struct seating_seat *seats; /* In the order of the document. */
	const struct seating_area *areas;
	uint32_t category_count, zone_count, row_count, seat_count, area_count;
};

/* Read a plan. *plan and all that it points to live in `arena`; nothing points into `json`.
 *
 * STATUS_REFUSED: it is no such plan. `fault->where` is the JSON path of the first fault found,
 * such as "$.zones[2].rows[0].seats[14].seat_guid". STATUS_UNAVAILABLE: the arena's bound or the
 * system's memory is too small. Both leave *plan alone; the arena may then hold parts, and is the
 * caller's to reset. */
__attribute__((warn_unused_result)) enum status seating_plan_read(struct slice json,
	struct arena *arena, const struct seating_plan **plan, struct fault *fault);

/* Write how people name the seat, "Parterre, row 12, seat 7", into `text`, cut at whole characters
 * to `size` bytes with the zero byte. Returns `text`. */
const char *seating_seat_label(
	const struct seating_plan *plan, const struct seating_seat *seat, char *text, size_t size);

/* What the best seats are near to: the plan's focalPoint; without one, the middle of the first area
 * whose text names the stage; without that, the middle of the plan's upper edge.
 *
 * A text names the stage if its last word is stage, podium, scene, scène or Bühne, in large or
 * small letters: "Main stage" does, "Stage door" and "Backstage" do not. */
struct seating_point seating_plan_focal_point(const struct seating_plan *plan);

/* The same for the seats of one zone of the plan: the zone's own focalPoint, else the plan's. */
struct seating_point seating_zone_focal_point(
	const struct seating_plan *plan, const struct seating_zone *zone);
