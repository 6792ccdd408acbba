/* See seat_store_broken.h. */
#include "tech-locking-and-transactions/seat_store_broken.h"

#include <assert.h>
#include <stdlib.h>

struct broken {
	struct seat_store base;
	struct seat_store *inner;
	enum seat_store_breakage breakage;
	struct arena arena;
	seat_visit *visit; /* Of the availability that is being asked for. */
	void *visit_context;
};

static struct broken *broken_of(struct seat_store *store)
{
	return (struct broken *)store;
}

static const struct seat_store_traits *broken_traits(const struct seat_store *store)
{
	return seat_store_traits(((const struct broken *)store)->inner);
}

static enum status broken_stock(struct seat_store *store, struct id event, struct slice currency,
	const struct seat_offer seats[], size_t count)
{
	return seat_store_stock(broken_of(store)->inner, event, currency, seats, count);
}

static struct hold_record know(struct broken *broken, struct id event, struct id hold)
{
	struct hold_record record = {.state = HOLD_NONE};
	struct hold_name name = {event, hold};
	arena_reset(&broken->arena);
	if (seat_store_look_up(broken->inner, &name, &record, 1, &broken->arena) != STATUS_OK)
		record = (struct hold_record){.state = HOLD_NONE};
	return record;
}

/* ---- hold ---- */

static void hold_part(
	struct broken *broken, const struct hold_request *request, const struct hold_result *result)
{
	struct slice seats[SEAT_STORE_SEATS_MAX];
	struct hold_request part = *request;
	struct hold_result ignored;
	part.seats = seats;
	part.seat_count = 0;
	for (size_t i = 0; i < request->seat_count; i++)
		if (!(result->which >> i & 1))
			seats[part.seat_count++] = request->seats[i];
	if (part.seat_count > 0 && seat_store_hold(broken->inner, &part, &ignored, 1) != STATUS_OK)
		abort();
}

static void forget_hold(struct broken *broken, const struct hold_request *request)
{
	struct release_request release = {request->event, request->hold, request->person};
	enum release_outcome ignored;
	if (seat_store_release(broken->inner, &release, &ignored, 1) != STATUS_OK)
		abort();
}

static struct hold_result granted(const struct hold_record *record)
{
	return (struct hold_result){.outcome = HOLD_GRANTED,
		.version = record->version,
		.expires_at_ms = record->expires_at_ms,
		.total = record->total.minor};
}

static enum status hold_one(
	struct broken *broken, const struct hold_request *request, struct hold_result *result)
{
	struct hold_record before = know(broken, request->event, request->hold);
	enum status status = seat_store_hold(broken->inner, request, result, 1);
	enum hold_outcome outcome = status == STATUS_OK ? result->outcome : HOLD_MALFORMED;
	if (broken->breakage == BREAK_HOLD_PART && outcome == HOLD_TAKEN)
		hold_part(broken, request, result);
	if (broken->breakage == BREAK_GRANT_TAKEN && outcome == HOLD_TAKEN)
		*result = (struct hold_result){.outcome = HOLD_GRANTED, .version = 1};
	if (broken->breakage == BREAK_FORGET_HOLD && outcome == HOLD_GRANTED)
		forget_hold(broken, request);
	if (broken->breakage == BREAK_HOLD_AGAIN && before.state != HOLD_NONE)
		*result = (struct hold_result){.outcome = HOLD_TAKEN, .which = 1};
	if (broken->breakage == BREAK_IGNORE_CONTENT && outcome == HOLD_OTHER_REQUEST)
		*result = granted(&before);
	return status;
}

static enum status broken_hold(struct seat_store *store, const struct hold_request requests[],
	struct hold_result results[], size_t count)
{
	struct broken *broken = broken_of(store);
	enum status status = STATUS_OK;
	for (size_t i = 0; i < count && status == STATUS_OK; i++) {
		bool last_wins = broken->breakage == BREAK_LAST_CLAIM_WINS;
		size_t at = last_wins ? count - 1 - i : i;
		status = hold_one(broken, &requests[at], &results[at]);
	}
	return status;
}

/* ---- sell ---- */

static enum status sell_one(
	struct broken *broken, const struct sell_request *request, struct sell_result *result)
{
	struct hold_record record = know(broken, request->event, request->hold);
	struct sell_request other = *request;
	if (broken->breakage == BREAK_ANYBODY_SELLS && record.state != HOLD_NONE)
		other.person = record.person;
	if (broken->breakage == BREAK_IGNORE_FENCE && record.state != HOLD_NONE)
		other.version = record.version;
	enum status status = seat_store_sell(broken->inner, &other, result, 1);
	if (status == STATUS_OK &&
		((broken->breakage == BREAK_SELL_EXPIRED && result->outcome == SELL_EXPIRED) ||
			(broken->breakage == BREAK_SELL_AGAIN &&
				result->outcome == SELL_OTHER_ORDER)))
		*result = (struct sell_result){.outcome = SELL_SOLD, .total = record.total.minor};
	return status;
}

static enum status broken_sell(struct seat_store *store, const struct sell_request requests[],
	struct sell_result results[], size_t count)
{
	enum status status = STATUS_OK;
	for (size_t i = 0; i < count && status == STATUS_OK; i++)
		status = sell_one(broken_of(store), &requests[i], &results[i]);
	return status;
}

/* ---- the rest ---- */

static enum status broken_release(struct seat_store *store, const struct release_request requests[],
	enum release_outcome outcomes[], size_t count)
{
	struct broken *broken = broken_of(store);
	if (broken->breakage != BREAK_FORGET_RELEASE)
		return seat_store_release(broken->inner, requests, outcomes, count);
	for (size_t i = 0; i < count; i++)
		outcomes[i] = RELEASE_RELEASED;
	return STATUS_OK;
}

static enum status broken_revoke(struct seat_store *store, const struct revoke_request requests[],
	enum revoke_outcome outcomes[], size_t count)
{
	struct broken *broken = broken_of(store);
	if (broken->breakage != BREAK_FORGET_REVOCATION)
		return seat_store_revoke(broken->inner, requests, outcomes, count);
	for (size_t i = 0; i < count; i++)
		outcomes[i] = REVOKE_REVOKED;
	return STATUS_OK;
}

static enum status broken_expire(
	struct seat_store *store, size_t max, struct hold_name expired[], size_t *count)
{
	return seat_store_expire(broken_of(store)->inner, max, expired, count);
}

static enum status broken_look_up(struct seat_store *store, const struct hold_name names[],
	struct hold_record records[], size_t count, struct arena *arena)
{
	return seat_store_look_up(broken_of(store)->inner, names, records, count, arena);
}

static void visit_stale(void *context, const struct seat_view *seat)
{
	const struct broken *broken = context;
	struct seat_view stale = *seat;
	if (broken->breakage == BREAK_STALE_STATUS && seat->status == SEAT_HELD)
		stale.status = SEAT_AVAILABLE;
	broken->visit(broken->visit_context, &stale);
}

static enum status broken_availability(
	struct seat_store *store, struct id event, seat_visit *visit, void *context, bool *found)
{
	struct broken *broken = broken_of(store);
	broken->visit = visit;
	broken->visit_context = context;
	return seat_store_availability(broken->inner, event, visit_stale, broken, found);
}

static void broken_close(struct seat_store *store)
{
	struct broken *broken = broken_of(store);
	seat_store_close(broken->inner);
	arena_release(&broken->arena);
	free(broken);
}

static const struct seat_store_ops broken_ops = {.traits = broken_traits,
	.stock = broken_stock,
	.hold = broken_hold,
	.sell = broken_sell,
	.release = broken_release,
	.revoke = broken_revoke,
	.expire = broken_expire,
	.look_up = broken_look_up,
	.availability = broken_availability,
	.close = broken_close};

struct seat_store *seat_store_broken(struct seat_store *store, enum seat_store_breakage breakage)
{
	struct broken *broken = calloc(1, sizeof *broken);
	if (!broken)
		return NULL;
	*broken =
		(struct broken){.base = {.ops = &broken_ops}, .inner = store, .breakage = breakage};
	arena_init(&broken->arena, 1 << 20);
	return &broken->base;
}

const char *seat_store_breakage_name(enum seat_store_breakage breakage)
{
	static const char *const names[BREAK_COUNT] = {"nothing", "hold_part", "grant_taken",
		"forget_hold", "hold_again", "ignore_content", "anybody_sells", "ignore_fence",
		"sell_expired", "sell_again", "forget_release", "forget_revocation",
		"last_claim_wins", "stale_status"};
	assert((unsigned)breakage < BREAK_COUNT);
	return names[breakage];
}
