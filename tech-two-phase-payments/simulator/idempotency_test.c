/* Idempotency keys by Stripe's rules (https://docs.stripe.com/api/idempotent_requests), and what
 * each fault does to a request and to its key. */
#include "tech-two-phase-payments/simulator/simulator_test.h"

/* The body of the last answer; the caller frees it. */
static char *body(void)
{
	char *copy = strdup(simulator.reply.body);
	assert_non_null(copy);
	return copy;
}

static void want_same(char *first)
{
	assert_string_equal(first, simulator.reply.body);
	want_header("Idempotent-Replayed", "true");
	free(first);
}

static void test_the_same_answer_for_the_same_key(void **state)
{
	(void)state;
	ask(INTENTS, "a", HELD, 200);
	char *first = body();
	const char *id = text("%s", json_string_value(at("id")));
	const char *request = text("%s", http_client_reply_header(&simulator.reply, "Request-Id"));
	ask(text(INTENTS "/%s/capture", id), "b", "", 200);
	/* As it was then: still to be captured. */
	ask(INTENTS, "a", HELD, 200);
	want_header("Original-Request", request);
	want_same(first);
	ask(text(INTENTS "/%s/capture", id), "b", "", 200);
	ask("/v1/refunds", "c", text("payment_intent=%s&amount=100", id), 200);
	first = body();
	ask("/v1/refunds", "c", text("payment_intent=%s&amount=100", id), 200);
	want_same(first);
	assert_int_equal(4500, total("authorized"));
	assert_int_equal(4500, total("captured"));
	assert_int_equal(100, total("refunded"));
}

static void test_parameters_may_change_their_order(void **state)
{
	(void)state;
	ask(INTENTS, "a", "amount=100&currency=eur&metadata[x]=1&metadata[y]=2", 200);
	char *first = body();
	ask(INTENTS, "a", "metadata[y]=2&currency=eur&metadata%5Bx%5D=1&amount=100", 200);
	want_same(first);
}

static void test_other_parameters_are_refused(void **state)
{
	(void)state;
	ask(INTENTS, "a", "amount=100&currency=eur", 200);
	const char *id = text("%s", json_string_value(at("id")));
	static const char *const others[] = {"amount=101&currency=eur", "amount=100&currency=usd",
		"amount=100&currency=eur&metadata[x]=1"};
	for (size_t i = 0; i < 3; i++) {
		ask(INTENTS, "a", others[i], 400);
		want("error.type", "idempotency_error");
	}
	/* The same parameters, another path. */
	ask(text(INTENTS "/%s/cancel", id), "a", "", 400);
	want("error.type", "idempotency_error");
	ask(text(INTENTS "/%s", id), "a", NULL, 200);
	want("status", "requires_payment_method");
}

static void test_errors_of_execution_are_stored(void **state)
{
	(void)state;
	const char *id = hold();
	const char *refund = text("payment_intent=%s", id);
	ask("/v1/refunds", "a", refund, 400);
	char *first = body();
	ask(text(INTENTS "/%s/capture", id), NULL, "", 200);
	ask("/v1/refunds", "a", refund, 400);
	want_same(first);
	ask("/v1/refunds", "b", refund, 200);
}

static void test_errors_of_validation_are_not(void **state)
{
	(void)state;
	ask(INTENTS, "a", "amount=100", 400);
	want("error.code", "parameter_missing");
	ask(INTENTS, "a", "amount=100&currency=eur", 200);
	want_header("Idempotent-Replayed", NULL);
}

static void test_a_key_has_255_characters(void **state)
{
	(void)state;
	char key[257];
	memset(key, 'k', sizeof key);
	key[256] = '\0';
	ask(INTENTS, key, HELD, 400);
	key[255] = '\0';
	ask(INTENTS, key, HELD, 200);
}

/* ---- Faults ---- */

static void test_lost_answer(void **state)
{
	(void)state;
	fault("{\"fault\":\"answer_lost\",\"operation\":\"create\"}");
	ask(INTENTS, "a", HELD, 0);
	assert_int_equal(4500, total("authorized"));
	ask(INTENTS, "a", HELD, 200);
	want_header("Idempotent-Replayed", "true");
	assert_int_equal(4500, total("authorized"));
	/* Also the answer that was stored can be lost. */
	fault("{\"fault\":\"answer_lost\"}");
	ask(INTENTS, "a", HELD, 0);
	ask(INTENTS, "a", HELD, 200);
	assert_int_equal(4500, total("authorized"));
}

static void test_timeout_before_anything(void **state)
{
	(void)state;
	fault("{\"fault\":\"timeout\",\"ms\":100}");
	ask(INTENTS, "a", HELD, 0);
	assert_int_equal(0, total("authorized"));
	ask(INTENTS, "a", HELD, 200);
	want_header("Idempotent-Replayed", NULL);
	assert_int_equal(4500, total("authorized"));
}

static void test_500_that_is_not_stored(void **state)
{
	(void)state;
	fault("{\"fault\":\"error_500\"}");
	ask(INTENTS, "a", HELD, 500);
	want("error.type", "api_error");
	assert_int_equal(0, total("authorized"));
	ask(INTENTS, "a", HELD, 200);
	want_header("Idempotent-Replayed", NULL);
}

static void want_stored_500(int64_t authorized)
{
	ask(INTENTS, "a", HELD, 500);
	char *first = body();
	want("error.type", "api_error");
	ask(INTENTS, "a", HELD, 500);
	want_same(first);
	assert_int_equal(authorized, total("authorized"));
}

static void test_500_that_is_stored(void **state)
{
	(void)state;
	fault("{\"fault\":\"error_500_stored\"}");
	want_stored_500(0);
	ask(INTENTS, "b", HELD, 200);
}

static void test_500_that_is_stored_though_it_was_done(void **state)
{
	(void)state;
	fault("{\"fault\":\"error_500_stored\",\"applied\":true}");
	want_stored_500(4500);
}

static void test_too_many_requests(void **state)
{
	(void)state;
	fault("{\"fault\":\"rate_limited\",\"count\":2}");
	for (int i = 0; i < 2; i++) {
		ask(INTENTS, "a", HELD, 429);
		want("error.code", "rate_limit");
		want_header("Stripe-Should-Retry", "true");
	}
	ask(INTENTS, "a", HELD, 200);
	want_header("Idempotent-Replayed", NULL);
}

static void test_gone_for_a_while(void **state)
{
	(void)state;
	fault("{\"fault\":\"gone\",\"ms\":3600000}");
	for (int i = 0; i < 3; i++)
		ask(INTENTS, "a", HELD, 0);
	ask(INTENTS "/pi_1", NULL, NULL, 0);
	assert_int_equal(0, total("authorized"));
	simulator_fixture_clear_faults(&simulator);
	ask(INTENTS, "a", HELD, 200);
	want_header("Idempotent-Replayed", NULL);
}

static void test_the_key_of_a_slow_answer_is_in_use(void **state)
{
	(void)state;
	struct http_client slow;
	struct http_client_reply reply = {0};
	fault("{\"fault\":\"slow\",\"ms\":3600000}");
	send_only(&slow, "a");
	wait_for_total("authorized", 4500); /* It is done at once. */
	ask(INTENTS, "a", HELD, 409);
	want("error.code", "idempotency_key_in_use");
	want_header("Stripe-Should-Retry", "true");
	ask(INTENTS, "a", HELD "&metadata[x]=1", 400);
	ask(INTENTS, "b", HELD, 200); /* Nobody else waits. */
	/* An end answers what is held back. */
	process_signal(&simulator.server, 15);
	assert_int_equal(HTTP_CLIENT_OK, http_client_receive(&slow, "POST", &reply));
	assert_int_equal(200, reply.status);
	assert_true(simulator_fixture_halt(&simulator));
	assert_int_equal(STATUS_OK, simulator_fixture_start_again(&simulator));
	ask(INTENTS, "a", HELD, 200);
	assert_string_equal(reply.body, simulator.reply.body);
	http_client_reply_release(&reply);
	http_client_release(&slow);
}

/* Far more answers are under way than there are threads, and they all come. */
static void test_many_slow_answers_at_once(void **state)
{
	(void)state;
	enum { CLIENTS = 1500 };
	static struct http_client clients[CLIENTS];
	struct http_client_reply reply = {0};
	fault("{\"fault\":\"slow\",\"rate\":1,\"ms\":3000}");
	for (size_t i = 0; i < CLIENTS; i++)
		send_only(&clients[i], text("many-%zu", i));
	for (size_t i = 0; i < CLIENTS; i++) {
		assert_int_equal(HTTP_CLIENT_OK, http_client_receive(&clients[i], "POST", &reply));
		assert_int_equal(200, reply.status);
		http_client_release(&clients[i]);
	}
	assert_int_equal((int64_t)CLIENTS * 4500, total("authorized"));
	http_client_reply_release(&reply);
}

/* By a seed, the same requests meet the same faults. */
static void test_a_seeded_rate_repeats_itself(void **state)
{
	(void)state;
	enum { REQUESTS = 60 };
	int first[REQUESTS], hits = 0;
	for (int round = 0; round < 2; round++) {
		fault("{\"fault\":\"error_500\",\"rate\":0.3,\"seed\":42}");
		for (int i = 0; i < REQUESTS; i++) {
			int status = simulator_fixture_ask(&simulator, INTENTS, NULL, HELD);
			if (round == 0)
				first[i] = status;
			assert_int_equal(first[i], status);
			hits += status == 500;
		}
		json_t *faults = simulator_fixture_faults(&simulator);
		const json_t *item = json_array_get(json_object_get(faults, "items"), 0);
		assert_int_equal(REQUESTS, json_integer_value(json_object_get(item, "matched")));
		json_decref(faults);
		simulator_fixture_clear_faults(&simulator);
	}
	assert_true(hits > 0 && hits < 2 * REQUESTS);
}

static void test_faults_need_the_admin_token(void **state)
{
	(void)state;
	static const char *const paths[] = {"/simulator/faults", "/simulator/ledger"};
	for (size_t i = 0; i < 2; i++) {
		ask(paths[i], NULL, NULL, 401); /* The provider's key opens nothing. */
		want("type", "urn:onsale:problem:unauthorized");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SIMULATOR_TEST(test_the_same_answer_for_the_same_key, NULL),
		SIMULATOR_TEST(test_parameters_may_change_their_order, NULL),
		SIMULATOR_TEST(test_other_parameters_are_refused, NULL),
		SIMULATOR_TEST(test_errors_of_execution_are_stored, NULL),
		SIMULATOR_TEST(test_errors_of_validation_are_not, NULL),
		SIMULATOR_TEST(test_a_key_has_255_characters, NULL),
		SIMULATOR_TEST(test_lost_answer, NULL),
		SIMULATOR_TEST(test_timeout_before_anything, NULL),
		SIMULATOR_TEST(test_500_that_is_not_stored, NULL),
		SIMULATOR_TEST(test_500_that_is_stored, NULL),
		SIMULATOR_TEST(test_500_that_is_stored_though_it_was_done, NULL),
		SIMULATOR_TEST(test_too_many_requests, NULL),
		SIMULATOR_TEST(test_gone_for_a_while, NULL),
		SIMULATOR_TEST(test_the_key_of_a_slow_answer_is_in_use, NULL),
		SIMULATOR_TEST(test_many_slow_answers_at_once, NULL),
		SIMULATOR_TEST(test_a_seeded_rate_repeats_itself, NULL),
		SIMULATOR_TEST(test_faults_need_the_admin_token, NULL),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
