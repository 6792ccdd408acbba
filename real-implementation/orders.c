/* See orders.h: the orders' life, and why requests are refused. */
#include "real-implementation/orders.h"

#include <stdlib.h>

#include "real-implementation/order_statements.sql.h"
#include "real-implementation/orders_internal.h"

/* As of the checkout's sessions: look-ups by primary key, planned once, also while the tables have
 * no statistics. */
static const char settings[] =
	"-c enable_seqscan=off -c plan_cache_mode=force_generic_plan -c jit=off";

/* What `answers` adds. */
enum {
	ANSWER_SCANNED = ORDER_ANSWER_COLUMNS,
	ANSWER_FREE,
	ANSWER_HOLD_LIVES,
	ANSWER_OTHER,
	ANSWER_OTHER_STATUS,
	ANSWER_EVENT_CANCELED,
};

static const struct http_problem exists_problem = {
	409, "order-exists", "There is an order for this hold already"};
static const struct http_problem hold_over_problem = {410, "hold-over", "The hold is over"};
static const struct http_problem canceled_problem = {
	409, "event-canceled", "The event is canceled; nothing is sold"};
static const struct http_problem scanned_problem = {
	409, "ticket-scanned", "A ticket of this order was used to come in"};

static void on_written(void *context, enum order_write_kind kind)
{
	const struct orders *orders = context;
	if (kind == ORDER_WRITE_CONFIRM)
		orders->options.wake(orders->options.wake_context, ORDER_STAGE_AUTHORIZE);
	else if (kind == ORDER_WRITE_CANCEL)
		orders->options.wake(orders->options.wake_context, ORDER_STAGE_ENDING);
}

enum status orders_open(const struct orders_options *options, struct orders **result)
{
	struct orders *orders = calloc(1, sizeof *orders);
	if (!orders)
		return STATUS_UNAVAILABLE;
	orders->options = *options;
	const struct order_writer_options writer = {
		.database_url = options->database_url,
		.database_settings = settings,
		.database_ms = options->database_ms,
		.sql = {.create = sql_create,
			.confirm = sql_confirm,
			.cancel = sql_cancel,
			.answers = sql_answers,
			.expire = sql_expire,
			.forget_keys = sql_forget_keys},
		.feed = &orders->feed,
		.refuse = orders_refuse,
		.written = on_written,
		.context = orders,
		.metrics = options->metrics,
	};
	if (order_writer_open(&writer, &orders->writer) != STATUS_OK) {
		free(orders);
		return STATUS_UNAVAILABLE;
	}
	*result = orders;
	return STATUS_OK;
}

enum status orders_stream(struct orders *orders, struct http_channel *channel)
{
	const struct order_feed_options options = {
		.database_url = orders->options.database_url,
		.database_settings = settings,
		.database_ms = orders->options.database_ms,
		.read_events = sql_read_events,
		.channel = channel,
		.metrics = orders->options.metrics,
	};
	struct order_feed *feed;
	enum status status = order_feed_open(&options, &feed);
	if (status == STATUS_OK)
		atomic_store(&orders->feed, feed);
	return status;
}

void orders_tell(void *context, const struct order_change *change)
{
	struct orders *orders = context;
	struct order_feed *feed = atomic_load(&orders->feed);
	if (feed)
		order_feed_tell(feed, change);
}

void orders_stop(struct orders *orders)
{
	struct order_feed *feed = atomic_load(&orders->feed);
	if (feed)
		order_feed_stop(feed);
}

void orders_close(struct orders *orders)
{
	if (!orders)
		return;
	order_writer_close(orders->writer);
	order_feed_close(atomic_load(&orders->feed));
	free(orders);
}

void orders_register_metrics(struct metrics *metrics)
{
	order_feed_register_metrics(metrics);
	order_writer_register_metrics(metrics);
}

/* ---- Refusals ---- */

/* Another order comes before the state of the hold: who asks once more after it was bought is told
 * by which. */
static void refuse_create(const struct order_refusal *refusal)
{
	struct http_exchange *exchange = refusal->write->exchange;
	const struct postgres_result *rows = refusal->rows;
	struct slice other = postgres_get_text(rows, refusal->row, ANSWER_OTHER);
	struct slice status = postgres_get_text(rows, refusal->row, ANSWER_OTHER_STATUS);
	if (other.data)
		http_reply_problem_with(exchange, &exists_problem,
			json_pack("{s:s%,s:s%}", "orderId", other.data, other.size, "orderStatus",
				status.data, status.size),
			"It is %.*s.", SLICE_PRINT(status));
	else if (postgres_is_null(rows, refusal->row, ANSWER_HOLD_LIVES))
		http_reply_problem(exchange, &http_problem_not_found, "There is no such hold.");
	else if (!postgres_get_boolean(rows, refusal->row, ANSWER_HOLD_LIVES))
		http_reply_problem(exchange, &hold_over_problem, "Its seats are free again.");
	else if (postgres_get_boolean(rows, refusal->row, ANSWER_EVENT_CANCELED))
		http_reply_problem(exchange, &canceled_problem, NULL);
	else
		http_reply_problem(exchange, &http_problem_unavailable,
			"Another request for this hold was under way. Repeat it.");
}

void orders_refuse(void *context, const struct order_refusal *refusal)
{
	const struct order_write *write = refusal->write;
	const struct postgres_result *rows = refusal->rows;
	bool is_possible = refusal->status.data && refusal->is_legal;
	(void)context;
	if (write->kind == ORDER_WRITE_CREATE)
		refuse_create(refusal);
	else if (is_possible && write->kind == ORDER_WRITE_CANCEL &&
		postgres_get_boolean(rows, refusal->row, ANSWER_SCANNED))
		http_reply_problem(write->exchange, &scanned_problem, NULL);
	else if (is_possible && write->kind == ORDER_WRITE_CONFIRM && !refusal->is_over &&
		postgres_get_boolean(rows, refusal->row, ANSWER_EVENT_CANCELED))
		http_reply_problem(write->exchange, &canceled_problem, NULL);
	else if (is_possible && write->kind == ORDER_WRITE_CONFIRM && !refusal->is_over &&
		!write->payment_method.data &&
		!postgres_get_boolean(rows, refusal->row, ANSWER_FREE))
		http_reply_problem_with(write->exchange, &http_problem_unprocessable,
			json_pack("{s:s}", "pointer", "/paymentMethod"),
			"This order costs something, and needs a paymentMethod.");
	else if (is_possible && !refusal->is_over)
		http_reply_problem(write->exchange, &http_problem_unavailable,
			"The order was just changing. Repeat the request.");
	else
		order_refuse(refusal);
}
