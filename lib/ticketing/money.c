/* The table of currencies, and checked sums. */
#include "lib/ticketing/money.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Sorted by code, since currency_find searches by halves; a test checks the order. */
static const struct currency currencies[] = {
	{"AED", 2},
	{"AFN", 2},
	{"ALL", 2},
	{"AMD", 2},
	{"AOA", 2},
	{"ARS", 2},
	{"AUD", 2},
	{"AWG", 2},
	{"AZN", 2},
	{"BAM", 2},
	{"BBD", 2},
	{"BDT", 2},
	{"BHD", 3},
	{"BIF", 0},
	{"BMD", 2},
	{"BND", 2},
	{"BOB", 2},
	{"BOV", 2},
	{"BRL", 2},
	{"BSD", 2},
	{"BTN", 2},
	{"BWP", 2},
	{"BYN", 2},
	{"BZD", 2},
	{"CAD", 2},
	{"CDF", 2},
	{"CHE", 2},
	{"CHF", 2},
	{"CHW", 2},
	{"CLF", 4},
	{"CLP", 0},
	{"CNY", 2},
	{"COP", 2},
	{"COU", 2},
	{"CRC", 2},
	{"CUP", 2},
	{"CVE", 2},
	{"CZK", 2},
	{"DJF", 0},
	{"DKK", 2},
	{"DOP", 2},
	{"DZD", 2},
	{"EGP", 2},
	{"ERN", 2},
	{"ETB", 2},
	{"EUR", 2},
	{"FJD", 2},
	{"FKP", 2},
	{"GBP", 2},
	{"GEL", 2},
	{"GHS", 2},
	{"GIP", 2},
	{"GMD", 2},
	{"GNF", 0},
	{"GTQ", 2},
	{"GYD", 2},
	{"HKD", 2},
	{"HNL", 2},
	{"HTG", 2},
	{"HUF", 2},
	{"IDR", 2},
	{"ILS", 2},
	{"INR", 2},
	{"IQD", 3},
	{"IRR", 2},
	{"ISK", 0},
	{"JMD", 2},
	{"JOD", 3},
	{"JPY", 0},
	{"KES", 2},
	{"KGS", 2},
	{"KHR", 2},
	{"KMF", 0},
	{"KPW", 2},
	{"KRW", 0},
	{"KWD", 3},
	{"KYD", 2},
	{"KZT", 2},
	{"LAK", 2},
	{"LBP", 2},
	{"LKR", 2},
	{"LRD", 2},
	{"LSL", 2},
	{"LYD", 3},
	{"MAD", 2},
	{"MDL", 2},
	{"MGA", 2},
	{"MKD", 2},
	{"MMK", 2},
	{"MNT", 2},
	{"MOP", 2},
	{"MRU", 2},
	{"MUR", 2},
	{"MVR", 2},
	{"MWK", 2},
	{"MXN", 2},
	{"MXV", 2},
	{"MYR", 2},
	{"MZN", 2},
	{"NAD", 2},
	{"NGN", 2},
	{"NIO", 2},
	{"NOK", 2},
	{"NPR", 2},
	{"NZD", 2},
	{"OMR", 3},
	{"PAB", 2},
	{"PEN", 2},
	{"PGK", 2},
	{"PHP", 2},
	{"PKR", 2},
	{"PLN", 2},
	{"PYG", 0},
	{"QAR", 2},
	{"RON", 2},
	{"RSD", 2},
	{"RUB", 2},
	{"RWF", 0},
	{"SAR", 2},
	{"SBD", 2},
	{"SCR", 2},
	{"SDG", 2},
	{"SEK", 2},
	{"SGD", 2},
	{"SHP", 2},
	{"SLE", 2},
	{"SOS", 2},
	{"SRD", 2},
	{"SSP", 2},
	{"STN", 2},
	{"SVC", 2},
	{"SYP", 2},
	{"SZL", 2},
	{"THB", 2},
	{"TJS", 2},
	{"TMT", 2},
	{"TND", 3},
	{"TOP", 2},
	{"TRY", 2},
	{"TTD", 2},
	{"TWD", 2},
	{"TZS", 2},
	{"UAH", 2},
	{"UGX", 0},
	{"USD", 2},
	{"USN", 2},
	{"UYI", 0},
	{"UYU", 2},
	{"UYW", 4},
	{"UZS", 2},
	{"VED", 2},
	{"VES", 2},
	{"VND", 0},
	{"VUV", 0},
	{"WST", 2},
	{"XAD", 2},
	{"XAF", 0},
	{"XCD", 2},
	{"XCG", 2},
	{"XOF", 0},
	{"XPF", 0},
	{"YER", 2},
	{"ZAR", 2},
	{"ZMW", 2},
	{"ZWG", 2},
};

static int compare_codes(const void *code, const void *currency)
{
	return memcmp(code, ((const struct currency *)currency)->code, CURRENCY_TEXT_SIZE - 1);
}

const struct currency *currency_find(struct slice code)
{
	if (code.size != CURRENCY_TEXT_SIZE - 1)
		return NULL;
	return bsearch(code.data, currencies, sizeof currencies / sizeof *currencies,
		sizeof *currencies, compare_codes);
}

enum status money_parse_currency(
	struct slice code, char currency[CURRENCY_TEXT_SIZE], struct fault *fault)
{
	const struct currency *known = currency_find(code);
	if (!known)
		return fault_set(fault, "currency", "must be an active ISO 4217 code such as EUR");
	memcpy(currency, known->code, CURRENCY_TEXT_SIZE);
	return STATUS_OK;
}

enum status money_price(
	int64_t minor, struct slice currency, struct money *price, struct fault *fault)
{
	struct money made = {.minor = minor};
	if (minor < 0 || minor > MONEY_PRICE_MINOR_MAX)
		return fault_set(fault, "price", "must be between 0 and %d minor units",
			MONEY_PRICE_MINOR_MAX);
	enum status status = money_parse_currency(currency, made.currency, fault);
	if (status == STATUS_OK)
		*price = made;
	return status;
}

bool money_add(struct money a, struct money b, struct money *sum)
{
	int64_t minor;
	if (memcmp(a.currency, b.currency, CURRENCY_TEXT_SIZE) != 0 ||
		__builtin_add_overflow(a.minor, b.minor, &minor))
		return false;
	*sum = a;
	sum->minor = minor;
	return true;
}

bool money_multiply(struct money a, int64_t count, struct money *product)
{
	int64_t minor;
	if (__builtin_mul_overflow(a.minor, count, &minor))
		return false;
	*product = a;
	product->minor = minor;
	return true;
}

static uint64_t power_of_ten(int exponent)
{
	uint64_t power = 1;
	while (exponent-- > 0)
		power *= 10;
	return power;
}

const char *money_format(struct money money, char text[MONEY_TEXT_SIZE])
{
	const struct currency *currency = currency_find(slice_of(money.currency));
	assert(currency);
	/* Unsigned, since the least int64_t has no positive twin. */
	uint64_t minor = money.minor < 0 ? 0 - (uint64_t)money.minor : (uint64_t)money.minor;
	uint64_t unit = power_of_ten(currency->exponent);
	const char *sign = money.minor < 0 ? "-" : "";
	if (currency->exponent == 0)
		snprintf(text, MONEY_TEXT_SIZE, "%s%" PRIu64 " %s", sign, minor, currency->code);
	else
		snprintf(text, MONEY_TEXT_SIZE, "%s%" PRIu64 ".%0*" PRIu64 " %s", sign,
			minor / unit, currency->exponent, minor % unit, currency->code);
	return text;
}
