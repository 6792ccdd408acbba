/* The fight: 64 buyers in threads of their own want the same 100 seats, and remember what they were
 * told, for the judge (simplest_judge_fixture.h).
 *
 * A buyer makes a bounded number of attempts. Each wants one to four seats in a random order (so
 * that two buyers lock what they share in opposite orders, if the server lets them), and with what
 * it got it does by chance one of: buy, be declined and then buy or give back, buy and ask again
 * with the same or another key, give back, leave it. A request without an answer is repeated with
 * its key until it has one; so at the end a buyer knows what became of each. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "lib/testkit/random.h"
#include "simplest-implementation/simplest_fixture.h"

enum {
	FIGHT_BUYERS = 64,
	FIGHT_SEATS = 100,
	FIGHT_ATTEMPTS = 12,
	FIGHT_SEATS_WANTED_MAX = 4,
	FIGHT_ANSWER_MS_MAX = 90000, /* Then a buyer gives up, which is a fault. */
};

/* What a buyer takes from the server without calling it a fault. */
enum fight_mood {
	FIGHT_CALM,      /* What the API promises, and 503. */
	FIGHT_DISTURBED, /* Also lost connections and time-outs. */
	FIGHT_UNGUARDED, /* Also 500, 404 and 410, since a guard is off. */
};

struct fight;

struct buyer {
	struct fight *fight;
	pthread_t thread;
	struct random random;
	struct http_client client;
	struct http_client_reply reply;
	json_t *json;  /* Of the reply. */
	json_t *holds; /* What it was granted: {holdId, state, seats, total, order?}. */
	size_t number, key_count;
	size_t repetition_count; /* Requests that had to be sent again. */
	size_t failure_count;    /* 500, when that is no fault. */
	char fault[512];         /* The first thing that must not be; empty: none. */
};

struct fight {
	char event[EVENT_ID_SIZE];
	uint64_t round;
	enum fight_mood mood;
	atomic_size_t purchase_count; /* Acknowledged so far. */
	atomic_size_t finished_count; /* Buyers that are done. */
	struct buyer buyers[FIGHT_BUYERS];
};

/* Make an event and let the buyers loose. Everything they choose depends on the seed of the run and
 * on `round`. The fight is large: static. */
void fight_start(struct fight *fight, uint64_t round, enum fight_mood mood);

/* Wait until so many purchases are acknowledged. False: the fight was over before. */
bool fight_reaches(struct fight *fight, size_t purchase_count);

/* Wait for the buyers. */
void fight_join(struct fight *fight);

size_t fight_repetition_count(const struct fight *fight);
size_t fight_failure_count(const struct fight *fight);

/* What all buyers remember, for the judge: the caller gives it back by json_decref. */
json_t *fight_history(const struct fight *fight);

/* Fails the test if a buyer has met a fault, or if the judge finds anything. */
void fight_want_order(const struct fight *fight);

void fight_release(struct fight *fight);
