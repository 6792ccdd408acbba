/* Drawing halls, and showing what was found in them. */
#include "lib/ticketing/test_hall.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct hall *hall_new(void)
{
	struct hall *hall = calloc(1, sizeof *hall);
	assert_non_null(hall);
	arena_init(&hall->arena, BEST_AVAILABLE_ARENA_SIZE_MAX);
	hall->plan = (struct seating_plan){
		.has_focal_point = true,
		.categories = hall->categories,
		.category_count = 2,
		.zones = hall->zones,
		.rows = hall->rows,
		.seats = hall->seats,
	};
	return hall;
}

void hall_free(struct hall *hall)
{
	arena_release(&hall->arena);
	free(hall);
}

void hall_add_zone(struct hall *hall)
{
	assert_true(hall->plan.zone_count < HALL_ZONES_MAX);
	hall->zones[hall->plan.zone_count++] = (struct seating_zone){
		.first_row = hall->plan.row_count,
		.first_seat = hall->plan.seat_count,
	};
}

void hall_add_row(struct hall *hall)
{
	assert_true(hall->plan.row_count < HALL_ROWS_MAX);
	hall->rows[hall->plan.row_count++] = (struct seating_row){
		.zone_index = hall->plan.zone_count - 1,
		.first_seat = hall->plan.seat_count,
	};
	hall->zones[hall->plan.zone_count - 1].row_count++;
}

void hall_add_seat(struct hall *hall, double x, double y, uint32_t category, bool available)
{
	uint32_t index = hall->plan.seat_count++;
	assert_true(index < HALL_SEATS_MAX);
	hall->seats[index] = (struct seating_seat){
		.zone_index = hall->plan.zone_count - 1,
		.row_index = hall->plan.row_count - 1,
		.category_index = category,
		.x = x,
		.y = y,
	};
	hall->available[index] = available;
	hall->rows[hall->plan.row_count - 1].seat_count++;
	hall->zones[hall->plan.zone_count - 1].seat_count++;
}

static void draw_line(struct hall *hall, const char *line, int size, int number)
{
	hall_add_row(hall);
	for (int i = 0; i < size; i++) {
		if (line[i] == ' ')
			continue;
		assert_non_null(strchr(".,x#@", line[i]));
		hall->expected[hall->plan.seat_count] = line[i] == '#' || line[i] == '@';
		hall_add_seat(hall, (i + 1) * HALL_PITCH, number * HALL_PITCH,
			line[i] == ',' || line[i] == '@', line[i] != 'x');
	}
}

struct hall *hall_draw(const char *drawing)
{
	struct hall *hall = hall_new();
	int number = 1, columns = 0;
	hall_add_zone(hall);
	for (const char *line = drawing; *line; number++) {
		int size = (int)strcspn(line, "\n");
		if (line[0] == '-')
			hall_add_zone(hall);
		else
			draw_line(hall, line, size, number);
		columns = size > columns ? size : columns;
		line += size + (line[size] == '\n');
	}
	hall->plan.focal_point.x = (columns + 1) * HALL_PITCH / 2.0;
	return hall;
}

struct best_available_block hall_find(
	struct hall *hall, uint32_t quantity, int category, int section)
{
	struct best_available_block block;
	const struct best_available_wish wish = {
		.quantity = quantity,
		.category = category == HALL_ANY ? NULL : &hall->categories[category],
		.section = section == HALL_ANY ? NULL : &hall->zones[section],
	};
	if (!hall->prepared)
		hall->prepared = best_available_prepare(&hall->plan, &hall->arena);
	assert_non_null(hall->prepared);
	best_available_find(hall->prepared, hall->available, &wish, &block);
	return block;
}

static bool has_seat(const struct best_available_block *block, uint32_t seat)
{
	for (uint32_t i = 0; i < block->seat_count; i++)
		if (block->seats[i] == seat)
			return true;
	return false;
}

/* As the hall was drawn, with the block in the place of what was expected. */
static void show(const struct hall *hall, const struct best_available_block *block)
{
	const struct seating_seat *before = NULL;
	for (uint32_t i = 0; i < hall->plan.seat_count; i++) {
		const struct seating_seat *seat = &hall->seats[i];
		bool same_row = before && before->row_index == seat->row_index;
		int column = (int)seat->x / HALL_PITCH;
		int blanks = column - 1 - (same_row ? (int)before->x / HALL_PITCH : 0);
		if (!same_row && before)
			print_error("\n");
		print_error("%*s", blanks > 0 ? blanks : 0, "");
		print_error("%c",
			has_seat(block, i)             ? '#'
				: !hall->available[i]  ? 'x'
				: seat->category_index ? ','
						       : '.');
		before = seat;
	}
	print_error("\n");
}

void hall_assert_block(const struct hall *hall, const struct best_available_block *block,
	enum best_available_level level)
{
	uint32_t expected = 0;
	bool same = block->level == level;
	for (uint32_t i = 0; i < hall->plan.seat_count; i++) {
		expected += hall->expected[i];
		same = same && hall->expected[i] == has_seat(block, i);
	}
	if (same && block->seat_count == expected)
		return;
	show(hall, block);
	fail_msg("level %d, not %d, with the %u seats above", block->level, level,
		block->seat_count);
}
