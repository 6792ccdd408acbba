/* Fuzzes the reader of seating plans. What it accepts is whole and consistent, reads the same when
 * jansson has written it anew, and can be sold by best available whatever its geometry is. */
#include "lib/ticketing/seating_plan.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "fuzz/fuzz.h"
#include "lib/ticketing/best_available.h"

enum { ARENA_BYTES_MAX = 4 << 20, PARTIES_MAX = 200 };

static enum status read_plan(
	struct slice json, struct arena *arena, const struct seating_plan **plan);
static void check_plan(const struct seating_plan *plan);
static void check_zones(const struct seating_plan *plan);
static void check_seats(const struct seating_plan *plan);
static void check_areas(const struct seating_plan *plan);
static void check_rewritten(struct slice json, const struct seating_plan *plan);
static void check_best_available(const struct seating_plan *plan, struct arena *arena);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena;
	const struct seating_plan *plan = NULL;
	struct slice json = fuzz_slice(data, size);
	arena_init(&arena, ARENA_BYTES_MAX);
	if (read_plan(json, &arena, &plan) == STATUS_OK) {
		check_plan(plan);
		check_rewritten(json, plan);
		check_best_available(plan, &arena);
	}
	arena_release(&arena);
	return 0;
}

static enum status read_plan(
	struct slice json, struct arena *arena, const struct seating_plan **plan)
{
	struct fault fault;
	enum status status = seating_plan_read(json, arena, plan, &fault);
	if (status == STATUS_REFUSED) {
		fuzz_assert_fault(&fault);
		assert(fault.where[0] == '$');
	}
	assert((status == STATUS_OK) == (*plan != NULL));
	return status;
}

static void check_text(struct slice text)
{
	assert(text.data && text.data[text.size] == '\0' && slice_is_text(text));
	assert(text.size <= LIMIT_NAME_SIZE_MAX);
}

static void check_point(struct seating_point point)
{
	/* Each of at most four levels is within the bound. */
	assert(fabs(point.x) <= 4.0 * SEATING_COORDINATE_MAX);
	assert(fabs(point.y) <= 4.0 * SEATING_COORDINATE_MAX);
}

static void check_plan(const struct seating_plan *plan)
{
	check_text(plan->name);
	assert(isfinite(plan->width) && isfinite(plan->height));
	if (plan->has_focal_point)
		check_point(plan->focal_point);
	check_point(seating_plan_focal_point(plan));
	for (uint32_t i = 0; i < plan->category_count; i++) {
		check_text(plan->categories[i].name);
		for (uint32_t j = 0; j < i; j++)
			assert(!slice_equal(plan->categories[i].name, plan->categories[j].name));
	}
	check_zones(plan);
	check_seats(plan);
	check_areas(plan);
}

/* The zones and rows cut the plan's arrays into consecutive parts, none left out. */
static void check_zones(const struct seating_plan *plan)
{
	uint32_t row = 0, seat = 0, area = 0;
	for (uint32_t i = 0; i < plan->zone_count; i++) {
		const struct seating_zone *zone = &plan->zones[i];
		check_text(zone->name);
		check_text(zone->zone_id);
		check_point(zone->position);
		check_point(seating_zone_focal_point(plan, zone));
		assert(zone->first_row == row && zone->first_seat == seat);
		assert(zone->first_area == area);
		row += zone->row_count;
		area += zone->area_count;
		assert(row <= plan->row_count && area <= plan->area_count);
		for (uint32_t j = zone->first_row; j < row; j++) {
			const struct seating_row *one = &plan->rows[j];
			check_text(one->number);
			assert(one->zone_index == i && one->first_seat == seat);
			seat += one->seat_count;
		}
		assert(seat == zone->first_seat + zone->seat_count);
	}
	assert(row == plan->row_count && seat == plan->seat_count && area == plan->area_count);
}

static void check_seats(const struct seating_plan *plan)
{
	char label[64];
	for (uint32_t i = 0; i < plan->seat_count; i++) {
		const struct seating_seat *seat = &plan->seats[i];
		check_text(seat->guid);
		check_text(seat->number);
		assert(seat->guid.size > 0 && seat->guid.size <= LIMIT_ID_SIZE_MAX);
		assert(seat->category_index < plan->category_count);
		assert(plan->rows[seat->row_index].zone_index == seat->zone_index);
		check_point((struct seating_point){.x = seat->x, .y = seat->y});
		for (uint32_t j = 0; j < i; j++)
			assert(!slice_equal(seat->guid, plan->seats[j].guid));
		assert(seating_seat_label(plan, seat, label, sizeof label) == label);
		assert(slice_is_text(slice_of(label)));
	}
}

static void check_areas(const struct seating_plan *plan)
{
	for (uint32_t i = 0; i < plan->area_count; i++) {
		const struct seating_area *area = &plan->areas[i];
		assert(area->zone_index < plan->zone_count && isfinite(area->rotation));
		check_point(area->position);
		check_text(area->text.text);
		if (area->shape == SEATING_POLYGON)
			for (uint32_t j = 0; j < area->polygon.count; j++)
				check_point(area->polygon.points[j]);
	}
}

/* Spaces, escapes and the order of members are no part of a plan. */
static void check_rewritten(struct slice json, const struct seating_plan *plan)
{
	struct arena arena;
	const struct seating_plan *again = NULL;
	json_t *tree = json_loadb(json.data, json.size, 0, NULL);
	assert(tree);
	char *text = json_dumps(tree, JSON_SORT_KEYS | JSON_ENSURE_ASCII | JSON_INDENT(1));
	assert(text);
	arena_init(&arena, ARENA_BYTES_MAX);
	assert(read_plan(slice_of(text), &arena, &again) == STATUS_OK);
	assert(again->seat_count == plan->seat_count && again->row_count == plan->row_count);
	assert(again->area_count == plan->area_count && slice_equal(again->name, plan->name));
	for (uint32_t i = 0; i < plan->seat_count; i++) {
		assert(slice_equal(again->seats[i].guid, plan->seats[i].guid));
		assert(again->seats[i].category_index == plan->seats[i].category_index);
	}
	arena_release(&arena);
	free(text);
	json_decref(tree);
}

/* Parties of all sizes take what is best: as many seats as they want, each of them free. One finds
 * none only when fewer are left. */
static void check_best_available(const struct seating_plan *plan, struct arena *arena)
{
	const struct best_available *prepared = best_available_prepare(plan, arena);
	bool *available = arena_calloc(arena, plan->seat_count, sizeof *available);
	uint32_t left = plan->seat_count;
	if (!prepared || !available)
		return;
	for (uint32_t i = 0; i < left; i++)
		available[i] = true;
	for (uint32_t i = 0; i < PARTIES_MAX && left > 0; i++) {
		struct best_available_block block;
		const struct best_available_wish wish = {
			.quantity = 1 + i * 7 % BEST_AVAILABLE_SEATS_MAX};
		best_available_find(prepared, available, &wish, &block);
		assert((block.level == BEST_AVAILABLE_NONE) == (left < wish.quantity));
		for (uint32_t k = 0; k < block.seat_count; k++) {
			assert(block.seats[k] < plan->seat_count && available[block.seats[k]]);
			available[block.seats[k]] = false;
			left--;
		}
	}
}
