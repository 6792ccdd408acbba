/* TLS, with libcurl as the client: what is found of libmicrohttpd's event handling under TLS, large
 * uploads, streams and clients that leave, works here as well. */
#include <curl/curl.h>
#include <unistd.h>

#include "lib/http/server_fixture.h"
#include "lib/http/stream.h"

static char folder[] = "/tmp/onsale-tls-XXXXXX";
static char certificate[64], key[64];
static struct http_server *server;
static struct http_channel *channel;
static atomic_size_t arrived, abandoned;

static void echo(struct http_exchange *exchange)
{
	http_reply(exchange, 200, "application/octet-stream", http_body(exchange));
}

static void wait_until_left(struct http_exchange *exchange)
{
	int64_t end_ms = now_ms() + PATIENCE_MS;
	atomic_fetch_add(&arrived, 1);
	while (!http_abandoned(exchange) && now_ms() < end_ms)
		pause_ms(1);
	atomic_fetch_add(&abandoned, http_abandoned(exchange));
	http_reply_empty(exchange, 204);
}

static void follow(struct http_exchange *exchange)
{
	http_stream_begin(exchange, channel, (struct slice){0});
}

static const struct http_route routes[] = {
	{HTTP_POST, "/echo", HTTP_ON_LOOP, echo, ECHO_SIZE_MAX},
	{HTTP_POST, "/work", HTTP_ON_WORKER, echo, ECHO_SIZE_MAX},
	{HTTP_GET, "/left", HTTP_ON_WORKER, wait_until_left, 0},
	{HTTP_GET, "/stream", HTTP_ON_LOOP, follow, 0},
};

static struct http_server_options options = {
	.routes = routes,
	.route_count = sizeof routes / sizeof routes[0],
	.worker_count = 2,
	.head_ms_max = NEVER_MS,
	.body_ms_max = NEVER_MS,
	.request_ms_max = NEVER_MS,
	.reply_ms_max = NEVER_MS,
	.idle_ms_max = NEVER_MS,
	.stream_stall_ms_max = NEVER_MS,
	.tls_certificate = certificate,
	.tls_key = key,
};

static int set_up(void **state)
{
	char command[512];
	struct fault fault;
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(certificate, sizeof certificate, "%s/certificate.pem", folder);
	snprintf(key, sizeof key, "%s/key.pem", folder);
	snprintf(command, sizeof command,
		"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
		"-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s "
		"2>/dev/null",
		key, certificate);
	/* NOLINTNEXTLINE(cert-env33-c): nothing in the command is from outside. */
	assert_int_equal(0, system(command));
	assert_int_equal(STATUS_OK, http_server_open(&options, &server, &fault));
	channel = http_channel_open(
		server, &(struct http_channel_options){.delivery = HTTP_DELIVER_LATEST});
	assert_non_null(channel);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	http_server_close(server);
	unlink(certificate);
	unlink(key);
	rmdir(folder);
	return 0;
}

struct answer {
	size_t size, size_max; /* The transfer is cut when there is more than size_max. */
	char *bytes;
	const char *end; /* It is also cut when this has come. NULL: not so. */
};

static size_t take(char *bytes, size_t one, size_t size, void *context)
{
	struct answer *answer = context;
	size *= one;
	if (answer->size + size > answer->size_max)
		return 0;
	memcpy(answer->bytes + answer->size, bytes, size);
	answer->size += size;
	bool ended = answer->end &&
		memmem(answer->bytes, answer->size, answer->end, strlen(answer->end));
	return ended ? 0 : size;
}

static CURL *client_new(struct http_server *to, const char *path, struct answer *answer)
{
	char url[128];
	CURL *client = curl_easy_init();
	assert_non_null(client);
	snprintf(url, sizeof url, "https://127.0.0.1:%u%s", (unsigned)http_server_port(to), path);
	curl_easy_setopt(client, CURLOPT_URL, url);
	curl_easy_setopt(client, CURLOPT_CAINFO, certificate);
	curl_easy_setopt(client, CURLOPT_TIMEOUT_MS, 3L * PATIENCE_MS);
	curl_easy_setopt(client, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(client, CURLOPT_WRITEDATA, answer);
	curl_easy_setopt(client, CURLOPT_NOSIGNAL, 1L);
	return client;
}

static void test_a_megabyte_goes_there_and_back(void **state)
{
	enum { SIZE = 1 << 20 };
	static char sent[SIZE], received[SIZE];
	static const char *const paths[] = {"/echo", "/work"};
	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		sent[i] = (char)(i * 31 % 251);
	for (size_t i = 0; i < 2; i++) {
		struct answer answer = {.bytes = received, .size_max = SIZE};
		CURL *client = client_new(server, paths[i], &answer);
		curl_easy_setopt(client, CURLOPT_POSTFIELDS, sent);
		curl_easy_setopt(client, CURLOPT_POSTFIELDSIZE, (long)SIZE);
		/* Twice on one connection. */
		for (size_t j = 0; j < 2; j++) {
			answer.size = 0;
			assert_int_equal(CURLE_OK, curl_easy_perform(client));
			assert_int_equal(SIZE, answer.size);
			assert_memory_equal(sent, received, SIZE);
		}
		curl_easy_cleanup(client);
	}
}

/* libcurl asks this about once a second: whether to give up. */
static int is_at_work(void *unused, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	(void)unused, (void)a, (void)b, (void)c, (void)d;
	return atomic_load(&arrived) > 0;
}

static void test_a_client_that_leaves_is_noticed(void **state)
{
	char room[64];
	struct answer answer = {.bytes = room, .size_max = sizeof room};
	(void)state;
	CURL *client = client_new(server, "/left", &answer);
	curl_easy_setopt(client, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(client, CURLOPT_XFERINFOFUNCTION, is_at_work);
	assert_int_equal(CURLE_ABORTED_BY_CALLBACK, curl_easy_perform(client));
	curl_easy_cleanup(client);
	fixture_wait_count(&abandoned, 1);
}

static void test_events_stream(void **state)
{
	static char room[4096];
	struct answer answer = {
		.bytes = room, .size_max = sizeof room, .end = "data: over TLS\n\n"};
	(void)state;
	assert_int_equal(STATUS_OK, http_channel_publish(channel, "tick", slice_of("over TLS")));
	CURL *client = client_new(server, "/stream", &answer);
	assert_int_equal(CURLE_WRITE_ERROR, curl_easy_perform(client));
	assert_non_null(strstr(room, answer.end));
	curl_easy_cleanup(client);
	int64_t end_ms = now_ms() + PATIENCE_MS;
	while (http_channel_stream_count(channel) > 0 && now_ms() < end_ms)
		pause_ms(1);
	assert_int_equal(0, http_channel_stream_count(channel));
}

/* Plain text, half a handshake, and silence: each is ended, and the next client is served. */
static void test_what_is_no_tls_is_ended(void **state)
{
	static const char *const texts[] = {
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "\x16\x03\x01", ""};
	struct http_server_options strict = options;
	struct http_server *strict_server;
	struct http_client plain;
	struct fault fault;
	(void)state;
	strict.head_ms_max = 500;
	assert_int_equal(STATUS_OK, http_server_open(&strict, &strict_server, &fault));
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		http_client_init(&plain, http_server_port(strict_server));
		assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&plain));
		http_client_send_text(&plain, texts[i]);
		assert_true(http_client_wait_closed(&plain, PATIENCE_MS));
		http_client_release(&plain);
	}
	/* On a busy machine one may be cut off before its handshake is done; then it tries again.
	 */
	struct answer answer = {.bytes = (char[16]){0}, .size_max = 16};
	CURL *client = client_new(strict_server, "/echo", &answer);
	curl_easy_setopt(client, CURLOPT_POSTFIELDS, "hello");
	CURLcode code;
	int64_t end_ms = now_ms() + PATIENCE_MS;
	do {
		answer.size = 0;
		code = curl_easy_perform(client);
	} while (code != CURLE_OK && now_ms() < end_ms);
	assert_int_equal(CURLE_OK, code);
	assert_string_equal("hello", answer.bytes);
	curl_easy_cleanup(client);
	http_server_close(strict_server);
}

static void test_a_bad_certificate_is_a_fault(void **state)
{
	struct http_server_options wrong = options;
	struct http_server *other;
	struct fault fault;
	(void)state;
	wrong.tls_key = NULL;
	assert_int_equal(STATUS_REFUSED, http_server_open(&wrong, &other, &fault));
	wrong.tls_key = "/nowhere/key.pem";
	assert_int_equal(STATUS_REFUSED, http_server_open(&wrong, &other, &fault));
	assert_string_equal("/nowhere/key.pem", fault.where);
	wrong.tls_key = certificate; /* It holds no key. */
	assert_int_not_equal(STATUS_OK, http_server_open(&wrong, &other, &fault));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_megabyte_goes_there_and_back),
		cmocka_unit_test(test_a_client_that_leaves_is_noticed),
		cmocka_unit_test(test_events_stream),
		cmocka_unit_test(test_what_is_no_tls_is_ended),
		cmocka_unit_test(test_a_bad_certificate_is_a_fault),
	};
	curl_global_init(CURL_GLOBAL_DEFAULT);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
