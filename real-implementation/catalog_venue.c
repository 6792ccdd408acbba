/* Reading venues: see catalog_document.h. */
#include "real-implementation/catalog_document.h"

static enum status read_place(
	struct slice json, struct arena *arena, struct venue_document *venue, struct fault *fault);
static bool find_parts(struct venue_document *venue, struct arena *arena);

enum status venue_document_read(
	struct slice json, struct arena *arena, struct venue_document *venue, struct fault *fault)
{
	*venue = (struct venue_document){0};
	enum status status = seating_plan_read(json, arena, &venue->plan, fault);
	if (status == STATUS_OK)
		status = read_place(json, arena, venue, fault);
	if (status != STATUS_OK)
		return status;
	if (venue->plan->name.size == 0)
		return fault_set(fault, "$.name", "is required");
	if (venue->plan->seat_count == 0)
		return fault_set(fault, "$.zones", "the venue has no seats");
	return find_parts(venue, arena) ? STATUS_OK : STATUS_UNAVAILABLE;
}

/* What is ours in the document. The plan's reader has found its JSON to be sound, and within
 * bounds, so what could go wrong here is memory. */
static enum status read_place(
	struct slice json, struct arena *arena, struct venue_document *venue, struct fault *fault)
{
	enum status status = STATUS_UNAVAILABLE;
	json_t *root = json_loadb(json.data, json.size, 0, NULL);
	const char *city = json_string_value(json_object_get(root, "city"));
	const json_t *country = json_object_get(root, "country");
	const char *code = json_string_value(country);
	if (!root)
		return status;
	if (!city || !*city || strlen(city) > LIMIT_NAME_SIZE_MAX || !slice_is_text(slice_of(city)))
		status = fault_set(fault, "$.city",
			"must be a text of 1 to %d bytes without control characters",
			LIMIT_NAME_SIZE_MAX);
	else if (country && !json_is_null(country) &&
		(!code || strlen(code) != 2 || code[0] < 'A' || code[0] > 'Z' || code[1] < 'A' ||
			code[1] > 'Z'))
		status = fault_set(fault, "$.country",
			"must be a country's two capital letters, as in ISO 3166-1");
	else {
		venue->city.data = arena_copy(arena, slice_of(city));
		venue->city.size = strlen(city);
		venue->country.data = code ? arena_copy(arena, slice_of(code)) : NULL;
		venue->country.size = code ? strlen(code) : 0;
		if (venue->city.data && (!code || venue->country.data))
			status = STATUS_OK;
	}
	json_decref(root);
	return status;
}

/* Zones of one name are one section to those who buy, and to the seat store. At most
 * SEATING_ZONES_MAX names, so looking through them is quick enough. */
static bool find_parts(struct venue_document *venue, struct arena *arena)
{
	const struct seating_plan *plan = venue->plan;
	struct venue_part *sections = arena_calloc(arena, plan->zone_count, sizeof *sections);
	struct venue_part *all = arena_calloc(arena, plan->category_count, sizeof *all);
	if (!sections || !all)
		return false;
	for (uint32_t i = 0; i < plan->zone_count; i++) {
		const struct seating_zone *zone = &plan->zones[i];
		size_t at = 0;
		if (zone->seat_count == 0)
			continue;
		while (at < venue->section_count && !slice_equal(sections[at].name, zone->name))
			at++;
		sections[at].name = zone->name;
		sections[at].seat_count += zone->seat_count;
		venue->section_count += at == venue->section_count;
	}
	for (uint32_t i = 0; i < plan->seat_count; i++)
		all[plan->seats[i].category_index].seat_count++;
	for (uint32_t i = 0; i < plan->category_count; i++) {
		if (all[i].seat_count == 0)
			continue;
		all[venue->category_count++] = (struct venue_part){.name = plan->categories[i].name,
			.seat_count = all[i].seat_count,
			.color = plan->categories[i].color};
	}
	venue->sections = sections;
	venue->categories = all;
	return true;
}
