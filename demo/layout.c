/* Curves, and the lists that a drawing consists of. */
#include "demo/layout.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const double radians_per_degree = 0.017453292519943295;

enum { BAND_STEPS = 24 }; /* Corners on each side of a band. */

static void *room(size_t count, size_t size)
{
	void *memory = calloc(count, size);
	assert(memory);
	return memory;
}

void layout_init(struct layout *layout, const char *name)
{
	*layout = (struct layout){
		.name = name,
		.zones = room(LAYOUT_ZONES_MAX, sizeof *layout->zones),
		.rows = room(LAYOUT_ROWS_MAX, sizeof *layout->rows),
		.segments = room(LAYOUT_SEGMENTS_MAX, sizeof *layout->segments),
		.areas = room(LAYOUT_AREAS_MAX, sizeof *layout->areas),
		.points = room(LAYOUT_POINTS_MAX, sizeof *layout->points),
	};
}

void layout_release(struct layout *layout)
{
	free(layout->zones);
	free(layout->rows);
	free(layout->segments);
	free(layout->areas);
	free(layout->points);
}

void layout_reset(struct layout *layout)
{
	layout->category_count = 0;
	layout->zone_count = layout->row_count = layout->segment_count = 0;
	layout->area_count = layout->point_count = layout->seat_count = 0;
}

int layout_category(struct layout *layout, const char *name, const char *color)
{
	assert(layout->category_count < LAYOUT_CATEGORIES_MAX);
	layout->categories[layout->category_count].name = name;
	layout->categories[layout->category_count].color = color;
	return layout->category_count++;
}

static void copy_text(char *target, size_t size, const char *text)
{
	int length = snprintf(target, size, "%s", text);
	assert(length >= 0 && (size_t)length < size);
}

void layout_zone(struct layout *layout, const char *id, const char *name, const char *row_label)
{
	assert(layout->zone_count < LAYOUT_ZONES_MAX);
	struct layout_zone *zone = &layout->zones[layout->zone_count++];
	copy_text(zone->id, sizeof zone->id, id);
	copy_text(zone->name, sizeof zone->name, name);
	zone->row_label = row_label;
}

void layout_row(struct layout *layout, const char *number, int category)
{
	assert(layout->row_count < LAYOUT_ROWS_MAX && layout->zone_count > 0);
	struct layout_row *row = &layout->rows[layout->row_count++];
	copy_text(row->number, sizeof row->number, number);
	row->category = category;
	row->zone = layout->zone_count - 1;
	row->first_segment = layout->segment_count;
	row->segment_count = 0;
}

void layout_segment(struct layout *layout, struct layout_curve curve, double pitch)
{
	assert(layout->segment_count < LAYOUT_SEGMENTS_MAX && layout->row_count > 0);
	double length = layout_length(&curve);
	uint32_t capacity = length < pitch ? 0 : (uint32_t)(length / pitch);
	layout->segments[layout->segment_count++] = (struct layout_segment){
		.curve = curve, .pitch = pitch, .capacity = capacity, .count = capacity};
	layout->rows[layout->row_count - 1].segment_count++;
	layout->seat_count += capacity;
}

static struct layout_area *add_area(struct layout *layout)
{
	assert(layout->area_count < LAYOUT_AREAS_MAX && layout->zone_count > 0);
	struct layout_area *area = &layout->areas[layout->area_count++];
	*area = (struct layout_area){
		.zone = layout->zone_count - 1, .first_point = layout->point_count};
	return area;
}

static void add_point(struct layout *layout, struct layout_area *area, struct layout_point point)
{
	assert(layout->point_count < LAYOUT_POINTS_MAX);
	layout->points[layout->point_count++] = point;
	area->point_count++;
}

void layout_band(struct layout *layout, struct layout_curve inner, double depth, const char *color)
{
	struct layout_curve outer = inner;
	outer.radius += depth;
	struct layout_area *area = add_area(layout);
	area->color = color;
	area->centre = inner.centre;
	for (int i = 0; i <= BAND_STEPS; i++)
		add_point(layout, area, layout_at(&inner, layout_length(&inner) * i / BAND_STEPS));
	for (int i = BAND_STEPS; i >= 0; i--)
		add_point(layout, area, layout_at(&outer, layout_length(&outer) * i / BAND_STEPS));
}

void layout_box(struct layout *layout, struct layout_point corner, struct layout_point opposite,
	const char *color, const char *text, int text_size)
{
	struct layout_area *area = add_area(layout);
	area->color = color;
	area->border_color = "#444444";
	area->centre =
		(struct layout_point){(corner.x + opposite.x) / 2, (corner.y + opposite.y) / 2};
	copy_text(area->text, sizeof area->text, text);
	area->text_size = text_size;
	add_point(layout, area, corner);
	add_point(layout, area, (struct layout_point){opposite.x, corner.y});
	add_point(layout, area, opposite);
	add_point(layout, area, (struct layout_point){corner.x, opposite.y});
}

void layout_text(struct layout *layout, struct layout_point centre, const char *text, int text_size)
{
	struct layout_area *area = add_area(layout);
	area->centre = centre;
	copy_text(area->text, sizeof area->text, text);
	area->text_size = text_size;
}

void layout_cut_to(struct layout *layout, uint32_t seat_count)
{
	assert(layout->seat_count >= seat_count);
	for (uint32_t i = layout->segment_count; layout->seat_count > seat_count; i--) {
		if (i == 0)
			i = layout->segment_count;
		struct layout_segment *segment = &layout->segments[i - 1];
		/* No row loses its last seat. */
		if (segment->count > 1) {
			segment->count--;
			layout->seat_count--;
		}
	}
}

struct layout_curve layout_line(struct layout_point from, struct layout_point to)
{
	return (struct layout_curve){.kind = LAYOUT_LINE, .from = from, .to = to};
}

struct layout_curve layout_arc(
	struct layout_point centre, double radius, double from_angle, double to_angle)
{
	return (struct layout_curve){.kind = LAYOUT_ARC,
		.centre = centre,
		.radius = radius,
		.from_angle = from_angle,
		.to_angle = to_angle};
}

double layout_length(const struct layout_curve *curve)
{
	if (curve->kind == LAYOUT_LINE)
		return hypot(curve->to.x - curve->from.x, curve->to.y - curve->from.y);
	return fabs(curve->to_angle - curve->from_angle) * radians_per_degree * curve->radius;
}

struct layout_point layout_at(const struct layout_curve *curve, double distance)
{
	double part = distance / layout_length(curve);
	if (curve->kind == LAYOUT_LINE)
		return (struct layout_point){curve->from.x + part * (curve->to.x - curve->from.x),
			curve->from.y + part * (curve->to.y - curve->from.y)};
	double degrees = curve->from_angle + part * (curve->to_angle - curve->from_angle);
	double angle = degrees * radians_per_degree;
	return (struct layout_point){curve->centre.x + curve->radius * cos(angle),
		curve->centre.y + curve->radius * sin(angle)};
}

struct layout_curve layout_inset(struct layout_curve curve, double margin)
{
	double length = layout_length(&curve);
	assert(length > 2 * margin);
	struct layout_curve inset = curve;
	if (curve.kind == LAYOUT_LINE) {
		inset.from = layout_at(&curve, margin);
		inset.to = layout_at(&curve, length - margin);
	} else {
		double turn = (curve.to_angle - curve.from_angle) * margin / length;
		inset.from_angle += turn;
		inset.to_angle -= turn;
	}
	return inset;
}
