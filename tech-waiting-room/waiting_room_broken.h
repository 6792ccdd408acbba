/* A waiting room that breaks its contract in one way: the negative control of the conformance
 * suite. Around any technology; for tests only.
 *
 * Each way is one that a real system has been seen to have, or a mistake that is easily made. */
#pragma once

#include "tech-waiting-room/waiting_room.h"

enum waiting_room_breakage {
	BREAK_NOTHING,
	BREAK_REORDER_JOINS,      /* The last of a batch comes first. */
	BREAK_REDELIVERED_JOIN,   /* Who joins again gets a later place, as somebody new. */
	BREAK_LOSE_JOIN,          /* A join is acknowledged, and the person is not in line. */
	BREAK_LOSE_ADMISSION,     /* Somebody is admitted, and no answer says so. */
	BREAK_ADMIT_ONE_TOO_MANY, /* Above active_max. */
	BREAK_SERVING_PASSES_TAIL,
	BREAK_FORGET_LEAVE, /* LEFT is answered, and the person stays. */
	BREAK_CALL_WHILE_PAUSED,
	BREAK_IGNORE_RATE,
	BREAK_IGNORE_CLAIM_WINDOW, /* Nobody need claim. */
	BREAK_IGNORE_SILENCE,
	BREAK_IGNORE_SESSION_END,
	BREAK_SERVING_GOES_BACK,
	BREAK_CHANGE_SEED,   /* Another seed is opened than was promised. */
	BREAK_FORGET_TOKENS, /* Who comes back after a loss is new. */
	BREAK_FORGET_PASSES, /* Who was active before a loss is not counted. */
	BREAK_COUNT,
};

/* "reorder_joins" */
const char *waiting_room_breakage_name(enum waiting_room_breakage breakage);

/* Wrap `room`, which is closed with the wrapper. NULL when there is no memory. */
struct waiting_room *waiting_room_broken(
	struct waiting_room *room, enum waiting_room_breakage breakage);
