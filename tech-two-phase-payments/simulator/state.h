/* Everything that the simulator knows: intents, refunds, idempotency keys and the ledger. In memory
 * only; the journal makes it last. One thread. */
#pragma once

#include "lib/base/buffer.h"
#include "tech-two-phase-payments/simulator/intent.h"
#include "tech-two-phase-payments/simulator/table.h"

enum {
	KEY_SIZE_MAX = 255, /* Of an idempotency key. */
	KEY_FINGERPRINT_SIZE = 16,
	KEY_LIFETIME_MS = 24 * 3600 * 1000,
	LEDGER_PAGE_MAX = 10000,
	CURRENCIES_MAX = 200, /* More than there are. */
};

/* ---- Ledger ---- */

enum ledger_kind {
	LEDGER_AUTHORIZATION,
	LEDGER_CAPTURE,
	LEDGER_RELEASE, /* What a partial capture has left. */
	LEDGER_VOID,
	LEDGER_EXPIRY,
	LEDGER_REFUND,
	LEDGER_KIND_COUNT,
};

extern const char *const ledger_kind_names[LEDGER_KIND_COUNT];

/* Numbered from 1 by its place. The charge is the intent's: it gets no other once one succeeded. */
struct ledger_entry {
	enum ledger_kind kind;
	const struct intent *intent;
	const struct refund *refund; /* NULL: it is none. */
	int64_t amount, at_ms;
};

struct ledger_total {
	char currency[CURRENCY_SIZE];
	int64_t amounts[LEDGER_KIND_COUNT];
	int64_t count;
};

struct ledger {
	struct ledger_entry *entries;
	size_t count, capacity;
	struct ledger_total totals[CURRENCIES_MAX];
	size_t total_count;
};

/* Add an entry. UNAVAILABLE when memory is short. */
__attribute__((warn_unused_result)) enum status ledger_add(
	struct ledger *ledger, const struct ledger_entry *entry);

/* What is authorized and neither captured nor given back. */
int64_t ledger_open_amount(const struct ledger_total *total);

/* ---- Idempotency keys ---- */

/* Where something stands in the journal. */
struct span {
	int64_t offset;
	uint32_t size; /* 0: nowhere. */
};

/* How the body of a stored answer is made again. */
enum answer_kind {
	ANSWER_TEXT,     /* It is there as it was. */
	ANSWER_INTENT,   /* From the intent, as it was. */
	ANSWER_DECLINED, /* A card error from the intent, as it was. */
	ANSWER_REFUND,
	ANSWER_KIND_COUNT,
};

/* A key and the answer that belongs to it. */
struct key {
	struct key *next;   /* In the order of their age. */
	int64_t created_ms; /* Wall. */
	struct span answer;
	char request_id[OBJECT_ID_SIZE];
	uint8_t fingerprint[KEY_FINGERPRINT_SIZE];
	uint16_t status;
	uint8_t kind; /* enum answer_kind */
	bool expand_charge;
	bool busy; /* Its first answer is still under way. */
	uint8_t size;
	char text[]; /* `size` bytes. */
};

/* ---- All of it ---- */

struct state {
	struct table intents, charges, refunds, keys;
	struct ledger ledger;
	struct timers expiries; /* Of authorizations; wall time. */
	struct key *key_first, *key_last;
};

void state_init(struct state *state);
void state_release(struct state *state);

/* Take ownership of a new intent or refund. UNAVAILABLE when memory is short; then it stays the
 * caller's. */
__attribute__((warn_unused_result)) enum status state_add_intent(
	struct state *state, struct intent *intent);
__attribute__((warn_unused_result)) enum status state_add_refund(
	struct state *state, struct refund *refund);

/* After each step of an intent: keep its expiry and its charge findable. */
__attribute__((warn_unused_result)) enum status state_touch_intent(
	struct state *state, struct intent *intent);

struct intent *state_find_intent(const struct state *state, struct slice id);
struct intent *state_find_charge(const struct state *state, struct slice id);
struct refund *state_find_refund(const struct state *state, struct slice id);

/* The intent whose authorization has expired, taken out of the expiries; NULL: there is none. */
struct intent *state_next_expired(struct state *state, int64_t now_ms);

enum key_outcome {
	KEY_NEW,      /* Nobody has used it: execute, then state_add_key. */
	KEY_REPLAY,   /* Answer what was answered. */
	KEY_BUSY,     /* 409 */
	KEY_MISMATCH, /* 400: it was used with other parameters. */
};

/* What a request with this key is, by Stripe's rules. *found is set unless it is new. */
enum key_outcome state_check_key(const struct state *state, struct slice text,
	const uint8_t fingerprint[KEY_FINGERPRINT_SIZE], struct key **found);

/* A key with room for its text, nothing else set. NULL when memory is short. */
struct key *key_new(struct slice text);

/* Keep a key that is not there; takes ownership, unless UNAVAILABLE. */
__attribute__((warn_unused_result)) enum status state_add_key(struct state *state, struct key *key);

/* Forget what is older than 24 h; a busy one stays until it no longer is. */
void state_forget_keys(struct state *state, int64_t now_ms);
