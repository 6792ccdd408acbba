/* Negative controls: without a compensation the suite sees the damage, with it the same check
 * passes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tech-locking-and-transactions/saga/saga_fixture.h"
#include "tech-locking-and-transactions/saga/saga_unguarded.h"

enum { MESSAGE_SIZE = 512, TRIES = 5 };

static struct checkout_fixture fixture;

static void without(bool *compensation, const char *check)
{
	char message[MESSAGE_SIZE] = "";
	const char *violation = NULL;
	*compensation = false;
	for (int try = 0; try < TRIES && !violation; try++)
		violation = checkout_check(&fixture.factory, check, message, sizeof message);
	*compensation = true;
	if (!violation)
		fail_msg("%s sees nothing", check);
	print_message("%s: %s\n", check, violation);
}

static void with(const char *check)
{
	char message[MESSAGE_SIZE] = "";
	const char *violation = checkout_check(&fixture.factory, check, message, sizeof message);
	if (violation)
		fail_msg("%s", violation);
}

static void seats_that_are_not_revoked_are_seen(void **state)
{
	(void)state;
	without(&saga_revokes, "capture_refused");
	with("capture_refused");
}

static void authorizations_that_are_not_voided_are_seen(void **state)
{
	(void)state;
	without(&saga_voids, "expired_authorized");
	with("expired_authorized");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seats_that_are_not_revoked_are_seen),
		cmocka_unit_test(authorizations_that_are_not_voided_are_seen),
	};
	int failed = 1;
	if (checkout_fixture_start(
		    &fixture, &saga_subject, "saga-control", CHECKOUT_FIXTURE_WHOLE) == STATUS_OK)
		failed = cmocka_run_group_tests_name("controls", tests, NULL, NULL);
	checkout_fixture_stop(&fixture);
	return failed;
}
