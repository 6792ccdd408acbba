/* How Redis and the durable record spell a room's settings. */
#pragma once

#include "tech-waiting-room/waiting_room.h"

enum { ROOM_RATE_SIZE = 32 };

/* "lobby", "open", "paused", "draining" or "closed". */
const char *room_state_name(enum waiting_room_state state);
bool room_state_read(struct slice name, enum waiting_room_state *state);

/* A rate as text that reads back as the same number. */
void room_rate_format(double rate, char text[ROOM_RATE_SIZE]);
double room_rate_read(struct slice text);
