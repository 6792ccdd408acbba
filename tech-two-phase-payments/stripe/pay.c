/* stripe-pay: one call to Stripe, or to whatever speaks its API, from the command line.
 *
 *	stripe-pay create --order=o-1 --amount=4500 --currency=EUR
 *	stripe-pay authorize --order=o-1 --reference=pi_… --payment-method=pm_card_visa
 *	stripe-pay event --signature="$header" <body
 *
 * For people who look into a payment, and to see what the adapter does. It prints one JSON object;
 * the exit code is 0 when the call is settled, 1 when it is not, and 2 when it makes no sense. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buffer.h"
#include "lib/base/config.h"
#include "tech-two-phase-payments/stripe/stripe.h"

enum { EXIT_SETTLED, EXIT_NOT_SETTLED, EXIT_USAGE, OUTPUT_SIZE_MAX = 64 << 10 };

static struct {
	const char *base_url, *secret_key, *webhook_secret, *api_version;
	const char *order, *reference, *currency, *payment_method, *return_url, *key, *signature;
	int64_t amount, attempt, total_ms_max;
} settings;

static const struct config_setting table[] = {
	{.flag = "base-url",
		.environment = "STRIPE_BASE_URL",
		.kind = CONFIG_TEXT,
		.value = &settings.base_url,
		.fallback = STRIPE_BASE_URL,
		.help = "where the API is, without a path"},
	{.flag = "secret-key",
		.environment = "STRIPE_SECRET_KEY",
		.kind = CONFIG_SECRET,
		.value = &settings.secret_key,
		.required = true,
		.help = "the secret key, sk_… or rk_…"},
	{.flag = "webhook-secret",
		.environment = "STRIPE_WEBHOOK_SECRET",
		.kind = CONFIG_SECRET,
		.value = &settings.webhook_secret,
		.help = "whsec_…, to verify an event"},
	{.flag = "api-version",
		.kind = CONFIG_TEXT,
		.value = &settings.api_version,
		.fallback = STRIPE_API_VERSION,
		.help = "the header Stripe-Version"},
	{.flag = "order",
		.kind = CONFIG_TEXT,
		.value = &settings.order,
		.help = "the order's id; it is in the key, too"},
	{.flag = "attempt",
		.kind = CONFIG_INTEGER,
		.value = &settings.attempt,
		.fallback = "1",
		.min = 1,
		.max = 1000000,
		.help = "the payment attempt; another one makes another key"},
	{.flag = "key",
		.kind = CONFIG_TEXT,
		.value = &settings.key,
		.help = "the Idempotency-Key, instead of order, step and attempt"},
	{.flag = "reference",
		.kind = CONFIG_TEXT,
		.value = &settings.reference,
		.help = "the payment's id, pi_…; for all but create"},
	{.flag = "amount",
		.kind = CONFIG_INTEGER,
		.value = &settings.amount,
		.fallback = "0",
		.min = 0,
		.max = INT64_MAX,
		.help = "in minor units; for create, capture and refund"},
	{.flag = "currency",
		.kind = CONFIG_TEXT,
		.value = &settings.currency,
		.fallback = "EUR",
		.help = "ISO 4217"},
	{.flag = "payment-method",
		.kind = CONFIG_TEXT,
		.value = &settings.payment_method,
		.help = "the provider's token, pm_…; for authorize"},
	{.flag = "return-url",
		.kind = CONFIG_TEXT,
		.value = &settings.return_url,
		.help = "where the person comes back to; for authorize"},
	{.flag = "signature",
		.kind = CONFIG_TEXT,
		.value = &settings.signature,
		.help = "the header Stripe-Signature; for event, whose body is read from standard "
			"input"},
	{.flag = "timeout",
		.kind = CONFIG_DURATION,
		.value = &settings.total_ms_max,
		.fallback = "60s",
		.min = 100,
		.max = 3600000,
		.help = "for all attempts together"},
};

static const struct {
	const char *name;
	enum payment_operation operation;
} commands[] = {
	{"create", PAYMENT_CREATE_INTENT},
	{"authorize", PAYMENT_AUTHORIZE},
	{"capture", PAYMENT_CAPTURE},
	{"void", PAYMENT_VOID_AUTHORIZATION},
	{"refund", PAYMENT_REFUND},
	{"look-up", PAYMENT_LOOK_UP},
	{"event", PAYMENT_OPERATION_COUNT},
};

static const struct config_program program = {
	.name = "stripe-pay create|authorize|capture|void|refund|look-up|event",
	.summary = "One call to Stripe's PaymentIntents API, with the adapter of this folder.",
	.version = "1",
	.settings = table,
	.setting_count = sizeof table / sizeof *table,
};

static int run(enum payment_operation operation);
static int make_call(struct payment_provider *provider, enum payment_operation operation);
static int read_event(const struct payment_provider *provider);
static void print_result(const struct payment_result *result);
static void print_event(const struct payment_event *event);
static int complain(const struct fault *fault);

int main(int argc, char **argv)
{
	struct fault fault;
	bool named = argc > 1 && argv[1][0] != '-';
	size_t count = sizeof commands / sizeof *commands, i = 0;
	while (named && i < count && strcmp(argv[1], commands[i].name) != 0)
		i++;
	switch (config_parse(&program, argc - named, argv + named, NULL, &fault)) {
	case CONFIG_HELP:
		return EXIT_SETTLED;
	case CONFIG_FAULT:
		return complain(&fault);
	case CONFIG_READY:
		break;
	}
	if (!named || i == count) {
		fault_set(&fault, "stripe-pay", "needs a command; --help says which there are");
		return complain(&fault);
	}
	return run(commands[i].operation);
}

static int run(enum payment_operation operation)
{
	const struct stripe_options options = {
		.base_url = settings.base_url,
		.secret_key = settings.secret_key,
		.api_version = settings.api_version,
		.webhook_secrets = {settings.webhook_secret},
		.total_ms_max = settings.total_ms_max,
		.in_flight_max = 1,
		.submitted_max = 1,
	};
	struct payment_provider *provider;
	struct fault fault;
	if (stripe_open(&options, &provider, &fault) != STATUS_OK)
		return complain(&fault);
	int code = operation == PAYMENT_OPERATION_COUNT ? read_event(provider)
							: make_call(provider, operation);
	payment_close(provider);
	return code;
}

static struct slice text_or_empty(const char *text)
{
	return slice_of(text ? text : "");
}

static int make_call(struct payment_provider *provider, enum payment_operation operation)
{
	char key[PAYMENT_KEY_SIZE];
	struct payment_call *done = NULL,
			    call = {
				    .reference = text_or_empty(settings.reference),
				    .order_id = text_or_empty(settings.order),
				    .payment_method = text_or_empty(settings.payment_method),
				    .return_url = text_or_empty(settings.return_url),
				    .amount.minor = settings.amount,
			    };
	snprintf(call.amount.currency, sizeof call.amount.currency, "%s", settings.currency);
	if (settings.key)
		call.key = slice_of(settings.key);
	else if (settings.order)
		call.key = payment_key(key, call.order_id, operation, (unsigned)settings.attempt);
	if (payment_submit(provider, &call, operation) != STATUS_OK)
		return EXIT_NOT_SETTLED;
	while (!done)
		payment_collect(provider, -1, &done, 1);
	print_result(&call.result);
	if (call.result.status == STATUS_REFUSED)
		return EXIT_USAGE;
	return call.result.status == STATUS_OK ? EXIT_SETTLED : EXIT_NOT_SETTLED;
}

static int read_event(const struct payment_provider *provider)
{
	static char body[PAYMENT_EVENT_BYTES_MAX + 1];
	struct payment_event event;
	struct fault fault;
	size_t size = fread(body, 1, sizeof body, stdin);
	if (payment_read_event(provider, text_or_empty(settings.signature),
		    (struct slice){body, size}, clock_wall_ms(clock_system()), &event,
		    &fault) != STATUS_OK)
		return complain(&fault);
	print_event(&event);
	return EXIT_SETTLED;
}

/* ---- Output ---- */

static void add_text(struct buffer *json, const char *name, const char *text)
{
	if (text[0] == '\0')
		return;
	buffer_add_format(json, "%s\"%s\":", json->size > 1 ? "," : "", name);
	buffer_add_json(json, slice_of(text));
}

static void add_money(struct buffer *json, const char *name, const struct money *money)
{
	if (money->minor == 0)
		return;
	buffer_add_format(json, ",\"%s\":%" PRId64 ",\"currency\":\"%s\"", name, money->minor,
		money->currency);
}

static void add_time(struct buffer *json, const char *name, int64_t wall_ms)
{
	char text[TIME_TEXT_SIZE] = "";
	if (wall_ms > 0)
		time_format(wall_ms, text);
	add_text(json, name, text);
}

static void print_json(struct buffer *json)
{
	buffer_add_text(json, "}\n");
	fwrite(json->data, 1, json->failed ? 0 : json->size, stdout);
	buffer_release(json);
}

static void print_result(const struct payment_result *result)
{
	struct buffer json;
	buffer_init(&json, OUTPUT_SIZE_MAX);
	buffer_add_text(&json, "{");
	add_text(&json, "status", status_name(result->status));
	if (result->outcome != PAYMENT_NONE)
		add_text(&json, "outcome", payment_outcome_name(result->outcome));
	if (result->next != PAYMENT_NEXT_NOTHING)
		add_text(&json, "next", payment_next_name(result->next));
	add_text(&json, "reason", result->reason);
	add_text(&json, "reference", result->reference);
	add_text(&json, "refund", result->refund);
	add_money(&json, "authorized", &result->authorized);
	add_money(&json, "captured", &result->captured);
	buffer_add_format(&json, ",\"refunded\":%" PRId64, result->refunded.minor);
	add_time(&json, "expiresAt", result->expires_ms);
	add_text(&json, "nextActionUrl", result->next_action_url);
	buffer_add_format(&json, ",\"replayed\":%s,\"attempts\":%u",
		result->replayed ? "true" : "false", result->attempts);
	add_text(&json, "detail", result->detail);
	print_json(&json);
}

static void print_event(const struct payment_event *event)
{
	struct buffer json;
	buffer_init(&json, OUTPUT_SIZE_MAX);
	buffer_add_text(&json, "{");
	add_text(&json, "id", event->id);
	add_text(&json, "type", event->type);
	add_text(&json, "reference", event->reference);
	add_text(&json, "refund", event->refund);
	add_text(&json, "outcome", payment_outcome_name(event->outcome));
	add_text(&json, "reason", event->reason);
	add_time(&json, "createdAt", event->created_ms);
	print_json(&json);
}

static int complain(const struct fault *fault)
{
	fprintf(stderr, "stripe-pay: %s %s\n", fault->where, fault->what);
	return EXIT_USAGE;
}
