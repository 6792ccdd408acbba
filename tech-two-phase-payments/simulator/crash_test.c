/* kill -9 while buyers pay: what was acknowledged is there, each key has had one effect, and the
 * ledger agrees with the intents to the cent. */
#include "tech-two-phase-payments/simulator/simulator_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "lib/testkit/random.h"

enum { BUYERS = 6, KILLS = 6, KILLS_FULL = 100, PAYMENTS_MAX = 200000, ID_SIZE = 32 };

/* A payment as its buyer knows it. Buyers never end one without an answer: they repeat. */
struct payment {
	char id[ID_SIZE];
	bool authorized, captured, canceled;
};

static struct payment payments[PAYMENTS_MAX];
static atomic_size_t payment_count;
static atomic_bool over;
static atomic_int troubles;

struct buyer {
	pthread_t thread;
	int number;
	struct http_client client;
	struct http_client_reply reply;
};

/* Ask with a key until there is an answer. False: the test is over. */
static bool insist(struct buyer *buyer, const char *path, const char *key, const char *form)
{
	char headers[256];
	snprintf(headers, sizeof headers,
		"Authorization: Bearer " SIMULATOR_KEY
		"\r\nIdempotency-Key: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n",
		key);
	while (!atomic_load(&over)) {
		enum http_client_outcome outcome = http_client_call(
			&buyer->client, "POST", path, headers, form, &buyer->reply);
		if (outcome == HTTP_CLIENT_OK && buyer->reply.status != 409)
			return true;
		pause_ms(5);
	}
	return false;
}

static bool answered(struct buyer *buyer, const char *status)
{
	json_t *json = http_client_reply_json(&buyer->reply);
	const char *got = json_string_value(json_object_get(json, "status"));
	bool good = buyer->reply.status == 200 && got && strcmp(got, status) == 0;
	if (!good) {
		print_error("%d: %.300s\n", buyer->reply.status, buyer->reply.body);
		atomic_fetch_add(&troubles, 1);
	}
	json_decref(json);
	return good;
}

static void pay(struct buyer *buyer, int round)
{
	char key[64], path[128];
	snprintf(key, sizeof key, "create-%d-%d", buyer->number, round);
	if (!insist(buyer, INTENTS, key, HELD) || !answered(buyer, "requires_capture"))
		return;
	size_t index = atomic_fetch_add(&payment_count, 1);
	if (index >= PAYMENTS_MAX)
		return;
	struct payment *payment = &payments[index];
	json_t *json = http_client_reply_json(&buyer->reply);
	snprintf(payment->id, sizeof payment->id, "%s",
		json_string_value(json_object_get(json, "id")));
	json_decref(json);
	payment->authorized = true;
	bool captures = round % 3 != 0;
	snprintf(key, sizeof key, "end-%d-%d", buyer->number, round);
	snprintf(path, sizeof path, INTENTS "/%s/%s", payment->id, captures ? "capture" : "cancel");
	if (!insist(buyer, path, key, ""))
		return;
	payment->captured = captures && answered(buyer, "succeeded");
	payment->canceled = !captures && answered(buyer, "canceled");
}

static void *buy(void *context)
{
	struct buyer *buyer = context;
	http_client_init(&buyer->client, simulator.port);
	for (int round = 0; !atomic_load(&over); round++)
		pay(buyer, round);
	http_client_reply_release(&buyer->reply);
	http_client_release(&buyer->client);
	return NULL;
}

static bool is_full(void)
{
	const char *full = getenv("ONSALE_FULL");
	return full && strcmp(full, "1") == 0;
}

/* Until the buyers have got on by so many payments. */
static void wait_for_payments(size_t more)
{
	size_t goal = atomic_load(&payment_count) + more;
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	while (atomic_load(&payment_count) < goal) {
		assert_true(now_ms() < deadline_ms);
		pause_ms(1);
	}
}

/* What the ledger says of each intent. */
static void check_ledger(void)
{
	json_t *ledger = simulator_fixture_ledger(&simulator), *books = json_object(), *item;
	size_t i, count = atomic_load(&payment_count);
	json_array_foreach(json_object_get(ledger, "items"), i, item)
	{
		const char *id = json_string_value(json_object_get(item, "paymentIntent"));
		const char *kind = json_string_value(json_object_get(item, "kind"));
		json_t *book = json_object_get(books, id);
		assert_int_equal(4500, json_integer_value(json_object_get(item, "amount")));
		if (!book) {
			json_object_set_new(books, id, json_object());
			book = json_object_get(books, id);
		}
		/* Each kind once: nothing was done twice. */
		assert_null(json_object_get(book, kind));
		json_object_set_new(book, kind, json_true());
	}
	for (i = 0; i < count; i++) {
		const json_t *book = json_object_get(books, payments[i].id);
		bool captured = json_object_get(book, "capture"),
		     voided = json_object_get(book, "void");
		assert_non_null(json_object_get(book, "authorization"));
		assert_false(captured && voided);
		assert_true(captured || !payments[i].captured);
		assert_true(voided || !payments[i].canceled);
	}
	/* A key that was repeated made one intent: no authorization is nobody's, but for the last
	 * of each buyer, whose answer nobody waited for. */
	assert_in_range(json_object_size(books), count, count + BUYERS);
	json_decref(books);
	json_decref(ledger);
}

static void test_kills_under_load(void **state)
{
	(void)state;
	static struct buyer buyers[BUYERS];
	struct random random;
	random_init(&random, random_seed());
	atomic_store(&over, false);
	for (int i = 0; i < BUYERS; i++) {
		buyers[i] = (struct buyer){.number = i};
		assert_int_equal(0, pthread_create(&buyers[i].thread, NULL, buy, &buyers[i]));
	}
	for (int kill = 0; kill < (is_full() ? KILLS_FULL : KILLS); kill++) {
		wait_for_payments(1 + random_below(&random, 30));
		pause_ms((int64_t)random_below(&random, 20));
		simulator_fixture_kill(&simulator);
		assert_int_equal(STATUS_OK, simulator_fixture_start_again(&simulator));
	}
	wait_for_payments(10);
	atomic_store(&over, true);
	for (int i = 0; i < BUYERS; i++)
		pthread_join(buyers[i].thread, NULL);
	assert_int_equal(0, atomic_load(&troubles));
	check_ledger();
	simulator_fixture_kill(&simulator);
	assert_int_equal(STATUS_OK, simulator_fixture_start_again(&simulator));
	check_ledger();
}

static void cut_journal(off_t bytes)
{
	char path[128];
	snprintf(path, sizeof path, "%s/journal", simulator.folder);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(0, ftruncate(fd, lseek(fd, 0, SEEK_END) - bytes));
	close(fd);
}

/* A frame that is cut short takes its whole batch with it, and nothing else. */
static void test_a_torn_end(void **state)
{
	(void)state;
	const char *first = hold();
	const char *second = hold();
	simulator_fixture_kill(&simulator);
	cut_journal(1);
	assert_int_equal(STATUS_OK, simulator_fixture_start_again(&simulator));
	ask(text(INTENTS "/%s", first), NULL, NULL, 200);
	ask(text(INTENTS "/%s", second), NULL, NULL, 404);
	assert_int_equal(4500, total("authorized"));
}

/* All of it: replays, refunds, what waits for the customer, and what expires meanwhile. */
static void test_everything_survives(void **state)
{
	(void)state;
	ask(INTENTS, "a", HELD "&metadata[orderId]=o-1&description=Seats", 200);
	char *first = strdup(simulator.reply.body);
	const char *id = text("%s", json_string_value(at("id")));
	ask(text(INTENTS "/%s/capture", id), "b", "amount_to_capture=4000", 200);
	ask("/v1/refunds", "c", text("payment_intent=%s&amount=100", id), 200);
	ask(INTENTS, "d",
		"amount=100&currency=eur&confirm=true&payment_method=pm_card_chargeDeclined", 402);
	char *declined = strdup(simulator.reply.body);
	fault("{\"fault\":\"error_500_stored\"}");
	ask(INTENTS, "e", HELD, 500);
	ask(INTENTS, NULL,
		"amount=4500&currency=eur&capture_method=manual&confirm=true&"
		"payment_method=pm_card_authenticationRequired",
		200);
	const char *waiting = text("%s", json_string_value(at("id")));
	json_t *before = simulator_fixture_ledger(&simulator);
	simulator_fixture_kill(&simulator);
	assert_int_equal(STATUS_OK, simulator_fixture_start_again(&simulator));
	json_t *after = simulator_fixture_ledger(&simulator);
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
	ask(INTENTS, "a", HELD "&metadata[orderId]=o-1&description=Seats", 200);
	assert_string_equal(first, simulator.reply.body);
	ask("/v1/refunds", "c", text("payment_intent=%s&amount=100", id), 200);
	want_header("Idempotent-Replayed", "true");
	ask(INTENTS, "d",
		"amount=100&currency=eur&confirm=true&payment_method=pm_card_chargeDeclined", 402);
	assert_string_equal(declined, simulator.reply.body);
	ask(INTENTS, "e", HELD, 500);
	want_header("Idempotent-Replayed", "true");
	ask(INTENTS, "a", HELD, 400);
	json_decref(simulator_fixture_authenticate(&simulator, waiting, "succeeded"));
	ask(text(INTENTS "/%s/capture", waiting), NULL, "", 200);
	assert_int_equal(8500, total("captured"));
	free(first);
	free(declined);
}

static void test_expired_while_it_was_down(void **state)
{
	(void)state;
	const char *id = hold();
	simulator_fixture_kill(&simulator);
	assert_int_equal(STATUS_OK, simulator_fixture_start_again(&simulator));
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	while (total("expired") != 4500) {
		assert_true(now_ms() < deadline_ms);
		pause_ms(10);
	}
	ask(text(INTENTS "/%s", id), NULL, NULL, 200);
	want("status", "canceled");
}

int main(void)
{
	static const char *const brief[] = {"AUTHORIZATION_LIFETIME=2s", NULL};
	const struct CMUnitTest tests[] = {
		SIMULATOR_TEST(test_a_torn_end, NULL),
		SIMULATOR_TEST(test_everything_survives, NULL),
		SIMULATOR_TEST(test_expired_while_it_was_down, brief),
		SIMULATOR_TEST(test_kills_under_load, NULL),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
