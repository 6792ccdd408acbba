/* What the two files of tickets.h share. Private. */
#pragma once

#include "lib/base/id.h"
#include "lib/http/representation.h"
#include "real-implementation/tickets.h"

enum {
	TICKET_NAME_SIZE = 2 * ID_TEXT_SIZE, /* "<event>.<ticket>" and a zero byte. */
	TICKET_SCAN_BODY_MAX = 4096,
};

struct tickets {
	struct tickets_options options;
	struct http_prepared *keys; /* The reply of /.well-known/ticket-keys. */
};

void ticket_name_format(struct id event, struct id ticket, char text[TICKET_NAME_SIZE]);

/* Reply for a call to the database that did not go well. */
void ticket_reply_failed(struct http_exchange *exchange, enum status status);

/* POST /tickets/scan. */
void ticket_scan_handle(struct http_exchange *exchange);
