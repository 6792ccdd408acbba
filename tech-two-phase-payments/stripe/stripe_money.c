/* See stripe_money.h. */
#include "tech-two-phase-payments/stripe/stripe_money.h"

#include <ctype.h>

/* How Stripe's unit differs from that of ISO 4217. */
struct difference {
	char code[CURRENCY_TEXT_SIZE];
	int64_t times; /* Stripe's amount = minor units × times ÷ divided. */
	int64_t divided;
	int64_t granule; /* Stripe's amount must be a multiple of it. */
};

static struct difference difference_of(const struct currency *currency);

enum status stripe_amount_write(struct money money, int64_t *amount,
	char currency[STRIPE_CURRENCY_SIZE], struct fault *fault)
{
	size_t size = strnlen(money.currency, sizeof money.currency);
	const struct currency *known = currency_find((struct slice){money.currency, size});
	if (!known)
		return fault_set(fault, "currency", "is not known");
	if (money.minor <= 0)
		return fault_set(fault, "amount", "is not positive");
	struct difference difference = difference_of(known);
	if (money.minor > STRIPE_AMOUNT_MAX * difference.divided / difference.times)
		return fault_set(fault, "amount", "is more than the provider takes");
	int64_t scaled = money.minor * difference.times;
	if (scaled % difference.divided != 0 ||
		scaled / difference.divided % difference.granule != 0)
		return fault_set(fault, "amount", "has a unit that the provider does not take");

	*amount = scaled / difference.divided;
	for (size_t i = 0; i < STRIPE_CURRENCY_SIZE; i++)
		currency[i] = (char)tolower((unsigned char)known->code[i]);
	return STATUS_OK;
}

bool stripe_amount_read(int64_t amount, struct slice currency, struct money *money)
{
	char code[CURRENCY_TEXT_SIZE] = {0};
	if (currency.size != CURRENCY_TEXT_SIZE - 1 || amount < 0)
		return false;
	for (size_t i = 0; i < currency.size; i++)
		code[i] = (char)toupper((unsigned char)currency.data[i]);
	const struct currency *known = currency_find(slice_of(code));
	if (!known)
		return false;
	struct difference difference = difference_of(known);
	if (amount > INT64_MAX / difference.divided ||
		amount * difference.divided % difference.times != 0)
		return false;
	money->minor = amount * difference.divided / difference.times;
	memcpy(money->currency, known->code, sizeof money->currency);
	return true;
}

static struct difference difference_of(const struct currency *currency)
{
	static const struct difference differences[] = {
		{"ISK", 100, 1, 100},
		{"MGA", 1, 100, 1},
		{"UGX", 100, 1, 100},
	};
	for (size_t i = 0; i < sizeof differences / sizeof *differences; i++)
		if (strcmp(differences[i].code, currency->code) == 0)
			return differences[i];
	return (struct difference){
		.times = 1, .divided = 1, .granule = currency->exponent == 3 ? 10 : 1};
}
