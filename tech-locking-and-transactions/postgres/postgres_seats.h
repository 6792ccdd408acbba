/* The seat store on PostgreSQL, in three techniques behind the same operations:
 *
 *	pessimistic  a transaction per hold or sale, SELECT … FOR UPDATE first
 *	optimistic   look without a lock, write what still has the version that was seen, or again
 *	batched      one statement and one commit for all that wait: the product's form
 *
 * The techniques differ in hold and sell. Everything else is one set of statements, over arrays.
 * All of them share the tables of schema/seat_store.sql, so instances of different techniques, in
 * several processes, may work on the same seats at the same time; the database decides.
 *
 *	struct postgres_seats_options options = {.url = url, .technique = POSTGRES_SEATS_BATCHED};
 *	struct seat_store *store;
 *	if (postgres_seats_open(&options, &store, &fault) != STATUS_OK)
 *		…
 *
 * Locks are taken in one order everywhere: rows of holds, rows of seats, tickets; within a table by
 * the bytes of the keys. What waits for a lock longer than lock_ms_max, or meets a deadlock all the
 * same, is tried again a few times and then UNAVAILABLE. */
#pragma once

#include "lib/postgres/postgres.h"
#include "tech-locking-and-transactions/seat_store.h"

enum postgres_seats_technique {
	POSTGRES_SEATS_BATCHED,
	POSTGRES_SEATS_PESSIMISTIC,
	POSTGRES_SEATS_OPTIMISTIC,
	POSTGRES_SEATS_TECHNIQUE_COUNT,
};

/* Zero means the default. The texts are copied. */
struct postgres_seats_options {
	const char *url;
	const char *application_name;
	enum postgres_seats_technique technique;
	int64_t call_ms_max; /* For each statement: see postgres.h. */
	int64_t lock_ms_max;
	bool fail_fast; /* Who waits is told at once when the database is away: see postgres.h. */
	/* Of the pessimistic and optimistic transactions. What is not READ COMMITTED is for
	 * measuring what it costs: the locks make it neither safer nor simpler. */
	enum postgres_isolation isolation;
};

/* Open an instance, and make the tables where they are missing. REFUSED: what no retry mends.
 * UNAVAILABLE: the database does not answer. */
__attribute__((warn_unused_result)) enum status postgres_seats_open(
	const struct postgres_seats_options *options, struct seat_store **store,
	struct fault *fault);

/* "pessimistic", "optimistic", "batched". False if there is no such technique. */
const char *postgres_seats_technique_name(enum postgres_seats_technique technique);
bool postgres_seats_technique_parse(struct slice name, enum postgres_seats_technique *technique);

/* Hold any `request->seat_count` free seats of a section, for who does not choose; `request->seats`
 * is not looked at, and look_up tells which they are. Whoever else is taking seats at the moment is
 * not waited for (FOR UPDATE … SKIP LOCKED): theirs are passed over, so a crowd spreads over the
 * section instead of queueing for its first row. One request, one statement, of an instance of any
 * technique.
 *
 * Statuses, and outcomes, as seat_store.h's hold, but TAKEN (`which` is 0) says only that fewer
 * were free that nobody was busy with; a moment later there may be more. Repeated, the first
 * answer. The section and the person are text within the limits of seat_store.h; REFUSED otherwise.
 */
__attribute__((warn_unused_result)) enum status postgres_seats_hold_any(struct seat_store *store,
	const struct hold_request *request, struct slice section, struct hold_result *result);

/* Sell within the caller's open transaction, so that the sale commits together with what else is in
 * it, such as the order: seat_store.h's sell for one request, by row locks. After any status but OK
 * the transaction has failed. After OK with a refusal nothing was written, and it may go on. */
__attribute__((warn_unused_result)) enum status postgres_seats_sell_within(
	struct postgres *pg, const struct sell_request *request, struct sell_result *result);
