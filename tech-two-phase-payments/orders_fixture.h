/* The order server as its users see it: up to two processes over one PostgreSQL and one provider
 * simulator, all of this test program's own, short ways to ask them, and a judge that holds the
 * orders against the provider's ledger. Whatever goes wrong here fails the running test, so only
 * the test's own thread may call. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <libpq-fe.h>

#include "lib/testkit/http_client.h"
#include "lib/testkit/postgres_fixture.h"
#include "lib/testkit/process.h"
#include "lib/testkit/text.h"
#include "tech-two-phase-payments/simulator/simulator_fixture.h"

#define ORDERS_ADMIN_TOKEN "admin-of-the-orders"
#define ORDERS_WEBHOOK_SECRET "whsec_of_the_orders"

enum {
	ORDERS_SERVERS_MAX = 2,
	ORDERS_SETTINGS_MAX = 32,
	ORDERS_ID_SIZE = 37,
	ORDERS_WAIT_MS_MAX = 120000, /* Of a busy machine under a sanitizer. */
};

struct orders_fixture {
	struct postgres_fixture postgres;
	struct simulator_fixture simulator;
	struct process servers[ORDERS_SERVERS_MAX];
	uint16_t ports[ORDERS_SERVERS_MAX]; /* The same for the whole program. */
	struct http_client client;          /* Of the first server. */
	struct http_client_reply reply;     /* The last one. */
	json_t *json;                       /* Its body; NULL when that is no JSON. */
	PGconn *database;                   /* The test's own connection. */
	const char *database_url;           /* What servers are given; NULL: the cluster's. */
	const char *provider_url;           /* Likewise. */
};

extern struct orders_fixture orders;

/* For cmocka, of the group: make the cluster, and remove it. */
int orders_set_up(void **state);
int orders_tear_down(void **state);

/* For cmocka, of each test: no orders and a new simulator; afterwards the servers that still run
 * are ended, and the test fails when one does not end well or a sanitizer has complained. */
int orders_test_set_up(void **state);
int orders_test_tear_down(void **state);

#define ORDERS_TEST(test_) \
	cmocka_unit_test_setup_teardown(test_, orders_test_set_up, orders_test_tear_down)

/* ---- Servers ---- */

/* Start "orders-server", or a variant, as the server of that index with NAME=value settings (up to
 * the NULL; may be NULL) over those by which tests differ from daily use. Waits until it is ready.
 */
void orders_start(size_t index, const char *program, const char *const settings[]);
#define ORDERS_START(...) orders_start(0, "orders-server", (const char *const[]){__VA_ARGS__, NULL})

/* The same without waiting: a server that is to die may do so at once. */
void orders_start_doomed(size_t index, const char *program, const char *const settings[]);

/* Until it is ready. One that is ended before it listens for signals does not end with 0. */
void orders_wait_ready(size_t index);

/* SIGTERM, and it ends with 0 within 20 s. */
void orders_stop(size_t index);

/* Whether a line of any server's log in this test contains the text. */
bool orders_have_logged(const char *text);

/* ---- Asking ---- */

/* Ask the first server and want a reply of this status; 0: any. `key` becomes the Idempotency-Key
 * and may be NULL, `body` too. The JSON of the reply is returned and stays until the next request.
 */
json_t *orders_ask(
	const char *method, const char *path, const char *key, const char *body, int status);

/* Make an order of 4500 EUR and return its id, which stays as a text does. */
const char *orders_make(void);

/* Confirm or do something else to an order under a key of its own, and want that status. */
void orders_confirm(const char *order, const char *payment_method);
void orders_do(const char *order, const char *what, int status);

/* Wait until GET tells this status. */
void orders_wait_status(const char *order, const char *status);

/* Members of JSON objects: they must be there. */
const char *orders_text(const json_t *json, const char *name);
int64_t orders_number(const json_t *json, const char *name);

/* ---- The database, the provider, and the judge ---- */

/* Run SQL; the first value as a number, 0 where there is none. */
__attribute__((format(printf, 1, 2))) int64_t orders_query(const char *format, ...);

/* The first value as text, which stays as a text does; empty where there is none. */
const char *orders_query_text(const char *sql);

/* Wait until the query gives this number. */
void orders_wait_query(int64_t wanted, const char *sql);

/* Wait until nothing is due, claimed or marked, so that nothing will happen any more by itself. */
void orders_wait_quiet(void);

/* Hold the orders against the provider's ledger, and return how many of them are wrong; each of
 * them, up to ten, is printed, unless `quiet`. An order is right when it was paid for exactly once,
 * or authorized and voided as often (at most once), or refunded in full; and is over. */
enum orders_judge { ORDERS_JUDGE_TELLS, ORDERS_JUDGE_KEEPS_QUIET };
int64_t orders_judge(enum orders_judge judge);

/* What the provider has in its ledger, of this kind. */
int64_t orders_ledger_count(const char *kind);

bool orders_is_full(void);
int64_t orders_now_ms(void);
void orders_pause(int64_t ms);
