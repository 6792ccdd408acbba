/* A process that is to end does not let those wait who buy: they are told that it is not over, and
 * it goes on without them. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "tech-locking-and-transactions/checkout_suite_conformance.h"
#include "tech-locking-and-transactions/postgres/postgres_checkout_fixture.h"

enum { HOUR_MS = 3600000, STEP_MS = 10, MESSAGE_SIZE = 512 };

static struct checkout_fixture fixture;
static struct checkout_suite suite;
static char message[MESSAGE_SIZE];

static void well(const char *violation)
{
	if (violation)
		fail_msg("%s", violation);
}

/* The bank is kept away, so that a purchase waits for as long as it may. */
static int set_up(void **state)
{
	(void)state;
	struct seat_suite *seats = suite_open(fixture.factory.seats, 0, 2, message, sizeof message);
	assert_non_null(seats);
	fixture.places.wait_ms = HOUR_MS;
	assert_int_equal(STATUS_OK,
		checkout_fixture_engine(
			&postgres_checkout_subject, &fixture.places, &fixture.orders));
	well(suite_stock(seats, BUYING_SEATS));
	well(buying_open(&fixture.factory, seats, &suite));
	buying_fault(&suite, "{\"fault\":\"rate_limited\",\"operation\":\"confirm\",\"rate\":1}");
	well(buying_hold(&suite, 0, 2, 0));
	return 0;
}

/* When the bank is back, all goes on. */
static int tear_down(void **state)
{
	(void)state;
	simulator_fixture_clear_faults(fixture.factory.simulator);
	well(buying_wait_status(&suite, ORDER_PAID));
	well(buying_judge(&suite));
	struct seat_suite *seats = suite.seats;
	buying_close(&suite);
	suite_close(seats);
	checkout_orders_close(fixture.orders);
	fixture.orders = NULL;
	return 0;
}

static void *buy(void *violation)
{
	*(const char **)violation = buying_ask(&suite, 1);
	return NULL;
}

static int64_t order_count(void)
{
	static const struct postgres_statement count = {.name = "ending_count",
		.sql = "SELECT count(*) FROM checkout_orders WHERE event_id = $1",
		.effect = POSTGRES_READS};
	struct postgres_result rows;
	enum status status = postgres_execute(fixture.orders_judge, &count,
		POSTGRES_PARAMETERS(postgres_uuid(suite.seats->event)), &rows);
	int64_t number = status == STATUS_OK ? postgres_get_bigint(&rows, 0, 0) : 0;
	postgres_result_release(&rows);
	return number;
}

static void who_waits_is_answered(void **state)
{
	pthread_t buyer;
	const char *violation = NULL;
	(void)state;
	assert_int_equal(0, pthread_create(&buyer, NULL, buy, &violation));
	while (order_count() == 0)
		nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
	checkout_orders_end_waits(fixture.orders, 0);
	assert_int_equal(0, pthread_join(buyer, NULL));
	well(violation);
	well(buying_expect(&suite, 0, BUY_PENDING));
}

static void who_comes_later_does_not_begin_to_wait(void **state)
{
	(void)state;
	checkout_orders_end_waits(fixture.orders, 0);
	well(buying_ask(&suite, 1));
	well(buying_expect(&suite, 0, BUY_PENDING));
	assert_int_equal(1, order_count());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_waits_is_answered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			who_comes_later_does_not_begin_to_wait, set_up, tear_down),
	};
	int failed = 1;
	if (checkout_fixture_start(&fixture, &postgres_checkout_subject, "ending",
		    CHECKOUT_FIXTURE_BARE) == STATUS_OK)
		failed = cmocka_run_group_tests_name("ending", tests, NULL, NULL);
	checkout_fixture_stop(&fixture);
	return failed;
}
