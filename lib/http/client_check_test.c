/* What is refused before anything is sent, and how a request looks on the wire. */
#include "lib/http/client_fixture.h"

#define HEADER(name_, value_) ((struct http_fetch_header){name_, {value_, sizeof(value_) - 1}})

static void want_refused(struct http_fetch *fetch, const char *what)
{
	submit(fetch);
	collect(fetch);
	if (fetch->result.outcome != HTTP_FETCH_REFUSED ||
		fetch->result.cause != HTTP_CAUSE_REQUEST)
		fail_msg("%s: %s/%s %s", what, http_fetch_outcome_name(fetch->result.outcome),
			http_fetch_cause_name(fetch->result.cause), fetch->result.detail);
	assert_int_equal(0, fetch->result.attempts);
	assert_true(*fetch->result.detail);
	assert_int_equal(0, atomic_load(&fixture.peer.connections));
}

static void test_urls(void **state)
{
	(void)state;
	static const char *const urls[] = {"", "/", "127.0.0.1/", "example.com", "http:", "http://",
		"http:///path", "http:/127.0.0.1/", "http:127.0.0.1/", "https:////127.0.0.1/",
		"ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1/",
		"dict://127.0.0.1/", "ws://127.0.0.1/", "http://user@127.0.0.1/",
		"http://user:word@127.0.0.1/", "http://a b/", "http://127.0.0.1/a b",
		"http://127.0.0.1/\r\nX-Evil: 1", "http://127.0.0.1/\nX", "http://127.0.0.1/\rX",
		"http://127.0.0.1/\tX", "http://127.0.0.1\\@example.com/", "http://127.0.0.1/\x7f",
		"http://b\xc3\xbc.de/", "http://127.0.0.1:99999/", "http://127.0.0.1:8o/",
		"http://[::1/", "http://[::zz]/", "http://127.0.0.1/<script>",
		"http://127.0.0.1/{x}", " http://127.0.0.1/"};
	fixture_serve(peer_serve_ok);
	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
		struct http_fetch fetch = {.method = "GET", .url = urls[i]};
		want_refused(&fetch, urls[i]);
	}
	struct http_fetch none = {.method = "GET"};
	want_refused(&none, "no URL");
	char *long_url = calloc(1, HTTP_FETCH_URL_SIZE_MAX + 2);
	memset(long_url, 'a', HTTP_FETCH_URL_SIZE_MAX + 1);
	memcpy(long_url, "http://127.0.0.1/", 17);
	struct http_fetch fetch = {.method = "GET", .url = long_url};
	want_refused(&fetch, "long URL");
	free(long_url);
}

static void test_methods(void **state)
{
	(void)state;
	static const char *const methods[] = {"", "get", "Get", "gET", "TRACE", "CONNECT",
		"OPTIONS", "GET ", "GET / HTTP/1.1\r\nX: y\r\n\r\nGET", "PUT\r\n", "P"};
	fixture_serve(peer_serve_ok);
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		struct http_fetch fetch = get_root();
		fetch.method = methods[i];
		want_refused(&fetch, methods[i]);
	}
	struct http_fetch none = get_root();
	none.method = NULL;
	want_refused(&none, "no method");
}

static void test_headers(void **state)
{
	(void)state;
	const struct http_fetch_header headers[] = {HEADER("X-A", "1\r\nX-Evil: 1"),
		HEADER("X-A", "1\n2"), HEADER("X-A", "1\r2"), HEADER("X-A", "1\0002"),
		HEADER("X-A", "1\x7f"), HEADER("X-A", "\x1b[0m"), HEADER("X-A", ""),
		HEADER("X-A", " \t "), HEADER("", "1"), HEADER(NULL, "1"), HEADER("X A", "1"),
		HEADER("X-A:", "1"), HEADER("X-A;", "1"), HEADER("X-A\r\nX-B", "1"),
		HEADER("X-\xc3\xa4", "1"), HEADER("Content-Length", "5"),
		HEADER("content-length", "5"), HEADER("Transfer-Encoding", "chunked"),
		HEADER("Host", "example.com"), HEADER("Expect", "100-continue"),
		HEADER("Connection", "close"), HEADER("Upgrade", "h2c"), HEADER("TE", "gzip")};
	fixture_serve(peer_serve_ok);
	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
		struct http_fetch fetch = get_root();
		fetch.headers = &headers[i];
		fetch.header_count = 1;
		char number[32];
		snprintf(number, sizeof number, "header %zu", i);
		want_refused(&fetch, number);
	}
	struct http_fetch_header many[HTTP_FETCH_HEADERS_MAX + 1];
	for (size_t i = 0; i <= HTTP_FETCH_HEADERS_MAX; i++)
		many[i] = HEADER("X-A", "1");
	struct http_fetch fetch = get_root();
	fetch.headers = many;
	fetch.header_count = HTTP_FETCH_HEADERS_MAX + 1;
	want_refused(&fetch, "too many headers");
}

static void test_bodies(void **state)
{
	(void)state;
	fixture_serve(peer_serve_ok);
	struct http_fetch fetch = post_root();
	fetch.method = "GET";
	want_refused(&fetch, "GET with a body");
	fetch.method = "HEAD";
	want_refused(&fetch, "HEAD with a body");
	fetch = post_root();
	fetch.header_count = 0;
	want_refused(&fetch, "a body without a type");
	fixture_fetcher((struct http_fetcher_options){.body_bytes_max = 1});
	fetch = post_root();
	want_refused(&fetch, "a body that is too large");
}

static void want_line(const char *line)
{
	if (!strstr(fixture.peer.last_request, line))
		fail_msg("%s has no %s", fixture.peer.last_request, line);
}

static void want_no(const char *text)
{
	if (strcasestr(fixture.peer.last_request, text))
		fail_msg("%s has %s", fixture.peer.last_request, text);
}

static void test_on_the_wire(void **state)
{
	(void)state;
	const struct http_fetch_header headers[] = {HEADER("Content-Type", "application/json"),
		HEADER("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
		HEADER("X-Spaces", "  a\tb \xc3\xa4 ")};
	fixture_serve(peer_serve_ok);
	struct http_fetch fetch = {.method = "PATCH",
		.url = peer_url("/a%20b?c=d&e=%0d%0a#part"),
		.headers = headers,
		.header_count = 3,
		.body = {"{}", 2}};
	want_ok(&fetch, "ok");
	want_line("PATCH /a%20b?c=d&e=%0d%0a HTTP/1.1\r\n");
	want_line("\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n");
	want_line("\r\nX-Spaces: a\tb \xc3\xa4\r\n");
	want_line("\r\nContent-Type: application/json\r\n");
	want_line("\r\nContent-Length: 2\r\n");
	want_line("\r\nUser-Agent: onsale\r\n");
	want_no("Authorization");
	want_no("Accept-Encoding");
	want_no("Expect");
	http_fetch_release(&fetch);

	static const char *const bodiless[] = {"POST", "PUT", "PATCH", "DELETE", "GET"};
	for (size_t i = 0; i < sizeof bodiless / sizeof bodiless[0]; i++) {
		char start[64];
		fetch = get_root();
		fetch.method = bodiless[i];
		want_ok(&fetch, "ok");
		snprintf(start, sizeof start, "%s / HTTP/1.1\r\n", bodiless[i]);
		want_line(start);
		want_no("Content-Type");
		if (bodiless[i][0] == 'P')
			want_line("\r\nContent-Length: 0\r\n");
		else
			want_no("Content-Length");
		http_fetch_release(&fetch);
	}
}

static const struct http_fetch_aws aws = {.region = "us-east-1",
	.service = "dynamodb",
	.access_key = "AKIDEXAMPLE",
	.secret_key = "not a real: key",
	.session_token = "token/+="};

static void test_aws_signature(void **state)
{
	(void)state;
	const struct http_fetch_header headers[] = {
		HEADER("Content-Type", "application/x-amz-json-1.0"),
		HEADER("X-Amz-Target", "DynamoDB_20120810.ListTables")};
	fixture_serve(peer_serve_ok);
	struct http_fetch fetch = {.method = "POST",
		.url = peer_url("/"),
		.headers = headers,
		.header_count = 2,
		.body = {"{}", 2},
		.aws = &aws};
	want_ok(&fetch, "ok");
	want_line("\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/");
	want_line("/us-east-1/dynamodb/aws4_request, SignedHeaders=content-type;host;x-amz-date;"
		  "x-amz-security-token;x-amz-target, Signature=");
	want_line("\r\nX-Amz-Date: ");
	want_line("\r\nX-Amz-Security-Token: token/+=\r\n");
	want_no("not a real");
	http_fetch_release(&fetch);

	/* The next call of the same slot is not signed with what the last one brought. */
	fetch = get_root();
	want_ok(&fetch, "ok");
	want_no("Authorization");
	want_no("X-Amz");
	http_fetch_release(&fetch);
}

static void test_aws_refusals(void **state)
{
	(void)state;
	const struct http_fetch_header repeated[] = {HEADER("X-A", "1"), HEADER("x-a", "2")};
	const struct http_fetch_header begins[] = {
		HEADER("X-Amz-Meta", "1"), HEADER("X-Amz-Meta-Part", "2")};
	const struct http_fetch_header added[] = {HEADER("X-Amz-Date", "1")};
	const struct http_fetch_header begins_added[] = {HEADER("X-Amz", "1")};
	const struct http_fetch_header *const lists[] = {repeated, begins, added, begins_added};
	fixture_serve(peer_serve_ok);
	struct http_fetch fetch = get_root();
	fetch.aws = &aws;
	for (size_t i = 0; i < 4; i++) {
		fetch.headers = lists[i];
		fetch.header_count = i < 2 ? 2 : 1;
		want_refused(&fetch, "headers that cannot be signed");
	}
	fetch.header_count = 0;
	static const char *const paths[] = {"/?b=1&a=2", "?a", "/a%20b", "/a:b", "/#a"};
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		fetch.url = peer_url(paths[i]);
		want_refused(&fetch, paths[i]);
	}
	fetch = get_root();
	struct http_fetch_aws wrong[] = {aws, aws, aws, aws, aws};
	wrong[0].region = "a:b";
	wrong[1].service = "";
	wrong[2].access_key = NULL;
	wrong[3].secret_key = "";
	wrong[4].session_token = "a\r\nb";
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		fetch.aws = &wrong[i];
		want_refused(&fetch, "credentials");
	}
}

#define TEST(name) cmocka_unit_test_teardown(name, fixture_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_urls),
		TEST(test_methods),
		TEST(test_headers),
		TEST(test_bodies),
		TEST(test_on_the_wire),
		TEST(test_aws_signature),
		TEST(test_aws_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
