/* Faults: cutting, aliasing, and the names of statuses. */
#include "lib/base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void names(void **state)
{
	(void)state;
	assert_string_equal(status_name(STATUS_OK), "ok");
	assert_string_equal(status_name(STATUS_UNAVAILABLE), "unavailable");
	assert_string_equal(status_name(STATUS_UNKNOWN), "unknown");
	assert_string_equal(status_name(STATUS_REFUSED), "refused");
}

static void faults_are_filled_in(void **state)
{
	(void)state;
	struct fault fault;
	assert_int_equal(fault_set(&fault, "--port", "is %d, not %s", 7, "8"), STATUS_REFUSED);
	assert_string_equal(fault.where, "--port");
	assert_string_equal(fault.what, "is 7, not 8");
	assert_int_equal(fault_set(NULL, "x", "y"), STATUS_REFUSED);
}

static void a_fault_may_be_made_of_itself(void **state)
{
	(void)state;
	struct fault fault;
	fault_set(&fault, "$.rows", "is empty");
	fault_set(&fault, fault.where, "in file %s: %s %s", "f", fault.where, fault.what);
	assert_string_equal(fault.where, "$.rows");
	assert_string_equal(fault.what, "in file f: $.rows is empty");
}

static void long_texts_are_cut_between_characters(void **state)
{
	(void)state;
	char text[1001];
	memset(text, 'x', 1000);
	text[1000] = '\0';
	struct fault fault;
	fault_set(&fault, text, "%s", text);
	assert_int_equal(strlen(fault.where), sizeof fault.where - 1);
	assert_int_equal(strlen(fault.what), sizeof fault.what - 1);

	/* The last character that would be cut in half is left out whole. */
	for (size_t index = 0; index < 4; index++) {
		memset(text, 'x', 1000);
		memcpy(text + sizeof fault.what - 1 - index, "\xf0\x9f\x8e\xab", 4);
		fault_set(&fault, "w", "%s", text);
		assert_int_equal(strlen(fault.what), sizeof fault.what - 1 - index);
		assert_null(strchr(fault.what, 0xf0));
	}
	memset(text, 'x', 1000);
	memcpy(text + sizeof fault.what - 5, "\xf0\x9f\x8e\xab", 4);
	fault_set(&fault, "w", "%s", text);
	assert_int_equal(strlen(fault.what), sizeof fault.what - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(faults_are_filled_in),
		cmocka_unit_test(a_fault_may_be_made_of_itself),
		cmocka_unit_test(long_texts_are_cut_between_characters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
