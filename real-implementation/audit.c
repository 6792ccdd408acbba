/* See audit.h. The ledger is read first, into a temporary table, and the snapshot is taken after
 * it: so whatever the ledger speaks of has its order in the snapshot, and an order that has been at
 * rest since before the reading began has all of it in the ledger. */
#include "real-implementation/audit_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "real-implementation/audit.sql.h"

enum { SETTLE_STEP_MS = 200, ARENA_SIZE_MAX = 1 << 20 };

#define READS(name_) \
	static const struct postgres_statement name_ = { \
		.name = #name_, .sql = sql_##name_, .effect = POSTGRES_READS}

READS(audit_counts);
READS(audit_money);
READS(audit_in_flight);
READS(ledger_moment);

struct check {
	const char *name;
	int invariant;
	const char *title, *sql;
};

static const struct check checks[] = {
	{"seat-state", 1, "Each seat is in one state", sql_audit_seat_state},
	{"hold-state", 1, "Each hold is in one state", sql_audit_hold_state},
	{"hold-seats", 1, "A hold lists seats that there are", sql_audit_hold_seats},
	{"hold-total", 2, "A hold costs what its seats do", sql_audit_hold_total},
	{"one-hold-per-seat", 1, "A seat has at most one live hold", sql_audit_one_hold_per_seat},
	{"held-seats", 1, "Seats and live holds agree", sql_audit_held_seats},
	{"fence", 8, "Live holds have the version of their seats", sql_audit_fence},
	{"sold-seats", 1, "Seats and sales agree", sql_audit_sold_seats},
	{"sold-in-time", 8, "No hold was sold after its end", sql_audit_sold_in_time},
	{"one-ticket-per-seat", 1, "A seat has at most one valid ticket",
		sql_audit_one_ticket_per_seat},
	{"sale-tickets", 2, "Sales and tickets agree", sql_audit_sale_tickets},
	{"ticket-ids", 0, "Tickets have the ids that follow from their order and seat",
		sql_audit_ticket_ids},
	{"order-holds", 2, "Orders and holds agree", sql_audit_order_holds},
	{"one-order-per-hold", 2, "A hold has at most one order", sql_audit_one_order_per_hold},
	{"paid-is-ticketed", 2, "Captured and ticketed are the same", sql_audit_paid_is_ticketed},
	{"order-money", 2, "An order takes all of its money or none", sql_audit_order_money},
	{"captured-total", 2, "What was captured is what tickets cost", sql_audit_captured_total},
	{"one-order-per-payment", 3, "A payment is of one order", sql_audit_one_order_per_payment},
	{"deadlines", 3, "No authorization is left to run out", sql_audit_deadlines},
	{"stuck", 3, "No order waits for the operator", sql_audit_stuck},
	{"asleep", 3, "No order was forgotten on its way", sql_audit_asleep},
	{"scans", 12, "Only valid tickets were scanned", sql_audit_scans},
	{"one-scan-per-ticket", 12, "A ticket was scanned at most once", sql_audit_one_scan},
	{"events", 0, "What is on sale belongs to an event", sql_audit_events},
	{"currencies", 2, "An event is sold in its own currency", sql_audit_currencies},
};

/* $1 is when the reading of the ledger began. */
static const struct check timed_ledger_checks[] = {
	{"ledger-captured", 2, "The provider has taken what orders say", sql_ledger_captured},
	{"ledger-ended", 3, "Nothing stays reserved when an order is over", sql_ledger_ended},
};

static const struct check ledger_checks[] = {
	{"ledger-once", 3, "No authorization ends twice", sql_ledger_once},
	{"ledger-orders", 2, "The provider has nothing for no order", sql_ledger_orders},
};

#define COUNT(array_) (sizeof(array_) / sizeof(array_)[0])

static_assert(
	COUNT(checks) + COUNT(timed_ledger_checks) + COUNT(ledger_checks) + 1 <= AUDIT_CHECKS_MAX,
	"with the check that all is settled");
static_assert(COUNT(checks) + COUNT(timed_ledger_checks) + COUNT(ledger_checks) + 8 <=
		POSTGRES_STATEMENTS_MAX,
	"all are prepared");

static enum status fill_in(
	const struct audit_options *options, struct audit_report *report, struct fault *fault);
static enum status connect_to(
	const struct audit_options *options, struct postgres **pg, struct fault *fault);
static enum status settle(struct postgres *pg, int64_t settle_ms, int64_t *unsettled);
static enum status read_ledger(struct postgres *pg, const struct audit_options *options,
	struct audit_report *report, int64_t *ledger_ms, struct fault *fault);
static enum status look_at_snapshot(
	struct postgres *pg, int64_t ledger_ms, struct audit_report *report, struct arena *arena);
static struct audit_check *add_check(struct audit_report *report, const struct check *check);
static void check_settled(struct audit_report *report, int64_t unsettled);

enum status audit(
	const struct audit_options *options, struct audit_report **result, struct fault *fault)
{
	struct audit_report *report = calloc(1, sizeof *report);
	*result = NULL;
	*fault = (struct fault){0};
	if (!report) {
		fault_set(fault, "audit", "memory is short");
		return STATUS_UNAVAILABLE;
	}
	enum status status = fill_in(options, report, fault);
	if (status == STATUS_OK)
		*result = report;
	else
		free(report);
	return status;
}

/* The statements' texts are the arena's, so it lives as long as the connection. */
static enum status fill_in(
	const struct audit_options *options, struct audit_report *report, struct fault *fault)
{
	struct arena arena;
	struct postgres *pg;
	int64_t ledger_ms = -1, unsettled = 0;
	report->ledger_items = -1;
	enum status status = connect_to(options, &pg, fault);
	if (status != STATUS_OK)
		return status;
	arena_init(&arena, ARENA_SIZE_MAX);
	if (options->settle_ms > 0)
		status = settle(pg, options->settle_ms, &unsettled);
	if (status == STATUS_OK && options->ledger_url)
		status = read_ledger(pg, options, report, &ledger_ms, fault);
	if (status == STATUS_OK)
		status = look_at_snapshot(pg, ledger_ms, report, &arena);
	if (status == STATUS_OK && options->settle_ms > 0)
		check_settled(report, unsettled);
	if (status != STATUS_OK && !fault->where[0])
		fault_set(fault, "database", "%s", postgres_error(pg)->message);
	postgres_close(pg);
	arena_release(&arena);
	return status;
}

int audit_exit_status(enum status status, const struct audit_report *report)
{
	if (status != STATUS_OK)
		return 2;
	return report->violations > 0 ? 1 : 0;
}

/* The checks are few and large. */
static enum status connect_to(
	const struct audit_options *options, struct postgres **pg, struct fault *fault)
{
	*pg = postgres_open(&(struct postgres_options){.url = options->database_url,
		.application_name = "onsale audit",
		.settings = "-c jit=off -c work_mem=64MB",
		.call_ms_max =
			options->call_ms_max ? options->call_ms_max : AUDIT_CALL_MS_DEFAULT});
	if (!*pg) {
		fault_set(fault, "database", "memory is short");
		return STATUS_UNAVAILABLE;
	}
	enum status status = postgres_connect(*pg, fault);
	if (status == STATUS_OK)
		return STATUS_OK;
	postgres_close(*pg);
	(void)snprintf(fault->where, sizeof fault->where, "database");
	return status;
}

/* ---- What is under way ---- */

/* Sets what is in flight, and how many orders that are. */
static enum status count_in_flight(struct postgres *pg, struct audit_report *report, int64_t *total)
{
	struct postgres_result rows;
	enum status status = postgres_execute(pg, &audit_in_flight, POSTGRES_NO_PARAMETERS, &rows);
	report->in_flight_count = 0;
	*total = 0;
	for (size_t i = 0; i < rows.row_count && i < AUDIT_STATUSES_MAX; i++) {
		struct slice name = postgres_get_text(&rows, i, 0);
		size_t size = name.size < AUDIT_NAME_SIZE ? name.size : AUDIT_NAME_SIZE - 1;
		memset(report->in_flight[i].status, 0, AUDIT_NAME_SIZE);
		memcpy(report->in_flight[i].status, name.data, size);
		report->in_flight[i].count = postgres_get_bigint(&rows, i, 1);
		*total += report->in_flight[i].count;
		report->in_flight_count++;
	}
	postgres_result_release(&rows);
	return status;
}

/* Wait until nothing is in flight, or the time is over; `unsettled` is what is left then. Of an
 * order that waits for a person now, the hold may be over by the time of the look: so the look
 * cannot tell whether all was settled. */
static enum status settle(struct postgres *pg, int64_t settle_ms, int64_t *unsettled)
{
	int64_t end_ms = clock_monotonic_ms(clock_system()) + settle_ms;
	for (;;) {
		struct audit_report seen;
		enum status status = count_in_flight(pg, &seen, unsettled);
		if (status != STATUS_OK || *unsettled == 0 ||
			clock_monotonic_ms(clock_system()) >= end_ms)
			return status;
		nanosleep(&(struct timespec){.tv_nsec = SETTLE_STEP_MS * 1000000L}, NULL);
	}
}

static enum status read_ledger(struct postgres *pg, const struct audit_options *options,
	struct audit_report *report, int64_t *ledger_ms, struct fault *fault)
{
	struct postgres_result rows;
	enum status status = postgres_execute(pg, &ledger_moment, POSTGRES_NO_PARAMETERS, &rows);
	if (status == STATUS_OK)
		*ledger_ms = postgres_get_timestamp(&rows, 0, 0);
	postgres_result_release(&rows);
	if (status == STATUS_OK)
		status = audit_ledger_make(pg);
	if (status == STATUS_OK)
		status = audit_ledger_read(pg, options, &report->ledger_items, fault);
	return status;
}

/* ---- The look ---- */

static void copy_text(char to[AUDIT_TEXT_SIZE], struct slice from)
{
	size_t size = from.size < AUDIT_TEXT_SIZE ? from.size : AUDIT_TEXT_SIZE - 1;
	if (size > 0)
		memcpy(to, from.data, size);
	to[size] = '\0';
}

static enum status make_check(struct postgres *pg, const struct check *check,
	const struct postgres_parameter parameters[], size_t parameter_count,
	struct audit_report *report, struct arena *arena)
{
	struct slice sql = arena_format(arena,
		"SELECT id, how, count(*) OVER () FROM (%.*s) AS wrong (id, how) ORDER BY id LIMIT "
		"%d",
		(int)(strrchr(check->sql, ';') - check->sql), check->sql, AUDIT_EXAMPLES_MAX);
	if (!sql.data)
		return STATUS_UNAVAILABLE;
	const struct postgres_statement statement = {
		.name = check->name, .sql = sql.data, .effect = POSTGRES_READS};
	struct postgres_result rows;
	enum status status = postgres_execute(pg, &statement, parameters, parameter_count, &rows);
	if (status == STATUS_OK) {
		struct audit_check *made = add_check(report, check);
		for (size_t i = 0; i < rows.row_count; i++) {
			copy_text(made->examples[i].id, postgres_get_text(&rows, i, 0));
			copy_text(made->examples[i].how, postgres_get_text(&rows, i, 1));
			made->violations = postgres_get_bigint(&rows, i, 2);
		}
		made->example_count = rows.row_count;
		report->violations += made->violations;
	}
	postgres_result_release(&rows);
	return status;
}

static struct audit_check *add_check(struct audit_report *report, const struct check *check)
{
	struct audit_check *made = &report->checks[report->check_count++];
	assert(report->check_count <= AUDIT_CHECKS_MAX);
	*made = (struct audit_check){
		.name = check->name, .invariant = check->invariant, .title = check->title};
	return made;
}

static enum status count_all(struct postgres *pg, struct audit_report *report)
{
	struct postgres_result rows;
	int64_t *const counts[] = {&report->events, &report->seats, &report->holds, &report->orders,
		&report->tickets, &report->scans};
	enum status status = postgres_execute(pg, &audit_counts, POSTGRES_NO_PARAMETERS, &rows);
	if (status == STATUS_OK) {
		for (size_t i = 0; i < COUNT(counts); i++)
			*counts[i] = postgres_get_bigint(&rows, 0, i);
		report->at_ms = postgres_get_timestamp(&rows, 0, COUNT(counts));
	}
	postgres_result_release(&rows);
	return status;
}

static enum status count_money(struct postgres *pg, struct audit_report *report)
{
	struct postgres_result rows;
	enum status status = postgres_execute(pg, &audit_money, POSTGRES_NO_PARAMETERS, &rows);
	report->money_count = 0;
	for (size_t i = 0; i < rows.row_count && i < AUDIT_CURRENCIES_MAX; i++) {
		struct slice name = postgres_get_text(&rows, i, 0);
		size_t size = name.size < AUDIT_NAME_SIZE ? name.size : AUDIT_NAME_SIZE - 1;
		memset(report->money[i].currency, 0, AUDIT_NAME_SIZE);
		memcpy(report->money[i].currency, name.data, size);
		report->money[i].captured = postgres_get_bigint(&rows, i, 1);
		report->money[i].refunded = postgres_get_bigint(&rows, i, 2);
		report->money[i].tickets = postgres_get_bigint(&rows, i, 3);
		report->money_count++;
	}
	postgres_result_release(&rows);
	return status;
}

static enum status make_checks(
	struct postgres *pg, int64_t ledger_ms, struct audit_report *report, struct arena *arena)
{
	enum status status = STATUS_OK;
	for (size_t i = 0; i < COUNT(checks) && status == STATUS_OK; i++)
		status = make_check(pg, &checks[i], NULL, 0, report, arena);
	for (size_t i = 0; ledger_ms >= 0 && i < COUNT(timed_ledger_checks) && status == STATUS_OK;
		i++)
		status = make_check(pg, &timed_ledger_checks[i],
			POSTGRES_PARAMETERS(postgres_timestamp(ledger_ms)), report, arena);
	for (size_t i = 0; ledger_ms >= 0 && i < COUNT(ledger_checks) && status == STATUS_OK; i++)
		status = make_check(pg, &ledger_checks[i], NULL, 0, report, arena);
	return status;
}

enum status audit_look(
	struct postgres *pg, int64_t ledger_ms, struct audit_report *report, struct arena *arena)
{
	int64_t in_flight;
	enum status status = count_all(pg, report);
	if (status == STATUS_OK)
		status = count_money(pg, report);
	if (status == STATUS_OK)
		status = count_in_flight(pg, report, &in_flight);
	if (status == STATUS_OK)
		status = make_checks(pg, ledger_ms, report, arena);
	return status;
}

/* Who asked for it to be settled wants to know that it is. */
static void check_settled(struct audit_report *report, int64_t unsettled)
{
	static const struct check settled = {"settled", 2, "Each order has come to an end", NULL};
	add_check(report, &settled)->violations = unsettled;
	report->violations += unsettled;
}

static enum status look_at_snapshot(
	struct postgres *pg, int64_t ledger_ms, struct audit_report *report, struct arena *arena)
{
	enum status status = postgres_begin(pg, POSTGRES_REPEATABLE_READ);
	if (status == STATUS_OK)
		status = audit_look(pg, ledger_ms, report, arena);
	postgres_rollback(pg);
	return status;
}
