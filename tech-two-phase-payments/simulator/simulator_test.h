/* What the tests over HTTP share: one simulator per program, and short ways to ask it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/testkit/text.h"
#include "tech-two-phase-payments/simulator/simulator_fixture.h"

enum { PATIENCE_MS = 60000 };

#define INTENTS "/v1/payment_intents"
#define HELD \
	"amount=4500&currency=eur&capture_method=manual&confirm=true&payment_method=pm_card_visa"

static struct simulator_fixture simulator;
static json_t *answer; /* Of the last request; NULL when it was no JSON. */

/* Ask and want this status; 0: no answer. `key` becomes the Idempotency-Key; `form` NULL is a GET.
 */
static inline json_t *ask(const char *path, const char *key, const char *form, int status)
{
	const char *headers = key ? text("Idempotency-Key: %s\r\n", key) : NULL;
	int got = simulator_fixture_ask(&simulator, path, headers, form);
	if (got != status)
		fail_msg("%s %s: %d instead of %d: %.600s", path, form ? form : "", got, status,
			got ? simulator.reply.body : "");
	json_decref(answer);
	answer = got ? http_client_reply_json(&simulator.reply) : NULL;
	return answer;
}

/* The member at a path such as "error.code". */
static inline json_t *at(const char *path)
{
	json_t *value = answer;
	for (const char *name = path; value && *name;) {
		size_t size = strcspn(name, ".");
		char part[64];
		snprintf(part, sizeof part, "%.*s", (int)size, name);
		value = json_object_get(value, part);
		name += size + (name[size] == '.');
	}
	if (!value)
		fail_msg("there is no %s in %.600s", path, simulator.reply.body);
	return value;
}

static inline void want(const char *path, const char *value)
{
	const char *got = json_string_value(at(path));
	if (!got || strcmp(got, value) != 0)
		fail_msg("%s is not %s in %.900s", path, value, simulator.reply.body);
}

static inline void want_number(const char *path, int64_t value)
{
	if (!json_is_integer(at(path)) || json_integer_value(at(path)) != value)
		fail_msg("%s is not %lld in %.900s", path, (long long)value, simulator.reply.body);
}

/* The header is there with this value; NULL: it is not there. */
static inline void want_header(const char *name, const char *value)
{
	const char *got = http_client_reply_header(&simulator.reply, name);
	bool good = got && value ? strcmp(got, value) == 0 : got == value;
	if (!good)
		fail_msg("%s is %s", name, got ? got : "not there");
}

/* An intent whose amount is held; returns its id, which stays as a text does. */
static inline const char *hold(void)
{
	ask(INTENTS, NULL, HELD, 200);
	return text("%s", json_string_value(at("id")));
}

static inline int64_t total(const char *name)
{
	return simulator_fixture_total(&simulator, "eur", name);
}

static inline void fault(const char *json)
{
	json_decref(simulator_fixture_fault(&simulator, json));
}

static inline int64_t now_ms(void)
{
	return clock_monotonic_ms(clock_system());
}

static inline void pause_ms(int64_t ms)
{
	struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000 * 1000000)};
	nanosleep(&pause, NULL);
}

/* Send a POST for HELD without waiting for its answer. */
static inline void send_only(struct http_client *client, const char *key)
{
	http_client_init(client, simulator.port);
	client->timeout_ms = PATIENCE_MS;
	assert_int_equal(HTTP_CLIENT_OK, http_client_connect(client));
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_send_text(client,
			text("POST " INTENTS " HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\n"
			     "Content-Type: application/x-www-form-urlencoded\r\n"
			     "Idempotency-Key: %s\r\nContent-Length: %zu\r\n\r\n%s",
				simulator.key, key, strlen(HELD), HELD)));
}

static inline void wait_for_total(const char *name, int64_t wanted)
{
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	while (total(name) != wanted) {
		assert_true(now_ms() < deadline_ms);
		pause_ms(5);
	}
}

/* For cmocka, around each test: a simulator of its own. */
static inline int simulator_test_start(const char *const settings[])
{
	json_object_seed(0);
	return simulator_fixture_start(&simulator, settings) == STATUS_OK ? 0 : -1;
}

static inline int set_up(void **state)
{
	return simulator_test_start(*state);
}

static inline int tear_down(void **state)
{
	(void)state;
	json_decref(answer);
	answer = NULL;
	return simulator_fixture_stop(&simulator) ? 0 : -1;
}

/* A test with these settings, or NULL. */
#define SIMULATOR_TEST(test_, settings_) \
	cmocka_unit_test_prestate_setup_teardown( \
		test_, set_up, tear_down, (void *)(uintptr_t)(settings_))
