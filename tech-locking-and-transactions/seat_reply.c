/* Replies. Those of success are written by hand, since they are what a rush consists of. */
#include "tech-locking-and-transactions/seat_lanes.h"

#include <inttypes.h>

static const struct http_problem seats_taken = {409, "seats-taken", "Some of the seats are taken"};
static const struct http_problem hold_sold = {409, "hold-sold", "The hold has been bought"};
static const struct http_problem hold_expired = {
	410, "hold-expired", "The hold's time is over, or it was released"};
static const struct http_problem payment_declined = {
	402, "payment-declined", "The payment was declined"};
static const struct http_problem key_reused = {
	422, "idempotency-key-reused", "This Idempotency-Key was used for another request"};

/* ---- Text ---- */

void seat_add_text(struct buffer *text, const char *name, struct slice value)
{
	buffer_add_format(text, ",\"%s\":", name);
	buffer_add_json(text, value);
}

void seat_add_integer(struct buffer *text, const char *name, int64_t value)
{
	buffer_add_format(text, ",\"%s\":%" PRId64, name, value);
}

const char *seat_item_text(struct id event, struct id own, char text[SEAT_ITEM_TEXT_SIZE])
{
	id_format(event, text);
	text[ID_TEXT_SIZE - 1] = '.';
	id_format(own, text + ID_TEXT_SIZE);
	return text;
}

static void add_item(struct buffer *text, const char *name, struct id event, struct id own)
{
	char item[SEAT_ITEM_TEXT_SIZE];
	seat_add_text(text, name, slice_of(seat_item_text(event, own, item)));
}

/* The first member, without the comma. */
static void begin(struct buffer *text, const char *name, struct id event, struct id own)
{
	char item[SEAT_ITEM_TEXT_SIZE];
	buffer_reset(text);
	buffer_add_format(text, "{\"%s\":\"%s\"", name, seat_item_text(event, own, item));
}

static void add_event(struct buffer *text, struct id event)
{
	char id[ID_TEXT_SIZE];
	id_format(event, id);
	seat_add_text(text, "eventId", slice_of(id));
}

static void add_time(struct buffer *text, const char *name, int64_t wall_ms)
{
	char time[TIME_TEXT_SIZE];
	time_format(wall_ms, time);
	seat_add_text(text, name, slice_of(time));
}

static void add_seats(struct buffer *text, const struct slice seats[], size_t count)
{
	buffer_add_text(text, ",\"seats\":[");
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buffer_add_text(text, ",");
		buffer_add_json(text, seats[i]);
	}
	buffer_add_text(text, "]");
}

static void end(struct seat_request *request, unsigned status, struct buffer *text)
{
	buffer_add_text(text, "}");
	if (text->failed)
		seat_reply_refused(request, "Memory is short.");
	else
		http_reply_json_text(request->exchange, status, buffer_slice(text));
}

/* ---- Holds ---- */

static void reply_granted(struct seat_request *request, const struct hold_result *result,
	const char *currency, struct buffer *text)
{
	char item[SEAT_ITEM_TEXT_SIZE], location[SEAT_ITEM_TEXT_SIZE + sizeof "/holds/"];
	begin(text, "holdId", request->event, request->hold);
	add_event(text, request->event);
	seat_add_text(text, "userId", request->person);
	seat_add_text(text, "status", slice_of("held"));
	add_time(text, "expiresAt", result->expires_at_ms);
	seat_add_integer(text, "total", result->total);
	seat_add_text(text, "currency", slice_of(currency));
	add_seats(text, request->seats, request->seat_count);
	seat_add_integer(text, "version", result->version);
	end(request, 201, text);
	(void)snprintf(location, sizeof location, "/holds/%s",
		seat_item_text(request->event, request->hold, item));
	http_reply_header(request->exchange, "Location", location);
}

static json_t *named_seats(const struct seat_request *request, uint64_t which)
{
	json_t *seats = json_array();
	for (size_t i = 0; i < request->seat_count; i++)
		if (which >> i & 1)
			json_array_append_new(seats,
				json_stringn(request->seats[i].data, request->seats[i].size));
	return seats;
}

void seat_reply_hold(struct seat_request *request, const struct hold_result *result,
	const char *currency, struct buffer *text)
{
	struct http_exchange *exchange = request->exchange;
	switch (result->outcome) {
	case HOLD_GRANTED:
		reply_granted(request, result, currency, text);
		break;
	case HOLD_TAKEN:
		http_reply_problem_with(exchange, &seats_taken,
			json_pack("{s:o}", "seats", named_seats(request, result->which)),
			"Somebody else holds or has bought them; nothing was held.");
		break;
	case HOLD_NO_SUCH_SEAT:
		http_reply_problem_with(exchange, &http_problem_unprocessable,
			json_pack("{s:s, s:o}", "pointer", "/seats", "seats",
				named_seats(request, result->which)),
			"The event does not have all of these seats.");
		break;
	case HOLD_NO_EVENT:
		http_reply_problem(exchange, &http_problem_not_found, "There is no such event.");
		break;
	case HOLD_OTHER_REQUEST:
		http_reply_problem(exchange, &key_reused, NULL);
		break;
	case HOLD_MALFORMED:
		http_reply_problem(exchange, &http_problem_unprocessable,
			"A seat or the user has no id that can be.");
		break;
	}
}

void seat_reply_record(
	struct seat_request *request, const struct hold_record *record, struct buffer *text)
{
	begin(text, "holdId", request->event, request->hold);
	add_event(text, request->event);
	seat_add_text(text, "userId", record->person);
	seat_add_text(text, "status",
		slice_of(record->state == HOLD_LIVE ? "held" : hold_state_name(record->state)));
	add_time(text, "expiresAt", record->expires_at_ms);
	seat_add_integer(text, "total", record->total.minor);
	seat_add_text(text, "currency", slice_of(record->total.currency));
	add_seats(text, record->seats, record->seat_count);
	seat_add_integer(text, "version", record->version);
	if (record->state == HOLD_SOLD || record->state == HOLD_REVOKED)
		add_item(text, "orderId", request->event, record->order);
	end(request, 200, text);
}

void seat_reply_release(struct seat_request *request, enum release_outcome outcome)
{
	switch (outcome) {
	case RELEASE_RELEASED:
	case RELEASE_EXPIRED: /* What was asked for is so. */
		http_reply_empty(request->exchange, 204);
		break;
	case RELEASE_SOLD:
		http_reply_problem(request->exchange, &hold_sold, NULL);
		break;
	case RELEASE_NOT_HELD:
	case RELEASE_NOT_YOURS:
	case RELEASE_MALFORMED:
		seat_reply_no_hold(request);
		break;
	}
}

void seat_reply_no_hold(struct seat_request *request)
{
	http_reply_problem(request->exchange, &http_problem_not_found, "There is no such hold.");
}

void seat_reply_gone(struct seat_request *request)
{
	http_reply_problem(request->exchange, &hold_expired, NULL);
}

/* ---- Orders ---- */

static void add_tickets(
	struct buffer *text, const struct seat_request *request, const struct buy_result *result)
{
	buffer_add_text(text, ",\"tickets\":[");
	for (size_t i = 0; i < result->ticket_count; i++) {
		const struct buy_ticket *ticket = &result->tickets[i];
		const struct seat_offer *offer =
			request->sold ? seat_listing_find(request->sold, ticket->seat) : NULL;
		char item[SEAT_ITEM_TEXT_SIZE];
		buffer_add_format(text, "%s{\"ticketId\":\"%s\"", i > 0 ? "," : "",
			seat_item_text(request->event, ticket->ticket, item));
		seat_add_text(text, "seatId", ticket->seat);
		if (offer) {
			seat_add_text(text, "section", offer->section);
			seat_add_text(text, "row", offer->row);
			seat_add_text(text, "number", offer->number);
			seat_add_integer(text, "price", offer->price);
		}
		buffer_add_text(text, "}");
	}
	buffer_add_text(text, "]");
}

/* The event as this server sells it, for the labels of tickets. */
static void find_event(struct seat_request *request)
{
	const struct seat_routes *routes = http_context(request->exchange);
	for (size_t i = 0; i < routes->options.event_count && !request->sold; i++)
		if (seat_ids_equal(routes->options.events[i]->id, request->event))
			request->sold = routes->options.events[i];
}

void seat_reply_order(
	struct seat_request *request, const struct buy_result *result, struct buffer *text)
{
	char item[SEAT_ITEM_TEXT_SIZE], location[SEAT_ITEM_TEXT_SIZE + sizeof "/orders/"];
	bool buying = request->operation == SEAT_ASK_BUY;
	find_event(request);
	begin(text, "orderId", request->event, request->order);
	add_event(text, request->event);
	seat_add_text(text, "status", slice_of(order_status_name(result->status)));
	if (result->total.currency[0] != '\0') {
		seat_add_integer(text, "total", result->total.minor);
		seat_add_text(text, "currency", slice_of(result->total.currency));
	}
	if (result->outcome == BUY_PAID)
		add_tickets(text, request, result);
	if (result->outcome == BUY_DECLINED && result->reason[0] != '\0')
		seat_add_text(text, "reason", slice_of(result->reason));
	if (result->outcome == BUY_REQUIRES_ACTION && result->action_url[0] != '\0')
		seat_add_text(text, "nextActionUrl", slice_of(result->action_url));
	end(request, !buying || result->outcome == BUY_PAID ? 200 : 202, text);
	(void)snprintf(location, sizeof location, "/orders/%s",
		seat_item_text(request->event, request->order, item));
	if (buying)
		http_reply_header(request->exchange, "Location", location);
}

static void reply_declined(struct seat_request *request, const struct buy_result *result)
{
	char item[SEAT_ITEM_TEXT_SIZE];
	http_reply_problem_with(request->exchange, &payment_declined,
		json_pack("{s:s, s:s}", "orderId",
			seat_item_text(request->event, request->order, item), "reason",
			result->reason),
		"%s",
		result->status == ORDER_DECLINED
			? "The seats stay held. To pay with something else is another order, with "
			  "another Idempotency-Key."
			: "No money is kept, and the seats are free.");
}

void seat_reply_buy(
	struct seat_request *request, const struct buy_result *result, struct buffer *text)
{
	switch (result->outcome) {
	case BUY_PAID:
	case BUY_REQUIRES_ACTION:
	case BUY_PENDING:
		seat_reply_order(request, result, text);
		break;
	case BUY_DECLINED:
		reply_declined(request, result);
		break;
	case BUY_EXPIRED:
		seat_reply_gone(request);
		break;
	case BUY_NOT_HELD:
	case BUY_NOT_YOURS:
		seat_reply_no_hold(request);
		break;
	case BUY_OTHER_ORDER:
		http_reply_problem(request->exchange, &hold_sold,
			"Another order has bought it, or is about to.");
		break;
	case BUY_OTHER_REQUEST:
		http_reply_problem(request->exchange, &key_reused, NULL);
		break;
	case BUY_MALFORMED:
	case BUY_OUTCOME_COUNT:
		http_reply_problem(request->exchange, &http_problem_unprocessable,
			"The user or the payment method is none that can be.");
		break;
	}
}

void seat_reply_stuck(struct seat_request *request, const struct stuck_order orders[], size_t count,
	struct buffer *text)
{
	buffer_reset(text);
	buffer_add_text(text, "{\"items\":[");
	for (size_t i = 0; i < count; i++) {
		const struct stuck_order *order = &orders[i];
		char item[SEAT_ITEM_TEXT_SIZE];
		buffer_add_format(text, "%s{\"orderId\":\"%s\"", i > 0 ? "," : "",
			seat_item_text(order->event, order->order, item));
		seat_add_text(text, "status", slice_of(order_status_name(order->status)));
		add_time(text, "since", order->since_ms);
		seat_add_text(text, "note", order->note);
		if (order->reference.data)
			seat_add_text(text, "paymentReference", order->reference);
		buffer_add_text(text, "}");
	}
	buffer_add_text(text, "]");
	end(request, 200, text);
}

/* ---- What did not go well ---- */

void seat_reply_failed(struct seat_request *request, enum status status)
{
	http_reply_problem(request->exchange, &http_problem_unavailable,
		status == STATUS_UNKNOWN
			? "It was not confirmed; to send the request again, with the same "
			  "Idempotency-Key, is safe."
			: "The service behind does not answer; nothing was done.");
}

void seat_reply_refused(struct seat_request *request, const char *why)
{
	http_reply_problem(request->exchange, &http_problem_unavailable, "%s", why);
}
