/* The server as its users see it: the real program in a process of its own, over a PostgreSQL of
 * its own, and short ways to ask it and to look into its database. One per test program. Whatever
 * goes wrong here fails the running test, so only the test's own thread may call. */
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

enum {
	EVENT_ID_SIZE = 37,
	HOLD_ID_SIZE = 2 * EVENT_ID_SIZE,
	SIMPLEST_SETTINGS_MAX = 16,
	PRICE_STALLS = 5000, /* Minor units, in the events that event_make makes. */
	PRICE_BALCONY = 3000,
};

struct simplest {
	struct postgres_fixture postgres;
	struct process server;
	uint16_t port;
	struct http_client client;
	struct http_client_reply reply; /* The last one. */
	json_t *json;                   /* Its body; NULL when that is no JSON. */
	PGconn *database;               /* The test's own connection, made when it is first used. */
};

extern struct simplest simplest;

/* ---- The server ---- */

/* For cmocka: make the database, and remove it. */
int simplest_set_up(void **state);
int simplest_tear_down(void **state);

/* For cmocka, after each test: end the server that is still running. Fails the test when it does
 * not end well, or when a sanitizer has complained; then it prints the end of the server's log. */
int server_tear_down(void **state);

/* Start "simplest-server", or a variant, with NAME=value settings (up to the NULL) over those by
 * which tests differ from daily use: a free port, no access log, more patience. Waits until it is
 * ready. */
void server_start(const char *program, const char *const settings[]);

/* The server as it is shipped, with these settings, of which there is at least one. */
#define SERVER_START(...) server_start("simplest-server", (const char *const[]){__VA_ARGS__, NULL})

/* A test with a server that `start_` starts and that ends well afterwards. */
#define SERVER_TEST(test_, start_) cmocka_unit_test_setup_teardown(test_, start_, server_tear_down)

/* A port for a server that comes back on it (see process_free_port), as a setting. */
const char *fixed_port(void);

/* Start it once more as it was, on the same port. */
void server_start_again(void);

/* SIGTERM, and it ends with 0 within 20 s. */
void server_stop(void);

/* kill -9. */
void server_crash(void);

/* Whether a line of the server's log, over all its starts, contains the text. */
bool server_has_logged(const char *text);

/* Wait until GET `path` answers with this status; fails the test after `ms_max`. */
void wait_for_status(const char *path, int status, int64_t ms_max);

/* It still answers /healthz and /readyz on a new connection: what happened has not hurt it. */
void want_alive(void);

/* ---- Asking ---- */

/* Ask and want a reply of this status; 0: any. `key` becomes the Idempotency-Key and may be NULL,
 * `body` too. The JSON of the reply is returned and stays until the next request. */
json_t *ask(const char *method, const char *path, const char *key, const char *body, int status);

/* As above, for a GET without further ado. */
json_t *look(const char *path);

/* Connect and send such a request without waiting for its reply. */
void send_only(struct http_client *client, const char *method, const char *path, const char *key,
	const char *body);

/* The last reply is a problem in the shape of RFC 9457, of this type ("seats-taken"). */
void want_problem(const char *type);

/* Members of JSON objects: they must be there and of this type. */
const char *string_at(const json_t *json, const char *name);
int64_t integer_at(const json_t *json, const char *name);
json_t *array_at(const json_t *json, const char *name, size_t size);

/* The object has these members, no other, in whatever order; ends with NULL. */
void want_members(const json_t *json, const char *const names[]);
#define WANT_MEMBERS(json_, ...) want_members(json_, (const char *const[]){__VA_ARGS__, NULL})

/* An Idempotency-Key that nobody has used. Stays as a text does. */
const char *new_key(void);

/* ---- Things to sell ---- */

/* A seating plan of `seats` seats "s-1"…: the first half in section "Stalls" at category "A", the
 * rest in "Balcony" at "B", ten to a row. The caller frees it. */
char *plan_make(const char *name, size_t seats);

/* A venue of that plan, and an event in it at PRICE_STALLS and PRICE_BALCONY, in EUR. */
void event_make(const char *name, size_t seats, char event[EVENT_ID_SIZE]);

/* Hold seats, given as JSON strings (`"s-1","s-2"`), for user "u"; wants 201. */
void hold_make(const char *event, const char *seats, char hold[HOLD_ID_SIZE]);

/* Buy with a new key; wants this status. */
json_t *buy(const char *hold, const char *payment_method, int status);

/* How many seats of the event have this status, by GET /events/{eventId}; "total" too. */
int64_t seats_with(const char *event, const char *status);

/* ---- The database ---- */

/* Run statements on the test's own connection. */
void database_run(const char *sql);

/* The only value of a query, as an integer. */
__attribute__((format(printf, 1, 2))) int64_t database_count(const char *format, ...);

/* Another connection, for a lock that is held meanwhile. The caller closes it by PQfinish. */
PGconn *database_connect(void);

/* A connection that holds the locks of this query's rows until it ends by PQfinish. */
PGconn *database_lock(const char *query);

/* Wait until so many statements wait for a lock of this connection; fails the test after a minute.
 */
void database_wait_blocked(PGconn *connection, int64_t count);

/* Wait until the query gives this count; fails the test after a minute. */
void database_wait(const char *query, int64_t count);

/* ---- Time ---- */

int64_t now_ms(void);
void pause_ms(int64_t ms);

/* Whether ONSALE_FULL asks for all seeds and crash points instead of a sample. */
bool test_is_full(void);
