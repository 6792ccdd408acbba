/* See records.h. Numbers are little-endian, as the machine has them; texts have their size in
 * front. */
#include "tech-two-phase-payments/simulator/records.h"

#include <stdlib.h>

/* ---- Writing ---- */

static void put_number(struct buffer *to, int64_t number)
{
	buffer_add(to, &number, sizeof number);
}

static void put_byte(struct buffer *to, unsigned byte)
{
	char c = (char)byte;
	buffer_add(to, &c, 1);
}

static void put_slice(struct buffer *to, struct slice text)
{
	uint32_t size = (uint32_t)text.size;
	buffer_add(to, &size, sizeof size);
	buffer_add(to, text.data, text.size);
}

static void put_text(struct buffer *to, const char *text)
{
	put_slice(to, text ? slice_of(text) : (struct slice){0});
}

static void put_span(struct buffer *to, struct span span)
{
	put_number(to, span.offset);
	put_number(to, span.size);
}

struct span record_intent(struct journal *journal, const struct intent *intent)
{
	struct buffer *to = journal_begin(journal, RECORD_INTENT);
	put_text(to, intent->id);
	put_text(to, intent->charge);
	put_text(to, intent->secret);
	put_text(to, intent->currency);
	put_byte(to, intent->status);
	put_byte(to, intent->capture);
	put_byte(to, intent->cancel_reason);
	put_byte(to, intent->failure ? (unsigned)decline_number(intent->failure) + 1 : 0);
	put_text(to, intent->card ? intent->card->name : NULL);
	const int64_t numbers[] = {intent->amount, intent->capturable, intent->received,
		intent->refunded, intent->created_s, intent->canceled_s, intent->capture_before_ms};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		put_number(to, numbers[i]);
	put_text(to, intent->description);
	put_text(to, intent->metadata);
	return journal_end(journal);
}

struct span record_refund(struct journal *journal, const struct refund *refund)
{
	struct buffer *to = journal_begin(journal, RECORD_REFUND);
	put_text(to, refund->id);
	put_text(to, refund->intent->id);
	put_number(to, refund->amount);
	put_number(to, refund->created_s);
	put_text(to, refund->reason);
	put_text(to, refund->metadata);
	return journal_end(journal);
}

void record_ledger(struct journal *journal, const struct ledger_entry *entry)
{
	struct buffer *to = journal_begin(journal, RECORD_LEDGER);
	put_byte(to, entry->kind);
	put_text(to, entry->intent->id);
	put_text(to, entry->refund ? entry->refund->id : NULL);
	put_number(to, entry->amount);
	put_number(to, entry->at_ms);
	journal_end(journal);
}

void record_key(struct journal *journal, const struct key *key)
{
	struct buffer *to = journal_begin(journal, RECORD_KEY);
	put_slice(to, (struct slice){.data = key->text, .size = key->size});
	buffer_add(to, key->fingerprint, sizeof key->fingerprint);
	put_number(to, key->created_ms);
	put_text(to, key->request_id);
	put_number(to, key->status);
	put_byte(to, key->kind);
	put_byte(to, key->expand_charge);
	put_span(to, key->answer);
	journal_end(journal);
}

struct span record_event(struct journal *journal, const struct event_record *event)
{
	struct buffer *to = journal_begin(journal, RECORD_EVENT);
	put_text(to, event->id);
	put_byte(to, event->type);
	put_number(to, event->created_s);
	put_text(to, event->request_id);
	put_slice(to, event->idempotency_key);
	put_span(to, event->intent);
	return journal_end(journal);
}

struct span record_text(struct journal *journal, struct slice text)
{
	buffer_add(journal_begin(journal, RECORD_TEXT), text.data, text.size);
	return journal_end(journal);
}

void record_delivered(struct journal *journal, const char *event_id)
{
	put_text(journal_begin(journal, RECORD_DELIVERED), event_id);
	journal_end(journal);
}

/* ---- Reading ---- */

/* Once something is wrong, everything that follows is empty. */
struct reader {
	struct slice rest;
	bool wrong;
};

static void get_bytes(struct reader *from, void *bytes, size_t size)
{
	if (from->wrong || size > from->rest.size) {
		from->wrong = true;
		memset(bytes, 0, size);
		return;
	}
	memcpy(bytes, from->rest.data, size);
	from->rest.data += size;
	from->rest.size -= size;
}

static int64_t get_number(struct reader *from)
{
	int64_t number;
	get_bytes(from, &number, sizeof number);
	return number;
}

/* A byte below `end`. */
static unsigned get_byte(struct reader *from, unsigned end)
{
	uint8_t byte;
	get_bytes(from, &byte, sizeof byte);
	if (byte >= end)
		from->wrong = true;
	return from->wrong ? 0 : byte;
}

static struct slice get_slice(struct reader *from)
{
	uint32_t size;
	get_bytes(from, &size, sizeof size);
	struct slice text = {.data = from->rest.data, .size = size};
	if (from->wrong || size > from->rest.size) {
		from->wrong = true;
		return (struct slice){.data = "", .size = 0};
	}
	from->rest.data += size;
	from->rest.size -= size;
	return text;
}

/* Text into a field that ends with a zero byte. */
static void get_text(struct reader *from, char *text, size_t size)
{
	struct slice got = get_slice(from);
	if (got.size >= size) {
		from->wrong = true;
		got.size = 0;
	}
	memcpy(text, got.data, got.size);
	text[got.size] = '\0';
}

/* Text on the heap; NULL where it is empty. */
static char *get_owned(struct reader *from)
{
	struct slice got = get_slice(from);
	char *text = got.size > 0 ? strndup(got.data, got.size) : NULL;
	if (got.size > 0 && !text)
		from->wrong = true;
	return text;
}

static struct span get_span(struct reader *from)
{
	int64_t offset = get_number(from), size = get_number(from);
	if (offset < 0 || size < 0 || size > UINT32_MAX)
		from->wrong = true;
	return (struct span){.offset = offset, .size = (uint32_t)size};
}

struct intent *record_read_intent(struct slice content)
{
	struct reader from = {.rest = content};
	struct intent *intent = calloc(1, sizeof *intent);
	if (!intent)
		return NULL;
	get_text(&from, intent->id, sizeof intent->id);
	get_text(&from, intent->charge, sizeof intent->charge);
	get_text(&from, intent->secret, sizeof intent->secret);
	get_text(&from, intent->currency, sizeof intent->currency);
	intent->status = get_byte(&from, INTENT_STATUS_COUNT);
	intent->capture = get_byte(&from, CAPTURE_METHOD_COUNT);
	intent->cancel_reason = get_byte(&from, CANCEL_REASON_COUNT);
	unsigned failure = get_byte(&from, UINT8_MAX);
	intent->failure = failure > 0 ? decline_at(failure - 1) : NULL;
	struct slice card = get_slice(&from);
	intent->card = card.size > 0 ? card_find(card) : NULL;
	int64_t *const numbers[] = {&intent->amount, &intent->capturable, &intent->received,
		&intent->refunded, &intent->created_s, &intent->canceled_s,
		&intent->capture_before_ms};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		*numbers[i] = get_number(&from);
	intent->description = get_owned(&from);
	intent->metadata = get_owned(&from);
	bool unknown = (failure > 0 && !intent->failure) || (card.size > 0 && !intent->card);
	if (from.wrong || unknown) {
		intent_free(intent);
		return NULL;
	}
	return intent;
}

/* Reasons are static texts. False: it is none that there is. */
static bool find_reason(struct slice name, const char **reason)
{
	*reason = NULL;
	for (size_t i = 0; i < CANCEL_REASON_COUNT; i++)
		if (cancel_reason_names[i] && slice_is(name, cancel_reason_names[i]))
			*reason = cancel_reason_names[i];
	return *reason || name.size == 0;
}

struct refund *record_read_refund(struct slice content, const struct state *state)
{
	struct reader from = {.rest = content};
	struct refund *refund = calloc(1, sizeof *refund);
	if (!refund)
		return NULL;
	get_text(&from, refund->id, sizeof refund->id);
	refund->intent = state_find_intent(state, get_slice(&from));
	refund->amount = get_number(&from);
	refund->created_s = get_number(&from);
	bool known = find_reason(get_slice(&from), &refund->reason);
	refund->metadata = get_owned(&from);
	if (from.wrong || !refund->intent || !known) {
		refund_free(refund);
		return NULL;
	}
	return refund;
}

bool record_read_event(struct slice content, struct event_record *event)
{
	struct reader from = {.rest = content};
	get_text(&from, event->id, sizeof event->id);
	event->type = get_byte(&from, EVENT_TYPE_COUNT);
	event->created_s = get_number(&from);
	get_text(&from, event->request_id, sizeof event->request_id);
	event->idempotency_key = get_slice(&from);
	event->intent = get_span(&from);
	return !from.wrong;
}

/* ---- Replaying ---- */

/* Later things point at an intent, so it stays where it is and gets a new content. */
static bool replay_intent(struct state *state, struct slice content)
{
	struct intent *after = record_read_intent(content);
	struct intent *intent = after ? state_find_intent(state, slice_of(after->id)) : NULL;
	if (after && !intent) {
		if (state_add_intent(state, after) == STATUS_OK)
			return state_touch_intent(state, after) == STATUS_OK;
		intent_free(after);
		return false;
	}
	if (!after)
		return false;
	after->expiry = intent->expiry;
	struct intent before = *intent;
	*intent = *after;
	*after = before;
	intent_free(after);
	return state_touch_intent(state, intent) == STATUS_OK;
}

static bool replay_refund(struct state *state, struct slice content)
{
	struct refund *refund = record_read_refund(content, state);
	if (refund && state_add_refund(state, refund) == STATUS_OK)
		return true;
	refund_free(refund);
	return false;
}

static bool replay_ledger(struct state *state, struct slice content)
{
	struct reader from = {.rest = content};
	struct ledger_entry entry = {.kind = get_byte(&from, LEDGER_KIND_COUNT)};
	entry.intent = state_find_intent(state, get_slice(&from));
	entry.refund = state_find_refund(state, get_slice(&from));
	entry.amount = get_number(&from);
	entry.at_ms = get_number(&from);
	return !from.wrong && entry.intent && ledger_add(&state->ledger, &entry) == STATUS_OK;
}

static bool replay_key(struct state *state, struct slice content)
{
	struct reader from = {.rest = content};
	struct slice text = get_slice(&from);
	struct key *key = text.size <= KEY_SIZE_MAX ? key_new(text) : NULL, *old;
	if (!key)
		return false;
	get_bytes(&from, key->fingerprint, sizeof key->fingerprint);
	key->created_ms = get_number(&from);
	get_text(&from, key->request_id, sizeof key->request_id);
	key->status = (uint16_t)get_number(&from);
	key->kind = (uint8_t)get_byte(&from, ANSWER_KIND_COUNT);
	key->expand_charge = get_byte(&from, 2);
	key->answer = get_span(&from);
	old = from.wrong ? NULL : table_find(&state->keys, text);
	if (old) { /* It was used again when it had been forgotten. */
		key->next = old->next;
		memcpy(old, key, sizeof *key);
		free(key);
		return true;
	}
	if (!from.wrong && state_add_key(state, key) == STATUS_OK)
		return true;
	free(key);
	return false;
}

bool record_replay(struct state *state, enum record_type type, struct slice content)
{
	switch (type) {
	case RECORD_INTENT:
		return replay_intent(state, content);
	case RECORD_REFUND:
		return replay_refund(state, content);
	case RECORD_LEDGER:
		return replay_ledger(state, content);
	case RECORD_KEY:
		return replay_key(state, content);
	case RECORD_TEXT:
		return true;
	default:
		return false;
	}
}
