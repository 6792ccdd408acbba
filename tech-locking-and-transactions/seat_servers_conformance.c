/* See seat_servers_conformance.h. */
#include "tech-locking-and-transactions/seat_servers_conformance.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/testkit/random.h"
#include "tech-locking-and-transactions/seat_servers_fixture.h"

static const struct seat_servers_technology *technology;
static struct seat_servers servers;

/* How often a test with kills is repeated. Each round has seats of its own. */
enum { ROUNDS_MAX = 4, ROUND_SEATS = SEAT_FOUGHT_FOR / ROUNDS_MAX };

/* Seats of each test that sells them. */
enum { SEAT_SOLD_EACH = (SEAT_ALL - SEAT_FOUGHT_FOR) / 3 };

static int set_up(void **state)
{
	(void)state;
	seat_servers_open(&servers, technology);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	seat_servers_close(&servers);
	return 0;
}

/* Give all seats back, so that the next test begins as this one did. */
static void release_all(const struct seat_fight *fight)
{
	struct http_client_reply reply = {0};
	char path[256];
	for (size_t i = 0; i < fight->count; i++) {
		snprintf(path, sizeof path, "/holds/%s", fight->claims[i].hold);
		assert_int_equal(204,
			seat_servers_ask(
				&servers, i % SEAT_SERVERS, "DELETE", path, NULL, NULL, &reply));
	}
	http_client_reply_release(&reply);
}

static struct seat_fight *new_fight(const char *name, size_t first, size_t count)
{
	/* One after the other, so one memory is enough. */
	static struct seat_fight fight;
	memset(&fight, 0, sizeof fight);
	fight.servers = &servers;
	fight.name = name;
	fight.first = first;
	fight.count = count;
	return &fight;
}

static void two_servers_share_the_seats(void **state)
{
	(void)state;
	struct seat_fight *fight = new_fight("shared", 0, SEAT_FOUGHT_FOR);
	seat_fight_start(fight);
	seat_fight_end(fight);
	release_all(fight);
}

static void a_server_is_killed_in_the_middle(void **state)
{
	char name[32];
	struct random random;
	(void)state;
	random_init_stream(&random, random_seed(), SEAT_BUYERS);
	for (size_t round = 0; round < ROUNDS_MAX; round++) {
		snprintf(name, sizeof name, "killed-%zu", round);
		struct seat_fight *fight = new_fight(name, round * ROUND_SEATS, ROUND_SEATS);
		seat_fight_start(fight);
		seat_fight_wait(fight, random_below(&random, ROUND_SEATS));
		seat_servers_kill(&servers, round % SEAT_SERVERS);
		seat_fight_wait(fight, random_below(&random, ROUND_SEATS));
		seat_servers_start(&servers, round % SEAT_SERVERS);
		seat_servers_wait_ready(&servers, round % SEAT_SERVERS, 200, NULL, 0);
		seat_fight_end(fight);
		release_all(fight);
	}
}

static void a_server_ends_with_work_in_flight(void **state)
{
	(void)state;
	struct seat_fight *fight = new_fight("ended", 0, SEAT_FOUGHT_FOR);
	seat_fight_start(fight);
	for (size_t i = 0; i < SEAT_SERVERS; i++) {
		seat_fight_wait(fight, (i + 1) * SEAT_FOUGHT_FOR / 4);
		seat_servers_stop(&servers, i);
		seat_servers_start(&servers, i);
		seat_servers_wait_ready(&servers, i, 200, NULL, 0);
	}
	seat_fight_end(fight);
	release_all(fight);
}

static void the_service_is_killed_and_comes_back(void **state)
{
	char body[1024], path[256];
	struct http_client_reply reply = {0};
	(void)state;
	struct seat_fight *fight = new_fight("restarted", 0, SEAT_FOUGHT_FOR);
	seat_fight_start(fight);
	seat_fight_wait(fight, SEAT_FOUGHT_FOR / 4);
	assert_true(technology->kill());
	for (size_t i = 0; i < SEAT_SERVERS; i++) {
		seat_servers_wait_ready(&servers, i, 503, body, sizeof body);
		assert_non_null(strstr(body, technology->missing));
	}
	/* A server without its service lives, says so, and takes nothing. */
	snprintf(path, sizeof path, "/events/%s/holds", servers.event);
	assert_int_equal(200, seat_servers_ask(&servers, 0, "GET", "/healthz", NULL, NULL, &reply));
	assert_int_equal(503,
		seat_servers_ask(&servers, 0, "POST", path, "Idempotency-Key: away\r\n",
			"{\"userId\":\"u\",\"seats\":[\"x\"]}", &reply));
	assert_non_null(http_client_reply_header(&reply, "Retry-After"));
	/* One that is started meanwhile waits for it. */
	seat_servers_stop(&servers, 1);
	seat_servers_launch(&servers, 1);
	assert_true(technology->start_again());
	seat_servers_await(&servers, 1);
	for (size_t i = 0; i < SEAT_SERVERS; i++)
		seat_servers_wait_ready(&servers, i, 200, NULL, 0);
	seat_fight_end(fight);
	release_all(fight);
	http_client_reply_release(&reply);
}

/* Hold these seats, and buy them while `disturb` does its worst. */
static void sell(const char *name, size_t first, size_t count, void (*disturb)(void))
{
	if (!technology->captured) {
		skip();
		return; /* It does not come here, which clang-tidy cannot know. */
	}
	int64_t captured = technology->captured();
	struct seat_fight *fight = new_fight(name, first, count);
	seat_fight_start(fight);
	seat_fight_end(fight);
	seat_fight_buy_start(fight);
	seat_fight_buy_wait(fight, 1);
	disturb();
	seat_fight_buy_end(fight);
	assert_int_equal(captured + (int64_t)count * SEAT_PRICE, technology->captured());
}

static void kill_a_server(void)
{
	seat_servers_kill(&servers, 0);
	seat_servers_start(&servers, 0);
	seat_servers_wait_ready(&servers, 0, 200, NULL, 0);
}

static void who_buys_is_served_though_a_server_is_killed(void **state)
{
	(void)state;
	sell("bought", SEAT_FOUGHT_FOR, SEAT_SOLD_EACH, kill_a_server);
}

static void end_a_server(void)
{
	seat_servers_stop(&servers, 1);
	seat_servers_start(&servers, 1);
	seat_servers_wait_ready(&servers, 1, 200, NULL, 0);
}

static void who_buys_is_served_though_a_server_ends(void **state)
{
	(void)state;
	sell("bought-2", SEAT_FOUGHT_FOR + SEAT_SOLD_EACH, SEAT_SOLD_EACH, end_a_server);
}

static void kill_the_service(void)
{
	assert_true(technology->kill());
	assert_true(technology->start_again());
}

static void who_buys_is_served_though_the_service_is_killed(void **state)
{
	(void)state;
	sell("bought-3", SEAT_FOUGHT_FOR + 2 * SEAT_SOLD_EACH, SEAT_SOLD_EACH, kill_the_service);
}

int seat_servers_conformance(const struct seat_servers_technology *given)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_servers_share_the_seats),
		cmocka_unit_test(a_server_is_killed_in_the_middle),
		cmocka_unit_test(a_server_ends_with_work_in_flight),
		cmocka_unit_test(the_service_is_killed_and_comes_back),
		cmocka_unit_test(who_buys_is_served_though_a_server_is_killed),
		cmocka_unit_test(who_buys_is_served_though_a_server_ends),
		cmocka_unit_test(who_buys_is_served_though_the_service_is_killed),
	};
	technology = given;
	return cmocka_run_group_tests_name("servers", tests, set_up, tear_down);
}
