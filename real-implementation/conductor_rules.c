/* The rules of conductor.h. */
#include "real-implementation/conductor.h"

static bool is_demanded(const struct room_wish *wish, const struct room_demand *demand)
{
	return (wish->open_at_holds_per_second > 0 &&
		       demand->holds_per_second >= (double)wish->open_at_holds_per_second) ||
		(wish->open_at_lane_depth > 0 &&
			demand->lane_depth >= (size_t)wish->open_at_lane_depth);
}

bool room_is_closed(const struct waiting_room_view *view)
{
	return !view || view->settings.state == WAITING_ROOM_CLOSED;
}

bool room_is_calm(const struct room_wish *wish, const struct room_demand *demand,
	const struct waiting_room_view *view)
{
	bool few = demand->holds_per_second <= (double)wish->open_at_holds_per_second / 2 ||
		wish->open_at_holds_per_second == 0;
	bool short_queue = demand->lane_depth <= (size_t)wish->open_at_lane_depth / 2;
	return view->waiting == 0 && few && (short_queue || wish->open_at_lane_depth == 0);
}

enum room_decision room_decide(const struct room_wish *wish, const struct room_demand *demand,
	const struct waiting_room_view *view, int64_t calm_ms_min)
{
	if (room_is_closed(view))
		return is_demanded(wish, demand) ? ROOM_OPENS : ROOM_STAYS;
	bool calm = demand->opened_by_demand && view->settings.state == WAITING_ROOM_OPEN &&
		demand->calm_ms >= calm_ms_min;
	return calm ? ROOM_CLOSES : ROOM_STAYS;
}

int64_t room_active_max(const struct room_wish *wish, const struct room_demand *demand)
{
	int64_t most = demand->available + demand->soon + demand->holders;
	return most < wish->settings.active_max ? most : wish->settings.active_max;
}
