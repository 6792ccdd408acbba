/* What the files of the product's orders share. */
#pragma once

#include "real-implementation/orders.h"
#include "tech-two-phase-payments/order_write.h"

_Static_assert((int)ORDERS_ID_SIZE == (int)ORDER_KEY_SIZE_MAX + 1, "an order's id is its key");
_Static_assert((int)ORDERS_PERSON_SIZE_MAX <= (int)ORDER_PERSON_SIZE_MAX, "a person can follow");

struct orders {
	struct orders_options options;
	struct order_writer *writer;
	_Atomic(struct order_feed *) feed; /* NULL until there is a channel. */
};

/* The writer's `refuse`; the context is the orders. */
void orders_refuse(void *context, const struct order_refusal *refusal);
