/* See order_points.h. Linked into a test's build only. */
#include "tech-two-phase-payments/order_points.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_SIZE = 32 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char wanted_place[TEXT_SIZE], wanted_point[TEXT_SIZE];
static int wanted_signal;
static atomic_int left;

static void read_environment(void)
{
	const char *text = getenv("ORDERS_POINT");
	int count;
	if (!text)
		return;
	if (sscanf(text, "%31s %31s %d %d", wanted_place, wanted_point, &count, &wanted_signal) !=
		4) {
		(void)fprintf(stderr, "ORDERS_POINT is not PLACE POINT COUNT SIGNAL\n");
		exit(2);
	}
	atomic_store(&left, count);
}

void order_point_reach(const char *place, const char *point)
{
	(void)pthread_once(&once, read_environment);
	if (strcmp(place, wanted_place) == 0 && strcmp(point, wanted_point) == 0 &&
		atomic_fetch_sub(&left, 1) == 1)
		(void)raise(wanted_signal); /* To this thread: it must not go on. */
}
