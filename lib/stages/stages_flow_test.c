/* Rows find their way: through three stages, woken or not, slow ones beside quick ones, and to an
 * orderly end. */
#include "lib/stages/stages_test.h"

#include <pthread.h>

#include "lib/batch/lane.h"

static void add_jobs(int64_t count)
{
	static const struct postgres_statement add = {.name = "add",
		.sql = "insert into jobs (job_id, state) select coalesce((select max(job_id) from "
		       "jobs), 0) + n, 'one' from generate_series(1, $1::bigint) as n"};
	assert_ok(postgres_execute(pg, &add, POSTGRES_PARAMETERS(postgres_bigint(count)), NULL));
}

static void open_three(enum provider_form form, int64_t poll_ms)
{
	for (size_t i = 0; i < STATES; i++) {
		struct stage_options options =
			provider_options(&providers[i], fixture.url, form, PROVIDER_FENCED);
		options.metrics = metrics;
		options.poll_ms = poll_ms;
		options.batch_max = 64;
		test_stage_open(i, &options);
	}
}

static void three_stages_by_polling_alone(void **state)
{
	(void)state;
	open_three(PROVIDER_SUBMITS, 50);
	test_start();
	add_jobs(500);
	test_wait_jobs(500, "state = 'done'");
	test_judge();
	assert_int_equal(1500, test_moves());
	assert_int_equal(1500, test_number(pg, "acts", "select count(*) from acts"));
	assert_int_equal(500, test_jobs("next_at is null and lease_token is null"));
	assert_int_equal(500, test_jobs("attempts = 0 and not stuck"));
}

/* Nothing looks by itself within a day, so each wake has to arrive. */
static void three_stages_by_wakes_alone(void **state)
{
	(void)state;
	open_three(PROVIDER_SUBMITS, DAY_MS);
	providers[0].wakes = stages[1];
	providers[1].wakes = stages[2];
	test_start();
	for (int round = 1; round <= 30; round++) {
		add_jobs(1);
		stage_wake(stages[0]);
		if (round % 10 == 0)
			test_wait_jobs(round, "state = 'done'");
	}
	test_judge();
	assert_int_equal(90, test_moves());
}

static void acts_that_block_go_the_same_way(void **state)
{
	(void)state;
	open_three(PROVIDER_ACTS, 50);
	test_start();
	add_jobs(300);
	test_wait_jobs(300, "state = 'done'");
	test_judge();
	for (size_t i = 0; i < STATES; i++) {
		assert_int_equal(0, stage_stop(stages[i], STOP_MS));
		assert_int_equal(300, test_counted("stage_claimed", i));
		assert_int_equal(300, test_counted("stage_done", i));
		assert_int_equal(300, atomic_load(&providers[i].moved));
		assert_int_equal(0, test_counted("stage_lost", i));
	}
}

static void caller_may_drive_a_stage(void **state)
{
	(void)state;
	struct stage_options options = test_options(0);
	options.poll_ms = 1;
	test_stage_open(0, &options);
	add_jobs(10);
	int64_t end_ms = test_now_ms() + PATIENCE_MS;
	while (test_jobs("state = 'two'") < 10 && test_now_ms() < end_ms)
		assert_true(stage_step(stages[0], 10) <= test_now_ms() + DAY_MS);
	assert_int_equal(10, test_jobs("state = 'two'"));
	assert_int_equal(0, stage_stop(stages[0], STOP_MS));
}

static void refuse(void *context, size_t thread, struct lane_item *const items[], size_t count)
{
	(void)context, (void)thread, (void)items, (void)count;
	fail();
}

static void refuse_late(void *context, struct lane_item *const items[], size_t count)
{
	refuse(context, 0, items, count);
}

static int64_t tick(void *context, int64_t lane_now_ms)
{
	(void)lane_now_ms;
	return stage_step(context, 0);
}

static void lane_may_drive_a_stage(void **state)
{
	(void)state;
	static const struct lane_ops ops = {.apply = refuse, .late = refuse_late, .tick = tick};
	struct stage_options options = test_options(0);
	struct lane *lane;
	test_stage_open(0, &options);
	assert_ok(postgres_run_script(pg,
		"insert into jobs (job_id, state, act_ms) select n, 'one', n from "
		"generate_series(1, 20) as n"));
	assert_int_equal(STATUS_OK,
		lane_open(&(struct lane_options){.name = "stage",
				  .ops = &ops,
				  .context = stages[0],
				  .queue_max = 1,
				  .batch_max = 1},
			&lane));
	test_wait_jobs(20, "state = 'two'");
	lane_close(lane);
	test_judge();
}

static void slow_row_holds_nobody_up(void **state)
{
	(void)state;
	struct stage_options options = test_options(0);
	test_stage_open(0, &options);
	assert_script("insert into jobs (job_id, state, act_ms) values (1000000, 'one', -1)");
	test_start();
	test_wait_atomic(&providers[0].under_way, 1);
	assert_ok(postgres_run_script(pg,
		"insert into jobs (job_id, state, act_ms) select n, 'one', n % 20 from "
		"generate_series(1, 300) as n"));
	test_wait_jobs(300, "state = 'two'");
	assert_int_equal(1, test_jobs("state = 'one'"));
	provider_let_go(&providers[0]);
	test_wait_jobs(301, "state = 'two'");
	test_judge();
	assert_int_equal(301, test_number(pg, "acts", "select count(*) from acts"));
}

/* The stage waits for an act that does not end; a wake still makes it look. */
static void wake_reaches_a_stage_that_collects(void **state)
{
	(void)state;
	struct stage_options options = test_options(0);
	options.poll_ms = DAY_MS;
	options.lease_ms = DAY_MS;
	test_stage_open(0, &options);
	assert_script("insert into jobs (job_id, state, act_ms) values (1000000, 'one', -1)");
	test_start();
	test_wait_atomic(&providers[0].under_way, 1);
	for (int count = 1; count <= 10; count++) {
		add_jobs(1);
		stage_wake(stages[0]);
		test_wait_jobs(count, "state = 'two'");
	}
	provider_let_go(&providers[0]);
	test_wait_jobs(11, "state = 'two'");
}

static void leases_in_flight_are_renewed(void **state)
{
	(void)state;
	struct stage_options options = test_options(0);
	options.lease_ms = 9000;
	test_stage_open(0, &options);
	assert_script("insert into jobs (job_id, state, act_ms) values (1, 'one', -1)");
	test_start();
	test_wait_atomic(&providers[0].under_way, 1);
	int seen = atomic_load(&providers[0].reached[STAGE_AFTER_RENEW]);
	assert_script("create table before as select next_at, lease_token from jobs");
	/* One may be on its way already, so the second is certainly behind it. */
	test_wait_atomic(&providers[0].reached[STAGE_AFTER_RENEW], seen + 2);
	int64_t renewed = test_number(pg, "renewed",
		"select count(*) from jobs, before where jobs.next_at > before.next_at and "
		"jobs.lease_token = before.lease_token");
	assert_script("drop table before");
	assert_int_equal(1, renewed);
	provider_let_go(&providers[0]);
	test_wait_jobs(1, "state = 'two'");
	test_judge();
}

static void no_more_in_flight_than_allowed(void **state)
{
	(void)state;
	struct stage_options options = test_options(0);
	options.in_flight_max = 7;
	options.poll_ms = 1;
	test_stage_open(0, &options);
	assert_ok(postgres_run_script(pg,
		"insert into jobs (job_id, state, act_ms) select n, 'one', -1 from "
		"generate_series(1, 40) as n"));
	test_start();
	test_wait_atomic(&providers[0].under_way, 7);
	assert_int_equal(7, test_jobs("lease_token is not null"));
	provider_let_go(&providers[0]);
	test_wait_jobs(40, "state = 'two'");
	test_judge();
}

static void later_rows_wait_for_their_time(void **state)
{
	(void)state;
	struct stage_options options = test_options(0);
	test_stage_open(0, &options);
	assert_script("insert into jobs (job_id, state, next_at) values (1, 'one', "
		      "clock_timestamp() + interval '1 day'), (2, 'one', null), (3, 'one', now()), "
		      "(4, 'two', now())");
	test_start();
	test_wait_jobs(1, "job_id = 3 and state = 'two'");
	assert_int_equal(2, test_jobs("state = 'one' and attempts = 0"));
	assert_int_equal(1, test_jobs("job_id = 4 and state = 'two'"));
}

static void stop_waits_for_what_is_in_flight(void **state)
{
	(void)state;
	struct stage_options options = test_options(0);
	test_stage_open(0, &options);
	assert_ok(postgres_run_script(pg,
		"insert into jobs (job_id, state, act_ms) select n, 'one', 200 from "
		"generate_series(1, 100) as n"));
	test_start();
	test_wait_atomic(&providers[0].under_way, 1);
	assert_int_equal(0, stage_stop(stages[0], STOP_MS));
	assert_int_equal(0, test_jobs("lease_token is not null"));
	int64_t moved = test_jobs("state = 'two'");
	assert_true(moved >= 1);
	assert_int_equal(moved, test_number(pg, "acts", "select count(*) from acts"));
	add_jobs(1);
	assert_int_equal(0, stage_stop(stages[0], STOP_MS)); /* Again does nothing. */
	assert_int_equal(moved, test_jobs("state = 'two'"));
}

/* What a stage was stopped with is another's as soon as the lease is over. */
static void stop_under_a_bound_leaves_the_lease(void **state)
{
	(void)state;
	struct stage_options options = test_options(0);
	options.lease_ms = 300;
	test_stage_open(0, &options);
	assert_script("insert into jobs (job_id, state, act_ms) values (1, 'one', -1)");
	test_start();
	test_wait_atomic(&providers[0].under_way, 1);
	/* Where this took longer than the lease, the stage has claimed the row twice. */
	assert_true(stage_stop(stages[0], 50) >= 1);
	assert_int_equal(1, test_jobs("state = 'one' and lease_token is not null"));
	stage_close(stages[0]);
	stages[0] = NULL;

	providers[0].first = NULL; /* Its row went with the stage. */
	provider_let_go(&providers[0]);
	options.metrics = NULL;
	test_stage_open(0, &options);
	assert_int_equal(STATUS_OK, stage_start(stages[0]));
	test_wait_jobs(1, "state = 'two'");
	assert_true(test_number(pg, "acts", "select count(*) from acts") >= 2);
	test_judge();
}

static void cancel(void *context, struct stage_row *const rows[], size_t count)
{
	(void)context;
	for (size_t i = 0; i < count; i++) {
		if (slice_is(rows[i]->key, "3"))
			stage_retry(rows[i], "cannot be canceled", 0);
		else
			stage_done(rows[i], "canceled", STAGE_AT_REST);
	}
}

/* A stage over several states: who is not done stays in the state that it was in. */
static void stage_may_claim_by_a_mark(void **state)
{
	(void)state;
	static const struct stage_ops ops = {.act = cancel};
	struct stage_options options = test_options(0);
	options.sql = provider_marked;
	options.ops = &ops;
	options.row_size = 0;
	options.attempts_max = 2;
	test_stage_open(0, &options);
	assert_script("insert into jobs (job_id, state, fault) values (1, 'one', 'cancel'), "
		      "(2, 'two', 'cancel'), (3, 'three', 'cancel'), (4, 'one', '')");
	test_start();
	test_wait_jobs(2, "state = 'canceled' and job_id < 3");
	test_wait_jobs(1, "state = 'three' and stuck and job_id = 3");
	assert_int_equal(1, test_jobs("state = 'one' and attempts = 0"));
}

static void *wake_many_times(void *context)
{
	for (int i = 0; i < 2000; i++)
		stage_wake(context);
	return NULL;
}

static void any_thread_may_wake(void **state)
{
	(void)state;
	enum { WAKERS = 4 };
	pthread_t wakers[WAKERS];
	struct stage_options options = test_options(0);
	options.poll_ms = DAY_MS;
	test_stage_open(0, &options);
	test_start();
	for (size_t i = 0; i < WAKERS; i++)
		assert_int_equal(0, pthread_create(&wakers[i], NULL, wake_many_times, stages[0]));
	add_jobs(50);
	stage_wake(stages[0]);
	test_wait_jobs(50, "state = 'two'");
	for (size_t i = 0; i < WAKERS; i++)
		(void)pthread_join(wakers[i], NULL);
	test_judge();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_make_tables, test_close_stages)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(three_stages_by_polling_alone),
		TEST(three_stages_by_wakes_alone),
		TEST(acts_that_block_go_the_same_way),
		TEST(caller_may_drive_a_stage),
		TEST(lane_may_drive_a_stage),
		TEST(slow_row_holds_nobody_up),
		TEST(wake_reaches_a_stage_that_collects),
		TEST(leases_in_flight_are_renewed),
		TEST(no_more_in_flight_than_allowed),
		TEST(later_rows_wait_for_their_time),
		TEST(stop_waits_for_what_is_in_flight),
		TEST(stop_under_a_bound_leaves_the_lease),
		TEST(stage_may_claim_by_a_mark),
		TEST(any_thread_may_wake),
	};
	return cmocka_run_group_tests(tests, test_start_cluster, test_stop_cluster);
}
