/* The family's suite with PostgreSQL, in the technique that is named: every promise of the
 * contract, and agreement with the seats in memory on random operations. */
#include <stdio.h>

#include "tech-locking-and-transactions/memory/seat_memory_fixture.h"
#include "tech-locking-and-transactions/postgres/postgres_seats_fixture.h"

int main(int argc, char **argv)
{
	struct seat_memory_fixture oracle;
	struct seats_fixture fixture;
	enum postgres_seats_technique technique;
	if (argc != 2 || !postgres_seats_technique_parse(slice_of(argv[1]), &technique)) {
		fprintf(stderr, "usage: %s TECHNIQUE\n", argv[0]);
		return 2;
	}
	int failed = 1;
	if (seats_fixture_start(&fixture, argv[1], technique) == STATUS_OK) {
		seat_memory_fixture_init(&oracle);
		failed = seat_store_conformance(&fixture.factory);
		failed += seat_store_agreement(&oracle.factory, &fixture.factory);
		seat_memory_fixture_release(&oracle);
	}
	seats_fixture_stop(&fixture);
	return failed;
}
