/* What only the admin may ask: to take up what was left half done, and what is stuck. */
#include "lib/http/fields.h"
#include "tech-locking-and-transactions/seat_lanes.h"

/* As long for a token of which much is right as for one of which nothing is. */
static bool equals_secret(struct slice given, struct slice secret)
{
	size_t difference = given.size ^ secret.size;
	for (size_t i = 0; i < given.size; i++)
		difference |= (unsigned char)(given.data[i] ^ secret.data[i % secret.size]);
	return difference == 0;
}

static bool is_admin(struct http_exchange *exchange)
{
	static const char scheme[] = "Bearer ";
	const struct seat_routes *routes = http_context(exchange);
	struct slice given;
	if (http_header(exchange, "Authorization", &given) && slice_starts_with(given, scheme)) {
		given.data += sizeof scheme - 1;
		given.size -= sizeof scheme - 1;
		if (equals_secret(given, slice_of(routes->options.admin_token)))
			return true;
	}
	http_reply_header(exchange, "WWW-Authenticate", "Bearer");
	http_reply_problem(exchange, &seat_problem_unauthorized, NULL);
	return false;
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
