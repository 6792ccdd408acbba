/* What the files of conductor.h share.
 *
 *	conductor.c        the lane: a look once a second, PUT, orders that are paid
 *	conductor_rules.c  when rooms open and close, and for how many
 *	conductor_wish.c   what the organiser wishes, as JSON: in the event's row, and in PUT's body
 */
#pragma once

#include "real-implementation/conductor.h"

/* What is asked by PUT. */
struct room_asked {
	enum waiting_room_state state;
	bool has_start;
	int64_t starts_at_ms;
	char *given; /* Settings, as JSON; of the exchange. */
};

/* False: there are no good settings in it. The state is not looked at. */
bool room_wish_read(struct slice text, struct room_wish *wish);

/* Read the exchange's body. False: it was replied. */
bool room_asked_read(struct http_exchange *exchange, struct room_asked *asked);
