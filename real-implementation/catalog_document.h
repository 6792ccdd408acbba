/* Venues and events as organisers write them, read from JSON and checked.
 *
 * A venue is a seating plan (lib/ticketing/seating_plan.h) with two more members at its top: `city`
 * and, optionally, `country` (ISO 3166-1 alpha-2). Its name is the plan's.
 *
 * An event names its venue and says what a seat of each category costs:
 *	{"venueId": "…", "name": "…", "startsAt": "2027-06-12T17:00:00Z",
 *	 "currency": "EUR", "prices": {"Stalls": 4400, "Balcony": 3200}}
 * Optional: performers [text], description, onSaleAt, seatsPerHoldMax, holdSeconds, waitingRoom.
 *The venue may also be named by `venue`, its name, as long as no other has that. A member that
 *nobody knows is a fault, since it is mistyped or is expected to have an effect that it does not
 *have.
 *
 * Every fault has the JSON path of what is wrong ("$.prices.Balcony"). */
#pragma once

#include <jansson.h>

#include "lib/base/arena.h"
#include "lib/base/id.h"
#include "lib/base/limits.h"
#include "lib/ticketing/money.h"
#include "lib/ticketing/seating_plan.h"

enum {
	CATALOG_PERFORMERS_MAX = 20,
	CATALOG_DESCRIPTION_SIZE_MAX = 4000, /* Bytes. */
	CATALOG_HOLD_SECONDS_MIN = 30,
	CATALOG_HOLD_SECONDS_MAX = 3600,
	CATALOG_HOLD_SECONDS_DEFAULT = 600,
	CATALOG_EVENT_SIZE_MAX = 256 << 10, /* Bytes of JSON: prices of SEATING_CATEGORIES_MAX. */
};

/* ---- Venues ---- */

/* The zones of one name, or the seats of one category. */
struct venue_part {
	struct slice name;
	uint32_t seat_count;        /* At least 1: a part without seats is only drawn. */
	struct seating_color color; /* Of a category. */
};

struct venue_document {
	const struct seating_plan *plan;
	struct slice city, country; /* The country's `data` is NULL without one. */
	const struct venue_part *sections, *categories; /* In the plan's order. */
	size_t section_count, category_count;
};

/* Read a venue. Everything lives in `arena`, which holds the plan's parts and is best bounded by
 * SEATING_ARENA_SIZE_MAX; nothing points into `json`. REFUSED with a fault; UNAVAILABLE when memory
 * is short. */
__attribute__((warn_unused_result)) enum status venue_document_read(
	struct slice json, struct arena *arena, struct venue_document *venue, struct fault *fault);

/* ---- Events ---- */

/* How the waiting room of an event opens by itself, and what it is like when it does. */
struct catalog_room {
	int64_t open_at_holds_per_second; /* Demand at which it opens; 0: never by that. */
	int64_t open_at_lane_depth;       /* Requests that wait for a lane, likewise. */
	double rate_per_second;           /* And the rest as in struct waiting_room_settings. */
	int64_t active_max;
	int64_t claim_seconds;
	int64_t heartbeat_seconds;
	int64_t session_seconds;
};

extern const struct catalog_room catalog_room_default;

/* The members of `waiting_room` in the table of events, as JSON text: all of them. */
struct slice catalog_room_format(const struct catalog_room *room, struct arena *arena);

/* Read them back; missing ones have their defaults. False when it is no such JSON. */
__attribute__((warn_unused_result)) bool catalog_room_parse(
	struct slice json, struct catalog_room *room);

struct event_price {
	struct slice category;
	int64_t minor;
};

enum event_purpose {
	EVENT_NEW,    /* What is required must be there; what is not has its default. */
	EVENT_CHANGE, /* What is not there stays as it is. `status` may be "canceled". */
};

/* Slices are borrowed from the JSON, arrays are the arena's. What was not given (or is null) has
 * `data` NULL, or `has_…` false. */
struct event_document {
	bool has_venue_id, has_starts, has_on_sale, has_performers, has_prices, has_room, canceled;
	struct id venue_id;
	struct slice venue; /* By its name. */
	struct slice name, description;
	const struct slice *performers;
	size_t performer_count;
	int64_t starts_at_ms, on_sale_at_ms;
	char currency[CURRENCY_TEXT_SIZE]; /* Empty when it was not given. */
	const struct event_price *prices;
	size_t price_count;
	struct slice prices_json;   /* The object, compact; in the arena. */
	int64_t seats_per_hold_max; /* 0 when they were not given, for a change; else defaults. */
	int64_t hold_seconds;
	struct catalog_room room; /* A new event always has one. */
};

/* Read an event. `root` must live as long as the document. REFUSED with a fault; UNAVAILABLE when
 * memory is short. Whether the venue exists and has these categories is for the database to say. */
__attribute__((warn_unused_result)) enum status event_document_read(const json_t *root,
	enum event_purpose purpose, struct arena *arena, struct event_document *event,
	struct fault *fault);

/* Whether the prices name each of the categories and nothing else. */
__attribute__((warn_unused_result)) enum status event_document_check_prices(
	const struct event_document *event, const struct slice categories[], size_t count,
	struct fault *fault);
