/* Two servers on one PostgreSQL behind guards on one Redis, and what happens when any is killed.
 * Redis dies and comes back together with PostgreSQL, since the guard alone must never matter. */
#include <stdio.h>

#include "lib/testkit/redis_fixture.h"
#include "tech-locking-and-transactions/postgres/postgres_seats_fixture.h"
#include "tech-locking-and-transactions/seat_servers_conformance.h"
#include "tech-two-phase-payments/simulator/simulator_fixture.h"

static struct seats_fixture seats;
static struct redis_fixture redis;
static struct simulator_fixture simulator;
static const char secret_key[] = "STRIPE_SECRET_KEY=" SIMULATOR_KEY;

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

static int64_t captured(void)
{
	return simulator_fixture_total(&simulator, "eur", "captured");
}

static int run(void)
{
	char database[320], guard[320], provider[128];
	snprintf(database, sizeof database, "DATABASE_URL=%s", seats.postgres.url);
	snprintf(guard, sizeof guard, "REDIS_URL=%s", redis.url);
	snprintf(provider, sizeof provider, "STRIPE_BASE_URL=%s", simulator.url);
	const char *const environment[] = {database, guard, provider, secret_key, NULL};
	return seat_servers_conformance(
		&(struct seat_servers_technology){.program = "redis-guard/redis-guard-server",
			.missing = "postgres",
			.environment = environment,
			.kill = kill_both,
			.start_again = start_both,
			.judge = judge,
			.captured = captured});
}

int main(void)
{
	int failed = 1;
	if (seats_fixture_start(&seats, "guard-servers", POSTGRES_SEATS_BATCHED) == STATUS_OK &&
		redis_fixture_start(&redis, "guard-servers") == STATUS_OK &&
		simulator_fixture_start(&simulator, NULL) == STATUS_OK) {
		failed = run();
		failed += !simulator_fixture_stop(&simulator);
	}
	redis_fixture_stop(&redis);
	seats_fixture_stop(&seats);
	return failed;
}
