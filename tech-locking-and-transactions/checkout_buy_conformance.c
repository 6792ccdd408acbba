/* What comes of purchases when nothing breaks: see checkout_conformance.h. */
#include <stdlib.h>

#include "tech-locking-and-transactions/checkout_suite_conformance.h"

enum { AT_ONCE = 10, AT_ONCE_EACH = 5, CROWD = 8, CROWD_EACH = 6, BATCH = 12 };

static const char *expect_tickets(struct checkout_suite *suite, size_t index, int first, int count)
{
	const struct buy_result *result = &suite->results[index];
	struct seat_suite *seats = suite->seats;
	int64_t total = 0;
	CHECK(seats, result->ticket_count == (size_t)count, "%zu tickets and not %d",
		result->ticket_count, count);
	for (int i = 0; i < count; i++) {
		struct slice seat = slice_of(seats->names[first + i]);
		struct id wanted = seat_ticket_id(suite->requests[index].order, seat);
		total += suite_price(first + i);
		CHECK(seats, slice_equal(result->tickets[i].seat, seat), "ticket %d is for %.*s", i,
			SLICE_PRINT(result->tickets[i].seat));
		CHECK(seats, seat_ids_equal(result->tickets[i].ticket, wanted),
			"ticket %d has another id", i);
	}
	CHECK(seats, result->total.minor == total && strcmp(result->total.currency, "EUR") == 0,
		"the total is %lld %s", (long long)result->total.minor, result->total.currency);
	return NULL;
}

/* Paid, and told so however often it is asked. */
const char *check_buy_paid_once(struct checkout_suite *suite)
{
	TRY(buying_one(suite, METHOD_GOOD, BUY_PAID));
	TRY(expect_tickets(suite, 0, 0, 2));
	TRY(buying_ask(suite, 1));
	TRY(buying_expect(suite, 0, BUY_PAID));
	TRY(expect_tickets(suite, 0, 0, 2));
	TRY(buying_wait_status(suite, ORDER_PAID));
	TRY(expect_tickets(suite, 0, 0, 2));
	TRY(buying_expect_hold(suite, 0, HOLD_SOLD));
	TRY(suite_expect(suite->seats, 0, 2, SEAT_SOLD, "bought"));
	TRY(buying_expect_ledger(suite, 0, "authorization", 1));
	return buying_expect_ledger(suite, 0, "capture", 1);
}

/* It stays declined; the hold stays, and another order may buy it. */
const char *check_buy_declined(struct checkout_suite *suite)
{
	TRY(buying_one(suite, METHOD_DECLINED, BUY_DECLINED));
	CHECK(suite->seats, suite->results[0].reason[0] != '\0', "there is no reason");
	CHECK(suite->seats, suite->results[0].ticket_count == 0, "there are tickets");
	TRY(buying_ask(suite, 1));
	TRY(buying_expect(suite, 0, BUY_DECLINED));
	TRY(buying_expect_hold(suite, 0, HOLD_LIVE));
	suite->requests[0].payment_method = slice_of(METHOD_GOOD);
	TRY(buying_ask(suite, 1));
	TRY(buying_expect(suite, 0, BUY_OTHER_REQUEST));
	suite->requests[0].order = suite_id(suite->seats);
	TRY(buying_finish(suite, 1));
	return buying_expect(suite, 0, BUY_PAID);
}

static const char *ask_for_proof(struct checkout_suite *suite, const char *outcome)
{
	TRY(buying_one(suite, METHOD_PROOF, BUY_REQUIRES_ACTION));
	return buying_prove(suite, 0, outcome);
}

static const char *finish_proof(struct checkout_suite *suite, enum buy_outcome outcome)
{
	int64_t start_ms = suite_now_ms(suite->seats);
	do
		TRY(buying_finish(suite, 1));
	while (suite->results[0].outcome == BUY_REQUIRES_ACTION &&
		suite_wait(suite->seats, start_ms));
	return buying_expect(suite, 0, outcome);
}

/* 3-D Secure: the person proves it, and the same request goes on. */
const char *check_buy_proof(struct checkout_suite *suite)
{
	TRY(ask_for_proof(suite, "succeeded"));
	TRY(finish_proof(suite, BUY_PAID));
	return buying_expect_ledger(suite, 0, "authorization", 1);
}

const char *check_buy_proof_failed(struct checkout_suite *suite)
{
	TRY(ask_for_proof(suite, "failed"));
	TRY(finish_proof(suite, BUY_DECLINED));
	return buying_expect_hold(suite, 0, HOLD_LIVE);
}

const char *check_buy_refusals(struct checkout_suite *suite)
{
	/* Unknown, released, another's; and orders that there are not. */
	TRY(buying_hold(suite, 0, 1, 0));
	TRY(suite_release_one(suite->seats, 0));
	TRY(buying_hold(suite, 1, 1, 0));
	TRY(buying_hold(suite, 2, 1, 0));
	suite->requests[1].hold = suite_id(suite->seats);
	suite->requests[2].person = slice_of("bob");
	TRY(buying_ask(suite, 3));
	TRY(buying_expect(suite, 0, BUY_NOT_HELD));
	TRY(buying_expect(suite, 1, BUY_NOT_HELD));
	TRY(buying_expect(suite, 2, BUY_NOT_YOURS));
	enum status status = checkout_look_up(
		suite->checkout, suite->requests, suite->results, 3, &suite->arena);
	CHECK(suite->seats, status == STATUS_OK, "look_up is %s", status_name(status));
	for (size_t i = 0; i < 3; i++) {
		TRY(buying_expect(suite, i, BUY_NOT_HELD));
		TRY(buying_expect_ledger(suite, i, "authorization", 0));
	}
	return buying_expect_hold(suite, 2, HOLD_LIVE);
}

const char *check_buy_other_order(struct checkout_suite *suite)
{
	TRY(buying_one(suite, METHOD_GOOD, BUY_PAID));
	struct buy_request bought = suite->requests[0];
	suite->requests[0].order = suite_id(suite->seats);
	TRY(buying_ask(suite, 1));
	TRY(buying_expect(suite, 0, BUY_OTHER_ORDER));
	/* The same order means the same purchase. */
	suite->requests[0] = bought;
	suite->requests[0].person = slice_of("bob");
	TRY(buying_ask(suite, 1));
	TRY(buying_expect(suite, 0, BUY_OTHER_REQUEST));
	TRY(buying_hold(suite, 0, 1, 0));
	suite->requests[0].order = bought.order;
	TRY(buying_ask(suite, 1));
	TRY(buying_expect(suite, 0, BUY_OTHER_REQUEST));
	return buying_expect_hold(suite, 0, HOLD_LIVE);
}

/* Each of a batch on its own, as if made in the order of the array; repetitions and rivals are
 * among them. */
const char *check_buy_batch(struct checkout_suite *suite)
{
	static const char *const methods[] = {METHOD_GOOD, METHOD_DECLINED, METHOD_PROOF};
	static const enum buy_outcome outcomes[] = {BUY_PAID, BUY_DECLINED, BUY_REQUIRES_ACTION};
	for (size_t i = 0; i < BATCH; i++) {
		TRY(buying_hold(suite, i, 1 + (int)(i % 2), i % 3 == 2 ? SUITE_PATIENCE_MS : 0));
		suite->requests[i].payment_method = slice_of(methods[i % 3]);
	}
	suite->requests[BATCH] = suite->requests[0]; /* Again. */
	suite->requests[BATCH + 1] = suite->requests[1];
	suite->requests[BATCH + 1].payment_method = slice_of(METHOD_GOOD);
	suite->requests[BATCH + 2] = suite->requests[3];
	suite->requests[BATCH + 2].order = suite_id(suite->seats);
	TRY(buying_finish(suite, BATCH + 3));
	for (size_t i = 0; i < BATCH; i++)
		TRY(buying_expect(suite, i, outcomes[i % 3]));
	TRY(buying_expect(suite, BATCH, BUY_PAID));
	TRY(buying_expect(suite, BATCH + 1, BUY_OTHER_REQUEST));
	TRY(buying_expect(suite, BATCH + 2, BUY_OTHER_ORDER));
	/* They are given up, so that it can come to rest before the holds do. */
	for (size_t i = 2; i < BATCH; i += 3)
		TRY(buying_prove(suite, i, "failed"));
	return NULL;
}

/* ---- many at once ---- */

static const char *buy_the_same(struct seat_suite *seats, int number, void *shared)
{
	const struct checkout_suite *first = shared;
	struct checkout_suite *suite = calloc(1, sizeof *suite);
	(void)number;
	CHECK(seats, suite, "there is no memory");
	const char *violation = buying_open(first->factory, seats, suite);
	for (size_t i = 0; i < AT_ONCE_EACH; i++)
		suite->requests[i] = first->requests[0];
	if (!violation)
		violation = buying_finish(suite, AT_ONCE_EACH);
	for (size_t i = 0; i < AT_ONCE_EACH && !violation; i++)
		violation = buying_expect(suite, i, BUY_PAID);
	buying_close(suite);
	free(suite);
	return violation;
}

/* The same order fifty times at once, from many threads: one purchase, and all are told of it. */
const char *check_buy_at_once(struct checkout_suite *suite)
{
	TRY(buying_hold(suite, 0, 3, 0));
	TRY(suite_parallel(suite->seats, AT_ONCE, buy_the_same, suite));
	TRY(buying_expect_ledger(suite, 0, "authorization", 1));
	return buying_expect_ledger(suite, 0, "capture", 1);
}

static const char *buy_some(struct seat_suite *seats, int number, void *shared)
{
	const struct checkout_suite *first = shared;
	struct checkout_suite *suite = calloc(1, sizeof *suite);
	CHECK(seats, suite, "there is no memory");
	const char *violation = buying_open(first->factory, seats, suite);
	suite->next_seat = number * CROWD_EACH;
	for (size_t i = 0; i < CROWD_EACH && !violation; i++)
		violation = buying_hold(suite, i, 1, 0);
	for (size_t i = 0; i < CROWD_EACH && !violation; i++)
		suite->requests[i].payment_method =
			slice_of(i % 3 == 2 ? METHOD_DECLINED : METHOD_GOOD);
	if (!violation)
		violation = buying_finish(suite, CROWD_EACH);
	for (size_t i = 0; i < CROWD_EACH && !violation; i++)
		violation = buying_expect(suite, i, i % 3 == 2 ? BUY_DECLINED : BUY_PAID);
	buying_close(suite);
	free(suite);
	return violation;
}

const char *check_buy_crowd(struct checkout_suite *suite)
{
	_Static_assert((int)CROWD * CROWD_EACH <= (int)BUYING_SEATS, "each has seats of its own");
	return suite_parallel(suite->seats, CROWD, buy_some, suite);
}

/* What costs nothing needs no provider. */
const char *check_buy_free(struct checkout_suite *suite)
{
	struct seat_suite *seats = suite->seats;
	const struct seat_offer offer = {.seat = slice_of("t-free")};
	struct slice seat = offer.seat;
	struct id hold = suite_id(seats);
	CHECK(seats,
		seat_store_stock(seats->stores[0], seats->event, slice_of("EUR"), &offer, 1) ==
			STATUS_OK,
		"a free seat cannot be put on sale");
	const struct hold_request request = {.event = seats->event,
		.hold = hold,
		.person = slice_of("ann"),
		.seats = &seat,
		.seat_count = 1,
		.hold_ms = SUITE_LONG_MS};
	struct hold_result held;
	CHECK(seats,
		seat_store_hold(seats->stores[0], &request, &held, 1) == STATUS_OK &&
			held.outcome == HOLD_GRANTED,
		"a free seat cannot be held");
	suite->requests[0] = (struct buy_request){.event = seats->event,
		.hold = hold,
		.person = request.person,
		.order = suite_id(seats),
		.payment_method = slice_of(METHOD_GOOD)};
	TRY(buying_finish(suite, 1));
	TRY(buying_expect(suite, 0, BUY_PAID));
	CHECK(seats, suite->results[0].ticket_count == 1 && suite->results[0].total.minor == 0,
		"a free seat costs %lld", (long long)suite->results[0].total.minor);
	return buying_expect_ledger(suite, 0, "authorization", 0);
}

/* What cannot be is refused, and its neighbours are served. */
const char *check_buy_malformed(struct checkout_suite *suite)
{
	static const char long_text[CHECKOUT_METHOD_SIZE_MAX + 1] = {[0] = 'p'};
	for (size_t i = 0; i < 5; i++)
		TRY(buying_hold(suite, i, 1, 0));
	suite->requests[0].payment_method = (struct slice){"", 0};
	suite->requests[1].payment_method = (struct slice){long_text, sizeof long_text};
	suite->requests[2].payment_method = slice_of("pm_\xff");
	suite->requests[3].person = slice_of("ann\n");
	TRY(buying_finish(suite, 5));
	for (size_t i = 0; i < 4; i++) {
		TRY(buying_expect(suite, i, BUY_MALFORMED));
		TRY(buying_expect_hold(suite, i, HOLD_LIVE));
	}
	return buying_expect(suite, 4, BUY_PAID);
}
