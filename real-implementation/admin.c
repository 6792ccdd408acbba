/* See admin.h. */
#include "real-implementation/admin.h"

#include "lib/http/bearer.h"

bool admin_asks(void *context, struct http_exchange *exchange)
{
	const struct admin *admin = context;
	return http_admin_asks(exchange, slice_of(admin->token));
}
