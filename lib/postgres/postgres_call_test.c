/* Prepared statements, affected rows, scripts. */
#include "lib/postgres/postgres_test.h"

#include <stdio.h>

static struct postgres_result result;

static int teardown(void **state)
{
	postgres_result_release(&result);
	return test_disconnect(state);
}

static int64_t prepared_count(void)
{
	return test_number(pg, "count_prepared", "select count(*) from pg_prepared_statements");
}

static void affected_rows_are_counted(void **state)
{
	(void)state;
	static const struct postgres_statement insert = {.name = "insert_counted",
		.sql = "insert into counted select generate_series(1, $1)"};
	static const struct postgres_statement update = {
		.name = "update_counted", .sql = "update counted set id = -id where id <= $1"};
	assert_script("create table counted (id bigint)");
	assert_ok(postgres_execute(pg, &insert, POSTGRES_PARAMETERS(postgres_bigint(7)), &result));
	assert_int_equal(7, result.affected_count);
	assert_int_equal(0, result.row_count);
	postgres_result_release(&result);
	assert_ok(postgres_execute(pg, &update, POSTGRES_PARAMETERS(postgres_bigint(3)), &result));
	assert_int_equal(3, result.affected_count);
	assert_ok(postgres_execute(pg, &update, POSTGRES_PARAMETERS(postgres_bigint(-9)), NULL));
}

static void statement_is_prepared_once(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(1, test_number(pg, "same", "select 1::bigint"));
	assert_int_equal(2, prepared_count());
}

static void more_statements_than_are_kept_still_run(void **state)
{
	(void)state;
	static struct postgres_statement statements[POSTGRES_STATEMENTS_MAX + 20];
	static char names[POSTGRES_STATEMENTS_MAX + 20][16];
	for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
		(void)snprintf(names[i], sizeof names[i], "many_%zu", i);
		statements[i] =
			(struct postgres_statement){.name = names[i], .sql = "select $1::bigint"};
		assert_ok(postgres_execute(pg, &statements[i],
			POSTGRES_PARAMETERS(postgres_bigint((int64_t)i)), &result));
		assert_int_equal(i, postgres_get_bigint(&result, 0, 0));
		postgres_result_release(&result);
	}
	assert_int_equal(POSTGRES_STATEMENTS_MAX, prepared_count());
}

static const struct postgres_statement select_changing = {
	.name = "select_changing", .sql = "select * from changing"};

static void changed_table_is_prepared_anew(void **state)
{
	(void)state;
	assert_script("create table changing (a bigint); insert into changing values (1)");
	assert_ok(postgres_execute(pg, &select_changing, POSTGRES_NO_PARAMETERS, NULL));
	assert_script("alter table changing add column b bigint default 2");
	assert_ok(postgres_execute(pg, &select_changing, POSTGRES_NO_PARAMETERS, &result));
	assert_int_equal(2, result.column_count);
	assert_int_equal(2, postgres_get_bigint(&result, 0, 1));
	assert_int_equal(POSTGRES_NO_ERROR, postgres_error(pg)->class);
}

static void discarded_statement_is_prepared_anew(void **state)
{
	(void)state;
	assert_int_equal(1, test_number(pg, "same", "select 1::bigint"));
	assert_script("deallocate all");
	assert_int_equal(1, test_number(pg, "same", "select 1::bigint"));
}

struct changing_work {
	int attempts;
};

/* The first attempt meets a preparation that a change of the table has invalidated. */
static enum status read_changing(struct postgres *from, void *context)
{
	struct changing_work *work = context;
	work->attempts++;
	return postgres_execute(from, &select_changing, POSTGRES_NO_PARAMETERS, NULL);
}

static void changed_table_in_a_transaction_is_retried(void **state)
{
	(void)state;
	struct changing_work work = {.attempts = 0};
	struct postgres_transaction transaction = {.work = read_changing, .context = &work};
	assert_ok(postgres_execute(pg, &select_changing, POSTGRES_NO_PARAMETERS, NULL));
	assert_script("alter table changing add column c bigint");
	assert_ok(postgres_begin(pg, POSTGRES_READ_COMMITTED));
	assert_status(pg, STATUS_UNAVAILABLE,
		postgres_execute(pg, &select_changing, POSTGRES_NO_PARAMETERS, NULL));
	assert_int_equal(POSTGRES_RETRY, postgres_error(pg)->class);
	postgres_rollback(pg);
	assert_ok(postgres_execute(pg, &select_changing, POSTGRES_NO_PARAMETERS, NULL));
	assert_script("alter table changing add column d bigint");
	assert_ok(postgres_transact(pg, &transaction));
	assert_int_equal(2, work.attempts);
}

static void script_is_all_or_nothing(void **state)
{
	(void)state;
	assert_status(pg, STATUS_REFUSED,
		postgres_run_script(pg, "create table half (a bigint); select 1/0"));
	assert_int_equal(POSTGRES_DATA, postgres_error(pg)->class);
	assert_int_equal(
		0, test_number(pg, "half", "select count(*) from pg_class where relname = 'half'"));
	assert_script("");
	assert_script("-- nothing but a comment\n;;");
}

static void script_must_not_touch_transactions(void **state)
{
	(void)state;
	assert_status(pg, STATUS_REFUSED, postgres_run_script(pg, "begin; create table t ()"));
	assert_int_equal(POSTGRES_BUG, postgres_error(pg)->class);
	assert_status(pg, STATUS_REFUSED, postgres_run_script(pg, "begin; select 1/0"));
	assert_int_equal(
		0, test_number(pg, "t", "select count(*) from pg_class where relname = 't'"));
	assert_ok(postgres_begin(pg, POSTGRES_READ_COMMITTED));
	assert_status(pg, STATUS_REFUSED, postgres_run_script(pg, "commit"));
	assert_status(pg, STATUS_REFUSED, postgres_commit(pg));
	assert_script("select 1");
}

static void round_trips_are_counted(void **state)
{
	(void)state;
	assert_script("select 1"); /* Connected from here on. */
	uint64_t before = postgres_round_trips();
	assert_int_equal(1, test_number(pg, "counted", "select 1::bigint"));
	assert_int_equal(2, postgres_round_trips() - before); /* It was prepared first. */
	assert_ok(postgres_begin(pg, POSTGRES_READ_COMMITTED));
	assert_int_equal(1, test_number(pg, "counted", "select 1::bigint"));
	assert_ok(postgres_commit(pg));
	assert_int_equal(5, postgres_round_trips() - before);
}

static void copy_is_refused(void **state)
{
	(void)state;
	assert_script("create table copied (a bigint)");
	assert_true(STATUS_OK != postgres_run_script(pg, "copy copied from stdin"));
	assert_true(STATUS_OK != postgres_run_script(pg, "copy copied to stdout"));
	assert_script("select 1");
}

static int start_cluster(void **state)
{
	(void)state;
	return postgres_fixture_start(&fixture, "call") == STATUS_OK ? 0 : -1;
}

#define test(function_) cmocka_unit_test_setup_teardown(function_, test_connect, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(affected_rows_are_counted),
		test(statement_is_prepared_once),
		test(more_statements_than_are_kept_still_run),
		test(changed_table_is_prepared_anew),
		test(discarded_statement_is_prepared_anew),
		test(changed_table_in_a_transaction_is_retried),
		test(script_is_all_or_nothing),
		test(script_must_not_touch_transactions),
		test(round_trips_are_counted),
		test(copy_is_refused),
	};
	return cmocka_run_group_tests(tests, start_cluster, test_stop_cluster);
}
