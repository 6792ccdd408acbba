/* See admin.h. */
#include "real-implementation/admin.h"

#include "lib/http/bearer.h"

static const struct http_problem unauthorized = {
	401, "unauthorized", "This needs the admin's token"};

bool admin_asks(void *context, struct http_exchange *exchange)
{
	const struct admin *admin = context;
	if (http_bearer_is(exchange, slice_of(admin->token)))
		return true;
	http_reply_problem(exchange, &unauthorized, NULL);
	http_reply_header(exchange, "WWW-Authenticate", "Bearer");
	return false;
}
