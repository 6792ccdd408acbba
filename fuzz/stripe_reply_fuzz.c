/* Fuzzes the answers of Stripe's API. The first two bytes choose the operation, the HTTP status and
 * the headers; the rest is the body. */
#include "tech-two-phase-payments/stripe/stripe_reply.h"

#include <stdlib.h>

#include "fuzz/fuzz.h"

static void check(const struct payment_call *call, const struct payment_result *result);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned statuses[] = {
		200, 400, 401, 402, 403, 404, 409, 424, 429, 500, 502, 503, 302, 0};
	static const char *const retries[] = {"", "true", "false", "perhaps"};
	if (size < 2)
		return 0;
	struct payment_call call = {
		.reference = slice_of("pi_1"),
		.amount = {4500, "EUR"},
		.own.operation = (enum payment_operation)(data[0] % PAYMENT_OPERATION_COUNT),
	};
	const struct stripe_answer answer = {
		.http_status = statuses[data[1] % (sizeof statuses / sizeof *statuses)],
		.body = fuzz_slice(data + 2, size - 2),
		.replayed = (data[0] & 0x40) != 0,
		.lost_before = (data[0] & 0x80) != 0,
		.plain_urls = (data[1] & 0x80) != 0,
		.should_retry = slice_of(retries[data[1] >> 5 & 3]),
	};
	struct payment_result result = {0};
	stripe_reply_read(&call, &answer, &result);
	check(&call, &result);
	return 0;
}

static void check_line(const char *text, size_t size)
{
	assert(strnlen(text, size) < size);
	assert(fuzz_is_line(slice_of(text)));
}

static void check_money(const struct money *money)
{
	assert(money->minor >= 0);
	assert(money->minor == 0 || currency_find(slice_of(money->currency)));
}

/* Money is said to be reserved, taken or given back only in the state that goes with it, and
 * nothing but Stripe's own word about this payment settles a call. */
static void check(const struct payment_call *call, const struct payment_result *result)
{
	bool ok = result->status == STATUS_OK;
	check_line(result->reference, sizeof result->reference);
	check_line(result->refund, sizeof result->refund);
	check_line(result->reason, sizeof result->reason);
	check_line(result->next_action_url, sizeof result->next_action_url);
	check_line(result->detail, sizeof result->detail);
	assert(ok == (result->outcome != PAYMENT_NONE));
	assert(ok == (result->detail[0] == '\0'));
	bool goes_on = result->status == STATUS_UNAVAILABLE || result->status == STATUS_UNKNOWN;
	assert(goes_on == (result->next != PAYMENT_NEXT_NOTHING));
	assert(call->own.operation != PAYMENT_LOOK_UP || result->status != STATUS_UNKNOWN);
	if (ok && call->own.operation != PAYMENT_CREATE_INTENT)
		assert(strcmp(result->reference, "pi_1") == 0);
	check_money(&result->authorized);
	check_money(&result->captured);
	check_money(&result->refunded);
	assert(result->authorized.minor == 0 || result->outcome == PAYMENT_AUTHORIZED);
	assert(result->captured.minor == 0 || result->outcome == PAYMENT_CAPTURED ||
		result->outcome == PAYMENT_REFUNDED);
	assert(result->expires_ms == 0 || result->outcome == PAYMENT_AUTHORIZED);
	if (result->outcome == PAYMENT_REFUND_FAILED)
		assert(call->own.operation == PAYMENT_REFUND);
}
