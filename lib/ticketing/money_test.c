#include "lib/ticketing/money.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct money euros(int64_t minor)
{
	return (struct money){.minor = minor, .currency = "EUR"};
}

static void assert_exponent(const char *code, int exponent)
{
	const struct currency *currency = currency_find(slice_of(code));
	if (!currency)
		fail_msg("%s is not known", code);
	else
		assert_int_equal(currency->exponent, exponent);
}

static void assert_format(int64_t minor, const char *code, const char *expected)
{
	char text[MONEY_TEXT_SIZE];
	struct money money = {.minor = minor};
	assert_int_equal(money_parse_currency(slice_of(code), money.currency, NULL), STATUS_OK);
	assert_string_equal(money_format(money, text), expected);
}

static void currencies_have_their_exponent(void **state)
{
	(void)state;
	static const char *const zero[] = {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW",
		"PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"};
	static const char *const three[] = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"};
	static const char *const two[] = {"AED", "CHF", "EUR", "GBP", "MGA", "MRU", "USD", "ZWG"};
	for (size_t i = 0; i < sizeof zero / sizeof *zero; i++)
		assert_exponent(zero[i], 0);
	for (size_t i = 0; i < sizeof three / sizeof *three; i++)
		assert_exponent(three[i], 3);
	for (size_t i = 0; i < sizeof two / sizeof *two; i++)
		assert_exponent(two[i], 2);
	assert_exponent("CLF", 4);
	assert_exponent("UYW", 4);
}

/* Tried as every possible code, so that a table out of order would show. */
static void exactly_the_active_codes_are_found(void **state)
{
	(void)state;
	int found = 0;
	for (int i = 0; i < 26 * 26 * 26; i++) {
		char code[] = {(char)('A' + i / 676), (char)('A' + i / 26 % 26),
			(char)('A' + i % 26), '\0'};
		const struct currency *currency = currency_find(slice_of(code));
		if (currency) {
			found++;
			assert_string_equal(currency->code, code);
		}
	}
	assert_int_equal(found, 165);
}

static void other_codes_are_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "E", "EU", "EURO", "eur", "Eur", "DEM", "HRK",
		"XAU", "XXX", "XTS", "   ", "E\xc3\x9c"};
	char currency[CURRENCY_TEXT_SIZE] = "USD";
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct fault fault;
		assert_int_equal(
			money_parse_currency(slice_of(wrong[i]), currency, &fault), STATUS_REFUSED);
		assert_string_equal(fault.where, "currency");
	}
	struct slice zero = {.data = "EU\0", .size = 3};
	assert_null(currency_find(zero));
	assert_string_equal(currency, "USD");
}

static void a_price_is_bounded_and_never_negative(void **state)
{
	(void)state;
	struct money price = {.minor = -7};
	struct fault fault;
	static const int64_t wrong[] = {
		-1, INT64_MIN, (int64_t)MONEY_PRICE_MINOR_MAX + 1, INT64_MAX};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_int_equal(
			money_price(wrong[i], slice_of("EUR"), &price, &fault), STATUS_REFUSED);
		assert_string_equal(fault.where, "price");
	}
	assert_int_equal(money_price(1, slice_of("XYZ"), &price, &fault), STATUS_REFUSED);
	assert_string_equal(fault.where, "currency");
	assert_int_equal(price.minor, -7);
	assert_int_equal(money_price(0, slice_of("JPY"), &price, NULL), STATUS_OK);
	assert_int_equal(
		money_price(MONEY_PRICE_MINOR_MAX, slice_of("KWD"), &price, NULL), STATUS_OK);
	assert_int_equal(price.minor, MONEY_PRICE_MINOR_MAX);
	assert_string_equal(price.currency, "KWD");
}

static void sums_are_checked(void **state)
{
	(void)state;
	struct money sum = {.minor = 0};
	assert_true(money_add(euros(1250), euros(50), &sum));
	assert_int_equal(sum.minor, 1300);
	assert_string_equal(sum.currency, "EUR");
	assert_true(money_add(euros(INT64_MAX - 1), euros(1), &sum));
	assert_false(money_add(euros(INT64_MAX), euros(1), &sum));
	assert_false(money_add(euros(INT64_MIN), euros(-1), &sum));
	struct money yen = {.minor = 1, .currency = "JPY"};
	assert_false(money_add(euros(1), yen, &sum));
	assert_int_equal(sum.minor, INT64_MAX);
}

static void products_are_checked(void **state)
{
	(void)state;
	struct money product = {.minor = 5};
	assert_true(money_multiply(euros(1250), 10, &product));
	assert_int_equal(product.minor, 12500);
	assert_true(money_multiply(euros(1250), 0, &product));
	assert_int_equal(product.minor, 0);
	assert_false(money_multiply(euros(INT64_MAX / 2 + 1), 2, &product));
	assert_false(money_multiply(euros(INT64_MIN), -1, &product));
	assert_int_equal(product.minor, 0);
}

static void amounts_are_written_for_people(void **state)
{
	(void)state;
	assert_format(1250, "EUR", "12.50 EUR");
	assert_format(5, "EUR", "0.05 EUR");
	assert_format(0, "EUR", "0.00 EUR");
	assert_format(-1, "EUR", "-0.01 EUR");
	assert_format(1250, "JPY", "1250 JPY");
	assert_format(-1250, "JPY", "-1250 JPY");
	assert_format(12345, "KWD", "12.345 KWD");
	assert_format(-5, "KWD", "-0.005 KWD");
	assert_format(12345, "CLF", "1.2345 CLF");
	assert_format(INT64_MAX, "EUR", "92233720368547758.07 EUR");
	assert_format(INT64_MIN, "KWD", "-9223372036854775.808 KWD");
	assert_format(INT64_MIN, "JPY", "-9223372036854775808 JPY");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(currencies_have_their_exponent),
		cmocka_unit_test(exactly_the_active_codes_are_found),
		cmocka_unit_test(other_codes_are_refused),
		cmocka_unit_test(a_price_is_bounded_and_never_negative),
		cmocka_unit_test(sums_are_checked),
		cmocka_unit_test(products_are_checked),
		cmocka_unit_test(amounts_are_written_for_people),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
