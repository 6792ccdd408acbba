/* See fake_exchange.h. There is one server with one loop, made at first use and never freed: its
 * fields are those that requests look at. */
#include "fuzz/fake_exchange.h"

#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "fuzz/fuzz.h"
#include "lib/http/representation.h"
#include "lib/http/stream_internal.h"

struct MHD_Connection {
	const struct fake_headers *headers;
};

static struct http_server server;
static struct http_loop loop;
static struct http_connection connection;
static struct MHD_Connection mhd;

/* The stream that is being read; MHD would keep it in its response. */
static MHD_ContentReaderCallback stream_reader;
static void *stream_context;

/* ---- What stands in for libmicrohttpd ---- */

enum MHD_Result MHD_lookup_connection_value_n(struct MHD_Connection *from, enum MHD_ValueKind kind,
	const char *key, size_t key_size, const char **value, size_t *value_size)
{
	assert(kind == MHD_HEADER_KIND && strlen(key) == key_size);
	for (size_t i = 0; i < from->headers->count; i++) {
		if (strcasecmp(from->headers->items[i].name, key) != 0)
			continue;
		*value = from->headers->items[i].value;
		*value_size = strlen(*value);
		return MHD_YES;
	}
	return MHD_NO;
}

int MHD_get_connection_values(struct MHD_Connection *from, enum MHD_ValueKind kind,
	MHD_KeyValueIterator iterator, void *context)
{
	assert(kind == MHD_HEADER_KIND);
	for (size_t i = 0; i < from->headers->count; i++)
		iterator(
			context, kind, from->headers->items[i].name, from->headers->items[i].value);
	return (int)from->headers->count;
}

void MHD_suspend_connection(struct MHD_Connection *one)
{
	(void)one;
}

void MHD_resume_connection(struct MHD_Connection *one)
{
	(void)one;
}

struct MHD_Response *MHD_create_response_from_callback(uint64_t size, size_t block_size,
	MHD_ContentReaderCallback reader, void *context, MHD_ContentReaderFreeCallback release)
{
	(void)size, (void)block_size, (void)release;
	stream_reader = reader;
	stream_context = context;
	return NULL;
}

/* ---- The request ---- */

static void open_server(void)
{
	struct fault fault;
	if (server.routes)
		return;
	server.options = (struct http_server_options){.loop_count = 1,
		.stream_stall_ms_max = 1000,
		.routes = fake_routes,
		.route_count = fake_route_count};
	server.metrics = http_metrics_new(&server.options);
	assert(server.metrics);
	server.loops = &loop;
	memcpy(server.id_prefix, "0123456789abcdef", sizeof server.id_prefix);
	pthread_mutex_init(&server.mutex, NULL);
	loop.server = &server;
	loop.wake_fd = -1;
	pthread_mutex_init(&loop.mutex, NULL);
	connection = (struct http_connection){.loop = &loop, .mhd = &mhd, .fd = -1};
	loop.phases[HTTP_PHASE_HEAD] =
		(struct http_connection_list){.first = &connection, .last = &connection};
	assert(http_routes_new(fake_routes, fake_route_count, &server.routes, &fault) == STATUS_OK);
}

void fake_headers_read(struct fake_headers *headers, struct slice *rest)
{
	struct slice line, name;
	headers->count = 0;
	while (headers->count < FAKE_HEADERS_MAX && slice_split(rest, '\n', &line)) {
		if (line.size == 0)
			break;
		slice_split(&line, ':', &name);
		size_t i = headers->count++;
		headers->items[i].name = fuzz_copy(name);
		headers->items[i].value = fuzz_copy(line.data ? slice_trim(line) : slice_of(""));
	}
}

void fake_headers_release(struct fake_headers *headers)
{
	for (size_t i = 0; i < headers->count; i++) {
		free(headers->items[i].name);
		free(headers->items[i].value);
	}
}

struct http_exchange *fake_exchange_new(struct fake_request *request)
{
	open_server();
	mhd.headers = &request->headers;
	struct http_exchange *exchange = http_exchange_new(&loop);
	assert(exchange);
	exchange->connection = &connection;
	connection.exchange = exchange;
	exchange->method_text = arena_copy(&exchange->arena, request->method);
	const char *target = arena_copy(&exchange->arena, request->target);
	assert(exchange->method_text && target);
	exchange->target = slice_of(target);
	return exchange;
}

void fake_exchange_free(struct http_exchange *exchange)
{
	http_stream_free(exchange->stream);
	/* Given back and not kept for reuse, so that the address sanitizer sees what is used after.
	 */
	loop.pool_size = HTTP_POOL_EXCHANGES_MAX;
	http_exchange_free(exchange);
	loop.pool_size = 0;
	connection.exchange = NULL;
}

void fake_exchange_run(struct http_exchange *exchange, struct slice body)
{
	int64_t length;
	if (!http_request_check_framing(exchange, &length) || !http_request_parse(exchange))
		return;
	exchange->body.size_max = exchange->route->body_bytes_max;
	exchange->body_bytes = body.size;
	buffer_add(&exchange->body, body.data, body.size);
	if (exchange->body.failed)
		http_reply_problem(exchange, &http_problem_too_large, NULL);
	else
		exchange->route->handle(exchange);
	http_reply_compress(exchange);
}

/* ---- The reply ---- */

const char *fake_reply_header(const struct http_exchange *exchange, const char *name)
{
	for (size_t i = 0; i < exchange->head_count; i++)
		if (strcasecmp(exchange->heads[i].name, name) == 0)
			return exchange->heads[i].value;
	return NULL;
}

/* The caller frees it. */
static char *unzip(struct slice body, size_t *size)
{
	enum { PLAIN_BYTES_MAX = 1 << 20, GZIP_WINDOW_BITS = 15 + 16 };
	char *plain = malloc(PLAIN_BYTES_MAX);
	z_stream stream = {.next_in = (Bytef *)(uintptr_t)body.data,
		.avail_in = (uInt)body.size,
		.next_out = (Bytef *)plain,
		.avail_out = PLAIN_BYTES_MAX};
	assert(plain && inflateInit2(&stream, GZIP_WINDOW_BITS) == Z_OK);
	assert(inflate(&stream, Z_FINISH) == Z_STREAM_END);
	*size = stream.total_out;
	inflateEnd(&stream);
	return plain;
}

static void check_problem(const struct http_exchange *exchange, const json_t *problem)
{
	static const char urn[] = "urn:onsale:problem:";
	const char *type = json_string_value(json_object_get(problem, "type"));
	assert(type && strncmp(type, urn, sizeof urn - 1) == 0);
	assert(json_string_length(json_object_get(problem, "title")) > 0);
	assert(json_integer_value(json_object_get(problem, "status")) == exchange->status);
	assert(exchange->status >= 400 && exchange->status < 500);
}

static void check_body(const struct http_exchange *exchange)
{
	if (!exchange->content_type) {
		assert(exchange->reply.size == 0);
		return;
	}
	size_t size = exchange->reply.size;
	const char *coding = fake_reply_header(exchange, "Content-Encoding");
	char *plain = coding ? unzip(exchange->reply, &size) : NULL;
	json_t *json = json_loadb(plain ? plain : exchange->reply.data, size, 0, NULL);
	assert(json);
	if (strstr(exchange->content_type, "problem"))
		check_problem(exchange, json);
	json_decref(json);
	free(plain);
}

static void check_access_log(const struct http_exchange *exchange, struct slice secret)
{
	/* Nothing is written before it is flushed. */
	struct http_access_log log = {.fd = STDERR_FILENO};
	buffer_init(&log.lines, 1 << 16);
	http_access_log_add(&log, exchange);
	struct slice line = buffer_slice(&log.lines);
	fuzz_assert_json_line(line);
	assert(secret.size == 0 || !memmem(line.data, line.size, secret.data, secret.size));
	buffer_release(&log.lines);
}

void fake_exchange_check(struct http_exchange *exchange, struct slice secret)
{
	assert(exchange->status >= 200 && exchange->status < 500);
	for (size_t i = 0; i < exchange->head_count; i++)
		assert(!strpbrk(exchange->heads[i].value, "\r\n"));
	check_body(exchange);
	exchange->queued_reply = true;
	check_access_log(exchange, secret);
}

/* ---- Streams ---- */

struct http_channel *fake_channel_open(const struct http_channel_options *options)
{
	open_server();
	return http_channel_open(&server, options);
}

void fake_loop_deliver(void)
{
	while (loop.notice_first) {
		struct http_notice *notice = loop.notice_first;
		loop.notice_first = notice->next;
		http_channel_deliver(&loop, notice);
	}
}

size_t fake_stream_read(struct http_exchange *exchange, char *to, size_t size)
{
	assert(!http_stream_response(exchange) && stream_reader);
	ssize_t got = stream_reader(stream_context, 0, to, size);
	assert(got >= 0 && (size_t)got <= size);
	return (size_t)got;
}
