/* What a bench asks a PostgreSQL, and pgbench. What cannot be done ends the bench. */
#pragma once

#include <libpq-fe.h>
#include <stdint.h>

PGconn *bench_connect(const char *url);

/* Run statements and return the first value, or 0 where there is none. Parameters are texts; with
 * some of them it is one statement. */
double bench_query(PGconn *database, const char *sql, const char *const parameters[], int count);

struct pgbench {
	const char *url, *script, *folder; /* The folder of the bench, for what it complains of. */
	int64_t clients, seconds;
	const char *const *definitions; /* NAME=value; ends with NULL. NULL: none. */
};

/* Transactions per second, prepared, without the time it takes to connect. */
double pgbench_rate(const struct pgbench *pgbench);
