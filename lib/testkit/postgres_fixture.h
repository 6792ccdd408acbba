/* A private PostgreSQL cluster for one run of one test, by services/postgres.sh.
 *
 *	struct postgres_fixture postgres;
 *	assert_int_equal(STATUS_OK, postgres_fixture_start(&postgres, "orders"));
 *	options.url = postgres.url;
 *	…
 *	postgres_fixture_stop(&postgres);
 *
 * It is durable like every other cluster of the house. When the test ends without stopping it, even
 * by a crash, a watchdog destroys it within a second or two; so a program that the test starts may
 * use it only as long as the test runs. Nothing is left behind. */
#pragma once

#include "lib/base/status.h"
#include "lib/testkit/service_script.h"

struct postgres_fixture {
	char instance[SERVICE_INSTANCE_SIZE];
	char url[256]; /* Of a superuser and an empty database. Stays the same over restarts, unless
			* another program has taken the port meanwhile. */
};

/* Make a cluster and wait until it accepts connections. `name` has at most
 * SERVICE_NAME_SIZE_MAX of a-z 0-9 - and is made unique with the process id, so one
 * process gives each of its fixtures another name. The script is found in the folder that the
 * environment variable ONSALE_SOURCE names, or the current one. UNAVAILABLE when it fails; it has
 * said why on standard error. */
__attribute__((warn_unused_result)) enum status postgres_fixture_start(
	struct postgres_fixture *fixture, const char *name);

/* Stop it in order: clients are disconnected, what was committed is kept. */
__attribute__((warn_unused_result)) enum status postgres_fixture_halt(
	struct postgres_fixture *fixture);

/* kill -9 all its processes at once. */
__attribute__((warn_unused_result)) enum status postgres_fixture_kill(
	struct postgres_fixture *fixture);

/* Start it again after a halt or a kill, with recovery, and wait until it accepts connections. Does
 * nothing when it runs. */
__attribute__((warn_unused_result)) enum status postgres_fixture_start_again(
	struct postgres_fixture *fixture);

/* Halt it and start it again. */
__attribute__((warn_unused_result)) enum status postgres_fixture_restart(
	struct postgres_fixture *fixture);

/* Stop it and remove its data. Allowed on a fixture that never started if it is zero, and more than
 * once. */
void postgres_fixture_stop(struct postgres_fixture *fixture);
