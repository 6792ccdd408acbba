/* The shared accessors; a fault is written where it is found, once. */
#include "lib/ticketing/plan_json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum status json_tree_load(
	struct slice json, const struct json_limits *limits, json_t **root, struct fault *fault)
{
	enum status status = json_guard(json, limits, fault);
	if (status != STATUS_OK)
		return status;
	json_error_t error;
	/* A NULL pointer would be an invalid argument to jansson rather than empty text. */
	*root = json_loadb(json.size ? json.data : "", json.size, JSON_REJECT_DUPLICATES, &error);
	if (*root)
		return STATUS_OK;
	char path[sizeof fault->where];
	/* The position is behind the byte at which jansson gave up. */
	json_path_at(json, error.position > 0 ? (size_t)error.position - 1 : 0, path, sizeof path);
	/* jansson quotes what it stopped at, whatever that is. */
	const char *why = slice_is_text(slice_of(error.text)) ? error.text : "unexpected bytes";
	fault_set(fault, path, "is not valid JSON: %s", why);
	return json_error_code(&error) == json_error_out_of_memory ? STATUS_UNAVAILABLE
								   : STATUS_REFUSED;
}

struct node node_member(const struct node *parent, const char *key)
{
	const json_t *value = parent->value ? json_object_get(parent->value, key) : NULL;
	return (struct node){
		.parent = parent, .key = key, .value = json_is_null(value) ? NULL : value};
}

struct node node_element(const struct node *parent, size_t index)
{
	const json_t *value = json_array_get(parent->value, index);
	return (struct node){.parent = parent, .index = index, .value = value};
}

void node_path(const struct node *node, char *path, size_t size)
{
	if (!node->parent) {
		snprintf(path, size, "$");
		return;
	}
	node_path(node->parent, path, size);
	size_t used = strlen(path);
	if (node->key)
		snprintf(path + used, size - used, ".%s", node->key);
	else
		snprintf(path + used, size - used, "[%zu]", node->index);
}

void plan_refuse(struct plan_reader *reader, const struct node *node, const char *what, ...)
{
	if (!plan_reads_on(reader))
		return;
	char path[sizeof reader->fault->where];
	char words[sizeof reader->fault->what];
	node_path(node, path, sizeof path);
	va_list arguments;
	va_start(arguments, what);
	vsnprintf(words, sizeof words, what, arguments);
	va_end(arguments);
	reader->status = fault_set(reader->fault, path, "%s", words);
}

void plan_out_of_memory(struct plan_reader *reader)
{
	if (!plan_reads_on(reader))
		return;
	fault_set(reader->fault, "$", "needs more memory than there is");
	reader->status = STATUS_UNAVAILABLE;
}

void *plan_room(struct plan_reader *reader, size_t count, size_t size)
{
	void *room = arena_calloc(reader->arena, count ? count : 1, size);
	if (!room)
		plan_out_of_memory(reader);
	return room;
}

/* Whether there is a value to read; it is a fault when it must be there and is not. */
static bool is_given(struct plan_reader *reader, const struct node *node, enum presence presence)
{
	if (!node->value && presence == REQUIRED)
		plan_refuse(reader, node, "is missing");
	return plan_reads_on(reader) && node->value;
}

void plan_check_object(struct plan_reader *reader, const struct node *node, enum presence presence)
{
	if (is_given(reader, node, presence) && !json_is_object(node->value))
		plan_refuse(reader, node, "must be an object");
}

size_t plan_count(struct plan_reader *reader, const struct node *node, enum presence presence,
	size_t count_max)
{
	if (!is_given(reader, node, presence))
		return 0;
	if (!json_is_array(node->value)) {
		plan_refuse(reader, node, "must be an array");
		return 0;
	}
	size_t count = json_array_size(node->value);
	if (count > count_max)
		plan_refuse(reader, node, "has more than %zu elements", count_max);
	return plan_reads_on(reader) ? count : 0;
}

static struct slice checked_copy(
	struct plan_reader *reader, const struct node *node, struct slice text, size_t size_max)
{
	if (text.size > size_max)
		plan_refuse(reader, node, "is longer than %zu bytes", size_max);
	else if (!slice_is_text(text))
		plan_refuse(reader, node, "must be text without control characters");
	if (!plan_reads_on(reader))
		return slice_of("");
	const char *copy = arena_copy(reader->arena, text);
	if (!copy) {
		plan_out_of_memory(reader);
		return slice_of("");
	}
	return (struct slice){.data = copy, .size = text.size};
}

struct slice plan_text(struct plan_reader *reader, const struct node *node, enum presence presence,
	size_t size_max)
{
	if (!is_given(reader, node, presence))
		return slice_of("");
	if (!json_is_string(node->value)) {
		plan_refuse(reader, node, "must be a string");
		return slice_of("");
	}
	struct slice text = {
		.data = json_string_value(node->value), .size = json_string_length(node->value)};
	return checked_copy(reader, node, text, size_max);
}

struct slice plan_number_text(struct plan_reader *reader, const struct node *node, size_t size_max)
{
	if (!json_is_integer(node->value))
		return plan_text(reader, node, REQUIRED, size_max);
	char digits[sizeof "-9223372036854775808"];
	snprintf(digits, sizeof digits, "%" PRId64, (int64_t)json_integer_value(node->value));
	return checked_copy(reader, node, slice_of(digits), size_max);
}

double plan_real(struct plan_reader *reader, const struct node *node, enum presence presence,
	double min, double max, double fallback)
{
	if (!is_given(reader, node, presence))
		return fallback;
	if (!json_is_number(node->value)) {
		plan_refuse(reader, node, "must be a number");
		return fallback;
	}
	double number = json_number_value(node->value);
	/* Asked this way round, so that a NaN would be refused as well. */
	if (!(number >= min && number <= max)) {
		plan_refuse(reader, node, "must be between %.0f and %.0f", min, max);
		return fallback;
	}
	return number;
}
