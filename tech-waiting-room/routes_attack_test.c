/* What somebody may try who wants to be in earlier, or in somebody else's place. */
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

static const char open_room[] = "\"state\":\"open\",\"activeMax\":5,\"ratePerSecond\":1000";
static const char waiting_only[] = "\"state\":\"open\",\"activeMax\":0";
static const char verify[] = "/waiting-room/passes/verify";

static char *admit(const char *event, const char *person, char **token)
{
	*token = room_join(&server, event, person);
	room_wait_text(&server, place_path(*token, ""), "state", "admitted");
	char *pass = strdup(text_in(server.json, "pass"));
	assert_non_null(pass);
	return pass;
}

static void want_result(const char *body, const char *result)
{
	const json_t *json = room_ask(&server, "POST", verify, NULL, 200, "%s", body);
	assert_string_equal(result, text_in(json, "result"));
	if (strcmp(result, "forged") == 0)
		assert_int_equal(1, json_object_size(json));
}

static void test_a_token_used_again_admits_nobody_again(void **state)
{
	char *token;
	(void)state;
	room_put(&server, "e", open_room);
	char *pass = admit("e", "u", &token);
	room_ask(&server, "DELETE", place_path(token, ""), NULL, 204, NULL);
	for (int i = 0; i < 3; i++) {
		room_ask(&server, "POST", "/events/e/waiting-room", NULL, 200,
			"{\"userId\":\"u\",\"placeToken\":\"%s\"}", token);
		assert_string_equal("left", text_in(server.json, "state"));
		room_ask(&server, "GET", place_path(token, ""), NULL, 200, NULL);
		assert_string_equal("left", text_in(server.json, "state"));
		assert_null(json_object_get(server.json, "pass"));
	}
	/* Nor does the pass bring it back, wherever it is shown. */
	room_ask(&server, "POST", "/events/e/waiting-room", NULL, 200,
		"{\"userId\":\"u\",\"pass\":\"%s\"}", pass);
	assert_string_equal("left", text_in(server.json, "state"));
	room_ask(&server, "POST", place_path(token, "/heartbeat"), NULL, 410, "{\"pass\":\"%s\"}",
		pass);
	want_result(text("{\"pass\":\"%s\"}", pass), "released");
	free(pass);
	free(token);
}

static void test_somebody_else_s_token_is_refused(void **state)
{
	(void)state;
	room_put(&server, "e", waiting_only);
	char *token = room_join(&server, "e", "u");
	room_ask(&server, "POST", "/events/e/waiting-room", NULL, 403,
		"{\"userId\":\"thief\",\"placeToken\":\"%s\"}", token);
	want_problem_in(&server, "forbidden");
	/* The thief is not in line either. */
	room_ask(&server, "POST", "/events/e/waiting-room", NULL, 201, "{\"userId\":\"thief\"}");
	assert_int_equal(2, number_in(server.json, "place"));
	free(token);
}

static void test_no_bit_of_a_token_can_be_changed(void **state)
{
	(void)state;
	room_put(&server, "e", waiting_only);
	char *token = room_join(&server, "e", "u");
	for (size_t i = 0; i < strlen(token); i++) {
		char changed = token[i] == 'A' ? 'B' : 'A', kept = token[i];
		token[i] = changed;
		room_ask(&server, "GET", place_path(token, ""), NULL, 404, NULL);
		token[i] = kept;
	}
	room_ask(&server, "GET", place_path(token, "A"), NULL, 404, NULL);
	room_ask(&server, "GET", place_path(token, "%00"), NULL, 400, NULL);
	room_ask(&server, "GET", place_path("x", ""), NULL, 404, NULL);
	room_ask(&server, "DELETE", place_path("x", ""), NULL, 404, NULL);
	room_ask(&server, "GET", place_path("x", "/stream"), NULL, 404, NULL);
	room_ask(&server, "POST", place_path("x", "/heartbeat"), NULL, 404, NULL);
	room_ask(&server, "GET", place_path(token, ""), NULL, 200, NULL);
	free(token);
}

static void test_a_token_of_another_event_or_key_is_refused(void **state)
{
	static struct room_server other;
	struct keyring *keyring;
	struct fault fault;
	(void)state;
	assert_int_equal(STATUS_OK,
		keyring_new(slice_of("k2:QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="), &keyring,
			&fault));
	room_server_open(&other, store, (struct waiting_room_routes_options){.keyring = keyring});
	room_put(&server, "e", waiting_only);
	room_put(&server, "f", waiting_only);
	char *token = room_join(&server, "e", "u");
	room_ask(&server, "POST", "/events/f/waiting-room", NULL, 422,
		"{\"userId\":\"u\",\"placeToken\":\"%s\"}", token);
	room_ask(&other, "GET", place_path(token, ""), NULL, 404, NULL);
	room_ask(&other, "POST", "/events/e/waiting-room", NULL, 422,
		"{\"userId\":\"u\",\"placeToken\":\"%s\"}", token);
	room_server_close(&other);
	keyring_free(keyring);
	free(token);
}

static void test_a_pass_is_its_person_s_and_its_event_s(void **state)
{
	char *token, *token_of_other;
	(void)state;
	room_put(&server, "e", open_room);
	room_put(&server, "f", open_room);
	char *pass = admit("e", "u", &token), *other = admit("f", "v", &token_of_other);
	want_result(text("{\"pass\":\"%s\",\"userId\":\"u\",\"eventId\":\"e\"}", pass), "valid");
	want_result(text("{\"pass\":\"%s\",\"userId\":\"v\"}", pass), "forged");
	want_result(text("{\"pass\":\"%s\",\"eventId\":\"f\"}", pass), "forged");
	want_result(text("{\"pass\":\"%s\"}", token), "forged");
	want_result("{\"pass\":\"x\"}", "forged");
	pass[10] = pass[10] == 'A' ? 'B' : 'A';
	want_result(text("{\"pass\":\"%s\"}", pass), "forged");
	room_ask(&server, "POST", "/waiting-room/passes/claim", ADMIN, 200,
		"{\"pass\":\"%s\",\"eventId\":\"e\"}", other);
	assert_string_equal("forged", text_in(server.json, "result"));
	room_ask(&server, "POST", place_path(token, "/heartbeat"), NULL, 403, "{\"pass\":\"%s\"}",
		other);
	/* A pass is no place. */
	room_ask(&server, "GET", place_path(other, ""), NULL, 404, NULL);
	room_ask(&server, "POST", verify, NULL, 422, "{}");
	room_ask(&server, "POST", verify, NULL, 422, "{\"pass\":5}");
	room_ask(&server, "POST", verify, NULL, 422, "{\"pass\":\"x\",\"token\":\"y\"}");
	free(pass);
	free(other);
	free(token);
	free(token_of_other);
}

static void test_one_address_cannot_fill_the_room(void **state)
{
	static struct room_server strict;
	(void)state;
	room_server_open(&strict, store,
		(struct waiting_room_routes_options){.joins_per_second = 0.001, .joins_burst = 3});
	room_put(&strict, "e", waiting_only);
	for (int i = 0; i < 3; i++)
		free(room_join(&strict, "e", text("u%d", i)));
	for (int i = 3; i < 10; i++) {
		room_ask(&strict, "POST", "/events/e/waiting-room", NULL, 429,
			"{\"userId\":\"u%d\"}", i);
		want_problem_in(&strict, "too-many-requests");
		const char *after = http_client_reply_header(&strict.reply, "Retry-After");
		assert_non_null(after);
		assert_true(strtol(after, NULL, 10) > 1);
	}
	/* Others are not concerned, and polls are not limited. */
	room_ask(&strict, "GET", "/events/e/waiting-room", NULL, 200, NULL);
	room_server_close(&strict);
}

static void test_behind_a_proxy_the_client_s_address_counts(void **state)
{
	static struct room_server strict;
	(void)state;
	room_server_open(&strict, store,
		(struct waiting_room_routes_options){.joins_per_second = 0.001,
			.joins_burst = 1,
			.address_from = "X-Forwarded-For"});
	room_put(&strict, "e", waiting_only);
	const char *path = "/events/e/waiting-room";
	room_ask(&strict, "POST", path, "X-Forwarded-For: 10.0.0.1\r\n", 201, "{\"userId\":\"a\"}");
	room_ask(&strict, "POST", path, "X-Forwarded-For: 10.0.0.2\r\n", 201, "{\"userId\":\"b\"}");
	/* What a client writes in front of what the proxy adds does not count. */
	room_ask(&strict, "POST", path, "X-Forwarded-For: 1.2.3.4, 10.0.0.1\r\n", 429,
		"{\"userId\":\"c\"}");
	room_server_close(&strict);
}

static void test_the_smaller_place_wins(void **state)
{
	struct memory_store *durable = room_store_new(100);
	static struct room_server survivor;
	(void)state;
	/* So long as it stands still, the room waits for those who may come back. */
	room_clock_hold();
	room_server_open(&survivor, durable, (struct waiting_room_routes_options){0});
	room_put(&survivor, "e", waiting_only);
	free(room_join(&survivor, "e", "first"));
	char *token = room_join(&survivor, "e", "u");
	memory_store_lose(durable);
	room_wait_number(&survivor, "/events/e/waiting-room", "epoch", 2);
	/* Without the token the person is new, and last. */
	free(room_join(&survivor, "e", "u"));
	assert_true(number_in(survivor.json, "place") > 2);
	const json_t *json = room_ask(&survivor, "POST", "/events/e/waiting-room", NULL, 200,
		"{\"userId\":\"u\",\"placeToken\":\"%s\"}", token);
	assert_int_equal(2, number_in(json, "place"));
	assert_true(json_is_false(json_object_get(json, "exact")));
	/* Again without, and it stays. */
	json = room_ask(
		&survivor, "POST", "/events/e/waiting-room", NULL, 200, "{\"userId\":\"u\"}");
	assert_int_equal(2, number_in(json, "place"));
	room_server_close(&survivor);
	memory_store_free(durable);
	free(token);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_a_token_used_again_admits_nobody_again),
		TEST(test_somebody_else_s_token_is_refused),
		TEST(test_no_bit_of_a_token_can_be_changed),
		TEST(test_a_token_of_another_event_or_key_is_refused),
		TEST(test_a_pass_is_its_person_s_and_its_event_s),
		TEST(test_one_address_cannot_fill_the_room),
		TEST(test_behind_a_proxy_the_client_s_address_counts),
		TEST(test_the_smaller_place_wins),
	};
	return cmocka_run_group_tests_name("waiting room attacks", tests, NULL, NULL);
}
