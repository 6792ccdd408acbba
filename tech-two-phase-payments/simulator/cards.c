/* See cards.h. */
#include "tech-two-phase-payments/simulator/cards.h"

#include <assert.h>

const struct decline decline_authentication = {"payment_intent_authentication_failure", NULL,
	"The provided PaymentMethod has failed authentication. You can provide payment_method_data "
	"or a new PaymentMethod to attempt to fulfill this PaymentIntent again."};

static const struct decline generic = {
	"card_declined", "generic_decline", "Your card was declined."};
static const struct decline insufficient_funds = {
	"card_declined", "insufficient_funds", "Your card has insufficient funds."};
static const struct decline lost_card = {"card_declined", "lost_card", "Your card was declined."};
static const struct decline stolen_card = {
	"card_declined", "stolen_card", "Your card was declined."};
static const struct decline expired_card = {"expired_card", NULL, "Your card has expired."};
static const struct decline incorrect_cvc = {
	"incorrect_cvc", NULL, "Your card's security code is incorrect."};
static const struct decline processing_error = {"processing_error", NULL,
	"An error occurred while processing your card. Try again in a little bit."};
static const struct decline velocity = {"card_declined", "card_velocity_exceeded",
	"Your card was declined for making repeated attempts too frequently or exceeding its "
	"amount limit."};
static const struct decline fraudulent = {"card_declined", "fraudulent", "Your card was declined."};

/* Only ever added to, at the end. */
static const struct decline *const declines[] = {&decline_authentication, &generic,
	&insufficient_funds, &lost_card, &stolen_card, &expired_card, &incorrect_cvc,
	&processing_error, &velocity, &fraudulent};

static const struct card cards[] = {
	{"pm_card_visa", "visa", "4242", false, NULL},
	{"pm_card_visa_debit", "visa", "5556", false, NULL},
	{"pm_card_mastercard", "mastercard", "4444", false, NULL},
	{"pm_card_mastercard_debit", "mastercard", "3222", false, NULL},
	{"pm_card_mastercard_prepaid", "mastercard", "5100", false, NULL},
	{"pm_card_amex", "amex", "8431", false, NULL},
	{"pm_card_discover", "discover", "9424", false, NULL},
	{"pm_card_diners", "diners", "0004", false, NULL},
	{"pm_card_jcb", "jcb", "0505", false, NULL},
	{"pm_card_unionpay", "unionpay", "0005", false, NULL},
	{"pm_card_chargeDeclined", "visa", "0002", false, &generic},
	{"pm_card_visa_chargeDeclined", "visa", "0002", false, &generic},
	{"pm_card_chargeDeclinedInsufficientFunds", "visa", "9995", false, &insufficient_funds},
	{"pm_card_visa_chargeDeclinedInsufficientFunds", "visa", "9995", false,
		&insufficient_funds},
	{"pm_card_visa_chargeDeclinedLostCard", "visa", "9987", false, &lost_card},
	{"pm_card_visa_chargeDeclinedStolenCard", "visa", "9979", false, &stolen_card},
	{"pm_card_chargeDeclinedExpiredCard", "visa", "0069", false, &expired_card},
	{"pm_card_chargeDeclinedIncorrectCvc", "visa", "0127", false, &incorrect_cvc},
	{"pm_card_chargeDeclinedProcessingError", "visa", "0119", false, &processing_error},
	{"pm_card_visa_chargeDeclinedVelocityLimitExceeded", "visa", "6975", false, &velocity},
	{"pm_card_chargeDeclinedFraudulent", "visa", "0019", false, &fraudulent},
	{"pm_card_authenticationRequired", "visa", "3184", true, NULL},
	{"pm_card_authenticationRequiredOnSetup", "visa", "3155", true, NULL},
	{"pm_card_threeDSecure2Required", "visa", "3220", true, NULL},
	{"pm_card_threeDSecureRequired", "visa", "3063", true, NULL},
	{"pm_card_authenticationRequiredChargeDeclinedInsufficientFunds", "visa", "3178", true,
		&insufficient_funds},
	{"pm_card_threeDSecureRequiredChargeDeclined", "visa", "1629", true, &generic},
};

const struct card *card_find(struct slice name)
{
	for (size_t i = 0; i < sizeof cards / sizeof *cards; i++)
		if (slice_is(name, cards[i].name))
			return &cards[i];
	return NULL;
}

const struct decline *decline_at(size_t number)
{
	return number < sizeof declines / sizeof *declines ? declines[number] : NULL;
}

size_t decline_number(const struct decline *decline)
{
	size_t number = 0;
	while (declines[number] != decline) {
		number++;
		assert(number < sizeof declines / sizeof *declines);
	}
	return number;
}
