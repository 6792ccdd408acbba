/* Shared by the two files of the conformance suite, and by nobody else. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "tech-two-phase-payments/payment_provider_conformance.h"

enum { CONFORMANCE_WAIT_MS = 60000 };

/* An order's payment, as a caller would keep it. */
struct payment {
	char order[64];
	char reference[PAYMENT_REFERENCE_SIZE];
	struct money amount;
	const char *method;
	struct payment_call call; /* The last one. */
};

extern const struct payment_conformance *conformance;
extern struct payment_provider *provider;

/* Fixtures of a test: a provider that tries a call three times, or once. */
int open_patient(void **state);
int open_hasty(void **state);
int close_and_heal(void **state);

/* Make the step with its key, wait for it, and give its result. */
const struct payment_result *step(
	struct payment *payment, enum payment_operation operation, unsigned attempt);
void collect_one(struct payment_call *call);
void want(const struct payment_result *result, enum payment_outcome outcome);

/* A payment with its intent, and one that is authorized: EUR 45.00. */
struct payment new_payment(int64_t minor, const char *currency);
struct payment new_authorized(void);

/* What the peer's books say; nothing is ever authorized or captured twice. */
struct payment_books books_of(const struct payment *payment);
void want_books(const struct payment *payment, int64_t authorized, int64_t captured,
	int64_t refunded, int64_t given_back);

/* ---- payment_provider_fault_conformance.c ---- */

void test_answer_lost(void **state);
void test_request_lost(void **state);
void test_lost_once(void **state);
void test_server_error(void **state);
void test_stored_error(void **state);
void test_stored_error_of_what_was_applied(void **state);
void test_rate_limited(void **state);
void test_one_slow_answer(void **state);
void test_same_key_at_once(void **state);
void test_a_new_key_is_a_new_effect(void **state);

#define HASTY_TEST(name) cmocka_unit_test_setup_teardown(name, open_hasty, close_and_heal)
#define PATIENT_TEST(name) cmocka_unit_test_setup_teardown(name, open_patient, close_and_heal)
#define FAULT_CONFORMANCE_TESTS \
	HASTY_TEST(test_answer_lost), HASTY_TEST(test_request_lost), PATIENT_TEST(test_lost_once), \
		HASTY_TEST(test_server_error), HASTY_TEST(test_stored_error), \
		HASTY_TEST(test_stored_error_of_what_was_applied), HASTY_TEST(test_rate_limited), \
		PATIENT_TEST(test_one_slow_answer), HASTY_TEST(test_same_key_at_once), \
		HASTY_TEST(test_a_new_key_is_a_new_effect)
