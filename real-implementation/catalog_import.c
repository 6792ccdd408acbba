/* See catalog_import.h. */
#include "real-implementation/catalog_import.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/buffer.h"
#include "lib/base/json_guard.h"

enum { ARENA_SIZE_MAX = 16 << 20, EVENT_DEPTH_MAX = 8, READ_SIZE = 1 << 16, PATH_SHOWN_MAX = 80 };

/* One import on its way. */
struct import {
	const struct import_options *options;
	enum import_kind kind;
	const char *path;
	struct fault *fault;
	struct buffer text;
	json_t *root;
	struct arena arena;      /* Of the answer, and of an event. */
	struct arena plan_arena; /* Of a venue. */
	struct catalog_request request;
	union {
		struct venue_document venue;
		struct event_document event;
	} document;
};

static enum status read_file(struct import *import);
static enum status parse(struct import *import);
static enum status identify(struct import *import);
static enum status store(struct import *import, struct import_result *result);
static enum status blame(struct import *import, enum status status, const struct fault *fault);

enum status import_file(const struct import_options *options, enum import_kind kind,
	const char *path, struct import_result *result, struct fault *fault)
{
	struct import import = {.options = options, .kind = kind, .path = path, .fault = fault};
	*result = (struct import_result){0};
	buffer_init(&import.text,
		kind == IMPORT_VENUE ? SEATING_PLAN_SIZE_MAX : (size_t)CATALOG_EVENT_SIZE_MAX);
	arena_init(&import.arena, ARENA_SIZE_MAX);
	arena_init(&import.plan_arena, SEATING_ARENA_SIZE_MAX);
	enum status status = read_file(&import);
	if (status == STATUS_OK)
		status = parse(&import);
	if (status == STATUS_OK)
		status = identify(&import);
	if (status == STATUS_OK)
		status = store(&import, result);
	json_decref(import.root);
	arena_release(&import.plan_arena);
	arena_release(&import.arena);
	buffer_release(&import.text);
	return status;
}

static enum status read_file(struct import *import)
{
	char bytes[READ_SIZE];
	size_t size;
	FILE *file = fopen(import->path, "rb");
	if (!file)
		return fault_set(import->fault, import->path, "%s", strerror(errno));
	while ((size = fread(bytes, 1, sizeof bytes, file)) > 0)
		buffer_add(&import->text, bytes, size);
	bool failed = ferror(file);
	fclose(file);
	if (failed)
		return fault_set(import->fault, import->path, "cannot be read");
	if (import->text.failed)
		return fault_set(import->fault, import->path, "is larger than %zu bytes",
			import->text.size_max);
	return STATUS_OK;
}

static enum status parse(struct import *import)
{
	static const struct json_limits event_limits = {.size_max = CATALOG_EVENT_SIZE_MAX,
		.depth_max = EVENT_DEPTH_MAX,
		.containers_max = 1000,
		.tokens_max = 10000};
	struct slice text = buffer_slice(&import->text);
	struct fault fault = {0};
	json_error_t error;
	enum status status;
	if (import->kind == IMPORT_VENUE)
		status = venue_document_read(
			text, &import->plan_arena, &import->document.venue, &fault);
	else
		status = json_guard(text, &event_limits, &fault);
	if (status != STATUS_OK)
		return blame(import, status, &fault);
	import->root =
		json_loadb(text.data ? text.data : "", text.size, JSON_REJECT_DUPLICATES, &error);
	if (!import->root) {
		char where[sizeof fault.where];
		snprintf(where, sizeof where, "%.120s:%d:%d", import->path, error.line,
			error.column);
		return fault_set(import->fault, where, "%s", error.text);
	}
	if (import->kind == IMPORT_EVENT)
		status = event_document_read(
			import->root, EVENT_NEW, &import->arena, &import->document.event, &fault);
	return blame(import, status, &fault);
}

/* The document in the one form that any writing of it has. */
static enum status identify(struct import *import)
{
	char *text = json_dumps(import->root, JSON_COMPACT | JSON_SORT_KEYS);
	if (!text)
		return blame(
			import, STATUS_UNAVAILABLE, &(struct fault){.what = "memory is short"});
	import->request.id =
		catalog_id_of(import->kind == IMPORT_VENUE ? "venue" : "event", slice_of(text));
	catalog_digest(slice_of(text), import->request.digest);
	free(text);
	return STATUS_OK;
}

static enum status store(struct import *import, struct import_result *result)
{
	const struct import_options *options = import->options;
	struct catalog_answer answer;
	struct postgres_options connection = {.url = options->database_url,
		.application_name = "onsale import",
		.clock = clock_system(),
		.connect_ms_max = options->ms,
		.call_ms_max = options->ms};
	struct catalog catalog = {.pg = postgres_open(&connection),
		.open_seats = options->open_seats,
		.seats_context = options->seats_context,
		.progress = options->progress,
		.progress_context = options->progress_context};
	if (!catalog.pg)
		return blame(
			import, STATUS_UNAVAILABLE, &(struct fault){.what = "memory is short"});
	enum status status = postgres_connect(catalog.pg, import->fault);
	if (status != STATUS_OK) {
		postgres_close(catalog.pg);
		return status;
	}
	status = import->kind == IMPORT_VENUE
		? catalog_add_venue(&catalog, &import->request, &import->document.venue,
			  buffer_slice(&import->text), &import->arena, &answer)
		: catalog_add_event(&catalog, &import->request, &import->document.event,
			  &import->arena, &answer);
	if (status == STATUS_OK && answer.outcome == CATALOG_OTHER)
		status = fault_set(&answer.fault, "$", "another document has the same id");
	else if (status == STATUS_OK && answer.outcome == CATALOG_WRONG)
		status = STATUS_REFUSED;
	else if (status != STATUS_OK && !answer.fault.what[0])
		fault_set(&answer.fault, "", "%s", postgres_error(catalog.pg)->message);
	postgres_close(catalog.pg);
	if (status != STATUS_OK)
		return blame(import, status, &answer.fault);
	result->id = import->request.id;
	result->is_new = answer.outcome == CATALOG_MADE;
	result->json = strndup(answer.json.data, answer.json.size);
	return result->json ? STATUS_OK : STATUS_UNAVAILABLE;
}

/* The fault, as one of this file. */
static enum status blame(struct import *import, enum status status, const struct fault *fault)
{
	char where[sizeof fault->where + PATH_SHOWN_MAX + 2];
	size_t size = strlen(import->path);
	/* Of a long path, the end says more than the beginning. */
	const char *path = import->path + (size > PATH_SHOWN_MAX ? size - PATH_SHOWN_MAX : 0);
	if (status == STATUS_OK)
		return status;
	snprintf(where, sizeof where, "%s%s%s", path, fault->where[0] ? ": " : "", fault->where);
	fault_set(import->fault, where, "%s", fault->what);
	return status;
}
