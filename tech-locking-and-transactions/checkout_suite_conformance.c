/* See checkout_suite_conformance.h and checkout_conformance.h. */
#include "tech-locking-and-transactions/checkout_suite_conformance.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/clock.h"

enum { MESSAGE_SIZE = 512, KEY_SIZE = 80 };

static const struct check {
	const char *name;
	checkout_check_function *run;
} checks[] = {
	{"paid_once", check_buy_paid_once},
	{"declined", check_buy_declined},
	{"proof", check_buy_proof},
	{"proof_failed", check_buy_proof_failed},
	{"refusals", check_buy_refusals},
	{"other_order", check_buy_other_order},
	{"batch", check_buy_batch},
	{"at_once", check_buy_at_once},
	{"crowd", check_buy_crowd},
	{"free", check_buy_free},
	{"malformed", check_buy_malformed},
	{"expired_before", check_buy_expired_before},
	{"expired_waiting", check_buy_expired_waiting},
	{"expired_authorized", check_buy_expired_authorized},
	{"wait_past_expiry", check_buy_wait_past_expiry},
	{"released_meanwhile", check_buy_released_meanwhile},
	{"answers_lost", check_buy_answers_lost},
	{"errors_stored", check_buy_errors_stored},
	{"provider_down", check_buy_provider_down},
	{"provider_slow", check_buy_provider_slow},
	{"capture_refused", check_buy_capture_refused},
	{"restart_seats", check_buy_restart_seats},
	{"restart_orders", check_buy_restart_orders},
	{"stuck", check_buy_stuck},
};

enum { CHECK_COUNT = sizeof checks / sizeof *checks };

const char *const *checkout_check_names(void)
{
	static const char *names[CHECK_COUNT + 1];
	for (size_t i = 0; i < CHECK_COUNT; i++)
		names[i] = checks[i].name;
	return names;
}

static const char *run_check(
	const struct checkout_factory *factory, const struct check *check, struct seat_suite *seats)
{
	static struct checkout_suite suite; /* Too large for a stack. */
	TRY(suite_stock(seats, BUYING_SEATS));
	TRY(buying_open(factory, seats, &suite));
	const char *violation = check->run(&suite);
	simulator_fixture_clear_faults(factory->simulator);
	if (!violation)
		violation = buying_judge(&suite);
	buying_close(&suite);
	return violation;
}

const char *checkout_check(const struct checkout_factory *factory, const char *name, char *message,
	size_t message_size)
{
	size_t i = 0;
	while (i < CHECK_COUNT && strcmp(checks[i].name, name) != 0)
		i++;
	assert(i < CHECK_COUNT);
	struct seat_suite *seats = suite_open(factory->seats, 0, 2, message, message_size);
	if (!seats)
		return message;
	const char *violation = run_check(factory, &checks[i], seats);
	suite_close(seats);
	return violation;
}

static const struct checkout_factory *tested;

static void run(void **state)
{
	char message[MESSAGE_SIZE] = "";
	const char *violation = checkout_check(tested, *state, message, sizeof message);
	if (violation)
		fail_msg("%s", violation);
}

int checkout_conformance(const struct checkout_factory *factory)
{
	struct CMUnitTest tests[CHECK_COUNT];
	tested = factory;
	for (size_t i = 0; i < CHECK_COUNT; i++)
		tests[i] = (struct CMUnitTest){.name = checks[i].name,
			.test_func = run,
			.initial_state = (void *)(uintptr_t)checks[i].name};
	return _cmocka_run_group_tests(factory->name, tests, CHECK_COUNT, NULL, NULL);
}

/* ---- the suite ---- */

const char *buying_open(const struct checkout_factory *factory, struct seat_suite *seats,
	struct checkout_suite *suite)
{
	memset(suite, 0, sizeof *suite);
	suite->factory = factory;
	suite->seats = seats;
	arena_init(&suite->arena, BUYING_ARENA_BYTES_MAX);
	CHECK(seats, factory->open(factory->context, &suite->checkout) == STATUS_OK,
		"no instance of the checkout can be opened");
	return NULL;
}

void buying_close(struct checkout_suite *suite)
{
	checkout_close(suite->checkout);
	arena_release(&suite->arena);
}

const char *buying_hold(struct checkout_suite *suite, size_t index, int count, int64_t hold_ms)
{
	struct seat_suite *seats = suite->seats;
	assert(suite->next_seat + count <= BUYING_SEATS);
	const struct suite_ask ask = {
		.person = "ann", .first = suite->next_seat, .count = count, .hold_ms = hold_ms};
	TRY(suite_grant(seats, 0, &ask));
	suite->next_seat += count;
	suite->requests[index] = (struct buy_request){.event = seats->event,
		.hold = seats->holds[0].hold,
		.person = slice_of("ann"),
		.order = suite_id(seats),
		.payment_method = slice_of(METHOD_GOOD)};
	return NULL;
}

const char *buying_ask(struct checkout_suite *suite, size_t count)
{
	arena_reset(&suite->arena);
	enum status status = checkout_buy(
		suite->checkout, suite->requests, suite->results, count, &suite->arena);
	CHECK(suite->seats, status == STATUS_OK, "buy is %s", status_name(status));
	return NULL;
}

static bool is_pending(const struct checkout_suite *suite, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (suite->results[i].outcome == BUY_PENDING)
			return true;
	return false;
}

const char *buying_finish(struct checkout_suite *suite, size_t count)
{
	int64_t start_ms = suite_now_ms(suite->seats);
	do {
		TRY(buying_ask(suite, count));
		if (!is_pending(suite, count))
			return NULL;
	} while (suite_wait(suite->seats, start_ms));
	return suite_violation(suite->seats, "a purchase stays pending: the order is %s",
		order_status_name(suite->results[0].status));
}

const char *buying_expect(struct checkout_suite *suite, size_t index, enum buy_outcome outcome)
{
	const struct buy_result *result = &suite->results[index];
	CHECK(suite->seats, result->outcome == outcome, "purchase %zu is %s and not %s (%s %s)",
		index, buy_outcome_name(result->outcome), buy_outcome_name(outcome),
		order_status_name(result->status), result->reason);
	return NULL;
}

const char *buying_one(struct checkout_suite *suite, const char *method, enum buy_outcome outcome)
{
	TRY(buying_hold(suite, 0, 2, 0));
	suite->requests[0].payment_method = slice_of(method);
	TRY(buying_finish(suite, 1));
	return buying_expect(suite, 0, outcome);
}

const char *buying_wait_status(struct checkout_suite *suite, enum order_status wanted)
{
	int64_t start_ms = suite_now_ms(suite->seats);
	enum status status;
	do {
		arena_reset(&suite->arena);
		status = checkout_look_up(
			suite->checkout, suite->requests, suite->results, 1, &suite->arena);
		if (status == STATUS_OK && suite->results[0].outcome != BUY_NOT_HELD &&
			suite->results[0].status == wanted)
			return NULL;
	} while (suite_wait(suite->seats, start_ms));
	return suite_violation(suite->seats, "look_up is %s, the order %s (%s) and not %s",
		status_name(status), order_status_name(suite->results[0].status),
		buy_outcome_name(suite->results[0].outcome), order_status_name(wanted));
}

const char *buying_expect_hold(struct checkout_suite *suite, size_t index, enum hold_state state)
{
	struct seat_suite *seats = suite->seats;
	TRY(suite_look_up(seats, 0, suite->requests[index].hold));
	CHECK(seats, seats->records[0].state == state, "the hold is %s and not %s",
		hold_state_name(seats->records[0].state), hold_state_name(state));
	return NULL;
}

/* ---- the provider ---- */

static void write_key(const struct buy_request *request, char key[KEY_SIZE])
{
	char event[ID_TEXT_SIZE], order[ID_TEXT_SIZE];
	id_format(request->event, event);
	id_format(request->order, order);
	(void)snprintf(key, KEY_SIZE, "%s.%s", event, order);
}

/* How many items there are of this kind; the last one's payment into `reference`. */
static int look_into_ledger(struct checkout_suite *suite, size_t index, const char *kind,
	char reference[PAYMENT_REFERENCE_SIZE])
{
	char key[KEY_SIZE];
	int found = 0;
	size_t i;
	json_t *ledger = simulator_fixture_ledger(suite->factory->simulator), *item;
	write_key(&suite->requests[index], key);
	json_array_foreach(json_object_get(ledger, "items"), i, item)
	{
		const char *order = json_string_value(
			json_object_get(json_object_get(item, "metadata"), "order_id"));
		const char *of = json_string_value(json_object_get(item, "kind"));
		if (!order || !of || strcmp(order, key) != 0 || strcmp(of, kind) != 0)
			continue;
		found++;
		(void)snprintf(reference, PAYMENT_REFERENCE_SIZE, "%s",
			json_string_value(json_object_get(item, "paymentIntent")));
	}
	json_decref(ledger);
	return found;
}

const char *buying_expect_ledger(
	struct checkout_suite *suite, size_t index, const char *kind, int wanted)
{
	char reference[PAYMENT_REFERENCE_SIZE];
	int found = look_into_ledger(suite, index, kind, reference);
	CHECK(suite->seats, found == wanted, "the provider has %d of kind %s and not %d", found,
		kind, wanted);
	return NULL;
}

const char *buying_reference(
	struct checkout_suite *suite, size_t index, char reference[PAYMENT_REFERENCE_SIZE])
{
	reference[0] = '\0';
	(void)look_into_ledger(suite, index, "authorization", reference);
	return reference;
}

const char *buying_proof_reference(
	struct checkout_suite *suite, size_t index, char reference[PAYMENT_REFERENCE_SIZE])
{
	const char *url = suite->results[index].action_url, *found = strstr(url, "pi_");
	CHECK(suite->seats, found, "the URL of the proof is \"%s\"", url);
	(void)snprintf(reference, PAYMENT_REFERENCE_SIZE, "%.*s", (int)strcspn(found, "/?"), found);
	return NULL;
}

const char *buying_prove(struct checkout_suite *suite, size_t index, const char *outcome)
{
	char reference[PAYMENT_REFERENCE_SIZE];
	TRY(buying_proof_reference(suite, index, reference));
	json_decref(simulator_fixture_authenticate(suite->factory->simulator, reference, outcome));
	return NULL;
}

const char *buying_meddle(struct checkout_suite *suite, const char *reference, const char *what)
{
	char path[PAYMENT_REFERENCE_SIZE + 64], key[ID_TEXT_SIZE], header[96];
	id_format(id_new(clock_wall_ms(clock_system())), key); /* No other check has it. */
	(void)snprintf(path, sizeof path, "/v1/payment_intents/%s/%s", reference, what);
	(void)snprintf(header, sizeof header, "Idempotency-Key: %s\r\n", key);
	int status = simulator_fixture_ask(suite->factory->simulator, path, header, "");
	CHECK(suite->seats, status == 200, "%s of %s is answered %d", what, reference, status);
	return NULL;
}

void buying_fault(struct checkout_suite *suite, const char *json)
{
	json_decref(simulator_fixture_fault(suite->factory->simulator, json));
}

const char *buying_judge(struct checkout_suite *suite)
{
	const struct checkout_factory *factory = suite->factory;
	CHECK(suite->seats, factory->wait_quiet(factory->context), "it does not come to rest");
	const char *violation = factory->judge(factory->context, suite->seats->event,
		suite->seats->message, suite->seats->message_size);
	if (suite->leaves_something_wrong) {
		CHECK(suite->seats, violation, "the judge sees nothing wrong");
		return NULL;
	}
	return violation ? violation : suite_judge(suite->seats);
}
