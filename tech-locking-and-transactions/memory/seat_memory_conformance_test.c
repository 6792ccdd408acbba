/* The oracle itself: it passes the suite, and agrees with itself. */
#include "tech-locking-and-transactions/memory/seat_memory_fixture.h"

int main(void)
{
	struct seat_memory_fixture oracle, subject;
	seat_memory_fixture_init(&oracle);
	seat_memory_fixture_init(&subject);
	int failed = seat_store_conformance(&oracle.factory);
	failed += seat_store_agreement(&oracle.factory, &subject.factory);
	seat_memory_fixture_release(&oracle);
	seat_memory_fixture_release(&subject);
	return failed;
}
