/* A checkout for tests of the routes: it sells by a seat store, and money is what the payment
 * method says. Orders live in a set that several instances share; nothing of it outlives a test.
 *
 *	pm_visa       pays
 *	pm_declined   is declined, with the reason "card_declined"
 *	pm_action     wants to be approved, until fake_orders_approve
 *	pm_pending    is pending, until fake_orders_approve
 *	pm_stuck      is pending and stuck
 */
#pragma once

#include "tech-locking-and-transactions/checkout.h"
#include "tech-locking-and-transactions/seat_store.h"

enum { FAKE_BATCH_MAX = 3, FAKE_ORDERS_MAX = 4096 };

struct fake_orders;

struct fake_orders *fake_orders_new(void);
void fake_orders_free(struct fake_orders *orders);

/* Whoever is to approve does so, and the provider makes up its mind. */
void fake_orders_approve(struct fake_orders *orders);

/* How many payments were taken, and how often `recover` was called. */
size_t fake_orders_paid(struct fake_orders *orders);
size_t fake_orders_recoveries(struct fake_orders *orders);

/* `store` becomes the checkout's. */
struct checkout *fake_checkout_open(struct fake_orders *orders, struct seat_store *store);
