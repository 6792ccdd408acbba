/* What is on sale, made from a plan and prices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/buffer.h"
#include "tech-locking-and-transactions/memory/seat_memory.h"
#include "tech-locking-and-transactions/seat_listing.h"

static struct buffer plan;

static int set_up(void **state)
{
	char bytes[4096], path[512];
	size_t size;
	const char *source = getenv("ONSALE_SOURCE");
	(void)state;
	snprintf(path, sizeof path, "%s/demo/venues/concert-hall.json", source ? source : ".");
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	buffer_init(&plan, 64 << 20);
	while ((size = fread(bytes, 1, sizeof bytes, file)) > 0)
		buffer_add(&plan, bytes, size);
	fclose(file);
	return plan.failed;
}

static int tear_down(void **state)
{
	(void)state;
	buffer_release(&plan);
	return 0;
}

static struct seat_listing *make(const char *name, const char *currency, const char *prices)
{
	struct seat_listing *listing = NULL;
	struct fault fault;
	const struct seat_listing_options options = {.plan = buffer_slice(&plan),
		.name = name,
		.currency = currency,
		.prices = prices,
		.price = 4500};
	if (seat_listing_new(&options, &listing, &fault) != STATUS_OK)
		fail_msg("%s: %s", fault.where, fault.what);
	return listing;
}

static void test_the_concert_hall(void **state)
{
	(void)state;
	struct seat_listing *listing = make(NULL, "EUR", "Parterre=12500, Box=14500");
	assert_int_equal(5000, listing->offer_count);
	assert_int_equal(7, listing->section_count);
	assert_true(slice_is(listing->name, "Meridian Hall"));
	const struct seat_offer *offer = seat_listing_find(listing, slice_of("parterre-1-1"));
	assert_non_null(offer);
	assert_int_equal(12500, offer->price);
	assert_true(slice_is(offer->section, "Parterre"));
	assert_true(slice_is(offer->row, "1"));
	assert_null(seat_listing_find(listing, slice_of("parterre-1-1 ")));
	assert_null(seat_listing_find(listing, slice_of("")));
	size_t dear = 0;
	for (size_t i = 0; i < listing->offer_count; i++)
		dear += listing->offers[i].price != 4500;
	assert_true(dear > 0 && dear < 5000);
	seat_listing_free(listing);
}

static void test_the_same_has_the_same_id_and_nothing_else_has(void **state)
{
	(void)state;
	struct seat_listing *listings[] = {make(NULL, "EUR", NULL), make(NULL, "EUR", ""),
		make("Other", "EUR", NULL), make(NULL, "CHF", NULL), make(NULL, "EUR", "Box=1")};
	enum { COUNT = sizeof listings / sizeof *listings };
	assert_true(seat_ids_equal(listings[0]->id, listings[1]->id));
	for (size_t i = 1; i < COUNT; i++)
		for (size_t j = i + 1; j < COUNT; j++)
			assert_false(seat_ids_equal(listings[i]->id, listings[j]->id));
	for (size_t i = 0; i < COUNT; i++)
		seat_listing_free(listings[i]);
}

static void count_seat(void *context, const struct seat_view *seat)
{
	(void)seat;
	++*(size_t *)context;
}

static void test_on_sale_again_changes_nothing(void **state)
{
	size_t count = 0;
	bool found;
	(void)state;
	struct seat_memory *memory = seat_memory_new(clock_system());
	struct seat_store *store = seat_memory_open(memory);
	struct seat_listing *listing = make(NULL, "EUR", NULL);
	assert_int_equal(STATUS_OK, seat_listing_stock(listing, store));
	assert_int_equal(STATUS_OK, seat_listing_stock(listing, store));
	assert_int_equal(
		STATUS_OK, seat_store_availability(store, listing->id, count_seat, &count, &found));
	assert_true(found);
	assert_int_equal(5000, count);
	seat_listing_free(listing);
	seat_store_close(store);
	seat_memory_free(memory);
}

static void test_what_is_refused(void **state)
{
	static const struct {
		const char *name, *currency, *prices, *plan, *where;
	} wrong[] = {
		{NULL, "EURO", NULL, NULL, "currency"},
		{NULL, "", NULL, NULL, "currency"},
		{"\x01", "EUR", NULL, NULL, "name"},
		{NULL, "EUR", "Parterre", NULL, "prices"},
		{NULL, "EUR", "Parterre=", NULL, "prices"},
		{NULL, "EUR", "Parterre=-1", NULL, "prices"},
		{NULL, "EUR", "Parterre=1.5", NULL, "prices"},
		{NULL, "EUR", "Parterre=99999999999", NULL, "prices"},
		{NULL, "EUR", "Nowhere=5", NULL, "prices"},
		{NULL, "EUR", "Parterre=5,", NULL, "prices"},
		{NULL, "EUR", NULL, "{}", "$.categories"},
		{NULL, "EUR", NULL, "", "$"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct seat_listing *listing = NULL;
		struct fault fault = {0};
		const struct seat_listing_options options = {
			.plan = wrong[i].plan ? slice_of(wrong[i].plan) : buffer_slice(&plan),
			.name = wrong[i].name,
			.currency = wrong[i].currency,
			.prices = wrong[i].prices};
		assert_int_equal(STATUS_REFUSED, seat_listing_new(&options, &listing, &fault));
		assert_string_equal(wrong[i].where, fault.where);
		assert_null(listing);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_concert_hall),
		cmocka_unit_test(test_the_same_has_the_same_id_and_nothing_else_has),
		cmocka_unit_test(test_on_sale_again_changes_nothing),
		cmocka_unit_test(test_what_is_refused),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
