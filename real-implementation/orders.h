/* The product's orders over HTTP: made for a hold, confirmed with a payment method, canceled, read
 * and followed by whoever's they are.
 *
 *	POST /orders {holdId}                          201  requires_confirmation
 *	POST /orders/{orderId}/confirm {paymentMethod} 202  authorizing
 *	POST /orders/{orderId}/cancel                  202  with cancelRequested
 *	GET  /orders/{orderId}                         200
 *	GET  /orders?limit=&cursor=                    200  {items, next?}: one's own, newest first
 *	GET  /orders/{orderId}/stream                  SSE, as order_feed.h
 *
 * An order is {orderId, eventId, holdId, status, version, total, currency, seats, tickets, reason?,
 * nextActionUrl?, cancelRequested?, createdAt, changedAt, expiresAt?}; it has tickets when it is
 * paid. Another's is 404 everywhere.
 *
 * Problems, besides those that all requests have:
 *
 *	order-exists    409  the hold has an order already {orderId, orderStatus}; not one that is
 *	                     canceled or expired
 *	hold-over       410  the hold is over
 *	order-status    409  the order's status does not allow it {orderStatus}
 *	event-canceled  409  nothing is bought of a canceled event any more
 *	order-over      410  it is too late: the order or its hold is over, or being ended
 *	                     {orderStatus}
 *	ticket-scanned  409  a ticket of the order was used, so that it cannot be canceled
 *	card-number     422  a card's number instead of the provider's token
 *
 * Who lets people in by its tickets has to lock the order meanwhile (SELECT … FOR SHARE), and to
 * see whether it is paid and has no mark (`ending`): then a cancellation and a scan that come at
 * once cannot both succeed.
 *
 * DESIGN. An order is a row of the checkout (checkout_orders.h), whose engine does everything that
 * the provider and the seats have to do with; what clients do to it goes through order_write.h,
 *what they are told through order_feed.h, with the statements of this folder. The tables are made
 *by schema/040_orders.sql, after those of the seats and of the checkout.
 *
 *	engine open (changed: orders_tell, by way of the composition) → orders_open → server open →
 *	orders_stream → checkout_orders_start → …
 *	→ checkout_orders_stop → orders_stop → server close → orders_close → engine close */
#pragma once

#include "lib/http/exchange.h"
#include "lib/http/stream.h"
#include "lib/metrics/metrics.h"
#include "lib/postgres/postgres.h"
#include "tech-two-phase-payments/order_payments.h"

enum {
	ORDERS_ID_SIZE = 74, /* "<event>.<order>" and a zero byte. */
	ORDERS_PERSON_SIZE_MAX = 54,
};

struct orders;

struct orders_options {
	const char *database_url;
	int64_t database_ms; /* For one call to it. */
	/* One connection for each worker of the server; they stay the caller's. */
	struct postgres *const *readers;
	/* Whose request it is, up to ORDERS_PERSON_SIZE_MAX bytes, which live as long as the
	 * exchange; false when nobody's, and then it has replied. On a loop or a worker. */
	bool (*person)(void *context, struct http_exchange *exchange, struct slice *person);
	void *person_context;
	/* Orders for this stage of the engine were committed; from orders_open on, on the writer's
	 * thread. */
	void (*wake)(void *context, enum order_stage_kind stage);
	void *wake_context;
	struct metrics *metrics; /* NULL: none. */
};

/* Opens the writer's lane and its connection. UNAVAILABLE when memory or threads are short. */
__attribute__((warn_unused_result)) enum status orders_open(
	const struct orders_options *options, struct orders **orders);

/* From now on streams are answered; before, with 503. `channel` is the server's, and delivers each.
 * UNAVAILABLE as above. */
__attribute__((warn_unused_result)) enum status orders_stream(
	struct orders *orders, struct http_channel *channel);

/* The engine has changed an order: whoever follows it is told. Its form is that of the engine's
 * option `changed`, with the orders as the context; nothing happens before orders_stream. Any
 * thread, until the server closes. */
void orders_tell(void *orders, const struct order_change *change);

/* Tell streams no more. Before the server closes, and after the engine's stop. */
void orders_stop(struct orders *orders);

/* Answer what is queued, and free. After the server has closed. NULL is allowed. */
void orders_close(struct orders *orders);

/* Metrics, before metrics_freeze(). */
void orders_register_metrics(struct metrics *metrics);

/* The routes; their context is a struct orders. */
extern const struct http_route order_route_table[];
extern const size_t order_route_table_count;
