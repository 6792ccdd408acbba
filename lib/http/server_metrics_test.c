/* What GET /metrics tells of a server that has answered, refused and streamed. */
#include "lib/http/server_fixture.h"
#include "lib/http/server_metrics.h"
#include "lib/http/stream.h"

static struct metrics *metrics;
static struct http_server *server;
static struct http_channel *channel;
static struct http_client client;
static struct http_client_reply reply;

static void plain(struct http_exchange *exchange)
{
	http_reply_empty(exchange, 204);
}

static void go_wrong(struct http_exchange *exchange)
{
	http_reply_problem(exchange, &http_problem_internal, NULL);
}

static void follow(struct http_exchange *exchange)
{
	http_stream_begin(exchange, channel, (struct slice){0});
}

static const struct http_route routes[] = {
	{HTTP_GET, "/items/{itemId}", HTTP_ON_LOOP, plain, 0},
	{HTTP_DELETE, "/items/{itemId}", HTTP_ON_WORKER, go_wrong, 0},
	{HTTP_GET, "/stream", HTTP_ON_LOOP, follow, 0},
	{HTTP_GET, "/metrics", HTTP_ON_WORKER, http_reply_metrics, 0},
};

static int set_up(void **state)
{
	struct fault fault;
	(void)state;
	metrics = metrics_new();
	http_register_metrics(metrics, routes, 4);
	assert_int_equal(STATUS_OK, metrics_freeze(metrics));
	assert_int_equal(STATUS_OK,
		http_server_open(&(struct http_server_options){.routes = routes,
					 .route_count = 4,
					 .loop_count = 2,
					 .worker_count = 2,
					 .metrics = metrics},
			&server, &fault));
	channel = http_channel_open(server, &(struct http_channel_options){.backlog = 1});
	assert_non_null(channel);
	http_client_init(&client, http_server_port(server));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	http_client_reply_release(&reply);
	http_client_release(&client);
	http_server_close(server);
	metrics_free(metrics);
	return 0;
}

static void call(const char *method, const char *path, int status)
{
	assert_int_equal(
		HTTP_CLIENT_OK, http_client_call(&client, method, path, NULL, NULL, &reply));
	assert_int_equal(status, reply.status);
}

/* Metrics are counted when the last byte has been sent, which the client may see a little before.
 */
static void want_line(const char *line)
{
	for (int64_t end_ms = now_ms() + PATIENCE_MS; now_ms() < end_ms; pause_ms(5)) {
		call("GET", "/metrics", 200);
		const char *found = strstr(reply.body, line);
		if (found && (found == reply.body || found[-1] == '\n') &&
			found[strlen(line)] == '\n')
			return;
	}
	fail_msg("no line '%s' in:\n%s", line, reply.body);
}

static void test_requests_are_counted_by_route(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		call("GET", i == 0 ? "/items/a" : "/items/b", 204);
	call("HEAD", "/items/a", 204);
	call("DELETE", "/items/a", 500);
	call("GET", "/nowhere/secret", 404);
	call("PUT", "/items/a", 405);
	want_line("http_requests_total{method=\"GET\",route=\"/items/{itemId}\",status=\"2xx\"} 4");
	want_line("http_requests_total{method=\"DELETE\",route=\"/items/{itemId}\",status=\"5xx\"} "
		  "1");
	want_line("http_requests_total{method=\"\",route=\"\",status=\"4xx\"} 2");
	want_line("http_request_seconds_count{method=\"GET\",route=\"/items/{itemId}\"} 4");
	assert_null(strstr(reply.body, "secret"));
	assert_string_equal("application/openmetrics-text; version=1.0.0; charset=utf-8",
		http_client_reply_header(&reply, "Content-Type"));
}

static void test_connections_and_streams_come_and_go(void **state)
{
	(void)state;
	struct http_client follower;
	http_client_init(&follower, http_server_port(server));
	assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&follower));
	want_line("http_connections 2");
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_send_text(&follower, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n"));
	want_line("http_streams 1");
	http_client_release(&follower);
	want_line("http_streams 0");
	want_line("http_connections 1");
	want_line("http_requests_total{method=\"GET\",route=\"/stream\",status=\"2xx\"} 1");
}

static void test_the_workers_lane_is_measured(void **state)
{
	(void)state;
	call("DELETE", "/items/a", 500);
	call("GET", "/metrics", 200);
	assert_non_null(strstr(reply.body, "lane_service_seconds_count{lane=\"http_workers\"}"));
}

int main(void)
{
#define METRICS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		METRICS_TEST(test_requests_are_counted_by_route),
		METRICS_TEST(test_connections_and_streams_come_and_go),
		METRICS_TEST(test_the_workers_lane_is_measured),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
