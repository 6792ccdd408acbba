/* Events: signed, repeated until they are taken, kept through kill -9, and out of order on command.
 */
#include "tech-two-phase-payments/simulator/simulator_test.h"

#include <pthread.h>
#include <unistd.h>

#include "lib/http/server.h"
#include "tech-two-phase-payments/simulator/sender.h"

enum { EVENTS_MAX = 4096, BODY_MAX = 64 << 10 };

/* The endpoint keeps what it is sent. */
static struct {
	struct http_server *server;
	pthread_mutex_t mutex;
	json_t *events[EVENTS_MAX];
	size_t count;
	int refuse; /* So many are answered 500 first. */
	bool bad;   /* A signature was wrong. */
	char url[64];
} endpoint = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static bool is_signed(struct http_exchange *exchange)
{
	struct slice header, body = http_body(exchange);
	char expected[SIGNATURE_SIZE];
	if (!http_header(exchange, "Stripe-Signature", &header) || header.size >= SIGNATURE_SIZE ||
		!slice_starts_with(header, "t="))
		return false;
	int64_t then_s = strtoll(header.data + 2, NULL, 10);
	int64_t now_s = clock_wall_ms(clock_system()) / 1000;
	sender_sign(SIMULATOR_WEBHOOK_SECRET, then_s, body, expected);
	return slice_is(header, expected) && then_s > now_s - 60 && then_s <= now_s;
}

static void receive(struct http_exchange *exchange)
{
	struct slice body = http_body(exchange);
	json_t *event = json_loadb(body.data, body.size, 0, NULL);
	pthread_mutex_lock(&endpoint.mutex);
	endpoint.bad = endpoint.bad || !event || !is_signed(exchange);
	bool refused = endpoint.refuse > 0;
	if (refused)
		endpoint.refuse--;
	else if (endpoint.count < EVENTS_MAX)
		endpoint.events[endpoint.count++] = json_incref(event);
	pthread_mutex_unlock(&endpoint.mutex);
	json_decref(event);
	http_reply_empty(exchange, refused ? 500 : 204);
}

static size_t received(void)
{
	pthread_mutex_lock(&endpoint.mutex);
	size_t count = endpoint.count;
	pthread_mutex_unlock(&endpoint.mutex);
	return count;
}

static void wait_for(size_t count)
{
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	while (received() < count) {
		if (now_ms() > deadline_ms)
			fail_msg("%zu events instead of %zu", received(), count);
		pause_ms(5);
	}
}

static const json_t *member(size_t event, const char *name)
{
	const json_t *value = json_object_get(endpoint.events[event], name);
	assert_non_null(value);
	return value;
}

/* How many events of this type have come, of one intent or, with NULL, of any. */
static size_t count_of(const char *type, const char *intent)
{
	size_t count = 0, size = received();
	for (size_t i = 0; i < size; i++) {
		const json_t *object = json_object_get(member(i, "data"), "object");
		const char *id = json_string_value(json_object_get(object, "id"));
		count += strcmp(type, json_string_value(member(i, "type"))) == 0 &&
			(!intent || strcmp(id, intent) == 0);
	}
	return count;
}

static void wait_for_type(const char *type, size_t count)
{
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	while (count_of(type, NULL) < count) {
		if (now_ms() > deadline_ms)
			fail_msg("%zu of %s instead of %zu", count_of(type, NULL), type, count);
		pause_ms(5);
	}
}

static enum status open_endpoint(uint16_t port)
{
	static const struct http_route routes[] = {
		{HTTP_POST, "/hook", HTTP_ON_WORKER, receive, BODY_MAX}};
	struct fault fault;
	return http_server_open(&(struct http_server_options){.routes = routes,
					.route_count = 1,
					.loop_count = 1,
					.worker_count = 4,
					.port = port},
		&endpoint.server, &fault);
}

/* Answer what has come, also from a simulator that has died meanwhile, and begin anew. */
static void reopen_endpoint(void)
{
	uint16_t port = http_server_port(endpoint.server);
	http_server_close(endpoint.server);
	assert_int_equal(STATUS_OK, open_endpoint(port));
}

static int start(void **state)
{
	const char *const *more = *state;
	const char *settings[8] = {endpoint.url, "WEBHOOK_RETRY_MIN=20ms"};
	json_object_seed(0);
	endpoint.count = 0;
	endpoint.refuse = 0;
	endpoint.bad = false;
	if (open_endpoint(process_free_port()) != STATUS_OK)
		return -1;
	snprintf(endpoint.url, sizeof endpoint.url, "WEBHOOK_URL=http://127.0.0.1:%u/hook",
		(unsigned)http_server_port(endpoint.server));
	for (size_t i = 0; more && more[i]; i++)
		settings[2 + i] = more[i];
	return simulator_test_start(settings);
}

static int stop(void **state)
{
	int code = tear_down(state);
	http_server_close(endpoint.server);
	for (size_t i = 0; i < endpoint.count; i++)
		json_decref(endpoint.events[i]);
	return endpoint.bad ? -1 : code;
}

/* ---- The tests ---- */

static void test_the_life_of_a_payment(void **state)
{
	(void)state;
	ask(INTENTS, "key-1", HELD "&metadata[orderId]=o-1", 200);
	const char *id = text("%s", json_string_value(at("id")));
	wait_for(2);
	assert_int_equal(1, count_of("payment_intent.created", id));
	assert_int_equal(1, count_of("payment_intent.amount_capturable_updated", id));
	ask(text(INTENTS "/%s/capture", id), NULL, "", 200);
	wait_for_type("payment_intent.succeeded", 1);
	ask("/v1/refunds", NULL, text("payment_intent=%s", id), 200);
	wait_for_type("charge.refunded", 1);
	ask(text(INTENTS "/%s/cancel", hold()), NULL, "", 200);
	wait_for_type("payment_intent.canceled", 1);
	ask(INTENTS, NULL,
		"amount=100&currency=eur&confirm=true&payment_method=pm_card_chargeDeclined", 402);
	wait_for_type("payment_intent.payment_failed", 1);
	const json_t *event = endpoint.events[0], *request = member(0, "request");
	assert_string_equal("event", json_string_value(json_object_get(event, "object")));
	assert_string_equal(
		"key-1", json_string_value(json_object_get(request, "idempotency_key")));
	assert_int_equal(0, strncmp("evt_", json_string_value(member(0, "id")), 4));
	assert_int_equal(0, strncmp("req_", json_string_value(json_object_get(request, "id")), 4));
	for (size_t i = 0; i < received(); i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(json_string_value(member(i, "id")),
				json_string_value(member(j, "id")));
}

static void test_the_bank_and_the_clock_make_events(void **state)
{
	(void)state;
	ask(INTENTS, NULL,
		"amount=4500&currency=eur&capture_method=manual&confirm=true&"
		"payment_method=pm_card_authenticationRequired",
		200);
	const char *id = text("%s", json_string_value(at("id")));
	wait_for_type("payment_intent.requires_action", 1);
	json_decref(simulator_fixture_authenticate(&simulator, id, "succeeded"));
	wait_for_type("payment_intent.amount_capturable_updated", 1);
	wait_for_type("payment_intent.canceled", 1); /* It expires. */
}

static void test_sent_again_until_it_is_taken(void **state)
{
	(void)state;
	pthread_mutex_lock(&endpoint.mutex);
	endpoint.refuse = 5;
	pthread_mutex_unlock(&endpoint.mutex);
	ask(INTENTS, NULL, "amount=100&currency=eur", 200);
	wait_for(1);
	pthread_mutex_lock(&endpoint.mutex);
	assert_int_equal(0, endpoint.refuse);
	pthread_mutex_unlock(&endpoint.mutex);
}

static void test_twice(void **state)
{
	(void)state;
	fault("{\"fault\":\"webhook_twice\"}");
	ask(INTENTS, NULL, "amount=100&currency=eur", 200);
	wait_for(2);
	assert_string_equal(json_string_value(member(0, "id")), json_string_value(member(1, "id")));
}

/* The answer takes an hour, unless the event has been taken. */
static void test_the_event_before_the_answer(void **state)
{
	(void)state;
	fault("{\"fault\":\"webhook_first\",\"ms\":3600000}");
	ask(INTENTS, NULL, "amount=100&currency=eur", 200);
	assert_int_equal(1, received());
	/* And where the endpoint takes nothing, the answer comes all the same. */
	pthread_mutex_lock(&endpoint.mutex);
	endpoint.refuse = 1 << 30;
	pthread_mutex_unlock(&endpoint.mutex);
	fault("{\"fault\":\"webhook_first\",\"ms\":200}");
	ask(INTENTS, NULL, "amount=100&currency=eur", 200);
	pthread_mutex_lock(&endpoint.mutex);
	endpoint.refuse = 0;
	pthread_mutex_unlock(&endpoint.mutex);
	wait_for(2);
}

/* The events of a request go out with its answer: those of a later, quicker one come first. */
static void test_late_with_the_answer(void **state)
{
	(void)state;
	struct http_client slow;
	fault("{\"fault\":\"slow\",\"ms\":3600000}");
	send_only(&slow, "slow");
	wait_for_total("authorized", 4500);
	const char *id = hold();
	wait_for(2);
	assert_int_equal(1, count_of("payment_intent.created", id));
	assert_int_equal(1, count_of("payment_intent.amount_capturable_updated", id));
	http_client_release(&slow);
}

/* The first event is held back for an hour, or until the next start. */
static void test_out_of_order(void **state)
{
	(void)state;
	fault("{\"fault\":\"webhook_out_of_order\",\"operation\":\"create\",\"ms\":3600000}");
	ask(INTENTS, NULL, "amount=100&currency=eur&payment_method=pm_card_visa", 200);
	const char *id = text("%s", json_string_value(at("id")));
	ask(text(INTENTS "/%s/confirm", id), NULL, "", 200);
	wait_for(1);
	assert_string_equal("payment_intent.succeeded", json_string_value(member(0, "type")));
	assert_true(simulator_fixture_halt(&simulator));
	assert_int_equal(STATUS_OK, simulator_fixture_start_again(&simulator));
	wait_for_type("payment_intent.created", 1);
}

/* What nobody has taken is sent after a kill -9 and a new start, under the same ids. */
static void test_undelivered_events_survive(void **state)
{
	(void)state;
	enum { INTENTS_COUNT = 20 };
	pthread_mutex_lock(&endpoint.mutex);
	endpoint.refuse = 1 << 30;
	pthread_mutex_unlock(&endpoint.mutex);
	for (int i = 0; i < INTENTS_COUNT; i++)
		ask(INTENTS, NULL, "amount=100&currency=eur", 200);
	simulator_fixture_kill(&simulator);
	/* What it sent last must not be taken on its behalf, and once more of the next. */
	reopen_endpoint();
	pthread_mutex_lock(&endpoint.mutex);
	endpoint.refuse = 0;
	pthread_mutex_unlock(&endpoint.mutex);
	assert_int_equal(STATUS_OK, simulator_fixture_start_again(&simulator));
	wait_for(INTENTS_COUNT);
	for (size_t i = 0; i < INTENTS_COUNT; i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(json_string_value(member(i, "id")),
				json_string_value(member(j, "id")));
	/* Nor does a second one lose anything. */
	simulator_fixture_kill(&simulator);
	assert_int_equal(STATUS_OK, simulator_fixture_start_again(&simulator));
	ask(INTENTS, NULL, "amount=4500&currency=eur", 200);
	wait_for_type("payment_intent.created", INTENTS_COUNT + 1);
}

/* More events than are on their way at once. */
static void test_many_events(void **state)
{
	(void)state;
	enum { COUNT = 1500 };
	for (int i = 0; i < COUNT; i++)
		ask(INTENTS, NULL, "amount=100&currency=eur", 200);
	wait_for(COUNT);
}

#define WEBHOOK_TEST(test_, settings_) \
	cmocka_unit_test_prestate_setup_teardown(test_, start, stop, (void *)(uintptr_t)(settings_))

int main(void)
{
	static const char *const brief[] = {"AUTHORIZATION_LIFETIME=500ms", NULL};
	const struct CMUnitTest tests[] = {
		WEBHOOK_TEST(test_the_life_of_a_payment, NULL),
		WEBHOOK_TEST(test_the_bank_and_the_clock_make_events, brief),
		WEBHOOK_TEST(test_sent_again_until_it_is_taken, NULL),
		WEBHOOK_TEST(test_twice, NULL),
		WEBHOOK_TEST(test_the_event_before_the_answer, NULL),
		WEBHOOK_TEST(test_late_with_the_answer, NULL),
		WEBHOOK_TEST(test_out_of_order, NULL),
		WEBHOOK_TEST(test_undelivered_events_survive, NULL),
		WEBHOOK_TEST(test_many_events, NULL),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
