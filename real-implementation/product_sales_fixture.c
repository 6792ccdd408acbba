/* See product_sales_fixture.h. */
#include "real-implementation/product_sales_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/testkit/text.h"
#include "real-implementation/migrate.h"
#include "real-implementation/product_sales_fixture.sql.h"

enum { SQL_SIZE = 4096, STATEMENTS_MAX = 512, CALL_MS_MAX = 60000 };

struct postgres_fixture sales_cluster;
struct postgres *sales_database;
static struct postgres *asker;

static struct postgres *connect_to(const char *where)
{
	struct postgres *pg = postgres_open(&(struct postgres_options){.url = where,
		.application_name = "test",
		.connect_ms_max = CALL_MS_MAX,
		.call_ms_max = CALL_MS_MAX});
	assert_non_null(pg);
	return pg;
}

static void run(struct postgres *pg, const char *sql)
{
	if (postgres_run_script(pg, sql) != STATUS_OK)
		fail_msg("%s\n%s", postgres_error(pg)->message, sql);
}

int sales_fixture_start(void **state)
{
	struct migrate_report report;
	struct fault fault = {0};
	(void)state;
	if (postgres_fixture_start(&sales_cluster, "sales") != STATUS_OK)
		return -1;
	if (migrate(sales_cluster.url, CALL_MS_MAX, &report, &fault) != STATUS_OK)
		fail_msg("%s: %s", fault.where, fault.what);
	sales_database = connect_to(sales_cluster.url);
	asker = connect_to(sales_cluster.url);
	run(sales_database, fixture_functions);
	return 0;
}

int sales_fixture_stop(void **state)
{
	(void)state;
	postgres_close(sales_database);
	postgres_close(asker);
	postgres_fixture_stop(&sales_cluster);
	return 0;
}

/* In one transaction, so that it costs one commit. */
int sales_fixture_begin(void **state)
{
	struct postgres *pg = sales_database;
	(void)state;
	postgres_rollback(pg); /* What a test that failed has left. */
	assert_int_equal(STATUS_OK, postgres_begin(pg, POSTGRES_READ_COMMITTED));
	run(pg, fixture_empty);
	run(pg, fixture_event);
	run(pg, fixture_sales);
	assert_int_equal(STATUS_OK, postgres_commit(pg));
	return 0;
}

void sales_fixture_under_way(void)
{
	run(sales_database, fixture_under_way);
}

void sales_do(const char *sql, ...)
{
	char query[SQL_SIZE];
	va_list arguments;
	va_start(arguments, sql);
	(void)vsnprintf(query, sizeof query, sql, arguments);
	va_end(arguments);
	run(sales_database, query);
}

/* By a connection of its own, which sees what is committed. Statements are kept as long as it. */
static void ask(const char *sql, struct postgres_result *rows)
{
	static struct {
		char name[16], *sql;
	} known[STATEMENTS_MAX];
	static size_t count;
	size_t i = 0;
	while (i < count && strcmp(known[i].sql, sql) != 0)
		i++;
	if (i == count) {
		assert_true(count < STATEMENTS_MAX);
		(void)snprintf(known[i].name, sizeof known[i].name, "ask_%zu", i);
		known[i].sql = strdup(sql);
		count++;
	}
	const struct postgres_statement statement = {.name = known[i].name, .sql = known[i].sql};
	if (postgres_execute(asker, &statement, POSTGRES_NO_PARAMETERS, rows) != STATUS_OK)
		fail_msg("%s\n%s", postgres_error(asker)->message, sql);
	assert_int_equal(1, rows->row_count);
}

int64_t sales_number(const char *sql, ...)
{
	char query[SQL_SIZE];
	struct postgres_result rows;
	va_list arguments;
	va_start(arguments, sql);
	(void)vsnprintf(query, sizeof query, sql, arguments);
	va_end(arguments);
	ask(query, &rows);
	int64_t number = postgres_get_bigint(&rows, 0, 0);
	postgres_result_release(&rows);
	return number;
}

const char *sales_text(const char *sql, ...)
{
	char query[SQL_SIZE];
	struct postgres_result rows;
	va_list arguments;
	va_start(arguments, sql);
	(void)vsnprintf(query, sizeof query, sql, arguments);
	va_end(arguments);
	ask(query, &rows);
	const char *found = text("%.*s", SLICE_PRINT(postgres_get_text(&rows, 0, 0)));
	postgres_result_release(&rows);
	return found;
}
