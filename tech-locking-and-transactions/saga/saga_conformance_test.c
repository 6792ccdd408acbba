/* The saga does what every checkout must. */
#include "tech-locking-and-transactions/saga/saga_fixture.h"

int main(void)
{
	static struct checkout_fixture fixture;
	int failed = 1;
	if (checkout_fixture_start(&fixture, &saga_subject, "saga", CHECKOUT_FIXTURE_WHOLE) ==
		STATUS_OK)
		failed = checkout_conformance(&fixture.factory);
	checkout_fixture_stop(&fixture);
	return failed;
}
