/* Putting on sale, holding, releasing. Part of the suite. */
#include <inttypes.h>

#include "tech-locking-and-transactions/seat_suite_conformance.h"

const char *check_traits(struct seat_suite *suite)
{
	const struct seat_store_traits *traits = suite->traits;
	CHECK(suite, traits->name && traits->name[0], "the technology has no name");
	CHECK(suite, traits->batch_max >= 1 && traits->batch_max <= SEAT_STORE_BATCH_MAX,
		"batch_max is %zu", traits->batch_max);
	CHECK(suite, !traits->durable || suite->factory->restart,
		"it claims to be durable, and cannot show it");
	return NULL;
}

const char *check_stock(struct seat_suite *suite)
{
	TRY(suite_view(suite, 0));
	CHECK(suite, !suite->found && suite->view_count == 0, "an event is known before its seats");
	TRY(suite_stock(suite, 0));
	TRY(suite_view(suite, 1));
	CHECK(suite, suite->found && suite->view_count == 0, "an event without seats is unknown");
	TRY(suite_stock(suite, 5));
	TRY(suite_grant(suite, 0, &(struct suite_ask){.first = 1, .count = 1}));
	TRY(suite_stock(suite, 7));
	TRY(suite_expect(suite, 0, 1, SEAT_AVAILABLE, "put on sale"));
	TRY(suite_expect(suite, 1, 1, SEAT_HELD, "put on sale again"));
	TRY(suite_expect(suite, 2, 5, SEAT_AVAILABLE, "put on sale later"));
	CHECK(suite, suite->view_count == 7, "there are %zu seats, not 7", suite->view_count);
	for (int i = 0; i < 7; i++)
		CHECK(suite,
			slice_is(suite->views[i].seat, suite->names[i]) &&
				suite->views[i].price == suite_price(i) &&
				suite->views[i].version == (i == 1),
			"seat %d is shown with price %" PRId64 " and version %" PRId64, i,
			suite->views[i].price, suite->views[i].version);
	return NULL;
}

const char *check_stock_refusals(struct seat_suite *suite)
{
	static const char too_long[] =
		"0123456789012345678901234567890123456789012345678901234567890"
		"1234";
	static const struct {
		const char *currency, *seats[2];
		int64_t price;
	} refused[] = {{"EUR", {"s-000", "s-000"}, 1}, {"EUR", {"s-000", ""}, 1},
		{"EUR", {"s-000", too_long}, 1}, {"EUR", {"s-000", "\xff"}, 1},
		{"EUR", {"s-000", "s-001"}, -1},
		{"EUR", {"s-000", "s-001"}, (int64_t)MONEY_PRICE_MINOR_MAX + 1},
		{"XXX", {"s-000", "s-001"}, 1}, {"", {"s-000", "s-001"}, 1}};
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct seat_offer offers[2] = {{.seat = slice_of(refused[i].seats[0]), .price = 1},
			{.seat = slice_of(refused[i].seats[1]), .price = refused[i].price}};
		enum status status = seat_store_stock(
			suite->stores[0], suite->event, slice_of(refused[i].currency), offers, 2);
		CHECK(suite, status == STATUS_REFUSED, "bad seats %zu: the status is %d", i,
			(int)status);
	}
	TRY(suite_view(suite, 0));
	CHECK(suite, suite->view_count == 0, "a refused call has put seats on sale");
	TRY(suite_stock(suite, 1));
	struct seat_offer bare = {.seat = slice_of("bare")};
	enum status status =
		seat_store_stock(suite->stores[0], suite->event, slice_of("EUR"), &bare, 1);
	CHECK(suite, status == STATUS_OK,
		"a seat without section, row and number: the status is %d", (int)status);
	status = seat_store_stock(suite->stores[0], suite->event, slice_of("USD"), NULL, 0);
	CHECK(suite, status == STATUS_REFUSED, "another currency: the status is %d", (int)status);
	return NULL;
}

const char *check_unknown_event(struct seat_suite *suite)
{
	struct id order = suite_id(suite);
	TRY(suite_hold_one(suite, 0, &(struct suite_ask){.count = 2}));
	CHECK(suite, suite->held[0].outcome == HOLD_NO_EVENT && suite->held[0].which == 0,
		"a hold is %s", hold_outcome_name(suite->held[0].outcome));
	suite_offer(suite, 0, order);
	TRY(suite_sell(suite, 0, 1));
	CHECK(suite, suite->sold[0].outcome == SELL_NOT_HELD, "a sale is %s",
		sell_outcome_name(suite->sold[0].outcome));
	TRY(suite_release_one(suite, 0));
	CHECK(suite, suite->released[0] == RELEASE_NOT_HELD, "a release is %s",
		release_outcome_name(suite->released[0]));
	TRY(suite_revoke_one(suite, 0, order));
	CHECK(suite, suite->revoked[0] == REVOKE_NO_ORDER, "an unknown order was revoked");
	TRY(suite_look_up(suite, 0, order));
	CHECK(suite, suite->records[0].state == HOLD_NONE, "an unknown hold is %s",
		hold_state_name(suite->records[0].state));
	return NULL;
}

static bool is_record(
	const struct seat_suite *suite, const struct hold_record *record, int first, int count)
{
	int64_t total = 0;
	if (record->seat_count != (size_t)count)
		return false;
	for (int i = 0; i < count; i++) {
		total += suite_price(first + i);
		if (!slice_is(record->seats[i], suite->names[first + i]))
			return false;
	}
	return record->total.minor == total && slice_is(slice_of(record->total.currency), "EUR");
}

const char *check_held_once(struct seat_suite *suite)
{
	TRY(suite_stock(suite, 4));
	int64_t before_ms = suite_now_ms(suite);
	TRY(suite_grant(suite, 0, &(struct suite_ask){.person = "ann", .first = 1, .count = 2}));
	struct hold_result first = suite->held[0];
	struct id hold = suite->holds[0].hold;
	CHECK(suite, first.version == 1 && first.total == suite_price(1) + suite_price(2),
		"a grant has version %" PRId64 " and costs %" PRId64, first.version, first.total);
	CHECK(suite, first.expires_at_ms >= before_ms + SUITE_LONG_MS - 1000,
		"a hold of an hour ends after %" PRId64 " ms", first.expires_at_ms - before_ms);
	TRY(suite_hold_one(suite, 1, &(struct suite_ask){.person = "bob", .first = 1, .count = 1}));
	CHECK(suite, suite->held[0].outcome == HOLD_TAKEN && suite->held[0].which == 1,
		"a second hold is %s", hold_outcome_name(suite->held[0].outcome));
	TRY(suite_hold_one(suite, 1, &(struct suite_ask){.person = "ann", .first = 2, .count = 1}));
	CHECK(suite, suite->held[0].outcome == HOLD_TAKEN, "a second hold by the same person is %s",
		hold_outcome_name(suite->held[0].outcome));
	TRY(suite_expect(suite, 1, 2, SEAT_HELD, "held"));
	TRY(suite_expect(suite, 3, 1, SEAT_AVAILABLE, "not held"));
	TRY(suite_look_up(suite, 1, hold));
	const struct hold_record *record = &suite->records[0];
	CHECK(suite,
		record->state == HOLD_LIVE && slice_is(record->person, "ann") &&
			record->version == 1 && record->expires_at_ms == first.expires_at_ms &&
			is_record(suite, record, 1, 2),
		"the record is %s, of %zu seats, and costs %" PRId64,
		hold_state_name(record->state), record->seat_count, record->total.minor);
	return NULL;
}

const char *check_all_or_nothing(struct seat_suite *suite)
{
	TRY(suite_stock(suite, 10));
	TRY(suite_grant(suite, 0, &(struct suite_ask){.first = 3, .count = 1}));
	TRY(suite_grant(suite, 0, &(struct suite_ask){.first = 5, .count = 1}));
	TRY(suite_hold_one(suite, 0,
		&(struct suite_ask){.person = "bob", .first = 2, .count = 5, .reverse = true}));
	/* 6 5 4 3 2: the second and the fourth. */
	CHECK(suite, suite->held[0].outcome == HOLD_TAKEN && suite->held[0].which == 0xA,
		"seats 3 and 5 of 6 to 2 are taken: %s, which %" PRIx64,
		hold_outcome_name(suite->held[0].outcome), suite->held[0].which);
	TRY(suite_expect(suite, 2, 1, SEAT_AVAILABLE, "after a refusal"));
	TRY(suite_expect(suite, 4, 1, SEAT_AVAILABLE, "after a refusal"));
	TRY(suite_look_up(suite, 0, suite->holds[0].hold));
	CHECK(suite, suite->records[0].state == HOLD_NONE, "a refusal is remembered");
	return NULL;
}

const char *check_no_such_seat(struct seat_suite *suite)
{
	TRY(suite_stock(suite, 3));
	TRY(suite_grant(suite, 0, &(struct suite_ask){.first = 0, .count = 1}));
	TRY(suite_hold_one(suite, 0, &(struct suite_ask){.first = 0, .count = 5}));
	CHECK(suite, suite->held[0].outcome == HOLD_NO_SUCH_SEAT && suite->held[0].which == 0x18,
		"two of five seats do not exist: %s, which %" PRIx64,
		hold_outcome_name(suite->held[0].outcome), suite->held[0].which);
	TRY(suite_hold_one(suite, 0, &(struct suite_ask){.first = 50, .count = 2}));
	CHECK(suite, suite->held[0].outcome == HOLD_NO_SUCH_SEAT && suite->held[0].which == 0x3,
		"no seat exists: %s, which %" PRIx64, hold_outcome_name(suite->held[0].outcome),
		suite->held[0].which);
	return suite_expect(suite, 1, 2, SEAT_AVAILABLE, "after a refusal");
}

static const char *same_answer(
	struct seat_suite *suite, const struct hold_result *first, const char *when)
{
	const struct hold_result *again = &suite->held[0];
	CHECK(suite,
		again->outcome == HOLD_GRANTED && again->version == first->version &&
			again->expires_at_ms == first->expires_at_ms &&
			again->total == first->total,
		"%s, a repeated hold is %s, version %" PRId64 " instead of %" PRId64, when,
		hold_outcome_name(again->outcome), again->version, first->version);
	return NULL;
}

const char *check_repeated_hold(struct seat_suite *suite)
{
	struct suite_ask ask = {.hold = suite_id(suite), .first = 1, .count = 2};
	TRY(suite_stock(suite, 4));
	TRY(suite_grant(suite, 0, &(struct suite_ask){.first = 1, .count = 1}));
	TRY(suite_hold_one(suite, 0, &ask));
	CHECK(suite, suite->held[0].outcome == HOLD_TAKEN, "a taken seat was held again");
	ask.first = 2;
	TRY(suite_grant(suite, 0, &ask)); /* The refusal of this id was not remembered. */
	struct hold_result first = suite->held[0];
	TRY(suite_hold_one(suite, 1, &ask));
	TRY(same_answer(suite, &first, "at once"));
	ask.reverse = true;
	TRY(suite_hold_one(suite, 0, &ask));
	TRY(same_answer(suite, &first, "with the seats in another order"));
	TRY(suite_release_one(suite, 0));
	TRY(suite_hold_one(suite, 1, &ask));
	TRY(same_answer(suite, &first, "after its release"));
	TRY(suite_expect(suite, 2, 2, SEAT_AVAILABLE, "after a release, and the hold repeated"));
	TRY(suite_grant(suite, 0, &(struct suite_ask){.person = "bob", .first = 3, .count = 1}));
	TRY(suite_hold_one(suite, 1, &ask));
	return same_answer(suite, &first, "when another person has a seat");
}

const char *check_other_request(struct seat_suite *suite)
{
	struct suite_ask ask = {.hold = suite_id(suite), .person = "ann", .first = 1, .count = 2};
	TRY(suite_stock(suite, 8));
	TRY(suite_grant(suite, 0, &ask));
	struct suite_ask others[] = {ask, ask, ask, ask, ask, ask};
	others[0].person = "bob";
	others[1].first = 2;
	others[2].count = 1;
	others[3].count = 3;
	others[4].hold_ms = SUITE_LONG_MS - 1;
	others[5].first = 5;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		TRY(suite_hold_one(suite, (int)(i % 2), &others[i]));
		CHECK(suite, suite->held[0].outcome == HOLD_OTHER_REQUEST,
			"the id of a hold with other content (%zu) is %s", i,
			hold_outcome_name(suite->held[0].outcome));
	}
	return suite_expect(suite, 3, 5, SEAT_AVAILABLE, "after another request with the id");
}

const char *check_seat_named_twice(struct seat_suite *suite)
{
	TRY(suite_stock(suite, 3));
	suite_ask(suite, 0, &(struct suite_ask){.first = 0, .count = 3});
	suite->seats[0][2] = suite->seats[0][0];
	TRY(suite_hold(suite, 0, 1));
	CHECK(suite,
		suite->held[0].outcome == HOLD_GRANTED &&
			suite->held[0].total == suite_price(0) + suite_price(1),
		"a seat named twice: %s, %" PRId64, hold_outcome_name(suite->held[0].outcome),
		suite->held[0].total);
	suite->holds[0].hold = suite_id(suite);
	TRY(suite_hold(suite, 0, 1));
	CHECK(suite, suite->held[0].outcome == HOLD_TAKEN && suite->held[0].which == 7,
		"a taken seat named twice: which %" PRIx64, suite->held[0].which);
	return NULL;
}

const char *check_release(struct seat_suite *suite)
{
	TRY(suite_stock(suite, 3));
	TRY(suite_grant(suite, 0, &(struct suite_ask){.first = 0, .count = 2}));
	struct hold_request hold = suite->holds[0];
	suite->holds[0].person = slice_of("bob");
	TRY(suite_release_one(suite, 1));
	CHECK(suite, suite->released[0] == RELEASE_NOT_YOURS, "another person's release is %s",
		release_outcome_name(suite->released[0]));
	TRY(suite_expect(suite, 0, 2, SEAT_HELD, "after another person's release"));
	suite->holds[0] = hold;
	for (int again = 0; again < 2; again++) {
		TRY(suite_release_one(suite, again));
		CHECK(suite, suite->released[0] == RELEASE_RELEASED, "a release is %s",
			release_outcome_name(suite->released[0]));
	}
	TRY(suite_expect(suite, 0, 2, SEAT_AVAILABLE, "after the release"));
	TRY(suite_look_up(suite, 0, hold.hold));
	CHECK(suite, suite->records[0].state == HOLD_RELEASED, "a released hold is %s",
		hold_state_name(suite->records[0].state));
	TRY(suite_grant(suite, 1, &(struct suite_ask){.person = "bob", .first = 1, .count = 2}));
	CHECK(suite, suite->held[0].version == 3, "version %" PRId64 " after hold and release",
		suite->held[0].version);
	suite->holds[0] = hold;
	TRY(suite_release_one(suite, 0));
	return suite_expect(suite, 1, 2, SEAT_HELD, "after the earlier hold is released again");
}

const char *check_malformed(struct seat_suite *suite)
{
	static const char *const texts[] = {"", "a\xff", "a\nb", "a\x80",
		"0123456789012345678901234567890123456789012345678901234567890123x"};
	TRY(suite_stock(suite, 2));
	for (size_t i = 0; i < 2 * sizeof texts / sizeof *texts; i++) {
		suite_ask(suite, 0, &(struct suite_ask){.first = 0, .count = 2});
		if (i % 2 == 0)
			suite->holds[0].person = slice_of(texts[i / 2]);
		else
			suite->seats[0][1] = slice_of(texts[i / 2]);
		TRY(suite_hold(suite, 0, 1));
		CHECK(suite, suite->held[0].outcome == HOLD_MALFORMED,
			"a malformed request (%zu) is %s", i,
			hold_outcome_name(suite->held[0].outcome));
	}
	static const int64_t durations[] = {
		0, -1, INT64_MIN, SEAT_STORE_HOLD_MS_MAX + 1, INT64_MAX};
	for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
		suite_ask(suite, 0, &(struct suite_ask){.first = 0, .count = 2});
		suite->holds[0].hold_ms = durations[i];
		TRY(suite_hold(suite, 0, 1));
		CHECK(suite, suite->held[0].outcome == HOLD_MALFORMED, "%" PRId64 " ms are %s",
			durations[i], hold_outcome_name(suite->held[0].outcome));
	}
	suite_ask(suite, 0, &(struct suite_ask){.first = 0, .count = 2});
	suite->holds[0].seat_count = 0;
	TRY(suite_hold(suite, 0, 1));
	CHECK(suite, suite->held[0].outcome == HOLD_MALFORMED, "no seats at all are held");
	return suite_expect(suite, 0, 2, SEAT_AVAILABLE, "after malformed requests");
}
