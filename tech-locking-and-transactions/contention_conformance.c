/* Many at once, each with an instance of its own. Part of the suite.
 *
 * What everybody was told is kept beside the store, and held against it and against itself. */
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "tech-locking-and-transactions/seat_suite_conformance.h"

enum { BUYERS = 64, FIELD = 100, ATTEMPTS = 6, CROWD = 200, ROUNDS = 12, SHORT_MS = 3 };

/* How often each seat was granted and sold, as the buyers heard. */
struct heard {
	int granted[FIELD], sold[FIELD];
	int grants;
};

static void hear(int *count)
{
	__atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
}

/* ---- a crowd before one seat ---- */

static const char *want_one_seat(struct seat_suite *suite, int number, void *shared)
{
	struct heard *heard = shared;
	int requests = CROWD / BUYERS + (number < CROWD % BUYERS);
	for (int i = 0; i < requests; i++)
		suite_ask(suite, (size_t)i, &(struct suite_ask){.first = 1, .count = 1});
	size_t done = 0;
	while (done < (size_t)requests) { /* Each in a call of its own. */
		suite->holds[0] = suite->holds[done];
		TRY(suite_hold(suite, 0, 1));
		CHECK(suite,
			suite->held[0].outcome == HOLD_GRANTED ||
				suite->held[0].outcome == HOLD_TAKEN,
			"in a crowd, a hold is %s", hold_outcome_name(suite->held[0].outcome));
		if (suite->held[0].outcome == HOLD_GRANTED)
			hear(&heard->granted[1]);
		done++;
	}
	return NULL;
}

const char *check_one_seat(struct seat_suite *suite)
{
	struct heard heard = {0};
	TRY(suite_stock(suite, 3));
	TRY(suite_parallel(suite, BUYERS, want_one_seat, &heard));
	CHECK(suite, heard.granted[1] == 1, "one seat was granted to %d of %d", heard.granted[1],
		CROWD);
	return suite_expect(suite, 1, 1, SEAT_HELD, "after the crowd");
}

/* ---- many buyers, few seats ---- */

static const char *buy_some(struct seat_suite *suite, int number, void *shared)
{
	struct heard *heard = shared;
	(void)number;
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		int count = (int)random_between(&suite->random, 1, 4);
		int first = (int)random_between(&suite->random, 0, FIELD - count);
		TRY(suite_hold_one(suite, 0,
			&(struct suite_ask){.first = first,
				.count = count,
				.reverse = random_chance(&suite->random, 1, 2)}));
		if (suite->held[0].outcome != HOLD_GRANTED)
			continue;
		suite_offer(suite, 0, suite_id(suite));
		if (random_chance(&suite->random, 1, 4)) {
			TRY(suite_release_one(suite, 0));
			CHECK(suite, suite->released[0] == RELEASE_RELEASED,
				"one's own hold cannot be released");
			continue;
		}
		for (int i = first; i < first + count; i++)
			hear(&heard->granted[i]);
		TRY(suite_sell(suite, 0, 1));
		CHECK(suite, suite->sold[0].outcome == SELL_SOLD, "one's own live hold is %s",
			sell_outcome_name(suite->sold[0].outcome));
		for (int i = first; i < first + count; i++)
			hear(&heard->sold[i]);
	}
	return NULL;
}

const char *check_hundred_seats(struct seat_suite *suite)
{
	struct heard heard = {0};
	TRY(suite_stock(suite, FIELD));
	TRY(suite_parallel(suite, BUYERS, buy_some, &heard));
	TRY(suite_view(suite, 0));
	for (int i = 0; i < FIELD; i++) {
		CHECK(suite, heard.sold[i] <= 1 && heard.granted[i] == heard.sold[i],
			"seat %d was granted for good %d times and sold %d times", i,
			heard.granted[i], heard.sold[i]);
		CHECK(suite, (suite->views[i].status == SEAT_SOLD) == heard.sold[i],
			"seat %d is %s and was sold %d times", i,
			seat_status_name(suite->views[i].status), heard.sold[i]);
	}
	return NULL;
}

/* ---- groups that overlap, in opposite orders ---- */

static const char *group(struct seat_suite *suite, int number, void *shared)
{
	struct heard *heard = shared;
	for (int round = 0; round < ROUNDS; round++) {
		TRY(suite_hold_one(suite, 0,
			&(struct suite_ask){.first = number % 3,
				.count = 8,
				.reverse = (number + round) % 2 == 1}));
		CHECK(suite,
			suite->held[0].outcome == HOLD_GRANTED ||
				suite->held[0].outcome == HOLD_TAKEN,
			"a group's hold is %s", hold_outcome_name(suite->held[0].outcome));
		if (suite->held[0].outcome != HOLD_GRANTED)
			continue;
		hear(&heard->grants);
		TRY(suite_release_one(suite, 0));
	}
	return NULL;
}

/* A deadlock that is not resolved would be a status, which is a violation. */
const char *check_opposite_orders(struct seat_suite *suite)
{
	struct heard heard = {0};
	TRY(suite_stock(suite, 12));
	TRY(suite_parallel(suite, 16, group, &heard));
	CHECK(suite, heard.grants > 0, "no group was ever granted its seats");
	return suite_expect(suite, 0, 12, SEAT_AVAILABLE, "after all groups have left");
}

/* ---- a request that comes to nothing, beside one that is for the same seat ---- */

static const char *ask_in_vain(struct seat_suite *suite)
{
	suite_ask(suite, 0, &(struct suite_ask){.first = 1, .count = 2});
	suite->seats[0][1] = slice_of("nowhere");
	TRY(suite_hold(suite, 0, 1));
	CHECK(suite, suite->held[0].outcome == HOLD_NO_SUCH_SEAT,
		"a seat that does not exist is %s", hold_outcome_name(suite->held[0].outcome));
	return NULL;
}

static const char *meet_nobody(struct seat_suite *suite, int number, void *shared)
{
	(void)shared;
	for (int round = 0; round < 4 * ROUNDS; round++) {
		if (number == 0) {
			TRY(ask_in_vain(suite));
			continue;
		}
		TRY(suite_hold_one(suite, 0, &(struct suite_ask){.first = 1, .count = 1}));
		CHECK(suite, suite->held[0].outcome == HOLD_GRANTED,
			"a seat that another only asks for is %s",
			hold_outcome_name(suite->held[0].outcome));
		TRY(suite_release_one(suite, 0));
	}
	return NULL;
}

const char *check_exact_refusals(struct seat_suite *suite)
{
	if (!suite->traits->exact_refusals)
		return NULL;
	TRY(suite_stock(suite, 3));
	TRY(suite_parallel(suite, 2, meet_nobody, NULL));
	return suite_expect(suite, 0, 3, SEAT_AVAILABLE, "after it was released");
}

/* ---- the same request, twice at once ---- */

struct twin {
	struct suite_ask ask;
	struct id order;
	struct hold_result held[2];
	struct sell_result sold[2];
};

static const char *hold_as_twin(struct seat_suite *suite, int number, void *shared)
{
	struct twin *twin = shared;
	TRY(suite_hold_one(suite, 0, &twin->ask));
	twin->held[number] = suite->held[0];
	suite_offer(suite, 0, twin->order);
	TRY(suite_sell(suite, 0, 1));
	twin->sold[number] = suite->sold[0];
	return NULL;
}

const char *check_repeated_in_flight(struct seat_suite *suite)
{
	TRY(suite_stock(suite, 2 * ROUNDS));
	for (int round = 0; round < ROUNDS; round++) {
		struct twin twin = {
			.ask = {.hold = suite_id(suite), .first = 2 * round, .count = 2},
			.order = suite_id(suite)};
		TRY(suite_parallel(suite, 2, hold_as_twin, &twin));
		for (int i = 0; i < 2; i++)
			CHECK(suite,
				twin.held[i].outcome == HOLD_GRANTED &&
					twin.sold[i].outcome == SELL_SOLD,
				"of a request that was made twice at once, one is %s and %s",
				hold_outcome_name(twin.held[i].outcome),
				sell_outcome_name(twin.sold[i].outcome));
		CHECK(suite,
			twin.held[0].version == twin.held[1].version &&
				twin.held[0].expires_at_ms == twin.held[1].expires_at_ms &&
				twin.held[0].total == twin.held[1].total,
			"a request that was made twice at once has two answers");
	}
	return suite_expect(suite, 0, 2 * ROUNDS, SEAT_SOLD, "after all was bought twice at once");
}

/* ---- holds that end all the time, while they are sold, released and tidied up ---- */

static const char *hurry(struct seat_suite *suite, int number, void *shared)
{
	struct heard *heard = shared;
	for (int round = 0; round < 2 * ROUNDS; round++) {
		int first = (int)random_below(&suite->random, 10);
		if (number == 0) {
			TRY(suite_expire(suite, 0, 4));
			continue;
		}
		TRY(suite_hold_one(suite, 0,
			&(struct suite_ask){.first = first, .count = 3, .hold_ms = SHORT_MS}));
		if (suite->held[0].outcome != HOLD_GRANTED)
			continue;
		hear(&heard->grants);
		suite_offer(suite, 0, suite_id(suite));
		TRY(suite_sell(suite, 0, 1));
		if (suite->sold[0].outcome == SELL_EXPIRED)
			continue;
		CHECK(suite, suite->sold[0].outcome == SELL_SOLD, "a sale in a hurry is %s",
			sell_outcome_name(suite->sold[0].outcome));
		for (int i = first; i < first + 3; i++)
			hear(&heard->sold[i]);
		for (int i = first; i < first + 3; i++)
			__atomic_sub_fetch(&heard->sold[i], 1, __ATOMIC_SEQ_CST);
		TRY(suite_revoke_one(suite, 0, suite->sells[0].order));
	}
	return NULL;
}

const char *check_sell_and_expire(struct seat_suite *suite)
{
	struct heard heard = {0};
	TRY(suite_stock(suite, 12));
	TRY(suite_parallel(suite, 12, hurry, &heard));
	CHECK(suite, heard.grants > 0, "nobody was ever granted a seat");
	suite_pass(suite, suite_now_ms(suite) + SHORT_MS);
	do
		TRY(suite_expire(suite, 0, SEAT_STORE_BATCH_MAX));
	while (suite->expired_count == SEAT_STORE_BATCH_MAX);
	return suite_expect(suite, 0, 12, SEAT_AVAILABLE, "after all holds have ended");
}
