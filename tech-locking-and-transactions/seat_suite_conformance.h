/* What the checks of the suite are made with. Private to the suite.
 *
 * A helper returns NULL, or what is violated, as a check does; CHECK and TRY pass it on. */
#pragma once

#include "lib/testkit/random.h"
#include "tech-locking-and-transactions/seat_store_conformance.h"

enum {
	SUITE_STORES = 2,
	SUITE_SEATS_MAX = 400,
	SUITE_NAME_SIZE = 16,
	SUITE_PATIENCE_MS = 60000, /* For what has to happen at some time. */
	SUITE_STEP_MS = 20,        /* Between two looks. */
	SUITE_LONG_MS = 3600000,   /* A hold that does not end during a check. */
	SUITE_ARENA_BYTES_MAX = 16 << 20,
};

/* A request to hold the seats `first` to `first` + `count` - 1. */
struct suite_ask {
	struct id hold; /* Zero: a new one. */
	const char *person;
	int first, count;
	int64_t hold_ms; /* 0: SUITE_LONG_MS. */
	bool reverse;    /* The last seat is named first. */
};

struct seat_suite {
	const struct seat_store_factory *factory;
	struct seat_store *stores[SUITE_STORES];
	const struct seat_store_traits *traits;
	struct random random;
	struct id event;
	char *message;
	size_t message_size;
	struct arena arena; /* Of what was looked up; reset by suite_reset. */

	char names[SUITE_SEATS_MAX][SUITE_NAME_SIZE]; /* "s-001", in order. */
	struct slice seats[SEAT_STORE_BATCH_MAX][SEAT_STORE_SEATS_MAX];

	/* What the last call was about and gave back. */
	struct hold_request holds[SEAT_STORE_BATCH_MAX];
	struct hold_result held[SEAT_STORE_BATCH_MAX];
	struct sell_request sells[SEAT_STORE_BATCH_MAX];
	struct sell_result sold[SEAT_STORE_BATCH_MAX];
	struct release_request releases[SEAT_STORE_BATCH_MAX];
	enum release_outcome released[SEAT_STORE_BATCH_MAX];
	struct revoke_request revokes[SEAT_STORE_BATCH_MAX];
	enum revoke_outcome revoked[SEAT_STORE_BATCH_MAX];
	struct hold_name names_looked_up[SEAT_STORE_BATCH_MAX];
	struct hold_record records[SEAT_STORE_BATCH_MAX];
	struct hold_name expired[SEAT_STORE_BATCH_MAX];
	size_t expired_count;
	struct seat_view views[SUITE_SEATS_MAX]; /* Texts are gone, but for the names. */
	size_t view_count;
	bool found;
};

/* Open so many instances, at most SUITE_STORES, and draw an event id that nobody has. NULL when
 * that fails, which `message` then says. */
struct seat_suite *suite_open(const struct seat_store_factory *factory, uint64_t seed, int stores,
	char *message, size_t message_size);
void suite_close(struct seat_suite *suite);

__attribute__((format(printf, 2, 3))) const char *suite_violation(
	struct seat_suite *suite, const char *format, ...);

/* They return from the check, which no function could. */
#define CHECK(suite, condition, ...) \
	do { \
		if (!(condition)) \
			return suite_violation(suite, __VA_ARGS__); \
	} while (0)
#define TRY(expression) \
	do { \
		const char *violation_ = (expression); \
		if (violation_) \
			return violation_; \
	} while (0)

/* ---- time ---- */

int64_t suite_now_ms(const struct seat_suite *suite);

/* Let a step pass. False once SUITE_PATIENCE_MS have passed since `start_ms`. */
bool suite_wait(const struct seat_suite *suite, int64_t start_ms);

/* Let time pass until this moment is over, by the clock of the holds and a little. */
void suite_pass(const struct seat_suite *suite, int64_t until_ms);

/* ---- calls; `store` is the number of the instance. What cannot be done is a violation, and so is
 * any status but OK. ---- */

/* Ids that follow from the suite's random numbers, so that a run can be repeated. */
struct id suite_id(struct seat_suite *suite);

/* What one pays for the seat with this number. */
int64_t suite_price(int seat);

/* Put the seats 0 to count - 1 on sale. */
const char *suite_stock(struct seat_suite *suite, int count);

/* Write a request into suite->holds[index]. */
void suite_ask(struct seat_suite *suite, size_t index, const struct suite_ask *ask);

const char *suite_hold(struct seat_suite *suite, int store, size_t count);
/* One request: the answer is held[0]. */
const char *suite_hold_one(struct seat_suite *suite, int store, const struct suite_ask *ask);
/* One that has to be granted. */
const char *suite_grant(struct seat_suite *suite, int store, const struct suite_ask *ask);

/* The sale of holds[index] as held[index] granted it. */
void suite_offer(struct seat_suite *suite, size_t index, struct id order);
const char *suite_sell(struct seat_suite *suite, int store, size_t count);
const char *suite_release(struct seat_suite *suite, int store, size_t count);
/* Of holds[0], by its person; the answer is released[0]. */
const char *suite_release_one(struct seat_suite *suite, int store);
/* The answer is revoked[0]. */
const char *suite_revoke_one(struct seat_suite *suite, int store, struct id order);
const char *suite_expire(struct seat_suite *suite, int store, size_t max);
/* Of the hold with this id: records[0]. */
const char *suite_look_up(struct seat_suite *suite, int store, struct id hold);
/* Into views, view_count and found. */
const char *suite_view(struct seat_suite *suite, int store);
/* Whether the seats first to first + count - 1 are all of this status, as anybody sees. */
const char *suite_expect(
	struct seat_suite *suite, int first, int count, enum seat_status status, const char *when);
/* The technology's own judge, where it has one. */
const char *suite_judge(struct seat_suite *suite);

/* Run `work` in this many threads, each with a suite of its own, of one instance, on the same
 * event, and a number from 0. `shared` is handed to all. */
typedef const char *suite_work(struct seat_suite *suite, int number, void *shared);
const char *suite_parallel(struct seat_suite *suite, int threads, suite_work *work, void *shared);

/* ---- the checks, by file ---- */

typedef const char *suite_check(struct seat_suite *suite);

/* hold_conformance.c */
suite_check check_traits, check_stock, check_stock_refusals, check_unknown_event, check_held_once,
	check_all_or_nothing, check_no_such_seat, check_repeated_hold, check_other_request,
	check_seat_named_twice, check_release, check_malformed;
/* sell_conformance.c */
suite_check check_sale, check_sold_once, check_wrong_person, check_fence, check_orders,
	check_revoke, check_tickets;
/* time_conformance.c */
suite_check check_expired_is_not_sold, check_expired_is_free, check_expire, check_release_expired,
	check_wait_past_expiry;
/* batch_conformance.c */
suite_check check_batch_limits, check_bad_among_good, check_claims_in_a_batch,
	check_repeated_in_a_batch, check_later_of_a_batch, check_sales_in_a_batch;
/* contention_conformance.c */
suite_check check_one_seat, check_hundred_seats, check_opposite_orders, check_exact_refusals,
	check_repeated_in_flight, check_sell_and_expire;
/* fault_conformance.c */
suite_check check_lost_answer, check_restart;
