/* The fight goes on while the server is killed, PostgreSQL is killed, or both: what was
 * acknowledged is there afterwards, nothing is half done, and the server recovers by itself. */
#include <signal.h>

#include "simplest-implementation/simplest_fight_fixture.h"

enum {
	SERVER_KILLS = 4,
	DATABASE_KILLS = 1,
	KILLS_FULL = 100,
	KILLS_PER_ROUND_MAX = 4,
	ROUNDS_MAX = 300,
	PURCHASES_BETWEEN_MAX = 6,
	DELAY_MS_MAX = 20,
	NOTICE_MS_MAX = 60000,
	RECOVER_MS_MAX = 60000,
	END_MS_MAX = 20000,
	BLOCKED_PURCHASES = 8,
};

static struct fight fight;
static struct random chance;

static int start(void **state)
{
	(void)state;
	SERVER_START(fixed_port(), "HOLD_DURATION=10m", "SWEEP_INTERVAL=100ms");
	return 0;
}

/* One that waits for its database no longer than its users' servers do. */
static int start_hasty(void **state)
{
	(void)state;
	SERVER_START(fixed_port(), "HOLD_DURATION=10m", "DATABASE_TIMEOUT=2s");
	return 0;
}

/* Come to a moment in the middle of the fight that the seed chooses. False: it was over before. */
static bool await_moment(void)
{
	size_t more = 1 + random_below(&chance, PURCHASES_BETWEEN_MAX);
	if (!fight_reaches(&fight, atomic_load(&fight.purchase_count) + more))
		return false;
	pause_ms(random_between(&chance, 0, DELAY_MS_MAX));
	return atomic_load(&fight.finished_count) < FIGHT_BUYERS;
}

/* Come to a moment at which a request is under way for certain: it waits for a lock that we have,
 * and that PQfinish gives back. NULL: the fight was over before. */
static PGconn *await_request(void)
{
	PGconn *lock = database_lock(text(
		"select from seat_inventory where event_id = '%s' order by seat_id", fight.event));
	int64_t deadline_ms = now_ms() + NOTICE_MS_MAX;
	while (database_count("select count(*) from pg_stat_activity "
			      "where %d = any (pg_blocking_pids(pid))",
		       PQbackendPID(lock)) == 0) {
		assert_true(now_ms() < deadline_ms);
		if (atomic_load(&fight.finished_count) == FIGHT_BUYERS) {
			PQfinish(lock);
			return NULL;
		}
		pause_ms(1);
	}
	return lock;
}

static void fight_begin(uint64_t round)
{
	fight_start(&fight, round, FIGHT_DISTURBED);
	random_init_stream(&chance, random_seed(), UINT64_MAX - round);
}

/* The fight ends and the judge finds nothing. Returns how many requests had to be sent again. */
static size_t fight_end(void)
{
	fight_join(&fight);
	fight_want_order(&fight);
	size_t count = fight_repetition_count(&fight);
	fight_release(&fight);
	return count;
}

/* A fight in whose middle a request waits for the lock that is returned. On a busy machine a fight
 * may be over before we come to look. */
static PGconn *fight_begin_busy(uint64_t round)
{
	for (uint64_t next = round;; next++) {
		assert_true(next < round + ROUNDS_MAX);
		fight_begin(next);
		PGconn *lock = await_moment() ? await_request() : NULL;
		if (lock)
			return lock;
		fight_end();
	}
}

static void killed_server_forgets_nothing(void **state)
{
	(void)state;
	int killed = 0, wanted = test_is_full() ? KILLS_FULL : SERVER_KILLS;
	size_t disturbing = 0;
	for (uint64_t round = 0; killed < wanted || disturbing == 0; round++) {
		int before = killed;
		size_t disturbed = 0;
		assert_true(round < ROUNDS_MAX);
		fight_begin(round);
		while (killed < before + KILLS_PER_ROUND_MAX && await_moment()) {
			/* Every other one when a request is under way; the others at any moment,
			 * which may be between two requests. */
			PGconn *lock = killed % 2 == 0 ? await_request() : NULL;
			disturbed += lock != NULL;
			server_crash();
			PQfinish(lock);
			server_start_again();
			killed++;
		}
		assert_true(fight_end() >= disturbed);
		disturbing += disturbed;
	}
}

/* Wait until /readyz says that PostgreSQL is what is missing. */
static void want_database_missed(void)
{
	const json_t *missing = NULL;
	int64_t deadline_ms = now_ms() + NOTICE_MS_MAX;
	while (json_array_size(missing) != 1) {
		assert_true(now_ms() < deadline_ms);
		wait_for_status("/readyz", 503, NOTICE_MS_MAX);
		missing = json_object_get(simplest.json, "missing");
	}
	assert_string_equal("postgres", json_string_value(json_array_get(missing, 0)));
	want_problem("unavailable");
	assert_non_null(http_client_reply_header(&simplest.reply, "Retry-After"));
	/* Which is no reason to restart the server. */
	assert_string_equal("ok", string_at(look("/healthz"), "status"));
}

static void killed_database_forgets_nothing(void **state)
{
	(void)state;
	pid_t server = simplest.server.pid;
	int killed = 0, wanted = test_is_full() ? KILLS_FULL : DATABASE_KILLS;
	size_t disturbing = 0;
	for (uint64_t round = 1000; killed < wanted || disturbing == 0; round++) {
		assert_true(round < 1000 + ROUNDS_MAX);
		int before = killed, most = test_is_full() ? KILLS_PER_ROUND_MAX : 1;
		size_t disturbed = 0;
		fight_begin(round);
		for (; killed < before + most && await_moment(); killed++) {
			PGconn *lock = killed % 2 == 0 ? await_request() : NULL;
			disturbed += lock != NULL;
			assert_int_equal(STATUS_OK, postgres_fixture_kill(&simplest.postgres));
			PQfinish(lock);
			if (killed == before)
				want_database_missed();
			assert_int_equal(
				STATUS_OK, postgres_fixture_start_again(&simplest.postgres));
			wait_for_status("/readyz", 200, RECOVER_MS_MAX);
		}
		/* And an orderly restart, which ends each connection by a farewell. */
		if (await_moment()) {
			assert_int_equal(STATUS_OK, postgres_fixture_restart(&simplest.postgres));
			wait_for_status("/readyz", 200, RECOVER_MS_MAX);
		}
		assert_true(fight_end() >= disturbed);
		disturbing += disturbed;
	}
	/* It has recovered by itself. */
	assert_true(process_running(&simplest.server));
	assert_int_equal(server, simplest.server.pid);
}

static void both_killed_at_once_forget_nothing(void **state)
{
	(void)state;
	PGconn *lock = fight_begin_busy(2000);
	assert_int_equal(STATUS_OK, postgres_fixture_kill(&simplest.postgres));
	server_crash();
	PQfinish(lock);
	assert_int_equal(STATUS_OK, postgres_fixture_start_again(&simplest.postgres));
	server_start_again();
	assert_true(fight_end() >= 1);
}

/* ---- An end in order ---- */

struct blocked {
	struct http_client client;
	struct http_client_reply reply;
	char hold[HOLD_ID_SIZE];
};

/* Send purchases that are to wait for the lock of one connection, each of a hold of its own. */
static PGconn *purchases_block(struct blocked blocked[BLOCKED_PURCHASES])
{
	char event[EVENT_ID_SIZE];
	event_make("Blocked", BLOCKED_PURCHASES, event);
	for (int i = 0; i < BLOCKED_PURCHASES; i++)
		hold_make(event, text("\"s-%d\"", i + 1), blocked[i].hold);
	PGconn *lock =
		database_lock(text("select from seat_inventory where event_id = '%s'", event));
	for (int i = 0; i < BLOCKED_PURCHASES; i++) {
		blocked[i].reply = (struct http_client_reply){0};
		http_client_init(&blocked[i].client, simplest.port);
		send_only(&blocked[i].client, "POST", text("/holds/%s/purchase", blocked[i].hold),
			new_key(), "{\"paymentMethod\":\"pm_card_visa\"}");
	}
	return lock;
}

/* Until one of them waits; all at once they may never, where the wait for a lock is short. */
static void wait_for_some_blocked(PGconn *lock)
{
	int64_t deadline_ms = now_ms() + NOTICE_MS_MAX;
	while (database_count("select count(*) from pg_stat_activity "
			      "where %d = any (pg_blocking_pids(pid))",
		       PQbackendPID(lock)) == 0) {
		assert_true(now_ms() < deadline_ms);
		pause_ms(1);
	}
}

/* Until the server has heard that it is to end, and takes nobody in any more. */
static void wait_for_no_newcomers(void)
{
	struct http_client newcomer;
	int64_t deadline_ms = now_ms() + NOTICE_MS_MAX;
	http_client_init(&newcomer, simplest.port);
	while (http_client_connect(&newcomer) == HTTP_CLIENT_OK) {
		assert_true(now_ms() < deadline_ms);
		pause_ms(1);
	}
	http_client_release(&newcomer);
}

static void sigterm_answers_what_is_in_flight(void **state)
{
	(void)state;
	struct blocked blocked[BLOCKED_PURCHASES];
	PQfinish(fight_begin_busy(3000));
	PGconn *lock = purchases_block(blocked);
	database_wait_blocked(lock, BLOCKED_PURCHASES);
	process_signal(&simplest.server, SIGTERM);
	wait_for_no_newcomers();
	PQfinish(lock);
	for (int i = 0; i < BLOCKED_PURCHASES; i++) {
		assert_int_equal(HTTP_CLIENT_OK,
			http_client_receive(&blocked[i].client, "POST", &blocked[i].reply));
		assert_int_equal(200, blocked[i].reply.status);
		assert_false(blocked[i].reply.keep_alive);
	}
	assert_int_equal(STATUS_OK, process_wait(&simplest.server, END_MS_MAX));
	assert_int_equal(0, simplest.server.exit_code);
	server_start_again();
	for (int i = 0; i < BLOCKED_PURCHASES; i++) {
		json_t *told = http_client_reply_json(&blocked[i].reply);
		assert_true(json_equal(told, buy(blocked[i].hold, "pm_card_visa", 200)));
		json_decref(told);
		http_client_reply_release(&blocked[i].reply);
		http_client_release(&blocked[i].client);
	}
	fight_end();
}

/* Not even a lock that is never given keeps the server from ending. */
static void sigterm_does_not_wait_for_ever(void **state)
{
	(void)state;
	struct blocked blocked[BLOCKED_PURCHASES];
	PGconn *lock = purchases_block(blocked);
	wait_for_some_blocked(lock);
	server_stop();
	PQfinish(lock);
	for (int i = 0; i < BLOCKED_PURCHASES; i++)
		http_client_release(&blocked[i].client);
}

static void sigterm_without_a_database_is_heard(void **state)
{
	(void)state;
	assert_int_equal(STATUS_OK, postgres_fixture_halt(&simplest.postgres));
	want_database_missed();
	server_stop();
	assert_int_equal(STATUS_OK, postgres_fixture_start_again(&simplest.postgres));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVER_TEST(killed_server_forgets_nothing, start),
		SERVER_TEST(killed_database_forgets_nothing, start),
		SERVER_TEST(both_killed_at_once_forget_nothing, start),
		SERVER_TEST(sigterm_answers_what_is_in_flight, start),
		SERVER_TEST(sigterm_does_not_wait_for_ever, start_hasty),
		SERVER_TEST(sigterm_without_a_database_is_heard, start_hasty),
	};
	return cmocka_run_group_tests(tests, simplest_set_up, simplest_tear_down);
}
