/* Holds end by themselves: at once for whoever looks, and for good by the sweeper. */
#include "simplest-implementation/simplest_fixture.h"

enum { HOLD_MS = 200, EXPIRED_MS = HOLD_MS + 50 };

/* No sweeper comes along while these tests run; its first round is before the first request. */
static int start_unswept(void **state)
{
	(void)state;
	SERVER_START("HOLD_DURATION=200ms", "SWEEP_INTERVAL=1h");
	return 0;
}

static int start_swept(void **state)
{
	(void)state;
	SERVER_START("HOLD_DURATION=200ms", "SWEEP_INTERVAL=50ms");
	return 0;
}

/* Holds last, and those that are to end are ended by the test. */
static int start_patient(void **state)
{
	(void)state;
	SERVER_START("HOLD_DURATION=1h", "SWEEP_INTERVAL=1h");
	return 0;
}

static int start_patient_and_swept(void **state)
{
	(void)state;
	SERVER_START("HOLD_DURATION=1h", "SWEEP_INTERVAL=50ms");
	return 0;
}

/* Let this hold have run out a second ago. */
static void hold_run_out(const char *event, const char *hold)
{
	const char *own = strrchr(hold, '.') + 1;
	database_run(text("update holds set expires_at = now() - interval '1 s' "
			  "where event_id = '%s' and hold_id = '%s';"
			  "update seat_inventory set reserved_until = now() - interval '1 s' "
			  "where event_id = '%s' and hold_id = '%s'",
		event, own, event, own));
}

static int64_t stored_holds(const char *event, const char *status)
{
	return database_count("select count(*) from holds where event_id = '%s' and status = '%s'",
		event, status);
}

static void expired_hold_is_gone_without_a_sweep(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE], hold[HOLD_ID_SIZE], next[HOLD_ID_SIZE];
	event_make("Expiry", 4, event);
	hold_make(event, "\"s-1\",\"s-2\"", hold);
	pause_ms(EXPIRED_MS);
	assert_int_equal(4, seats_with(event, "available"));
	assert_int_equal(0, seats_with(event, "held"));
	array_at(look(text("/events/%s/seats?status=available", event)), "items", 4);
	array_at(look(text("/events/%s/seats?status=held", event)), "items", 0);
	buy(hold, "pm_card_visa", 410);
	want_problem("hold-expired");
	/* The row still says "held": nobody has swept it. */
	assert_int_equal(1, stored_holds(event, "held"));
	hold_make(event, "\"s-2\",\"s-3\"", next);
	/* Neither buying nor releasing the old one touches what another holds by now. */
	buy(hold, "pm_card_visa", 410);
	ask("DELETE", text("/holds/%s", hold), NULL, NULL, 204);
	assert_int_equal(1, stored_holds(event, "released"));
	assert_int_equal(1,
		database_count(
			"select count(distinct hold_id) from seat_inventory where event_id = "
			"'%s' and status = 'held'",
			event));
	assert_int_equal(
		0, database_count("select count(*) from orders where event_id = '%s'", event));
}

static void expired_hold_can_be_taken_and_bought_by_another(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE], hold[HOLD_ID_SIZE];
	event_make("Second", 4, event);
	hold_make(event, "\"s-1\"", hold);
	hold_run_out(event, hold);
	buy(hold, "pm_card_visa", 410);
	hold_make(event, "\"s-1\"", hold);
	buy(hold, "pm_card_visa", 200);
	assert_int_equal(1, seats_with(event, "sold"));
}

static void sweeper_frees_and_logs(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE], hold[HOLD_ID_SIZE];
	event_make("Swept", 4, event);
	hold_make(event, "\"s-1\",\"s-2\"", hold);
	const char *left = text("select count(*) from seat_inventory where event_id = '%s' and "
				"(status <> 'available' or hold_id is not null)",
		event);
	database_wait(left, 0);
	assert_int_equal(1, stored_holds(event, "expired"));
	buy(hold, "pm_card_visa", 410);
	ask("DELETE", text("/holds/%s", hold), NULL, NULL, 204);
	assert_int_equal(1, stored_holds(event, "expired"));
	for (int i = 0; i < 1000 && !server_has_logged("holds.expired"); i++)
		pause_ms(20);
	assert_true(server_has_logged("\"event\":\"holds.expired\",\"count\":1"));
}

static void sweeper_leaves_what_is_bought_or_alive(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE], sold[HOLD_ID_SIZE], released[HOLD_ID_SIZE], alive[HOLD_ID_SIZE];
	event_make("Left", 6, event);
	hold_make(event, "\"s-1\"", sold);
	buy(sold, "pm_card_visa", 200);
	hold_make(event, "\"s-2\"", released);
	ask("DELETE", text("/holds/%s", released), NULL, NULL, 204);
	hold_make(event, "\"s-3\"", alive);
	/* Several rounds of the sweeper. */
	pause_ms(300);
	assert_int_equal(1, seats_with(event, "held"));
	hold_run_out(event, alive);
	char query[256];
	snprintf(query, sizeof query,
		"select count(*) from holds where event_id = '%s' and status = 'expired'", event);
	database_wait(query, 1);
	assert_int_equal(5, seats_with(event, "available"));
	assert_int_equal(1, seats_with(event, "sold"));
	assert_int_equal(1, stored_holds(event, "sold"));
	assert_int_equal(1, stored_holds(event, "released"));
	assert_int_equal(1, stored_holds(event, "expired"));
	buy(sold, "pm_card_visa", 200);
}

/* The purchase begins in time, waits for a lock, and gets it too late: the time after the wait
 * counts, and nothing of the purchase is left. */
static void hold_that_expires_while_a_purchase_waits_is_410(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE], hold[HOLD_ID_SIZE];
	struct http_client_reply reply = {0};
	struct http_client client;
	event_make("Waiting", 4, event);
	http_client_init(&client, simplest.port);
	hold_make(event, "\"s-1\"", hold);
	PGconn *lock =
		database_lock(text("select from seat_inventory where event_id = '%s'", event));
	send_only(&client, "POST", text("/holds/%s/purchase", hold), new_key(),
		"{\"paymentMethod\":\"pm_card_visa\"}");
	pause_ms(EXPIRED_MS + HOLD_MS);
	PQfinish(lock);
	assert_int_equal(HTTP_CLIENT_OK, http_client_receive(&client, "POST", &reply));
	assert_int_equal(410, reply.status);
	http_client_reply_release(&reply);
	http_client_release(&client);
	assert_int_equal(4, seats_with(event, "available"));
	assert_int_equal(
		0, database_count("select count(*) from charges where event_id = '%s'", event));
}

static void keys_are_kept_for_24_hours(void **state)
{
	(void)state;
	char event[EVENT_ID_SIZE];
	event_make("Keys", 4, event);
	char path[128], old[64], young[64];
	snprintf(path, sizeof path, "/events/%s/holds", event);
	snprintf(old, sizeof old, "%s", new_key());
	snprintf(young, sizeof young, "%s", new_key());
	ask("POST", path, old, "{\"userId\":\"u\",\"seats\":[\"s-1\"]}", 201);
	ask("POST", path, young, "{\"userId\":\"u\",\"seats\":[\"s-2\"]}", 201);
	database_run(text("update idempotency_keys set created_at = now() - interval '23 h 59 min' "
			  "where key = '%s'",
		young));
	database_run(text("update idempotency_keys set created_at = now() - interval '24 h 1 s' "
			  "where key = '%s'",
		old));
	char query[256];
	snprintf(
		query, sizeof query, "select count(*) from idempotency_keys where key = '%s'", old);
	database_wait(query, 0);
	pause_ms(200);
	assert_int_equal(
		1, database_count("select count(*) from idempotency_keys where key = '%s'", young));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVER_TEST(expired_hold_is_gone_without_a_sweep, start_unswept),
		SERVER_TEST(expired_hold_can_be_taken_and_bought_by_another, start_patient),
		SERVER_TEST(hold_that_expires_while_a_purchase_waits_is_410, start_unswept),
		SERVER_TEST(sweeper_frees_and_logs, start_swept),
		SERVER_TEST(sweeper_leaves_what_is_bought_or_alive, start_patient_and_swept),
		SERVER_TEST(keys_are_kept_for_24_hours, start_swept),
	};
	return cmocka_run_group_tests(tests, simplest_set_up, simplest_tear_down);
}
