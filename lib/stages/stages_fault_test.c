/* What goes wrong with one row, or with the database, and whom it must not hold up. */
#include "lib/stages/stages_test.h"

#include <stdio.h>

/* Ten good jobs and one with this fault, job 11. */
static void add_fault(const char *fault)
{
	static const struct postgres_statement add = {.name = "add_fault",
		.sql = "insert into jobs (job_id, state, fault) select n, 'one', "
		       "case n when 11 then $1 else '' end from generate_series(1, 11) as n"};
	assert_ok(postgres_execute(
		pg, &add, POSTGRES_PARAMETERS(postgres_text(slice_of(fault))), NULL));
}

static void run_fault(const char *fault, int attempts_max)
{
	struct stage_options options = test_options(0);
	options.attempts_max = attempts_max;
	test_stage_open(0, &options);
	add_fault(fault);
	test_start();
}

static void want_note(const char *words)
{
	static const struct postgres_statement note = {
		.name = "note", .sql = "select note from jobs where job_id = 11"};
	struct postgres_result result;
	assert_ok(postgres_execute(pg, &note, POSTGRES_NO_PARAMETERS, &result));
	struct slice text = postgres_get_text(&result, 0, 0);
	if (!text.data || !strstr(text.data, words))
		print_error("the note is: %s\n", text.data ? text.data : "NULL");
	assert_true(text.data && strstr(text.data, words));
	postgres_result_release(&result);
}

/* The row is left to a person, with a reason, and the others are done. */
static void want_stuck(int attempts, const char *words)
{
	test_wait_jobs(1, "job_id = 11 and stuck and next_at is null");
	test_wait_jobs(10, "state = 'two'");
	assert_int_equal(1, test_jobs("job_id = 11 and state = 'one'"));
	assert_int_equal(0, test_jobs("lease_token is not null"));
	assert_int_equal(attempts,
		test_number(pg, "attempts", "select attempts::bigint from jobs where job_id = 11"));
	want_note(words);
	test_judge();
	assert_int_equal(0, stage_stop(stages[0], STOP_MS));
	assert_int_equal(1, test_counted("stage_stuck", 0));
	assert_int_equal(10, test_counted("stage_done", 0));
}

static void poison_row_is_stuck_and_others_go_on(void **state)
{
	(void)state;
	run_fault("poison", 4);
	want_stuck(4, "gave up after 4 attempts: poison");
	assert_int_equal(3, test_counted("stage_retried", 0));
	assert_int_equal(14, test_number(pg, "acts", "select count(*) from acts"));
}

static void row_without_an_outcome_is_retried(void **state)
{
	(void)state;
	run_fault("silent", 2);
	want_stuck(2, "gave no outcome");
}

static void row_that_cannot_be_read_is_not_acted_on(void **state)
{
	(void)state;
	run_fault("unreadable", 3);
	want_stuck(3, "could not be read");
	assert_int_equal(10, test_number(pg, "acts", "select count(*) from acts"));
}

static void act_may_give_up_at_once(void **state)
{
	(void)state;
	run_fault("stuck", 100);
	want_stuck(1, "no good: ??");
}

/* One bad row must not fail its neighbours: the transition with it is refused as a whole. */
static void refused_transition_is_stuck_alone(void **state)
{
	(void)state;
	run_fault("bad", 100);
	want_stuck(1, "the database refused the transition: invalid input syntax");
}

static void row_of_which_nothing_can_be_written_is_left_alone(void **state)
{
	(void)state;
	run_fault("worse", 100);
	test_wait_jobs(10, "state = 'two'");
	test_wait_jobs(1, "job_id = 11 and lease_token is not null");
	assert_int_equal(0, stage_stop(stages[0], STOP_MS));
	test_judge();
}

/* A row that is claimed again and again and never heard of kills its processes. */
static void row_that_was_claimed_too_often_is_stuck_unseen(void **state)
{
	(void)state;
	struct stage_options options = test_options(0);
	options.attempts_max = 5;
	test_stage_open(0, &options);
	add_fault("");
	assert_script("update jobs set attempts = 5 where job_id = 11");
	test_start();
	want_stuck(6, "claimed 5 times without an outcome");
	assert_int_equal(10, test_number(pg, "acts", "select count(*) from acts"));
}

static void stuck_row_goes_on_when_a_person_says_so(void **state)
{
	(void)state;
	run_fault("poison", 2);
	test_wait_jobs(1, "stuck");
	assert_script("update jobs set fault = '', stuck = false, attempts = 0, next_at = "
		      "clock_timestamp() where stuck");
	test_wait_jobs(11, "state = 'two' and not stuck and note is null");
	test_judge();
}

static void waiting_is_no_attempt(void **state)
{
	(void)state;
	atomic_store(&providers[0].waits, 10);
	run_fault("wait", 2);
	test_wait_jobs(11, "state = 'two'");
	test_judge();
	assert_int_equal(0, stage_stop(stages[0], STOP_MS));
	assert_int_equal(10, test_counted("stage_waited", 0));
	assert_int_equal(21, test_number(pg, "acts", "select count(*) from acts"));
}

/* Somebody else has the row: what we were told about it must change nothing. */
static void lost_lease_loses_the_transition(void **state)
{
	(void)state;
	struct stage_options options = test_options(0);
	test_stage_open(0, &options);
	assert_script("insert into jobs (job_id, state, act_ms) values (1, 'one', -1)");
	test_start();
	test_wait_atomic(&providers[0].under_way, 1);
	assert_script("update jobs set lease_token = 'ffffffff-0000-0000-0000-000000000000'");
	provider_let_go(&providers[0]);
	test_wait_atomic(&providers[0].reached[STAGE_AFTER_MOVE], 1);
	assert_int_equal(0, stage_stop(stages[0], STOP_MS));
	assert_int_equal(1, test_jobs("state = 'one'"));
	assert_int_equal(1, test_counted("stage_lost", 0));
	assert_int_equal(0, test_moves());
	assert_int_equal(0, atomic_load(&providers[0].moved));
}

static void renewal_finds_what_was_lost(void **state)
{
	(void)state;
	struct stage_options options = test_options(0);
	options.lease_ms = 3000;
	test_stage_open(0, &options);
	assert_script("insert into jobs (job_id, state, act_ms) values (1, 'one', -1), "
		      "(2, 'one', -1)");
	test_start();
	test_wait_atomic(&providers[0].under_way, 2);
	/* Canceled by its owner meanwhile. */
	assert_script("update jobs set state = 'canceled', next_at = null, lease_token = null "
		      "where job_id = 2");
	int seen = atomic_load(&providers[0].reached[STAGE_AFTER_RENEW]);
	test_wait_atomic(&providers[0].reached[STAGE_AFTER_RENEW], seen + 2);
	provider_let_go(&providers[0]);
	test_wait_jobs(1, "job_id = 1 and state = 'two'");
	assert_int_equal(0, stage_stop(stages[0], STOP_MS));
	assert_int_equal(1, test_jobs("state = 'canceled'"));
	assert_true(test_counted("stage_lost", 0) >= 1);
	test_judge();
}

static void start_three_with(int64_t act_ms)
{
	char script[200];
	for (size_t i = 0; i < STATES; i++) {
		struct stage_options options = test_options(i);
		options.lease_ms = 2000;
		options.batch_max = 16;
		test_stage_open(i, &options);
	}
	(void)snprintf(script, sizeof script,
		"insert into jobs (job_id, state, act_ms) select n, 'one', %d from "
		"generate_series(1, 300) as n",
		(int)act_ms);
	assert_script(script);
	test_start();
}

static void database_that_was_killed_is_waited_for(void **state)
{
	(void)state;
	start_three_with(20);
	for (int round = 0; round < 2; round++) {
		test_wait_atomic(&providers[1].moved, 1 + round * 20);
		assert_int_equal(STATUS_OK, postgres_fixture_kill(&fixture));
		assert_int_equal(STATUS_OK, postgres_fixture_start_again(&fixture));
		assert_ok(postgres_connect(pg, NULL));
	}
	test_wait_jobs(300, "state = 'done'");
	test_judge();
	assert_int_equal(900, test_moves());
}

static void database_that_was_restarted_is_waited_for(void **state)
{
	(void)state;
	start_three_with(5);
	test_wait_atomic(&providers[0].moved, 1);
	assert_int_equal(STATUS_OK, postgres_fixture_restart(&fixture));
	assert_ok(postgres_connect(pg, NULL));
	test_wait_jobs(300, "state = 'done'");
	test_judge();
	assert_int_equal(900, test_moves());
}

/* A stage that may take an hour to connect takes turns all the same, so that it can be ended. */
static void stage_ends_though_its_database_is_away(void **state)
{
	(void)state;
	struct stage_options options = test_options(0);
	options.call_ms_max = options.connect_ms_max = POSTGRES_MS_MAX;
	test_stage_open(0, &options);
	assert_int_equal(STATUS_OK, postgres_fixture_kill(&fixture));
	test_start();
	test_wait_atomic(&providers[0].reached[STAGE_BEFORE_CLAIM], 3);
	assert_int_equal(0, stage_stop(stages[0], STOP_MS));
	assert_int_equal(STATUS_OK, postgres_fixture_start_again(&fixture));
	assert_ok(postgres_connect(pg, NULL));
}

/* Without its tables a stage waits for the schema. */
static void table_that_is_not_there_yet_is_waited_for(void **state)
{
	(void)state;
	struct stage_options options = test_options(0);
	test_stage_open(0, &options);
	assert_script("alter table jobs rename to later");
	test_start();
	test_wait_atomic(&providers[0].reached[STAGE_BEFORE_CLAIM], 3);
	assert_script("alter table later rename to jobs");
	add_fault("");
	test_wait_jobs(11, "state = 'two'");
}

static int64_t test_waiting_commits(void)
{
	return test_number(pg, "waiting",
		"select count(*) from pg_stat_activity where wait_event = 'SyncRep'");
}

/* Have commits wait for a standby that does not exist: they are made, and nobody hears of it. */
static void keep_commits_unanswered(enum stage_point point)
{
	static bool done;
	enum status status = STATUS_OK;
	static const struct postgres_statement probe = {
		.name = "probe", .sql = "insert into acts values (0, 'probe', 'probe')"};
	if (point != STAGE_AFTER_ACT || done)
		return;
	done = true;
	assert_script("alter system set synchronous_standby_names = 'nobody'");
	assert_script("select pg_reload_conf()");
	struct postgres *hasty = postgres_open(&(struct postgres_options){
		.url = fixture.url, .application_name = "hasty", .call_ms_max = 500});
	assert_non_null(hasty);
	/* The server takes its new settings in when it likes. */
	for (int64_t end_ms = test_now_ms() + PATIENCE_MS;
		test_waiting_commits() == 0 && test_now_ms() < end_ms;)
		status = postgres_execute(hasty, &probe, POSTGRES_NO_PARAMETERS, NULL);
	(void)status; /* It may have failed for lack of time as well. */
	assert_true(test_waiting_commits() > 0);
	postgres_close(hasty);
}

static void answer_commits_again(void)
{
	assert_script("set synchronous_commit = local");
	assert_script("alter system reset synchronous_standby_names");
	assert_script("select pg_reload_conf()");
	assert_script("reset synchronous_commit");
}

static void lost_answer_to_a_move_is_asked_for_again(void **state)
{
	(void)state;
	struct stage_options options = test_options(0);
	options.call_ms_max = 6000;
	test_stage_open(0, &options);
	add_fault("");
	providers[0].on_point = keep_commits_unanswered;
	int64_t end_ms = test_now_ms() + PATIENCE_MS;
	while (atomic_load(&providers[0].reached[STAGE_AFTER_ACT]) < 2 && test_now_ms() < end_ms)
		(void)stage_step(stages[0], 10);
	assert_true(atomic_load(&providers[0].reached[STAGE_AFTER_ACT]) >= 2);
	answer_commits_again();
	assert_int_equal(0, stage_stop(stages[0], STOP_MS));
	assert_int_equal(11, test_jobs("state = 'two'"));
	assert_int_equal(11, test_moves());
	test_judge();
	assert_int_equal(0, test_counted("stage_lost", 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_make_tables, test_close_stages)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(poison_row_is_stuck_and_others_go_on),
		TEST(row_without_an_outcome_is_retried),
		TEST(row_that_cannot_be_read_is_not_acted_on),
		TEST(act_may_give_up_at_once),
		TEST(refused_transition_is_stuck_alone),
		TEST(row_of_which_nothing_can_be_written_is_left_alone),
		TEST(row_that_was_claimed_too_often_is_stuck_unseen),
		TEST(stuck_row_goes_on_when_a_person_says_so),
		TEST(waiting_is_no_attempt),
		TEST(lost_lease_loses_the_transition),
		TEST(renewal_finds_what_was_lost),
		TEST(database_that_was_killed_is_waited_for),
		TEST(database_that_was_restarted_is_waited_for),
		TEST(stage_ends_though_its_database_is_away),
		TEST(table_that_is_not_there_yet_is_waited_for),
		TEST(lost_answer_to_a_move_is_asked_for_again),
	};
	return cmocka_run_group_tests(tests, test_start_cluster, test_stop_cluster);
}
