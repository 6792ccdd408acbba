/* Requests of one call act as if made one after the other. Part of the suite. */
#include <inttypes.h>

#include "tech-locking-and-transactions/seat_suite_conformance.h"

static const char *expect_holds(
	struct seat_suite *suite, const enum hold_outcome outcomes[], size_t count)
{
	TRY(suite_hold(suite, 0, count));
	for (size_t i = 0; i < count; i++)
		CHECK(suite, suite->held[i].outcome == outcomes[i],
			"hold %zu of the batch is %s, not %s", i,
			hold_outcome_name(suite->held[i].outcome), hold_outcome_name(outcomes[i]));
	return NULL;
}

const char *check_batch_limits(struct seat_suite *suite)
{
	size_t count = suite->traits->batch_max;
	TRY(suite_stock(suite, SUITE_SEATS_MAX));
	for (size_t i = 0; i < count; i++)
		suite_ask(suite, i, &(struct suite_ask){.first = (int)i, .count = 1});
	TRY(suite_hold(suite, 0, count));
	for (size_t i = 0; i < count; i++) {
		CHECK(suite,
			suite->held[i].outcome == HOLD_GRANTED &&
				suite->held[i].total == suite_price((int)i),
			"hold %zu of a full batch is %s", i,
			hold_outcome_name(suite->held[i].outcome));
		suite_offer(suite, i, suite_id(suite));
	}
	TRY(suite_sell(suite, 1, count));
	for (size_t i = 0; i < count; i++)
		CHECK(suite,
			suite->sold[i].outcome == SELL_SOLD &&
				suite->sold[i].total == suite_price((int)i),
			"sale %zu of a full batch is %s", i,
			sell_outcome_name(suite->sold[i].outcome));
	suite_ask(suite, 0, &(struct suite_ask){.first = 300, .count = SEAT_STORE_SEATS_MAX});
	TRY(suite_hold(suite, 0, 1));
	CHECK(suite, suite->held[0].outcome == HOLD_GRANTED, "as many seats as allowed are %s",
		hold_outcome_name(suite->held[0].outcome));
	return NULL;
}

const char *check_bad_among_good(struct seat_suite *suite)
{
	static const enum hold_outcome outcomes[] = {HOLD_GRANTED, HOLD_MALFORMED, HOLD_GRANTED,
		HOLD_NO_SUCH_SEAT, HOLD_NO_EVENT, HOLD_MALFORMED, HOLD_TAKEN, HOLD_GRANTED};
	TRY(suite_stock(suite, 8));
	TRY(suite_grant(suite, 1, &(struct suite_ask){.first = 6, .count = 1}));
	for (int i = 0; i < 8; i++)
		suite_ask(suite, (size_t)i, &(struct suite_ask){.first = i, .count = 1});
	suite->holds[1].person = slice_of("\xc3");
	suite->seats[3][0] = slice_of("nowhere");
	suite->holds[4].event = suite_id(suite);
	suite->seats[5][0] = (struct slice){"s\0x", 3};
	TRY(expect_holds(suite, outcomes, 8));
	TRY(suite_expect(suite, 1, 1, SEAT_AVAILABLE, "of the malformed"));
	return suite_expect(suite, 3, 3, SEAT_AVAILABLE, "of the refused");
}

const char *check_claims_in_a_batch(struct seat_suite *suite)
{
	static const enum hold_outcome outcomes[] = {
		HOLD_GRANTED, HOLD_TAKEN, HOLD_TAKEN, HOLD_GRANTED, HOLD_TAKEN, HOLD_TAKEN};
	TRY(suite_stock(suite, 8));
	suite_ask(suite, 0, &(struct suite_ask){.person = "a", .first = 1, .count = 2});
	suite_ask(suite, 1, &(struct suite_ask){.person = "b", .first = 2, .count = 2});
	suite_ask(suite, 2, &(struct suite_ask){.person = "c", .first = 1, .count = 1});
	/* Seat 3 is free, because its first claim was refused. */
	suite_ask(suite, 3, &(struct suite_ask){.person = "d", .first = 3, .count = 2});
	suite_ask(suite, 4, &(struct suite_ask){.person = "e", .first = 0, .count = 8});
	suite_ask(suite, 5, &(struct suite_ask){.person = "f", .first = 3, .count = 1});
	TRY(expect_holds(suite, outcomes, 6));
	CHECK(suite,
		suite->held[1].which == 1 && suite->held[2].which == 1 &&
			suite->held[4].which == 0x1E,
		"which seats are taken by others of the batch: %" PRIx64 ", %" PRIx64 ", %" PRIx64,
		suite->held[1].which, suite->held[2].which, suite->held[4].which);
	TRY(suite_expect(suite, 5, 3, SEAT_AVAILABLE, "of the refused"));
	return suite_expect(suite, 1, 4, SEAT_HELD, "of the granted");
}

const char *check_repeated_in_a_batch(struct seat_suite *suite)
{
	static const enum hold_outcome outcomes[] = {HOLD_GRANTED, HOLD_GRANTED, HOLD_OTHER_REQUEST,
		HOLD_OTHER_REQUEST, HOLD_TAKEN, HOLD_GRANTED, HOLD_GRANTED};
	struct suite_ask ask = {.hold = suite_id(suite), .first = 1, .count = 2};
	TRY(suite_stock(suite, 8));
	suite_ask(suite, 0, &ask);
	suite_ask(suite, 1, &ask);
	struct suite_ask other = ask;
	other.first = 4;
	suite_ask(suite, 2, &other);
	other = ask;
	other.person = "bob";
	suite_ask(suite, 3, &other);
	/* Refused first, the same id may be used again. */
	other = (struct suite_ask){.hold = suite_id(suite), .first = 2, .count = 1};
	suite_ask(suite, 4, &other);
	other.first = 6;
	suite_ask(suite, 5, &other);
	suite_ask(suite, 6, &other);
	TRY(expect_holds(suite, outcomes, 7));
	CHECK(suite,
		suite->held[1].expires_at_ms == suite->held[0].expires_at_ms &&
			suite->held[1].version == suite->held[0].version,
		"a request repeated in a batch has another answer");
	TRY(suite_expect(suite, 4, 2, SEAT_AVAILABLE, "of another request with the id"));
	/* All again: an id that has made a hold says so, whoever has the seats. */
	suite_ask(suite, 0, &(struct suite_ask){.person = "eve", .first = 1, .count = 1});
	suite_ask(suite, 1, &ask);
	TRY(expect_holds(suite, (const enum hold_outcome[]){HOLD_TAKEN, HOLD_GRANTED}, 2));
	return NULL;
}

/* A long chain of overlapping requests: each depends on what became of the one before. */
const char *check_later_of_a_batch(struct seat_suite *suite)
{
	enum { CHAIN = 24 };
	size_t count = suite->traits->batch_max < CHAIN ? suite->traits->batch_max : CHAIN;
	TRY(suite_stock(suite, CHAIN + 2));
	for (size_t i = 0; i < count; i++)
		suite_ask(suite, i, &(struct suite_ask){.first = (int)i, .count = 2});
	TRY(suite_hold(suite, 0, count));
	for (size_t i = 0; i < count; i++)
		CHECK(suite, suite->held[i].outcome == (i % 2 == 0 ? HOLD_GRANTED : HOLD_TAKEN),
			"of overlapping pairs, number %zu is %s", i,
			hold_outcome_name(suite->held[i].outcome));
	return NULL;
}

const char *check_sales_in_a_batch(struct seat_suite *suite)
{
	static const enum sell_outcome outcomes[] = {SELL_SOLD, SELL_SOLD, SELL_OTHER_ORDER,
		SELL_OTHER_HOLD, SELL_NOT_HELD, SELL_MALFORMED, SELL_SOLD, SELL_STALE};
	struct id order = suite_id(suite);
	TRY(suite_stock(suite, 8));
	for (int i = 0; i < 8; i++)
		suite_ask(suite, (size_t)i, &(struct suite_ask){.first = i, .count = 1});
	TRY(suite_hold(suite, 0, 8));
	for (size_t i = 0; i < 8; i++)
		suite_offer(suite, i, suite_id(suite));
	suite->sells[0].order = order;
	suite->sells[1] = suite->sells[0];
	suite->sells[2].hold = suite->sells[0].hold;
	suite->sells[3].order = order;
	suite->sells[4].hold = suite_id(suite);
	suite->sells[5].person = slice_of("\x80");
	suite->sells[7].version++;
	TRY(suite_sell(suite, 1, 8));
	for (size_t i = 0; i < 8; i++)
		CHECK(suite, suite->sold[i].outcome == outcomes[i],
			"sale %zu of the batch is %s, not %s", i,
			sell_outcome_name(suite->sold[i].outcome), sell_outcome_name(outcomes[i]));
	for (size_t i = 0; i < 3; i++)
		suite->releases[i] = (struct release_request){.event = suite->event,
			.hold = suite->holds[i + 2].hold,
			.person = suite->holds[i + 2].person};
	suite->releases[1] = suite->releases[0];
	suite->releases[2].person = slice_of("bob");
	TRY(suite_release(suite, 0, 3));
	CHECK(suite,
		suite->released[0] == RELEASE_RELEASED && suite->released[1] == RELEASE_RELEASED &&
			suite->released[2] == RELEASE_NOT_YOURS,
		"releases of a batch are %s, %s, %s", release_outcome_name(suite->released[0]),
		release_outcome_name(suite->released[1]), release_outcome_name(suite->released[2]));
	return suite_expect(suite, 3, 1, SEAT_HELD, "after a batch of sales");
}
