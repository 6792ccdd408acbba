/* See trace.h. */
#include "lib/http/trace.h"

#include <stdio.h>

#include "lib/base/id.h"
#include "lib/http/internal.h"

enum { VERSION_SIZE = 2, TRACE_SIZE = 32, PARENT_SIZE = 16, FLAGS_SIZE = 2 };

/* Take `size` lower-case hexadecimal digits and the separator behind them, if there is one. */
static bool take_hex(struct slice *rest, size_t size, struct slice *digits)
{
	if (!slice_split(rest, '-', digits) || digits->size != size)
		return false;
	for (size_t i = 0; i < size; i++) {
		char c = digits->data[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	return true;
}

static bool is_zero(struct slice digits)
{
	for (size_t i = 0; i < digits.size; i++)
		if (digits.data[i] != '0')
			return false;
	return true;
}

static unsigned digit_value(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

bool trace_parse(struct slice traceparent, struct trace_context *trace)
{
	struct slice rest = traceparent, version, id, parent, flags;
	if (!take_hex(&rest, VERSION_SIZE, &version) || !take_hex(&rest, TRACE_SIZE, &id) ||
		!take_hex(&rest, PARENT_SIZE, &parent) || !take_hex(&rest, FLAGS_SIZE, &flags))
		return false;
	bool more = rest.data != NULL;
	if (slice_is(version, "ff") || (more && slice_is(version, "00")) || is_zero(id) ||
		is_zero(parent))
		return false;
	snprintf(trace->trace_id, sizeof trace->trace_id, "%.*s", SLICE_PRINT(id));
	snprintf(trace->parent_id, sizeof trace->parent_id, "%.*s", SLICE_PRINT(parent));
	trace->flags = (uint8_t)(digit_value(flags.data[0]) * 16 + digit_value(flags.data[1]));
	return true;
}

static void random_hex(char *to, size_t bytes)
{
	uint8_t random[16];
	random_bytes(random, bytes);
	random[0] |= 1; /* Never all zero. */
	for (size_t i = 0; i < bytes; i++)
		snprintf(to + 2 * i, 3, "%02x", random[i]);
}

void trace_child(const struct trace_context *trace, char traceparent[TRACEPARENT_SIZE])
{
	char parent[PARENT_SIZE + 1];
	random_hex(parent, PARENT_SIZE / 2);
	/* Of the flags only "sampled" is known in version 00. */
	snprintf(traceparent, TRACEPARENT_SIZE, "00-%s-%s-%02x", trace->trace_id, parent,
		trace->flags & 1u);
}

struct trace_context http_trace(const struct http_exchange *exchange)
{
	struct trace_context trace = {0};
	if (exchange->traceparent.data && trace_parse(exchange->traceparent, &trace))
		return trace;
	random_hex(trace.trace_id, TRACE_SIZE / 2);
	random_hex(trace.parent_id, PARENT_SIZE / 2);
	return trace;
}
