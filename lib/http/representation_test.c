/* Conditional requests, compression and prepared replies. */
#include <zlib.h>

#include "lib/http/representation.h"
#include "lib/http/server_fixture.h"

enum { BODY_SIZE = 5000 };

static char text[BODY_SIZE + 1], noise[BODY_SIZE];
static struct http_prepared *prepared;
static struct http_server *server;
static struct http_client client;
static struct http_client_reply reply;
static atomic_size_t made;

static void versioned(struct http_exchange *exchange)
{
	if (http_not_modified(exchange, "v7"))
		return;
	atomic_fetch_add(&made, 1);
	http_reply(exchange, 200, "text/plain", slice_of(text));
}

static void reply_prepared(struct http_exchange *exchange)
{
	http_reply_prepared(exchange, prepared);
}

static void reply_noise(struct http_exchange *exchange)
{
	http_reply(exchange, 200, "application/json",
		(struct slice){.data = noise, .size = sizeof noise});
}

static void reply_image(struct http_exchange *exchange)
{
	http_reply(exchange, 200, "image/png", slice_of(text));
}

static void reply_short(struct http_exchange *exchange)
{
	http_reply(exchange, 200, "text/plain", slice_of("short"));
}

static struct http_prepared_cell cell;
static int own_context, shared_context;

static void reply_cell(struct http_exchange *exchange)
{
	if (!http_reply_prepared_cell(exchange, &cell))
		http_reply_empty(exchange, 404);
}

static void reply_context(struct http_exchange *exchange)
{
	http_reply(exchange, 200, "text/plain",
		slice_of(http_context(exchange) == &own_context             ? "own"
				: http_context(exchange) == &shared_context ? "shared"
									    : "other"));
}

static const struct http_route routes[] = {
	{HTTP_GET, "/cell", HTTP_ON_LOOP, reply_cell, 0},
	{HTTP_GET, "/own", HTTP_ON_LOOP, reply_context, 0},
	{HTTP_GET, "/shared", HTTP_ON_LOOP, reply_context, 0},
	{HTTP_GET, "/versioned", HTTP_ON_WORKER, versioned, 0},
	{HTTP_POST, "/versioned", HTTP_ON_WORKER, versioned, 100},
	{HTTP_GET, "/prepared", HTTP_ON_LOOP, reply_prepared, 0},
	{HTTP_GET, "/noise", HTTP_ON_WORKER, reply_noise, 0},
	{HTTP_GET, "/image", HTTP_ON_WORKER, reply_image, 0},
	{HTTP_GET, "/short", HTTP_ON_WORKER, reply_short, 0},
};

static void *const contexts[sizeof routes / sizeof routes[0]] = {[1] = &own_context};

static int set_up(void **state)
{
	struct http_server_options options = {.routes = routes,
		.route_count = sizeof routes / sizeof routes[0],
		.context = &shared_context,
		.contexts = contexts,
		.loop_count = 1,
		.worker_count = 2};
	struct fault fault;
	(void)state;
	http_prepared_cell_init(&cell);
	for (size_t i = 0; i < BODY_SIZE; i++) {
		text[i] = (char)('a' + i % 7);
		/* NOLINTNEXTLINE(cert-msc30-c,cert-msc50-cpp): any bytes that do not compress. */
		noise[i] = (char)(rand() & 0xff);
	}
	prepared = http_prepared_new(
		&(struct http_prepared_options){.content_type = "application/json"},
		slice_of(text));
	assert_non_null(prepared);
	assert_int_equal(STATUS_OK, http_server_open(&options, &server, &fault));
	http_client_init(&client, http_server_port(server));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	http_client_reply_release(&reply);
	http_client_release(&client);
	http_server_close(server);
	http_prepared_release(prepared);
	http_prepared_cell_release(&cell);
	return 0;
}

static void get(const char *method, const char *path, const char *headers, int status)
{
	assert_int_equal(
		HTTP_CLIENT_OK, http_client_call(&client, method, path, headers, NULL, &reply));
	assert_int_equal(status, reply.status);
}

static void want_reply_header(const char *name, const char *value)
{
	const char *found = http_client_reply_header(&reply, name);
	if (!value)
		assert_null(found);
	else if (!found || strcmp(found, value) != 0)
		fail_msg("%s is '%s' instead of '%s'", name, found ? found : "(none)", value);
}

/* The reply is a gzip of `plain`. */
static void want_gzip_of(const char *plain)
{
	static char unpacked[2 * BODY_SIZE];
	z_stream stream = {.next_in = (Bytef *)reply.body,
		.avail_in = (uInt)reply.body_size,
		.next_out = (Bytef *)unpacked,
		.avail_out = sizeof unpacked - 1};
	want_reply_header("Content-Encoding", "gzip");
	assert_true(reply.body_size < strlen(plain) / 2);
	assert_int_equal(Z_OK, inflateInit2(&stream, 15 + 16));
	assert_int_equal(Z_STREAM_END, inflate(&stream, Z_FINISH));
	unpacked[stream.total_out] = '\0';
	inflateEnd(&stream);
	assert_string_equal(plain, unpacked);
}

static void test_a_known_version_is_not_sent_again(void **state)
{
	static const char *const same[] = {
		"W/\"v7\"", "\"v7\"", "*", "\"a\", W/\"v7\" , \"b\"", "\"a\",\"v7\""};
	static const char *const other[] = {"\"v8\"", "v7", "W/v7", "\"v77\"", "", ",,", "\"v7"};
	char header[128];
	(void)state;
	get("GET", "/versioned", NULL, 200);
	want_reply_header("ETag", "W/\"v7\"");
	want_reply_header("Cache-Control", "no-cache");
	for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
		size_t before = atomic_load(&made);
		snprintf(header, sizeof header, "If-None-Match: %s\r\n", same[i]);
		get("GET", "/versioned", header, 304);
		want_reply_header("ETag", "W/\"v7\"");
		assert_int_equal(0, reply.body_size);
		get("HEAD", "/versioned", header, 304);
		assert_int_equal(before, atomic_load(&made));
		/* It says "nothing new" only to those who ask to read. */
		get("POST", "/versioned", header, 200);
	}
	for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
		snprintf(header, sizeof header, "If-None-Match: %s\r\n", other[i]);
		get("GET", "/versioned", header, 200);
	}
}

static void test_compressed_for_those_who_take_it(void **state)
{
	static const char *const takes[] = {
		"gzip", "GZIP", "br, gzip;q=0.5", "deflate,gzip", "*", "gzip;q=1.0, *;q=0"};
	static const char *const does_not[] = {
		"", "br", "gzip;q=0", "gzip; q=0.000", "*;q=0", "xgzip", "identity", "gzip;q=0, *"};
	char header[128];
	(void)state;
	for (size_t i = 0; i < sizeof takes / sizeof takes[0]; i++) {
		snprintf(header, sizeof header, "Accept-Encoding: %s\r\n", takes[i]);
		get("GET", "/versioned", header, 200);
		want_gzip_of(text);
		want_reply_header("Vary", "Accept-Encoding");
		get("GET", "/prepared", header, 200);
		want_gzip_of(text);
	}
	for (size_t i = 0; i < sizeof does_not / sizeof does_not[0]; i++) {
		snprintf(header, sizeof header, "Accept-Encoding: %s\r\n", does_not[i]);
		get("GET", "/versioned", header, 200);
		want_reply_header("Content-Encoding", NULL);
		want_reply_header("Vary", "Accept-Encoding");
		assert_string_equal(text, reply.body);
		get("GET", "/prepared", header, 200);
		want_reply_header("Content-Encoding", NULL);
		assert_string_equal(text, reply.body);
	}
}

static void test_not_compressed_where_it_does_not_pay(void **state)
{
	(void)state;
	get("GET", "/noise", "Accept-Encoding: gzip\r\n", 200);
	want_reply_header("Content-Encoding", NULL);
	assert_int_equal(sizeof noise, reply.body_size);
	get("GET", "/image", "Accept-Encoding: gzip\r\n", 200);
	want_reply_header("Content-Encoding", NULL);
	want_reply_header("Vary", NULL);
	get("GET", "/short", "Accept-Encoding: gzip\r\n", 200);
	want_reply_header("Content-Encoding", NULL);
}

static void test_tables_of_several_fronts_have_contexts_of_their_own(void **state)
{
	(void)state;
	get("GET", "/own", NULL, 200);
	assert_string_equal("own", reply.body);
	get("GET", "/shared", NULL, 200);
	assert_string_equal("shared", reply.body);
}

static void put_number(int number)
{
	char body[32];
	snprintf(body, sizeof body, "%d", number);
	http_prepared_cell_put(&cell,
		http_prepared_new(&(struct http_prepared_options){.content_type = "text/plain"},
			slice_of(body)));
}

static void *put_numbers(void *ended)
{
	for (int i = 1; !atomic_load((atomic_bool *)ended); i++)
		put_number(i);
	return NULL;
}

/* Who asks while another version is put gets one or the other, and never an older one than before.
 */
static void test_a_cell_has_the_newest_version(void **state)
{
	atomic_bool ended = false;
	pthread_t thread;
	int last = 0;
	(void)state;
	get("GET", "/cell", NULL, 404);
	put_number(0);
	assert_int_equal(0, pthread_create(&thread, NULL, put_numbers, &ended));
	for (int i = 0; i < 300; i++) {
		get("GET", "/cell", NULL, 200);
		int number = (int)strtol(reply.body, NULL, 10);
		assert_true(number >= last);
		last = number;
	}
	atomic_store(&ended, true);
	pthread_join(thread, NULL);
	http_prepared_cell_put(&cell, NULL);
	get("GET", "/cell", NULL, 404);
}

static void test_prepared_replies_have_a_version(void **state)
{
	char header[160];
	(void)state;
	get("GET", "/prepared", NULL, 200);
	const char *etag = http_client_reply_header(&reply, "ETag");
	assert_non_null(etag);
	snprintf(header, sizeof header, "If-None-Match: %s\r\n", etag);
	get("GET", "/prepared", header, 304);
	assert_int_equal(0, reply.body_size);
	/* Another body, another version. */
	struct http_prepared *second = http_prepared_new(
		&(struct http_prepared_options){
			.content_type = "application/json", .cache_control = "max-age=9"},
		slice_of("{}"));
	struct http_prepared *first = prepared;
	prepared = second;
	get("GET", "/prepared", header, 200);
	want_reply_header("Cache-Control", "max-age=9");
	assert_string_equal("{}", reply.body);
	prepared = first;
	http_prepared_release(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_known_version_is_not_sent_again),
		cmocka_unit_test(test_compressed_for_those_who_take_it),
		cmocka_unit_test(test_not_compressed_where_it_does_not_pay),
		cmocka_unit_test(test_tables_of_several_fronts_have_contexts_of_their_own),
		cmocka_unit_test(test_a_cell_has_the_newest_version),
		cmocka_unit_test(test_prepared_replies_have_a_version),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
