/* Reading events: see catalog_document.h. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "real-implementation/catalog_document.h"
#include "tech-waiting-room/waiting_room.h"

const struct catalog_room catalog_room_default = {
	.open_at_holds_per_second = 200,
	.open_at_lane_depth = 500,
	.rate_per_second = 50,
	.active_max = 2000,
	.claim_seconds = 120,
	.heartbeat_seconds = 60,
	.session_seconds = 900,
};

enum { MEMBERS_MAX = 24, DEMAND_MAX = 1000000, NAME_SHOWN_MAX = 100 };

/* An object that is being read. The first fault makes all later reads return nothing. */
struct members {
	const json_t *object;
	const char *path; /* Of the object: "$". */
	struct fault *fault;
	bool refused;
	const char *seen[MEMBERS_MAX];
	size_t seen_count;
};

static void read_room(struct members *members, struct event_document *event);
static void read_room_members(struct members *inner, struct catalog_room *room);
static void read_people(struct members *members, struct event_document *event, struct arena *arena);
static void read_prices(struct members *members, struct event_document *event, struct arena *arena);
static void read_times(struct members *members, struct event_document *event);
static void read_venue(struct members *members, struct event_document *event);
static void require(
	struct members *members, enum event_purpose purpose, bool given, const char *name);
static void finish(struct members *members);

/* At most `size_max` bytes of it, and whole characters. */
static int cut(struct slice text, size_t size_max)
{
	size_t size = text.size < size_max ? text.size : size_max;
	while (size > 0 && size < text.size && ((unsigned char)text.data[size] & 0xC0) == 0x80)
		size--;
	return (int)size;
}

__attribute__((format(printf, 3, 4))) static void refuse(
	struct members *members, const char *name, const char *what, ...)
{
	char where[sizeof members->fault->where], why[sizeof members->fault->what];
	if (members->refused)
		return;
	va_list arguments;
	va_start(arguments, what);
	vsnprintf(why, sizeof why, what, arguments);
	va_end(arguments);
	/* The name may be the document's own, so it is bounded. */
	snprintf(where, sizeof where, "%s.%.*s", members->path, cut(slice_of(name), NAME_SHOWN_MAX),
		name);
	fault_set(members->fault, where, "%s", why);
	members->refused = true;
}

/* The member's value; NULL when it is missing or null. */
static const json_t *member(struct members *members, const char *name)
{
	assert(members->seen_count < MEMBERS_MAX);
	members->seen[members->seen_count++] = name;
	const json_t *value = members->refused ? NULL : json_object_get(members->object, name);
	return value && !json_is_null(value) ? value : NULL;
}

/* The text; its data is NULL when it is not one of `min` to `max` bytes. Lines are allowed in a
 * text that may be empty, which is what descriptions are. */
static struct slice text_of(const json_t *value, size_t min, size_t max)
{
	struct slice text = {.data = json_string_value(value), .size = json_string_length(value)};
	struct slice rest = text, line;
	bool good = text.data && text.size >= min && text.size <= max;
	while (good && min == 0 && slice_split(&rest, '\n', &line))
		good = slice_is_text(line);
	if (!good || (min > 0 && !slice_is_text(text)))
		return (struct slice){0};
	return text;
}

static struct slice text_member(struct members *members, const char *name, size_t min, size_t max)
{
	const json_t *value = member(members, name);
	if (!value)
		return (struct slice){0};
	struct slice text = text_of(value, min, max);
	if (!text.data)
		refuse(members, name,
			"must be a text of %zu to %zu bytes without control characters", min, max);
	return text;
}

static void integer_member(
	struct members *members, const char *name, int64_t min, int64_t max, int64_t *integer)
{
	const json_t *value = member(members, name);
	if (!value)
		return;
	if (json_is_integer(value) && json_integer_value(value) >= min &&
		json_integer_value(value) <= max)
		*integer = json_integer_value(value);
	else
		refuse(members, name, "must be an integer from %lld to %lld", (long long)min,
			(long long)max);
}

static void time_member(struct members *members, const char *name, bool *has, int64_t *wall_ms)
{
	struct slice text = text_member(members, name, 1, LIMIT_NAME_SIZE_MAX);
	if (!text.data)
		return;
	*has = time_parse(text, wall_ms) == STATUS_OK;
	if (!*has)
		refuse(members, name, "must be a time as in RFC 3339, 2027-05-01T19:30:00Z");
}

enum status event_document_read(const json_t *root, enum event_purpose purpose, struct arena *arena,
	struct event_document *event, struct fault *fault)
{
	struct members members = {.object = root, .path = "$", .fault = fault};
	*event = (struct event_document){.room = catalog_room_default};
	fault->where[0] = '\0';
	if (!json_is_object(root))
		return fault_set(fault, "$", "must be an object");
	read_venue(&members, event);
	event->name = text_member(&members, "name", 1, LIMIT_NAME_SIZE_MAX);
	event->description = text_member(&members, "description", 0, CATALOG_DESCRIPTION_SIZE_MAX);
	read_people(&members, event, arena);
	read_times(&members, event);
	read_prices(&members, event, arena);
	if (purpose == EVENT_NEW) {
		event->seats_per_hold_max = LIMIT_SEATS_PER_HOLD;
		event->hold_seconds = CATALOG_HOLD_SECONDS_DEFAULT;
	}
	integer_member(
		&members, "seatsPerHoldMax", 1, LIMIT_SEATS_PER_HOLD, &event->seats_per_hold_max);
	integer_member(&members, "holdSeconds", CATALOG_HOLD_SECONDS_MIN, CATALOG_HOLD_SECONDS_MAX,
		&event->hold_seconds);
	read_room(&members, event);
	if (purpose == EVENT_CHANGE) {
		const json_t *status = member(&members, "status");
		event->canceled =
			status && slice_equal(text_of(status, 1, 20), slice_of("canceled"));
		if (status && !event->canceled)
			refuse(&members, "status", "can only become \"canceled\"");
	}
	require(&members, purpose, event->has_venue_id || event->venue.data, "venueId");
	require(&members, purpose, event->name.data, "name");
	require(&members, purpose, event->has_starts, "startsAt");
	require(&members, purpose, event->currency[0], "currency");
	require(&members, purpose, event->has_prices, "prices");
	finish(&members);
	if (!members.refused)
		return STATUS_OK;
	return fault->where[0] ? STATUS_REFUSED : STATUS_UNAVAILABLE;
}

static void read_venue(struct members *members, struct event_document *event)
{
	struct slice id = text_member(members, "venueId", 1, LIMIT_ID_SIZE_MAX);
	event->venue = text_member(members, "venue", 1, LIMIT_NAME_SIZE_MAX);
	event->has_venue_id = id.data && id_parse(id, &event->venue_id);
	if (id.data && !event->has_venue_id)
		refuse(members, "venueId", "there is no such venue");
	if (id.data && event->venue.data)
		refuse(members, "venue", "cannot be given beside venueId");
}

static void read_times(struct members *members, struct event_document *event)
{
	time_member(members, "startsAt", &event->has_starts, &event->starts_at_ms);
	time_member(members, "onSaleAt", &event->has_on_sale, &event->on_sale_at_ms);
	if (event->has_starts && event->has_on_sale && event->on_sale_at_ms > event->starts_at_ms)
		refuse(members, "onSaleAt", "must not be after startsAt");
}

/* Memory is short: a refusal without a place. */
static void run_out(struct members *members)
{
	if (members->refused)
		return;
	members->fault->where[0] = '\0';
	snprintf(members->fault->what, sizeof members->fault->what, "memory is short");
	members->refused = true;
}

static void read_people(struct members *members, struct event_document *event, struct arena *arena)
{
	const json_t *list = member(members, "performers");
	size_t count = json_array_size(list);
	if (!list)
		return;
	if (!json_is_array(list) || count > CATALOG_PERFORMERS_MAX) {
		refuse(members, "performers", "must be a list of at most %d texts",
			CATALOG_PERFORMERS_MAX);
		return;
	}
	struct slice *performers = arena_calloc(arena, count + 1, sizeof *performers);
	if (!performers) {
		run_out(members);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		performers[i] = text_of(json_array_get(list, i), 1, LIMIT_NAME_SIZE_MAX);
		for (size_t j = 0; j < i && performers[i].data; j++)
			if (slice_equal(performers[i], performers[j]))
				performers[i].data = NULL;
		if (performers[i].data)
			continue;
		char name[40];
		snprintf(name, sizeof name, "performers[%zu]", i);
		refuse(members, name, "must be a text of 1 to %d bytes, different from the others",
			LIMIT_NAME_SIZE_MAX);
		return;
	}
	event->performers = performers;
	event->performer_count = count;
	event->has_performers = true;
}

static void read_prices(struct members *members, struct event_document *event, struct arena *arena)
{
	struct fault fault;
	struct slice currency = text_member(members, "currency", 1, 3);
	if (currency.data && money_parse_currency(currency, event->currency, &fault) != STATUS_OK)
		refuse(members, "currency", "%s", fault.what);
	const json_t *object = member(members, "prices");
	if (!object)
		return;
	size_t count = json_object_size(object);
	if (!json_is_object(object) || count < 1 || count > SEATING_CATEGORIES_MAX) {
		refuse(members, "prices", "must be an object with a price for each category");
		return;
	}
	struct event_price *prices = arena_calloc(arena, count, sizeof *prices);
	char *text = json_dumps(object, JSON_COMPACT);
	char *copy = text ? arena_copy(arena, slice_of(text)) : NULL;
	free(text);
	if (!prices || !copy) {
		run_out(members);
		return;
	}
	const char *category;
	json_t *price;
	struct members inner = {.path = "$.prices", .fault = members->fault};
	json_object_foreach((json_t *)(uintptr_t)object, category, price)
	{
		int64_t minor = json_integer_value(price);
		if (!json_is_integer(price) || minor < 0 || minor > MONEY_PRICE_MINOR_MAX)
			refuse(&inner, category,
				"must be an integer from 0 to %lld, in minor units",
				(long long)MONEY_PRICE_MINOR_MAX);
		prices[event->price_count++] = (struct event_price){slice_of(category), minor};
	}
	members->refused |= inner.refused;
	event->prices = prices;
	event->prices_json = slice_of(copy);
	event->has_prices = true;
}

static void read_room(struct members *members, struct event_document *event)
{
	const json_t *object = member(members, "waitingRoom");
	struct members inner = {.object = object, .path = "$.waitingRoom", .fault = members->fault};
	if (!object)
		return;
	if (!json_is_object(object)) {
		refuse(members, "waitingRoom", "must be an object");
		return;
	}
	read_room_members(&inner, &event->room);
	finish(&inner);
	members->refused |= inner.refused;
	event->has_room = true;
}

static void read_room_members(struct members *inner, struct catalog_room *room)
{
	integer_member(
		inner, "openAtHoldsPerSecond", 0, DEMAND_MAX, &room->open_at_holds_per_second);
	integer_member(inner, "openAtLaneDepth", 0, DEMAND_MAX, &room->open_at_lane_depth);
	integer_member(inner, "activeMax", 0, WAITING_ROOM_ACTIVE_MAX, &room->active_max);
	integer_member(inner, "claimSeconds", 1, WAITING_ROOM_SECONDS_MAX, &room->claim_seconds);
	integer_member(
		inner, "heartbeatSeconds", 1, WAITING_ROOM_SECONDS_MAX, &room->heartbeat_seconds);
	integer_member(
		inner, "sessionSeconds", 1, WAITING_ROOM_SECONDS_MAX, &room->session_seconds);
	const json_t *rate = member(inner, "ratePerSecond");
	double value = json_number_value(rate);
	if (rate && json_is_number(rate) && value >= WAITING_ROOM_RATE_MIN &&
		value <= WAITING_ROOM_RATE_MAX)
		room->rate_per_second = value;
	else if (rate)
		refuse(inner, "ratePerSecond", "must be a number from %g to %d",
			WAITING_ROOM_RATE_MIN, WAITING_ROOM_RATE_MAX);
}

static void require(
	struct members *members, enum event_purpose purpose, bool given, const char *name)
{
	if (purpose == EVENT_NEW && !given)
		refuse(members, name, "is required");
}

static void finish(struct members *members)
{
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)members->object, name, value)
	{
		size_t i = 0;
		while (i < members->seen_count && strcmp(members->seen[i], name) != 0)
			i++;
		if (i == members->seen_count)
			refuse(members, name, "is not a member of this document");
	}
}

enum status event_document_check_prices(const struct event_document *event,
	const struct slice categories[], size_t count, struct fault *fault)
{
	char where[sizeof fault->where];
	for (size_t i = 0; i < count; i++) {
		size_t j = 0;
		while (j < event->price_count &&
			!slice_equal(categories[i], event->prices[j].category))
			j++;
		if (j == event->price_count)
			return fault_set(fault, "$.prices", "category \"%.*s\" has no price",
				SLICE_PRINT(categories[i]));
	}
	for (size_t j = 0; j < event->price_count; j++) {
		size_t i = 0;
		while (i < count && !slice_equal(categories[i], event->prices[j].category))
			i++;
		if (i < count)
			continue;
		struct slice name = event->prices[j].category;
		snprintf(
			where, sizeof where, "$.prices.%.*s", cut(name, NAME_SHOWN_MAX), name.data);
		return fault_set(fault, where, "the venue has no such category");
	}
	return STATUS_OK;
}

/* ---- Settings of the waiting room, as they are stored ---- */

struct slice catalog_room_format(const struct catalog_room *room, struct arena *arena)
{
	return arena_format(arena,
		"{\"openAtHoldsPerSecond\":%lld,\"openAtLaneDepth\":%lld,\"ratePerSecond\":%.17g,"
		"\"activeMax\":%lld,\"claimSeconds\":%lld,\"heartbeatSeconds\":%lld,"
		"\"sessionSeconds\":%lld}",
		(long long)room->open_at_holds_per_second, (long long)room->open_at_lane_depth,
		room->rate_per_second, (long long)room->active_max, (long long)room->claim_seconds,
		(long long)room->heartbeat_seconds, (long long)room->session_seconds);
}

bool catalog_room_parse(struct slice json, struct catalog_room *room)
{
	struct fault fault;
	json_t *root = json_loadb(json.data, json.size, 0, NULL);
	struct members members = {.object = root, .path = "$", .fault = &fault};
	*room = catalog_room_default;
	if (json_is_object(root))
		read_room_members(&members, room);
	bool good = json_is_object(root) && !members.refused;
	json_decref(root);
	return good;
}
