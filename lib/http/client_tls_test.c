/* Certificates: not trusted unless somebody says so, and for the right name only. The server is
 * `openssl s_server`, its certificate made here. */
#include <unistd.h>

#include "lib/http/client_fixture.h"
#include "lib/testkit/process.h"

static char directory[] = "/tmp/http-client-tls-XXXXXX";
static char key_path[64], certificate_path[64], other_path[64];
static struct process server;
static unsigned port;

static void run(const char *const arguments[])
{
	struct process process;
	const struct process_options options = {.arguments = arguments, .error_path = "/dev/null"};
	assert_int_equal(STATUS_OK, process_start(&process, &options));
	assert_int_equal(STATUS_OK, process_wait(&process, 10000));
	assert_int_equal(0, process.exit_code);
	process_release(&process);
}

static void make_certificate(const char *key, const char *certificate)
{
	const char *const arguments[] = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
		"ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=test", "-addext",
		"subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate, NULL};
	run(arguments);
}

/* With "-www" it answers each request by a page, with "-rev" each line by its reverse. */
static void start_openssl(const char *mode)
{
	char line[128];
	const char *const arguments[] = {"openssl", "s_server", "-accept", "127.0.0.1:0", mode,
		"-key", key_path, "-cert", certificate_path, NULL};
	const struct process_options options = {.arguments = arguments, .error_path = "/dev/null"};
	assert_int_equal(STATUS_OK, process_start(&server, &options));
	assert_int_equal(STATUS_OK,
		process_wait_line(&server, "ACCEPT 127.0.0.1:", 10000, line, sizeof line));
	port = (unsigned)strtoul(line + strlen("ACCEPT 127.0.0.1:"), NULL, 10);
}

static int start_server(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(key_path, sizeof key_path, "%s/key.pem", directory);
	snprintf(certificate_path, sizeof certificate_path, "%s/certificate.pem", directory);
	snprintf(other_path, sizeof other_path, "%s/other.pem", directory);
	make_certificate(key_path, other_path);
	make_certificate(key_path, certificate_path);
	start_openssl("-www");
	return 0;
}

static int stop_server(void **state)
{
	(void)state;
	process_release(&server);
	unlink(key_path);
	unlink(certificate_path);
	unlink(other_path);
	rmdir(directory);
	return 0;
}

static struct http_fetch ask(const char *host, const char *ca_file)
{
	fixture_fetcher((struct http_fetcher_options){.ca_file = ca_file});
	snprintf(fixture.url, sizeof fixture.url, "https://%s:%u/", host, port);
	return (struct http_fetch){.method = "GET", .url = fixture.url};
}

static void test_unknown_certificate(void **state)
{
	(void)state;
	struct http_fetch fetch = ask("127.0.0.1", NULL);
	want(&fetch, HTTP_FETCH_NOT_SENT, HTTP_CAUSE_TLS);
}

static void test_other_authority(void **state)
{
	(void)state;
	struct http_fetch fetch = ask("127.0.0.1", other_path);
	want(&fetch, HTTP_FETCH_NOT_SENT, HTTP_CAUSE_TLS);
}

static void test_wrong_name(void **state)
{
	(void)state;
	struct http_fetch fetch = ask("localhost", certificate_path);
	want(&fetch, HTTP_FETCH_NOT_SENT, HTTP_CAUSE_TLS);
}

static void test_trusted(void **state)
{
	(void)state;
	struct http_fetch fetch = ask("127.0.0.1", certificate_path);
	const struct http_fetch_result *result = want(&fetch, HTTP_FETCH_ANSWERED, HTTP_CAUSE_NONE);
	assert_int_equal(200, result->status);
	assert_true(result->body.size > 100);
	http_fetch_release(&fetch);
}

/* A plain request to a TLS server is answered by an alert, or not at all. */
static void test_plain_to_tls(void **state)
{
	(void)state;
	struct http_fetch fetch = ask("127.0.0.1", certificate_path);
	memmove(fixture.url + 4, fixture.url + 5, strlen(fixture.url + 4));
	submit(&fetch);
	collect(&fetch);
	assert_int_equal(HTTP_FETCH_LOST, fetch.result.outcome);
	http_fetch_release(&fetch);
}

/* What went through TLS was sent, as without it. */
static void test_nonsense_over_tls(void **state)
{
	(void)state;
	process_release(&server);
	start_openssl("-rev");
	struct http_fetch fetch = ask("127.0.0.1", certificate_path);
	fetch.retry = HTTP_RETRY_IF_NOT_SENT;
	want(&fetch, HTTP_FETCH_LOST, HTTP_CAUSE_MALFORMED);
	assert_int_equal(1, fetch.result.attempts);
	http_fetch_release(&fetch);
}

#define TEST(name) cmocka_unit_test_teardown(name, fixture_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_unknown_certificate),
		TEST(test_other_authority),
		TEST(test_wrong_name),
		TEST(test_trusted),
		TEST(test_plain_to_tls),
		TEST(test_nonsense_over_tls),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
