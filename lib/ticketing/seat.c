/* The table of legal transitions is the whole of the rules. */
#include "lib/ticketing/seat.h"

#include <assert.h>

static const char *const status_names[SEAT_STATUS_COUNT] = {
	[SEAT_AVAILABLE] = "available",
	[SEAT_HELD] = "held",
	[SEAT_SOLD] = "sold",
};

struct transition {
	bool legal;
	enum seat_status to;
};

/* What is not written here is illegal. */
static const struct transition transitions[SEAT_STATUS_COUNT][SEAT_EVENT_COUNT] = {
	[SEAT_AVAILABLE] = {[SEAT_HOLD] = {true, SEAT_HELD}},
	[SEAT_HELD] =
		{
			[SEAT_RELEASE] = {true, SEAT_AVAILABLE},
			[SEAT_EXPIRE] = {true, SEAT_AVAILABLE},
			[SEAT_SELL] = {true, SEAT_SOLD},
		},
	[SEAT_SOLD] = {[SEAT_REVOKE] = {true, SEAT_AVAILABLE}},
};

const char *seat_status_name(enum seat_status status)
{
	assert((unsigned)status < SEAT_STATUS_COUNT);
	return status_names[status];
}

bool seat_status_parse(struct slice name, enum seat_status *status)
{
	for (int i = 0; i < SEAT_STATUS_COUNT; i++) {
		if (slice_is(name, status_names[i])) {
			*status = (enum seat_status)i;
			return true;
		}
	}
	return false;
}

bool seat_transition(enum seat_status from, enum seat_event event, enum seat_status *to)
{
	assert((unsigned)from < SEAT_STATUS_COUNT && (unsigned)event < SEAT_EVENT_COUNT);
	struct transition transition = transitions[from][event];
	if (transition.legal)
		*to = transition.to;
	return transition.legal;
}
