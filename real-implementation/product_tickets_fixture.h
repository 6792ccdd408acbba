/* A server with sessions and tickets on the database of product_sales_fixture.h. One per test
 * program; whatever goes wrong fails the running test. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/testkit/fault_proxy.h"
#include "lib/testkit/http_client.h"
#include "lib/ticketing/ticket_code.h"
#include "real-implementation/product_sales_fixture.h"

enum { DOOR_WORKERS = 8, DOOR_PATIENCE_MS = 20000, DOOR_CODE_SIZE = TICKET_CODE_TEXT_SIZE };

struct door {
	uint16_t port;
	struct http_client client;
	struct http_client_reply reply;
	struct fault_proxy *proxy; /* Between the server and the database. */
	struct ticket_signer *signer;
};

extern struct door door;

/* Of a test: the database and the server. */
int door_open(void **state);
int door_close(void **state);

/* Ask and want this status. `headers` are lines that each end in \r\n, or NULL. */
void door_ask(
	const char *method, const char *path, const char *headers, const char *body, int status);

/* GET as this person, who is one of the fixture's. */
void door_get(const char *person, const char *path, int status);

/* The same, again for as long as it is 503: a connection that has failed does so at once for a
 * moment. */
void door_get_soon(const char *person, const char *path, int status);

/* Scan as the admin: {"code": …} and further members, such as ",\"gate\":\"A\"", or "". */
void door_scan(const char *headers, const char *code, const char *members, int status);

/* The last reply is a problem of this kind. */
void door_want_problem(const char *type);

/* A text of the last reply, by its path: "event/name". NULL: it is not there. The last 64 stay. */
const char *door_member(const char *path);

/* The id and the code of a ticket of the fixture, by its sale and seat. The last 64 stay. */
const char *door_ticket(int sale, const char *seat);
const char *door_code(int sale, const char *seat);

/* A code with these fields, signed by the server's key. */
const char *door_sign(const char *event, const char *ticket, int64_t generation);

/* Wait until a session of the database waits for a lock. */
void door_wait_blocked(void);
