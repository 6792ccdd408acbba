/* The pure parts of checkout.h. */
#include "tech-locking-and-transactions/checkout.h"

#include <assert.h>

#include "tech-locking-and-transactions/seat_store.h"

static bool is_text(struct slice text, size_t size_max)
{
	return text.size >= 1 && text.size <= size_max && slice_is_text(text);
}

bool buy_request_is_sound(const struct buy_request *request)
{
	return is_text(request->person, SEAT_STORE_ID_SIZE_MAX) &&
		is_text(request->payment_method, CHECKOUT_METHOD_SIZE_MAX);
}

const char *buy_outcome_name(enum buy_outcome outcome)
{
	static const char *const names[BUY_OUTCOME_COUNT] = {
		[BUY_PAID] = "paid",
		[BUY_DECLINED] = "declined",
		[BUY_REQUIRES_ACTION] = "requires action",
		[BUY_EXPIRED] = "expired",
		[BUY_NOT_HELD] = "not held",
		[BUY_NOT_YOURS] = "not yours",
		[BUY_OTHER_ORDER] = "other order",
		[BUY_OTHER_REQUEST] = "other request",
		[BUY_MALFORMED] = "malformed",
		[BUY_PENDING] = "pending",
	};
	assert((unsigned)outcome < BUY_OUTCOME_COUNT);
	return names[outcome];
}
