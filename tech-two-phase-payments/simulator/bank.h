/* What a customer sees who follows the link of 3-D Secure: a page with two answers. */
#pragma once

#include "lib/http/exchange.h"

void bank_reply_page(struct http_exchange *exchange);
void bank_reply_script(struct http_exchange *exchange);
void bank_reply_style(struct http_exchange *exchange);
void bank_reply_icon(struct http_exchange *exchange);
