/* The auditor beside the real checkout: its engine, its seats, and a provider's simulator as a
 * program. It takes the place of the judge of the checkout's suite, so it has to find nothing wrong
 * after purchases of all kinds and after faults, and to see the one that the suite leaves stuck. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "real-implementation/audit.h"
#include "real-implementation/migrate.h"
#include "tech-locking-and-transactions/postgres/postgres_checkout_fixture.h"

enum { MESSAGE_SIZE = 4096, SETTLE_MS = 60000, CALL_MS_MAX = 60000 };

static struct checkout_fixture fixture;
static struct checkout_factory factory;
static size_t judged; /* How often the auditor was asked. */

/* The suite's checks that are run, "stuck" last, since that stays. */
static const char *const checks[] = {"paid_once", "declined", "proof", "proof_failed", "refusals",
	"other_order", "at_once", "free", "expired_waiting", "expired_authorized",
	"released_meanwhile", "answers_lost", "provider_down", "capture_refused", "restart_orders",
	"stuck"};

/* What the suite sells is of no event that the product knows: let it be of one. */
static enum status adopt_events(void)
{
	return postgres_run_script(fixture.orders_judge,
		"INSERT INTO venues (venue_id, name, city, plan, seat_count, section_count, "
		"sections, categories, made_from) "
		"SELECT '00000000-0000-7000-8000-0000000000a1', 'Hall', 'City', '{}', 1, 1, '[]', "
		"'[]', '' ON CONFLICT DO NOTHING; "
		"INSERT INTO events (event_id, venue_id, name, performers, description, city, "
		"starts_at, on_sale_at, currency, prices, price_from, price_to, status, "
		"seats_per_hold_max, hold_seconds, waiting_room, made_from) "
		"SELECT event_id, '00000000-0000-7000-8000-0000000000a1', 'Event', '{}', '', "
		"'City', now() + interval '1 day', now(), currency, '{}', 0, 0, 'scheduled', 10, "
		"600, '{}', '' FROM seat_events ON CONFLICT DO NOTHING");
}

/* The product keeps a hold for its order also when that was declined; the checkout, whose suite
 * this is, lets another order have it. */
static enum status loosen_holds(void)
{
	return postgres_run_script(fixture.orders_judge, "DROP INDEX one_open_order_per_hold");
}

static const char *judge(void *context, struct id event, char *message, size_t message_size)
{
	struct audit_report *report;
	struct buffer text;
	struct fault fault;
	(void)context;
	(void)event;
	judged++;
	const struct audit_options options = {.database_url = fixture.places.orders_url,
		.settle_ms = SETTLE_MS,
		.ledger_url = fixture.simulator.url,
		.ledger_token = SIMULATOR_ADMIN_TOKEN};
	enum status status = adopt_events();
	if (status == STATUS_OK)
		status = audit(&options, &report, &fault);
	if (status != STATUS_OK) {
		(void)snprintf(message, message_size, "the auditor cannot look: %s: %s",
			fault.where, fault.what);
		return message;
	}
	bool clean = report->violations == 0 && report->ledger_items >= 0;
	buffer_init(&text, AUDIT_REPORT_SIZE_MAX);
	audit_text(report, &text);
	(void)snprintf(message, message_size, "%.*s", SLICE_PRINT(buffer_slice(&text)));
	buffer_release(&text);
	free(report);
	return clean ? NULL : message;
}

static void test_the_auditor_agrees_with_the_engine(void **state)
{
	static char message[MESSAGE_SIZE];
	(void)state;
	for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
		const char *violated = checkout_check(&factory, checks[i], message, sizeof message);
		if (violated)
			fail_msg("%s: %s", checks[i], violated);
	}
	assert_true(judged >= sizeof checks / sizeof checks[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_auditor_agrees_with_the_engine),
	};
	struct migrate_report report;
	struct fault fault;
	int failed = 1;
	if (checkout_fixture_start(&fixture, &postgres_checkout_subject, "audit",
		    CHECKOUT_FIXTURE_WHOLE) == STATUS_OK &&
		migrate(fixture.places.orders_url, CALL_MS_MAX, &report, &fault) == STATUS_OK &&
		loosen_holds() == STATUS_OK) {
		factory = fixture.factory;
		factory.judge = judge;
		failed = cmocka_run_group_tests(tests, NULL, NULL);
	}
	checkout_fixture_stop(&fixture);
	return failed;
}
