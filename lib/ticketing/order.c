/* The table of legal transitions is the whole of the rules. */
#include "lib/ticketing/order.h"

#include <assert.h>
#include <stddef.h>

static const char *const status_names[ORDER_STATUS_COUNT] = {
	[ORDER_REQUIRES_CONFIRMATION] = "requires_confirmation",
	[ORDER_AUTHORIZING] = "authorizing",
	[ORDER_REQUIRES_ACTION] = "requires_action",
	[ORDER_AUTHORIZED] = "authorized",
	[ORDER_FINALIZED] = "finalized",
	[ORDER_CAPTURING] = "capturing",
	[ORDER_PAID] = "paid",
	[ORDER_DECLINED] = "declined",
	[ORDER_CANCELED] = "canceled",
	[ORDER_EXPIRED] = "expired",
	[ORDER_REFUNDED] = "refunded",
};

static const char *const event_names[ORDER_EVENT_COUNT] = {
	[ORDER_CONFIRM] = "confirm",
	[ORDER_REQUIRE_ACTION] = "require_action",
	[ORDER_AUTHORIZE] = "authorize",
	[ORDER_DECLINE] = "decline",
	[ORDER_FINALIZE] = "finalize",
	[ORDER_CAPTURE] = "capture",
	[ORDER_PAY] = "pay",
	[ORDER_FAIL_CAPTURE] = "fail_capture",
	[ORDER_CANCEL] = "cancel",
	[ORDER_EXPIRE] = "expire",
	[ORDER_REFUND] = "refund",
};

struct transition {
	bool legal;
	enum order_status to;
};

/* What is not written here is illegal. */
static const struct transition transitions[ORDER_STATUS_COUNT][ORDER_EVENT_COUNT] = {
	[ORDER_REQUIRES_CONFIRMATION] =
		{
			[ORDER_CONFIRM] = {true, ORDER_AUTHORIZING},
			[ORDER_CANCEL] = {true, ORDER_CANCELED},
			[ORDER_EXPIRE] = {true, ORDER_EXPIRED},
		},
	[ORDER_AUTHORIZING] =
		{
			[ORDER_REQUIRE_ACTION] = {true, ORDER_REQUIRES_ACTION},
			[ORDER_AUTHORIZE] = {true, ORDER_AUTHORIZED},
			[ORDER_DECLINE] = {true, ORDER_DECLINED},
			[ORDER_CANCEL] = {true, ORDER_CANCELED},
			[ORDER_EXPIRE] = {true, ORDER_EXPIRED},
		},
	[ORDER_REQUIRES_ACTION] =
		{
			[ORDER_AUTHORIZE] = {true, ORDER_AUTHORIZED},
			[ORDER_DECLINE] = {true, ORDER_DECLINED},
			[ORDER_CANCEL] = {true, ORDER_CANCELED},
			[ORDER_EXPIRE] = {true, ORDER_EXPIRED},
		},
	[ORDER_AUTHORIZED] =
		{
			[ORDER_FINALIZE] = {true, ORDER_FINALIZED},
			[ORDER_CANCEL] = {true, ORDER_CANCELED},
			[ORDER_EXPIRE] = {true, ORDER_EXPIRED},
		},
	[ORDER_FINALIZED] =
		{
			[ORDER_CAPTURE] = {true, ORDER_CAPTURING},
			[ORDER_CANCEL] = {true, ORDER_CANCELED},
		},
	[ORDER_CAPTURING] =
		{
			[ORDER_PAY] = {true, ORDER_PAID},
			[ORDER_FAIL_CAPTURE] = {true, ORDER_CANCELED},
		},
	[ORDER_PAID] = {[ORDER_REFUND] = {true, ORDER_REFUNDED}},
	[ORDER_DECLINED] =
		{
			[ORDER_CONFIRM] = {true, ORDER_AUTHORIZING},
			[ORDER_CANCEL] = {true, ORDER_CANCELED},
			[ORDER_EXPIRE] = {true, ORDER_EXPIRED},
		},
};

static const enum order_cancel cancels[ORDER_STATUS_COUNT] = {
	[ORDER_REQUIRES_CONFIRMATION] = ORDER_CANCEL_AT_ONCE,
	[ORDER_AUTHORIZING] = ORDER_CANCEL_WAIT,
	[ORDER_REQUIRES_ACTION] = ORDER_CANCEL_VOID,
	[ORDER_AUTHORIZED] = ORDER_CANCEL_VOID,
	[ORDER_FINALIZED] = ORDER_CANCEL_VOID,
	[ORDER_CAPTURING] = ORDER_CANCEL_WAIT,
	[ORDER_PAID] = ORDER_CANCEL_REFUND,
	[ORDER_DECLINED] = ORDER_CANCEL_AT_ONCE,
	[ORDER_CANCELED] = ORDER_CANCEL_OVER,
	[ORDER_EXPIRED] = ORDER_CANCEL_OVER,
	[ORDER_REFUNDED] = ORDER_CANCEL_OVER,
};

/* The place of `name` among `count` names, or `count`. */
static size_t find(const char *const names[], size_t count, struct slice name)
{
	size_t i = 0;
	while (i < count && !slice_is(name, names[i]))
		i++;
	return i;
}

const char *order_status_name(enum order_status status)
{
	assert((unsigned)status < ORDER_STATUS_COUNT);
	return status_names[status];
}

const char *order_event_name(enum order_event event)
{
	assert((unsigned)event < ORDER_EVENT_COUNT);
	return event_names[event];
}

bool order_status_parse(struct slice name, enum order_status *status)
{
	size_t found = find(status_names, ORDER_STATUS_COUNT, name);
	if (found == ORDER_STATUS_COUNT)
		return false;
	*status = (enum order_status)found;
	return true;
}

bool order_event_parse(struct slice name, enum order_event *event)
{
	size_t found = find(event_names, ORDER_EVENT_COUNT, name);
	if (found == ORDER_EVENT_COUNT)
		return false;
	*event = (enum order_event)found;
	return true;
}

bool order_transition(enum order_status from, enum order_event event, enum order_status *to)
{
	assert((unsigned)from < ORDER_STATUS_COUNT && (unsigned)event < ORDER_EVENT_COUNT);
	struct transition transition = transitions[from][event];
	if (transition.legal)
		*to = transition.to;
	return transition.legal;
}

bool order_is_terminal(enum order_status status)
{
	assert((unsigned)status < ORDER_STATUS_COUNT);
	for (int event = 0; event < ORDER_EVENT_COUNT; event++)
		if (transitions[status][event].legal)
			return false;
	return true;
}

enum order_cancel order_cancel(enum order_status status)
{
	assert((unsigned)status < ORDER_STATUS_COUNT);
	return cancels[status];
}
