/* What the files of lib/postgres share; nobody else includes it. */
#pragma once

#include <libpq-fe.h>

#include "lib/base/buffer.h"
#include "lib/postgres/postgres.h"

/* A statement as one connection has prepared it, for one combination of parameter types. */
struct postgres_prepared {
	const char *statement_name;
	const char *sql;
	char name[POSTGRES_NAME_SIZE_MAX + 16]; /* The statement's with a number of ours. */
	Oid types[POSTGRES_PARAMETERS_MAX];
	size_t type_count;
};

enum postgres_state {
	POSTGRES_STATE_IDLE,
	POSTGRES_STATE_OPEN,   /* In a transaction in which all went well so far. */
	POSTGRES_STATE_FAILED, /* In one that can only be rolled back; perhaps it is gone already.
				*/
};

struct postgres {
	PGconn *connection; /* NULL while there is none. */
	bool doomed;        /* The server has announced that it ends this connection. */
	char *url;
	char *application_name;
	char *settings; /* The session's, as command-line options. NULL: the URL is malformed. */
	char tcp_timeout_ms[24];
	struct clock *clock;
	int64_t connect_ms_max;
	bool fail_fast;
	int64_t attempt_ms_max; /* With fail_fast, for one attempt to connect. */
	int64_t retry_ms;       /* With fail_fast: no attempt to connect before. */
	int64_t call_ms_max;
	enum postgres_state state;
	enum status failure; /* What made the state POSTGRES_STATE_FAILED. */
	struct postgres_error error;
	struct postgres_prepared *prepared; /* POSTGRES_STATEMENTS_MAX of them. */
	size_t prepared_count;
	uint64_t prepared_serial;
	struct buffer bytes; /* Where the parameters of one call are encoded. */
};

/* The parameters of one call as libpq takes them. */
struct postgres_encoded {
	Oid types[POSTGRES_PARAMETERS_MAX];
	const char *values[POSTGRES_PARAMETERS_MAX];
	int sizes[POSTGRES_PARAMETERS_MAX];
	int formats[POSTGRES_PARAMETERS_MAX];
	size_t count;
};

/* postgres_parameter.c: encode into pg->bytes, to which `encoded` points until the next call.
 * STATUS_REFUSED with pg->error set when a value cannot be sent. */
enum status postgres_encode(struct postgres *pg, const struct postgres_parameter parameters[],
	size_t count, struct postgres_encoded *encoded);

/* postgres_connection.c */

/* The moment in monotonic milliseconds at which a call that begins now must be over. */
int64_t postgres_deadline(const struct postgres *pg);

/* Have a connection that looks alive, connecting if there is none; but never within a transaction.
 * STATUS_UNAVAILABLE with pg->error set otherwise. */
enum status postgres_ready(struct postgres *pg, int64_t deadline_ms);

/* Close the connection; the server rolls back what is open in it. */
void postgres_drop(struct postgres *pg);

/* Send what libpq has queued, wait for the whole answer and take it: the first error in it, or else
 * its last result. NULL when the connection was lost or the deadline passed; the connection is
 * closed then, and pg->error set. */
PGresult *postgres_collect(struct postgres *pg, int64_t deadline_ms);

/* Wait a random part of a pause that doubles with each attempt, from `ms` up to `ms_max`, but not
 * past the deadline. Spreads those who would all come back at the same moment. */
void postgres_pause(
	struct postgres *pg, int attempt, int64_t ms, int64_t ms_max, int64_t deadline_ms);

/* postgres_call.c: run a text of ours without parameters, such as COMMIT. A lost answer gives
 * STATUS_UNKNOWN if it writes, whatever the state. */
enum status postgres_run_command(
	struct postgres *pg, const char *sql, enum postgres_effect effect, int64_t deadline_ms);

/* postgres_error.c */
void postgres_error_clear(struct postgres *pg);

/* Set an error of our own making. */
__attribute__((format(printf, 4, 5))) void postgres_error_set(struct postgres *pg,
	enum postgres_class class, const char *sqlstate, const char *format, ...);

/* Set the error that a result carries, and return its status if the connection has survived it. */
enum status postgres_error_take(struct postgres *pg, const PGresult *result);

/* Whether a statement has gone well. */
bool postgres_is_success(const PGresult *result);

/* The class of five characters, or POSTGRES_CONNECTION for none. */
enum postgres_class postgres_classify(const char *sqlstate);
