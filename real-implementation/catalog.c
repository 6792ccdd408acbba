/* Writing venues and changing events, and what is common to all writing. See catalog.h; adding an
 * event is in catalog_stock.c. */
#include "real-implementation/catalog.h"

#include <sodium.h>

#include "lib/base/buffer.h"
#include "real-implementation/catalog_internal.h"
#include "real-implementation/catalog_statements.sql.h"

#define STATEMENT(name_, effect_) \
	static const struct postgres_statement name_ = { \
		.name = #name_, .sql = sql_##name_, .effect = (effect_)}

STATEMENT(catalog_key_store, POSTGRES_WRITES);
STATEMENT(catalog_venue_insert, POSTGRES_WRITES);
STATEMENT(catalog_venue_read, POSTGRES_READS);
STATEMENT(catalog_event_lock, POSTGRES_WRITES);
STATEMENT(catalog_event_change, POSTGRES_WRITES);
STATEMENT(catalog_event_read, POSTGRES_READS);

enum { PARTS_SIZE_MAX = 8 << 20 };

_Static_assert(CATALOG_DIGEST_SIZE == crypto_hash_sha256_BYTES, "a digest is a SHA-256");

struct venue_write {
	const struct catalog_request *request;
	const struct venue_document *venue;
	struct slice document, sections, categories;
	struct arena *arena;
	struct catalog_answer *answer;
};

struct event_change {
	const struct catalog_request *request;
	const struct event_document *event;
	struct arena *arena;
	struct catalog_answer *answer;
};

static enum status venue_work(struct postgres *pg, void *context);
static void add_part(struct buffer *json, const struct venue_part *part);
static enum status change_work(struct postgres *pg, void *context);
static enum status check_change(struct postgres *pg, const struct event_change *change, bool *good);
static enum status apply_change(struct postgres *pg, const struct event_change *change);

struct id catalog_id_of(const char *kind, struct slice content)
{
	crypto_hash_sha256_state state;
	uint8_t hash[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, (const unsigned char *)kind, strlen(kind) + 1);
	crypto_hash_sha256_update(&state, (const unsigned char *)content.data, content.size);
	crypto_hash_sha256_final(&state, hash);
	return seat_id_of_hash(hash);
}

void catalog_digest(struct slice content, uint8_t digest[CATALOG_DIGEST_SIZE])
{
	crypto_hash_sha256(digest, (const unsigned char *)content.data, content.size);
}

enum status catalog_copy(struct arena *arena, const struct postgres_result *result, size_t row,
	size_t column, struct slice *copy)
{
	struct slice text = postgres_get_text(result, row, column);
	copy->data = arena_copy(arena, text);
	copy->size = text.size;
	return copy->data ? STATUS_OK : STATUS_UNAVAILABLE;
}

enum status catalog_keep_key(
	struct postgres *pg, const struct catalog_request *request, struct slice json)
{
	const struct catalog_key *key = request->key;
	if (!key)
		return STATUS_OK;
	return postgres_execute(pg, &catalog_key_store,
		POSTGRES_PARAMETERS(postgres_text(key->operation), postgres_text(key->key),
			postgres_text(key->fingerprint), postgres_integer(key->status),
			postgres_text(json)),
		NULL);
}

bool catalog_same_origin(
	const struct postgres_result *result, const struct catalog_request *request)
{
	struct slice mine = {.data = (const char *)request->digest, .size = sizeof request->digest};
	return slice_equal(postgres_get_bytes(result, 0, 0), mine);
}

/* ---- Venues ---- */

enum status catalog_add_venue(struct catalog *catalog, const struct catalog_request *request,
	const struct venue_document *venue, struct slice document, struct arena *arena,
	struct catalog_answer *answer)
{
	struct buffer sections, categories;
	*answer = (struct catalog_answer){0};
	buffer_init(&sections, PARTS_SIZE_MAX);
	buffer_init(&categories, PARTS_SIZE_MAX);
	for (size_t i = 0; i < venue->section_count; i++)
		add_part(&sections, &venue->sections[i]);
	for (size_t i = 0; i < venue->category_count; i++)
		add_part(&categories, &venue->categories[i]);
	buffer_add_text(&sections, "]");
	buffer_add_text(&categories, "]");
	struct venue_write write = {.request = request,
		.venue = venue,
		.document = document,
		.sections = buffer_slice(&sections),
		.categories = buffer_slice(&categories),
		.arena = arena,
		.answer = answer};
	enum status status = STATUS_UNAVAILABLE;
	if (!sections.failed && !categories.failed)
		status = postgres_transact(catalog->pg,
			&(struct postgres_transaction){.work = venue_work, .context = &write});
	buffer_release(&sections);
	buffer_release(&categories);
	return status;
}

/* A part as the tables have it; the array that they form is opened by the first. */
static void add_part(struct buffer *json, const struct venue_part *part)
{
	const struct seating_color *color = &part->color;
	buffer_add_text(json, json->size == 0 ? "[{\"name\":" : ",{\"name\":");
	buffer_add_json(json, part->name);
	if (color->alpha > 0)
		buffer_add_format(json, ",\"color\":\"#%02x%02x%02x\"", color->red, color->green,
			color->blue);
	buffer_add_format(json, ",\"seats\":%u}", part->seat_count);
}

static enum status venue_work(struct postgres *pg, void *context)
{
	const struct venue_write *write = context;
	const struct venue_document *venue = write->venue;
	const struct catalog_request *request = write->request;
	struct catalog_answer *answer = write->answer;
	struct postgres_result result = {0};
	struct slice digest = {
		.data = (const char *)request->digest, .size = sizeof request->digest};
	enum status status = postgres_execute(pg, &catalog_venue_insert,
		POSTGRES_PARAMETERS(postgres_uuid(request->id), postgres_text(venue->plan->name),
			postgres_text(venue->city), postgres_text(venue->country),
			postgres_text(write->document),
			postgres_integer((int32_t)venue->plan->seat_count),
			postgres_integer((int32_t)venue->section_count),
			postgres_jsonb(write->sections), postgres_jsonb(write->categories),
			postgres_bytes(digest)),
		&result);
	if (status != STATUS_OK)
		return status;
	answer->outcome = result.row_count == 1 ? CATALOG_MADE : CATALOG_KNOWN;
	postgres_result_release(&result);
	status = postgres_execute(
		pg, &catalog_venue_read, POSTGRES_PARAMETERS(postgres_uuid(request->id)), &result);
	if (status == STATUS_OK && !catalog_same_origin(&result, request))
		answer->outcome = CATALOG_OTHER;
	else if (status == STATUS_OK)
		status = catalog_copy(write->arena, &result, 0, 1, &answer->json);
	postgres_result_release(&result);
	if (status == STATUS_OK && answer->outcome != CATALOG_OTHER)
		status = catalog_keep_key(pg, request, answer->json);
	return status;
}

/* ---- Changes of an event ---- */

enum status catalog_change_event(struct catalog *catalog, const struct catalog_request *request,
	const struct event_document *event, struct arena *arena, struct catalog_answer *answer)
{
	struct event_change change = {
		.request = request, .event = event, .arena = arena, .answer = answer};
	*answer = (struct catalog_answer){0};
	enum status status = postgres_transact(catalog->pg,
		&(struct postgres_transaction){.work = change_work, .context = &change});
	/* The times that were given may be at odds with those that were not. */
	if (status == STATUS_REFUSED && postgres_violated(catalog->pg, "on_sale_before_start")) {
		answer->outcome = CATALOG_WRONG;
		fault_set(&answer->fault, event->has_on_sale ? "$.onSaleAt" : "$.startsAt",
			"the event would go on sale after its start");
		return STATUS_OK;
	}
	return status;
}

static enum status change_work(struct postgres *pg, void *context)
{
	const struct event_change *change = context;
	struct catalog_answer *answer = change->answer;
	struct postgres_result result = {0};
	bool good;
	enum status status = check_change(pg, change, &good);
	if (status == STATUS_OK && !good)
		postgres_rollback(pg);
	if (status != STATUS_OK || !good)
		return status;
	status = apply_change(pg, change);
	if (status == STATUS_OK)
		status = postgres_execute(pg, &catalog_event_read,
			POSTGRES_PARAMETERS(postgres_uuid(change->request->id)), &result);
	if (status == STATUS_OK)
		status = catalog_copy(change->arena, &result, 0, 0, &answer->json);
	postgres_result_release(&result);
	answer->outcome = CATALOG_MADE;
	return status == STATUS_OK ? catalog_keep_key(pg, change->request, answer->json) : status;
}

/* What is sold at a price, in a currency, at a place, stays that. */
static enum status check_change(struct postgres *pg, const struct event_change *change, bool *good)
{
	static const char *const kept[] = {"$.venueId", "$.currency", "$.prices"};
	const struct event_document *event = change->event;
	struct catalog_answer *answer = change->answer;
	struct postgres_result result;
	enum status status = postgres_execute(pg, &catalog_event_lock,
		POSTGRES_PARAMETERS(postgres_uuid(change->request->id),
			event->has_venue_id ? postgres_uuid(event->venue_id) : postgres_null(),
			postgres_text(event->venue),
			event->currency[0] ? postgres_text(slice_of(event->currency))
					   : postgres_null(),
			event->has_prices ? postgres_jsonb(event->prices_json) : postgres_null()),
		&result);
	*good = status == STATUS_OK && result.row_count == 1;
	if (status == STATUS_OK && !*good)
		answer->outcome = CATALOG_MISSING;
	if (*good && postgres_get_boolean(&result, 0, 0)) {
		*good = false;
		answer->outcome = CATALOG_CONFLICT;
		fault_set(&answer->fault, "$.status", "the event is canceled, which is final");
	}
	for (size_t i = 0; *good && i < 3; i++) {
		if (postgres_is_null(&result, 0, 1 + i) || !postgres_get_boolean(&result, 0, 1 + i))
			continue;
		*good = false;
		answer->outcome = CATALOG_CONFLICT;
		fault_set(&answer->fault, i == 0 && event->venue.data ? "$.venue" : kept[i],
			"cannot be changed once the event is there; leave it out, or as it is");
	}
	postgres_result_release(&result);
	return status;
}

static enum status apply_change(struct postgres *pg, const struct event_change *change)
{
	const struct event_document *event = change->event;
	struct slice room = {0};
	if (event->has_room) {
		room = catalog_room_format(&event->room, change->arena);
		if (!room.data)
			return STATUS_UNAVAILABLE;
	}
	return postgres_execute(pg, &catalog_event_change,
		POSTGRES_PARAMETERS(postgres_uuid(change->request->id), postgres_text(event->name),
			event->has_performers
				? postgres_text_array(event->performers, event->performer_count)
				: postgres_null(),
			postgres_text(event->description),
			event->has_starts ? postgres_timestamp(event->starts_at_ms)
					  : postgres_null(),
			event->has_on_sale ? postgres_timestamp(event->on_sale_at_ms)
					   : postgres_null(),
			event->seats_per_hold_max
				? postgres_integer((int32_t)event->seats_per_hold_max)
				: postgres_null(),
			event->hold_seconds ? postgres_integer((int32_t)event->hold_seconds)
					    : postgres_null(),
			event->has_room ? postgres_jsonb(room) : postgres_null(),
			postgres_boolean(event->canceled)),
		NULL);
}
