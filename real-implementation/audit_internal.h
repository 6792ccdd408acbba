/* What the files of audit.h share. Private, and for its tests. */
#pragma once

#include "lib/postgres/postgres.h"
#include "real-implementation/audit.h"

/* Make all checks on this connection, in the transaction that is open there, and fill in the
 * report. `ledger_ms` is when the ledger began to be read, which then is in a temporary table
 * there; -1: it was not. The texts of the statements are the arena's, which must outlive the
 * connection. */
__attribute__((warn_unused_result)) enum status audit_look(
	struct postgres *pg, int64_t ledger_ms, struct audit_report *report, struct arena *arena);

/* Make the temporary table of the ledger. */
__attribute__((warn_unused_result)) enum status audit_ledger_make(struct postgres *pg);

/* Add a page, as the provider replies it, to the table. */
__attribute__((warn_unused_result)) enum status audit_ledger_add(
	struct postgres *pg, struct slice page);

/* Read the whole ledger into the table, page by page, and count its items. */
__attribute__((warn_unused_result)) enum status audit_ledger_read(struct postgres *pg,
	const struct audit_options *options, int64_t *item_count, struct fault *fault);
