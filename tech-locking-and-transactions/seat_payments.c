/* See seat_payments.h. */
#include "tech-locking-and-transactions/seat_payments.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"

enum { HOUR_MS = 3600000, DAY_MS = 24 * HOUR_MS };

struct seat_payments seat_payments;

static void take_event(struct http_exchange *exchange);

const struct http_route seat_payment_route = {
	HTTP_POST, "/webhooks/stripe", HTTP_ON_LOOP, take_event, PAYMENT_EVENT_BYTES_MAX};

const struct config_setting seat_payment_settings[] = {
	{.flag = "stripe-base-url",
		.environment = "STRIPE_BASE_URL",
		.kind = CONFIG_TEXT,
		.value = &seat_payments.provider_url,
		.fallback = "https://api.stripe.com",
		.help = "whoever speaks Stripe's API"},
	{.flag = "stripe-secret-key",
		.environment = "STRIPE_SECRET_KEY",
		.kind = CONFIG_SECRET,
		.value = &seat_payments.provider_key,
		.required = true,
		.help = "sk_… or rk_…"},
	{.flag = "stripe-webhook-secret",
		.environment = "STRIPE_WEBHOOK_SECRET",
		.kind = CONFIG_SECRET,
		.value = &seat_payments.webhook_secret,
		.help = "whsec_…; without it, every event is refused and payments are looked up "
			"only now and then"},
	{.flag = "return-url",
		.environment = "RETURN_URL",
		.kind = CONFIG_TEXT,
		.value = &seat_payments.return_url,
		.help = "where a person comes back to after 3-D Secure"},
	{.flag = "attempt-timeout",
		.environment = "ATTEMPT_TIMEOUT",
		.kind = CONFIG_DURATION,
		.value = &seat_payments.attempt_ms,
		.fallback = "30s",
		.min = 100,
		.max = 600000,
		.help = "for one request to the provider"},
	{.flag = "call-timeout",
		.environment = "CALL_TIMEOUT",
		.kind = CONFIG_DURATION,
		.value = &seat_payments.call_ms,
		.fallback = "60s",
		.min = 100,
		.max = 600000,
		.help = "for a call to the provider with its repetitions"},
	{.flag = "purchase-wait",
		.environment = "PURCHASE_WAIT",
		.kind = CONFIG_DURATION,
		.value = &seat_payments.wait_ms,
		.fallback = "3s",
		.min = 10,
		.max = 60000,
		.help = "a purchase that is not over by then is 202, and goes on"},
	{.flag = "backoff-max",
		.environment = "BACKOFF_MAX",
		.kind = CONFIG_DURATION,
		.value = &seat_payments.backoff_ms,
		.fallback = "30s",
		.min = 10,
		.max = HOUR_MS,
		.help = "the longest pause between two calls for one order"},
	{.flag = "action-time",
		.environment = "ACTION_TIME",
		.kind = CONFIG_DURATION,
		.value = &seat_payments.action_ms,
		.fallback = "10m",
		.min = 100,
		.max = DAY_MS,
		.help = "how long a person has for 3-D Secure; no longer than the hold"},
	{.flag = "capture-margin",
		.environment = "CAPTURE_MARGIN",
		.kind = CONFIG_DURATION,
		.value = &seat_payments.margin_ms,
		.fallback = "1h",
		.min = 1,
		.max = 7 * DAY_MS,
		.help = "how long before its authorization's end an order is given up"},
	{.flag = "lease",
		.environment = "LEASE",
		.kind = CONFIG_DURATION,
		.value = &seat_payments.lease_ms,
		.fallback = "30s",
		.min = 500,
		.max = HOUR_MS,
		.help = "after which another process takes over what a dead one had in hand"},
};
const size_t seat_payment_setting_count =
	sizeof seat_payment_settings / sizeof *seat_payment_settings;

static struct {
	const struct payment_provider *reader;
	void (*wake)(void *context);
	void *context;
} listener;

void seat_payments_listen(
	const struct payment_provider *reader, void (*wake)(void *context), void *context)
{
	listener.reader = reader;
	listener.wake = wake;
	listener.context = context;
}

/* It does no harm that an event comes twice, late or not in order, and none need be remembered. */
static void take_event(struct http_exchange *exchange)
{
	struct slice signature = {.data = NULL};
	struct payment_event event;
	struct fault fault;
	if (!listener.reader) {
		http_reply_problem(exchange, &http_problem_unavailable, "The server is starting.");
		return;
	}
	(void)http_header(exchange, listener.reader->traits.webhook_header, &signature);
	if (payment_read_event(listener.reader, signature, http_body(exchange),
		    clock_wall_ms(clock_system()), &event, &fault) != STATUS_OK) {
		log_warning("seats.event_refused", LOG_TEXT("where", fault.where),
			LOG_TEXT("why", fault.what));
		http_reply_problem(exchange, &http_problem_bad_request,
			"This is no event that the payment provider has signed just now.");
		return;
	}
	if (event.outcome != PAYMENT_NONE && event.reference[0] != '\0')
		listener.wake(listener.context);
	http_reply_empty(exchange, 200);
}
