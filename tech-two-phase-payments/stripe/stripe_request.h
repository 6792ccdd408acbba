/* Which call becomes which request of Stripe's API. Pure: nothing is sent here. */
#pragma once

#include "lib/base/buffer.h"
#include "tech-two-phase-payments/payment_provider.h"

enum {
	STRIPE_PATH_SIZE = 512,
	STRIPE_BODY_SIZE_MAX = 16 << 10,
	STRIPE_RETURN_URL_SIZE_MAX = 2048,
};

struct stripe_request {
	const char *method;
	char path[STRIPE_PATH_SIZE]; /* With the query. */
	struct buffer body;          /* application/x-www-form-urlencoded; empty for GET. */
};

/* Check a call and write its request. OK, or REFUSED with `fault` when the call is not allowed:
 * a key, reference, order id, amount or payment method that is missing or malformed, or something
 * that looks like a card number. The fault quotes none of them. UNAVAILABLE: memory is short.
 * `request->body` must have been initialised; it is emptied first. */
__attribute__((warn_unused_result)) enum status stripe_request_write(
	const struct payment_call *call, struct stripe_request *request, struct fault *fault);

/* Whether `text` is an id as Stripe makes them: 1 to 255 characters of A–Z a–z 0–9 and _, so that
 * it can stand in a path. */
bool stripe_is_id(struct slice text);

/* Add `name=value` to a form, with & before it unless it is the first. Escaped is everything but
 * letters, digits and -._* (WHATWG URL standard, section 5.2; a space becomes +). */
void stripe_form_add(struct buffer *form, const char *name, struct slice value);
