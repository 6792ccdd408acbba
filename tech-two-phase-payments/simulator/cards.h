/* Stripe's test payment methods and what becomes of them, from
 * https://docs.stripe.com/testing (cards, declines, 3D Secure) and
 * https://docs.stripe.com/declines/codes. A name that is not here is no payment method. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/slice.h"

/* Why a payment failed. */
struct decline {
	const char *code;         /* Of the error. */
	const char *decline_code; /* NULL: none. */
	const char *message;
};

struct card {
	const char *name; /* "pm_card_visa" */
	const char *brand;
	const char *last4;
	bool authenticates;            /* The customer has to prove who they are. */
	const struct decline *decline; /* NULL: it pays. */
};

/* The test payment method of this name, or NULL. */
const struct card *card_find(struct slice name);

/* For failed authentication. */
extern const struct decline decline_authentication;

/* Declines by number, so that a journal can name one; numbers never change. NULL past the end. */
const struct decline *decline_at(size_t number);
size_t decline_number(const struct decline *decline);
