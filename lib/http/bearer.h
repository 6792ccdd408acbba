/* Bearer tokens (RFC 6750): what an Authorization header shows, compared with a secret. */
#pragma once

#include "lib/http/exchange.h"

/* The token of the request's `Authorization: Bearer …`. False when it has no such header, or one of
 * another scheme. What was sent is not judged otherwise: it may be empty. */
__attribute__((warn_unused_result)) bool http_bearer(
	const struct http_exchange *exchange, struct slice *token);

/* Whether the request shows this secret as its bearer token. An empty secret is nobody's. How long
 * it takes does not tell how much of a wrong token was right. */
__attribute__((warn_unused_result)) bool http_bearer_is(
	const struct http_exchange *exchange, struct slice secret);

/* Whether the admin is asking, who shows this secret as a bearer token. False: there was no token
 * or another one, a session's for instance, and 401 `unauthorized` was replied. */
__attribute__((warn_unused_result)) bool http_admin_asks(
	struct http_exchange *exchange, struct slice secret);
