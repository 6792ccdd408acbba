/* Private databases, a provider's simulator, and a checkout of one technique over them, as a
 * factory for the suite. For tests; the thread that starts it asks the simulator. */
#pragma once

#include "tech-locking-and-transactions/checkout_conformance.h"
#include "tech-locking-and-transactions/checkout_orders.h"
#include "tech-locking-and-transactions/postgres/postgres_seats_fixture.h"

/* Where a process finds what it works with. */
struct checkout_places {
	const char *seats_url, *orders_url, *provider_url, *provider_key;
	int64_t wait_ms, lease_ms; /* As in checkout_orders.h. */
};

/* A technique, for tests. */
struct checkout_subject {
	const char *name;
	bool has_orders_apart; /* A cluster of their own. */
	/* Open its engine at these places; the providers become the engine's. */
	enum status (*engine)(const struct checkout_places *places,
		struct payment_provider *const providers[ORDER_STAGES],
		struct checkout_orders **orders, struct fault *fault);
	/* Open an instance. */
	enum status (*open)(const struct checkout_places *places, struct checkout_orders *orders,
		struct checkout **checkout, struct fault *fault);
};

struct checkout_fixture {
	const struct checkout_subject *subject;
	struct seats_fixture seats;
	struct postgres_fixture orders_cluster;
	struct simulator_fixture simulator;
	struct postgres *orders_judge, *seats_judge;
	struct checkout_places places;
	struct checkout_orders *orders;
	struct checkout_factory factory;
};

/* Start clusters named after the technique and `name`, and a simulator. With an engine of this
 * process unless `is_bare`, where the test has processes of its own. */
enum checkout_fixture_kind { CHECKOUT_FIXTURE_WHOLE, CHECKOUT_FIXTURE_BARE };
__attribute__((warn_unused_result)) enum status checkout_fixture_start(
	struct checkout_fixture *fixture, const struct checkout_subject *subject, const char *name,
	enum checkout_fixture_kind kind);
void checkout_fixture_stop(struct checkout_fixture *fixture);

/* Open and start an engine at these places, and a provider for each of its stages. */
__attribute__((warn_unused_result)) enum status checkout_fixture_engine(
	const struct checkout_subject *subject, const struct checkout_places *places,
	struct checkout_orders **orders);

/* The factory's, for tests that need them. */
bool checkout_fixture_wait_quiet(void *context);
const char *checkout_fixture_judge(
	void *context, struct id event, char *message, size_t message_size);
