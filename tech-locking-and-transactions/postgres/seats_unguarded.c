/* See seats_unguarded.h. A statement is weakened by cutting the guard out of its text, so the rest
 * stays what it is in the adapter. */
#include "tech-locking-and-transactions/postgres/seats_unguarded.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum { STATEMENTS_MAX = 64 };

static const struct cut {
	enum seats_guard guard;
	const char *from, *to;
} cuts[] = {
	{SEATS_GUARD_LOCK, "\tFOR NO KEY UPDATE OF s\n",
		"\tOFFSET (SELECT length(pg_sleep(0.005)::text))\n"},
	{SEATS_GUARD_LOCK, "ORDER BY seat_id FOR UPDATE\n",
		"ORDER BY seat_id OFFSET (SELECT length(pg_sleep(0.005)::text))\n"},
	{SEATS_GUARD_LOCK, "ORDER BY s.seat_id FOR UPDATE OF s;", "ORDER BY s.seat_id;"},
	{SEATS_GUARD_VERSION, " AND s.version = seen.version", ""},
	{SEATS_GUARD_FENCE, "WHEN stale THEN 'stale'", ""},
	{SEATS_GUARD_FENCE, "WHEN h.version <> $4 THEN 'stale'", "WHEN $4 IS NULL THEN 'stale'"},
	{SEATS_GUARD_FENCE, "AND version = $3 AND", "AND $3::bigint IS NOT NULL AND"},
	{SEATS_GUARD_CLOCK, "clock_timestamp()", "now()"},
};

static enum seats_guard off;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct weakened {
	const struct postgres_statement *original;
	enum seats_guard guard;
	struct postgres_statement statement;
} weakened[STATEMENTS_MAX];
static size_t weakened_count;

void seats_guard_off(enum seats_guard guard)
{
	__atomic_store_n(&off, guard, __ATOMIC_SEQ_CST);
}

/* A new text with each `from` replaced. */
static char *replace(const char *text, const char *from, const char *to)
{
	size_t size = strlen(text), from_size = strlen(from), to_size = strlen(to);
	char *result = malloc(size * (to_size + 1) + 1), *end = result;
	assert(result);
	for (const char *found; (found = strstr(text, from)); text = found + from_size) {
		memcpy(end, text, (size_t)(found - text));
		end += found - text;
		memcpy(end, to, to_size);
		end += to_size;
	}
	memcpy(end, text, strlen(text) + 1);
	return result;
}

static const struct postgres_statement *weaken(
	const struct postgres_statement *statement, enum seats_guard guard)
{
	for (size_t i = 0; i < weakened_count; i++)
		if (weakened[i].original == statement && weakened[i].guard == guard)
			return &weakened[i].statement;
	char *sql = strdup(statement->sql);
	assert(sql);
	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
		if (cuts[i].guard != guard)
			continue;
		char *cut = replace(sql, cuts[i].from, cuts[i].to);
		free(sql);
		sql = cut;
	}
	assert(weakened_count < STATEMENTS_MAX);
	struct weakened *made = &weakened[weakened_count++];
	*made = (struct weakened){statement, guard, *statement};
	made->statement.sql = sql;
	return &made->statement;
}

const struct postgres_statement *seats_weaken(const struct postgres_statement *statement)
{
	enum seats_guard guard = __atomic_load_n(&off, __ATOMIC_SEQ_CST);
	if (guard == SEATS_GUARD_NONE)
		return statement;
	pthread_mutex_lock(&mutex);
	const struct postgres_statement *weak = weaken(statement, guard);
	pthread_mutex_unlock(&mutex);
	return weak;
}
