/* Two servers on one PostgreSQL, and what happens when either is killed. */
#include <stdio.h>

#include "tech-locking-and-transactions/postgres/postgres_seats_fixture.h"
#include "tech-locking-and-transactions/seat_servers_conformance.h"
#include "tech-two-phase-payments/simulator/simulator_fixture.h"

static struct seats_fixture seats;
static struct simulator_fixture simulator;
static const char secret_key[] = "STRIPE_SECRET_KEY=" SIMULATOR_KEY;

static bool kill_postgres(void)
{
	return postgres_fixture_kill(&seats.postgres) == STATUS_OK;
}

static bool start_postgres(void)
{
	return postgres_fixture_start_again(&seats.postgres) == STATUS_OK;
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

int main(int argc, char **argv)
{
	char url[320], technique[64], provider[128];
	if (argc != 2 ||
		seats_fixture_start(&seats, "servers", POSTGRES_SEATS_BATCHED) != STATUS_OK ||
		simulator_fixture_start(&simulator, NULL) != STATUS_OK)
		return 1;
	snprintf(url, sizeof url, "DATABASE_URL=%s", seats.postgres.url);
	snprintf(technique, sizeof technique, "TECHNIQUE=%s", argv[1]);
	snprintf(provider, sizeof provider, "STRIPE_BASE_URL=%s", simulator.url);
	const char *const environment[] = {url, technique, provider, secret_key, NULL};
	int failed = seat_servers_conformance(
		&(struct seat_servers_technology){.program = "postgres/postgres-seats-server",
			.missing = "postgres",
			.environment = environment,
			.kill = kill_postgres,
			.start_again = start_postgres,
			.judge = judge,
			.captured = captured});
	failed += !simulator_fixture_stop(&simulator);
	seats_fixture_stop(&seats);
	return failed;
}
