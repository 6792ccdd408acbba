/* What several servers of one technology that share their rooms must do together, also when one of
 * them or the service behind them is killed: as processes, over HTTP, judged from outside. */
#pragma once

#include "tech-waiting-room/servers_fixture.h"

/* Run all tests with this technology. Returns how many failed. */
int waiting_room_servers_conformance(const struct servers_technology *technology);

/* The negative control: servers that do *not* share their rooms. Returns how many tests failed,
 * that is, in how many the observer saw nothing. */
int waiting_room_servers_control(const struct servers_technology *technology);
