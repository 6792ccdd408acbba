/* See migrate.h. */
#include "real-implementation/migrate.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>

#include "lib/base/log.h"
#include "real-implementation/migrate_statements.sql.h"

enum { CHECKSUM_SIZE = 2 * crypto_hash_sha256_BYTES + 1 };

#define STATEMENT(name_, effect_) \
	static const struct postgres_statement name_ = { \
		.name = #name_, .sql = sql_##name_, .effect = (effect_)}

STATEMENT(migrate_lock, POSTGRES_WRITES);
STATEMENT(migrate_is_begun, POSTGRES_READS);
STATEMENT(migrate_applied, POSTGRES_READS);
STATEMENT(migrate_record, POSTGRES_WRITES);

/* What the program wants and what the database has. */
struct migration {
	const struct migrate_step *steps;
	size_t count;
	size_t next; /* The first step that is not applied; `count`: none. */
	int32_t version;
	struct fault *fault;
};

static enum status apply_steps(
	struct postgres *pg, struct migration *migration, struct migrate_report *report);
static enum status apply_next(struct postgres *pg, struct migration *migration, bool *applied);
static enum status compare(struct migration *migration, const struct postgres_result *known);
static enum status fail(const struct postgres *pg, enum status status, const char *where,
	const struct migration *migration);
static void checksum(const struct migrate_step *step, char text[CHECKSUM_SIZE]);

enum status migrate(
	const char *database_url, int64_t ms, struct migrate_report *report, struct fault *fault)
{
	return migrate_apply(database_url, ms, migrate_steps, migrate_step_count, report, fault);
}

enum status migrate_apply(const char *database_url, int64_t ms, const struct migrate_step steps[],
	size_t count, struct migrate_report *report, struct fault *fault)
{
	struct postgres_options options = {.url = database_url,
		.application_name = "onsale migrate",
		/* What a step finds there already is no news. */
		.settings = "-c client_min_messages=warning",
		.clock = clock_system(),
		.connect_ms_max = ms,
		.call_ms_max = ms,
		.lock_ms_max = ms};
	struct migration migration = {.steps = steps, .count = count, .fault = fault};
	*report = (struct migrate_report){0};
	struct postgres *pg = postgres_open(&options);
	if (!pg) {
		fault_set(fault, "schema_migrations", "memory is short");
		return STATUS_UNAVAILABLE;
	}
	enum status status = postgres_connect(pg, fault);
	if (status == STATUS_OK)
		status = apply_steps(pg, &migration, report);
	postgres_close(pg);
	return status;
}

static enum status apply_steps(
	struct postgres *pg, struct migration *migration, struct migrate_report *report)
{
	bool first = true, applied = true;
	while (applied) {
		enum status status = apply_next(pg, migration, &applied);
		report->version =
			migration->version > report->version ? migration->version : report->version;
		if (first)
			report->version_before = report->version;
		first = false;
		if (status != STATUS_OK) {
			postgres_rollback(pg);
			return status;
		}
		if (!applied)
			break;
		const struct migrate_step *step = &migration->steps[migration->next];
		report->applied_count++;
		report->version = step->version;
		log_info("migrate.applied", LOG_INTEGER("version", step->version),
			LOG_TEXT("name", step->name));
	}
	return STATUS_OK;
}

/* One transaction: wait for whoever migrates too, look at what is there now, and apply the next
 * step; false when there is none. */
static enum status apply_next(struct postgres *pg, struct migration *migration, bool *applied)
{
	struct postgres_result known = {0};
	char sum[CHECKSUM_SIZE];
	*applied = false;
	enum status status = postgres_begin(pg, POSTGRES_READ_COMMITTED);
	if (status == STATUS_OK)
		status = postgres_execute(pg, &migrate_lock, POSTGRES_NO_PARAMETERS, NULL);
	if (status == STATUS_OK)
		status = postgres_run_script(pg, sql_migrate_begin);
	if (status == STATUS_OK)
		status = postgres_execute(pg, &migrate_applied, POSTGRES_NO_PARAMETERS, &known);
	if (status != STATUS_OK)
		return fail(pg, status, "schema_migrations", migration);
	status = compare(migration, &known);
	postgres_result_release(&known);
	if (status != STATUS_OK)
		return status;
	if (migration->next == migration->count) {
		/* Also to keep the empty table, where there are no steps at all. */
		status = postgres_commit(pg);
		return status == STATUS_OK ? status
					   : fail(pg, status, "schema_migrations", migration);
	}
	const struct migrate_step *step = &migration->steps[migration->next];
	checksum(step, sum);
	status = postgres_run_script(pg, step->sql);
	if (status == STATUS_OK)
		status = postgres_execute(pg, &migrate_record,
			POSTGRES_PARAMETERS(postgres_integer(step->version),
				postgres_text(slice_of(step->name)), postgres_text(slice_of(sum))),
			NULL);
	if (status == STATUS_OK)
		status = postgres_commit(pg);
	*applied = status == STATUS_OK;
	return status == STATUS_OK ? status : fail(pg, status, step->name, migration);
}

/* Whether the steps that the database knows are the first ones of the program's, and how far it has
 * come. */
static enum status compare(struct migration *migration, const struct postgres_result *known)
{
	struct fault *fault = migration->fault;
	migration->next = 0;
	migration->version = 0;
	for (size_t row = 0; row < known->row_count; row++) {
		int32_t version = postgres_get_integer(known, row, 0);
		struct slice name = postgres_get_text(known, row, 1);
		char sum[CHECKSUM_SIZE];
		migration->version = version;
		if (row >= migration->count)
			return fault_set(fault, "schema_migrations",
				"the database has step %d (%.60s), which this program does not "
				"know: it was migrated by a newer one",
				(int)version, name.data);
		const struct migrate_step *step = &migration->steps[row];
		if (version != step->version)
			return fault_set(fault, "schema_migrations",
				"the database has step %d (%.60s) where this program has %d (%s): "
				"it was migrated by another one",
				(int)version, name.data, (int)step->version, step->name);
		checksum(step, sum);
		if (!slice_is(postgres_get_text(known, row, 2), sum))
			return fault_set(fault, "schema_migrations",
				"step %d (%s) was applied with another text than this program's",
				(int)step->version, step->name);
		migration->next = row + 1;
	}
	return STATUS_OK;
}

enum status migrate_check(struct postgres *pg, struct fault *fault)
{
	return migrate_check_steps(pg, migrate_steps, migrate_step_count, fault);
}

enum status migrate_check_steps(
	struct postgres *pg, const struct migrate_step steps[], size_t count, struct fault *fault)
{
	struct migration migration = {.steps = steps, .count = count, .fault = fault};
	struct postgres_result result = {0};
	/* Asked apart, since a table that is not there would be logged as a bug. */
	enum status status =
		postgres_execute(pg, &migrate_is_begun, POSTGRES_NO_PARAMETERS, &result);
	bool begun = status == STATUS_OK && postgres_get_boolean(&result, 0, 0);
	postgres_result_release(&result);
	if (begun)
		status = postgres_execute(pg, &migrate_applied, POSTGRES_NO_PARAMETERS, &result);
	if (status != STATUS_OK)
		return fail(pg, status, "schema_migrations", &migration);
	status = begun ? compare(&migration, &result) : STATUS_OK;
	postgres_result_release(&result);
	if (status == STATUS_OK && migration.next < count)
		return fault_set(fault, "schema_migrations",
			"the database is at version %d and this program needs %d; run `onsale "
			"migrate`",
			(int)migration.version, (int)steps[count - 1].version);
	return status;
}

static enum status fail(const struct postgres *pg, enum status status, const char *where,
	const struct migration *migration)
{
	const char *message = postgres_error(pg)->message;
	fault_set(migration->fault, where, "%s", *message ? message : status_name(status));
	return status;
}

static void checksum(const struct migrate_step *step, char text[CHECKSUM_SIZE])
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	crypto_hash_sha256(hash, (const unsigned char *)step->sql, strlen(step->sql));
	sodium_bin2hex(text, CHECKSUM_SIZE, hash, sizeof hash);
}
