#include "simplest-implementation/simplest_judge_fixture.h"

#include <inttypes.h>

#include "simplest-implementation/simplest_judge.sql.h"

static const struct {
	const char *name, *sql;
} checks[JUDGED_COUNT] = {
	[JUDGED_SECOND_TICKETS] = {"seats with two tickets", judge_second_tickets},
	[JUDGED_SOLD_TO_TWO] = {"seats sold to two", judge_sold_to_two},
	[JUDGED_LOST_TICKETS] = {"acknowledged tickets lost", judge_lost_tickets},
	[JUDGED_LOST_HOLDS] = {"acknowledged holds lost", judge_lost_holds},
	[JUDGED_UNTOLD_TICKETS] = {"tickets that nobody was told of", judge_untold_tickets},
	[JUDGED_UNTOLD_HOLDS] = {"holds that nobody was told of", judge_untold_holds},
	[JUDGED_MISSING_SEATS] = {"missing seats", judge_missing_seats},
	[JUDGED_SEATS_AT_ODDS_WITH_TICKETS] = {"seats at odds with tickets",
		judge_seats_at_odds_with_tickets},
	[JUDGED_SEATS_AT_ODDS_WITH_HOLDS] = {"seats at odds with holds",
		judge_seats_at_odds_with_holds},
	[JUDGED_ORDERS_AT_ODDS_WITH_CHARGES] = {"orders at odds with charges",
		judge_orders_at_odds_with_charges},
	[JUDGED_ORDERS_AT_ODDS_WITH_HOLDS] = {"orders at odds with holds",
		judge_orders_at_odds_with_holds},
	[JUDGED_ORDERS_AT_ODDS_WITH_PRICES] = {"orders at odds with prices",
		judge_orders_at_odds_with_prices},
	[JUDGED_ORDERS_WITHOUT_ANSWER] = {"orders without their answer",
		judge_orders_without_answer},
	[JUDGED_MISCOUNTED] = {"seats miscounted by the API", NULL},
};

static int64_t ask_database(
	PGconn *database, const char *sql, const char *event, int64_t seats, const char *history)
{
	char seat_count[24];
	snprintf(seat_count, sizeof seat_count, "%" PRId64, seats);
	const char *const values[] = {event, history, seat_count};
	/* Typed here, since most statements do not use all three. */
	const Oid types[] = {2950 /* uuid */, 114 /* json */, 20 /* bigint */};
	PGresult *result = PQexecParams(database, sql, 3, types, values, NULL, NULL, 0);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQresultErrorMessage(result));
	int64_t found = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return found;
}

/* By how many seats GET /events/{eventId} is off. */
static int64_t miscounted(const char *event, int64_t seats)
{
	int64_t sum = 0, off = 0;
	const char *const names[] = {"available", "held", "sold"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		int64_t counted = seats_with(event, names[i]);
		sum += counted;
		off += llabs(counted -
			database_count("select count(*) from seat_inventory where event_id = '%s' "
				       "and status = '%s'",
				event, names[i]));
	}
	return off + llabs(sum - seats) + llabs(seats_with(event, "total") - seats);
}

struct verdict judge(const char *event, int64_t seats, const json_t *history)
{
	struct verdict verdict = {.total = 0};
	size_t size = 0;
	char *told = json_dumps(history, JSON_COMPACT);
	assert_non_null(told);
	PGconn *database = database_connect();
	for (size_t i = 0; i < JUDGED_COUNT; i++) {
		verdict.found[i] = checks[i].sql
			? ask_database(database, checks[i].sql, event, seats, told)
			: miscounted(event, seats);
		verdict.total += verdict.found[i];
		if (verdict.found[i] > 0)
			size += (size_t)snprintf(verdict.words + size, sizeof verdict.words - size,
				"%" PRId64 " %s. ", verdict.found[i], checks[i].name);
		assert_true(size < sizeof verdict.words);
	}
	PQfinish(database);
	free(told);
	return verdict;
}
