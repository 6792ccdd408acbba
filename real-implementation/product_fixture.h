/* The product as it runs: private PostgreSQL and Redis, the payment simulator, one or two servers
 *as programs, and people who use them. Whatever goes wrong fails the running test, but for what
 *says otherwise.
 *
 *	static struct product_fixture product;
 *	product_open(&product, NULL);
 *	product_serve(&product, 0);
 *	struct person ada;
 *	person_new(&ada, &product, 0);
 *	json_t *hold = person_ask(&ada, "POST", text("/events/%s/holds", product.event), "k1",
 *		NULL, "{\"best\":{\"quantity\":2}}", 201);
 *	…
 *	person_release(&ada);
 *	product_close(&product);
 */
#pragma once

#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/id.h"
#include "lib/testkit/http_client.h"
#include "lib/testkit/postgres_fixture.h"
#include "lib/testkit/process.h"
#include "lib/testkit/redis_fixture.h"
#include "lib/testkit/text.h"
#include "tech-two-phase-payments/simulator/simulator_fixture.h"

#define PRODUCT_ADMIN_TOKEN "the-organiser-s-token"
#define PRODUCT_ADMIN "Authorization: Bearer " PRODUCT_ADMIN_TOKEN "\r\n"

enum {
	PRODUCT_SERVERS = 2,
	PRODUCT_SETTINGS_MAX = 40,
	PRODUCT_PATIENCE_MS = 120000, /* Of a busy machine under a sanitizer. */
	PRODUCT_VENUE_SEATS = 300,    /* Of the theatre that the fixture's events are in. */
};

struct product_fixture {
	struct postgres_fixture postgres;
	struct redis_fixture redis;
	struct simulator_fixture simulator;
	struct process servers[PRODUCT_SERVERS];
	uint16_t ports[PRODUCT_SERVERS]; /* Stay the same over restarts. */
	char logs[PRODUCT_SERVERS][64];
	char settings[PRODUCT_SETTINGS_MAX][512]; /* NAME=value. */
	size_t setting_count;
	char venue[ID_TEXT_SIZE];
	char event[ID_TEXT_SIZE]; /* On sale. */
	const char *program;      /* Of the build's folder; NULL: onsale. */
};

/* Start the services, migrate, and import the theatre and an event in it. `settings` are NAME=value
 * up to NULL, over the fixture's own; NULL: none. */
void product_open(struct product_fixture *product, const char *const settings[]);

/* Stop and remove everything. */
void product_close(struct product_fixture *product);

/* Start a server and wait until it is ready; launch does not wait. */
void product_serve(struct product_fixture *product, size_t index);
void product_launch(struct product_fixture *product, size_t index);
void product_await(struct product_fixture *product, size_t index);
void product_kill(struct product_fixture *product, size_t index);

/* SIGTERM, and an end with code 0. */
void product_stop(struct product_fixture *product, size_t index);

/* Wait until /readyz says so. */
void product_wait_ready(struct product_fixture *product, size_t index, int status);

/* Run a command of the program: "onsale NAME ARGUMENT…", up to NULL. Returns its exit code; what it
 * has printed is in `output` (freed by the caller), which may be NULL. */
int product_run(struct product_fixture *product, char **output, const char *const arguments[]);

/* Import an event: members of its document besides venue, currency and prices. */
void product_import_event(
	struct product_fixture *product, const char *members, char event[ID_TEXT_SIZE]);

/* Ask as the organiser. The caller gives the JSON back. */
json_t *product_admin(struct product_fixture *product, size_t server, const char *method,
	const char *path, const char *body, int status);

/* Members of an object, which must be there. */
const char *member_text(const json_t *json, const char *name);
int64_t member_number(const json_t *json, const char *name);

void pause_for(int64_t ms);
int64_t now_monotonic_ms(void);

/* ---- Who looks at a room ---- */

/* Asks the servers in turn how many are inside, until it is ended. */
struct product_observer {
	const struct product_fixture *product;
	const char *event;
	pthread_t thread;
	atomic_bool ended;
	atomic_int_fast64_t looks, most;
};

void product_observe(struct product_observer *observer, const struct product_fixture *product,
	const char *event);
void product_observe_end(struct product_observer *observer);

/* ---- People ---- */

struct person {
	struct product_fixture *product;
	size_t server; /* May be changed between two requests. */
	char user[64];
	char token[256];
	struct http_client_reply reply; /* The last one. */
};

/* Somebody with a session. */
void person_new(struct person *person, struct product_fixture *product, size_t server);
void person_release(struct person *person);

/* One request, with `key` as the Idempotency-Key (NULL: none), further header lines (NULL: none)
 * and a body (NULL: none), and want this status. The caller gives the JSON back; NULL where the
 * reply has none. */
json_t *person_ask(struct person *person, const char *method, const char *path, const char *key,
	const char *headers, const char *body, int status);

/* The same, and forget the JSON. */
void person_want(struct person *person, const char *method, const char *path, const char *key,
	const char *headers, const char *body, int status);

/* Without wanting anything. Returns the status; 0: there was no answer. */
int person_try(struct person *person, const char *method, const char *path, const char *key,
	const char *headers, const char *body);

/* Ask until the member of the reply has this value. The caller gives the JSON back. */
json_t *person_wait(struct person *person, const char *path, const char *name, const char *value);

/* Join the event's queue and wait for the pass, which is copied. */
void person_enter(struct person *person, const char *event, char pass[512]);

/* Hold the best `quantity` seats, order, confirm with this method, and wait for a status. The
 * order's id is copied. `pass` may be NULL. */
void person_buy(struct person *person, const char *event, const char *pass, int quantity,
	const char *method, const char *status, char order[128]);
