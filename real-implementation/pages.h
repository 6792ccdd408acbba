/* The pages, and the description of the API: what the program carries in itself.
 *
 *	GET /                one page without a framework: events, the queue, seats, paying, tickets
 *	GET /openapi.json    OpenAPI 3.1
 *
 * Nothing comes from elsewhere and nothing is inline (Content-Security-Policy). */
#pragma once

#include "lib/http/exchange.h"

extern const struct http_route page_route_table[];
extern const size_t page_route_count;
