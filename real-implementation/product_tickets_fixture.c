/* See product_tickets_fixture.h. */
#include "real-implementation/product_tickets_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/http/server.h"
#include "lib/testkit/text.h"
#include "real-implementation/admin.h"
#include "real-implementation/session_token.h"
#include "real-implementation/sessions.h"
#include "real-implementation/tickets.h"

#define KEYS "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define TICKET_KEYS "t1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define ADMIN_TOKEN "the-admin"

enum { TEXT_SIZE = 1024, CALL_MS_MAX = 20000, PAUSE_US = 5000, ROUTES_MAX = 8 };

struct door door;

static struct keyring *keyring;
static struct sessions *sessions;
static struct tickets *tickets;
static struct admin admin = {.token = ADMIN_TOKEN};
static struct postgres *connections[DOOR_WORKERS];
static struct http_server *server;

/* The fixture's people are words, and sessions are of UUIDs; so a header says who it is, and the
 * session of nobody is asked for. */
static bool person_of(void *context, struct http_exchange *exchange, struct slice *person)
{
	if (http_header(exchange, "X-Person", person))
		return true;
	return sessions_person(context, exchange, person);
}

static void open_server(void)
{
	static struct http_route routes[ROUTES_MAX];
	static void *contexts[ROUTES_MAX];
	struct fault fault;
	size_t count = 0;
	assert_true(session_route_count + ticket_route_count <= ROUTES_MAX);
	for (size_t i = 0; i < session_route_count; i++, count++) {
		routes[count] = session_route_table[i];
		contexts[count] = sessions;
	}
	for (size_t i = 0; i < ticket_route_count; i++, count++) {
		routes[count] = ticket_route_table[i];
		contexts[count] = tickets;
	}
	const struct http_server_options options = {.routes = routes,
		.route_count = count,
		.contexts = contexts,
		.loop_count = 1,
		.worker_count = DOOR_WORKERS,
		.request_ms_max = 3 * CALL_MS_MAX};
	assert_int_equal(STATUS_OK, http_server_open(&options, &server, &fault));
	door.port = http_server_port(server);
	http_client_init(&door.client, door.port);
}

int door_open(void **state)
{
	struct fault fault;
	sales_fixture_begin(state);
	door.proxy = fault_proxy_open(sales_cluster.url);
	assert_non_null(door.proxy);
	for (size_t i = 0; i < DOOR_WORKERS; i++) {
		connections[i] =
			postgres_open(&(struct postgres_options){.url = fault_proxy_url(door.proxy),
				.application_name = "door",
				.fail_fast = true,
				.attempt_ms_max = CALL_MS_MAX,
				.call_ms_max = CALL_MS_MAX});
		assert_non_null(connections[i]);
	}
	assert_int_equal(STATUS_OK, keyring_new(slice_of(KEYS), &keyring, &fault));
	assert_int_equal(STATUS_OK, ticket_signer_new(slice_of(TICKET_KEYS), &door.signer, &fault));
	sessions = sessions_new(&(struct sessions_options){.keyring = keyring});
	assert_non_null(sessions);
	tickets = tickets_new(&(struct tickets_options){.connections = connections,
		.signer = door.signer,
		.person = person_of,
		.person_context = sessions,
		.admin = admin_asks,
		.admin_context = &admin});
	assert_non_null(tickets);
	open_server();
	return 0;
}

int door_close(void **state)
{
	http_client_reply_release(&door.reply);
	http_client_release(&door.client);
	http_server_close(server);
	tickets_free(tickets);
	sessions_free(sessions);
	ticket_signer_free(door.signer);
	keyring_free(keyring);
	for (size_t i = 0; i < DOOR_WORKERS; i++)
		postgres_close(connections[i]);
	fault_proxy_close(door.proxy);
	(void)state;
	return 0;
}

/* ---- Asking ---- */

void door_ask(
	const char *method, const char *path, const char *headers, const char *body, int status)
{
	enum http_client_outcome outcome =
		http_client_call(&door.client, method, path, headers, body, &door.reply);
	if (outcome != HTTP_CLIENT_OK)
		fail_msg("%s %s: %s", method, path, http_client_outcome_name(outcome));
	if (door.reply.status != status)
		fail_msg("%s %s: wanted %d, got %d %s", method, path, status, door.reply.status,
			door.reply.body);
}

void door_get(const char *person, const char *path, int status)
{
	door_ask("GET", path, text("X-Person: %s\r\n", person), NULL, status);
}

void door_get_soon(const char *person, const char *path, int status)
{
	const char *headers = text("X-Person: %s\r\n", person);
	int64_t end_ms = clock_monotonic_ms(clock_system()) + CALL_MS_MAX;
	do {
		(void)usleep(PAUSE_US);
		assert_int_equal(HTTP_CLIENT_OK,
			http_client_call(&door.client, "GET", path, headers, NULL, &door.reply));
	} while (door.reply.status == 503 && clock_monotonic_ms(clock_system()) < end_ms);
	if (door.reply.status != status)
		fail_msg("GET %s: wanted %d, got %d %s", path, status, door.reply.status,
			door.reply.body);
}

void door_scan(const char *headers, const char *code, const char *members, int status)
{
	door_ask("POST", "/tickets/scan",
		text("Authorization: Bearer " ADMIN_TOKEN "\r\n%s", headers ? headers : ""),
		text("{\"code\":\"%s\"%s}", code, members), status);
}

void door_want_problem(const char *type)
{
	assert_string_equal(text("urn:onsale:problem:%s", type), door_member("type"));
}

const char *door_member(const char *path)
{
	json_t *json = http_client_reply_json(&door.reply), *at = json;
	assert_non_null(json);
	const char *found = NULL;
	char steps[TEXT_SIZE], *rest = NULL;
	(void)snprintf(steps, sizeof steps, "%s", path);
	for (char *step = strtok_r(steps, "/", &rest); step; step = strtok_r(NULL, "/", &rest))
		at = json_object_get(at, step);
	if (at) {
		assert_true(json_is_string(at));
		found = text("%s", json_string_value(at));
	}
	json_decref(json);
	return found;
}

const char *door_ticket(int sale, const char *seat)
{
	return sales_text("SELECT checkout_key(sale_event(), sale_ticket(%d, '%s'))", sale, seat);
}

const char *door_code(int sale, const char *seat)
{
	return door_sign(SALES_EVENT, door_ticket(sale, seat) + sizeof SALES_EVENT, 1);
}

const char *door_sign(const char *event, const char *ticket, int64_t generation)
{
	char written[TICKET_CODE_TEXT_SIZE];
	struct ticket_code code = {.generation = generation, .issued_at_s = 1700000000};
	assert_true(id_parse(slice_of(event), &code.event));
	assert_true(id_parse(slice_of(ticket), &code.ticket));
	ticket_code_make(door.signer, &code, written);
	return text("%s", written);
}

void door_wait_blocked(void)
{
	int64_t end_ms = clock_monotonic_ms(clock_system()) + DOOR_PATIENCE_MS;
	while (sales_number(
		       "SELECT count(*) FROM pg_stat_activity "
		       "WHERE datname = current_database() AND wait_event_type = 'Lock'") == 0) {
		assert_true(clock_monotonic_ms(clock_system()) < end_ms);
		usleep(PAUSE_US);
	}
}
