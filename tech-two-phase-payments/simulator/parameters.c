/* See parameters.h. One table says which parameters there are, where, and of which kind. */
#include "tech-two-phase-payments/simulator/parameters.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>

#include "lib/ticketing/money.h"

const char *const operation_names[OPERATION_COUNT] = {
	[OPERATION_CREATE] = "create",
	[OPERATION_CONFIRM] = "confirm",
	[OPERATION_CAPTURE] = "capture",
	[OPERATION_CANCEL] = "cancel",
	[OPERATION_REFUND] = "refund",
	[OPERATION_RETRIEVE] = "retrieve",
};

typedef bool parameter_read(
	const struct form_pair *pair, struct parameters *parameters, struct provider_error *error);

enum {
	CREATE = 1 << OPERATION_CREATE,
	CONFIRM = 1 << OPERATION_CONFIRM,
	CAPTURE = 1 << OPERATION_CAPTURE,
	CANCEL = 1 << OPERATION_CANCEL,
	REFUND = 1 << OPERATION_REFUND,
	RETRIEVE = 1 << OPERATION_RETRIEVE,
	EVERYWHERE = CREATE | CONFIRM | CAPTURE | CANCEL | REFUND | RETRIEVE,
};

static parameter_read read_amount, read_currency, read_capture_method, read_confirm, read_card,
	read_description, read_intent, read_charge, read_cancel_reason, read_refund_reason,
	read_metadata, read_expand, read_ignored;

/* A name that ends in `[` stands for all that begin with it. */
static const struct {
	const char *name;
	int operations;
	parameter_read *read;
} table[] = {
	{"amount", CREATE | REFUND, read_amount},
	{"amount_to_capture", CAPTURE, read_amount},
	{"automatic_payment_methods[", CREATE, read_ignored},
	{"cancellation_reason", CANCEL, read_cancel_reason},
	{"capture_method", CREATE | CONFIRM, read_capture_method},
	{"charge", REFUND, read_charge},
	{"client_secret", RETRIEVE, read_ignored},
	{"confirm", CREATE, read_confirm},
	{"confirmation_method", CREATE, read_ignored},
	{"currency", CREATE, read_currency},
	{"customer", CREATE, read_ignored},
	{"description", CREATE, read_description},
	{"error_on_requires_action", CREATE | CONFIRM, read_ignored},
	{"expand[", EVERYWHERE, read_expand},
	{"final_capture", CAPTURE, read_ignored},
	{"metadata[", CREATE | CAPTURE | REFUND, read_metadata},
	{"off_session", CREATE | CONFIRM, read_ignored},
	{"payment_intent", REFUND, read_intent},
	{"payment_method", CREATE | CONFIRM, read_card},
	{"payment_method_options[", CREATE | CONFIRM, read_ignored},
	{"payment_method_types[", CREATE | CONFIRM, read_ignored},
	{"reason", REFUND, read_refund_reason},
	{"receipt_email", CREATE | CONFIRM, read_ignored},
	{"return_url", CREATE | CONFIRM, read_ignored},
	{"setup_future_usage", CREATE | CONFIRM, read_ignored},
	{"shipping[", CREATE | CONFIRM, read_ignored},
	{"statement_descriptor", CREATE | CAPTURE, read_ignored},
	{"statement_descriptor_suffix", CREATE | CAPTURE, read_ignored},
	{"transfer_group", CREATE, read_ignored},
	{"use_stripe_sdk", CREATE | CONFIRM, read_ignored},
};

static parameter_read *reader_of(enum operation operation, struct slice name);
static bool check_required(enum operation operation, const struct parameters *parameters,
	struct provider_error *error);

bool parameters_read(enum operation operation, const struct form *form,
	struct parameters *parameters, struct provider_error *error)
{
	*parameters = (struct parameters){.form = form};
	for (size_t i = 0; i < form->count; i++) {
		const struct form_pair *pair = &form->pairs[i];
		parameter_read *read = reader_of(operation, pair->name);
		if (!read) {
			char name[64];
			snprintf(name, sizeof name, "%.*s",
				pair->name.size < sizeof name ? (int)pair->name.size : 0,
				pair->name.data);
			return provider_refuse(error, 400, "parameter_unknown", name,
				"Received unknown parameter: %s", name);
		}
		if (pair->value.size > TEXT_PARAMETER_SIZE_MAX)
			return provider_refuse(error, 400, "parameter_invalid_string_length", NULL,
				"Invalid string: must be at most %d characters",
				TEXT_PARAMETER_SIZE_MAX);
		if (!read(pair, parameters, error))
			return false;
	}
	return check_required(operation, parameters, error);
}

static parameter_read *reader_of(enum operation operation, struct slice name)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		const char *known = table[i].name;
		bool is_prefix = known[strlen(known) - 1] == '[';
		bool matches = is_prefix ? slice_starts_with(name, known) : slice_is(name, known);
		if (matches && table[i].operations & 1 << operation)
			return table[i].read;
	}
	return NULL;
}

static bool missing(struct provider_error *error, const char *name)
{
	return provider_refuse(
		error, 400, "parameter_missing", name, "Missing required param: %s.", name);
}

static bool check_required(
	enum operation operation, const struct parameters *parameters, struct provider_error *error)
{
	bool intent = parameters->payment_intent.size > 0, charge = parameters->charge.size > 0;
	if (operation == OPERATION_REFUND && intent == charge)
		return provider_refuse(error, 400, "parameter_missing",
			intent ? "charge" : "payment_intent",
			"One of the following params should be provided for this request: "
			"payment_intent or charge.");
	if (operation != OPERATION_CREATE)
		return true;
	if (parameters->amount == 0)
		return missing(error, "amount");
	if (parameters->currency[0] == '\0')
		return missing(error, "currency");
	if (parameters->amount < AMOUNT_MIN)
		return provider_refuse(error, 400, "amount_too_small", "amount",
			"Amount must be at least %d %s", AMOUNT_MIN, parameters->currency);
	if (parameters->confirm && !parameters->card)
		return provider_refuse(error, 400, "parameter_missing", "payment_method",
			"You cannot confirm this PaymentIntent because it's missing a payment "
			"method.");
	return true;
}

/* ---- The kinds ---- */

/* The text for a message: short, and on one line. */
static const char *shown(const struct form_pair *pair, char text[48])
{
	size_t size = pair->value.size < 40 ? pair->value.size : 0;
	struct slice value = {.data = pair->value.data, .size = size};
	snprintf(text, 48, "%.*s", slice_is_text(value) ? (int)size : 0, value.data);
	return text;
}

static bool read_amount(
	const struct form_pair *pair, struct parameters *parameters, struct provider_error *error)
{
	char name[32], text[48];
	snprintf(name, sizeof name, "%.*s", SLICE_PRINT(pair->name));
	int64_t amount;
	if (!slice_to_integer(pair->value, INT64_MIN, INT64_MAX, &amount))
		return provider_refuse(error, 400, "parameter_invalid_integer", name,
			"Invalid integer: %s", shown(pair, text));
	if (amount < 1)
		return provider_refuse(error, 400, "parameter_invalid_integer", name,
			"This value must be greater than or equal to 1.");
	if (amount > AMOUNT_MAX)
		return provider_refuse(error, 400, "amount_too_large", name,
			"Amount must be no more than %d", AMOUNT_MAX);
	parameters->amount = amount;
	return true;
}

static bool read_currency(
	const struct form_pair *pair, struct parameters *parameters, struct provider_error *error)
{
	char upper[CURRENCY_SIZE] = "", text[48];
	for (size_t i = 0; pair->value.size == 3 && i < 3; i++) {
		upper[i] = (char)toupper((unsigned char)pair->value.data[i]);
		parameters->currency[i] = (char)tolower((unsigned char)pair->value.data[i]);
	}
	if (currency_find(slice_of(upper)))
		return true;
	return provider_refuse(error, 400, NULL, "currency",
		"Invalid currency: %s. Stripe does not currently support it.", shown(pair, text));
}

/* The number of the name among `names`, or -1. */
static int choice_of(struct slice value, const char *const names[], int count)
{
	for (int i = 0; i < count; i++)
		if (names[i] && slice_is(value, names[i]))
			return i;
	return -1;
}

static bool refuse_choice(
	const struct form_pair *pair, const char *choices, struct provider_error *error)
{
	char name[32], text[48];
	snprintf(name, sizeof name, "%.*s", SLICE_PRINT(pair->name));
	return provider_refuse(error, 400, NULL, name, "Invalid %s: must be one of %s, not '%s'",
		name, choices, shown(pair, text));
}

static bool read_capture_method(
	const struct form_pair *pair, struct parameters *parameters, struct provider_error *error)
{
	int choice = choice_of(pair->value, capture_method_names, CAPTURE_METHOD_COUNT);
	if (choice < 0)
		return refuse_choice(pair, "automatic, automatic_async, or manual", error);
	parameters->capture = (enum capture_method)choice;
	return true;
}

static bool read_confirm(
	const struct form_pair *pair, struct parameters *parameters, struct provider_error *error)
{
	char text[48];
	parameters->confirm = slice_is(pair->value, "true");
	if (parameters->confirm || slice_is(pair->value, "false"))
		return true;
	return provider_refuse(
		error, 400, NULL, "confirm", "Invalid boolean: %s", shown(pair, text));
}

/* What was sent is not repeated: people do put card numbers here. */
static bool read_card(
	const struct form_pair *pair, struct parameters *parameters, struct provider_error *error)
{
	parameters->card = card_find(pair->value);
	if (parameters->card)
		return true;
	return provider_refuse(error, 400, "resource_missing", "payment_method",
		"No such PaymentMethod; the simulator knows Stripe's test payment methods, such as "
		"pm_card_visa.");
}

static bool read_description(
	const struct form_pair *pair, struct parameters *parameters, struct provider_error *error)
{
	(void)error;
	parameters->description = pair->value;
	return true;
}

static bool read_intent(
	const struct form_pair *pair, struct parameters *parameters, struct provider_error *error)
{
	(void)error;
	parameters->payment_intent = pair->value;
	return true;
}

static bool read_charge(
	const struct form_pair *pair, struct parameters *parameters, struct provider_error *error)
{
	(void)error;
	parameters->charge = pair->value;
	return true;
}

static bool read_reason(const struct form_pair *pair, int count, const char *choices,
	struct parameters *parameters, struct provider_error *error)
{
	int choice = choice_of(pair->value, cancel_reason_names, count);
	if (choice < 0)
		return refuse_choice(pair, choices, error);
	parameters->reason = (enum cancel_reason)choice;
	return true;
}

static bool read_cancel_reason(
	const struct form_pair *pair, struct parameters *parameters, struct provider_error *error)
{
	return read_reason(pair, CANCEL_ABANDONED + 1,
		"duplicate, fraudulent, requested_by_customer, or abandoned", parameters, error);
}

static bool read_refund_reason(
	const struct form_pair *pair, struct parameters *parameters, struct provider_error *error)
{
	return read_reason(pair, CANCEL_REQUESTED_BY_CUSTOMER + 1,
		"duplicate, fraudulent, or requested_by_customer", parameters, error);
}

static bool read_expand(
	const struct form_pair *pair, struct parameters *parameters, struct provider_error *error)
{
	if (!slice_is(pair->value, "latest_charge"))
		return provider_refuse(error, 400, NULL, "expand",
			"This property cannot be expanded here; the simulator expands "
			"latest_charge.");
	parameters->expand_charge = true;
	return true;
}

static bool read_ignored(
	const struct form_pair *pair, struct parameters *parameters, struct provider_error *error)
{
	(void)pair, (void)parameters, (void)error;
	return true;
}

/* ---- Metadata ---- */

/* The key of `metadata[key]`; empty when the name is not of that shape. */
static struct slice metadata_key(struct slice name)
{
	enum { BEFORE = sizeof "metadata[" - 1 };
	struct slice key = {.data = name.data + BEFORE, .size = 0};
	if (name.size <= BEFORE + 1 || name.data[name.size - 1] != ']')
		return key;
	key.size = name.size - BEFORE - 1;
	if (memchr(key.data, '[', key.size) || memchr(key.data, ']', key.size))
		key.size = 0;
	return key;
}

static bool read_metadata(
	const struct form_pair *pair, struct parameters *parameters, struct provider_error *error)
{
	(void)parameters;
	struct slice key = metadata_key(pair->name);
	if (key.size == 0 || key.size > METADATA_KEY_SIZE_MAX)
		return provider_refuse(error, 400, NULL, "metadata",
			"Metadata keys have 1 to %d characters and no square brackets.",
			METADATA_KEY_SIZE_MAX);
	if (pair->value.size > METADATA_VALUE_SIZE_MAX)
		return provider_refuse(error, 400, NULL, "metadata",
			"Metadata values can have up to %d characters.", METADATA_VALUE_SIZE_MAX);
	return true;
}

bool parameters_merge_metadata(
	const struct form *form, const char *metadata, char **merged, struct provider_error *error)
{
	json_t *object = metadata ? json_loads(metadata, 0, NULL) : json_object();
	for (size_t i = 0; i < form->count; i++) {
		const struct form_pair *pair = &form->pairs[i];
		if (!slice_starts_with(pair->name, "metadata["))
			continue;
		struct slice key = metadata_key(pair->name);
		char name[METADATA_KEY_SIZE_MAX + 1];
		snprintf(name, sizeof name, "%.*s", SLICE_PRINT(key));
		if (pair->value.size == 0)
			json_object_del(object, name);
		else
			json_object_set_new(
				object, name, json_stringn(pair->value.data, pair->value.size));
	}
	bool fits = json_object_size(object) <= METADATA_KEYS_MAX;
	*merged = fits && json_object_size(object) > 0 ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	return fits ||
		provider_refuse(error, 400, NULL, "metadata",
			"You can have up to %d metadata keys.", METADATA_KEYS_MAX);
}
