/* The simulator as a program of its own, for one test: on a port that nobody else has, with a
 * temporary folder that is gone with the test.
 *
 *	struct simulator_fixture simulator;
 *	assert_int_equal(STATUS_OK, simulator_fixture_start(&simulator, NULL));
 *	options.base_url = simulator.url;
 *	options.key = simulator.key;
 *	…
 *	json_decref(simulator_fixture_fault(&simulator,
 *		"{\"fault\":\"answer_lost\",\"operation\":\"capture\"}"));
 *	…
 *	simulator_fixture_kill(&simulator);
 *	assert_int_equal(STATUS_OK, simulator_fixture_start_again(&simulator));
 *	json_t *ledger = simulator_fixture_ledger(&simulator);
 *	…
 *	json_decref(ledger);
 *	simulator_fixture_stop(&simulator);
 *
 * The program is found under the folder that the environment variable ONSALE_BUILD names, or
 * build/debug; the test's target depends on payment-simulator. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/status.h"
#include "lib/testkit/http_client.h"
#include "lib/testkit/process.h"

#define SIMULATOR_KEY "sk_test_fixture"
#define SIMULATOR_ADMIN_TOKEN "admin-of-the-fixture"
#define SIMULATOR_WEBHOOK_SECRET "whsec_fixture"

enum { SIMULATOR_SETTINGS_MAX = 16, SIMULATOR_SETTING_SIZE = 256 };

struct simulator_fixture {
	struct process server;
	struct http_client client; /* Of the thread that started it. */
	struct http_client_reply reply;
	uint16_t port;   /* Stays the same over restarts. */
	char url[64];    /* "http://127.0.0.1:PORT" */
	const char *key; /* SIMULATOR_KEY */
	char folder[64]; /* Holds "journal", and "log", its standard error. */
	char settings[SIMULATOR_SETTINGS_MAX][SIMULATOR_SETTING_SIZE];
	size_t setting_count;
};

/* Start it and wait until it is ready. `settings` are NAME=value up to a NULL, as the environment
 * has them (payment-simulator --help), over the fixture's own; NULL: none. UNAVAILABLE when it does
 * not become ready; its log is then on standard error. */
__attribute__((warn_unused_result)) enum status simulator_fixture_start(
	struct simulator_fixture *fixture, const char *const settings[]);

/* kill -9. */
void simulator_fixture_kill(struct simulator_fixture *fixture);

/* SIGTERM; whether it has ended well in time. */
__attribute__((warn_unused_result)) bool simulator_fixture_halt(struct simulator_fixture *fixture);

/* Start it again after a kill or a halt: same port, same folder, same settings. */
__attribute__((warn_unused_result)) enum status simulator_fixture_start_again(
	struct simulator_fixture *fixture);

/* Change a setting for the next start. */
void simulator_fixture_set(struct simulator_fixture *fixture, const char *setting);

/* End it where it runs, and remove its folder. Allowed on one that never started if it is zero, and
 * more than once. False: it did not end well, or a sanitizer has complained; then the end of its
 * log is on standard error. */
bool simulator_fixture_stop(struct simulator_fixture *fixture);

/* ---- The simulator's own requests. Each fails the test when the answer is not what it should be.
 * The caller gives JSON back by json_decref. ---- */

/* Set a fault, given as its JSON; returns it, with its faultId. */
json_t *simulator_fixture_fault(struct simulator_fixture *fixture, const char *json);

/* The faults as they are: {items: […]}. */
json_t *simulator_fixture_faults(struct simulator_fixture *fixture);

void simulator_fixture_clear_faults(struct simulator_fixture *fixture);

/* The whole ledger, read page by page: {items: […], totals: {…}}. */
json_t *simulator_fixture_ledger(struct simulator_fixture *fixture);

/* A figure of the ledger's totals: ("eur", "captured"); 0 where there is none. */
int64_t simulator_fixture_total(
	struct simulator_fixture *fixture, const char *currency, const char *name);

/* The customer at the bank: `outcome` is "succeeded" or "failed"; returns the intent. */
json_t *simulator_fixture_authenticate(
	struct simulator_fixture *fixture, const char *payment_intent, const char *outcome);

/* Any of Stripe's requests, with the key: a form is a POST, NULL a GET. `headers` are lines that
 * end in \r\n, or NULL. The reply is in fixture->reply. Returns its status; 0 when there was none.
 */
int simulator_fixture_ask(
	struct simulator_fixture *fixture, const char *path, const char *headers, const char *form);
