/* See order_routes.h. Whatever looks like a card number is refused here, before it is stored or
 * logged anywhere. */
#include "tech-two-phase-payments/order_routes.h"

#include "lib/base/clock.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"
#include "lib/http/bearer.h"
#include "lib/http/fields.h"
#include "lib/http/health.h"
#include "lib/http/server_metrics.h"
#include "tech-two-phase-payments/order_statements.sql.h"
#include "tech-two-phase-payments/payment_card.h"

static const struct postgres_statement read_order = {
	.name = "read_order", .sql = sql_read_order, .effect = POSTGRES_READS};
static const struct postgres_statement read_stuck = {
	.name = "read_stuck", .sql = sql_read_stuck, .effect = POSTGRES_READS};

static const struct http_problem card_problem = {
	422, "card-number", "Card numbers are not taken here; give a payment method's token"};

enum { ORDER_BODY_MAX = 32 << 10, SMALL_BODY_MAX = 4 << 10 };

static void make_order(struct http_exchange *exchange);
static void read_one(struct http_exchange *exchange);
static void follow(struct http_exchange *exchange);
static void confirm(struct http_exchange *exchange);
static void finalize(struct http_exchange *exchange);
static void cancel(struct http_exchange *exchange);
static void take_event(struct http_exchange *exchange);
static void list_stuck(struct http_exchange *exchange);

const struct http_route order_routes[] = {
	{HTTP_GET, "/healthz", HTTP_ON_LOOP, http_reply_healthz, 0},
	{HTTP_GET, "/readyz", HTTP_ON_LOOP, http_reply_readyz, 0},
	{HTTP_GET, "/metrics", HTTP_ON_WORKER, http_reply_metrics, 0},
	{HTTP_POST, "/orders", HTTP_ON_LOOP, make_order, ORDER_BODY_MAX},
	{HTTP_GET, "/orders/{orderId}", HTTP_ON_WORKER, read_one, 0},
	{HTTP_GET, "/orders/{orderId}/stream", HTTP_ON_LOOP, follow, 0},
	{HTTP_POST, "/orders/{orderId}/confirm", HTTP_ON_LOOP, confirm, SMALL_BODY_MAX},
	{HTTP_POST, "/orders/{orderId}/finalize", HTTP_ON_LOOP, finalize, SMALL_BODY_MAX},
	{HTTP_POST, "/orders/{orderId}/cancel", HTTP_ON_LOOP, cancel, SMALL_BODY_MAX},
	{HTTP_POST, "/webhooks/stripe", HTTP_ON_LOOP, take_event, PAYMENT_EVENT_BYTES_MAX},
	{HTTP_GET, "/admin/stuck", HTTP_ON_WORKER, list_stuck, 0},
};
const size_t order_route_count = sizeof order_routes / sizeof *order_routes;

/* ---- Reading ---- */

static bool parse_order(struct http_exchange *exchange, struct id *order_id)
{
	if (id_parse(http_parameter(exchange, "orderId"), order_id))
		return true;
	http_reply_problem(exchange, &http_problem_not_found, "There is no such order.");
	return false;
}

/* The id as the writer and the feed know the order by: as we write it, however the client has. */
static bool order_key(struct http_exchange *exchange, struct id order_id, struct slice *key)
{
	char text[ID_TEXT_SIZE];
	id_format(order_id, text);
	*key = (struct slice){arena_copy(http_arena(exchange), slice_of(text)), sizeof text - 1};
	if (!key->data)
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
	return key->data != NULL;
}

static bool parse_key(struct http_exchange *exchange, struct slice *key)
{
	struct id order_id;
	return parse_order(exchange, &order_id) && order_key(exchange, order_id, key);
}

/* Reply with the one text that a statement gives; without a row, 404. */
static void reply_read(struct http_exchange *exchange, const struct postgres_statement *statement,
	const struct postgres_parameter parameters[], size_t count)
{
	const struct order_front *front = http_context(exchange);
	struct postgres_result result;
	enum status status = postgres_execute(
		front->readers[http_worker(exchange)], statement, parameters, count, &result);
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
	struct id order_id;
	if (parse_order(exchange, &order_id))
		reply_read(exchange, &read_order, POSTGRES_PARAMETERS(postgres_uuid(order_id)));
}

static void follow(struct http_exchange *exchange)
{
	struct order_front *front = http_context(exchange);
	struct order_feed *feed = atomic_load(&front->feed);
	struct slice order;
	if (!parse_key(exchange, &order))
		return;
	if (feed)
		order_feed_follow(feed, exchange, order, (struct slice){.data = NULL});
	else
		http_reply_problem(
			exchange, &http_problem_unavailable, "The server is just starting.");
}

static void list_stuck(struct http_exchange *exchange)
{
	const struct order_front *front = http_context(exchange);
	if (http_admin_asks(exchange, slice_of(front->admin_token)))
		reply_read(exchange, &read_stuck, POSTGRES_NO_PARAMETERS);
}

/* ---- Writing ---- */

static struct order_write *write_new(struct http_exchange *exchange, enum order_write_kind kind)
{
	struct order_write *write = arena_calloc(http_arena(exchange), 1, sizeof *write);
	if (!write) {
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
		return NULL;
	}
	write->kind = kind;
	write->exchange = exchange;
	return write;
}

static void submit(struct order_write *write)
{
	const struct order_front *front = http_context(write->exchange);
	order_writer_submit(front->writer, write);
}

static bool refuse_card(struct http_exchange *exchange, struct slice text)
{
	if (!text.data || !payment_looks_like_card(text))
		return false;
	http_reply_problem(exchange, &card_problem, NULL);
	return true;
}

/* The item's amount; 0 when it is wrong, and then it was replied. */
static int64_t read_item(struct http_fields *fields, size_t index, const json_t *item)
{
	char name[32];
	const json_t *text = json_object_get(item, "description");
	int64_t amount = json_integer_value(json_object_get(item, "amount"));
	struct slice description = {
		.data = json_string_value(text), .size = json_string_length(text)};
	(void)snprintf(name, sizeof name, "items/%zu", index);
	if (!json_is_object(item) || json_object_size(item) != 2 || !description.data ||
		description.size == 0 || description.size > ORDER_DESCRIPTION_SIZE_MAX ||
		!slice_is_text(description))
		http_field_refuse(fields, name,
			"must have a description of 1 to %d bytes and an amount",
			ORDER_DESCRIPTION_SIZE_MAX);
	else if (amount < 1 || amount > ORDER_TOTAL_MAX)
		http_field_refuse(fields, name, "must have an amount of 1 to %d in minor units",
			ORDER_TOTAL_MAX);
	else if (payment_looks_like_card(description))
		http_field_refuse(fields, name, "seems to have a card number in it");
	else
		return amount;
	return 0;
}

/* Sum up the items. Borrowed from the body; NULL where they are wrong. */
static json_t *read_items(struct http_fields *fields, int64_t *total)
{
	json_t *items = NULL;
	if (http_field_given(fields, "items"))
		items = json_object_get(fields->object, "items");
	size_t count = json_array_size(items);
	if (!json_is_array(items) || count < 1 || count > ORDER_ITEMS_MAX)
		http_field_refuse(
			fields, "items", "must be a list of 1 to %d items", ORDER_ITEMS_MAX);
	for (size_t i = 0; i < count && fields->object; i++)
		*total += read_item(fields, i, json_array_get(items, i));
	if (*total > ORDER_TOTAL_MAX)
		http_field_refuse(fields, "items", "must not cost more than %d", ORDER_TOTAL_MAX);
	return fields->object ? items : NULL;
}

/* What the statement makes an order of. Its `data` is NULL when memory is short. */
static struct slice order_content(
	struct http_exchange *exchange, const char *currency, json_t *items, int64_t total)
{
	struct slice content = {.data = NULL};
	json_t *object = json_pack(
		"{s:s,s:O,s:I}", "currency", currency, "items", items, "total", (json_int_t)total);
	char *text = json_dumps(object, JSON_COMPACT);
	if (text)
		content = (struct slice){
			arena_copy(http_arena(exchange), slice_of(text)), strlen(text)};
	free(text);
	json_decref(object);
	return content;
}

static void make_order(struct http_exchange *exchange)
{
	struct http_fields fields;
	struct fault fault;
	char currency[CURRENCY_TEXT_SIZE] = "";
	int64_t total = 0;
	struct order_write *write = write_new(exchange, ORDER_WRITE_CREATE);
	if (!write || !http_idempotency_read(exchange, HTTP_KEY_REQUIRED, &write->idempotency))
		return;
	http_fields_begin(&fields, exchange);
	write->caller = http_field_id(&fields, "userId");
	struct slice code = http_field_text(&fields, "currency", CURRENCY_TEXT_SIZE - 1);
	json_t *items = read_items(&fields, &total);
	if (fields.object && money_parse_currency(code, currency, &fault) != STATUS_OK)
		http_field_refuse(&fields, "currency", "must be a code of ISO 4217, as EUR");
	if (!http_fields_end(&fields) || refuse_card(exchange, write->caller))
		return;
	write->content = order_content(exchange, currency, items, total);
	if (!write->content.data)
		http_reply_problem(exchange, &http_problem_unavailable, "Memory is short.");
	else if (order_key(exchange, id_new(clock_wall_ms(clock_system())), &write->order))
		submit(write);
}

/* The order, and its id as the caller: whoever knows it may do what is left to do. */
static bool parse_target(struct order_write *write)
{
	bool good = parse_key(write->exchange, &write->order);
	write->caller = write->order;
	return good;
}

static void confirm(struct http_exchange *exchange)
{
	struct http_fields fields;
	struct order_write *write = write_new(exchange, ORDER_WRITE_CONFIRM);
	if (!write || !http_idempotency_read(exchange, HTTP_KEY_REQUIRED, &write->idempotency))
		return;
	http_fields_begin(&fields, exchange);
	write->payment_method = http_field_text(&fields, "paymentMethod", PAYMENT_METHOD_SIZE_MAX);
	if (fields.object && !payment_looks_like_card(write->payment_method) &&
		!slice_is_id(write->payment_method, PAYMENT_METHOD_SIZE_MAX))
		http_field_refuse(&fields, "paymentMethod", "must be the provider's token");
	if (!http_fields_end(&fields) || refuse_card(exchange, write->payment_method) ||
		!parse_target(write))
		return;
	submit(write);
}

/* Requests without anything to say; `{}` is as good as no body. */
static void write_bare(struct http_exchange *exchange, enum order_write_kind kind)
{
	struct http_fields fields;
	struct order_write *write = write_new(exchange, kind);
	if (!write || !http_idempotency_read(exchange, HTTP_KEY_REQUIRED, &write->idempotency))
		return;
	if (http_body(exchange).size > 0) {
		http_fields_begin(&fields, exchange);
		if (!http_fields_end(&fields))
			return;
	}
	if (parse_target(write))
		submit(write);
}

static void finalize(struct http_exchange *exchange)
{
	write_bare(exchange, ORDER_WRITE_FINALIZE);
}

static void cancel(struct http_exchange *exchange)
{
	write_bare(exchange, ORDER_WRITE_CANCEL);
}

/* ---- What the provider sends ---- */

/* An event is a hint: it says that looking the payment up is worth while, and which one. So it does
 * no harm when it comes twice, late or not in order, and none need be remembered. */
static void take_event(struct http_exchange *exchange)
{
	const struct order_front *front = http_context(exchange);
	const struct payment_provider *provider = front->provider;
	struct slice signature = {.data = NULL};
	struct payment_event event;
	struct fault fault;
	(void)http_header(exchange, provider->traits.webhook_header, &signature);
	if (payment_read_event(provider, signature, http_body(exchange),
		    clock_wall_ms(clock_system()), &event, &fault) != STATUS_OK) {
		log_warning("orders.event_refused", LOG_TEXT("where", fault.where),
			LOG_TEXT("why", fault.what));
		http_reply_problem(exchange, &http_problem_bad_request,
			"This is no event that the payment provider has signed just now.");
		return;
	}
	if (event.outcome == PAYMENT_NONE || event.reference[0] == '\0') {
		http_reply_empty(exchange, 200);
		return;
	}
	struct order_write *write = write_new(exchange, ORDER_WRITE_WAKE);
	if (!write)
		return;
	struct slice reference = slice_of(event.reference);
	write->reference =
		(struct slice){arena_copy(http_arena(exchange), reference), reference.size};
	submit(write);
}
