/* The family's bench: what joining, admitting, waiting and coming back cost with each technology.
 *
 * A technology is a row. Its folder's bench.c fills in a struct bench_technology, the family's
 * bench.c lists them, and everything else is the same for all: the servers are the real ones, and
 * what asks them are processes of their own. What cannot be done ends the bench. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "bench/http_load.h"
#include "bench/measure.h"
#include "bench/report.h"
#include "bench/servers.h"
#include "tech-waiting-room/waiting_room.h"

enum { BENCH_ENVIRONMENT_MAX = 24, BENCH_TEXT_SIZE = 512 };

/* What a technology keeps its rooms in. All functions but those named may be NULL where there is
 * nothing behind the server. */
struct bench_technology {
	const char *name;
	const char *server;   /* Its program. */
	bool outlives_server; /* Its rooms are still there when the server was killed. */
	/* Start the services and tell the server's environment of them: adds `NAME=value` texts
	 * that live until `stop`, and returns how many. */
	size_t (*start)(const char *environment[]);
	void (*stop)(void);
	int64_t (*cpu_ns)(void);   /* That the service has used so far. */
	int64_t (*bytes)(void);    /* Of memory that it uses. */
	int64_t (*calls)(void);    /* That servers have made to it so far. */
	void (*kill)(void);        /* kill -9. */
	void (*start_again)(void); /* After that. Returns when it answers. */
	double must, aim;          /* Of its joins/s ÷ those in memory; 0: none. */
};

extern const struct bench_technology bench_memory, bench_redis_streams;

struct bench_settings {
	int64_t rounds, seconds, connections, depth, admissions, streams, changes, most;
};

extern struct bench_settings bench_settings;

/* ---- A server on its technology ---- */

struct bench_room {
	const struct bench_technology *technology;
	struct server server;
	const char *folder;
	const char *environment[BENCH_ENVIRONMENT_MAX];
	char port[32], log[BENCH_TEXT_SIZE];
};

/* Start the services, and the server on them. */
void bench_room_open(
	struct bench_room *room, const struct bench_technology *technology, const char *folder);
void bench_room_close(struct bench_room *room);

/* The server alone: kill -9, and a start on the same port. */
void bench_room_kill_server(struct bench_room *room);
void bench_room_start_server(struct bench_room *room);

struct bench_event {
	const char *event, *state;
	int64_t rate, active_max;
};

/* PUT the event's room; nobody's time is over within the bench. */
void bench_room_set(const struct bench_room *room, const struct bench_event *event);

/* A number of GET /events/{event}/waiting-room, or -1 where there is no answer. */
int64_t bench_room_number(uint16_t port, const char *event, const char *member);

/* The log can be as long as all that was done; empty it between two measures. */
void bench_room_empty_log(const struct bench_room *room);

/* ---- Loads ---- */

/* Such a load, with the settings' connections; without a count, for the settings' seconds. */
void bench_run_load(const struct http_load *load, struct http_load_outcome *outcome);

/* ---- The measures ---- */

/* Rates and their costs: one row of the first table. */
struct bench_rates {
	struct series rate, p50_ms, p99_ms, server_us, service_us, service_calls;
	double refused, failed;
};

/* Load a server and note what came and what it cost. The technology may be NULL: none behind it. */
void bench_rate(const struct server *server, const struct bench_technology *technology,
	const struct http_load *load, struct bench_rates *rates);

/* Joins of a new event; and then those people's admission. */
void bench_joins(struct bench_room *room, const char *event, struct bench_rates *rates);
void bench_admissions(struct bench_room *room, const char *event, struct bench_rates *rates);

/* How a room stands and comes back: one row of the second table. */
struct bench_standing {
	struct series after_server_ms, after_service_ms; /* From the kill to the next join. */
	struct series admit_after_server_ms, admit_after_service_ms;
	struct series
		streams_ms; /* A change of `serving` to the last stream: the round's slowest. */
	double server_bytes, service_bytes;           /* Per person, of 100,000. */
	double server_bytes_most, service_bytes_most; /* Of the most. */
	double most_seconds;
};

void bench_recovery(struct bench_room *room, const char *event, struct bench_standing *standing);
void bench_streams(struct bench_room *room, const char *event, struct bench_standing *standing);
void bench_most(const struct bench_technology *technology, const char *folder,
	struct bench_standing *standing);

/* Everything, for a main(). */
int waiting_room_bench(
	const struct bench_technology *const technologies[], size_t count, int argc, char **argv);
