/* What comes of purchases when something is late, lost or refused: see checkout_conformance.h. */
#include "tech-locking-and-transactions/checkout_suite_conformance.h"

#define KEEP_AWAY(operation_) \
	"{\"fault\":\"rate_limited\",\"operation\":\"" operation_ "\",\"rate\":1}"

/* Nothing was taken, nor will be; that what was reserved is given back, the judge sees. */
static const char *expect_nothing_kept(struct checkout_suite *suite)
{
	const struct checkout_factory *factory = suite->factory;
	CHECK(suite->seats, factory->wait_quiet(factory->context), "it does not come to rest");
	return buying_expect_ledger(suite, 0, "capture", 0);
}

static void clear_faults(struct checkout_suite *suite)
{
	simulator_fixture_clear_faults(suite->factory->simulator);
}

/* ---- the hold is over ---- */

const char *check_buy_expired_before(struct checkout_suite *suite)
{
	TRY(buying_hold(suite, 0, 2, BUYING_SECOND_MS));
	suite_pass(suite->seats, suite->seats->held[0].expires_at_ms);
	TRY(buying_ask(suite, 1));
	TRY(buying_expect(suite, 0, BUY_EXPIRED));
	return buying_expect_ledger(suite, 0, "authorization", 0);
}

/* The person does not prove in time who they are. */
const char *check_buy_expired_waiting(struct checkout_suite *suite)
{
	TRY(buying_hold(suite, 0, 2, 4 * (int64_t)BUYING_SECOND_MS));
	suite->requests[0].payment_method = slice_of(METHOD_PROOF);
	TRY(buying_finish(suite, 1));
	int64_t start_ms = suite_now_ms(suite->seats);
	while (suite->results[0].outcome == BUY_REQUIRES_ACTION &&
		suite_wait(suite->seats, start_ms))
		TRY(buying_ask(suite, 1));
	TRY(buying_expect(suite, 0, BUY_EXPIRED));
	TRY(expect_nothing_kept(suite));
	return buying_expect_hold(suite, 0, HOLD_EXPIRED);
}

/* The bank answers when the hold is over; and the answer to giving it back is lost. */
const char *check_buy_expired_authorized(struct checkout_suite *suite)
{
	buying_fault(suite, "{\"fault\":\"slow\",\"operation\":\"confirm\",\"ms\":4000}");
	buying_fault(suite, "{\"fault\":\"answer_lost\",\"operation\":\"cancel\"}");
	TRY(buying_hold(suite, 0, 2, 2 * (int64_t)BUYING_SECOND_MS));
	TRY(buying_finish(suite, 1));
	TRY(buying_expect(suite, 0, BUY_EXPIRED));
	TRY(expect_nothing_kept(suite));
	TRY(buying_expect_hold(suite, 0, HOLD_EXPIRED));
	return suite_expect(suite->seats, 0, 2, SEAT_AVAILABLE, "when the hold is over");
}

/* The sale waits for a lock until the hold is over: the moment is that of the lock. On a machine
 * that stood still it may have begun too late to tell; then it is tried again with a longer hold.
 */
const char *check_buy_wait_past_expiry(struct checkout_suite *suite)
{
	struct seat_suite *seats = suite->seats;
	const struct seat_store_factory *factory = seats->factory;
	bool waited = false;
	for (int64_t hold_ms = 3 * (int64_t)BUYING_SECOND_MS; !waited; hold_ms *= 2) {
		CHECK(seats, hold_ms < SUITE_PATIENCE_MS, "the sale never waits for the lock");
		TRY(buying_hold(suite, 0, 2, hold_ms));
		int64_t end_ms = seats->held[0].expires_at_ms;
		CHECK(seats,
			factory->block(factory->context, seats->event, suite->requests[0].hold) ==
				STATUS_OK,
			"the hold cannot be locked");
		const char *violation = buying_ask(suite, 1);
		while (suite_now_ms(seats) < end_ms && !waited)
			waited = factory->somebody_waits(factory->context);
		suite_pass(seats, end_ms);
		factory->unblock(factory->context);
		TRY(violation);
		TRY(buying_finish(suite, 1));
		TRY(buying_expect(suite, 0, BUY_EXPIRED));
	}
	return buying_expect_hold(suite, 0, HOLD_EXPIRED);
}

/* Given back while the bank is asked: it is not sold, and nothing is kept. */
const char *check_buy_released_meanwhile(struct checkout_suite *suite)
{
	buying_fault(suite, KEEP_AWAY("confirm"));
	TRY(buying_hold(suite, 0, 2, 0));
	TRY(buying_ask(suite, 1));
	TRY(buying_expect(suite, 0, BUY_PENDING));
	TRY(suite_release_one(suite->seats, 0));
	clear_faults(suite);
	TRY(buying_finish(suite, 1));
	TRY(buying_expect(suite, 0, BUY_NOT_HELD));
	TRY(expect_nothing_kept(suite));
	TRY(buying_expect_ledger(suite, 0, "authorization", 1));
	TRY(buying_expect_ledger(suite, 0, "void", 1));
	return buying_expect_hold(suite, 0, HOLD_RELEASED);
}

/* ---- the provider ---- */

static const char *buy_through(struct checkout_suite *suite, const char *const faults[])
{
	for (size_t i = 0; faults[i]; i++) {
		buying_fault(suite, faults[i]);
		TRY(buying_one(suite, METHOD_GOOD, BUY_PAID));
		TRY(buying_expect_ledger(suite, 0, "authorization", 1));
		TRY(buying_expect_ledger(suite, 0, "capture", 1));
		clear_faults(suite);
	}
	return NULL;
}

/* Done, and the answer is lost: it is asked again, and has its effect once. */
const char *check_buy_answers_lost(struct checkout_suite *suite)
{
	static const char *const faults[] = {
		"{\"fault\":\"answer_lost\",\"operation\":\"create\",\"count\":4}",
		"{\"fault\":\"answer_lost\",\"operation\":\"confirm\",\"count\":4}",
		"{\"fault\":\"answer_lost\",\"operation\":\"capture\",\"count\":4}", NULL};
	return buy_through(suite, faults);
}

/* An error that would be repeated for ever: asked for the state first, then with a new key. */
const char *check_buy_errors_stored(struct checkout_suite *suite)
{
	static const char *const faults[] = {
		"{\"fault\":\"error_500_stored\",\"operation\":\"create\"}",
		"{\"fault\":\"error_500_stored\",\"operation\":\"confirm\"}",
		"{\"fault\":\"error_500_stored\",\"operation\":\"confirm\",\"applied\":true}",
		"{\"fault\":\"error_500_stored\",\"operation\":\"capture\"}",
		"{\"fault\":\"error_500_stored\",\"operation\":\"capture\",\"applied\":true}",
		NULL};
	return buy_through(suite, faults);
}

/* Ask for recovery until it has found so many open: one that a stage has in hand just now is left
 * to it. */
static const char *recover_until(struct checkout_suite *suite, bool (*is_enough)(size_t open))
{
	struct seat_suite *seats = suite->seats;
	struct recovery recovery;
	int64_t start_ms = suite_now_ms(seats);
	do
		CHECK(seats,
			checkout_recover(suite->checkout, CHECKOUT_BATCH_MAX, &recovery) ==
				STATUS_OK,
			"it cannot be recovered");
	while (!is_enough(recovery.open) && suite_wait(seats, start_ms));
	CHECK(seats, is_enough(recovery.open), "recover finds %zu open", recovery.open);
	return NULL;
}

static bool some(size_t open)
{
	return open > 0;
}

static bool none(size_t open)
{
	return open == 0;
}

static const char *buy_without_provider(struct checkout_suite *suite)
{
	TRY(buying_hold(suite, 0, 2, 0));
	TRY(buying_ask(suite, 1));
	TRY(buying_expect(suite, 0, BUY_PENDING));
	return recover_until(suite, some);
}

/* Nobody is there: pending. When it is back, `recover` is a good time to go on. */
const char *check_buy_provider_down(struct checkout_suite *suite)
{
	struct simulator_fixture *simulator = suite->factory->simulator;
	simulator_fixture_kill(simulator);
	const char *violation = buy_without_provider(suite);
	CHECK(suite->seats, simulator_fixture_start_again(simulator) == STATUS_OK,
		"the provider does not start");
	TRY(violation);
	TRY(recover_until(suite, none));
	TRY(buying_wait_status(suite, ORDER_PAID));
	TRY(buying_ask(suite, 1));
	TRY(buying_expect(suite, 0, BUY_PAID));
	return buying_expect_ledger(suite, 0, "authorization", 1);
}

/* It takes longer than the buyer waits. */
const char *check_buy_provider_slow(struct checkout_suite *suite)
{
	buying_fault(suite, KEEP_AWAY("confirm"));
	TRY(buying_hold(suite, 0, 2, 0));
	TRY(buying_ask(suite, 1));
	TRY(buying_expect(suite, 0, BUY_PENDING));
	/* Nobody else may buy it meanwhile. */
	suite->requests[1] = suite->requests[0];
	suite->requests[1].order = suite_id(suite->seats);
	TRY(buying_ask(suite, 2));
	TRY(buying_expect(suite, 0, BUY_PENDING));
	TRY(buying_expect(suite, 1, BUY_OTHER_ORDER));
	clear_faults(suite);
	buying_fault(suite, "{\"fault\":\"slow\",\"operation\":\"capture\",\"ms\":4000}");
	TRY(buying_finish(suite, 1));
	return buying_expect(suite, 0, BUY_PAID);
}

/* The reservation is gone when the money is to be taken: the tickets are void, the seats free. */
const char *check_buy_capture_refused(struct checkout_suite *suite)
{
	char reference[PAYMENT_REFERENCE_SIZE];
	buying_fault(suite, KEEP_AWAY("capture"));
	TRY(buying_hold(suite, 0, 2, 0));
	TRY(buying_ask(suite, 1));
	TRY(buying_expect(suite, 0, BUY_PENDING));
	TRY(buying_wait_status(suite, ORDER_CAPTURING));
	TRY(suite_expect(suite->seats, 0, 2, SEAT_SOLD, "before the money is taken"));
	TRY(buying_meddle(suite, buying_reference(suite, 0, reference), "cancel"));
	clear_faults(suite);
	TRY(buying_finish(suite, 1));
	TRY(buying_expect(suite, 0, BUY_DECLINED));
	CHECK(suite->seats, suite->results[0].ticket_count == 0, "there are tickets");
	TRY(expect_nothing_kept(suite));
	TRY(buying_expect_hold(suite, 0, HOLD_REVOKED));
	TRY(suite_expect(suite->seats, 0, 2, SEAT_AVAILABLE, "after it was revoked"));
	suite->next_seat = 0;
	return buying_one(suite, METHOD_GOOD, BUY_PAID);
}

/* ---- the databases ---- */

/* Whatever a call answers, it is asked again. */
static const char *finish_anyhow(struct checkout_suite *suite)
{
	int64_t start_ms = suite_now_ms(suite->seats);
	enum status status;
	do {
		arena_reset(&suite->arena);
		status = checkout_buy(
			suite->checkout, suite->requests, suite->results, 1, &suite->arena);
	} while ((status != STATUS_OK || suite->results[0].outcome == BUY_PENDING) &&
		suite_wait(suite->seats, start_ms));
	CHECK(suite->seats, status == STATUS_OK, "buy is %s", status_name(status));
	return NULL;
}

/* kill -9 before it is authorized, and again before the money is taken. */
static const char *restart(struct checkout_suite *suite, enum status (*restart_it)(void *context))
{
	static const char *const faults[] = {KEEP_AWAY("confirm"), KEEP_AWAY("capture")};
	for (size_t i = 0; i < 2; i++) {
		buying_fault(suite, faults[i]);
		TRY(buying_hold(suite, 0, 2, 0));
		TRY(buying_ask(suite, 1));
		TRY(buying_expect(suite, 0, BUY_PENDING));
		CHECK(suite->seats, restart_it(suite->factory->context) == STATUS_OK,
			"the database does not start");
		clear_faults(suite);
		TRY(finish_anyhow(suite));
		TRY(buying_expect(suite, 0, BUY_PAID));
		TRY(buying_expect_ledger(suite, 0, "authorization", 1));
		TRY(buying_expect_ledger(suite, 0, "capture", 1));
	}
	return NULL;
}

const char *check_buy_restart_seats(struct checkout_suite *suite)
{
	if (!checkout_traits(suite->checkout)->survives_seats)
		return NULL;
	return restart(suite, suite->factory->restart_seats);
}

const char *check_buy_restart_orders(struct checkout_suite *suite)
{
	if (!checkout_traits(suite->checkout)->survives_orders)
		return NULL;
	return restart(suite, suite->factory->restart_orders);
}

/* ---- what nobody foresaw ---- */

/* Somebody has taken the money behind our back. No rule says what now, so a person has to look; it
 * is shown, and never taken for paid. */
const char *check_buy_stuck(struct checkout_suite *suite)
{
	struct seat_suite *seats = suite->seats;
	char reference[PAYMENT_REFERENCE_SIZE];
	struct stuck_order found[CHECKOUT_BATCH_MAX];
	size_t count = 0, i = 0;
	TRY(buying_one(suite, METHOD_PROOF, BUY_REQUIRES_ACTION));
	TRY(buying_proof_reference(suite, 0, reference));
	buying_fault(suite, KEEP_AWAY("retrieve"));
	TRY(buying_prove(suite, 0, "succeeded"));
	TRY(buying_meddle(suite, reference, "capture"));
	clear_faults(suite);
	int64_t start_ms = suite_now_ms(seats);
	do {
		arena_reset(&suite->arena);
		CHECK(seats,
			checkout_stuck(suite->checkout, CHECKOUT_BATCH_MAX, found, &count,
				&suite->arena) == STATUS_OK,
			"the stuck ones cannot be read");
		for (i = 0; i < count; i++)
			if (seat_ids_equal(found[i].order, suite->requests[0].order))
				break;
	} while (i == count && suite_wait(seats, start_ms));
	CHECK(seats, i < count, "it is not among the %zu stuck ones", count);
	CHECK(seats, slice_is(found[i].reference, reference) && found[i].note.size > 0,
		"it says %.*s of %.*s", SLICE_PRINT(found[i].note),
		SLICE_PRINT(found[i].reference));
	CHECK(seats, seat_ids_equal(found[i].event, seats->event), "it has another event");
	TRY(buying_expect_hold(suite, 0, HOLD_LIVE));
	suite->leaves_something_wrong = true;
	return NULL;
}
