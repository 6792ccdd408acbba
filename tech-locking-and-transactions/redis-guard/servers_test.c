/* Two servers on one PostgreSQL behind guards on one Redis, and what happens when any is killed.
 * Redis dies and comes back together with PostgreSQL, since the guard alone must never matter. */
#include <stdio.h>

#include "lib/testkit/redis_fixture.h"
#include "tech-locking-and-transactions/postgres/postgres_seats_fixture.h"
#include "tech-locking-and-transactions/seat_servers_conformance.h"

static struct seats_fixture seats;
static struct redis_fixture redis;

static bool kill_both(void)
{
	return redis_fixture_kill(&redis) == STATUS_OK &&
		postgres_fixture_kill(&seats.postgres) == STATUS_OK;
}

static bool start_both(void)
{
	return postgres_fixture_start_again(&seats.postgres) == STATUS_OK &&
		redis_fixture_start_again(&redis) == STATUS_OK;
}

static const char *judge(struct id event)
{
	static char message[256];
	return seats_fixture_judge(&seats, event, message, sizeof message);
}

static int run(void)
{
	char database[320], guard[320];
	snprintf(database, sizeof database, "DATABASE_URL=%s", seats.postgres.url);
	snprintf(guard, sizeof guard, "REDIS_URL=%s", redis.url);
	const char *const environment[] = {database, guard, NULL};
	return seat_servers_conformance(
		&(struct seat_servers_technology){.program = "redis-guard/redis-guard-server",
			.missing = "postgres",
			.environment = environment,
			.kill = kill_both,
			.start_again = start_both,
			.judge = judge});
}

int main(void)
{
	int failed = 1;
	if (seats_fixture_start(&seats, "guard-servers", POSTGRES_SEATS_BATCHED) == STATUS_OK &&
		redis_fixture_start(&redis, "guard-servers") == STATUS_OK)
		failed = run();
	redis_fixture_stop(&redis);
	seats_fixture_stop(&seats);
	return failed;
}
