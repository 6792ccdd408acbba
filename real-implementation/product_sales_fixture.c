/* See product_sales_fixture.h. Each test has a database made from a template, which is quicker than
 * the whole schema again. */
#include "real-implementation/product_sales_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "real-implementation/migrate.h"
#include "real-implementation/product_sales_fixture.sql.h"

enum { URL_SIZE = 256, SQL_SIZE = 4096, TEXTS = 64, CALL_MS_MAX = 60000, DATABASES_MAX = 100 };

struct postgres_fixture sales_cluster;
struct postgres *sales_database;
static char url[URL_SIZE];
static struct postgres *maker; /* Connected to another database than those that are made. */

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

/* CREATE DATABASE must be alone in its call. */
static void run_one(struct postgres *pg, const char *name, const char *sql)
{
	const struct postgres_statement statement = {.name = name, .sql = sql};
	if (postgres_execute(pg, &statement, POSTGRES_NO_PARAMETERS, NULL) != STATUS_OK)
		fail_msg("%s\n%s", postgres_error(pg)->message, sql);
}

/* The cluster's URL with another database. */
static void name_database(const char *name)
{
	const char *slash = strrchr(sales_cluster.url, '/');
	assert_non_null(slash);
	(void)snprintf(url, sizeof url, "%.*s/%s", (int)(slash - sales_cluster.url),
		sales_cluster.url, name);
}

int sales_fixture_start(void **state)
{
	struct migrate_report report;
	struct fault fault = {0};
	(void)state;
	if (postgres_fixture_start(&sales_cluster, "sales") != STATUS_OK)
		return -1;
	maker = connect_to(sales_cluster.url);
	run_one(maker, "make_template", "CREATE DATABASE sales");
	name_database("sales");
	if (migrate(url, CALL_MS_MAX, &report, &fault) != STATUS_OK)
		fail_msg("%s: %s", fault.where, fault.what);
	struct postgres *pg = connect_to(url);
	run(pg, fixture_event);
	run(pg, fixture_functions);
	run(pg, fixture_sales);
	postgres_close(pg);
	return 0;
}

int sales_fixture_stop(void **state)
{
	(void)state;
	postgres_close(maker);
	postgres_fixture_stop(&sales_cluster);
	return 0;
}

int sales_fixture_begin(void **state)
{
	/* A statement's texts live as long as its connection. */
	static struct {
		char name[32], sql[128];
	} made[DATABASES_MAX];
	static size_t count;
	(void)state;
	assert_true(count < DATABASES_MAX);
	char *name = made[count].name, *sql = made[count++].sql;
	(void)snprintf(name, sizeof made[0].name, "sales_%zu", count);
	(void)snprintf(sql, sizeof made[0].sql, "CREATE DATABASE sales_%zu TEMPLATE sales", count);
	run_one(maker, name, sql);
	name_database(name);
	sales_database = connect_to(url);
	return 0;
}

int sales_fixture_end(void **state)
{
	(void)state;
	postgres_close(sales_database);
	sales_database = NULL;
	return 0;
}

const char *sales_url(void)
{
	return url;
}

void sales_fixture_under_way(void)
{
	run(sales_database, fixture_under_way);
}

void sales_do(const char *sql, ...)
{
	char text[SQL_SIZE];
	va_list arguments;
	va_start(arguments, sql);
	(void)vsnprintf(text, sizeof text, sql, arguments);
	va_end(arguments);
	run(sales_database, text);
}

/* On a connection of its own, which has no statement of that name yet. */
static void ask(const char *sql, struct postgres_result *rows)
{
	struct postgres *pg = connect_to(url);
	const struct postgres_statement statement = {.name = "ask", .sql = sql};
	if (postgres_execute(pg, &statement, POSTGRES_NO_PARAMETERS, rows) != STATUS_OK)
		fail_msg("%s\n%s", postgres_error(pg)->message, sql);
	assert_int_equal(1, rows->row_count);
	postgres_close(pg);
}

int64_t sales_number(const char *sql, ...)
{
	char text[SQL_SIZE];
	struct postgres_result rows;
	va_list arguments;
	va_start(arguments, sql);
	(void)vsnprintf(text, sizeof text, sql, arguments);
	va_end(arguments);
	ask(text, &rows);
	int64_t number = postgres_get_bigint(&rows, 0, 0);
	postgres_result_release(&rows);
	return number;
}

const char *sales_text(const char *sql, ...)
{
	static char texts[TEXTS][SQL_SIZE / 4];
	static unsigned next;
	char text[SQL_SIZE], *found = texts[next++ % TEXTS];
	struct postgres_result rows;
	va_list arguments;
	va_start(arguments, sql);
	(void)vsnprintf(text, sizeof text, sql, arguments);
	va_end(arguments);
	ask(text, &rows);
	(void)snprintf(found, sizeof texts[0], "%.*s", SLICE_PRINT(postgres_get_text(&rows, 0, 0)));
	postgres_result_release(&rows);
	return found;
}
