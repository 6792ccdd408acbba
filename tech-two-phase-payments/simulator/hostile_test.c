/* What no client should send. Each gets a refusal in Stripe's shape, or a problem of the library's
 * where the request is none; nothing is done, and the simulator still works afterwards. */
#include "tech-two-phase-payments/simulator/simulator_test.h"

static void want_alive_and_nothing_done(void)
{
	assert_int_equal(0, total("authorized"));
	ask(INTENTS, NULL, HELD, 200);
}

static void want_stripes_shape(void)
{
	want("error.type", "invalid_request_error");
	assert_true(json_is_string(at("error.message")));
}

static void test_wrong_bodies(void **state)
{
	(void)state;
	static const char *const bodies[] = {"amount=-1&currency=eur", "amount=4500",
		"amount=4500&currency=%00", "amount=4500&currency=eur&x[y]=z",
		"amount=4500&currency=eur&amount=1", "%", "=", "amount=%zz",
		"{\"amount\":4500,\"currency\":\"eur\"}", "amount=4500&currency=\"eur\"",
		"amount=NaN&currency=eur", "amount=0x10&currency=eur", "amount= 4500&currency=eur",
		"amount=4500&currency=eur&confirm=true&payment_method=4242424242424242",
		"amount=4500&currency=eur&metadata[\xff]=1", "amount[]=4500&currency=eur",
		"amount=4500&currency=eur&capture_method[]=manual"};
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		ask(INTENTS, text("hostile-%zu", i), bodies[i], 400);
		want_stripes_shape();
		assert_null(strstr(simulator.reply.body, "4242"));
	}
	want_alive_and_nothing_done();
}

static void test_wrong_media_types(void **state)
{
	(void)state;
	static const char *const types[] = {
		"application/json", "text/plain", "multipart/form-data"};
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(HTTP_CLIENT_OK,
			http_client_call(&simulator.client, "POST", INTENTS,
				text("Authorization: Bearer %s\r\nContent-Type: %s\r\n",
					simulator.key, types[i]),
				HELD, &simulator.reply));
		assert_int_equal(400, simulator.reply.status);
	}
	want_alive_and_nothing_done();
}

/* Beyond 64 KiB the form is refused, beyond 1 MiB the body is. */
static void test_huge_bodies(void **state)
{
	(void)state;
	enum { HUGE_SIZE = 2 << 20, LARGE_SIZE = 128 << 10 };
	char *body = malloc(HUGE_SIZE + 1);
	assert_non_null(body);
	memset(body, 'a', HUGE_SIZE);
	body[HUGE_SIZE] = '\0';
	memcpy(body, "description=", strlen("description="));
	int status = simulator_fixture_ask(&simulator, INTENTS, NULL, body);
	assert_true(status == 413 || status == 0);
	http_client_close(&simulator.client);
	body[LARGE_SIZE] = '\0';
	ask(INTENTS, NULL, body, 400);
	want_stripes_shape();
	memset(body, '&', LARGE_SIZE / 4);
	body[LARGE_SIZE / 4] = '\0';
	ask(INTENTS, NULL, body, 400);
	want("error.code", "parameter_missing");
	free(body);
	want_alive_and_nothing_done();
}

static void test_wrong_ids(void **state)
{
	(void)state;
	static const char *const ids[] = {"%00", "%ff", "%2e%2e", "pi_%22%3E", "'; drop table",
		"pi_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		int status =
			simulator_fixture_ask(&simulator, text(INTENTS "/%s", ids[i]), NULL, NULL);
		if (status != 400 && status != 404 && status != 0)
			fail_msg("%s: %d", ids[i], status);
		http_client_close(&simulator.client);
	}
	ask(INTENTS "/pi_1?colour=red", NULL, NULL, 400);
	want_stripes_shape();
	want_alive_and_nothing_done();
}

static void test_wrong_methods(void **state)
{
	(void)state;
	static const char *const methods[] = {"PUT", "DELETE", "PATCH"};
	const char *headers = text("Authorization: Bearer %s\r\n", simulator.key);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(HTTP_CLIENT_OK,
			http_client_call(&simulator.client, methods[i], INTENTS, headers, NULL,
				&simulator.reply));
		assert_int_equal(405, simulator.reply.status);
	}
	want_alive_and_nothing_done();
}

static void ask_admin(const char *method, const char *path, const char *body, int status)
{
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_call(&simulator.client, method, path,
			"Authorization: Bearer " SIMULATOR_ADMIN_TOKEN "\r\n", body,
			&simulator.reply));
	if (simulator.reply.status != status)
		fail_msg("%s %s %s: %d instead of %d", method, path, body ? body : "",
			simulator.reply.status, status);
}

static void test_wrong_commands(void **state)
{
	(void)state;
	ask_admin("POST", "/simulator/faults", "{", 400);
	ask_admin("POST", "/simulator/faults", "[]", 422);
	ask_admin("POST", "/simulator/faults", "{\"fault\":\"none\"}", 422);
	ask_admin("POST", "/simulator/faults", "{\"fault\":\"slow\"}", 422);
	ask_admin("DELETE", "/simulator/faults/99", NULL, 404);
	ask_admin("DELETE", "/simulator/faults/abc", NULL, 404);
	ask_admin("GET", "/simulator/ledger?limit=0", NULL, 422);
	ask_admin("GET", "/simulator/ledger?limit=10001", NULL, 422);
	ask_admin("GET", "/simulator/ledger?after=-1", NULL, 422);
	ask_admin("GET", "/simulator/ledger?before=1", NULL, 400);
	ask_admin("GET", "/simulator/ledger?after=9223372036854775807", NULL, 200);
	ask_admin("POST", "/simulator/payment_intents/pi_1/authentication",
		"{\"outcome\":\"succeeded\"}", 404);
	ask(INTENTS, NULL, "amount=4500&currency=eur", 200);
	ask_admin("POST",
		text("/simulator/payment_intents/%s/authentication", json_string_value(at("id"))),
		"{\"outcome\":\"succeeded\"}", 409);
	want_alive_and_nothing_done();
}

/* Neither keys nor payment methods are ever logged. */
static void test_secrets_are_not_logged(void **state)
{
	(void)state;
	char path[128], log[65536] = "";
	ask(INTENTS, NULL, HELD, 200);
	simulator.key = "sk_test_somebodys_own";
	ask(INTENTS, NULL, HELD, 401);
	simulator.key = SIMULATOR_KEY;
	assert_true(simulator_fixture_halt(&simulator));
	snprintf(path, sizeof path, "%s/log", simulator.folder);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	assert_true(fread(log, 1, sizeof log - 1, file) > 0);
	fclose(file);
	assert_non_null(strstr(log, INTENTS));
	assert_null(strstr(log, "sk_test"));
	assert_null(strstr(log, SIMULATOR_ADMIN_TOKEN));
	assert_null(strstr(log, "pm_card"));
}

int main(void)
{
	static const char *const logging[] = {"ACCESS_LOG=true", NULL};
	const struct CMUnitTest tests[] = {
		SIMULATOR_TEST(test_wrong_bodies, NULL),
		SIMULATOR_TEST(test_wrong_media_types, NULL),
		SIMULATOR_TEST(test_huge_bodies, NULL),
		SIMULATOR_TEST(test_wrong_ids, NULL),
		SIMULATOR_TEST(test_wrong_methods, NULL),
		SIMULATOR_TEST(test_wrong_commands, NULL),
		SIMULATOR_TEST(test_secrets_are_not_logged, logging),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
