/* The form decoder: what it takes, and what it refuses. */
#include "tech-two-phase-payments/simulator/form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static enum status parse(const char *body, struct form *form)
{
	struct fault fault = {0};
	enum status status = form_parse(&arena, slice_of(body), form, &fault);
	if (status == STATUS_REFUSED)
		assert_true(fault.where[0] != '\0' && fault.what[0] != '\0');
	return status;
}

static void want(const struct form *form, const char *name, const char *value)
{
	struct slice found;
	assert_true(form_find(form, name, &found));
	assert_true(slice_is(found, value));
}

static void test_pairs_are_decoded(void **state)
{
	(void)state;
	struct form form;
	assert_int_equal(STATUS_OK,
		parse("amount=4500&metadata[orderId]=o+1%2F2&metadata%5Bname%5D=J%C3%BCrg&&a&b=&c="
		      "d=e",
			&form));
	assert_int_equal(6, form.count);
	want(&form, "amount", "4500");
	want(&form, "metadata[orderId]", "o 1/2");
	want(&form, "metadata[name]", "J\xc3\xbcrg");
	want(&form, "a", "");
	want(&form, "b", "");
	want(&form, "c", "d=e");
	struct slice none;
	assert_false(form_find(&form, "d", &none));
}

static void test_nothing_is_an_empty_form(void **state)
{
	(void)state;
	struct form form;
	assert_int_equal(STATUS_OK, parse("", &form));
	assert_int_equal(0, form.count);
	assert_int_equal(STATUS_OK, parse("&&&", &form));
	assert_int_equal(0, form.count);
}

static void test_lists_may_repeat(void **state)
{
	(void)state;
	struct form form;
	assert_int_equal(STATUS_OK, parse("expand[]=a&expand[]=b", &form));
	assert_int_equal(2, form.count);
}

static void test_malformed_is_refused(void **state)
{
	(void)state;
	static const char *const bodies[] = {"a=%", "a=%1", "a=%zz", "a=%1g", "%=1", "a=%00", "=1",
		"a=%ff", "a=%c3", "a=%ed%a0%80", "a=1&a=2", "%0a=1", "a=\xff", "a%00b=1",
		"amount=1&%61mount=2"};
	struct form form;
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
		if (parse(bodies[i], &form) != STATUS_REFUSED)
			fail_msg("%s was taken", bodies[i]);
}

static void test_limits(void **state)
{
	(void)state;
	struct form form;
	struct fault fault;
	char *body = malloc(FORM_SIZE_MAX + 1);
	assert_non_null(body);
	memset(body, '&', FORM_SIZE_MAX + 1);
	struct slice most = {.data = body, .size = FORM_SIZE_MAX};
	struct slice more = {.data = body, .size = FORM_SIZE_MAX + 1};
	assert_int_equal(STATUS_OK, form_parse(&arena, most, &form, &fault));
	assert_int_equal(STATUS_REFUSED, form_parse(&arena, more, &form, &fault));
	size_t size = 0;
	for (int i = 0; i < FORM_PAIRS_MAX + 1; i++)
		size += (size_t)snprintf(body + size, 16, "a%d=1&", i);
	struct slice many = {.data = body, .size = size};
	assert_int_equal(STATUS_REFUSED, form_parse(&arena, many, &form, &fault));
	many.size -= strlen("a256=1&");
	assert_int_equal(STATUS_OK, form_parse(&arena, many, &form, &fault));
	assert_int_equal(FORM_PAIRS_MAX, form.count);
	free(body);
}

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 16 << 20);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs_are_decoded),
		cmocka_unit_test(test_nothing_is_an_empty_form),
		cmocka_unit_test(test_lists_may_repeat),
		cmocka_unit_test(test_malformed_is_refused),
		cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
