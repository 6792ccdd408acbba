/* Each row of the waiting room's table, on rooms in memory. */
#include "tech-waiting-room/routes_fixture.h"

static struct memory_store *store;
static struct room_server server;

static int set_up(void **state)
{
	(void)state;
	store = room_store_new(0);
	room_server_open(&server, store, (struct waiting_room_routes_options){0});
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	room_server_close(&server);
	memory_store_free(store);
	return 0;
}

/* Wide open, but nobody is called: it takes one to let people in. */
static const char waiting_only[] = "\"state\":\"open\",\"activeMax\":0,\"ratePerSecond\":1000";

static void test_an_unknown_room_is_404(void **state)
{
	(void)state;
	room_ask(&server, "GET", "/events/e/waiting-room", NULL, 404, NULL);
	want_problem_in(&server, "not-found");
	/* Once by asking, then from memory. */
	for (int i = 0; i < 3; i++)
		room_ask(
			&server, "POST", "/events/e/waiting-room", NULL, 404, "{\"userId\":\"u\"}");
	room_ask(&server, "POST", text("/events/%s/waiting-room", "a%20b"), NULL, 404,
		"{\"userId\":\"u\"}");
}

static void test_put_makes_and_changes_a_room(void **state)
{
	(void)state;
	const char path[] = "/events/e/waiting-room";
	const json_t *json =
		room_ask(&server, "PUT", path, ADMIN, 201, "{\"state\":\"open\",\"activeMax\":7}");
	const json_t *settings = json_object_get(json, "settings");
	assert_string_equal("open", text_in(json, "state"));
	assert_int_equal(7, number_in(settings, "activeMax"));
	assert_int_equal(600, number_in(settings, "sessionSeconds"));
	assert_int_equal(64, strlen(text_in(json, "seedCommitment")));

	/* What is not given stays; the same again changes nothing. */
	for (int i = 0; i < 2; i++) {
		json = room_ask(&server, "PUT", path, ADMIN, 200,
			"{\"state\":\"paused\",\"ratePerSecond\":0.5}");
		settings = json_object_get(json, "settings");
		assert_string_equal("paused", text_in(json, "state"));
		assert_int_equal(7, number_in(settings, "activeMax"));
		assert_true(json_real_value(json_object_get(settings, "ratePerSecond")) == 0.5);
	}
	room_wait_text(&server, path, "state", "paused");
	room_ask(&server, "PUT", path, ADMIN, 409, "{\"state\":\"lobby\"}");
	want_problem_in(&server, "conflict");
}

static void test_start_time_is_set_kept_and_taken_away(void **state)
{
	(void)state;
	const char path[] = "/events/e/waiting-room";
	room_ask(&server, "PUT", path, ADMIN, 201,
		"{\"state\":\"lobby\",\"startsAt\":\"2127-05-01T19:30:00+01:00\"}");
	assert_null(json_object_get(server.json, "seed"));
	const json_t *json = room_ask(&server, "PUT", path, ADMIN, 200, "{\"state\":\"lobby\"}");
	assert_string_equal(
		"2127-05-01T18:30:00.000Z", text_in(json_object_get(json, "settings"), "startsAt"));
	json = room_ask(
		&server, "PUT", path, ADMIN, 200, "{\"state\":\"lobby\",\"startsAt\":null}");
	assert_null(json_object_get(json_object_get(json, "settings"), "startsAt"));
}

static void test_settings_are_checked(void **state)
{
	static const char *const wrong[] = {"{}", "{\"state\":\"ajar\"}", "{\"state\":7}",
		"{\"state\":\"open\",\"ratePerSecond\":0}",
		"{\"state\":\"open\",\"ratePerSecond\":-1}",
		"{\"state\":\"open\",\"ratePerSecond\":100001}",
		"{\"state\":\"open\",\"ratePerSecond\":\"5\"}",
		"{\"state\":\"open\",\"activeMax\":-1}", "{\"state\":\"open\",\"activeMax\":1.5}",
		"{\"state\":\"open\",\"activeMax\":1000001}",
		"{\"state\":\"open\",\"claimSeconds\":0}",
		"{\"state\":\"open\",\"heartbeatSeconds\":86401}",
		"{\"state\":\"open\",\"claimSeconds\":61,\"sessionSeconds\":60}",
		"{\"state\":\"open\",\"startsAt\":\"tomorrow\"}",
		"{\"state\":\"lobby\",\"startsAt\":\"1970-01-01T00:00:00Z\"}",
		"{\"state\":\"open\",\"capacity\":5}", "[]", NULL};
	(void)state;
	for (size_t i = 0; wrong[i]; i++) {
		room_ask(&server, "PUT", "/events/e/waiting-room", ADMIN, 422, "%s", wrong[i]);
		want_problem_in(&server, "unprocessable");
	}
	room_ask(&server, "PUT", "/events/e/waiting-room", ADMIN, 400, "{\"state\":");
	room_ask(&server, "PUT", "/events/e/waiting-room", NULL, 401, "{\"state\":\"open\"}");
	room_ask(&server, "PUT", "/events/e/waiting-room", "Authorization: Bearer x\r\n", 401,
		"{\"state\":\"open\"}");
	room_ask(&server, "PUT", "/events/e/waiting-room",
		"Authorization: Bearer " ADMIN_TOKEN "x\r\n", 401, "{\"state\":\"open\"}");
	room_ask(&server, "GET", "/events/e/waiting-room", NULL, 404, NULL);
}

static void test_join_gives_places_in_order(void **state)
{
	(void)state;
	room_put(&server, "e", waiting_only);
	for (int i = 1; i <= 3; i++) {
		const json_t *json = room_ask(&server, "POST", "/events/e/waiting-room", NULL, 201,
			"{\"userId\":\"u%d\"}", i);
		assert_string_equal("waiting", text_in(json, "state"));
		assert_int_equal(i, number_in(json, "place"));
		assert_int_equal(i - 1, number_in(json, "ahead"));
		assert_int_equal(0, number_in(json, "serving"));
		assert_int_equal(i, number_in(json, "tail"));
		assert_true(json_is_true(json_object_get(json, "exact")));
		assert_non_null(json_object_get(json, "etaSeconds"));
		assert_string_equal(
			"no-store", http_client_reply_header(&server.reply, "Cache-Control"));
		assert_string_equal(
			"no-referrer", http_client_reply_header(&server.reply, "Referrer-Policy"));
	}
	/* Again: the same place, however the body is written. */
	const json_t *json = room_ask(
		&server, "POST", "/events/e/waiting-room", NULL, 200, " {\n\"userId\" : \"u2\" } ");
	assert_int_equal(2, number_in(json, "place"));
	json = room_ask(&server, "POST", "/events/e/waiting-room",
		"Content-Type: application/json; charset=utf-8\r\n", 200,
		"{\"userId\":\"\\u0075\\u0032\"}");
	assert_int_equal(2, number_in(json, "place"));
}

static void test_a_body_that_is_no_join_is_refused(void **state)
{
	static const char *const wrong[] = {"{}", "{\"userId\":\"\"}", "{\"userId\":\"a b\"}",
		"{\"userId\":\"..\"}", "{\"userId\":5}", "{\"userId\":null}",
		"{\"userId\":\"u\",\"place\":1}", "{\"userId\":\"u\",\"placeToken\":\"x\"}",
		"{\"userId\":\"u\",\"placeToken\":5}", "{\"userId\":\"u\",\"pass\":\"x\"}",
		"{\"userId\":[\"u\"]}", "[\"u\"]", "\"u\"", NULL};
	char longest[66];
	(void)state;
	room_put(&server, "e", waiting_only);
	for (size_t i = 0; wrong[i]; i++)
		room_ask(&server, "POST", "/events/e/waiting-room", NULL, 422, "%s", wrong[i]);
	memset(longest, 'u', sizeof longest - 1);
	longest[65] = '\0';
	room_ask(&server, "POST", "/events/e/waiting-room", NULL, 422, "{\"userId\":\"%s\"}",
		longest);
	longest[64] = '\0';
	room_ask(&server, "POST", "/events/e/waiting-room", NULL, 201, "{\"userId\":\"%s\"}",
		longest);
	static const char *const broken[] = {"", "{", "{\"userId\":\"u\"", "{\"userId\":\"u\"}}",
		"{\"userId\":\"u\",}", "{\"userId\":\"u\",\"userId\":\"v\"}", NULL};
	for (size_t i = 0; broken[i]; i++)
		room_ask(&server, "POST", "/events/e/waiting-room",
			"Content-Type: application/json\r\n", 400, "%s", broken[i]);
	room_ask(&server, "POST", "/events/e/waiting-room", "Content-Type: text/plain\r\n", 415,
		"{\"userId\":\"u\"}");
	char large[4000 + 200];
	memset(large, ' ', sizeof large - 1);
	large[sizeof large - 1] = '\0';
	enum http_client_outcome outcome = http_client_call(
		&server.client, "POST", "/events/e/waiting-room", NULL, large, &server.reply);
	assert_int_equal(HTTP_CLIENT_OK, outcome);
	assert_int_equal(413, server.reply.status);
}

static void test_a_poll_tells_how_it_stands(void **state)
{
	(void)state;
	room_put(&server, "e", waiting_only);
	free(room_join(&server, "e", "first"));
	char *token = room_join(&server, "e", "u");
	const json_t *json = room_ask(&server, "GET", place_path(token, ""), NULL, 200, NULL);
	assert_string_equal("waiting", text_in(json, "state"));
	assert_string_equal("open", text_in(json, "roomState"));
	assert_int_equal(2, number_in(json, "place"));
	assert_int_equal(1, number_in(json, "ahead"));
	assert_null(json_object_get(json, "pass"));
	assert_string_equal(
		"no-referrer", http_client_reply_header(&server.reply, "Referrer-Policy"));

	room_put(&server, "e", "\"state\":\"open\",\"activeMax\":5");
	room_wait_text(&server, place_path(token, ""), "state", "admitted");
	assert_int_equal(2, number_in(server.json, "place"));
	assert_non_null(json_object_get(server.json, "passExpiresAt"));
	char *pass = strdup(text_in(server.json, "pass"));
	assert_string_equal("no-store", http_client_reply_header(&server.reply, "Cache-Control"));
	assert_string_equal(
		"no-referrer", http_client_reply_header(&server.reply, "Referrer-Policy"));
	/* As often as it is asked for, the same. */
	json = room_ask(&server, "GET", place_path(token, ""), NULL, 200, NULL);
	assert_string_equal(pass, text_in(json, "pass"));
	json = room_ask(&server, "POST", "/waiting-room/passes/verify", NULL, 200,
		"{\"pass\":\"%s\"}", pass);
	assert_string_equal("valid", text_in(json, "result"));
	assert_string_equal("u", text_in(json, "userId"));
	assert_string_equal("e", text_in(json, "eventId"));
	room_wait_number(&server, "/events/e/waiting-room", "active", 2);
	/* Also those of the room's first second. */
	room_wait_number(&server, "/events/e/waiting-room", "admittedPerMinute", 2);
	free(pass);
	free(token);
}

static void test_the_estimate_is_a_range(void **state)
{
	enum { PEOPLE = 30 };
	(void)state;
	room_put(&server, "e", "\"state\":\"open\",\"activeMax\":1000,\"ratePerSecond\":0.1");
	for (int i = 0; i < PEOPLE; i++)
		free(room_join(&server, "e", text("u%d", i)));
	char *token = room_join(&server, "e", "last");
	const json_t *eta = json_object_get(server.json, "etaSeconds");
	/* As configured, or as measured: at least so many seconds for so many people. */
	assert_true(number_in(eta, "low") >= (PEOPLE - 1) * 10 / 2);
	assert_true(number_in(eta, "high") > number_in(eta, "low"));
	/* Nobody is called, so nothing is promised. */
	room_put(&server, "e", "\"state\":\"paused\"");
	room_ask(&server, "GET", place_path(token, ""), NULL, 200, NULL);
	assert_true(json_is_null(json_object_get(server.json, "etaSeconds")));
	free(token);
}

static void test_a_poll_and_a_heartbeat_keep_the_slot(void **state)
{
	enum { STEP_MS = 600, STEPS = 6 };
	(void)state;
	room_clock_hold();
	room_put(&server, "e",
		"\"state\":\"open\",\"activeMax\":5,\"heartbeatSeconds\":1,\"claimSeconds\":60");
	char *token = room_join(&server, "e", "u");
	room_wait_text(&server, place_path(token, ""), "state", "admitted");
	for (int i = 0; i < STEPS; i++) {
		room_clock_advance(STEP_MS);
		if (i % 2 == 0)
			room_ask(&server, "GET", place_path(token, ""), NULL, 200, NULL);
		else
			room_ask(&server, "POST", place_path(token, "/heartbeat"), NULL, 204, NULL);
	}
	room_ask(&server, "GET", place_path(token, ""), NULL, 200, NULL);
	assert_string_equal("admitted", text_in(server.json, "state"));
	room_clock_advance(2 * STEP_MS);
	room_ask(&server, "GET", place_path(token, ""), NULL, 200, NULL);
	assert_string_equal("expired", text_in(server.json, "state"));
	room_wait_number(&server, "/events/e/waiting-room", "active", 0);
	free(token);
}

static char *admitted_pass(const char *event, const char *person, char **token)
{
	*token = room_join(&server, event, person);
	room_wait_text(&server, place_path(*token, ""), "state", "admitted");
	char *pass = strdup(text_in(server.json, "pass"));
	assert_non_null(pass);
	return pass;
}

static const char *verify(const char *pass)
{
	return text_in(room_ask(&server, "POST", "/waiting-room/passes/verify", NULL, 200,
			       "{\"pass\":\"%s\"}", pass),
		"result");
}

static void test_a_pass_is_claimed_once_and_released(void **state)
{
	(void)state;
	char *token;
	room_put(&server, "e", "\"state\":\"open\",\"activeMax\":5,\"ratePerSecond\":1000");
	char *pass = admitted_pass("e", "u", &token);
	const char *claim = "/waiting-room/passes/claim", *release = "/waiting-room/passes/release";
	room_ask(&server, "POST", claim, NULL, 401, "{\"pass\":\"%s\"}", pass);
	room_ask(&server, "POST", release, "Authorization: Basic eA==\r\n", 401,
		"{\"pass\":\"%s\"}", pass);
	const json_t *json =
		room_ask(&server, "POST", claim, ADMIN, 200, "{\"pass\":\"%s\"}", pass);
	assert_string_equal("valid", text_in(json, "result"));
	assert_true(json_is_true(json_object_get(json, "firstUse")));
	json = room_ask(&server, "POST", claim, ADMIN, 200, "{\"pass\":\"%s\"}", pass);
	assert_true(json_is_false(json_object_get(json, "firstUse")));
	json = room_ask(&server, "POST", release, ADMIN, 200, "{\"pass\":\"%s\"}", pass);
	assert_string_equal("released", text_in(json, "result"));
	json = room_ask(&server, "POST", release, ADMIN, 200, "{\"pass\":\"%s\"}", pass);
	assert_string_equal("released", text_in(json, "result"));
	assert_string_equal("released", verify(pass));
	json = room_ask(&server, "POST", claim, ADMIN, 200, "{\"pass\":\"%s\"}", pass);
	assert_string_equal("released", text_in(json, "result"));
	assert_true(json_is_false(json_object_get(json, "firstUse")));
	json = room_ask(&server, "GET", place_path(token, ""), NULL, 200, NULL);
	assert_string_equal("left", text_in(json, "state"));
	room_ask(&server, "POST", place_path(token, "/heartbeat"), NULL, 410, NULL);
	free(pass);
	free(token);
}

static void test_leaving_gives_the_slot_to_the_next(void **state)
{
	(void)state;
	char *token;
	room_put(&server, "e", "\"state\":\"open\",\"activeMax\":1,\"ratePerSecond\":1000");
	char *pass = admitted_pass("e", "u", &token);
	char *next = room_join(&server, "e", "v");
	room_ask(&server, "POST", place_path(token, "/heartbeat"), NULL, 204, NULL);
	room_ask(&server, "POST", place_path(token, "/heartbeat"), NULL, 204, "{\"pass\":\"%s\"}",
		pass);
	room_ask(&server, "POST", place_path(next, "/heartbeat"), NULL, 204, NULL);
	room_ask(&server, "POST", place_path(next, "/heartbeat"), NULL, 403, "{\"pass\":\"%s\"}",
		pass);
	room_ask(&server, "DELETE", place_path(token, ""), NULL, 204, NULL);
	room_ask(&server, "DELETE", place_path(token, ""), NULL, 204, NULL);
	assert_string_equal("released", verify(pass));
	room_wait_text(&server, place_path(next, ""), "state", "admitted");
	/* Whoever has left joins no second time in this epoch. */
	const json_t *json = room_ask(
		&server, "POST", "/events/e/waiting-room", NULL, 200, "{\"userId\":\"u\"}");
	assert_string_equal("left", text_in(json, "state"));
	free(next);
	free(pass);
	free(token);
}

static void test_states_of_the_room(void **state)
{
	(void)state;
	room_put(&server, "e", "\"state\":\"paused\",\"activeMax\":5");
	char *token = room_join(&server, "e", "u");
	room_put(&server, "e", "\"state\":\"draining\"");
	room_ask(&server, "POST", "/events/e/waiting-room", NULL, 409, "{\"userId\":\"v\"}");
	want_problem_in(&server, "conflict");
	room_wait_text(&server, place_path(token, ""), "state", "admitted");
	room_put(&server, "e", "\"state\":\"closed\"");
	room_ask(&server, "POST", "/events/e/waiting-room", NULL, 409, "{\"userId\":\"v\"}");
	/* Who is known is told so all the same. */
	room_ask(&server, "POST", "/events/e/waiting-room", NULL, 200, "{\"userId\":\"u\"}");
	free(token);
}

static void test_an_unclaimed_pass_expires(void **state)
{
	(void)state;
	char *token;
	room_clock_hold();
	room_put(&server, "e",
		"\"state\":\"open\",\"activeMax\":5,\"ratePerSecond\":1000,\"claimSeconds\":5");
	char *pass = admitted_pass("e", "u", &token);
	assert_string_equal("valid", verify(pass));
	room_clock_advance(6000);
	room_wait_text(&server, place_path(token, ""), "state", "expired");
	assert_string_equal("expired", verify(pass));
	room_ask(&server, "POST", place_path(token, "/heartbeat"), NULL, 410, NULL);
	want_problem_in(&server, "gone");
	free(pass);
	free(token);
}

static void test_metrics_tell_of_each_room(void **state)
{
	(void)state;
	room_put(&server, "concert", waiting_only);
	free(room_join(&server, "concert", "u"));
	room_wait_number(&server, "/events/concert/waiting-room", "waiting", 1);
	room_ask(&server, "GET", "/metrics", NULL, 200, NULL);
	const char *body = server.reply.body;
	assert_non_null(strstr(body, "waiting_room_tail{event=\"concert\"} 1\n"));
	assert_non_null(strstr(body, "waiting_room_joins_total{outcome=\"new\"} 1\n"));
	assert_string_equal("# EOF\n", body + server.reply.body_size - 6);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_an_unknown_room_is_404),
		TEST(test_put_makes_and_changes_a_room),
		TEST(test_start_time_is_set_kept_and_taken_away),
		TEST(test_settings_are_checked),
		TEST(test_join_gives_places_in_order),
		TEST(test_a_body_that_is_no_join_is_refused),
		TEST(test_a_poll_tells_how_it_stands),
		TEST(test_the_estimate_is_a_range),
		TEST(test_a_poll_and_a_heartbeat_keep_the_slot),
		TEST(test_a_pass_is_claimed_once_and_released),
		TEST(test_leaving_gives_the_slot_to_the_next),
		TEST(test_states_of_the_room),
		TEST(test_an_unclaimed_pass_expires),
		TEST(test_metrics_tell_of_each_room),
	};
	return cmocka_run_group_tests_name("waiting room routes", tests, NULL, NULL);
}
