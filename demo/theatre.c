/* The Lantern Theatre: 300 seats. Rows have letters, without I and O, which look like digits. */
#include "demo/venues.h"

enum { PREMIUM, STALLS, BALCONY, BOX };

static const char *const row_letters[] = {
	"A", "B", "C", "D", "E", "F", "G", "H", "J", "K", "L", "M"};

static const double pitch = 24, row_depth = 30;

/* The rows' common centre is far behind the stage, which makes the curve gentle. */
static const struct layout_point centre = {0, -620};

static void draw_stalls(struct layout *layout)
{
	struct tier stalls = {.centre = centre,
		.middle_angle = 90,
		.radius = 700,
		.row_depth = row_depth,
		.pitch = pitch,
		.aisle_width = 16,
		.aisles = {-8.8, 8.8},
		.aisle_count = 2,
		.row_count = 10,
		.half_angle = 17.6,
		.color = "#f3efe6"};
	layout_zone(layout, "stalls", "Stalls", NULL);
	layout_box(layout, (struct layout_point){-230, -70}, (struct layout_point){230, 30},
		"#d9d2c3", "Stage", 30);
	tier_floor(layout, &stalls);
	layout_text(layout, (struct layout_point){0, 384}, "Stalls", 18);
	for (int i = 0; i < stalls.row_count; i++) {
		layout_row(layout, row_letters[i], i < 4 ? PREMIUM : STALLS);
		tier_row(layout, &stalls, i);
	}
}

static void draw_boxes(struct layout *layout, double side, const char *id, const char *name)
{
	static const char *const numbers[] = {"1", "2", "3"};
	layout_zone(layout, id, name, "Box %s");
	for (int i = 0; i < 3; i++) {
		double x = side * (330 + 16 * i);
		double y = 70 + 92.0 * i;
		layout_box(layout, (struct layout_point){x - 38, y - 38},
			(struct layout_point){x + 38, y + 38}, "#efe2e8", "", 0);
		layout_row(layout, numbers[i], BOX);
		layout_segment(layout,
			layout_line((struct layout_point){x - 26, y - 14},
				(struct layout_point){x + 26, y - 14}),
			26);
		layout_segment(layout,
			layout_line((struct layout_point){x - 26, y + 14},
				(struct layout_point){x + 26, y + 14}),
			26);
	}
}

static void draw_balcony(struct layout *layout)
{
	struct tier balcony = {.centre = centre,
		.middle_angle = 90,
		.half_angle = 18.2,
		.radius = 1056,
		.row_depth = row_depth,
		.pitch = pitch,
		.row_count = 4,
		.aisle_width = 16,
		.aisles = {-9, 0, 9},
		.aisle_count = 3,
		.color = "#e6ecf3"};
	layout_zone(layout, "balcony", "Balcony", NULL);
	tier_floor(layout, &balcony);
	layout_text(layout, (struct layout_point){0, 570}, "Balcony", 18);
	for (int i = 0; i < balcony.row_count; i++) {
		layout_row(layout, row_letters[i], BALCONY);
		tier_row(layout, &balcony, i);
	}
}

void theatre_draw(struct layout *layout)
{
	layout->city = "Dublin";
	layout->country = "IE";
	layout_category(layout, "Premium stalls", "#d55e00");
	layout_category(layout, "Stalls", "#e69f00");
	layout_category(layout, "Balcony", "#0072b2");
	layout_category(layout, "Box", "#cc79a7");
	layout->focal_point = (struct layout_point){0, 30};
	draw_stalls(layout);
	draw_boxes(layout, -1, "box-left", "Boxes left");
	draw_boxes(layout, 1, "box-right", "Boxes right");
	draw_balcony(layout);
	layout_cut_to(layout, THEATRE_SEATS);
}
