/* The text side of a reply: no sockets here, so that it can be read, and be wrong, by itself. */
#include "lib/testkit/http_client_reply.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void keep_alive_decide(struct http_client_reply *reply);

const char *http_client_outcome_name(enum http_client_outcome outcome)
{
	static const char *const names[] = {
		[HTTP_CLIENT_OK] = "ok",
		[HTTP_CLIENT_UNREACHABLE] = "unreachable",
		[HTTP_CLIENT_CLOSED] = "closed",
		[HTTP_CLIENT_TIMEOUT] = "timeout",
		[HTTP_CLIENT_MALFORMED] = "malformed",
		[HTTP_CLIENT_TOO_LARGE] = "too large",
	};
	return names[outcome];
}

/* Read "HTTP/1.x NNN …". */
static bool status_line_parse(const char *line, struct http_client_reply *reply)
{
	if (strncmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') ||
		line[8] != ' ')
		return false;
	if (strspn(line + 9, "0123456789") != 3 || (line[12] != ' ' && line[12] != '\0'))
		return false;
	reply->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
	reply->keep_alive = line[7] == '1';
	return reply->status >= 100;
}

enum http_client_outcome http_client_head_parse(struct http_client_reply *reply)
{
	char *rest = reply->head;
	for (size_t index = 0; rest; index++) {
		char *line = rest;
		char *end = strstr(line, "\r\n");
		rest = end ? end + 2 : NULL;
		if (end)
			*end = '\0';
		if (index == 0) {
			if (!status_line_parse(line, reply))
				return HTTP_CLIENT_MALFORMED;
			continue;
		}
		size_t name_size = strcspn(line, ": \t");
		if (name_size == 0 || line[name_size] != ':')
			return HTTP_CLIENT_MALFORMED;
		if (reply->header_count == HTTP_CLIENT_HEADERS_MAX)
			return HTTP_CLIENT_TOO_LARGE;
		line[name_size] = '\0';
		char *value = line + name_size + 1;
		value += strspn(value, " \t");
		for (char *last = value + strlen(value); last > value && strchr(" \t", last[-1]);
			last--)
			last[-1] = '\0';
		reply->headers[reply->header_count++] =
			(struct http_client_header){.name = line, .value = value};
	}
	keep_alive_decide(reply);
	return HTTP_CLIENT_OK;
}

bool http_client_chunk_size_parse(const char *line, size_t line_size, size_t *size)
{
	size_t index = 0;
	*size = 0;
	for (; index < line_size && index < 8; index++) {
		static const char digits[] = "0123456789abcdef0123456789ABCDEF";
		const char *digit = memchr(digits, line[index], sizeof digits - 1);
		if (!digit)
			break;
		*size = *size * 16 + (size_t)((digit - digits) % 16);
	}
	return index > 0 && (index == line_size || (line[index] && strchr("; \t", line[index])));
}

static void keep_alive_decide(struct http_client_reply *reply)
{
	const char *connection = http_client_reply_header(reply, "Connection");
	if (connection && strcasestr(connection, "close"))
		reply->keep_alive = false;
	else if (connection && strcasestr(connection, "keep-alive"))
		reply->keep_alive = true;
}

const char *http_client_reply_header(const struct http_client_reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->header_count; i++)
		if (strcasecmp(reply->headers[i].name, name) == 0)
			return reply->headers[i].value;
	return NULL;
}

json_t *http_client_reply_json(const struct http_client_reply *reply)
{
	return json_loadb(reply->body ? reply->body : "", reply->body_size, JSON_DECODE_ANY, NULL);
}

void http_client_reply_release(struct http_client_reply *reply)
{
	free(reply->head);
	free(reply->body);
	*reply = (struct http_client_reply){0};
}
