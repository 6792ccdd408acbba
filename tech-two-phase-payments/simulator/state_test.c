/* Tables, timers, the ledger, and idempotency by Stripe's rules. */
#include "tech-two-phase-payments/simulator/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/testkit/random.h"

enum { THINGS = 2000, STEPS = 20000 };

struct thing {
	char id[16];
	bool is_in;
	struct timer timer;
};

static struct thing things[THINGS];

static struct slice thing_id(const void *thing)
{
	return slice_of(((const struct thing *)thing)->id);
}

/* Put in and taken out at random, each is found exactly while it is in. */
static void test_table_against_a_flag(void **state)
{
	(void)state;
	struct random random;
	struct table table;
	random_init(&random, random_seed());
	table_init(&table, thing_id);
	assert_null(table_find(&table, slice_of("x")));
	for (size_t i = 0; i < THINGS; i++)
		snprintf(things[i].id, sizeof things[i].id, "t-%zu", i);
	for (size_t step = 0; step < STEPS; step++) {
		struct thing *thing = &things[random_below(&random, THINGS)];
		assert_ptr_equal(thing->is_in ? thing : NULL, table_find(&table, thing_id(thing)));
		if (thing->is_in)
			table_remove(&table, thing);
		else
			assert_int_equal(STATUS_OK, table_add(&table, thing));
		thing->is_in = !thing->is_in;
	}
	size_t count = 0;
	for (size_t i = 0; i < THINGS; i++) {
		count += things[i].is_in;
		assert_ptr_equal(things[i].is_in ? &things[i] : NULL,
			table_find(&table, thing_id(&things[i])));
	}
	assert_int_equal(count, table.count);
	table_release(&table);
}

static void test_timers_come_in_order(void **state)
{
	(void)state;
	struct random random;
	struct timers timers = {0};
	random_init(&random, random_seed());
	assert_true(timers_next_ms(&timers) == INT64_MAX);
	for (size_t i = 0; i < THINGS; i++) {
		things[i].timer = (struct timer){0};
		assert_int_equal(STATUS_OK,
			timers_add(&timers, &things[i].timer, (int64_t)random_below(&random, 100)));
	}
	for (size_t i = 0; i < THINGS; i += 3)
		timers_remove(&timers, &things[i].timer);
	timers_remove(&timers, &things[0].timer); /* Again does nothing. */
	assert_null(timers_pop(&timers, -1));
	struct timer *last = NULL, *timer;
	size_t count = 0;
	while ((timer = timers_pop_any(&timers))) {
		if (last)
			assert_true(last->due_ms < timer->due_ms ||
				(last->due_ms == timer->due_ms && last->order < timer->order));
		last = timer;
		count++;
	}
	assert_int_equal(THINGS - (THINGS + 2) / 3, count);
	timers_release(&timers);
}

static struct intent *new_intent(struct state *state, const char *currency)
{
	struct intent *intent = calloc(1, sizeof *intent);
	assert_non_null(intent);
	object_id_make("pi_", intent->id);
	snprintf(intent->currency, sizeof intent->currency, "%s", currency);
	assert_int_equal(STATUS_OK, state_add_intent(state, intent));
	return intent;
}

static void test_totals_are_per_currency(void **unused)
{
	(void)unused;
	struct state state;
	state_init(&state);
	struct intent *eur = new_intent(&state, "eur"), *usd = new_intent(&state, "usd");
	const struct ledger_entry entries[] = {{LEDGER_AUTHORIZATION, eur, NULL, 5000, 1},
		{LEDGER_AUTHORIZATION, usd, NULL, 700, 2}, {LEDGER_CAPTURE, eur, NULL, 3000, 3},
		{LEDGER_RELEASE, eur, NULL, 500, 4}, {LEDGER_VOID, usd, NULL, 200, 5},
		{LEDGER_EXPIRY, usd, NULL, 100, 6}, {LEDGER_REFUND, eur, NULL, 1000, 7}};
	for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
		assert_int_equal(STATUS_OK, ledger_add(&state.ledger, &entries[i]));
	assert_int_equal(2, state.ledger.total_count);
	assert_int_equal(1500, ledger_open_amount(&state.ledger.totals[0]));
	assert_int_equal(400, ledger_open_amount(&state.ledger.totals[1]));
	assert_int_equal(1000, state.ledger.totals[0].amounts[LEDGER_REFUND]);
	state_release(&state);
}

static void test_authorizations_expire_in_their_order(void **unused)
{
	(void)unused;
	struct state state;
	state_init(&state);
	struct intent *late = new_intent(&state, "eur"), *early = new_intent(&state, "eur");
	late->status = early->status = INTENT_REQUIRES_CAPTURE;
	late->capture_before_ms = 200;
	early->capture_before_ms = 100;
	snprintf(late->charge, sizeof late->charge, "ch_late");
	snprintf(early->charge, sizeof early->charge, "ch_early");
	assert_int_equal(STATUS_OK, state_touch_intent(&state, late));
	assert_int_equal(STATUS_OK, state_touch_intent(&state, early));
	assert_int_equal(STATUS_OK, state_touch_intent(&state, early)); /* Again. */
	assert_null(state_next_expired(&state, 99));
	assert_ptr_equal(early, state_next_expired(&state, 150));
	late->status = INTENT_SUCCEEDED;
	assert_int_equal(STATUS_OK, state_touch_intent(&state, late));
	assert_null(state_next_expired(&state, 1000));
	assert_ptr_equal(late, state_find_charge(&state, slice_of("ch_late")));
	state_release(&state);
}

static struct key *add_key(struct state *state, const char *text, uint8_t print, int64_t now_ms)
{
	struct key *key = key_new(slice_of(text));
	assert_non_null(key);
	memset(key->fingerprint, print, sizeof key->fingerprint);
	key->created_ms = now_ms;
	assert_int_equal(STATUS_OK, state_add_key(state, key));
	return key;
}

static void test_keys_by_stripes_rules(void **unused)
{
	(void)unused;
	struct state state;
	struct key *found = NULL;
	uint8_t same[KEY_FINGERPRINT_SIZE], other[KEY_FINGERPRINT_SIZE];
	memset(same, 1, sizeof same);
	memset(other, 2, sizeof other);
	state_init(&state);
	assert_int_equal(KEY_NEW, state_check_key(&state, slice_of("k"), same, &found));
	struct key *key = add_key(&state, "k", 1, 1000);
	key->busy = true;
	assert_int_equal(KEY_BUSY, state_check_key(&state, slice_of("k"), same, &found));
	assert_int_equal(KEY_MISMATCH, state_check_key(&state, slice_of("k"), other, &found));
	key->busy = false;
	assert_int_equal(KEY_REPLAY, state_check_key(&state, slice_of("k"), same, &found));
	assert_ptr_equal(key, found);
	assert_int_equal(KEY_MISMATCH, state_check_key(&state, slice_of("k"), other, &found));
	assert_int_equal(KEY_NEW, state_check_key(&state, slice_of("kk"), same, &found));
	state_release(&state);
}

static void test_keys_are_kept_for_a_day(void **unused)
{
	(void)unused;
	struct state state;
	struct key *found = NULL;
	uint8_t print[KEY_FINGERPRINT_SIZE];
	memset(print, 1, sizeof print);
	state_init(&state);
	add_key(&state, "old", 1, 1000);
	struct key *busy = add_key(&state, "busy", 1, 2000);
	add_key(&state, "new", 1, 3000);
	busy->busy = true;
	state_forget_keys(&state, 1000 + KEY_LIFETIME_MS - 1);
	assert_int_equal(KEY_REPLAY, state_check_key(&state, slice_of("old"), print, &found));
	state_forget_keys(&state, 2000 + KEY_LIFETIME_MS);
	assert_int_equal(KEY_NEW, state_check_key(&state, slice_of("old"), print, &found));
	assert_int_equal(KEY_BUSY, state_check_key(&state, slice_of("busy"), print, &found));
	busy->busy = false;
	state_forget_keys(&state, 3000 + KEY_LIFETIME_MS);
	assert_int_equal(0, state.keys.count);
	assert_null(state.key_first);
	add_key(&state, "old", 2, 4000 + KEY_LIFETIME_MS);
	assert_int_equal(1, state.keys.count);
	state_release(&state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_against_a_flag),
		cmocka_unit_test(test_timers_come_in_order),
		cmocka_unit_test(test_totals_are_per_currency),
		cmocka_unit_test(test_authorizations_expire_in_their_order),
		cmocka_unit_test(test_keys_by_stripes_rules),
		cmocka_unit_test(test_keys_are_kept_for_a_day),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
