/* A request whose answer is lost is repeated with its key: the same tickets, one order, one charge.
 * Lost because the client hangs up, because the server is killed at any moment, because the
 * database's answer to COMMIT does not arrive, or because fifty repetitions come at once. */
#include <pthread.h>
#include <time.h>

#include "lib/testkit/fault_proxy.h"
#include "lib/testkit/random.h"
#include "simplest-implementation/simplest_fixture.h"

enum {
	CRASHES = 8,
	CRASHES_FULL = 100,
	REPETITIONS = 50,
	SEATS = 4,
};

static const char visa[] = "{\"paymentMethod\":\"pm_card_visa\"}";

/* A purchase that is about to be sent, on a connection of its own. */
static struct {
	char event[EVENT_ID_SIZE], hold[HOLD_ID_SIZE];
	char path[128], key[64];
	struct http_client client;
} purchase;

static int start(void **state)
{
	(void)state;
	SERVER_START(fixed_port(), "WORKERS=32");
	return 0;
}

static void purchase_prepare(void)
{
	event_make("Lost answers", SEATS, purchase.event);
	hold_make(purchase.event, "\"s-2\",\"s-3\"", purchase.hold);
	snprintf(purchase.path, sizeof purchase.path, "/holds/%s/purchase", purchase.hold);
	snprintf(purchase.key, sizeof purchase.key, "%s", new_key());
	http_client_init(&purchase.client, simplest.port);
}

static void purchase_send(void)
{
	send_only(&purchase.client, "POST", purchase.path, purchase.key, visa);
}

static void want_one_charge(void)
{
	assert_int_equal(1,
		database_count(
			"select count(*) from orders where event_id = '%s'", purchase.event));
	assert_int_equal(1,
		database_count(
			"select count(*) from charges where event_id = '%s'", purchase.event));
	assert_int_equal(PRICE_STALLS + PRICE_BALCONY,
		database_count(
			"select sum(amount) from charges where event_id = '%s'", purchase.event));
	assert_int_equal(2,
		database_count(
			"select count(*) from tickets where event_id = '%s'", purchase.event));
	assert_int_equal(2, seats_with(purchase.event, "sold"));
	assert_int_equal(0, seats_with(purchase.event, "held"));
}

/* Repeat the purchase until no other try is in flight, and return its answer. Even the very first
 * may only now come to its turn. */
static json_t *purchase_repeat(void)
{
	int64_t deadline_ms = now_ms() + 60000;
	do {
		assert_true(now_ms() < deadline_ms);
		ask("POST", purchase.path, purchase.key, visa, 0);
	} while (simplest.reply.status == 409);
	assert_int_equal(200, simplest.reply.status);
	return simplest.json;
}

/* Repeat the purchase on a new connection. Returns whether an earlier try was the one that bought.
 */
static bool want_tickets_once(void)
{
	http_client_close(&simplest.client);
	json_t *order = json_deep_copy(purchase_repeat());
	bool replayed = http_client_reply_header(&simplest.reply, "Idempotency-Replayed") != NULL;
	array_at(order, "tickets", 2);
	const char *id = json_string_value(json_object_get(order, "orderId"));
	assert_true(json_equal(order, look(text("/orders/%s", id))));
	assert_true(json_equal(order, purchase_repeat()));
	want_one_charge();
	json_decref(order);
	return replayed;
}

static void wait_for_order(void)
{
	char query[128];
	snprintf(query, sizeof query, "select count(*) from orders where event_id = '%s'",
		purchase.event);
	database_wait(query, 1);
}

/* The client is gone while its purchase waits for a lock: it is done all the same, and the answer
 * waits for whoever asks again. */
static void client_that_hung_up_gets_its_tickets(void **state)
{
	(void)state;
	purchase_prepare();
	PGconn *lock = database_lock(
		text("select from seat_inventory where event_id = '%s'", purchase.event));
	purchase_send();
	database_wait_blocked(lock, 1);
	http_client_close(&purchase.client);
	PQfinish(lock);
	wait_for_order();
	assert_true(want_tickets_once());
	http_client_release(&purchase.client);
}

/* The same without a lock: gone at any moment, by a close or by a reset. */
static void client_that_hangs_up_at_once_loses_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		purchase_prepare();
		purchase_send();
		if (i % 2)
			http_client_abort(&purchase.client);
		else
			http_client_close(&purchase.client);
		want_tickets_once();
		http_client_release(&purchase.client);
	}
}

static void server_killed_after_the_commit_gives_the_same_tickets(void **state)
{
	(void)state;
	purchase_prepare();
	purchase_send();
	wait_for_order();
	server_crash();
	http_client_release(&purchase.client);
	server_start_again();
	assert_true(want_tickets_once());
}

static void server_killed_at_any_moment_charges_once(void **state)
{
	(void)state;
	struct random random;
	int applied = 0, crashes = test_is_full() ? CRASHES_FULL : CRASHES;
	random_init(&random, random_seed());
	/* How long a purchase takes here and now, so that the moments fall before and after it. */
	purchase_prepare();
	int64_t delay_us_max = now_ms();
	want_tickets_once();
	delay_us_max = (now_ms() - delay_us_max) * 1000 / 3;
	for (int i = 0; i < crashes; i++) {
		purchase_prepare();
		purchase_send();
		struct timespec delay = {
			.tv_nsec = (long)random_between(&random, 0, delay_us_max) * 1000};
		nanosleep(&delay, NULL);
		server_crash();
		http_client_release(&purchase.client);
		server_start_again();
		applied += want_tickets_once();
	}
	print_message(
		"%d of %d purchases were committed when the server was killed\n", applied, crashes);
}

static void hold_whose_answer_is_lost_is_the_same_hold(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE], path[128], query[256];
	struct http_client client;
	const char *body = "{\"userId\":\"u\",\"seats\":[\"s-1\",\"s-4\"]}";
	event_make("Lost hold", SEATS, event);
	snprintf(path, sizeof path, "/events/%s/holds", event);
	snprintf(purchase.key, sizeof purchase.key, "%s", new_key());
	http_client_init(&client, simplest.port);
	send_only(&client, "POST", path, purchase.key, body);
	snprintf(query, sizeof query, "select count(*) from holds where event_id = '%s'", event);
	database_wait(query, 1);
	server_crash();
	http_client_release(&client);
	server_start_again();
	ask("POST", path, purchase.key, body, 201);
	assert_int_equal(1, database_count("%s", query));
	assert_int_equal(2, seats_with(event, "held"));
}

/* ---- Between the server and its database ---- */

static struct fault_proxy *proxy;

/* With its zero byte, since "begin isolation level read committed" is no end of a transaction. */
static const struct slice commit = {.data = "commit", .size = sizeof "commit"};

static int start_by_proxy(void **state)
{
	(void)state;
	proxy = fault_proxy_open(simplest.postgres.url);
	assert_non_null(proxy);
	/* The sweeper's commits are not the ones that are meant. */
	SERVER_START(
		fixed_port(), text("DATABASE_URL=%s", fault_proxy_url(proxy)), "SWEEP_INTERVAL=1h");
	return 0;
}

static int tear_down_by_proxy(void **state)
{
	int failed = server_tear_down(state);
	fault_proxy_close(proxy);
	proxy = NULL;
	return failed;
}

/* The server cannot know what became of the purchase and says so; whoever asks again learns it. */
static void commit_whose_answer_is_lost_is_found_again(void **state)
{
	(void)state;
	purchase_prepare();
	fault_proxy_lose_reply(proxy, commit);
	ask("POST", purchase.path, purchase.key, visa, 503);
	assert_non_null(strstr(simplest.reply.body, "answer was lost"));
	assert_int_equal(1, fault_proxy_lost_count(proxy));
	assert_true(want_tickets_once());
	http_client_release(&purchase.client);
}

static void commit_that_is_lost_itself_is_done_again(void **state)
{
	(void)state;
	purchase_prepare();
	fault_proxy_lose_request(proxy, commit);
	ask("POST", purchase.path, purchase.key, visa, 503);
	assert_non_null(strstr(simplest.reply.body, "answer was lost"));
	assert_int_equal(1, fault_proxy_lost_count(proxy));
	assert_false(want_tickets_once());
	http_client_release(&purchase.client);
}

/* ---- Fifty at once ---- */

struct repetition {
	pthread_t thread;
	struct http_client client;
	struct http_client_reply reply;
	enum http_client_outcome outcome;
};

static pthread_barrier_t together;

static void *repeat(void *context)
{
	struct repetition *repetition = context;
	char headers[96];
	snprintf(headers, sizeof headers, "Idempotency-Key: %s\r\n", purchase.key);
	pthread_barrier_wait(&together);
	repetition->outcome = http_client_call(
		&repetition->client, "POST", purchase.path, headers, visa, &repetition->reply);
	return NULL;
}

/* Each gets the same order to the byte, or is told that the first is still running. Returns how
 * many got the order. */
static size_t repetitions_check(struct repetition repetitions[REPETITIONS])
{
	size_t count = 0;
	const char *order = NULL;
	for (int i = 0; i < REPETITIONS; i++) {
		struct http_client_reply *reply = &repetitions[i].reply;
		assert_int_equal(HTTP_CLIENT_OK, repetitions[i].outcome);
		if (reply->status != 200) {
			assert_int_equal(409, reply->status);
			assert_non_null(strstr(reply->body, "idempotency-key-in-use"));
			continue;
		}
		order = order ? order : reply->body;
		assert_string_equal(order, reply->body);
		count++;
	}
	return count;
}

static void fifty_repetitions_at_once_charge_once(void **state)
{
	(void)state;
	static struct repetition repetitions[REPETITIONS];
	for (int round = 0; round < 3; round++) {
		purchase_prepare();
		pthread_barrier_init(&together, NULL, REPETITIONS);
		for (int i = 0; i < REPETITIONS; i++) {
			repetitions[i] = (struct repetition){.outcome = HTTP_CLIENT_OK};
			http_client_init(&repetitions[i].client, simplest.port);
			assert_int_equal(0,
				pthread_create(
					&repetitions[i].thread, NULL, repeat, &repetitions[i]));
		}
		for (int i = 0; i < REPETITIONS; i++)
			pthread_join(repetitions[i].thread, NULL);
		assert_true(repetitions_check(repetitions) >= 1);
		want_tickets_once();
		for (int i = 0; i < REPETITIONS; i++) {
			http_client_reply_release(&repetitions[i].reply);
			http_client_release(&repetitions[i].client);
		}
		pthread_barrier_destroy(&together);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVER_TEST(client_that_hung_up_gets_its_tickets, start),
		SERVER_TEST(client_that_hangs_up_at_once_loses_nothing, start),
		SERVER_TEST(server_killed_after_the_commit_gives_the_same_tickets, start),
		SERVER_TEST(server_killed_at_any_moment_charges_once, start),
		SERVER_TEST(hold_whose_answer_is_lost_is_the_same_hold, start),
		cmocka_unit_test_setup_teardown(commit_whose_answer_is_lost_is_found_again,
			start_by_proxy, tear_down_by_proxy),
		cmocka_unit_test_setup_teardown(commit_that_is_lost_itself_is_done_again,
			start_by_proxy, tear_down_by_proxy),
		SERVER_TEST(fifty_repetitions_at_once_charge_once, start),
	};
	return cmocka_run_group_tests(tests, simplest_set_up, simplest_tear_down);
}
