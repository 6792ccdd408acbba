/* The Meridian Hall: 5,000 seats around its platform. */
#include "demo/venues.h"

#include <stdio.h>

enum { PARTERRE, MEZZANINE, FIRST_BALCONY, SECOND_BALCONY, BOX, CHOIR };

enum { BOX_ROWS = 2, BOX_COLUMNS = 2, BOXES_PER_COLUMN = 7 };

static const double pitch = 22, row_depth = 26;
static const struct layout_point centre = {0, 0};

static const struct tier parterre = {.centre = {0, 0},
	.middle_angle = 90,
	.half_angle = 49,
	.radius = 205,
	.row_depth = 26,
	.pitch = 22,
	.row_count = 26,
	.aisle_width = 18,
	.aisles = {-26, 26},
	.aisle_count = 2,
	.color = "#f7efe2"};

static const struct tier mezzanine = {.centre = {0, 0},
	.middle_angle = 90,
	.half_angle = 61,
	.radius = 965,
	.row_depth = 26,
	.pitch = 22,
	.row_count = 10,
	.aisle_width = 18,
	.aisles = {-39, -13, 13, 39},
	.aisle_count = 4,
	.color = "#e3f1ea"};

static const struct tier first_balcony = {.centre = {0, 0},
	.middle_angle = 90,
	.half_angle = 62,
	.radius = 1290,
	.row_depth = 26,
	.pitch = 22,
	.row_count = 10,
	.aisle_width = 18,
	.aisles = {-39, -13, 13, 39},
	.aisle_count = 4,
	.color = "#e2ecf5"};

static const struct tier second_balcony = {.centre = {0, 0},
	.middle_angle = 90,
	.half_angle = 60,
	.radius = 1615,
	.row_depth = 26,
	.pitch = 22,
	.row_count = 9,
	.aisle_width = 18,
	.aisles = {-38, -13, 13, 38},
	.aisle_count = 4,
	.color = "#eceaf4"};

static const struct tier choir = {.centre = {0, 0},
	.middle_angle = 270,
	.half_angle = 47,
	.radius = 215,
	.row_depth = 26,
	.pitch = 22,
	.row_count = 8,
	.aisle_width = 18,
	.aisles = {0},
	.aisle_count = 1,
	.color = "#f5eaf0"};

static void draw_tier(struct layout *layout, const struct tier *tier, const char *id,
	const char *name, int category)
{
	layout_zone(layout, id, name, NULL);
	tier_floor(layout, tier);
	for (int i = 0; i < tier->row_count; i++) {
		char number[LAYOUT_ROW_NUMBER_SIZE];
		snprintf(number, sizeof number, "%d", i + 1);
		layout_row(layout, number, category);
		tier_row(layout, tier, i);
	}
	/* Behind the last row, in the middle: above it for the choir, below it for the others. */
	double radius = tier->radius + row_depth * tier->row_count + 8;
	struct layout_curve last =
		layout_arc(centre, radius, tier->middle_angle - 1, tier->middle_angle + 1);
	layout_text(layout, layout_at(&last, layout_length(&last) / 2), name, 26);
}

/* The platform: wide towards the hall, narrow behind. */
static void draw_platform(struct layout *layout)
{
	layout_box(layout, (struct layout_point){-165, -120}, (struct layout_point){165, 115},
		"#d9d2c3", "Stage", 40);
}

/* A box has two rows of four chairs, that look along the wall to the platform. */
static void draw_box(
	struct layout *layout, double side, double radius, double from_angle, int number)
{
	char text[LAYOUT_ROW_NUMBER_SIZE];
	double width = 4.6 * pitch / radius * 57.29577951308232;
	double left = side < 0 ? 90 + from_angle + width : 90 - from_angle;
	snprintf(text, sizeof text, "%d", number);
	layout_band(layout, layout_arc(centre, radius - 16, left, left - width), 58, "#fbe3d6");
	layout_row(layout, text, BOX);
	for (int i = 0; i < BOX_ROWS; i++)
		layout_segment(layout,
			layout_arc(centre, radius + row_depth * i, left, left - width), pitch);
}

static void draw_boxes(struct layout *layout, double side, const char *id, const char *name)
{
	int number = 1;
	layout_zone(layout, id, name, "Box %s");
	for (int column = 0; column < BOX_COLUMNS; column++) {
		for (int i = column; i < BOXES_PER_COLUMN; i++) {
			double radius = 345 + 82.0 * i;
			double degrees = 57.29577951308232 / radius;
			draw_box(layout, side, radius, 52.5 + column * 5.6 * pitch * degrees,
				number++);
		}
	}
}

void concert_hall_draw(struct layout *layout)
{
	layout->city = "Lyon";
	layout->country = "FR";
	layout_category(layout, "Parterre", "#e69f00");
	layout_category(layout, "Mezzanine", "#009e73");
	layout_category(layout, "First balcony", "#0072b2");
	layout_category(layout, "Second balcony", "#56b4e9");
	layout_category(layout, "Box", "#d55e00");
	layout_category(layout, "Choir", "#cc79a7");
	layout->focal_point = (struct layout_point){0, 115};
	draw_tier(layout, &parterre, "parterre", "Parterre", PARTERRE);
	draw_platform(layout);
	draw_tier(layout, &choir, "choir", "Choir", CHOIR);
	draw_boxes(layout, -1, "box-left", "Boxes left");
	draw_boxes(layout, 1, "box-right", "Boxes right");
	draw_tier(layout, &mezzanine, "mezzanine", "Mezzanine", MEZZANINE);
	draw_tier(layout, &first_balcony, "first-balcony", "First balcony", FIRST_BALCONY);
	draw_tier(layout, &second_balcony, "second-balcony", "Second balcony", SECOND_BALCONY);
	layout_cut_to(layout, CONCERT_HALL_SEATS);
}
