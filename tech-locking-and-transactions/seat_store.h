/* A seat store: the seats of events, who holds them for a while, and who has bought them.
 *
 *	             hold              sell
 *	available ────────▶ held ────────▶ sold
 *	    ▲  ▲  release,   │               │
 *	    │  └─── expire ──┘               │
 *	    └──────────── revoke ────────────┘
 *
 * Three things are kept apart. A *seat* is in one state at a time, and its version grows by one
 * with each change of it. A *hold* is one person's temporary right to some seats, all or none of
 * them; it is known for good under an id that the caller gives, so it doubles as the record of the
 * request. A *ticket* is what a sale makes of each seat.
 *
 * DESIGN. Every call takes an array, so that one round trip and one commit serve all who wait.
 * Requests act as if made one after the other in the order of the array, all at one instant; the
 * first claim on a seat wins, and one that is refused or malformed never fails its neighbours.
 *
 * Every mutating request carries the id of what it makes, so it may be repeated until it is
 * answered, by anybody, also while an earlier attempt is still at work: the effect happens once,
 * and the first answer is given again. Only what has an effect is remembered. A refusal is not, so
 * the same request may succeed later.
 *
 * Time. A hold ends by one clock, that of the technology (traits.exact_expiry), and a comparison
 * with it is made when nobody else can change the seat any more, never before waiting for it. From
 * that moment the seats are free for whoever asks, whether or not `expire` has tidied up yet.
 *
 * The fence. A grant has a version: the highest version of its seats, after the change. A sale
 * names it, together with hold and person, so whoever acts on old knowledge is told STALE. Where a
 * copy of the state is kept elsewhere (a guard in front, a cache), the higher version is the newer
 * one.
 *
 * An instance belongs to one thread, usually a lane's (lib/batch). Calls block, for no longer than
 * the technology's options say. Several instances, in several processes, share the same seats.
 *
 * Statuses, for all operations (lib/base/status.h):
 *	OK           every result is filled in
 *	UNAVAILABLE  nothing was applied
 *	UNKNOWN      perhaps some of it was applied: repeat the same requests, or look_up
 *	REFUSED      misuse that no retry mends; only where said
 * Results are undefined unless the status is OK. Slices are borrowed until the call returns. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/id.h"
#include "lib/base/limits.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "lib/ticketing/money.h"
#include "lib/ticketing/seat.h"

enum {
	SEAT_STORE_ID_SIZE_MAX = LIMIT_ID_SIZE_MAX, /* Of a seat's or a person's id, in bytes. */
	SEAT_STORE_LABEL_SIZE_MAX = LIMIT_NAME_SIZE_MAX, /* Of a section, row or number. */
	SEAT_STORE_SEATS_MAX = 50,                       /* Of one hold. */
	SEAT_STORE_BATCH_MAX = 256,                      /* Requests of one call. */
	SEAT_STORE_STOCK_MAX = 10000,                    /* Seats put on sale by one call. */
	SEAT_STORE_HOLD_MS_MAX = 86400000,
};

_Static_assert((int)SEAT_STORE_SEATS_MAX >= (int)LIMIT_SEATS_PER_HOLD, "a front's hold fits");
_Static_assert(SEAT_STORE_SEATS_MAX <= 63, "each seat of a hold has a bit, and bigint has a sign");

/* ---- stock ---- */

/* A seat that is put on sale. */
struct seat_offer {
	struct slice seat; /* Its id: unique within the event. */
	struct slice section, row, number;
	int64_t price; /* In minor units of the event's currency, 0 to MONEY_PRICE_MINOR_MAX. */
};

/* ---- hold ---- */

struct hold_request {
	struct id event;
	struct id hold; /* The request's id, and the id of the hold that it makes. */
	struct slice person;
	const struct slice *seats; /* A set: a seat that is named twice counts once. */
	size_t seat_count;         /* 1 to SEAT_STORE_SEATS_MAX. */
	int64_t hold_ms;           /* 1 to SEAT_STORE_HOLD_MS_MAX. */
};

enum hold_outcome {
	HOLD_GRANTED,       /* All seats are the person's until expires_at_ms; or were, if this
			     * repeats a request (look_up tells what has become of it). */
	HOLD_TAKEN,         /* `which` are held by others or sold. None of them was taken. */
	HOLD_NO_SUCH_SEAT,  /* `which` do not exist. Said before TAKEN. */
	HOLD_NO_EVENT,      /* The event has nothing on sale. */
	HOLD_OTHER_REQUEST, /* The id has made a hold of another person, other seats or another
			     * duration. */
	HOLD_MALFORMED,     /* Limits are exceeded, or a text is none; see hold_request_is_sound. */
};

struct hold_result {
	enum hold_outcome outcome;
	int64_t version;       /* GRANTED: the fence, at least 1. */
	int64_t expires_at_ms; /* GRANTED: Unix time by the technology's clock. */
	int64_t total;         /* GRANTED: the sum of prices, in the event's currency. */
	uint64_t which;        /* TAKEN, NO_SUCH_SEAT: bit i is set for seats[i]. */
};

/* ---- sell ---- */

struct sell_request {
	struct id event;
	struct id hold;
	struct slice person;
	int64_t version; /* As the hold was granted. */
	struct id order; /* Given by the caller. An order buys one hold. */
};

/* Of the refusals, the first that applies is said. */
enum sell_outcome {
	SELL_SOLD,        /* The seats are sold and have their tickets; now, or by this very order
			   * before. */
	SELL_NOT_HELD,    /* There is no such hold, or it was released. */
	SELL_NOT_YOURS,   /* The hold is another person's. */
	SELL_STALE,       /* The version is not the hold's. */
	SELL_OTHER_ORDER, /* It was sold to another order. */
	SELL_REVOKED,     /* It was sold to this order, and the sale was revoked. */
	SELL_EXPIRED,     /* Its time is over. */
	SELL_OTHER_HOLD,  /* The order has bought another hold. */
	SELL_MALFORMED,
};

struct sell_result {
	enum sell_outcome outcome;
	int64_t total; /* SOLD: what the tickets cost together. */
};

/* The id of the ticket that an order has for a seat, so that everybody knows it without asking: a
 * UUIDv8 (RFC 9562, section 5.8 and appendix B.2) whose bytes are the first of
 * SHA-256(the order's 16 bytes ‖ the seat's id). */
struct id seat_ticket_id(struct id order, struct slice seat);

/* The UUIDv8 whose bytes are the first 16 of a hash. */
struct id seat_id_of_hash(const uint8_t hash[]);

/* ---- release ---- */

struct release_request {
	struct id event;
	struct id hold;
	struct slice person;
};

enum release_outcome {
	RELEASE_RELEASED,  /* The seats are free again; now or before. */
	RELEASE_NOT_HELD,  /* There is no such hold. */
	RELEASE_NOT_YOURS, /* The hold is another person's. */
	RELEASE_EXPIRED,   /* Its time is over; the seats are free already. Nothing was changed. */
	RELEASE_SOLD,      /* It was sold (and perhaps revoked since). Nothing was changed. */
	RELEASE_MALFORMED,
};

/* ---- revoke ---- */

struct revoke_request {
	struct id event;
	struct id order;
};

enum revoke_outcome {
	REVOKE_REVOKED,  /* The tickets are void and the seats available; now or before. */
	REVOKE_NO_ORDER, /* The order has bought nothing. */
};

/* ---- expire, look_up, availability ---- */

struct hold_name {
	struct id event;
	struct id hold;
};

enum hold_state {
	HOLD_NONE, /* There is no such hold, and the rest of the record is zero. */
	HOLD_LIVE,
	HOLD_EXPIRED, /* Also one that `expire` has not seen yet. */
	HOLD_RELEASED,
	HOLD_SOLD,
	HOLD_REVOKED,
};

struct hold_record {
	enum hold_state state;
	struct slice person;
	struct slice *seats; /* In order of their bytes, each once. */
	size_t seat_count;
	int64_t version;       /* As granted. */
	int64_t expires_at_ms; /* As granted. */
	struct money total;
	struct id order; /* SOLD and REVOKED, else zero. */
};

/* A seat as everybody may see it. */
struct seat_view {
	struct slice seat, section, row, number;
	enum seat_status status; /* A held seat whose time is over is available. */
	int64_t price;
	int64_t version;
};

typedef void seat_visit(void *context, const struct seat_view *seat);

/* ---- the store ---- */

/* What the callers must know of a technology; each trait has a conformance test. */
struct seat_store_traits {
	const char *name;    /* "postgres-batched" */
	bool durable;        /* What was acknowledged outlives kill -9 of the service. */
	bool exact_expiry;   /* A hold may be sold until expires_at_ms, and never from then on.
			      * Otherwise its end is up to a second off. */
	bool reads_latest;   /* look_up and availability see what any instance has acknowledged. */
	bool exact_refusals; /* TAKEN names all seats that others hold or have bought, and no more.
			      * Otherwise at least one, and perhaps one that somebody is only
			      * asking for; and it may be said for a while after a seat has
			      * come back. */
	size_t batch_max;    /* Requests of one call, 1 to SEAT_STORE_BATCH_MAX. */
};

struct seat_store {
	const struct seat_store_ops *ops;
};

/* `count` is 1 to traits.batch_max where requests are given, or else it is a bug. */
struct seat_store_ops {
	/* Constant for the instance. Any thread. */
	const struct seat_store_traits *(*traits)(const struct seat_store *store);

	/* Put seats on sale, 0 to SEAT_STORE_STOCK_MAX by one call, all or none; the first call for
	 * an event makes it known, with the currency (ISO 4217) that all its prices are in. A seat
	 * that is there already stays as it is, so the call may be repeated. REFUSED: another
	 * currency than the event's, a seat that is named twice or exceeds a limit; nothing was
	 * applied. */
	enum status (*stock)(struct seat_store *store, struct id event, struct slice currency,
		const struct seat_offer seats[], size_t count);

	/* Take seats for a person. All seats of a request or none. Repeated with the same content,
	 * the answer of the grant is given again, whatever has become of the hold since. */
	enum status (*hold)(struct seat_store *store, const struct hold_request requests[],
		struct hold_result results[], size_t count);

	/* Make the sale of a hold: its seats are sold and have tickets, and the order is recorded,
	 * in one step. Only while the hold lives. */
	enum status (*sell)(struct seat_store *store, const struct sell_request requests[],
		struct sell_result results[], size_t count);

	/* Give the seats of a hold back before its time. */
	enum status (*release)(struct seat_store *store, const struct release_request requests[],
		enum release_outcome outcomes[], size_t count);

	/* Undo the sale to an order, for a refund or a payment that failed for good: the tickets
	 * become void, the seats available. */
	enum status (*revoke)(struct seat_store *store, const struct revoke_request requests[],
		enum revoke_outcome outcomes[], size_t count);

	/* Tidy up holds of any event whose time is over, at most `max` (1 to SEAT_STORE_BATCH_MAX),
	 * the longest over first: expired[0..*count) are those that this very call has ended.
	 * Fewer than `max`: no more just now, but for those that others are busy with. Correctness
	 * never needs it; those who wait for a seat to be shown as free, and the size of what has
	 * to be looked at, do. */
	enum status (*expire)(
		struct seat_store *store, size_t max, struct hold_name expired[], size_t *count);

	/* What is known of these holds. Texts and arrays are the arena's. UNAVAILABLE also when it
	 * is full. */
	enum status (*look_up)(struct seat_store *store, const struct hold_name names[],
		struct hold_record records[], size_t count, struct arena *arena);

	/* Visit each seat of the event, in order of the ids' bytes; what is visited is borrowed
	 * until the visitor returns. `*found` is false when the event has nothing on sale. When the
	 * status is not OK, some seats may have been visited. */
	enum status (*availability)(struct seat_store *store, struct id event, seat_visit *visit,
		void *context, bool *found);

	/* Free the instance; the seats stay. */
	void (*close)(struct seat_store *store);
};

/* ---- For technologies: what all of them check in the same way ---- */

/* Whether the limits are kept and person and seats are text (slice_is_text), of 1 to
 * SEAT_STORE_ID_SIZE_MAX bytes. The others are MALFORMED. */
bool hold_request_is_sound(const struct hold_request *request);
bool sell_request_is_sound(const struct sell_request *request);
bool release_request_is_sound(const struct release_request *request);

/* Whether all offers keep the limits and no seat is named twice. */
bool seat_offers_are_sound(const struct seat_offer offers[], size_t count);

/* The order of ids by their bytes, for qsort and locks: negative, 0 or positive. */
int seat_compare(struct slice a, struct slice b);
int seat_compare_ids(struct id a, struct id b);

static inline bool seat_ids_equal(struct id a, struct id b)
{
	return seat_compare_ids(a, b) == 0;
}

/* For messages: "granted", "sold", … Never NULL. */
const char *hold_outcome_name(enum hold_outcome outcome);
const char *sell_outcome_name(enum sell_outcome outcome);
const char *release_outcome_name(enum release_outcome outcome);
const char *hold_state_name(enum hold_state state);

/* ---- Callers use these ---- */

static inline const struct seat_store_traits *seat_store_traits(const struct seat_store *store)
{
	return store->ops->traits(store);
}

__attribute__((warn_unused_result)) static inline enum status seat_store_stock(
	struct seat_store *store, struct id event, struct slice currency,
	const struct seat_offer seats[], size_t count)
{
	return store->ops->stock(store, event, currency, seats, count);
}

__attribute__((warn_unused_result)) static inline enum status seat_store_hold(
	struct seat_store *store, const struct hold_request requests[],
	struct hold_result results[], size_t count)
{
	return store->ops->hold(store, requests, results, count);
}

__attribute__((warn_unused_result)) static inline enum status seat_store_sell(
	struct seat_store *store, const struct sell_request requests[],
	struct sell_result results[], size_t count)
{
	return store->ops->sell(store, requests, results, count);
}

__attribute__((warn_unused_result)) static inline enum status seat_store_release(
	struct seat_store *store, const struct release_request requests[],
	enum release_outcome outcomes[], size_t count)
{
	return store->ops->release(store, requests, outcomes, count);
}

__attribute__((warn_unused_result)) static inline enum status seat_store_revoke(
	struct seat_store *store, const struct revoke_request requests[],
	enum revoke_outcome outcomes[], size_t count)
{
	return store->ops->revoke(store, requests, outcomes, count);
}

__attribute__((warn_unused_result)) static inline enum status seat_store_expire(
	struct seat_store *store, size_t max, struct hold_name expired[], size_t *count)
{
	return store->ops->expire(store, max, expired, count);
}

__attribute__((warn_unused_result)) static inline enum status seat_store_look_up(
	struct seat_store *store, const struct hold_name names[], struct hold_record records[],
	size_t count, struct arena *arena)
{
	return store->ops->look_up(store, names, records, count, arena);
}

__attribute__((warn_unused_result)) static inline enum status seat_store_availability(
	struct seat_store *store, struct id event, seat_visit *visit, void *context, bool *found)
{
	return store->ops->availability(store, event, visit, context, found);
}

static inline void seat_store_close(struct seat_store *store)
{
	if (store)
		store->ops->close(store);
}
