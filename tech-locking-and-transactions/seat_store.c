/* What all seat stores have in common: pure functions of a request. */
#include "tech-locking-and-transactions/seat_store.h"

#include <assert.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

struct id seat_ticket_id(struct id order, struct slice seat)
{
	uint8_t text[sizeof order.bytes + SEAT_STORE_ID_SIZE_MAX], hash[SHA256_DIGEST_LENGTH];
	assert(seat.size <= SEAT_STORE_ID_SIZE_MAX);
	memcpy(text, order.bytes, sizeof order.bytes);
	if (seat.size > 0)
		memcpy(text + sizeof order.bytes, seat.data, seat.size);
	SHA256(text, sizeof order.bytes + seat.size, hash);
	return seat_id_of_hash(hash);
}

struct id seat_id_of_hash(const uint8_t hash[])
{
	struct id id;
	memcpy(id.bytes, hash, sizeof id.bytes);
	id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0F) | 0x80); /* Version 8, */
	id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3F) | 0x80); /* variant 10. */
	return id;
}

static bool is_name(struct slice text, size_t size_min, size_t size_max)
{
	return text.size >= size_min && text.size <= size_max && slice_is_text(text);
}

static bool is_id(struct slice text)
{
	return is_name(text, 1, SEAT_STORE_ID_SIZE_MAX);
}

bool hold_request_is_sound(const struct hold_request *request)
{
	if (!is_id(request->person) || request->seat_count < 1 ||
		request->seat_count > SEAT_STORE_SEATS_MAX || request->hold_ms < 1 ||
		request->hold_ms > SEAT_STORE_HOLD_MS_MAX)
		return false;
	for (size_t i = 0; i < request->seat_count; i++)
		if (!is_id(request->seats[i]))
			return false;
	return true;
}

bool sell_request_is_sound(const struct sell_request *request)
{
	return is_id(request->person);
}

bool release_request_is_sound(const struct release_request *request)
{
	return is_id(request->person);
}

static bool offer_is_sound(const struct seat_offer *offer)
{
	return is_id(offer->seat) && is_name(offer->section, 0, SEAT_STORE_LABEL_SIZE_MAX) &&
		is_name(offer->row, 0, SEAT_STORE_LABEL_SIZE_MAX) &&
		is_name(offer->number, 0, SEAT_STORE_LABEL_SIZE_MAX) && offer->price >= 0 &&
		offer->price <= MONEY_PRICE_MINOR_MAX;
}

static int compare_for_sort(const void *a, const void *b)
{
	return seat_compare(*(const struct slice *)a, *(const struct slice *)b);
}

bool seat_offers_are_sound(const struct seat_offer offers[], size_t count)
{
	static _Thread_local struct slice seats[SEAT_STORE_STOCK_MAX];
	assert(count <= SEAT_STORE_STOCK_MAX);
	for (size_t i = 0; i < count; i++) {
		if (!offer_is_sound(&offers[i]))
			return false;
		seats[i] = offers[i].seat;
	}
	qsort(seats, count, sizeof seats[0], compare_for_sort);
	for (size_t i = 1; i < count; i++)
		if (slice_equal(seats[i - 1], seats[i]))
			return false;
	return true;
}

int seat_compare(struct slice a, struct slice b)
{
	size_t size = a.size < b.size ? a.size : b.size;
	int order = size > 0 ? memcmp(a.data, b.data, size) : 0;
	return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

int seat_compare_ids(struct id a, struct id b)
{
	return memcmp(a.bytes, b.bytes, sizeof a.bytes);
}

const char *hold_outcome_name(enum hold_outcome outcome)
{
	static const char *const names[] = {[HOLD_GRANTED] = "granted",
		[HOLD_TAKEN] = "taken",
		[HOLD_NO_SUCH_SEAT] = "no such seat",
		[HOLD_NO_EVENT] = "no event",
		[HOLD_OTHER_REQUEST] = "other request",
		[HOLD_MALFORMED] = "malformed"};
	assert((unsigned)outcome <= HOLD_MALFORMED);
	return names[outcome];
}

const char *sell_outcome_name(enum sell_outcome outcome)
{
	static const char *const names[] = {[SELL_SOLD] = "sold",
		[SELL_NOT_HELD] = "not held",
		[SELL_NOT_YOURS] = "not yours",
		[SELL_STALE] = "stale",
		[SELL_OTHER_ORDER] = "other order",
		[SELL_REVOKED] = "revoked",
		[SELL_EXPIRED] = "expired",
		[SELL_OTHER_HOLD] = "other hold",
		[SELL_MALFORMED] = "malformed"};
	assert((unsigned)outcome <= SELL_MALFORMED);
	return names[outcome];
}

const char *release_outcome_name(enum release_outcome outcome)
{
	static const char *const names[] = {[RELEASE_RELEASED] = "released",
		[RELEASE_NOT_HELD] = "not held",
		[RELEASE_NOT_YOURS] = "not yours",
		[RELEASE_EXPIRED] = "expired",
		[RELEASE_SOLD] = "sold",
		[RELEASE_MALFORMED] = "malformed"};
	assert((unsigned)outcome <= RELEASE_MALFORMED);
	return names[outcome];
}

const char *hold_state_name(enum hold_state state)
{
	static const char *const names[] = {[HOLD_NONE] = "none",
		[HOLD_LIVE] = "live",
		[HOLD_EXPIRED] = "expired",
		[HOLD_RELEASED] = "released",
		[HOLD_SOLD] = "sold",
		[HOLD_REVOKED] = "revoked"};
	assert((unsigned)state <= HOLD_REVOKED);
	return names[state];
}
