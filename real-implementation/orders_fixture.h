/* The product's orders as their users see them: two servers of this process over one PostgreSQL,
 * one engine of the checkout and one provider simulator. Who asks says so by the header "Person".
 * For tests; whatever goes wrong here fails the running test, so only the test's own thread may
 * call, unless it says otherwise. */
#pragma once

#include "lib/http/stream_fixture.h"
#include "lib/testkit/postgres_fixture.h"
#include "lib/testkit/text.h"
#include "real-implementation/orders.h"
#include "tech-locking-and-transactions/postgres/postgres_checkout.h"
#include "tech-locking-and-transactions/postgres/postgres_seats.h"
#include "tech-two-phase-payments/simulator/simulator_fixture.h"

enum { SHOP_SERVERS = 2, SHOP_WORKERS = 2, SHOP_SEATS = 40, SHOP_PRICE = 2500, HOUR_MS = 3600000 };

#define ALICE "0197a000-0000-7000-8000-00000000a11c"
#define BOB "0197a000-0000-7000-8000-000000000b0b"

struct shop_server {
	struct orders *orders;
	struct http_server *http;
	struct postgres *readers[SHOP_WORKERS];
};

struct shop {
	struct postgres_fixture cluster;
	struct simulator_fixture simulator;
	struct postgres *judge; /* The test's own connection. */
	struct seat_store *seats;
	struct checkout_orders *engine;
	struct shop_server servers[SHOP_SERVERS];
	struct http_client client;
	struct http_client_reply reply; /* The last one. */
	json_t *json;                   /* Its body; NULL when that is no JSON. */
	struct id event;                /* Of this test. */
	size_t next_seat;
};

extern struct shop shop;

/* For cmocka, of the group: start everything, and end it. */
int shop_start(void **state);
int shop_stop(void **state);

/* Of each test: an event of its own, with seats of SHOP_PRICE in euros; and no faults of the
 * provider's left. */
int shop_test_set_up(void **state);
int shop_test_tear_down(void **state);

#define SHOP_TEST(test_) \
	cmocka_unit_test_setup_teardown(test_, shop_test_set_up, shop_test_tear_down)

/* Hold the next `count` seats; its id. */
const char *shop_hold(const char *person, size_t count);

/* Put another event on sale, where everything costs this. */
void shop_stock(int64_t price);

/* Ask the first server as this person (NULL: nobody) and want a reply of this status. `key` becomes
 * the Idempotency-Key; it and `body` may be NULL. The JSON of the reply stays until the next. */
json_t *shop_ask(const char *method, const char *path, const char *person, const char *key,
	const char *body, int status);

/* The last reply is a problem of this kind. */
void shop_want_problem(const char *type);

/* A member of a JSON object: it must be there. */
const char *shop_text(const json_t *json, const char *name);
int64_t shop_number(const json_t *json, const char *name);

/* Make an order for this hold, Alice's, and return its id. */
const char *shop_order(const char *hold);

/* Alice confirms, or does something else, under a key of its own, and gets that status. */
json_t *shop_confirm(const char *order, const char *method, int status);
json_t *shop_cancel(const char *order, int status);

/* Wait until GET tells Alice this status. */
json_t *shop_wait_status(const char *order, const char *status);

/* Follow the order at a server, as this person. */
struct reader *shop_follow(size_t server, const char *order, const char *person);

/* The time of the order's hold is over. */
void shop_pass_time(const char *order);

/* Run a statement on the test's connection; the first value as a number, 0 where there is none. $1
 * is the event, $2 the order or another own id, as texts. */
int64_t shop_query(const char *sql, const char *id);

/* Wait until it gives this number. */
void shop_wait_query(int64_t wanted, const char *sql, const char *id);

/* How many of this kind the provider's ledger has for the order. */
int64_t shop_ledger(const char *order, const char *kind);

/* How many events of this type the outbox has about the order. */
int64_t shop_outbox(const char *order, const char *type);
