/* Streams of the waiting room: what they are sent, when, and how they end. */
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

static const char nobody_yet[] = "\"state\":\"open\",\"activeMax\":0,\"ratePerSecond\":1000";

static struct reader *follow(struct room_server *on, const char *token)
{
	return reader_open(on->server, place_path(token, "/stream"), "");
}

/* The last of the data of the events of this type, as JSON. The caller gives it back. */
static json_t *event_data(const struct reader *reader, const char *type)
{
	const char *wanted = text("event: %s\ndata: ", type), *last = NULL;
	for (const char *at = reader->text; (at = strstr(at, wanted)); at += strlen(wanted))
		last = at + strlen(wanted);
	if (!last)
		fail_msg("there is no event %s", type);
	json_t *json = last ? json_loadb(last, strcspn(last, "\n"), 0, NULL) : NULL;
	assert_non_null(json);
	return json;
}

static void test_a_stream_begins_with_the_place(void **state)
{
	(void)state;
	room_put(&server, "e", nobody_yet);
	free(room_join(&server, "e", "first"));
	char *token = room_join(&server, "e", "u");
	struct reader *reader = follow(&server, token);
	reader_want(reader, "event: place\n");
	reader_want(reader, "\n\n");
	reader_want(reader, "event: position\n");
	assert_non_null(strstr(reader->text, "retry: "));
	assert_non_null(strstr(reader->text, "text/event-stream"));
	assert_non_null(strstr(reader->text, "Referrer-Policy: no-referrer"));
	assert_non_null(strstr(reader->text, "Cache-Control: no-store"));
	json_t *place = event_data(reader, "place");
	assert_int_equal(2, number_in(place, "place"));
	assert_int_equal(1, number_in(place, "ahead"));
	json_decref(place);
	reader_close(reader);
	free(token);
}

static void test_a_stream_is_told_of_its_admission(void **state)
{
	(void)state;
	room_put(&server, "e", nobody_yet);
	char *token = room_join(&server, "e", "u");
	char *behind = room_join(&server, "e", "v");
	struct reader *reader = follow(&server, token), *other = follow(&server, behind);
	reader_want(reader, "event: place\n");
	reader_want(other, "event: place\n");
	room_put(&server, "e", "\"state\":\"open\",\"activeMax\":1");
	reader_want(reader, "event: admitted\n");
	reader_want(reader, "\"serving\":1,");
	json_t *admitted = event_data(reader, "admitted");
	const json_t *json = room_ask(&server, "POST", "/waiting-room/passes/verify", NULL, 200,
		"{\"pass\":\"%s\"}", text_in(admitted, "pass"));
	assert_string_equal("valid", text_in(json, "result"));
	assert_string_equal("u", text_in(json, "userId"));
	json_decref(admitted);
	/* The other is told of the position only. */
	reader_want(other, "\"serving\":1,");
	reader_want_not(other, "event: admitted");

	/* Who follows later is told at once, also by a second stream. */
	struct reader *again = follow(&server, token);
	reader_want(again, "event: admitted\n");
	reader_close(again);
	reader_close(reader);
	reader_close(other);
	free(token);
	free(behind);
}

static void test_the_stream_of_somebody_who_left_ends(void **state)
{
	(void)state;
	room_put(&server, "e", "\"state\":\"open\",\"activeMax\":1");
	char *token = room_join(&server, "e", "u");
	struct reader *reader = follow(&server, token);
	reader_want(reader, "event: admitted\n");
	room_ask(&server, "DELETE", place_path(token, ""), NULL, 204, NULL);
	reader_want(reader, "event: ended\n");
	reader_want(reader, "\"state\":\"left\"");
	reader_want_end(reader);
	reader_close(reader);
	free(token);
}

/* Let some of the rooms' time pass, and then two heartbeats come back, the second of which was sent
 * afterwards. False: they did not come in `ms`. */
static bool pass_with_heartbeats(int64_t step_ms, int64_t ms)
{
	size_t before = atomic_load(&server.gate.heartbeats);
	int64_t deadline_ms = now_ms() + ms;
	room_clock_advance(step_ms);
	while (atomic_load(&server.gate.heartbeats) < before + 2) {
		if (now_ms() > deadline_ms)
			return false;
		pause_ms(5);
	}
	return true;
}

static void test_an_open_stream_is_a_heartbeat(void **state)
{
	enum { STEP_MS = 600, STEPS = 5, STOPPED_MS = 2000 };
	(void)state;
	room_clock_hold();
	room_put(&server, "e",
		"\"state\":\"open\",\"activeMax\":5,\"heartbeatSeconds\":1,\"claimSeconds\":600");
	char *token = room_join(&server, "e", "u"), *silent = room_join(&server, "e", "v");
	struct reader *reader = follow(&server, token);
	reader_want(reader, "event: admitted\n");
	room_wait_number(&server, "/events/e/waiting-room", "active", 2);
	for (int i = 0; i < STEPS; i++)
		assert_true(pass_with_heartbeats(STEP_MS, PATIENCE_MS));
	/* Of the two who came in, the one without a stream has fallen silent. */
	room_wait_number(&server, "/events/e/waiting-room", "active", 1);
	reader_take(reader, 1);
	reader_want_not(reader, "event: ended");
	room_ask(&server, "GET", place_path(token, ""), NULL, 200, NULL);
	assert_string_equal("admitted", text_in(server.json, "state"));
	/* Without it the heart stops. */
	reader_close(reader);
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	do {
		assert_true(now_ms() < deadline_ms);
		(void)pass_with_heartbeats(STEP_MS, STOPPED_MS);
		room_ask(&server, "GET", "/events/e/waiting-room", NULL, 200, NULL);
	} while (number_in(server.json, "active") > 0);
	free(token);
	free(silent);
}

static void test_positions_are_conflated_and_never_go_back(void **state)
{
	enum { PEOPLE = 200 };
	(void)state;
	room_put(&server, "e", nobody_yet);
	char *token = NULL;
	for (int i = 0; i < PEOPLE; i++) {
		free(token);
		token = room_join(&server, "e", text("u%d", i));
	}
	struct reader *reader = follow(&server, token);
	reader_want(reader, "event: place\n");
	room_put(&server, "e", "\"state\":\"open\",\"activeMax\":1000");
	reader_want(reader, "event: admitted\n");
	reader_want(reader, text("\"serving\":%d,\"tail\":%d,\"waiting\"", PEOPLE, PEOPLE));
	long last = 0;
	int count = 0;
	for (const char *at = reader->text; (at = strstr(at, "event: position\n")); count++) {
		at = strstr(at, "\"serving\":");
		long serving = strtol(at + strlen("\"serving\":"), NULL, 10);
		assert_true(serving >= last);
		last = serving;
	}
	assert_true(count < PEOPLE);
	reader_close(reader);
	free(token);
}

static void test_resuming_misses_nothing(void **state)
{
	(void)state;
	room_put(&server, "e", nobody_yet);
	char *token = room_join(&server, "e", "u");
	struct reader *reader = follow(&server, token);
	reader_want(reader, "event: position\n");
	const char *id = strstr(reader->text, "id: ");
	assert_non_null(id);
	const char *header = text("Last-Event-ID: %.*s\r\n", (int)strcspn(id + 4, "\n"), id + 4);
	reader_close(reader);
	/* Admitted while nobody listened. */
	room_put(&server, "e", "\"state\":\"open\",\"activeMax\":1");
	room_wait_number(&server, "/events/e/waiting-room", "serving", 1);
	reader = reader_open(server.server, place_path(token, "/stream"), header);
	reader_want(reader, "event: admitted\n");
	reader_close(reader);
	/* An id of another life of the server. */
	reader = reader_open(
		server.server, place_path(token, "/stream"), "Last-Event-ID: 0123-7\r\n");
	reader_want(reader, "event: reset\n");
	reader_want(reader, "event: admitted\n");
	reader_close(reader);
	free(token);
}

static void test_a_lobby_is_told_its_places(void **state)
{
	enum { PEOPLE = 20 };
	char *tokens[PEOPLE];
	struct reader *readers[PEOPLE];
	bool taken[PEOPLE + 1] = {false};
	(void)state;
	room_put(&server, "e", "\"state\":\"lobby\",\"activeMax\":0");
	for (int i = 0; i < PEOPLE; i++) {
		tokens[i] = room_join(&server, "e", text("u%d", i));
		assert_int_equal(i + 1, number_in(server.json, "lobbyRank"));
		assert_string_equal("lobby", text_in(server.json, "state"));
		assert_null(json_object_get(server.json, "place"));
		readers[i] = follow(&server, tokens[i]);
	}
	room_ask(&server, "GET", "/events/e/waiting-room/lobby", NULL, 409, NULL);
	room_put(&server, "e", "\"state\":\"open\"");
	for (int i = 0; i < PEOPLE; i++) {
		room_wait_text(&server, place_path(tokens[i], ""), "state", "waiting");
		int64_t place = number_in(server.json, "place");
		assert_in_range(place, 1, PEOPLE);
		assert_false(taken[place]);
		taken[place] = true;
		/* The room says the same as the seed. */
		room_ask(&server, "POST", "/events/e/waiting-room", NULL, 200,
			"{\"userId\":\"u%d\"}", i);
		assert_int_equal(place, number_in(server.json, "place"));
		reader_want(readers[i], text("\"place\":%d,", (int)place));
		reader_want(readers[i], "\"state\":\"waiting\"");
	}
	const json_t *list = room_ask(
		&server, "GET", "/events/e/waiting-room/lobby?from=3&limit=5", NULL, 200, NULL);
	assert_int_equal(5, json_array_size(json_object_get(list, "items")));
	assert_string_equal("8", text_in(list, "next"));
	room_ask(&server, "GET", "/events/e/waiting-room/lobby?from=0", NULL, 400, NULL);
	room_ask(&server, "GET", "/events/e/waiting-room/lobby?limit=1001", NULL, 400, NULL);
	room_ask(&server, "GET", "/events/e/waiting-room/lobby?page=2", NULL, 400, NULL);
	for (int i = 0; i < PEOPLE; i++) {
		reader_close(readers[i]);
		free(tokens[i]);
	}
}

static void test_the_server_ends_with_open_streams(void **state)
{
	enum { STREAMS = 50 };
	struct reader *readers[STREAMS];
	char *tokens[STREAMS];
	(void)state;
	room_put(&server, "e", "\"state\":\"open\",\"activeMax\":10");
	for (int i = 0; i < STREAMS; i++) {
		tokens[i] = room_join(&server, "e", text("u%d", i));
		readers[i] = follow(&server, tokens[i]);
	}
	for (int i = 0; i < STREAMS; i++)
		reader_want(readers[i], "event: position\n");
	/* As the tear-down would; then a server for it to end. */
	room_server_close(&server);
	for (int i = 0; i < STREAMS; i++) {
		reader_want_end(readers[i]);
		reader_close(readers[i]);
	}
	room_server_open(&server, store, (struct waiting_room_routes_options){0});
	/* The tokens outlive the server. */
	room_ask(&server, "GET", place_path(tokens[0], ""), NULL, 200, NULL);
	assert_string_equal("admitted", text_in(server.json, "state"));
	for (int i = 0; i < STREAMS; i++)
		free(tokens[i]);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_a_stream_begins_with_the_place),
		TEST(test_a_stream_is_told_of_its_admission),
		TEST(test_the_stream_of_somebody_who_left_ends),
		TEST(test_an_open_stream_is_a_heartbeat),
		TEST(test_positions_are_conflated_and_never_go_back),
		TEST(test_resuming_misses_nothing),
		TEST(test_a_lobby_is_told_its_places),
		TEST(test_the_server_ends_with_open_streams),
	};
	return cmocka_run_group_tests_name("waiting room streams", tests, NULL, NULL);
}
