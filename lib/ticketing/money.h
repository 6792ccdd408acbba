/* Money: an integer of minor units beside its currency. Never a floating-point number.
 *
 * Currencies are the active codes of ISO 4217 (list one, as of 2026-01-01) that have a minor unit
 * or are counted whole; metals, baskets and test codes (XAU, XDR, XTS, …) cannot price a seat and
 * are left out. Sums are checked: what does not fit is refused, never wrapped. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/slice.h"
#include "lib/base/status.h"

/* The highest price of one seat, in minor units: a bound that no real price reaches, and far enough
 * below INT64_MAX that any sum of prices that one order can hold fits. */
enum { MONEY_PRICE_MINOR_MAX = 100000000 };

enum { CURRENCY_TEXT_SIZE = 4 }; /* Three letters and a zero byte. */

/* Room for the longest formatted amount: sign, 19 digits, point, space, code, zero byte. */
enum { MONEY_TEXT_SIZE = 32 };

struct money {
	int64_t minor; /* In the currency's smallest unit: cents, yen, fils. */
	char currency[CURRENCY_TEXT_SIZE];
};

struct currency {
	char code[CURRENCY_TEXT_SIZE];
	int exponent; /* Decimal places of the minor unit: EUR 2, JPY 0, KWD 3. */
};

/* The currency with this code, in capitals as ISO 4217 writes it; NULL if there is none. */
const struct currency *currency_find(struct slice code);

/* Copy a known code. STATUS_REFUSED for any other text, with `where` "currency". */
__attribute__((warn_unused_result)) enum status money_parse_currency(
	struct slice code, char currency[CURRENCY_TEXT_SIZE], struct fault *fault);

/* Make the price of a seat: 0 (free) to MONEY_PRICE_MINOR_MAX, in a known currency.
 * STATUS_REFUSED otherwise, with `where` "price" or "currency". */
__attribute__((warn_unused_result)) enum status money_price(
	int64_t minor, struct slice currency, struct money *price, struct fault *fault);

/* *sum = a + b. False, and *sum unchanged, when the currencies differ or the sum overflows. */
__attribute__((warn_unused_result)) bool money_add(
	struct money a, struct money b, struct money *sum);

/* *product = a × count. False, and *product unchanged, on overflow. */
__attribute__((warn_unused_result)) bool money_multiply(
	struct money a, int64_t count, struct money *product);

/* Write the amount for people, zero-terminated: "12.50 EUR", "1250 JPY", "-0.005 KWD". The currency
 * must be a known one. Returns `text`. */
const char *money_format(struct money money, char text[MONEY_TEXT_SIZE]);
