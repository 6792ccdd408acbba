/* A private Redis server for one run of one test, by services/redis.sh.
 *
 *	struct redis_fixture server;
 *	assert_int_equal(STATUS_OK, redis_fixture_start(&server, "rooms"));
 *	options.url = server.url;
 *	…
 *	redis_fixture_stop(&server);
 *
 * It is durable like every other server of the house: what it has acknowledged outlives
 * redis_fixture_kill, and only redis_fixture_empty loses it. When the test ends without stopping
 * it, even by a crash, a watchdog destroys it within a second or two; so a program that the test
 * starts may use it only as long as the test runs. Nothing is left behind. */
#pragma once

#include "lib/base/status.h"
#include "lib/testkit/service_script.h"

struct redis_fixture {
	char instance[SERVICE_INSTANCE_SIZE];
	char url[256]; /* Of an empty database, with the password. Stays the same over restarts and
			* redis_fixture_empty, unless another program has taken the port meanwhile.
			*/
};

/* Make a server and wait until it answers. `name` has at most SERVICE_NAME_SIZE_MAX of a-z 0-9 -
 * and is made unique with the process id, so one process gives each of its fixtures another name.
 * UNAVAILABLE when it fails; the script has said why on standard error. */
__attribute__((warn_unused_result)) enum status redis_fixture_start(
	struct redis_fixture *fixture, const char *name);

/* Stop it in order: clients are disconnected, nothing is lost. */
__attribute__((warn_unused_result)) enum status redis_fixture_halt(struct redis_fixture *fixture);

/* kill -9. */
__attribute__((warn_unused_result)) enum status redis_fixture_kill(struct redis_fixture *fixture);

/* Start it again after a halt or a kill, and wait until it has read its data and answers. Does
 * nothing when it runs. */
__attribute__((warn_unused_result)) enum status redis_fixture_start_again(
	struct redis_fixture *fixture);

/* Halt it and start it again. */
__attribute__((warn_unused_result)) enum status redis_fixture_restart(
	struct redis_fixture *fixture);

/* kill -9 where it runs, lose all data, and start it again, empty, at the same URL. */
__attribute__((warn_unused_result)) enum status redis_fixture_empty(struct redis_fixture *fixture);

/* Stop it and remove its data. Allowed on a fixture that never started if it is zero, and more than
 * once. */
void redis_fixture_stop(struct redis_fixture *fixture);
