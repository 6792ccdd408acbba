/* What a caller reads of an answer. */
#include <strings.h>

#include "lib/http/client_internal.h"

bool http_fetch_reply_header(const struct http_fetch *fetch, const char *name, struct slice *value)
{
	struct slice rest = buffer_slice(&fetch->own.head);
	struct slice line, field;
	if (rest.size == 0)
		return false;
	while (slice_split(&rest, '\n', &line)) {
		if (!slice_split(&line, ':', &field) || !line.data)
			continue;
		if (field.size != strlen(name) || strncasecmp(field.data, name, field.size) != 0)
			continue;
		if (line.size > 0 && line.data[line.size - 1] == '\r')
			line.size--;
		*value = slice_trim(line);
		return true;
	}
	return false;
}

void http_fetch_release(struct http_fetch *fetch)
{
	assert(fetch->own.place == HTTP_FETCH_IDLE);
	buffer_release(&fetch->own.head);
	buffer_release(&fetch->own.body);
	fetch->result = (struct http_fetch_result){0};
}

const char *http_fetch_outcome_name(enum http_fetch_outcome outcome)
{
	switch (outcome) {
	case HTTP_FETCH_ANSWERED:
		return "answered";
	case HTTP_FETCH_REFUSED:
		return "refused";
	case HTTP_FETCH_NOT_SENT:
		return "not_sent";
	case HTTP_FETCH_LOST:
		return "lost";
	case HTTP_FETCH_TOO_LARGE:
		return "too_large";
	}
	return "not an outcome";
}

const char *http_fetch_cause_name(enum http_fetch_cause cause)
{
	static const char *const names[HTTP_CAUSE_COUNT] = {
		[HTTP_CAUSE_NONE] = "none",
		[HTTP_CAUSE_REQUEST] = "request",
		[HTTP_CAUSE_ADDRESS] = "address",
		[HTTP_CAUSE_RESOLVE] = "resolve",
		[HTTP_CAUSE_CONNECT] = "connect",
		[HTTP_CAUSE_TLS] = "tls",
		[HTTP_CAUSE_TIMEOUT] = "timeout",
		[HTTP_CAUSE_BROKEN] = "broken",
		[HTTP_CAUSE_MALFORMED] = "malformed",
		[HTTP_CAUSE_SIZE] = "size",
		[HTTP_CAUSE_CANCELED] = "canceled",
		[HTTP_CAUSE_MEMORY] = "memory",
	};
	return (unsigned)cause < HTTP_CAUSE_COUNT ? names[cause] : "not a cause";
}
