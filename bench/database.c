/* See database.h. */
#include "bench/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"
#include "lib/testkit/process.h"

enum { TEXT_SIZE = 320, ARGUMENTS_MAX = 32, END_MS_MAX = 60000 };

PGconn *bench_connect(const char *url)
{
	PGconn *database = PQconnectdb(url);
	if (PQstatus(database) != CONNECTION_OK)
		bench_fail("PostgreSQL: %s", PQerrorMessage(database));
	return database;
}

double bench_query(PGconn *database, const char *sql, const char *const parameters[], int count)
{
	PGresult *result = count > 0
		? PQexecParams(database, sql, count, NULL, parameters, NULL, NULL, 0)
		: PQexec(database, sql);
	ExecStatusType status = PQresultStatus(result);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		bench_fail("PostgreSQL: %s", PQerrorMessage(database));
	double value = PQntuples(result) > 0 ? strtod(PQgetvalue(result, 0, 0), NULL) : 0;
	PQclear(result);
	return value;
}

double pgbench_rate(const struct pgbench *pgbench)
{
	char clients[TEXT_SIZE], time[TEXT_SIZE], file[TEXT_SIZE], errors[TEXT_SIZE];
	struct process process = {0};
	snprintf(clients, sizeof clients, "--client=%lld", (long long)pgbench->clients);
	snprintf(time, sizeof time, "--time=%lld", (long long)pgbench->seconds);
	snprintf(file, sizeof file, "--file=%s", pgbench->script);
	snprintf(errors, sizeof errors, "%s/pgbench", pgbench->folder);
	const char *arguments[ARGUMENTS_MAX] = {"pgbench", "--no-vacuum", "--protocol=prepared",
		pgbench->clients > 1 ? "--jobs=2" : "--jobs=1", clients, time, file};
	size_t count = 7;
	for (size_t i = 0; pgbench->definitions && pgbench->definitions[i]; i++) {
		if (count + 4 > ARGUMENTS_MAX)
			bench_fail("pgbench has too many definitions");
		arguments[count++] = "--define";
		arguments[count++] = pgbench->definitions[i];
	}
	arguments[count] = pgbench->url;
	struct process_options program = {.arguments = arguments, .error_path = errors};
	if (process_start(&process, &program) != STATUS_OK ||
		process_wait(&process, pgbench->seconds * 1000 + END_MS_MAX) != STATUS_OK ||
		process.exit_code != 0)
		bench_fail("pgbench failed; %s says why", errors);
	char *output = process_output(&process);
	const char *rate = strstr(output, "tps = ");
	if (!rate)
		bench_fail("pgbench does not tell its rate: %s", output);
	double transactions = strtod(rate + strlen("tps = "), NULL);
	free(output);
	process_release(&process);
	return transactions;
}
