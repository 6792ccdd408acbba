/* Seats, holds and purchases over HTTP, the same for every technology.
 *
 *	GET    /events                            what is on sale
 *	GET    /events/{eventId}/seats            its seats: ?section=&status=
 *	POST   /events/{eventId}/holds            take seats for a while
 *	GET    /holds/{holdId}                    how a hold stands
 *	DELETE /holds/{holdId}                    give its seats back
 *	POST   /holds/{holdId}/purchase           buy it
 *	GET    /orders/{orderId}                  how an order stands, with its tickets
 *	POST   /admin/recover, GET /admin/stuck   what was left half done (admin)
 *
 * DESIGN. Whatever asks the technology goes by a lane (lib/batch), so that all who wait are served
 * by one call. Holds have several lanes, by hash of event and section, so that two lanes seldom
 * want the same rows. Releases, look-ups and readings of all seats have one each, which keeps a
 * slow kind of request from delaying a quick one; purchases have several threads, each with a
 * checkout of its own, since they wait for the payment provider.
 *
 * The id of a hold is made from who asks, for which event, and the Idempotency-Key; that of an
 * order from its hold and the key. So a repeated request names what the first one made, the
 * technology answers it alike, also while the first is under way, and no record of keys has to be
 * kept. What the key stands for besides is compared by the technology: another request is 422. */
#pragma once

#include "lib/http/exchange.h"
#include "lib/metrics/metrics.h"
#include "tech-locking-and-transactions/checkout.h"
#include "tech-locking-and-transactions/seat_listing.h"

struct seat_routes;

/* Makes the technology's instances, one for each thread. Called on that thread, or before it
 * begins. UNAVAILABLE: the service is not there just now, and it is tried again later; REFUSED:
 * what no retry mends. A call is not to wait long for a service that is away. */
struct seat_opener {
	enum status (*open_store)(void *context, struct seat_store **store, struct fault *fault);
	/* NULL: nothing can be bought; purchases and orders are 503. */
	enum status (*open_checkout)(
		void *context, struct checkout **checkout, struct fault *fault);
	void *context;
};

struct seat_routes_options {
	struct seat_opener opener;
	const struct seat_listing *const
		*events;              /* On sale; all but the array is borrowed until close. */
	size_t event_count;           /* 1 to SEAT_ROUTES_EVENTS_MAX. */
	const char *admin_token;      /* Borrowed until close. */
	size_t hold_lane_count;       /* 0: 2. At most SEAT_ROUTES_LANES_MAX. */
	size_t checkout_thread_count; /* 0: 4. At most SEAT_ROUTES_LANES_MAX. */
	size_t queue_max;             /* Requests that wait for a lane; beyond: 503. 0: 4,096. */
	size_t reads_max;             /* The same for readings of all seats. 0: 64. */
	size_t batch_max;             /* 0: what the technology takes. */
	int64_t hold_ms;              /* How long a hold lives. 0: 10 minutes. */
	int64_t expire_ms;            /* How often expired holds are tidied up. 0: 1 s. */
	struct metrics *metrics;      /* Not yet frozen; outlives the routes. NULL: none. */
};

enum {
	SEAT_ROUTES_EVENTS_MAX = 16,
	SEAT_ROUTES_LANES_MAX = 32,
};

/* Prepare everything that needs no service. */
__attribute__((warn_unused_result)) enum status seat_routes_open(
	const struct seat_routes_options *options, struct seat_routes **routes,
	struct fault *fault);

/* The table, for http_server_options. The server's context must be these routes. */
extern const struct http_route seat_route_table[];
extern const size_t seat_route_count;

/* Start the lanes, which put the events on sale as soon as the technology answers. REFUSED: the
 * technology cannot be opened, and never will. Until it has been called requests get 503. */
__attribute__((warn_unused_result)) enum status seat_routes_start(
	struct seat_routes *routes, struct fault *fault);

/* Whether the events are on sale and the technology answered when it was last asked, which is at
 * least every expire_ms. Any thread. */
bool seat_routes_ready(const struct seat_routes *routes);

/* Answer what is under way and end the lanes; requests that come later get 503. Before the server
 * is closed. */
void seat_routes_stop(struct seat_routes *routes);

/* Free everything, after the server has been closed. NULL is allowed. */
void seat_routes_close(struct seat_routes *routes);

/* The ids that a request makes; see above. `person` and `key` have at most LIMIT_ID_SIZE_MAX and
 * HTTP_KEY_SIZE_MAX bytes. */
struct id seat_hold_id(struct slice person, struct id event, struct slice key);
struct id seat_order_id(struct id event, struct id hold, struct slice key);
