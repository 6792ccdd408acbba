/* Fuzzes what lib/http reads from headers: framing, traceparent, If-None-Match, Accept-Encoding. An
 * input is the lines of the headers. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz/fake_exchange.h"
#include "fuzz/fuzz.h"
#include "lib/http/internal.h"
#include "lib/http/representation.h"
#include "lib/http/trace.h"

enum { BODY_BYTES = 3000 };

static struct http_prepared *prepared(void);
static void check_framing(const struct fake_headers *headers, bool accepted, int64_t length);
static void check_trace(struct http_exchange *exchange);
static void check_reply(struct http_exchange *exchange, const struct fake_headers *headers);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake_request request = {
		.method = slice_of("GET"), .target = slice_of("/"), .body = slice_of("")};
	struct slice rest = fuzz_slice(data, size);
	int64_t length;
	fake_headers_read(&request.headers, &rest);
	struct http_exchange *exchange = fake_exchange_new(&request);
	bool accepted = http_request_check_framing(exchange, &length);
	check_framing(&request.headers, accepted, length);
	if (accepted) {
		assert(http_request_parse(exchange));
		check_trace(exchange);
		http_reply_prepared(exchange, prepared());
		check_reply(exchange, &request.headers);
	} else {
		assert(exchange->close && exchange->status == 400);
		fake_exchange_check(exchange, slice_of(""));
	}
	fake_exchange_free(exchange);
	fake_headers_release(&request.headers);
	return 0;
}

static struct http_prepared *prepared(void)
{
	static struct http_prepared *made;
	static char body[BODY_BYTES];
	if (made)
		return made;
	memset(body, ' ', sizeof body);
	memcpy(body, "[1]", 3);
	const struct http_prepared_options options = {
		.content_type = "application/json", .tag = "v1.2-3:x"};
	made = http_prepared_new(&options, (struct slice){.data = body, .size = sizeof body});
	assert(made);
	return made;
}

static size_t count_of(const struct fake_headers *headers, const char *name, const char **value)
{
	size_t count = 0;
	*value = "";
	for (size_t i = 0; i < headers->count; i++) {
		if (strcasecmp(headers->items[i].name, name) != 0)
			continue;
		*value = headers->items[i].value;
		count++;
	}
	return count;
}

/* Accepted means that no two readers can disagree on where the body ends (RFC 9112, 6.3). */
static void check_framing(const struct fake_headers *headers, bool accepted, int64_t length)
{
	const char *host, *size, *coding;
	size_t hosts = count_of(headers, "Host", &host);
	size_t sizes = count_of(headers, "Content-Length", &size);
	size_t codings = count_of(headers, "Transfer-Encoding", &coding);
	if (!accepted)
		return;
	assert(hosts == 1 && sizes + codings <= 1);
	assert(codings == 0 || (strcasecmp(coding, "chunked") == 0 && length == -1));
	assert(sizes == 0 || (length >= 0 && length == strtoll(size, NULL, 10)));
	assert(sizes + codings > 0 || length == 0);
	for (const char *c = size; *c; c++)
		assert(isdigit((unsigned char)*c));
	for (size_t i = 0; i < headers->count; i++)
		assert(!strpbrk(headers->items[i].name, " \t\r\"(),/:;<=>?@[\\]{}"));
}

static void check_trace(struct http_exchange *exchange)
{
	struct trace_context trace = http_trace(exchange), child;
	char text[TRACEPARENT_SIZE];
	trace_child(&trace, text);
	assert(trace_parse(slice_of(text), &child));
	assert(strcmp(child.trace_id, trace.trace_id) == 0);
	assert(child.flags == (trace.flags & 1));
	if (!exchange->traceparent.data || !trace_parse(exchange->traceparent, &child))
		return;
	/* The ids are just what came, and writing them gives the beginning of what came. */
	assert(strcmp(child.trace_id, trace.trace_id) == 0);
	snprintf(text, sizeof text, "%.2s-%s-%s-%02x", exchange->traceparent.data, trace.trace_id,
		trace.parent_id, trace.flags);
	assert(slice_starts_with(exchange->traceparent, text));
}

/* Whether the value of `name` has `word` in it, in any case. */
static bool mentions(const struct http_exchange *exchange, const char *name, const char *word)
{
	struct slice value;
	if (!http_header(exchange, name, &value))
		return false;
	char *text = fuzz_copy(value);
	bool found = strcasestr(text, word) != NULL;
	free(text);
	return found;
}

static void check_reply(struct http_exchange *exchange, const struct fake_headers *headers)
{
	const char *coding = fake_reply_header(exchange, "Content-Encoding"), *value;
	const char *etag = fake_reply_header(exchange, "ETag");
	assert(etag && strcmp(etag, "W/\"v1.2-3:x\"") == 0);
	assert(fake_reply_header(exchange, "Vary") && fake_reply_header(exchange, "Cache-Control"));
	if (exchange->status == 304) {
		assert(mentions(exchange, "If-None-Match", etag + 2) ||
			mentions(exchange, "If-None-Match", "*"));
		assert(exchange->reply.size == 0 && !coding);
		return;
	}
	assert(exchange->status == 200);
	/* The simplest way to say each must be understood. */
	size_t count = count_of(headers, "If-None-Match", &value);
	assert(count != 1 || strcmp(value, etag) != 0);
	bool simple =
		count_of(headers, "Accept-Encoding", &value) == 1 && strcasecmp(value, "gzip") == 0;
	assert(coding || !simple);
	assert(!coding || mentions(exchange, "Accept-Encoding", "gzip") ||
		mentions(exchange, "Accept-Encoding", "*"));
	fake_exchange_check(exchange, slice_of(""));
}

static void unreached(struct http_exchange *exchange)
{
	http_reply_empty(exchange, 204);
}

const struct http_route fake_routes[] = {{HTTP_GET, "/", HTTP_ON_LOOP, unreached, 0}};
const size_t fake_route_count = 1;
