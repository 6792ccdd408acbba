/* Reading a request: target, path, query, headers, body. Everything here runs before or within the
 * handler and replies with a problem as soon as something is wrong. */
#include <netinet/in.h>
#include <stdlib.h>
#include <strings.h>

#include "lib/base/json_guard.h"
#include "lib/http/internal.h"

enum { HTTP_JSON_DEPTH_MAX = 16, HTTP_JSON_CONTAINERS_MAX = 4000, HTTP_JSON_TOKENS_MAX = 20000 };

static struct slice target_path(struct slice target);
static bool match_route(struct http_exchange *exchange);
static bool parse_query(struct http_exchange *exchange, struct slice query);
static bool percent_decode(struct arena *arena, struct slice text, char plus, struct slice *plain);

bool http_request_parse(struct http_exchange *exchange)
{
	struct slice rest = exchange->target, path;
	slice_split(&rest, '?', &path);
	exchange->path = target_path(path);
	return match_route(exchange) && (!rest.data || parse_query(exchange, rest));
}

/* The path of an origin-form or absolute-form target (RFC 9112, section 3.2). */
static struct slice target_path(struct slice target)
{
	if (!slice_starts_with(target, "http://") && !slice_starts_with(target, "https://"))
		return target;
	const char *end = target.data + target.size;
	const char *colon = memchr(target.data, ':', target.size);
	const char *authority = colon + 3;
	const char *slash = memchr(authority, '/', (size_t)(end - authority));
	if (!slash)
		return slice_of("/");
	return (struct slice){.data = slash, .size = (size_t)(end - slash)};
}

const char *http_method_name(enum http_method method)
{
	static const char *const names[HTTP_METHOD_COUNT] = {
		[HTTP_GET] = "GET",
		[HTTP_POST] = "POST",
		[HTTP_PUT] = "PUT",
		[HTTP_PATCH] = "PATCH",
		[HTTP_DELETE] = "DELETE",
	};
	return names[method];
}

static enum http_method method_of(const char *text, bool *known, bool *head_only)
{
	*head_only = strcmp(text, "HEAD") == 0;
	*known = true;
	if (*head_only)
		return HTTP_GET;
	for (size_t i = 0; i < HTTP_METHOD_COUNT; i++)
		if (strcmp(text, http_method_name((enum http_method)i)) == 0)
			return (enum http_method)i;
	*known = false;
	return HTTP_GET;
}

/* The methods at a path as the Allow header lists them. */
static void allow_header(struct http_exchange *exchange, const struct http_match *match)
{
	char allow[64];
	size_t size = 0;
	for (size_t i = 0; i < HTTP_METHOD_COUNT; i++)
		if (match->by_method[i])
			size += (size_t)snprintf(allow + size, sizeof allow - size, "%s%s, ",
				http_method_name((enum http_method)i),
				i == HTTP_GET ? ", HEAD" : "");
	snprintf(allow + size, sizeof allow - size, "OPTIONS");
	http_reply_header(exchange, "Allow", allow);
}

static bool decode_parameters(struct http_exchange *exchange, const struct http_match *match)
{
	for (size_t i = 0; i < match->parameter_count; i++) {
		if (!percent_decode(&exchange->arena, match->parameters[i], '+',
			    &exchange->parameters[i])) {
			http_reply_problem(exchange, &http_problem_bad_request,
				"The path is not percent-encoded UTF-8 text.");
			return false;
		}
	}
	return true;
}

static bool match_route(struct http_exchange *exchange)
{
	static const struct http_problem method_not_allowed = {
		405, "method-not-allowed", "This resource does not have that method"};
	struct http_match match;
	if (slice_is(exchange->path, "*") && strcmp(exchange->method_text, "OPTIONS") == 0) {
		http_reply_empty(exchange, 204);
		return false;
	}
	if (!http_routes_match(exchange->server->routes, exchange->path, &match)) {
		http_reply_problem(
			exchange, &http_problem_not_found, "Nothing stands at this path.");
		return false;
	}
	bool known;
	exchange->method = method_of(exchange->method_text, &known, &exchange->head_only);
	exchange->route = known ? match.by_method[exchange->method] : NULL;
	if (exchange->route)
		return decode_parameters(exchange, &match);
	allow_header(exchange, &match);
	if (strcmp(exchange->method_text, "OPTIONS") == 0)
		http_reply_empty(exchange, 204);
	else
		http_reply_problem(exchange, &method_not_allowed, NULL);
	return false;
}

static bool query_refused(struct http_exchange *exchange, const char *why)
{
	http_reply_problem(exchange, &http_problem_bad_request, "The query %s.", why);
	return false;
}

static bool parse_query(struct http_exchange *exchange, struct slice query)
{
	struct slice part;
	exchange->query =
		arena_calloc(&exchange->arena, HTTP_QUERY_PARAMETERS_MAX, sizeof *exchange->query);
	if (!exchange->query)
		return query_refused(exchange, "is too much for the memory");
	while (slice_split(&query, '&', &part)) {
		if (part.size == 0)
			continue;
		if (exchange->query_count == HTTP_QUERY_PARAMETERS_MAX)
			return query_refused(exchange, "has too many parameters");
		struct slice name;
		slice_split(&part, '=', &name);
		struct http_pair *pair = &exchange->query[exchange->query_count];
		if (!percent_decode(&exchange->arena, name, ' ', &pair->name) ||
			!percent_decode(&exchange->arena, part, ' ', &pair->value))
			return query_refused(exchange, "is not percent-encoded UTF-8 text");
		for (size_t i = 0; i < exchange->query_count; i++)
			if (slice_equal(exchange->query[i].name, pair->name))
				return query_refused(exchange, "repeats a parameter");
		exchange->query_count++;
	}
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decode `text`; '+' becomes `plus`. False unless it becomes text without control characters. */
static bool percent_decode(struct arena *arena, struct slice text, char plus, struct slice *plain)
{
	char *to = arena_alloc(arena, text.size + 1);
	if (!to)
		return false;
	*plain = (struct slice){.data = to};
	for (size_t i = 0; i < text.size; i++) {
		char c = text.data[i];
		if (c == '%') {
			int high = i + 2 < text.size ? hex_digit(text.data[i + 1]) : -1;
			int low = high >= 0 ? hex_digit(text.data[i + 2]) : -1;
			if (low < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		} else if (c == '+') {
			c = plus;
		}
		to[plain->size++] = c;
	}
	to[plain->size] = '\0';
	return slice_is_text(*plain);
}

/* ---- Framing ---- */

struct framing {
	size_t lengths, encodings, hosts, malformed_names;
	const char *length, *encoding, *traceparent;
};

/* RFC 9110, section 5.6.2. */
static bool is_token(const char *text)
{
	static const char others[] = "!#$%&'*+-.^_`|~";
	const char *end = text;
	while ((*end >= '0' && *end <= '9') || (*end >= 'a' && *end <= 'z') ||
		(*end >= 'A' && *end <= 'Z') || (*end && strchr(others, *end)))
		end++;
	return end > text && *end == '\0';
}

static enum MHD_Result framing_see(
	void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
	(void)kind;
	struct framing *framing = context;
	/* "Transfer-Encoding :" is another header to MHD, and may be the real one to a proxy. */
	if (!is_token(name))
		framing->malformed_names++;
	if (strcasecmp(name, "Content-Length") == 0) {
		framing->lengths++;
		framing->length = value;
	} else if (strcasecmp(name, "Transfer-Encoding") == 0) {
		framing->encodings++;
		framing->encoding = value;
	} else if (strcasecmp(name, "Host") == 0) {
		framing->hosts++;
	} else if (strcasecmp(name, "traceparent") == 0) {
		framing->traceparent = value;
	}
	return MHD_YES;
}

static bool framing_refused(struct http_exchange *exchange, const char *why)
{
	/* Where one request ends is in doubt, so nothing more may be read from this connection. */
	exchange->close = true;
	http_reply_problem(exchange, &http_problem_bad_request, "%s", why);
	return false;
}

bool http_request_check_framing(struct http_exchange *exchange, int64_t *length)
{
	struct framing framing = {0};
	MHD_get_connection_values(
		exchange->connection->mhd, MHD_HEADER_KIND, framing_see, &framing);
	*length = 0;
	if (framing.traceparent)
		exchange->traceparent = slice_of(framing.traceparent);
	if (framing.hosts != 1)
		return framing_refused(exchange, "A request needs exactly one Host header.");
	if (framing.malformed_names > 0)
		return framing_refused(exchange, "The name of a header is malformed.");
	if (framing.lengths > 1)
		return framing_refused(exchange, "Content-Length is given more than once.");
	if (framing.encodings > 0 && framing.lengths > 0)
		return framing_refused(
			exchange, "Content-Length and Transfer-Encoding are both given.");
	if (framing.encodings > 1 ||
		(framing.encoding && strcasecmp(framing.encoding, "chunked") != 0))
		return framing_refused(exchange, "The only Transfer-Encoding taken is chunked.");
	if (framing.encoding)
		*length = -1;
	if (framing.length && !slice_to_integer(slice_of(framing.length), 0, INT64_MAX, length))
		return framing_refused(exchange, "Content-Length is not a number.");
	return true;
}

/* ---- What handlers ask ---- */

enum http_method http_method(const struct http_exchange *exchange)
{
	return exchange->method;
}

const struct http_route *http_route(const struct http_exchange *exchange)
{
	return exchange->route;
}

struct slice http_path(const struct http_exchange *exchange)
{
	return exchange->path;
}

void *http_context(const struct http_exchange *exchange)
{
	const struct http_server_options *options = &exchange->server->options;
	if (options->contexts && exchange->route) {
		void *own = options->contexts[exchange->route - options->routes];
		if (own)
			return own;
	}
	return options->context;
}

size_t http_worker(const struct http_exchange *exchange)
{
	assert(exchange->owner == HTTP_OWNED_BY_WORKER);
	return exchange->worker;
}

const char *http_request_id(const struct http_exchange *exchange)
{
	return exchange->request_id;
}

struct slice http_peer(const struct http_exchange *exchange)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		exchange->connection->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	if (!info || !info->client_addr || info->client_addr->sa_family != AF_INET)
		return (struct slice){0};
	const struct sockaddr_in *address =
		(const struct sockaddr_in *)(const void *)info->client_addr;
	return (struct slice){
		.data = (const char *)&address->sin_addr, .size = sizeof address->sin_addr};
}

struct slice http_parameter(const struct http_exchange *exchange, const char *name)
{
	for (size_t i = 0; i < HTTP_PARAMETERS_MAX; i++)
		if (slice_is(http_route_parameter_name(exchange->route, i), name))
			return exchange->parameters[i];
	assert(false && "a handler asks for a parameter that its route has");
	return (struct slice){0};
}

bool http_query(const struct http_exchange *exchange, const char *name, struct slice *value)
{
	for (size_t i = 0; i < exchange->query_count; i++) {
		if (slice_is(exchange->query[i].name, name)) {
			*value = exchange->query[i].value;
			return true;
		}
	}
	return false;
}

bool http_query_only(struct http_exchange *exchange, const char *const names[])
{
	for (size_t i = 0; i < exchange->query_count; i++) {
		const char *const *name = names;
		while (*name && !slice_is(exchange->query[i].name, *name))
			name++;
		if (!*name) {
			http_reply_problem(exchange, &http_problem_bad_request,
				"There is no query parameter '%.*s' here.",
				SLICE_PRINT(exchange->query[i].name));
			return false;
		}
	}
	return true;
}

bool http_header(const struct http_exchange *exchange, const char *name, struct slice *value)
{
	const char *found = NULL;
	size_t size = 0;
	if (!MHD_lookup_connection_value_n(
		    exchange->connection->mhd, MHD_HEADER_KIND, name, strlen(name), &found, &size))
		return false;
	*value = (struct slice){.data = found ? found : "", .size = size};
	return true;
}

struct slice http_body(const struct http_exchange *exchange)
{
	return buffer_slice(&exchange->body);
}

int64_t http_deadline_ms(const struct http_exchange *exchange)
{
	return exchange->deadline_ms;
}

bool http_abandoned(const struct http_exchange *exchange)
{
	return atomic_load(&exchange->abandoned);
}

struct arena *http_arena(struct http_exchange *exchange)
{
	return &exchange->arena;
}

static bool names_json(struct slice type)
{
	static const char json[] = "application/json";
	struct slice name;
	slice_split(&type, ';', &name);
	name = slice_trim(name);
	return name.size == sizeof json - 1 && strncasecmp(name.data, json, name.size) == 0;
}

bool http_body_is_json(struct http_exchange *exchange)
{
	struct slice type;
	if (http_header(exchange, "Content-Type", &type) && names_json(type))
		return true;
	http_reply_problem(exchange, &http_problem_media_type,
		"Send the body with Content-Type: application/json.");
	return false;
}

json_t *http_body_object(struct http_exchange *exchange)
{
	if (exchange->json)
		return exchange->json;
	if (!http_body_is_json(exchange))
		return NULL;
	struct slice body = http_body(exchange);
	const struct json_limits limits = {
		.size_max = exchange->route->body_bytes_max,
		.depth_max = HTTP_JSON_DEPTH_MAX,
		.containers_max = HTTP_JSON_CONTAINERS_MAX,
		.tokens_max = HTTP_JSON_TOKENS_MAX,
	};
	struct fault fault;
	if (json_guard(body, &limits, &fault) != STATUS_OK) {
		http_reply_problem(exchange, &http_problem_bad_request,
			"The body is refused at %s: %s.", fault.where, fault.what);
		return NULL;
	}
	json_error_t error;
	exchange->json =
		json_loadb(body.data, body.size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (exchange->json && json_is_object(exchange->json))
		return exchange->json;
	if (exchange->json)
		http_reply_problem(
			exchange, &http_problem_unprocessable, "The body must be a JSON object.");
	else
		http_reply_problem(exchange, &http_problem_bad_request,
			"The body is not JSON: %s, at line %d, column %d.", error.text, error.line,
			error.column);
	return NULL;
}
