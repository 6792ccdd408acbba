/* Amounts in Stripe's units and back. */
#include "tech-two-phase-payments/stripe/stripe_money.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_both_ways(void **state)
{
	(void)state;
	static const struct {
		struct money money;
		int64_t amount;
		const char *currency;
	} cases[] = {
		{{4500, "EUR"}, 4500, "eur"},
		{{1, "USD"}, 1, "usd"},
		{{500, "JPY"}, 500, "jpy"},
		{{5120, "KWD"}, 5120, "kwd"},
		{{5, "ISK"}, 500, "isk"},
		{{5, "UGX"}, 500, "ugx"},
		{{500, "MGA"}, 5, "mga"},
		{{99999999, "USD"}, 99999999, "usd"},
		{{999999, "ISK"}, 99999900, "isk"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t amount;
		char currency[STRIPE_CURRENCY_SIZE];
		struct money back;
		struct fault fault;
		assert_int_equal(
			STATUS_OK, stripe_amount_write(cases[i].money, &amount, currency, &fault));
		assert_int_equal(cases[i].amount, amount);
		assert_string_equal(cases[i].currency, currency);
		assert_true(stripe_amount_read(amount, slice_of(currency), &back));
		assert_int_equal(cases[i].money.minor, back.minor);
		assert_string_equal(cases[i].money.currency, back.currency);
	}
}

static void test_refused(void **state)
{
	(void)state;
	static const struct {
		struct money money;
		const char *where;
	} cases[] = {
		{{0, "EUR"}, "amount"},
		{{-1, "EUR"}, "amount"},
		{{100000000, "EUR"}, "amount"},
		{{INT64_MAX, "MGA"}, "amount"},
		{{INT64_MAX, "ISK"}, "amount"},
		{{5124, "KWD"}, "amount"},
		{{550, "MGA"}, "amount"},
		{{1000000, "ISK"}, "amount"},
		{{100, "XXX"}, "currency"},
		{{100, "eur"}, "currency"},
		{{100, ""}, "currency"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t amount = 7;
		char currency[STRIPE_CURRENCY_SIZE];
		struct fault fault;
		assert_int_equal(STATUS_REFUSED,
			stripe_amount_write(cases[i].money, &amount, currency, &fault));
		assert_string_equal(cases[i].where, fault.where);
		assert_int_equal(7, amount);
	}
}

static void test_not_readable(void **state)
{
	(void)state;
	struct money money;
	assert_false(stripe_amount_read(-1, slice_of("eur"), &money));
	assert_false(stripe_amount_read(550, slice_of("isk"), &money));
	assert_false(stripe_amount_read(1, slice_of("eu"), &money));
	assert_false(stripe_amount_read(1, slice_of("euro"), &money));
	assert_false(stripe_amount_read(1, slice_of("xxx"), &money));
	assert_false(stripe_amount_read(1, (struct slice){NULL, 0}, &money));
	assert_false(stripe_amount_read(INT64_MAX, slice_of("mga"), &money));
	assert_true(stripe_amount_read(0, slice_of("eur"), &money));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_not_readable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
