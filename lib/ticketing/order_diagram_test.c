/* A README that draws the table passes, and each way of drawing another one is found. */
#include "lib/ticketing/order_diagram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct buffer text; /* A README. */
static struct fault fault;

static int setup(void **state)
{
	(void)state;
	buffer_init(&text, ORDER_DIAGRAM_FILE_SIZE_MAX);
	buffer_add_text(
		&text, "# Orders\n```mermaid\nsequenceDiagram\nA->>B: x\n```\nText.\n```mermaid\n");
	order_diagram_render(&text);
	buffer_add_text(&text, "```\n```mermaid\nstateDiagram-v2\n\ta --> b: another\n```\n");
	return text.failed;
}

static int teardown(void **state)
{
	(void)state;
	buffer_release(&text);
	return 0;
}

/* Replace the first `old` by `new`. */
static void replace(const char *old, const char *new)
{
	struct buffer changed;
	char *found = memmem(text.data, text.size, old, strlen(old));
	assert_non_null(found);
	size_t before = (size_t)(found - text.data);
	buffer_init(&changed, ORDER_DIAGRAM_FILE_SIZE_MAX);
	buffer_add(&changed, text.data, before);
	buffer_add_text(&changed, new);
	buffer_add(&changed, found + strlen(old), text.size - before - strlen(old));
	assert_false(changed.failed);
	buffer_release(&text);
	text = changed;
}

static void assert_refused(const char *words)
{
	assert_int_equal(STATUS_REFUSED, order_diagram_check(buffer_slice(&text), &fault));
	assert_non_null(strstr(fault.what, words));
}

static void diagram_of_the_table_passes(void **state)
{
	(void)state;
	assert_int_equal(STATUS_OK, order_diagram_check(buffer_slice(&text), &fault));
}

static void order_spaces_and_remarks_do_not_count(void **state)
{
	(void)state;
	replace("\tcapturing --> paid: pay\n", "");
	replace("stateDiagram-v2\n",
		"stateDiagram-v2\n  direction LR\n%% a --> b: c\n\n capturing-->paid :pay\r\n"
		"note right of paid: it has its tickets\n");
	replace("\r\n", " \n");
	assert_int_equal(STATUS_OK, order_diagram_check(buffer_slice(&text), &fault));
}

static void missing_transition_is_found(void **state)
{
	(void)state;
	replace("\tpaid --> refunded: refund\n", "");
	assert_refused("paid --> refunded: refund is missing");
}

static void added_transition_is_found(void **state)
{
	(void)state;
	replace("\tpaid --> refunded", "\tpaid --> canceled: cancel\n\tpaid --> refunded");
	assert_refused("paid --> canceled: cancel is not legal");
}

static void wrong_target_is_found(void **state)
{
	(void)state;
	replace("authorizing --> authorized: authorize", "authorizing --> finalized: authorize");
	assert_refused("authorizing --> finalized: authorize is not legal");
}

static void wrong_names_are_found(void **state)
{
	(void)state;
	replace("capturing --> paid: pay", "capturing --> paid: charge");
	assert_refused("charge is not legal");
	replace("capturing --> paid: charge", "capturing --> payed: pay");
	assert_refused("payed");
	replace("capturing --> payed: pay", "capturing --> paid");
	assert_refused("is not legal");
}

static void twice_drawn_transition_is_found(void **state)
{
	(void)state;
	replace("\tpaid -->", "\tcapturing --> paid: pay\n\tpaid -->");
	assert_refused("drawn twice");
}

static void wrong_beginning_and_end_are_found(void **state)
{
	(void)state;
	replace("canceled --> [*]", "paid --> [*]");
	assert_refused("paid --> [*]");
	replace("paid --> [*]", "canceled --> [*]");
	replace("[*] --> requires_confirmation", "[*] --> authorizing");
	assert_refused("[*] --> authorizing");
}

static void text_without_a_diagram_is_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "\n", "# Orders", "```mermaid", "```mermaid\n",
		"```mermaid\nstateDiagram-v2", "```mermaid\nstateDiagram-v2\n a --> b: c\n",
		"stateDiagram-v2\n", "```mermaid\nflowchart\n```\n"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_int_equal(STATUS_REFUSED, order_diagram_check(slice_of(texts[i]), &fault));
	assert_int_equal(STATUS_REFUSED, order_diagram_check((struct slice){.data = NULL}, &fault));
}

/* Cut anywhere, the text is refused and nothing behind its end is read. */
static void cut_text_is_refused(void **state)
{
	(void)state;
	const char *end = strstr(text.data, "```\n```mermaid\nstateDiagram-v2\n\ta -->");
	assert_non_null(end);
	for (size_t size = 0; size < (size_t)(end - text.data); size++) {
		char *cut = malloc(size + 1);
		assert_non_null(cut);
		memcpy(cut, text.data, size);
		assert_int_equal(
			STATUS_REFUSED, order_diagram_check((struct slice){cut, size}, &fault));
		free(cut);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(diagram_of_the_table_passes),
		TEST(order_spaces_and_remarks_do_not_count),
		TEST(missing_transition_is_found),
		TEST(added_transition_is_found),
		TEST(wrong_target_is_found),
		TEST(wrong_names_are_found),
		TEST(twice_drawn_transition_is_found),
		TEST(wrong_beginning_and_end_are_found),
		TEST(text_without_a_diagram_is_refused),
		TEST(cut_text_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
