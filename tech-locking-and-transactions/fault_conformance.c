/* Answers that are lost, and services that die. Part of the suite. */
#include <inttypes.h>

#include "tech-locking-and-transactions/seat_suite_conformance.h"

/* ---- an answer that is lost after its effect ---- */

static const char *lose_hold(struct seat_suite *suite, struct seat_store *store, int first)
{
	const struct seat_store_factory *factory = suite->factory;
	suite_ask(suite, 0, &(struct suite_ask){.first = first, .count = 2});
	factory->lose_answer(factory->context);
	enum status status = seat_store_hold(store, suite->holds, suite->held, 1);
	CHECK(suite, status == STATUS_UNKNOWN, "a hold whose answer is lost has status %d",
		(int)status);
	TRY(suite_expect(suite, first, 2, SEAT_HELD, "after the answer was lost"));
	TRY(suite_hold(suite, 1, 1));
	CHECK(suite, suite->held[0].outcome == HOLD_GRANTED && suite->held[0].version == 1,
		"a hold whose answer was lost is %s when it is repeated",
		hold_outcome_name(suite->held[0].outcome));
	struct hold_result first_answer = suite->held[0];
	status = seat_store_hold(store, suite->holds, suite->held, 1);
	CHECK(suite,
		status == STATUS_OK && suite->held[0].outcome == HOLD_GRANTED &&
			suite->held[0].expires_at_ms == first_answer.expires_at_ms,
		"the same instance answers status %d", (int)status);
	return NULL;
}

static const char *lose_sale(struct seat_suite *suite, struct seat_store *store, int first)
{
	const struct seat_store_factory *factory = suite->factory;
	/* The last answer cost it its connection: let it prepare anew, by a sale that was made. */
	enum status status = seat_store_sell(store, suite->sells, suite->sold, 1);
	CHECK(suite, status == STATUS_OK && suite->sold[0].outcome == SELL_SOLD,
		"after a lost answer, the status of a call is %d", (int)status);
	suite_offer(suite, 0, suite_id(suite));
	factory->lose_answer(factory->context);
	status = seat_store_sell(store, suite->sells, suite->sold, 1);
	CHECK(suite, status == STATUS_UNKNOWN, "a sale whose answer is lost has status %d",
		(int)status);
	TRY(suite_expect(suite, first, 2, SEAT_SOLD, "after the answer was lost"));
	TRY(suite_sell(suite, 1, 1));
	CHECK(suite, suite->sold[0].outcome == SELL_SOLD,
		"a sale whose answer was lost is %s when it is repeated",
		sell_outcome_name(suite->sold[0].outcome));
	return NULL;
}

static const char *lose_both(struct seat_suite *suite, struct seat_store *store)
{
	/* So that nothing is left to be prepared. */
	suite_ask(suite, 0, &(struct suite_ask){.first = 0, .count = 2});
	CHECK(suite,
		seat_store_hold(store, suite->holds, suite->held, 1) == STATUS_OK &&
			suite->held[0].outcome == HOLD_GRANTED,
		"nothing can be held");
	suite_offer(suite, 0, suite_id(suite));
	CHECK(suite,
		seat_store_sell(store, suite->sells, suite->sold, 1) == STATUS_OK &&
			suite->sold[0].outcome == SELL_SOLD,
		"nothing can be sold");
	TRY(lose_hold(suite, store, 2));
	return lose_sale(suite, store, 2);
}

const char *check_lost_answer(struct seat_suite *suite)
{
	const struct seat_store_factory *factory = suite->factory;
	struct seat_store *store;
	if (!factory->open_faulty)
		return NULL;
	TRY(suite_stock(suite, 6));
	CHECK(suite, factory->open_faulty(factory->context, &store) == STATUS_OK,
		"an instance cannot be opened");
	const char *violation = lose_both(suite, store);
	seat_store_close(store);
	return violation;
}

/* ---- kill -9 ---- */

/* A service that has just died may not answer the first time, and says so. */
static const char *hold_patiently(struct seat_suite *suite)
{
	int64_t start_ms = suite_now_ms(suite);
	enum status status;
	do
		status = seat_store_hold(suite->stores[0], suite->holds, suite->held, 1);
	while (status != STATUS_OK && suite_wait(suite, start_ms));
	CHECK(suite, status == STATUS_OK, "after a restart the status stays %d", (int)status);
	return NULL;
}

const char *check_restart(struct seat_suite *suite)
{
	const struct seat_store_factory *factory = suite->factory;
	struct hold_result before[SEAT_STORE_BATCH_MAX];
	if (!suite->traits->durable)
		return NULL;
	TRY(suite_stock(suite, 8));
	for (int i = 0; i < 4; i++)
		suite_ask(suite, (size_t)i, &(struct suite_ask){.first = 2 * i, .count = 1});
	TRY(suite_hold(suite, 0, 4));
	for (size_t i = 0; i < 4; i++) {
		before[i] = suite->held[i];
		suite_offer(suite, i, suite_id(suite));
	}
	TRY(suite_sell(suite, 0, 2));
	CHECK(suite, factory->restart && factory->restart(factory->context) == STATUS_OK,
		"the service cannot be restarted");
	TRY(hold_patiently(suite));
	/* The other instance has still to find out that its connection is gone. */
	int64_t start_ms = suite_now_ms(suite);
	while (suite_view(suite, 1) && suite_wait(suite, start_ms))
		;
	TRY(suite_hold(suite, 0, 4));
	for (size_t i = 0; i < 4; i++)
		CHECK(suite,
			suite->held[i].outcome == HOLD_GRANTED &&
				suite->held[i].expires_at_ms == before[i].expires_at_ms &&
				suite->held[i].version == before[i].version,
			"hold %zu was acknowledged, and after kill -9 it is %s", i,
			hold_outcome_name(suite->held[i].outcome));
	for (int i = 0; i < 4; i++)
		TRY(suite_expect(suite, 2 * i, 1, i < 2 ? SEAT_SOLD : SEAT_HELD, "after kill -9"));
	TRY(suite_sell(suite, 1, 4));
	for (size_t i = 0; i < 4; i++)
		CHECK(suite, suite->sold[i].outcome == SELL_SOLD, "after kill -9, sale %zu is %s",
			i, sell_outcome_name(suite->sold[i].outcome));
	return NULL;
}
