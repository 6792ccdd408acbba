/* The checkout in one database does what every checkout must. */
#include "tech-locking-and-transactions/postgres/postgres_checkout_fixture.h"

int main(void)
{
	static struct checkout_fixture fixture;
	int failed = 1;
	if (checkout_fixture_start(&fixture, &postgres_checkout_subject, "checkout",
		    CHECKOUT_FIXTURE_WHOLE) == STATUS_OK)
		failed = checkout_conformance(&fixture.factory);
	checkout_fixture_stop(&fixture);
	return failed;
}
