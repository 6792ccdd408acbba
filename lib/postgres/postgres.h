/* PostgreSQL, thin, typed and blocking: one connection per object, one thread per object.
 *
 *	static const struct postgres_statement seat_price = {.name = "seat_price",
 *		.sql = "select price from seats where event_id = $1 and seat_id = $2",
 *		.effect = POSTGRES_READS};
 *
 *	struct postgres_result result;
 *	enum status status = postgres_execute(pg, &seat_price,
 *		POSTGRES_PARAMETERS(postgres_uuid(event), postgres_text(seat)), &result);
 *	if (status == STATUS_OK && result.row_count == 1)
 *		price = postgres_get_bigint(&result, 0, 0);
 *	postgres_result_release(&result);
 *
 * DESIGN. Every call runs libpq's asynchronous half under a deadline: send, poll, collect. Past the
 * deadline the connection is closed rather than a cancel request sent, since PQcancel blocks and
 * promises nothing; the server is told by session settings to stop at about the same time. The next
 * call connects again. Values travel in binary with explicit types, so no text is ever quoted, and
 * a type that does not fit is found at once instead of being converted.
 *
 * What a call answers (lib/base/status.h):
 *   STATUS_OK           done, and committed unless a transaction is open;
 *   STATUS_UNAVAILABLE  nothing was applied: no connection, a lost one within a transaction that
 *                       was not being committed, a deadlock, a time-out that the server announced;
 *   STATUS_UNKNOWN      the connection was lost, or the deadline passed, after COMMIT or a
 *                       statement outside a transaction had been sent: perhaps applied;
 *   STATUS_REFUSED      the server found fault with the data, a constraint or the statement.
 * postgres_error says more. After any of the last three within a transaction, each call up to
 * postgres_rollback or the next postgres_begin answers the same again without asking the server. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/id.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

enum {
	POSTGRES_STATEMENTS_MAX = 128, /* Prepared per connection; further ones run unprepared. */
	POSTGRES_PARAMETERS_MAX = 32,  /* Of one statement. */
	POSTGRES_NAME_SIZE_MAX = 48,   /* Of a statement's name, in bytes. */
	POSTGRES_MESSAGE_SIZE_MAX = 64 << 20, /* All parameters of one call, in bytes. */
	POSTGRES_CONNECT_MS_DEFAULT = 10000,
	POSTGRES_CALL_MS_DEFAULT = 10000,
	POSTGRES_ATTEMPT_MS_DEFAULT = 1000,
	POSTGRES_MS_MIN = 10, /* Shorter deadlines would fail by chance. */
	POSTGRES_MS_MAX = 3600000,
};

struct postgres;

/* Zero means the default, for each of them but the URL. Times lie between POSTGRES_MS_MIN and
 * POSTGRES_MS_MAX. The texts are copied. */
struct postgres_options {
	const char *url; /* What libpq takes: "postgresql://…" or "host=… port=…". */
	const char *application_name; /* As pg_stat_activity shows it. */
	const char *settings;         /* Of each session, as "-c name=value -c …"; may be NULL. */
	struct clock *clock;          /* Whose monotonic time the deadlines are in. */
	int64_t connect_ms_max;       /* For connecting, all attempts together. */
	int64_t call_ms_max; /* For one call; the server stops a statement at 9/10 of it. */
	int64_t lock_ms_max; /* For waiting for one lock; by default half of call_ms_max. */
	bool fail_fast; /* For who must not wait for a server that is away: a call makes one attempt
			   to connect; when it fails, calls fail at once for a moment, so that also
			   a server which hangs takes up but a tenth of the caller's time. */
	int64_t attempt_ms_max; /* With fail_fast, for that attempt: beyond a second it may take up
				   more. postgres_connect and others wait longer for each attempt.
				 */
};

/* A new object that is not connected yet; any call connects it. NULL when memory is short. */
__attribute__((warn_unused_result)) struct postgres *postgres_open(
	const struct postgres_options *options);

/* Connect now, trying again with growing pauses until connect_ms_max has passed. STATUS_REFUSED:
 * what a retry cannot mend (a malformed URL, a wrong password, a database that does not exist).
 * STATUS_UNAVAILABLE: nobody answered in time. Any other call that finds no connection answers
 * STATUS_UNAVAILABLE in both cases, since its own data are not at fault. The fault's words never
 * hold the password; `fault` may be NULL. Does nothing when connected. Host names are resolved by
 * the system's resolver, which knows no deadline: give an address where that matters. */
__attribute__((warn_unused_result)) enum status postgres_connect(
	struct postgres *pg, struct fault *fault);

/* Disconnect, which rolls back an open transaction, and free. Accepts NULL. */
void postgres_close(struct postgres *pg);

/* Statements. */

enum postgres_effect {
	POSTGRES_WRITES,
	POSTGRES_READS, /* Changes nothing, so that a lost answer is UNAVAILABLE and never UNKNOWN.
			 */
};

/* Prepared when it is first run on a connection and again after a reconnect or when a changed
 * schema has invalidated it. Names are unique within a connection: two texts under one name are a
 * bug. Its texts, not the struct, live as long as the connection. */
struct postgres_statement {
	const char *name;
	const char *sql; /* One statement, with parameters $1, $2, … */
	enum postgres_effect effect;
};

enum postgres_kind {
	POSTGRES_KIND_NULL,
	POSTGRES_KIND_TEXT,
	POSTGRES_KIND_BIGINT,
	POSTGRES_KIND_INTEGER,
	POSTGRES_KIND_BOOLEAN,
	POSTGRES_KIND_UUID,
	POSTGRES_KIND_TIMESTAMP,
	POSTGRES_KIND_JSONB,
	POSTGRES_KIND_BYTES,
};

/* One parameter; made by the functions below. Slices and arrays are borrowed until the call that
 * takes the parameter returns. */
struct postgres_parameter {
	enum postgres_kind kind; /* Of the value, or of each item of the array. */
	enum { POSTGRES_SINGLE, POSTGRES_ARRAY } shape;
	union {
		struct slice slice;
		int64_t integer;
		bool boolean;
		struct id id;
		struct {
			const void *items; /* As C keeps them: struct slice, int64_t, bool, … */
			size_t count;
		} array;
	} value;
};

/* How the parameters of one call are written: two arguments, the array and its count. */
#define POSTGRES_PARAMETERS(...) \
	((const struct postgres_parameter[]){__VA_ARGS__}), \
		(sizeof((const struct postgres_parameter[]){__VA_ARGS__}) / \
			sizeof(struct postgres_parameter))
#define POSTGRES_NO_PARAMETERS NULL, 0

#define POSTGRES_SINGLE_(kind_, member_, value_) \
	((struct postgres_parameter){ \
		.kind = (kind_), .shape = POSTGRES_SINGLE, .value = {.member_ = (value_)}})
#define POSTGRES_ARRAY_(kind_, items_, count_) \
	((struct postgres_parameter){.kind = (kind_), \
		.shape = POSTGRES_ARRAY, \
		.value = {.array = {.items = (items_), .count = (count_)}}})

/* NULL of whatever type the statement wants there. */
static inline struct postgres_parameter postgres_null(void)
{
	return (struct postgres_parameter){.kind = POSTGRES_KIND_NULL};
}

/* text. A slice whose `data` is NULL is SQL's NULL, here and in arrays. Text with a zero byte, or
 * that is not UTF-8, is answered STATUS_REFUSED before anything is sent. */
static inline struct postgres_parameter postgres_text(struct slice value)
{
	return POSTGRES_SINGLE_(POSTGRES_KIND_TEXT, slice, value);
}

/* bigint. */
static inline struct postgres_parameter postgres_bigint(int64_t value)
{
	return POSTGRES_SINGLE_(POSTGRES_KIND_BIGINT, integer, value);
}

/* integer. */
static inline struct postgres_parameter postgres_integer(int32_t value)
{
	return POSTGRES_SINGLE_(POSTGRES_KIND_INTEGER, integer, value);
}

/* boolean. */
static inline struct postgres_parameter postgres_boolean(bool value)
{
	return POSTGRES_SINGLE_(POSTGRES_KIND_BOOLEAN, boolean, value);
}

/* uuid. */
static inline struct postgres_parameter postgres_uuid(struct id value)
{
	return POSTGRES_SINGLE_(POSTGRES_KIND_UUID, id, value);
}

/* timestamptz, from milliseconds since 1970. A time that PostgreSQL cannot hold (before 4713 BC or
 * after AD 294276) is STATUS_REFUSED before anything is sent. */
static inline struct postgres_parameter postgres_timestamp(int64_t wall_ms)
{
	return POSTGRES_SINGLE_(POSTGRES_KIND_TIMESTAMP, integer, wall_ms);
}

/* jsonb, from its text, which must be UTF-8 as above; the server checks that it is JSON. */
static inline struct postgres_parameter postgres_jsonb(struct slice value)
{
	return POSTGRES_SINGLE_(POSTGRES_KIND_JSONB, slice, value);
}

/* bytea: any bytes. */
static inline struct postgres_parameter postgres_bytes(struct slice value)
{
	return POSTGRES_SINGLE_(POSTGRES_KIND_BYTES, slice, value);
}

/* text[]. */
static inline struct postgres_parameter postgres_text_array(
	const struct slice values[], size_t count)
{
	return POSTGRES_ARRAY_(POSTGRES_KIND_TEXT, values, count);
}

/* bigint[]. */
static inline struct postgres_parameter postgres_bigint_array(const int64_t values[], size_t count)
{
	return POSTGRES_ARRAY_(POSTGRES_KIND_BIGINT, values, count);
}

/* integer[]. */
static inline struct postgres_parameter postgres_integer_array(const int32_t values[], size_t count)
{
	return POSTGRES_ARRAY_(POSTGRES_KIND_INTEGER, values, count);
}

/* boolean[]. */
static inline struct postgres_parameter postgres_boolean_array(const bool values[], size_t count)
{
	return POSTGRES_ARRAY_(POSTGRES_KIND_BOOLEAN, values, count);
}

/* uuid[]. */
static inline struct postgres_parameter postgres_uuid_array(const struct id values[], size_t count)
{
	return POSTGRES_ARRAY_(POSTGRES_KIND_UUID, values, count);
}

/* timestamptz[], from milliseconds since 1970. */
static inline struct postgres_parameter postgres_timestamp_array(
	const int64_t wall_ms[], size_t count)
{
	return POSTGRES_ARRAY_(POSTGRES_KIND_TIMESTAMP, wall_ms, count);
}

/* Results. */

/* The rows of one statement. In the caller's memory, filled in by postgres_execute (empty when that
 * did not return STATUS_OK), and always to be released. */
struct postgres_result {
	void *rows; /* Belongs to postgres_result.c. */
	size_t row_count;
	size_t column_count;
	size_t affected_count; /* Rows inserted, updated, deleted or selected. */
};

/* Release what the rows hold; slices taken from them end here. Accepts an empty result, twice too.
 */
void postgres_result_release(struct postgres_result *result);

/* Getters. Row and column are counted from 0 and exist; the column has the type that the getter
 * names, and the value is not NULL unless the getter says otherwise: anything else is a bug. */
bool postgres_is_null(const struct postgres_result *result, size_t row, size_t column);

/* text, varchar, char(n), name, json or jsonb; NULL gives a slice whose `data` is NULL. Borrowed
 * from the result, and followed by a zero byte. */
struct slice postgres_get_text(const struct postgres_result *result, size_t row, size_t column);
int64_t postgres_get_bigint(const struct postgres_result *result, size_t row, size_t column);
int32_t postgres_get_integer(const struct postgres_result *result, size_t row, size_t column);
bool postgres_get_boolean(const struct postgres_result *result, size_t row, size_t column);
struct id postgres_get_uuid(const struct postgres_result *result, size_t row, size_t column);

/* timestamptz in milliseconds since 1970, the microseconds cut off downwards; infinity and
 * -infinity give INT64_MAX and INT64_MIN. */
int64_t postgres_get_timestamp(const struct postgres_result *result, size_t row, size_t column);

/* bytea; NULL gives a slice whose `data` is NULL. Borrowed from the result. */
struct slice postgres_get_bytes(const struct postgres_result *result, size_t row, size_t column);

/* text[] of at most one dimension, its items borrowed from the result (without a zero byte at their
 * end) and their array from the arena. A NULL item has `data` NULL. False when the arena is full.
 */
__attribute__((warn_unused_result)) bool postgres_get_text_array(
	const struct postgres_result *result, size_t row, size_t column, struct arena *arena,
	struct slice **items, size_t *count);

/* bigint[] of at most one dimension and without NULL items, in the arena. False when that is full.
 */
__attribute__((warn_unused_result)) bool postgres_get_bigint_array(
	const struct postgres_result *result, size_t row, size_t column, struct arena *arena,
	int64_t **items, size_t *count);

/* Calls. */

/* Run one statement. `result` may be NULL when nobody wants the rows. Outside a transaction it
 * commits by itself. */
__attribute__((warn_unused_result)) enum status postgres_execute(struct postgres *pg,
	const struct postgres_statement *statement, const struct postgres_parameter parameters[],
	size_t parameter_count, struct postgres_result *result);

/* Run several statements separated by semicolons, without parameters, such as a schema. Outside a
 * transaction they form one: all or nothing. A script that begins or ends a transaction itself is
 * undone as far as possible and refused. */
__attribute__((warn_unused_result)) enum status postgres_run_script(
	struct postgres *pg, const char *sql);

/* How often this process has waited for an answer of a server since it began: statements, what
 * prepares them, BEGIN and COMMIT. Connecting does not count. Any thread. */
uint64_t postgres_round_trips(void);

enum postgres_isolation {
	POSTGRES_READ_COMMITTED,
	POSTGRES_REPEATABLE_READ,
	POSTGRES_SERIALIZABLE,
};

/* Begin a transaction; within one it is a bug, unless that one has failed. Never STATUS_UNKNOWN. */
__attribute__((warn_unused_result)) enum status postgres_begin(
	struct postgres *pg, enum postgres_isolation isolation);

/* Commit the open transaction; without one it is a bug. When something in it had failed, it is
 * rolled back and the answer is that of the failure. Afterwards none is open, whatever came out. */
__attribute__((warn_unused_result)) enum status postgres_commit(struct postgres *pg);

/* Undo the open transaction, if there is one. Cannot fail: a connection that does not obey is
 * closed, which has the same effect. postgres_error stays as it was. */
void postgres_rollback(struct postgres *pg);

/* Work to be done in one transaction, and done again when it met another's. */
struct postgres_transaction {
	enum postgres_isolation isolation;
	int attempts_max; /* 1 to POSTGRES_ATTEMPTS_MAX; 0 means POSTGRES_ATTEMPTS_DEFAULT. */

	/* Called once per attempt with the transaction open, so it must not keep anything from an
	 * earlier attempt. STATUS_OK commits; to undo and still answer STATUS_OK (an outcome such
	 * as "taken"), call postgres_rollback first. Anything else rolls back and is answered. */
	enum status (*work)(struct postgres *pg, void *context);
	void *context;
};

enum { POSTGRES_ATTEMPTS_DEFAULT = 5, POSTGRES_ATTEMPTS_MAX = 100 };

/* Begin, work, commit; again, after a short random pause, for as long as the failure's class is
 * POSTGRES_RETRY and attempts are left. Never again after STATUS_UNKNOWN. */
__attribute__((warn_unused_result)) enum status postgres_transact(
	struct postgres *pg, const struct postgres_transaction *transaction);

/* Errors. */

/* By SQLSTATE (PostgreSQL manual, appendix A). */
enum postgres_class {
	POSTGRES_NO_ERROR,
	POSTGRES_DATA,  /* 22, 23, P0001, or found here before sending: REFUSED. */
	POSTGRES_RETRY, /* 40001, 40P01, 55P03; in a transaction also a statement that a changed
			 * schema invalidated: UNAVAILABLE. */
	POSTGRES_BUSY,  /* 53, 57014 (the server's time-out), 58, read-only: UNAVAILABLE. */
	POSTGRES_CONNECTION, /* 08, 57P, 25P03, a lost socket, our deadline: UNAVAILABLE or UNKNOWN.
			      */
	POSTGRES_BUG, /* The rest, 42 above all: REFUSED. Logged, since nobody else understands it.
		       */
};

struct postgres_error {
	enum postgres_class class;
	char sqlstate[6];    /* Empty when the server said nothing. */
	char constraint[64]; /* The name of the constraint that was violated, or empty. */
	char message[240];   /* Its first line, for logs and not for answers. */
};

/* What became of the last call on this object; valid until the next. Never NULL. */
const struct postgres_error *postgres_error(const struct postgres *pg);

/* Whether the last failure was a violation of this constraint. */
bool postgres_violated(const struct postgres *pg, const char *constraint);
