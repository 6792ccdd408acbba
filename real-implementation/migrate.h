/* The database's schema, in steps that are applied once, in order, and never taken back.
 *
 * Each step is one transaction, under one advisory lock, together with its row in
 * schema_migrations; so it is there with all it does or not at all, however the program ends, and
 * two that migrate at once apply it once between them. The first steps are the schemas of the
 * adapters, which also apply them themselves and may find them there.
 *
 * A step that has been released never changes: its checksum is in databases. What is to be
 * otherwise comes as a further step. A database that knows a step which this program does not, or
 * knows it with another checksum, is refused before anything is done to it. */
#pragma once

#include "lib/postgres/postgres.h"

struct migrate_step {
	int32_t version; /* Grows from step to step; there may be gaps. */
	const char *name;
	const char *sql; /* A script without BEGIN and COMMIT. */
};

/* The program's own steps. */
extern const struct migrate_step migrate_steps[];
extern const size_t migrate_step_count;

struct migrate_report {
	int32_t version_before; /* The highest that was applied; 0: none. */
	int32_t version;        /* The highest that is applied now. */
	size_t applied_count;   /* Steps that this very call has applied. */
};

/* Bring the database to this program's version. Waits for the database, and for others who migrate
 * it, for `ms` at the most, and each step may take as long. `report` is filled in whatever comes
 * out; the steps that it counts are applied for good.
 *
 * REFUSED: the database is newer than the program or has another step in the place of one; or the
 * database finds fault with the URL or a step. UNAVAILABLE: it does not answer, or another one who
 * migrates takes too long. UNKNOWN: the connection was lost while a step was committed. After these
 * two the same call may be made again. `fault` then says why, with the step or "schema_migrations"
 * as `where`. */
__attribute__((warn_unused_result)) enum status migrate(
	const char *database_url, int64_t ms, struct migrate_report *report, struct fault *fault);

/* The same with other steps; for tests. */
__attribute__((warn_unused_result)) enum status migrate_apply(const char *database_url, int64_t ms,
	const struct migrate_step steps[], size_t count, struct migrate_report *report,
	struct fault *fault);

/* Whether the database is at exactly this program's version. REFUSED: it is not, and `fault` says
 * which way it differs. UNAVAILABLE: it does not answer. Changes nothing. */
__attribute__((warn_unused_result)) enum status migrate_check(
	struct postgres *pg, struct fault *fault);

/* The same with other steps; for tests. */
__attribute__((warn_unused_result)) enum status migrate_check_steps(
	struct postgres *pg, const struct migrate_step steps[], size_t count, struct fault *fault);
