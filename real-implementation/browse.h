/* What everybody may see of the catalog: lists of events, search, and one event.
 *
 *	GET /events?q=&city=&from=&to=&limit=&cursor=
 *		{items: [{eventId, name, performers, venue {venueId, name, city, country?},
 *		startsAt, onSaleAt, status, currency, priceFrom, priceTo}], next?}
 *	GET /events/{eventId}
 *		the same of one event, with description, prices, categories, sections, seats,
 *		seatsPerHoldMax, holdSeconds and version; with an ETag
 *
 * `status` is "upcoming" (not on sale yet), "on_sale", "ended" (has begun) or "canceled", by the
 * database's clock. Lists are in order of startsAt; events that have begun are in them only where
 * `from` says so. `from` (included) and `to` (excluded) are RFC 3339 times or dates in UTC. `city`
 * is the whole name of one, without regard to case and accents.
 *
 * Search. Each word of `q` must be in the event's name, performers, description, city or venue, in
 * any order, without regard to case and accents; the last word may be the beginning of one, since
 * people search while they type. A word that no event has, because it is mistyped, stands for the
 * (at most three) nearest that some event has. There are no stop words: "The Who" is a name. What
 * has no word at all, or one that is like no other, finds nothing; that is an empty list and no
 * fault.
 *
 * DESIGN. A page of a common word's events is found soonest by walking along the events in their
 * order, of a rare word's by the index of words; each is far too slow for the other, and the
 *planner of a prepared statement cannot know which it is. So the first BROWSE_WALK_EVENTS are
 *walked, and only where these do not fill the page the index is asked: then the word is rare, or
 *all of its events are far ahead. */
#pragma once

#include "lib/base/arena.h"
#include "lib/http/exchange.h"
#include "lib/postgres/postgres.h"

enum {
	BROWSE_QUERY_SIZE_MAX = 200, /* Bytes of q. */
	BROWSE_WORDS_MAX = 16,       /* Of q, after it has been cut into words. */
	BROWSE_CORRECTIONS_MAX = 4,  /* Words that nobody knows; with more, nothing is found. */
	BROWSE_WALK_EVENTS = 2000,
};

/* The context of these routes. */
struct browse {
	struct postgres *const *readers; /* One per worker: http_worker(). Borrowed. */
};

extern const struct http_route browse_route_table[];
extern const size_t browse_route_count;

/* Turn what somebody typed into a query for events.search, in the arena: its `data` is NULL when it
 * can find nothing. REFUSED: it has more than BROWSE_WORDS_MAX words. */
__attribute__((warn_unused_result)) enum status browse_query(
	struct postgres *pg, struct slice typed, struct arena *arena, struct slice *query);

/* One page of events. */
struct browse_page {
	struct slice query;    /* As browse_query made it; `data` NULL: no search. */
	struct slice city;     /* `data` NULL: any. */
	bool has_from, has_to; /* Without from, the present. */
	int64_t from_ms, to_ms;
	bool has_cursor;
	int64_t after_ms; /* The last page's last event. */
	struct id after;
	int64_t limit;
};

/* Rows of (json text, starts_at, event_id), one more than `limit` where there is a next page. */
__attribute__((warn_unused_result)) enum status browse_read_page(
	struct postgres *pg, const struct browse_page *page, struct postgres_result *result);
