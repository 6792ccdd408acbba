/* See stripe_request.h. The requests are recorded in requests.json, and a test compares. */
#include "tech-two-phase-payments/stripe/stripe_request.h"

#include <assert.h>
#include <inttypes.h>

#include "tech-two-phase-payments/payment_card.h"
#include "tech-two-phase-payments/stripe/stripe_money.h"

static enum status check_common(const struct payment_call *call, struct fault *fault);
static enum status write_create(
	const struct payment_call *call, struct stripe_request *request, struct fault *fault);
static enum status write_authorize(
	const struct payment_call *call, struct stripe_request *request, struct fault *fault);
static enum status write_amount(const struct payment_call *call, struct stripe_request *request,
	const char *name, struct fault *fault);
static bool is_visible_ascii(struct slice text, size_t size_max);
static bool is_token(struct slice text);
static bool is_web_url(struct slice text);

enum status stripe_request_write(
	const struct payment_call *call, struct stripe_request *request, struct fault *fault)
{
	struct slice id = call->reference;
	buffer_reset(&request->body);
	request->method = "POST";
	enum status status = check_common(call, fault);
	if (status != STATUS_OK)
		return status;

	const char *action = "";
	switch (call->own.operation) {
	case PAYMENT_CREATE_INTENT:
		status = write_create(call, request, fault);
		break;
	case PAYMENT_AUTHORIZE:
		action = "/confirm";
		status = write_authorize(call, request, fault);
		break;
	case PAYMENT_CAPTURE:
		action = "/capture";
		status = write_amount(call, request, "amount_to_capture", fault);
		break;
	case PAYMENT_VOID_AUTHORIZATION:
		action = "/cancel";
		break;
	case PAYMENT_REFUND:
		stripe_form_add(&request->body, "payment_intent", id);
		status = write_amount(call, request, "amount", fault);
		break;
	case PAYMENT_LOOK_UP:
		request->method = "GET";
		action = "?expand%5B%5D=latest_charge";
		break;
	default:
		assert(false); /* There is no such operation. */
	}
	if (status != STATUS_OK)
		return status;

	/* The charge tells until when the money is reserved, and what of it was given back. */
	if (call->own.operation == PAYMENT_AUTHORIZE || call->own.operation == PAYMENT_CAPTURE ||
		call->own.operation == PAYMENT_VOID_AUTHORIZATION)
		stripe_form_add(&request->body, "expand[]", slice_of("latest_charge"));
	if (call->own.operation == PAYMENT_CREATE_INTENT)
		snprintf(request->path, sizeof request->path, "/v1/payment_intents");
	else if (call->own.operation == PAYMENT_REFUND)
		snprintf(request->path, sizeof request->path, "/v1/refunds");
	else
		snprintf(request->path, sizeof request->path, "/v1/payment_intents/%.*s%s",
			SLICE_PRINT(id), action);
	return request->body.failed ? STATUS_UNAVAILABLE : STATUS_OK;
}

static enum status check_common(const struct payment_call *call, struct fault *fault)
{
	enum payment_operation operation = call->own.operation;
	if (operation != PAYMENT_LOOK_UP && !is_visible_ascii(call->key, PAYMENT_KEY_SIZE - 1))
		return fault_set(fault, "key", "is missing or not 1 to %d visible characters",
			PAYMENT_KEY_SIZE - 1);
	if (operation != PAYMENT_CREATE_INTENT && !stripe_is_id(call->reference))
		return fault_set(fault, "reference", "is no id of the provider");
	return STATUS_OK;
}

static enum status write_create(
	const struct payment_call *call, struct stripe_request *request, struct fault *fault)
{
	if (!is_visible_ascii(call->order_id, 255))
		return fault_set(
			fault, "order_id", "is missing or not 1 to 255 visible characters");
	enum status status = write_amount(call, request, "amount", fault);
	if (status != STATUS_OK)
		return status;

	int64_t amount;
	char currency[STRIPE_CURRENCY_SIZE];
	status = stripe_amount_write(call->amount, &amount, currency, fault);
	assert(status == STATUS_OK);
	stripe_form_add(&request->body, "currency", slice_of(currency));
	stripe_form_add(&request->body, "capture_method", slice_of("manual"));
	/* Cards only: other kinds of payment methods cannot be reserved now and taken later. */
	stripe_form_add(&request->body, "payment_method_types[]", slice_of("card"));
	stripe_form_add(&request->body, "metadata[order_id]", call->order_id);
	return STATUS_OK;
}

static enum status write_authorize(
	const struct payment_call *call, struct stripe_request *request, struct fault *fault)
{
	if (payment_looks_like_card(call->payment_method))
		return fault_set(fault, "payment_method",
			"looks like a card number; it must be the provider's token");
	if (!is_token(call->payment_method))
		return fault_set(fault, "payment_method", "is no token of the provider");
	stripe_form_add(&request->body, "payment_method", call->payment_method);
	if (call->return_url.size == 0)
		return STATUS_OK;
	if (!is_web_url(call->return_url) || payment_looks_like_card(call->return_url))
		return fault_set(fault, "return_url", "is no http or https URL");
	stripe_form_add(&request->body, "return_url", call->return_url);
	return STATUS_OK;
}

static enum status write_amount(const struct payment_call *call, struct stripe_request *request,
	const char *name, struct fault *fault)
{
	int64_t amount;
	char currency[STRIPE_CURRENCY_SIZE], text[24];
	enum status status = stripe_amount_write(call->amount, &amount, currency, fault);
	if (status != STATUS_OK)
		return status;
	snprintf(text, sizeof text, "%" PRId64, amount);
	stripe_form_add(&request->body, name, slice_of(text));
	return STATUS_OK;
}

static bool is_letter_or_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool stripe_is_id(struct slice text)
{
	if (text.size == 0 || text.size >= PAYMENT_REFERENCE_SIZE)
		return false;
	for (size_t i = 0; i < text.size; i++)
		if (!is_letter_or_digit(text.data[i]) && text.data[i] != '_')
			return false;
	return true;
}

static bool is_token(struct slice text)
{
	return text.size <= PAYMENT_METHOD_SIZE_MAX && stripe_is_id(text);
}

static bool is_visible_ascii(struct slice text, size_t size_max)
{
	if (text.size == 0 || text.size > size_max)
		return false;
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] <= ' ' || text.data[i] >= 0x7F)
			return false;
	return true;
}

static bool is_web_url(struct slice text)
{
	return is_visible_ascii(text, STRIPE_RETURN_URL_SIZE_MAX) &&
		(slice_starts_with(text, "https://") || slice_starts_with(text, "http://"));
}

static void add_escaped(struct buffer *form, struct slice text)
{
	for (size_t i = 0; i < text.size; i++) {
		char c = text.data[i];
		if (is_letter_or_digit(c) || (c != '\0' && strchr("-._*", c)))
			buffer_add(form, &c, 1);
		else if (c == ' ')
			buffer_add(form, "+", 1);
		else
			buffer_add_format(form, "%%%02X", (unsigned char)c);
	}
}

void stripe_form_add(struct buffer *form, const char *name, struct slice value)
{
	if (form->size > 0)
		buffer_add(form, "&", 1);
	add_escaped(form, slice_of(name));
	buffer_add(form, "=", 1);
	add_escaped(form, value);
}
