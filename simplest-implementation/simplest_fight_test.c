/* 64 buyers fight over 100 seats: each seat is sold once, and all counts agree. Then the same fight
 * with the guards off, which the same judge must find out; otherwise its silence means nothing. */
#include "simplest-implementation/simplest_fight_fixture.h"
#include "simplest-implementation/simplest_judge_fixture.h"

enum {
	ROUNDS = 2,
	ROUNDS_FULL = 100,
	CONTROL_ROUNDS_MAX = 30, /* The first one is enough, as a rule. */
	PURCHASES_MIN = 20,      /* A fight with less has proved little. */
};

static struct fight fight;

static int start(void **state)
{
	(void)state;
	SERVER_START("HOLD_DURATION=10m");
	return 0;
}

static void each_seat_is_sold_once(void **state)
{
	(void)state;
	uint64_t rounds = test_is_full() ? ROUNDS_FULL : ROUNDS;
	for (uint64_t round = 0; round < rounds; round++) {
		fight_start(&fight, round, FIGHT_CALM);
		fight_join(&fight);
		fight_want_order(&fight);
		assert_true(atomic_load(&fight.purchase_count) >= PURCHASES_MIN);
		fight_release(&fight);
	}
	/* Seats are locked in one order, so that holds in opposite orders never deadlock. */
	server_stop();
	assert_int_equal(0,
		database_count("select deadlocks from pg_stat_database "
			       "where datname = current_database()"));
	assert_false(server_has_logged("deadlock"));
}

/* A judge that finds nothing has to be able to find something: spoil what a fight has left, one
 * thing after the other. */
static void judge_sees_what_is_spoiled(void **state)
{
	(void)state;
	static const struct {
		enum judged judged;
		const char *sql; /* What follows is about the event; empty: spoiled already. */
	} cases[] = {
		{JUDGED_ORDERS_AT_ODDS_WITH_CHARGES, "update charges set amount = amount + 1"},
		{JUDGED_ORDERS_AT_ODDS_WITH_PRICES, "update orders set total = total + 1"},
		{JUDGED_ORDERS_AT_ODDS_WITH_HOLDS, "update orders set user_id = 'another'"},
		{JUDGED_LOST_HOLDS, "update holds set status = 'expired'"},
		{JUDGED_SEATS_AT_ODDS_WITH_HOLDS, "update holds set status = 'held'"},
		{JUDGED_ORDERS_WITHOUT_ANSWER,
			"with gone as (delete from idempotency_keys) "
			"delete from charges"},
		{JUDGED_LOST_TICKETS, "delete from tickets"},
		{JUDGED_SEATS_AT_ODDS_WITH_TICKETS, ""},
		{JUDGED_MISSING_SEATS, "delete from seat_inventory"},
		{JUDGED_MISCOUNTED, ""},
	};
	fight_start(&fight, UINT32_MAX, FIGHT_CALM);
	fight_join(&fight);
	fight_want_order(&fight);
	json_t *history = fight_history(&fight), *nothing = json_array();
	struct verdict verdict = judge(fight.event, FIGHT_SEATS, nothing);
	assert_true(verdict.found[JUDGED_UNTOLD_HOLDS] > 0);
	assert_true(verdict.found[JUDGED_UNTOLD_TICKETS] > 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (*cases[i].sql)
			database_run(text("%s where event_id = '%s'", cases[i].sql, fight.event));
		verdict = judge(fight.event, FIGHT_SEATS, history);
		if (verdict.found[cases[i].judged] == 0)
			fail_msg("%s: %s", cases[i].sql, verdict.words);
	}
	json_decref(nothing);
	json_decref(history);
	fight_release(&fight);
}

#ifdef SIMPLEST_NEGATIVE_CONTROL

/* A worker for each buyer, so that a purchase need not wait until all who looked have taken. */
static int start_unlocked(void **state)
{
	(void)state;
	database_run("set client_min_messages = warning;"
		     "drop schema public cascade; create schema public");
	server_start("simplest-server-without-row-lock", (const char *const[]){"WORKERS=64", NULL});
	return 0;
}

/* One round, judged whatever its buyers have met. */
static struct verdict fight_unguarded(uint64_t round)
{
	fight_start(&fight, round, FIGHT_UNGUARDED);
	fight_join(&fight);
	json_t *history = fight_history(&fight);
	struct verdict verdict = judge(fight.event, FIGHT_SEATS, history);
	json_decref(history);
	fight_release(&fight);
	return verdict;
}

static void without_its_guards_the_judge_sees_a_double_sale(void **state)
{
	(void)state;
	struct verdict verdict = {.total = 0};
	database_run("alter table tickets drop constraint one_ticket_per_seat");
	for (uint64_t round = 0; round < CONTROL_ROUNDS_MAX; round++) {
		verdict = fight_unguarded(round);
		print_message("without guards: %s\n", verdict.words);
		if (verdict.found[JUDGED_SECOND_TICKETS] > 0 &&
			verdict.found[JUDGED_SOLD_TO_TWO] > 0)
			break;
	}
	assert_true(verdict.found[JUDGED_SECOND_TICKETS] > 0);
	assert_true(verdict.found[JUDGED_SOLD_TO_TWO] > 0);
}

/* The code would sell a seat twice; the database does not let it. */
static void constraint_alone_prevents_a_second_ticket(void **state)
{
	(void)state;
	size_t refused = 0;
	for (uint64_t round = 0; round < CONTROL_ROUNDS_MAX && refused == 0; round++) {
		struct verdict verdict = fight_unguarded(round);
		assert_int_equal(0, verdict.found[JUDGED_SECOND_TICKETS]);
		assert_int_equal(0, verdict.found[JUDGED_SOLD_TO_TWO]);
		assert_int_equal(0, verdict.found[JUDGED_LOST_TICKETS]);
		assert_int_equal(0, verdict.found[JUDGED_UNTOLD_TICKETS]);
		assert_int_equal(0, verdict.found[JUDGED_ORDERS_AT_ODDS_WITH_CHARGES]);
		refused += fight_failure_count(&fight);
	}
	/* And it has come to that. */
	assert_true(refused > 0);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVER_TEST(each_seat_is_sold_once, start),
		SERVER_TEST(judge_sees_what_is_spoiled, start),
#ifdef SIMPLEST_NEGATIVE_CONTROL
		SERVER_TEST(without_its_guards_the_judge_sees_a_double_sale, start_unlocked),
		SERVER_TEST(constraint_alone_prevents_a_second_ticket, start_unlocked),
#endif
	};
	return cmocka_run_group_tests(tests, simplest_set_up, simplest_tear_down);
}
