/* The waiting room for the service behind the gate, where both are one process: what
 * POST …/passes/claim does over HTTP, and how a room stands, by calls.
 *
 * A person shows a pass with each request that selects seats. That it is one of ours, of this
 * person and event, and not over, is seen from the pass itself; whether the person still has the
 * slot, only the room knows, so the lane asks it, for all who show passes meanwhile by one call. */
#pragma once

#include "tech-waiting-room/waiting_room_routes.h"

enum waiting_room_pass_verdict {
	WAITING_ROOM_PASS_GOOD,     /* The person is active, and the pass is claimed: now or before.
				     */
	WAITING_ROOM_PASS_FORGED,   /* It is no pass of this person and event. */
	WAITING_ROOM_PASS_EXPIRED,  /* The session is over, it was claimed too late, or the person
				     * was silent for too long. */
	WAITING_ROOM_PASS_RELEASED, /* The person has left, or was let out after the purchase. */
};

struct waiting_room_pass_claim {
	struct http_exchange *exchange; /* On its loop; is deferred. */
	struct slice event, person;     /* These, and the pass, live as long as the exchange. */
	struct slice pass;
	/* Gets the exchange back when the verdict is there: on a lane's thread, or on the loop. It
	 * may hand the exchange on, and else completes it. Must be quick. */
	void (*then)(void *context, struct http_exchange *exchange,
		enum waiting_room_pass_verdict verdict);
	void *context;
};

/* Claim the pass. When the room cannot be asked the exchange is answered with 503, or with 404
 * where there is no room, and `then` is not called. */
void waiting_room_claim_pass(
	struct waiting_room_routes *routes, const struct waiting_room_pass_claim *claim);

/* The person needs the slot no more: somebody else may come in. Any thread; never waits. Only a
 * hint: where it is lost, the slot falls back when the heartbeat stops or the session ends. */
void waiting_room_let_out(
	struct waiting_room_routes *routes, struct slice event, struct slice person);

/* How the event's room stood when this process looked last, which is as old as its lanes' pauses
 * (some tens of ms while somebody is in it, else a second). False: it has none, as far as is known
 * here (rooms that other processes have made are found within list_ms). Any thread, no I/O. */
__attribute__((warn_unused_result)) bool waiting_room_known_view(
	struct waiting_room_routes *routes, struct slice event, struct waiting_room_view *view);

/* Somebody in this process has set the event's room by an instance of their own: what is known of
 * it is brought up to date, and only then is the exchange (which is deferred; NULL: nobody waits)
 * answered with how it stands, with this status. Any thread. */
void waiting_room_refresh(struct waiting_room_routes *routes, struct http_exchange *exchange,
	unsigned status, struct slice event);

/* As the API writes it: "lobby", "open", … Never NULL. */
const char *waiting_room_state_name(enum waiting_room_state state);
