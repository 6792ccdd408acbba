/* What the files of the adapter share. */
#pragma once

#include "tech-locking-and-transactions/postgres/postgres_seats.h"

enum {
	SEATS_ROWS_MAX = SEAT_STORE_BATCH_MAX * SEAT_STORE_SEATS_MAX, /* Seats of one statement. */
	SEATS_ATTEMPTS_MAX = 8,    /* Of a statement or transaction that met another. */
	SEATS_LOOKS_MAX = 32,      /* Of an optimistic request whose seats change under its eyes. */
	SEATS_KEYS_SIZE = 1 << 15, /* Slots of the set of keys: a power of two. */
};

_Static_assert(SEATS_ROWS_MAX + 2 * SEAT_STORE_BATCH_MAX < SEATS_KEYS_SIZE, "all keys find a slot");

/* A request to hold, with its seats in order and each once. */
struct seats_wanted {
	struct slice *seats; /* Into the store's pool. */
	size_t count;
};

/* ---- keys: what the requests of a batch are about (seats_keys.c) ---- */

enum seats_key_kind { SEATS_KEY_HOLD, SEATS_KEY_ORDER, SEATS_KEY_SEAT };

/* What is known of a key since the call began. */
enum seats_key_state {
	SEATS_KEY_NEW,     /* Nothing: it is not in the set. */
	SEATS_KEY_CLAIMED, /* An earlier request is about it. */
	SEATS_KEY_FREE,    /* A seat that an earlier request found free and did not take. */
	SEATS_KEY_TAKEN,   /* A seat that was found taken, or that an earlier request has got. */
	SEATS_KEY_MISSING, /* A seat that does not exist. */
};

struct seats_key {
	uint64_t generation;
	enum seats_key_kind kind;
	enum seats_key_state state;
	size_t request; /* Which has made it. */
	struct id event, id;
	struct slice seat;
};

struct seats_keys {
	uint64_t generation; /* Slots of another one are empty. */
	struct seats_key *slots;
};

/* Forget all keys. */
void seats_keys_reset(struct seats_keys *keys);

/* The entry of a key, made as NEW where there was none. A seat has no id, a hold or order no seat.
 * The slice is borrowed until the reset. */
struct seats_key *seats_keys_find(struct seats_keys *keys, enum seats_key_kind kind,
	struct id event, struct id id, struct slice seat);

/* ---- the store ---- */

/* The columns of a statement over arrays; a row is a seat or a request. */
struct seats_columns {
	int32_t requests[SEATS_ROWS_MAX], wanted[SEATS_ROWS_MAX];
	struct id events[SEATS_ROWS_MAX], holds[SEATS_ROWS_MAX], orders[SEATS_ROWS_MAX];
	struct slice people[SEATS_ROWS_MAX], seats[SEATS_ROWS_MAX];
	int64_t hold_ms[SEATS_ROWS_MAX], bits[SEATS_ROWS_MAX];
	size_t count;
};

struct postgres_seats {
	struct seat_store base;
	struct postgres *pg;
	struct seat_store_traits traits;
	enum postgres_isolation isolation;
	bool applied; /* Something of this call has been committed. */

	/* Reused by each call. */
	struct seats_wanted wanted[SEAT_STORE_BATCH_MAX];
	struct slice pool[SEATS_ROWS_MAX];
	struct seats_columns columns;
	struct seats_keys keys;
	size_t pending[SEAT_STORE_BATCH_MAX], round[SEAT_STORE_BATCH_MAX];
	struct arena arena;
};

static inline struct postgres_seats *seats_of(struct seat_store *store)
{
	return (struct postgres_seats *)store;
}

/* Run a statement; again while it meets others and attempts are left. `result` is released before
 * each attempt but the first. */
enum status seats_execute(struct postgres_seats *store, const struct postgres_statement *statement,
	const struct postgres_parameter parameters[], size_t parameter_count,
	struct postgres_result *result);

/* What the call answers: UNAVAILABLE would be a lie once something of it was applied. */
enum status seats_answer(const struct postgres_seats *store, enum status status);

/* Whether the last failure is the fault of the data, so that other rows may do better. */
bool seats_data_failed(const struct postgres *pg, enum status status);

#ifdef POSTGRES_SEATS_UNGUARDED
/* In the builds of the negative controls only: a statement with one guard off. */
const struct postgres_statement *seats_weaken(const struct postgres_statement *statement);
#else
#define seats_weaken(statement) (statement)
#endif

/* ---- requests (seats_request.c) ---- */

/* Fill in store->wanted of the sound requests; the others are answered MALFORMED. */
void seats_prepare(struct postgres_seats *store, const struct hold_request requests[],
	struct hold_result results[], size_t count);

/* The bits of the request's seats, from bits of its wanted seats. */
uint64_t seats_which(
	const struct hold_request *request, const struct seats_wanted *wanted, uint64_t bits);

/* Give those that were refused the answer that they had before, if they had one: see whether their
 * holds are known; and tell a seat that does not exist from an event that does not. */
enum status seats_settle(struct postgres_seats *store, const struct hold_request requests[],
	struct hold_result results[], size_t count);

/* Which of these, if they are GRANTED, were so by the statement that has just said it, and not
 * known before: the same content may have been granted earlier, but not with the same version,
 * since versions grow. By the index of the request. */
enum status seats_confirm(struct postgres_seats *store, const struct hold_request requests[],
	struct hold_result results[], const size_t indexes[], size_t count, bool confirmed[]);

/* ---- operations ---- */

/* Read (seats_read.c). */
enum status seats_stock(struct seat_store *store, struct id event, struct slice currency,
	const struct seat_offer seats[], size_t count);
enum status seats_look_up(struct seat_store *store, const struct hold_name names[],
	struct hold_record records[], size_t count, struct arena *arena);
enum status seats_availability(
	struct seat_store *store, struct id event, seat_visit *visit, void *context, bool *found);

/* End (seats_end.c). */
enum status seats_release(struct seat_store *store, const struct release_request requests[],
	enum release_outcome outcomes[], size_t count);
enum status seats_revoke(struct seat_store *store, const struct revoke_request requests[],
	enum revoke_outcome outcomes[], size_t count);
enum status seats_expire(
	struct seat_store *store, size_t max, struct hold_name expired[], size_t *count);

/* By technique. */
typedef enum status seats_hold(struct seat_store *store, const struct hold_request requests[],
	struct hold_result results[], size_t count);
typedef enum status seats_sell(struct seat_store *store, const struct sell_request requests[],
	struct sell_result results[], size_t count);
seats_hold seats_hold_batched, seats_hold_pessimistic, seats_hold_optimistic;
seats_sell seats_sell_batched, seats_sell_pessimistic, seats_sell_optimistic;

/* One request at a time, each a transaction of its own. */
struct seats_single {
	struct postgres_seats *store;
	const struct hold_request *hold;
	const struct seats_wanted *wanted;
	struct hold_result *held;
	const struct sell_request *sell;
	struct sell_result *sold;
	bool again; /* What was seen has changed: undo, and begin anew. */
};

typedef enum status seats_work(struct postgres *pg, void *context);

/* Do `work` for each sound request, and settle. */
enum status seats_hold_singly(struct seat_store *store, const struct hold_request requests[],
	struct hold_result results[], size_t count, seats_work *work);
enum status seats_sell_singly(struct seat_store *store, const struct sell_request requests[],
	struct sell_result results[], size_t count, seats_work *work);

/* Run a statement within the transaction. */
enum status seats_run(struct postgres *pg, const struct postgres_statement *statement,
	const struct postgres_parameter parameters[], size_t count, struct postgres_result *result);

/* The answer to a hold from rows of (seat, free, version, price), in order of the seats, as many as
 * there are. GRANTED: with version and total, and nothing was taken yet. */
struct hold_result seats_look(
	const struct seats_single *single, const struct postgres_result *rows);

/* What is to be done about a sale, as things stand. `*sold_at_ms` is when that was found, if it is
 * to be made, and 0 if it was made before or is refused. */
enum status seats_decide(struct postgres *pg, const struct sell_request *request,
	struct sell_result *result, int64_t *sold_at_ms);

/* ---- the batch in rounds (seats_rounds.c) ---- */

/* Claim what the request is about. False when an earlier one is about some of it. */
typedef bool seats_claim(struct postgres_seats *store, const void *requests, size_t index);

/* Apply the requests with these indexes by one statement. REFUSED with faulty data: nothing was
 * applied. */
typedef enum status seats_apply(struct postgres_seats *store, const void *requests, void *results,
	const size_t indexes[], size_t count);

/* The data of this one request are at fault. */
typedef void seats_refuse(struct postgres_seats *store, void *results, size_t index);

struct seats_batch {
	const void *requests;
	void *results;
	seats_claim *claim;
	seats_apply *apply;
	seats_refuse *refuse;
	/* After a round: whether the request can be answered from what is known. NULL: none can. */
	bool (*answer)(
		struct postgres_seats *store, const void *requests, void *results, size_t index);
};

/* Apply store->pending[0..count) as if one after the other. */
enum status seats_in_rounds(
	struct postgres_seats *store, const struct seats_batch *batch, size_t count);

/* The outcome of a sale by its name in SQL; "sell" is SOLD. */
enum sell_outcome seats_sell_outcome(struct slice name);
