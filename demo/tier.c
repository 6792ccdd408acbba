/* Concentric rows between aisles. */
#include "demo/venues.h"

void tier_floor(struct layout *layout, const struct tier *tier)
{
	double edge = tier->row_depth * 0.7;
	struct layout_curve inner = layout_arc(tier->centre, tier->radius - edge,
		tier->middle_angle + tier->half_angle + 0.8,
		tier->middle_angle - tier->half_angle - 0.8);
	double depth = tier->row_depth * (tier->row_count - 1) + 2 * edge;
	layout_band(layout, inner, depth, tier->color);
}

/* Left on the page is where the angle is greater. */
void tier_row(struct layout *layout, const struct tier *tier, int index)
{
	double radius = tier->radius + tier->row_depth * index;
	double from = tier->middle_angle + tier->half_angle;
	for (int i = 0; i <= tier->aisle_count; i++) {
		double to = i < tier->aisle_count ? tier->middle_angle - tier->aisles[i]
						  : tier->middle_angle - tier->half_angle;
		struct layout_curve curve = layout_arc(tier->centre, radius, from, to);
		layout_segment(layout, layout_inset(curve, tier->aisle_width / 2), tier->pitch);
		from = to;
	}
}
