/* A private PostgreSQL with the product's schema, seats to stock, and a server with the routes of
 * the catalog and of browsing. One per test program; whatever goes wrong fails the running test. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/http/server.h"
#include "lib/postgres/postgres.h"
#include "lib/testkit/http_client.h"
#include "lib/testkit/postgres_fixture.h"
#include "tech-locking-and-transactions/seat_store.h"

enum { FIXTURE_PATIENCE_MS = 60000 };

#define FIXTURE_ADMIN "Authorization: Bearer organiser\r\n"

/* A hall of two sections and 14 seats: 4 "Stalls" in "Parterre", 10 "Balcony" in "Upstairs"; the
 * category "Box" has none. Without its last brace, so that members can follow. */
const char *fixture_venue(void);

struct catalog_fixture {
	struct postgres_fixture postgres;
	struct postgres *pg; /* The test's own connection. */
	struct http_server *server;
	struct http_client client;
	struct http_client_reply reply;
	json_t *json; /* Of the last reply, or NULL. */
	atomic_int changed_count;
	/* This many seat stores take half of what they are given, and say that they failed. */
	atomic_int stores_to_fail;
};

extern struct catalog_fixture fixture;

/* For groups: a cluster, migrated, and a server; their end. */
int catalog_fixture_start(void **state);
int catalog_fixture_stop(void **state);

/* For tests: no venues, events, words or seats are left of the one before. */
int catalog_fixture_begin(void **state);

/* A seat store of the fixture's database: struct catalog's open_seats. */
enum status fixture_open_seats(void *context, struct seat_store **store, struct fault *fault);

/* Ask and want a reply of this status; fixture.json is its body. `body` may be NULL. */
void fixture_ask(
	const char *method, const char *path, const char *headers, const char *body, int status);

/* POST or PUT as the organiser. */
void fixture_send(const char *method, const char *path, const char *body, int status);

/* A text or a number of the last reply, by its names with dots between them: "venue.city". */
const char *fixture_text(const char *path);
int64_t fixture_integer(const char *path);

/* Add the fixture's venue, and an event there with these members besides the required ones (or
 * instead: a later member wins); their ids, until the next of the kind. `members` begins with a
 * comma, or is empty. */
const char *fixture_add_venue(void);
const char *fixture_add_event(const char *name, const char *starts_at, const char *members);

/* The one bigint that a statement gives. */
int64_t fixture_number(const char *sql);
