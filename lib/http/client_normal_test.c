/* The usual path: against the server of the house, and many calls at once. */
#include "lib/http/client_fixture.h"
#include "lib/http/server.h"

enum { AT_ONCE = 200 };

/* ---- The server of the house ---- */

static void get_plain(struct http_exchange *exchange)
{
	struct slice trace;
	if (http_header(exchange, "traceparent", &trace))
		http_reply_header(exchange, "X-Trace", arena_copy(http_arena(exchange), trace));
	http_reply(exchange, 200, "text/plain", slice_of("plain"));
}

static void get_empty(struct http_exchange *exchange)
{
	http_reply_empty(exchange, 204);
}

static void echo(struct http_exchange *exchange)
{
	http_reply(exchange, 200, "application/json", http_body(exchange));
}

static const struct http_route routes[] = {
	{HTTP_GET, "/plain", HTTP_ON_LOOP, get_plain, 0},
	{HTTP_DELETE, "/plain", HTTP_ON_LOOP, get_empty, 0},
	{HTTP_POST, "/echo", HTTP_ON_WORKER, echo, 1 << 20},
};

static struct http_server *server;
static char server_base[64];

static int set_up(void **state)
{
	(void)state;
	struct fault fault;
	const struct http_server_options options = {
		.routes = routes, .route_count = 3, .loop_count = 1, .worker_count = 4};
	assert_int_equal(STATUS_OK, http_server_open(&options, &server, &fault));
	snprintf(server_base, sizeof server_base, "http://127.0.0.1:%u", http_server_port(server));
	fixture_fetcher((struct http_fetcher_options){.user_agent = "test"});
	return 0;
}

static int tear_down(void **state)
{
	fixture_end(state);
	http_server_close(server);
	return 0;
}

static struct http_fetch ask(const char *method, const char *path)
{
	snprintf(fixture.url, sizeof fixture.url, "%s%s", server_base, path);
	return (struct http_fetch){.method = method, .url = fixture.url};
}

static void test_methods(void **state)
{
	(void)state;
	static const struct {
		const char *method, *path;
		unsigned status;
		const char *body;
	} kinds[] = {
		{"GET", "/plain", 200, "plain"},
		{"HEAD", "/plain", 200, ""},
		{"DELETE", "/plain", 204, ""},
		{"POST", "/echo", 200, ""},
		{"GET", "/nowhere", 404, NULL},
		{"PUT", "/plain", 405, NULL},
	};
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		struct http_fetch fetch = ask(kinds[i].method, kinds[i].path);
		const struct http_fetch_result *result =
			want(&fetch, HTTP_FETCH_ANSWERED, HTTP_CAUSE_NONE);
		assert_int_equal(kinds[i].status, result->status);
		if (kinds[i].body)
			assert_true(slice_is(result->body, kinds[i].body));
		http_fetch_release(&fetch);
	}
	/* All of them on one connection. */
	assert_int_equal(1, http_fetcher_counts(fixture.fetcher).connections);
}

static void test_headers_and_times(void **state)
{
	(void)state;
	const struct http_fetch_header header = {
		"traceparent", slice_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")};
	struct http_fetch fetch = ask("GET", "/plain");
	struct slice value;
	fetch.headers = &header;
	fetch.header_count = 1;
	int64_t began_ms = now_ms();
	want_ok(&fetch, "plain");
	int64_t took_ms = now_ms() - began_ms;
	assert_true(http_fetch_reply_header(&fetch, "x-trace", &value));
	assert_true(slice_equal(value, header.value));
	assert_true(http_fetch_reply_header(&fetch, "CONTENT-TYPE", &value));
	assert_true(slice_is(value, "text/plain"));
	assert_false(http_fetch_reply_header(&fetch, "Content", &value));
	assert_false(http_fetch_reply_header(&fetch, "", &value));
	assert_false(http_fetch_reply_header(&fetch, "X-Other", &value));
	const struct http_fetch_times *times = &fetch.result.times;
	assert_true(times->connected_us > 0);
	assert_true(times->first_byte_us >= times->connected_us);
	assert_true(times->total_us >= times->first_byte_us);
	assert_true(times->total_us < (took_ms + 1) * 1000);
	http_fetch_release(&fetch);
	assert_false(http_fetch_reply_header(&fetch, "Content-Type", &value));
	want_ok(&fetch, "plain");
	assert_int_equal(0, fetch.result.times.connected_us);
	http_fetch_release(&fetch);
}

static void test_bodies(void **state)
{
	(void)state;
	static char body[1 << 20];
	for (size_t i = 0; i < sizeof body; i++)
		body[i] = (char)(i * 31 >> 3);
	const struct http_fetch_header header = {"Content-Type", slice_of("text/plain")};
	for (size_t size = 1; size <= sizeof body; size *= 32) {
		struct http_fetch fetch = ask("POST", "/echo");
		fetch.headers = &header;
		fetch.header_count = 1;
		fetch.body = (struct slice){body, size};
		want(&fetch, HTTP_FETCH_ANSWERED, HTTP_CAUSE_NONE);
		assert_true(slice_equal(fetch.body, fetch.result.body));
		http_fetch_release(&fetch);
	}
	assert_int_equal(1, http_fetcher_counts(fixture.fetcher).connections);
}

static void test_many_on_few_connections(void **state)
{
	(void)state;
	fixture_fetcher((struct http_fetcher_options){.in_flight_max = 4});
	for (size_t i = 0; i < AT_ONCE; i++) {
		fixture.fetches[i] = ask("GET", "/plain");
		submit(&fixture.fetches[i]);
	}
	struct http_fetch *done[16];
	for (size_t count = 0; count < AT_ONCE;) {
		size_t got = http_fetcher_collect(fixture.fetcher, 5000, done, 16);
		assert_in_range(got, 1, 16);
		for (size_t i = 0; i < got; i++)
			assert_int_equal(200, done[i]->result.status);
		count += got;
	}
	assert_in_range(http_fetcher_counts(fixture.fetcher).connections, 1, 4);
}

/* ---- What the server of the house never says ---- */

static const char *answer;

static void serve_answer(struct peer_connection *connection)
{
	while (peer_receive(connection))
		peer_send(connection, answer);
}

static void test_answers(void **state)
{
	(void)state;
	static const struct {
		const char *answer, *body, *header;
		unsigned status;
	} kinds[] = {
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n"
		 "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n",
			"abcde", "b", 200},
		{"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
			"", NULL, 302},
		{"HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\nX-A:b\r\n\r\n", "", "b", 304},
		{"HTTP/1.1 204 No Content\r\n\r\n", "", NULL, 204},
		{"HTTP/1.1 103 Early Hints\r\nX-A: no\r\n\r\n"
		 "HTTP/1.1 102 Processing\r\n\r\n"
		 "HTTP/1.1 201 Created\r\nX-A:   b  \r\nx-a: c\r\nContent-Length: 1\r\n\r\nx",
			"x", "b", 201},
		{"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\n"
		 "Content-Length: 0\r\n\r\n",
			"", NULL, 401},
		{"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Encoding: gzip\r\n"
		 "Content-Length: 3\r\n\r\nabc",
			"abc", NULL, 200},
		{"HTTP/1.0 999 Odd\r\nContent-Length: 2\r\n\r\nok", "ok", NULL, 999},
	};
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		answer = kinds[i].answer;
		fixture_serve(serve_answer);
		for (size_t round = 1; round <= 2; round++) {
			struct http_fetch fetch = get_root();
			struct slice value = {0};
			const struct http_fetch_result *result =
				want(&fetch, HTTP_FETCH_ANSWERED, HTTP_CAUSE_NONE);
			assert_int_equal(kinds[i].status, result->status);
			assert_true(slice_is(result->body, kinds[i].body));
			assert_int_equal(kinds[i].header != NULL,
				http_fetch_reply_header(&fetch, "X-A", &value));
			assert_true(!kinds[i].header || slice_is(value, kinds[i].header));
			assert_false(http_fetch_reply_header(&fetch, "X-Trailer", &value));
			assert_int_equal(round, atomic_load(&fixture.peer.requests));
			assert_null(strstr(fixture.peer.last_request, "Cookie"));
			http_fetch_release(&fetch);
		}
		fixture_end(NULL);
	}
}

/* Answers only when all have come, so that it succeeds only if all are in flight at once. */
static void serve_together(struct peer_connection *connection)
{
	if (!peer_receive(connection))
		return;
	peer_wait_requests(connection->peer, AT_ONCE);
	peer_send(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	peer_wait_gone(connection);
}

static void test_all_at_once(void **state)
{
	(void)state;
	fixture_serve(serve_together);
	fixture_fetcher((struct http_fetcher_options){.in_flight_max = AT_ONCE});
	for (size_t i = 0; i < AT_ONCE; i++) {
		fixture.fetches[i] = post_root();
		submit(&fixture.fetches[i]);
	}
	struct http_fetch *done[AT_ONCE];
	for (size_t count = 0; count < AT_ONCE;) {
		size_t got = http_fetcher_collect(fixture.fetcher, 3 * PATIENCE_MS, done, AT_ONCE);
		assert_true(got > 0);
		for (size_t i = 0; i < got; i++)
			assert_int_equal(HTTP_FETCH_ANSWERED, done[i]->result.outcome);
		count += got;
	}
	assert_int_equal(AT_ONCE, http_fetcher_counts(fixture.fetcher).connections);
}

static atomic_bool others_are_done;

/* One slow answer must not hold up the calls behind it. */
static void serve_first_last(struct peer_connection *connection)
{
	if (connection->number == 1) {
		peer_receive(connection);
		for (int i = 0; i < PATIENCE_MS && !atomic_load(&others_are_done); i++)
			pause_ms(1);
		peer_send(connection, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow");
	}
	peer_serve_ok(connection);
}

static void test_slots_are_refilled(void **state)
{
	(void)state;
	atomic_store(&others_are_done, false);
	fixture_serve(serve_first_last);
	fixture_fetcher((struct http_fetcher_options){.in_flight_max = 2});
	struct http_fetch *done, *fetches = fixture.fetches;
	fetches[0] = get_root();
	submit(&fetches[0]);
	turn_until_requests(1);
	for (size_t i = 1; i <= 50; i++) {
		fetches[i] = get_root();
		submit(&fetches[i]);
	}
	for (size_t i = 1; i <= 50; i++) {
		assert_int_equal(1, http_fetcher_collect(fixture.fetcher, PATIENCE_MS, &done, 1));
		assert_ptr_equal(&fetches[i], done);
	}
	atomic_store(&others_are_done, true);
	assert_int_equal(1, http_fetcher_collect(fixture.fetcher, PATIENCE_MS, &done, 1));
	assert_ptr_equal(&fetches[0], done);
	assert_true(slice_is(done->result.body, "slow"));
	assert_int_equal(2, atomic_load(&fixture.peer.connections));
}

static void test_proxy_of_the_environment(void **state)
{
	(void)state;
	fixture_serve(peer_serve_ok);
	char proxy[64];
	snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", fixture.peer.port);
	setenv("http_proxy", proxy, 1);
	setenv("no_proxy", "", 1);
	struct http_fetch fetch = get_root();
	fetch.url = "http://127.0.0.1:1/x";
	want(&fetch, HTTP_FETCH_NOT_SENT, HTTP_CAUSE_CONNECT);
	fixture_fetcher((struct http_fetcher_options){.proxy = HTTP_PROXY_ENVIRONMENT});
	want_ok(&fetch, "ok");
	assert_non_null(strstr(fixture.peer.last_request, "GET http://127.0.0.1:1/x HTTP/1.1"));
	http_fetch_release(&fetch);
	unsetenv("http_proxy");
	fixture_end(NULL);

	/* A tunnel that is refused: nothing has reached the server, and nothing is its answer. */
	answer = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
	fixture_serve(serve_answer);
	fixture_fetcher((struct http_fetcher_options){.proxy = HTTP_PROXY_ENVIRONMENT});
	snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", fixture.peer.port);
	setenv("https_proxy", proxy, 1);
	fetch = get_root();
	fetch.url = "https://127.0.0.1:1/x";
	submit(&fetch);
	collect(&fetch);
	assert_int_equal(HTTP_FETCH_NOT_SENT, fetch.result.outcome);
	assert_int_equal(0, fetch.result.status);
	assert_non_null(strstr(fixture.peer.last_request, "CONNECT 127.0.0.1:1 HTTP/1.1"));
	unsetenv("https_proxy");
	unsetenv("no_proxy");
}

static void test_options(void **state)
{
	(void)state;
	static const struct http_fetcher_options wrong[] = {
		{.in_flight_max = HTTP_FETCHER_IN_FLIGHT_MAX + 1},
		{.queue_max = HTTP_FETCHER_QUEUE_MAX + 1},
		{.connections_max = 1, .connections_per_host_max = 2},
		{.connect_ms_max = -1},
		{.attempt_ms_max = -1},
		{.total_ms_max = INT64_MAX},
		{.backoff_ms_min = 10, .backoff_ms_max = 5},
		{.ca_file = "/nowhere/ca.pem"},
		{.user_agent = "a\r\nX-Evil: 1"},
	};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct fault fault = {0};
		struct http_fetcher *fetcher = NULL;
		assert_int_equal(STATUS_REFUSED, http_fetcher_open(&wrong[i], &fetcher, &fault));
		assert_null(fetcher);
		assert_true(*fault.where && *fault.what);
	}
}

#define HOUSE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST(name) cmocka_unit_test_teardown(name, fixture_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOUSE(test_methods),
		HOUSE(test_headers_and_times),
		HOUSE(test_bodies),
		HOUSE(test_many_on_few_connections),
		TEST(test_answers),
		TEST(test_all_at_once),
		TEST(test_slots_are_refilled),
		TEST(test_proxy_of_the_environment),
		TEST(test_options),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
