/* See orders.h: the requests. Whatever looks like a card number is refused here, before it is
 * stored or logged anywhere. */
#include <assert.h>

#include "lib/base/clock.h"
#include "lib/base/id.h"
#include "lib/base/limits.h"
#include "lib/http/fields.h"
#include "real-implementation/order_statements.sql.h"
#include "real-implementation/orders_internal.h"
#include "tech-two-phase-payments/payment_card.h"
#include "tech-two-phase-payments/payment_provider.h"

enum { BODY_MAX = 4 << 10 };

static const struct postgres_statement read_order = {
	.name = "read_order", .sql = sql_read_order, .effect = POSTGRES_READS};
static const struct postgres_statement list_orders = {
	.name = "list_orders", .sql = sql_list_orders, .effect = POSTGRES_READS};

static const struct http_problem card_problem = {
	422, "card-number", "Card numbers are not taken here; give a payment method's token"};

static void make_order(struct http_exchange *exchange);
static void list_own(struct http_exchange *exchange);
static void read_one(struct http_exchange *exchange);
static void follow(struct http_exchange *exchange);
static void confirm(struct http_exchange *exchange);
static void cancel(struct http_exchange *exchange);

const struct http_route order_route_table[] = {
	{HTTP_POST, "/orders", HTTP_ON_LOOP, make_order, BODY_MAX},
	{HTTP_GET, "/orders", HTTP_ON_WORKER, list_own, 0},
	{HTTP_GET, "/orders/{orderId}", HTTP_ON_WORKER, read_one, 0},
	{HTTP_GET, "/orders/{orderId}/stream", HTTP_ON_LOOP, follow, 0},
	{HTTP_POST, "/orders/{orderId}/confirm", HTTP_ON_LOOP, confirm, BODY_MAX},
	{HTTP_POST, "/orders/{orderId}/cancel", HTTP_ON_LOOP, cancel, BODY_MAX},
};
const size_t order_route_table_count = sizeof order_route_table / sizeof *order_route_table;

/* ---- What all requests have ---- */

static bool who(struct http_exchange *exchange, struct slice *person)
{
	const struct orders *orders = http_context(exchange);
	if (!orders->options.person(orders->options.person_context, exchange, person))
		return false;
	assert(person->size > 0 && person->size <= ORDERS_PERSON_SIZE_MAX);
	return true;
}

/* An id of the form "<event>.<own>". */
struct pair {
	struct id event, own;
};

static bool pair_parse(struct slice text, struct pair *pair)
{
	const size_t id_size = ID_TEXT_SIZE - 1;
	return text.size == 2 * id_size + 1 && text.data[id_size] == '.' &&
		id_parse((struct slice){text.data, id_size}, &pair->event) &&
		id_parse((struct slice){text.data + id_size + 1, id_size}, &pair->own);
}

/* As we write it, however the client has; in the exchange's arena. Its `data` is NULL when memory
 * is short, and then it has replied. */
static struct slice pair_text(struct http_exchange *exchange, const struct pair *pair)
{
	char event[ID_TEXT_SIZE], own[ID_TEXT_SIZE];
	id_format(pair->event, event);
	id_format(pair->own, own);
	struct slice text = arena_format(http_arena(exchange), "%s.%s", event, own);
	if (!text.data)
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
	return text;
}

static bool parse_order(struct http_exchange *exchange, struct pair *order)
{
	if (pair_parse(http_parameter(exchange, "orderId"), order))
		return true;
	http_reply_problem(exchange, &http_problem_not_found, "There is no such order.");
	return false;
}

/* ---- Reading ---- */

/* Reply with the one text that a statement gives; without a row, 404. */
static void reply_read(struct http_exchange *exchange, const struct postgres_statement *statement,
	const struct postgres_parameter parameters[], size_t count)
{
	const struct orders *orders = http_context(exchange);
	struct postgres_result result;
	enum status status = postgres_execute(orders->options.readers[http_worker(exchange)],
		statement, parameters, count, &result);
	if (status == STATUS_UNAVAILABLE)
		http_reply_problem(
			exchange, &http_problem_unavailable, "The database does not answer.");
	else if (status != STATUS_OK)
		http_reply_problem(exchange, &http_problem_internal, NULL);
	else if (result.row_count == 0)
		http_reply_problem(exchange, &http_problem_not_found, "There is no such order.");
	else
		http_reply_json_text(exchange, 200, postgres_get_text(&result, 0, 0));
	postgres_result_release(&result);
}

static void read_one(struct http_exchange *exchange)
{
	struct slice person;
	struct pair order;
	if (who(exchange, &person) && parse_order(exchange, &order))
		reply_read(exchange, &read_order,
			POSTGRES_PARAMETERS(postgres_uuid(order.event), postgres_uuid(order.own),
				postgres_text(person)));
}

/* A cursor is the id of the last order of the page before. */
static void list_own(struct http_exchange *exchange)
{
	static const char *const names[] = {"limit", "cursor", NULL};
	struct slice person, text;
	int64_t limit = LIMIT_PAGE_ITEMS_DEFAULT;
	struct pair before;
	memset(&before, 0xff, sizeof before);
	if (!who(exchange, &person) || !http_query_only(exchange, names))
		return;
	if (http_query(exchange, "limit", &text) &&
		!slice_to_integer(text, 1, LIMIT_PAGE_ITEMS_MAX, &limit)) {
		http_reply_problem(exchange, &http_problem_bad_request,
			"The limit must be a number from 1 to %d.", LIMIT_PAGE_ITEMS_MAX);
		return;
	}
	if (http_query(exchange, "cursor", &text) && !pair_parse(text, &before)) {
		http_reply_problem(exchange, &http_problem_bad_request,
			"The cursor must be the `next` of an earlier page.");
		return;
	}
	reply_read(exchange, &list_orders,
		POSTGRES_PARAMETERS(postgres_text(person), postgres_uuid(before.own),
			postgres_integer((int32_t)limit)));
}

static void follow(struct http_exchange *exchange)
{
	struct orders *orders = http_context(exchange);
	struct order_feed *feed = atomic_load(&orders->feed);
	struct slice person, key;
	struct pair order;
	if (!who(exchange, &person) || !parse_order(exchange, &order) ||
		!(key = pair_text(exchange, &order)).data)
		return;
	if (feed)
		order_feed_follow(feed, exchange, key, person);
	else
		http_reply_problem(
			exchange, &http_problem_unavailable, "The server is just starting.");
}

/* ---- Writing ---- */

/* A request of somebody's with a key. NULL: it has replied. */
static struct order_write *write_new(struct http_exchange *exchange, enum order_write_kind kind)
{
	struct slice person;
	if (!who(exchange, &person))
		return NULL;
	struct order_write *write = arena_calloc(http_arena(exchange), 1, sizeof *write);
	if (!write) {
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
		return NULL;
	}
	write->kind = kind;
	write->exchange = exchange;
	write->caller = person;
	return http_idempotency_read(exchange, HTTP_KEY_REQUIRED, &write->idempotency) ? write
										       : NULL;
}

static void submit(struct order_write *write)
{
	const struct orders *orders = http_context(write->exchange);
	order_writer_submit(orders->writer, write);
}

static void submit_for_order(struct order_write *write)
{
	struct pair order;
	if (!parse_order(write->exchange, &order))
		return;
	write->order = pair_text(write->exchange, &order);
	if (write->order.data)
		submit(write);
}

/* The order has the hold's event in its id. */
static void make_order(struct http_exchange *exchange)
{
	struct http_fields fields;
	struct pair hold;
	struct order_write *write = write_new(exchange, ORDER_WRITE_CREATE);
	if (!write)
		return;
	http_fields_begin(&fields, exchange);
	struct slice given = http_field_text(&fields, "holdId", LIMIT_NAME_SIZE_MAX);
	if (!http_fields_end(&fields))
		return;
	if (!pair_parse(given, &hold)) {
		http_reply_problem(exchange, &http_problem_not_found, "There is no such hold.");
		return;
	}
	const struct pair order = {hold.event, id_new(clock_wall_ms(clock_system()))};
	struct slice hold_text = pair_text(exchange, &hold);
	if (!hold_text.data || !(write->order = pair_text(exchange, &order)).data)
		return;
	write->content =
		arena_format(http_arena(exchange), "{\"holdId\":\"%.*s\"}", SLICE_PRINT(hold_text));
	if (write->content.data)
		submit(write);
	else
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
}

/* Whether the method is well; without one the writer decides, since only it knows the total. */
static bool read_method(struct http_exchange *exchange, struct slice *method)
{
	struct http_fields fields;
	http_fields_begin(&fields, exchange);
	if (http_field_given(&fields, "paymentMethod"))
		*method = http_field_text(&fields, "paymentMethod", PAYMENT_METHOD_SIZE_MAX);
	bool is_card = method->data && payment_looks_like_card(*method);
	if (fields.object && method->data && !is_card &&
		!slice_is_id(*method, PAYMENT_METHOD_SIZE_MAX))
		http_field_refuse(&fields, "paymentMethod", "must be the provider's token");
	if (!http_fields_end(&fields))
		return false;
	if (is_card)
		http_reply_problem(exchange, &card_problem, NULL);
	return !is_card;
}

static void confirm(struct http_exchange *exchange)
{
	struct order_write *write = write_new(exchange, ORDER_WRITE_CONFIRM);
	if (write && read_method(exchange, &write->payment_method))
		submit_for_order(write);
}

/* There is nothing to say; `{}` is as good as no body. */
static void cancel(struct http_exchange *exchange)
{
	struct http_fields fields;
	struct order_write *write = write_new(exchange, ORDER_WRITE_CANCEL);
	if (!write)
		return;
	if (http_body(exchange).size > 0) {
		http_fields_begin(&fields, exchange);
		if (!http_fields_end(&fields))
			return;
	}
	submit_for_order(write);
}
