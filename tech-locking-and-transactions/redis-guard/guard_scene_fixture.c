/* See guard_scene_fixture.h. */
#include "tech-locking-and-transactions/redis-guard/guard_scene_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "lib/base/clock.h"

void guard_scene_open(struct guard_scene *scene, struct guard_fixture *fixture,
	struct fault_proxy *proxy, const struct redis_guard_options *options)
{
	struct seat_offer offers[SCENE_SEATS];
	struct redis_guard_options guard = *options;
	*scene = (struct guard_scene){.fixture = fixture,
		.proxy = proxy,
		.memory = seat_memory_new(clock_system()),
		.event = id_new(clock_wall_ms(clock_system()))};
	assert_non_null(scene->memory);
	scene->plain = seat_memory_open(scene->memory);
	scene->redis = redis_open(&(struct redis_options){.url = fixture->redis.url});
	if (proxy)
		guard.redis_url = fault_proxy_url(proxy);
	for (int i = 0; i < SCENE_SERVERS; i++) {
		struct seat_store *spy =
			seat_spy_init(&scene->spies[i], seat_memory_open(scene->memory));
		assert_int_equal(
			STATUS_OK, guard_fixture_guard(fixture, spy, &guard, &scene->stores[i]));
	}
	for (int i = 0; i < SCENE_SEATS; i++) {
		snprintf(scene->names[i], sizeof scene->names[i], "s-%02d", i);
		scene->seats[i] = slice_of(scene->names[i]);
		offers[i] = (struct seat_offer){.seat = scene->seats[i], .price = 100};
	}
	assert_int_equal(STATUS_OK,
		seat_store_stock(
			scene->stores[0], scene->event, slice_of("EUR"), offers, SCENE_SEATS));
}

void guard_scene_close(struct guard_scene *scene)
{
	for (int i = 0; i < SCENE_SERVERS; i++)
		seat_store_close(scene->stores[i]);
	seat_store_close(scene->plain);
	seat_memory_free(scene->memory);
	redis_close(scene->redis);
}

struct hold_request guard_scene_wish(const struct guard_scene *scene, int first, size_t count)
{
	return (struct hold_request){.event = scene->event,
		.hold = id_new(clock_wall_ms(clock_system())),
		.person = slice_of("ann"),
		.seats = scene->seats + first,
		.seat_count = count,
		.hold_ms = SCENE_LONG_MS};
}

enum hold_outcome guard_scene_hold(
	struct guard_scene *scene, struct seat_store *store, const struct hold_request *request)
{
	assert_int_equal(STATUS_OK, seat_store_hold(store, request, &scene->held, 1));
	return scene->held.outcome;
}

bool guard_scene_is_refused(struct guard_scene *scene, int server, int seat)
{
	int64_t before = scene->spies[server].holds;
	struct hold_request request = guard_scene_wish(scene, seat, 1);
	if (guard_scene_hold(scene, scene->stores[server], &request) != HOLD_TAKEN)
		return false;
	assert_true(scene->held.which == 1);
	return scene->spies[server].holds == before;
}

enum release_outcome guard_scene_release(
	struct seat_store *store, const struct hold_request *request)
{
	enum release_outcome outcome;
	struct release_request release = {request->event, request->hold, request->person};
	assert_int_equal(STATUS_OK, seat_store_release(store, &release, &outcome, 1));
	return outcome;
}

struct guard_seat guard_scene_look(struct guard_scene *scene, int seat)
{
	return guard_fixture_look(scene->redis, scene->event, scene->names[seat]);
}

int64_t guard_scene_now_ms(void)
{
	return clock_wall_ms(clock_system());
}

bool guard_scene_wait(int64_t start_ms)
{
	nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	return guard_scene_now_ms() - start_ms < SCENE_PATIENCE_MS;
}
