/* The rules of faults: what they are made of, whom they hit, and that a seed repeats itself. */
#include "tech-two-phase-payments/simulator/faults.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { REQUESTS = 10000 };

static void add(struct faults *faults, const char *text, int64_t now_ms)
{
	struct fault_rule rule;
	struct fault fault;
	json_t *json = json_loads(text, 0, NULL);
	assert_non_null(json);
	if (fault_rule_read(json, &rule, &fault) != STATUS_OK)
		fail_msg("%s: %s %s", text, fault.where, fault.what);
	assert_int_equal(STATUS_OK, faults_add(faults, &rule, now_ms, &fault));
	json_decref(json);
}

static void test_after_and_count(void **state)
{
	(void)state;
	struct faults faults = {0};
	add(&faults,
		"{\"fault\":\"answer_lost\",\"operation\":\"capture\",\"after\":2,\"count\":2}", 0);
	static const bool hit[] = {false, false, true, true, false, false};
	for (size_t i = 0; i < sizeof hit; i++) {
		struct request_faults other = faults_of_request(&faults, OPERATION_CREATE, 0);
		assert_int_equal(FAULT_KIND_COUNT, other.kind);
		struct request_faults of = faults_of_request(&faults, OPERATION_CAPTURE, 0);
		assert_int_equal(hit[i] ? FAULT_ANSWER_LOST : FAULT_KIND_COUNT, of.kind);
	}
	assert_int_equal(6, faults.rules[0].matched);
	assert_int_equal(2, faults.rules[0].fired);
}

static void run(const char *rule, bool hits[REQUESTS])
{
	struct faults faults = {0};
	add(&faults, rule, 0);
	for (size_t i = 0; i < REQUESTS; i++)
		hits[i] =
			faults_of_request(&faults, OPERATION_CONFIRM, 0).kind == FAULT_RATE_LIMITED;
}

static void test_a_seed_repeats_itself(void **state)
{
	(void)state;
	static bool first[REQUESTS], second[REQUESTS], other[REQUESTS];
	run("{\"fault\":\"rate_limited\",\"rate\":0.1,\"seed\":7}", first);
	run("{\"fault\":\"rate_limited\",\"rate\":0.1,\"seed\":7}", second);
	run("{\"fault\":\"rate_limited\",\"rate\":0.1,\"seed\":8}", other);
	assert_memory_equal(first, second, sizeof first);
	assert_memory_not_equal(first, other, sizeof first);
	size_t count = 0;
	for (size_t i = 0; i < REQUESTS; i++)
		count += first[i];
	/* Ten standard deviations of 30 on each side; and the same each time. */
	assert_in_range(count, 700, 1300);
}

/* The first numbers, written down: a seed means the same in every version. */
static void test_a_seed_means_the_same_for_ever(void **state)
{
	(void)state;
	char hits[65] = "";
	for (int i = 0; i < 64; i++)
		hits[i] = fault_chance(7, i, 0.25) ? '1' : '.';
	assert_string_equal(
		".....1...1..11.11..1.......1..1....11...1...1.....111.....1.....", hits);
	for (int i = 0; i < 64; i++) {
		assert_true(fault_chance(i, i, 1));
		assert_false(fault_chance(i, i, 0));
	}
}

static void test_faults_combine(void **state)
{
	(void)state;
	struct faults faults = {0};
	add(&faults, "{\"fault\":\"slow\",\"rate\":1,\"ms\":200}", 0);
	add(&faults, "{\"fault\":\"error_500\",\"count\":1}", 0);
	add(&faults, "{\"fault\":\"answer_lost\",\"count\":2}", 0);
	add(&faults, "{\"fault\":\"slow\",\"ms\":10000}", 0);
	struct request_faults of = faults_of_request(&faults, OPERATION_CREATE, 0);
	assert_int_equal(FAULT_ERROR_500, of.kind);
	assert_int_equal(10000, of.delay_ms);
	of = faults_of_request(&faults, OPERATION_CREATE, 0);
	assert_int_equal(FAULT_ANSWER_LOST, of.kind);
	assert_int_equal(200, of.delay_ms);
	assert_false(faults_remove(&faults, 99));
	assert_true(faults_remove(&faults, 1));
	of = faults_of_request(&faults, OPERATION_CREATE, 0);
	assert_int_equal(FAULT_KIND_COUNT, of.kind);
	assert_int_equal(0, of.delay_ms);
}

static void test_gone_for_a_while(void **state)
{
	(void)state;
	struct faults faults = {0};
	add(&faults, "{\"fault\":\"gone\",\"ms\":1000}", 5000);
	for (int i = 0; i < 10; i++)
		assert_int_equal(
			FAULT_GONE, faults_of_request(&faults, OPERATION_RETRIEVE, 5999).kind);
	assert_int_equal(
		FAULT_KIND_COUNT, faults_of_request(&faults, OPERATION_RETRIEVE, 6000).kind);
}

static void test_events_have_faults_of_their_own(void **state)
{
	(void)state;
	struct faults faults = {0};
	add(&faults, "{\"fault\":\"webhook_twice\",\"operation\":\"capture\"}", 0);
	add(&faults, "{\"fault\":\"webhook_first\",\"count\":2}", 0);
	add(&faults, "{\"fault\":\"webhook_out_of_order\",\"ms\":77,\"after\":1}", 0);
	assert_int_equal(FAULT_KIND_COUNT, faults_of_request(&faults, OPERATION_CAPTURE, 0).kind);
	struct event_faults of = faults_of_event(&faults, OPERATION_CREATE);
	assert_false(of.twice);
	assert_int_equal(5000, of.first_ms);
	assert_int_equal(0, of.late_ms);
	of = faults_of_event(&faults, OPERATION_CAPTURE);
	assert_true(of.twice);
	assert_int_equal(77, of.late_ms);
	of = faults_of_event(&faults, OPERATION_CAPTURE);
	assert_false(of.twice);
	assert_int_equal(0, of.first_ms);
}

static void test_wrong_rules_are_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {"{}", "{\"fault\":\"x\"}", "{\"fault\":7}",
		"{\"fault\":\"slow\"}", "{\"fault\":\"gone\"}", "{\"fault\":\"slow\",\"ms\":-1}",
		"{\"fault\":\"slow\",\"ms\":1.5}", "{\"fault\":\"slow\",\"ms\":86400001}",
		"{\"fault\":\"timeout\",\"rate\":2}", "{\"fault\":\"timeout\",\"rate\":-0.1}",
		"{\"fault\":\"timeout\",\"rate\":\"1\"}", "{\"fault\":\"timeout\",\"count\":-1}",
		"{\"fault\":\"timeout\",\"operation\":\"refunds\"}",
		"{\"fault\":\"timeout\",\"operation\":1}", "{\"fault\":\"timeout\",\"seed\":\"s\"}",
		"{\"fault\":\"timeout\",\"applied\":1}", "{\"fault\":\"timeout\",\"millis\":1}"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct fault_rule rule;
		struct fault fault = {0};
		json_t *json = json_loads(texts[i], 0, NULL);
		if (fault_rule_read(json, &rule, &fault) != STATUS_REFUSED)
			fail_msg("%s was taken", texts[i]);
		assert_true(fault.where[0] != '\0' && fault.what[0] != '\0');
		json_decref(json);
	}
}

static void test_there_is_a_limit(void **state)
{
	(void)state;
	struct faults faults = {0};
	struct fault_rule rule = {.kind = FAULT_TIMEOUT, .rate = 1};
	struct fault fault;
	for (size_t i = 0; i < FAULTS_MAX; i++)
		assert_int_equal(STATUS_OK, faults_add(&faults, &rule, 0, &fault));
	assert_int_equal(STATUS_REFUSED, faults_add(&faults, &rule, 0, &fault));
	assert_true(faults_remove(&faults, FAULTS_MAX));
	assert_int_equal(STATUS_OK, faults_add(&faults, &rule, 0, &fault));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_after_and_count),
		cmocka_unit_test(test_a_seed_repeats_itself),
		cmocka_unit_test(test_a_seed_means_the_same_for_ever),
		cmocka_unit_test(test_faults_combine),
		cmocka_unit_test(test_gone_for_a_while),
		cmocka_unit_test(test_events_have_faults_of_their_own),
		cmocka_unit_test(test_wrong_rules_are_refused),
		cmocka_unit_test(test_there_is_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
