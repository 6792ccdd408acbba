/* The organiser's side of the catalog over HTTP: venues and events come in and are changed.
 *
 *	POST /venues            a venue document    201 {venueId, name, city, country?, seats,
 *	                                            sections, categories: [name]}
 *	POST /events            an event document   201 as GET /events/{eventId}, and waitingRoom
 *	PUT /events/{eventId}   what is to change   200 likewise
 *
 * Documents are described in catalog_document.h. A PUT changes name, performers, description,
 * startsAt, onSaleAt, seatsPerHoldMax, holdSeconds, waitingRoom (as a whole), and status, which can
 * become "canceled", for good; what it does not name stays as it is. Another venue, currency or
 * price than the event has is 409. A document that is wrong is 422, with the JSON path of the fault
 * as `path`.
 *
 * An Idempotency-Key is optional. With one a request can be repeated until it is answered, also
 *when the server has died in the middle of it; without one a repeated POST makes a second thing. */
#pragma once

#include "lib/http/exchange.h"
#include "real-implementation/catalog.h"

/* The context of these routes. All of it is borrowed. */
struct catalog_routes {
	struct postgres *const *connections; /* One per worker: http_worker(). */

	/* Whether the organiser is asking; else it has replied 401. */
	bool (*admin)(void *context, struct http_exchange *exchange);
	void *admin_context;

	/* See struct catalog. Called on workers, several at a time. */
	enum status (*open_seats)(void *context, struct seat_store **store, struct fault *fault);
	void *seats_context;

	/* An event was published or changed, for whoever keeps something of it in memory; on a
	 * worker, after the commit and perhaps without need. May be NULL. */
	void (*changed)(void *context, struct id event);
	void *changed_context;
};

extern const struct http_route catalog_route_table[];
extern const size_t catalog_route_count;
