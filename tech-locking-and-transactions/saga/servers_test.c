/* Two servers of the saga over two clusters, and what happens when a server or the seats are
 * killed. */
#include <stdio.h>

#include "tech-locking-and-transactions/checkout_fixture.h"
#include "tech-locking-and-transactions/saga/saga_fixture.h"
#include "tech-locking-and-transactions/seat_servers_conformance.h"

static struct checkout_fixture fixture;
static const char secret_key[] = "STRIPE_SECRET_KEY=" SIMULATOR_KEY;

static bool kill_seats(void)
{
	return postgres_fixture_kill(&fixture.seats.postgres) == STATUS_OK;
}

static bool start_seats(void)
{
	return postgres_fixture_start_again(&fixture.seats.postgres) == STATUS_OK;
}

static const char *judge(struct id event)
{
	static char message[512];
	return seats_fixture_judge(&fixture.seats, event, message, sizeof message);
}

static int64_t captured(void)
{
	return simulator_fixture_total(&fixture.simulator, "eur", "captured");
}

int main(void)
{
	char seats[320], orders[320], provider[128];
	if (checkout_fixture_start(
		    &fixture, &saga_subject, "saga-servers", CHECKOUT_FIXTURE_BARE) != STATUS_OK)
		return 1;
	snprintf(seats, sizeof seats, "DATABASE_URL=%s", fixture.places.seats_url);
	snprintf(orders, sizeof orders, "ORDERS_URL=%s", fixture.places.orders_url);
	snprintf(provider, sizeof provider, "STRIPE_BASE_URL=%s", fixture.places.provider_url);
	const char *const environment[] = {seats, orders, provider, secret_key, NULL};
	int failed = seat_servers_conformance(
		&(struct seat_servers_technology){.program = "saga/saga-seats-server",
			.missing = "postgres",
			.environment = environment,
			.kill = kill_seats,
			.start_again = start_seats,
			.judge = judge,
			.captured = captured});
	checkout_fixture_stop(&fixture);
	return failed;
}
