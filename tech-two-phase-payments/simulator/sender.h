/* The webhook sender: signed events to one endpoint, each until it answers 2xx.
 *
 * DESIGN. A lane with one thread owns an HTTP fetcher (lib/http/client.h) and a heap of those that
 * wait for another attempt. Attempts are signed one by one, since a receiver refuses signatures
 * that are old (https://docs.stripe.com/webhooks, "Verify manually"):
 *
 *	Stripe-Signature: t=<seconds>,v1=<hex HMAC-SHA256 of "<seconds>.<body>", key: the secret>
 *
 * The pause after n failures is retry_ms_min × 2^(n − 1), at most retry_ms_max. */
#pragma once

#include "lib/batch/lane.h"
#include "lib/http/client.h"
#include "tech-two-phase-payments/simulator/timers.h"

struct sender;

enum { SENDER_IN_FLIGHT_MAX = 256, SENDER_QUEUE_MAX = 8192, SIGNATURE_SIZE = 96 };

/* One event on its way. The submitter fills in body and context; it belongs to the sender until
 * on_delivered, and is freed by delivery_free. */
struct delivery {
	struct lane_item item;
	int kind; /* For the lane of whoever gets it back. */
	char *body;
	size_t body_size;
	void *context;

	/* The sender's own. */
	struct {
		struct delivery *previous, *next;
		struct timer timer;
		struct http_fetch fetch;
		struct http_fetch_header headers[2];
		char signature[SIGNATURE_SIZE];
		unsigned attempts;
	} own;
};

void delivery_free(struct delivery *delivery);

struct sender_options {
	const char *url;    /* Copied. */
	const char *secret; /* Copied: "whsec_…", all of which is the key. */
	int64_t retry_ms_min, retry_ms_max;
	int64_t attempt_ms_max;
	/* The endpoint has answered 2xx; on the sender's thread. False: it cannot be taken just now
	 * and is offered again. */
	bool (*on_delivered)(void *context, struct delivery *delivery);
	void *context;
	struct metrics *metrics; /* NULL: none. */
};

/* The metrics: webhook_deliveries_total and webhook_failures_total, and those of its lane. */
void sender_register_metrics(struct metrics *metrics);

__attribute__((warn_unused_result)) enum status sender_open(
	const struct sender_options *options, struct sender **sender, struct fault *fault);

/* Take a delivery in. UNAVAILABLE: there are too many. Any thread. */
__attribute__((warn_unused_result)) enum status sender_submit(
	struct sender *sender, struct delivery *delivery);

/* End it; what is not delivered is freed. NULL is allowed. */
void sender_close(struct sender *sender);

/* Write the signature of a body. */
void sender_sign(const char *secret, int64_t now_s, struct slice body, char text[SIGNATURE_SIZE]);
