/* See checkout_fixture.h. */
#include "tech-locking-and-transactions/checkout_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/base/clock.h"
#include "tech-locking-and-transactions/checkout_judge.sql.h"
#include "tech-two-phase-payments/stripe/stripe.h"

enum {
	CALL_MS_MAX = 30000,
	ATTEMPT_MS_MAX = 20000,
	IN_FLIGHT_MAX = 64,
	WAIT_MS = 2000,
	LEASE_MS = 3000,
	QUIET_MS_MAX = 120000,
	STEP_MS = 20,
	STOP_MS_MAX = 5000,
	ATTEMPTS_MAX = 3, /* Of the judge, whose connection a kill has broken. */
};

/* ---- the engine ---- */

static enum status open_providers(
	const struct checkout_places *places, struct payment_provider *providers[ORDER_STAGES])
{
	struct fault fault = {0};
	const struct stripe_options options = {.base_url = places->provider_url,
		.secret_key = places->provider_key,
		.in_flight_max = IN_FLIGHT_MAX,
		.submitted_max = IN_FLIGHT_MAX,
		.attempt_ms_max = ATTEMPT_MS_MAX,
		.backoff_ms_max = 200};
	for (size_t i = 0; i < ORDER_STAGES; i++)
		if (stripe_open(&options, &providers[i], &fault) != STATUS_OK) {
			fprintf(stderr, "%s: %s\n", fault.where, fault.what);
			return STATUS_UNAVAILABLE;
		}
	return STATUS_OK;
}

enum status checkout_fixture_engine(const struct checkout_subject *subject,
	const struct checkout_places *places, struct checkout_orders **orders)
{
	struct payment_provider *providers[ORDER_STAGES] = {NULL};
	struct fault fault = {0};
	enum status status = open_providers(places, providers);
	if (status == STATUS_OK)
		status = subject->engine(places, providers, orders, &fault);
	if (status != STATUS_OK) {
		fprintf(stderr, "%s: %s\n", fault.where, fault.what);
		for (size_t i = 0; i < ORDER_STAGES; i++)
			payment_close(providers[i]);
		return status;
	}
	status = checkout_orders_start(*orders);
	if (status != STATUS_OK) {
		checkout_orders_close(*orders);
		*orders = NULL;
	}
	return status;
}

static enum status open_checkout(void *context, struct checkout **checkout)
{
	struct checkout_fixture *fixture = context;
	struct fault fault = {0};
	enum status status =
		fixture->subject->open(&fixture->places, fixture->orders, checkout, &fault);
	if (status != STATUS_OK)
		fprintf(stderr, "%s: %s\n", fault.where, fault.what);
	return status;
}

static enum status restart_cluster(struct postgres_fixture *cluster)
{
	enum status status = postgres_fixture_kill(cluster);
	return status == STATUS_OK ? postgres_fixture_start_again(cluster) : status;
}

static enum status restart_seats(void *context)
{
	struct checkout_fixture *fixture = context;
	return restart_cluster(&fixture->seats.postgres);
}

static enum status restart_orders(void *context)
{
	struct checkout_fixture *fixture = context;
	return restart_cluster(fixture->subject->has_orders_apart ? &fixture->orders_cluster
								  : &fixture->seats.postgres);
}

/* ---- the judge ---- */

#define JUDGE(name_) \
	{ \
		.name = "judge_" #name_, .sql = judge_##name_, .effect = POSTGRES_READS \
	}

static const struct postgres_statement unrest = JUDGE(unrest), sales = JUDGE(sales),
				       judge = JUDGE(judge), load_ledger = JUDGE(load_ledger),
				       load_sales = JUDGE(load_sales),
				       tickets_at_odds = JUDGE(tickets_at_odds),
				       begin_with_event = JUDGE(begin_with_event);

bool checkout_fixture_wait_quiet(void *context)
{
	struct checkout_fixture *fixture = context;
	int64_t end_ms = clock_monotonic_ms(clock_system()) + QUIET_MS_MAX;
	for (;;) {
		struct postgres_result rows;
		bool quiet = postgres_execute(fixture->orders_judge, &unrest,
				     POSTGRES_NO_PARAMETERS, &rows) == STATUS_OK &&
			postgres_get_bigint(&rows, 0, 0) == 0;
		postgres_result_release(&rows);
		if (quiet || clock_monotonic_ms(clock_system()) > end_ms)
			return quiet;
		nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
	}
}

static enum status load(struct checkout_fixture *fixture, struct id event)
{
	struct postgres_result rows = {0};
	json_t *ledger = simulator_fixture_ledger(&fixture->simulator);
	char *items = json_dumps(json_object_get(ledger, "items"), JSON_COMPACT);
	enum status status = postgres_run_script(fixture->orders_judge, judge_empty);
	if (status == STATUS_OK)
		status = postgres_execute(fixture->orders_judge, &load_ledger,
			POSTGRES_PARAMETERS(postgres_text(slice_of(items))), NULL);
	if (status == STATUS_OK)
		status = postgres_execute(fixture->seats_judge, &sales,
			POSTGRES_PARAMETERS(postgres_uuid(event)), &rows);
	if (status == STATUS_OK)
		status = postgres_execute(fixture->orders_judge, &load_sales,
			POSTGRES_PARAMETERS(postgres_text(postgres_get_text(&rows, 0, 0))), NULL);
	postgres_result_release(&rows);
	free(items);
	json_decref(ledger);
	return status;
}

/* Whether something is wrong with tickets beside the orders. */
static bool judge_tickets(
	struct checkout_fixture *fixture, struct id event, char *message, size_t message_size)
{
	struct postgres_result rows;
	if (!fixture->subject->has_orders_apart)
		return false;
	enum status status = postgres_execute(fixture->orders_judge, &tickets_at_odds,
		POSTGRES_PARAMETERS(postgres_uuid(event)), &rows);
	int64_t wrong = status == STATUS_OK ? postgres_get_bigint(&rows, 0, 0) : -1;
	postgres_result_release(&rows);
	if (wrong != 0)
		snprintf(message, message_size, "tickets and orders are at odds: %lld",
			(long long)wrong);
	return wrong != 0;
}

/* Whether an index would mislead the planner. */
static bool judge_indexes(struct postgres *pg, char *message, size_t message_size)
{
	struct postgres_result rows;
	enum status status = postgres_execute(pg, &begin_with_event, POSTGRES_NO_PARAMETERS, &rows);
	bool wrong = status == STATUS_OK && rows.row_count > 0;
	if (wrong)
		snprintf(message, message_size, "the index %.*s begins with the event",
			SLICE_PRINT(postgres_get_text(&rows, 0, 0)));
	postgres_result_release(&rows);
	return wrong;
}

const char *checkout_fixture_judge(
	void *context, struct id event, char *message, size_t message_size)
{
	struct checkout_fixture *fixture = context;
	struct postgres_result rows;
	char event_text[ID_TEXT_SIZE];
	enum status status = STATUS_UNAVAILABLE;
	id_format(event, event_text);
	for (int attempt = 0; attempt < ATTEMPTS_MAX && status != STATUS_OK; attempt++)
		status = load(fixture, event);
	if (status == STATUS_OK)
		status = postgres_execute(fixture->orders_judge, &judge,
			POSTGRES_PARAMETERS(postgres_text(slice_of(event_text))), &rows);
	if (status != STATUS_OK) {
		snprintf(message, message_size, "the judge cannot look: %s",
			postgres_error(fixture->orders_judge)->message);
		return message;
	}
	size_t count = rows.row_count;
	if (count > 0)
		snprintf(message, message_size, "%zu are wrong, such as order %.*s: %.*s", count,
			SLICE_PRINT(postgres_get_text(&rows, 0, 0)),
			SLICE_PRINT(postgres_get_text(&rows, 0, 1)));
	postgres_result_release(&rows);
	if (count > 0 || judge_tickets(fixture, event, message, message_size) ||
		judge_indexes(fixture->orders_judge, message, message_size) ||
		judge_indexes(fixture->seats_judge, message, message_size))
		return message;
	return seats_fixture_judge(&fixture->seats, event, message, message_size);
}

/* ---- life ---- */

static struct postgres *connect_to(const char *url)
{
	return postgres_open(&(struct postgres_options){
		.url = url, .application_name = "fixture", .call_ms_max = CALL_MS_MAX});
}

static enum status start_places(struct checkout_fixture *fixture, const char *name)
{
	enum status status = seats_fixture_start(&fixture->seats, name, POSTGRES_SEATS_BATCHED);
	const char *orders_url = fixture->seats.postgres.url;
	if (status == STATUS_OK && fixture->subject->has_orders_apart) {
		char orders_name[64];
		snprintf(orders_name, sizeof orders_name, "%s-o", name);
		status = postgres_fixture_start(&fixture->orders_cluster, orders_name);
		orders_url = fixture->orders_cluster.url;
	}
	if (status == STATUS_OK)
		status = simulator_fixture_start(&fixture->simulator, NULL);
	fixture->places = (struct checkout_places){.seats_url = fixture->seats.postgres.url,
		.orders_url = orders_url,
		.provider_url = fixture->simulator.url,
		.provider_key = fixture->simulator.key,
		.wait_ms = WAIT_MS,
		.lease_ms = LEASE_MS};
	return status;
}

enum status checkout_fixture_start(struct checkout_fixture *fixture,
	const struct checkout_subject *subject, const char *name, enum checkout_fixture_kind kind)
{
	*fixture = (struct checkout_fixture){.subject = subject};
	json_object_seed(0); /* Before there are threads. */
	enum status status = start_places(fixture, name);
	if (status != STATUS_OK)
		return status;
	fixture->seats_judge = connect_to(fixture->places.seats_url);
	fixture->orders_judge = connect_to(fixture->places.orders_url);
	fixture->factory = (struct checkout_factory){.name = subject->name,
		.context = fixture,
		.seats = &fixture->seats.factory,
		.simulator = &fixture->simulator,
		.open = open_checkout,
		.wait_quiet = checkout_fixture_wait_quiet,
		.judge = checkout_fixture_judge,
		.restart_seats = restart_seats,
		.restart_orders = restart_orders};
	if (!fixture->seats_judge || !fixture->orders_judge)
		return STATUS_UNAVAILABLE;
	if (kind == CHECKOUT_FIXTURE_BARE)
		return STATUS_OK;
	return checkout_fixture_engine(subject, &fixture->places, &fixture->orders);
}

void checkout_fixture_stop(struct checkout_fixture *fixture)
{
	if (fixture->orders)
		checkout_orders_stop(fixture->orders, STOP_MS_MAX);
	checkout_orders_close(fixture->orders);
	postgres_close(fixture->seats_judge);
	postgres_close(fixture->orders_judge);
	(void)simulator_fixture_stop(&fixture->simulator);
	postgres_fixture_stop(&fixture->orders_cluster);
	seats_fixture_stop(&fixture->seats);
}
