/* Where a test may stop or kill the order server. In the server that is shipped there are none: the
 * function is empty, and only the test's build has order_points.c. */
#pragma once

#ifdef ORDERS_WITH_POINTS

/* Say that `place` (a stage, or a kind of request) has come to `point`. When the environment's
 * ORDERS_POINT is "PLACE POINT COUNT SIGNAL", the COUNTth time raises the signal of that number. */
void order_point_reach(const char *place, const char *point);

#else

static inline void order_point_reach(const char *place, const char *point)
{
	(void)place;
	(void)point;
}

#endif
