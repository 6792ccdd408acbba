/* What every technique of the checkout must do.
 *
 * A technique hands over a factory and is asked the same questions as all others: through the
 * contract, with a real provider adapter and the provider's simulator as a program. A check uses an
 * event of its own. When it is through and all is quiet, the technique's judge holds orders, seats,
 * tickets and the provider's ledger against each other. Nothing asserts that something was quick.
 *
 *	return checkout_conformance(&fixture.factory);
 *
 * A check returns what is violated instead of ending the program, so that a technique with a guard
 * off can be shown to be seen. */
#pragma once

#include "tech-locking-and-transactions/checkout.h"
#include "tech-locking-and-transactions/seat_store_conformance.h"
#include "tech-two-phase-payments/simulator/simulator_fixture.h"

struct checkout_factory {
	const char *name;                       /* Of the tests' group. */
	void *context;                          /* Handed to each function below. */
	const struct seat_store_factory *seats; /* Where the holds are made. */
	struct simulator_fixture *simulator;    /* Of the calling thread. */

	/* Open one more instance on the same orders. A call of it waits for no more than a few
	 * seconds. Any thread. */
	enum status (*open)(void *context, struct checkout **checkout);
	/* Wait until nothing will happen any more by itself. False: it does not come to rest. */
	bool (*wait_quiet)(void *context);
	/* Whether the orders, seats, tickets and payments of an event are at odds with each other:
	 * NULL, or how, in `message`. Invariants 1, 2, 3 and 8 of product.md. */
	const char *(*judge)(void *context, struct id event, char *message, size_t message_size);
	/* kill -9 the database and start it again; where it is one, both do the same. */
	enum status (*restart_seats)(void *context);
	enum status (*restart_orders)(void *context);
};

/* Run all checks as a group of cmocka, and return how many failed: what main returns. */
int checkout_conformance(const struct checkout_factory *factory);

/* The names of the checks, ended by NULL. */
const char *const *checkout_check_names(void);

/* Run one check. NULL: nothing to say. Otherwise what is violated, a text in `message`. */
const char *checkout_check(const struct checkout_factory *factory, const char *name, char *message,
	size_t message_size);
