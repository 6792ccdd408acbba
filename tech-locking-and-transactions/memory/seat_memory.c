/* See seat_memory.h. Memory that is short halfway through a call ends the program: an oracle that
 * half applied something would prove nothing. */
#include "tech-locking-and-transactions/memory/seat_memory.h"

#include <assert.h>
#include <stdlib.h>

#include "tech-locking-and-transactions/memory/seat_memory_internal.h"

static const struct seat_store_ops memory_ops;

struct seat_memory *seat_memory_new(struct clock *clock)
{
	struct seat_memory *memory = calloc(1, sizeof *memory);
	if (!memory || pthread_mutex_init(&memory->mutex, NULL) != 0) {
		free(memory);
		return NULL;
	}
	memory->clock = clock;
	return memory;
}

void seat_memory_free(struct seat_memory *memory)
{
	if (!memory)
		return;
	for (size_t i = 0; i < memory->events.count; i++)
		free(memory->events.items[i]);
	for (size_t i = 0; i < memory->seats.count; i++)
		memory_seat_free(memory->seats.items[i]);
	for (size_t i = 0; i < memory->holds.count; i++)
		memory_hold_free(memory->holds.items[i]);
	free(memory->events.items);
	free(memory->seats.items);
	free(memory->holds.items);
	pthread_mutex_destroy(&memory->mutex);
	free(memory);
}

struct seat_store *seat_memory_open(struct seat_memory *memory)
{
	struct memory_store *store = calloc(1, sizeof *store);
	if (!store)
		return NULL;
	*store = (struct memory_store){.base = {.ops = &memory_ops}, .memory = memory};
	return &store->base;
}

static void close_store(struct seat_store *store)
{
	free(store);
}

static const struct seat_store_traits *traits_of(const struct seat_store *store)
{
	static const struct seat_store_traits traits = {.name = "memory",
		.exact_expiry = true,
		.reads_latest = true,
		.exact_refusals = true,
		.batch_max = SEAT_STORE_BATCH_MAX};
	(void)store;
	return &traits;
}

/* ---- hold ---- */

/* The seats that the request names, in order, each once; `which` are those that do not exist. */
static size_t gather(const struct seat_memory *memory, const struct hold_request *request,
	struct memory_seat *seats[SEAT_STORE_SEATS_MAX], uint64_t *which)
{
	size_t count = 0;
	*which = 0;
	for (size_t i = 0; i < request->seat_count; i++) {
		struct memory_seat *seat =
			memory_find_seat(memory, request->event, request->seats[i]);
		size_t at = count;
		if (!seat) {
			*which |= UINT64_C(1) << i;
			continue;
		}
		while (at > 0 && seat_compare(seats[at - 1]->seat, seat->seat) > 0)
			at--;
		if (at > 0 && seats[at - 1] == seat)
			continue;
		memmove(seats + at + 1, seats + at, (count - at) * sizeof(struct memory_seat *));
		seats[at] = seat;
		count++;
	}
	return count;
}

static uint64_t find_taken(
	const struct seat_memory *memory, const struct hold_request *request, int64_t now_ms)
{
	uint64_t which = 0;
	for (size_t i = 0; i < request->seat_count; i++)
		if (memory_status_of(memory_find_seat(memory, request->event, request->seats[i]),
			    now_ms) != SEAT_AVAILABLE)
			which |= UINT64_C(1) << i;
	return which;
}

static bool is_same(const struct memory_hold *hold, const struct hold_request *request,
	struct memory_seat *const seats[], size_t count)
{
	if (!slice_equal(hold->person, request->person) || hold->hold_ms != request->hold_ms ||
		hold->seat_count != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (hold->seats[i] != seats[i])
			return false;
	return true;
}

static struct hold_result granted(const struct memory_hold *hold)
{
	return (struct hold_result){.outcome = HOLD_GRANTED,
		.version = hold->version,
		.expires_at_ms = hold->expires_at_ms,
		.total = hold->total};
}

static const struct memory_hold *add_hold(struct seat_memory *memory,
	const struct hold_request *request, struct memory_seat *const seats[], size_t count,
	int64_t now_ms)
{
	struct memory_hold *hold = calloc(1, sizeof *hold);
	assert(hold && count > 0);
	*hold = (struct memory_hold){.event = request->event,
		.id = request->hold,
		.person = memory_copy(request->person),
		.seats = calloc(count, sizeof(struct memory_seat *)),
		.seat_count = count,
		.hold_ms = request->hold_ms,
		.expires_at_ms = now_ms + request->hold_ms,
		.state = HOLD_LIVE};
	assert(hold->person.data && hold->seats);
	for (size_t i = 0; i < count; i++) {
		hold->seats[i] = seats[i];
		hold->total += seats[i]->price;
		seats[i]->status = SEAT_HELD;
		seats[i]->hold = hold->id;
		seats[i]->reserved_until_ms = hold->expires_at_ms;
		if (++seats[i]->version > hold->version)
			hold->version = seats[i]->version;
	}
	bool found;
	struct hold_name name = {hold->event, hold->id};
	size_t at = memory_list_find(&memory->holds, memory_compare_hold, &name, &found);
	bool inserted = memory_list_insert(&memory->holds, at, hold);
	assert(inserted);
	return hold;
}

static struct hold_result hold_one(
	struct seat_memory *memory, const struct hold_request *request, int64_t now_ms)
{
	struct memory_seat *seats[SEAT_STORE_SEATS_MAX + 1];
	uint64_t which;
	if (!hold_request_is_sound(request))
		return (struct hold_result){.outcome = HOLD_MALFORMED};
	if (!memory_find_event(memory, request->event))
		return (struct hold_result){.outcome = HOLD_NO_EVENT};
	size_t count = gather(memory, request, seats, &which);
	const struct memory_hold *known = memory_find_hold(memory, request->event, request->hold);
	if (known && which == 0 && is_same(known, request, seats, count))
		return granted(known);
	if (known)
		return (struct hold_result){.outcome = HOLD_OTHER_REQUEST};
	if (which != 0)
		return (struct hold_result){.outcome = HOLD_NO_SUCH_SEAT, .which = which};
	which = find_taken(memory, request, now_ms);
	if (which != 0)
		return (struct hold_result){.outcome = HOLD_TAKEN, .which = which};
	return granted(add_hold(memory, request, seats, count, now_ms));
}

static enum status hold(struct seat_store *store, const struct hold_request requests[],
	struct hold_result results[], size_t count)
{
	assert(count >= 1 && count <= SEAT_STORE_BATCH_MAX);
	int64_t now_ms;
	struct seat_memory *memory = memory_enter(store, &now_ms);
	for (size_t i = 0; i < count; i++)
		results[i] = hold_one(memory, &requests[i], now_ms);
	return memory_leave(memory, STATUS_OK);
}

/* ---- sell ---- */

static const struct memory_hold *find_order(
	const struct seat_memory *memory, struct id event, struct id order)
{
	for (size_t i = 0; i < memory->holds.count; i++) {
		const struct memory_hold *hold = memory->holds.items[i];
		if ((hold->state == HOLD_SOLD || hold->state == HOLD_REVOKED) &&
			seat_ids_equal(hold->event, event) && seat_ids_equal(hold->order, order))
			return hold;
	}
	return NULL;
}

/* The seats of a hold that are still its own: others may have been taken since its end. */
static void change_seats(struct memory_hold *hold, enum seat_status from, enum seat_status to)
{
	for (size_t i = 0; i < hold->seat_count; i++) {
		struct memory_seat *seat = hold->seats[i];
		if (seat->status != from || !seat_ids_equal(seat->hold, hold->id))
			continue;
		seat->status = to;
		seat->version++;
	}
}

static enum sell_outcome sell_outcome(struct seat_memory *memory,
	const struct sell_request *request, const struct memory_hold *hold, int64_t now_ms)
{
	if (!hold || hold->state == HOLD_RELEASED)
		return SELL_NOT_HELD;
	if (!slice_equal(hold->person, request->person))
		return SELL_NOT_YOURS;
	if (hold->version != request->version)
		return SELL_STALE;
	if (hold->state == HOLD_SOLD || hold->state == HOLD_REVOKED) {
		if (!seat_ids_equal(hold->order, request->order))
			return SELL_OTHER_ORDER;
		return hold->state == HOLD_SOLD ? SELL_SOLD : SELL_REVOKED;
	}
	if (hold->state == HOLD_EXPIRED || memory_is_over(hold, now_ms))
		return SELL_EXPIRED;
	if (find_order(memory, request->event, request->order))
		return SELL_OTHER_HOLD;
	return SELL_SOLD;
}

static struct sell_result sell_one(
	struct seat_memory *memory, const struct sell_request *request, int64_t now_ms)
{
	if (!sell_request_is_sound(request))
		return (struct sell_result){.outcome = SELL_MALFORMED};
	struct memory_hold *hold = memory_find_hold(memory, request->event, request->hold);
	enum sell_outcome outcome = sell_outcome(memory, request, hold, now_ms);
	if (outcome != SELL_SOLD)
		return (struct sell_result){.outcome = outcome};
	if (hold->state == HOLD_LIVE) {
		hold->state = HOLD_SOLD;
		hold->order = request->order;
		change_seats(hold, SEAT_HELD, SEAT_SOLD);
	}
	return (struct sell_result){.outcome = outcome, .total = hold->total};
}

static enum status sell(struct seat_store *store, const struct sell_request requests[],
	struct sell_result results[], size_t count)
{
	assert(count >= 1 && count <= SEAT_STORE_BATCH_MAX);
	int64_t now_ms;
	struct seat_memory *memory = memory_enter(store, &now_ms);
	for (size_t i = 0; i < count; i++)
		results[i] = sell_one(memory, &requests[i], now_ms);
	return memory_leave(memory, STATUS_OK);
}

/* ---- release, revoke, expire ---- */

static enum release_outcome release_one(
	struct seat_memory *memory, const struct release_request *request, int64_t now_ms)
{
	if (!release_request_is_sound(request))
		return RELEASE_MALFORMED;
	struct memory_hold *hold = memory_find_hold(memory, request->event, request->hold);
	if (!hold)
		return RELEASE_NOT_HELD;
	if (!slice_equal(hold->person, request->person))
		return RELEASE_NOT_YOURS;
	if (hold->state == HOLD_SOLD || hold->state == HOLD_REVOKED)
		return RELEASE_SOLD;
	if (hold->state == HOLD_EXPIRED || memory_is_over(hold, now_ms))
		return RELEASE_EXPIRED;
	if (hold->state == HOLD_LIVE) {
		hold->state = HOLD_RELEASED;
		change_seats(hold, SEAT_HELD, SEAT_AVAILABLE);
	}
	return RELEASE_RELEASED;
}

static enum status release(struct seat_store *store, const struct release_request requests[],
	enum release_outcome outcomes[], size_t count)
{
	assert(count >= 1 && count <= SEAT_STORE_BATCH_MAX);
	int64_t now_ms;
	struct seat_memory *memory = memory_enter(store, &now_ms);
	for (size_t i = 0; i < count; i++)
		outcomes[i] = release_one(memory, &requests[i], now_ms);
	return memory_leave(memory, STATUS_OK);
}

static enum status revoke(struct seat_store *store, const struct revoke_request requests[],
	enum revoke_outcome outcomes[], size_t count)
{
	assert(count >= 1 && count <= SEAT_STORE_BATCH_MAX);
	int64_t now_ms;
	struct seat_memory *memory = memory_enter(store, &now_ms);
	for (size_t i = 0; i < count; i++) {
		struct memory_hold *hold = (struct memory_hold *)find_order(
			memory, requests[i].event, requests[i].order);
		outcomes[i] = hold ? REVOKE_REVOKED : REVOKE_NO_ORDER;
		if (!hold || hold->state == HOLD_REVOKED)
			continue;
		hold->state = HOLD_REVOKED;
		change_seats(hold, SEAT_SOLD, SEAT_AVAILABLE);
	}
	return memory_leave(memory, STATUS_OK);
}

/* The hold whose time has been over for longest. The list is in order of the ids, so of two that
 * ended at once it is the first. */
static struct memory_hold *longest_over(const struct seat_memory *memory, int64_t now_ms)
{
	struct memory_hold *longest = NULL;
	for (size_t i = 0; i < memory->holds.count; i++) {
		struct memory_hold *hold = memory->holds.items[i];
		if (memory_is_over(hold, now_ms) &&
			(!longest || hold->expires_at_ms < longest->expires_at_ms))
			longest = hold;
	}
	return longest;
}

static enum status expire(
	struct seat_store *store, size_t max, struct hold_name expired[], size_t *count)
{
	assert(max >= 1 && max <= SEAT_STORE_BATCH_MAX);
	int64_t now_ms;
	struct seat_memory *memory = memory_enter(store, &now_ms);
	for (*count = 0; *count < max; ++*count) {
		struct memory_hold *hold = longest_over(memory, now_ms);
		if (!hold)
			break;
		hold->state = HOLD_EXPIRED;
		change_seats(hold, SEAT_HELD, SEAT_AVAILABLE);
		expired[*count] = (struct hold_name){hold->event, hold->id};
	}
	return memory_leave(memory, STATUS_OK);
}

static const struct seat_store_ops memory_ops = {.traits = traits_of,
	.stock = memory_stock,
	.hold = hold,
	.sell = sell,
	.release = release,
	.revoke = revoke,
	.expire = expire,
	.look_up = memory_look_up,
	.availability = memory_availability,
	.close = close_store};
