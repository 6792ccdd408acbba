/* What only the admin may ask: to take up what was left half done, and what is stuck. */
#include "lib/http/bearer.h"
#include "lib/http/fields.h"
#include "tech-locking-and-transactions/seat_lanes.h"

static bool is_admin(struct http_exchange *exchange)
{
	const struct seat_routes *routes = http_context(exchange);
	return http_admin_asks(exchange, slice_of(routes->options.admin_token));
}

void seat_recover(struct http_exchange *exchange)
{
	struct seat_routes *routes = http_context(exchange);
	struct seat_request *request;
	struct http_fields fields;
	if (!is_admin(exchange))
		return;
	/* There is nothing to say; `{}` is as good as no body. */
	if (http_body(exchange).size > 0) {
		http_fields_begin(&fields, exchange);
		if (!http_fields_end(&fields))
			return;
	}
	request = seat_request_new(exchange, SEAT_ASK_RECOVER);
	if (request)
		seat_submit(request, &routes->recovery);
}

void seat_show_stuck(struct http_exchange *exchange)
{
	static const char *const names[] = {NULL};
	struct seat_routes *routes = http_context(exchange);
	struct seat_request *request;
	if (!is_admin(exchange) || !http_query_only(exchange, names))
		return;
	request = seat_request_new(exchange, SEAT_ASK_SHOW_STUCK);
	if (request)
		seat_submit(request, &routes->orders);
}
