/* Tickets over HTTP: whose they are, and what their codes say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "real-implementation/product_tickets_fixture.h"

enum { PATH_SIZE = 256 };

static const char *path_of(const char *ticket, const char *ending)
{
	static char path[PATH_SIZE];
	(void)snprintf(path, sizeof path, "/tickets/%s%s", ticket, ending);
	return path;
}

/* The person's ticket, or a refusal. */
static void get(const char *person, int sale, const char *seat, const char *ending, int status)
{
	door_get(person, path_of(door_ticket(sale, seat), ending), status);
}

static int64_t price(void)
{
	json_t *json = http_client_reply_json(&door.reply);
	int64_t found = json_integer_value(json_object_get(json, "price"));
	json_decref(json);
	return found;
}

static void test_a_ticket_is_all_there(void **state)
{
	(void)state;
	get("alice", 1, "Stalls-2", "", 200);
	assert_string_equal(door_ticket(1, "Stalls-2"), door_member("ticketId"));
	assert_string_equal(SALES_EVENT, door_member("eventId"));
	assert_string_equal("Winter \"Gala\" <Ünïcode>", door_member("event/name"));
	assert_string_equal("2030-01-02T20:00:00.000Z", door_member("event/startsAt"));
	assert_string_equal("Town Hall", door_member("event/venue"));
	assert_string_equal("Lisbon", door_member("event/city"));
	assert_string_equal(sales_text("SELECT checkout_key(sale_event(), sale_order(1))"),
		door_member("orderId"));
	assert_string_equal("Stalls-2", door_member("seatId"));
	assert_string_equal("Stalls", door_member("section"));
	assert_string_equal("R1", door_member("row"));
	assert_string_equal("2", door_member("number"));
	assert_string_equal("Stalls", door_member("category"));
	assert_int_equal(5000, price());
	assert_string_equal("EUR", door_member("currency"));
	assert_string_equal("valid", door_member("status"));
	assert_null(door_member("scannedAt"));
	assert_string_equal("no-store", http_client_reply_header(&door.reply, "Cache-Control"));
}

static void test_the_code_is_genuine(void **state)
{
	struct ticket_code code;
	char ticket[ID_TEXT_SIZE];
	(void)state;
	get("bob", 2, "Balcony-1", "", 200);
	const char *text = door_member("code");
	assert_int_equal(TICKET_CODE_GENUINE,
		ticket_code_read(ticket_signer_public(door.signer), slice_of(text), &code, NULL));
	id_format(code.ticket, ticket);
	assert_string_equal(door_ticket(2, "Balcony-1") + sizeof SALES_EVENT, ticket);
	assert_int_equal(1, code.generation);
	assert_int_equal(sales_number("SELECT floor(extract(epoch FROM sold_at))::bigint "
				      "FROM seat_holds WHERE hold_id = sale_hold(2)"),
		code.issued_at_s);
	/* The same each time, so that a printed one stays good. */
	get("bob", 2, "Balcony-1", "", 200);
	assert_string_equal(text, door_member("code"));
}

static void test_another_s_ticket_is_not_there(void **state)
{
	(void)state;
	static const char *const endings[] = {"", ".svg"};
	for (size_t i = 0; i < 2; i++) {
		get("bob", 1, "Stalls-1", endings[i], 404);
		door_want_problem("not-found");
		get("Alice", 1, "Stalls-1", endings[i], 404);
		get("", 1, "Stalls-1", endings[i], 404);
		const char *path = path_of(door_ticket(1, "Stalls-1"), endings[i]);
		door_ask("GET", path, NULL, NULL, 401);
		door_ask("GET", path, "Authorization: Bearer the-admin\r\n", NULL, 401);
	}
}

static void test_names_of_no_ticket(void **state)
{
	static const char *const names[] = {"x", ".", "x.svg", ".svg", SALES_EVENT,
		SALES_EVENT "." SALES_EVENT, SALES_EVENT "." SALES_EVENT ".svg",
		SALES_EVENT "." SALES_EVENT "." SALES_EVENT, SALES_EVENT ".x", "%00", "%2e%2e"};
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		enum http_client_outcome outcome = http_client_call(&door.client, "GET",
			path_of(names[i], ""), "X-Person: alice\r\n", NULL, &door.reply);
		assert_int_equal(HTTP_CLIENT_OK, outcome);
		assert_in_range(door.reply.status, 400, 404);
	}
	/* A UUID in capitals is the same one. */
	char capitals[PATH_SIZE / 2];
	(void)snprintf(capitals, sizeof capitals, "%s", door_ticket(1, "Stalls-1"));
	for (char *c = capitals; *c; c++)
		if (*c >= 'a' && *c <= 'f')
			*c = (char)(*c - 'a' + 'A');
	door_get("alice", path_of(capitals, ""), 200);
	assert_string_equal(door_ticket(1, "Stalls-1"), door_member("ticketId"));
}

/* A sale may be undone until the money is there. */
static void test_there_is_no_ticket_before_it_is_paid(void **state)
{
	(void)state;
	sales_fixture_under_way();
	get("frank", 13, "Stalls-12", "", 404);
	get("frank", 14, "Stalls-13", "", 404);
	get("frank", 14, "Stalls-13", ".svg", 404);
	get("frank", 12, "Stalls-11", "", 404);
	sales_do("UPDATE checkout_orders SET status = 'paid', captured = total "
		 "WHERE order_id = sale_order(14)");
	get("frank", 14, "Stalls-13", "", 200);
}

static void test_a_void_ticket_has_no_code(void **state)
{
	(void)state;
	get("bob", 3, "Balcony-2", "", 200);
	assert_string_equal("void", door_member("status"));
	assert_null(door_member("code"));
	get("bob", 3, "Balcony-2", ".svg", 410);
	door_want_problem("ticket-void");
}

static void test_the_price_may_not_tell_the_category(void **state)
{
	(void)state;
	sales_do("UPDATE events SET prices = '{\"Stalls\": 5000, \"Boxes\": 5000}'");
	get("alice", 1, "Stalls-1", "", 200);
	assert_null(door_member("category"));
	get("bob", 2, "Balcony-1", "", 200);
	assert_null(door_member("category"));
}

static void test_the_picture(void **state)
{
	(void)state;
	get("alice", 1, "Stalls-1", ".svg", 200);
	assert_string_equal("image/svg+xml", http_client_reply_header(&door.reply, "Content-Type"));
	assert_string_equal(
		"private, no-store", http_client_reply_header(&door.reply, "Cache-Control"));
	assert_non_null(strstr(door.reply.body, "<svg"));
	assert_non_null(
		strstr(door.reply.body, "Winter &quot;Gala&quot; &lt;Ünïcode&gt;, Stalls, R1 1"));
	assert_null(strstr(door.reply.body, "<Ünïcode>"));
	/* A name as long as names may be. */
	sales_do("UPDATE events SET name = repeat('ü', 100)");
	get("alice", 1, "Stalls-1", ".svg", 200);
}

static void test_scanners_get_the_keys(void **state)
{
	struct ticket_key_set set;
	struct fault fault;
	(void)state;
	door_ask("GET", "/.well-known/ticket-keys", NULL, NULL, 200);
	assert_string_equal(
		"application/jwk-set+json", http_client_reply_header(&door.reply, "Content-Type"));
	assert_string_equal(
		"public, max-age=300", http_client_reply_header(&door.reply, "Cache-Control"));
	assert_int_equal(STATUS_OK, ticket_key_set_read(slice_of(door.reply.body), &set, &fault));
	assert_int_equal(1, set.count);
	assert_int_equal(TICKET_CODE_GENUINE,
		ticket_code_read(
			&set, slice_of(door_code(1, "Stalls-1")), &(struct ticket_code){0}, NULL));
	char etag[PATH_SIZE];
	(void)snprintf(etag, sizeof etag, "If-None-Match: %s\r\n",
		http_client_reply_header(&door.reply, "ETag"));
	door_ask("GET", "/.well-known/ticket-keys", etag, NULL, 304);
}

static void test_without_the_database(void **state)
{
	(void)state;
	const char *ticket = path_of(door_ticket(1, "Stalls-1"), "");
	const char *code = door_code(1, "Stalls-1");
	fault_proxy_refuse(door.proxy);
	fault_proxy_cut(door.proxy);
	door_get("alice", ticket, 503);
	assert_non_null(http_client_reply_header(&door.reply, "Retry-After"));
	door_scan(NULL, code, "", 503);
	door_ask("GET", "/.well-known/ticket-keys", NULL, NULL, 200);
	fault_proxy_pass(door.proxy);
	door_get_soon("alice", ticket, 200);
	assert_null(door_member("scannedAt"));
}

#define TEST(test_) cmocka_unit_test_setup_teardown(test_, door_open, door_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_ticket_is_all_there),
		TEST(test_the_code_is_genuine),
		TEST(test_another_s_ticket_is_not_there),
		TEST(test_names_of_no_ticket),
		TEST(test_there_is_no_ticket_before_it_is_paid),
		TEST(test_a_void_ticket_has_no_code),
		TEST(test_the_price_may_not_tell_the_category),
		TEST(test_the_picture),
		TEST(test_scanners_get_the_keys),
		TEST(test_without_the_database),
	};
	return cmocka_run_group_tests(tests, sales_fixture_start, sales_fixture_stop);
}
