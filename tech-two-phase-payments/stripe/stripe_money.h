/* Amounts as Stripe writes them.
 *
 * Stripe counts in "the smallest currency unit", but not always in that of ISO 4217
 * (https://docs.stripe.com/currencies): it sends ISK and UGX with two decimals although they have
 * none (the last two digits must be 0), MGA without decimals although it has two, and wants the
 * last digit of currencies with three decimals to be 0. An amount that Stripe cannot express is
 * refused, never rounded. */
#pragma once

#include "lib/ticketing/money.h"

enum { STRIPE_CURRENCY_SIZE = CURRENCY_TEXT_SIZE };

/* The most that Stripe takes: eight digits. */
enum { STRIPE_AMOUNT_MAX = 99999999 };

/* *amount and `currency` (in lower case) as Stripe wants them. REFUSED for an unknown currency, for
 * amounts that are not positive or above STRIPE_AMOUNT_MAX, and for those that Stripe cannot
 * express; `where` is "amount" or "currency". */
__attribute__((warn_unused_result)) enum status stripe_amount_write(struct money money,
	int64_t *amount, char currency[STRIPE_CURRENCY_SIZE], struct fault *fault);

/* What Stripe wrote, as money. False for an unknown currency, a negative amount, or one that is no
 * whole number of minor units. */
__attribute__((warn_unused_result)) bool stripe_amount_read(
	int64_t amount, struct slice currency, struct money *money);
