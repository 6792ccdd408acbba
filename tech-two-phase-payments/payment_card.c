/* See payment_card.h. */
#include "tech-two-phase-payments/payment_card.h"

#include <stddef.h>

enum { CARD_DIGITS_MIN = 13, CARD_DIGITS_MAX = 19 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Every second digit from the right, the last left out, counts twice. */
static bool luhn_holds(const char *digits, size_t count)
{
	int sum = 0;
	for (size_t i = 0; i < count; i++) {
		int digit = digits[count - 1 - i] - '0';
		int weighed = i % 2 == 1 ? digit * 2 : digit;
		sum += weighed > 9 ? weighed - 9 : weighed;
	}
	return sum % 10 == 0;
}

/* Whether a card number begins at `start`, which is the first digit of a group, and ends where a
 * group does. Behind it more groups may follow, such as its expiry. */
static bool card_begins(struct slice text, size_t start)
{
	char digits[CARD_DIGITS_MAX];
	size_t count = 0;
	for (size_t i = start; i < text.size && count < CARD_DIGITS_MAX; i++) {
		if (!is_digit(text.data[i])) {
			bool separates = text.data[i] == ' ' || text.data[i] == '-';
			if (!separates || !is_digit(text.data[i - 1]))
				return false;
			continue;
		}
		digits[count++] = text.data[i];
		bool group_ends = i + 1 == text.size || !is_digit(text.data[i + 1]);
		if (group_ends && count >= CARD_DIGITS_MIN && luhn_holds(digits, count))
			return true;
	}
	return false;
}

bool payment_looks_like_card(struct slice text)
{
	for (size_t i = 0; i < text.size; i++) {
		bool group_begins = i == 0 || !is_digit(text.data[i - 1]);
		if (group_begins && text.data[i] >= '2' && text.data[i] <= '6' &&
			card_begins(text, i))
			return true;
	}
	return false;
}
