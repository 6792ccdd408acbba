/* The auditor's report, for people and for programs. */
#include <inttypes.h>

#include "lib/base/clock.h"
#include "real-implementation/audit.h"

static void add_checks(const struct audit_report *report, struct buffer *buffer);
static void add_money(const struct audit_report *report, struct buffer *buffer);
static void add_in_flight(const struct audit_report *report, struct buffer *buffer);

void audit_text(const struct audit_report *report, struct buffer *buffer)
{
	char at[TIME_TEXT_SIZE];
	time_format(report->at_ms, at);
	buffer_add_format(buffer,
		"at %s: %" PRId64 " events, %" PRId64 " seats, %" PRId64 " holds, %" PRId64
		" orders, %" PRId64 " tickets, %" PRId64 " scans\n",
		at, report->events, report->seats, report->holds, report->orders, report->tickets,
		report->scans);
	if (report->ledger_items >= 0)
		buffer_add_format(buffer, "ledger: %" PRId64 " items\n", report->ledger_items);
	else
		buffer_add_text(buffer, "ledger: not looked at\n");
	add_money(report, buffer);
	add_in_flight(report, buffer);
	add_checks(report, buffer);
	if (report->violations == 0)
		buffer_add_format(buffer, "clean: %zu checks\n", report->check_count);
	else
		buffer_add_format(buffer, "VIOLATIONS: %" PRId64 "\n", report->violations);
}

static void add_money(const struct audit_report *report, struct buffer *buffer)
{
	for (size_t i = 0; i < report->money_count; i++)
		buffer_add_format(buffer,
			"money: %s captured %" PRId64 ", refunded %" PRId64
			", valid tickets %" PRId64 "\n",
			report->money[i].currency, report->money[i].captured,
			report->money[i].refunded, report->money[i].tickets);
}

static void add_in_flight(const struct audit_report *report, struct buffer *buffer)
{
	buffer_add_text(buffer, "in flight:");
	for (size_t i = 0; i < report->in_flight_count; i++)
		buffer_add_format(buffer, "%s %" PRId64 " %s", i > 0 ? "," : "",
			report->in_flight[i].count, report->in_flight[i].status);
	buffer_add_text(buffer, report->in_flight_count > 0 ? "\n" : " nothing\n");
}

static void add_checks(const struct audit_report *report, struct buffer *buffer)
{
	buffer_add_format(buffer, "\n%-22s %4s %10s  %s\n", "check", "inv.", "violations", "");
	for (size_t i = 0; i < report->check_count; i++) {
		const struct audit_check *check = &report->checks[i];
		buffer_add_format(buffer, "%-22s ", check->name);
		if (check->invariant > 0)
			buffer_add_format(buffer, "%4d", check->invariant);
		else
			buffer_add_format(buffer, "%4s", "");
		buffer_add_format(buffer, " %10" PRId64 "  %s\n", check->violations, check->title);
		for (size_t j = 0; j < check->example_count; j++)
			buffer_add_format(buffer, "    %s: %s\n", check->examples[j].id,
				check->examples[j].how);
	}
	buffer_add_text(buffer, "\n");
}

/* ---- JSON ---- */

/* Cut anywhere, an example may end within a character. */
static json_t *text_json(const char *text)
{
	size_t size = strlen(text);
	json_t *json = json_stringn(text, size);
	while (!json && size > 0)
		json = json_stringn(text, --size);
	return json;
}

static json_t *check_json(const struct audit_check *check)
{
	json_t *examples = json_array();
	for (size_t i = 0; i < check->example_count; i++)
		json_array_append_new(examples,
			json_pack("{s:o, s:o}", "id", text_json(check->examples[i].id), "how",
				text_json(check->examples[i].how)));
	return json_pack("{s:s, s:o*, s:s, s:I, s:o}", "name", check->name, "invariant",
		check->invariant > 0 ? json_integer(check->invariant) : NULL, "title", check->title,
		"violations", (json_int_t)check->violations, "examples", examples);
}

static json_t *checks_json(const struct audit_report *report)
{
	json_t *checks = json_array();
	for (size_t i = 0; i < report->check_count; i++)
		json_array_append_new(checks, check_json(&report->checks[i]));
	return checks;
}

static json_t *in_flight_json(const struct audit_report *report)
{
	json_t *statuses = json_object();
	for (size_t i = 0; i < report->in_flight_count; i++)
		json_object_set_new(statuses, report->in_flight[i].status,
			json_integer(report->in_flight[i].count));
	return statuses;
}

static json_t *money_json(const struct audit_report *report)
{
	json_t *money = json_array();
	for (size_t i = 0; i < report->money_count; i++)
		json_array_append_new(money,
			json_pack("{s:s, s:I, s:I, s:I}", "currency", report->money[i].currency,
				"captured", (json_int_t)report->money[i].captured, "refunded",
				(json_int_t)report->money[i].refunded, "tickets",
				(json_int_t)report->money[i].tickets));
	return money;
}

json_t *audit_json(const struct audit_report *report)
{
	char at[TIME_TEXT_SIZE];
	time_format(report->at_ms, at);
	return json_pack("{s:s, s:b, s:I, s:o, s:o, s:o, s:{s:I, s:I, s:I, s:I, s:I, s:I}, s:o*}",
		"at", at, "clean", report->violations == 0, "violations",
		(json_int_t)report->violations, "checks", checks_json(report), "inFlight",
		in_flight_json(report), "money", money_json(report), "counts", "events",
		(json_int_t)report->events, "seats", (json_int_t)report->seats, "holds",
		(json_int_t)report->holds, "orders", (json_int_t)report->orders, "tickets",
		(json_int_t)report->tickets, "scans", (json_int_t)report->scans, "ledgerItems",
		report->ledger_items >= 0 ? json_integer(report->ledger_items) : NULL);
}
