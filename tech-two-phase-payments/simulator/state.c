/* See state.h. */
#include "tech-two-phase-payments/simulator/state.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

enum { LEDGER_CAPACITY_MIN = 1024 };

const char *const ledger_kind_names[] = {
	[LEDGER_AUTHORIZATION] = "authorization",
	[LEDGER_CAPTURE] = "capture",
	[LEDGER_RELEASE] = "release",
	[LEDGER_VOID] = "void",
	[LEDGER_EXPIRY] = "expiry",
	[LEDGER_REFUND] = "refund",
};

/* ---- Ledger ---- */

static struct ledger_total *total_of(struct ledger *ledger, const char *currency)
{
	for (size_t i = 0; i < ledger->total_count; i++)
		if (memcmp(ledger->totals[i].currency, currency, CURRENCY_SIZE) == 0)
			return &ledger->totals[i];
	assert(ledger->total_count < CURRENCIES_MAX);
	struct ledger_total *total = &ledger->totals[ledger->total_count++];
	memcpy(total->currency, currency, CURRENCY_SIZE);
	return total;
}

enum status ledger_add(struct ledger *ledger, const struct ledger_entry *entry)
{
	if (ledger->count == ledger->capacity) {
		size_t capacity = ledger->capacity ? 2 * ledger->capacity : LEDGER_CAPACITY_MIN;
		struct ledger_entry *grown =
			realloc(ledger->entries, capacity * sizeof *ledger->entries);
		if (!grown)
			return STATUS_UNAVAILABLE;
		ledger->entries = grown;
		ledger->capacity = capacity;
	}
	ledger->entries[ledger->count++] = *entry;
	struct ledger_total *total = total_of(ledger, entry->intent->currency);
	total->amounts[entry->kind] += entry->amount;
	total->count++;
	return STATUS_OK;
}

int64_t ledger_open_amount(const struct ledger_total *total)
{
	return total->amounts[LEDGER_AUTHORIZATION] - total->amounts[LEDGER_CAPTURE] -
		total->amounts[LEDGER_RELEASE] - total->amounts[LEDGER_VOID] -
		total->amounts[LEDGER_EXPIRY];
}

/* ---- Tables ---- */

static struct slice intent_id(const void *intent)
{
	return slice_of(((const struct intent *)intent)->id);
}

static struct slice intent_charge(const void *intent)
{
	return slice_of(((const struct intent *)intent)->charge);
}

static struct slice refund_id(const void *refund)
{
	return slice_of(((const struct refund *)refund)->id);
}

static struct slice key_text(const void *thing)
{
	const struct key *key = thing;
	return (struct slice){.data = key->text, .size = key->size};
}

void state_init(struct state *state)
{
	*state = (struct state){0};
	table_init(&state->intents, intent_id);
	table_init(&state->charges, intent_charge);
	table_init(&state->refunds, refund_id);
	table_init(&state->keys, key_text);
}

void state_release(struct state *state)
{
	for (size_t i = 0; i < state->refunds.capacity; i++)
		refund_free(state->refunds.places[i]);
	for (size_t i = 0; i < state->intents.capacity; i++)
		intent_free(state->intents.places[i]);
	for (struct key *key = state->key_first, *next; key; key = next) {
		next = key->next;
		free(key);
	}
	table_release(&state->refunds);
	table_release(&state->charges);
	table_release(&state->intents);
	table_release(&state->keys);
	timers_release(&state->expiries);
	free(state->ledger.entries);
}

enum status state_add_intent(struct state *state, struct intent *intent)
{
	return table_add(&state->intents, intent);
}

enum status state_add_refund(struct state *state, struct refund *refund)
{
	return table_add(&state->refunds, refund);
}

enum status state_touch_intent(struct state *state, struct intent *intent)
{
	bool held = intent->status == INTENT_REQUIRES_CAPTURE;
	bool charged = held || intent->status == INTENT_SUCCEEDED;
	if (!held)
		timers_remove(&state->expiries, &intent->expiry);
	else if (intent->expiry.place == 0 &&
		timers_add(&state->expiries, &intent->expiry, intent->capture_before_ms) !=
			STATUS_OK)
		return STATUS_UNAVAILABLE;
	/* Only a charge that succeeded stays the intent's for good. */
	if (charged && !table_find(&state->charges, intent_charge(intent)))
		return table_add(&state->charges, intent);
	return STATUS_OK;
}

struct intent *state_find_intent(const struct state *state, struct slice id)
{
	return table_find(&state->intents, id);
}

struct intent *state_find_charge(const struct state *state, struct slice id)
{
	return table_find(&state->charges, id);
}

struct refund *state_find_refund(const struct state *state, struct slice id)
{
	return table_find(&state->refunds, id);
}

struct intent *state_next_expired(struct state *state, int64_t now_ms)
{
	struct timer *timer = timers_pop(&state->expiries, now_ms);
	return timer ? (struct intent *)((char *)timer - offsetof(struct intent, expiry)) : NULL;
}

/* ---- Keys ---- */

enum key_outcome state_check_key(const struct state *state, struct slice text,
	const uint8_t fingerprint[KEY_FINGERPRINT_SIZE], struct key **found)
{
	struct key *key = table_find(&state->keys, text);
	if (!key)
		return KEY_NEW;
	*found = key;
	if (memcmp(key->fingerprint, fingerprint, KEY_FINGERPRINT_SIZE) != 0)
		return KEY_MISMATCH;
	return key->busy ? KEY_BUSY : KEY_REPLAY;
}

struct key *key_new(struct slice text)
{
	assert(text.size <= KEY_SIZE_MAX);
	struct key *key = calloc(1, sizeof *key + text.size);
	if (!key)
		return NULL;
	key->size = (uint8_t)text.size;
	memcpy(key->text, text.data, text.size);
	return key;
}

enum status state_add_key(struct state *state, struct key *key)
{
	if (table_add(&state->keys, key) != STATUS_OK)
		return STATUS_UNAVAILABLE;
	if (state->key_last)
		state->key_last->next = key;
	else
		state->key_first = key;
	state->key_last = key;
	return STATUS_OK;
}

void state_forget_keys(struct state *state, int64_t now_ms)
{
	struct key *key;
	while ((key = state->key_first) && !key->busy &&
		key->created_ms + KEY_LIFETIME_MS <= now_ms) {
		state->key_first = key->next;
		if (!state->key_first)
			state->key_last = NULL;
		table_remove(&state->keys, key);
		free(key);
	}
}
