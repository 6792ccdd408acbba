/* Several servers of one technology that share their rooms, as processes of their own; people who
 * join, wait, come in and leave by asking whichever server; and an observer who stands outside and
 * knows only what people sent and were answered, and when.
 *
 * The observer never accuses wrongly. Somebody counts as active from the moment when an answer said
 * so (the truth is earlier) until the moment when the request to leave was sent, or when a
 * heartbeat that was answered is too long ago (the truth is later). So whatever it sees did happen.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/testkit/http_client.h"
#include "lib/testkit/process.h"
#include "lib/testkit/random.h"

enum {
	SERVERS = 2,
	SERVER_SETTINGS_MAX = 24,
	PEOPLE_MAX = 128,
	WALKERS = 4, /* Threads by which people walk. */
	PATIENCE_MS = 60000,
};

/* What the servers are, and what they keep their rooms in. */
struct servers_technology {
	const char *program;            /* Its path below the build's tech-waiting-room/. */
	const char *const *environment; /* Of the services; ends with NULL. */
	bool (*restart)(void);          /* kill -9 of the service, and a new start. */
	bool (*empty)(void);            /* The same, with all data gone. */
};

struct servers {
	const struct servers_technology *technology;
	struct process processes[SERVERS];
	uint16_t ports[SERVERS];
	char logs[SERVERS][64];
};

/* Start all; each keeps its port over restarts. Fails the running test where it cannot, like all
 * functions here but those for people. */
void servers_open(struct servers *servers, const struct servers_technology *technology);
void servers_start(struct servers *servers, size_t index);
void servers_kill(struct servers *servers, size_t index);

/* SIGTERM, and an end with code 0. */
void servers_stop(struct servers *servers, size_t index);

/* Stop those that run, and forget them. */
void servers_close(struct servers *servers);

/* PUT the event's room by server 0: `members` without the braces. */
void servers_set(struct servers *servers, const char *event, const char *members);

/* The room as a server tells it. The caller frees it; NULL where there is no answer. */
json_t *servers_view(struct servers *servers, size_t index, const char *event);

/* How many admissions the servers have told of in their logs, each of which must be told once. */
size_t servers_admissions(struct servers *servers, const char *event);

/* ---- The observer ---- */

enum walk { WALK_JOINS, WALK_WAITS, WALK_ACTIVE, WALK_LEAVES, WALK_GONE, WALK_LOST };

struct person {
	enum walk walk;
	char name[32];
	char token[512], pass[512];
	char ends_at[40]; /* When the pass that was told first ends; tells when it was given. */
	int64_t floor;    /* The largest place acknowledged before the first join was sent. */
	int64_t rank, place;
	int64_t active_ns; /* When an answer said so. */
	int64_t sure_ns;   /* Until when it was so for sure; grows by heartbeats. */
	int64_t leaves_at_ns;
	bool asked; /* A join was sent and may have come without an answer. */
};

struct observer {
	pthread_mutex_t mutex;
	int64_t largest; /* Place acknowledged. */
	size_t accusations;
	char first[256];
};

struct people {
	struct servers *servers;
	const char *event;
	struct observer observer;
	struct person people[PEOPLE_MAX];
	size_t count;
	int64_t stay_ms;         /* How long the active stay, about; 0: until told to leave. */
	int64_t heartbeat_ms;    /* The room's setting; they send ten times as many. */
	bool split;              /* Each keeps to one server, by turns; else to either. */
	bool asks_after_leaving; /* Whether one is let in again; one may be in another epoch. */
	atomic_size_t counts[WALK_LOST + 1];
	atomic_size_t leave_max; /* Beyond about so many, who is inside stays. 0: all may leave. */
	atomic_bool inexact;     /* Somebody was told that positions are not exact. */
	atomic_bool stop;
	pthread_t walkers[WALKERS];
};

/* Let `count` people come. The struct is zero but for settings. Threads of this process ask, so no
 * assertion fails in them: what they see is the observer's. */
void people_start(struct people *people);

/* Wait until at least `count` have got as far as `walk`, or further. False: not in time. */
bool people_wait(struct people *people, enum walk walk, size_t count);

/* Wait for the threads. */
void people_end(struct people *people);

/* How many were active at the same moment, for sure; after people_end. */
size_t people_most_active(const struct people *people);

/* Accuse where places are not 1..count, or people were called in another order than theirs. */
void people_judge_places(struct people *people);
void people_judge_order(struct people *people);

/* How many accusations there are; prints the first. */
size_t people_accusations(struct people *people);
