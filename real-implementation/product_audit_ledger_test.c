/* The auditor beside a provider's ledger: a server that says what the test wants it to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/http/server.h"
#include "real-implementation/audit_internal.h"
#include "real-implementation/product_sales_fixture.h"

#define TOKEN "the-ledger-token"

enum { ITEM_SIZE = 512, ITEMS_MAX = 64, PAGE_ITEMS = 3, URL_SIZE = 64 };

static struct arena arena; /* Of the statements of sales_database. */

/* What the provider says; changed by the test while nobody asks. */
static struct {
	char items[ITEMS_MAX][ITEM_SIZE];
	size_t count;
	const char *instead; /* Said in the place of each page. NULL: the page. */
	bool takes_long;     /* While it is asked, the time of who has to act is over. */
} provider;

static struct http_server *server;
static char provider_url[URL_SIZE];

/* ---- The provider ---- */

static void reply_page(struct http_exchange *exchange)
{
	static const struct http_problem unauthorized = {401, "unauthorized", "No"};
	struct slice given, text = {0};
	int64_t after = 0;
	struct buffer page;
	if (!http_header(exchange, "Authorization", &given) || !slice_is(given, "Bearer " TOKEN)) {
		http_reply_problem(exchange, &unauthorized, NULL);
		return;
	}
	if (provider.takes_long)
		sales_do("UPDATE checkout_orders SET expires_at = now() - interval '1 s' "
			 "WHERE status = 'requires_action'");
	if (provider.instead) {
		http_reply_json_text(exchange, 200, slice_of(provider.instead));
		return;
	}
	if (http_query(exchange, "after", &text) && !slice_to_integer(text, 0, INT64_MAX, &after))
		return;
	buffer_init(&page, 1 << 20);
	buffer_add_text(&page, "{\"items\":[");
	size_t i = (size_t)after;
	for (; i < provider.count && i < (size_t)after + PAGE_ITEMS; i++)
		buffer_add_format(&page, "%s%s", i > (size_t)after ? "," : "", provider.items[i]);
	buffer_add_text(&page, "]");
	if (i < provider.count)
		buffer_add_format(&page, ",\"next\":\"%zu\"", i);
	buffer_add_text(&page, ",\"totals\":{}}");
	http_reply_json_text(exchange, 200, buffer_slice(&page));
	buffer_release(&page);
}

static const struct http_route routes[] = {
	{HTTP_GET, "/simulator/ledger", HTTP_ON_LOOP, reply_page, 0},
};

static void add_item(const char *kind, const char *intent, int64_t amount, const char *key)
{
	assert_true(provider.count < ITEMS_MAX);
	char *item = provider.items[provider.count++];
	(void)snprintf(item, ITEM_SIZE,
		"{\"sequence\":%zu,\"kind\":\"%s\",\"paymentIntent\":\"%s\",\"charge\":\"ch\","
		"\"amount\":%lld,\"currency\":\"eur\",\"at\":\"2026-01-01T00:00:00Z\","
		"\"metadata\":{\"order_id\":\"%s\"}}",
		provider.count, kind, intent, (long long)amount, key);
}

static void add(const char *kind, int sale, int64_t amount)
{
	char intent[16];
	(void)snprintf(intent, sizeof intent, "pi_%d", sale);
	add_item(kind, intent, amount,
		sales_text("SELECT checkout_key(sale_event(), sale_order(%d))", sale));
}

/* Of sales 1 to 5, what settles them, but for one. */
static void fill_ledger(int but)
{
	static const struct {
		int sale;
		int64_t amount;
		const char *kinds[3];
	} sales[] = {
		{1, 10000, {"authorization", "capture"}},
		{2, 2500, {"authorization", "capture"}},
		{3, 2500, {"authorization", "capture", "refund"}},
		{4, 2500, {"authorization", "void"}},
		{5, 2500, {"authorization", "expiry"}},
	};
	provider.count = 0;
	for (size_t i = 0; i < sizeof sales / sizeof sales[0]; i++)
		for (size_t j = 0; j < 3 && sales[i].kinds[j] && sales[i].sale != but; j++)
			add(sales[i].kinds[j], sales[i].sale, sales[i].amount);
}

/* ---- By way of HTTP ---- */

static struct audit_report *audit_with(const char *url, const char *token, int code)
{
	struct audit_report *report;
	struct fault fault;
	const struct audit_options options = {
		.database_url = sales_cluster.url, .ledger_url = url, .ledger_token = token};
	enum status status = audit(&options, &report, &fault);
	if (audit_exit_status(status, report) != code)
		fail_msg("wanted %d, got %s: %s %s", code, status_name(status), fault.where,
			fault.what);
	if (code == 2)
		assert_string_equal("ledger", fault.where);
	return report;
}

static void test_the_ledger_agrees(void **state)
{
	(void)state;
	fill_ledger(0);
	/* What is under way may be known there or not. */
	sales_fixture_under_way();
	add("authorization", 12, 5000);
	add("authorization", 14, 5000);
	add("capture", 14, 5000);
	struct audit_report *report = audit_with(provider_url, TOKEN, 0);
	assert_int_equal(provider.count, report->ledger_items);
	assert_int_equal(29, report->check_count);
	free(report);
}

/* What was settled stays so, however long the ledger takes to be read. */
static void test_a_long_ledger(void **state)
{
	(void)state;
	struct audit_report *report;
	struct fault fault;
	fill_ledger(0);
	sales_do("SELECT plant(15, 'frank', '{Stalls-14}', 'requires_action', 'held')");
	provider.takes_long = true;
	enum status status = audit(&(struct audit_options){.database_url = sales_cluster.url,
					   .settle_ms = 1,
					   .ledger_url = provider_url,
					   .ledger_token = TOKEN},
		&report, &fault);
	provider.takes_long = false;
	assert_int_equal(STATUS_OK, status);
	assert_int_equal(0, report->violations);
	assert_int_equal(1, report->in_flight_count); /* By now. */
	free(report);
}

static void test_the_ledger_disagrees(void **state)
{
	(void)state;
	fill_ledger(1);
	struct audit_report *report = audit_with(provider_url, TOKEN, 1);
	assert_int_equal(1, report->violations);
	json_t *json = audit_json(report);
	assert_int_equal(provider.count, json_integer_value(json_object_get(json, "ledgerItems")));
	json_decref(json);
	free(report);
}

static void test_a_ledger_that_cannot_be_read(void **state)
{
	static const char *const instead[] = {"{}", "[]", "nonsense", "{\"items\":{}}",
		"{\"items\":[],\"next\":\"0\"}", "{\"items\":[],\"next\":\"x\"}"};
	(void)state;
	fill_ledger(0);
	assert_null(audit_with(provider_url, "another", 2));
	assert_null(audit_with(provider_url, NULL, 2));
	assert_null(audit_with("http://127.0.0.1:1", TOKEN, 2));
	assert_null(audit_with("nowhere", TOKEN, 2));
	for (size_t i = 0; i < sizeof instead / sizeof instead[0]; i++) {
		provider.instead = instead[i];
		assert_null(audit_with(provider_url, TOKEN, 2));
	}
	provider.instead = NULL;
	free(audit_with(provider_url, TOKEN, 0));
}

/* ---- Violations, in a transaction that is undone ---- */

static struct audit_report *look(void)
{
	static struct audit_report report;
	struct buffer page;
	report = (struct audit_report){.ledger_items = -1};
	buffer_init(&page, 1 << 20);
	buffer_add_text(&page, "{\"items\":[");
	for (size_t i = 0; i < provider.count; i++)
		buffer_add_format(&page, "%s%s", i > 0 ? "," : "", provider.items[i]);
	buffer_add_text(&page, "]}");
	enum status status = audit_ledger_make(sales_database);
	if (status == STATUS_OK)
		status = audit_ledger_add(sales_database, buffer_slice(&page));
	if (status == STATUS_OK)
		status = audit_look(sales_database, clock_wall_ms(clock_system()), &report, &arena);
	if (status != STATUS_OK)
		fail_msg("%s", postgres_error(sales_database)->message);
	buffer_release(&page);
	return &report;
}

/* This check, and no other, finds so many. */
static void want(const char *check, int64_t violations)
{
	assert_int_equal(STATUS_OK, postgres_begin(sales_database, POSTGRES_REPEATABLE_READ));
	const struct audit_report *report = look();
	for (size_t i = 0; i < report->check_count; i++) {
		const struct audit_check *found = &report->checks[i];
		bool is_it = check && strcmp(found->name, check) == 0;
		if (found->violations != (is_it ? violations : 0))
			fail_msg("%s: %lld, such as %s: %s", found->name,
				(long long)found->violations, found->examples[0].id,
				found->examples[0].how);
	}
	assert_int_equal(29, report->check_count);
	postgres_rollback(sales_database);
}

static void test_all_is_well(void **state)
{
	(void)state;
	fill_ledger(0);
	want(NULL, 0);
}

static void test_an_order_took_something_else(void **state)
{
	(void)state;
	fill_ledger(2); /* Nothing, though it says that it has. */
	want("ledger-captured", 1);
	add("authorization", 2, 2500); /* Less. */
	add("capture", 2, 2000);
	add("release", 2, 500);
	want("ledger-captured", 1);
	fill_ledger(4); /* Something, though it says that it has not. */
	add("authorization", 4, 2500);
	add("capture", 4, 2500);
	want("ledger-captured", 1);
	fill_ledger(0); /* It gave back what it says it keeps. */
	add("refund", 1, 1);
	want("ledger-captured", 1);
	fill_ledger(0); /* Another currency. */
	char *eur = strstr(provider.items[0], "\"eur\"");
	memcpy(eur, "\"usd\"", 5);
	want("ledger-captured", 1);
}

static void test_an_authorization_ended_twice(void **state)
{
	(void)state;
	fill_ledger(2);
	add("authorization", 2, 2500);
	add("capture", 2, 1250);
	add("capture", 2, 1250);
	want("ledger-once", 1);
	fill_ledger(4);
	add("authorization", 4, 2500);
	add("void", 4, 1250);
	add("void", 4, 1250);
	want("ledger-once", 1);
}

static void test_something_stays_reserved(void **state)
{
	(void)state;
	fill_ledger(5);
	add("authorization", 5, 2500);
	want("ledger-ended", 1);
	fill_ledger(0); /* A second authorization, of which the order knows nothing. */
	add_item("authorization", "pi_other", 2500,
		sales_text("SELECT checkout_key(sale_event(), sale_order(6))"));
	want("ledger-ended", 1);
	/* As long as the order is under way it may be. */
	sales_do("UPDATE checkout_orders SET next_at = now(), status = 'authorizing' "
		 "WHERE order_id = sale_order(6)");
	want(NULL, 0);
}

static void test_money_for_no_order(void **state)
{
	(void)state;
	fill_ledger(0);
	add_item("authorization", "pi_x", 1, SALES_EVENT "." SALES_EVENT);
	add_item("capture", "pi_x", 1, SALES_EVENT "." SALES_EVENT);
	add_item("authorization", "pi_y", 1, "another system's");
	add_item("void", "pi_y", 1, "another system's");
	want("ledger-orders", 2);
}

static int start(void **state)
{
	struct fault fault;
	const struct http_server_options options = {
		.routes = routes, .route_count = 1, .loop_count = 1};
	arena_init(&arena, 1 << 24);
	if (http_server_open(&options, &server, &fault) != STATUS_OK)
		return -1;
	(void)snprintf(
		provider_url, sizeof provider_url, "http://127.0.0.1:%u", http_server_port(server));
	return sales_fixture_start(state);
}

static int stop(void **state)
{
	http_server_close(server);
	int result = sales_fixture_stop(state);
	arena_release(&arena);
	return result;
}

#define TEST(test_) cmocka_unit_test_setup(test_, sales_fixture_begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_ledger_agrees),
		TEST(test_a_long_ledger),
		TEST(test_the_ledger_disagrees),
		TEST(test_a_ledger_that_cannot_be_read),
		TEST(test_all_is_well),
		TEST(test_an_order_took_something_else),
		TEST(test_an_authorization_ended_twice),
		TEST(test_something_stays_reserved),
		TEST(test_money_for_no_order),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
