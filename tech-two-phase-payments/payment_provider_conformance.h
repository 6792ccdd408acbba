/* What every payment provider must do, run against a peer that can be told to fail.
 *
 * A technology hands over a fixture: how to open a provider, how to make its peer fail, and a look
 * into the peer's own books, since what a provider says of itself proves nothing. Each test works
 * with payments of its own, so they run one after another on one peer.
 *
 *	static const struct payment_conformance conformance = {.open = open_provider, …};
 *	int main(void)
 *	{
 *		return payment_provider_conformance_run(&conformance, "stripe");
 *	} */
#pragma once

#include "tech-two-phase-payments/payment_provider.h"

enum payment_fault {
	PAYMENT_FAULT_ANSWER_LOST,    /* It is done, and the answer does not come. */
	PAYMENT_FAULT_REQUEST_LOST,   /* It is not done, and no answer comes. */
	PAYMENT_FAULT_SERVER_ERROR,   /* It is not done, and the key remembers nothing. */
	PAYMENT_FAULT_STORED_ERROR,   /* It is not done, and the key remembers the error. */
	PAYMENT_FAULT_STORED_APPLIED, /* It is done, and the key remembers an error. */
	PAYMENT_FAULT_RATE_LIMITED,   /* It is not done; later it will be. */
	PAYMENT_FAULT_SLOW,           /* It is done, and the answer comes after PAYMENT_SLOW_MS. */
};

/* Long enough that on a busy machine others are surely answered before. */
enum { PAYMENT_SLOW_MS = 10000 };

/* What the peer's books say of one payment, in minor units. */
struct payment_books {
	size_t authorizations, captures, refunds; /* How often. */
	int64_t authorized, captured, refunded;
	int64_t given_back; /* By voids, by expiry, and what a partial capture left. */
};

struct payment_conformance {
	/* Once for all tests; any of them fails the run by cmocka's assertions. */
	int (*set_up)(void **state);
	int (*tear_down)(void **state);

	/* A new provider for the peer; the suite closes it. A call is tried at most
	 * `attempts_max` times. */
	struct payment_provider *(*open)(unsigned attempts_max);

	/* From now on `operation` fails in this way, `count` times, or until heal when it is 0. */
	void (*inject)(enum payment_fault fault, enum payment_operation operation, unsigned count);
	void (*heal)(void);

	/* The person does what REQUIRES_ACTION asked for, or fails to. */
	void (*act)(const char *reference, bool succeeds);

	void (*read_books)(const char *reference, struct payment_books *books);

	/* The next webhook that the peer has sent, waiting up to `timeout_ms`. False: there was
	 * none. The slices are valid until the next call. */
	bool (*next_event)(int64_t timeout_ms, struct slice *signature, struct slice *body);

	/* Tokens of payment methods that are accepted, declined with this reason, and that want an
	 * action first. */
	const char *accepted, *declined, *declined_reason, *wants_action;
};

/* Run all; returns the number of tests that failed. */
int payment_provider_conformance_run(
	const struct payment_conformance *conformance, const char *name);
