/* The adapter against a peer in the same process, which answers what a test tells it and keeps what
 * it was sent. Whatever goes wrong fails the running test. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/http/client_peer.h"
#include "tech-two-phase-payments/stripe/stripe.h"

enum { STEPS_MAX = 16, KEPT_MAX = 64, KEPT_BODY_SIZE = 4096, WAIT_MS = 60000 };

/* What the peer does with a request; the last step is used for all that follow. */
struct step {
	enum { ANSWER, DROP, HANG, HALF } kind; /* HALF: a part of the answer, then it closes. */
	unsigned status;
	const char *headers; /* Lines with their line ends; NULL: none. */
	const char *body;
};

/* What the peer was sent. */
struct kept {
	char head[8192];
	char body[KEPT_BODY_SIZE];
};

struct stripe_fixture {
	struct peer peer;
	struct payment_provider *provider;
	struct step steps[STEPS_MAX];
	size_t step_count;
	atomic_size_t next;
	atomic_bool held; /* No answer is sent as long as it is set. */
	struct kept kept[KEPT_MAX];
	char url[64];
};

extern struct stripe_fixture fixture;

/* Open the peer with these steps and a provider for it. Options that are 0 get values that suit a
 * test. */
void fixture_open(const struct step steps[], size_t count, struct stripe_options options);
#define FIXTURE_OPEN(...) \
	fixture_open((const struct step[]){__VA_ARGS__}, \
		sizeof((const struct step[]){__VA_ARGS__}) / sizeof(struct step), \
		(struct stripe_options){0})

/* A cmocka teardown. */
int fixture_close(void **state);

/* How many requests have come. */
size_t request_count(void);

/* Submit, and collect until it is done; returns its result. */
const struct payment_result *make(struct payment_call *call, enum payment_operation operation);

/* A call of this kind that is allowed: EUR 45.00, pi_1. */
struct payment_call sample_call(enum payment_operation operation);

/* A payment intent pi_1 of EUR 45.00 in this state, with more members behind ("" or ",…"). Valid
 * until the next one. */
const char *intent_json(const char *status, const char *more);
