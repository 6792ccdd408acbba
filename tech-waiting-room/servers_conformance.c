/* See servers_conformance.h. */
#include "tech-waiting-room/servers_conformance.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/base/clock.h"

enum {
	PEOPLE = 40,
	CAPACITY = 4,
	STAY_MS = 60,
	LOBBY = 30,
	LATECOMERS = 10,
	STREAMS = 40,
	HEARTBEAT_MS = 600000,
	LOSS_HEARTBEAT_MS = 5000, /* Also how long nobody is admitted after a loss. */
	START_IN_MS = 500,
	POLL_NS = 10000000,
	ROUNDS_FULL = 50, /* Of two kills each. */
	EVENT_SIZE = 32,
};

static const struct servers_technology *technology;
static struct servers servers;

#define LONG_TIMES "\"claimSeconds\":600,\"heartbeatSeconds\":600,\"sessionSeconds\":600"

static int set_up(void **state)
{
	(void)state;
	servers_open(&servers, technology);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	servers_close(&servers);
	return 0;
}

static void open_room(const char *event)
{
	char members[256];
	snprintf(members, sizeof members,
		"\"state\":\"open\",\"ratePerSecond\":1000,\"activeMax\":%d," LONG_TIMES, CAPACITY);
	servers_set(&servers, event, members);
}

/* People of a test; one after the other, so one memory is enough. */
static struct people *new_people(const char *event)
{
	static struct people people;
	memset(&people, 0, sizeof people);
	people.servers = &servers;
	people.event = event;
	people.count = PEOPLE;
	people.stay_ms = STAY_MS;
	people.heartbeat_ms = HEARTBEAT_MS;
	people.asks_after_leaving = true;
	return &people;
}

/* Everybody has been inside and has left, and all was as it should be. */
static void expect_a_good_day(struct people *people)
{
	assert_true(people_wait(people, WALK_GONE, people->count));
	people_end(people);
	people_judge_places(people);
	people_judge_order(people);
	assert_int_equal(0, people_accusations(people));
	assert_int_equal(people->count, atomic_load(&people->counts[WALK_GONE]));
	assert_in_range(people_most_active(people), 1, CAPACITY);
}

static void two_servers_share_a_room(void **state)
{
	(void)state;
	open_room("shared");
	struct people *people = new_people("shared");
	people_start(people);
	expect_a_good_day(people);
	/* Each admission was told of by one server, once. */
	assert_int_equal(PEOPLE, servers_admissions(&servers, "shared"));
}

/* How often a test with two kills is repeated. */
static int rounds(void)
{
	const char *full = getenv("ONSALE_FULL");
	return full && strcmp(full, "1") == 0 ? ROUNDS_FULL : 1;
}

/* Wait until some more people have left, anything from nobody to a third of them. */
static void wait_for_a_moment(struct people *people, struct random *random)
{
	size_t left = atomic_load(&people->counts[WALK_GONE]);
	size_t wanted = left + random_below(random, PEOPLE / 3);
	assert_true(people_wait(people, WALK_GONE, wanted < PEOPLE ? wanted : PEOPLE));
}

static void kill_one_server(struct people *people, struct random *random, size_t index)
{
	wait_for_a_moment(people, random);
	servers_kill(&servers, index);
	/* The other goes on alone. */
	wait_for_a_moment(people, random);
	servers_start(&servers, index);
}

static void a_server_is_killed_in_the_middle(void **state)
{
	char event[EVENT_SIZE];
	struct random random;
	(void)state;
	random_init_stream(&random, random_seed(), WALKERS);
	for (int round = 0; round < rounds(); round++) {
		snprintf(event, sizeof event, "killed-%d", round);
		open_room(event);
		struct people *people = new_people(event);
		people_start(people);
		kill_one_server(people, &random, 1);
		kill_one_server(people, &random, 0);
		expect_a_good_day(people);
		/* What a server did and could not log before it died is missing; nothing is
		 * there twice. */
		assert_true(servers_admissions(&servers, event) <= PEOPLE);
	}
}

static void the_service_is_killed_and_comes_back(void **state)
{
	char event[EVENT_SIZE];
	struct random random;
	(void)state;
	random_init_stream(&random, random_seed(), WALKERS + 1);
	for (int round = 0; round < rounds(); round++) {
		snprintf(event, sizeof event, "restarted-%d", round);
		open_room(event);
		struct people *people = new_people(event);
		people_start(people);
		for (int i = 0; i < 2; i++) {
			wait_for_a_moment(people, &random);
			assert_true(technology->restart());
		}
		expect_a_good_day(people);
	}
}

/* Ask every server until the member has that value. */
static void wait_boolean(const char *event, const char *member, bool value)
{
	int64_t deadline_ms = clock_monotonic_ms(clock_system()) + PATIENCE_MS;
	for (size_t i = 0; i < SERVERS;) {
		json_t *view = servers_view(&servers, i, event);
		const json_t *found = json_object_get(view, member);
		bool good = json_is_boolean(found) && json_is_true(found) == value;
		json_decref(view);
		if (good) {
			i++;
			continue;
		}
		if (clock_monotonic_ms(clock_system()) > deadline_ms)
			fail_msg("%s did not become %d", member, value);
		nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
	}
}

/* Whether a server tells that the room is in this epoch, and exact. */
static bool is_exact_in(int64_t epoch)
{
	json_t *view = servers_view(&servers, 0, "emptied");
	bool exact = json_integer_value(json_object_get(view, "epoch")) == epoch &&
		json_is_true(json_object_get(view, "exact"));
	json_decref(view);
	return exact;
}

/* Take all data away, and wait until somebody was told that positions are not exact. Where the
 * machine stood still for as long as that is so, nobody was told, and it is done once more. Returns
 * the room's epoch. */
static int64_t lose_all(struct people *people)
{
	int64_t deadline_ms = clock_monotonic_ms(clock_system()) + PATIENCE_MS;
	int64_t epoch = 1;
	while (!atomic_load(&people->inexact)) {
		assert_true(technology->empty());
		epoch++;
		while (!atomic_load(&people->inexact) && !is_exact_in(epoch)) {
			assert_true(clock_monotonic_ms(clock_system()) < deadline_ms);
			nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
		}
	}
	return epoch;
}

static void all_data_of_the_service_is_gone(void **state)
{
	(void)state;
	char members[256];
	snprintf(members, sizeof members,
		"\"state\":\"open\",\"ratePerSecond\":1000,\"activeMax\":%d,\"claimSeconds\":600,"
		"\"heartbeatSeconds\":%d,\"sessionSeconds\":600",
		CAPACITY, LOSS_HEARTBEAT_MS / 1000);
	servers_set(&servers, "emptied", members);
	struct people *people = new_people("emptied");
	people->asks_after_leaving = false;
	people->heartbeat_ms = LOSS_HEARTBEAT_MS;
	/* The others are there when it happens, and see what comes of it. */
	atomic_store(&people->leave_max, PEOPLE / 4);
	people_start(people);
	assert_true(people_wait(people, WALK_GONE, PEOPLE / 4));
	/* All are in line or further, so each has a place to come back with. */
	assert_true(people_wait(people, WALK_WAITS, PEOPLE));
	int64_t epoch = lose_all(people);
	atomic_store(&people->leave_max, 0);
	wait_boolean("emptied", "exact", true);
	/* On a slow machine somebody may be silent for too long, and then gives the slot back. */
	assert_true(people_wait(people, WALK_GONE, PEOPLE));
	people_end(people);
	people_judge_places(people);
	assert_int_equal(0, people_accusations(people));
	assert_in_range(people_most_active(people), 1, CAPACITY);
	json_t *view = servers_view(&servers, 0, "emptied");
	assert_int_equal(epoch, json_integer_value(json_object_get(view, "epoch")));
	json_decref(view);
}

/* ---- A lobby that starts by time ---- */

/* Ask this server for the person's place until it is given. */
static int64_t place_at(size_t index, const struct person *person)
{
	char path[640];
	struct http_client client;
	struct http_client_reply reply = {0};
	int64_t place = 0, deadline_ms = clock_monotonic_ms(clock_system()) + PATIENCE_MS;
	snprintf(path, sizeof path, "/waiting-room/%s", person->token);
	http_client_init(&client, servers.ports[index]);
	while (place == 0 && clock_monotonic_ms(clock_system()) < deadline_ms) {
		assert_int_equal(
			HTTP_CLIENT_OK, http_client_call(&client, "GET", path, NULL, NULL, &reply));
		json_t *json = http_client_reply_json(&reply);
		place = json_integer_value(json_object_get(json, "place"));
		json_decref(json);
	}
	http_client_reply_release(&reply);
	http_client_release(&client);
	return place;
}

static void a_lobby_starts_by_time(void **state)
{
	(void)state;
	static struct people early;
	char members[256], starts_at[TIME_TEXT_SIZE];
	servers_set(&servers, "lobby", "\"state\":\"lobby\",\"activeMax\":0," LONG_TIMES);
	early = *new_people("lobby");
	early.count = LOBBY;
	people_start(&early);
	assert_true(people_wait(&early, WALK_WAITS, LOBBY));
	time_format(clock_wall_ms(clock_system()) + START_IN_MS, starts_at);
	snprintf(members, sizeof members,
		"\"state\":\"lobby\",\"activeMax\":0,\"startsAt\":\"%s\"," LONG_TIMES, starts_at);
	servers_set(&servers, "lobby", members);
	for (size_t i = 0; i < SERVERS; i++)
		assert_true(place_at(i, &early.people[0]) > 0);
	people_end(&early);
	/* Everybody has one place, the same on both servers; ranks were given without a gap. */
	bool ranks[LOBBY + 1] = {false};
	for (size_t i = 0; i < LOBBY; i++) {
		struct person *person = &early.people[i];
		assert_in_range(person->rank, 1, LOBBY);
		assert_false(ranks[person->rank]);
		ranks[person->rank] = true;
		person->place = place_at(0, person);
		assert_int_equal(person->place, place_at(1, person));
	}
	people_judge_places(&early);
	assert_int_equal(0, people_accusations(&early));
	/* Whoever comes now stands behind them. */
	char path[128], body[64];
	struct http_client client;
	struct http_client_reply reply = {0};
	snprintf(path, sizeof path, "/events/lobby/waiting-room");
	for (int i = 0; i < LATECOMERS; i++) {
		http_client_init(&client, servers.ports[i % SERVERS]);
		snprintf(body, sizeof body, "{\"userId\":\"late-%d\"}", i);
		assert_int_equal(HTTP_CLIENT_OK,
			http_client_call(&client, "POST", path, NULL, body, &reply));
		json_t *json = http_client_reply_json(&reply);
		assert_int_equal(LOBBY + 1 + i, json_integer_value(json_object_get(json, "place")));
		json_decref(json);
		http_client_release(&client);
	}
	http_client_reply_release(&reply);
}

/* ---- An orderly end ---- */

static void a_server_with_open_streams_ends_in_order(void **state)
{
	(void)state;
	static struct http_client streams[STREAMS];
	char request[800];
	servers_set(&servers, "streams", "\"state\":\"paused\",\"activeMax\":0," LONG_TIMES);
	struct people *people = new_people("streams");
	people->count = STREAMS;
	people_start(people);
	assert_true(people_wait(people, WALK_WAITS, STREAMS));
	people_end(people);
	for (size_t i = 0; i < STREAMS; i++) {
		http_client_init(&streams[i], servers.ports[1]);
		assert_int_equal(HTTP_CLIENT_OK, http_client_connect(&streams[i]));
		snprintf(request, sizeof request,
			"GET /waiting-room/%s/stream HTTP/1.1\r\nHost: localhost\r\n\r\n",
			people->people[i].token);
		assert_int_equal(HTTP_CLIENT_OK, http_client_send_text(&streams[i], request));
		/* It has begun. */
		struct pollfd answer = {.fd = streams[i].fd, .events = POLLIN};
		assert_int_equal(1, poll(&answer, 1, PATIENCE_MS));
	}
	servers_stop(&servers, 1);
	for (size_t i = 0; i < STREAMS; i++) {
		assert_true(http_client_wait_closed(&streams[i], PATIENCE_MS));
		http_client_release(&streams[i]);
	}
	/* The other one still knows everybody. */
	for (size_t i = 0; i < STREAMS; i++)
		assert_int_equal(people->people[i].place, place_at(0, &people->people[i]));
}

int waiting_room_servers_conformance(const struct servers_technology *subject)
{
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(two_servers_share_a_room),
		TEST(a_server_is_killed_in_the_middle),
		TEST(the_service_is_killed_and_comes_back),
		TEST(all_data_of_the_service_is_gone),
		TEST(a_lobby_starts_by_time),
		TEST(a_server_with_open_streams_ends_in_order),
	};
	technology = subject;
	return cmocka_run_group_tests_name("servers", tests, NULL, NULL);
}

/* ---- The negative control ---- */

/* Each of the two rooms lets its own four in, so eight are inside, and places are given twice. */
static void the_observer_sees_a_room_that_is_not_shared(void **state)
{
	(void)state;
	open_room("apart");
	json_t *view = servers_view(&servers, 1, "apart");
	assert_null(view); /* They do not share it. */
	uint16_t first = servers.ports[0];
	servers.ports[0] = servers.ports[1];
	open_room("apart");
	servers.ports[0] = first;
	struct people *people = new_people("apart");
	people->stay_ms = 0;
	people->split = true;
	people_start(people);
	assert_true(people_wait(people, WALK_ACTIVE, CAPACITY + 1));
	people_end(people);
	people_judge_places(people);
	assert_true(people_accusations(people) > 0);
	assert_true(people_most_active(people) > CAPACITY);
}

int waiting_room_servers_control(const struct servers_technology *subject)
{
	const struct CMUnitTest tests[] = {
		TEST(the_observer_sees_a_room_that_is_not_shared),
	};
	technology = subject;
	return cmocka_run_group_tests_name("servers apart", tests, NULL, NULL);
}
