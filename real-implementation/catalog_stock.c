/* Adding an event: a draft, its seats in chunks, and then it is published. See catalog.h. */
#include "real-implementation/catalog.h"
#include "real-implementation/catalog_internal.h"
#include "real-implementation/catalog_statements.sql.h"

#define STATEMENT(name_, effect_) \
	static const struct postgres_statement name_ = { \
		.name = #name_, .sql = sql_##name_, .effect = (effect_)}

STATEMENT(catalog_venue_find, POSTGRES_READS);
STATEMENT(catalog_venue_plan, POSTGRES_READS);
STATEMENT(catalog_event_insert, POSTGRES_WRITES);
STATEMENT(catalog_event_state, POSTGRES_READS);
STATEMENT(catalog_event_publish, POSTGRES_WRITES);
STATEMENT(catalog_event_read, POSTGRES_READS);

/* Offers are made and sent this many at a time. */
enum { CHUNK_SEATS = 5000 };

_Static_assert((int)CHUNK_SEATS <= (int)SEAT_STORE_STOCK_MAX, "a chunk is one call");
_Static_assert((int)SEAT_STORE_LABEL_SIZE_MAX >= (int)LIMIT_NAME_SIZE_MAX &&
		(int)SEAT_STORE_ID_SIZE_MAX >= (int)LIMIT_ID_SIZE_MAX,
	"each seat of a plan can be stocked");

struct event_write {
	struct catalog *catalog;
	const struct catalog_request *request;
	const struct event_document *event;
	struct arena *arena;
	struct catalog_answer *answer;
	struct id venue;
};

static enum status find_venue(struct event_write *write, bool *good);
static enum status make_draft(struct event_write *write, bool *is_draft);
static enum status stock(struct event_write *write);
static enum status stock_plan(struct event_write *write, struct seat_store *store,
	const struct seating_plan *plan, const int64_t prices[], struct arena *arena);
static enum status publish_work(struct postgres *pg, void *context);

enum status catalog_add_event(struct catalog *catalog, const struct catalog_request *request,
	const struct event_document *event, struct arena *arena, struct catalog_answer *answer)
{
	struct event_write write = {.catalog = catalog,
		.request = request,
		.event = event,
		.arena = arena,
		.answer = answer};
	bool good, is_draft = false;
	*answer = (struct catalog_answer){0};
	enum status status = find_venue(&write, &good);
	if (status != STATUS_OK || !good)
		return status;
	status = make_draft(&write, &is_draft);
	if (status != STATUS_OK || answer->outcome == CATALOG_OTHER)
		return status;
	if (is_draft)
		status = stock(&write);
	if (status != STATUS_OK)
		return status;
	return postgres_transact(catalog->pg,
		&(struct postgres_transaction){.work = publish_work, .context = &write});
}

static enum status find_venue(struct event_write *write, bool *good)
{
	const struct event_document *event = write->event;
	struct catalog_answer *answer = write->answer;
	const char *where = event->has_venue_id ? "$.venueId" : "$.venue";
	struct postgres_result result;
	struct slice *categories;
	size_t count;
	enum status status = postgres_execute(write->catalog->pg, &catalog_venue_find,
		POSTGRES_PARAMETERS(
			event->has_venue_id ? postgres_uuid(event->venue_id) : postgres_null(),
			postgres_text(event->venue)),
		&result);
	*good = false;
	if (status != STATUS_OK)
		return status;
	answer->outcome = CATALOG_WRONG;
	if (result.row_count == 0) {
		fault_set(&answer->fault, where, "there is no such venue");
	} else if (result.row_count > 1) {
		fault_set(&answer->fault, where,
			"more than one venue has this name; give venueId instead");
	} else if (!postgres_get_text_array(&result, 0, 1, write->arena, &categories, &count)) {
		status = STATUS_UNAVAILABLE;
	} else {
		write->venue = postgres_get_uuid(&result, 0, 0);
		*good = event_document_check_prices(event, categories, count, &answer->fault) ==
			STATUS_OK;
	}
	postgres_result_release(&result);
	return status;
}

/* The row of the event, made now or before. */
static enum status make_draft(struct event_write *write, bool *is_draft)
{
	struct postgres *pg = write->catalog->pg;
	const struct event_document *event = write->event;
	const struct catalog_request *request = write->request;
	struct slice room = catalog_room_format(&event->room, write->arena);
	struct slice digest = {
		.data = (const char *)request->digest, .size = sizeof request->digest};
	int64_t from = event->prices[0].minor, to = from;
	if (!room.data)
		return STATUS_UNAVAILABLE;
	for (size_t i = 1; i < event->price_count; i++) {
		from = event->prices[i].minor < from ? event->prices[i].minor : from;
		to = event->prices[i].minor > to ? event->prices[i].minor : to;
	}
	enum status status = postgres_execute(pg, &catalog_event_insert,
		POSTGRES_PARAMETERS(postgres_uuid(request->id), postgres_uuid(write->venue),
			postgres_text(event->name),
			postgres_text_array(event->performers, event->performer_count),
			postgres_text(event->description.data ? event->description : slice_of("")),
			postgres_timestamp(event->starts_at_ms),
			event->has_on_sale ? postgres_timestamp(event->on_sale_at_ms)
					   : postgres_null(),
			postgres_text(slice_of(event->currency)),
			postgres_jsonb(event->prices_json), postgres_bigint(from),
			postgres_bigint(to), postgres_integer((int32_t)event->seats_per_hold_max),
			postgres_integer((int32_t)event->hold_seconds), postgres_jsonb(room),
			postgres_bytes(digest)),
		NULL);
	if (status != STATUS_OK)
		return status;
	struct postgres_result result;
	status = postgres_execute(
		pg, &catalog_event_state, POSTGRES_PARAMETERS(postgres_uuid(request->id)), &result);
	if (status == STATUS_OK && result.row_count == 0) /* Somebody has deleted it. */
		status = STATUS_UNAVAILABLE;
	if (status == STATUS_OK) {
		*is_draft = postgres_get_boolean(&result, 0, 1);
		write->answer->outcome = !catalog_same_origin(&result, request) ? CATALOG_OTHER
			: *is_draft                                             ? CATALOG_MADE
										: CATALOG_KNOWN;
	}
	postgres_result_release(&result);
	return status;
}

/* ---- Seats ---- */

/* The price of each category of the plan; those without seats have none. */
static int64_t *prices_of(
	const struct event_write *write, const struct seating_plan *plan, struct arena *arena)
{
	int64_t *prices = arena_calloc(arena, plan->category_count, sizeof *prices);
	for (uint32_t i = 0; prices && i < plan->category_count; i++)
		for (size_t j = 0; j < write->event->price_count; j++)
			if (slice_equal(plan->categories[i].name, write->event->prices[j].category))
				prices[i] = write->event->prices[j].minor;
	return prices;
}

static enum status stock(struct event_write *write)
{
	struct catalog *catalog = write->catalog;
	struct fault *fault = &write->answer->fault;
	const struct seating_plan *plan;
	struct seat_store *store = NULL;
	struct postgres_result result;
	struct arena arena;
	arena_init(&arena, SEATING_ARENA_SIZE_MAX);
	enum status status = postgres_execute(catalog->pg, &catalog_venue_plan,
		POSTGRES_PARAMETERS(postgres_uuid(write->venue)), &result);
	if (status == STATUS_OK)
		status = seating_plan_read(postgres_get_text(&result, 0, 0), &arena, &plan, fault);
	postgres_result_release(&result);
	int64_t *prices = status == STATUS_OK ? prices_of(write, plan, &arena) : NULL;
	if (status == STATUS_OK && !prices)
		status = STATUS_UNAVAILABLE;
	if (status == STATUS_OK)
		status = catalog->open_seats(catalog->seats_context, &store, fault);
	if (status == STATUS_OK) {
		status = stock_plan(write, store, plan, prices, &arena);
		store->ops->close(store);
	}
	arena_release(&arena);
	return status;
}

static enum status stock_plan(struct event_write *write, struct seat_store *store,
	const struct seating_plan *plan, const int64_t prices[], struct arena *arena)
{
	struct catalog *catalog = write->catalog;
	struct seat_offer *offers = arena_calloc(arena, CHUNK_SEATS, sizeof *offers);
	if (!offers)
		return STATUS_UNAVAILABLE;
	for (uint32_t done = 0; done < plan->seat_count;) {
		size_t count = 0;
		for (; count < CHUNK_SEATS && done < plan->seat_count; count++, done++) {
			const struct seating_seat *seat = &plan->seats[done];
			offers[count] = (struct seat_offer){.seat = seat->guid,
				.section = plan->zones[seat->zone_index].name,
				.row = plan->rows[seat->row_index].number,
				.number = seat->number,
				.price = prices[seat->category_index]};
		}
		enum status status = seat_store_stock(
			store, write->request->id, slice_of(write->event->currency), offers, count);
		if (status != STATUS_OK) {
			fault_set(&write->answer->fault, "$",
				"the seat store did not take the seats (%s)", status_name(status));
			return status;
		}
		if (catalog->progress)
			catalog->progress(catalog->progress_context, done, plan->seat_count);
	}
	return STATUS_OK;
}

/* Shown from now on, together with the record of the key. */
static enum status publish_work(struct postgres *pg, void *context)
{
	const struct event_write *write = context;
	const struct catalog_request *request = write->request;
	const struct postgres_parameter id = postgres_uuid(request->id);
	struct postgres_result result = {0};
	enum status status = postgres_execute(pg, &catalog_event_publish, &id, 1, NULL);
	if (status == STATUS_OK)
		status = postgres_execute(pg, &catalog_event_read, &id, 1, &result);
	if (status == STATUS_OK && result.row_count == 0)
		status = STATUS_UNAVAILABLE;
	if (status == STATUS_OK)
		status = catalog_copy(write->arena, &result, 0, 0, &write->answer->json);
	postgres_result_release(&result);
	if (status == STATUS_OK)
		status = catalog_keep_key(pg, request, write->answer->json);
	return status;
}
