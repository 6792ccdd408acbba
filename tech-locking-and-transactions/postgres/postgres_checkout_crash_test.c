/* Crashes of the checkout in one database: see checkout_crash_fixture.h. */
#include "tech-locking-and-transactions/checkout_crash_fixture.h"
#include "tech-locking-and-transactions/postgres/postgres_checkout_fixture.h"

int main(int argc, char **argv)
{
	return checkout_crash_main(&postgres_checkout_subject, argc, argv);
}
