/* See fields.h. */
#include "lib/http/fields.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "lib/base/clock.h"
#include "lib/base/limits.h"

void http_fields_begin(struct http_fields *fields, struct http_exchange *exchange)
{
	*fields = (struct http_fields){.exchange = exchange, .object = http_body_object(exchange)};
}

static bool field_was_seen(const struct http_fields *fields, const char *name)
{
	for (size_t i = 0; i < fields->seen_count; i++)
		if (strcmp(fields->seen[i], name) == 0)
			return true;
	return false;
}

bool http_fields_end(struct http_fields *fields)
{
	const char *name;
	json_t *value;
	json_object_foreach(fields->object, name, value)
	{
		if (field_was_seen(fields, name))
			continue;
		http_field_refuse(fields, name, "is not a member of this request");
		break;
	}
	return fields->object != NULL;
}

void http_field_refuse(struct http_fields *fields, const char *name, const char *what, ...)
{
	char detail[256];
	if (!fields->object)
		return;
	va_list arguments;
	va_start(arguments, what);
	vsnprintf(detail, sizeof detail, what, arguments);
	va_end(arguments);
	/* The name may be the client's own, so it is bounded before it is sent back. */
	char pointer[128];
	snprintf(pointer, sizeof pointer, "/%.100s", name);
	json_t *members = json_pack("{s:s}", "pointer", pointer);
	http_reply_problem_with(fields->exchange, &http_problem_unprocessable,
		members ? members : json_object(), "%.100s: %s.", name, detail);
	fields->object = NULL;
}

bool http_field_given(struct http_fields *fields, const char *name)
{
	if (!field_was_seen(fields, name)) {
		assert(fields->seen_count < HTTP_FIELDS_MAX);
		fields->seen[fields->seen_count++] = name;
	}
	json_t *value = json_object_get(fields->object, name);
	return value && !json_is_null(value);
}

static json_t *field_value(struct http_fields *fields, const char *name)
{
	if (http_field_given(fields, name))
		return json_object_get(fields->object, name);
	http_field_refuse(fields, name, "is required");
	return NULL;
}

/* The text of `value`; its data is NULL when it is not one of 1 to `size_max` bytes. */
static struct slice text_of(const json_t *value, size_t size_max)
{
	struct slice text = {.data = json_string_value(value), .size = json_string_length(value)};
	if (text.size < 1 || text.size > size_max || !slice_is_text(text))
		text = (struct slice){0};
	return text;
}

struct slice http_field_text(struct http_fields *fields, const char *name, size_t size_max)
{
	json_t *value = field_value(fields, name);
	if (!value)
		return (struct slice){0};
	struct slice text = text_of(value, size_max);
	if (!text.data)
		http_field_refuse(fields, name,
			"must be a text of 1 to %zu bytes without control characters", size_max);
	return text;
}

struct slice http_field_id(struct http_fields *fields, const char *name)
{
	struct slice id = http_field_text(fields, name, LIMIT_ID_SIZE_MAX);
	if (id.data && !slice_is_id(id, LIMIT_ID_SIZE_MAX))
		http_field_refuse(fields, name, "must be 1 to %d letters, digits or any of - _ . ~",
			LIMIT_ID_SIZE_MAX);
	return fields->object ? id : (struct slice){0};
}

int64_t http_field_integer(struct http_fields *fields, const char *name, int64_t min, int64_t max)
{
	json_t *value = field_value(fields, name);
	if (!value)
		return 0;
	int64_t integer = json_integer_value(value);
	if (json_is_integer(value) && integer >= min && integer <= max)
		return integer;
	http_field_refuse(fields, name, "must be an integer from %lld to %lld", (long long)min,
		(long long)max);
	return 0;
}

struct slice *http_field_texts(struct http_fields *fields, const char *name, size_t size_max,
	size_t min, size_t max, size_t *count)
{
	json_t *value = field_value(fields, name);
	*count = 0;
	if (!value)
		return NULL;
	size_t size = json_array_size(value);
	if (!json_is_array(value) || size < min || size > max) {
		http_field_refuse(fields, name, "must be a list of %zu to %zu texts", min, max);
		return NULL;
	}
	struct slice *texts = arena_calloc(http_arena(fields->exchange), size + 1, sizeof *texts);
	for (size_t i = 0; texts && i < size; i++) {
		texts[i] = text_of(json_array_get(value, i), size_max);
		for (size_t j = 0; j < i && texts[i].data; j++)
			if (slice_equal(texts[i], texts[j]))
				texts[i].data = NULL;
		if (!texts[i].data) {
			http_field_refuse(fields, name,
				"must have different texts of 1 to %zu bytes; item %zu is not",
				size_max, i);
			return NULL;
		}
	}
	*count = texts ? size : 0;
	return texts;
}

int64_t http_field_time(struct http_fields *fields, const char *name)
{
	int64_t wall_ms = 0;
	struct slice text = http_field_text(fields, name, LIMIT_NAME_SIZE_MAX);
	if (text.data && time_parse(text, &wall_ms) != STATUS_OK)
		http_field_refuse(
			fields, name, "must be a time as in RFC 3339, 2027-05-01T19:30:00Z");
	return wall_ms;
}

json_t *http_field_object(struct http_fields *fields, const char *name)
{
	json_t *value = field_value(fields, name);
	if (value && !json_is_object(value))
		http_field_refuse(fields, name, "must be an object");
	return fields->object ? value : NULL;
}
