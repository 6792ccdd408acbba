/* A guard in Redis before any seat store: who asks for a seat that is taken, or that somebody is
 * just being given, is refused without the store being asked.
 *
 *	struct redis_guard_options options = {.redis_url = url};
 *	struct seat_store *store;
 *	if (redis_guard_open(inner, &options, &store, &fault) != STATUS_OK)
 *		…
 *
 * DESIGN. The store inside always decides; a mark in Redis only says whom it is not worth asking
 * for. One script claims all seats of all requests of a call (claim.lua): each seat of a request
 * that finds none of another's is *pending*. Those requests go to the store in one batch, and only
 * when it has answered are the seats *held*, for slightly less than the hold has to live, or
 * nobody's (settle.lua). A sale makes them *sold* for a while. A mark begins with the hold's id; it
 * is changed and taken away by whoever has that id and by nobody else, and left alone when the
 * store's answer is UNKNOWN. All keys of an event share a slot:
 *
 *	sg:{event}:seats
 *		a hash, of each seat that exists or is being asked for: "<hold> <until> <state>",
 *		with `until` in Unix ms by Redis's clock, and as state "pending", "held <version>",
 *		"sold <version>", or "asked": pending, and nobody knows whether it exists, so TAKEN
 *		must not be said of it. "" is nobody's, and so is all whose time is over. Forgotten
 *		when marks may be there that should be gone.
 *	sg:{event}:holds:<day>
 *		a hash, of each hold that was asked for on this day since 1970: its seats. That it
 *		is there, or in that of the day before, says that the store may know the id, so that
 *		whoever repeats a request is let through
 *	sg:{event}:order:<order>
 *		the hold that it has bought, while the seats say so
 *
 * One hash and not a key per seat: what a batch claims is read and written by a few commands,
 * however many seats it has, and when a sale begins the hash has its size already. Hundreds of
 * thousands of keys with an expiry each would make Redis spread its table anew in the middle of it.
 *
 * Redis slow, away or empty is no failure: calls go straight to the store, at once while it stays
 * away, and the guard comes back by itself. What Redis knows need not be durable.
 *
 * WHAT IS WEAKER than in the store inside. All of it concerns refusals to hold; a grant, a sale and
 * everything that is read come from the store. traits.exact_refusals is false, because
 *
 *	- TAKEN is also said while another request for the seat is on its way to the store, which
 *	  may yet refuse it. Usually that takes milliseconds; when its process has died or the
 *	  store does not answer, pending_ms. Within one call nothing is weaker.
 *	- `which` of TAKEN names the seats that the guard knows to be taken. There may be more.
 *
 * A seat that the store would grant may be refused
 *
 *	- for pending_ms, as above;
 *	- when a hold has ended before its time and no guard has been told (it was released through
 *	  the store itself; or a process died, or stays idle, before it could tell Redis): until
 *	  the hold would have ended by itself;
 *	- when a sale was revoked and no guard has been told: for sold_ms, too. Where the guard was
 *	  not told of the sale either (a checkout that sells in the store's own database,
 *	  postgres_checkout.h, goes past it): until the hold would have ended. Sold seats need no
 *	  more: their marks say held until then, and whoever asks later asks the store;
 *	- when Redis's clock was set back: for so much longer.
 *
 * An expired hold is never in the way: its marks end before it. And an id of a hold that was
 *granted while Redis was away, or before it lost its data, or was asked for more than a day ago,
 *may be answered TAKEN when it is repeated and another has the seats by now; look_up knows better.
 */
#pragma once

#include "lib/metrics/metrics.h"
#include "tech-locking-and-transactions/seat_store.h"

enum {
	REDIS_GUARD_CALL_MS_DEFAULT = 250,
	REDIS_GUARD_PENDING_MS_DEFAULT = 5000,
	REDIS_GUARD_SOLD_MS_DEFAULT = 60000,
};

/* Zero means the default. The texts are copied. */
struct redis_guard_options {
	const char *redis_url;
	int64_t call_ms_max;     /* For one answer of Redis; then the call goes on without it. */
	int64_t pending_ms;      /* Longer than the store takes to answer. */
	int64_t sold_ms;         /* How long a sold seat is remembered as sold. */
	struct metrics *metrics; /* With what redis_guard_register_metrics creates; or NULL. */
};

/* Create what guards count, for guards that are opened when the registry is frozen already:
 * seat_guard_holds_total{outcome}, whose outcomes are those of struct redis_guard_counts. */
void redis_guard_register_metrics(struct metrics *metrics);

/* Put a guard before `inner`, which belongs to the guard from then on and is closed with it.
 * REFUSED: what no retry mends, such as a malformed URL or a wrong password; `inner` stays the
 * caller's. A Redis that does not answer at the moment is no failure. */
__attribute__((warn_unused_result)) enum status redis_guard_open(struct seat_store *inner,
	const struct redis_guard_options *options, struct seat_store **store, struct fault *fault);

/* What has become of requests to hold since the guard was opened. */
struct redis_guard_counts {
	int64_t refused;  /* TAKEN without the store. */
	int64_t claimed;  /* To the store, with marks of their own. */
	int64_t passed;   /* To the store without: an id that is known, seats that are not. */
	int64_t bypassed; /* To the store, because Redis was away. */
};

/* Of a store that redis_guard_open has made. */
struct redis_guard_counts redis_guard_counts(const struct seat_store *store);
