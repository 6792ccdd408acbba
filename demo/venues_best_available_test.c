/* Best available sells real plans to the last seat: the demo's venues, and what editors export. */
#include "lib/ticketing/best_available.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "demo/venues.h"
#include "lib/base/buffer.h"
#include "lib/testkit/random.h"

enum { TEXT_SIZE_MAX = 64 * 1024 * 1024, PARTY_SIZE_MAX = 10 };

/* A plan on sale. */
struct sale {
	struct arena arena;
	const struct seating_plan *plan;
	const struct best_available *prepared;
	bool *available;
	uint32_t left;
};

static void sale_init(struct sale *sale, const struct buffer *json)
{
	struct fault fault;
	arena_init(&sale->arena, SEATING_ARENA_SIZE_MAX + BEST_AVAILABLE_ARENA_SIZE_MAX);
	if (seating_plan_read(buffer_slice(json), &sale->arena, &sale->plan, &fault) != STATUS_OK)
		fail_msg("%s %s", fault.where, fault.what);
	sale->prepared = best_available_prepare(sale->plan, &sale->arena);
	assert_non_null(sale->prepared);
	sale->left = sale->plan->seat_count;
	sale->available = arena_calloc(&sale->arena, sale->left, sizeof *sale->available);
	assert_non_null(sale->available);
	for (uint32_t i = 0; i < sale->left; i++)
		sale->available[i] = true;
}

/* Sell the best seats there are to a party. Returns the level. */
static enum best_available_level sell(struct sale *sale, uint32_t quantity)
{
	struct best_available_block block;
	const struct best_available_wish wish = {.quantity = quantity};
	best_available_find(sale->prepared, sale->available, &wish, &block);
	assert_int_equal(block.level == BEST_AVAILABLE_NONE, sale->left < quantity);
	for (uint32_t i = 0; i < block.seat_count; i++) {
		assert_true(block.seats[i] < sale->plan->seat_count);
		/* No seat twice. */
		assert_true(sale->available[block.seats[i]]);
		sale->available[block.seats[i]] = false;
	}
	sale->left -= block.seat_count;
	return block.level;
}

/* Parties of random sizes, then of what is left. */
static void sell_out(const struct buffer *json)
{
	struct sale sale;
	struct random random;
	uint32_t together = 0, parties = 0;
	random_init(&random, random_seed());
	sale_init(&sale, json);
	while (sale.left > 0) {
		uint32_t quantity = (uint32_t)random_between(&random, 1, PARTY_SIZE_MAX);
		enum best_available_level level =
			sell(&sale, quantity < sale.left ? quantity : sale.left);
		together += level <= BEST_AVAILABLE_ADJACENT_ORPHAN;
		parties++;
	}
	assert_int_equal(sell(&sale, 1), BEST_AVAILABLE_NONE);
	/* In a large hall nearly everybody sits together, or its rows are misunderstood. */
	if (sale.plan->seat_count >= CONCERT_HALL_SEATS)
		assert_true(together * 10 > parties * 9);
	arena_release(&sale.arena);
}

static void sell_out_committed(const char *path)
{
	const char *root = getenv("ONSALE_SOURCE");
	char full[4096];
	char piece[8192];
	struct buffer json;
	size_t size;
	snprintf(full, sizeof full, "%s/%s", root ? root : ".", path);
	FILE *file = fopen(full, "rb");
	if (!file) {
		fail_msg("cannot open %s", full);
		return;
	}
	buffer_init(&json, TEXT_SIZE_MAX);
	while ((size = fread(piece, 1, sizeof piece, file)) > 0)
		buffer_add(&json, piece, size);
	fclose(file);
	sell_out(&json);
	buffer_release(&json);
}

static void what_editors_export_is_sold_out(void **state)
{
	(void)state;
	sell_out_committed("lib/ticketing/testdata/editor-export.json");
	sell_out_committed("lib/ticketing/testdata/first-version.json");
}

static void the_theatre_is_sold_out(void **state)
{
	(void)state;
	sell_out_committed("demo/venues/theatre.json");
}

static void the_concert_hall_is_sold_out(void **state)
{
	(void)state;
	sell_out_committed("demo/venues/concert-hall.json");
}

static void the_stadium_is_sold_out(void **state)
{
	(void)state;
	struct layout layout;
	struct buffer json;
	buffer_init(&json, TEXT_SIZE_MAX);
	layout_init(&layout, "Harbour Stadium");
	stadium_draw(&layout, STADIUM_SEATS_MIN);
	layout_write(&layout, &json);
	layout_release(&layout);
	sell_out(&json);
	buffer_release(&json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_editors_export_is_sold_out),
		cmocka_unit_test(the_theatre_is_sold_out),
		cmocka_unit_test(the_concert_hall_is_sold_out),
		cmocka_unit_test(the_stadium_is_sold_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
