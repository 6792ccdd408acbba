/* Two servers on one Redis, and what happens when either is killed. */
#include <stdio.h>

#include "tech-waiting-room/redis-streams/streams_fixture.h"
#include "tech-waiting-room/servers_conformance.h"

static struct streams_fixture services;

static bool restart(void)
{
	return redis_fixture_kill(&services.redis) == STATUS_OK &&
		redis_fixture_start_again(&services.redis) == STATUS_OK;
}

static bool empty(void)
{
	return redis_fixture_empty(&services.redis) == STATUS_OK;
}

int main(void)
{
	char redis_url[320], database_url[320];
	if (streams_fixture_start(&services, "servers") != STATUS_OK)
		return 1;
	snprintf(redis_url, sizeof redis_url, "REDIS_URL=%s", services.redis.url);
	snprintf(database_url, sizeof database_url, "DATABASE_URL=%s", services.postgres.url);
	const char *const environment[] = {redis_url, database_url, NULL};
	int failed = waiting_room_servers_conformance(
		&(struct servers_technology){.program = "redis-streams/redis-streams-server",
			.environment = environment,
			.restart = restart,
			.empty = empty});
	streams_fixture_stop(&services);
	return failed;
}
