/* A private PostgreSQL with the product's schema, and one event with sales in every state that a
 * sale can come to (product_sales_fixture.sql). One per test program; whatever goes wrong fails the
 * running test. */
#pragma once

#include "lib/postgres/postgres.h"
#include "lib/testkit/postgres_fixture.h"

#define SALES_EVENT "00000000-0000-7000-8000-0000000000e1"

extern struct postgres_fixture sales_cluster;
extern struct postgres *sales_database; /* The test's own connection. */

/* For a whole program: the cluster with the schema. And before each test: the event, the settled
 * sales (1 to 10), and nothing under way or else. */
int sales_fixture_start(void **state);
int sales_fixture_stop(void **state);
int sales_fixture_begin(void **state);

/* Sales 11 to 16, which are under way. */
void sales_fixture_under_way(void);

/* Run SQL that must succeed. */
__attribute__((format(printf, 1, 2))) void sales_do(const char *sql, ...);

/* What a query gives: one bigint, or one text, of which the last 64 stay. */
__attribute__((format(printf, 1, 2))) int64_t sales_number(const char *sql, ...);
__attribute__((format(printf, 1, 2))) const char *sales_text(const char *sql, ...);
