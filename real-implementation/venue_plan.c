/* See venue_plan.h. */
#include "real-implementation/venue_plan.h"

#include <stdlib.h>

static enum status index_seats(struct venue_plan *plan);

enum status venue_plan_new(
	struct id venue, struct slice json, struct venue_plan **result, struct fault *fault)
{
	struct venue_plan *plan = calloc(1, sizeof *plan);
	if (!plan)
		return STATUS_UNAVAILABLE;
	atomic_init(&plan->references, 1);
	plan->venue = venue;
	arena_init(&plan->arena, SEATING_ARENA_SIZE_MAX);
	arena_init(&plan->best_arena, BEST_AVAILABLE_ARENA_SIZE_MAX);
	enum status status = seating_plan_read(json, &plan->arena, &plan->plan, fault);
	if (status == STATUS_OK) {
		plan->best = best_available_prepare(plan->plan, &plan->best_arena);
		status = plan->best ? index_seats(plan) : STATUS_UNAVAILABLE;
	}
	if (status != STATUS_OK) {
		venue_plan_release(plan);
		return status;
	}
	*result = plan;
	return STATUS_OK;
}

struct venue_plan *venue_plan_hold(struct venue_plan *plan)
{
	atomic_fetch_add(&plan->references, 1);
	return plan;
}

void venue_plan_release(struct venue_plan *plan)
{
	if (!plan || atomic_fetch_sub(&plan->references, 1) != 1)
		return;
	arena_release(&plan->best_arena);
	arena_release(&plan->arena);
	free(plan);
}

/* ---- By name ---- */

struct named_seat {
	struct slice name;
	uint32_t index;
};

static int compare(struct slice a, struct slice b)
{
	int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
	return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_named(const void *a, const void *b)
{
	return compare(((const struct named_seat *)a)->name, ((const struct named_seat *)b)->name);
}

static enum status index_seats(struct venue_plan *plan)
{
	uint32_t count = plan->plan->seat_count;
	struct named_seat *named = calloc(count ? count : 1, sizeof *named);
	uint32_t *kept = arena_calloc(&plan->best_arena, count ? count : 1, sizeof *kept);
	for (uint32_t i = 0; named && i < count; i++)
		named[i] = (struct named_seat){plan->plan->seats[i].guid, i};
	if (named && kept) {
		qsort(named, count, sizeof *named, compare_named);
		for (uint32_t i = 0; i < count; i++)
			kept[i] = named[i].index;
	}
	bool good = named && kept;
	free(named);
	plan->by_name = kept;
	return good ? STATUS_OK : STATUS_UNAVAILABLE;
}

uint32_t venue_plan_seat(const struct venue_plan *plan, struct slice guid)
{
	size_t from = 0, to = plan->plan->seat_count;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		uint32_t index = plan->by_name[middle];
		int order = compare(guid, plan->plan->seats[index].guid);
		if (order == 0)
			return index;
		if (order < 0)
			to = middle;
		else
			from = middle + 1;
	}
	return VENUE_PLAN_NO_SEAT;
}

const struct seating_zone *venue_plan_section(const struct venue_plan *plan, struct slice name)
{
	for (uint32_t i = 0; i < plan->plan->zone_count; i++)
		if (slice_equal(plan->plan->zones[i].name, name))
			return &plan->plan->zones[i];
	return NULL;
}

const struct seating_category *venue_plan_category(const struct venue_plan *plan, struct slice name)
{
	for (uint32_t i = 0; i < plan->plan->category_count; i++)
		if (slice_equal(plan->plan->categories[i].name, name))
			return &plan->plan->categories[i];
	return NULL;
}

/* ---- The geometry ---- */

static void add_color(struct buffer *text, const char *name, struct seating_color color)
{
	if (color.alpha == 0)
		return;
	buffer_add_format(text, ",\"%s\":\"#%02x%02x%02x%02x\"", name, color.red, color.green,
		color.blue, color.alpha);
}

static void add_point(struct buffer *text, struct seating_point point)
{
	buffer_add_format(text, "[%.2f,%.2f]", point.x, point.y);
}

static void add_row(
	struct buffer *text, const struct seating_plan *plan, const struct seating_row *row)
{
	static const char *const columns[] = {"ids", "numbers", "x", "y", "categories"};
	buffer_add_text(text, "{\"row\":");
	buffer_add_json(text, row->number);
	buffer_add_format(text, ",\"first\":%u", row->first_seat);
	for (size_t column = 0; column < sizeof columns / sizeof *columns; column++) {
		buffer_add_format(text, ",\"%s\":[", columns[column]);
		for (uint32_t i = 0; i < row->seat_count; i++) {
			const struct seating_seat *seat = &plan->seats[row->first_seat + i];
			if (i > 0)
				buffer_add_text(text, ",");
			if (column == 0)
				buffer_add_json(text, seat->guid);
			else if (column == 1)
				buffer_add_json(text, seat->number);
			else if (column == 4)
				buffer_add_format(text, "%u", seat->category_index);
			else
				buffer_add_format(text, "%.2f", column == 2 ? seat->x : seat->y);
		}
		buffer_add_text(text, "]");
	}
	buffer_add_text(text, "}");
}

static void add_shape(struct buffer *text, const struct seating_area *area)
{
	switch (area->shape) {
	case SEATING_RECTANGLE:
		buffer_add_format(text, ",\"shape\":\"rectangle\",\"width\":%.2f,\"height\":%.2f",
			area->size.x, area->size.y);
		break;
	case SEATING_CIRCLE:
		buffer_add_format(text, ",\"shape\":\"circle\",\"radius\":%.2f", area->radius);
		break;
	case SEATING_ELLIPSE:
		buffer_add_format(text, ",\"shape\":\"ellipse\",\"radiusX\":%.2f,\"radiusY\":%.2f",
			area->radii.x, area->radii.y);
		break;
	case SEATING_POLYGON:
		buffer_add_text(text, ",\"shape\":\"polygon\",\"points\":[");
		for (uint32_t i = 0; i < area->polygon.count; i++) {
			if (i > 0)
				buffer_add_text(text, ",");
			add_point(text, area->polygon.points[i]);
		}
		buffer_add_text(text, "]");
		break;
	case SEATING_TEXT_ONLY:
		buffer_add_text(text, ",\"shape\":\"none\"");
		break;
	}
}

static void add_area(struct buffer *text, const struct seating_area *area)
{
	buffer_add_text(text, "{\"position\":");
	add_point(text, area->position);
	add_shape(text, area);
	if (area->rotation < 0 || area->rotation > 0)
		buffer_add_format(text, ",\"rotation\":%.2f", area->rotation);
	add_color(text, "color", area->color);
	add_color(text, "borderColor", area->border_color);
	if (area->text.text.size > 0) {
		buffer_add_text(text, ",\"text\":{\"text\":");
		buffer_add_json(text, area->text.text);
		buffer_add_format(text, ",\"size\":%.2f,\"position\":", area->text.size);
		add_point(text, area->text.position);
		add_color(text, "color", area->text.color);
		buffer_add_text(text, "}");
	}
	buffer_add_text(text, "}");
}

static void add_section(
	struct buffer *text, const struct seating_plan *plan, const struct seating_zone *zone)
{
	buffer_add_text(text, "{\"section\":");
	buffer_add_json(text, zone->name);
	buffer_add_text(text, ",\"rows\":[");
	for (uint32_t i = 0; i < zone->row_count; i++) {
		if (i > 0)
			buffer_add_text(text, ",");
		add_row(text, plan, &plan->rows[zone->first_row + i]);
	}
	buffer_add_text(text, "],\"areas\":[");
	for (uint32_t i = 0; i < zone->area_count; i++) {
		if (i > 0)
			buffer_add_text(text, ",");
		add_area(text, &plan->areas[zone->first_area + i]);
	}
	buffer_add_text(text, "]}");
}

void venue_plan_map(const struct venue_plan *venue, struct buffer *text)
{
	const struct seating_plan *plan = venue->plan;
	char id[ID_TEXT_SIZE];
	id_format(venue->venue, id);
	buffer_add_format(text, "{\"venueId\":\"%s\",\"name\":", id);
	buffer_add_json(text, plan->name);
	buffer_add_format(text,
		",\"width\":%.2f,\"height\":%.2f,\"seats\":%u,\"focalPoint\":", plan->width,
		plan->height, plan->seat_count);
	add_point(text, seating_plan_focal_point(plan));
	buffer_add_text(text, ",\"categories\":[");
	for (uint32_t i = 0; i < plan->category_count; i++) {
		buffer_add_text(text, i > 0 ? ",{\"category\":" : "{\"category\":");
		buffer_add_json(text, plan->categories[i].name);
		add_color(text, "color", plan->categories[i].color);
		buffer_add_text(text, "}");
	}
	buffer_add_text(text, "],\"sections\":[");
	for (uint32_t i = 0; i < plan->zone_count; i++) {
		if (i > 0)
			buffer_add_text(text, ",");
		add_section(text, plan, &plan->zones[i]);
	}
	buffer_add_text(text, "]}");
}
