/* What http_client.c needs to understand a reply; tests include http_client.h. */
#pragma once

#include "lib/testkit/http_client.h"

/* Cut `reply->head`, the lines before the empty one, into status, headers and keep_alive, in place
 * (RFC 9112, sections 4, 5 and 9.3). OK, MALFORMED or TOO_LARGE. */
enum http_client_outcome http_client_head_parse(struct http_client_reply *reply);

/* Read a chunk's size from its line: hexadecimal digits, then perhaps extensions (RFC 9112, section
 * 7.1). At most eight digits, far more than a body may have. */
bool http_client_chunk_size_parse(const char *line, size_t line_size, size_t *size);
