/* See render.h. */
#include "tech-two-phase-payments/simulator/render.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "lib/base/clock.h"

const char *const event_type_names[EVENT_TYPE_COUNT] = {
	[EVENT_INTENT_CREATED] = "payment_intent.created",
	[EVENT_INTENT_REQUIRES_ACTION] = "payment_intent.requires_action",
	[EVENT_INTENT_AMOUNT_CAPTURABLE_UPDATED] = "payment_intent.amount_capturable_updated",
	[EVENT_INTENT_PAYMENT_FAILED] = "payment_intent.payment_failed",
	[EVENT_INTENT_SUCCEEDED] = "payment_intent.succeeded",
	[EVENT_INTENT_CANCELED] = "payment_intent.canceled",
	[EVENT_CHARGE_REFUNDED] = "charge.refunded",
};

/* As buffer_add_format, which formats twice, the first time to know the size; that would be half of
 * what an answer costs. What does not fit fails the buffer: no text here is as long. */
__attribute__((format(printf, 2, 3))) static void add(
	struct buffer *buffer, const char *format, ...)
{
	char text[2048];
	va_list arguments;
	va_start(arguments, format);
	int size = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (size < 0 || size >= (int)sizeof text)
		buffer->failed = true;
	else
		buffer_add(buffer, text, (size_t)size);
}

/* Text or null. */
static void add_text(struct buffer *buffer, const char *name, const char *text)
{
	add(buffer, "\"%s\":", name);
	if (text && *text)
		buffer_add_json(buffer, slice_of(text));
	else
		buffer_add_text(buffer, "null");
}

static void add_metadata(struct buffer *buffer, const char *metadata)
{
	buffer_add_text(buffer, "\"metadata\":");
	buffer_add_text(buffer, metadata ? metadata : "{}");
}

static void add_time(struct buffer *buffer, const char *name, int64_t seconds)
{
	if (seconds > 0)
		add(buffer, "\"%s\":%" PRId64, name, seconds);
	else
		add(buffer, "\"%s\":null", name);
}

static void add_comma(struct buffer *buffer)
{
	buffer_add_text(buffer, ",");
}

/* ---- Intents ---- */

static void add_card(struct buffer *buffer, const struct card *card)
{
	add(buffer,
		"{\"id\":\"%s\",\"object\":\"payment_method\",\"card\":{\"brand\":\"%s\","
		"\"last4\":\"%s\"},\"livemode\":false,\"type\":\"card\"}",
		card->name, card->brand, card->last4);
}

/* The members of a card error. */
static void add_decline(struct buffer *buffer, const struct intent *intent)
{
	const struct decline *why = intent->failure;
	add(buffer, "\"charge\":\"%s\",\"code\":\"%s\",", intent->charge, why->code);
	if (why->decline_code)
		add(buffer, "\"decline_code\":\"%s\",", why->decline_code);
	add(buffer, "\"doc_url\":\"https://stripe.com/docs/error-codes/%s\",\"message\":\"%s\",",
		why->code, why->message);
	if (intent->card) {
		buffer_add_text(buffer, "\"payment_method\":");
		add_card(buffer, intent->card);
		add_comma(buffer);
	}
	buffer_add_text(buffer, "\"type\":\"card_error\"");
}

static void add_next_action(
	struct buffer *buffer, const struct intent *intent, const struct render_options *options)
{
	buffer_add_text(buffer, "\"next_action\":");
	if (intent->status != INTENT_REQUIRES_ACTION) {
		buffer_add_text(buffer, "null,");
		return;
	}
	buffer_add_format(buffer,
		"{\"redirect_to_url\":{\"return_url\":null,\"url\":\"%s/simulator/payment_intents/"
		"%s/authentication?client_secret=%s_secret_%s\"},\"type\":\"redirect_to_url\"},",
		options->base_url, intent->id, intent->id, intent->secret);
}

static void add_charge_of(
	struct buffer *buffer, const struct intent *intent, const struct render_options *options)
{
	buffer_add_text(buffer, "\"latest_charge\":");
	if (intent->charge[0] == '\0')
		buffer_add_text(buffer, "null");
	else if (options->expand_charge)
		render_charge(buffer, intent);
	else
		add(buffer, "\"%s\"", intent->charge);
	add_comma(buffer);
}

void render_intent(
	struct buffer *buffer, const struct intent *intent, const struct render_options *options)
{
	/* A card that was declined is no longer the intent's. */
	bool has_card = intent->card && intent->status != INTENT_REQUIRES_PAYMENT_METHOD;
	add(buffer,
		"{\"id\":\"%s\",\"object\":\"payment_intent\",\"amount\":%" PRId64
		",\"amount_capturable\":%" PRId64
		",\"amount_details\":{\"tip\":{}},\"amount_received\":%" PRId64
		",\"application\":null,\"application_fee_amount\":null,"
		"\"automatic_payment_methods\":null,",
		intent->id, intent->amount, intent->capturable, intent->received);
	add_time(buffer, "canceled_at", intent->canceled_s);
	add_comma(buffer);
	add_text(buffer, "cancellation_reason", cancel_reason_names[intent->cancel_reason]);
	add(buffer,
		",\"capture_method\":\"%s\",\"client_secret\":\"%s_secret_%s\","
		"\"confirmation_method\":\"automatic\",\"created\":%" PRId64
		",\"currency\":\"%s\",\"customer\":null,",
		capture_method_names[intent->capture], intent->id, intent->secret,
		intent->created_s, intent->currency);
	add_text(buffer, "description", intent->description);
	buffer_add_text(buffer, ",\"last_payment_error\":");
	if (intent->failure) {
		buffer_add_text(buffer, "{");
		add_decline(buffer, intent);
		buffer_add_text(buffer, "},");
	} else {
		buffer_add_text(buffer, "null,");
	}
	add_charge_of(buffer, intent, options);
	buffer_add_text(buffer, "\"livemode\":false,");
	add_metadata(buffer, intent->metadata);
	add_comma(buffer);
	add_next_action(buffer, intent, options);
	buffer_add_text(buffer, "\"on_behalf_of\":null,");
	add_text(buffer, "payment_method", has_card ? intent->card->name : NULL);
	add(buffer,
		",\"payment_method_options\":{\"card\":{\"installments\":null,\"network\":null,"
		"\"request_three_d_secure\":\"automatic\"}},\"payment_method_types\":[\"card\"],"
		"\"processing\":null,\"receipt_email\":null,\"review\":null,"
		"\"setup_future_usage\":null,\"shipping\":null,\"source\":null,"
		"\"statement_descriptor\":null,\"statement_descriptor_suffix\":null,"
		"\"status\":\"%s\",\"transfer_data\":null,\"transfer_group\":null}",
		intent_status_names[intent->status]);
}

void render_charge(struct buffer *buffer, const struct intent *intent)
{
	bool failed = intent->failure != NULL;
	bool captured = intent->status == INTENT_SUCCEEDED;
	add(buffer,
		"{\"id\":\"%s\",\"object\":\"charge\",\"amount\":%" PRId64
		",\"amount_captured\":%" PRId64 ",\"amount_refunded\":%" PRId64
		",\"captured\":%s,\"created\":%" PRId64 ",\"currency\":\"%s\",\"disputed\":false,",
		intent->charge, intent->amount, intent->received, intent->refunded,
		captured ? "true" : "false", intent->created_s, intent->currency);
	add_text(buffer, "failure_code", failed ? intent->failure->code : NULL);
	add_comma(buffer);
	add_text(buffer, "failure_message", failed ? intent->failure->message : NULL);
	buffer_add_text(buffer, ",\"livemode\":false,");
	add_metadata(buffer, intent->metadata);
	add(buffer,
		",\"paid\":%s,\"payment_intent\":\"%s\",\"payment_method\":\"%s\","
		"\"payment_method_details\":{\"card\":{\"brand\":\"%s\",\"capture_before\":%" PRId64
		",\"last4\":\"%s\"},\"type\":\"card\"},\"refunded\":%s,\"status\":\"%s\"}",
		failed ? "false" : "true", intent->id, intent->card->name, intent->card->brand,
		intent->capture_before_ms / 1000, intent->card->last4,
		captured && intent->refunded == intent->received ? "true" : "false",
		failed ? "failed" : "succeeded");
}

void render_refund(struct buffer *buffer, const struct refund *refund)
{
	const struct intent *intent = refund->intent;
	add(buffer,
		"{\"id\":\"%s\",\"object\":\"refund\",\"amount\":%" PRId64
		",\"balance_transaction\":null,\"charge\":\"%s\",\"created\":%" PRId64
		",\"currency\":\"%s\",\"destination_details\":{\"card\":{\"type\":\"refund\"},"
		"\"type\":\"card\"},",
		refund->id, refund->amount, intent->charge, refund->created_s, intent->currency);
	add_metadata(buffer, refund->metadata);
	add(buffer, ",\"payment_intent\":\"%s\",", intent->id);
	add_text(buffer, "reason", refund->reason);
	buffer_add_text(buffer,
		",\"receipt_number\":null,\"source_transfer_reversal\":null,"
		"\"status\":\"succeeded\",\"transfer_reversal\":null}");
}

/* ---- Errors ---- */

void render_error(struct buffer *buffer, const struct provider_error *error,
	const struct intent *intent, const struct render_options *options)
{
	buffer_add_text(buffer, "{\"error\":{");
	if (error->code)
		add(buffer,
			"\"code\":\"%s\",\"doc_url\":\"https://stripe.com/docs/error-codes/%s\",",
			error->code, error->code);
	if (error->decline_code)
		add(buffer, "\"decline_code\":\"%s\",", error->decline_code);
	add_text(buffer, "message", error->message);
	add_comma(buffer);
	if (error->param[0] != '\0') {
		add_text(buffer, "param", error->param);
		add_comma(buffer);
	}
	if (intent) {
		buffer_add_text(buffer, "\"payment_intent\":");
		render_intent(buffer, intent, options);
		add_comma(buffer);
	}
	add(buffer, "\"type\":\"%s\"}}", error->type);
}

void render_declined(
	struct buffer *buffer, const struct intent *intent, const struct render_options *options)
{
	buffer_add_text(buffer, "{\"error\":{\"payment_intent\":");
	render_intent(buffer, intent, options);
	add_comma(buffer);
	add_decline(buffer, intent);
	buffer_add_text(buffer, "}}");
}

/* ---- Events ---- */

/* It was created before it was confirmed, even by one request. */
static void add_intent_as_created(
	struct buffer *buffer, const struct intent *intent, const struct render_options *options)
{
	struct intent before = *intent;
	before.status =
		intent->card ? INTENT_REQUIRES_CONFIRMATION : INTENT_REQUIRES_PAYMENT_METHOD;
	before.charge[0] = '\0';
	before.failure = NULL;
	before.capturable = before.received = 0;
	render_intent(buffer, &before, options);
}

void render_event(
	struct buffer *buffer, const struct event_view *event, const struct render_options *options)
{
	add(buffer,
		"{\"id\":\"%s\",\"object\":\"event\",\"api_version\":\"%s\",\"created\":%" PRId64
		",\"data\":{\"object\":",
		event->id, event->api_version, event->created_s);
	if (event->type == EVENT_CHARGE_REFUNDED)
		render_charge(buffer, event->intent);
	else if (event->type == EVENT_INTENT_CREATED)
		add_intent_as_created(buffer, event->intent, options);
	else
		render_intent(buffer, event->intent, options);
	buffer_add_text(buffer, "},\"livemode\":false,\"pending_webhooks\":1,\"request\":{");
	add_text(buffer, "id", event->request_id);
	buffer_add_text(buffer, ",\"idempotency_key\":");
	if (event->idempotency_key.size > 0)
		buffer_add_json(buffer, event->idempotency_key);
	else
		buffer_add_text(buffer, "null");
	add(buffer, "},\"type\":\"%s\"}", event_type_names[event->type]);
}

/* ---- Ledger ---- */

void render_ledger_entry(struct buffer *buffer, const struct ledger_entry *entry, size_t sequence)
{
	char at[TIME_TEXT_SIZE];
	time_format(entry->at_ms, at);
	add(buffer, "{\"sequence\":%zu,\"kind\":\"%s\",\"paymentIntent\":\"%s\",\"charge\":\"%s\",",
		sequence, ledger_kind_names[entry->kind], entry->intent->id, entry->intent->charge);
	if (entry->refund)
		add(buffer, "\"refund\":\"%s\",", entry->refund->id);
	add(buffer, "\"amount\":%" PRId64 ",\"currency\":\"%s\",\"at\":\"%s\",", entry->amount,
		entry->intent->currency, at);
	add_metadata(buffer, entry->intent->metadata);
	buffer_add_text(buffer, "}");
}

void render_ledger_totals(struct buffer *buffer, const struct ledger *ledger)
{
	buffer_add_text(buffer, "{");
	for (size_t i = 0; i < ledger->total_count; i++) {
		const struct ledger_total *total = &ledger->totals[i];
		add(buffer,
			"%s\"%s\":{\"authorized\":%" PRId64 ",\"captured\":%" PRId64
			",\"released\":%" PRId64 ",\"voided\":%" PRId64 ",\"expired\":%" PRId64
			",\"refunded\":%" PRId64 ",\"open\":%" PRId64 ",\"count\":%" PRId64 "}",
			i > 0 ? "," : "", total->currency, total->amounts[LEDGER_AUTHORIZATION],
			total->amounts[LEDGER_CAPTURE], total->amounts[LEDGER_RELEASE],
			total->amounts[LEDGER_VOID], total->amounts[LEDGER_EXPIRY],
			total->amounts[LEDGER_REFUND], ledger_open_amount(total), total->count);
	}
	buffer_add_text(buffer, "}");
}
