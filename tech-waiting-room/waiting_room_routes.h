/* The waiting room over HTTP, the same for every technology.
 *
 *	POST   /events/{eventId}/waiting-room           join
 *	GET    /events/{eventId}/waiting-room           how the room stands
 *	PUT    /events/{eventId}/waiting-room           make it, set it (admin)
 *	GET    /events/{eventId}/waiting-room/lobby     the lobby's list, for whoever recomputes
 *	GET    /waiting-room/{placeToken}               how it stands with me
 *	GET    /waiting-room/{placeToken}/stream        the same, told as it changes
 *	POST   /waiting-room/{placeToken}/heartbeat     I am still here
 *	DELETE /waiting-room/{placeToken}               I leave
 *	POST   /waiting-room/passes/verify              is this pass good
 *	POST   /waiting-room/passes/claim, …/release    first and last use of a pass (admin)
 *
 * DESIGN. Reads come from memory, writes go by lanes. An event belongs to one of a fixed number of
 * lanes by its hash. A lane is one thread with one adapter; what arrives while it is busy is its
 * next batch, which is sorted by event and operation, so that a call to the technology serves
 * everybody who asked meanwhile. The lane also gives each of its rooms its turn: it calls `admit`,
 * publishes how the room stands as a snapshot that the event loops read without a lock, tells the
 * open streams, and looks up those of its own streams whose turn has come. The last works alike
 * whichever process has admitted them, so every process that shares a room does all of this.
 *
 * Whoever waits is answered on the event loop, from the signed place and the snapshot, without any
 * I/O. Only somebody whose place has been called, or who comes from an earlier epoch, goes through
 * the lane. */
#pragma once

#include "lib/http/server.h"
#include "lib/ticketing/keyring.h"
#include "tech-waiting-room/waiting_room.h"

struct waiting_room_routes;

/* Makes the technology's instances, one per lane. */
struct waiting_room_opener {
	/* Open one instance; it may be used by another thread than the caller's, one at a time. Is
	 * not to fail only because the service is not there at the moment: the instance's calls
	 * then are UNAVAILABLE. */
	enum status (*open)(void *context, struct waiting_room **room, struct fault *fault);
	void *context;
};

/* Somebody was called by this process, which tells it once. An admission whose answer was lost on
 * its way (UNKNOWN), or whose process died, is told by nobody; who must not miss one looks people
 * up, as the streams do. Texts are valid during the call. */
struct waiting_room_admitted {
	const char *id; /* "admitted:{event}:{epoch}:{place}": the same whoever tells of it. */
	struct slice event;
	const struct admission *admission;
};

struct waiting_room_routes_options {
	struct waiting_room_opener opener;
	const struct keyring *keyring; /* Signs places and passes. Outlives the routes. */
	const char *admin_token;       /* Of admin routes. Outlives the routes. */
	size_t lane_count;             /* 0: 2. At most WAITING_ROOM_LANES_MAX. */
	size_t queue_max;              /* Requests that wait for a lane; beyond: 503. 0: 16,384. */
	size_t batch_max;              /* 0: what the technology takes. */
	double joins_per_second;       /* By one client address. 0: 50. */
	int64_t joins_burst;           /* 0: 200. */
	int64_t list_ms;               /* How often new events are looked for. 0: 2 s. */
	const char *address_from; /* A header whose last item is the client's address, set by the
				     proxy in front. NULL: the socket's own. */
	/* Who asks. NULL: the member `userId` of the body says so, and who shows a placeToken is
	 * its person. Else another's userId is 403, another's placeToken 404, and this fills in a
	 * slice of 1 to WAITING_ROOM_PERSON_SIZE_MAX URL-safe characters that lives as long as the
	 * exchange; or it replies (401) and returns false. Runs on an event loop. */
	bool (*person)(void *context, struct http_exchange *exchange, struct slice *person);
	void *person_context;
	/* Called on a lane's thread; must be quick. NULL: nobody wants to know. */
	void (*on_admitted)(void *context, const struct waiting_room_admitted *admitted);
	void *admitted_context;
	struct metrics *metrics; /* Registered but not yet frozen; outlives the routes. NULL: none.
				  */
};

enum { WAITING_ROOM_LANES_MAX = 16, WAITING_ROOM_EVENTS_MAX = 1024 /* For each lane. */ };

/* Prepare everything that needs no service. The options are copied. */
__attribute__((warn_unused_result)) enum status waiting_room_routes_open(
	const struct waiting_room_routes_options *options, struct waiting_room_routes **routes,
	struct fault *fault);

/* The table, for http_server_options. The server's context must be these routes. */
extern const struct http_route waiting_room_route_table[];
extern const size_t waiting_room_route_count;

/* Open the adapters and start the lanes. Until then requests get 503. `server` is the one that
 * serves the table. */
__attribute__((warn_unused_result)) enum status waiting_room_routes_start(
	struct waiting_room_routes *routes, struct http_server *server, struct fault *fault);

/* Whether the technology answered when each lane last asked it. Any thread. */
bool waiting_room_routes_ready(const struct waiting_room_routes *routes);

/* Answer what is under way and end the lanes; requests that come later get 503. Before the server
 * is closed, since the lanes publish to its streams. */
void waiting_room_routes_stop(struct waiting_room_routes *routes);

/* Free everything, after the server has been closed. NULL is allowed. */
void waiting_room_routes_close(struct waiting_room_routes *routes);

/* GET /metrics: the registry, and how each room stands. */
void waiting_room_reply_metrics(struct http_exchange *exchange);
