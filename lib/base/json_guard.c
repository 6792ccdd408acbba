/* One pass over JSON that keeps its path: a frame for each open object or array holds the key or
 * the index at which the scan stands. Nothing is allocated; keys are slices of the text. */
#include "lib/base/json_guard.h"

#include <assert.h>
#include <stdio.h>

struct frame {
	bool is_array;
	bool awaits_key;  /* In an object: the next string is a key. */
	size_t index;     /* In an array: of the element at hand. */
	struct slice key; /* In an object: of the member at hand; NULL data before the first. */
};

struct scan {
	struct slice json;
	const struct json_limits *limits;
	size_t at;         /* The byte to look at next. */
	size_t depth;      /* Open objects and arrays. */
	size_t containers; /* Begun so far. */
	size_t tokens;     /* Begun so far. */
	struct frame frames[JSON_DEPTH_MAX];
};

struct text {
	char *data;
	size_t size, capacity;
};

static bool step(struct scan *scan);
static void write_path(const struct scan *scan, char *path, size_t size);

/* Refuse what the scan has reached. */
static enum status refuse(
	const struct scan *scan, size_t limit, const char *of_what, struct fault *fault)
{
	char path[sizeof fault->where];
	write_path(scan, path, sizeof path);
	return fault_set(fault, path, "passes the limit of %zu %s", limit, of_what);
}

enum status json_guard(struct slice json, const struct json_limits *limits, struct fault *fault)
{
	assert(limits->depth_max >= 1 && limits->depth_max <= JSON_DEPTH_MAX);
	if (json.size > limits->size_max)
		return fault_set(fault, "$", "is longer than %zu bytes", limits->size_max);
	struct scan scan = {.json = json, .limits = limits};
	while (scan.at < json.size) {
		if (step(&scan))
			continue;
		if (scan.tokens > limits->tokens_max)
			return refuse(&scan, limits->tokens_max, "values", fault);
		if (scan.containers > limits->containers_max)
			return refuse(&scan, limits->containers_max, "objects and arrays", fault);
		return refuse(&scan, limits->depth_max, "levels", fault);
	}
	return STATUS_OK;
}

void json_path_at(struct slice json, size_t offset, char *path, size_t size)
{
	static const struct json_limits unlimited = {
		.depth_max = JSON_DEPTH_MAX, .containers_max = SIZE_MAX, .tokens_max = SIZE_MAX};
	assert(size > 0);
	struct scan scan = {.json = json, .limits = &unlimited};
	/* Cut behind the byte, so that a string or number that holds it ends there. */
	if (offset < json.size)
		scan.json.size = offset + 1;
	while (scan.at < scan.json.size && step(&scan))
		continue;
	write_path(&scan, path, size);
}

/* Go behind the string whose first quote is at `start`; `content` becomes what is between the
 * quotes, escapes as they stand. A string that never ends takes all that is left. */
static size_t string_end(struct slice json, size_t start, struct slice *content)
{
	size_t at = start + 1;
	while (at < json.size && json.data[at] != '"')
		at += json.data[at] == '\\' && at + 1 < json.size ? 2 : 1;
	*content = (struct slice){.data = json.data + start + 1, .size = at - start - 1};
	return at < json.size ? at + 1 : at;
}

static bool ends_scalar(char byte)
{
	return byte != '\0' && strchr(" \t\r\n,:\"[]{}", byte) != NULL;
}

static size_t scalar_end(struct slice json, size_t at)
{
	while (at < json.size && !ends_scalar(json.data[at]))
		at++;
	return at;
}

static bool open(struct scan *scan, bool is_array)
{
	if (++scan->containers > scan->limits->containers_max ||
		scan->depth == scan->limits->depth_max)
		return false;
	scan->frames[scan->depth++] = (struct frame){
		.is_array = is_array, .awaits_key = !is_array, .key = {.data = NULL}};
	scan->at++;
	return true;
}

static void next_member(struct scan *scan)
{
	scan->at++;
	if (scan->depth == 0)
		return;
	struct frame *frame = &scan->frames[scan->depth - 1];
	frame->awaits_key = !frame->is_array;
	if (frame->is_array)
		frame->index++;
}

static void take_string(struct scan *scan)
{
	struct slice content;
	scan->at = string_end(scan->json, scan->at, &content);
	if (scan->depth == 0 || !scan->frames[scan->depth - 1].awaits_key)
		return;
	scan->frames[scan->depth - 1].key = content;
	scan->frames[scan->depth - 1].awaits_key = false;
}

static bool step_token(struct scan *scan, char first)
{
	if (++scan->tokens > scan->limits->tokens_max)
		return false;
	if (first == '{' || first == '[')
		return open(scan, first == '[');
	if (first == '"')
		take_string(scan);
	else
		scan->at = scalar_end(scan->json, scan->at);
	return true;
}

/* Go behind the next token, sign or space. False, without moving, at a token that would pass a
 * limit. */
static bool step(struct scan *scan)
{
	char byte = scan->json.data[scan->at];
	switch (byte) {
	case '}':
	case ']':
		scan->depth -= scan->depth > 0;
		scan->at++;
		return true;
	case ',':
		next_member(scan);
		return true;
	case ':':
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		scan->at++;
		return true;
	default:
		return step_token(scan, byte);
	}
}

/* All or nothing, so that a cut path still ends at a whole step. */
static bool add(struct text *text, struct slice piece)
{
	if (piece.size >= text->capacity - text->size)
		return false;
	memcpy(text->data + text->size, piece.data, piece.size);
	text->size += piece.size;
	text->data[text->size] = '\0';
	return true;
}

static bool is_plain_key(struct slice key)
{
	for (size_t i = 0; i < key.size; i++) {
		char c = key.data[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
		if (!letter && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return key.size > 0;
}

/* A key from outside may be long, hostile or no text at all: then it is shown as `['?']`. */
static bool add_key(struct text *text, struct slice key)
{
	enum { SHOWN_SIZE_MAX = 60 };
	char step_text[SHOWN_SIZE_MAX + sizeof "['']"];
	bool shown = key.size <= SHOWN_SIZE_MAX && slice_is_text(key) &&
		memchr(key.data, '\'', key.size) == NULL;
	struct slice name = shown ? key : slice_of("?");
	if (shown && is_plain_key(key))
		snprintf(step_text, sizeof step_text, ".%.*s", SLICE_PRINT(name));
	else
		snprintf(step_text, sizeof step_text, "['%.*s']", SLICE_PRINT(name));
	return add(text, slice_of(step_text));
}

static bool add_index(struct text *text, size_t index)
{
	char step_text[sizeof "[18446744073709551615]"];
	snprintf(step_text, sizeof step_text, "[%zu]", index);
	return add(text, slice_of(step_text));
}

static void write_path(const struct scan *scan, char *path, size_t size)
{
	struct text text = {.data = path, .capacity = size};
	path[0] = '\0';
	bool fits = add(&text, slice_of("$"));
	for (size_t i = 0; fits && i < scan->depth; i++) {
		const struct frame *frame = &scan->frames[i];
		if (frame->is_array)
			fits = add_index(&text, frame->index);
		else if (frame->key.data)
			fits = add_key(&text, frame->key);
	}
}
