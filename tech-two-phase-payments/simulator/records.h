/* What the journal's records hold: each is a thing as it is after a step, so that replaying them in
 * order gives the state again, and any one of them by itself an answer as it was. */
#pragma once

#include "tech-two-phase-payments/simulator/journal.h"
#include "tech-two-phase-payments/simulator/render.h"

enum record_type {
	RECORD_INTENT = 1,
	RECORD_REFUND,
	RECORD_LEDGER,
	RECORD_KEY,
	RECORD_EVENT,
	RECORD_DELIVERED, /* The id of an event. */
	RECORD_TEXT,      /* An answer that is not made of an intent or a refund. */
};

/* An event as it is kept until it is delivered. */
struct event_record {
	char id[OBJECT_ID_SIZE];
	enum event_type type;
	int64_t created_s;
	char request_id[OBJECT_ID_SIZE];
	struct slice idempotency_key; /* In the record, or where the caller has it. */
	struct span intent;           /* As it was then. */
};

struct span record_intent(struct journal *journal, const struct intent *intent);
struct span record_refund(struct journal *journal, const struct refund *refund);
void record_ledger(struct journal *journal, const struct ledger_entry *entry);
void record_key(struct journal *journal, const struct key *key);
struct span record_event(struct journal *journal, const struct event_record *event);
struct span record_text(struct journal *journal, struct slice text);
void record_delivered(struct journal *journal, const char *event_id);

/* Make an intent of its record; the caller frees it. NULL: it makes no sense, or memory is short.
 */
__attribute__((warn_unused_result)) struct intent *record_read_intent(struct slice content);

/* The same of a refund; its intent is looked for in `state`. */
__attribute__((warn_unused_result)) struct refund *record_read_refund(
	struct slice content, const struct state *state);

__attribute__((warn_unused_result)) bool record_read_event(
	struct slice content, struct event_record *event);

/* Put an intent, a refund, a ledger's entry or a key into the state again. False: it makes no
 * sense, or memory is short. */
__attribute__((warn_unused_result)) bool record_replay(
	struct state *state, enum record_type type, struct slice content);
