/* What counts as a card number. The numbers are the test cards of Stripe's documentation. */
#include "tech-two-phase-payments/payment_card.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_card_numbers(void **state)
{
	(void)state;
	static const char *const cards[] = {"4242424242424242", "4242 4242 4242 4242",
		"4242-4242-4242-4242", "378282246310005", "3782 822463 10005", "5555555555554444",
		"2223003122003222", "6011111111111117", "30569309025904", "6205500000000000004",
		"4222222222222", "card: 4242424242424242", "pm_4242424242424242",
		"4242424242424242,12/34", "4242 4242 4242 4242 123", "x=4242424242424242&y=1",
		"12 4242424242424242", "\"4000056655665556\""};
	for (size_t i = 0; i < sizeof cards / sizeof *cards; i++)
		if (!payment_looks_like_card(slice_of(cards[i])))
			fail_msg("%s is a card number", cards[i]);
}

static void test_others(void **state)
{
	(void)state;
	static const char *const others[] = {"", "pm_card_visa", "pm_1NxyzABC2eZvKYlo2C",
		"4242424242424241", "424242424242", "42424242424242424242", "1700000000000",
		"4242  4242  4242  4242", "4242.4242.4242.4242", "9999999999999995",
		"0000000000000000", "https://tickets.example/orders/42?back=1", "4242 4242 4242",
		"4a242424242424242", "-", " ", "4-", "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢"};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (payment_looks_like_card(slice_of(others[i])))
			fail_msg("%s is no card number", others[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_card_numbers),
		cmocka_unit_test(test_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
