/* Bearer tokens, as they come over a connection. */
#include "lib/http/bearer.h"
#include "lib/http/limiter.h"
#include "lib/http/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/testkit/http_client.h"

static const char secret[] = "correct-horse";
static struct http_server *server;
static struct http_client client;
static struct http_client_reply reply;

static void show_token(struct http_exchange *exchange)
{
	struct slice token;
	if (http_bearer(exchange, &token))
		http_reply(exchange, 200, "text/plain", token);
	else
		http_reply_empty(exchange, 204);
}

static void ask_secret(struct http_exchange *exchange)
{
	http_reply_empty(exchange, http_bearer_is(exchange, slice_of(secret)) ? 204 : 403);
}

static void ask_admin(struct http_exchange *exchange)
{
	if (http_admin_asks(exchange, slice_of(secret)))
		http_reply_empty(exchange, 204);
}

static void ask_nobody(struct http_exchange *exchange)
{
	http_reply_empty(exchange, http_bearer_is(exchange, slice_of("")) ? 204 : 403);
}

/* With the wait that the client is told. */
static void show_address(struct http_exchange *exchange)
{
	http_reply_retry_after(exchange, 1001);
	http_reply(exchange, 200, "text/plain", http_client_address(exchange, "X-Forwarded-For"));
}

static const struct http_route routes[] = {
	{HTTP_GET, "/token", HTTP_ON_LOOP, show_token, 0},
	{HTTP_GET, "/secret", HTTP_ON_LOOP, ask_secret, 0},
	{HTTP_GET, "/admin", HTTP_ON_LOOP, ask_admin, 0},
	{HTTP_GET, "/nobody", HTTP_ON_LOOP, ask_nobody, 0},
	{HTTP_GET, "/address", HTTP_ON_LOOP, show_address, 0},
};

static int begin(void **state)
{
	(void)state;
	struct fault fault;
	const struct http_server_options options = {
		.routes = routes, .route_count = sizeof routes / sizeof routes[0], .loop_count = 1};
	assert_int_equal(STATUS_OK, http_server_open(&options, &server, &fault));
	http_client_init(&client, http_server_port(server));
	return 0;
}

static int end(void **state)
{
	(void)state;
	http_client_reply_release(&reply);
	http_client_release(&client);
	http_server_close(server);
	return 0;
}

static int ask(const char *path, const char *headers)
{
	assert_int_equal(
		HTTP_CLIENT_OK, http_client_call(&client, "GET", path, headers, NULL, &reply));
	return reply.status;
}

static void the_token_is_what_follows_the_scheme(void **state)
{
	(void)state;
	assert_int_equal(200, ask("/token", "Authorization: Bearer a.b-c\r\n"));
	assert_string_equal("a.b-c", reply.body);
	assert_int_equal(200, ask("/token", "authorization: bEARER x\r\n"));
	assert_string_equal("x", reply.body);
	assert_int_equal(204, ask("/token", NULL));
	assert_int_equal(204, ask("/token", "Authorization: Basic YTpi\r\n"));
	assert_int_equal(204, ask("/token", "Authorization: Bearer\r\n"));
	assert_int_equal(204, ask("/token", "Authorization: Bearerx\r\n"));
}

static void only_the_whole_secret_will_do(void **state)
{
	(void)state;
	assert_int_equal(204, ask("/secret", "Authorization: Bearer correct-horse\r\n"));
	static const char *const wrong[] = {NULL, "Authorization: Bearer correct-hors\r\n",
		"Authorization: Bearer correct-horsee\r\n",
		"Authorization: Bearer correct-horsecorrect-horse\r\n",
		"Authorization: Bearer Correct-horse\r\n", "Authorization: Bearer \r\n",
		"Authorization: Basic correct-horse\r\n", "Authorization: correct-horse\r\n"};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_int_equal(403, ask("/secret", wrong[i]));
	assert_int_equal(403, ask("/nobody", NULL));
	assert_int_equal(403, ask("/nobody", "Authorization: Bearer \r\n"));
}

static void who_is_not_the_admin_is_told(void **state)
{
	(void)state;
	assert_int_equal(204, ask("/admin", "Authorization: Bearer correct-horse\r\n"));
	static const char *const wrong[] = {NULL, "Authorization: Bearer correct-hors\r\n"};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		assert_int_equal(401, ask("/admin", wrong[i]));
		assert_string_equal("Bearer", http_client_reply_header(&reply, "WWW-Authenticate"));
		assert_non_null(strstr(reply.body, "urn:onsale:problem:unauthorized"));
	}
}

static void behind_a_proxy_the_last_address_counts(void **state)
{
	static const char loopback[] = {127, 0, 0, 1};
	(void)state;
	assert_int_equal(200, ask("/address", NULL));
	assert_int_equal(sizeof loopback, reply.body_size);
	assert_memory_equal(loopback, reply.body, sizeof loopback);
	assert_string_equal("2", http_client_reply_header(&reply, "Retry-After"));
	ask("/address", "X-Forwarded-For: 1.2.3.4, 10.0.0.1\r\n");
	assert_string_equal("10.0.0.1", reply.body);
	ask("/address", "X-Forwarded-For: 2001:db8::1 \r\n");
	assert_string_equal("2001:db8::1", reply.body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_token_is_what_follows_the_scheme),
		cmocka_unit_test(only_the_whole_secret_will_do),
		cmocka_unit_test(who_is_not_the_admin_is_told),
		cmocka_unit_test(behind_a_proxy_the_last_address_counts),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
