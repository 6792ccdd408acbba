/* What a request may ask for, and Stripe's words for what it may not. */
#include "tech-two-phase-payments/simulator/parameters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static bool read(enum operation operation, const char *body, struct parameters *parameters,
	struct provider_error *error)
{
	struct fault fault;
	struct form *form = arena_calloc(&arena, 1, sizeof *form);
	assert_int_equal(STATUS_OK, form_parse(&arena, slice_of(body), form, &fault));
	return parameters_read(operation, form, parameters, error);
}

static void test_a_create_is_read(void **state)
{
	(void)state;
	struct parameters parameters;
	struct provider_error error;
	assert_true(read(OPERATION_CREATE,
		"amount=4500&currency=EUR&capture_method=manual&confirm=true&payment_method="
		"pm_card_visa&metadata[a]=1&description=Seats&expand[]=latest_charge&"
		"payment_method_types[]=card&automatic_payment_methods[enabled]=true",
		&parameters, &error));
	assert_int_equal(4500, parameters.amount);
	assert_string_equal("eur", parameters.currency);
	assert_int_equal(CAPTURE_MANUAL, parameters.capture);
	assert_true(parameters.confirm && parameters.expand_charge);
	assert_string_equal("pm_card_visa", parameters.card->name);
	assert_true(slice_is(parameters.description, "Seats"));
}

static void test_everything_else_is_refused(void **state)
{
	(void)state;
	static const struct {
		enum operation operation;
		const char *body, *code, *param;
	} cases[] = {
		{OPERATION_CREATE, "", "parameter_missing", "amount"},
		{OPERATION_CREATE, "amount=100", "parameter_missing", "currency"},
		{OPERATION_CREATE, "currency=eur", "parameter_missing", "amount"},
		{OPERATION_CREATE, "amount=abc&currency=eur", "parameter_invalid_integer",
			"amount"},
		{OPERATION_CREATE, "amount=&currency=eur", "parameter_invalid_integer", "amount"},
		{OPERATION_CREATE, "amount=1e3&currency=eur", "parameter_invalid_integer",
			"amount"},
		{OPERATION_CREATE, "amount=10.50&currency=eur", "parameter_invalid_integer",
			"amount"},
		{OPERATION_CREATE, "amount=-100&currency=eur", "parameter_invalid_integer",
			"amount"},
		{OPERATION_CREATE, "amount=0&currency=eur", "parameter_invalid_integer", "amount"},
		{OPERATION_CREATE, "amount=49&currency=eur", "amount_too_small", "amount"},
		{OPERATION_CREATE, "amount=100000000&currency=eur", "amount_too_large", "amount"},
		{OPERATION_CREATE, "amount=99999999999999999999&currency=eur",
			"parameter_invalid_integer", "amount"},
		{OPERATION_CREATE, "amount=100&currency=xxx", NULL, "currency"},
		{OPERATION_CREATE, "amount=100&currency=euro", NULL, "currency"},
		{OPERATION_CREATE, "amount=100&currency=", NULL, "currency"},
		{OPERATION_CREATE, "amount=100&currency=eur&confirm=yes", NULL, "confirm"},
		{OPERATION_CREATE, "amount=100&currency=eur&confirm=true", "parameter_missing",
			"payment_method"},
		{OPERATION_CREATE, "amount=100&currency=eur&capture_method=x", NULL,
			"capture_method"},
		{OPERATION_CREATE, "amount=100&currency=eur&payment_method=pm_x",
			"resource_missing", "payment_method"},
		{OPERATION_CREATE, "amount=100&currency=eur&colour=red", "parameter_unknown",
			"colour"},
		{OPERATION_CREATE, "amount=100&currency=eur&payment_method_data[card][number]=4242",
			"parameter_unknown", "payment_method_data[card][number]"},
		{OPERATION_CREATE, "amount=100&currency=eur&metadata[]=1", NULL, "metadata"},
		{OPERATION_CREATE, "amount=100&currency=eur&metadata[a][b]=1", NULL, "metadata"},
		{OPERATION_CREATE, "amount=100&currency=eur&metadata=1", "parameter_unknown",
			"metadata"},
		{OPERATION_CREATE, "amount=100&currency=eur&expand[]=customer", NULL, "expand"},
		{OPERATION_CONFIRM, "amount=100", "parameter_unknown", "amount"},
		{OPERATION_CONFIRM, "payment_method=4242424242424242", "resource_missing",
			"payment_method"},
		{OPERATION_CAPTURE, "amount_to_capture=0", "parameter_invalid_integer",
			"amount_to_capture"},
		{OPERATION_CAPTURE, "amount=10", "parameter_unknown", "amount"},
		{OPERATION_CANCEL, "cancellation_reason=automatic", NULL, "cancellation_reason"},
		{OPERATION_REFUND, "", "parameter_missing", "payment_intent"},
		{OPERATION_REFUND, "payment_intent=pi_1&charge=ch_1", "parameter_missing",
			"charge"},
		{OPERATION_REFUND, "payment_intent=pi_1&reason=abandoned", NULL, "reason"},
		{OPERATION_RETRIEVE, "amount=1", "parameter_unknown", "amount"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct parameters parameters;
		struct provider_error error;
		if (read(cases[i].operation, cases[i].body, &parameters, &error))
			fail_msg("%s was taken", cases[i].body);
		assert_int_equal(400, error.status);
		assert_string_equal("invalid_request_error", error.type);
		assert_string_equal(cases[i].param, error.param);
		assert_string_equal(
			cases[i].code ? cases[i].code : "", error.code ? error.code : "");
		/* What looks like a card number is never repeated. */
		assert_null(strstr(error.message, "4242"));
	}
}

static void test_long_texts_are_refused(void **state)
{
	(void)state;
	struct parameters parameters;
	struct provider_error error;
	char body[2048];
	int size = snprintf(body, sizeof body, "amount=100&currency=eur&metadata[k]=");
	memset(body + size, 'x', METADATA_VALUE_SIZE_MAX);
	body[size + METADATA_VALUE_SIZE_MAX] = '\0';
	assert_true(read(OPERATION_CREATE, body, &parameters, &error));
	memset(body + size, 'x', METADATA_VALUE_SIZE_MAX + 1);
	body[size + METADATA_VALUE_SIZE_MAX + 1] = '\0';
	assert_false(read(OPERATION_CREATE, body, &parameters, &error));
	size = snprintf(body, sizeof body, "amount=100&currency=eur&description=");
	memset(body + size, 'x', TEXT_PARAMETER_SIZE_MAX + 1);
	body[size + TEXT_PARAMETER_SIZE_MAX + 1] = '\0';
	assert_false(read(OPERATION_CREATE, body, &parameters, &error));
}

static char *merge(const char *metadata, const char *body)
{
	struct parameters parameters;
	struct provider_error error;
	char *merged;
	assert_true(read(OPERATION_CAPTURE, body, &parameters, &error));
	assert_true(parameters_merge_metadata(parameters.form, metadata, &merged, &error));
	return merged;
}

static void test_metadata_is_merged(void **state)
{
	(void)state;
	char *merged = merge(NULL, "metadata[a]=1&metadata[b]=%22x%22");
	assert_string_equal("{\"a\":\"1\",\"b\":\"\\\"x\\\"\"}", merged);
	char *again = merge(merged, "metadata[a]=&metadata[c]=3");
	assert_string_equal("{\"b\":\"\\\"x\\\"\",\"c\":\"3\"}", again);
	char *none = merge("{\"a\":\"1\"}", "metadata[a]=");
	assert_null(none);
	free(merged);
	free(again);
}

static void test_metadata_has_a_limit(void **state)
{
	(void)state;
	char body[4096];
	size_t size = 0;
	for (int i = 0; i <= METADATA_KEYS_MAX; i++)
		size += (size_t)snprintf(body + size, sizeof body - size, "metadata[k%d]=1&", i);
	struct parameters parameters;
	struct provider_error error;
	char *merged;
	assert_true(read(OPERATION_CAPTURE, body, &parameters, &error));
	assert_false(parameters_merge_metadata(parameters.form, NULL, &merged, &error));
	assert_int_equal(400, error.status);
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
		cmocka_unit_test(test_a_create_is_read),
		cmocka_unit_test(test_everything_else_is_refused),
		cmocka_unit_test(test_long_texts_are_refused),
		cmocka_unit_test(test_metadata_is_merged),
		cmocka_unit_test(test_metadata_has_a_limit),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
