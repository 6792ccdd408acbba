/* What a request leads to: routes, methods, targets, queries, JSON bodies, and the shape of what
 * comes back. */
#include "lib/http/server_fixture.h"

static int set_up(void **state)
{
	(void)state;
	fixture_open((struct http_server_options){.loop_count = 1, .worker_count = 2});
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fixture_close();
	return 0;
}

static void test_literal_beats_parameter(void **state)
{
	(void)state;
	ask("GET", "/items/special", NULL, NULL, 200);
	want_body("special");
	ask("GET", "/items/other", NULL, NULL, 200);
	want_body("other");
	ask("GET", "/items/special/parts/7", NULL, NULL, 200);
	want_body("special\n7");
	/* The literal has only GET; the parameter's methods do not shine through. */
	ask("DELETE", "/items/special", NULL, NULL, 405);
	want_header("Allow", "GET, HEAD, OPTIONS");
}

static void test_not_found_and_method_not_allowed_are_apart(void **state)
{
	(void)state;
	static const char *const nowhere[] = {"/", "/nothing", "/plain/", "/items", "/items/",
		"//plain", "/items//parts/1", "/Plain", "/plain%2F", "/items/x/parts", "/pl%61in"};
	for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
		ask("GET", nowhere[i], NULL, NULL, 404);
		want_problem("not-found");
		want_header("Allow", NULL);
	}
	ask("POST", "/nothing", NULL, "{}", 404);
	ask("POST", "/items/1", NULL, "{}", 405);
	want_problem("method-not-allowed");
	want_header("Allow", "GET, HEAD, PUT, DELETE, OPTIONS");
	ask("GET", "/echo", NULL, NULL, 405);
	want_header("Allow", "POST, OPTIONS");
	ask("BREW", "/plain", NULL, NULL, 405);
	want_header("Allow", "GET, HEAD, OPTIONS");
	ask("get", "/plain", NULL, NULL, 405);
	ask("TRACE", "/plain", NULL, NULL, 405);
	ask("BREW", "/nothing", NULL, NULL, 404);
}

static void test_head_is_get_without_the_body(void **state)
{
	(void)state;
	static const char *const paths[] = {"/plain", "/work", "/deferred", "/nothing", "/large"};
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		struct http_client_reply get = {0};
		assert_int_equal(HTTP_CLIENT_OK,
			http_client_call(&fixture.client, "GET", paths[i], NULL, NULL, &get));
		ask("HEAD", paths[i], NULL, NULL, get.status);
		assert_int_equal(get.header_count, fixture.reply.header_count);
		for (size_t h = 0; h < get.header_count; h++)
			if (strcmp(get.headers[h].name, "X-Request-Id") != 0 &&
				strcmp(get.headers[h].name, "Date") != 0)
				want_header(get.headers[h].name, get.headers[h].value);
		http_client_reply_release(&get);
		assert_int_equal(0, fixture.client.received_size);
	}
	/* Had a body been sent, it would stand before this reply. */
	ask("GET", "/plain", NULL, NULL, 200);
	want_body("plain\n");
	ask("HEAD", "/echo", NULL, NULL, 405);
}

static void test_options(void **state)
{
	(void)state;
	ask("OPTIONS", "/items/1", NULL, NULL, 204);
	want_header("Allow", "GET, HEAD, PUT, DELETE, OPTIONS");
	want_header("Content-Length", NULL);
	ask("OPTIONS", "*", NULL, NULL, 204);
	ask("OPTIONS", "/nothing", NULL, NULL, 404);
	ask("GET", "*", NULL, NULL, 404);
}

static void test_common_headers(void **state)
{
	(void)state;
	ask("GET", "/plain", NULL, NULL, 200);
	want_header("Cache-Control", "no-store");
	want_header("X-Content-Type-Options", "nosniff");
	want_header("Content-Type", "text/plain");
	want_header("Connection", NULL);
	char first[64];
	snprintf(first, sizeof first, "%s",
		http_client_reply_header(&fixture.reply, "X-Request-Id"));
	assert_int_equal(32, strlen(first));
	ask("GET", "/plain", "X-Request-Id: mine\r\n", NULL, 200);
	assert_string_not_equal(first, http_client_reply_header(&fixture.reply, "X-Request-Id"));
	assert_string_not_equal("mine", http_client_reply_header(&fixture.reply, "X-Request-Id"));
}

static void test_absolute_form(void **state)
{
	(void)state;
	ask("GET", "http://elsewhere.example/items/7?", NULL, NULL, 200);
	want_body("7");
	ask("GET", "https://elsewhere.example/items/8", NULL, NULL, 200);
	want_body("8");
	ask("GET", "http://elsewhere.example", NULL, NULL, 404);
	ask("GET", "http://", NULL, NULL, 404);
	ask("GET", "ftp://elsewhere.example/plain", NULL, NULL, 404);
	ask("CONNECT", "elsewhere.example:443", NULL, NULL, 404);
}

static void test_percent_encoding(void **state)
{
	(void)state;
	static const struct {
		const char *path, *value;
	} good[] = {
		{"/items/a%2Fb", "a/b"},
		{"/items/a%2fb", "a/b"},
		{"/items/%41%7a", "Az"},
		{"/items/a+b", "a+b"},
		{"/items/a%20b", "a b"},
		{"/items/%C3%A9%E2%82%AC%F0%9F%8E%AB", "é€🎫"},
		{"/items/%25%32%46", "%2F"},
		{"/items/sp%65cial", "special"},
		{"/items/a?", "a"},
		{"/items/%3F", "?"},
		{"/items/..", ".."},
	};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		ask("GET", good[i].path, NULL, NULL, 200);
		want_body(good[i].value);
	}
	static const char *const bad[] = {"/items/%00", "/items/a%00b", "/items/%", "/items/%4",
		"/items/a%", "/items/%4G", "/items/%G4", "/items/%%41", "/items/%0A",
		"/items/%0d%0aX:y", "/items/%7F", "/items/%C2%85", "/items/%FF", "/items/%C0%AF",
		"/items/%C1%81", "/items/%E0%80%AF", "/items/%F0%80%80%AF", "/items/%ED%A0%80",
		"/items/%F4%90%80%80", "/items/%C3", "/items/%C3%28", "/items/\xC0\xAF"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		ask("GET", bad[i], NULL, NULL, 400);
		want_problem("bad-request");
	}
	ask("GET", "/items/1/parts/%00", NULL, NULL, 400);
}

static void test_query(void **state)
{
	(void)state;
	static const struct {
		const char *path, *found;
	} good[] = {
		{"/query", "{}"},
		{"/query?", "{}"},
		{"/query?&&", "{}"},
		{"/query?a=1", "{\"a\":\"1\"}"},
		{"/query?a", "{\"a\":\"\"}"},
		{"/query?a=", "{\"a\":\"\"}"},
		{"/query?a=1&b=2&", "{\"a\":\"1\",\"b\":\"2\"}"},
		{"/query?a=x=y?z/w", "{\"a\":\"x=y?z/w\"}"},
		{"/query?a=x+y%2Bz%26b%3D", "{\"a\":\"x y+z&b=\"}"},
		{"/query?long+name=1", "{\"long name\":\"1\"}"},
		{"/query?%61=%C3%A9", "{\"a\":\"\xC3\xA9\"}"},
	};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		ask("GET", good[i].path, NULL, NULL, 200);
		want_body(good[i].found);
	}
	static const char *const bad[] = {"/query?a=1&a=1", "/query?a=1&%61=2", "/query?a=%00",
		"/query?a=%", "/query?%=1", "/query?a=%C0%AF", "/query?a=%0a", "/query?c=1",
		"/query?=1", "/query?A=1", "/plain?a=%zz", "/plain?x&x"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		ask("GET", bad[i], NULL, NULL, 400);
		want_problem("bad-request");
	}
}

static void test_too_many_query_parameters(void **state)
{
	(void)state;
	char path[256] = "/plain?p0";
	for (int i = 1; i < 16; i++)
		snprintf(path + strlen(path), sizeof path - strlen(path), "&p%d", i);
	ask("GET", path, NULL, NULL, 200);
	snprintf(path + strlen(path), sizeof path - strlen(path), "&p16");
	ask("GET", path, NULL, NULL, 400);
	want_problem("bad-request");
}

static void test_media_types(void **state)
{
	(void)state;
	static const char *const good[] = {"application/json", "Application/JSON",
		"application/json; charset=utf-8", "application/json ;x=y"};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		char header[128];
		snprintf(header, sizeof header, "Content-Type: %s\r\n", good[i]);
		ask("POST", "/json", header, "{\"a\":1}", 200);
		want_body("{\"a\":1}");
	}
	static const char *const bad[] = {"text/plain", "application/jsonp", "application/js",
		"application/x-www-form-urlencoded", "", ";application/json"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char header[128];
		snprintf(header, sizeof header, "Content-Type: %s\r\n", bad[i]);
		ask("POST", "/json", header, "{\"a\":1}", 415);
		want_problem("unsupported-media-type");
	}
	send_raw("POST /json HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}");
	want("POST", 415);
}

static void test_json_bodies(void **state)
{
	(void)state;
	static const char *const malformed[] = {"", " ", "{", "}", "{\"a\":}", "{\"a\":1,}",
		"{\"a\":1,\"a\":2}", "{\"a\":1} x", "{\"a\":1}{}", "{'a':1}",
		"{\"a\":\"\xC0\xAF\"}", "{\"a\":\"\xFF\"}", "{\"a\":\"\xED\xA0\x80\"}",
		"{\"a\":\"\\ud800\"}", "{\"a\":\"\n\"}", "{\"a\":NaN}", "{\"a\":Infinity}",
		"{\"a\":01}", "{\"a\":1e9999}", "{\"a\":99999999999999999999}",
		"{\"a\":-99999999999999999999}", "\xEF\xBB\xBF{}", "nul", "{\"a\":1\n\"b\":2}"};
	for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
		ask("POST", "/json", NULL, malformed[i], 400);
		want_problem("bad-request");
	}
	static const char *const no_object[] = {"[]", "[{}]"};
	for (size_t i = 0; i < sizeof no_object / sizeof no_object[0]; i++) {
		ask("POST", "/json", NULL, no_object[i], 422);
		want_problem("unprocessable");
	}
	ask("POST", "/json", NULL, " {\"a\":9223372036854775807,\"b\":\"\xC3\xA9\"} ", 200);
	want_body("{\"a\":9223372036854775807,\"b\":\"\xC3\xA9\"}");
}

/* Other JSON values are well-formed texts too (RFC 8259), so they are wrong, not malformed. */
static void test_scalars_are_no_objects(void **state)
{
	(void)state;
	static const char *const scalars[] = {"1", "\"a\"", "null", "true", "-0.5"};
	for (size_t i = 0; i < sizeof scalars / sizeof scalars[0]; i++) {
		ask("POST", "/json", NULL, scalars[i], 422);
		want_problem("unprocessable");
	}
}

static void nested(char *text, size_t levels)
{
	static const char start[] = "{\"a\":";
	*text = '\0';
	for (size_t i = 1; i < levels; i++, text += sizeof start - 1)
		memcpy(text, start, sizeof start);
	text += snprintf(text, 3, "{}");
	for (size_t i = 1; i < levels; i++)
		*text++ = '}';
	*text = '\0';
}

static void test_json_depth(void **state)
{
	(void)state;
	char text[JSON_SIZE_MAX];
	nested(text, 16);
	ask("POST", "/json", NULL, text, 200);
	nested(text, 17);
	ask("POST", "/json", NULL, text, 400);
	want_problem("bad-request");
	nested(text, 1000);
	ask("POST", "/json", NULL, text, 400);
	memset(text, '[', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	ask("POST", "/json", NULL, text, 400);
	want_problem("bad-request");
}

static void test_bodies_of_another_request_are_not_seen(void **state)
{
	(void)state;
	ask("POST", "/echo", NULL, "secret of the first", 200);
	ask("POST", "/echo", NULL, "", 200);
	want_body("");
	ask("POST", "/json", NULL, "{\"a\":1}", 200);
	ask("POST", "/json", NULL, "", 400);
}

static void test_handler_without_a_reply(void **state)
{
	(void)state;
	static const char *const paths[] = {"/silent", "/silent-work", "/silent-deferred"};
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		ask("GET", paths[i], NULL, NULL, 500);
		want_problem("internal");
	}
	assert_true(fixture.client.fd >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_literal_beats_parameter),
		cmocka_unit_test(test_not_found_and_method_not_allowed_are_apart),
		cmocka_unit_test(test_head_is_get_without_the_body),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_common_headers),
		cmocka_unit_test(test_absolute_form),
		cmocka_unit_test(test_percent_encoding),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_too_many_query_parameters),
		cmocka_unit_test(test_media_types),
		cmocka_unit_test(test_json_bodies),
		cmocka_unit_test(test_scalars_are_no_objects),
		cmocka_unit_test(test_json_depth),
		cmocka_unit_test(test_bodies_of_another_request_are_not_seen),
		cmocka_unit_test(test_handler_without_a_reply),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
