/* Holds that end by themselves. Part of the suite.
 *
 * A check whose holds have to live for a moment is repeated with longer ones until the machine was
 * quick enough. */
#include <inttypes.h>
#include <pthread.h>

#include "tech-locking-and-transactions/seat_suite_conformance.h"

enum { SHORT_MS = 50, WINDOW_MS_FIRST = 500, WINDOW_MS_MAX = 32000 };

/* Hold for a short while and wait until that is over. */
static const char *hold_and_wait(struct seat_suite *suite, const struct suite_ask *ask)
{
	struct suite_ask brief = *ask;
	brief.hold_ms = SHORT_MS;
	TRY(suite_grant(suite, 0, &brief));
	suite_pass(suite, suite->held[0].expires_at_ms + (suite->traits->exact_expiry ? 0 : 1000));
	return NULL;
}

const char *check_expired_is_not_sold(struct seat_suite *suite)
{
	TRY(suite_stock(suite, 2));
	TRY(hold_and_wait(suite, &(struct suite_ask){.count = 2}));
	suite_offer(suite, 0, suite_id(suite));
	for (int swept = 0; swept < 2; swept++) {
		TRY(suite_sell(suite, swept, 1));
		CHECK(suite, suite->sold[0].outcome == SELL_EXPIRED,
			"the sale of an expired hold is %s",
			sell_outcome_name(suite->sold[0].outcome));
		TRY(suite_look_up(suite, 1, suite->holds[0].hold));
		CHECK(suite, suite->records[0].state == HOLD_EXPIRED, "an expired hold is %s",
			hold_state_name(suite->records[0].state));
		TRY(suite_expect(suite, 0, 2, SEAT_AVAILABLE, "after the hold's end"));
		TRY(suite_expire(suite, 0, SEAT_STORE_BATCH_MAX));
	}
	return NULL;
}

const char *check_expired_is_free(struct seat_suite *suite)
{
	TRY(suite_stock(suite, 3));
	TRY(hold_and_wait(suite, &(struct suite_ask){.person = "ann", .first = 0, .count = 2}));
	struct hold_request late = suite->holds[0];
	struct hold_result first = suite->held[0];
	TRY(suite_grant(suite, 1, &(struct suite_ask){.person = "bob", .first = 1, .count = 2}));
	CHECK(suite, suite->held[0].version == 2, "version %" PRId64 " of a seat taken over",
		suite->held[0].version);
	suite->holds[0] = late;
	suite->held[0] = first;
	suite_offer(suite, 0, suite_id(suite));
	TRY(suite_sell(suite, 0, 1));
	CHECK(suite, suite->sold[0].outcome == SELL_EXPIRED, "the sale of a lost hold is %s",
		sell_outcome_name(suite->sold[0].outcome));
	/* Tidying up must not take the seat from its new holder. */
	TRY(suite_expire(suite, 0, SEAT_STORE_BATCH_MAX));
	TRY(suite_expect(suite, 0, 1, SEAT_AVAILABLE, "after tidying up"));
	TRY(suite_expect(suite, 1, 2, SEAT_HELD, "after tidying up"));
	suite->holds[0].seats = suite->seats[0];
	suite->seats[0][0] = slice_of(suite->names[0]);
	suite->seats[0][1] = slice_of(suite->names[1]);
	TRY(suite_hold(suite, 1, 1));
	CHECK(suite,
		suite->held[0].outcome == HOLD_GRANTED && suite->held[0].version == first.version &&
			suite->held[0].expires_at_ms == first.expires_at_ms,
		"the repetition of an expired hold is %s",
		hold_outcome_name(suite->held[0].outcome));
	return suite_expect(suite, 0, 1, SEAT_AVAILABLE, "after an expired hold was repeated");
}

static bool was_expired(const struct seat_suite *suite, struct id hold)
{
	for (size_t i = 0; i < suite->expired_count; i++)
		if (seat_ids_equal(suite->expired[i].event, suite->event) &&
			seat_ids_equal(suite->expired[i].hold, hold))
			return true;
	return false;
}

/* Other checks may have left holds of theirs; so this one asks until nothing more comes. */
const char *check_expire(struct seat_suite *suite)
{
	enum { HOLDS = 5 };
	struct id holds[HOLDS];
	int found[HOLDS] = {0};
	TRY(suite_stock(suite, HOLDS + 1));
	TRY(suite_grant(suite, 0, &(struct suite_ask){.first = HOLDS, .count = 1}));
	for (int i = 0; i < HOLDS; i++) {
		holds[i] = suite_id(suite);
		TRY(hold_and_wait(
			suite, &(struct suite_ask){.hold = holds[i], .first = i, .count = 1}));
	}
	do {
		TRY(suite_expire(suite, 1, 2));
		CHECK(suite, suite->expired_count <= 2, "expire has ended more than it may");
		for (int i = 0; i < HOLDS; i++)
			found[i] += was_expired(suite, holds[i]);
		for (int i = 1; i < HOLDS; i++)
			CHECK(suite, found[i] <= found[i - 1],
				"a hold that ended later is tidied up earlier");
	} while (suite->expired_count == 2);
	for (int i = 0; i < HOLDS; i++)
		CHECK(suite, found[i] == 1, "an expired hold was tidied up %d times", found[i]);
	TRY(suite_expect(suite, HOLDS, 1, SEAT_HELD, "after tidying up"));
	TRY(suite_expect(suite, 0, HOLDS, SEAT_AVAILABLE, "after tidying up"));
	CHECK(suite, suite->views[0].version == 2, "version %" PRId64 " of a seat tidied up",
		suite->views[0].version);
	return NULL;
}

const char *check_release_expired(struct seat_suite *suite)
{
	TRY(suite_stock(suite, 2));
	TRY(hold_and_wait(suite, &(struct suite_ask){.count = 2}));
	for (int swept = 0; swept < 2; swept++) {
		TRY(suite_release_one(suite, swept));
		CHECK(suite, suite->released[0] == RELEASE_EXPIRED,
			"the release of an expired hold is %s",
			release_outcome_name(suite->released[0]));
		TRY(suite_expire(suite, 0, SEAT_STORE_BATCH_MAX));
		CHECK(suite, was_expired(suite, suite->holds[0].hold) == !swept,
			"the release of an expired hold has ended it");
	}
	return NULL;
}

/* ---- waiting for somebody who holds the lock until the hold is over ---- */

static void *sell_in_thread(void *context)
{
	struct seat_suite *suite = context;
	enum status status = seat_store_sell(suite->stores[1], suite->sells, suite->sold, 1);
	if (status != STATUS_OK)
		suite->sold[0].outcome = SELL_MALFORMED;
	return NULL;
}

/* `*conclusive`: the sale had begun to wait before the hold was over. */
static const char *wait_past_expiry(struct seat_suite *suite, int64_t hold_ms, bool *conclusive)
{
	const struct seat_store_factory *factory = suite->factory;
	pthread_t thread;
	TRY(suite_grant(suite, 0, &(struct suite_ask){.count = 2, .hold_ms = hold_ms}));
	suite_offer(suite, 0, suite_id(suite));
	CHECK(suite,
		factory->block(factory->context, suite->event, suite->holds[0].hold) == STATUS_OK,
		"a hold cannot be blocked");
	bool started = pthread_create(&thread, NULL, sell_in_thread, suite) == 0;
	int64_t start_ms = suite_now_ms(suite);
	bool waits = false;
	while (started && !waits && suite_wait(suite, start_ms))
		waits = factory->somebody_waits(factory->context);
	*conclusive = waits && suite_now_ms(suite) < suite->held[0].expires_at_ms;
	suite_pass(suite, suite->held[0].expires_at_ms);
	factory->unblock(factory->context);
	if (started)
		pthread_join(thread, NULL);
	CHECK(suite, started && waits, "a sale does not wait for who holds the lock");
	CHECK(suite, suite->sold[0].outcome == SELL_EXPIRED,
		"a sale that waited until its hold was over is %s",
		sell_outcome_name(suite->sold[0].outcome));
	return NULL;
}

const char *check_wait_past_expiry(struct seat_suite *suite)
{
	if (!suite->factory->block)
		return NULL;
	TRY(suite_stock(suite, 2));
	/* So that nothing is left to be done for the first time. */
	TRY(suite_grant(suite, 1, &(struct suite_ask){.count = 1}));
	suite_offer(suite, 0, suite_id(suite));
	TRY(suite_sell(suite, 1, 1));
	TRY(suite_revoke_one(suite, 1, suite->sells[0].order));
	for (int64_t ms = WINDOW_MS_FIRST; ms <= WINDOW_MS_MAX; ms *= 2) {
		bool conclusive = false;
		TRY(wait_past_expiry(suite, ms, &conclusive));
		if (conclusive)
			return NULL;
	}
	return suite_violation(suite, "the machine is too slow to tell");
}
