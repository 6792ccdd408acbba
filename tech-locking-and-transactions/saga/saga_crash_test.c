/* Crashes of the saga, of both databases and of the provider: see checkout_crash_fixture.h. */
#include "tech-locking-and-transactions/checkout_crash_fixture.h"
#include "tech-locking-and-transactions/saga/saga_fixture.h"

int main(int argc, char **argv)
{
	return checkout_crash_main(&saga_subject, argc, argv);
}
