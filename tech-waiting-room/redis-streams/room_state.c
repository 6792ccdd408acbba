/* See room_state.h. */
#include "tech-waiting-room/redis-streams/room_state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const names[] = {
	[WAITING_ROOM_LOBBY] = "lobby",
	[WAITING_ROOM_OPEN] = "open",
	[WAITING_ROOM_PAUSED] = "paused",
	[WAITING_ROOM_DRAINING] = "draining",
	[WAITING_ROOM_CLOSED] = "closed",
};

const char *room_state_name(enum waiting_room_state state)
{
	assert((size_t)state < sizeof names / sizeof names[0]);
	return names[state];
}

bool room_state_read(struct slice name, enum waiting_room_state *state)
{
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (!slice_is(name, names[i]))
			continue;
		*state = (enum waiting_room_state)i;
		return true;
	}
	return false;
}

void room_rate_format(double rate, char text[ROOM_RATE_SIZE])
{
	snprintf(text, ROOM_RATE_SIZE, "%.17g", rate);
}

double room_rate_read(struct slice text)
{
	char copy[ROOM_RATE_SIZE];
	snprintf(copy, sizeof copy, "%.*s", SLICE_PRINT(text));
	return strtod(copy, NULL);
}
