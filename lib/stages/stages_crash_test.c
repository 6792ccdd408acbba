/* Processes that are killed at each point, that share the work, and that are stopped past their
 * lease and go on. After all of it each job has gone through each state once. */
#include "lib/stages/stages_test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/testkit/process.h"
#include "lib/testkit/random.h"

enum {
	WORKERS = 2,
	JOBS = 60,
	CRASHES = 4,      /* By default, of all points of all stages. */
	RANDOM_KILLS = 3, /* At any moment. */
	RANDOM_KILLS_FULL = 100,
	END_MS_MAX = 60000,
};

static struct process workers[WORKERS];

static int stop_workers(void **state)
{
	for (size_t i = 0; i < WORKERS; i++) {
		if (workers[i].pid)
			process_signal(&workers[i], SIGCONT);
		process_release(&workers[i]);
	}
	return test_close_stages(state);
}

static bool is_full(void)
{
	const char *full = getenv("ONSALE_FULL");
	return full && strcmp(full, "1") == 0;
}

struct plan {
	const char *lease_ms, *states, *fence;
	const char *state, *point, *count; /* NULL: nothing happens to it. */
	int signal;
};

static void start_worker(size_t index, const struct plan *plan)
{
	char signal_text[12];
	(void)snprintf(signal_text, sizeof signal_text, "%d", plan->signal);
	const char *arguments[] = {STAGES_WORKER, fixture.url, plan->lease_ms, plan->states,
		plan->fence ? plan->fence : "fenced", "submit", plan->state, plan->point,
		plan->count, plan->state ? signal_text : NULL, NULL};
	process_release(&workers[index]);
	assert_int_equal(STATUS_OK,
		process_start(&workers[index], &(struct process_options){.arguments = arguments}));
	assert_int_equal(
		STATUS_OK, process_wait_line(&workers[index], "ready", END_MS_MAX, NULL, 0));
}

/* End it in order, and return how many leases it says it has lost. */
static int64_t end_worker(size_t index)
{
	int64_t lost = 0;
	process_signal(&workers[index], SIGTERM);
	assert_int_equal(STATUS_OK, process_wait(&workers[index], END_MS_MAX));
	assert_int_equal(0, workers[index].exit_code);
	char *output = process_output(&workers[index]);
	for (const char *at = output; (at = strstr(at, "lost ")) != NULL; at++) {
		const char *count = strchr(at + strlen("lost "), ' ');
		assert_non_null(count);
		lost += strtoll(count, NULL, 10);
	}
	free(output);
	return lost;
}

static void add_jobs(int64_t count)
{
	static const struct postgres_statement add = {.name = "add",
		.sql = "insert into jobs (job_id, state, act_ms) select coalesce((select "
		       "max(job_id) from jobs), 0) + n, 'one', n % 10 from "
		       "generate_series(1, $1::bigint) as n"};
	assert_ok(postgres_execute(pg, &add, POSTGRES_PARAMETERS(postgres_bigint(count)), NULL));
}

/* Start a worker and give it something to do until it has died of it. Renewals happen while
 * something takes long, so some jobs do. Returns how many there were. */
static int64_t add_jobs_until_killed(const struct plan *plan)
{
	bool renewal = strcmp(plan->point, "after-renew") == 0;
	int64_t count = JOBS, end_ms = test_now_ms() + PATIENCE_MS;
	add_jobs(JOBS);
	start_worker(0, plan);
	for (; process_running(&workers[0]) && test_now_ms() < end_ms; count++) {
		if (renewal && count % 20 == 0)
			assert_script("insert into jobs (job_id, state, act_ms) select "
				      "max(job_id) + 1, 'one', 1000 from jobs");
		else
			add_jobs(1);
		test_pause();
	}
	assert_false(process_running(&workers[0]));
	assert_int_equal(128 + SIGKILL, workers[0].exit_code);
	return count;
}

/* Kill a worker where it is told to die, have another do the rest, and look. */
static void crash_at(const char *state, const char *point)
{
	static const struct plan rest = {.lease_ms = "1000", .states = "one,two,three"};
	struct plan plan = rest;
	plan.state = state;
	plan.point = point;
	plan.count = "2";
	plan.signal = SIGKILL;
	assert_script("truncate jobs, acts, moves");
	int64_t count = add_jobs_until_killed(&plan);
	start_worker(1, &rest);
	test_wait_jobs(count, "state = 'done'");
	(void)end_worker(1);
	test_judge();
	assert_int_equal(count * STATES, test_moves());
	assert_int_equal(0, test_jobs("lease_token is not null or stuck"));
}

static void killed_at_each_point_nothing_is_lost_or_done_twice(void **state)
{
	(void)state;
	struct random random;
	size_t places[STATES * STAGE_POINT_COUNT];
	size_t count = sizeof places / sizeof *places;
	random_init(&random, random_seed());
	for (size_t i = 0; i < count; i++)
		places[i] = i;
	random_shuffle(&random, places, count, sizeof *places);
	for (size_t i = 0; i < (is_full() ? count : (size_t)CRASHES); i++) {
		const char *name = states[places[i] % STATES];
		const char *point = stage_point_name((enum stage_point)(places[i] / STATES));
		print_message("killed in stage %s %s\n", name, point);
		crash_at(name, point);
	}
}

static void killed_at_any_moment_nothing_is_lost_or_done_twice(void **state)
{
	(void)state;
	static const struct plan plan = {.lease_ms = "500", .states = "one,two,three"};
	struct random random;
	int kills = is_full() ? RANDOM_KILLS_FULL : RANDOM_KILLS;
	random_init_stream(&random, random_seed(), 1);
	for (int i = 0; i < kills; i++) {
		start_worker(0, &plan);
		add_jobs(20);
		(void)nanosleep(
			&(struct timespec){.tv_nsec = random_between(&random, 1, 150) * 1000000},
			NULL);
		process_kill(&workers[0]);
	}
	start_worker(0, &plan);
	test_wait_jobs(kills * 20, "state = 'done'");
	(void)end_worker(0);
	test_judge();
	assert_int_equal(kills * 20 * STATES, test_moves());
}

/* With leases that do not run out, each job is acted on once, whoever does it. */
static void two_processes_share_the_work(void **state)
{
	(void)state;
	static const struct plan plan = {.lease_ms = "600000", .states = "one,two,three"};
	for (size_t i = 0; i < WORKERS; i++)
		start_worker(i, &plan);
	for (int i = 0; i < 20; i++)
		add_jobs(20);
	test_wait_jobs(400, "state = 'done'");
	for (size_t i = 0; i < WORKERS; i++)
		assert_int_equal(0, end_worker(i));
	test_judge();
	assert_int_equal(400 * STATES, test_moves());
	assert_int_equal(400 * STATES, test_number(pg, "acts", "select count(*) from acts"));
}

static void wait_stopped(const struct process *process)
{
	int64_t end_ms = test_now_ms() + PATIENCE_MS;
	while (!process_stopped(process) && test_now_ms() < end_ms)
		test_pause();
	assert_true(process_stopped(process));
}

static const struct plan stopped_in_one = {.lease_ms = "500",
	.states = "one",
	.state = "one",
	.point = "after-act",
	.count = "1",
	.signal = SIGSTOP};

static void process_stopped_past_its_lease_does_no_harm(void **state)
{
	(void)state;
	static const char *const points[] = {"after-claim", "after-act"};
	static const struct plan other = {.lease_ms = "500", .states = "one,two,three"};
	for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
		struct plan plan = stopped_in_one;
		plan.point = points[i];
		assert_script("truncate jobs, acts, moves");
		add_jobs(20);
		start_worker(0, &plan);
		wait_stopped(&workers[0]);
		int64_t claimed = test_jobs("lease_token is not null");
		assert_true(claimed >= 1);
		start_worker(1, &other);
		test_wait_jobs(20, "state = 'done'");
		process_signal(&workers[0], SIGCONT);
		assert_true(end_worker(0) >= claimed);
		(void)end_worker(1);
		test_judge();
		assert_int_equal(20 * STATES, test_moves());
	}
}

/* A process is stopped with its acts done. Another does the work; then the jobs are sent through
 * the states once more, as a declined order is confirmed again. When the first goes on, what it was
 * told in the first round must not count for the second. Returns what the judge found. */
static int64_t go_on_in_another_round(const char *fence)
{
	struct plan plan = stopped_in_one;
	const struct plan other = {.lease_ms = "500", .states = "one"};
	plan.fence = fence;
	assert_script("truncate jobs, acts, moves");
	add_jobs(20);
	start_worker(0, &plan);
	wait_stopped(&workers[0]);
	start_worker(1, &other);
	test_wait_jobs(20, "state = 'two'");
	(void)end_worker(1);
	assert_script("update jobs set state = 'one', round = 2, next_at = null, "
		      "lease_token = null");
	process_signal(&workers[0], SIGCONT);
	(void)end_worker(0);
	return test_number(pg, "judge", provider_judge);
}

static void answer_of_an_earlier_round_does_not_count(void **state)
{
	(void)state;
	assert_int_equal(0, go_on_in_another_round("fenced"));
	assert_int_equal(20, test_jobs("state = 'one'"));
}

static void without_the_fence_the_harm_is_seen(void **state)
{
	(void)state;
	assert_true(go_on_in_another_round("unfenced") >= 1);
	assert_true(test_jobs("state = 'two'") >= 1);
}

/* The row that kills whoever takes it is found in the end, and the others are done. */
static void row_that_kills_its_process_is_stuck(void **state)
{
	(void)state;
	static const struct plan plan = {.lease_ms = "500", .states = "one"};
	add_jobs(10);
	assert_script("insert into jobs (job_id, state, fault, attempts) values (99, 'one', "
		      "'die', 999999)");
	start_worker(0, &plan);
	assert_int_equal(STATUS_OK, process_wait(&workers[0], END_MS_MAX));
	assert_int_equal(128 + SIGKILL, workers[0].exit_code);
	start_worker(0, &plan);
	test_wait_jobs(1, "job_id = 99 and stuck");
	test_wait_jobs(10, "state = 'two'");
	(void)end_worker(0);
	test_judge();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_make_tables, stop_workers)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(killed_at_each_point_nothing_is_lost_or_done_twice),
		TEST(killed_at_any_moment_nothing_is_lost_or_done_twice),
		TEST(two_processes_share_the_work),
		TEST(process_stopped_past_its_lease_does_no_harm),
		TEST(answer_of_an_earlier_round_does_not_count),
		TEST(without_the_fence_the_harm_is_seen),
		TEST(row_that_kills_its_process_is_stuck),
	};
	return cmocka_run_group_tests(tests, test_start_cluster, test_stop_cluster);
}
