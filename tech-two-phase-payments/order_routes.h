/* The order server's HTTP front: it checks what is sent, and hands it on. */
#pragma once

#include <stdatomic.h>

#include "lib/http/exchange.h"
#include "lib/postgres/postgres.h"
#include "tech-two-phase-payments/order_feed.h"
#include "tech-two-phase-payments/order_write.h"
#include "tech-two-phase-payments/payment_provider.h"

enum {
	ORDER_ITEMS_MAX = 50,
	ORDER_DESCRIPTION_SIZE_MAX = 200,
	/* In the currency's minor unit; no provider takes more than eight digits. */
	ORDER_TOTAL_MAX = 99999999,
};

/* The context of the server. */
struct order_front {
	struct postgres **readers; /* One per worker. */
	struct order_writer *writer;
	/* Set when the server listens, since its channel is the server's; until then 503. */
	_Atomic(struct order_feed *) feed;
	const struct payment_provider *provider; /* Only to verify webhooks. */
	const char *admin_token;
};

extern const struct http_route order_routes[];
extern const size_t order_route_count;
