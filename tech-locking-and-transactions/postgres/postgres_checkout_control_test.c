/* Negative controls: with a guard off the suite sees the damage, with it on the same check passes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tech-locking-and-transactions/postgres/checkout_unguarded.h"
#include "tech-locking-and-transactions/postgres/postgres_checkout_fixture.h"

enum { TRIES = 5, MESSAGE_SIZE = 512 };

static struct checkout_fixture fixture;

static const struct control {
	const char *name;
	enum checkout_guard guard;
	const char *check;
} controls[] = {
	{"without fence", CHECKOUT_GUARD_FENCE, "expired_authorized"},
	{"by now()", CHECKOUT_GUARD_CLOCK, "wait_past_expiry"},
};

enum { CONTROL_COUNT = sizeof controls / sizeof *controls };

static const char *ask(
	const struct control *control, enum checkout_guard guard, char message[MESSAGE_SIZE])
{
	checkout_guard_off(guard);
	assert_int_equal(STATUS_OK,
		checkout_fixture_engine(
			&postgres_checkout_subject, &fixture.places, &fixture.orders));
	const char *violation =
		checkout_check(&fixture.factory, control->check, message, MESSAGE_SIZE);
	(void)checkout_fixture_wait_quiet(&fixture);
	checkout_orders_close(fixture.orders);
	fixture.orders = NULL;
	return violation;
}

static void the_suite_sees(void **state)
{
	const struct control *control = *state;
	char message[MESSAGE_SIZE] = "";
	const char *violation = NULL;
	for (int try = 0; try < TRIES && !violation; try++)
		violation = ask(control, control->guard, message);
	if (!violation)
		fail_msg("%s: %s sees nothing", control->name, control->check);
	print_message("%s: %s: %s\n", control->name, control->check, violation);
}

static void with_the_guard_all_is_well(void **state)
{
	char message[MESSAGE_SIZE] = "";
	const char *violation = ask(*state, CHECKOUT_GUARD_NONE, message);
	if (violation)
		fail_msg("%s", violation);
}

/* The database would not let a hold be sold after its end, whatever the code does: without this,
 * the missing fence shows as an order that is stuck. */
static void let_the_damage_happen(void)
{
	assert_int_equal(STATUS_OK,
		checkout_fixture_engine(
			&postgres_checkout_subject, &fixture.places, &fixture.orders));
	checkout_orders_close(fixture.orders);
	fixture.orders = NULL;
	assert_int_equal(STATUS_OK,
		postgres_run_script(fixture.seats_judge,
			"ALTER TABLE seat_holds DROP CONSTRAINT hold_is_sold_in_time"));
}

int main(void)
{
	struct CMUnitTest tests[2 * CONTROL_COUNT];
	for (size_t i = 0; i < CONTROL_COUNT; i++) {
		void *state = (void *)(uintptr_t)&controls[i];
		tests[2 * i] = (struct CMUnitTest){.name = controls[i].name,
			.test_func = the_suite_sees,
			.initial_state = state};
		tests[2 * i + 1] = (struct CMUnitTest){.name = controls[i].check,
			.test_func = with_the_guard_all_is_well,
			.initial_state = state};
	}
	int failed = 1;
	if (checkout_fixture_start(&fixture, &postgres_checkout_subject, "checkout-control",
		    CHECKOUT_FIXTURE_BARE) == STATUS_OK) {
		let_the_damage_happen();
		failed = cmocka_run_group_tests_name("controls", tests, NULL, NULL);
	}
	checkout_fixture_stop(&fixture);
	return failed;
}
