/* A ticket lets in once: whoever scans it, however often, at the same moment, and with answers that
 * are lost. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "real-implementation/product_tickets_fixture.h"

enum { SCANNERS = 50, TEXT_SIZE = 512 };

static const char admin_line[] = "Authorization: Bearer the-admin\r\n";

static int64_t scans(void)
{
	return sales_number("SELECT count(*) FROM ticket_scans");
}

static void test_a_ticket_lets_in_once(void **state)
{
	(void)state;
	const char *code = door_code(1, "Stalls-2");
	char at[TEXT_SIZE];
	door_scan(NULL, code, ",\"gate\":\"North ü\",\"eventId\":\"" SALES_EVENT "\"", 200);
	assert_string_equal("admitted", door_member("result"));
	assert_string_equal(door_ticket(1, "Stalls-2"), door_member("ticketId"));
	assert_string_equal(SALES_EVENT, door_member("eventId"));
	assert_string_equal("Stalls", door_member("section"));
	assert_string_equal("R1", door_member("row"));
	assert_string_equal("2", door_member("number"));
	(void)snprintf(at, sizeof at, "%s", door_member("scannedAt"));
	for (int i = 0; i < 3; i++) {
		door_scan(NULL, code, ",\"gate\":\"South\"", 409);
		door_want_problem("already-scanned");
		assert_string_equal(at, door_member("firstScannedAt"));
		assert_string_equal("North ü", door_member("gate"));
	}
	/* Its owner sees it; the other ticket of the order is not concerned. */
	char path[TEXT_SIZE];
	(void)snprintf(path, sizeof path, "/tickets/%s", door_ticket(1, "Stalls-2"));
	door_get("alice", path, 200);
	assert_string_equal(at, door_member("scannedAt"));
	door_scan(NULL, door_code(1, "Stalls-1"), "", 200);
	door_scan(NULL, door_code(1, "Stalls-1"), "", 409);
	assert_null(door_member("gate"));
	assert_int_equal(2, scans());
}

static void test_only_the_admin_scans(void **state)
{
	char body[TEXT_SIZE], session[TEXT_SIZE];
	(void)state;
	(void)snprintf(body, sizeof body, "{\"code\":\"%s\"}", door_code(1, "Stalls-1"));
	door_ask("POST", "/sessions", NULL, "{}", 201);
	(void)snprintf(
		session, sizeof session, "Authorization: Bearer %s\r\n", door_member("token"));
	const char *const headers[] = {NULL, session, "X-Person: alice\r\n",
		"Authorization: Bearer the-admi\r\n", "Authorization: Bearer \r\n"};
	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
		door_ask("POST", "/tickets/scan", headers[i], body, 401);
		door_want_problem("unauthorized");
		assert_non_null(http_client_reply_header(&door.reply, "WWW-Authenticate"));
	}
	assert_int_equal(0, scans());
}

static void want_verdict(const char *code, const char *verdict)
{
	door_scan(NULL, code, "", 422);
	door_want_problem("ticket-code");
	assert_string_equal(verdict, door_member("verdict"));
}

static void test_what_is_no_code_of_ours(void **state)
{
	struct ticket_signer *other;
	struct ticket_code code = {.generation = 1};
	char text[DOOR_CODE_SIZE];
	(void)state;
	want_verdict("x", "malformed");
	want_verdict("https://example.com/", "malformed");
	const char *good = door_code(1, "Stalls-1");
	(void)snprintf(text, sizeof text, "%s", good);
	text[strlen(text) - 1] = '\0';
	want_verdict(text, "malformed");
	(void)snprintf(text, sizeof text, "%s", good);
	text[60] = text[60] == 'A' ? 'B' : 'A';
	want_verdict(text, "bad_signature");
	/* The same key's name, and another name. */
	static const char *const secrets[] = {"t1:yMnKy8zNzs/Q0dLT1NXW19jZ2tvc3d7f4OHi4+Tl5uc=",
		"t2:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="};
	static const char *const verdicts[] = {"bad_signature", "unknown_key"};
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(STATUS_OK, ticket_signer_new(slice_of(secrets[i]), &other, NULL));
		ticket_code_make(other, &code, text);
		want_verdict(text, verdicts[i]);
		ticket_signer_free(other);
	}
	assert_int_equal(0, scans());
}

static void test_bodies_that_are_wrong(void **state)
{
	static const struct {
		const char *body;
		int status;
	} cases[] = {
		{"", 415},
		{"{", 400},
		{"[]", 422},
		{"{}", 422},
		{"{\"code\":7}", 422},
		{"{\"code\":\"\"}", 422},
		{"{\"code\":\"x\",\"gate\":\"\"}", 422},
		{"{\"code\":\"x\",\"gate\":\"12345678901234567890123456789012345678901234567890123"
		 "456789012345\"}",
			422},
		{"{\"code\":\"x\",\"eventId\":\"x\"}", 422},
		{"{\"code\":\"x\",\"ticketId\":\"x\"}", 422},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		door_ask("POST", "/tickets/scan", admin_line, *cases[i].body ? cases[i].body : NULL,
			cases[i].status);
}

static void test_tickets_that_let_nobody_in(void **state)
{
	static const char other[] = "00000000-0000-7000-8000-0000000000e2";
	(void)state;
	door_scan(NULL, door_code(1, "Stalls-1"),
		",\"eventId\":\"00000000-0000-7000-8000-0000000000e2\"", 409);
	door_want_problem("other-event");
	assert_string_equal(SALES_EVENT, door_member("eventId"));
	door_scan(NULL, door_sign(SALES_EVENT, other, 1), "", 404);
	door_scan(NULL, door_sign(other, door_ticket(1, "Stalls-1") + sizeof SALES_EVENT, 1), "",
		404);
	door_scan(NULL, door_sign(SALES_EVENT, door_ticket(1, "Stalls-1") + sizeof SALES_EVENT, 2),
		"", 410);
	/* Refunded; its capture had failed; about to be refunded; not paid yet. */
	door_scan(NULL, door_code(3, "Balcony-2"), "", 410);
	door_want_problem("ticket-void");
	door_scan(NULL, door_code(4, "Balcony-3"), "", 410);
	sales_do("UPDATE checkout_orders SET ending = 'cancel', next_at = now() "
		 "WHERE order_id = sale_order(2)");
	door_scan(NULL, door_code(2, "Balcony-1"), "", 410);
	sales_fixture_under_way();
	door_scan(NULL, door_code(14, "Stalls-13"), "", 410);
	assert_int_equal(0, scans());
}

/* ---- Keys ---- */

static void test_the_same_key_gets_the_first_answer(void **state)
{
	const char *key = "Idempotency-Key: scan-1\r\n", *code = door_code(1, "Stalls-1");
	char first[TEXT_SIZE];
	(void)state;
	door_scan(key, code, "", 200);
	(void)snprintf(first, sizeof first, "%s", door.reply.body);
	assert_null(http_client_reply_header(&door.reply, "Idempotency-Replayed"));
	for (int i = 0; i < 3; i++) {
		door_scan(key, code, "", 200);
		assert_string_equal(first, door.reply.body);
		assert_string_equal(
			"true", http_client_reply_header(&door.reply, "Idempotency-Replayed"));
	}
	door_scan(NULL, code, "", 409);
	door_scan("Idempotency-Key: scan-2\r\n", code, "", 409);
	door_want_problem("already-scanned");
	/* It was not stored, so the key is still free. */
	door_scan("Idempotency-Key: scan-2\r\n", door_code(1, "Stalls-2"), "", 200);
	door_scan(key, code, ",\"gate\":\"A\"", 422);
	door_want_problem("idempotency-key-reused");
	/* What is final is kept as well. */
	door_scan("Idempotency-Key: scan-3\r\n", door_code(3, "Balcony-2"), "", 410);
	door_scan("Idempotency-Key: scan-3\r\n", door_code(3, "Balcony-2"), "", 410);
	assert_string_equal("true", http_client_reply_header(&door.reply, "Idempotency-Replayed"));
	assert_int_equal(2, scans());
}

/* The scanner has lost its connection when the door was opened, and asks again. */
static void test_the_scanner_has_not_heard_the_answer(void **state)
{
	char body[TEXT_SIZE], request[2 * TEXT_SIZE];
	struct http_client lost;
	(void)state;
	const char *code = door_code(1, "Stalls-1");
	(void)snprintf(body, sizeof body, "{\"code\":\"%s\"}", code);
	(void)snprintf(request, sizeof request,
		"POST /tickets/scan HTTP/1.1\r\nHost: x\r\n%sIdempotency-Key: lost\r\n"
		"Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		admin_line, strlen(body), body);
	http_client_init(&lost, door.port);
	assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&lost));
	assert_int_equal(HTTP_CLIENT_OK, http_client_send_text(&lost, request));
	int64_t end_ms = clock_monotonic_ms(clock_system()) + DOOR_PATIENCE_MS;
	while (scans() == 0)
		assert_true(clock_monotonic_ms(clock_system()) < end_ms);
	http_client_abort(&lost);
	http_client_release(&lost);
	door_scan("Idempotency-Key: lost\r\n", code, "", 200);
	assert_string_equal("true", http_client_reply_header(&door.reply, "Idempotency-Replayed"));
	assert_int_equal(1, scans());
}

/* The server has not heard the database's: with a key it looks what became of it, without one it
 * cannot know whether the scan there is its own. */
static void test_the_server_has_not_heard_the_answer(void **state)
{
	const struct slice commit = {"commit", sizeof "commit"};
	(void)state;
	fault_proxy_lose_reply(door.proxy, commit);
	door_scan("Idempotency-Key: a\r\n", door_code(1, "Stalls-1"), "", 200);
	assert_true(fault_proxy_wait_lost(door.proxy, 1, DOOR_PATIENCE_MS));
	fault_proxy_lose_request(door.proxy, commit);
	door_scan("Idempotency-Key: b\r\n", door_code(1, "Stalls-2"), "", 200);
	assert_true(fault_proxy_wait_lost(door.proxy, 2, DOOR_PATIENCE_MS));
	assert_int_equal(2, scans());
	fault_proxy_lose_reply(door.proxy, commit);
	door_scan(NULL, door_code(2, "Balcony-1"), "", 503);
	assert_true(fault_proxy_wait_lost(door.proxy, 3, DOOR_PATIENCE_MS));
	door_scan(NULL, door_code(2, "Balcony-1"), "", 409);
	assert_int_equal(3, scans());
}

/* ---- At the same moment ---- */

struct scanner {
	const char *headers, *body;
	int status;
	char at[TEXT_SIZE];
};

static void *scan_once(void *context)
{
	struct scanner *scanner = context;
	struct http_client client;
	struct http_client_reply reply = {0};
	http_client_init(&client, door.port);
	client.timeout_ms = 3 * (int64_t)DOOR_PATIENCE_MS;
	if (http_client_call(&client, "POST", "/tickets/scan", scanner->headers, scanner->body,
		    &reply) == HTTP_CLIENT_OK) {
		json_t *json = http_client_reply_json(&reply);
		const char *name = reply.status == 200 ? "scannedAt" : "firstScannedAt";
		const char *at = json_string_value(json_object_get(json, name));
		scanner->status = reply.status;
		(void)snprintf(scanner->at, sizeof scanner->at, "%s", at ? at : "");
		json_decref(json);
	}
	http_client_reply_release(&reply);
	http_client_release(&client);
	return NULL;
}

static void scan_together(struct scanner scanners[], size_t count)
{
	pthread_t threads[SCANNERS];
	for (size_t i = 0; i < count; i++)
		assert_int_equal(0, pthread_create(&threads[i], NULL, scan_once, &scanners[i]));
	for (size_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

static void test_fifty_scanners_at_once(void **state)
{
	static struct scanner scanners[SCANNERS];
	char body[TEXT_SIZE];
	int admitted = 0, refused = 0;
	(void)state;
	(void)snprintf(body, sizeof body, "{\"code\":\"%s\"}", door_code(1, "Stalls-1"));
	for (size_t i = 0; i < SCANNERS; i++)
		scanners[i] = (struct scanner){.headers = admin_line, .body = body};
	scan_together(scanners, SCANNERS);
	for (size_t i = 0; i < SCANNERS; i++) {
		admitted += scanners[i].status == 200;
		refused += scanners[i].status == 409;
		assert_string_equal(scanners[0].at, scanners[i].at);
	}
	assert_int_equal(1, admitted);
	assert_int_equal(SCANNERS - 1, refused);
	assert_int_equal(1, scans());
}

/* With one key: one is let in, and the others are told the same, or that it is being answered. */
static void test_fifty_repetitions_at_once(void **state)
{
	static struct scanner scanners[SCANNERS];
	char body[TEXT_SIZE], headers[TEXT_SIZE];
	(void)state;
	(void)snprintf(headers, sizeof headers, "%sIdempotency-Key: one\r\n", admin_line);
	(void)snprintf(body, sizeof body, "{\"code\":\"%s\"}", door_code(1, "Stalls-1"));
	for (size_t i = 0; i < SCANNERS; i++)
		scanners[i] = (struct scanner){.headers = headers, .body = body};
	scan_together(scanners, SCANNERS);
	const char *at = NULL;
	for (size_t i = 0; i < SCANNERS; i++) {
		if (scanners[i].status != 200) {
			assert_int_equal(409, scanners[i].status);
			assert_string_equal("", scanners[i].at);
			continue;
		}
		at = at ? at : scanners[i].at;
		assert_string_equal(at, scanners[i].at);
	}
	assert_non_null(at);
	assert_int_equal(1, scans());
}

/* ---- While others are at the same rows ---- */

static void begin_scan(pthread_t *thread, struct scanner *scanner)
{
	assert_int_equal(0, pthread_create(thread, NULL, scan_once, scanner));
	door_wait_blocked();
}

static void test_a_cancellation_under_way_is_waited_for(void **state)
{
	char body[TEXT_SIZE];
	struct scanner scanner = {.headers = admin_line, .body = body};
	pthread_t thread;
	(void)state;
	(void)snprintf(body, sizeof body, "{\"code\":\"%s\"}", door_code(1, "Stalls-1"));
	assert_int_equal(STATUS_OK, postgres_begin(sales_database, POSTGRES_READ_COMMITTED));
	sales_do("UPDATE checkout_orders SET ending = 'cancel', next_at = now() "
		 "WHERE order_id = sale_order(1)");
	begin_scan(&thread, &scanner);
	assert_int_equal(STATUS_OK, postgres_commit(sales_database));
	pthread_join(thread, NULL);
	assert_int_equal(410, scanner.status);
	assert_int_equal(0, scans());
}

static void test_another_scan_under_way_is_waited_for(void **state)
{
	static const char scan[] =
		"INSERT INTO ticket_scans VALUES (sale_event(), sale_ticket(1, 'Stalls-%d'), "
		"'2026-01-02 03:04:05Z', 'Gate %d')";
	(void)state;
	for (int i = 1; i <= 2; i++) {
		char body[TEXT_SIZE], seat[TEXT_SIZE];
		struct scanner scanner = {.headers = admin_line, .body = body};
		pthread_t thread;
		(void)snprintf(seat, sizeof seat, "Stalls-%d", i);
		(void)snprintf(body, sizeof body, "{\"code\":\"%s\"}", door_code(1, seat));
		assert_int_equal(
			STATUS_OK, postgres_begin(sales_database, POSTGRES_READ_COMMITTED));
		sales_do(scan, i, i);
		begin_scan(&thread, &scanner);
		if (i == 1)
			assert_int_equal(STATUS_OK, postgres_commit(sales_database));
		else
			postgres_rollback(sales_database);
		pthread_join(thread, NULL);
		assert_int_equal(i == 1 ? 409 : 200, scanner.status);
		if (i == 1)
			assert_string_equal("2026-01-02T03:04:05.000Z", scanner.at);
	}
	assert_int_equal(2, scans());
}

#define TEST(test_) cmocka_unit_test_setup_teardown(test_, door_open, door_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_ticket_lets_in_once),
		TEST(test_only_the_admin_scans),
		TEST(test_what_is_no_code_of_ours),
		TEST(test_bodies_that_are_wrong),
		TEST(test_tickets_that_let_nobody_in),
		TEST(test_the_same_key_gets_the_first_answer),
		TEST(test_the_scanner_has_not_heard_the_answer),
		TEST(test_the_server_has_not_heard_the_answer),
		TEST(test_fifty_scanners_at_once),
		TEST(test_fifty_repetitions_at_once),
		TEST(test_a_cancellation_under_way_is_waited_for),
		TEST(test_another_scan_under_way_is_waited_for),
	};
	return cmocka_run_group_tests(tests, sales_fixture_start, sales_fixture_stop);
}
