/* See seat_memory.h: putting seats on sale, and reading. */
#include <assert.h>
#include <stdlib.h>

#include "tech-locking-and-transactions/memory/seat_memory_internal.h"

struct seat_memory *memory_enter(struct seat_store *store, int64_t *now_ms)
{
	struct seat_memory *memory = ((struct memory_store *)store)->memory;
	pthread_mutex_lock(&memory->mutex);
	*now_ms = clock_wall_ms(memory->clock);
	return memory;
}

enum status memory_leave(struct seat_memory *memory, enum status status)
{
	pthread_mutex_unlock(&memory->mutex);
	return status;
}

struct memory_event *memory_find_event(const struct seat_memory *memory, struct id event)
{
	bool found;
	size_t at = memory_list_find(&memory->events, memory_compare_event, &event, &found);
	return found ? memory->events.items[at] : NULL;
}

struct memory_seat *memory_find_seat(
	const struct seat_memory *memory, struct id event, struct slice seat)
{
	bool found;
	struct memory_seat key = {.event = event, .seat = seat};
	size_t at = memory_list_find(&memory->seats, memory_compare_seat, &key, &found);
	return found ? memory->seats.items[at] : NULL;
}

struct memory_hold *memory_find_hold(
	const struct seat_memory *memory, struct id event, struct id hold)
{
	bool found;
	struct hold_name key = {event, hold};
	size_t at = memory_list_find(&memory->holds, memory_compare_hold, &key, &found);
	return found ? memory->holds.items[at] : NULL;
}

bool memory_is_over(const struct memory_hold *hold, int64_t now_ms)
{
	return hold->state == HOLD_LIVE && hold->expires_at_ms <= now_ms;
}

enum seat_status memory_status_of(const struct memory_seat *seat, int64_t now_ms)
{
	bool over = seat->status == SEAT_HELD && seat->reserved_until_ms <= now_ms;
	return over ? SEAT_AVAILABLE : seat->status;
}

/* ---- stock ---- */

static void add_event(struct seat_memory *memory, struct id id, const char *currency)
{
	bool found;
	size_t at = memory_list_find(&memory->events, memory_compare_event, &id, &found);
	struct memory_event *event = calloc(1, sizeof *event);
	assert(!found && event);
	event->id = id;
	memcpy(event->currency, currency, sizeof event->currency);
	bool inserted = memory_list_insert(&memory->events, at, event);
	assert(inserted);
}

static void add_seat(struct seat_memory *memory, struct id event, const struct seat_offer *offer)
{
	bool found;
	struct memory_seat *seat = calloc(1, sizeof *seat);
	assert(seat);
	*seat = (struct memory_seat){.event = event, .seat = offer->seat};
	size_t at = memory_list_find(&memory->seats, memory_compare_seat, seat, &found);
	if (found) {
		free(seat);
		return;
	}
	seat->seat = memory_copy(offer->seat);
	seat->section = memory_copy(offer->section);
	seat->row = memory_copy(offer->row);
	seat->number = memory_copy(offer->number);
	seat->price = offer->price;
	assert(seat->seat.data && seat->section.data && seat->row.data && seat->number.data);
	bool inserted = memory_list_insert(&memory->seats, at, seat);
	assert(inserted);
}

enum status memory_stock(struct seat_store *store, struct id event, struct slice currency,
	const struct seat_offer seats[], size_t count)
{
	char code[CURRENCY_TEXT_SIZE];
	assert(count <= SEAT_STORE_STOCK_MAX);
	if (money_parse_currency(currency, code, NULL) != STATUS_OK ||
		!seat_offers_are_sound(seats, count))
		return STATUS_REFUSED;
	int64_t now_ms;
	struct seat_memory *memory = memory_enter(store, &now_ms);
	const struct memory_event *known = memory_find_event(memory, event);
	if (known && memcmp(known->currency, code, sizeof code) != 0)
		return memory_leave(memory, STATUS_REFUSED);
	if (!known)
		add_event(memory, event, code);
	for (size_t i = 0; i < count; i++)
		add_seat(memory, event, &seats[i]);
	return memory_leave(memory, STATUS_OK);
}

/* ---- look_up and availability ---- */

static bool fill_record(const struct seat_memory *memory, const struct memory_hold *hold,
	int64_t now_ms, struct hold_record *record, struct arena *arena)
{
	*record = (struct hold_record){.state = HOLD_NONE};
	if (!hold)
		return true;
	char *person = arena_copy(arena, hold->person);
	record->seats = arena_calloc(arena, hold->seat_count, sizeof(struct slice));
	if (!person || !record->seats)
		return false;
	for (size_t i = 0; i < hold->seat_count; i++) {
		record->seats[i] = hold->seats[i]->seat;
		record->seats[i].data = arena_copy(arena, hold->seats[i]->seat);
		if (!record->seats[i].data)
			return false;
	}
	record->person = (struct slice){person, hold->person.size};
	record->seat_count = hold->seat_count;
	record->state = memory_is_over(hold, now_ms) ? HOLD_EXPIRED : hold->state;
	record->version = hold->version;
	record->expires_at_ms = hold->expires_at_ms;
	record->total.minor = hold->total;
	const struct memory_event *event = memory_find_event(memory, hold->event);
	assert(event);
	memcpy(record->total.currency, event->currency, sizeof record->total.currency);
	record->order = hold->order;
	return true;
}

enum status memory_look_up(struct seat_store *store, const struct hold_name names[],
	struct hold_record records[], size_t count, struct arena *arena)
{
	assert(count >= 1 && count <= SEAT_STORE_BATCH_MAX);
	int64_t now_ms;
	struct seat_memory *memory = memory_enter(store, &now_ms);
	for (size_t i = 0; i < count; i++) {
		const struct memory_hold *hold =
			memory_find_hold(memory, names[i].event, names[i].hold);
		if (!fill_record(memory, hold, now_ms, &records[i], arena))
			return memory_leave(memory, STATUS_UNAVAILABLE);
	}
	return memory_leave(memory, STATUS_OK);
}

enum status memory_availability(
	struct seat_store *store, struct id event, seat_visit *visit, void *context, bool *found)
{
	int64_t now_ms;
	bool exact;
	struct seat_memory *memory = memory_enter(store, &now_ms);
	*found = memory_find_event(memory, event) != NULL;
	struct memory_seat key = {.event = event};
	size_t at = memory_list_find(&memory->seats, memory_compare_seat, &key, &exact);
	for (; at < memory->seats.count; at++) {
		const struct memory_seat *seat = memory->seats.items[at];
		if (!seat_ids_equal(seat->event, event))
			break;
		visit(context,
			&(struct seat_view){.seat = seat->seat,
				.section = seat->section,
				.row = seat->row,
				.number = seat->number,
				.status = memory_status_of(seat, now_ms),
				.price = seat->price,
				.version = seat->version});
	}
	return memory_leave(memory, STATUS_OK);
}
