/* The organiser and the operator: whoever shows the admin's token as a bearer token. The hook of
 * all fronts that have requests for them only. */
#pragma once

#include "lib/http/exchange.h"

struct admin {
	const char *token; /* Not empty. Borrowed. */
};

/* Whether the admin is asking; `admin` is a struct admin. False: there was no token or another one,
 * a session's for instance, and a 401 was replied. Any thread. */
__attribute__((warn_unused_result)) bool admin_asks(void *admin, struct http_exchange *exchange);
