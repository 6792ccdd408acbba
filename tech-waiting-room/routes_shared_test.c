/* Several servers on the same rooms, and servers whose technology is slow, gone, or has lost
 * everything. */
#include <pthread.h>

#include "tech-waiting-room/routes_fixture.h"

static struct memory_store *store;
static struct room_server one, two;

static int set_up(void **state)
{
	(void)state;
	store = room_store_new(100);
	room_server_open(&one, store, (struct waiting_room_routes_options){0});
	room_server_open(
		&two, store, (struct waiting_room_routes_options){.lane_count = 1, .list_ms = 50});
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	room_server_close(&one);
	room_server_close(&two);
	memory_store_free(store);
	return 0;
}

static struct reader *follow(struct room_server *server, const char *token)
{
	return reader_open(server->server, place_path(token, "/stream"), "");
}

static void test_what_one_does_the_other_shows(void **state)
{
	(void)state;
	room_put(&one, "e", "\"state\":\"open\",\"activeMax\":0");
	char *first = room_join(&one, "e", "u"), *second = room_join(&two, "e", "v");
	room_ask(&two, "GET", place_path(first, ""), NULL, 200, NULL);
	assert_int_equal(1, number_in(two.json, "place"));
	room_wait_number(&one, "/events/e/waiting-room", "tail", 2);
	room_put(&two, "e", "\"state\":\"closed\"");
	room_wait_text(&one, "/events/e/waiting-room", "state", "closed");
	room_ask(&one, "POST", "/events/e/waiting-room", NULL, 409, "{\"userId\":\"w\"}");
	free(first);
	free(second);
}

/* The stream is on one server; the other may be the one that admits, releases and configures. */
static void test_a_stream_hears_of_what_another_server_does(void **state)
{
	(void)state;
	/* Streams look at what others did a few times in this; nobody is silent for so long. */
	room_clock_hold();
	room_put(&one, "e", "\"state\":\"open\",\"activeMax\":0,\"heartbeatSeconds\":3");
	char *token = room_join(&one, "e", "u");
	struct reader *reader = follow(&one, token);
	reader_want(reader, "event: place\n");
	/* This one's lanes stand still, so the other admits. */
	atomic_store(&one.gate.closed, true);
	fixture_wait_count(&one.gate.waiting, 2);
	room_put(&two, "e", "\"state\":\"open\",\"activeMax\":1");
	room_wait_number(&two, "/events/e/waiting-room", "active", 1);
	reader_want_not(reader, "event: admitted\n");
	atomic_store(&one.gate.closed, false);
	reader_want(reader, "event: admitted\n");
	room_ask(&two, "DELETE", place_path(token, ""), NULL, 204, NULL);
	reader_want(reader, "event: ended\n");
	reader_want_end(reader);
	reader_close(reader);
	free(token);
}

static void test_a_stream_of_a_room_that_is_new_here(void **state)
{
	static struct room_server late;
	(void)state;
	/* It lists events so seldom that it has not heard of this one. */
	room_server_open(&late, store, (struct waiting_room_routes_options){.list_ms = NEVER_MS});
	room_put(&one, "new", "\"state\":\"open\",\"activeMax\":0");
	char *token = room_join(&one, "new", "u");
	const char *path = place_path(token, "/stream");
	http_client_call(&late.client, "GET", path, NULL, NULL, &late.reply);
	assert_int_equal(307, late.reply.status);
	assert_string_equal(path, http_client_reply_header(&late.reply, "Location"));
	assert_string_equal(
		"no-referrer", http_client_reply_header(&late.reply, "Referrer-Policy"));
	assert_string_equal("no-store", http_client_reply_header(&late.reply, "Cache-Control"));
	struct reader *reader = follow(&late, token);
	reader_want(reader, "event: place\n");
	reader_close(reader);
	room_server_close(&late);
	free(token);
}

static void test_after_a_loss_who_follows_keeps_the_place(void **state)
{
	(void)state;
	room_put(&one, "e", "\"state\":\"open\",\"activeMax\":0,\"heartbeatSeconds\":1");
	free(room_join(&one, "e", "first"));
	char *token = room_join(&one, "e", "u");
	char *poller = room_join(&one, "e", "v");
	struct reader *reader = follow(&one, token);
	reader_want(reader, "event: place\n");
	memory_store_lose(store);
	reader_want(reader, "\"epoch\":2,");
	/* It has come back by itself, and is told its new token. */
	reader_want(reader, "\"placeToken\":\"");
	/* A poll with the old token brings its place back too, with a new token, by a server that
	 * has heard of the loss: until then it answers from memory. */
	room_wait_number(&two, "/events/e/waiting-room", "epoch", 2);
	const json_t *json = room_ask(&two, "GET", place_path(poller, ""), NULL, 200, NULL);
	assert_string_equal("waiting", text_in(json, "state"));
	assert_int_equal(3, number_in(json, "place"));
	char *renewed = strdup(text_in(json, "placeToken"));
	json = room_ask(&two, "GET", place_path(renewed, ""), NULL, 200, NULL);
	assert_int_equal(3, number_in(json, "place"));
	room_put(&two, "e", "\"state\":\"open\",\"activeMax\":2,\"heartbeatSeconds\":600");
	reader_want(reader, "event: admitted\n");
	reader_close(reader);
	free(renewed);
	free(poller);
	free(token);
}

/* Whose stream is open shows the pass by that, and keeps the slot though others wait for it. */
static void test_after_a_loss_who_is_inside_and_follows_stays_inside(void **state)
{
	(void)state;
	room_put(&one, "e",
		"\"state\":\"open\",\"activeMax\":1,\"heartbeatSeconds\":600,\"sessionSeconds\":"
		"600");
	char *token = room_join(&one, "e", "u");
	char *behind = room_join(&one, "e", "v");
	struct reader *reader = follow(&one, token), *waiting = follow(&one, behind);
	reader_want(reader, "event: admitted\n");
	reader_want(waiting, "event: place\n");
	room_ask(&one, "GET", place_path(token, ""), NULL, 200, NULL);
	char *pass = strdup(text_in(one.json, "pass"));
	memory_store_lose(store);
	reader_want(reader, "\"epoch\":2,");
	/* Told once more, with the token and the pass of this epoch. */
	reader_want(reader, "\"state\":\"admitted\",\"place\":1,\"serving\":");
	reader_want(reader, "\"placeToken\":\"");
	room_wait_number(&one, "/events/e/waiting-room", "active", 1);
	reader_want(waiting, "\"placeToken\":\"");
	room_wait_number(&two, "/events/e/waiting-room", "epoch", 2);
	room_ask(&two, "GET", place_path(token, ""), NULL, 200, NULL);
	assert_string_equal("admitted", text_in(two.json, "state"));
	room_ask(&two, "GET", place_path(behind, ""), NULL, 200, NULL);
	assert_string_equal("waiting", text_in(two.json, "state"));
	room_ask(&two, "POST", "/waiting-room/passes/verify", NULL, 200, "{\"pass\":\"%s\"}", pass);
	assert_string_equal("valid", text_in(two.json, "result"));
	reader_want_not(reader, "\"state\":\"waiting\",\"place\":1,\"serving\":");
	reader_close(reader);
	reader_close(waiting);
	free(pass);
	free(behind);
	free(token);
}

static void test_a_pass_outlives_the_loss(void **state)
{
	(void)state;
	room_put(&one, "e",
		"\"state\":\"open\",\"activeMax\":1,\"heartbeatSeconds\":600,\"sessionSeconds\":"
		"600");
	char *token = room_join(&one, "e", "u");
	room_wait_text(&one, place_path(token, ""), "state", "admitted");
	char *pass = strdup(text_in(one.json, "pass"));
	memory_store_lose(store);
	room_wait_number(&one, "/events/e/waiting-room", "epoch", 2);
	room_ask(&one, "POST", place_path(token, "/heartbeat"), NULL, 204, "{\"pass\":\"%s\"}",
		pass);
	room_wait_number(&one, "/events/e/waiting-room", "active", 1);
	const json_t *json = room_ask(
		&one, "POST", "/waiting-room/passes/verify", NULL, 200, "{\"pass\":\"%s\"}", pass);
	assert_string_equal("valid", text_in(json, "result"));
	json = room_ask(&one, "POST", "/events/e/waiting-room", NULL, 200,
		"{\"userId\":\"u\",\"placeToken\":\"%s\",\"pass\":\"%s\"}", token, pass);
	assert_string_equal("admitted", text_in(json, "state"));
	free(pass);
	free(token);
}

/* ---- Slow or gone ---- */

static void *join_once(void *context)
{
	struct room_server *server = context;
	struct http_client client;
	struct http_client_reply reply = {0};
	http_client_init(&client, http_server_port(server->server));
	client.timeout_ms = 2 * PATIENCE_MS;
	enum http_client_outcome outcome = http_client_call(
		&client, "POST", "/events/e/waiting-room", NULL, "{\"userId\":\"u\"}", &reply);
	intptr_t status = outcome == HTTP_CLIENT_OK ? reply.status : -1;
	http_client_reply_release(&reply);
	http_client_release(&client);
	return (void *)status;
}

/* Wait until the lane has refused so many. */
static void wait_refused(struct room_server *server, unsigned long count)
{
	static const char name[] = "lane_refused_total{lane=\"waiting_room\"} ";
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	for (;;) {
		room_ask(server, "GET", "/metrics", NULL, 200, NULL);
		const char *found = strstr(server->reply.body, name);
		if (found && strtoul(found + strlen(name), NULL, 10) >= count)
			return;
		if (now_ms() > deadline_ms)
			fail_msg("the lane did not refuse %lu", count);
		pause_ms(5);
	}
}

static void test_overload_is_503_before_any_work(void **state)
{
	enum { JOINS = 8 };
	static struct room_server small;
	pthread_t threads[JOINS];
	(void)state;
	room_server_open(&small, store,
		(struct waiting_room_routes_options){
			.lane_count = 1, .queue_max = 2, .batch_max = 1});
	room_put(&small, "e", "\"state\":\"open\",\"activeMax\":0");
	char *token = room_join(&small, "e", "v");
	atomic_store(&small.gate.closed, true);
	fixture_wait_count(&small.gate.waiting, 1);
	for (int i = 0; i < JOINS; i++)
		assert_int_equal(0, pthread_create(&threads[i], NULL, join_once, &small));
	/* Who waits is told how it stands all the same. */
	room_ask(&small, "GET", place_path(token, ""), NULL, 200, NULL);
	room_ask(&small, "GET", "/events/e/waiting-room", NULL, 200, NULL);
	/* One is in flight, two wait: the others are refused. Then nothing more is taken. */
	wait_refused(&small, JOINS - 3);
	room_ask(&small, "DELETE", place_path(token, ""), NULL, 503, NULL);
	want_problem_in(&small, "unavailable");
	assert_string_equal("1", http_client_reply_header(&small.reply, "Retry-After"));
	atomic_store(&small.gate.closed, false);
	int good = 0, overloaded = 0;
	for (int i = 0; i < JOINS; i++) {
		void *status;
		pthread_join(threads[i], &status);
		good += (intptr_t)status == 201 || (intptr_t)status == 200;
		overloaded += (intptr_t)status == 503;
	}
	assert_int_equal(JOINS, good + overloaded);
	assert_true(overloaded >= JOINS - 3);
	room_server_close(&small);
	free(token);
}

static void test_an_outage_is_told_and_ends(void **state)
{
	(void)state;
	room_put(&one, "e", "\"state\":\"open\",\"activeMax\":0");
	char *token = room_join(&one, "e", "u");
	static const enum status statuses[] = {STATUS_UNAVAILABLE, STATUS_UNKNOWN};
	for (size_t i = 0; i < 2; i++) {
		atomic_store(&one.gate.status, (int)statuses[i]);
		room_ask(&one, "POST", "/events/e/waiting-room", NULL, 503, "{\"userId\":\"v\"}");
		want_problem_in(&one, "unavailable");
		assert_non_null(http_client_reply_header(&one.reply, "Retry-After"));
		room_ask(&one, "DELETE", place_path(token, ""), NULL, 503, NULL);
		room_ask(&one, "PUT", "/events/e/waiting-room", ADMIN, 503, "{\"state\":\"open\"}");
		room_ask(&one, "GET", place_path(token, ""), NULL, 200, NULL);
		room_wait_ready(&one, false);
		atomic_store(&one.gate.status, STATUS_OK);
		room_wait_ready(&one, true);
	}
	room_ask(&one, "POST", "/events/e/waiting-room", NULL, 201, "{\"userId\":\"v\"}");
	free(token);
}

/* ---- The seams ---- */

static _Atomic size_t told;
static char told_id[200];

static void on_admitted(void *context, const struct waiting_room_admitted *admitted)
{
	assert_ptr_equal(&told, context);
	snprintf(told_id, sizeof told_id, "%s", admitted->id);
	assert_string_equal("u", admitted->admission->person);
	atomic_fetch_add(&told, 1);
}

static bool session_person(void *context, struct http_exchange *exchange, struct slice *person)
{
	(void)context;
	if (http_header(exchange, "X-Session", person))
		return true;
	http_reply_problem(exchange, &http_problem_not_found, "There is no session.");
	return false;
}

static void test_who_asks_and_who_is_told_are_seams(void **state)
{
	static struct room_server product;
	(void)state;
	atomic_store(&told, 0);
	struct memory_store *own = room_store_new(0);
	room_server_open(&product, own,
		(struct waiting_room_routes_options){.person = session_person,
			.on_admitted = on_admitted,
			.admitted_context = &told});
	room_put(&product, "e", "\"state\":\"open\",\"activeMax\":1");
	const char *path = "/events/e/waiting-room";
	room_ask(&product, "POST", path, NULL, 404, NULL);
	room_ask(&product, "POST", path, "X-Session: u\r\n", 403, "{\"userId\":\"v\"}");
	room_ask(&product, "POST", path, "X-Session: u\r\n", 201, NULL);
	int64_t deadline_ms = now_ms() + PATIENCE_MS;
	while (atomic_load(&told) == 0 && now_ms() < deadline_ms)
		pause_ms(5);
	assert_int_equal(1, atomic_load(&told));
	assert_string_equal("admitted:e:1:1", told_id);
	room_server_close(&product);
	memory_store_free(own);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_what_one_does_the_other_shows),
		TEST(test_a_stream_hears_of_what_another_server_does),
		TEST(test_a_stream_of_a_room_that_is_new_here),
		TEST(test_after_a_loss_who_follows_keeps_the_place),
		TEST(test_after_a_loss_who_is_inside_and_follows_stays_inside),
		TEST(test_a_pass_outlives_the_loss),
		TEST(test_overload_is_503_before_any_work),
		TEST(test_an_outage_is_told_and_ends),
		TEST(test_who_asks_and_who_is_told_are_seams),
	};
	return cmocka_run_group_tests_name("waiting room servers", tests, NULL, NULL);
}
