/* A page on which one can see a place move: GET /, and what it loads. */
#pragma once

#include "lib/http/exchange.h"

extern const struct http_route waiting_room_page_table[];
extern const size_t waiting_room_page_count;
