/* Webhooks that Stripe sends: whether one is genuine, and what it says. Pure.
 *
 * The header is `Stripe-Signature: t=1492774577,v1=5257a8…,v1=…,v0=…`: v1 is the HMAC-SHA256, in
 * hexadecimal, of the time, a point and the body, under the whole text of the endpoint's secret
 * (whsec_…). There are several v1 while a secret is replaced; other schemes are ignored
 * (https://docs.stripe.com/webhooks#verify-manually). */
#pragma once

#include "tech-two-phase-payments/payment_provider.h"

enum {
	STRIPE_SIGNATURE_SIZE_MAX = 2048, /* Of the header. */
	STRIPE_SIGNATURES_MAX = 16,       /* Of v1 in one header. */
	STRIPE_TOLERANCE_MS = 300 * 1000,
};

struct stripe_webhook_keys {
	const char *const *secrets;
	size_t count;
	int64_t tolerance_ms; /* How far its time may be from now, into the past or the future. */
};

/* Whether `body` was signed, under one of the secrets and not too long ago. REFUSED otherwise, with
 * `fault`. Takes the same time whichever byte of a signature is wrong. */
__attribute__((warn_unused_result)) enum status stripe_webhook_verify(
	const struct stripe_webhook_keys *keys, struct slice header, struct slice body,
	int64_t now_ms, struct fault *fault);

/* Read an event. REFUSED with `fault` when it is none. Says nothing about who sent it. */
__attribute__((warn_unused_result)) enum status stripe_event_read(
	struct slice body, struct payment_event *event, struct fault *fault);

/* Write the header for a body, as Stripe would: for tests, and for whoever plays Stripe. Returns
 * its length, or 0 when `size` is too small. */
size_t stripe_webhook_sign(
	const char *secret, struct slice body, int64_t now_ms, char *header, size_t size);
