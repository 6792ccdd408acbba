/* Orders that others make on the engine's table, to be confirmed later: how they end without having
 * been, how they go on when they are, and who is told. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "tech-locking-and-transactions/checkout_suite_conformance.h"
#include "tech-locking-and-transactions/postgres/postgres_checkout.h"
#include "tech-locking-and-transactions/postgres/postgres_checkout_fixture.h"

enum { STEP_MS = 10, MESSAGE_SIZE = 512, SHORT_MS = 300, TOLD_MAX = 64, PATIENCE_MS = 120000 };

static struct checkout_fixture fixture;
static struct checkout_suite suite;
static char message[MESSAGE_SIZE];

/* What the engine has told, by its threads. */
static struct {
	pthread_mutex_t mutex;
	struct told {
		char key[CHECKOUT_KEY_SIZE], status[32];
		int64_t version;
	} items[TOLD_MAX];
	size_t count;
} told = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void on_changed(void *context, const struct order_change *change)
{
	(void)context;
	(void)pthread_mutex_lock(&told.mutex);
	if (told.count < TOLD_MAX) {
		struct told *item = &told.items[told.count++];
		(void)snprintf(item->key, sizeof item->key, "%.*s", SLICE_PRINT(change->key));
		(void)snprintf(item->status, sizeof item->status, "%s", change->status);
		item->version = change->version;
	}
	(void)pthread_mutex_unlock(&told.mutex);
}

static void well(const char *violation)
{
	if (violation)
		fail_msg("%s", violation);
}

/* ---- Set-up ---- */

static enum status open_engine(const struct checkout_places *places,
	struct payment_provider *const providers[ORDER_STAGES], struct checkout_orders **orders,
	struct fault *fault)
{
	struct postgres_checkout_options options = {.url = places->orders_url,
		.in_flight_max = 64,
		.call_ms_max = 20000,
		.lease_ms = places->lease_ms,
		.backoff_ms_max = 200,
		.wait_ms = places->wait_ms,
		.changed = on_changed};
	memcpy(options.providers, providers, sizeof options.providers);
	return postgres_checkout_engine(&options, orders, fault);
}

static enum status open_checkout(const struct checkout_places *places,
	struct checkout_orders *orders, struct checkout **checkout, struct fault *fault)
{
	return postgres_checkout_open(orders, places->orders_url, checkout, fault);
}

static const struct checkout_subject subject = {
	.name = "postgres-confirmation", .engine = open_engine, .open = open_checkout};

static int set_up(void **state)
{
	(void)state;
	struct seat_suite *seats = suite_open(fixture.factory.seats, 0, 2, message, sizeof message);
	assert_non_null(seats);
	well(suite_stock(seats, BUYING_SEATS));
	well(buying_open(&fixture.factory, seats, &suite));
	(void)pthread_mutex_lock(&told.mutex);
	told.count = 0;
	(void)pthread_mutex_unlock(&told.mutex);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	well(buying_judge(&suite));
	struct seat_suite *seats = suite.seats;
	buying_close(&suite);
	suite_close(seats);
	return 0;
}

/* With nobody at the bank, whoever asks it does not come to an end. */
static int set_up_without_bank(void **state)
{
	simulator_fixture_kill(&fixture.simulator);
	return set_up(state);
}

static int tear_down_with_bank(void **state)
{
	assert_int_equal(STATUS_OK, simulator_fixture_start_again(&fixture.simulator));
	return tear_down(state);
}

/* ---- Orders ---- */

static void run_sql(const char *name, const char *sql, struct id event, struct id order)
{
	struct postgres_result rows;
	const struct postgres_statement statement = {.name = name, .sql = sql};
	assert_int_equal(STATUS_OK,
		postgres_execute(fixture.orders_judge, &statement,
			POSTGRES_PARAMETERS(postgres_uuid(event), postgres_uuid(order)), &rows));
	assert_int_equal(1, rows.affected_count);
	postgres_result_release(&rows);
}

/* An order for the hold of requests[0], as a front makes it. */
static void make_order(int64_t hold_ms)
{
	static const struct postgres_statement make = {.name = "confirmation_make",
		.sql = "INSERT INTO checkout_orders (event_id, order_id, hold_id, hold_version, "
		       "person, method_digest, seat_ids, total, currency, expires_at, status, "
		       "payment_attempt, next_at) "
		       "SELECT h.event_id, $3, h.hold_id, h.version, h.person, '', h.seat_ids, "
		       "h.total, e.currency, h.expires_at, 'requires_confirmation', 0, "
		       "h.expires_at "
		       "FROM seat_holds h JOIN seat_events e USING (event_id) "
		       "WHERE h.event_id = $1 AND h.hold_id = $2"};
	struct postgres_result rows;
	well(buying_hold(&suite, 0, 2, hold_ms));
	const struct buy_request *request = &suite.requests[0];
	assert_int_equal(STATUS_OK,
		postgres_execute(fixture.orders_judge, &make,
			POSTGRES_PARAMETERS(postgres_uuid(request->event),
				postgres_uuid(request->hold), postgres_uuid(request->order)),
			&rows));
	assert_int_equal(1, rows.affected_count);
	postgres_result_release(&rows);
}

static void change_order(const char *name, const char *sql)
{
	run_sql(name, sql, suite.requests[0].event, suite.requests[0].order);
}

static void cancel_order(void)
{
	change_order("confirmation_cancel",
		"UPDATE checkout_orders SET ending = 'cancel', next_at = clock_timestamp() "
		"WHERE event_id = $1 AND order_id = $2");
	checkout_orders_wake_stage(fixture.orders, ORDER_STAGE_ENDING);
}

/* The engine has told of the order: these statuses in this order, with growing versions. Since it
 * tells after the commit, it is waited for. */
static void want_told(const char *const statuses[], size_t count)
{
	int64_t end_ms = clock_monotonic_ms(clock_system()) + PATIENCE_MS;
	size_t found = 0;
	while (found < count && clock_monotonic_ms(clock_system()) < end_ms) {
		nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
		(void)pthread_mutex_lock(&told.mutex);
		found = told.count;
		(void)pthread_mutex_unlock(&told.mutex);
	}
	assert_int_equal(count, found);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(statuses[i], told.items[i].status);
		assert_string_equal(told.items[0].key, told.items[i].key);
		assert_true(i == 0 || told.items[i].version == told.items[i - 1].version + 1);
	}
}

#define WANT_TOLD(...) \
	want_told((const char *const[]){__VA_ARGS__}, \
		sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* ---- Tests ---- */

static void unconfirmed_order_expires_with_its_hold_and_without_a_call(void **state)
{
	(void)state;
	make_order(SHORT_MS);
	well(buying_wait_status(&suite, ORDER_EXPIRED));
	WANT_TOLD("expired");
}

static void unconfirmed_order_is_canceled_without_a_call(void **state)
{
	(void)state;
	make_order(0);
	cancel_order();
	well(buying_wait_status(&suite, ORDER_CANCELED));
	WANT_TOLD("canceled");
}

/* Whoever takes up what a crash has left does not wait for people. */
static void unconfirmed_order_is_not_recovered(void **state)
{
	struct recovery recovery;
	(void)state;
	make_order(0);
	assert_int_equal(STATUS_OK, checkout_recover(suite.checkout, 1, &recovery));
	assert_int_equal(0, recovery.finished + recovery.open);
	cancel_order();
	well(buying_wait_status(&suite, ORDER_CANCELED));
}

/* The mark comes while the provider is asked, and the answer is no: the order could be confirmed
 * again, and so has to be ended all the same. The stage's part is played by hand. */
static void order_that_is_declined_while_being_canceled_is_canceled(void **state)
{
	(void)state;
	make_order(0);
	change_order("confirmation_lease",
		"UPDATE checkout_orders SET status = 'authorizing', payment_attempt = 1, ending = "
		"'cancel', lease_token = order_id, next_at = clock_timestamp() + interval '1 hour' "
		"WHERE event_id = $1 AND order_id = $2");
	change_order("confirmation_decline",
		"SELECT * FROM checkout_move('authorizing', ARRAY[checkout_key($1, $2)], "
		"ARRAY[$2], ARRAY['declined'], ARRAY[-1]::bigint[], ARRAY[0], ARRAY[false], "
		"ARRAY[NULL], ARRAY[NULL], ARRAY['card_declined'], ARRAY[NULL], ARRAY[NULL], "
		"ARRAY[NULL], ARRAY['none'], ARRAY[NULL], ARRAY[NULL], false)");
	checkout_orders_wake_stage(fixture.orders, ORDER_STAGE_ENDING);
	well(buying_wait_status(&suite, ORDER_CANCELED));
}

static void confirmed_order_is_paid_and_each_status_is_told(void **state)
{
	(void)state;
	make_order(0);
	change_order("confirmation_confirm",
		"UPDATE checkout_orders SET status = 'authorizing', version = version + 1, "
		"payment_attempt = payment_attempt + 1, payment_method = 'pm_card_visa', "
		"key_at = clock_timestamp(), next_at = clock_timestamp() "
		"WHERE event_id = $1 AND order_id = $2");
	checkout_orders_wake_stage(fixture.orders, ORDER_STAGE_AUTHORIZE);
	well(buying_wait_status(&suite, ORDER_PAID));
	WANT_TOLD("authorized", "finalized", "capturing", "paid");
	well(buying_expect_ledger(&suite, 0, "capture", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			unconfirmed_order_expires_with_its_hold_and_without_a_call,
			set_up_without_bank, tear_down_with_bank),
		cmocka_unit_test_setup_teardown(unconfirmed_order_is_canceled_without_a_call,
			set_up_without_bank, tear_down_with_bank),
		cmocka_unit_test_setup_teardown(
			unconfirmed_order_is_not_recovered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			order_that_is_declined_while_being_canceled_is_canceled,
			set_up_without_bank, tear_down_with_bank),
		cmocka_unit_test_setup_teardown(
			confirmed_order_is_paid_and_each_status_is_told, set_up, tear_down),
	};
	int failed = 1;
	if (checkout_fixture_start(&fixture, &subject, "confirmation", CHECKOUT_FIXTURE_WHOLE) ==
		STATUS_OK)
		failed = cmocka_run_group_tests_name("confirmation", tests, NULL, NULL);
	checkout_fixture_stop(&fixture);
	return failed;
}
