/* The auditor: whether what must always hold does (product.md, "Invariants"), asked of the database
 * and, where it can be read, of the provider's ledger. For `onsale audit`, after each fault and at
 * any time.
 *
 * Each check is a statement of audit.sql, of one name and one invariant, and gives what is wrong.
 * All look at one snapshot, so a sale that goes on meanwhile is no fault. What is still under way
 * at the provider is none either: it is counted as in flight, and its order is not compared with
 *the ledger. With `settle_ms` the auditor first waits until nothing is in flight; what still is
 *when that time is over counts as a violation of the check "settled".
 *
 *	struct audit_report *report;
 *	struct fault fault;
 *	enum status status = audit(&options, &report, &fault);
 *	if (status == STATUS_OK)
 *		audit_text(report, &buffer);
 *	… print the buffer, or the fault …
 *	int code = audit_exit_status(status, report);
 *	free(report);
 *
 * The invariants that are not about rows in the database have their own proofs: 4 and 5 (the
 * waiting room's order and capacity are checked by observers), 6 and 7 (by who keeps what was
 * acknowledged), 9 and 10 (streams). */
#pragma once

#include <jansson.h>

#include "lib/base/buffer.h"
#include "lib/base/status.h"

enum {
	AUDIT_CHECKS_MAX = 40,
	AUDIT_EXAMPLES_MAX = 5,
	AUDIT_TEXT_SIZE = 240, /* Of an example's id or description; longer ones are cut. */
	AUDIT_CURRENCIES_MAX = 32,
	AUDIT_STATUSES_MAX = 16,
	AUDIT_NAME_SIZE = 32,
	AUDIT_REPORT_SIZE_MAX = 1 << 20, /* For the buffer that is rendered into. */
	AUDIT_CALL_MS_DEFAULT = 600000,
};

struct audit_options {
	const char *database_url;
	int64_t call_ms_max; /* For one check. 0: AUDIT_CALL_MS_DEFAULT. */
	int64_t settle_ms;   /* How long to wait for what is in flight. 0: not at all. */
	/* The base URL of a provider's simulator, whose ledger is at /simulator/ledger, and the
	 * token to read it. NULL: there is none, and its checks are left out. */
	const char *ledger_url;
	const char *ledger_token;
};

struct audit_example {
	char id[AUDIT_TEXT_SIZE];
	char how[AUDIT_TEXT_SIZE];
};

struct audit_check {
	const char *name; /* "one-ticket-per-seat" */
	int invariant;    /* Its number in product.md. 0: none of them by itself. */
	const char *title;
	int64_t violations;
	struct audit_example examples[AUDIT_EXAMPLES_MAX];
	size_t example_count;
};

struct audit_report {
	int64_t at_ms; /* The database's time of the snapshot. */
	struct audit_check checks[AUDIT_CHECKS_MAX];
	size_t check_count;
	int64_t violations; /* Of all checks. */
	struct {
		char status[AUDIT_NAME_SIZE];
		int64_t count;
	} in_flight[AUDIT_STATUSES_MAX];
	size_t in_flight_count; /* Of statuses. */
	int64_t events, seats, holds, orders, tickets, scans;
	struct {
		char currency[AUDIT_NAME_SIZE];
		int64_t captured, refunded, tickets; /* Of valid tickets, the prices. */
	} money[AUDIT_CURRENCIES_MAX];
	size_t money_count;
	int64_t ledger_items; /* -1: there was no ledger. */
};

/* Look. On STATUS_OK all checks were made, and `*report` says what came of them, to be freed by
 * free(). Else nothing can be said, and `fault` says why: the database (where "database") or the
 * ledger ("ledger") could not be read, or memory is short. Changes nothing. */
__attribute__((warn_unused_result)) enum status audit(
	const struct audit_options *options, struct audit_report **report, struct fault *fault);

/* 0: all is well. 1: there are violations. 2: it could not be looked. `report` may be NULL then. */
int audit_exit_status(enum status status, const struct audit_report *report);

/* The report as a table for people, added to the buffer. */
void audit_text(const struct audit_report *report, struct buffer *buffer);

/* The report as JSON: {at, clean, violations, checks: [{name, invariant?, title, violations,
 * examples: [{id, how}]}], inFlight: {status: count}, money: [{currency, captured, refunded,
 * tickets}], counts: {events, seats, holds, orders, tickets, scans}, ledgerItems?}. The caller owns
 * it; NULL when memory is short. */
__attribute__((warn_unused_result)) json_t *audit_json(const struct audit_report *report);
