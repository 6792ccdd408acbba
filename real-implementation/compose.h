/* Which technology stands behind each interface of the product: the only place that names them.
 *
 *	waiting room    Redis Streams, with its record in PostgreSQL
 *	seats           PostgreSQL, batched; for holds behind a guard in Redis
 *	checkout        PostgreSQL: seats, tickets and order in one transaction
 *	payments        Stripe's API, or whoever speaks it
 *
 * Everything else of the product includes interfaces only, and is given what is opened here. */
#pragma once

#include "lib/base/config.h"
#include "lib/metrics/metrics.h"
#include "tech-locking-and-transactions/checkout_orders.h"
#include "tech-waiting-room/waiting_room_routes.h"

/* Settings of the services, read with those of the program. */
struct compose_settings {
	const char *database_url, *redis_url;
	int64_t database_ms, lock_ms;          /* For one statement; for one lock. */
	int64_t room_ms, place_block;          /* For one call of the waiting room's. */
	int64_t guard_ms, pending_ms, sold_ms; /* See redis_guard.h. */
};
extern struct compose_settings compose_settings;
extern const struct config_setting compose_setting_table[];
extern const size_t compose_setting_count;

/* What guards count. Before metrics_freeze(); NULL: nothing. */
void compose_register_metrics(struct metrics *metrics);

/* An instance of the waiting room, and the same as an opener for waiting_room_routes.h. */
enum status compose_open_streams(struct waiting_room **room, struct fault *fault);
enum status compose_open_room(void *context, struct waiting_room **room, struct fault *fault);

/* A seat store for holds; and one for putting events on sale and for reading. */
enum status compose_open_holds(void *context, struct seat_store **store, struct fault *fault);
enum status compose_open_seats(void *context, struct seat_store **store, struct fault *fault);

/* A payment provider with room for so many calls. */
enum status compose_open_provider(
	size_t calls_max, struct payment_provider **provider, struct fault *fault);

/* The checkout's engine, whose changes of orders are told. */
enum status compose_open_checkout(struct metrics *metrics,
	void (*changed)(void *context, const struct order_change *change), void *changed_context,
	struct checkout_orders **orders, struct fault *fault);
