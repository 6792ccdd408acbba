/* SQLSTATEs into classes, classes into statuses. */
#include "lib/postgres/postgres_internal.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char *prefix; /* The first row that a SQLSTATE begins with decides. */
	enum postgres_class class;
} classes[] = {
	{"40001", POSTGRES_RETRY},      /* serialization_failure */
	{"40P01", POSTGRES_RETRY},      /* deadlock_detected */
	{"55P03", POSTGRES_RETRY},      /* lock_not_available */
	{"40002", POSTGRES_DATA},       /* transaction_integrity_constraint_violation */
	{"P0001", POSTGRES_DATA},       /* raise_exception: a rule of the schema speaks */
	{"57014", POSTGRES_BUSY},       /* query_canceled, by statement_timeout too */
	{"25006", POSTGRES_BUSY},       /* read_only_sql_transaction: a standby */
	{"25P03", POSTGRES_CONNECTION}, /* idle_in_transaction_session_timeout */
	{"08", POSTGRES_CONNECTION}, {"57P", POSTGRES_CONNECTION}, {"22", POSTGRES_DATA},
	{"23", POSTGRES_DATA}, {"53", POSTGRES_BUSY}, /* insufficient resources */
	{"58", POSTGRES_BUSY},                        /* system error, such as I/O */
};

static const enum status statuses[] = {
	[POSTGRES_NO_ERROR] = STATUS_OK,
	[POSTGRES_DATA] = STATUS_REFUSED,
	[POSTGRES_RETRY] = STATUS_UNAVAILABLE,
	[POSTGRES_BUSY] = STATUS_UNAVAILABLE,
	[POSTGRES_CONNECTION] = STATUS_UNAVAILABLE,
	[POSTGRES_BUG] = STATUS_REFUSED,
};

enum postgres_class postgres_classify(const char *sqlstate)
{
	if (sqlstate[0] == '\0')
		return POSTGRES_CONNECTION;
	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
		if (slice_starts_with(slice_of(sqlstate), classes[i].prefix))
			return classes[i].class;
	return POSTGRES_BUG;
}

bool postgres_is_success(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
		status == PGRES_EMPTY_QUERY;
}

void postgres_error_clear(struct postgres *pg)
{
	pg->error = (struct postgres_error){.class = POSTGRES_NO_ERROR};
}

/* Keep the first line, since libpq's own messages have several and end in a newline. */
static void copy_line(char *line, size_t size, const char *text)
{
	(void)snprintf(line, size, "%.*s", (int)strcspn(text, "\n"), text);
}

void postgres_error_set(struct postgres *pg, enum postgres_class class, const char *sqlstate,
	const char *format, ...)
{
	char message[sizeof pg->error.message];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	postgres_error_clear(pg);
	pg->error.class = class;
	copy_line(pg->error.sqlstate, sizeof pg->error.sqlstate, sqlstate);
	copy_line(pg->error.message, sizeof pg->error.message, message);
}

enum status postgres_error_take(struct postgres *pg, const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	if (message == NULL)
		message = PQresultErrorMessage(result);
	postgres_error_set(pg, postgres_classify(sqlstate ? sqlstate : ""),
		sqlstate ? sqlstate : "", "%s", message);
	if (constraint != NULL)
		copy_line(pg->error.constraint, sizeof pg->error.constraint, constraint);
	return statuses[pg->error.class];
}

const struct postgres_error *postgres_error(const struct postgres *pg)
{
	return &pg->error;
}

bool postgres_violated(const struct postgres *pg, const char *constraint)
{
	return pg->error.class == POSTGRES_DATA && strcmp(pg->error.constraint, constraint) == 0;
}
