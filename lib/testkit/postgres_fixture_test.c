/* The cluster of a test: it is durable, it comes back, and it does not outlive its test. */
#include "lib/testkit/postgres_fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <libpq-fe.h>

enum { PATH_SIZE = 4096, VALUE_SIZE = 64, PATIENCE_S = 60 };

static struct postgres_fixture fixture;

static int release(void **state)
{
	(void)state;
	postgres_fixture_stop(&fixture);
	return 0;
}

/* Run one statement on a new connection and copy its only value. False when it fails. */
static bool ask(const char *sql, char value[VALUE_SIZE])
{
	PGconn *connection = PQconnectdb(fixture.url);
	PGresult *result = PQexec(connection, sql);
	bool succeeded = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;
	if (succeeded)
		(void)snprintf(value, VALUE_SIZE, "%s", PQgetvalue(result, 0, 0));
	PQclear(result);
	PQfinish(connection);
	return succeeded;
}

static void assert_answer(const char *expected, const char *sql)
{
	char value[VALUE_SIZE] = "nothing";
	assert_true(ask(sql, value));
	assert_string_equal(expected, value);
}

/* Where the instance keeps its things. */
static bool folder_exists(const char *instance)
{
	char path[PATH_SIZE];
	const char *source = getenv("ONSALE_SOURCE");
	(void)snprintf(path, sizeof path, "%s/.run/%s", source != NULL ? source : ".", instance);
	return access(path, F_OK) == 0;
}

static void cluster_is_private_and_durable(void **state)
{
	(void)state;
	assert_int_equal(STATUS_OK, postgres_fixture_start(&fixture, "private"));
	assert_answer("on", "show fsync");
	assert_answer("on", "show synchronous_commit");
	assert_answer("on", "show full_page_writes");
	assert_answer("64", "show max_prepared_transactions");
	assert_answer("127.0.0.1", "show listen_addresses");
	assert_answer("UTF8", "show server_encoding");
	assert_answer("C", "show lc_collate");
	/* Without the password nobody gets in. */
	char *at = strchr(fixture.url, '@');
	assert_non_null(at);
	at[-1] = at[-1] == '0' ? '1' : '0';
	char value[VALUE_SIZE];
	assert_false(ask("select 1", value));
}

static void cluster_keeps_what_was_committed(void **state)
{
	(void)state;
	char url[sizeof fixture.url];
	assert_int_equal(STATUS_OK, postgres_fixture_start(&fixture, "keeps"));
	(void)snprintf(url, sizeof url, "%s", fixture.url);
	PGconn *connection = PQconnectdb(fixture.url);
	PQclear(PQexec(connection, "create table kept (a int); insert into kept values (7)"));
	assert_int_equal(STATUS_OK, postgres_fixture_kill(&fixture));
	PQfinish(connection);
	char value[VALUE_SIZE];
	assert_false(ask("select 1", value));
	assert_int_equal(STATUS_OK, postgres_fixture_start_again(&fixture));
	assert_int_equal(STATUS_OK, postgres_fixture_start_again(&fixture));
	assert_answer("7", "select a from kept");
	assert_int_equal(STATUS_OK, postgres_fixture_restart(&fixture));
	assert_answer("7", "select a from kept");
	assert_string_equal(url, fixture.url);
	char instance[sizeof fixture.instance];
	(void)snprintf(instance, sizeof instance, "%s", fixture.instance);
	assert_true(folder_exists(instance));
	postgres_fixture_stop(&fixture);
	assert_false(folder_exists(instance));
	postgres_fixture_stop(&fixture);
}

static void cluster_does_not_outlive_its_test(void **state)
{
	(void)state;
	char instance[sizeof fixture.instance];
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (postgres_fixture_start(&fixture, "orphan") != STATUS_OK)
			_exit(1);
		(void)raise(SIGKILL);
	}
	(void)snprintf(instance, sizeof instance, "test-orphan-%ld", (long)child);
	assert_int_equal(child, waitpid(child, &status, 0));
	assert_true(WIFSIGNALED(status));
	for (int second = 0; second < PATIENCE_S && folder_exists(instance); second++)
		(void)sleep(1);
	assert_false(folder_exists(instance));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(cluster_is_private_and_durable, release),
		cmocka_unit_test_teardown(cluster_keeps_what_was_committed, release),
		cmocka_unit_test_teardown(cluster_does_not_outlive_its_test, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
