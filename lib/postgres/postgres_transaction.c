/* Transactions, and doing one again when it met another's. */
#include "lib/postgres/postgres_internal.h"

#include <assert.h>

enum { RETRY_PAUSE_MS = 2, RETRY_PAUSE_MS_MAX = 200 };

enum status postgres_begin(struct postgres *pg, enum postgres_isolation isolation)
{
	static const char *const commands[] = {
		[POSTGRES_READ_COMMITTED] = "begin isolation level read committed",
		[POSTGRES_REPEATABLE_READ] = "begin isolation level repeatable read",
		[POSTGRES_SERIALIZABLE] = "begin isolation level serializable",
	};
	int64_t deadline_ms = postgres_deadline(pg);
	assert(pg->state != POSTGRES_STATE_OPEN);
	postgres_rollback(pg);
	postgres_error_clear(pg);
	enum status status = postgres_ready(pg, deadline_ms);
	if (status == STATUS_OK)
		status = postgres_run_command(pg, commands[isolation], POSTGRES_READS, deadline_ms);
	if (status == STATUS_OK)
		pg->state = POSTGRES_STATE_OPEN;
	return status;
}

enum status postgres_commit(struct postgres *pg)
{
	int64_t deadline_ms = postgres_deadline(pg);
	assert(pg->state != POSTGRES_STATE_IDLE);
	if (pg->state == POSTGRES_STATE_FAILED) {
		/* COMMIT would be answered "ROLLBACK", which libpq counts as success. */
		postgres_rollback(pg);
		return pg->failure;
	}
	postgres_error_clear(pg);
	enum status status = postgres_ready(pg, deadline_ms);
	/* From here a lost answer may stand for a transaction that is done. */
	pg->state = POSTGRES_STATE_IDLE;
	if (status == STATUS_OK)
		status = postgres_run_command(pg, "commit", POSTGRES_WRITES, deadline_ms);
	return status;
}

void postgres_rollback(struct postgres *pg)
{
	struct postgres_error error = pg->error;
	if (pg->state == POSTGRES_STATE_IDLE)
		return;
	if (pg->connection != NULL &&
		postgres_run_command(pg, "rollback", POSTGRES_READS, postgres_deadline(pg)) !=
			STATUS_OK)
		postgres_drop(pg);
	pg->state = POSTGRES_STATE_IDLE;
	pg->error = error;
}

/* One attempt. Leaves no transaction open. */
static enum status attempt(struct postgres *pg, const struct postgres_transaction *transaction)
{
	enum status status = postgres_begin(pg, transaction->isolation);
	if (status != STATUS_OK)
		return status;
	status = transaction->work(pg, transaction->context);
	if (status != STATUS_OK)
		postgres_rollback(pg);
	else if (pg->state != POSTGRES_STATE_IDLE)
		status = postgres_commit(pg);
	return status;
}

enum status postgres_transact(struct postgres *pg, const struct postgres_transaction *transaction)
{
	int attempts_max = transaction->attempts_max != 0 ? transaction->attempts_max
							  : POSTGRES_ATTEMPTS_DEFAULT;
	assert(attempts_max > 0 && attempts_max <= POSTGRES_ATTEMPTS_MAX);
	for (int count = 1;; count++) {
		enum status status = attempt(pg, transaction);
		bool retry = status == STATUS_UNAVAILABLE && pg->error.class == POSTGRES_RETRY;
		if (!retry || count == attempts_max)
			return status;
		postgres_pause(
			pg, count - 1, RETRY_PAUSE_MS, RETRY_PAUSE_MS_MAX, postgres_deadline(pg));
	}
}
