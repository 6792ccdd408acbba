/* Statements: prepare, run, and find out what became of them. */
#include "lib/postgres/postgres_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"

/* One call on its way. */
struct call {
	struct postgres *pg;
	const struct postgres_statement *statement;
	struct postgres_encoded encoded;
	int64_t deadline_ms;
	bool sent; /* So that the server may have applied it. */
};

/* The status of a call whose connection was lost: what could not have been committed was not. */
static enum status lost(const struct postgres *pg, bool sent, enum postgres_effect effect)
{
	if (sent && effect == POSTGRES_WRITES && pg->state == POSTGRES_STATE_IDLE)
		return STATUS_UNKNOWN;
	return STATUS_UNAVAILABLE;
}

/* Remember that the open transaction, if there is one, can only be rolled back. */
static enum status settle(struct postgres *pg, enum status status)
{
	if (status != STATUS_OK && pg->state == POSTGRES_STATE_OPEN) {
		pg->state = POSTGRES_STATE_FAILED;
		pg->failure = status;
	}
	return status;
}

/* Take the error out of a result. The server may answer and hang up: then it is a lost connection,
 * and its last words do not promise that nothing was applied. */
static enum status take_failure(
	struct postgres *pg, const PGresult *result, bool sent, enum postgres_effect effect)
{
	enum status status = postgres_error_take(pg, result);
	if (PQstatus(pg->connection) == CONNECTION_OK && pg->error.class != POSTGRES_CONNECTION &&
		!pg->doomed)
		return status;
	pg->error.class = POSTGRES_CONNECTION;
	log_warning("postgres.lost", LOG_TEXT("message", pg->error.message));
	postgres_drop(pg);
	return lost(pg, sent, effect);
}

/* Send failed before anything was handed to the system, or memory was short. */
static enum status unsent(struct postgres *pg)
{
	postgres_error_set(pg, POSTGRES_CONNECTION, "", "%s", PQerrorMessage(pg->connection));
	postgres_drop(pg);
	return STATUS_UNAVAILABLE;
}

/* --- Prepared statements --- */

static bool types_match(
	const struct postgres_prepared *prepared, const struct postgres_encoded *encoded)
{
	if (prepared->type_count != encoded->count)
		return false;
	for (size_t i = 0; i < encoded->count; i++)
		if (encoded->types[i] != 0 && encoded->types[i] != prepared->types[i])
			return false;
	return true;
}

/* What is prepared for these types; an untyped NULL fits any. NULL when nothing is. */
static struct postgres_prepared *find_prepared(const struct call *call)
{
	struct postgres *pg = call->pg;
	for (size_t i = 0; i < pg->prepared_count; i++) {
		struct postgres_prepared *prepared = &pg->prepared[i];
		if (strcmp(prepared->statement_name, call->statement->name) != 0)
			continue;
		assert(prepared->sql == call->statement->sql ||
			strcmp(prepared->sql, call->statement->sql) == 0);
		if (types_match(prepared, &call->encoded))
			return prepared;
	}
	return NULL;
}

static void forget_prepared(struct postgres *pg, struct postgres_prepared *prepared)
{
	pg->prepared_count--;
	*prepared = pg->prepared[pg->prepared_count];
}

/* Prepare it under a name never used before on this connection: what the server has under an older
 * name may be invalid and cannot be removed while a transaction is failed. */
static enum status prepare(struct call *call)
{
	struct postgres *pg = call->pg;
	struct postgres_prepared *prepared = &pg->prepared[pg->prepared_count];
	assert(strlen(call->statement->name) <= POSTGRES_NAME_SIZE_MAX);
	*prepared = (struct postgres_prepared){
		.statement_name = call->statement->name, .sql = call->statement->sql};
	(void)snprintf(prepared->name, sizeof prepared->name, "%s_%" PRIu64, call->statement->name,
		pg->prepared_serial++ % 1000000000);
	prepared->type_count = call->encoded.count;
	memcpy(prepared->types, call->encoded.types, sizeof prepared->types);
	if (PQsendPrepare(pg->connection, prepared->name, call->statement->sql,
		    (int)prepared->type_count, prepared->types) == 0)
		return unsent(pg);
	PGresult *result = postgres_collect(pg, call->deadline_ms);
	if (result == NULL)
		return STATUS_UNAVAILABLE;
	enum status status = STATUS_OK;
	if (postgres_is_success(result))
		pg->prepared_count++;
	else
		status = take_failure(pg, result, false, POSTGRES_READS);
	PQclear(result);
	return status;
}

/* Whether the server has refused to run what we prepared, without having run anything: the result
 * would have other columns since the schema was changed, or somebody has discarded it. */
static bool is_invalidated(const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);
	if (sqlstate == NULL)
		return false;
	/* Elsewhere 0A000 means a feature that does not exist. */
	if (strcmp(sqlstate, "0A000") == 0)
		return function != NULL && strcmp(function, "RevalidateCachedQuery") == 0;
	return strcmp(sqlstate, "26000") == 0;
}

/* --- Running --- */

static int send_call(struct call *call, const struct postgres_prepared *prepared)
{
	const struct postgres_encoded *encoded = &call->encoded;
	PGconn *connection = call->pg->connection;
	int count = (int)encoded->count;
	if (prepared != NULL)
		return PQsendQueryPrepared(connection, prepared->name, count, encoded->values,
			encoded->sizes, encoded->formats, 1);
	return PQsendQueryParams(connection, call->statement->sql, count, encoded->types,
		encoded->values, encoded->sizes, encoded->formats, 1);
}

/* Run it once. *again is set when it met an invalidated preparation and can be tried anew. */
static enum status run_once(struct call *call, PGresult **answer, bool *again)
{
	struct postgres *pg = call->pg;
	struct postgres_prepared *prepared = find_prepared(call);
	*again = false;
	if (prepared == NULL && pg->prepared_count < POSTGRES_STATEMENTS_MAX) {
		enum status status = prepare(call);
		if (status != STATUS_OK)
			return status;
		prepared = &pg->prepared[pg->prepared_count - 1];
	}
	if (send_call(call, prepared) == 0)
		return unsent(pg);
	call->sent = true;
	PGresult *result = postgres_collect(pg, call->deadline_ms);
	if (result == NULL)
		return lost(pg, true, call->statement->effect);
	if (postgres_is_success(result)) {
		*answer = result;
		return STATUS_OK;
	}
	bool invalidated = prepared != NULL && is_invalidated(result);
	enum status status = take_failure(pg, result, true, call->statement->effect);
	PQclear(result);
	if (invalidated && pg->connection != NULL) {
		forget_prepared(pg, prepared);
		pg->error.class = POSTGRES_RETRY;
		*again = pg->state == POSTGRES_STATE_IDLE;
		status = STATUS_UNAVAILABLE;
	}
	return status;
}

static enum status run_call(struct call *call, PGresult **answer)
{
	bool again;
	enum status status = run_once(call, answer, &again);
	if (again)
		status = run_once(call, answer, &again);
	if (status == STATUS_OK)
		postgres_error_clear(call->pg);
	return status;
}

/* A statement that begins or ends a transaction behind our back would make every later answer
 * wrong.
 */
static enum status check_transaction(struct postgres *pg)
{
	PGTransactionStatusType expected =
		pg->state == POSTGRES_STATE_IDLE ? PQTRANS_IDLE : PQTRANS_INTRANS;
	if (PQtransactionStatus(pg->connection) == expected)
		return STATUS_OK;
	postgres_error_set(pg, POSTGRES_BUG, "2D000",
		"transactions are begun and ended by postgres_begin and postgres_commit only");
	postgres_drop(pg);
	return STATUS_REFUSED;
}

static void log_bug(const struct postgres *pg, const char *name)
{
	if (pg->error.class == POSTGRES_BUG)
		log_error("postgres.bug", LOG_TEXT("statement", name),
			LOG_TEXT("sqlstate", pg->error.sqlstate),
			LOG_TEXT("message", pg->error.message));
}

static void fill_result(struct postgres_result *result, PGresult *answer)
{
	*result = (struct postgres_result){
		.rows = answer,
		.row_count = (size_t)PQntuples(answer),
		.column_count = (size_t)PQnfields(answer),
		.affected_count = strtoul(PQcmdTuples(answer), NULL, 10),
	};
}

enum status postgres_execute(struct postgres *pg, const struct postgres_statement *statement,
	const struct postgres_parameter parameters[], size_t parameter_count,
	struct postgres_result *result)
{
	struct call call = {.pg = pg, .statement = statement, .deadline_ms = postgres_deadline(pg)};
	PGresult *answer = NULL;
	if (result != NULL)
		*result = (struct postgres_result){.rows = NULL};
	if (pg->state == POSTGRES_STATE_FAILED)
		return pg->failure;
	postgres_error_clear(pg);
	enum status status = postgres_encode(pg, parameters, parameter_count, &call.encoded);
	if (status == STATUS_OK)
		status = postgres_ready(pg, call.deadline_ms);
	if (status == STATUS_OK)
		status = run_call(&call, &answer);
	if (status == STATUS_OK)
		status = check_transaction(pg);
	log_bug(pg, statement->name);
	if (status == STATUS_OK && result != NULL)
		fill_result(result, answer);
	else
		PQclear(answer);
	return settle(pg, status);
}

enum status postgres_run_command(
	struct postgres *pg, const char *sql, enum postgres_effect effect, int64_t deadline_ms)
{
	if (PQsendQuery(pg->connection, sql) == 0)
		return unsent(pg);
	PGresult *result = postgres_collect(pg, deadline_ms);
	if (result == NULL)
		return lost(pg, true, effect);
	enum status status = STATUS_OK;
	if (!postgres_is_success(result))
		status = take_failure(pg, result, true, effect);
	PQclear(result);
	return status;
}

enum status postgres_run_script(struct postgres *pg, const char *sql)
{
	int64_t deadline_ms = postgres_deadline(pg);
	if (pg->state == POSTGRES_STATE_FAILED)
		return pg->failure;
	postgres_error_clear(pg);
	enum status status = postgres_ready(pg, deadline_ms);
	if (status == STATUS_OK)
		status = postgres_run_command(pg, sql, POSTGRES_WRITES, deadline_ms);
	if (status == STATUS_OK ||
		(pg->connection != NULL && pg->state == POSTGRES_STATE_IDLE &&
			PQtransactionStatus(pg->connection) != PQTRANS_IDLE))
		status = check_transaction(pg);
	log_bug(pg, "script");
	return settle(pg, status);
}
