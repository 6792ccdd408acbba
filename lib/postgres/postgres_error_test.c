/* Classes by table, and by making the server say each of them. */
#include "lib/postgres/postgres_internal.h"
#include "lib/postgres/postgres_test.h"

static void each_code_has_its_class(void **state)
{
	(void)state;
	static const struct {
		const char *sqlstate;
		enum postgres_class class;
	} codes[] = {
		{"22021", POSTGRES_DATA},
		{"23505", POSTGRES_DATA},
		{"P0001", POSTGRES_DATA},
		{"40001", POSTGRES_RETRY},
		{"40P01", POSTGRES_RETRY},
		{"40002", POSTGRES_DATA},
		{"55P03", POSTGRES_RETRY},
		{"55000", POSTGRES_BUG},
		{"53300", POSTGRES_BUSY},
		{"57014", POSTGRES_BUSY},
		{"57P01", POSTGRES_CONNECTION},
		{"08006", POSTGRES_CONNECTION},
		{"25P03", POSTGRES_CONNECTION},
		{"25P02", POSTGRES_BUG},
		{"42P01", POSTGRES_BUG},
		{"XX000", POSTGRES_BUG},
		{"", POSTGRES_CONNECTION},
	};
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		assert_int_equal(codes[i].class, postgres_classify(codes[i].sqlstate));
}

static void assert_fails(
	const char *sql, enum status status, enum postgres_class class, const char *sqlstate)
{
	assert_status(pg, status, postgres_run_script(pg, sql));
	assert_int_equal(class, postgres_error(pg)->class);
	assert_string_equal(sqlstate, postgres_error(pg)->sqlstate);
}

static void data_are_refused(void **state)
{
	(void)state;
	assert_script("create table seats (id text constraint seats_key primary key, "
		      "price bigint not null constraint price_positive check (price > 0))");
	assert_script("insert into seats values ('A1', 5)");
	assert_fails("insert into seats values ('A1', 6)", STATUS_REFUSED, POSTGRES_DATA, "23505");
	assert_true(postgres_violated(pg, "seats_key"));
	assert_false(postgres_violated(pg, "price_positive"));
	assert_fails("insert into seats values ('A2', -6)", STATUS_REFUSED, POSTGRES_DATA, "23514");
	assert_true(postgres_violated(pg, "price_positive"));
	assert_fails(
		"insert into seats values ('A2', null)", STATUS_REFUSED, POSTGRES_DATA, "23502");
	assert_string_equal("", postgres_error(pg)->constraint);
	assert_fails("select 1 / 0", STATUS_REFUSED, POSTGRES_DATA, "22012");
	assert_fails(
		"do $$ begin raise exception 'no'; end $$", STATUS_REFUSED, POSTGRES_DATA, "P0001");
	assert_string_equal("no", postgres_error(pg)->message);
	assert_script("select 1");
	assert_int_equal(POSTGRES_NO_ERROR, postgres_error(pg)->class);
	assert_string_equal("", postgres_error(pg)->message);
}

static void mistakes_are_bugs(void **state)
{
	(void)state;
	assert_fails("selekt 1", STATUS_REFUSED, POSTGRES_BUG, "42601");
	assert_fails("select * from nowhere", STATUS_REFUSED, POSTGRES_BUG, "42P01");
	assert_script("select 1");
}

/* The server gives up a little before we do; here it is told to do so long before. */
static void patience_of_the_server_ends(void **state)
{
	(void)state;
	struct postgres *hasty = test_open(0);
	assert_int_equal(TEST_CALL_MS_MAX / 10 * 9,
		test_number(hasty, "timeout",
			"select setting::bigint from pg_settings where name = "
			"'statement_timeout'"));
	assert_status(hasty, STATUS_OK, postgres_run_script(hasty, "set statement_timeout = 300"));
	assert_status(hasty, STATUS_UNAVAILABLE, postgres_run_script(hasty, "select pg_sleep(60)"));
	assert_int_equal(POSTGRES_BUSY, postgres_error(hasty)->class);
	assert_string_equal("57014", postgres_error(hasty)->sqlstate);
	assert_status(hasty, STATUS_OK, postgres_run_script(hasty, "set statement_timeout = 0"));
	assert_int_equal(1, test_number(hasty, "one", "select 1::bigint"));
	postgres_close(hasty);
}

static int start_cluster(void **state)
{
	(void)state;
	return postgres_fixture_start(&fixture, "error") == STATUS_OK ? 0 : -1;
}

#define test(function_) cmocka_unit_test_setup_teardown(function_, test_connect, test_disconnect)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(each_code_has_its_class),
		test(data_are_refused),
		test(mistakes_are_bugs),
		test(patience_of_the_server_ends),
	};
	return cmocka_run_group_tests(tests, start_cluster, test_stop_cluster);
}
