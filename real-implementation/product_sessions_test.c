/* Sessions over HTTP: who somebody is, and who is nobody. */
#include "real-implementation/sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/id.h"
#include "lib/http/server.h"
#include "lib/testkit/http_client.h"
#include "real-implementation/session_token.h"

#define KEYS "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define ADMIN_TOKEN "the-admin"

enum { ROUTES_MAX = 8, HEADER_SIZE = 512, LIFE_MS = 3600000, HEADERS_SIZE = 1024 };

static const int64_t start_ms = 1700000000000;

/* Moved by the test, read by the server's threads. */
static struct {
	struct clock base;
	_Atomic int64_t wall_ms;
} now;

static int64_t now_wall_ms(struct clock *clock)
{
	(void)clock;
	return atomic_load(&now.wall_ms);
}

static int64_t now_monotonic_ns(struct clock *clock)
{
	(void)clock;
	return clock_monotonic_ns(clock_system());
}

static const struct clock_ops now_ops = {.wall_ms = now_wall_ms, .monotonic_ns = now_monotonic_ns};

static struct keyring *keyring;
static struct sessions *sessions;
static struct http_server *server;
static struct http_client client;
static struct http_client_reply reply;

static void show_person(struct http_exchange *exchange)
{
	struct slice person;
	if (sessions_person(sessions, exchange, &person))
		http_reply(exchange, 200, "text/plain", person);
}

static const struct http_route person_route = {HTTP_GET, "/me", HTTP_ON_LOOP, show_person, 0};

static void open_server(struct sessions_options options)
{
	static struct http_route routes[ROUTES_MAX];
	struct fault fault;
	now.base.ops = &now_ops;
	atomic_store(&now.wall_ms, start_ms);
	assert_int_equal(STATUS_OK, keyring_new(slice_of(KEYS), &keyring, NULL));
	options.keyring = keyring;
	options.clock = &now.base;
	options.life_ms = LIFE_MS;
	sessions = sessions_new(&options);
	assert_non_null(sessions);
	assert_int_equal(1, session_route_count);
	routes[0] = session_route_table[0];
	routes[1] = person_route;
	const struct http_server_options http = {
		.routes = routes, .route_count = 2, .context = sessions, .loop_count = 1};
	assert_int_equal(STATUS_OK, http_server_open(&http, &server, &fault));
	http_client_init(&client, http_server_port(server));
}

static int close_server(void **state)
{
	(void)state;
	http_client_reply_release(&reply);
	http_client_release(&client);
	http_server_close(server);
	sessions_free(sessions);
	keyring_free(keyring);
	return 0;
}

static int open_plain(void **state)
{
	(void)state;
	open_server((struct sessions_options){0});
	return 0;
}

static int open_tls(void **state)
{
	(void)state;
	open_server((struct sessions_options){.transport = SESSION_OVER_TLS});
	return 0;
}

static int open_strict(void **state)
{
	(void)state;
	open_server((struct sessions_options){
		.per_second = 0.001, .burst = 2, .address_from = "X-Forwarded-For"});
	return 0;
}

static void ask(
	const char *method, const char *path, const char *headers, const char *body, int status)
{
	assert_int_equal(
		HTTP_CLIENT_OK, http_client_call(&client, method, path, headers, body, &reply));
	if (reply.status != status)
		fail_msg("%s %s: wanted %d, got %d %s", method, path, status, reply.status,
			reply.body);
}

static void want_problem(const char *type)
{
	char urn[HEADER_SIZE];
	json_t *problem = http_client_reply_json(&reply);
	snprintf(urn, sizeof urn, "urn:onsale:problem:%s", type);
	assert_string_equal(urn, json_string_value(json_object_get(problem, "type")));
	json_decref(problem);
}

/* A member of the last reply; the caller frees it. */
static char *member(const char *name)
{
	json_t *json = http_client_reply_json(&reply);
	const char *value = json_string_value(json_object_get(json, name));
	assert_non_null(value);
	char *copy = strdup(value);
	json_decref(json);
	assert_non_null(copy);
	return copy;
}

static const char *bearer(const char *token)
{
	static char header[HEADER_SIZE];
	snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", token);
	return header;
}

static const char *cookie(const char *token)
{
	static char header[HEADER_SIZE];
	snprintf(header, sizeof header, "Cookie: theme=dark; onsale_session=%s\r\n", token);
	return header;
}

static const char *both(const char *bearer_token, const char *cookie_token)
{
	static char headers[HEADERS_SIZE];
	snprintf(headers, sizeof headers, "%s%s", bearer(bearer_token), cookie(cookie_token));
	return headers;
}

static void want_person(const char *headers, const char *user)
{
	ask("GET", "/me", headers, NULL, 200);
	assert_string_equal(user, reply.body);
}

static void want_nobody(const char *headers)
{
	ask("GET", "/me", headers, NULL, 401);
	want_problem("unauthorized");
	const char *challenge = http_client_reply_header(&reply, "WWW-Authenticate");
	assert_non_null(challenge);
	assert_int_equal(0, strncmp(challenge, "Bearer", 6));
}

static void make(char **token, char **user)
{
	ask("POST", "/sessions", NULL, "{}", 201);
	*token = member("token");
	*user = member("userId");
}

static void test_a_session_says_who_one_is(void **state)
{
	char *token, *user, *other_token, *other, expected[HEADER_SIZE];
	struct id id;
	(void)state;
	make(&token, &user);
	assert_true(id_parse(slice_of(user), &id));
	char *expires = member("expiresAt");
	assert_string_equal("2023-11-14T23:13:20.000Z", expires);
	snprintf(expected, sizeof expected,
		"onsale_session=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=3600", token);
	assert_string_equal(expected, http_client_reply_header(&reply, "Set-Cookie"));
	assert_string_equal("no-store", http_client_reply_header(&reply, "Cache-Control"));
	want_person(bearer(token), user);
	want_person(cookie(token), user);
	make(&other_token, &other);
	assert_string_not_equal(user, other);
	want_person(bearer(other_token), other);
	want_person(both(token, other_token), user);
	free(token);
	free(user);
	free(expires);
	free(other_token);
	free(other);
}

static void test_over_tls_the_cookie_is_secure(void **state)
{
	(void)state;
	ask("POST", "/sessions", NULL, "{}", 201);
	const char *set = http_client_reply_header(&reply, "Set-Cookie");
	assert_non_null(strstr(set, "; Secure"));
	assert_non_null(strstr(set, "; HttpOnly"));
}

static void test_without_a_session_one_is_nobody(void **state)
{
	char *token, *user, changed[HEADER_SIZE / 2], headers[HEADERS_SIZE];
	(void)state;
	make(&token, &user);
	snprintf(changed, sizeof changed, "%s", token);
	changed[20] = changed[20] == 'A' ? 'B' : 'A';
	want_nobody(NULL);
	assert_string_equal("Bearer", http_client_reply_header(&reply, "WWW-Authenticate"));
	want_nobody(bearer(""));
	want_nobody(bearer(ADMIN_TOKEN));
	want_nobody(bearer(user));
	want_nobody(bearer(changed));
	assert_string_equal("Bearer error=\"invalid_token\"",
		http_client_reply_header(&reply, "WWW-Authenticate"));
	want_nobody(cookie(""));
	want_nobody(cookie(changed));
	want_nobody("Cookie: theme=dark\r\n");
	/* A good cookie does not make good a bearer token that is not. */
	want_nobody(both(changed, token));
	want_nobody(both(ADMIN_TOKEN, token));
	/* Which of two counts must not be up to whoever added one. */
	snprintf(headers, sizeof headers, "Cookie: onsale_session=%s; onsale_session=%s\r\n", token,
		token);
	want_nobody(headers);
	snprintf(headers, sizeof headers, "Cookie: onsale_session=\"%s\"\r\n", token);
	want_nobody(headers);
	snprintf(headers, sizeof headers, "Cookie: Onsale_Session=%s\r\n", token);
	want_nobody(headers);
	free(token);
	free(user);
}

static void test_a_session_ends(void **state)
{
	char *token, *user;
	(void)state;
	make(&token, &user);
	atomic_store(&now.wall_ms, start_ms + LIFE_MS - 1);
	want_person(bearer(token), user);
	atomic_store(&now.wall_ms, start_ms + LIFE_MS);
	want_nobody(bearer(token));
	want_nobody(cookie(token));
	/* The page cannot take its cookie away, so it gets a new person; who shows a bearer token
	 * is told. */
	ask("POST", "/sessions", bearer(token), "{}", 401);
	ask("POST", "/sessions", cookie(token), "{}", 201);
	char *renewed = member("userId");
	assert_string_not_equal(user, renewed);
	free(renewed);
	free(token);
	free(user);
}

static void test_asking_again_renews(void **state)
{
	char *token, *user;
	(void)state;
	make(&token, &user);
	atomic_store(&now.wall_ms, start_ms + LIFE_MS / 2);
	const char *const headers[] = {bearer(token), cookie(token)};
	for (size_t i = 0; i < 2; i++) {
		ask("POST", "/sessions", headers[i], "{}", 200);
		char *again = member("userId"), *fresh = member("token"),
		     *expires = member("expiresAt");
		assert_string_equal(user, again);
		assert_string_not_equal(token, fresh);
		assert_string_equal("2023-11-14T23:43:20.000Z", expires);
		assert_non_null(strstr(http_client_reply_header(&reply, "Set-Cookie"), fresh));
		free(again);
		free(expires);
		atomic_store(&now.wall_ms, start_ms + LIFE_MS + 1);
		want_nobody(bearer(token));
		want_person(bearer(fresh), user);
		atomic_store(&now.wall_ms, start_ms + LIFE_MS / 2);
		free(fresh);
	}
	free(token);
	free(user);
}

/* What a form of another site can send does not replace the cookie. */
static void test_a_request_has_to_be_json(void **state)
{
	(void)state;
	ask("POST", "/sessions", "Content-Type: text/plain\r\n", "{}", 415);
	assert_null(http_client_reply_header(&reply, "Set-Cookie"));
	ask("POST", "/sessions", "Content-Type: application/x-www-form-urlencoded\r\n", "a=b", 415);
	ask("POST", "/sessions", "Content-Length: 0\r\n", NULL, 415);
	ask("POST", "/sessions", NULL, "[]", 422);
	ask("POST", "/sessions", NULL, "{\"userId\":\"me\"}", 422);
	assert_null(http_client_reply_header(&reply, "Set-Cookie"));
	ask("GET", "/sessions", NULL, NULL, 405);
}

static void test_one_address_cannot_be_everybody(void **state)
{
	(void)state;
	const char *from = "X-Forwarded-For: 9.9.9.9, 10.0.0.1\r\n";
	ask("POST", "/sessions", from, "{}", 201);
	ask("POST", "/sessions", from, "{}", 201);
	ask("POST", "/sessions", from, "{}", 429);
	want_problem("too-many-requests");
	assert_true(strtol(http_client_reply_header(&reply, "Retry-After"), NULL, 10) > 0);
	ask("POST", "/sessions", "X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n", "{}", 201);
	/* The socket's own address is another one, too. */
	ask("POST", "/sessions", NULL, "{}", 201);
	char *token = member("token");
	for (int i = 0; i < 20; i++) /* To show a session costs nothing. */
		ask("GET", "/me", bearer(token), NULL, 200);
	free(token);
}

#define TEST(test_, open_) cmocka_unit_test_setup_teardown(test_, open_, close_server)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_session_says_who_one_is, open_plain),
		TEST(test_over_tls_the_cookie_is_secure, open_tls),
		TEST(test_without_a_session_one_is_nobody, open_plain),
		TEST(test_a_session_ends, open_plain),
		TEST(test_asking_again_renews, open_plain),
		TEST(test_a_request_has_to_be_json, open_plain),
		TEST(test_one_address_cannot_be_everybody, open_strict),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
