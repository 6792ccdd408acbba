/* Making a reply and handing it to MHD. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/http/representation.h"
#include "lib/http/stream_internal.h"

const struct http_problem http_problem_bad_request = {
	400, "bad-request", "The request is malformed"};
const struct http_problem http_problem_not_found = {404, "not-found", "There is no such thing"};
const struct http_problem http_problem_conflict = {
	409, "conflict", "The request is at odds with the present state"};
const struct http_problem http_problem_too_large = {
	413, "content-too-large", "The body is too large"};
const struct http_problem http_problem_media_type = {
	415, "unsupported-media-type", "The body has another media type than is taken here"};
const struct http_problem http_problem_unprocessable = {
	422, "unprocessable", "The request is well-formed but wrong"};
const struct http_problem http_problem_internal = {500, "internal", "Something went wrong here"};
const struct http_problem http_problem_unavailable = {
	503, "unavailable", "The service cannot answer just now"};

/* Forget a reply that was made before: the last one counts. */
static void reply_reset(struct http_exchange *exchange)
{
	if (exchange->reply_json_owned)
		json_decref(exchange->reply_json_owned);
	exchange->reply_json_owned = NULL;
	free(exchange->reply_text_owned);
	exchange->reply_text_owned = NULL;
	http_prepared_release(exchange->prepared);
	exchange->prepared = NULL;
	exchange->reply = (struct slice){0};
}

void http_reply(struct http_exchange *exchange, unsigned status, const char *content_type,
	struct slice bytes)
{
	reply_reset(exchange);
	exchange->status = status;
	exchange->content_type = content_type;
	exchange->reply = bytes;
}

void http_reply_empty(struct http_exchange *exchange, unsigned status)
{
	http_reply(exchange, status, NULL, (struct slice){0});
}

void http_reply_nothing(struct http_exchange *exchange)
{
	exchange->nothing = true;
}

static void reply_with_json(
	struct http_exchange *exchange, unsigned status, const char *content_type, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (!text) {
		static const char short_of_memory[] =
			"{\"type\":\"urn:onsale:problem:internal\",\"status\":500,"
			"\"title\":\"Something went wrong here\"}";
		log_error("http.reply_failed", LOG_TEXT("requestId", exchange->request_id));
		http_reply(exchange, 500, "application/problem+json", slice_of(short_of_memory));
		return;
	}
	http_reply(exchange, status, content_type, slice_of(text));
	exchange->reply_text_owned = text;
}

void http_reply_json(struct http_exchange *exchange, unsigned status, json_t *json)
{
	reply_with_json(exchange, status, "application/json", json);
}

void http_reply_json_text(struct http_exchange *exchange, unsigned status, struct slice text)
{
	char *copy = malloc(text.size + 1);
	if (!copy) {
		reply_with_json(exchange, status, NULL, NULL);
		return;
	}
	memcpy(copy, text.data, text.size);
	copy[text.size] = '\0';
	http_reply(exchange, status, "application/json",
		(struct slice){.data = copy, .size = text.size});
	exchange->reply_text_owned = copy;
}

static void reply_problem(struct http_exchange *exchange, const struct http_problem *problem,
	json_t *members, const char *detail, va_list arguments)
{
	char type[96], text[512];
	snprintf(type, sizeof type, "urn:onsale:problem:%s", problem->type);
	json_t *json = json_pack("{s:s, s:s, s:i}", "type", type, "title", problem->title, "status",
		(int)problem->status);
	if (detail) {
		vsnprintf(text, sizeof text, detail, arguments);
		/* A detail may quote input, cut at any byte: replace what is not UTF-8. */
		json_t *value = json_string(text);
		json_object_set_new(json, "detail", value ? value : json_string("(not text)"));
	}
	json_object_set_new(json, "requestId", json_string(exchange->request_id));
	if (members)
		json_object_update_missing(json, members);
	json_decref(members);
	reply_with_json(exchange, problem->status, "application/problem+json", json);
	if (problem->status == 503 || problem->status == 429)
		http_reply_header(exchange, "Retry-After", "1");
}

void http_reply_problem(
	struct http_exchange *exchange, const struct http_problem *problem, const char *detail, ...)
{
	va_list arguments;
	va_start(arguments, detail);
	reply_problem(exchange, problem, NULL, detail, arguments);
	va_end(arguments);
}

void http_reply_problem_with(struct http_exchange *exchange, const struct http_problem *problem,
	json_t *members, const char *detail, ...)
{
	va_list arguments;
	va_start(arguments, detail);
	reply_problem(exchange, problem, members, detail, arguments);
	va_end(arguments);
}

void http_reply_header(struct http_exchange *exchange, const char *name, const char *value)
{
	assert(!strpbrk(value, "\r\n"));
	size_t i = 0;
	if (!exchange->heads)
		exchange->heads = arena_calloc(
			&exchange->arena, HTTP_REPLY_HEADERS_MAX, sizeof *exchange->heads);
	if (!exchange->heads)
		return;
	while (i < exchange->head_count && strcasecmp(exchange->heads[i].name, name) != 0)
		i++;
	assert(i < HTTP_REPLY_HEADERS_MAX);
	const char *copy = arena_copy(&exchange->arena, slice_of(value));
	if (!copy)
		return;
	exchange->heads[i] = (struct http_reply_head){.name = name, .value = copy};
	if (i == exchange->head_count)
		exchange->head_count++;
}

unsigned http_reply_status(const struct http_exchange *exchange)
{
	return exchange->status;
}

struct slice http_reply_body(const struct http_exchange *exchange)
{
	return exchange->reply;
}

static void add_heads(struct http_exchange *exchange, struct MHD_Response *response)
{
	bool cached = false;
	for (size_t i = 0; i < exchange->head_count; i++) {
		const struct http_reply_head *head = &exchange->heads[i];
		cached = cached || strcasecmp(head->name, "Cache-Control") == 0;
		MHD_add_response_header(response, head->name, head->value);
	}
	if (!cached)
		MHD_add_response_header(response, "Cache-Control", "no-store");
	if (exchange->content_type) {
		MHD_add_response_header(response, "Content-Type", exchange->content_type);
		MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	}
	MHD_add_response_header(response, "X-Request-Id", exchange->request_id);
	if (exchange->close || atomic_load(&exchange->server->draining))
		MHD_add_response_header(response, "Connection", "close");
}

enum MHD_Result http_reply_send(struct http_exchange *exchange)
{
	if (exchange->nothing)
		return MHD_NO; /* At which MHD ends the connection. */
	if (exchange->status == 0) {
		log_error("http.no_reply", LOG_TEXT("requestId", exchange->request_id));
		http_reply_problem(exchange, &http_problem_internal, NULL);
	}
	struct MHD_Response *response;
	if (exchange->stream)
		response = http_stream_response(exchange);
	else /* The bytes belong to the exchange, which outlives the response. */
		response = MHD_create_response_from_buffer(exchange->reply.size,
			(void *)(uintptr_t)exchange->reply.data, MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	add_heads(exchange, response);
	http_connection_enter(exchange->connection, HTTP_PHASE_REPLY);
	exchange->queued_reply = true;
	enum MHD_Result result =
		MHD_queue_response(exchange->connection->mhd, exchange->status, response);
	MHD_destroy_response(response);
	if (exchange->stream) {
		/* A stream may stay for hours: it is logged when it begins, and keeps no memory
		 * that only its request needed. */
		http_exchange_account(exchange);
		arena_release(&exchange->arena);
	}
	return result;
}
