/* W3C Trace Context: which trace a request belongs to, so that its way through queues, databases
 * and webhooks can be followed (https://www.w3.org/TR/trace-context/, version 00). */
#pragma once

#include "lib/http/exchange.h"

enum { TRACEPARENT_SIZE = 56 }; /* 55 characters and a zero byte. */

struct trace_context {
	char trace_id[33];  /* 32 lower-case hexadecimal digits, not all zero. */
	char parent_id[17]; /* 16 such digits, not all zero. */
	uint8_t flags;
};

/* Parse a traceparent header. False for what is malformed or of version ff; a higher version may
 * carry more at its end, which is ignored. */
__attribute__((warn_unused_result)) bool trace_parse(
	struct slice traceparent, struct trace_context *trace);

/* What to send on: the same trace, a new random parent id. */
void trace_child(const struct trace_context *trace, char traceparent[TRACEPARENT_SIZE]);

/* The request's trace; a new one where it brought none or a malformed one. */
struct trace_context http_trace(const struct http_exchange *exchange);
