/* A waiting room: people line up for an event and are let in at the pace that it can bear.
 *
 * Two things are kept apart. A *place* is a number in the line, given once and dense from 1. The
 * room's `serving` is the largest place that has been called; it only grows and never passes the
 * last place that was given (`tail`), so whoever holds a place knows without asking how many are
 * ahead. *Admission* concerns the person: those who have been called and have not finished are
 * active, and there are never more than `active_max` of them at any instant.
 *
 *	                 starts_at                    admit
 *	LOBBY (a rank) ------------> WAITING (a place) -----> ADMITTED ---> EXPIRED
 *	                                |                        |     (unclaimed, silent, over)
 *	                                +-------> LEFT <---------+     (left or released)
 *
 * Whoever comes before the start waits in the lobby and gets a rank in order of arrival. At the
 * start the lobby is cut off, and its ranks become places 1..n by a shuffle that everybody can
 * recompute (lib/ticketing/shuffle.h); whoever comes later queues behind, first come, first served.
 *
 * An instance belongs to one thread, usually a lane's (lib/batch). Calls block, for no longer than
 * the adapter's options say. Several instances, in several processes, share one room.
 *
 * Each call is about one event and takes an array; the requests in it act independently, as if made
 * one after the other. Every operation is idempotent by its person (and epoch), so after
 * STATUS_UNKNOWN the same call may be made again, and a message that a technology delivers twice
 * changes nothing. Statuses, for all operations:
 *	OK           every result is filled in
 *	UNAVAILABLE  nothing was applied
 *	UNKNOWN      perhaps applied
 *	REFUSED      `fault`-worthy misuse that no retry mends; only where said
 *
 * Epochs. A room that has lost its memory (and has a durable record that survived) goes on in the
 * next epoch: nobody's place is lost, since places are signed and shown again on return, but some
 * who were counted are not back yet, so positions are not exact for a while. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/slice.h"
#include "lib/base/status.h"

enum {
	WAITING_ROOM_EVENT_SIZE_MAX = 64,  /* Bytes of an event's id. */
	WAITING_ROOM_PERSON_SIZE_MAX = 64, /* Bytes of a person's id. */
	WAITING_ROOM_BATCH_MAX = 2000,     /* Requests per call, for every technology. */
	WAITING_ROOM_ACTIVE_MAX = 1000000,
	WAITING_ROOM_RATE_MAX = 100000,   /* Admissions per second. */
	WAITING_ROOM_SECONDS_MAX = 86400, /* Of claim, heartbeat and session. */
	WAITING_ROOM_SEED_SIZE = 32,
};

/* Admissions per second, at the least: somebody in a quarter of an hour. */
#define WAITING_ROOM_RATE_MIN 0.001

enum waiting_room_state {
	WAITING_ROOM_LOBBY,    /* Before the start: ranks are given, nobody is called. */
	WAITING_ROOM_OPEN,     /* People join and are called. */
	WAITING_ROOM_PAUSED,   /* People join, nobody is called; the active go on. */
	WAITING_ROOM_DRAINING, /* Nobody joins, those who wait are called. */
	WAITING_ROOM_CLOSED,   /* Nobody joins and nobody is called; the active go on. */
};

enum person_state {
	PERSON_UNKNOWN, /* Has never joined, or the room has forgotten (see epochs). */
	PERSON_LOBBY,
	PERSON_WAITING,
	PERSON_ADMITTED,
	PERSON_EXPIRED,
	PERSON_LEFT,
};

/* What an operator sets, also while it runs. All numbers are checked by the caller (the routes). */
struct waiting_room_settings {
	enum waiting_room_state state;
	double rate_per_second; /* Token bucket: refill, and its size is one second's worth, at
				   least 1. From _RATE_MIN to _RATE_MAX. */
	int64_t active_max;     /* 0 (nobody) to WAITING_ROOM_ACTIVE_MAX. Lowering it sends nobody
				   away: nobody is called until enough have finished. */
	int64_t claim_seconds;  /* From being called until the pass must be claimed. */
	int64_t heartbeat_seconds; /* An active person silent for this long has gone. */
	int64_t session_seconds;   /* From being called until the pass ends in any case. */
	int64_t starts_at_ms;      /* Unix time when a lobby opens by itself; 0: by hand only. */
};

/* A room as it stands: what one shared message tells everybody. */
struct waiting_room_view {
	struct waiting_room_settings settings; /* The state as it is now: of a lobby whose start
						  has passed, OPEN once it has been shuffled. */
	int64_t epoch;                         /* From 1. */
	int64_t serving;                       /* The largest place called. */
	int64_t tail;                          /* The largest place given; 0 while in the lobby. */
	int64_t waiting;    /* People in line (or in the lobby) who have not left. */
	int64_t active;     /* Admitted and not finished. ≤ the largest active_max of late. */
	int64_t admitted;   /* Ever, in this epoch; grows. */
	int64_t lobby_size; /* Ranks given, until the cut-off; of them the lowest is 1. */
	bool exact;         /* False while people of an earlier epoch may still return. */
	bool shuffled;      /* The lobby (if there was one) has been cut off and shuffled. */
	uint8_t seed_commitment[WAITING_ROOM_SEED_SIZE]; /* Published from the beginning. */
	uint8_t seed[WAITING_ROOM_SEED_SIZE];            /* Opened when shuffled, else zeros. */
	uint8_t lobby_hash[WAITING_ROOM_SEED_SIZE];      /* Of the lobby's list; when shuffled. */
};

/* ---- join ---- */

struct join_request {
	struct slice person; /* 1 to WAITING_ROOM_PERSON_SIZE_MAX bytes, none of them zero. */
	/* From a place token of this person whose signature has been verified; 0 when none was
	 * shown. A rank when the token is a lobby's. */
	int64_t token_place;
	int64_t token_rank;
	int64_t token_epoch;
};

enum join_outcome {
	JOIN_NEW,      /* At the back of the line (or of the lobby). */
	JOIN_AGAIN,    /* Was there already: the first place, and the state as it is now. */
	JOIN_RESTORED, /* Came back with a token that the room had forgotten: the token's place. */
	JOIN_NO_ROOM,  /* There is no room for this event. */
	JOIN_CLOSED, /* The room takes nobody (closed or draining) and does not know the person. */
};

struct join_result {
	enum join_outcome outcome;
	enum person_state state;
	int64_t place; /* 0 while in the lobby. */
	int64_t rank;  /* In the lobby, also after the shuffle; 0 for who came later. */
	int64_t epoch; /* In which it was given: what the token is signed with. */
};

/* ---- look_up, heartbeat, claim, leave and release: about one person each ---- */

struct person_request {
	struct slice person;
	/* From a verified pass of this person, where one was shown, so that a room which has lost
	 * its memory can count the person as active again; otherwise zeros. */
	int64_t pass_place;
	int64_t pass_epoch;
	int64_t pass_admitted_at_ms;
};

struct person_result {
	enum person_state state; /* After the operation; UNKNOWN: no such person or no such room. */
	bool changed;            /* Whether this very call made it so. */
	bool claimed;            /* The pass has been used for the first time. */
	int64_t place, rank, epoch;
	int64_t admitted_at_ms;  /* Unix time by the room's clock; 0 before. */
	int64_t pass_ends_at_ms; /* Unix time: when the pass ends if nothing happens: the claim
				    window's end before it is claimed, then the session's. */
};

/* ---- admit ---- */

/* Somebody who was called by this very call. */
struct admission {
	char person[WAITING_ROOM_PERSON_SIZE_MAX + 1];
	int64_t place, epoch;
	int64_t admitted_at_ms, pass_ends_at_ms;
};

/* What the callers must know of a technology; each trait has a conformance test. */
struct waiting_room_traits {
	const char *name;        /* "redis-streams" */
	bool position_is_exact;  /* Places are dense and strictly in order of acknowledgement. */
	bool redelivers;         /* Its messages may come twice (and the adapter takes care). */
	bool survives_restart;   /* What was acknowledged outlives kill -9 of the service. */
	bool survives_data_loss; /* With its record: goes on in the next epoch. */
	size_t batch_max;        /* ≤ WAITING_ROOM_BATCH_MAX. */
	int64_t poll_ms;         /* How often `admit` should be called when nothing else asks. */
};

struct waiting_room {
	const struct waiting_room_ops *ops;
};

struct waiting_room_ops {
	/* Constant for the instance. Any thread. */
	const struct waiting_room_traits *(*traits)(const struct waiting_room *room);

	/* Make the event's room or change its settings; `view` is how it stands afterwards (may be
	 * NULL). A new room draws its seed. A room that was ever opened does not return to LOBBY:
	 * REFUSED, nothing changed. Opening a lobby by hand shuffles it as its start would. */
	enum status (*configure)(struct waiting_room *room, struct slice event,
		const struct waiting_room_settings *settings, struct waiting_room_view *view);

	/* How the room stands. `*found` is false when the event has none, and `view` is zeroed. */
	enum status (*view)(struct waiting_room *room, struct slice event,
		struct waiting_room_view *view, bool *found);

	/* Names of all events that have a room, at most `max`, each as with snprintf; `*count` of
	 * them. So that whoever starts anew knows whom to admit. */
	enum status (*list)(struct waiting_room *room,
		char (*events)[WAITING_ROOM_EVENT_SIZE_MAX + 1], size_t max, size_t *count);

	/* Put people at the back. A person who is known keeps place and state, whatever happened
	 * since (one admission per person and epoch). Somebody who shows a place that the room does
	 * not know gets it back if its epoch is earlier than the room's, and the smaller of two
	 * places wins; a token of this epoch that the room does not know cannot be (REFUSED is not
	 * said: such a token is ignored). A join that was sent after another one was acknowledged
	 * gets a larger place (or rank). */
	enum status (*join)(struct waiting_room *room, struct slice event,
		const struct join_request requests[], struct join_result results[], size_t count);

	/* How a person stands. A person whose time is over is told EXPIRED, whether or not the slot
	 * has been taken back yet. */
	enum status (*look_up)(struct waiting_room *room, struct slice event,
		const struct person_request requests[], struct person_result results[],
		size_t count);

	/* The person is still there: an active one's silence begins anew (the claim window and the
	 * session are not longer for it). Of somebody who waits nothing is kept. With a pass that
	 * the room has forgotten (an earlier epoch's, whose session is not over) the person becomes
	 * active again, while the room still waits for such people and capacity allows. */
	enum status (*heartbeat)(struct waiting_room *room, struct slice event,
		const struct person_request requests[], struct person_result results[],
		size_t count);

	/* First use of the pass: ADMITTED and in time → claimed. Again: no change. */
	enum status (*claim)(struct waiting_room *room, struct slice event,
		const struct person_request requests[], struct person_result results[],
		size_t count);

	/* Give the place or the slot back, for good in this epoch: LEFT. By the person (leave), or
	 * by the service behind the gate when the pass has served (release): the same thing. */
	enum status (*leave)(struct waiting_room *room, struct slice event,
		const struct person_request requests[], struct person_result results[],
		size_t count);

	/* Call the next people: in one step take back the slots of those who are over, count the
	 * active, and admit from the head as many as active_max, the token bucket, the state and
	 * `max` (≤ batch_max) allow. Also opens a lobby whose start has come, which may take
	 * several calls. `admissions[0..*count]` are those admitted by this very call, in order of
	 * place; whose admission was lost on the way (UNKNOWN) are found by look_up. `view` as it
	 * stands afterwards. `*next_ms` is how long nothing will change by itself: call again then,
	 * or when somebody has joined or left. Fewer than could be may be called at once, where
	 * numbers must be reserved first; then `*next_ms` is at most 1. An event without a room:
	 * OK, none, a zeroed view (epoch 0). */
	enum status (*admit)(struct waiting_room *room, struct slice event,
		struct admission admissions[], size_t max, size_t *count,
		struct waiting_room_view *view, int64_t *next_ms);

	/* People of the lobby's list from rank `from` on, for whoever recomputes the shuffle: at
	 * most `max` of them, `people[i]` of rank from + i ("" for a rank whose person is not
	 * known any more). Only once it is shuffled (else none). */
	enum status (*lobby)(struct waiting_room *room, struct slice event, int64_t from,
		char (*people)[WAITING_ROOM_PERSON_SIZE_MAX + 1], size_t max, size_t *count);

	/* Free the instance; the rooms stay. */
	void (*close)(struct waiting_room *room);
};

/* ---- Callers use these ---- */

static inline const struct waiting_room_traits *waiting_room_traits(const struct waiting_room *room)
{
	return room->ops->traits(room);
}

__attribute__((warn_unused_result)) static inline enum status waiting_room_configure(
	struct waiting_room *room, struct slice event, const struct waiting_room_settings *settings,
	struct waiting_room_view *view)
{
	return room->ops->configure(room, event, settings, view);
}

__attribute__((warn_unused_result)) static inline enum status waiting_room_view(
	struct waiting_room *room, struct slice event, struct waiting_room_view *view, bool *found)
{
	return room->ops->view(room, event, view, found);
}

__attribute__((warn_unused_result)) static inline enum status waiting_room_list(
	struct waiting_room *room, char (*events)[WAITING_ROOM_EVENT_SIZE_MAX + 1], size_t max,
	size_t *count)
{
	return room->ops->list(room, events, max, count);
}

__attribute__((warn_unused_result)) static inline enum status waiting_room_join(
	struct waiting_room *room, struct slice event, const struct join_request requests[],
	struct join_result results[], size_t count)
{
	return room->ops->join(room, event, requests, results, count);
}

__attribute__((warn_unused_result)) static inline enum status waiting_room_look_up(
	struct waiting_room *room, struct slice event, const struct person_request requests[],
	struct person_result results[], size_t count)
{
	return room->ops->look_up(room, event, requests, results, count);
}

__attribute__((warn_unused_result)) static inline enum status waiting_room_heartbeat(
	struct waiting_room *room, struct slice event, const struct person_request requests[],
	struct person_result results[], size_t count)
{
	return room->ops->heartbeat(room, event, requests, results, count);
}

__attribute__((warn_unused_result)) static inline enum status waiting_room_claim(
	struct waiting_room *room, struct slice event, const struct person_request requests[],
	struct person_result results[], size_t count)
{
	return room->ops->claim(room, event, requests, results, count);
}

__attribute__((warn_unused_result)) static inline enum status waiting_room_leave(
	struct waiting_room *room, struct slice event, const struct person_request requests[],
	struct person_result results[], size_t count)
{
	return room->ops->leave(room, event, requests, results, count);
}

__attribute__((warn_unused_result)) static inline enum status waiting_room_admit(
	struct waiting_room *room, struct slice event, struct admission admissions[], size_t max,
	size_t *count, struct waiting_room_view *view, int64_t *next_ms)
{
	return room->ops->admit(room, event, admissions, max, count, view, next_ms);
}

__attribute__((warn_unused_result)) static inline enum status waiting_room_lobby(
	struct waiting_room *room, struct slice event, int64_t from,
	char (*people)[WAITING_ROOM_PERSON_SIZE_MAX + 1], size_t max, size_t *count)
{
	return room->ops->lobby(room, event, from, people, max, count);
}

static inline void waiting_room_close(struct waiting_room *room)
{
	if (room)
		room->ops->close(room);
}
