/* What the files of the guard share: the instance, and the letters that it sends to Redis. */
#pragma once

#include "lib/redis/redis.h"
#include "tech-locking-and-transactions/redis-guard/redis_guard.h"

enum {
	GUARD_ENTRIES_MAX =
		2000, /* Seats and requests in one script: what unpack takes, and more. */
	GUARD_SCRIPTS_MAX = 2 * SEAT_STORE_BATCH_MAX, /* Each request may be of another event. */
	GUARD_WORDS_MAX = 8,                          /* Of a request, besides its seats. */
	GUARD_ARGUMENTS_MAX = 2 * SEAT_STORE_BATCH_MAX * (SEAT_STORE_SEATS_MAX + GUARD_WORDS_MAX),
	GUARD_IDS_MAX = 2 * 2 * SEAT_STORE_BATCH_MAX,
	GUARD_OWED_MAX = 64,      /* Events that Redis has to be told of. */
	GUARD_KEEP_MS = 86400000, /* At least: as long as an Idempotency-Key is kept. */
};

_Static_assert((int)GUARD_SCRIPTS_MAX <= (int)REDIS_REQUESTS_MAX, "a letter is one pipeline");
_Static_assert((int)SEAT_STORE_SEATS_MAX + 1 <= (int)GUARD_ENTRIES_MAX, "a request fits");
_Static_assert((int)SEAT_STORE_HOLD_MS_MAX <= (int)GUARD_KEEP_MS, "what is held stays known");
_Static_assert(SEAT_STORE_SEATS_MAX <= 53, "the bits of a request's seats fit a number of Lua");

/* Scripts on their way to Redis, each for one event, in one pipeline; and its answers. */
struct guard_letter {
	struct redis_request requests[GUARD_SCRIPTS_MAX];
	struct redis_reply *replies[GUARD_SCRIPTS_MAX]; /* NULL until they have come. */
	size_t request_count;
	struct redis_argument arguments[GUARD_ARGUMENTS_MAX];
	size_t argument_count;
	char keys[GUARD_SCRIPTS_MAX][REDIS_KEY_SIZE_MAX];
	char ids[GUARD_IDS_MAX][ID_TEXT_SIZE];
	size_t id_count;
};

/* A call of hold that is under way (guard_hold.c). Indexes are those of its requests. */
struct guard_call {
	const struct hold_request *requests;
	struct hold_result *results;
	size_t pending[SEAT_STORE_BATCH_MAX]; /* Not answered yet, in order. */
	size_t pending_count;
	bool bypass;  /* Redis is away. */
	bool applied; /* The store has granted something. */

	/* What the round has sent to Redis: the first of its scripts that claims, and of each such
	 * script its requests, from starts[i] to starts[i + 1] of `sent`. */
	size_t first_script, starts[SEAT_STORE_BATCH_MAX + 1];
	size_t sent[SEAT_STORE_BATCH_MAX];
	int64_t sent_wall_ms;

	/* What Redis has said: of each request, and of those that wait, who for. */
	enum guard_verdict {
		GUARD_WAITS,
		GUARD_REFUSED,
		GUARD_CLAIMED,
		GUARD_PASSED
	} verdicts[SEAT_STORE_BATCH_MAX];
	const struct redis_reply *waits[SEAT_STORE_BATCH_MAX];
	const size_t *peers[SEAT_STORE_BATCH_MAX]; /* Into `sent`: those of the same script. */
	int64_t claimed_ms[SEAT_STORE_BATCH_MAX];  /* By Redis's clock. */

	/* What the store was asked, and what it said. Not settled with Redis yet. */
	size_t asked[SEAT_STORE_BATCH_MAX];
	size_t asked_count;
	enum status asked_status;
	struct hold_request asking[SEAT_STORE_BATCH_MAX];
	struct hold_result answers[SEAT_STORE_BATCH_MAX];
};

enum guard_count {
	GUARD_COUNT_REFUSED,
	GUARD_COUNT_CLAIMED,
	GUARD_COUNT_PASSED,
	GUARD_COUNT_BYPASSED,
	GUARD_COUNTS,
};

struct redis_guard {
	struct seat_store base;
	struct seat_store *inner;
	struct seat_store_traits traits;
	struct redis *redis;
	int64_t pending_ms, sold_ms;
	bool away; /* So that it is logged once. */
	int64_t counts[GUARD_COUNTS];
	struct metrics_counter *counters[GUARD_COUNTS]; /* The same, of all guards; or NULL. */
	/* Events of which seats may look taken that are not. */
	struct id owed[GUARD_OWED_MAX];
	size_t owed_count;
	struct guard_letter letter;
	struct guard_call call;
};

static inline struct redis_guard *guard_of(struct seat_store *store)
{
	return (struct redis_guard *)store;
}

static inline void guard_count(struct redis_guard *guard, enum guard_count what)
{
	guard->counts[what]++;
	metrics_counter_add(guard->counters[what], 1);
}

#ifdef REDIS_GUARD_UNGUARDED
/* In the build of the negative control only: a script that compares no tokens. */
const struct redis_script *guard_weaken(const struct redis_script *script);
#else
#define guard_weaken(script) (script)
#endif

/* ---- letters (guard_letter.c) ---- */

/* Forget the letter and its answers. */
void guard_letter_reset(struct guard_letter *letter);

/* Name one of the event's keys. */
struct slice guard_key(char key[REDIS_KEY_SIZE_MAX], struct id event, const char *name);

/* Begin a script for this event; what is written then, up to the next script, are its arguments. */
void guard_letter_script(
	struct guard_letter *letter, const struct redis_script *script, struct id event);
void guard_letter_word(struct guard_letter *letter, const char *word);
void guard_letter_integer(struct guard_letter *letter, int64_t value);
void guard_letter_id(struct guard_letter *letter, struct id id);
void guard_letter_seats(struct guard_letter *letter, const struct hold_request *request);

/* Send it, if there is anything in it. False: Redis is away, or perhaps has not understood a part;
 * there are no answers. */
bool guard_send(struct redis_guard *guard);

/* Whether a call to Redis has this status because it is there; logged when that has changed. */
bool guard_note(struct redis_guard *guard, enum status status);

/* Redis could not be told that holds of this event have ended: with the next letter it forgets the
 * event's seats. */
void guard_owe(struct redis_guard *guard, struct id event);

/* ---- the operation (guard_hold.c) ---- */

enum status guard_hold(struct seat_store *base, const struct hold_request requests[],
	struct hold_result results[], size_t count);
