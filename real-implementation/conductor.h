/* Who opens and closes waiting rooms: the organiser, and demand.
 *
 *	PUT /events/{eventId}/waiting-room (admin)   state and settings, as tech-waiting-room has
 *them, and openAtHoldsPerSecond, openAtLaneDepth
 *
 * DESIGN. One lane of each server looks at each event that somebody asks seats of, once a second:
 *
 *	- A room that is closed, or is not there yet, opens when more holds per second are asked for
 *	  than the event's `openAtHoldsPerSecond`, through all servers together, or more requests
 *	  wait for the lane of one of them than its `openAtLaneDepth` (0: never).
 *	- One that demand has opened closes when for CONDUCTOR_CALM_MS nobody has waited and the
 *demand was below half of what opens it. One that the organiser has opened stays as it is.
 *	- No more people are let in than there are seats for: activeMax is what the organiser
 *wishes, but at most the seats that are free, those that will soon be (holds that end within the
 *claim window), and the people who hold some already.
 *
 * What the organiser wishes stands in the event's row; how the room stands, in the room; what is
 * asked through each server, in event_demand (060_demand.sql), told with each look while it is
 * anything. So any process may do all of this, and several that do it at once agree, but for a
 * second. */
#pragma once

#include "lib/http/exchange.h"
#include "lib/metrics/metrics.h"
#include "real-implementation/holds.h"
#include "real-implementation/live.h"

struct conductor;

enum { CONDUCTOR_CALM_MS = 30000, CONDUCTOR_TICK_MS = 1000 };

struct conductor_options {
	const char *database_url;
	int64_t database_ms;
	struct waiting_room_opener opener; /* For a room instance of its own. */
	/* Whether the organiser is asking; else it has replied. On a loop. */
	bool (*admin)(void *context, struct http_exchange *exchange);
	void *admin_context;
	int64_t tick_ms, calm_ms; /* 0: as above. */
	struct metrics *metrics;  /* Not yet frozen. NULL: none. */
};

__attribute__((warn_unused_result)) enum status conductor_open(
	const struct conductor_options *options, struct conductor **conductor);

/* Begin, when live and holds have begun. */
__attribute__((warn_unused_result)) enum status conductor_start(struct conductor *conductor,
	struct live *live, struct holds *holds, struct waiting_room_routes *rooms,
	struct fault *fault);

/* The order ("<event>.<order>") is paid: its person leaves the waiting room, and somebody else may
 * come in. Any thread, between the start and the close; only a hint. */
void conductor_order_paid(struct conductor *conductor, struct slice order);

/* Before live and holds are stopped. */
void conductor_stop(struct conductor *conductor);

/* After the server has been closed. NULL is allowed. */
void conductor_close(struct conductor *conductor);

/* The route above; its context is the struct conductor. */
extern const struct http_route conductor_route;

/* ---- The rules, pure ---- */

/* What the organiser wishes of an event's room. */
struct room_wish {
	int64_t open_at_holds_per_second, open_at_lane_depth; /* 0: never. */
	struct waiting_room_settings settings;                /* The state is not looked at. */
};

/* How an event stands. */
struct room_demand {
	double holds_per_second;          /* Of late, through all servers. */
	size_t lane_depth;                /* The deepest. */
	int64_t available, soon, holders; /* Seats; seats; people. */
	int64_t calm_ms;                  /* For how long it has been calm. */
	bool opened_by_demand;
};

enum room_decision { ROOM_STAYS, ROOM_OPENS, ROOM_CLOSES };

/* `view` NULL, here and below: there is no room. */
bool room_is_closed(const struct waiting_room_view *view);

enum room_decision room_decide(const struct room_wish *wish, const struct room_demand *demand,
	const struct waiting_room_view *view, int64_t calm_ms_min);

/* Whether it is calm now. */
bool room_is_calm(const struct room_wish *wish, const struct room_demand *demand,
	const struct waiting_room_view *view);

/* How many may be inside at once. */
int64_t room_active_max(const struct room_wish *wish, const struct room_demand *demand);
