/* A private PostgreSQL with a seat store in one technique, as a factory for the suite. For tests.
 */
#pragma once

#include <pthread.h>

#include "lib/testkit/fault_proxy.h"
#include "lib/testkit/postgres_fixture.h"
#include "tech-locking-and-transactions/postgres/postgres_seats.h"
#include "tech-locking-and-transactions/seat_store_conformance.h"

struct seats_fixture {
	struct postgres_fixture postgres;
	struct fault_proxy *proxy;
	struct postgres *blocker; /* Keeps rows locked. */
	struct postgres *judge;   /* Looks. */
	enum postgres_seats_technique technique;
	struct seat_store_factory factory;
};

/* Start a cluster of this name. */
__attribute__((warn_unused_result)) enum status seats_fixture_start(
	struct seats_fixture *fixture, const char *name, enum postgres_seats_technique technique);
void seats_fixture_stop(struct seats_fixture *fixture);

/* The factory's, for tests that need them. */
enum status seats_fixture_open(struct seats_fixture *fixture,
	enum postgres_seats_technique technique, struct seat_store **store);
const char *seats_fixture_judge(void *context, struct id event, char *message, size_t message_size);

/* How many sessions wait for a lock. */
int64_t seats_fixture_waiting(struct seats_fixture *fixture);
