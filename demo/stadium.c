/* The Harbour Stadium. Its bowl follows a rounded rectangle around the field: straight stands along
 * three sides and wedges in the corners; behind the stage, at the top, it stays closed. */
#include "demo/venues.h"

#include <assert.h>
#include <stdio.h>

enum { FLOOR_FRONT, FLOOR_REAR, LOWER_SIDE, LOWER_END, UPPER_SIDE, UPPER_END };

enum {
	FLOOR_COLUMNS = 4,
	FLOOR_BLOCK_ROWS = 6,
	FLOOR_ROWS = 12, /* In each block. */
	ROWS_MAX = 400,  /* Of both bowls together: far more than any stadium here needs. */
	SIDE_SECTORS = 6,
	END_SECTORS = 3,
};

static const double pitch = 20, row_depth = 24, aisle_width = 24;

/* Half the field, to the first row, and the radius of that row's corners. */
static const double half_width = 940, half_height = 1500, corner_radius = 440;

/* From the last row of the lower bowl to the first of the upper. */
static const double bowl_gap = 110;

struct bowl {
	int first_sector; /* 101 or 201. */
	double offset;    /* Of its first row, outwards from the field. */
	int row_count;
	int corner_wedges, stage_wedges; /* Of a whole corner, and of one beside the stage. */
	int side_category, end_category;
	const char *name;
};

/* One sector: rows that are lines or arcs, one behind the other. */
struct sector {
	struct layout_curve first;     /* Its first row. */
	double outwards_x, outwards_y; /* What a straight row moves by for each unit of depth. */
	int category;
};

static struct layout_curve sector_row(const struct sector *sector, double depth)
{
	struct layout_curve curve = sector->first;
	double x = sector->outwards_x * depth, y = sector->outwards_y * depth;
	curve.radius += depth;
	curve.from.x += x;
	curve.from.y += y;
	curve.to.x += x;
	curve.to.y += y;
	return curve;
}

static void draw_sector(
	struct layout *layout, const struct bowl *bowl, const struct sector *sector, int number)
{
	char id[LAYOUT_NAME_SIZE], name[LAYOUT_NAME_SIZE];
	snprintf(id, sizeof id, "%d", number);
	snprintf(name, sizeof name, "%s %d", bowl->name, number);
	layout_zone(layout, id, name, NULL);
	for (int i = 0; i < bowl->row_count; i++) {
		char row[LAYOUT_ROW_NUMBER_SIZE];
		struct layout_curve curve = sector_row(sector, row_depth * i);
		snprintf(row, sizeof row, "%d", i + 1);
		layout_row(layout, row, sector->category);
		layout_segment(layout, layout_inset(curve, aisle_width / 2), pitch);
	}
	struct layout_curve behind = sector_row(sector, row_depth * bowl->row_count + 12);
	layout_text(layout, layout_at(&behind, layout_length(&behind) / 2), id, 28);
}

/* Sectors side by side along a straight stand. Returns the number of the next one. */
static int draw_stand(struct layout *layout, const struct bowl *bowl, struct sector stand,
	int sector_count, int number)
{
	struct layout_curve whole = stand.first;
	double length = layout_length(&whole) / sector_count;
	for (int i = 0; i < sector_count; i++) {
		struct sector sector = stand;
		sector.first = layout_line(
			layout_at(&whole, length * i), layout_at(&whole, length * (i + 1)));
		draw_sector(layout, bowl, &sector, number++);
	}
	return number;
}

/* Wedges of a corner from one angle to another. Returns the number of the next sector. */
static int draw_corner(struct layout *layout, const struct bowl *bowl, struct sector corner,
	int wedge_count, int number)
{
	double from = corner.first.from_angle;
	double step = (corner.first.to_angle - from) / wedge_count;
	for (int i = 0; i < wedge_count; i++) {
		struct sector sector = corner;
		sector.first.from_angle = from + step * i;
		sector.first.to_angle = from + step * (i + 1);
		draw_sector(layout, bowl, &sector, number++);
	}
	return number;
}

/* A corner of the bowl; side and end are -1 or 1 and say which. */
static struct sector corner_of(
	const struct bowl *bowl, double side, double end, double from_angle, double to_angle)
{
	struct layout_point centre = {
		side * (half_width - corner_radius), end * (half_height - corner_radius)};
	return (struct sector){
		.first = layout_arc(centre, corner_radius + bowl->offset, from_angle, to_angle),
		.category = end > 0 ? bowl->end_category : bowl->side_category,
	};
}

/* Clockwise from the stage's left on the page's right, as the numbers on the doors go. */
static void draw_bowl(struct layout *layout, const struct bowl *bowl)
{
	const double x = half_width - corner_radius, y = half_height - corner_radius;
	const double far_x = half_width + bowl->offset, far_y = half_height + bowl->offset;
	struct sector right = {
		layout_line((struct layout_point){far_x, -y}, (struct layout_point){far_x, y}), 1,
		0, bowl->side_category};
	struct sector end = {
		layout_line((struct layout_point){x, far_y}, (struct layout_point){-x, far_y}), 0,
		1, bowl->end_category};
	struct sector left = {
		layout_line((struct layout_point){-far_x, y}, (struct layout_point){-far_x, -y}),
		-1, 0, bowl->side_category};
	const double open = 90.0 * bowl->stage_wedges / bowl->corner_wedges;
	struct sector stage_right = corner_of(bowl, 1, -1, -open, 0);
	struct sector end_right = corner_of(bowl, 1, 1, 0, 90);
	struct sector end_left = corner_of(bowl, -1, 1, 90, 180);
	struct sector stage_left = corner_of(bowl, -1, -1, 180, 180 + open);
	int number = bowl->first_sector;
	number = draw_corner(layout, bowl, stage_right, bowl->stage_wedges, number);
	number = draw_stand(layout, bowl, right, SIDE_SECTORS, number);
	number = draw_corner(layout, bowl, end_right, bowl->corner_wedges, number);
	number = draw_stand(layout, bowl, end, END_SECTORS, number);
	number = draw_corner(layout, bowl, end_left, bowl->corner_wedges, number);
	number = draw_stand(layout, bowl, left, SIDE_SECTORS, number);
	draw_corner(layout, bowl, stage_left, bowl->stage_wedges, number);
}

static void draw_stage(struct layout *layout)
{
	layout_box(layout, (struct layout_point){-800, -1380}, (struct layout_point){800, 1360},
		"#e4efe0", "", 0);
	layout_box(layout, (struct layout_point){-520, -1560}, (struct layout_point){520, -1160},
		"#d9d2c3", "Stage", 110);
	layout_box(layout, (struct layout_point){-60, -1160}, (struct layout_point){60, -940},
		"#d9d2c3", "", 0);
}

static void draw_floor_block(struct layout *layout, int column, int block_row)
{
	const double width = 340, gap = 50, depth = 25;
	char id[LAYOUT_NAME_SIZE], name[LAYOUT_NAME_SIZE];
	double whole = FLOOR_COLUMNS * width + (FLOOR_COLUMNS - 1) * gap;
	double left = column * (width + gap) - whole / 2;
	double top = -870 + block_row * (FLOOR_ROWS * depth + gap);
	snprintf(id, sizeof id, "floor-%c%d", 'a' + column, block_row + 1);
	snprintf(name, sizeof name, "Floor %c%d", 'A' + column, block_row + 1);
	layout_zone(layout, id, name, NULL);
	if (column == 0 && block_row == 0)
		draw_stage(layout);
	for (int i = 0; i < FLOOR_ROWS; i++) {
		char row[LAYOUT_ROW_NUMBER_SIZE];
		double y = top + i * depth;
		snprintf(row, sizeof row, "%d", i + 1);
		layout_row(layout, row, block_row < 2 ? FLOOR_FRONT : FLOOR_REAR);
		layout_segment(layout,
			layout_line((struct layout_point){left, y},
				(struct layout_point){left + width, y}),
			pitch);
	}
}

static void draw_floor(struct layout *layout)
{
	for (int row = 0; row < FLOOR_BLOCK_ROWS; row++)
		for (int column = 0; column < FLOOR_COLUMNS; column++)
			draw_floor_block(layout, column, row);
}

/* The whole stadium with so many rows in its bowls, two fifths of them in the lower. */
static void draw_with_rows(struct layout *layout, int row_count)
{
	struct bowl lower = {.first_sector = 101,
		.row_count = row_count * 2 / 5,
		.corner_wedges = 3,
		.stage_wedges = 2,
		.side_category = LOWER_SIDE,
		.end_category = LOWER_END,
		.name = "Lower"};
	struct bowl upper = {.first_sector = 201,
		.offset = lower.row_count * row_depth + bowl_gap,
		.row_count = row_count - lower.row_count,
		.corner_wedges = 5,
		.stage_wedges = 3,
		.side_category = UPPER_SIDE,
		.end_category = UPPER_END,
		.name = "Upper"};
	layout_reset(layout);
	layout_category(layout, "Floor front", "#d55e00");
	layout_category(layout, "Floor rear", "#e69f00");
	layout_category(layout, "Lower side", "#009e73");
	layout_category(layout, "Lower end", "#56b4e9");
	layout_category(layout, "Upper side", "#0072b2");
	layout_category(layout, "Upper end", "#cc79a7");
	layout->focal_point = (struct layout_point){0, -1160};
	draw_floor(layout);
	draw_bowl(layout, &lower);
	draw_bowl(layout, &upper);
}

void stadium_draw(struct layout *layout, uint32_t seat_count)
{
	assert(seat_count >= STADIUM_SEATS_MIN && seat_count <= STADIUM_SEATS_MAX);
	layout->city = "Hamburg";
	layout->country = "DE";
	int row_count = 10;
	do {
		assert(row_count < ROWS_MAX);
		draw_with_rows(layout, row_count++);
	} while (layout->seat_count < seat_count);
	layout_cut_to(layout, seat_count);
}
