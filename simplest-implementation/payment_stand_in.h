/* A stand-in for a payment provider, in this process: it moves no money and says so in its name.
 *
 * It knows two of Stripe's documented test payment methods. A real provider is a remote call that
 * can be slow, fail, or lose its answer, and cannot be part of a database transaction; that is why
 * the real implementation authorizes first and captures last, and why this one does not scale up to
 * it. */
#pragma once

#include "lib/base/slice.h"

enum payment_outcome {
	PAYMENT_PAID,
	PAYMENT_DECLINED,
	PAYMENT_METHOD_UNKNOWN, /* Neither pm_card_visa nor pm_card_visa_chargeDeclined. */
};

/* Take `amount` minor units. The caller records the charge together with the order. */
enum payment_outcome payment_stand_in_charge(struct slice payment_method, int64_t amount);
