/* See postgres_seats_fixture.h. */
#include "tech-locking-and-transactions/postgres/postgres_seats_fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "tech-locking-and-transactions/postgres/judge.sql.h"

enum { CALL_MS_MAX = 60000, LOCK_MS_MAX = 50000 };

static const struct postgres_statement lock_hold = {.name = "block_hold",
	.sql = "SELECT FROM seat_holds WHERE event_id = $1 AND hold_id = $2 FOR UPDATE"};
static const struct postgres_statement lock_seats = {.name = "block_seats",
	.sql = "SELECT FROM seats WHERE event_id = $1 AND hold_id = $2 ORDER BY seat_id FOR "
	       "UPDATE"};
static const struct postgres_statement count_waiting = {.name = "count_waiting",
	.sql = "SELECT count(*) FROM pg_locks WHERE NOT granted",
	.effect = POSTGRES_READS};

static enum status open_url(
	const char *url, enum postgres_seats_technique technique, struct seat_store **store)
{
	struct fault fault = {0};
	struct postgres_seats_options options = {.url = url,
		.application_name = "seats",
		.technique = technique,
		.call_ms_max = CALL_MS_MAX,
		.lock_ms_max = LOCK_MS_MAX};
	enum status status = postgres_seats_open(&options, store, &fault);
	if (status != STATUS_OK)
		fprintf(stderr, "%s: %s\n", fault.where, fault.what);
	return status;
}

enum status seats_fixture_open(struct seats_fixture *fixture,
	enum postgres_seats_technique technique, struct seat_store **store)
{
	return open_url(fixture->postgres.url, technique, store);
}

/* ---- the factory ---- */

static enum status open_store(void *context, struct seat_store **store)
{
	struct seats_fixture *fixture = context;
	return seats_fixture_open(fixture, fixture->technique, store);
}

static void advance(void *context, int64_t ms)
{
	(void)context;
	struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	while (nanosleep(&pause, &pause) != 0)
		;
}

static enum status restart(void *context)
{
	struct seats_fixture *fixture = context;
	enum status status = postgres_fixture_kill(&fixture->postgres);
	return status == STATUS_OK ? postgres_fixture_start_again(&fixture->postgres) : status;
}

static enum status open_faulty(void *context, struct seat_store **store)
{
	struct seats_fixture *fixture = context;
	return open_url(fault_proxy_url(fixture->proxy), fixture->technique, store);
}

/* Of a batch, the answer to its one statement, by the name under which it was prepared; of a
 * transaction, that to COMMIT. */
static void lose_answer(void *context)
{
	struct seats_fixture *fixture = context;
	bool batched = fixture->technique == POSTGRES_SEATS_BATCHED;
	fault_proxy_lose_reply(fixture->proxy,
		batched ? slice_of("batched_") : (struct slice){"commit", sizeof "commit"});
}

static enum status block(void *context, struct id event, struct id hold)
{
	struct seats_fixture *fixture = context;
	enum status status = postgres_begin(fixture->blocker, POSTGRES_READ_COMMITTED);
	if (status == STATUS_OK)
		status = postgres_execute(fixture->blocker, &lock_hold,
			POSTGRES_PARAMETERS(postgres_uuid(event), postgres_uuid(hold)), NULL);
	if (status == STATUS_OK)
		status = postgres_execute(fixture->blocker, &lock_seats,
			POSTGRES_PARAMETERS(postgres_uuid(event), postgres_uuid(hold)), NULL);
	return status;
}

static void unblock(void *context)
{
	struct seats_fixture *fixture = context;
	postgres_rollback(fixture->blocker);
}

int64_t seats_fixture_waiting(struct seats_fixture *fixture)
{
	struct postgres_result rows;
	int64_t count = 0;
	if (postgres_execute(fixture->judge, &count_waiting, POSTGRES_NO_PARAMETERS, &rows) ==
		STATUS_OK)
		count = postgres_get_bigint(&rows, 0, 0);
	postgres_result_release(&rows);
	return count;
}

static bool somebody_waits(void *context)
{
	return seats_fixture_waiting(context) > 0;
}

/* ---- the judge ---- */

#define JUDGE(name_) \
	{ \
		.name = "judge_" #name_, .sql = judge_##name_, .effect = POSTGRES_READS \
	}

const char *seats_fixture_judge(void *context, struct id event, char *message, size_t message_size)
{
	static const struct postgres_statement questions[] = {JUDGE(second_tickets),
		JUDGE(seats_at_odds_with_holds), JUDGE(seats_at_odds_with_tickets),
		JUDGE(sales_at_odds_with_tickets), JUDGE(tickets_with_other_ids),
		JUDGE(sold_too_late), JUDGE(versions_at_odds)};
	struct seats_fixture *fixture = context;
	for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
		struct postgres_result rows;
		enum status status = STATUS_UNAVAILABLE;
		/* A server that was killed meanwhile is asked once more. */
		for (int attempt = 0; attempt < 3 && status == STATUS_UNAVAILABLE; attempt++)
			status = postgres_execute(fixture->judge, &questions[i],
				POSTGRES_PARAMETERS(postgres_uuid(event)), &rows);
		int64_t wrong = status == STATUS_OK ? postgres_get_bigint(&rows, 0, 0) : -1;
		postgres_result_release(&rows);
		if (wrong == 0)
			continue;
		snprintf(message, message_size, "%s: %" PRId64, questions[i].name, wrong);
		return message;
	}
	return NULL;
}

/* ---- life ---- */

static struct postgres *connect_to(const char *url)
{
	return postgres_open(&(struct postgres_options){.url = url,
		.application_name = "fixture",
		.call_ms_max = CALL_MS_MAX,
		.lock_ms_max = LOCK_MS_MAX});
}

enum status seats_fixture_start(
	struct seats_fixture *fixture, const char *name, enum postgres_seats_technique technique)
{
	*fixture = (struct seats_fixture){.technique = technique};
	enum status status = postgres_fixture_start(&fixture->postgres, name);
	if (status != STATUS_OK)
		return status;
	fixture->proxy = fault_proxy_open(fixture->postgres.url);
	fixture->blocker = connect_to(fixture->postgres.url);
	fixture->judge = connect_to(fixture->postgres.url);
	fixture->factory =
		(struct seat_store_factory){.name = postgres_seats_technique_name(technique),
			.context = fixture,
			.open = open_store,
			.advance = advance,
			.restart = restart,
			.open_faulty = open_faulty,
			.lose_answer = lose_answer,
			.block = block,
			.somebody_waits = somebody_waits,
			.unblock = unblock,
			.judge = seats_fixture_judge};
	bool whole = fixture->proxy && fixture->blocker && fixture->judge;
	return whole ? STATUS_OK : STATUS_UNAVAILABLE;
}

void seats_fixture_stop(struct seats_fixture *fixture)
{
	postgres_close(fixture->blocker);
	postgres_close(fixture->judge);
	fault_proxy_close(fixture->proxy);
	postgres_fixture_stop(&fixture->postgres);
}
