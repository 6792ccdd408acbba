/* The traceparent header, by the examples and rules of W3C Trace Context. */
#include "lib/http/server_fixture.h"
#include "lib/http/trace.h"

#define ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

static void test_a_good_header_is_taken_apart(void **state)
{
	struct trace_context trace;
	(void)state;
	assert_true(trace_parse(slice_of("00-" ID "-" PARENT "-01"), &trace));
	assert_string_equal(ID, trace.trace_id);
	assert_string_equal(PARENT, trace.parent_id);
	assert_int_equal(1, trace.flags);
	/* A later version may have more behind, and is read as far as it is known. */
	assert_true(trace_parse(slice_of("cc-" ID "-" PARENT "-00-more"), &trace));
	assert_int_equal(0, trace.flags);
}

static void test_a_bad_header_is_refused(void **state)
{
	static const char *const bad[] = {"", "00", "00-" ID, "00-" ID "-" PARENT,
		"00-" ID "-" PARENT "-", "00-" ID "-" PARENT "-1", "00-" ID "-" PARENT "-001",
		"00-" ID "-" PARENT "-01-", "00-" ID "-" PARENT "-01-more",
		"ff-" ID "-" PARENT "-01", "0-" ID "-" PARENT "-01", "00-" ID "0-" PARENT "-01",
		"00-00000000000000000000000000000000-" PARENT "-01",
		"00-" ID "-0000000000000000-01",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01", "00-" ID "-" PARENT "-0g",
		" 00-" ID "-" PARENT "-01", "00_" ID "_" PARENT "_01"};
	struct trace_context trace;
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (trace_parse(slice_of(bad[i]), &trace))
			fail_msg("taken: '%s'", bad[i]);
}

static void test_a_child_keeps_the_trace(void **state)
{
	struct trace_context trace, child, other;
	char text[TRACEPARENT_SIZE];
	(void)state;
	assert_true(trace_parse(slice_of("00-" ID "-" PARENT "-ff"), &trace));
	trace_child(&trace, text);
	assert_int_equal(TRACEPARENT_SIZE - 1, strlen(text));
	assert_true(trace_parse(slice_of(text), &child));
	assert_string_equal(trace.trace_id, child.trace_id);
	assert_string_not_equal(trace.parent_id, child.parent_id);
	/* Flags that this version does not know are not passed on. */
	assert_int_equal(1, child.flags);
	trace_child(&trace, text);
	assert_true(trace_parse(slice_of(text), &other));
	assert_string_not_equal(child.parent_id, other.parent_id);
}

static struct trace_context seen;

static void look(struct http_exchange *exchange)
{
	seen = http_trace(exchange);
	http_reply_empty(exchange, 204);
}

static const struct http_route routes[] = {{HTTP_GET, "/look", HTTP_ON_LOOP, look, 0}};

static void test_a_request_brings_its_trace_or_begins_one(void **state)
{
	struct http_server_options options = {.routes = routes, .route_count = 1, .loop_count = 1};
	struct http_server *server;
	struct http_client client;
	struct http_client_reply reply = {0};
	struct fault fault;
	(void)state;
	assert_int_equal(STATUS_OK, http_server_open(&options, &server, &fault));
	http_client_init(&client, http_server_port(server));
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_call(&client, "GET", "/look",
			"TraceParent: 00-" ID "-" PARENT "-01\r\n", NULL, &reply));
	assert_string_equal(ID, seen.trace_id);
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_call(
			&client, "GET", "/look", "traceparent: rubbish\r\n", NULL, &reply));
	assert_int_equal(32, strlen(seen.trace_id));
	assert_string_not_equal(ID, seen.trace_id);
	http_client_reply_release(&reply);
	http_client_release(&client);
	http_server_close(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_good_header_is_taken_apart),
		cmocka_unit_test(test_a_bad_header_is_refused),
		cmocka_unit_test(test_a_child_keeps_the_trace),
		cmocka_unit_test(test_a_request_brings_its_trace_or_begins_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
