/* Sales: once, by whom, to which order, undone. Part of the suite. */
#include <inttypes.h>

#include "tech-locking-and-transactions/seat_suite_conformance.h"

static const char *expect_sale(
	struct seat_suite *suite, int store, enum sell_outcome outcome, const char *what)
{
	TRY(suite_sell(suite, store, 1));
	CHECK(suite, suite->sold[0].outcome == outcome, "%s is %s, not %s", what,
		sell_outcome_name(suite->sold[0].outcome), sell_outcome_name(outcome));
	return NULL;
}

/* Hold two seats and sell them; sells[0] is the sale. */
static const char *sell_two(struct seat_suite *suite, int first, struct id order)
{
	TRY(suite_grant(suite, 0, &(struct suite_ask){.first = first, .count = 2}));
	suite_offer(suite, 0, order);
	return expect_sale(suite, 0, SELL_SOLD, "a sale");
}

const char *check_sale(struct seat_suite *suite)
{
	struct id order = suite_id(suite);
	TRY(suite_stock(suite, 4));
	TRY(sell_two(suite, 1, order));
	CHECK(suite, suite->sold[0].total == suite_price(1) + suite_price(2),
		"a sale costs %" PRId64, suite->sold[0].total);
	TRY(suite_expect(suite, 1, 2, SEAT_SOLD, "sold"));
	TRY(suite_expect(suite, 3, 1, SEAT_AVAILABLE, "not sold"));
	CHECK(suite, suite->views[1].version == 2, "version %" PRId64 " after hold and sale",
		suite->views[1].version);
	TRY(suite_look_up(suite, 1, suite->sells[0].hold));
	CHECK(suite,
		suite->records[0].state == HOLD_SOLD &&
			seat_ids_equal(suite->records[0].order, order) &&
			suite->records[0].version == 1,
		"a sold hold is %s", hold_state_name(suite->records[0].state));
	TRY(suite_hold_one(suite, 1, &(struct suite_ask){.person = "bob", .first = 2, .count = 1}));
	CHECK(suite, suite->held[0].outcome == HOLD_TAKEN, "a sold seat is %s",
		hold_outcome_name(suite->held[0].outcome));
	suite->holds[0].hold = suite->sells[0].hold;
	suite->holds[0].person = suite->sells[0].person;
	TRY(suite_release_one(suite, 0));
	CHECK(suite, suite->released[0] == RELEASE_SOLD, "the release of a sold hold is %s",
		release_outcome_name(suite->released[0]));
	return suite_expect(suite, 1, 2, SEAT_SOLD, "after the attempt to release");
}

const char *check_sold_once(struct seat_suite *suite)
{
	struct id order = suite_id(suite);
	TRY(suite_stock(suite, 4));
	TRY(sell_two(suite, 0, order));
	TRY(expect_sale(suite, 1, SELL_SOLD, "the same sale again"));
	CHECK(suite, suite->sold[0].total == suite_price(0) + suite_price(1),
		"the same sale again costs %" PRId64, suite->sold[0].total);
	suite->sells[0].order = suite_id(suite);
	TRY(expect_sale(suite, 1, SELL_OTHER_ORDER, "a second order's sale"));
	TRY(suite_grant(suite, 0, &(struct suite_ask){.first = 2, .count = 1}));
	TRY(suite_release_one(suite, 0));
	suite_offer(suite, 0, suite_id(suite));
	return expect_sale(suite, 0, SELL_NOT_HELD, "the sale of a released hold");
}

const char *check_wrong_person(struct seat_suite *suite)
{
	TRY(suite_stock(suite, 2));
	TRY(suite_grant(suite, 0, &(struct suite_ask){.person = "ann", .count = 2}));
	suite_offer(suite, 0, suite_id(suite));
	suite->sells[0].person = slice_of("bob");
	TRY(expect_sale(suite, 1, SELL_NOT_YOURS, "another person's sale"));
	suite->sells[0].person = slice_of("Ann");
	TRY(expect_sale(suite, 1, SELL_NOT_YOURS, "another person's sale"));
	suite->sells[0].person = slice_of("");
	TRY(expect_sale(suite, 1, SELL_MALFORMED, "nobody's sale"));
	suite->sells[0].person = slice_of("ann");
	suite->sells[0].hold = suite_id(suite);
	TRY(expect_sale(suite, 1, SELL_NOT_HELD, "the sale of an unknown hold"));
	return suite_expect(suite, 0, 2, SEAT_HELD, "after wrong sales");
}

const char *check_fence(struct seat_suite *suite)
{
	static const int64_t off[] = {-1, 1, 1000};
	TRY(suite_stock(suite, 3));
	TRY(suite_grant(suite, 0, &(struct suite_ask){.first = 1, .count = 1}));
	TRY(suite_release_one(suite, 0));
	TRY(suite_grant(suite, 0, &(struct suite_ask){.first = 0, .count = 3}));
	CHECK(suite, suite->held[0].version == 3,
		"the version is %" PRId64 ", not that of the seat that has changed most",
		suite->held[0].version);
	for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
		suite_offer(suite, 0, suite_id(suite));
		suite->sells[0].version += off[i];
		TRY(expect_sale(suite, 1, SELL_STALE, "a sale with another version"));
	}
	TRY(suite_expect(suite, 0, 3, SEAT_HELD, "after stale sales"));
	suite_offer(suite, 0, suite_id(suite));
	return expect_sale(suite, 1, SELL_SOLD, "the sale with the right version");
}

const char *check_orders(struct seat_suite *suite)
{
	struct id order = suite_id(suite);
	TRY(suite_stock(suite, 6));
	TRY(sell_two(suite, 0, order));
	TRY(suite_grant(suite, 0, &(struct suite_ask){.first = 2, .count = 2}));
	suite_offer(suite, 0, order);
	TRY(expect_sale(suite, 1, SELL_OTHER_HOLD, "a second hold for one order"));
	TRY(suite_expect(suite, 2, 2, SEAT_HELD, "after a second hold for one order"));
	suite->sells[0].order = suite_id(suite);
	return expect_sale(suite, 1, SELL_SOLD, "the same for another order");
}

const char *check_revoke(struct seat_suite *suite)
{
	struct id order = suite_id(suite);
	TRY(suite_stock(suite, 4));
	TRY(sell_two(suite, 0, order));
	for (int again = 0; again < 2; again++) {
		TRY(suite_revoke_one(suite, again, order));
		CHECK(suite, suite->revoked[0] == REVOKE_REVOKED, "a sale cannot be revoked");
	}
	TRY(suite_expect(suite, 0, 2, SEAT_AVAILABLE, "after the sale was revoked"));
	CHECK(suite, suite->views[0].version == 3, "version %" PRId64 " of a seat sold and revoked",
		suite->views[0].version);
	TRY(suite_look_up(suite, 1, suite->sells[0].hold));
	CHECK(suite, suite->records[0].state == HOLD_REVOKED, "a revoked hold is %s",
		hold_state_name(suite->records[0].state));
	TRY(expect_sale(suite, 1, SELL_REVOKED, "the same sale again"));
	TRY(suite_expect(suite, 0, 2, SEAT_AVAILABLE, "after the revoked sale was repeated"));
	TRY(sell_two(suite, 0, suite_id(suite)));
	TRY(suite_revoke_one(suite, 0, order));
	return suite_expect(suite, 0, 2, SEAT_SOLD, "after the first sale was revoked again");
}

/* That they are there, and valid or void, is for the judge to say. */
const char *check_tickets(struct seat_suite *suite)
{
	static const struct id order = {{0x01, 0x8f, 0x6b, 0x1c, 0x2d, 0x3e, 0x70, 0x01, 0x80, 0x02,
		0x03, 0x04, 0x05, 0x06, 0x07, 0x08}};
	char text[ID_TEXT_SIZE];
	struct id ticket = seat_ticket_id(order, slice_of("s-001"));
	id_format(ticket, text);
	CHECK(suite, text[14] == '8', "a ticket is no UUIDv8: %s", text);
	TRY(suite_stock(suite, 4));
	TRY(sell_two(suite, 0, suite_id(suite)));
	TRY(sell_two(suite, 2, suite_id(suite)));
	return suite_revoke_one(suite, 0, suite->sells[0].order);
}
