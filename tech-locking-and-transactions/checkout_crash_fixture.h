/* Crashes of a checkout, the same for every technique: processes that buy are killed at named
 * points and at any moment, databases and the provider in the middle, and answers to COMMIT are
 * lost. Then the purchases are asked for again, and when all is quiet everything has to be right,
 * and nobody was told what is not so.
 *
 *	int main(int argc, char **argv)
 *	{
 *		return checkout_crash_main(&subject, argc, argv);
 *	}
 *
 * The program runs itself as the processes that buy. By default a seeded sample of the points; with
 * ONSALE_FULL=1 all of them, pairs of them, and 100 kills. */
#pragma once

#include "tech-locking-and-transactions/checkout_fixture.h"

/* What main returns. */
int checkout_crash_main(const struct checkout_subject *subject, int argc, char **argv);
