/* The family's suite with a guard: every promise of the contract, and agreement with the seats in
 * memory on random operations. Before the batched store on PostgreSQL, or before memory. */
#include <stdio.h>
#include <string.h>

#include "tech-locking-and-transactions/memory/seat_memory_fixture.h"
#include "tech-locking-and-transactions/postgres/postgres_seats_fixture.h"
#include "tech-locking-and-transactions/redis-guard/redis_guard_fixture.h"

static int run(const char *name, const struct seat_store_factory *inner)
{
	struct seat_memory_fixture oracle;
	struct guard_fixture fixture;
	int failed = 1;
	if (guard_fixture_start(&fixture, name, inner) == STATUS_OK) {
		seat_memory_fixture_init(&oracle);
		failed = seat_store_conformance(&fixture.factory);
		failed += seat_store_agreement(&oracle.factory, &fixture.factory);
		seat_memory_fixture_release(&oracle);
	}
	guard_fixture_stop(&fixture);
	return failed;
}

static int run_postgres(void)
{
	struct seats_fixture inner;
	int failed = 1;
	if (seats_fixture_start(&inner, "guarded", POSTGRES_SEATS_BATCHED) == STATUS_OK)
		failed = run("guard-postgres", &inner.factory);
	seats_fixture_stop(&inner);
	return failed;
}

static int run_memory(void)
{
	struct seat_memory_fixture inner;
	seat_memory_fixture_init(&inner);
	int failed = run("guard-memory", &inner.factory);
	seat_memory_fixture_release(&inner);
	return failed;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "postgres") == 0)
		return run_postgres();
	if (argc == 2 && strcmp(argv[1], "memory") == 0)
		return run_memory();
	fprintf(stderr, "usage: %s memory|postgres\n", argv[0]);
	return 2;
}
