#include "lib/ticketing/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { ILLEGAL = -1 };

static void names_are_those_of_the_api(void **state)
{
	(void)state;
	static const char *const expected[] = {"requires_confirmation", "authorizing",
		"requires_action", "authorized", "finalized", "capturing", "paid", "declined",
		"canceled", "expired", "refunded"};
	assert_int_equal(ORDER_STATUS_COUNT, sizeof expected / sizeof *expected);
	for (int i = 0; i < ORDER_STATUS_COUNT; i++)
		assert_string_equal(expected[i], order_status_name((enum order_status)i));
}

static void names_are_read_back(void **state)
{
	(void)state;
	for (int i = 0; i < ORDER_STATUS_COUNT; i++) {
		enum order_status status;
		assert_true(order_status_parse(
			slice_of(order_status_name((enum order_status)i)), &status));
		assert_int_equal(status, i);
	}
	for (int i = 0; i < ORDER_EVENT_COUNT; i++) {
		enum order_event event;
		assert_true(
			order_event_parse(slice_of(order_event_name((enum order_event)i)), &event));
		assert_int_equal(event, i);
	}
}

static void other_names_are_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"", "Paid", "paid ", "pai", "paidd", "cancelled", "pending", "requires-action"};
	enum order_status status = ORDER_PAID;
	enum order_event event = ORDER_REFUND;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_false(order_status_parse(slice_of(wrong[i]), &status));
		assert_false(order_event_parse(slice_of(wrong[i]), &event));
	}
	assert_int_equal(status, ORDER_PAID);
	assert_int_equal(event, ORDER_REFUND);
}

/* Every pair of status and event, written out a second time and in another form. */
static const int expected_to[ORDER_STATUS_COUNT][ORDER_EVENT_COUNT] = {
	/* confirm, require_action, authorize, decline, finalize, capture, pay, fail_capture,
	 * cancel, expire, refund */
	/* requires_confirmation */
	{ORDER_AUTHORIZING, -1, -1, -1, -1, -1, -1, -1, ORDER_CANCELED, ORDER_EXPIRED, -1},
	/* authorizing */
	{-1, ORDER_REQUIRES_ACTION, ORDER_AUTHORIZED, ORDER_DECLINED, -1, -1, -1, -1,
		ORDER_CANCELED, ORDER_EXPIRED, -1},
	/* requires_action */
	{-1, -1, ORDER_AUTHORIZED, ORDER_DECLINED, -1, -1, -1, -1, ORDER_CANCELED, ORDER_EXPIRED,
		-1},
	/* authorized */
	{-1, -1, -1, -1, ORDER_FINALIZED, -1, -1, -1, ORDER_CANCELED, ORDER_EXPIRED, -1},
	/* finalized */
	{-1, -1, -1, -1, -1, ORDER_CAPTURING, -1, -1, ORDER_CANCELED, -1, -1},
	/* capturing */
	{-1, -1, -1, -1, -1, -1, ORDER_PAID, ORDER_CANCELED, -1, -1, -1},
	/* paid */
	{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, ORDER_REFUNDED},
	/* declined */
	{ORDER_AUTHORIZING, -1, -1, -1, -1, -1, -1, -1, ORDER_CANCELED, ORDER_EXPIRED, -1},
	/* canceled, expired, refunded */
	{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
	{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
	{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1},
};

static void only_these_transitions_are_legal(void **state)
{
	(void)state;
	for (int from = 0; from < ORDER_STATUS_COUNT; from++) {
		for (int event = 0; event < ORDER_EVENT_COUNT; event++) {
			int expected = expected_to[from][event];
			enum order_status to = (enum order_status)from;
			bool legal = order_transition(
				(enum order_status)from, (enum order_event)event, &to);
			assert_int_equal(legal, expected != ILLEGAL);
			assert_int_equal(to, legal ? expected : from);
		}
	}
}

static void three_statuses_are_terminal(void **state)
{
	(void)state;
	for (int i = 0; i < ORDER_STATUS_COUNT; i++)
		assert_int_equal(order_is_terminal((enum order_status)i),
			i == ORDER_CANCELED || i == ORDER_EXPIRED || i == ORDER_REFUNDED);
}

/* From every status that is reached, an end can be reached. */
static void no_status_is_a_trap(void **state)
{
	(void)state;
	bool ends[ORDER_STATUS_COUNT];
	for (int i = 0; i < ORDER_STATUS_COUNT; i++)
		ends[i] = order_is_terminal((enum order_status)i);
	for (int round = 0; round < ORDER_STATUS_COUNT; round++)
		for (int from = 0; from < ORDER_STATUS_COUNT; from++)
			for (int event = 0; event < ORDER_EVENT_COUNT; event++)
				if (expected_to[from][event] != ILLEGAL)
					ends[from] = ends[from] || ends[expected_to[from][event]];
	for (int i = 0; i < ORDER_STATUS_COUNT; i++)
		assert_true(ends[i]);
}

/* However events come, money is taken only after seats were written, and those only after it was
 * reserved. */
static void paid_is_behind_finalized_behind_authorized(void **state)
{
	(void)state;
	for (int from = 0; from < ORDER_STATUS_COUNT; from++) {
		for (int event = 0; event < ORDER_EVENT_COUNT; event++) {
			enum order_status to;
			if (!order_transition(
				    (enum order_status)from, (enum order_event)event, &to))
				continue;
			if (to == ORDER_PAID)
				assert_int_equal(from, ORDER_CAPTURING);
			if (to == ORDER_CAPTURING)
				assert_int_equal(from, ORDER_FINALIZED);
			if (to == ORDER_FINALIZED)
				assert_int_equal(from, ORDER_AUTHORIZED);
			if (to == ORDER_REFUNDED)
				assert_int_equal(from, ORDER_PAID);
		}
	}
}

static void cancel_does_what_the_money_asks_for(void **state)
{
	(void)state;
	static const enum order_cancel expected[ORDER_STATUS_COUNT] = {ORDER_CANCEL_AT_ONCE,
		ORDER_CANCEL_WAIT, ORDER_CANCEL_VOID, ORDER_CANCEL_VOID, ORDER_CANCEL_VOID,
		ORDER_CANCEL_WAIT, ORDER_CANCEL_REFUND, ORDER_CANCEL_AT_ONCE, ORDER_CANCEL_OVER,
		ORDER_CANCEL_OVER, ORDER_CANCEL_OVER};
	for (int i = 0; i < ORDER_STATUS_COUNT; i++)
		assert_int_equal(order_cancel((enum order_status)i), expected[i]);
}

/* The event that a cancellation ends in is legal where it says so. */
static void cancel_agrees_with_the_table(void **state)
{
	(void)state;
	for (int i = 0; i < ORDER_STATUS_COUNT; i++) {
		enum order_status from = (enum order_status)i, to;
		switch (order_cancel(from)) {
		case ORDER_CANCEL_AT_ONCE:
		case ORDER_CANCEL_VOID:
			assert_true(order_transition(from, ORDER_CANCEL, &to));
			break;
		case ORDER_CANCEL_REFUND:
			assert_true(order_transition(from, ORDER_REFUND, &to));
			break;
		case ORDER_CANCEL_WAIT:
			assert_false(order_is_terminal(from));
			break;
		case ORDER_CANCEL_OVER:
			assert_true(order_is_terminal(from));
			break;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_those_of_the_api),
		cmocka_unit_test(names_are_read_back),
		cmocka_unit_test(other_names_are_refused),
		cmocka_unit_test(only_these_transitions_are_legal),
		cmocka_unit_test(three_statuses_are_terminal),
		cmocka_unit_test(no_status_is_a_trap),
		cmocka_unit_test(paid_is_behind_finalized_behind_authorized),
		cmocka_unit_test(cancel_does_what_the_money_asks_for),
		cmocka_unit_test(cancel_agrees_with_the_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
