/* The pure functions of the contract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tech-locking-and-transactions/checkout.h"
#include "tech-locking-and-transactions/seat_store.h"

static struct id order_of(const char *text)
{
	struct id id;
	assert_true(id_parse(slice_of(text), &id));
	return id;
}

/* The first was computed by PostgreSQL's sha256 and, independently, by Python's hashlib. */
static void a_ticket_follows_from_order_and_seat(void **state)
{
	(void)state;
	char text[ID_TEXT_SIZE];
	struct id order = order_of("00000000-0000-7000-8000-000000000100");
	id_format(seat_ticket_id(order, slice_of("s-1")), text);
	assert_string_equal(text, "3c273400-9ab4-893f-8544-d426d1639b2b");
	id_format(seat_ticket_id(order, slice_of("s-2")), text);
	assert_string_not_equal(text, "3c273400-9ab4-893f-8544-d426d1639b2b");
	id_format(seat_ticket_id(order, (struct slice){0}), text);
	assert_int_equal(text[14], '8');
}

static void ids_are_compared_by_their_bytes(void **state)
{
	(void)state;
	assert_true(seat_compare(slice_of("a"), slice_of("b")) < 0);
	assert_true(seat_compare(slice_of("a"), slice_of("aa")) < 0);
	assert_true(seat_compare(slice_of("a\xff"), slice_of("aa")) > 0);
	assert_true(seat_compare(slice_of(""), (struct slice){0}) == 0);
	assert_true(seat_ids_equal(order_of("00000000-0000-7000-8000-000000000100"),
		order_of("00000000-0000-7000-8000-000000000100")));
}

static void offers_keep_their_limits(void **state)
{
	(void)state;
	struct seat_offer offers[3] = {
		{.seat = {"a", 1}, .price = 1}, {.seat = {"b", 1}}, {.seat = {"a", 1}, .price = 2}};
	assert_true(seat_offers_are_sound(offers, 0));
	assert_true(seat_offers_are_sound(offers, 2));
	assert_false(seat_offers_are_sound(offers, 3));
	offers[1].price = -1;
	assert_false(seat_offers_are_sound(offers, 2));
}

static void all_outcomes_have_names(void **state)
{
	(void)state;
	for (int i = 0; i <= HOLD_MALFORMED; i++)
		assert_non_null(hold_outcome_name((enum hold_outcome)i));
	for (int i = 0; i <= SELL_MALFORMED; i++)
		assert_non_null(sell_outcome_name((enum sell_outcome)i));
	for (int i = 0; i <= RELEASE_MALFORMED; i++)
		assert_non_null(release_outcome_name((enum release_outcome)i));
	for (int i = 0; i <= HOLD_REVOKED; i++)
		assert_non_null(hold_state_name((enum hold_state)i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ticket_follows_from_order_and_seat),
		cmocka_unit_test(ids_are_compared_by_their_bytes),
		cmocka_unit_test(offers_keep_their_limits),
		cmocka_unit_test(all_outcomes_have_names),
	};
	return cmocka_run_group_tests_name("seat_store", tests, NULL, NULL);
}
