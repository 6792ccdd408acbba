/* A drawing becomes pretix seating-plan JSON.
 *
 * Positions are rounded to tenths once, as integers, and all differences are taken of those; so the
 * sum of zone, row and seat is exactly the rounded place of the seat. */
#include "demo/layout.h"

#include <math.h>
#include <stdlib.h>

enum { MARGIN = 300 }; /* Around everything, in tenths of a plan unit. */

struct tenths {
	long x, y;
};

struct writer {
	const struct layout *layout;
	struct buffer *buffer;
	struct tenths origin; /* Of the plan, in the drawing. */
	struct tenths size;   /* In whole plan units, once measured. */
};

static struct tenths round_point(struct layout_point point)
{
	return (struct tenths){lround(point.x * 10), lround(point.y * 10)};
}

static struct tenths minus(struct tenths a, struct tenths b)
{
	return (struct tenths){a.x - b.x, a.y - b.y};
}

/* The seats of a segment stand in its middle, half of what is over at either end. */
static struct tenths seat_at(const struct layout_segment *segment, uint32_t index)
{
	double used = (segment->count - 1) * segment->pitch;
	double start = (layout_length(&segment->curve) - used) / 2;
	return round_point(layout_at(&segment->curve, start + index * segment->pitch));
}

struct bounds {
	struct tenths least, greatest;
};

static void widen(struct bounds *bounds, struct tenths point)
{
	bounds->least.x = point.x < bounds->least.x ? point.x : bounds->least.x;
	bounds->least.y = point.y < bounds->least.y ? point.y : bounds->least.y;
	bounds->greatest.x = point.x > bounds->greatest.x ? point.x : bounds->greatest.x;
	bounds->greatest.y = point.y > bounds->greatest.y ? point.y : bounds->greatest.y;
}

/* A character is somewhat narrower than it is high; whole ones leave a little air. */
static void widen_by_text(struct bounds *bounds, const struct layout_area *area)
{
	double half_height = area->text_size / 2.0;
	double half_width = half_height * (double)strlen(area->text);
	struct layout_point start = {area->centre.x - half_width, area->centre.y - half_height};
	struct layout_point end = {area->centre.x + half_width, area->centre.y + half_height};
	if (!area->text[0])
		return;
	widen(bounds, round_point(start));
	widen(bounds, round_point(end));
}

static void measure(struct writer *writer)
{
	const struct layout *layout = writer->layout;
	struct bounds bounds = {round_point(layout->focal_point), round_point(layout->focal_point)};
	for (uint32_t i = 0; i < layout->segment_count; i++)
		for (uint32_t seat = 0; seat < layout->segments[i].count; seat++)
			widen(&bounds, seat_at(&layout->segments[i], seat));
	for (uint32_t i = 0; i < layout->point_count; i++)
		widen(&bounds, round_point(layout->points[i]));
	for (uint32_t i = 0; i < layout->area_count; i++)
		widen_by_text(&bounds, &layout->areas[i]);
	struct tenths margin = {MARGIN, MARGIN};
	writer->origin = minus(bounds.least, margin);
	/* In plan units, rounded up, since the schema wants whole numbers. */
	writer->size = minus(bounds.greatest, writer->origin);
	writer->size.x = (writer->size.x + MARGIN + 9) / 10;
	writer->size.y = (writer->size.y + MARGIN + 9) / 10;
}

static void write_number(struct buffer *buffer, long tenths)
{
	buffer_add_format(buffer, "%s%ld", tenths < 0 ? "-" : "", labs(tenths) / 10);
	if (tenths % 10 != 0)
		buffer_add_format(buffer, ".%ld", labs(tenths) % 10);
}

static void write_point(struct buffer *buffer, struct tenths point)
{
	buffer_add_text(buffer, "{\"x\":");
	write_number(buffer, point.x);
	buffer_add_text(buffer, ",\"y\":");
	write_number(buffer, point.y);
	buffer_add_text(buffer, "}");
}

static void write_text(struct buffer *buffer, const char *before, const char *text)
{
	buffer_add_text(buffer, before);
	buffer_add_json(buffer, slice_of(text));
}

static void write_seat(struct writer *writer, const struct layout_row *row, uint32_t number,
	struct tenths position)
{
	const struct layout *layout = writer->layout;
	struct buffer *buffer = writer->buffer;
	buffer_add_format(buffer,
		"{\"seat_guid\":\"%s-%s-%u\",\"seat_number\":\"%u\",\"position\":",
		layout->zones[row->zone].id, row->number, number, number);
	write_point(buffer, position);
	write_text(buffer, ",\"category\":", layout->categories[row->category].name);
	buffer_add_text(buffer, "}");
}

static struct tenths row_origin(const struct writer *writer, const struct layout_row *row)
{
	for (uint32_t i = 0; i < row->segment_count; i++) {
		const struct layout_segment *segment =
			&writer->layout->segments[row->first_segment + i];
		if (segment->count > 0)
			return seat_at(segment, 0);
	}
	/* layout_cut_to leaves each row a seat. */
	abort();
}

static void write_row(struct writer *writer, const struct layout_row *row, struct tenths zone)
{
	struct buffer *buffer = writer->buffer;
	struct tenths origin = row_origin(writer, row);
	const char *row_label = writer->layout->zones[row->zone].row_label;
	uint32_t number = 0;
	write_text(buffer, "{\"row_number\":", row->number);
	if (row_label)
		write_text(buffer, ",\"row_label\":", row_label);
	buffer_add_text(buffer, ",\"row_number_position\":\"both\",\"position\":");
	write_point(buffer, minus(origin, zone));
	buffer_add_text(buffer, ",\"seats\":[");
	for (uint32_t i = 0; i < row->segment_count; i++) {
		const struct layout_segment *segment =
			&writer->layout->segments[row->first_segment + i];
		for (uint32_t seat = 0; seat < segment->count; seat++) {
			buffer_add_text(buffer, number ? "," : "");
			write_seat(writer, row, ++number, minus(seat_at(segment, seat), origin));
		}
	}
	buffer_add_text(buffer, "]}");
}

static void write_words(struct buffer *buffer, const struct layout_area *area)
{
	write_text(buffer, ",\"text\":{\"text\":", area->text);
	buffer_add_format(buffer,
		",\"color\":\"#222222\",\"size\":%d,\"position\":{\"x\":0,\"y\":0}}",
		area->text_size);
}

static void write_area(struct writer *writer, const struct layout_area *area, struct tenths zone)
{
	struct buffer *buffer = writer->buffer;
	struct tenths centre = round_point(area->centre);
	buffer_add_format(buffer, "{\"shape\":\"%s\",\"rotation\":0,\"position\":",
		area->point_count ? "polygon" : "text");
	write_point(buffer, minus(centre, zone));
	write_text(buffer, ",\"color\":", area->color ? area->color : "");
	write_text(buffer, ",\"border_color\":", area->border_color ? area->border_color : "");
	if (area->text[0])
		write_words(buffer, area);
	if (area->point_count)
		buffer_add_text(buffer, ",\"polygon\":{\"points\":[");
	for (uint32_t i = 0; i < area->point_count; i++) {
		struct layout_point point = writer->layout->points[area->first_point + i];
		buffer_add_text(buffer, i ? "," : "");
		write_point(buffer, minus(round_point(point), centre));
	}
	buffer_add_text(buffer, area->point_count ? "]}}" : "}");
}

/* A zone stands at the plan's corner: that is simple, and rows and areas say the rest. */
static void write_zone(struct writer *writer, uint32_t index)
{
	const struct layout *layout = writer->layout;
	struct buffer *buffer = writer->buffer;
	const char *separator = "\n";
	write_text(buffer, "{\"name\":", layout->zones[index].name);
	write_text(buffer, ",\"zone_id\":", layout->zones[index].id);
	buffer_add_text(buffer, ",\"position\":{\"x\":0,\"y\":0},\"rows\":[");
	for (uint32_t i = 0; i < layout->row_count; i++) {
		if (layout->rows[i].zone != index)
			continue;
		buffer_add_text(buffer, separator);
		write_row(writer, &layout->rows[i], writer->origin);
		separator = ",\n";
	}
	buffer_add_text(buffer, "],\"areas\":[");
	separator = "\n";
	for (uint32_t i = 0; i < layout->area_count; i++) {
		if (layout->areas[i].zone != index)
			continue;
		buffer_add_text(buffer, separator);
		write_area(writer, &layout->areas[i], writer->origin);
		separator = ",\n";
	}
	buffer_add_text(buffer, "]}");
}

void layout_write(const struct layout *layout, struct buffer *buffer)
{
	struct writer writer = {.layout = layout, .buffer = buffer};
	measure(&writer);
	write_text(buffer, "{\"name\":", layout->name);
	if (layout->city) {
		write_text(buffer, ",\n\"city\":", layout->city);
		write_text(buffer, ",\"country\":", layout->country);
	}
	buffer_add_format(buffer,
		",\n\"size\":{\"width\":%ld,\"height\":%ld},\n\"focalPoint\":", writer.size.x,
		writer.size.y);
	write_point(buffer, minus(round_point(layout->focal_point), writer.origin));
	buffer_add_text(buffer, ",\n\"categories\":[");
	for (int i = 0; i < layout->category_count; i++) {
		write_text(
			buffer, i ? ",\n{\"name\":" : "\n{\"name\":", layout->categories[i].name);
		write_text(buffer, ",\"color\":", layout->categories[i].color);
		buffer_add_text(buffer, "}");
	}
	buffer_add_text(buffer, "],\n\"zones\":[");
	for (uint32_t i = 0; i < layout->zone_count; i++) {
		buffer_add_text(buffer, i ? ",\n" : "\n");
		write_zone(&writer, i);
	}
	buffer_add_text(buffer, "]}\n");
}
