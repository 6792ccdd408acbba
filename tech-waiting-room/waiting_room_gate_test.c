/* Passes used by a service in the same process (waiting_room_gate.h), and a front that knows its
 * people by something else than their word. */
#include "tech-waiting-room/waiting_room_gate.h"

#include "tech-waiting-room/routes_fixture.h"

static struct memory_store *store;
static struct room_server rooms;    /* Who asks is said by the header Person. */
static struct http_server *service; /* Behind the gate: GET /seats/{eventId}. */
static struct http_client client;
static struct http_client_reply reply;

static bool person_of(void *context, struct http_exchange *exchange, struct slice *person)
{
	(void)context;
	if (http_header(exchange, "Person", person))
		return true;
	http_reply_empty(exchange, 401);
	return false;
}

static void tell_verdict(
	void *context, struct http_exchange *exchange, enum waiting_room_pass_verdict verdict)
{
	static const char *const names[] = {
		[WAITING_ROOM_PASS_GOOD] = "good",
		[WAITING_ROOM_PASS_FORGED] = "forged",
		[WAITING_ROOM_PASS_EXPIRED] = "expired",
		[WAITING_ROOM_PASS_RELEASED] = "released",
	};
	assert_ptr_equal(&rooms, context);
	http_reply(exchange, 200, "text/plain", slice_of(names[verdict]));
	http_complete(exchange);
}

static void show_pass(struct http_exchange *exchange)
{
	struct waiting_room_pass_claim claim = {.exchange = exchange,
		.event = http_parameter(exchange, "eventId"),
		.then = tell_verdict,
		.context = &rooms};
	if (person_of(NULL, exchange, &claim.person) && http_header(exchange, "Pass", &claim.pass))
		waiting_room_claim_pass(rooms.routes, &claim);
}

static void refresh(struct http_exchange *exchange)
{
	http_defer(exchange);
	waiting_room_refresh(rooms.routes, exchange, 202, http_parameter(exchange, "eventId"));
}

static int set_up(void **state)
{
	static const struct http_route routes[] = {
		{HTTP_GET, "/seats/{eventId}", HTTP_ON_LOOP, show_pass, 0},
		{HTTP_PUT, "/rooms/{eventId}", HTTP_ON_LOOP, refresh, 0}};
	struct fault fault;
	(void)state;
	store = room_store_new(0);
	room_server_open(&rooms, store, (struct waiting_room_routes_options){.person = person_of});
	assert_int_equal(STATUS_OK,
		http_server_open(
			&(struct http_server_options){
				.routes = routes, .route_count = 2, .loop_count = 1},
			&service, &fault));
	http_client_init(&client, http_server_port(service));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	http_client_reply_release(&reply);
	http_client_release(&client);
	http_server_close(service);
	room_server_close(&rooms);
	memory_store_free(store);
	return 0;
}

static void show(const char *event, const char *person, const char *pass, int status)
{
	char path[64];
	snprintf(path, sizeof path, "/seats/%s", event);
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_call(&client, "GET", path,
			text("Person: %s\r\nPass: %s\r\n", person, pass), NULL, &reply));
	assert_int_equal(status, reply.status);
}

static void want_verdict(
	const char *event, const char *person, const char *pass, const char *verdict)
{
	show(event, person, pass, 200);
	assert_string_equal(verdict, reply.body);
}

/* Somebody's place; the caller frees it. */
static char *join_as(const char *event, const char *person)
{
	room_ask(&rooms, "POST", text("/events/%s/waiting-room", event),
		text("Person: %s\r\n", person), 201, "{}");
	return strdup(text_in(rooms.json, "placeToken"));
}

/* Wait until the person is admitted; the caller frees the pass. */
static char *pass_of(const char *token, const char *person)
{
	int64_t deadline_ms = now_ms() + 20000;
	do {
		room_ask(&rooms, "GET", place_path(token, ""), text("Person: %s\r\n", person), 200,
			NULL);
		assert_true(now_ms() < deadline_ms);
	} while (strcmp(text_in(rooms.json, "state"), "admitted") != 0);
	return strdup(text_in(rooms.json, "pass"));
}

static void test_a_pass_is_good_for_one_person_and_event(void **state)
{
	(void)state;
	room_put(&rooms, "e", "\"state\":\"open\",\"activeMax\":10");
	room_put(&rooms, "f", "\"state\":\"open\",\"activeMax\":10");
	char *token = join_as("e", "ada"), *pass = pass_of(token, "ada");
	want_verdict("e", "ada", pass, "good");
	want_verdict("e", "ada", pass, "good");
	want_verdict("e", "eve", pass, "forged");
	want_verdict("f", "ada", pass, "forged");
	want_verdict("e", "ada", token, "forged");
	want_verdict("e", "ada", "", "forged");
	free(token);
	free(pass);
}

/* Whoever is let out makes room for the next one, and the pass is worth nothing any more. */
static void test_who_is_let_out_makes_room(void **state)
{
	(void)state;
	room_put(&rooms, "g", "\"state\":\"open\",\"activeMax\":1");
	char *first = join_as("g", "ada"), *second = join_as("g", "ben");
	char *pass = pass_of(first, "ada");
	want_verdict("g", "ada", pass, "good");
	waiting_room_let_out(rooms.routes, slice_of("g"), slice_of("ada"));
	char *next = pass_of(second, "ben");
	want_verdict("g", "ada", pass, "released");
	want_verdict("g", "ben", next, "good");
	/* Nobody is hurt by what means nobody. */
	waiting_room_let_out(rooms.routes, slice_of("g"), slice_of("nobody"));
	waiting_room_let_out(rooms.routes, slice_of("no-room"), slice_of("ada"));
	want_verdict("g", "ben", next, "good");
	free(first), free(second), free(pass), free(next);
}

static void test_a_claim_too_late_is_told(void **state)
{
	(void)state;
	room_clock_hold();
	room_put(&rooms, "h", "\"state\":\"open\",\"activeMax\":1,\"claimSeconds\":5");
	char *token = join_as("h", "ada"), *pass = pass_of(token, "ada");
	room_clock_advance(6000);
	want_verdict("h", "ada", pass, "expired");
	free(token), free(pass);
}

static void test_a_room_that_does_not_answer_is_told(void **state)
{
	(void)state;
	room_put(&rooms, "e", "\"state\":\"open\",\"activeMax\":10");
	char *token = join_as("e", "ada"), *pass = pass_of(token, "ada");
	atomic_store(&rooms.gate.status, STATUS_UNAVAILABLE);
	show("e", "ada", pass, 503);
	atomic_store(&rooms.gate.status, STATUS_OK);
	want_verdict("e", "ada", pass, "good");
	free(token), free(pass);
}

static void test_how_a_room_stands_is_known(void **state)
{
	struct waiting_room_view view;
	(void)state;
	assert_false(waiting_room_known_view(rooms.routes, slice_of("e"), &view));
	room_put(&rooms, "e", "\"state\":\"paused\",\"activeMax\":7");
	assert_true(waiting_room_known_view(rooms.routes, slice_of("e"), &view));
	assert_int_equal(WAITING_ROOM_PAUSED, view.settings.state);
	assert_int_equal(7, view.settings.active_max);
}

/* A room that another instance has made or set is known when the answer comes, however seldom the
 * front looks by itself. */
static void test_a_room_that_somebody_else_has_set_is_known_at_once(void **state)
{
	struct waiting_room_settings settings = {.state = WAITING_ROOM_PAUSED,
		.rate_per_second = 1,
		.active_max = 3,
		.claim_seconds = 10,
		.heartbeat_seconds = 10,
		.session_seconds = 10};
	struct waiting_room_view view;
	struct waiting_room *room;
	(void)state;
	assert_int_equal(
		STATUS_OK, memory_room_open(&(struct memory_room_options){.store = store}, &room));
	for (settings.active_max = 3; settings.active_max < 6; settings.active_max++) {
		assert_int_equal(
			STATUS_OK, waiting_room_configure(room, slice_of("new"), &settings, NULL));
		assert_int_equal(HTTP_CLIENT_OK,
			http_client_call(&client, "PUT", "/rooms/new", NULL, NULL, &reply));
		assert_int_equal(202, reply.status);
		assert_true(waiting_room_known_view(rooms.routes, slice_of("new"), &view));
		assert_int_equal(settings.active_max, view.settings.active_max);
		assert_int_equal(WAITING_ROOM_PAUSED, view.settings.state);
	}
	assert_int_equal(HTTP_CLIENT_OK,
		http_client_call(&client, "PUT", "/rooms/none", NULL, NULL, &reply));
	assert_int_equal(404, reply.status);
	waiting_room_refresh(rooms.routes, NULL, 0, slice_of("new"));
	waiting_room_refresh(rooms.routes, NULL, 0, slice_of("none"));
	waiting_room_close(room);
}

/* What the front knows of its people goes before what they say. */
static void test_people_are_who_the_front_says(void **state)
{
	static const struct {
		const char *method, *rest;
	} mine[] = {{"GET", ""}, {"GET", "/stream"}, {"POST", "/heartbeat"}, {"DELETE", ""}};
	(void)state;
	room_put(&rooms, "e", "\"state\":\"open\",\"activeMax\":0");
	room_ask(&rooms, "POST", "/events/e/waiting-room", NULL, 401, "{}");
	room_ask(&rooms, "POST", "/events/e/waiting-room", "Person: ada\r\n", 403,
		"{\"userId\":\"ben\"}");
	room_ask(&rooms, "POST", "/events/e/waiting-room", "Person: ada\r\n", 201,
		"{\"userId\":\"ada\"}");
	char *token = strdup(text_in(rooms.json, "placeToken"));
	room_ask(&rooms, "POST", "/events/e/waiting-room", "Person: ada\r\n", 200, NULL);
	assert_int_equal(1, number_in(rooms.json, "place"));
	for (size_t i = 0; i < sizeof mine / sizeof *mine; i++) {
		const char *path = place_path(token, mine[i].rest);
		room_ask(&rooms, mine[i].method, path, "Person: ben\r\n", 404, NULL);
		room_ask(&rooms, mine[i].method, path, NULL, 401, NULL);
	}
	room_ask(&rooms, "GET", place_path(token, ""), "Person: ada\r\n", 200, NULL);
	free(token);
}

int main(void)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_a_pass_is_good_for_one_person_and_event),
		TEST(test_who_is_let_out_makes_room),
		TEST(test_a_claim_too_late_is_told),
		TEST(test_a_room_that_does_not_answer_is_told),
		TEST(test_how_a_room_stands_is_known),
		TEST(test_a_room_that_somebody_else_has_set_is_known_at_once),
		TEST(test_people_are_who_the_front_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
