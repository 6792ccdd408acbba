/* What the network, the provider, clients and other processes can do to an order without it being
 * charged twice; and that it is charged twice when what guards it is taken away. */
#include "tech-two-phase-payments/orders_crowd_fixture.h"

#include <pthread.h>
#include <signal.h>

#include "lib/testkit/fault_proxy.h"
#include "lib/testkit/random.h"

enum {
	CROWD = 1000,
	CROWD_SMALL = 60,
	CROWD_MS_MAX = 600000, /* Of a thousand under a sanitizer. */
	GONE_MS = 3000,
	GONE_MS_FULL = 60000,
	REPEATS = 50,
	STOPPED_CALL_MS = 3000, /* Of a server that will not answer. */
	STOPS = 2,
	STOPS_FULL = 12,
};

static void set_fault(const char *fault)
{
	json_decref(simulator_fixture_fault(&orders.simulator, fault));
}

static void assert_right(void)
{
	orders_wait_quiet();
	assert_int_equal(0, orders_judge(ORDERS_JUDGE_TELLS));
}

/* ---- Many orders, and everything goes wrong now and then ---- */

static void thousand_orders_under_faults_are_right(void **state)
{
	(void)state;
	static const char *const faults[] = {"answer_lost\",\"ms\":0", "error_500\",\"ms\":0",
		"error_500_stored\",\"applied\":true", "error_500_stored\",\"applied\":false",
		"rate_limited\",\"ms\":0", "timeout\",\"ms\":200", "slow\",\"ms\":300",
		"webhook_twice\",\"ms\":0", "webhook_out_of_order\",\"ms\":300"};
	struct random random;
	random_init(&random, random_seed());
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		set_fault(text("{\"fault\":\"%s,\"rate\":0.03,\"seed\":%d}", faults[i],
			(int)random_below(&random, 1000000)));
	ORDERS_START("LEASE=10s");
	crowd_start(&(struct crowd_options){
		.seed = random_next(&random), .orders = CROWD, .servers = 1});
	crowd_join(CROWD_MS_MAX, NULL);
	simulator_fixture_clear_faults(&orders.simulator);
	assert_right();
	/* Else it would have proved little. */
	assert_true(orders_query("SELECT count(*) FROM payments.orders WHERE status = 'paid'") >
		CROWD / 5);
	assert_true(orders_query("SELECT count(*) FROM payments.orders WHERE status = 'refunded'") >
		CROWD / 50);
	assert_true(orders_query("SELECT count(*) FROM payments.orders WHERE payment_attempt > 1") >
		CROWD / 50);
}

static void provider_that_is_gone_is_waited_for(void **state)
{
	(void)state;
	ORDERS_START("LEASE=3s");
	crowd_start(&(struct crowd_options){
		.seed = random_seed(), .orders = CROWD_SMALL, .servers = 1});
	set_fault(
		text("{\"fault\":\"gone\",\"ms\":%d}", orders_is_full() ? GONE_MS_FULL : GONE_MS));
	crowd_join(CROWD_MS_MAX, NULL);
	assert_right();
}

/* ---- Two processes ---- */

static void two_servers_share_the_orders(void **state)
{
	(void)state;
	ORDERS_START("LEASE=10s");
	orders_start(1, "orders-server", NULL);
	crowd_start(&(struct crowd_options){
		.seed = random_seed(), .orders = CROWD_SMALL, .servers = 2});
	crowd_join(CROWD_MS_MAX, NULL);
	assert_right();
}

#ifdef ORDERS_TEST_CONTROLS

/* The second process has all the orders, until it is stopped with some in hand. The first takes
 * them over and brings all to their end; then the second goes on where it was. */
static void stop_at(const char *place, const char *point, uint64_t seed)
{
	print_message("stopped in %s at %s\n", place, point);
	const char *settings[] = {
		"LEASE=1s", text("ORDERS_POINT=%s %s 1 %d", place, point, SIGSTOP), NULL};
	orders_start(1, "orders-server-with-points", settings);
	crowd_start(&(struct crowd_options){.seed = seed,
		.orders = CROWD_SMALL,
		.servers = 1,
		.asked = 1,
		.call_ms = STOPPED_CALL_MS});
	int64_t end_ms = orders_now_ms() + ORDERS_WAIT_MS_MAX;
	while (!process_stopped(&orders.servers[1]) && orders_now_ms() < end_ms)
		orders_pause(10);
	assert_true(process_stopped(&orders.servers[1]));
	crowd_ask(0);
	orders_start(0, "orders-server", (const char *const[]){"LEASE=1s", NULL});
	crowd_join(CROWD_MS_MAX, NULL);
	assert_true(process_stopped(&orders.servers[1]));
	process_signal(&orders.servers[1], SIGCONT);
	/* What it does now, it does before it ends in order. */
	orders_stop(1);
	assert_right();
	orders_stop(0);
}

static void server_stopped_past_its_lease_does_no_harm(void **state)
{
	(void)state;
	static const char *const places[] = {"authorize", "capture", "ending", "action"};
	static const char *const points[] = {"after-claim", "before-call", "after-call"};
	struct random random;
	size_t order[STOPS_FULL];
	random_init_stream(&random, random_seed(), 1);
	for (size_t i = 0; i < STOPS_FULL; i++)
		order[i] = i;
	random_shuffle(&random, order, STOPS_FULL, sizeof *order);
	for (size_t i = 0; i < (orders_is_full() ? (size_t)STOPS_FULL : (size_t)STOPS); i++) {
		if (i > 0) {
			assert_int_equal(0, orders_test_tear_down(NULL));
			assert_int_equal(0, orders_test_set_up(NULL));
		}
		stop_at(places[order[i] % 4], points[order[i] / 4], random_next(&random));
	}
}

#endif

/* ---- Clients that repeat ---- */

struct repeat {
	pthread_t thread;
	pthread_barrier_t *together;
	const char *path, *body, *headers;
	uint16_t port;
	int status;
	char *answer;
};

static void *repeat_once(void *context)
{
	struct repeat *repeat = context;
	struct http_client client;
	struct http_client_reply reply = {0};
	http_client_init(&client, repeat->port);
	client.timeout_ms = ORDERS_WAIT_MS_MAX;
	bool connected = http_client_connect(&client) == HTTP_CLIENT_OK;
	int64_t end_ms = orders_now_ms() + ORDERS_WAIT_MS_MAX;
	(void)pthread_barrier_wait(repeat->together);
	do { /* A machine that is too busy says so; then a good client comes back. */
		if (!connected ||
			http_client_call(&client, "POST", repeat->path, repeat->headers,
				repeat->body, &reply) != HTTP_CLIENT_OK)
			break;
		repeat->status = reply.status;
	} while (reply.status == 503 && orders_now_ms() < end_ms);
	repeat->answer = strdup(reply.body ? reply.body : "");
	http_client_reply_release(&reply);
	http_client_release(&client);
	return NULL;
}

/* Send all of them at once, each over a connection of its own, to two servers in turn. */
static void send_together(struct repeat repeats[REPEATS])
{
	pthread_barrier_t together;
	assert_int_equal(0, pthread_barrier_init(&together, NULL, REPEATS));
	for (size_t i = 0; i < REPEATS; i++) {
		repeats[i].together = &together;
		repeats[i].port = orders.ports[i % 2];
		assert_int_equal(
			0, pthread_create(&repeats[i].thread, NULL, repeat_once, &repeats[i]));
	}
	for (size_t i = 0; i < REPEATS; i++)
		(void)pthread_join(repeats[i].thread, NULL);
	(void)pthread_barrier_destroy(&together);
}

static void equal_requests_at_once_count_as_one(void **state)
{
	(void)state;
	static struct repeat repeats[REPEATS];
	ORDERS_START("LEASE=10s");
	orders_start(1, "orders-server", NULL);
	for (size_t i = 0; i < REPEATS; i++)
		repeats[i] = (struct repeat){.path = "/orders",
			.headers = "Idempotency-Key: together\r\n",
			.body = "{\"userId\":\"alice\",\"currency\":\"EUR\",\"items\":[{"
				"\"description\":\"x\",\"amount\":4500}]}"};
	send_together(repeats);
	for (size_t i = 0; i < REPEATS; i++) {
		assert_int_equal(201, repeats[i].status);
		assert_string_equal(repeats[0].answer, repeats[i].answer);
	}
	assert_int_equal(1, orders_query("SELECT count(*) FROM payments.orders"));
	const char *order = orders_query_text("SELECT order_id FROM payments.orders");
	const char *path = text("/orders/%s/confirm", order);
	for (size_t i = 0; i < REPEATS; i++) {
		free(repeats[i].answer);
		repeats[i] = (struct repeat){.path = path,
			.headers = "Idempotency-Key: together\r\n",
			.body = "{\"paymentMethod\":\"pm_card_visa\"}"};
	}
	send_together(repeats);
	for (size_t i = 0; i < REPEATS; i++) {
		assert_int_equal(202, repeats[i].status);
		assert_string_equal(repeats[0].answer, repeats[i].answer);
	}
	for (size_t i = 0; i < REPEATS; i++)
		free(repeats[i].answer);
	orders_wait_status(order, "authorized");
	assert_int_equal(1, orders_ledger_count("authorization"));
	assert_int_equal(1, orders_query("SELECT payment_attempt FROM payments.orders"));
	orders_do(order, "finalize", 202);
	orders_wait_status(order, "paid");
	assert_right();
}

static void one_key_for_two_bodies_counts_once(void **state)
{
	(void)state;
	static struct repeat repeats[REPEATS];
	ORDERS_START("LEASE=10s");
	orders_start(1, "orders-server", NULL);
	const char *order = orders_make();
	const char *path = text("/orders/%s/confirm", order);
	for (size_t i = 0; i < REPEATS; i++)
		repeats[i] = (struct repeat){.path = path,
			.headers = "Idempotency-Key: together\r\n",
			.body = i % 4 < 2 ? "{\"paymentMethod\":\"pm_card_visa\"}"
					  : "{\"paymentMethod\":\"pm_card_mastercard\"}"};
	send_together(repeats);
	/* All of one body were accepted, all of the other refused. */
	for (size_t i = 0; i < REPEATS; i++) {
		int expected = i % 4 < 2 ? repeats[0].status : 202 + 422 - repeats[0].status;
		assert_true(repeats[i].status == 202 || repeats[i].status == 422);
		assert_int_equal(expected, repeats[i].status);
		free(repeats[i].answer);
	}
	orders_wait_status(order, "authorized");
	assert_int_equal(1, orders_ledger_count("authorization"));
}

/* ---- Answers that are lost ---- */

/* Lose the database's answer to what contains this, do something, and see that it was lost. */
static void lose_next(struct fault_proxy *proxy, const char *pattern)
{
	fault_proxy_lose_reply(proxy, slice_of(pattern));
}

static void want_lost(struct fault_proxy *proxy, int64_t *lost)
{
	assert_true(fault_proxy_wait_lost(proxy, ++*lost, ORDERS_WAIT_MS_MAX));
}

static const char *pay_once(void)
{
	const char *order = orders_make();
	orders_confirm(order, "pm_card_visa");
	orders_wait_status(order, "authorized");
	orders_do(order, "finalize", 202);
	orders_wait_status(order, "paid");
	return order;
}

/* Each commit's answer in turn: of the order, the confirmation, the stored intent, the
 * authorization, the finalization and the payment. */
static void lost_commits_charge_once(void **state)
{
	(void)state;
	int64_t lost = 0;
	struct fault_proxy *proxy = fault_proxy_open(orders.postgres.url);
	assert_non_null(proxy);
	orders.database_url = fault_proxy_url(proxy);
	ORDERS_START("LEASE=1s");
	(void)pay_once(); /* From here on all statements are prepared. */
	lose_next(proxy, "Seat A-1");
	const char *order = orders_make();
	want_lost(proxy, &lost);
	lose_next(proxy, "pm_card_visa");
	orders_confirm(order, "pm_card_visa");
	want_lost(proxy, &lost);
	orders_wait_status(order, "authorized");
	lose_next(proxy, "authorized");
	orders_do(order, "finalize", 202);
	want_lost(proxy, &lost);
	orders_wait_status(order, "paid");

	static const char *const moves[] = {"pi_", "authorized", "paid"};
	for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
		order = orders_make();
		if (i < 2)
			lose_next(proxy, moves[i]);
		orders_confirm(order, "pm_card_visa");
		if (i < 2)
			want_lost(proxy, &lost);
		orders_wait_status(order, "authorized");
		if (i == 2)
			lose_next(proxy, moves[i]);
		orders_do(order, "finalize", 202);
		if (i == 2)
			want_lost(proxy, &lost);
		orders_wait_status(order, "paid");
	}
	assert_int_equal(5, orders_query("SELECT count(*) FROM payments.orders"));
	assert_right();
	assert_int_equal(5, orders_ledger_count("capture"));
	orders_stop(0);
	fault_proxy_close(proxy);
}

/* Of each call, once and so often that the adapter gives up; and errors that the provider has
 * stored, whether the call was applied or not. */
static void lost_answers_of_the_provider_charge_once(void **state)
{
	(void)state;
	static const char *const faults[] = {"answer_lost\",\"count\":1",
		"answer_lost\",\"count\":4", "error_500_stored\",\"applied\":true",
		"error_500_stored\",\"applied\":false", "error_500\",\"count\":5"};
	static const char *const operations[] = {
		"create", "confirm", "capture", "refund", "cancel"};
	ORDERS_START("LEASE=10s");
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		for (size_t j = 0; j < sizeof operations / sizeof *operations; j++)
			set_fault(text(
				"{\"fault\":\"%s,\"operation\":\"%s\"}", faults[i], operations[j]));
		const char *refunded = pay_once();
		orders_do(refunded, "cancel", 202);
		orders_wait_status(refunded, "refunded");
		const char *canceled = orders_make();
		orders_confirm(canceled, "pm_card_visa");
		orders_wait_status(canceled, "authorized");
		orders_do(canceled, "cancel", 202);
		orders_wait_status(canceled, "canceled");
		simulator_fixture_clear_faults(&orders.simulator);
	}
	assert_right();
	int64_t count = sizeof faults / sizeof *faults;
	assert_int_equal(count, orders_ledger_count("capture"));
	assert_int_equal(count, orders_ledger_count("refund"));
	assert_int_equal(2 * count, orders_ledger_count("authorization"));
}

#ifdef ORDERS_TEST_CONTROLS

/* The same loss for a server whose keys are random and which forgets the stored intent: the judge
 * has to see the double charge, or its silence means nothing. */
static void without_keys_the_double_charge_is_seen(void **state)
{
	(void)state;
	orders_start(0, "orders-server-without-keys", NULL);
	set_fault("{\"fault\":\"answer_lost\",\"operation\":\"confirm\",\"count\":4}");
	const char *order = orders_make();
	orders_confirm(order, "pm_card_visa");
	orders_wait_status(order, "authorized");
	orders_do(order, "finalize", 202);
	orders_wait_status(order, "paid");
	orders_wait_quiet();
	assert_true(orders_ledger_count("authorization") >= 2);
	assert_int_equal(1, orders_judge(ORDERS_JUDGE_KEEPS_QUIET));
	assert_true(simulator_fixture_total(&orders.simulator, "eur", "open") >= 4500);
}

#endif

/* A judge that finds nothing has to be able to find something. */
static void judge_sees_what_is_spoiled(void **state)
{
	(void)state;
	static const char *const spoils[] = {
		"UPDATE payments.orders SET total = total + 1, captured = total + 1",
		"UPDATE payments.orders SET refunded = 1",
		"UPDATE payments.orders SET status = 'canceled', captured = 0",
		"UPDATE payments.orders SET ending = 'cancel'",
		"UPDATE payments.orders SET stuck = true",
		"DELETE FROM payments.orders",
	};
	ORDERS_START("LEASE=10s");
	(void)pay_once();
	orders_stop(0);
	assert_int_equal(0, orders_judge(ORDERS_JUDGE_TELLS));
	for (size_t i = 0; i < sizeof spoils / sizeof *spoils; i++) {
		(void)orders_query("BEGIN");
		(void)orders_query("%s", spoils[i]);
		assert_int_equal(1, orders_judge(ORDERS_JUDGE_KEEPS_QUIET));
		(void)orders_query("ROLLBACK");
	}
	assert_int_equal(0, orders_judge(ORDERS_JUDGE_TELLS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ORDERS_TEST(thousand_orders_under_faults_are_right),
		ORDERS_TEST(provider_that_is_gone_is_waited_for),
		ORDERS_TEST(two_servers_share_the_orders),
		ORDERS_TEST(equal_requests_at_once_count_as_one),
		ORDERS_TEST(one_key_for_two_bodies_counts_once),
		ORDERS_TEST(lost_commits_charge_once),
		ORDERS_TEST(lost_answers_of_the_provider_charge_once),
		ORDERS_TEST(judge_sees_what_is_spoiled),
#ifdef ORDERS_TEST_CONTROLS
		ORDERS_TEST(server_stopped_past_its_lease_does_no_harm),
		ORDERS_TEST(without_keys_the_double_charge_is_seen),
#endif
	};
	return cmocka_run_group_tests(tests, orders_set_up, orders_tear_down);
}
