/* Reading the members of a JSON body, with a problem (422) for the first that is wrong.
 *
 *	struct http_fields fields;
 *	http_fields_begin(&fields, exchange);
 *	struct slice user = http_field_id(&fields, "userId");
 *	int64_t quantity = http_field_integer(&fields, "quantity", 1, 10);
 *	if (!http_fields_end(&fields))
 *		return;
 *
 * The first fault replies and makes all later reads return nothing; so a handler asks once, at the
 * end. The problem carries the JSON pointer of the member (RFC 6901) as `pointer`. */
#pragma once

#include "lib/http/exchange.h"

enum { HTTP_FIELDS_MAX = 32 };

struct http_fields {
	struct http_exchange *exchange;
	json_t *object; /* NULL after a fault. */
	const char *seen[HTTP_FIELDS_MAX];
	size_t seen_count;
};

/* Take the exchange's body as a JSON object. */
void http_fields_begin(struct http_fields *fields, struct http_exchange *exchange);

/* Whether all went well; a member that nobody asked for is a fault, since it is mistyped or is
 * expected to have an effect that it does not have. */
__attribute__((warn_unused_result)) bool http_fields_end(struct http_fields *fields);

/* A text of 1 to `size_max` bytes without control characters. */
struct slice http_field_text(struct http_fields *fields, const char *name, size_t size_max);

/* An id given by the outside: 1 to LIMIT_ID_SIZE_MAX URL-safe characters. */
struct slice http_field_id(struct http_fields *fields, const char *name);

/* An integer between the bounds, both included. */
int64_t http_field_integer(struct http_fields *fields, const char *name, int64_t min, int64_t max);

/* An array of `min` to `max` different texts of 1 to `size_max` bytes each, in the exchange's
 * arena. */
struct slice *http_field_texts(struct http_fields *fields, const char *name, size_t size_max,
	size_t min, size_t max, size_t *count);

/* An RFC 3339 time, in wall milliseconds. */
int64_t http_field_time(struct http_fields *fields, const char *name);

/* An object; NULL after a fault. Its members are the caller's to check. */
json_t *http_field_object(struct http_fields *fields, const char *name);

/* Whether the member is there and not null; so that an optional one can be asked for or not. */
bool http_field_given(struct http_fields *fields, const char *name);

/* Make the member's fault the reply: "userId" or, deeper, "prices/Parterre". */
__attribute__((format(printf, 3, 4))) void http_field_refuse(
	struct http_fields *fields, const char *name, const char *what, ...);
