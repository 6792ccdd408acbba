/* The auditor: clean sales pass, and each check sees the violation that it is there for, alone.
 *
 * A violation is planted, and looked for, in a transaction that is undone afterwards, together with
 * the constraint that had to be dropped for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "real-implementation/audit_internal.h"
#include "real-implementation/product_sales_fixture.h"

static struct arena arena; /* Of the statements of sales_database. */

static void fail_with(const struct audit_report *report)
{
	struct buffer text;
	buffer_init(&text, AUDIT_REPORT_SIZE_MAX);
	audit_text(report, &text);
	fprintf(stderr, "%.*s", SLICE_PRINT(buffer_slice(&text)));
	buffer_release(&text);
	fail();
}

/* Look at what the open transaction sees. */
static struct audit_report *look(void)
{
	static struct audit_report report;
	report = (struct audit_report){.ledger_items = -1};
	if (audit_look(sales_database, -1, &report, &arena) != STATUS_OK)
		fail_msg("%s", postgres_error(sales_database)->message);
	return &report;
}

/* ---- Clean ---- */

static void test_clean_sales_pass(void **state)
{
	(void)state;
	assert_int_equal(STATUS_OK, postgres_begin(sales_database, POSTGRES_REPEATABLE_READ));
	sales_do("INSERT INTO ticket_scans VALUES (sale_event(), sale_ticket(1, 'Stalls-1'))");
	const struct audit_report *report = look();
	if (report->violations > 0)
		fail_with(report);
	assert_int_equal(25, report->check_count);
	assert_int_equal(1, report->events);
	assert_int_equal(40, report->seats);
	assert_int_equal(10, report->holds);
	assert_int_equal(7, report->orders);
	assert_int_equal(5, report->tickets);
	assert_int_equal(1, report->scans);
	assert_int_equal(0, report->in_flight_count);
	assert_int_equal(1, report->money_count);
	assert_string_equal("EUR", report->money[0].currency);
	assert_int_equal(15000, report->money[0].captured);
	assert_int_equal(2500, report->money[0].refunded);
	assert_int_equal(12500, report->money[0].tickets);
	postgres_rollback(sales_database);
}

static void test_what_is_under_way_is_no_violation(void **state)
{
	(void)state;
	assert_int_equal(STATUS_OK, postgres_begin(sales_database, POSTGRES_REPEATABLE_READ));
	sales_fixture_under_way();
	const struct audit_report *report = look();
	if (report->violations > 0)
		fail_with(report);
	assert_int_equal(4, report->in_flight_count); /* Not what waits for a person. */
	assert_string_equal("authorized", report->in_flight[0].status);
	assert_int_equal(1, report->in_flight[0].count);
	/* Nor is a hold that is over and was not swept, whose seats are free for the next. */
	sales_do("UPDATE seat_holds SET expires_at = now() - interval '1 s' "
		 "WHERE hold_id = sale_hold(8); "
		 "UPDATE seats SET reserved_until = now() - interval '1 s' "
		 "WHERE hold_id = sale_hold(8)");
	sales_do("SELECT plant_hold(17, 'gina', '{Stalls-3}', 'held')");
	report = look();
	if (report->violations > 0)
		fail_with(report);
	postgres_rollback(sales_database);
}

/* ---- Violations ---- */

static const struct {
	const char *check;
	int64_t violations;
	const char *id;  /* A part of the first example's id. */
	const char *sql; /* What plants it. */
} violations[] = {
	{"seat-state", 1, "Stalls-20",
		"ALTER TABLE seats DROP CONSTRAINT seat_is_in_one_state; "
		"UPDATE seats SET order_id = sale_order(1) WHERE seat_id = 'Stalls-20'"},
	{"seat-state", 1, "Stalls-20",
		"ALTER TABLE seats DROP CONSTRAINT seat_is_in_one_state; "
		"UPDATE seats SET status = 'lost' WHERE seat_id = 'Stalls-20'"},
	{"hold-state", 1, "000000010010",
		"ALTER TABLE seat_holds DROP CONSTRAINT hold_has_its_order; "
		"UPDATE seat_holds SET order_id = sale_order(99) WHERE hold_id = sale_hold(10)"},
	{"hold-seats", 1, "000000010010",
		"UPDATE seat_holds SET seat_ids = '{Stalls-5,ZZ}' WHERE hold_id = sale_hold(10)"},
	{"hold-seats", 2, "000000010009",
		"UPDATE seat_holds SET seat_ids = '{}', total = 0 WHERE hold_id = sale_hold(10); "
		"UPDATE seat_holds SET seat_ids = '{Stalls-5,Stalls-5}', total = 10000 "
		"WHERE hold_id = sale_hold(9)"},
	{"hold-total", 1, "000000010010",
		"UPDATE seat_holds SET total = total + 1 WHERE hold_id = sale_hold(10)"},
	{"one-hold-per-seat", 1, "Stalls-3",
		"INSERT INTO seat_holds (event_id, hold_id, person, seat_ids, hold_ms, version, "
		"total, expires_at) VALUES (sale_event(), sale_hold(90), 'x', '{Stalls-3}', "
		"600000, 1, 5000, now() + interval '1 min')"},
	{"held-seats", 2, "Stalls-3",
		"UPDATE seats SET reserved_until = reserved_until + interval '1 s' "
		"WHERE seat_id = 'Stalls-3'"},
	{"held-seats", 1, "Stalls-3",
		"UPDATE seats SET status = 'available', hold_id = NULL, reserved_until = NULL, "
		"version = version + 1 WHERE seat_id = 'Stalls-3'"},
	{"held-seats", 2, "Stalls-3",
		"UPDATE seat_holds SET status = 'released' WHERE hold_id = sale_hold(8)"},
	{"fence", 1, "000000010008",
		"UPDATE seat_holds SET version = version + 1 WHERE hold_id = sale_hold(8)"},
	{"sold-seats", 1, "Balcony-1",
		"UPDATE seats SET status = 'available', hold_id = NULL, order_id = NULL "
		"WHERE seat_id = 'Balcony-1'"},
	{"sold-seats", 1, "Stalls-20",
		"UPDATE seats SET status = 'sold', hold_id = sale_hold(1), "
		"order_id = sale_order(1) WHERE seat_id = 'Stalls-20'"},
	{"sold-in-time", 1, "000000010001",
		"ALTER TABLE seat_holds DROP CONSTRAINT hold_is_sold_in_time; "
		"UPDATE seat_holds SET expires_at = sold_at WHERE hold_id = sale_hold(1)"},
	{"one-ticket-per-seat", 1, "Stalls-1",
		"DROP INDEX one_valid_ticket_per_seat; "
		"INSERT INTO seat_tickets VALUES (sale_event(), sale_ticket(2, 'Stalls-1'), "
		"sale_order(2), 'Stalls-1', 0)"},
	{"sale-tickets", 2, "000000020001",
		"UPDATE seat_tickets SET status = 'void' "
		"WHERE ticket_id = sale_ticket(1, 'Stalls-1')"},
	{"sale-tickets", 1, "000000020001",
		"INSERT INTO seat_tickets VALUES (sale_event(), sale_ticket(1, 'Stalls-20'), "
		"sale_order(1), 'Stalls-20', 0)"},
	{"ticket-ids", 1, "0000000000e1.",
		"UPDATE seat_tickets SET ticket_id = gen_random_uuid() "
		"WHERE ticket_id = sale_ticket(2, 'Balcony-1')"},
	{"order-holds", 1, "000000020006",
		"UPDATE checkout_orders SET person = 'x' WHERE order_id = sale_order(6)"},
	{"order-holds", 1, "000000020006",
		"UPDATE checkout_orders SET hold_id = sale_hold(99) WHERE order_id = "
		"sale_order(6)"},
	{"order-holds", 1, "000000020006",
		"UPDATE checkout_orders SET currency = 'USD' WHERE order_id = sale_order(6)"},
	{"one-order-per-hold", 1, "000000010008",
		"DROP INDEX one_order_per_hold; DROP INDEX IF EXISTS one_open_order_per_hold; "
		"SELECT plant_order(8, 'authorizing'); "
		"UPDATE checkout_orders SET order_id = sale_order(80) "
		"WHERE order_id = sale_order(8); SELECT plant_order(8, 'authorizing')"},
	{"paid-is-ticketed", 1, "000000020001",
		"UPDATE checkout_orders SET status = 'canceled', captured = 0 "
		"WHERE order_id = sale_order(1)"},
	{"paid-is-ticketed", 1, "000000020002",
		"DELETE FROM checkout_orders WHERE order_id = sale_order(2)"},
	{"paid-is-ticketed", 1, "000000020004",
		"UPDATE checkout_orders SET status = 'finalized', next_at = now() "
		"WHERE order_id = sale_order(4)"},
	{"order-money", 1, "000000020005",
		"ALTER TABLE checkout_orders DROP CONSTRAINT paid_is_captured; "
		"UPDATE checkout_orders SET captured = 5 WHERE order_id = sale_order(5)"},
	{"order-money", 1, "000000020003",
		"UPDATE checkout_orders SET refunded = 1 WHERE order_id = sale_order(3)"},
	{"captured-total", 1, "000000020002",
		"UPDATE seat_tickets SET price = price + 1 WHERE order_id = sale_order(2)"},
	{"one-order-per-payment", 1, "pi_4",
		"DROP INDEX one_checkout_order_per_intent; "
		"UPDATE checkout_orders SET intent_id = 'pi_4' WHERE order_id = sale_order(5)"},
	{"deadlines", 1, "000000020012",
		"UPDATE checkout_orders SET capture_before = now() "
		"WHERE order_id = sale_order(12)"},
	{"stuck", 1, "000000020012",
		"UPDATE checkout_orders SET stuck = true, next_at = NULL "
		"WHERE order_id = sale_order(12)"},
	{"asleep", 1, "000000020012",
		"UPDATE checkout_orders SET next_at = NULL WHERE order_id = sale_order(12)"},
	{"asleep", 1, "000000020001",
		"UPDATE checkout_orders SET ending = 'cancel' WHERE order_id = sale_order(1)"},
	{"scans", 1, "e1.",
		"INSERT INTO ticket_scans VALUES (sale_event(), sale_ticket(3, 'Balcony-2'))"},
	{"scans", 1, "e1.", "INSERT INTO ticket_scans VALUES (sale_event(), sale_event())"},
	{"scans", 1, "e1.",
		"INSERT INTO ticket_scans VALUES (sale_event(), sale_ticket(2, 'Balcony-1'), "
		"now() - interval '1 h')"},
	{"one-scan-per-ticket", 1, "e1.",
		"ALTER TABLE ticket_scans DROP CONSTRAINT ticket_scans_pkey; "
		"INSERT INTO ticket_scans SELECT sale_event(), sale_ticket(2, 'Balcony-1') "
		"FROM generate_series(1, 3)"},
	{"events", 1, "0000000000e9",
		"INSERT INTO seats (event_id, seat_id, price, section, seat_row, number) VALUES "
		"('00000000-0000-7000-8000-0000000000e9', 'A', 1, 'A', 'A', 'A')"},
	{"events", 1, "0000000000e1", "DELETE FROM events"},
	{"currencies", 1, "0000000000e1", "UPDATE events SET currency = 'USD'"},
};

static void test_each_check_sees_its_violation_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof violations / sizeof violations[0]; i++) {
		assert_int_equal(
			STATUS_OK, postgres_begin(sales_database, POSTGRES_REPEATABLE_READ));
		sales_fixture_under_way();
		sales_do("%s", violations[i].sql);
		const struct audit_report *report = look();
		bool seen = false, alone = true;
		for (size_t j = 0; j < report->check_count; j++) {
			const struct audit_check *check = &report->checks[j];
			if (strcmp(check->name, violations[i].check) != 0)
				alone = alone && check->violations == 0;
			else
				seen = check->violations == violations[i].violations &&
					check->example_count == (size_t)check->violations &&
					strstr(check->examples[0].id, violations[i].id) &&
					check->examples[0].how[0];
		}
		if (!seen || !alone) {
			print_error("%s\n%s\n", violations[i].check, violations[i].sql);
			fail_with(report);
		}
		postgres_rollback(sales_database);
	}
}

/* So that none is forgotten above. */
static void test_each_check_has_its_violation(void **state)
{
	(void)state;
	assert_int_equal(STATUS_OK, postgres_begin(sales_database, POSTGRES_REPEATABLE_READ));
	const struct audit_report *report = look();
	for (size_t j = 0; j < report->check_count; j++) {
		bool planted = false;
		for (size_t i = 0; i < sizeof violations / sizeof violations[0]; i++)
			planted |= strcmp(report->checks[j].name, violations[i].check) == 0;
		if (!planted)
			fail_msg("nothing plants a violation of %s", report->checks[j].name);
	}
	postgres_rollback(sales_database);
}

static void test_few_examples_of_many(void **state)
{
	(void)state;
	assert_int_equal(STATUS_OK, postgres_begin(sales_database, POSTGRES_REPEATABLE_READ));
	sales_do("UPDATE seat_holds SET total = total + 1 WHERE status <> 'sold' "
		 "AND order_id IS NULL");
	const struct audit_report *report = look();
	const struct audit_check *check = &report->checks[3];
	assert_string_equal("hold-total", check->name);
	assert_int_equal(6, check->violations);
	assert_int_equal(AUDIT_EXAMPLES_MAX, check->example_count);
	postgres_rollback(sales_database);
}

/* ---- The whole ---- */

static struct audit_report *audit_of(struct audit_options options, int code)
{
	struct audit_report *report;
	struct fault fault;
	if (!options.database_url)
		options.database_url = sales_cluster.url;
	enum status status = audit(&options, &report, &fault);
	assert_int_equal(code, audit_exit_status(status, report));
	if (status != STATUS_OK)
		assert_true(fault.where[0] && fault.what[0]);
	return report;
}

static void test_the_report(void **state)
{
	struct buffer text;
	(void)state;
	sales_fixture_under_way();
	struct audit_report *report = audit_of((struct audit_options){0}, 0);
	buffer_init(&text, AUDIT_REPORT_SIZE_MAX);
	audit_text(report, &text);
	buffer_add(&text, "", 1);
	assert_non_null(strstr(text.data, "clean: 25 checks"));
	assert_non_null(strstr(text.data, "money: EUR captured 15000, refunded 2500, valid"));
	assert_non_null(strstr(text.data, "in flight: 1 authorized, 1 authorizing, 1 capturing"));
	buffer_release(&text);
	json_t *json = audit_json(report);
	assert_true(json_is_true(json_object_get(json, "clean")));
	assert_int_equal(25, json_array_size(json_object_get(json, "checks")));
	assert_int_equal(1,
		json_integer_value(
			json_object_get(json_object_get(json, "inFlight"), "finalized")));
	assert_int_equal(
		40, json_integer_value(json_object_get(json_object_get(json, "counts"), "seats")));
	assert_null(json_object_get(json, "ledgerItems"));
	json_decref(json);
	free(report);
}

static void test_a_violation_in_the_report(void **state)
{
	struct buffer text;
	(void)state;
	sales_do("UPDATE checkout_orders SET stuck = true, note = repeat('ü', 300) "
		 "WHERE order_id = sale_order(7)");
	struct audit_report *report = audit_of((struct audit_options){0}, 1);
	buffer_init(&text, AUDIT_REPORT_SIZE_MAX);
	audit_text(report, &text);
	buffer_add(&text, "", 1);
	assert_non_null(strstr(text.data, "VIOLATIONS: 1"));
	assert_non_null(strstr(text.data, "000000020007: declined üü"));
	buffer_release(&text);
	json_t *json = audit_json(report), *check = NULL;
	assert_true(json_is_false(json_object_get(json, "clean")));
	size_t i;
	json_array_foreach(json_object_get(json, "checks"), i,
		check) if (json_integer_value(json_object_get(check, "violations")) == 1) break;
	assert_string_equal("stuck", json_string_value(json_object_get(check, "name")));
	assert_int_equal(3, json_integer_value(json_object_get(check, "invariant")));
	const json_t *example = json_array_get(json_object_get(check, "examples"), 0);
	assert_non_null(json_string_value(json_object_get(example, "id")));
	assert_non_null(json_string_value(json_object_get(example, "how")));
	json_decref(json);
	free(report);
}

/* Whoever asks for it to be settled is told when it is not. */
static void test_what_does_not_settle(void **state)
{
	(void)state;
	free(audit_of((struct audit_options){.settle_ms = 1}, 0));
	sales_do("SELECT plant(12, 'frank', '{Stalls-11}', 'authorized', 'held')");
	struct audit_report *report = audit_of((struct audit_options){.settle_ms = 1}, 1);
	const struct audit_check *check = &report->checks[report->check_count - 1];
	assert_string_equal("settled", check->name);
	assert_int_equal(1, check->violations);
	assert_int_equal(1, report->violations);
	free(report);
	/* Without waiting it is no fault. */
	free(audit_of((struct audit_options){0}, 0));
}

static void test_what_cannot_be_looked_at(void **state)
{
	char url[sizeof sales_cluster.url + 16];
	(void)state;
	(void)snprintf(url, sizeof url, "%s", sales_cluster.url);
	memcpy(strrchr(url, '/'), "/postgres", sizeof "/postgres");
	assert_null(audit_of((struct audit_options){.database_url = url}, 2)); /* No tables. */
	memcpy(strrchr(url, '/'), "/nowhere", sizeof "/nowhere");
	assert_null(audit_of((struct audit_options){.database_url = url}, 2));
	assert_null(audit_of((struct audit_options){.database_url = "no url"}, 2));
	assert_int_equal(2, audit_exit_status(STATUS_UNAVAILABLE, NULL));
}

static int start(void **state)
{
	arena_init(&arena, 1 << 24);
	return sales_fixture_start(state);
}

static int stop(void **state)
{
	int result = sales_fixture_stop(state);
	arena_release(&arena);
	return result;
}

#define TEST(test_) cmocka_unit_test_setup(test_, sales_fixture_begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_clean_sales_pass),
		TEST(test_what_is_under_way_is_no_violation),
		TEST(test_each_check_sees_its_violation_alone),
		TEST(test_each_check_has_its_violation),
		TEST(test_few_examples_of_many),
		TEST(test_the_report),
		TEST(test_a_violation_in_the_report),
		TEST(test_what_does_not_settle),
		TEST(test_what_cannot_be_looked_at),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
