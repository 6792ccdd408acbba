/* GET /admin/events/{eventId}: how a sale stands, for the organiser: seats and orders by status,
 * money by what became of it, holds, tickets, scans, and the waiting room. */
#pragma once

#include "lib/http/exchange.h"
#include "lib/postgres/postgres.h"
#include "real-implementation/admin.h"
#include "tech-waiting-room/waiting_room_gate.h"

/* The context of the routes. All of it is borrowed. */
struct figures {
	struct postgres *const *readers; /* One per worker: http_worker(). */
	struct admin *admin;
	struct waiting_room_routes *rooms; /* NULL: none. */
};

extern const struct http_route figures_route_table[];
extern const size_t figures_route_count;
