/* What the guard's own tests are played with: one set of seats in memory, two servers with a guard
 * and a spy each, and a look behind into Redis. For tests. */
#pragma once

#include "lib/redis/redis.h"
#include "lib/testkit/fault_proxy.h"
#include "tech-locking-and-transactions/memory/seat_memory.h"
#include "tech-locking-and-transactions/redis-guard/redis_guard_fixture.h"
#include "tech-locking-and-transactions/redis-guard/seat_spy_fixture.h"

enum { SCENE_SERVERS = 2, SCENE_SEATS = 12, SCENE_LONG_MS = 3600000, SCENE_PATIENCE_MS = 20000 };

struct guard_scene {
	struct guard_fixture *fixture;
	struct fault_proxy *proxy; /* NULL: the guards talk to Redis themselves. */
	struct seat_memory *memory;
	struct seat_store *plain; /* Of the same seats, without a guard. */
	struct seat_spy spies[SCENE_SERVERS];
	struct seat_store *stores[SCENE_SERVERS]; /* Guards before the spies. */
	struct redis *redis;
	struct id event;
	char names[SCENE_SEATS][16];
	struct slice seats[SCENE_SEATS];
	struct hold_result held; /* Of the last call. */
};

/* Put SCENE_SEATS seats on sale, by server 0. With `proxy`, the guards reach Redis through it. */
void guard_scene_open(struct guard_scene *scene, struct guard_fixture *fixture,
	struct fault_proxy *proxy, const struct redis_guard_options *options);
void guard_scene_close(struct guard_scene *scene);

/* A request for seats first to first + count - 1, with an id of its own. */
struct hold_request guard_scene_wish(const struct guard_scene *scene, int first, size_t count);

/* Hold through any store, and return the outcome; the call has to succeed. */
enum hold_outcome guard_scene_hold(
	struct guard_scene *scene, struct seat_store *store, const struct hold_request *request);

/* Whether a new request for this seat, by a server, is refused without its store being asked. */
bool guard_scene_is_refused(struct guard_scene *scene, int server, int seat);

enum release_outcome guard_scene_release(
	struct seat_store *store, const struct hold_request *request);

/* What Redis has of this seat. */
struct guard_seat guard_scene_look(struct guard_scene *scene, int seat);

/* Sleep a little, and tell whether there is patience left for waiting since `start_ms`. */
bool guard_scene_wait(int64_t start_ms);
int64_t guard_scene_now_ms(void);
